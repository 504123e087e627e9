// Which view of which topic the address names: `#/live?topic=orders/*`.

import { ofTab } from '../lib/kept';
import { Store } from '../lib/store';

export const HUB_VIEWS = ['overview', 'topics', 'connections'] as const;
export const TOPIC_VIEWS = ['live', 'history', 'publish', 'presence', 'code'] as const;

export type View = (typeof HUB_VIEWS)[number] | (typeof TOPIC_VIEWS)[number];

export interface Route {
  view: View;
  /// The topic or pattern in view, in all views alike.
  topic: string;
  /// Where the history begins; else as its view says.
  since?: string | undefined;
}

const FIRST_TOPIC = 'news';
const VIEWS: readonly string[] = [...HUB_VIEWS, ...TOPIC_VIEWS];

export function parseRoute(hash: string, fallback: string): Route {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?');
  const view = VIEWS.includes(path) ? path as View : 'overview';
  const parameters = new URLSearchParams(query);
  return { view, topic: parameters.get('topic') || fallback, since: parameters.get('since') ?? undefined };
}

export function hrefOf({ view, topic, since }: Route): string {
  // `/` and `*` may stand in a fragment and are read better than their codes.
  const text = encodeURIComponent(topic).replaceAll('%2F', '/');
  return `#/${view}?topic=${text}${since ? `&since=${encodeURIComponent(since)}` : ''}`;
}

const current = () => parseRoute(location.hash, ofTab.get('topic') ?? FIRST_TOPIC);

export const route = new Store<Route>(current());

addEventListener('hashchange', () => route.set(current()));
route.follow(({ topic }) => ofTab.set('topic', topic));

/// Shows another view, or another topic in the same.
export function go(to: Partial<Route>): void {
  location.hash = hrefOf({ ...route.get(), since: undefined, ...to });
}
