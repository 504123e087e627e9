// Who is present, kept from a snapshot and what changes it.

import { object } from './feed.js';
import type { Member, Presence } from './types.js';

interface Known {
  seq: number;
  count: number;
  members: Map<string, Member> | null;
}

export class Rosters {
  readonly #known = new Map<string, Known>();

  all(): Presence[] {
    return [...this.#known].map(([topic, known]) => shown(topic, known));
  }

  /** What would tell somebody else all of it: data of `tidings:presence` events. */
  snapshots(): string[] {
    return [...this.#known].map(([topic, { seq, count, members }]) =>
      JSON.stringify({ topic, seq, count, members: members && [...members.values()] }));
  }

  /**
   * Takes the data of a `tidings:presence` event; null if it changes nothing.
   * A change can come behind a snapshot that has it already.
   */
  take(data: string): Presence | null {
    const { topic, seq, count, members, joined, left } = object(data) ?? {};
    if (typeof topic !== 'string' || typeof seq !== 'number' || typeof count !== 'number') return null;
    const before = this.#known.get(topic);
    if (members !== undefined) {
      const next = { seq, count, members: Array.isArray(members) ? byId(members) : null };
      this.#known.set(topic, next);
      return shown(topic, next, ...difference(before, next));
    }
    if (!before || seq <= before.seq) return null;
    const listed = Array.isArray(joined) && Array.isArray(left) && before.members !== null;
    const next = { seq, count, members: listed ? changed(before.members, joined, left) : null };
    this.#known.set(topic, next);
    return shown(topic, next, ...difference(before, next));
  }
}

function shown(topic: string, { count, members }: Known, joined: Member[] = [], left: Member[] = []): Presence {
  return { topic, count, members: members && [...members.values()], joined, left };
}

function byId(members: Member[]): Map<string, Member> {
  return new Map(members.map(member => [member.id, member]));
}

function changed(members: Map<string, Member> | null, joined: Member[], left: string[]): Map<string, Member> {
  const next = new Map(members);
  for (const id of left) next.delete(id);
  for (const member of joined) next.set(member.id, member);
  return next;
}

function difference(before: Known | undefined, { members }: Known): [Member[], Member[]] {
  const old = before?.members;
  if (!members || (before && !old)) return [[], []];
  const joined = [...members.values()].filter(({ id }) => !old?.has(id));
  const left = [...(old?.values() ?? [])].filter(({ id }) => !members.has(id));
  return [joined, left];
}
