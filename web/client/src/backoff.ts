// When a stream is asked for again.

const FIRST = 1_000;
const MOST = 30_000;
/** As little as a server can ask for: one that is down isn't to be asked without a pause. */
const LEAST = 100;
/** What a server can ask for at most. */
const LONGEST = 3_600_000;

export interface Lost {
  /** The reconnection time that the connection that is lost has told, in milliseconds. */
  told: number | null;
  /** What an earlier one has told. */
  before: number | null;
  /** What `Retry-After` asks for, in milliseconds. */
  after: number | null;
  /** How many attempts in a row brought nothing. */
  failures: number;
  /** From 0 to 1. */
  random: number;
}

/**
 * Milliseconds to wait, at least 100. A server's own word counts as it is if it
 * is no less: the hub gives each connection a time of its own. Otherwise it is
 * twice as long after each attempt that brought nothing, and anywhere in its
 * second half, so that those who lost their server together don't come back
 * together.
 */
export function delay({ told, before, after, failures, random }: Lost): number {
  const word = after ?? told ?? (failures === 0 ? before : null);
  if (word !== null && word >= LEAST) return Math.min(word, LONGEST);
  const first = Math.max(LEAST, word ?? before ?? FIRST);
  const ceiling = Math.min(MOST, first * 2 ** Math.min(Math.max(failures - 1, 0), 16));
  return Math.max(LEAST, ceiling * (0.5 + random / 2));
}

/** Reads `Retry-After`: seconds, or a date (RFC 9110, section 10.2.3). */
export function retryAfter(value: string | null, now: number): number | null {
  if (value === null) return null;
  if (/^[0-9]+$/.test(value)) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? null : Math.max(0, date - now);
}
