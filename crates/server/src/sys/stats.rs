//! `$sys/stats`: the hub in numbers.

use super::{process, survey};
use crate::hub::{Hub, now};
use serde::Serialize;

/// The members of the document, in order. What can't be known on this system is
/// `null`.
#[derive(Debug, Serialize)]
pub struct Stats {
    /// Milliseconds since the Unix epoch.
    time: u64,
    /// Seconds since the hub started.
    uptime: u64,
    version: &'static str,
    /// Streams that are open.
    subscribers: u64,
    connections: usize,
    /// Events that became durable since the start.
    published: u64,
    /// Events of the log given to streams since the start, and their bytes.
    deliveries: u64,
    delivered_bytes: u64,
    /// What the stream that lags most has not been given, in bytes.
    lag_bytes: u64,
    /// Streams that lag.
    lagging: usize,
    /// Streams that were ended, or went on behind a gap, because they were too slow.
    slow: u64,
    /// Gaps that streams were told of.
    gaps: u64,
    /// Memory of the process that is in use.
    rss_bytes: Option<u64>,
    /// Processor time of the process.
    cpu_seconds: Option<f64>,
    /// What the log's tail in memory takes.
    tail_bytes: usize,
    /// What the log takes on disk (or in memory, if it is kept there), and its events.
    store_bytes: u64,
    store_events: u64,
    /// What the own log takes in memory.
    own_bytes: usize,
}

/// As it is now.
pub async fn of(hub: &Hub) -> Stats {
    let survey = survey::of(hub, 0, None).await;
    let metrics = hub.metrics();
    let store = hub.reader().stats();
    Stats {
        time: now().0,
        uptime: hub.uptime().as_secs(),
        version: env!("CARGO_PKG_VERSION"),
        subscribers: u64::try_from(metrics.subscribers.get()).unwrap_or(0),
        connections: hub.places().connections(),
        published: metrics.published.get(),
        deliveries: metrics.deliveries.get(),
        delivered_bytes: metrics.delivered_bytes.get(),
        lag_bytes: survey.lag_bytes,
        lagging: survey.lagging,
        slow: metrics.slow(),
        gaps: metrics.gaps(),
        rss_bytes: process::rss_bytes(),
        cpu_seconds: process::cpu_seconds(),
        tail_bytes: hub.live().tail().bytes(),
        store_bytes: store.bytes,
        store_events: store.events,
        own_bytes: hub.own().tail().bytes(),
    }
}
