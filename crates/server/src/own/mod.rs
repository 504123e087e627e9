//! The hub's own log: what it says about itself and its people, live and never
//! stored. The tail of it, who watches it, and what says something in it.

mod share;

pub use share::{Reading, Share};

use crate::hub::now;
use crate::lanes::Door;
use bytes::Bytes;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use tidings_codec::EventType;
use tidings_engine::limits::OWN_LOG_BYTES;
use tidings_engine::{
    Event, Frame, Index, Position, Published, Selection, Tail, Topic, Visibility, own,
};
use tokio::sync::{Notify, watch};

/// The own log of a hub, and who watches it.
pub struct Own {
    tail: RwLock<Tail>,
    /// Held by whoever says something, so that what is said has an order.
    saying: Mutex<()>,
    head: watch::Sender<Position>,
    doors: Box<[Arc<Door>]>,
    watched: Mutex<Watched>,
    /// Somebody has begun to watch.
    begun: Arc<Notify>,
}

/// Who watches what.
#[derive(Default)]
struct Watched {
    index: Index<u64>,
    last: u64,
}

impl Own {
    /// Nothing said, with the lanes behind `doors`.
    pub fn new(doors: Box<[Arc<Door>]>) -> Self {
        Self {
            tail: RwLock::new(Tail::new(OWN_LOG_BYTES, Position::START)),
            saying: Mutex::default(),
            head: watch::Sender::new(Position::START),
            doors,
            watched: Mutex::default(),
            begun: Arc::default(),
        }
    }

    /// Says something at `topic`, of the own log, to whoever watches that at this
    /// moment; the order in which this returns is the order in which it is given. To
    /// nobody, and at no cost, if nobody does. Never waits for whoever watches, and
    /// keeps at most [`OWN_LOG_BYTES`] for those who are slow.
    ///
    /// `data` is text as JSON has it: without control characters.
    pub fn say(&self, topic: &Topic, event_type: Option<&EventType>, data: &str) {
        debug_assert!(own::is_own(topic.as_str()), "not of the own log");
        if !self.is_watched(topic) {
            return;
        }
        let event = Event {
            topic: topic.clone(),
            alternates: Box::default(),
            visibility: Visibility::Native,
            event_type: event_type.cloned(),
            id: None,
            retry: None,
            data: data.into(),
        };
        let entry = event.into_entry(now(), None);
        let saying = self.saying.lock().unwrap_or_else(PoisonError::into_inner);
        let position = self.tail().end().next();
        let frame = Arc::new(Frame::without_id(position, entry));
        {
            let mut tail = self.tail.write().unwrap_or_else(PoisonError::into_inner);
            tail.push(frame);
        }
        self.head.send_replace(position);
        drop(saying);
        self.doors.iter().for_each(|door| door.knock());
    }

    /// Whether anybody watches `topic`: else nothing has to be worked out that
    /// would be said there. Whoever begins to watch later is told anew how things
    /// stand ([`OwnWatch::resync`]).
    pub fn is_watched(&self, topic: &Topic) -> bool {
        let mut watched = false;
        let event = Published::natively(topic);
        self.watched().index.matches(&event, |_| watched = true);
        watched
    }

    /// Tells when somebody has begun to watch.
    pub fn begun(&self) -> Arc<Notify> {
        Arc::clone(&self.begun)
    }

    /// The tail, to read.
    pub fn tail(&self) -> RwLockReadGuard<'_, Tail> {
        self.tail.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells when something was said.
    pub fn head(&self) -> watch::Receiver<Position> {
        self.head.subscribe()
    }

    fn watched(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        // Whoever waits finds that nobody will come.
        self.begun.notify_one();
    }
}

/// Gives how things stand: what is said after that is what changes it. It is given in
/// parts, each once the one before it is written, so that none has to be long. The
/// first is number 0.
pub type Resync = Arc<dyn Fn(usize) -> Part + Send + Sync>;

/// A part of how things stand.
#[derive(Debug)]
pub struct Part {
    /// Complete blocks.
    pub blocks: Bytes,
    /// The number of the next part, if there is one.
    pub next: Option<usize>,
}

/// What a stream watches of the own log, beside what it watches of the log.
pub struct OwnWatch {
    /// Selectors of the own log, as far as the watcher may see what they select.
    pub selection: Selection,
    /// What the stream is given when it begins, and again when what it had not yet
    /// been given is gone. Called where nothing is locked.
    pub resync: Option<Resync>,
    own: Arc<Own>,
    key: u64,
}

impl OwnWatch {
    /// Of the log `own`. From now on this is watched, though nothing is given before
    /// the stream begins.
    pub fn new(own: &Arc<Own>, selection: Selection, resync: Option<Resync>) -> Self {
        let key = {
            let mut watched = own.watched();
            watched.last += 1;
            let key = watched.last;
            watched.index.insert(&selection, key);
            key
        };
        own.begun.notify_one();
        Self {
            selection,
            resync,
            own: Arc::clone(own),
            key,
        }
    }
}

impl OwnWatch {
    /// As [`outlives_topics`], of what it watches.
    pub fn outlives_topics(&self) -> bool {
        outlives_topics(&self.selection)
    }
}

/// Whether a stream goes on for what it watches of the own log, though all topics
/// that it watches are closed: who is at a topic is asked for with the topic, how
/// the hub is for its own sake.
pub fn outlives_topics(selection: &Selection) -> bool {
    let mut selectors = selection.selectors().iter();
    selectors.any(|selector| own::is_sys(selector.as_str()))
}

impl Drop for OwnWatch {
    fn drop(&mut self) {
        self.own.watched().index.remove(&self.selection, self.key);
    }
}

impl fmt::Debug for OwnWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnWatch")
            .field("selection", &self.selection)
            .finish_non_exhaustive()
    }
}
