// What brings events to a watch: an EventSource, a stream that is fetched, or
// another tab.

import type { Block } from './parser.js';
import type { State, TidingsError, TidingsEvent } from './types.js';

/** An event as it came. One without an id is not in the log: nobody can resume behind it. */
export type Told = TidingsEvent;

export interface Feed {
  start(): void;
  /** Ends everything at once; nothing is told any more. */
  close(): void;
}

/** What a feed tells. */
export interface Receiver {
  state(state: Exclude<State, 'closed'>): void;
  event(event: Told): void;
  /** The stream has come to this id without an event. */
  position(id: string): void;
  /** Something went wrong, and the feed goes on. */
  problem(error: TidingsError): void;
  /** The feed is over: by an error, or because there will be no more events. */
  over(error: TidingsError | null): void;
  /** Bytes came, whatever they mean. */
  heard(): void;
}

/** The names of the hub's events that begin with `tidings:` and concern a watch. */
export const OWN = ['tidings:gap', 'tidings:end', 'tidings:presence'] as const;

export function gap(reason: string, since: string | null): Told {
  return { type: 'tidings:gap', topic: null, id: since, time: null, data: JSON.stringify({ reason, since }) };
}

/** Reads an event of a stream. `enveloped`: unnamed ones are envelopes. */
export function told({ type, data, id, identified }: Block & { data: string }, enveloped: boolean): Told {
  const plain = { type, topic: null, id: identified ? id : null, time: null, data };
  if (!enveloped || type !== 'message') return plain;
  const envelope = object(data);
  if (typeof envelope?.['topic'] !== 'string' || typeof envelope['data'] !== 'string') return plain;
  const text = (name: string) => (typeof envelope[name] === 'string' ? envelope[name] : null);
  return {
    type: text('event') ?? 'message',
    topic: envelope['topic'],
    id: text('id'),
    time: text('time'),
    data: envelope['data'],
  };
}

/** The object that a text of JSON is; null if it is none. */
export function object(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && !Array.isArray(value) ? (value as Record<string, unknown> | null) : null;
  } catch {
    return null;
  }
}
