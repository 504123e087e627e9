//! One lane's share of the subscriptions: cursors over the log, and which of
//! them have something to read.

use crate::{Budget, Cursor, Frame, Gap, Index, Position, Read, Selection, Tail, shrink_slab};
use slab::Slab;
use std::sync::Arc;

/// The subscriptions of a lane. The lane is itself a cursor over the log: it
/// looks at every event once ([`Subscriptions::follow`]) and learns who has to
/// read. A subscription that is caught up costs nothing for events it doesn't
/// watch: its cursor is the lane's.
///
/// # How a shell drives it
/// 1. [`insert`](Self::insert) a subscription at its cursor. If it
///    [has something to read](Self::is_behind), read.
/// 2. When the tail has grown, [`follow`](Self::follow) it; every key that is
///    reported has something to read, and is not reported again before it has
///    been read to the end.
/// 3. [`read`](Self::read) until it answers [`Read::CaughtUp`]. A subscription
///    whose socket is full may be left at any time and read on later, which is
///    then up to the shell: nothing but the cursor is kept here.
/// 4. On [`Read::Gap`] ask the store, at [`cursor`](Self::cursor) with
///    [`selection`](Self::selection), and hand over where the store's read
///    ended with [`set_cursor`](Self::set_cursor), whatever its outcome; then
///    read on here. If the store has a gap too, declare it to the subscriber
///    and set the cursor to [`Gap::to`].
///
/// # Why nothing is lost or doubled between store, tail and live
/// All three are read at one cursor, which only rises. A subscription is
/// either *behind*, and then the lane leaves it alone, as whatever comes is
/// after its cursor and will be read; or it is *caught up*, which it becomes
/// only when everything up to the lane's position, at least, has been read.
/// It may be ahead of the lane (it read a tail or a store that the lane hasn't
/// followed yet): then the lane ignores for it what is not after its cursor.
#[derive(Debug)]
pub struct Subscriptions {
    index: Index<SubscriptionKey>,
    slots: Slab<Subscription>,
    /// Counts insertions; tells a slot's occupants apart.
    stamp: u32,
    /// The most slots since memory was last given back.
    peak: usize,
    end: Position,
}

/// Names a subscription; one that was removed is never mistaken for a later
/// one (until 2³² others came).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriptionKey {
    slot: u32,
    stamp: u32,
}

#[derive(Debug)]
struct Subscription {
    stamp: u32,
    selection: Selection,
    state: State,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// Everything selected up to the lane's position, and up to `read` if that
    /// is farther, has been read.
    CaughtUp { read: Position },
    /// Something after `read` may be selected and at or before the lane's position.
    Behind { read: Position },
}

impl Subscriptions {
    /// No subscriptions, in a lane that has followed the log up to `end`.
    pub fn new(end: Position) -> Self {
        Self {
            index: Index::new(),
            slots: Slab::new(),
            stamp: 0,
            peak: 0,
            end,
        }
    }

    /// Up to where the lane has followed the log.
    pub fn end(&self) -> Position {
        self.end
    }

    /// How many subscriptions there are.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Adds a subscription that has everything up to `cursor`, which may be
    /// before, at or after the lane's position. It is not reported as ready
    /// for what was there already: ask [`Subscriptions::is_behind`].
    pub fn insert(&mut self, selection: Selection, cursor: Cursor) -> SubscriptionKey {
        self.stamp = self.stamp.wrapping_add(1);
        let entry = self.slots.vacant_entry();
        let key = SubscriptionKey {
            slot: u32::try_from(entry.key()).expect("fewer than 2^32 subscriptions fit in memory"),
            stamp: self.stamp,
        };
        self.index.insert(&selection, key);
        entry.insert(Subscription {
            stamp: self.stamp,
            selection,
            state: State::at(cursor.after, self.end),
        });
        self.peak = self.peak.max(self.slots.len());
        key
    }

    /// Ends a subscription. Answers whether there was one.
    pub fn remove(&mut self, key: SubscriptionKey) -> bool {
        if self.get(key).is_none() {
            return false;
        }
        let subscription = self.slots.remove(key.slot as usize);
        self.index.remove(&subscription.selection, key);
        shrink_slab(&mut self.slots, &mut self.peak);
        true
    }

    /// Moves the lane over `frame`, the log's next, and appends to `ready` the
    /// caught-up subscriptions for which it is the first to read. A frame that
    /// the lane is past already is ignored.
    pub fn advance(&mut self, frame: &Frame, ready: &mut Vec<SubscriptionKey>) {
        let position = frame.position();
        if position <= self.end {
            return;
        }
        self.end = position;
        let slots = &mut self.slots;
        self.index.matches(frame.topic(), |key| {
            // The index holds no key without its slot.
            let state = &mut slots[key.slot as usize].state;
            if let State::CaughtUp { read } = *state
                && read < position
            {
                // Nothing selected lies between where it was and this frame.
                *state = State::Behind {
                    read: Position(position.0 - 1),
                };
                ready.push(key);
            }
        });
    }

    /// Moves the lane over at most `max_frames` frames that `tail` has after
    /// its position, as [`advance`](Self::advance) does. If the tail no longer
    /// reaches back to the lane, all caught-up subscriptions become ready, to
    /// look for themselves. Answers whether the lane is at the tail's end.
    pub fn follow(
        &mut self,
        tail: &Tail,
        max_frames: usize,
        ready: &mut Vec<SubscriptionKey>,
    ) -> bool {
        match tail.after(Cursor { after: self.end }) {
            Ok(frames) => frames
                .take(max_frames)
                .for_each(|frame| self.advance(frame, ready)),
            Err(Gap { .. }) => self.jump(tail.end(), ready),
        }
        self.end >= tail.end()
    }

    /// Appends to `out` what `key` has to read, as far as `budget` allows. See
    /// [`Tail::read`] for the outcomes; a key that was removed is caught up.
    /// `tail` must not be behind what the lane has followed.
    pub fn read(
        &mut self,
        key: SubscriptionKey,
        tail: &Tail,
        budget: Budget,
        out: &mut Vec<Arc<Frame>>,
    ) -> Read {
        debug_assert!(tail.end() >= self.end, "the lane is ahead of the tail");
        let end = self.end;
        let Some(subscription) = self.get_mut(key) else {
            return Read::CaughtUp;
        };
        let State::Behind { read } = subscription.state else {
            return Read::CaughtUp;
        };
        let mut cursor = Cursor { after: read };
        let outcome = tail.read(&mut cursor, &subscription.selection, budget, out);
        subscription.state = State::at(cursor.after, end);
        outcome
    }

    /// What the subscription watches; `None` if it was removed.
    pub fn selection(&self, key: SubscriptionKey) -> Option<&Selection> {
        self.get(key).map(|subscription| &subscription.selection)
    }

    /// Where the subscription stands: a reader that resumes here misses and
    /// repeats nothing after what this one was given. `None` if it was removed.
    pub fn cursor(&self, key: SubscriptionKey) -> Option<Cursor> {
        let after = match self.get(key)?.state {
            State::CaughtUp { read } => read.max(self.end),
            State::Behind { read } => read,
        };
        Some(Cursor { after })
    }

    /// Moves the cursor forward: to where a read of the store ended, or over a
    /// gap. Answers `false`, and changes nothing, if it would go back (a late
    /// answer) or if the subscription was removed.
    pub fn set_cursor(&mut self, key: SubscriptionKey, cursor: Cursor) -> bool {
        if self.cursor(key).is_none_or(|own| cursor < own) {
            return false;
        }
        let end = self.end;
        if let Some(subscription) = self.get_mut(key) {
            subscription.state = State::at(cursor.after, end);
        }
        true
    }

    /// Whether there may be something to read.
    pub fn is_behind(&self, key: SubscriptionKey) -> bool {
        self.get(key)
            .is_some_and(|subscription| matches!(subscription.state, State::Behind { .. }))
    }

    /// By how many positions of the log the subscription is behind the lane,
    /// whether or not it watches the events there. 0 if it was removed.
    pub fn lag(&self, key: SubscriptionKey) -> u64 {
        self.cursor(key)
            .map_or(0, |cursor| self.end.0.saturating_sub(cursor.after.0))
    }

    /// Moves the lane to `end` without having seen the events in between.
    fn jump(&mut self, end: Position, ready: &mut Vec<SubscriptionKey>) {
        if end <= self.end {
            return;
        }
        for (slot, subscription) in &mut self.slots {
            let State::CaughtUp { read } = subscription.state else {
                continue;
            };
            subscription.state = State::at(read.max(self.end), end);
            if matches!(subscription.state, State::Behind { .. }) {
                ready.push(SubscriptionKey {
                    slot: slot as u32,
                    stamp: subscription.stamp,
                });
            }
        }
        self.end = end;
    }

    fn get(&self, key: SubscriptionKey) -> Option<&Subscription> {
        self.slots
            .get(key.slot as usize)
            .filter(|subscription| subscription.stamp == key.stamp)
    }

    fn get_mut(&mut self, key: SubscriptionKey) -> Option<&mut Subscription> {
        self.slots
            .get_mut(key.slot as usize)
            .filter(|subscription| subscription.stamp == key.stamp)
    }
}

impl State {
    /// Of a subscription that has everything up to `read`, in a lane at `end`.
    fn at(read: Position, end: Position) -> Self {
        if read < end {
            Self::Behind { read }
        } else {
            Self::CaughtUp { read }
        }
    }
}
