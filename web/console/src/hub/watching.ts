// What the page knows of the hub at this moment: one stream of its `$sys`
// topics, followed while the page is open.

import { Store } from '../lib/store';
import { token, type Refusal } from './api';
import { follow, type FeedState } from './feed';
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

/// Follows the hub from now on, with whatever token there is.
export function watchHub(): void {
  let close = () => {};
  const start = () => {
    close();
    close = follow(OWN, {
      state: (feed, refusal) => hubState.set({ feed, refusal }),
      heard: ({ topic, data }) => take(topic, data),
    });
  };
  token.follow(() => {
    for (const store of [stats, topics, connections] as Store<unknown>[]) store.set(null);
    samples.set([]);
    start();
  });
  start();
}
