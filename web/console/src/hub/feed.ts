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

/// Follows topics and patterns, from now on or from `since`; answers what ends it.
export function follow(topics: string[], follower: Follower, since?: string): () => void {
  // Always fetched: an EventSource never learns why it was refused.
  const watch = new Tidings(HUB, {
    topics,
    transport: 'fetch',
    ...(since && { since }),
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
  return () => watch.close();
}

function refusalOf({ status, code, message }: TidingsError): Refusal {
  // What the status says, the page says in its own language.
  return { status, code: code ?? '', title: '', detail: message.replace(/^the server answered \d+:? ?/, '') };
}
