//! The hub of the world: a store, the tail, and lanes, driven step by step in
//! the order in which the server's threads may come to run.

use super::stream::Stream;
use super::watcher::Watcher;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use tidings_engine::{
    Budget, Cursor, Entry, Frame, LogId, Position, Selection, Subscriptions, Tail, Timestamp,
    Topic, WireId,
};
use tidings_store::{AppendError, Appended, Identity, OpenError, Options, Reader, Storage, Store};

/// What a publisher is told.
pub type Answer = Result<Vec<Appended>, AppendError>;

/// A running hub.
pub struct Hub {
    pub store: Store,
    pub reader: Reader,
    pub tail: Tail,
    pub lanes: Vec<Subscriptions>,
    queue: VecDeque<(Ticket, Vec<Entry>)>,
    /// Durable, but not yet in the tail; told to publishers after that.
    committed: Option<Committed>,
    pub answers: VecDeque<(Ticket, Answer)>,
    next_lane: usize,
    /// The last event of each topic that came into the tail.
    latest: HashMap<Topic, Position>,
}

/// Names a call: the publisher, and the number among its calls.
pub type Ticket = (usize, u64);

/// What an event takes on disk beside its payload, at most.
const RECORD_EXTRA: u64 = 300;

struct Committed {
    frames: Vec<Arc<Frame>>,
    answers: Vec<(Ticket, Answer)>,
}

impl Hub {
    pub fn start(
        storage: Arc<dyn Storage>,
        options: Options,
        now: Timestamp,
        fresh: LogId,
        (lanes, tail_bytes): (usize, usize),
    ) -> Result<Self, OpenError> {
        let identity = Identity {
            log: fresh,
            // Nobody in here guesses.
            secret: !fresh.0,
        };
        let (store, _) = Store::open(storage, options, now, identity)?;
        let reader = store.reader();
        let end = reader.last();
        Ok(Self {
            store,
            reader,
            tail: Tail::new(tail_bytes, end),
            lanes: (0..lanes).map(|_| Subscriptions::new(end)).collect(),
            queue: VecDeque::new(),
            committed: None,
            answers: VecDeque::new(),
            next_lane: 0,
            latest: HashMap::new(),
        })
    }

    pub fn take(&mut self, ticket: Ticket, entries: Vec<Entry>) {
        self.queue.push_back((ticket, entries));
    }

    /// Whether the writer has something to do.
    pub fn has_waiting(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Whether no publisher waits.
    pub fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.committed.is_none() && self.answers.is_empty()
    }

    /// The writer takes what waits, at most `most` requests. The readers of
    /// the store see it from here on, the tail not yet. Answers how many bytes that took on
    /// disk, at most.
    pub fn commit(&mut self, most: usize, now: Timestamp) -> u64 {
        if self.committed.is_some() || self.queue.is_empty() {
            return 0;
        }
        let most = most.clamp(1, self.queue.len());
        let (tickets, requests): (Vec<_>, Vec<_>) = self.queue.drain(..most).unzip();
        let answers = self.store.commit(requests, now);
        let appended = answers.iter().flatten().flatten();
        let frames: Vec<_> = appended
            .filter_map(|appended| appended.frame.clone())
            .collect();
        let bytes = frames
            .iter()
            .map(|frame| frame.payload_len() as u64 + RECORD_EXTRA)
            .sum();
        let answers = tickets.into_iter().zip(answers).collect();
        self.committed = Some(Committed { frames, answers });
        bytes
    }

    /// The writer goes on: what is durable comes into the tail, then it is
    /// answered.
    pub fn deliver(&mut self) {
        let Some(committed) = self.committed.take() else {
            return;
        };
        for frame in committed.frames {
            self.latest.insert(frame.topic().clone(), frame.position());
            self.tail.push(frame);
        }
        self.answers.extend(committed.answers);
    }

    /// Whether something that the tail holds has opened the topic again that a frame
    /// ended.
    pub fn has_reopened(&self, end: &Frame) -> bool {
        let latest = self.latest.get(end.topic());
        latest.is_some_and(|at| *at > end.position() && *at > self.tail.start())
    }

    /// A lane looks at what is new and wakes its streams.
    pub fn follow(&mut self, lane: usize, most: usize, watchers: &mut [Watcher]) -> bool {
        let mut ready = Vec::new();
        let budget = Budget::frames(most);
        let at_end = self.lanes[lane]
            .follow(&self.tail, budget, &mut ready)
            .at_end;
        for key in ready {
            for stream in watchers.iter_mut().filter_map(Watcher::stream) {
                stream.awake |= stream.lane == lane && stream.key() == key;
            }
        }
        at_end
    }

    pub fn subscribe(
        &mut self,
        selection: &Selection,
        cursor: Cursor,
    ) -> (usize, tidings_engine::SubscriptionKey) {
        let lane = self.next_lane % self.lanes.len();
        self.next_lane += 1;
        (lane, self.lanes[lane].insert(selection.clone(), cursor))
    }

    pub fn unsubscribe(&mut self, stream: &Stream) {
        self.lanes[stream.lane].remove(stream.key());
    }

    pub fn wire_id(&self, position: Position) -> WireId {
        WireId {
            log: self.reader.log_id(),
            position,
        }
    }
}
