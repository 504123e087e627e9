// Streams of the hub, followed until they are closed: they resume by themselves.

import { Tidings, type TidingsError } from '@tidings/client';
import { HUB, token, type Refusal } from './api';

/// `waiting` for a next attempt; `refused` and `ended` are final.
export type FeedState = 'connecting' | 'open' | 'waiting' | 'refused' | 'ended';

/// What a stream says: an event, or what the hub itself tells of it.
export interface Heard {
  kind: 'event' | 'gap' | 'end';
  topic: string;
  type: string;
  id: string;
  /// Milliseconds since 1970; of its arrival, where the hub tells none.
  time: number;
  data: string;
}

export interface Follower {
  state(state: FeedState, refusal: Refusal | null): void;
  heard(heard: Heard): void;
}

export interface Following {
  /// Where it begins, if not now.
  since?: string;
  /// Tabs that give the same share one connection.
  shared?: string;
}

/// Follows topics and patterns; answers what ends it, and that answers the last id.
export function follow(topics: string[], follower: Follower, following: Following = {}): () => string {
  // Always fetched: an EventSource never learns why it was refused.
  const watch = new Tidings(HUB, {
    topics,
    transport: 'fetch',
    ...following,
    ...(token.get() && { token: token.get() }),
  });
  const own = (kind: 'gap' | 'end', type: string, topic: string, data: unknown) =>
    follower.heard({ kind, topic, type, id: watch.lastEventId, time: Date.now(), data: JSON.stringify(data) });
  watch.on('tidings:state', state => {
    if (state !== 'closed') follower.state(state, null);
    else if (watch.error) follower.state('refused', refusalOf(watch.error));
    else follower.state('ended', null);
  });
  watch.on('tidings:gap', gap => own('gap', 'tidings:gap', '', gap));
  watch.on('tidings:end', ({ topic }) => topic !== null && own('end', 'tidings:end', topic, { topic }));
  watch.on('*', ({ topic, type, id, time, data }) => follower.heard({
    kind: 'event', topic: topic ?? '', type, id: id ?? '', time: (time && Date.parse(time)) || Date.now(), data,
  }));
  return () => {
    watch.close();
    return watch.lastEventId;
  };
}

/// Follows as `follow` does while the page is in view, and goes on where it was
/// when that is shown again: a browser may have six connections for all tabs
/// together. Answers what ends it.
export function followInView(topics: string[], follower: Follower, since: string): () => void {
  let place = since;
  let close: (() => string) | null = null;
  let over = false;
  const state: Follower['state'] = (feed, refusal) => {
    over = feed === 'refused' || feed === 'ended';
    follower.state(feed, refusal);
  };
  const look = () => {
    if (document.hidden && close && !over) {
      place = close() || place;
      close = null;
    } else if (!document.hidden && !close) {
      close = follow(topics, { ...follower, state }, place ? { since: place } : {});
    }
  };
  document.addEventListener('visibilitychange', look);
  look();
  return () => {
    document.removeEventListener('visibilitychange', look);
    close?.();
  };
}

function refusalOf({ status, code, message }: TidingsError): Refusal {
  // What the status says, the page says in its own language.
  return { status, code: code ?? '', title: '', detail: message.replace(/^the server answered \d+:? ?/, '') };
}
