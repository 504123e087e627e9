//! A reader of the model that has a [`Stream`]: what an EventSource makes of
//! its bytes, and what it should.

use super::range;
use super::wish::Wish;
use super::world::World;
use crate::control::{GAP_EVENT, GapReason};
use crate::stream::{StoreRead, Voice};
use crate::{Cursor, Frame, Position, SlowPolicy, Stream, Subscriptions, WireId};
use std::sync::Arc;
use tidings_codec::{Decoder, Item};

pub(super) struct Watcher {
    pub lane: usize,
    pub stream: Stream,
    pub wish: Wish,
    pub voice: Voice,
    pub policy: SlowPolicy,
    /// How far it may lag, in bytes.
    pub limit: u64,
    /// Told to read, and not yet idle.
    pub ready: bool,
    /// Where the store is to be read, or has been.
    pub asked: Option<Cursor>,
    pub answer: Option<StoreRead>,
    /// Whether an answer was handed over and the stream not asked since.
    pub answered: bool,
    /// Whether the stream has said where it starts.
    pub opened: bool,
    /// What the stream's last answer said of the store's horizon.
    pub horizon: Position,
    /// Whether a connection was full, and the stream has not been idle since;
    /// and how that was before the last step.
    pub full: bool,
    pub was_full: bool,
    /// Whether it was given an end and not asked since whether it may end.
    pub given_end: bool,
    /// Up to here events may be gone without another word.
    pub excused: Position,
    pub waiting: Waiting,
    /// The EventSource.
    decoder: Decoder,
    /// Received since the last check.
    pub received: Vec<Position>,
    /// Gaps told since the last check: after, to, and whether it was too slow.
    pub gaps: Vec<(Position, Position, bool)>,
    /// Up to here all was checked.
    checked: Position,
}

/// What came for a subscription and was not given, naively.
pub(super) struct Waiting {
    /// On its way through history.
    pub replaying: bool,
    /// Whether nothing can have been missed.
    pub exact: bool,
    pub came: Vec<(Position, usize)>,
}

impl Waiting {
    pub fn new(replaying: bool) -> Self {
        Self {
            replaying,
            exact: true,
            came: Vec::new(),
        }
    }

    pub fn come(&mut self, frame: &Frame) {
        if !self.replaying {
            self.came.push((frame.position(), frame.payload_len()));
        }
    }

    pub fn caught_up(&mut self) {
        *self = Self::new(false);
    }

    pub fn given(&mut self, frames: &[Arc<Frame>]) {
        let given = |at: &Position| frames.iter().any(|frame| frame.position() == *at);
        self.came.retain(|(at, _)| !given(at));
    }

    pub fn passed_over(&mut self) {
        self.came.clear();
        self.exact = false;
    }

    fn check(&self, own: u64) -> Result<(), String> {
        let naive: usize = self.came.iter().map(|(_, bytes)| bytes).sum();
        let right = match self.exact {
            true => own == naive as u64,
            false => own <= naive as u64,
        };
        if right {
            Ok(())
        } else {
            Err(format!("its lag is {own} bytes and should be {naive}"))
        }
    }
}

impl Watcher {
    /// One whose EventSource has the id of `start` and what is before it.
    pub fn new(
        lane: usize,
        stream: Stream,
        (wish, voice): (Wish, Voice),
        (policy, limit): (SlowPolicy, u64),
        start: WireId,
    ) -> Self {
        let mut decoder = Decoder::new();
        decoder.set_last_event_id(&start.to_event_id());
        Self {
            lane,
            stream,
            wish,
            voice,
            policy,
            limit,
            ready: true,
            asked: None,
            answer: None,
            answered: false,
            opened: false,
            horizon: Position::START,
            full: false,
            was_full: false,
            given_end: false,
            excused: Position::START,
            waiting: Waiting::new(false),
            decoder,
            received: Vec::new(),
            gaps: Vec::new(),
            checked: start.position,
        }
    }

    /// The position that the EventSource would resume from.
    pub fn known(&self) -> Position {
        position(self.decoder.last_event_id())
    }

    /// Takes in bytes; answers with the ids of gaps.
    pub fn hear(&mut self, mut bytes: &[u8]) -> Vec<Position> {
        let mut gaps = Vec::new();
        while let Some(item) = self.decoder.next(&mut bytes) {
            if let Item::Event(event) = item {
                let heard = match event.event_type == GAP_EVENT {
                    true => &mut gaps,
                    false => &mut self.received,
                };
                heard.push(position(event.last_event_id));
            }
        }
        gaps
    }

    /// As [`Watcher::hear`], of somebody who says more than is true.
    pub fn mishear(&mut self, id: WireId) {
        self.decoder.set_last_event_id(&id.to_event_id());
    }

    /// The connection is lost; another begins with `stream`.
    pub fn come_back(&mut self, stream: Stream) {
        let known = self.known();
        self.decoder.reset();
        self.stream = stream;
        (self.asked, self.answer) = (None, None);
        (self.answered, self.opened) = (false, false);
        (self.ready, self.full, self.was_full) = (true, false, false);
        self.given_end = false;
        self.checked = known;
        self.gaps.clear();
    }

    /// Compares what was received with what the log says for everything up to
    /// the cursor.
    pub fn check(&mut self, world: &World, lane: &Subscriptions) -> Result<(), String> {
        let key = self.stream.key();
        let cursor = lane.cursor(key).ok_or("it has no cursor")?.after;
        if cursor < self.checked {
            return Err(format!("its cursor goes back to {}", cursor.0));
        }
        if self.known() > cursor {
            return Err(format!(
                "it knows {} and stands at {}",
                self.known().0,
                cursor.0
            ));
        }
        if lane.is_behind(key) && !self.ready {
            return Err("it is behind and was not told".into());
        }
        self.waiting.check(lane.lag_bytes(key))?;
        let mut received = self.received.iter().peekable();
        for frame in world.between(self.checked, cursor) {
            let at = frame.position();
            if !self.wish.wants(frame) {
                continue;
            }
            if received.next_if_eq(&&at).is_some() {
                continue;
            }
            let told = |(after, to, _): &(Position, Position, bool)| *after < at && at <= *to;
            let slow = self.gaps.iter().filter(|gap| gap.2).any(told);
            let lost = world.is_lost(frame, &self.wish)
                && (at <= self.excused || self.gaps.iter().any(told));
            if world.is_reopened(frame, Position::START, Position(u64::MAX)) {
                continue;
            }
            // The end of a topic is beside what it was about.
            let conflates = self.policy == SlowPolicy::Latest && self.was_full && !frame.is_end();
            let newer = || {
                world.has_newer(frame, |later| {
                    let at = later.position();
                    !later.is_end()
                        && self.wish.wants(later)
                        && (at > cursor || self.received.contains(&at))
                })
            };
            if !(slow || lost || conflates && newer()) {
                return Err(format!("{} of {} never came", at.0, frame.topic()));
            }
        }
        if let Some(at) = received.next() {
            let where_ = range(self.checked, cursor);
            return Err(format!(
                "{at:?} came, doubled, out of order or unasked, in {where_}"
            ));
        }
        self.checked = cursor;
        self.received.clear();
        self.gaps.clear();
        Ok(())
    }

    /// Whether the stream should do something about its reader now.
    pub fn is_too_slow(&self, lane: &Subscriptions) -> bool {
        self.full && lane.lag_bytes(self.stream.key()) > self.limit
    }

    /// Whether a gap with this reason is one.
    pub fn check_gap(&self, world: &World, reason: GapReason, to: Position) -> Result<(), String> {
        let right = match reason {
            GapReason::Slow => self.policy == SlowPolicy::Gap && self.voice != Voice::Mercure,
            GapReason::Expired => {
                let horizon = self.horizon.max(self.excused);
                horizon > Position::START && horizon >= to
            }
            GapReason::Corrupt => world.is_damaged(to) && to > self.horizon,
            GapReason::Unknown | GapReason::Foreign => false,
        };
        if right {
            Ok(())
        } else {
            Err(format!("no {reason:?} events are missing up to {}", to.0))
        }
    }
}

fn position(id: &str) -> Position {
    // An id that is no id is farther than anything.
    WireId::parse(id).map_or(Position(u64::MAX), |id| id.position)
}
