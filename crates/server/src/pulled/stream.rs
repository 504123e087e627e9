//! One pulled stream.

use super::window::Window;
use crate::hub::Hub;
use crate::mercure::active::Guard;
use crate::metrics::SlowAction;
use crate::places::Watching;
use crate::watch::{self, Watch};
use bytes::Bytes;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;
use tidings_engine::stream::{Ending, StoreRead, Terms};
use tidings_engine::{Form, Framing, Next, Selection, Stream, control};
use tokio::task::JoinHandle;

/// A stream as the bytes that a body is made of. Dropping it ends its
/// subscription.
pub struct Pulled {
    hub: Arc<Hub>,
    /// Number of its set.
    set: usize,
    stream: Stream,
    selection: Selection,
    form: Form,
    terms: Terms,
    /// When a heartbeat is due.
    beat: Instant,
    /// When the stream ends, once the hub drains.
    ends: Option<Instant>,
    /// At this tick it is woken.
    woken_at: Option<u64>,
    store_read: Option<JoinHandle<StoreRead>>,
    /// What the connection has not written yet.
    window: Window,
    ended: bool,
    /// Until the end is said.
    active: Option<Guard>,
    /// A place among the streams there may be.
    _permit: Watching,
}

impl Pulled {
    /// Begins a stream.
    pub fn new(hub: Arc<Hub>, watch: Watch) -> Self {
        let (set, stream) = hub.live().begin_pulled(&hub, &watch);
        hub.metrics().subscribers.inc();
        let terms = hub.terms();
        Self {
            set,
            stream,
            form: watch.form,
            terms,
            beat: Instant::now() + hub.settings().limits.heartbeat,
            ends: None,
            woken_at: None,
            store_read: None,
            window: Window::new(terms.budget.bytes),
            ended: false,
            active: watch.active,
            _permit: watch.permit,
            selection: watch.selection,
            hub,
        }
    }

    /// The next bytes; `None` at the end of the stream.
    pub fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            if self.ended {
                return Poll::Ready(None);
            }
            if let Some(bytes) = self.drain() {
                return Poll::Ready(Some(bytes));
            }
            if self.window.poll_open(cx).is_pending() {
                self.stream.was_full();
                return Poll::Pending;
            }
            if let Some(reading) = &mut self.store_read {
                let done = ready!(Pin::new(reading).poll(cx));
                self.store_read = None;
                match done {
                    Ok(done) => self.stream.answer(done),
                    Err(_) => self.ended = true,
                }
                continue;
            }
            match self.next(cx) {
                Next::Block(bytes) => return Poll::Ready(Some(bytes)),
                Next::Gap(reason, bytes) => {
                    self.hub.metrics().count_gap(reason);
                    return Poll::Ready(Some(bytes));
                }
                Next::Events(batch) => {
                    self.put_heartbeat_off();
                    let metrics = self.hub.metrics();
                    metrics.deliveries.inc_by(batch.frames().len() as u64);
                    let bytes = batch.bytes(self.form, Framing::Bare);
                    metrics.delivered_bytes.inc_by(bytes.len() as u64);
                    return Poll::Ready(Some(self.window.count(bytes)));
                }
                Next::Later => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Next::ReadStore(before) => {
                    let read =
                        watch::read_store(Arc::clone(&self.hub), self.selection.clone(), before);
                    self.store_read = Some(tokio::spawn(read));
                }
                Next::Waiting | Next::Idle => {
                    // It may have begun between the look at it and the waker's place.
                    if self.ends.is_none() && self.hub.drain().has_begun() {
                        continue;
                    }
                    if Instant::now() < self.beat {
                        return Poll::Pending;
                    }
                    return Poll::Ready(Some(self.heartbeat()));
                }
                Next::End(ending) => {
                    if ending == Ending::TooSlow {
                        self.hub.metrics().count_slow(SlowAction::Disconnect);
                    }
                    return Poll::Ready(Some(self.last_words()));
                }
            }
        }
    }

    /// What comes next. If that is nothing, it is woken when there is more,
    /// or when it is time for something else.
    fn next(&mut self, cx: &mut Context<'_>) -> Next {
        let set = &self.hub.live().sets()[self.set];
        let mut state = set.state();
        let tail = self.hub.live().tail();
        let next = self
            .stream
            .next(&mut state.subscriptions, &tail, self.terms);
        if matches!(next, Next::Idle | Next::Waiting) {
            state.wait(self.stream.key(), cx.waker());
            let due = self.ends.map_or(self.beat, |end| end.min(self.beat));
            let tick = set.tick(due);
            let is_set = |at: u64| at <= tick && set.tick(Instant::now()) <= at;
            if !self.woken_at.is_some_and(is_set) {
                self.woken_at = Some(set.wake_at(&mut state, tick, self.stream.key()));
            }
        }
        next
    }

    /// Notices that the hub drains; gives the last bytes when it is time.
    fn drain(&mut self) -> Option<Bytes> {
        if self.ends.is_none() {
            self.ends = Some(self.hub.drain().stream_end()?.into_std());
        }
        if self.ends.is_none_or(|end| Instant::now() < end) {
            return None;
        }
        Some(self.last_words())
    }

    /// Ends the stream with the time at which to come back.
    fn last_words(&mut self) -> Bytes {
        self.ended = true;
        self.active = None;
        control::retry(self.hub.jittered_retry())
    }

    fn heartbeat(&mut self) -> Bytes {
        self.put_heartbeat_off();
        let state = self.hub.live().sets()[self.set].state();
        self.stream.heartbeat(&state.subscriptions)
    }

    fn put_heartbeat_off(&mut self) {
        self.beat = Instant::now() + self.hub.settings().limits.heartbeat;
    }
}

impl Drop for Pulled {
    fn drop(&mut self) {
        let mut state = self.hub.live().sets()[self.set].state();
        state.remove(self.stream.key());
        self.hub.metrics().subscribers.dec();
    }
}
