//! What a run has measured, for people and for machines.

use super::process::Usage;
use super::publish::Published;
use super::tally::Tally;
use serde_json::{Value, json};
use std::time::Duration;

/// Everything that was measured.
pub struct Report {
    /// How many subscribers there should be.
    pub connections: usize,
    /// How many were still there at the end.
    pub held: usize,
    /// How long it took until all were, in seconds.
    pub connect_seconds: f64,
    /// What the publishers did, together.
    pub published: Published,
    /// What the subscribers received.
    pub tally: Tally,
    /// What they should have.
    pub expected: u64,
    /// The server before the subscribers came, when they were there, and at the end.
    pub usage: Option<[Usage; 3]>,
    /// The most memory that the server had while events were delivered, in bytes.
    pub most: u64,
    /// The load generator's own processor time, as long as the server's counts.
    pub own_cpu: Duration,
    /// With `--resume`: when the subscribers began to come, in nanoseconds since
    /// the run began.
    pub back: Option<u64>,
    /// How many subscribers there were when the memory with them was read, those
    /// that don't read among them.
    pub held_with: usize,
    /// What went wrong, the first few of each kind.
    pub faults: Vec<String>,
}

impl Report {
    /// Whether every subscriber got every event once and in order.
    pub fn is_clean(&self) -> bool {
        let Tally {
            duplicates,
            disorder,
            ..
        } = self.tally;
        self.lost() == 0 && duplicates == 0 && disorder == 0 && self.held == self.connections
    }

    fn lost(&self) -> u64 {
        self.expected.saturating_sub(self.tally.deliveries)
    }

    /// From the first publish, or when subscribers came back, to the last receipt.
    fn seconds(&self) -> f64 {
        let first = self.back.or(self.published.first).unwrap_or(0);
        let last = self.tally.last.max(self.published.last);
        last.saturating_sub(first) as f64 / 1e9
    }

    /// From the first publish to the last acknowledgement.
    fn publish_seconds(&self) -> f64 {
        let first = self.published.first.unwrap_or(0);
        self.published.last.saturating_sub(first) as f64 / 1e9
    }

    /// From the subscribers' being there to the end of deliveries.
    fn cpu_seconds(&self) -> Option<f64> {
        let [before, with, after] = self.usage?;
        let before = match self.back {
            Some(_) => before,
            None => with,
        };
        Some(after.cpu.saturating_sub(before.cpu).as_secs_f64())
    }

    fn usage_at_end(&self) -> u64 {
        self.usage.map_or(0, |[_, _, after]| after.memory)
    }

    fn cpu_micros_per_delivery(&self) -> Option<f64> {
        let used = self.cpu_seconds()?;
        (self.tally.deliveries > 0).then(|| used * 1e6 / self.tally.deliveries as f64)
    }

    fn memory_per_connection(&self) -> Option<u64> {
        let [before, with, _] = self.usage?;
        if self.back.is_some() {
            // They are being served by then.
            return None;
        }
        let more = with.memory.saturating_sub(before.memory);
        Some(more / (self.held_with.max(1) as u64))
    }

    /// For a person.
    pub fn to_text(&self) -> String {
        let seconds = self.seconds().max(f64::MIN_POSITIVE);
        let publishing = self.publish_seconds().max(f64::MIN_POSITIVE);
        let millis = |quantile| self.tally.latency.value_at_quantile(quantile) as f64 / 1000.0;
        let mut lines = vec![
            format!(
                "subscribers  {} of {} held, there after {:.2} s",
                self.held, self.connections, self.connect_seconds
            ),
            format!(
                "published    {} in {publishing:.2} s, {:.0}/s, up to {:.2} ms behind time",
                self.published.events,
                self.published.events as f64 / publishing,
                self.published.late as f64 / 1e6
            ),
            format!(
                "deliveries   {} of {}, {:.0}/s, {:.1} MB/s",
                self.tally.deliveries,
                self.expected,
                self.tally.deliveries as f64 / seconds,
                self.tally.bytes as f64 / seconds / 1e6
            ),
            format!(
                "latency      p50 {:.2} ms, p90 {:.2}, p99 {:.2}, p99.9 {:.2}, max {:.2}",
                millis(0.5),
                millis(0.9),
                millis(0.99),
                millis(0.999),
                self.tally.latency.max() as f64 / 1000.0
            ),
            format!(
                "wrong        {} lost, {} duplicates, {} out of order",
                self.lost(),
                self.tally.duplicates,
                self.tally.disorder
            ),
        ];
        if let (Some(micros), Some(all)) = (self.cpu_micros_per_delivery(), self.cpu_seconds()) {
            // The system counts in steps of 10 ms.
            lines.push(format!(
                "server CPU   {micros:.2} µs per delivery, {all:.2} s in all"
            ));
        }
        if let (Some(bytes), Some([_, with, after])) = (self.memory_per_connection(), self.usage) {
            lines.push(format!(
                "server RAM   {bytes} bytes per subscriber, {:.1} MiB in all, {:.1} MiB at the end",
                with.memory as f64 / f64::from(1 << 20),
                after.memory as f64 / f64::from(1 << 20)
            ));
        }
        lines.extend(
            self.faults
                .iter()
                .map(|fault| format!("fault        {fault}")),
        );
        lines.join("\n") + "\n"
    }

    /// For a machine: one object on one line. Times are in seconds,
    /// milliseconds or microseconds as the names say, memory is in bytes.
    pub fn to_json(&self) -> Value {
        let quantile = |quantile| self.tally.latency.value_at_quantile(quantile) as f64 / 1000.0;
        let seconds = self.seconds().max(f64::MIN_POSITIVE);
        let publishing = self.publish_seconds().max(f64::MIN_POSITIVE);
        json!({
            "connections": self.connections,
            "held": self.held,
            "connect_seconds": self.connect_seconds,
            "published": self.published.events,
            "seconds": seconds,
            "publish_seconds": publishing,
            "published_per_second": self.published.events as f64 / publishing,
            "published_late_ms": self.published.late as f64 / 1e6,
            "deliveries": self.tally.deliveries,
            "expected": self.expected,
            "deliveries_per_second": self.tally.deliveries as f64 / seconds,
            "bytes": self.tally.bytes,
            "latency_ms": {
                "p50": quantile(0.5),
                "p90": quantile(0.9),
                "p99": quantile(0.99),
                "p999": quantile(0.999),
                "max": self.tally.latency.max() as f64 / 1000.0,
            },
            "lost": self.lost(),
            "duplicates": self.tally.duplicates,
            "disorder": self.tally.disorder,
            "foreign": self.tally.foreign,
            "server_cpu_seconds": self.cpu_seconds(),
            "server_cpu_us_per_delivery": self.cpu_micros_per_delivery(),
            "server_bytes_per_connection": self.memory_per_connection(),
            "server_bytes": self.usage.map(|usage| usage.map(|usage| usage.memory)),
            "server_bytes_most": self.usage.map(|_| self.most.max(self.usage_at_end())),
            "bench_cpu_seconds": self.own_cpu.as_secs_f64(),
            "faults": self.faults,
        })
    }
}
