//! How far the requests of a connection have come.

use bytes::Bytes;
use http::Request;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::time::Instant;

/// Shared by a connection's gate and by whoever answers its requests, which are
/// counted from 0.
#[derive(Debug)]
pub struct Requests(Mutex<State>);

#[derive(Debug)]
struct State {
    begun: usize,
    answered: usize,
    /// When that was last counted.
    since: Instant,
    closed: bool,
    /// Whole requests that have passed and have not begun, with their numbers.
    waiting: VecDeque<(usize, Request<Bytes>)>,
}

impl Requests {
    /// None yet. Must be called within a tokio runtime.
    pub fn new() -> Self {
        Self(Mutex::new(State {
            begun: 0,
            answered: 0,
            since: Instant::now(),
            closed: false,
            waiting: VecDeque::new(),
        }))
    }

    /// A request is being answered; its number.
    pub fn begin(&self) -> usize {
        let mut state = self.state();
        state.begun += 1;
        state.begun - 1
    }

    /// Whether there was any.
    pub fn have_begun(&self) -> bool {
        self.state().begun > 0
    }

    /// Counts an answer when what this gives is dropped.
    pub fn answering(self: &Arc<Self>) -> Answering {
        Answering(Arc::clone(self))
    }

    /// How many answers hyper has taken over to write.
    pub fn answered(&self) -> usize {
        self.state().answered
    }

    /// Since when no request is being answered; `None` while one is.
    pub fn idle_since(&self) -> Option<Instant> {
        let state = self.state();
        (state.begun == state.answered).then_some(state.since)
    }

    /// An answer says that it is the connection's last: what stands behind its
    /// request is nobody's.
    pub fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        state.waiting.clear();
    }

    /// Whether one has.
    pub fn are_closed(&self) -> bool {
        self.state().closed
    }

    /// Request `number` is there from its first byte to its last.
    pub fn wait(&self, number: usize, request: Request<Bytes>) {
        self.state().waiting.push_back((number, request));
    }

    /// How many such requests have not begun.
    pub fn waiting(&self) -> usize {
        self.state().waiting.len()
    }

    /// Takes request `number`, if it is there.
    pub fn take(&self, number: usize) -> Option<Request<Bytes>> {
        let mut state = self.state();
        while let Some((first, request)) = state.waiting.pop_front() {
            if first == number {
                return Some(request);
            }
            if first > number {
                state.waiting.push_front((first, request));
                break;
            }
        }
        None
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An answer that has not wholly been taken over.
pub struct Answering(Arc<Requests>);

impl Drop for Answering {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.answered += 1;
        state.since = Instant::now();
    }
}
