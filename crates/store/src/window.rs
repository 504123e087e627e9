//! The window in which a repeated idempotency key is recognised.

use crate::index::KeyEntry;
use crate::options::Idempotency;
use std::collections::{HashMap, VecDeque};
use tidings_engine::{IdempotencyKey, Position};

/// The last keys and what they were used for.
#[derive(Debug)]
pub(crate) struct KeyWindow {
    bounds: Idempotency,
    /// In the order of the log, with the window's clock at each.
    order: VecDeque<(KeyEntry, u64)>,
    /// The window's own clock, in milliseconds: it follows the wall clock in
    /// bounded steps, so that a jump forgets nothing.
    tick: u64,
    /// What the wall clock said last.
    wall: Option<u64>,
    by_key: HashMap<u128, (u64, Position)>,
}

/// What is known of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyUse {
    Unknown,
    /// For the same request, which stands there.
    Same(Position),
    /// For another request.
    Other,
}

impl KeyWindow {
    /// The greatest step, in milliseconds. Time is told about once a second;
    /// while the machine sleeps or the store is closed, keys don't age.
    const MAX_STEP: u64 = 10_000;

    pub fn new(bounds: Idempotency) -> Self {
        Self {
            bounds,
            order: VecDeque::new(),
            tick: 0,
            wall: None,
            by_key: HashMap::new(),
        }
    }

    /// Takes in the next key in the order of the log, used just now.
    pub fn insert(&mut self, entry: KeyEntry) {
        let value = (entry.key.request, entry.position);
        self.by_key.insert(entry.key.key, value);
        self.order.push_back((entry, self.tick));
        while self.order.len() > self.bounds.count {
            self.forget_oldest();
        }
    }

    /// Takes in the next key in the order of the log, used when its record
    /// says. A pause counts at most half of the window, because it might be a
    /// jump of the clock.
    pub fn restore(&mut self, entry: KeyEntry) {
        let most = (self.bounds.age_ms / 2).max(Self::MAX_STEP);
        self.advance(entry.time, most);
        self.insert(entry);
    }

    /// Forgets keys that are too old at `now`.
    pub fn expire(&mut self, now: u64) {
        self.advance(now, Self::MAX_STEP);
        let oldest_kept = self.tick.saturating_sub(self.bounds.age_ms);
        while self
            .order
            .front()
            .is_some_and(|(_, tick)| *tick < oldest_kept)
        {
            self.forget_oldest();
        }
    }

    fn advance(&mut self, now: u64, most: u64) {
        let step = now.saturating_sub(self.wall.unwrap_or(now)).min(most);
        self.tick = self.tick.saturating_add(step);
        self.wall = Some(now);
    }

    pub fn find(&self, key: &IdempotencyKey) -> KeyUse {
        match self.by_key.get(&key.key) {
            None => KeyUse::Unknown,
            Some((request, position)) if *request == key.request => KeyUse::Same(*position),
            Some(_) => KeyUse::Other,
        }
    }

    fn forget_oldest(&mut self) {
        let Some((oldest, _)) = self.order.pop_front() else {
            return;
        };
        // The key may have been used again since.
        if let Some((_, position)) = self.by_key.get(&oldest.key.key)
            && *position == oldest.position
        {
            self.by_key.remove(&oldest.key.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(key: u128, position: u64, time: u64) -> KeyEntry {
        let key = IdempotencyKey { key, request: 1 };
        KeyEntry {
            key,
            position: Position(position),
            time,
        }
    }

    #[test]
    fn keys_are_forgotten_by_age_and_by_count() {
        let mut window = KeyWindow::new(Idempotency {
            age_ms: 100,
            count: 2,
        });
        for (key, time) in [(1, 0), (2, 50), (3, 60)] {
            window.restore(entry(key, key as u64, time));
        }
        let known = |w: &KeyWindow, key| w.find(&IdempotencyKey { key, request: 1 });
        assert_eq!(known(&window, 1), KeyUse::Unknown);
        assert_eq!(known(&window, 2), KeyUse::Same(Position(2)));
        window.expire(151);
        assert_eq!(known(&window, 2), KeyUse::Unknown);
        assert_eq!(known(&window, 3), KeyUse::Same(Position(3)));
        let other = IdempotencyKey { key: 3, request: 9 };
        assert_eq!(window.find(&other), KeyUse::Other);
    }

    #[test]
    fn a_key_used_again_outlives_its_first_use() {
        let mut window = KeyWindow::new(Idempotency {
            age_ms: 100,
            count: 10,
        });
        window.restore(entry(1, 1, 0));
        window.restore(entry(1, 2, 90));
        window.expire(120);
        let key = IdempotencyKey { key: 1, request: 1 };
        assert_eq!(window.find(&key), KeyUse::Same(Position(2)));
    }
}
