//! Time in ticks, which is how wheels count it.

use std::time::{Duration, Instant};

/// How long a tick is: how late a heartbeat or an end may come.
const TICK: Duration = Duration::from_millis(100);
/// How far a wheel looks ahead before it looks at a key again: 51 s.
pub const SLOTS: usize = 512;

/// A clock of ticks.
#[derive(Debug, Clone, Copy)]
pub struct Ticks {
    begun: Instant,
}

impl Ticks {
    /// A clock that begins now, at tick 0.
    pub fn new() -> Self {
        Self {
            begun: Instant::now(),
        }
    }

    /// The last tick that has begun.
    pub fn now(self) -> u64 {
        Self::whole(self.begun.elapsed())
    }

    /// The first tick that doesn't begin before `instant`.
    pub fn at(self, instant: Instant) -> u64 {
        let since = instant.saturating_duration_since(self.begun);
        Self::ceil(since)
    }

    /// The ticks after which a duration has passed.
    pub fn ceil(duration: Duration) -> u64 {
        Self::whole(duration.saturating_add(TICK - Duration::from_nanos(1)))
    }

    /// How long it is until a tick begins.
    pub fn until(self, tick: u64) -> Duration {
        let ticks = u32::try_from(tick).unwrap_or(u32::MAX);
        (TICK * ticks).saturating_sub(self.begun.elapsed())
    }

    /// How many ticks a duration takes, at least.
    pub fn span(duration: Duration) -> u64 {
        Self::whole(duration).max(1)
    }

    fn whole(duration: Duration) -> u64 {
        u64::try_from(duration.as_nanos() / TICK.as_nanos()).unwrap_or(u64::MAX)
    }
}
