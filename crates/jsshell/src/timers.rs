//! When the realm's timers are due. What they call stands in `js/timers.js`.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;
use tokio::time::Instant;

/// The timers that are set, by when they are due, and of those due at the same
/// moment the one set first before the others.
#[derive(Debug, Default)]
pub struct Timers {
    due: BTreeMap<(Instant, u64), u32>,
    keys: HashMap<u32, (Instant, u64)>,
    count: u64,
}

impl Timers {
    /// Sets timer `id`, again if it was set.
    pub fn set(&mut self, id: u32, now: Instant, delay: Duration) {
        self.clear(id);
        self.count += 1;
        let key = (now + delay, self.count);
        self.due.insert(key, id);
        self.keys.insert(id, key);
    }

    /// Timer `id` is not to come any more.
    pub fn clear(&mut self, id: u32) {
        if let Some(key) = self.keys.remove(&id) {
            self.due.remove(&key);
        }
    }

    /// When the next one is due.
    pub fn next(&self) -> Option<Instant> {
        self.due.keys().next().map(|(due, _)| *due)
    }

    /// Takes out the next timer if it is due at `now`.
    pub fn take_due(&mut self, now: Instant) -> Option<u32> {
        let entry = self
            .due
            .first_entry()
            .filter(|entry| entry.key().0 <= now)?;
        let id = entry.remove();
        self.keys.remove(&id);
        Some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_come_by_time_and_then_in_the_order_they_were_set() {
        let now = Instant::now();
        let ms = Duration::from_millis;
        let mut timers = Timers::default();
        timers.set(1, now, ms(5));
        timers.set(2, now, ms(1));
        timers.set(3, now, ms(1));
        timers.set(4, now, ms(0));
        timers.set(1, now, ms(1));
        timers.clear(4);
        timers.clear(9);
        assert_eq!(timers.next(), Some(now + ms(1)));
        assert_eq!(timers.take_due(now), None);
        let late = now + ms(10);
        let order: Vec<_> = std::iter::from_fn(|| timers.take_due(late)).collect();
        assert_eq!(order, [2, 3, 1]);
        assert_eq!(timers.next(), None);
    }
}
