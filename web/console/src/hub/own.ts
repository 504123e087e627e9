// What the hub says about itself: the documents of its `$sys` topics.

export interface Stats {
  time: number;
  uptime: number;
  version: string;
  subscribers: number;
  connections: number;
  published: number;
  deliveries: number;
  delivered_bytes: number;
  lag_bytes: number;
  lagging: number;
  slow: number;
  gaps: number;
  rss_bytes: number | null;
  cpu_seconds: number | null;
  tail_bytes: number | null;
  store_bytes: number | null;
  store_events: number | null;
  own_bytes: number | null;
}

export interface TopicLine {
  topic: string;
  events: number;
  rate: number;
  bytes_rate: number;
  last: number;
}

export interface Topics {
  time: number;
  count: number;
  topics: TopicLine[];
  more: boolean;
  /// Whether there were too many to count them all.
  approximate: boolean;
}

export interface ConnectionLine {
  id: string;
  /// Not known of what comes through a socket of the machine.
  peer: string | null;
  transport: string;
  secure: boolean;
  since: number;
  topics: string[];
  more_topics: number;
  lag_bytes: number;
  given: number;
}

export interface Connections {
  time: number;
  count: number;
  connections: ConnectionLine[];
  more: boolean;
}

/// What a second of the hub was like: from two readings of its totals.
export interface Sample {
  /// Seconds since 1970, as charts want it.
  at: number;
  published: number;
  deliveries: number;
  bytes: number;
  cpu: number | null;
  lag: number;
  lagging: number;
  subscribers: number;
  rss: number | null;
  tail: number | null;
}

/// How many samples are kept: a quarter of an hour.
export const SAMPLES = 900;

/// The rates between two readings; `null` if the hub has started anew between
/// them, or no time has passed.
export function sampleOf(before: Stats, now: Stats): Sample | null {
  const seconds = (now.time - before.time) / 1000;
  if (seconds <= 0 || now.published < before.published || now.uptime < before.uptime) return null;
  const rate = (a: number, b: number) => Math.max(0, (b - a) / seconds);
  const both = before.cpu_seconds !== null && now.cpu_seconds !== null;
  return {
    at: now.time / 1000,
    published: rate(before.published, now.published),
    deliveries: rate(before.deliveries, now.deliveries),
    bytes: rate(before.delivered_bytes, now.delivered_bytes),
    cpu: both ? rate(before.cpu_seconds as number, now.cpu_seconds as number) * 100 : null,
    lag: now.lag_bytes,
    lagging: now.lagging,
    subscribers: now.subscribers,
    rss: now.rss_bytes,
    tail: now.tail_bytes,
  };
}

/// `samples` and one more, without those that are too old to be kept.
export function withSample(samples: readonly Sample[], sample: Sample): Sample[] {
  return [...samples.slice(Math.max(0, samples.length - SAMPLES + 1)), sample];
}
