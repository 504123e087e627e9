//! All subscribers come back at once, with events behind.

use super::Hub;
use crate::compare::stats::Spread;

/// How many come back, and how many events each has missed.
const SUBSCRIBERS: u64 = 10_000;
const MISSED: u64 = 100;
const PATHS: [&str; 2] = ["/t/bench", "/t/bench"];

/// What was measured.
pub struct Resume {
    /// How many came back, and how many events each had missed.
    pub subscribers: [u64; 2],
    /// From the first connection to the last event received, in seconds.
    pub seconds: Spread,
    /// Connections that the system turned away as the hub had not accepted those
    /// before them (`ListenOverflows` and `ListenDrops`, of the whole machine).
    pub turned_away: u64,
}

/// A new hub each time.
pub fn measure(hub: &mut Hub<'_>) -> Option<Resume> {
    let subscribers = hub.options.scaled(SUBSCRIBERS);
    let words = format!(
        "--resume --connections {subscribers} --events {MISSED} --rate 0 --feed ndjson --publishers 1"
    );
    let (mut seconds, mut turned_away) = (Vec::new(), 0);
    for _ in 0..hub.options.rounds {
        let before = turned_away_so_far();
        let run = hub.run(PATHS, &words, 30)?;
        let now = turned_away_so_far() - before;
        turned_away += now;
        seconds.push(run.number("/seconds"));
        println!(
            "all served after {:.2} s, {now} turned away, p99 {:.0} ms, load generator {:.2}",
            run.number("/seconds"),
            run.number("/latency_ms/p99"),
            run.load()
        );
    }
    Some(Resume {
        subscribers: [subscribers, MISSED],
        seconds: Spread::of(seconds)?,
        turned_away,
    })
}

/// Since the machine has started.
fn turned_away_so_far() -> u64 {
    let text = std::fs::read_to_string("/proc/net/netstat").unwrap_or_default();
    ["ListenOverflows", "ListenDrops"]
        .iter()
        .filter_map(|name| counter(&text, name))
        .sum()
}

/// A counter of `/proc/net/netstat`: a line of names, and below it one of numbers.
fn counter(text: &str, name: &str) -> Option<u64> {
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("TcpExt:"))
        .collect();
    let [names, numbers] = lines[..] else {
        return None;
    };
    let at = names.split_whitespace().position(|word| word == name)?;
    numbers.split_whitespace().nth(at)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters() {
        let text = "TcpExt: A ListenOverflows ListenDrops\nTcpExt: 1 2 3\nIpExt: A\nIpExt: 9\n";
        assert_eq!(counter(text, "ListenOverflows"), Some(2));
        assert_eq!(counter(text, "ListenDrops"), Some(3));
        assert_eq!(counter(text, "B"), None);
        assert_eq!(counter("", "A"), None);
    }
}
