//! How far the requests of a connection have come.

use bytes::Bytes;
use http::Request;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};

/// How often a connection that owes nothing is looked at.
const LOOK: Duration = Duration::from_secs(15);

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
    /// By when answers have to be taken that have been handed over.
    owed: BTreeMap<u64, Instant>,
    /// The number of the next of them.
    next_owed: u64,
}

/// How long an answer that is whole may take for each so many bytes of it, in
/// addition to the time for anything at all.
const BYTES_PER_SECOND: u64 = 8 * 1024;

/// Bytes that are owed to a peer for as long as someone holds them.
struct Owed {
    bytes: Bytes,
    number: u64,
    requests: Arc<Requests>,
}

impl AsRef<[u8]> for Owed {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Owed {
    fn drop(&mut self) {
        self.requests.state().owed.remove(&self.number);
    }
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
            owed: BTreeMap::new(),
            next_owed: 0,
        }))
    }

    /// Hands over all of an answer, which the peer has to take: in `time`, and
    /// as long again as a slow line needs for so many bytes.
    pub fn owe(self: &Arc<Self>, bytes: Bytes, time: Duration) -> Bytes {
        let line = Duration::from_secs(bytes.len() as u64 / BYTES_PER_SECOND);
        let number = {
            let mut state = self.state();
            state.next_owed += 1;
            let number = state.next_owed;
            state.owed.insert(number, Instant::now() + time + line);
            number
        };
        Bytes::from_owner(Owed {
            bytes,
            number,
            requests: Arc::clone(self),
        })
    }

    /// Resolves when something has been owed for too long: a peer whose window
    /// stays shut would otherwise hold it for as long as it likes, since hyper
    /// waits for ever.
    pub async fn overdue(&self) {
        loop {
            let first = self.state().owed.values().min().copied();
            match first {
                Some(by) if by <= Instant::now() => return,
                Some(by) => sleep_until(by).await,
                None => sleep(LOOK).await,
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::timeout;

    const TIME: Duration = Duration::from_secs(30);
    /// What a slow line takes in a minute.
    const LEN: usize = 60 * BYTES_PER_SECOND as usize;

    #[tokio::test(start_paused = true)]
    async fn c18_what_nobody_takes_is_overdue() {
        let requests = Arc::new(Requests::new());
        let begun = Instant::now();
        let small = requests.owe(Bytes::from_static(b"small"), TIME);
        let large = requests.owe(vec![b'x'; LEN].into(), TIME);
        assert_eq!((&small[..], large.len()), (&b"small"[..], LEN));
        requests.overdue().await;
        assert!(begun.elapsed() >= TIME && begun.elapsed() < 2 * TIME);
        // A part of it is all of it.
        let part = small.slice(1..2);
        drop(small);
        requests.overdue().await;
        drop(part);
        requests.overdue().await;
        assert!(begun.elapsed() >= 3 * TIME);
        drop(large);
        let never = timeout(100 * TIME, requests.overdue()).await;
        assert!(never.is_err(), "nothing is owed");
    }
}
