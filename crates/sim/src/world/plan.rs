//! What a seed makes of a world: its sizes, and which faults it has. Each
//! world has few kinds of fault, because many hide each other.

use fastrand::Rng;
use tidings_engine::{Selector, Topic};
use tidings_store::{Idempotency, Limits, Options, Retention};

/// What a world is like.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How many steps it takes before it comes to rest.
    pub steps: usize,
    /// How many publish.
    pub publishers: usize,
    /// How many watch, at most.
    pub watchers: usize,
    /// How many lanes the hub has.
    pub lanes: usize,
    /// How much the tail holds; so little that the store serves many.
    pub tail_bytes: usize,
    /// How long the store's segments are.
    pub segment_bytes: u64,
    /// What the store keeps.
    pub keep: Keep,
    /// What goes wrong.
    pub odds: Odds,
}

/// What the store may forget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Nothing.
    All,
    /// All but the last so many.
    Events(u64),
    /// All but the last so many bytes on disk.
    Bytes(u64),
    /// Of one topic, all but the last so many.
    OneTopic(u64),
    /// What is older, in milliseconds.
    Age(u64),
}

/// How often something goes wrong, in so many of 1,000 steps.
#[derive(Debug, Clone, Default)]
pub struct Odds {
    /// A watcher loses its connection.
    pub lost_connection: usize,
    /// The hub is killed.
    pub kill: usize,
    /// The power fails.
    pub power_cut: usize,
    /// A power cut during one of the next operations of the disk.
    pub power_cut_within: usize,
    /// The disk has no space from here on, or has again.
    pub full_disk: usize,
    /// Whether some syncs fail.
    pub failing_syncs: bool,
    /// The wall clock jumps by ten years, forward or back.
    pub clock_jump: usize,
    /// A publisher gives up waiting and repeats its call.
    pub late_answer: usize,
}

/// The topic of [`Keep::OneTopic`].
pub(super) const FORGETFUL_TOPIC: &str = "news";
const HOUR_MS: u64 = 3_600_000;

impl Plan {
    /// The plan of a seed.
    pub fn of(seed: u64) -> Self {
        Self::new(&mut Rng::with_seed(seed))
    }

    pub(super) fn new(rng: &mut Rng) -> Self {
        let keep = match rng.u8(0..9) {
            0..4 => Keep::All,
            4 | 5 => Keep::Events(rng.u64(3..60)),
            6 => Keep::OneTopic(rng.u64(1..12)),
            7 => Keep::Bytes(rng.u64(10..24) * 4_096),
            _ => Keep::Age(rng.u64(30..60) * HOUR_MS),
        };
        Self {
            steps: rng.usize(200..1_200),
            publishers: rng.usize(1..4),
            watchers: rng.usize(2..7),
            lanes: rng.usize(1..4),
            tail_bytes: rng.usize(1..12_000),
            segment_bytes: rng.u64(1..5) * 4_096,
            keep,
            odds: Odds::new(rng),
        }
    }

    /// For how long the store recognises a retry, in milliseconds. It measures
    /// that by the wall clock: a jump forward would end it.
    pub(super) fn retry_within_ms(&self) -> u64 {
        match self.odds.clock_jump {
            0 => 600_000,
            _ => u64::MAX,
        }
    }

    /// Whether calls may be repeated. Where hours pass in a step, an event may
    /// expire, and be forgotten, while its retry waits.
    pub(super) fn allows_retries(&self) -> bool {
        !matches!(self.keep, Keep::Age(_))
    }

    /// Whether publishers may bring ids of their own. An id whose event has
    /// expired is unknown to the hub, which then begins anew with what is kept
    /// of the selection's other topics: it says so, but it does repeat them.
    pub(super) fn allows_own_ids(&self) -> bool {
        !matches!(self.keep, Keep::OneTopic(_))
    }

    /// Whether no id that a watcher has can be too old for the log. Positions
    /// in a first segment that a power cut tore count as expired, although
    /// nothing ever stood there.
    pub(super) fn keeps_every_id(&self) -> bool {
        let Odds {
            power_cut,
            power_cut_within,
            ..
        } = self.odds;
        self.keep == Keep::All && power_cut + power_cut_within == 0
    }

    pub(super) fn options(&self) -> Options {
        let (mut limits, mut rules) = (Limits::NONE, Vec::new());
        match self.keep {
            Keep::All => {}
            Keep::Events(count) => limits.events = Some(count),
            Keep::OneTopic(count) => {
                let mut few = Limits::NONE;
                few.events = Some(count);
                let topic = Topic::new(FORGETFUL_TOPIC).expect("a topic");
                rules.push((Selector::Exact(topic), few));
            }
            Keep::Bytes(bytes) => limits.bytes = Some(bytes),
            Keep::Age(ms) => limits.age_ms = Some(ms),
        }
        Options {
            segment_bytes: self.segment_bytes,
            retention: Retention {
                default: limits,
                rules,
            },
            idempotency: Idempotency {
                age_ms: self.retry_within_ms(),
                count: 100_000,
            },
            ..Options::default()
        }
    }
}

impl Odds {
    fn new(rng: &mut Rng) -> Self {
        let mut some = |most: usize| if rng.bool() { rng.usize(1..=most) } else { 0 };
        let mut odds = Self {
            lost_connection: some(60),
            kill: some(15),
            power_cut: some(15),
            power_cut_within: some(15),
            full_disk: some(10),
            failing_syncs: false,
            clock_jump: some(10),
            late_answer: some(30),
        };
        odds.failing_syncs = rng.u8(0..4) == 0;
        odds
    }
}
