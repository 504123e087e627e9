//! The window in which a repeated idempotency key is recognised.

use crate::index::KeyEntry;
use crate::options::Idempotency;
use std::collections::{HashMap, VecDeque};
use tidings_engine::{IdempotencyKey, Position};

/// The last keys and what they were used for.
#[derive(Debug)]
pub(crate) struct KeyWindow {
    bounds: Idempotency,
    order: VecDeque<KeyEntry>,
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
    pub fn new(bounds: Idempotency) -> Self {
        Self {
            bounds,
            order: VecDeque::new(),
            by_key: HashMap::new(),
        }
    }

    /// Takes in the next key in the order of the log.
    pub fn insert(&mut self, entry: KeyEntry) {
        let value = (entry.key.request, entry.position);
        self.by_key.insert(entry.key.key, value);
        self.order.push_back(entry);
        while self.order.len() > self.bounds.count {
            self.forget_oldest();
        }
    }

    /// Forgets keys that are too old at `now`.
    pub fn expire(&mut self, now: u64) {
        let age = self.bounds.age_ms;
        let too_old = |e: &KeyEntry| now.saturating_sub(e.time) > age;
        while self.order.front().is_some_and(too_old) {
            self.forget_oldest();
        }
    }

    pub fn find(&self, key: &IdempotencyKey) -> KeyUse {
        match self.by_key.get(&key.key) {
            None => KeyUse::Unknown,
            Some((request, position)) if *request == key.request => KeyUse::Same(*position),
            Some(_) => KeyUse::Other,
        }
    }

    fn forget_oldest(&mut self) {
        let Some(oldest) = self.order.pop_front() else {
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
            window.insert(entry(key, key as u64, time));
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
        window.insert(entry(1, 1, 0));
        window.insert(entry(1, 2, 90));
        window.expire(120);
        let key = IdempotencyKey { key: 1, request: 1 };
        assert_eq!(window.find(&key), KeyUse::Same(Position(2)));
    }
}
