//! What is counted, in Prometheus' text format. No topics and no ids: labels
//! are of a few fixed values, so that nobody outside can grow them.

use crate::hub::Hub;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use std::sync::Arc;
use tidings_engine::control::GapReason;

type Label = [(&'static str, &'static str); 1];

/// The hub's counters.
pub struct Metrics {
    registry: Registry,
    /// Events that became durable.
    pub published: Counter,
    /// Events given to streams.
    pub deliveries: Counter,
    /// Bytes of events given to streams.
    pub delivered_bytes: Counter,
    /// Streams that are open.
    pub subscribers: Gauge,
    /// Places of the history found damaged.
    pub findings: Counter,
    /// Streams refused for a while.
    pub soft_refusals: Counter,
    gaps: Family<Label, Counter>,
    problems: Family<Label, Counter>,
    store: StoreGauges,
}

#[derive(Default, Clone)]
struct StoreGauges {
    bytes: Gauge,
    segments: Gauge,
    last_position: Gauge,
    first_position: Gauge,
    healthy: Gauge,
}

impl Metrics {
    /// All counters at nothing.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("tidings");
        let metrics = |registry: &mut Registry| {
            let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
            registry.register("build", "The version that runs", build);
            Self {
                published: counter(registry, "events_published", "Events that became durable"),
                deliveries: counter(registry, "deliveries", "Events given to streams"),
                delivered_bytes: counter(
                    registry,
                    "delivered_bytes",
                    "Bytes of events given to streams",
                ),
                findings: counter(
                    registry,
                    "store_findings",
                    "Places of the history found damaged",
                ),
                soft_refusals: counter(registry, "soft_refusals", "Streams refused for a while"),
                subscribers: gauge(registry, "subscribers", "Streams that are open"),
                gaps: family(
                    registry,
                    "gaps",
                    "Gaps that streams were told of, by reason",
                ),
                problems: family(registry, "problems", "Requests refused, by code"),
                store: StoreGauges {
                    bytes: {
                        let gauge = Gauge::default();
                        let help = "Disk space of the history";
                        registry.register_with_unit("store_size", help, Unit::Bytes, gauge.clone());
                        gauge
                    },
                    segments: gauge(registry, "store_segments", "Files of the history"),
                    first_position: gauge(
                        registry,
                        "store_first_position",
                        "The oldest event kept",
                    ),
                    last_position: gauge(registry, "store_last_position", "The newest event"),
                    healthy: gauge(registry, "store_healthy", "1 while events can be taken in"),
                },
                registry: Registry::default(),
            }
        };
        let mut own = metrics(&mut registry);
        own.registry = registry;
        own
    }

    /// Counts a gap that a stream was told of.
    pub fn count_gap(&self, reason: GapReason) {
        self.gaps
            .get_or_create(&[("reason", reason.as_str())])
            .inc();
    }

    /// Counts a refused request.
    pub fn count_problem(&self, code: &'static str) {
        self.problems.get_or_create(&[("code", code)]).inc();
    }

    /// All of it as text.
    pub fn render(&self, hub: &Hub) -> String {
        let stats = hub.reader().stats();
        self.store.bytes.set(stats.bytes as i64);
        self.store.segments.set(stats.segments as i64);
        self.store.first_position.set(hub.reader().first().0 as i64);
        self.store.last_position.set(hub.reader().last().0 as i64);
        self.store
            .healthy
            .set(i64::from(crate::health::storage(hub).is_ok()));
        let mut text = String::new();
        // Writing to a string can't fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

fn counter(registry: &mut Registry, name: &str, help: &str) -> Counter {
    let counter = Counter::default();
    registry.register(name, help, counter.clone());
    counter
}

fn gauge(registry: &mut Registry, name: &str, help: &str) -> Gauge {
    let gauge = Gauge::default();
    registry.register(name, help, gauge.clone());
    gauge
}

fn family(registry: &mut Registry, name: &str, help: &str) -> Family<Label, Counter> {
    let family = Family::default();
    registry.register(name, help, family.clone());
    family
}

/// Answers `GET /metrics`.
pub fn reply(hub: &Arc<Hub>) -> crate::http::Reply {
    let text = hub.metrics().render(hub);
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    crate::http::respond::whole(http::StatusCode::OK, content_type, text)
}
