//! Some subscribers don't read.

use super::Hub;
use crate::compare::load::Measured;
use crate::compare::stats::Spread;

/// How many read, and how many don't.
const READ: u64 = 9_000;
const STALL: u64 = 1_000;
/// What is published: together with [`READ`] about as much as one core writes
/// and another reads, and large enough that a minute of it fills the sockets of
/// those who don't read many times over.
const RATE: u64 = 20;
const SIZE: u64 = 2048;
const SECONDS: u64 = 60;
/// Pairs of runs, at most: each takes two minutes.
const PAIRS: u64 = 2;
const PATHS: [&str; 2] = ["/t/bench", "/t/bench"];

/// What was measured.
pub struct Stalled {
    /// How many read, and how many don't.
    pub subscribers: [u64; 2],
    /// For how long, in seconds, so many events per second of so many bytes.
    pub load: [u64; 3],
    /// Latency of those who read, in milliseconds, with the others there.
    pub p99_with: Spread,
    /// As above, without them.
    pub p99_without: Spread,
    /// How much more memory the hub took at most with them, in bytes.
    pub more_bytes: Spread,
}

impl Stalled {
    /// How many times as late the others' events are.
    pub fn ratio(&self) -> f64 {
        self.p99_with.median / self.p99_without.median.max(1e-3)
    }
}

/// Pairs of runs: without them and with them.
pub fn measure(hub: &mut Hub<'_>) -> Option<Stalled> {
    let [read, stall] = [READ, STALL].map(|number| hub.options.scaled(number));
    let seconds = match hub.options.quick {
        true => 2,
        false => SECONDS,
    };
    let words = |stall| {
        let events = RATE * seconds;
        format!(
            "--connections {read} --stalled {stall} --rate {RATE} --size {SIZE} --events {events}"
        )
    };
    let (mut with, mut without, mut more) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..hub.options.rounds.min(PAIRS) {
        let alone = hub.run(PATHS, &words(0), seconds)?;
        let beside = hub.run(PATHS, &words(stall), seconds)?;
        let grown =
            |run: &Measured| run.number("/server_bytes_most") - run.number("/server_bytes/0");
        more.push((grown(&beside) - grown(&alone)).max(0.0));
        for (run, p99) in [(&alone, &mut without), (&beside, &mut with)] {
            p99.push(run.number("/latency_ms/p99"));
            println!(
                "p99 {:.2} ms, {:.1} MiB more than empty, load generator {:.2}",
                run.number("/latency_ms/p99"),
                grown(run) / f64::from(1 << 20),
                run.load()
            );
        }
    }
    Some(Stalled {
        subscribers: [read, stall],
        load: [seconds, RATE, SIZE],
        p99_with: Spread::of(with)?,
        p99_without: Spread::of(without)?,
        more_bytes: Spread::of(more)?,
    })
}
