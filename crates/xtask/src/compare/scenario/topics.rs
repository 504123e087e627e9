//! A topic for each subscriber, over HTTP/2.

use super::Hub;
use crate::compare::stats::Spread;

/// How many streams there are, and how many on each connection.
const SUBSCRIBERS: u64 = 20_000;
/// A connection is a file that the process has to be allowed to open; a stream of
/// one is not.
pub const SETTINGS: [(&str, &str); 2] = [
    ("TIDINGS_LIMITS_CONNECTIONS", "1000"),
    ("TIDINGS_LIMITS_SUBSCRIPTIONS", "20000"),
];
const STREAMS: u64 = 100;
/// How many events are published as lines of one request.
const EVENTS: u64 = 300_000;
const PATHS: [&str; 2] = ["/t/bench/{}", "/events"];

/// What was measured.
pub struct Topics {
    /// How many subscribers, each with a topic.
    pub subscribers: u64,
    /// Events delivered in a second.
    pub events_per_second: Spread,
    /// How much of a core the load generator used.
    pub load: f64,
    /// The hub's memory for a stream beyond the first of its connection, in bytes.
    pub stream_bytes: Spread,
}

/// Two runs a round: all streams, and one on each connection.
pub fn measure(hub: &mut Hub<'_>) -> Option<Topics> {
    let subscribers = hub.options.scaled(SUBSCRIBERS);
    let events = hub.options.scaled(EVENTS);
    let streams = STREAMS.min(subscribers / 2);
    let connections = subscribers / streams;
    let words = |subscribers: u64, streams: u64, events: u64| {
        format!(
            "--http2 --streams {streams} --connections {subscribers} --topics {subscribers} \
             --feed ndjson --topic bench/{{}} --rate 0 --publishers 1 --events {events}"
        )
    };
    let (mut rates, mut loads, mut bytes) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..hub.options.rounds {
        let all = hub.run(PATHS, &words(subscribers, streams, events), 30)?;
        let few = hub.run(PATHS, &words(connections, 1, connections), 30)?;
        rates.push(all.number("/deliveries_per_second"));
        loads.push(all.load());
        let added = |run: &crate::compare::load::Measured| {
            run.number("/server_bytes/1") - run.number("/server_bytes/0")
        };
        bytes.push((added(&all) - added(&few)) / (subscribers - connections) as f64);
        println!(
            "{:.0} events/s, {:.0} bytes per further stream, load generator {:.2}",
            all.number("/deliveries_per_second"),
            bytes.last().copied().unwrap_or(0.0),
            all.load()
        );
    }
    Some(Topics {
        subscribers,
        events_per_second: Spread::of(rates)?,
        load: Spread::of(loads)?.median,
        stream_bytes: Spread::of(bytes)?,
    })
}
