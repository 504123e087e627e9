//! The clock by which events age.

use crate::format::Identity;
use crate::format::age::{Clocks, LEN, NAME, NAME_UNFINISHED};
use crate::storage::{Storage, read_exact_at};
use std::io;

/// Follows the wall clock forward in bounded steps and never back, so that a
/// jump of the wall clock can't expire history. It lags where the wall clock
/// jumped forward: events are then kept longer, never shorter.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AgeClock {
    tick: u64,
    wall: u64,
}

impl AgeClock {
    /// The greatest step while the store is open, in milliseconds: an hour.
    /// The store is asked far more often, unless the machine slept.
    pub const MAX_STEP: u64 = 3_600_000;
    /// The greatest step over the time the store was closed: a day.
    pub const MAX_CLOSED_STEP: u64 = 24 * 3_600_000;

    /// Continues from the last record: its tick, its wall clock time.
    pub fn resume(tick: u64, wall: u64, now: u64) -> Self {
        let step = now.saturating_sub(wall).min(Self::MAX_CLOSED_STEP);
        Self {
            tick: tick.saturating_add(step),
            wall: now,
        }
    }

    /// The wall clock says `now`; the age clock then says the result.
    pub fn advance(&mut self, now: u64) -> u64 {
        let step = now.saturating_sub(self.wall).min(Self::MAX_STEP);
        self.tick = self.tick.saturating_add(step);
        self.wall = now;
        self.tick
    }

    /// Both clocks as of the last [`AgeClock::advance`].
    pub fn clocks(&self) -> Clocks {
        let (tick, wall) = (self.tick, self.wall);
        Clocks { tick, wall }
    }

    /// What it says, in milliseconds.
    pub fn tick(&self) -> u64 {
        self.tick
    }
}

/// What was saved last, if it can be read and is of this log.
pub(crate) fn load(storage: &dyn Storage, identity: Identity) -> Option<Clocks> {
    let mut bytes = [0; LEN];
    let file = storage.open(NAME).ok()?;
    read_exact_at(&*file, 0, &mut bytes).ok()?;
    Clocks::decode(identity, &bytes)
}

/// Saves what the clocks say. Either the old or the new is found afterwards.
pub(crate) fn save(storage: &dyn Storage, identity: Identity, clocks: Clocks) -> io::Result<()> {
    let file = storage.create(NAME_UNFINISHED)?;
    file.write_at(0, &clocks.encode(identity))?;
    file.sync_data()?;
    storage.rename(NAME_UNFINISHED, NAME)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000;
    const YEARS: u64 = 10 * 365 * 24 * HOUR;

    #[test]
    fn f12_p24_jumps_of_the_wall_clock_age_little() {
        let start = 2 * YEARS;
        for (jumps, want) in [
            (&[100, 200][..], 200),
            (&[100, 50, 150], 200),
            (&[YEARS], HOUR),
            (&[YEARS, 0, 10], HOUR + 10),
        ] {
            let mut clock = AgeClock::resume(0, start, start);
            for jump in jumps {
                clock.advance(start + jump);
            }
            assert_eq!(clock.tick(), want, "{jumps:?}");
        }
        let mut back = AgeClock::resume(7, start, start);
        assert_eq!(back.advance(start - YEARS), 7);
    }

    #[test]
    fn f12_closed_time_counts_up_to_a_day() {
        assert_eq!(AgeClock::resume(5, 100, 300).tick(), 205);
        assert_eq!(AgeClock::resume(5, 100, 50).tick(), 5);
        let day = AgeClock::MAX_CLOSED_STEP;
        assert_eq!(AgeClock::resume(5, 100, YEARS).tick(), 5 + day);
    }
}
