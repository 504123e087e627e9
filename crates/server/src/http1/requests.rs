//! How far the requests of a connection have come.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::sync::Notify;

/// Counted by a connection's gate and by whoever answers its requests.
#[derive(Debug, Default)]
pub struct Requests {
    passed: AtomicUsize,
    begun: AtomicUsize,
    refused: AtomicBool,
    closed: AtomicBool,
    ended: AtomicBool,
    changed: Notify,
}

impl Requests {
    /// A request is being answered.
    pub fn begin(&self) {
        self.begun.fetch_add(1, Ordering::AcqRel);
        if self.refused.load(Ordering::Acquire) {
            self.changed.notify_one();
        }
    }

    /// Whether there was any.
    pub fn have_begun(&self) -> bool {
        self.begun.load(Ordering::Acquire) > 0
    }

    /// An answer says that it is the connection's last.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    /// Whether one has.
    pub(super) fn are_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Every answer that was to be given has been written.
    pub fn end(&self) {
        self.ended.store(true, Ordering::Release);
    }

    /// Whether they have.
    pub(super) fn have_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Resolves when a request was refused and all before it have begun: hyper
    /// then ends the connection behind the last of them, if it is told to.
    pub async fn are_over(&self) {
        while !self.refused.load(Ordering::Acquire)
            || self.begun.load(Ordering::Acquire) < self.passed.load(Ordering::Acquire)
        {
            self.changed.notified().await;
        }
    }

    /// `passed` requests passed the gate, and then one was refused.
    pub(super) fn refuse(&self, passed: usize) {
        self.passed.store(passed, Ordering::Release);
        self.refused.store(true, Ordering::Release);
        self.changed.notify_one();
    }
}
