//! One watcher's stream, without the waiting: what is to be written next,
//! decided from the log, from what the store answers, and from how the reader
//! keeps up. Live delivery, replay and a slow reader are the same function.
//!
//! # How a shell drives it
//! 1. Ask [`Stream::next`] whenever the connection can take bytes, until it
//!    answers [`Next::Idle`] or [`Next::Waiting`].
//! 2. On [`Next::ReadStore`] read the store, where that keeps nobody waiting,
//!    and hand the outcome over with [`Stream::answer`]; then ask again.
//! 3. [`Next::Idle`]: the lane reports the subscription when there is more
//!    ([`Subscriptions::follow`]). [`Stream::heartbeat`] in between. On
//!    [`Next::MayEnd`] look whether all its topics are closed; if so it ends, if not
//!    ask again.
//! 4. A connection that could not take all of a batch keeps the rest of one
//!    frame and hands the others back ([`Stream::give_back`]) before it does
//!    anything else; one that could not take something else says so with
//!    [`Stream::was_full`].

use crate::control::{self, GapReason};
use crate::{
    Batch, Budget, Cursor, Frame, LogId, Position, Read, Selection, SlowPolicy, Start,
    SubscriptionKey, Subscriptions, Tail, WireId,
};
use bytes::Bytes;
use std::sync::Arc;

/// A stream: one subscription, and what of the log its reader has been told.
#[derive(Debug)]
pub struct Stream {
    key: SubscriptionKey,
    log: LogId,
    slow: SlowPolicy,
    /// Whether it can say that events are missing ([`Voice::Native`]).
    tells_gaps: bool,
    /// What has to be said before anything that the log has.
    unsaid: Option<Box<Unsaid>>,
    /// Up to where events may be gone without a word: whoever reads this
    /// stream knows, or has never asked for them.
    told: Position,
    /// The position that whoever reads this stream knows to be behind it.
    stated: Position,
    store: Asked,
    /// Its reader did not take what it was given, and has not caught up since.
    full: bool,
    /// Its topics may all be closed: it has not been asked since it began, was
    /// given an end, or may have missed one.
    may_end: bool,
}

#[derive(Debug)]
struct Unsaid {
    first: Option<Bytes>,
    retry_ms: u64,
    gap: Option<GapReason>,
}

/// How a stream begins.
#[derive(Debug, Clone)]
pub struct Opening {
    /// Where.
    pub start: Start,
    /// What the store answered for the selection's horizon before `start` was
    /// found.
    pub told: Position,
    /// The reconnection time that it begins with, in milliseconds.
    pub retry_ms: u64,
    /// How it speaks.
    pub voice: Voice,
}

/// How a stream speaks of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Voice {
    /// In events of the hub's own, which begin with
    /// [`OWN_EVENTS`](control::OWN_EVENTS).
    Native {
        /// What it says before anything else, as complete blocks.
        first: Option<Bytes>,
    },
    /// As the Mercure protocol has it, without events of the hub's own. That
    /// events are missing can be told by the head of the response alone: by
    /// whoever makes that, of a gap in the [`Start`] ([`Start::past_gap`] finds
    /// the one that is right behind it). If a gap comes later, the stream ends
    /// with [`Ending::Gap`], so that the next response can tell.
    Mercure,
}

impl Default for Voice {
    fn default() -> Self {
        Self::Native { first: None }
    }
}

/// What a stream and the store have said to each other.
#[derive(Debug)]
enum Asked {
    Nothing,
    Waiting,
    Answered(Box<StoreRead>),
}

/// What a read of the store gave.
#[derive(Debug)]
pub struct StoreRead {
    /// Where it began.
    pub before: Cursor,
    /// Where it ended.
    pub cursor: Cursor,
    /// What it gave.
    pub frames: Vec<Arc<Frame>>,
    /// How it ended; `None` if the store can't be read.
    pub read: Option<Read>,
    /// Up to here events of the selection may be gone, as the store said
    /// *after* the read: whatever that passed over in silence is below this.
    pub horizon: Position,
}

/// What a stream may be given at once, and how far its reader may lag.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// Of one batch.
    pub budget: Budget,
    /// Beyond this many bytes of lag ([`Subscriptions::lag_bytes`]) the
    /// [`SlowPolicy`] of a stream that was full applies.
    pub lag_bytes: u64,
}

/// What a stream does next.
#[derive(Debug)]
pub enum Next {
    /// A block of the hub's own is to be written.
    Block(Bytes),
    /// The block that tells of a gap.
    Gap(GapReason, Bytes),
    /// Events are to be written.
    Events(Arc<Batch>),
    /// It looked at much and found nothing: others have their turn, then it is
    /// to be asked again.
    Later,
    /// The store is to be read from here on.
    ReadStore(Cursor),
    /// The store has not answered.
    Waiting,
    /// There is nothing, and there won't be if all its topics, which are exact, are
    /// closed: then it ends. Otherwise it is to be asked again.
    MayEnd,
    /// There is nothing until the lane reports the subscription.
    Idle,
    /// The stream ends.
    End(Ending),
}

/// Why a stream ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Its reader lags too far behind, and is to come back.
    TooSlow,
    /// The store can't be read.
    Unreadable,
    /// Events are missing, and its [`Voice`] has no word for that. Its reader
    /// was told the position before them, and is to resume there.
    Gap,
}

impl Stream {
    /// A stream of `key`, a subscription that was inserted at the cursor of
    /// `opening.start`.
    pub fn new((log, key): (LogId, SubscriptionKey), opening: Opening, slow: SlowPolicy) -> Self {
        let (tells_gaps, first) = match opening.voice {
            Voice::Native { first } => (true, first),
            Voice::Mercure => (false, None),
        };
        Self {
            key,
            log,
            slow,
            tells_gaps,
            unsaid: Some(Box::new(Unsaid {
                first,
                retry_ms: opening.retry_ms,
                gap: opening.start.gap.filter(|_| tells_gaps),
            })),
            told: opening.told,
            stated: opening.start.cursor.after,
            store: Asked::Nothing,
            full: false,
            may_end: tells_gaps,
        }
    }

    /// Its subscription.
    pub fn key(&self) -> SubscriptionKey {
        self.key
    }

    /// What is to be written next.
    pub fn next(&mut self, subscriptions: &mut Subscriptions, tail: &Tail, terms: Terms) -> Next {
        if let Some(unsaid) = self.unsaid.take() {
            return self.open(*unsaid);
        }
        match std::mem::replace(&mut self.store, Asked::Nothing) {
            Asked::Nothing => {}
            Asked::Waiting => {
                self.store = Asked::Waiting;
                return Next::Waiting;
            }
            Asked::Answered(done) => {
                if let Some(next) = self.after_store(subscriptions, tail, done) {
                    return next;
                }
            }
        }
        if self.full && subscriptions.lag_bytes(self.key) > terms.lag_bytes {
            match self.slow {
                SlowPolicy::Gap if self.tells_gaps => {
                    return self.tell_gap(subscriptions, GapReason::Slow, tail.end());
                }
                SlowPolicy::Disconnect | SlowPolicy::Gap => return Next::End(Ending::TooSlow),
                SlowPolicy::Latest => {}
            }
        }
        let (read, batch) = if self.conflates() {
            subscriptions.read_newest(self.key, tail, terms.budget)
        } else {
            subscriptions.read(self.key, tail, terms.budget)
        };
        match read {
            Read::Frames => self.give(batch),
            Read::CaughtUp => {
                self.full = false;
                match self.asks_for_its_end(subscriptions) {
                    true => Next::MayEnd,
                    false => Next::Idle,
                }
            }
            Read::Gap(_) => {
                self.store = Asked::Waiting;
                Next::ReadStore(self.cursor(subscriptions))
            }
        }
    }

    /// Takes what the store answered.
    pub fn answer(&mut self, done: StoreRead) {
        self.store = Asked::Answered(Box::new(done));
    }

    /// The connection could not take all of `batch`, the last it was given, and
    /// hands all but the first `kept` frames back ([`Subscriptions::give_back`]):
    /// they are given again, or what then stands for them. It
    /// [was full](Self::was_full).
    pub fn give_back(&mut self, subscriptions: &mut Subscriptions, batch: &Batch, kept: usize) {
        subscriptions.give_back(self.key, batch, kept);
        let kept = batch.frames()[..kept.min(batch.frames().len())].last();
        // If none was kept, it is forgotten what was known before: at worst a
        // heartbeat says it again.
        self.stated = kept.map_or(Position::START, |frame| frame.position());
        self.was_full();
    }

    /// The connection could not take what it was given: its reader is slower
    /// than the events, until it has caught up.
    ///
    /// Only such a stream is slow, however far it lags: if the hub itself can't
    /// keep up, that is nobody's fault.
    pub fn was_full(&mut self) {
        self.full = true;
    }

    /// Whether its reader is slower than the events: since
    /// [`Stream::was_full`] it has not caught up.
    pub fn is_slow(&self) -> bool {
        self.full
    }

    /// Whether it is to be asked once more though it is caught up: it may end.
    pub fn may_end(&self) -> bool {
        self.may_end
    }

    /// A comment, and the position if it has moved: so that a connection lost
    /// on a quiet topic resumes exactly. To be written only where everything
    /// that was given has been.
    pub fn heartbeat(&mut self, subscriptions: &Subscriptions) -> Bytes {
        let reached = self.cursor(subscriptions).after;
        let moved = self.unsaid.is_none() && reached > self.stated;
        if moved {
            self.stated = reached;
        }
        control::heartbeat(moved.then(|| self.wire_id(reached)))
    }

    /// Begins with the position that the stream goes on from, or with the gap
    /// that has the same id. Not with both: who loses the connection between
    /// them would never hear of the gap.
    fn open(&self, unsaid: Unsaid) -> Next {
        let id = self.wire_id(self.stated);
        let first = unsaid.first.unwrap_or_default();
        let Some(reason) = unsaid.gap else {
            let opening = control::opening(unsaid.retry_ms, id);
            return Next::Block([first, opening].concat().into());
        };
        let blocks = [
            first,
            control::retry(unsaid.retry_ms),
            control::gap(reason, id),
        ];
        Next::Gap(reason, blocks.concat().into())
    }

    /// Takes over what the store gave; `None` if there is nothing to give on.
    fn after_store(
        &mut self,
        subscriptions: &mut Subscriptions,
        tail: &Tail,
        mut done: Box<StoreRead>,
    ) -> Option<Next> {
        let Some(read) = &done.read else {
            return Some(Next::End(Ending::Unreadable));
        };
        if done.before != self.cursor(subscriptions) {
            // Asked before something was handed back: it is read from there.
            return None;
        }
        let expired = done.before.after < done.horizon && self.told < done.horizon;
        if !self.tells_gaps {
            match *read {
                // Whoever reads has been told by the head.
                Read::Gap(gap) if gap.to <= self.told => {
                    subscriptions.set_cursor(self.key, Cursor { after: gap.to });
                    return None;
                }
                Read::Gap(_) => return Some(self.end_before_gap(done)),
                _ if expired => return Some(self.end_before_gap(done)),
                Read::Frames | Read::CaughtUp => {}
            }
        }
        if let Read::Gap(gap) = *read {
            self.told = self.told.max(done.horizon);
            let reason = GapReason::of_missing(gap, done.horizon);
            return Some(self.tell_gap(subscriptions, reason, gap.to));
        }
        if expired {
            // Some of the selected topics are kept for less long than others:
            // theirs are gone, what the others have still comes behind this.
            self.told = done.horizon;
            let block = control::gap(GapReason::Expired, self.wire_id(done.before.after));
            self.store = Asked::Answered(done);
            return Some(Next::Gap(GapReason::Expired, block));
        }
        let at_end = *read == Read::CaughtUp;
        if let Some(selection) = subscriptions.selection(self.key) {
            // Its sight may have been replaced since it was read.
            let shown = |frame: &Arc<Frame>| {
                selection.shows(&frame.published()) && !tail.is_reopened(frame)
            };
            done.frames.retain(shown);
        }
        if self.conflates() {
            let selection = subscriptions.selection(self.key);
            keep_newest(&mut done.frames, tail, selection);
        }
        let batch = Arc::new(Batch::new(done.frames));
        subscriptions.given(self.key, done.cursor, &batch);
        // At the end of the store the tail takes over.
        (!at_end).then(|| self.give(batch))
    }

    /// Whether it is to be found out if its topics are closed. Mercure has no word
    /// for that: whoever comes back would be given a stream again.
    fn asks_for_its_end(&mut self, subscriptions: &Subscriptions) -> bool {
        std::mem::take(&mut self.may_end)
            && subscriptions
                .selection(self.key)
                .is_some_and(|selection| selection.exact_topics().is_some())
    }

    /// Whether only the newest events are for its reader.
    fn conflates(&self) -> bool {
        self.full && self.slow == SlowPolicy::Latest
    }

    fn give(&mut self, batch: Arc<Batch>) -> Next {
        let Some(last) = batch.last() else {
            return Next::Later;
        };
        self.may_end |= self.tells_gaps && batch.has_end();
        self.stated = last;
        Next::Events(batch)
    }

    /// Says that events are missing, and goes on behind them.
    fn tell_gap(
        &mut self,
        subscriptions: &mut Subscriptions,
        reason: GapReason,
        to: Position,
    ) -> Next {
        subscriptions.set_cursor(self.key, Cursor { after: to });
        self.stated = to;
        self.may_end = true;
        Next::Gap(reason, control::gap(reason, self.wire_id(to)))
    }

    /// Ends at the gap that the store answered with, which whoever resumes from
    /// the last id must find right behind it: so that is told first.
    fn end_before_gap(&mut self, done: Box<StoreRead>) -> Next {
        let before = done.before.after;
        if self.stated >= before {
            return Next::End(Ending::Gap);
        }
        self.stated = before;
        self.store = Asked::Answered(done);
        Next::Block(control::heartbeat(Some(self.wire_id(before))))
    }

    fn cursor(&self, subscriptions: &Subscriptions) -> Cursor {
        // Of a subscription that was removed nothing more is known.
        subscriptions
            .cursor(self.key)
            .unwrap_or(Cursor { after: self.stated })
    }

    fn wire_id(&self, position: Position) -> WireId {
        WireId {
            log: self.log,
            position,
        }
    }
}

/// Leaves out what a later event of the same canonical topic follows, here or in
/// `tail`.
fn keep_newest(frames: &mut Vec<Arc<Frame>>, tail: &Tail, selection: Option<&Selection>) {
    let mut seen = std::collections::HashSet::new();
    let mut newest: Vec<_> = frames
        .drain(..)
        .rev()
        .filter(|frame| {
            let newest = frame.is_end() || seen.insert(frame.topic().clone());
            newest && !selection.is_some_and(|own| tail.has_newer(own, frame))
        })
        .collect();
    newest.reverse();
    *frames = newest;
}

#[cfg(test)]
mod tests;
