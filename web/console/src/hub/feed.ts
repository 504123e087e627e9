// An event stream that is followed until it is closed: it resumes by itself.

import { HUB, authorization, problemOf, type Refusal } from './api';
import { Parser } from '../../../client/src/parser';

/// An event as it stands in the stream.
export interface Raw {
  type: string;
  data: string;
  id: string;
}

/// `waiting` for a next attempt; `refused` and `ended` are final.
export type FeedState = 'connecting' | 'open' | 'waiting' | 'refused' | 'ended';

export interface Follower {
  state(state: FeedState, refusal?: Refusal): void;
  /// The events of one piece of the stream, in order.
  events(events: Raw[]): void;
}

const RETRY_MS = 2000;
const RETRY_MOST_MS = 15_000;
/// The hub says something every 15 s.
const SILENCE_MS = 45_000;

/// Follows the stream at `path`; answers what ends it.
export function follow(path: string, follower: Follower): () => void {
  const ending = new AbortController();
  void run(path, follower, ending.signal);
  return () => ending.abort();
}

/// Where a stream is, over its connections.
interface Place {
  id: string;
  retry: number | null;
}

async function run(path: string, follower: Follower, ended: AbortSignal): Promise<void> {
  const place: Place = { id: '', retry: null };
  for (let failures = 0; !ended.aborted;) {
    follower.state('connecting');
    const outcome = await connection(path, place, follower, ended).catch(() => 'failed' as const);
    if (ended.aborted || outcome === 'final') return;
    failures = outcome === 'over' ? 0 : failures + 1;
    follower.state('waiting');
    const base = place.retry ?? RETRY_MS;
    await pause(Math.min(Math.max(base, RETRY_MOST_MS), base * 2 ** Math.max(0, failures - 1)), ended);
  }
}

async function connection(
  path: string, place: Place, follower: Follower, ended: AbortSignal,
): Promise<'over' | 'failed' | 'final'> {
  const attempt = new AbortController();
  const abort = () => attempt.abort();
  ended.addEventListener('abort', abort);
  let silence = setTimeout(abort, SILENCE_MS);
  try {
    const headers: Record<string, string> = { Accept: 'text/event-stream', ...authorization() };
    if (place.id) headers['Last-Event-ID'] = place.id;
    const reply = await fetch(new URL(path, HUB), {
      headers, cache: 'no-store', signal: attempt.signal,
    });
    if (reply.status === 204) {
      follower.state('ended');
      return 'final';
    }
    if (!reply.ok || !reply.body) {
      const refusal = await problemOf(reply);
      if (reply.status >= 500 || reply.status === 429) return 'failed';
      if (!ended.aborted) follower.state('refused', refusal);
      return 'final';
    }
    follower.state('open');
    const reader = reply.body.getReader();
    let events: Raw[] = [];
    const parser = new Parser({
      block: ({ type, data, id }) => {
        place.id = id;
        if (data !== null) events.push({ type, data, id });
      },
      retry: ms => { place.retry = ms; },
    }, place.id);
    for (;;) {
      const { done, value } = await reader.read();
      if (done || ended.aborted) return 'over';
      clearTimeout(silence);
      silence = setTimeout(abort, SILENCE_MS);
      parser.push(value);
      if (events.length > 0) follower.events(events);
      events = [];
    }
  } finally {
    clearTimeout(silence);
    ended.removeEventListener('abort', abort);
    abort();
  }
}

function pause(ms: number, ended: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const timer = setTimeout(resolve, ms);
    ended.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    }, { once: true });
  });
}
