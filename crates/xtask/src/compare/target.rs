//! What is to be reached, and whether it is.

use super::contender::{Contender, TIDINGS};
use super::fanout::{CPU, Fanout, MEMORY, P99, Pace, RATE};
use super::options::Options;
use super::scenario::{Scenarios, Stalled};
use super::stats::{exact, shown};
use Bound::{AtLeast, AtMost};

/// A figure beside what it is held to.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// Of what.
    pub what: String,
    /// What is to be reached.
    pub bound: Bound,
    /// `None`: it was not measured.
    pub measured: Option<f64>,
    /// What the numbers count; a ratio has `× the floor` or the like.
    pub unit: &'static str,
}

/// What is to be reached.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    /// No more than this.
    AtMost(f64),
    /// No less.
    AtLeast(f64),
}

impl Target {
    /// Whether it is reached; `None` if it was not measured.
    pub fn is_reached(&self) -> Option<bool> {
        let measured = self.measured?;
        Some(match self.bound {
            AtMost(most) => measured <= most,
            AtLeast(least) => measured >= least,
        })
    }

    /// The cells of a row of the page.
    pub fn cells(&self) -> [String; 4] {
        let (sign, bound) = match self.bound {
            AtMost(bound) => ("≤", bound),
            AtLeast(bound) => ("≥", bound),
        };
        let measured = self.measured.map_or("—".to_owned(), shown);
        let verdict = match self.is_reached() {
            None => "not measured",
            Some(true) => "reached",
            Some(false) => "falls short",
        };
        [
            self.what.clone(),
            format!("{measured} {}", self.unit),
            format!("{sign} {}", exact(bound)),
            verdict.to_owned(),
        ]
    }
}

/// The number of subscribers that ratios are taken at.
pub fn judged_at(options: &Options) -> u64 {
    const WANTED: u64 = 5000;
    let connections = &options.connections;
    match connections.contains(&WANTED) {
        true => WANTED,
        false => connections
            .get(connections.len() / 2)
            .copied()
            .unwrap_or(WANTED),
    }
}

/// All that is to be reached in one run.
pub fn judge(
    options: &Options,
    contenders: &[Contender],
    fanout: &Fanout,
    scenarios: &Scenarios,
) -> Vec<Target> {
    let mut targets = Vec::new();
    if !contenders.is_empty() {
        targets.extend(of_fanout(options, fanout));
    }
    targets.extend(of_topics(scenarios));
    targets.extend(of_crowds(scenarios));
    targets
}

/// What is to be reached of one figure.
pub fn row(what: &str, bound: Bound, measured: Option<f64>, unit: &'static str) -> Target {
    Target {
        what: what.to_owned(),
        bound,
        measured,
        unit,
    }
}

fn of_fanout(options: &Options, fanout: &Fanout) -> [Target; 4] {
    let at = judged_at(options);
    let ratio = |pace, pointer| fanout.ratio((TIDINGS, at, pace), pointer);
    let memory = options.connections.iter().filter_map(|connections| {
        let cell = (TIDINGS, *connections, Pace::Paced);
        Some(fanout.figure(cell, MEMORY)?.median)
    });
    let number = exact(at as f64);
    let paced = format!("processor time per delivery, {number} subscribers, paced");
    let late = format!("p99 from publish to receipt, {number} subscribers, paced");
    let saturated = format!("deliveries per second, {number} subscribers, saturated");
    [
        row(&paced, AtMost(1.2), ratio(Pace::Paced, CPU), "× the floor"),
        row(&late, AtMost(1.2), ratio(Pace::Paced, P99), "× the floor"),
        row(
            &saturated,
            AtLeast(15.0),
            ratio(Pace::Saturated, RATE),
            "× the floor",
        ),
        row(
            "memory per idle subscriber over HTTP/1.1, at the number where it is most",
            AtMost(1024.0),
            memory.max_by(f64::total_cmp),
            "bytes",
        ),
    ]
}

fn of_topics(scenarios: &Scenarios) -> [Target; 2] {
    let topics = scenarios.topics.as_ref();
    let number = topics.map_or(20_000.0, |topics| topics.subscribers as f64);
    let events = format!(
        "events per second, each to another of {} topics",
        exact(number)
    );
    [
        row(
            &events,
            AtLeast(50_000.0),
            topics.map(|topics| topics.events_per_second.median),
            "events/s",
        ),
        row(
            "memory per further stream of an HTTP/2 connection",
            AtMost(3072.0),
            topics.map(|topics| topics.stream_bytes.median),
            "bytes",
        ),
    ]
}

/// The worst of the runs counts, but for what is a ratio.
fn of_crowds(scenarios: &Scenarios) -> [Target; 4] {
    let stalled = scenarios.stalled.as_ref();
    let resume = scenarios.resume.as_ref();
    [
        row(
            "memory for 1,000 of 10,000 that don't read for a minute, at worst",
            AtMost(64.0),
            stalled.map(|stalled| stalled.more_bytes.most / f64::from(1 << 20)),
            "MiB",
        ),
        row(
            "p99 of the 9,000 others",
            AtMost(2.0),
            stalled.map(Stalled::ratio),
            "× without them",
        ),
        row(
            "10,000 that come back at once with 100 events missed, until all are served, at worst",
            AtMost(5.0),
            resume.map(|resume| resume.seconds.most),
            "s",
        ),
        row(
            "connections turned away meanwhile",
            AtMost(0.0),
            resume.map(|resume| resume.turned_away as f64),
            "",
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bound: Bound, measured: Option<f64>, expect: [&str; 3]) {
        let target = Target {
            what: "speed".to_owned(),
            bound,
            measured,
            unit: "m/s",
        };
        assert_eq!(target.cells()[1..], expect);
    }

    #[test]
    fn verdicts() {
        check(AtMost(1.2), Some(1.2), ["1.20 m/s", "≤ 1.2", "reached"]);
        check(AtMost(1.2), Some(1.3), ["1.30 m/s", "≤ 1.2", "falls short"]);
        check(
            AtLeast(15.0),
            Some(14.0),
            ["14.0 m/s", "≥ 15", "falls short"],
        );
        check(AtLeast(15.0), Some(16.0), ["16.0 m/s", "≥ 15", "reached"]);
        check(AtLeast(15.0), None, ["— m/s", "≥ 15", "not measured"]);
        check(AtMost(0.0), Some(0.0), ["0 m/s", "≤ 0", "reached"]);
    }

    #[test]
    fn ratios_are_taken_where_the_guide_says() {
        let at = |connections: &[u64]| {
            judged_at(&Options {
                connections: connections.to_vec(),
                ..Options::default()
            })
        };
        assert_eq!(at(&[2000, 5000, 15_000]), 5000);
        assert_eq!(at(&[10, 20, 30]), 20);
        assert_eq!(at(&[50]), 50);
    }
}
