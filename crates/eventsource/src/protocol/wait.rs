//! How long to wait before the next attempt, and when there is none (T2, T4).

use super::{Backoff, Budget};
use std::time::Duration;

/// From the second attempt in a row that brought nothing on, none is made
/// sooner than this after the one before (d16).
const AFTER_NOTHING_TWICE: Duration = Duration::from_secs(1);

/// What is taken at most from a `Retry-After`.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(5 * 60);

/// How long a stream without events must have stood to have been good, where
/// the backoff doesn't say.
const STOOD: Duration = Duration::from_secs(10);

/// Remembers what came of the attempts so far.
#[derive(Debug)]
pub(super) struct Waits {
    backoff: Backoff,
    budget: Option<Budget>,
    /// By how many attempts in a row the wait has grown.
    growth: u32,
    /// The last wait that was drawn.
    drawn: Duration,
    /// Failed attempts in a row, for the budget.
    failed: u32,
    /// Since when there is no stream.
    since: Duration,
    random: Random,
}

/// An attempt that is over.
#[derive(Debug)]
pub(super) struct Outcome {
    /// The stream that it brought.
    pub(super) stream: Option<Stood>,
    /// What the server said of when to come back, in this very attempt.
    pub(super) said: Option<Said>,
}

/// A stream that is over.
#[derive(Debug)]
pub(super) struct Stood {
    pub(super) time: Duration,
    pub(super) brought_event: bool,
}

/// When to come back, as a server said it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Said {
    /// In its stream, so that the reconnection time is what it said.
    Retry,
    /// In the head of its refusal.
    RetryAfter(Duration),
}

/// What follows from an attempt that is over.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    Wait(Duration),
    /// The budget is spent, after so many failed attempts in a row.
    GiveUp(u32),
}

impl Waits {
    pub(super) fn new(backoff: Backoff, budget: Option<Budget>, seed: u64, now: Duration) -> Self {
        Self {
            backoff,
            budget,
            growth: 0,
            drawn: Duration::ZERO,
            failed: 0,
            since: now,
            random: Random(seed),
        }
    }

    /// As if nothing had failed yet.
    pub(super) fn reset(&mut self, now: Duration) {
        (self.growth, self.failed, self.since) = (0, 0, now);
    }

    /// An attempt is over at `now`; the reconnection time is `least`.
    pub(super) fn after(&mut self, outcome: &Outcome, least: Duration, now: Duration) -> Next {
        self.count(outcome, now);
        let wait = match outcome.said {
            Some(said) => self.as_said(said, least),
            None => self.backed_off(least),
        };
        match self.budget {
            Some(budget) if self.is_spent(budget, now.saturating_add(wait)) => {
                Next::GiveUp(self.failed)
            }
            _ => Next::Wait(wait),
        }
    }

    fn count(&mut self, outcome: &Outcome, now: Duration) {
        let stable = match self.backoff {
            Backoff::Standard { .. } => STOOD,
            Backoff::Jitter { stable, .. } => stable,
        };
        let event = outcome.stream.as_ref().is_some_and(|s| s.brought_event);
        let stood = outcome.stream.as_ref().is_some_and(|s| s.time >= stable);
        if event || stood {
            (self.failed, self.since) = (0, now);
        } else {
            self.failed = self.failed.saturating_add(1);
        }
        let is_good = match self.backoff {
            Backoff::Standard { .. } => event || stood,
            Backoff::Jitter { .. } => event && stood,
        };
        self.growth = match outcome.said {
            _ if is_good => 0,
            // A server that says when is there: no reason to wait longer.
            Some(_) => self.growth.saturating_add(1).min(2),
            None => self.growth.saturating_add(1),
        };
    }

    fn is_spent(&self, budget: Budget, next: Duration) -> bool {
        self.failed >= budget.attempts.max(1) || next.saturating_sub(self.since) > budget.time
    }

    /// Not sooner than the server said, and hardly later.
    fn as_said(&mut self, said: Said, least: Duration) -> Duration {
        let said = match said {
            Said::Retry => least,
            Said::RetryAfter(time) => time.min(MAX_RETRY_AFTER),
        };
        let wait = said.max(self.floor());
        match self.backoff {
            Backoff::Standard { .. } => wait,
            // Others were told the same time.
            Backoff::Jitter { .. } => {
                let most = wait.saturating_add(wait / 4).min(MAX_RETRY_AFTER);
                self.random.between(wait, most)
            }
        }
    }

    fn backed_off(&mut self, least: Duration) -> Duration {
        match self.backoff {
            Backoff::Standard { .. } if self.growth < 2 => least,
            Backoff::Standard { ceiling } => {
                let second = least.saturating_mul(2).max(self.floor());
                let doubled = 1_u32.checked_shl(self.growth - 2).unwrap_or(u32::MAX);
                second.saturating_mul(doubled).min(ceiling).max(least)
            }
            Backoff::Jitter { ceiling, .. } => {
                let before = match self.growth {
                    0 | 1 => least,
                    _ => least.max(self.drawn),
                };
                let shortest = least.max(self.floor());
                let longest = before.saturating_mul(3).min(ceiling);
                self.drawn = self.random.between(shortest, longest);
                self.drawn
            }
        }
    }

    /// The least wait, whatever the server says.
    fn floor(&self) -> Duration {
        let (Backoff::Standard { ceiling } | Backoff::Jitter { ceiling, .. }) = self.backoff;
        match self.growth {
            0 | 1 => Duration::ZERO,
            _ => AFTER_NOTHING_TWICE.min(ceiling),
        }
    }
}

/// SplitMix64: what is drawn follows from the seed alone.
#[derive(Debug)]
struct Random(u64);

impl Random {
    /// A duration of the range; its start if the end is before it.
    fn between(&mut self, start: Duration, end: Duration) -> Duration {
        let width = u64::try_from(end.saturating_sub(start).as_nanos()).unwrap_or(u64::MAX);
        let share = (u128::from(self.bits()) * (u128::from(width) + 1)) >> 64;
        let share = u64::try_from(share).unwrap_or(width);
        start.saturating_add(Duration::from_nanos(share))
    }

    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}
