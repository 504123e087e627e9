//! A hub's end of one connection: the engine's stream, and what a socket that
//! is full has not taken. What the server leaves to a thread that may take its
//! time is a step of its own.

use super::hub::Hub;
use bytes::Bytes;
use tidings_engine::start::Start;
use tidings_engine::stream::{Ending, Opening, StoreRead, Terms, Voice};
use tidings_engine::{
    Cursor, Form, Framing, Next, Position, Selection, SlowPolicy, Stream as Core, SubscriptionKey,
    Subscriptions, control,
};

/// One stream.
pub struct Stream {
    pub lane: usize,
    /// Whether it is to be pulled: it is not caught up, or has been woken.
    pub awake: bool,
    core: Core,
    selection: Selection,
    form: Form,
    terms: Terms,
    /// Of a frame that the connection has taken in part.
    rest: Bytes,
    /// Where the store is to be read.
    asked: Option<Cursor>,
}

/// What a pull gave.
pub enum Pulled {
    Bytes(Bytes),
    /// Nothing now, but there may be more: another pull is due, or the store
    /// has to be read first.
    Later,
    /// Nothing, until somebody wakes it.
    Idle,
    /// The stream ends.
    End(Ending),
    /// It ends because all its topics have.
    Over,
}

impl Stream {
    pub fn new(
        hub: &mut Hub,
        selection: Selection,
        (start, told): (Start, Position),
        form: Form,
        (slow, terms): (SlowPolicy, Terms),
        retry_ms: u64,
    ) -> Self {
        let (lane, key) = hub.subscribe(&selection, start.cursor);
        let log = hub.reader.log_id();
        let opening = Opening {
            start,
            told,
            retry_ms,
            voice: Voice::default(),
        };
        Self {
            lane,
            awake: true,
            core: Core::new((log, key), opening, slow),
            form,
            terms,
            rest: Bytes::new(),
            asked: None,
            selection,
        }
    }

    pub fn key(&self) -> SubscriptionKey {
        self.core.key()
    }

    /// What a connection gets that takes `room` bytes now. It may be given more
    /// of the hub's own blocks.
    pub fn pull(&mut self, hub: &mut Hub, room: usize) -> Pulled {
        if !self.rest.is_empty() {
            let len = room.min(self.rest.len());
            return Pulled::Bytes(self.rest.split_to(len));
        }
        let lane = &mut hub.lanes[self.lane];
        match self.core.next(lane, &hub.tail, self.terms) {
            Next::Block(bytes) | Next::Gap(_, bytes) => Pulled::Bytes(bytes),
            Next::Events(batch) => {
                let mut ends = batch.frames().iter().filter(|frame| frame.is_end());
                let reopened = ends.find(|end| hub.has_reopened(end));
                assert!(reopened.is_none(), "an end that was reopened: {reopened:?}");
                let mut bytes = batch.bytes(self.form, Framing::Bare);
                if bytes.len() > room {
                    bytes.truncate(room);
                    let (rest, kept) = batch.rest(self.form, Framing::Bare, room);
                    let lane = &mut hub.lanes[self.lane];
                    self.core.give_back(lane, &batch, kept);
                    self.rest = rest;
                }
                Pulled::Bytes(bytes)
            }
            Next::Later | Next::Waiting => Pulled::Later,
            Next::MayEnd => {
                let end = hub.reader.end_of_all(&self.selection);
                let reached = hub.lanes[self.lane].cursor(self.core.key());
                match end.is_some() && reached.map(|cursor| cursor.after) >= end {
                    true => Pulled::Over,
                    false => Pulled::Later,
                }
            }
            Next::ReadStore(cursor) => {
                self.asked = Some(cursor);
                Pulled::Later
            }
            Next::Idle => {
                self.awake = false;
                Pulled::Idle
            }
            Next::End(ending) => Pulled::End(ending),
        }
    }

    /// The timer fires: a heartbeat, unless there is something better.
    pub fn pull_or_beat(&mut self, hub: &mut Hub, room: usize) -> Pulled {
        match self.pull(hub, room) {
            Pulled::Idle => Pulled::Bytes(self.core.heartbeat(&hub.lanes[self.lane])),
            other => other,
        }
    }

    /// What the hub says last, if nothing is begun: when to come back.
    pub fn goodbye(&self, retry_ms: u64) -> Bytes {
        match self.rest.is_empty() {
            true => control::retry(retry_ms),
            false => Bytes::new(),
        }
    }

    /// What the server's other thread does, some time after it was asked.
    pub fn read_store(&mut self, hub: &Hub) {
        let Some(before) = self.asked.take() else {
            return;
        };
        let (mut cursor, mut frames) = (before, Vec::new());
        let (selection, budget) = (&self.selection, self.terms.budget);
        let read = hub.reader.read(&mut cursor, selection, budget, &mut frames);
        self.core.answer(StoreRead {
            before,
            cursor,
            frames,
            read: read.ok(),
            horizon: hub.reader.horizon(selection),
        });
    }

    /// Whether it is caught up but has something to read: nobody woke it.
    pub fn sleeps_behind(&self, hub: &Hub) -> bool {
        !self.awake && self.lane(hub).is_behind(self.core.key())
    }

    fn lane<'a>(&self, hub: &'a Hub) -> &'a Subscriptions {
        &hub.lanes[self.lane]
    }
}
