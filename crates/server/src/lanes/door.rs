//! How others reach a lane.

use super::Taken;
use crate::sys::Streams;
use mio::Waker;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::sync::{Mutex, PoisonError};
use tidings_engine::SubscriptionKey;
use tidings_engine::stream::StoreRead;

/// What is brought to a lane.
pub enum Brought {
    /// A connection.
    Connection(Box<Taken>),
    /// What the store answered to one of its streams.
    StoreRead(SubscriptionKey, StoreRead),
    /// A question about its streams.
    Question(Question),
}

/// Is answered by whoever has the streams, between two rounds: asked again in a later
/// one for as long as it continues.
pub type Question = Box<dyn FnMut(&mut dyn Streams) -> ControlFlow<()> + Send>;

/// A lane's door: things are put behind it, and whoever is in is woken.
pub struct Door {
    inbox: Mutex<Vec<Brought>>,
    /// Streams whose standing has changed.
    changed: Mutex<Vec<SubscriptionKey>>,
    waker: Waker,
    asleep: AtomicBool,
    closed: AtomicBool,
    followed: AtomicU64,
}

impl Door {
    /// A door whose lane is woken by `waker`.
    pub fn new(waker: Waker) -> Self {
        Self {
            inbox: Mutex::default(),
            changed: Mutex::default(),
            waker,
            asleep: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            followed: AtomicU64::new(0),
        }
    }

    /// Brings a connection.
    pub fn bring(&self, taken: Taken) {
        self.put(Brought::Connection(Box::new(taken)));
    }

    /// Brings what the store answered.
    pub fn answer(&self, key: SubscriptionKey, done: StoreRead) {
        self.put(Brought::StoreRead(key, done));
    }

    /// Asks about the lane's streams.
    pub fn ask(&self, question: Question) {
        self.put(Brought::Question(question));
    }

    /// Tells the lane that the standing of one of its streams has changed. It
    /// is heard before any event that comes later.
    pub fn change(&self, key: SubscriptionKey) {
        self.changes().push(key);
        self.knock();
    }

    /// Tells the lane that something has changed.
    pub fn knock(&self) {
        // What has changed is visible before the lane is looked at: either it
        // is seen to be asleep, or it sees the change before it falls asleep.
        fence(Ordering::SeqCst);
        if self.asleep.swap(false, Ordering::SeqCst) {
            // A waker fails only where it has been woken already.
            let _ = self.waker.wake();
        }
    }

    /// Ends the lane.
    pub fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.knock();
    }

    /// How many of the bytes that came into the tail the lane has seen.
    pub fn followed(&self) -> u64 {
        self.followed.load(Ordering::SeqCst)
    }

    /// The lane has seen so many bytes.
    pub(super) fn set_followed(&self, bytes: u64) {
        self.followed.store(bytes, Ordering::SeqCst);
    }

    /// Whether the lane is to end.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// The lane says that it is about to wait, and looks once more for what
    /// has changed before it does.
    pub(super) fn fall_asleep(&self) {
        self.asleep.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
    }

    /// The lane doesn't wait any more.
    pub(super) fn wake_up(&self) {
        self.asleep.store(false, Ordering::SeqCst);
    }

    /// What was brought, in order.
    pub(super) fn take(&self, into: &mut Vec<Brought>) {
        std::mem::swap(into, &mut self.inbox());
    }

    /// The streams whose standing has changed.
    pub(super) fn take_changed(&self) -> Vec<SubscriptionKey> {
        std::mem::take(&mut self.changes())
    }

    /// Whether nothing was brought, and nothing has changed.
    pub(super) fn is_empty(&self) -> bool {
        self.inbox().is_empty() && self.changes().is_empty()
    }

    fn put(&self, brought: Brought) {
        self.inbox().push(brought);
        self.knock();
    }

    fn changes(&self) -> std::sync::MutexGuard<'_, Vec<SubscriptionKey>> {
        self.changed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn inbox(&self) -> std::sync::MutexGuard<'_, Vec<Brought>> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
