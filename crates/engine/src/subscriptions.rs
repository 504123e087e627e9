//! One lane's share of the subscriptions: cursors over the log, and which of
//! them have something to read.

use crate::{
    Batch, Budget, Cursor, Frame, Index, Position, Published, Read, Selection, Selector, Sight,
    Tail, Topic, shrink_slab,
};
use slab::Slab;
use std::fmt;
use std::sync::{Arc, Weak};

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
///    and set the cursor to [`Gap::to`](crate::Gap::to).
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
    /// What was last read, for the next one that stands at the same place.
    last: Option<Shared>,
    /// The newest subscription's selectors: whoever comes next often watches the
    /// same, and keeps no copy of its own.
    newest: Weak<[Selector]>,
}

/// A read that others may need too.
#[derive(Debug)]
struct Shared {
    selection: Selection,
    from: Cursor,
    budget: Budget,
    /// The lane's position then.
    end: Position,
    to: Cursor,
    /// The tail's end then: an end that was read may be passed over later.
    tail: Position,
    batch: Arc<Batch>,
}

/// Names a subscription; one that was removed is never mistaken for a later
/// one (until 2³² others came).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriptionKey {
    slot: u32,
    stamp: u32,
}

/// The log's next frames behind a lane's position, which it looks at together.
/// Taking them is cheap, looking at them may not be: the tail isn't needed for that.
#[derive(Debug)]
pub struct Step {
    frames: Vec<Arc<Frame>>,
    /// The tail's end then.
    end: Position,
    gap: bool,
}

/// After so much of [`Index::work`], which is some 4 ms, a lane turns to something
/// else, whatever it has still taken.
const STEP_WORK: u64 = 64 * 1024;

/// How far a lane has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Followed {
    /// Whether it stands at the tail's end.
    pub at_end: bool,
    /// The bytes of the frames that it looked at.
    pub bytes: usize,
}

#[derive(Debug)]
struct Subscription {
    stamp: u32,
    selection: Selection,
    state: State,
    lag: Lag,
}

/// How many bytes came for a subscription that it has not been given.
#[derive(Debug, Clone, Copy)]
enum Lag {
    /// It is on its way through history that it asked for, and has not caught
    /// up yet: that is no lag.
    Replaying,
    /// Since it was last caught up.
    Bytes(u64),
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
            last: None,
            newest: Arc::downgrade(&Arc::<[Selector]>::default()),
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
        let selection = selection.sharing(&mut self.newest);
        let state = State::at(cursor.after, self.end);
        entry.insert(Subscription {
            stamp: self.stamp,
            selection,
            lag: match state {
                State::CaughtUp { .. } => Lag::Bytes(0),
                State::Behind { .. } => Lag::Replaying,
            },
            state,
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
        let published = frame.published();
        self.index.matches(&published, |key| {
            // The index holds no key without its slot.
            let subscription = &mut slots[key.slot as usize];
            if subscription.state.read() >= position || !subscription.selection.shows(&published) {
                return;
            }
            subscription.lag.grow(frame.payload_len());
            if let State::CaughtUp { .. } = subscription.state {
                // Nothing selected lies between where it was and this frame.
                subscription.state = State::Behind {
                    read: Position(position.0 - 1),
                };
                ready.push(key);
            }
        });
    }

    /// Moves the lane over the frames that `tail` has after its position, as
    /// far as `budget` allows (or less, where patterns take long), as [`advance`](Self::advance) does. If the tail no longer
    /// reaches back to the lane, all caught-up subscriptions become ready, to
    /// look for themselves.
    pub fn follow(
        &mut self,
        tail: &Tail,
        budget: Budget,
        ready: &mut Vec<SubscriptionKey>,
    ) -> Followed {
        let step = self.next_step(tail, budget);
        self.take_step(&step, ready)
    }

    /// The frames that [`follow`](Self::follow) looks at next. To be taken before the
    /// lane moves otherwise.
    pub fn next_step(&self, tail: &Tail, budget: Budget) -> Step {
        let (mut frames, mut bytes) = (Vec::new(), 0);
        let after = tail.after(Cursor { after: self.end });
        let gap = after.is_err();
        for frame in after.into_iter().flatten().take(budget.frames) {
            if bytes >= budget.bytes {
                break;
            }
            bytes += frame.payload_len();
            frames.push(Arc::clone(frame));
        }
        Step {
            frames,
            end: tail.end(),
            gap,
        }
    }

    /// Moves the lane over `step`, or over a part of it if to look at that took long:
    /// at least one frame, and the next step begins behind it.
    pub fn take_step(&mut self, step: &Step, ready: &mut Vec<SubscriptionKey>) -> Followed {
        let (mut bytes, most) = (0, self.index.work() + STEP_WORK);
        if step.gap {
            self.jump(step.end, ready);
        }
        for frame in &step.frames {
            if self.index.work() >= most {
                break;
            }
            bytes += frame.payload_len();
            self.advance(frame, ready);
        }
        Followed {
            at_end: self.end >= step.end,
            bytes,
        }
    }

    /// What `key` has to read, as far as `budget` allows. See [`Tail::read`]
    /// for the outcomes; a key that was removed is caught up. `tail` must not
    /// be behind what the lane has followed.
    ///
    /// Subscriptions of the same selection that stand at the same place are
    /// given the same [`Batch`], if they read one after another.
    pub fn read(
        &mut self,
        key: SubscriptionKey,
        tail: &Tail,
        budget: Budget,
    ) -> (Read, Arc<Batch>) {
        debug_assert!(tail.end() >= self.end, "the lane is ahead of the tail");
        let Some((from, selection)) = self.behind(key) else {
            return (Read::CaughtUp, Arc::default());
        };
        if let Some(shared) = &self.last
            && shared.from == from
            && shared.end == self.end
            && shared.budget == budget
            && shared.selection == *selection
            && (!shared.batch.has_end() || shared.tail == tail.end())
        {
            let (to, batch) = (shared.to, Arc::clone(&shared.batch));
            self.given(key, to, &batch);
            return (Read::Frames, batch);
        }
        let (mut to, mut frames) = (from, Vec::new());
        let read = tail.read(&mut to, selection, budget, &mut frames);
        let (selection, batch) = (selection.clone(), Arc::new(Batch::new(frames)));
        if read == Read::Frames && !batch.is_empty() {
            self.last = Some(Shared {
                selection,
                from,
                budget,
                end: self.end,
                to,
                tail: tail.end(),
                batch: Arc::clone(&batch),
            });
        }
        self.given(key, to, &batch);
        (read, batch)
    }

    /// As [`Subscriptions::read`], but of each topic only the newest event.
    pub fn read_newest(
        &mut self,
        key: SubscriptionKey,
        tail: &Tail,
        budget: Budget,
    ) -> (Read, Arc<Batch>) {
        let Some((from, selection)) = self.behind(key) else {
            return (Read::CaughtUp, Arc::default());
        };
        let (mut to, mut frames) = (from, Vec::new());
        let read = tail.read_newest(&mut to, selection, budget, &mut frames);
        let batch = Arc::new(Batch::new(frames));
        self.given(key, to, &batch);
        (read, batch)
    }

    /// Takes back what was read and could not be given on: all but the first
    /// `kept` frames of `batch`, the last that `key` was given. They are read
    /// again. Never moves the cursor forward: what was taken back once stays so.
    pub(crate) fn give_back(&mut self, key: SubscriptionKey, batch: &Batch, kept: usize) {
        let frames = batch.frames().get(kept..).unwrap_or_default();
        let (Some(first), Some(cursor)) = (frames.first(), self.cursor(key)) else {
            return;
        };
        if cursor.after < first.position() {
            return;
        }
        let end = self.end;
        // A read may be ahead of the lane, which counts what it comes to itself.
        let came = frames.iter().filter(|frame| frame.position() <= end);
        let bytes: usize = came.map(|frame| frame.payload_len()).sum();
        if let Some(subscription) = self.get_mut(key) {
            subscription.state = State::at(Position(first.position().0 - 1), end);
            subscription.lag.grow(bytes);
        }
    }

    /// Forgets what was read last. A lane that has nothing to do holds no
    /// frames that the tail has dropped.
    pub fn rest(&mut self) {
        self.last = None;
    }

    /// Where a subscription that is behind stands, and what it watches.
    fn behind(&self, key: SubscriptionKey) -> Option<(Cursor, &Selection)> {
        let subscription = self.get(key)?;
        match subscription.state {
            State::Behind { read } => Some((Cursor { after: read }, &subscription.selection)),
            State::CaughtUp { .. } => None,
        }
    }

    /// Moves the cursor behind a batch that was read for the subscription.
    pub(crate) fn given(&mut self, key: SubscriptionKey, cursor: Cursor, batch: &Batch) {
        let end = self.end;
        if let Some(subscription) = self.get_mut(key) {
            subscription.state = State::at(cursor.after, end);
            subscription
                .lag
                .shrink(batch.payload_len(), subscription.state);
        }
    }

    /// How many of them watch `topic`, whatever they may see of it; and in how many steps
    /// they were [counted](crate::Index::count).
    pub fn watching(&mut self, topic: &Topic) -> (usize, usize) {
        self.index.count(&Published::natively(topic))
    }

    /// What the subscription watches; `None` if it was removed.
    pub fn selection(&self, key: SubscriptionKey) -> Option<&Selection> {
        self.get(key).map(|subscription| &subscription.selection)
    }

    /// Lets a subscription see by `sight` what comes behind its cursor. What it
    /// was given or passed over before stays so. Answers whether there was one.
    pub fn set_sight(&mut self, key: SubscriptionKey, sight: Arc<dyn Sight>) -> bool {
        let Some(subscription) = self.get_mut(key) else {
            return false;
        };
        // The index goes by the selectors alone.
        subscription.selection = subscription.selection.clone().with_sight(sight);
        true
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
    /// answer) or if the subscription was removed. What was passed over waits
    /// no more; nobody knows how much that was, so the lag is counted anew.
    pub fn set_cursor(&mut self, key: SubscriptionKey, cursor: Cursor) -> bool {
        if self.cursor(key).is_none_or(|own| cursor < own) {
            return false;
        }
        let end = self.end;
        if let Some(subscription) = self.get_mut(key) {
            subscription.state = State::at(cursor.after, end);
            subscription.lag.shrink(usize::MAX, subscription.state);
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

    /// How many bytes of events the lane saw come for the subscription, since
    /// it was last caught up or moved over a gap, that it has not been given
    /// (a read of the newest passes over some: they count until it is caught
    /// up). A subscription that is still reading the history it asked for has
    /// no lag. 0 if it was removed.
    ///
    /// Never too much: events that the lane itself had to pass over
    /// ([`Subscriptions::follow`]) are missing from it.
    pub fn lag_bytes(&self, key: SubscriptionKey) -> u64 {
        match self.get(key).map(|subscription| subscription.lag) {
            Some(Lag::Bytes(bytes)) => bytes,
            Some(Lag::Replaying) | None => 0,
        }
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

impl SubscriptionKey {
    /// The number of its place, which nobody else has while it is there: the
    /// smallest that was free, so that others can be found in a vector by it.
    pub fn slot(self) -> usize {
        self.slot as usize
    }
}

/// As text: its place, and which of those that were there it is.
impl fmt::Display for SubscriptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.slot, self.stamp)
    }
}

impl Lag {
    fn grow(&mut self, bytes: usize) {
        if let Self::Bytes(lag) = self {
            *lag += bytes as u64;
        }
    }

    /// After `bytes` were given, which brought the subscription to `state`.
    fn shrink(&mut self, bytes: usize, state: State) {
        match (&mut *self, state) {
            (_, State::CaughtUp { .. }) => *self = Self::Bytes(0),
            (Self::Bytes(lag), State::Behind { .. }) => *lag = lag.saturating_sub(bytes as u64),
            (Self::Replaying, State::Behind { .. }) => {}
        }
    }
}

impl State {
    fn read(self) -> Position {
        match self {
            Self::CaughtUp { read } | Self::Behind { read } => read,
        }
    }

    /// Of a subscription that has everything up to `read`, in a lane at `end`.
    fn at(read: Position, end: Position) -> Self {
        if read < end {
            Self::Behind { read }
        } else {
            Self::CaughtUp { read }
        }
    }
}
