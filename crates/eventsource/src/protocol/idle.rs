//! How long a server may be silent in a stream.

use super::IdleTimeout;
use std::time::Duration;

/// How many ceilings of [`IdleTimeout::Adaptive`] a silence is remembered at
/// least; at most twice as many.
const REMEMBERED_CEILINGS: u32 = 10;

/// Follows the silences of a server, over connections.
#[derive(Debug)]
pub(super) struct Silence {
    timeout: IdleTimeout,
    /// When the last bytes came.
    heard: Duration,
    learned: Learned,
}

/// The longest silences, of the present period and of the one before.
#[derive(Debug, Default)]
struct Learned {
    longest: Duration,
    longest_before: Duration,
    /// How much of the present period is over, as sum of its silences.
    period: Duration,
    /// For how long streams were watched, up to the ceiling.
    watched: Duration,
}

impl Silence {
    pub(super) fn new(timeout: IdleTimeout) -> Self {
        Self {
            timeout,
            heard: Duration::ZERO,
            learned: Learned::default(),
        }
    }

    /// A stream begins at `now`.
    pub(super) fn begin(&mut self, now: Duration) {
        self.heard = self.heard.max(now);
    }

    /// Bytes came at `now`.
    #[inline]
    pub(super) fn heard(&mut self, now: Duration) {
        if let IdleTimeout::Adaptive { ceiling, .. } = self.timeout
            && now > self.heard
        {
            self.learned.learn(now - self.heard, ceiling);
        }
        self.heard = self.heard.max(now);
    }

    /// The stream ends at `now`, silent since the last bytes. A timeout that
    /// was too short is longer the next time.
    pub(super) fn end(&mut self, now: Duration) {
        self.heard(now);
    }

    /// How long the server may be silent.
    pub(super) fn timeout(&self) -> Option<Duration> {
        match self.timeout {
            IdleTimeout::Never => None,
            IdleTimeout::After(time) => Some(time),
            IdleTimeout::Adaptive { floor, ceiling } => Some(self.learned.timeout(floor, ceiling)),
        }
    }

    /// Until when, since it was heard last.
    pub(super) fn deadline(&self) -> Option<Duration> {
        Some(self.heard.saturating_add(self.timeout()?))
    }
}

impl Learned {
    fn learn(&mut self, silence: Duration, ceiling: Duration) {
        self.watched = self.watched.saturating_add(silence).min(ceiling);
        self.period = self.period.saturating_add(silence);
        self.longest = self.longest.max(silence);
        if self.period >= ceiling.saturating_mul(REMEMBERED_CEILINGS) {
            self.longest_before = std::mem::take(&mut self.longest);
            self.period = Duration::ZERO;
        }
    }

    fn timeout(&self, floor: Duration, ceiling: Duration) -> Duration {
        if self.watched < ceiling {
            return ceiling;
        }
        let longest = self.longest.max(self.longest_before);
        longest.saturating_mul(3).max(floor).min(ceiling)
    }
}
