// What a page sees of a watch: its options, its events, how it goes.

/**
 * How a watch goes. `connecting`: a request is on its way. `open`: events come
 * as they are published. `waiting`: the connection was lost, or refused for a
 * while, and is asked for again. `closed`: for good.
 */
export type State = 'connecting' | 'open' | 'waiting' | 'closed';

/** An event, as its publisher said it. */
export interface TidingsEvent<Data = string, Type extends string = string> {
  /** Its name; `message` if it has none. */
  readonly type: Type;
  /** Where it was published; null if the stream doesn't say (no `topics`, no `envelope`). */
  readonly topic: string | null;
  /** Its id; null for what is never stored, as the hub's events about itself. */
  readonly id: string | null;
  /** When the hub took it in (RFC 3339, UTC); null if the stream doesn't say. */
  readonly time: string | null;
  readonly data: Data;
}

/** Events are missing here, and the stream goes on behind them. */
export interface Gap {
  /** `expired`, `unknown`, `foreign`, `corrupt` or `slow`, as the hub's documentation has them. */
  readonly reason: string;
  /** The id behind which it goes on. */
  readonly since: string | null;
}

/** A topic was closed. `topic` is null when all that is watched is: then the watch is closed too. */
export interface End {
  readonly topic: string | null;
}

/** Somebody who is present at a topic. */
export interface Member {
  readonly id: string;
  /** Since when (RFC 3339). */
  readonly since: string;
  /** The name that they gave themselves (`as`). */
  readonly as?: string;
  /** What their token shows of them. */
  readonly data?: unknown;
}

/** Who is present at a topic, and what has just changed. */
export interface Presence {
  readonly topic: string;
  readonly count: number;
  /** Everybody, or null where there are too many for a list. */
  readonly members: readonly Member[] | null;
  /** Who came since the last event; empty where there is no list. */
  readonly joined: readonly Member[];
  /** Who left since the last event; empty where there is no list. */
  readonly left: readonly Member[];
}

/** What went wrong. */
export class TidingsError extends Error {
  /** The answer's status; 0 if there was no answer. */
  readonly status: number;
  /** The hub's name for it, as `not-granted`; null if it gave none. */
  readonly code: string | null;
  /** Whether the watch is closed by it. If not, it goes on by itself. */
  readonly fatal: boolean;

  constructor(text: string, { status = 0, code = null, fatal = false }: { status?: number; code?: string | null; fatal?: boolean } = {}) {
    super(text);
    this.name = 'TidingsError';
    this.status = status;
    this.code = code;
    this.fatal = fatal;
  }
}

/** What the watch itself tells, beside the events. Publishers can't use names that begin with `tidings:`. */
export interface OwnEvents {
  'tidings:gap': Gap;
  'tidings:end': End;
  'tidings:presence': Presence;
  'tidings:state': State;
  'tidings:error': TidingsError;
}

type Given<T> = T | (() => T | Promise<T>);

export interface Options {
  /**
   * Topics and patterns to watch; `url` is then the hub's, and each event says
   * its topic. Without it `url` is that of an event stream, of any server.
   */
  topics?: string | readonly string[];
  /** Where the first connection starts: `latest` (the default), `earliest`, `10m`, `last:20`, or an id. */
  since?: string;
  /** A token for `Authorization: Bearer`, or what gets one: it is asked before each connection. */
  token?: Given<string>;
  /**
   * What gets a ticket: a function, or a URL that answers a POST with
   * `{"ticket": …}`, as the hub's `/tickets` does (with `token`, if there is
   * one). It is asked before each connection.
   */
  ticket?: string | URL | (() => string | Promise<string>);
  /** Other headers of each request, or what gives them. */
  headers?: Given<Record<string, string>>;
  /** Whether requests to other origins carry cookies (`include`). */
  credentials?: 'same-origin' | 'include';
  /**
   * One connection for all tabs of the origin that watch the same. A text
   * separates those that mustn't share, as a user's id does after another has
   * logged in. Where a browser can't (no Web Locks: a page without TLS that
   * isn't on localhost), each tab has its own.
   */
  shared?: boolean | string;
  /** To be present at `topics`, and to be told who is. */
  presence?: boolean;
  /** The name under which one is present, at a hub without keys. */
  as?: string;
  /** Whether events come with their topic and time; without `topics` the default is no. */
  envelope?: boolean;
  /** What becomes of an event's data: `text` (the default), `json`, or what the function gives. */
  decode?: 'text' | 'json' | ((data: string, type: string, topic: string | null) => unknown);
  /**
   * `EventSource` or `fetch`; by default the first where it suffices. Without
   * envelopes it hears no named events but the hub's own.
   */
  transport?: 'eventsource' | 'fetch';
  /** After so many milliseconds without a byte a connection is taken for dead (45,000; 0: never). Not with `EventSource`. */
  silence?: number;
}
