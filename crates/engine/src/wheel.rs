//! Many deadlines at once, without a timer each.

/// Keys in the order of their ticks, which are whatever the caller counts time
/// in. Putting a key in and taking it out cost the same however many there are.
///
/// A key that is no longer wanted is not taken out: whoever gets it decides
/// whether it still means something. So a deadline that was put off is left
/// where it is, and put in again when it comes up.
#[derive(Debug)]
pub struct Wheel<K> {
    slots: Box<[Vec<(u64, K)>]>,
    /// All ticks up to here have been given out.
    now: u64,
    len: usize,
}

impl<K> Wheel<K> {
    /// An empty wheel at tick `now`. Deadlines farther than `slots` ticks away
    /// are looked at once per round.
    pub fn new(now: u64, slots: usize) -> Self {
        Self {
            slots: (0..slots.max(1)).map(|_| Vec::new()).collect(),
            now,
            len: 0,
        }
    }

    /// How many keys are in it.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Puts a key in. A tick that has passed is taken for the next one.
    pub fn insert(&mut self, tick: u64, key: K) {
        let tick = tick.max(self.now + 1);
        let slot = self.slot(tick);
        self.slots[slot].push((tick, key));
        self.len += 1;
    }

    /// Gives out the keys of all ticks up to `now`, in no promised order.
    pub fn advance(&mut self, now: u64, mut due: impl FnMut(u64, K)) {
        // Once around looks at every slot.
        let first = (self.now + 1).max(now.saturating_sub(self.slots.len() as u64 - 1));
        for tick in first..=now {
            let slot = self.slot(tick);
            let keys = std::mem::take(&mut self.slots[slot]);
            let (passed, later): (Vec<_>, Vec<_>) =
                keys.into_iter().partition(|(tick, _)| *tick <= now);
            self.slots[slot] = later;
            self.len -= passed.len();
            passed.into_iter().for_each(|(tick, key)| due(tick, key));
        }
        self.now = self.now.max(now);
    }

    /// No key comes before this tick; `None` if there are no keys.
    pub fn soonest(&self) -> Option<u64> {
        let far = self.now + self.slots.len() as u64;
        let has = |tick: &u64| {
            self.slots[self.slot(*tick)]
                .iter()
                .any(|(own, _)| own == tick)
        };
        (!self.is_empty()).then(|| (self.now + 1..far).find(has).unwrap_or(far))
    }

    fn slot(&self, tick: u64) -> usize {
        (tick % self.slots.len() as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// A sorted list gives out the same at the same time.
        #[test]
        fn every_key_comes_at_its_tick(
            slots in 1..9_usize,
            steps in prop::collection::vec((0..40_u64, prop::collection::vec(0..60_u64, 0..6)), 1..40),
        ) {
            let (mut wheel, mut now) = (Wheel::new(0, slots), 0);
            let mut model: Vec<(u64, usize)> = Vec::new();
            for (number, (pass, ticks)) in steps.into_iter().enumerate() {
                for tick in ticks {
                    wheel.insert(tick, number);
                    model.push((tick.max(now + 1), number));
                }
                now += pass;
                let mut due = Vec::new();
                wheel.advance(now, |tick, key| due.push((tick, key)));
                let mut expect: Vec<_> = model.extract_if(.., |(tick, _)| *tick <= now).collect();
                let soonest = model.iter().map(|(tick, _)| *tick).min();
                prop_assert_eq!(wheel.soonest().is_some(), soonest.is_some());
                prop_assert!(wheel.soonest() <= soonest, "never too late");
                expect.sort_unstable();
                due.sort_unstable();
                prop_assert_eq!(due, expect);
                prop_assert_eq!(wheel.len(), model.len());
            }
        }
    }
}
