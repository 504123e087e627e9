// What the page knows of the hub at this moment: one stream of its `$sys`
// topics, followed while the page is open; one for all tabs of the console.

import { hex } from '../lib/format';
import { Store } from '../lib/store';
import { token, type Refusal } from './api';
import { follow, type FeedState, type Following } from './feed';
import { sampleOf, withSample, type Connections, type Sample, type Stats, type Topics } from './own';

export interface HubState {
  feed: FeedState;
  refusal: Refusal | null;
}

export const hubState = new Store<HubState>({ feed: 'connecting', refusal: null });
export const stats = new Store<Stats | null>(null);
export const samples = new Store<Sample[]>([]);
export const topics = new Store<Topics | null>(null);
export const connections = new Store<Connections | null>(null);

const OWN = ['$sys/stats', '$sys/topics', '$sys/connections'];

function takeStats(now: Stats): void {
  const before = stats.get();
  stats.set(now);
  const sample = before && sampleOf(before, now);
  if (sample) samples.set(withSample(samples.get(), sample));
}

function take(topic: string, data: string): void {
  if (topic === '$sys/stats') takeStats(JSON.parse(data) as Stats);
  else if (topic === '$sys/topics') topics.set(JSON.parse(data) as Topics);
  else if (topic === '$sys/connections') connections.set(JSON.parse(data) as Connections);
}

/// What only those who have the same token share. A page that can't make it,
/// for want of TLS, couldn't share either.
async function sharedBy(token: string): Promise<Following> {
  if (!globalThis.isSecureContext) return {};
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(token));
  return { shared: hex(new Uint8Array(digest)) };
}

/// Follows the hub from now on, with whatever token there is.
export function watchHub(): void {
  let close: () => unknown = () => {};
  const start = async () => {
    close();
    let ended = false;
    close = () => { ended = true; };
    const shared = await sharedBy(token.get());
    if (ended) return;
    close = follow(OWN, {
      state: (feed, refusal) => hubState.set({ feed, refusal }),
      heard: ({ topic, data }) => take(topic, data),
    }, shared);
  };
  token.follow(() => {
    for (const store of [stats, topics, connections] as Store<unknown>[]) store.set(null);
    samples.set([]);
    void start();
  });
  void start();
}
