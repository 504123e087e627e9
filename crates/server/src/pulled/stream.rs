//! One pulled stream.

use super::State;
use super::window::Window;
use crate::auth::{Over, Standing};
use crate::hub::{self, Hub};
use crate::mercure::active::Guard;
use crate::metrics::SlowAction;
use crate::own::Reading;
use crate::places::Watching;
use crate::presence;
use crate::sys::Carried;
use crate::watch::{self, Watch};
use bytes::Bytes;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use tidings_engine::control::GapReason;
use tidings_engine::stream::{Ending, StoreRead};
use tidings_engine::{Batch, Form, Framing, Next, OwnNext, Selection, Stream, Timestamp, control};
use tokio::task::JoinHandle;

/// So long that nobody lives to see its end.
const NEVER: Duration = Duration::from_secs(1 << 32);

/// A stream as the bytes that a body is made of. Dropping it ends its
/// subscription.
pub struct Pulled {
    hub: Arc<Hub>,
    /// Number of its set.
    set: usize,
    stream: Stream,
    /// What it is given of the hub's own log.
    own: Option<Box<Reading>>,
    form: Form,
    /// Whether a connection carries it, which heartbeats keep open.
    beats: bool,
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
    presence: Option<Box<presence::Guard>>,
    /// What may end it before its time.
    standing: Option<Arc<Standing>>,
    /// A place among the streams there may be.
    _permit: Watching,
}

/// What a stream is given next.
enum Step {
    /// What the log has.
    Log(Next),
    /// Events of the hub's own log.
    Own(Arc<Batch>),
    /// How things stand.
    Anew,
}

/// What a stream says.
pub enum Said {
    /// A block of the hub's own.
    Block(Bytes),
    /// The block that tells of a gap.
    Gap(GapReason, Bytes),
    /// Events.
    Events(Arc<Batch>),
    /// Events of the hub's own log.
    Own(Arc<Batch>),
    /// Blocks that tell how things stand, before or between the hub's own events.
    Anew(Bytes),
}

impl Pulled {
    /// Begins a stream.
    pub fn new(hub: Arc<Hub>, watch: Watch) -> Self {
        let mut own = Self::without_heartbeats(hub, watch);
        own.begin_heartbeats();
        own
    }

    /// Begins a stream that no connection carries: it needs no heartbeats.
    pub fn without_heartbeats(hub: Arc<Hub>, mut watch: Watch) -> Self {
        let (set, stream, own) = hub.live().begin_pulled(&hub, &mut watch);
        hub.metrics().subscribers.inc();
        let place = (&watch.permit, watch.transport);
        let carried = Carried::new(place, own.as_ref().map(|own| own.selection()), hub::now());
        hub.live().sets()[set].state().carry(stream.key(), carried);
        if let Some(standing) = &watch.standing {
            let live = Arc::clone(hub.live());
            let keys = (stream.key(), own.as_ref().map(|own| own.key()));
            standing.carried_by(move |own| live.sets()[set].change(keys, own.sight()));
        }
        Self {
            set,
            stream,
            own,
            form: watch.form,
            beats: false,
            beat: Instant::now() + NEVER,
            ends: None,
            woken_at: None,
            store_read: None,
            window: Window::default(),
            ended: false,
            active: watch.active,
            presence: watch.presence,
            _permit: watch.permit,
            standing: watch.standing,
            hub,
        }
    }

    /// A connection carries it from now on.
    pub fn begin_heartbeats(&mut self) {
        self.beats = true;
        self.put_heartbeat_off();
    }

    /// The next bytes; `None` at the end of the stream.
    pub fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let said = ready!(self.poll_said(cx));
        Poll::Ready(said.map(|said| match said {
            Said::Block(bytes) | Said::Gap(_, bytes) => bytes,
            Said::Events(batch) => {
                let bytes = batch.bytes(self.form, Framing::Bare);
                let metrics = self.hub.metrics();
                metrics.delivered_bytes.inc_by(bytes.len() as u64);
                self.window.count(bytes)
            }
            Said::Own(batch) => self.window.count(batch.bytes(self.form, Framing::Bare)),
            Said::Anew(bytes) => self.window.count(bytes),
        }))
    }

    /// What is said next; `None` at the end of the stream.
    pub fn poll_said(&mut self, cx: &mut Context<'_>) -> Poll<Option<Said>> {
        loop {
            if self.ended {
                return Poll::Ready(None);
            }
            if let Some(bytes) = self.drain() {
                return Poll::Ready(Some(Said::Block(bytes)));
            }
            // Before anything is read: what a right no longer shows isn't given,
            // and isn't passed over either.
            if self.over().is_some() {
                return Poll::Ready(Some(Said::Block(self.last_words())));
            }
            if self
                .window
                .poll_open(self.hub.terms().budget.bytes, cx)
                .is_pending()
            {
                self.stream.was_full();
                return Poll::Pending;
            }
            if let Some(reading) = &mut self.store_read {
                let done = ready!(Pin::new(reading).poll(cx));
                self.store_read = None;
                match done {
                    Ok(mut done) => {
                        self.with_selection(|own| watch::leave_out_hidden(&mut done, own));
                        self.stream.answer(done);
                    }
                    Err(_) => self.ended = true,
                }
                continue;
            }
            let Some(next) = self.next(cx) else {
                return Poll::Ready(Some(Said::Block(self.last_words())));
            };
            let next = match next {
                Step::Log(next) => next,
                Step::Own(batch) => return Poll::Ready(Some(Said::Own(batch))),
                Step::Anew => {
                    let block = self.own.as_mut().map(|own| own.anew());
                    // Again: in the block may be who came after a revocation was
                    // answered.
                    let block = block.filter(|block| !block.is_empty() && self.over().is_none());
                    match block {
                        Some(block) => return Poll::Ready(Some(Said::Anew(block))),
                        None => continue,
                    }
                }
            };
            match next {
                Next::Block(bytes) => return Poll::Ready(Some(Said::Block(bytes))),
                Next::Gap(reason, bytes) => {
                    self.hub.metrics().count_gap(reason);
                    return Poll::Ready(Some(Said::Gap(reason, bytes)));
                }
                Next::Events(batch) => {
                    self.put_heartbeat_off();
                    if let Some(own) = &mut self.own {
                        own.goes_first = true;
                    }
                    let events = batch.frames().len() as u64;
                    self.hub.metrics().deliveries.inc_by(events);
                    return Poll::Ready(Some(Said::Events(batch)));
                }
                Next::Later => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Next::ReadStore(before) => {
                    let selection = self.with_selection(Clone::clone);
                    let read = selection.map(|selection| {
                        watch::read_store(Arc::clone(&self.hub), selection, before)
                    });
                    self.store_read = read.map(tokio::spawn);
                }
                Next::MayEnd if self.has_ended() => {
                    return Poll::Ready(Some(Said::Block(self.last_words())));
                }
                Next::MayEnd => {}
                Next::Waiting | Next::Idle => {
                    // It may have begun between the look at it and the waker's place.
                    let drains = self.ends.is_none() && self.hub.drain().has_begun();
                    if drains || self.over().is_some() {
                        continue;
                    }
                    if Instant::now() < self.beat {
                        return Poll::Pending;
                    }
                    return Poll::Ready(Some(Said::Block(self.heartbeat())));
                }
                Next::End(ending) => {
                    if ending == Ending::TooSlow {
                        self.hub.metrics().count_slow(SlowAction::Disconnect);
                    }
                    return Poll::Ready(Some(Said::Block(self.last_words())));
                }
            }
        }
    }

    /// What comes next. If that is nothing, it is woken when there is more,
    /// or when it is time for something else. `None` if the stream is over.
    fn next(&mut self, cx: &mut Context<'_>) -> Option<Step> {
        let live = Arc::clone(self.hub.live());
        let set = &live.sets()[self.set];
        let mut state = set.state();
        if self.own.as_ref().is_some_and(|own| own.goes_first)
            && let Some(step) = self.next_own(&mut state)
        {
            return step;
        }
        let tail = live.tail();
        // Again: what was published after a revocation was answered may be in
        // this tail.
        if self.over().is_some() {
            return None;
        }
        let next = self
            .stream
            .next(&mut state.subscriptions, &tail, self.hub.terms());
        drop(tail);
        if let Next::Events(batch) = &next {
            state.count_given(self.stream.key(), batch.frames().len() as u64);
        }
        if matches!(next, Next::Idle | Next::Waiting) {
            if let Some(step) = self.next_own(&mut state) {
                return step;
            }
            state.wait(self.stream.key(), cx.waker());
            let due = self.ends.map_or(self.beat, |end| end.min(self.beat));
            let end = self.standing.as_ref().and_then(|own| own.ends_at());
            let due = end.map_or(due, |end| due.min(from_now(end)));
            let tick = set.tick(due);
            let is_set = |at: u64| at <= tick && set.tick(Instant::now()) <= at;
            if !self.woken_at.is_some_and(is_set) {
                self.woken_at = Some(set.wake_at(&mut state, tick, self.stream.key()));
            }
        }
        Some(Step::Log(next))
    }

    /// What comes next of the hub's own log, if anything does; within that `None` if
    /// the stream is over.
    fn next_own(&mut self, state: &mut State) -> Option<Option<Step>> {
        let own = self.own.as_mut()?;
        let log = self.hub.live().own();
        loop {
            let next = state.own.next(own, log, self.hub.terms().budget);
            let over = self.standing.as_ref().and_then(|own| own.over(hub::now()));
            return match next {
                _ if over.is_some() => Some(None),
                OwnNext::Anew => Some(Some(Step::Anew)),
                OwnNext::Events(batch) => Some(Some(Step::Own(batch))),
                OwnNext::Later => continue,
                OwnNext::Idle => None,
            };
        }
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

    /// Whether its standing is, and why.
    fn over(&self) -> Option<Over> {
        self.standing.as_ref()?.over(hub::now())
    }

    /// Whether all that it watches is closed, and it has come to the end of that: a
    /// set that has not followed the log yet knows of nothing that is to be given.
    fn has_ended(&self) -> bool {
        if self.own.as_ref().is_some_and(|own| own.outlives_topics()) {
            return false;
        }
        let state = self.hub.live().sets()[self.set].state();
        let (subscriptions, key) = (&state.subscriptions, self.stream.key());
        let selection = subscriptions.selection(key);
        let end = selection.and_then(|own| self.hub.reader().end_of_all(own));
        let reached = subscriptions.cursor(key).map(|cursor| cursor.after);
        end.is_some() && reached >= end
    }

    /// Ends the stream with the time at which to come back.
    fn last_words(&mut self) -> Bytes {
        let over = self.over();
        let usual = || self.hub.jittered_retry();
        let retry = over.map_or_else(usual, |over| self.hub.retry_after(over));
        self.ended = true;
        self.active = None;
        if let Some(mut presence) = self.presence.take() {
            presence.stays(retry);
        }
        self.standing = None;
        self.end_own();
        control::retry(retry)
    }

    /// Looks at what it watches, as far as it may at this moment.
    fn with_selection<T>(&self, look: impl FnOnce(&Selection) -> T) -> Option<T> {
        let state = self.hub.live().sets()[self.set].state();
        state.subscriptions.selection(self.stream.key()).map(look)
    }

    fn heartbeat(&mut self) -> Bytes {
        self.put_heartbeat_off();
        let state = self.hub.live().sets()[self.set].state();
        self.stream.heartbeat(&state.subscriptions)
    }

    fn end_own(&mut self) {
        if let Some(own) = self.own.take() {
            let mut state = self.hub.live().sets()[self.set].state();
            state.own.end(&own);
        }
    }

    fn put_heartbeat_off(&mut self) {
        if self.beats {
            self.beat = Instant::now() + self.hub.settings().limits.heartbeat;
        }
    }
}

/// When a moment on the wall's clock comes.
fn from_now(at: Timestamp) -> Instant {
    let left = at.0.saturating_sub(hub::now().0);
    let now = Instant::now();
    now.checked_add(Duration::from_millis(left))
        .unwrap_or_else(|| now + NEVER)
}

impl Drop for Pulled {
    fn drop(&mut self) {
        self.end_own();
        let mut state = self.hub.live().sets()[self.set].state();
        state.remove(self.stream.key());
        self.hub.metrics().subscribers.dec();
    }
}
