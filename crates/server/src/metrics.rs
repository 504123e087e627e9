//! What is counted, in Prometheus' text format. No topics and no ids: labels
//! are of a few fixed values, so that nobody outside can grow them.

use crate::auth::{Auth, Who};
use crate::http::{Problem, Reply, respond};
use crate::hub::Hub;
use crate::native::SoftRefusal;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use std::sync::Arc;
use tidings_engine::control::GapReason;

type Label = [(&'static str, &'static str); 1];

/// What became of a stream that could not keep up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlowAction {
    /// It lagged too far behind, and was ended so that it resumes.
    Disconnect,
    /// It lagged too far behind, and went on behind a gap.
    Gap,
    /// It took no byte for too long, and was ended.
    Stall,
}

impl SlowAction {
    fn as_str(self) -> &'static str {
        match self {
            Self::Disconnect => "disconnect",
            Self::Gap => "gap",
            Self::Stall => "stall",
        }
    }
}

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
    /// Streams of somebody for whom there was no room among those who are present.
    pub unlisted: Counter,
    soft_refusals: Family<Label, Counter>,
    slow: Family<Label, Counter>,
    connections: Gauge,
    sent_away: Counter,
    open: Gauge,
    gaps: Family<Label, Counter>,
    problems: Family<Label, Counter>,
    handshakes: Family<Label, Counter>,
    members: Gauge,
    presence_bytes: Gauge,
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
    /// All counters at nothing, and those of `auth`.
    pub fn new(auth: &Auth) -> Self {
        let mut registry = Registry::with_prefix("tidings");
        let help = "Requests that a token was missing for or wrong, by reason";
        registry.register("refused", help, auth.refused().clone());
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
                soft_refusals: family(
                    registry,
                    "soft_refusals",
                    "Streams that were told to come back later, by reason",
                ),
                slow: family(
                    registry,
                    "slow_consumers",
                    "What became of streams that could not keep up, by action",
                ),
                connections: gauge(registry, "connections", "Connections that are open"),
                sent_away: counter(
                    registry,
                    "connections_sent_away",
                    "Idle connections that made room for others",
                ),
                open: gauge(
                    registry,
                    "open",
                    "1 if everyone who reaches the hub may publish and watch",
                ),
                subscribers: gauge(registry, "subscribers", "Streams that are open"),
                gaps: family(
                    registry,
                    "gaps",
                    "Gaps that streams were told of, by reason",
                ),
                problems: family(registry, "problems", "Requests refused, by code"),
                handshakes: family(
                    registry,
                    "tls_handshake_failures",
                    "TLS handshakes that came to nothing, by reason",
                ),
                members: gauge(
                    registry,
                    "presence_members",
                    "Who is present; at each topic they count once",
                ),
                unlisted: counter(
                    registry,
                    "presence_unlisted",
                    "Streams whose watcher is not among those who are present for want of room",
                ),
                presence_bytes: {
                    let gauge = Gauge::default();
                    let help = "What those who are present take of limits.presence_bytes";
                    registry.register_with_unit("presence", help, Unit::Bytes, gauge.clone());
                    gauge
                },
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

    /// Streams that could not keep up, whatever became of them.
    pub fn slow(&self) -> u64 {
        let actions = [SlowAction::Disconnect, SlowAction::Gap, SlowAction::Stall];
        let of = |action: SlowAction| {
            self.slow
                .get_or_create(&[("action", action.as_str())])
                .get()
        };
        actions.into_iter().map(of).sum()
    }

    /// Gaps that streams were told of, whatever the reason.
    pub fn gaps(&self) -> u64 {
        let of = |reason: &GapReason| {
            self.gaps
                .get_or_create(&[("reason", reason.as_str())])
                .get()
        };
        GapReason::ALL.iter().map(of).sum()
    }

    /// Counts a gap that a stream was told of.
    pub fn count_gap(&self, reason: GapReason) {
        if reason == GapReason::Slow {
            self.count_slow(SlowAction::Gap);
        }
        self.gaps
            .get_or_create(&[("reason", reason.as_str())])
            .inc();
    }

    /// Counts a stream that could not keep up.
    pub fn count_slow(&self, action: SlowAction) {
        self.slow
            .get_or_create(&[("action", action.as_str())])
            .inc();
    }

    /// Counts a stream that was told to come back later.
    pub fn count_soft_refusal(&self, reason: SoftRefusal) {
        self.soft_refusals
            .get_or_create(&[("reason", reason.as_str())])
            .inc();
    }

    /// Counts a refused request.
    pub fn count_problem(&self, code: &'static str) {
        self.problems.get_or_create(&[("code", code)]).inc();
    }

    /// Counts a TLS handshake that came to nothing.
    pub fn count_handshake_failure(&self, reason: &'static str) {
        self.handshakes.get_or_create(&[("reason", reason)]).inc();
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
        let places = hub.places();
        self.connections.set(places.connections() as i64);
        let before = self.sent_away.get();
        self.sent_away
            .inc_by(places.sent_away().saturating_sub(before));
        let (members, bytes) = hub.presence().size();
        self.members.set(members as i64);
        self.presence_bytes.set(bytes as i64);
        self.open.set(i64::from(hub.settings().open));
        let mut text = String::new();
        // Writing to a string can't fail.
        let _ = encode(&mut text, &self.registry);
        plain(&text)
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

/// OpenMetrics as Prometheus' older text format, which every scraper reads:
/// there a counter's family is named like its samples, an info is a gauge, and
/// there are no units and no end mark.
fn plain(open_metrics: &str) -> String {
    let mut types = std::collections::HashMap::new();
    for line in open_metrics.lines() {
        if let Some((name, kind)) = line
            .strip_prefix("# TYPE ")
            .and_then(|rest| rest.split_once(' '))
        {
            types.insert(name, kind);
        }
    }
    let mut out = String::with_capacity(open_metrics.len());
    for line in open_metrics.lines() {
        let Some((word, rest)) = line
            .strip_prefix("# ")
            .and_then(|line| line.split_once(' '))
        else {
            if line != "# EOF" {
                out.extend([line, "\n"]);
            }
            continue;
        };
        let (name, text) = rest.split_once(' ').unwrap_or((rest, ""));
        let (suffix, kind) = match types.get(name) {
            Some(&"counter") => ("_total", text),
            Some(&"info") => ("_info", if word == "TYPE" { "gauge" } else { text }),
            _ => ("", text),
        };
        if word != "UNIT" {
            out.push_str(&format!("# {word} {name}{suffix} {kind}\n"));
        }
    }
    out
}

/// Answers `GET /metrics`, for the operator alone.
///
/// # Errors
/// The problem to answer with.
pub fn reply(hub: &Arc<Hub>, who: &Who) -> Result<Reply, Problem> {
    hub.auth().administer(who)?;
    let text = hub.metrics().render(hub);
    let content_type = "text/plain; version=0.0.4; charset=utf-8";
    Ok(respond::whole(http::StatusCode::OK, content_type, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_families_like_their_samples() {
        let open = "# HELP t_x Things.\n# TYPE t_x counter\nt_x_total 3\n# HELP t_build The version.\n\
                    # TYPE t_build info\nt_build_info{version=\"1\"} 1\n# HELP t_size_bytes Size.\n\
                    # TYPE t_size_bytes gauge\n# UNIT t_size_bytes bytes\nt_size_bytes 7\n# EOF\n";
        let expect = "# HELP t_x_total Things.\n# TYPE t_x_total counter\nt_x_total 3\n\
                      # HELP t_build_info The version.\n# TYPE t_build_info gauge\nt_build_info{version=\"1\"} 1\n\
                      # HELP t_size_bytes Size.\n# TYPE t_size_bytes gauge\nt_size_bytes 7\n";
        assert_eq!(plain(open), expect);
    }
}
