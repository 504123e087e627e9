//! Which events were given already.

use crate::{Event, Text};
use std::collections::{HashSet, VecDeque};

/// Remembers the last IDs that events brought, within bounds.
#[derive(Debug)]
pub(crate) struct Duplicates {
    max_ids: usize,
    max_bytes: usize,
    bytes: usize,
    /// In the order they came.
    order: VecDeque<Text>,
    known: HashSet<Text>,
}

impl Duplicates {
    /// Of all remembered IDs together: a server may make each as long as the
    /// limits allow.
    const MAX_BYTES: usize = 1 << 20;

    pub(crate) fn new(max_ids: usize) -> Self {
        Self {
            max_ids,
            max_bytes: Self::MAX_BYTES,
            bytes: 0,
            order: VecDeque::new(),
            known: HashSet::new(),
        }
    }

    /// Whether an event with the same ID of its own is remembered; if not, it is now.
    pub(crate) fn has_seen(&mut self, event: &Event) -> bool {
        match event.own_id() {
            None | Some("") => false,
            Some(_) => !self.remember(&event.last_event_id),
        }
    }

    /// Remembers nothing any more.
    pub(crate) fn forget(&mut self) {
        self.order.clear();
        self.known.clear();
        self.bytes = 0;
    }

    /// Remembers an ID, and says whether it is new.
    pub(crate) fn remember(&mut self, id: &Text) -> bool {
        if !self.known.insert(id.clone()) {
            return false;
        }
        self.order.push_back(id.clone());
        self.bytes += id.len();
        while self.order.len() > self.max_ids || self.bytes > self.max_bytes {
            let Some(oldest) = self.order.pop_front() else {
                break;
            };
            self.bytes -= oldest.len();
            self.known.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of the events with these IDs are given.
    fn check(mut duplicates: Duplicates, ids: &[&str], expected: &[&str]) {
        let given: Vec<_> = ids
            .iter()
            .filter(|id| !duplicates.has_seen(&Event::new("message", "", id)))
            .collect();
        assert_eq!(given, expected.iter().collect::<Vec<_>>());
        assert_eq!(duplicates.order.len(), duplicates.known.len());
        let bytes: usize = duplicates.order.iter().map(|id| id.len()).sum();
        assert_eq!(duplicates.bytes, bytes);
        assert!(bytes <= duplicates.max_bytes);
    }

    #[test]
    fn d15_an_id_that_was_seen_is_not_given_again() {
        check(
            Duplicates::new(3),
            &["1", "2", "2", "1", "3"],
            &["1", "2", "3"],
        );
    }

    #[test]
    fn events_without_an_id_are_all_given() {
        check(Duplicates::new(3), &["", "", "1", ""], &["", "", "1", ""]);
        let mut duplicates = Duplicates::new(3);
        let mut inherits = Event::new("message", "", "7");
        assert!(!duplicates.has_seen(&inherits));
        inherits.has_id = false;
        assert!(!duplicates.has_seen(&inherits));
    }

    #[test]
    fn the_oldest_are_forgotten() {
        check(
            Duplicates::new(2),
            &["1", "2", "3", "1", "3"],
            &["1", "2", "3", "1"],
        );
        check(Duplicates::new(0), &["1", "1"], &["1", "1"]);
    }

    #[test]
    fn long_ids_take_bounded_memory() {
        let duplicates = Duplicates {
            max_bytes: 10,
            ..Duplicates::new(100)
        };
        let ids = ["aaaaaa", "bbbbbb", "aaaaaa", "ccccccccccc", "ccccccccccc"];
        check(duplicates, &ids, &ids);
    }
}
