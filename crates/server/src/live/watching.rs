//! How many streams watch some topics.

use super::Turn;
use crate::sys::Streams;
use std::ops::ControlFlow;
use std::sync::Arc;
use tidings_engine::{Subscriptions, Topic};

/// After so many steps a lane does what else there is to do, before it counts on: a
/// topic that was begun is counted to its end.
const STEPS: usize = 4096;

/// Counts those of one lane, or set, in turns.
#[derive(Clone)]
pub struct Watching {
    topics: Arc<[Topic]>,
    counts: Vec<usize>,
    /// Until the last has answered: whoever asked may be gone before.
    _turn: Option<Turn>,
}

impl Watching {
    /// Of these topics; for a request in its `turn`.
    pub fn new(topics: Arc<[Topic]>, turn: Option<Turn>) -> Self {
        Self {
            topics,
            counts: Vec::new(),
            _turn: turn,
        }
    }

    /// Counts on; breaks with the counts of all topics.
    pub fn go_on(&mut self, streams: &mut dyn Streams) -> ControlFlow<Vec<usize>> {
        self.count(streams.subscriptions())
    }

    fn count(&mut self, subscriptions: &mut Subscriptions) -> ControlFlow<Vec<usize>> {
        let mut taken: usize = 0;
        while let Some(topic) = self.topics.get(self.counts.len()) {
            if taken >= STEPS {
                return ControlFlow::Continue(());
            }
            let (count, steps) = subscriptions.watching(topic);
            self.counts.push(count);
            taken = taken.saturating_add(steps);
        }
        ControlFlow::Break(std::mem::take(&mut self.counts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidings_engine::{Cursor, Position, Selection, Selector};

    const TOPICS: usize = 100;
    const WATCHERS: usize = 10_000;

    fn topics() -> Arc<[Topic]> {
        let topics = (0..TOPICS).map(|n| Topic::new(&format!("t/{n}")).unwrap());
        topics.collect()
    }

    /// As many who watch each of these, and one for each topic.
    fn subscriptions(patterns: &[&str]) -> Subscriptions {
        let mut all = Subscriptions::new(Position::START);
        let cursor = Cursor {
            after: Position::START,
        };
        let mut insert = |text: &str| {
            let selector = Selector::new(text).unwrap();
            all.insert(Selection::new(vec![selector]), cursor);
        };
        for pattern in patterns {
            (0..WATCHERS).for_each(|_| insert(pattern));
        }
        topics().iter().for_each(|topic| insert(topic.as_str()));
        all
    }

    /// Counts, in so many turns, of which none takes more than these steps.
    fn check(patterns: &[&str], turns: usize, most: usize) {
        let mut all = subscriptions(patterns);
        let mut own = Watching::new(topics(), None);
        for turn in 1.. {
            let before = own.counts.len();
            let counted = own.count(&mut all);
            let upto = match &counted {
                ControlFlow::Break(counts) => counts.len(),
                ControlFlow::Continue(()) => own.counts.len(),
            };
            let looked_at = topics()[before..upto].to_vec();
            let steps: usize = looked_at.iter().map(|own| all.watching(own).1).sum();
            assert!(steps <= most, "{patterns:?}: {steps} in turn {turn}");
            if let ControlFlow::Break(counts) = counted {
                assert_eq!(counts, [patterns.len() * WATCHERS + 1; TOPICS]);
                assert_eq!(turn, turns, "{patterns:?}");
                return;
            }
            assert!(upto > before, "{patterns:?}: it comes to no end");
        }
    }

    #[test]
    fn a_turn_is_short_however_many_watch_by_patterns() {
        check(&[], 1, STEPS);
        // Nobody is gone through who watches by the one pattern that many watch by.
        check(&["**"], 1, STEPS);
        // Where sets meet, no turn takes more than one of them and what comes before.
        check(&["**", "t/*"], TOPICS, STEPS + WATCHERS);
        check(&["**", "t/*", "t/**", "*/**"], TOPICS, STEPS + 3 * WATCHERS);
    }
}
