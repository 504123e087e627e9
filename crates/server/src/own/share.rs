//! One lane's, or one set's, share of those who watch the own log.

use super::{Own, OwnWatch};
use bytes::Bytes;
use std::sync::Arc;
use tidings_engine::{
    Batch, Budget, OwnNext, OwnStream, Position, Selection, Sight, SubscriptionKey, Subscriptions,
};

/// How many events are looked at before others have their turn.
const STEP: Budget = Budget::frames(1024);

/// The subscriptions of the own log, and whose streams they belong to. As long as
/// there are none, nothing is followed.
#[derive(Debug)]
pub struct Share {
    subscriptions: Subscriptions,
    /// The streams' subscriptions of the log, by the slots of these.
    streams: Vec<Option<SubscriptionKey>>,
}

/// What one stream is given of the own log.
#[derive(Debug)]
pub struct Reading {
    stream: OwnStream,
    watch: OwnWatch,
    /// The next part of how things stand, if not all of that was given.
    part: Option<usize>,
    /// Whether the own log has its turn before the log.
    pub goes_first: bool,
}

impl Share {
    /// Nobody's.
    pub fn new() -> Self {
        Self {
            subscriptions: Subscriptions::new(Position::START),
            streams: Vec::new(),
        }
    }

    /// Adds what the stream of `stream` watches.
    pub fn begin(&mut self, watch: OwnWatch, stream: SubscriptionKey) -> Box<Reading> {
        let tail = watch.own.tail();
        if self.subscriptions.is_empty() {
            // What was said to nobody isn't looked at.
            self.subscriptions = Subscriptions::new(tail.end());
        }
        let own = OwnStream::new(watch.selection.clone(), &mut self.subscriptions, &tail);
        drop(tail);
        let slot = own.key().slot();
        if self.streams.len() <= slot {
            self.streams.resize(slot + 1, None);
        }
        self.streams[slot] = Some(stream);
        Box::new(Reading {
            stream: own,
            watch,
            part: None,
            goes_first: false,
        })
    }

    /// Ends it.
    pub fn end(&mut self, reading: &Reading) {
        let key = reading.key();
        if !self.subscriptions.remove(key) {
            return;
        }
        if let Some(stream) = self.streams.get_mut(key.slot()) {
            *stream = None;
        }
        while let Some(None) = self.streams.last() {
            self.streams.pop();
        }
        if self.subscriptions.is_empty() {
            *self = Self::new();
        }
    }

    /// Whether something was said that has not been looked at.
    pub fn has_news(&self, own: &Own) -> bool {
        !self.subscriptions.is_empty() && own.tail().end() > self.subscriptions.end()
    }

    /// Looks at what was said next, and reports the streams that it is for. Answers
    /// whether that was all.
    pub fn follow(&mut self, own: &Own, mut ready: impl FnMut(SubscriptionKey)) -> bool {
        if self.subscriptions.is_empty() {
            return true;
        }
        let step = self.subscriptions.next_step(&own.tail(), STEP);
        let mut keys = Vec::new();
        let followed = self.subscriptions.take_step(&step, &mut keys);
        let streams = keys.iter().filter_map(|key| *self.streams.get(key.slot())?);
        streams.for_each(&mut ready);
        self.subscriptions.rest();
        followed.at_end
    }

    /// What is to be written next. For [`OwnNext::Anew`], that is
    /// [`Reading::anew`].
    pub fn next(&mut self, reading: &mut Reading, own: &Own, budget: Budget) -> OwnNext {
        reading.goes_first = false;
        if reading.part.is_some() {
            return OwnNext::Anew;
        }
        reading
            .stream
            .next(&mut self.subscriptions, &own.tail(), budget)
    }

    /// All but the first `kept` frames of `batch`, the last it was given, could not be
    /// written.
    pub fn give_back(&mut self, reading: &Reading, batch: &Arc<Batch>, kept: usize) {
        reading
            .stream
            .give_back(&mut self.subscriptions, batch, kept);
    }

    /// Whether it has to be asked, though nothing is reported.
    pub fn has_more(&self, reading: &Reading) -> bool {
        reading.part.is_some() || reading.stream.has_more(&self.subscriptions)
    }

    /// Lets it see by `sight` from now on.
    pub fn set_sight(&mut self, reading: SubscriptionKey, sight: Arc<dyn Sight>) {
        self.subscriptions.set_sight(reading, sight);
    }
}

impl Reading {
    /// What it watches.
    pub fn selection(&self) -> &Selection {
        &self.watch.selection
    }

    /// Its subscription, among those of the own log.
    pub fn key(&self) -> SubscriptionKey {
        self.stream.key()
    }

    /// As [`OwnWatch::outlives_topics`].
    pub fn outlives_topics(&self) -> bool {
        self.watch.outlives_topics()
    }

    /// The next part of how things stand, as blocks; nothing if nobody needs to know.
    /// To be called where nothing is locked.
    pub fn anew(&mut self) -> Bytes {
        let Some(resync) = &self.watch.resync else {
            return Bytes::new();
        };
        let part = resync(self.part.unwrap_or(0));
        self.part = part.next;
        part.blocks
    }

    /// Whether there are more parts of how things stand, to be given once what was
    /// given is written.
    pub fn stands_on(&self) -> bool {
        self.part.is_some()
    }
}
