//! A reader of the model: what it was given, and what it should have been.

use super::wish::Wish;
use super::{Sabotage, range};
use crate::{Cursor, Frame, Position, Read, SubscriptionKey};
use std::sync::Arc;

/// What the store said, on its way to the reader.
pub(super) struct Answer {
    pub cursor: Cursor,
    pub frames: Vec<Arc<Frame>>,
    pub read: Read,
}

pub(super) struct Reader {
    pub lane: usize,
    pub key: SubscriptionKey,
    pub wish: Wish,
    /// Told to read, and not yet at the end.
    pub ready: bool,
    /// The tail said "gap".
    pub needs_store: bool,
    pub answer: Option<Answer>,
    /// Given since the last check.
    given: Vec<Position>,
    /// Up to here all was checked.
    checked: Position,
    /// Gaps declared since the last check: after, to.
    gaps: Vec<(Position, Position)>,
}

impl Reader {
    pub fn new(lane: usize, key: SubscriptionKey, wish: Wish, start: Position) -> Self {
        Self {
            lane,
            key,
            wish,
            ready: false,
            needs_store: false,
            answer: None,
            given: Vec::new(),
            checked: start,
            gaps: Vec::new(),
        }
    }

    /// Takes frames, spoilt if so asked.
    pub fn take(&mut self, frames: &[Arc<Frame>], sabotage: &mut Option<Sabotage>) {
        let from = self.given.len();
        self.given
            .extend(frames.iter().map(|frame| frame.position()));
        spoil(&mut self.given, from, sabotage);
    }

    pub fn declare_gap(&mut self, after: Position, to: Position) {
        self.gaps.push((after, to));
    }

    /// Compares what was given with what the log and the filter say for
    /// everything up to `cursor`: no loss, no double, in order, nothing else.
    pub fn check(&mut self, log: &[Arc<Frame>], cursor: Cursor) -> Result<(), String> {
        let (after, to) = (self.checked, cursor.after);
        if to < after {
            return Err(format!("the cursor went back from {} to {}", after.0, to.0));
        }
        let from = log.partition_point(|frame| frame.position() <= after);
        let expected: Vec<Position> = log[from..]
            .iter()
            .take_while(|frame| frame.position() <= to)
            .filter(|frame| self.wish.wants(frame))
            .filter(|frame| self.given.contains(&frame.position()) || !is_reopened(log, frame))
            .map(|frame| frame.position())
            .filter(|at| !self.gaps.iter().any(|(after, to)| after < at && at <= to))
            .collect();
        if expected != self.given {
            return Err(format!(
                "{:?} should have been given {expected:?} of {} and was given {:?}",
                self.key,
                range(after, to),
                self.given
            ));
        }
        self.given.clear();
        self.gaps.clear();
        self.checked = to;
        Ok(())
    }
}

/// Whether a frame is the end of a topic that has a later event.
fn is_reopened(log: &[Arc<Frame>], frame: &Frame) -> bool {
    let later = log
        .iter()
        .rev()
        .take_while(|later| later.position() > frame.position());
    let mut topics = later.flat_map(|later| later.published().topics());
    frame.is_end() && topics.any(|topic| topic == frame.topic())
}

/// Spoils what was given from number `from` on, if so asked and if that is
/// enough.
pub(super) fn spoil(given: &mut Vec<Position>, from: usize, sabotage: &mut Option<Sabotage>) {
    if given.len() < from + 2 {
        return;
    }
    match sabotage {
        None => return,
        Some(Sabotage::Lose) => drop(given.remove(from)),
        Some(Sabotage::Double) => given.insert(from, given[from]),
        Some(Sabotage::Swap) => given.swap(from, from + 1),
        Some(Sabotage::Forge) => given[from + 1] = Position(u64::MAX),
        // These are of streams, and for as long as the run.
        Some(_) => return,
    }
    *sabotage = None;
}
