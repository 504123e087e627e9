//! A model of the hub's reading side: a `Vec`, a filter, and random operations
//! that drive the real [`Tail`](crate::Tail), [`Subscriptions`](crate::Subscriptions)
//! and [`Stream`](crate::Stream) beside it. After every operation each
//! reader's frames must be exactly what the filter says. Readers that have a
//! stream decode its bytes as an EventSource does, are too slow for it and
//! come back with the last id they have; what their policy lets them miss is
//! decided here again, from the truth.
//!
//! Everything follows from a seed. Behind the feature `model`, for tests.

mod reader;
mod streams;
mod watcher;
mod wish;
mod world;

use crate::Position;
use std::fmt;
use tidings_codec::fixtures::Random;
use world::World;

/// One step. The numbers are taken modulo what there is when the step comes,
/// so that any part of a list of steps can be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// The store makes events durable; `skip` positions stay empty before each.
    Append {
        /// How many.
        count: usize,
        /// Which topic the first has; the others follow.
        topic: usize,
        /// Which alternates and what visibility each has.
        published: u64,
        /// Size of the data.
        bytes: usize,
        /// Holes.
        skip: u64,
    },
    /// The tail takes in events that are durable.
    Deliver {
        /// At most so many.
        count: usize,
    },
    /// A lane follows the tail.
    Follow {
        /// Which lane.
        lane: usize,
        /// At most so many frames.
        count: usize,
    },
    /// A reader comes.
    Subscribe {
        /// In which lane.
        lane: usize,
        /// What it watches.
        selection: u64,
        /// Where it starts.
        start: Start,
    },
    /// A reader reads the tail, whether or not it was told to.
    Read {
        /// Which.
        reader: usize,
        /// At most so many frames.
        frames: usize,
        /// Until so many bytes.
        bytes: usize,
    },
    /// A reader to whom the tail said "gap" asks the store.
    AskStore {
        /// Which.
        reader: usize,
        /// At most so many frames.
        frames: usize,
    },
    /// The store's answer arrives.
    Answer {
        /// At which reader.
        reader: usize,
    },
    /// Retention drops the oldest events from the store.
    Expire {
        /// How many.
        count: usize,
    },
    /// An event is damaged in the store.
    Damage {
        /// Which.
        event: usize,
    },
    /// A reader goes.
    Leave {
        /// Which.
        reader: usize,
    },
    /// A reader comes that has a stream.
    Watch {
        /// In which lane.
        lane: usize,
        /// What it watches.
        selection: u64,
        /// Where it starts.
        start: Start,
        /// Its policy.
        slow: usize,
        /// How far it may lag, in bytes.
        limit: u64,
        /// Whether its voice has no word for gaps.
        mercure: bool,
    },
    /// Its stream is asked for more.
    Pull {
        /// Whose.
        reader: usize,
        /// At most so many frames.
        frames: usize,
        /// Until so many bytes.
        bytes: usize,
        /// So many bytes its connection takes.
        room: usize,
    },
    /// Its stream shows that it lives.
    Beat {
        /// Whose.
        reader: usize,
    },
    /// The store is read for its stream.
    ReadStore {
        /// Whose.
        reader: usize,
        /// At most so many frames.
        frames: usize,
        /// The store can't be read.
        fails: bool,
    },
    /// What the store said arrives at the stream.
    HandOver {
        /// Whose.
        reader: usize,
    },
    /// It loses its connection, and comes back.
    ComeBack {
        /// Who.
        reader: usize,
    },
    /// Of some topics, the store drops the oldest events.
    Forget {
        /// How many events of the log that reaches further.
        count: usize,
    },
}

/// Where a reader starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// At the end of the log, which lane and tail may not have reached yet.
    LogEnd,
    /// At the end of the tail.
    TailEnd,
    /// At the lane's position.
    LaneEnd,
    /// Anywhere up to the end of the log.
    Anywhere(u64),
}

/// What a run takes place in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setup {
    /// The tail's bound, in bytes.
    pub tail_bytes: usize,
    /// See [`Tail::with_scan_work`](crate::Tail::with_scan_work).
    pub scan_work: usize,
    /// Spoils what a reader is given, to show that it is noticed.
    pub sabotage: Option<Sabotage>,
}

/// What is done to the first two or more frames that a reader is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sabotage {
    /// One is withheld.
    Lose,
    /// One is given twice.
    Double,
    /// Two change places.
    Swap,
    /// One is replaced by an event of another topic.
    Forge,
    /// Full connections don't hand back what they could not take.
    ForgetBack,
    /// No gap is told.
    HideGap,
    /// Heartbeats state a position ahead of the lane.
    StateAhead,
    /// Who is given only the newest events misses the very last.
    LoseNewest,
    /// Sights hide nothing.
    Leak,
    /// Readers who may see different things share what was read.
    Trust,
    /// Who resumes behind a gap is not told of it by the head.
    SilentHead,
}

/// What went wrong, and after which step (`None`: when all was read to the end).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The index of the step.
    pub step: Option<usize>,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.step {
            Some(step) => write!(f, "after step {step}: {}", self.what),
            None => write!(f, "at the end: {}", self.what),
        }
    }
}

/// The setup and `count` steps that follow from `seed`.
pub fn plan(seed: u64, count: usize) -> (Setup, Vec<Op>) {
    let mut random = Random::new(seed);
    let setup = Setup {
        tail_bytes: [0, 1_500, 4_000, 12_000, 60_000][random.below(5)],
        scan_work: [1, 8, 100, 16_384][random.below(4)],
        sabotage: None,
    };
    let ops = (0..count).map(|_| op(&mut random)).collect();
    (setup, ops)
}

fn op(random: &mut Random) -> Op {
    let lane = random.below(2);
    let reader = random.below(64);
    let few = 1 + random.below(4);
    match random.below(80) {
        0..8 => Op::Append {
            count: [1, 1, 2, 5, 60][random.below(5)],
            topic: random.below(64),
            published: random.bits(),
            bytes: [0, 20, 200, 5_000][random.below(4)],
            skip: [0, 0, 0, 1, 7][random.below(5)],
        },
        8..14 => Op::Deliver {
            count: [1, 3, 1_000][random.below(3)],
        },
        14..20 => Op::Follow {
            lane,
            count: [1, 3, 1_000][random.below(3)],
        },
        20..23 => Op::Subscribe {
            lane,
            selection: random.bits(),
            start: start(random),
        },
        23..31 => Op::Read {
            reader,
            frames: [0, few, 1_000][random.below(3)],
            bytes: [0, 500, 1 << 20][random.below(3)],
        },
        31..34 => Op::AskStore {
            reader,
            frames: [1, few, 1_000][random.below(3)],
        },
        34..37 => Op::Answer { reader },
        37 => Op::Expire { count: few * few },
        38 => Op::Damage {
            event: random.below(1 << 16),
        },
        39 => Op::Leave { reader },
        40..43 => Op::Watch {
            lane,
            selection: random.bits(),
            start: start(random),
            slow: random.below(3),
            limit: [0, 200, 2_000, 1 << 20][random.below(4)],
            mercure: random.below(3) == 0,
        },
        43..64 => Op::Pull {
            reader,
            frames: [few, 1_000, 1_000][random.below(3)],
            bytes: [0, 1_000, 1 << 20, 1 << 20][random.below(4)],
            room: [0, 60, 300, 2_000, usize::MAX, usize::MAX][random.below(6)],
        },
        64..67 => Op::Beat { reader },
        67..72 => Op::ReadStore {
            reader,
            frames: [1, few, 1_000][random.below(3)],
            fails: random.below(16) == 0,
        },
        72..78 => Op::HandOver { reader },
        78 => Op::ComeBack { reader },
        _ => Op::Forget { count: few * few },
    }
}

fn start(random: &mut Random) -> Start {
    match random.below(5) {
        0 => Start::LogEnd,
        1 => Start::TailEnd,
        2 => Start::LaneEnd,
        _ => Start::Anywhere(random.bits()),
    }
}

/// Runs the steps, then reads everything to the end.
///
/// # Errors
/// The first [`Violation`].
pub fn run(setup: Setup, ops: &[Op]) -> Result<(), Violation> {
    let mut world = World::new(setup);
    for (step, op) in ops.iter().enumerate() {
        world
            .apply(*op)
            .and_then(|()| world.check())
            .map_err(|what| Violation {
                step: Some(step),
                what,
            })?;
    }
    world
        .finish()
        .map_err(|what| Violation { step: None, what })
}

/// The steps without those that the failure doesn't need.
pub fn shrink(setup: Setup, ops: &[Op]) -> Vec<Op> {
    let mut ops = ops.to_vec();
    let mut width = ops.len() / 2;
    while width > 0 {
        let mut at = 0;
        while at < ops.len() {
            let mut fewer = ops.clone();
            fewer.drain(at..(at + width).min(ops.len()));
            if run(setup, &fewer).is_err() {
                ops = fewer;
            } else {
                at += width;
            }
        }
        width /= 2;
    }
    ops
}

fn range(after: Position, to: Position) -> String {
    format!("{}..={}", after.0 + 1, to.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(seeds: std::ops::Range<u64>, steps: usize) {
        for seed in seeds {
            let (setup, ops) = plan(seed, steps);
            if let Err(violation) = run(setup, &ops) {
                let least = shrink(setup, &ops);
                let again = run(setup, &least);
                panic!("seed {seed}, {setup:?}: {violation}\nat least: {least:#?}\n{again:?}");
            }
        }
    }

    #[test]
    fn i1_i2_i3_many_short_runs() {
        check(0..3_000, 60);
    }

    #[test]
    fn i1_i2_i3_few_long_runs() {
        check(1_000_000..1_000_030, 1_000);
    }

    /// A checker that never complains would pass every run above.
    #[test]
    fn every_sabotage_is_noticed_and_shrinks() {
        // In some runs nobody is given two frames at once, or is too slow.
        for (sabotage, least) in [
            (Sabotage::Lose, 40),
            (Sabotage::Double, 40),
            (Sabotage::Swap, 40),
            (Sabotage::Forge, 40),
            (Sabotage::ForgetBack, 8),
            (Sabotage::HideGap, 18),
            (Sabotage::StateAhead, 40),
            (Sabotage::LoseNewest, 20),
            (Sabotage::Leak, 25),
            (Sabotage::Trust, 1),
            (Sabotage::SilentHead, 1),
        ] {
            let mut noticed = 0;
            for seed in 0..50 {
                let (setup, ops) = plan(seed, 200);
                let setup = Setup {
                    sabotage: Some(sabotage),
                    ..setup
                };
                if run(setup, &ops).is_err() {
                    noticed += 1;
                    let least = shrink(setup, &ops);
                    assert!(run(setup, &least).is_err());
                    assert!(least.len() <= 30, "{sabotage:?}: {least:?}");
                }
            }
            assert!(
                noticed >= least,
                "{sabotage:?} noticed in {noticed} of 50 runs"
            );
        }
    }
}
