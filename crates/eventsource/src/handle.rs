//! What can be seen and done from outside while a stream is read.

use crate::Error;
use crate::event::{Event, Text};
use crate::protocol::{Input, Machine, ReadyState};
use crate::resume::Resume;
use std::fmt;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// A view of a stream, and what can be done to it from another task. Cheap to
/// clone; doesn't keep the stream alive.
///
/// What is asked for happens when the stream is polled next: whoever waits for
/// it is woken, and who is busy with an event finds it done, the state changed
/// and the connection dropped, only after asking for the next. Dropping the
/// stream itself ends it at once.
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
    resume: Option<Arc<Resume>>,
}

/// Sees each change of a stream's [`ReadyState`].
#[derive(Debug)]
pub struct StateWatch {
    handle: Handle,
    seen: u64,
    waiting: Option<u64>,
}

impl Handle {
    /// Ends the stream for good (A6). What was read and not yet taken is dropped.
    pub fn close(&self) {
        self.command(|commands| commands.close = true);
    }

    /// Drops the connection, if there is one, and makes a new one at once, from
    /// the last event ID. Nothing happens once the stream is closed.
    pub fn restart(&self) {
        self.command(|commands| commands.restart = true);
    }

    /// Drops what was read of an unfinished event (rule P1).
    pub fn reset(&self) {
        self.command(|commands| commands.reset = true);
    }

    /// `readyState` (A4).
    pub fn ready_state(&self) -> ReadyState {
        self.shared.lock().view.ready_state
    }

    /// The last event ID, empty if there is none: what a reconnect resumes after.
    pub fn last_event_id(&self) -> Text {
        self.shared.lock().view.last_event_id.clone()
    }

    /// How long a reconnect waits at least.
    pub fn reconnection_time(&self) -> Duration {
        self.shared.lock().view.reconnection_time
    }

    /// Says that this event and all before it are handled, so that the next run
    /// resumes behind them: the event's ID goes to the
    /// [`IdStore`](crate::IdStore) of the stream, if it has one. Nothing
    /// happens if a later event was committed already, or if the event is one
    /// that [`Event::new`] has made.
    ///
    /// Works also when the stream itself is gone.
    ///
    /// # Errors
    /// [`Error::Ids`] if the ID can't be saved, or if the event is of another
    /// stream: its ID says nothing of how far this one is handled.
    pub fn commit(&self, event: &Event) -> Result<(), Error> {
        match &self.resume {
            Some(resume) => resume.commit(event),
            None => Ok(()),
        }
    }

    /// Watches the state from now on.
    pub fn watch(&self) -> StateWatch {
        StateWatch {
            seen: self.shared.lock().changes,
            handle: self.clone(),
            waiting: None,
        }
    }

    pub(crate) fn with_resume(mut self, resume: Option<Arc<Resume>>) -> Self {
        self.resume = resume;
        self
    }

    fn command(&self, give: impl FnOnce(&mut Commands)) {
        let waker = {
            let mut inner = self.shared.lock();
            give(&mut inner.commands);
            self.shared.commanded.store(true, Ordering::Release);
            inner.driver.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.shared.lock();
        f.debug_struct("Handle")
            .field("ready_state", &inner.view.ready_state)
            .finish_non_exhaustive()
    }
}

impl StateWatch {
    /// The next change, or the latest of several that came meanwhile; `None`
    /// when [`ReadyState::Closed`] is known, as nothing changes after it.
    /// Cancel-safe.
    pub async fn changed(&mut self) -> Option<ReadyState> {
        poll_fn(|cx| self.poll_changed(cx)).await
    }

    fn poll_changed(&mut self, cx: &mut Context<'_>) -> Poll<Option<ReadyState>> {
        let mut inner = self.handle.shared.lock();
        let waiting = self.waiting.take();
        let state = inner.view.ready_state;
        if self.seen != inner.changes || state == ReadyState::Closed {
            let is_new = self.seen != inner.changes;
            self.seen = inner.changes;
            inner.watchers.retain(|(key, _)| Some(*key) != waiting);
            return Poll::Ready(is_new.then_some(state));
        }
        let key = waiting.unwrap_or_else(|| {
            inner.next_watcher += 1;
            inner.next_watcher
        });
        match inner.watchers.iter_mut().find(|(other, _)| *other == key) {
            Some((_, waker)) => waker.clone_from(cx.waker()),
            None => inner.watchers.push((key, cx.waker().clone())),
        }
        self.waiting = Some(key);
        Poll::Pending
    }
}

impl Drop for StateWatch {
    fn drop(&mut self) {
        let mut inner = self.handle.shared.lock();
        let waiting = self.waiting;
        inner.watchers.retain(|(key, _)| Some(*key) != waiting);
    }
}

/// The driver's end.
#[derive(Debug)]
pub(crate) struct Shared {
    /// Whether there may be commands: looked at for each event, without a lock.
    commanded: AtomicBool,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    commands: Commands,
    view: View,
    changes: u64,
    driver: Option<Waker>,
    watchers: Vec<(u64, Waker)>,
    next_watcher: u64,
}

#[derive(Debug, Default, Clone, Copy)]
struct Commands {
    close: bool,
    restart: bool,
    reset: bool,
}

/// What handles see of a machine.
#[derive(Debug, Clone)]
pub(crate) struct View {
    pub(crate) ready_state: ReadyState,
    pub(crate) last_event_id: Text,
    pub(crate) reconnection_time: Duration,
}

impl View {
    pub(crate) fn of(machine: &Machine) -> Self {
        Self {
            ready_state: machine.ready_state(),
            last_event_id: machine.last_event_id().into(),
            reconnection_time: machine.reconnection_time(),
        }
    }

    /// Looks again, and says whether anything has changed.
    pub(crate) fn update(&mut self, machine: &Machine) -> bool {
        let (state, time) = (self.ready_state, self.reconnection_time);
        self.ready_state = machine.ready_state();
        self.reconnection_time = machine.reconnection_time();
        self.last_event_id.set(machine.last_event_id())
            | ((state, time) != (self.ready_state, self.reconnection_time))
    }
}

impl Shared {
    pub(crate) fn new(view: View) -> Arc<Self> {
        let inner = Inner {
            commands: Commands::default(),
            view,
            changes: 0,
            driver: None,
            watchers: Vec::new(),
            next_watcher: 0,
        };
        Arc::new(Self {
            commanded: AtomicBool::new(false),
            inner: Mutex::new(inner),
        })
    }

    pub(crate) fn handle(self: &Arc<Self>) -> Handle {
        Handle {
            shared: self.clone(),
            resume: None,
        }
    }

    /// What the user wants, if anything; a `reset` is noted in `wants_reset`.
    /// Closing comes before restarting.
    pub(crate) fn take_command(&self, wants_reset: &mut bool) -> Option<Input> {
        let commands = {
            let mut inner = self.lock();
            self.commanded.store(false, Ordering::Relaxed);
            std::mem::take(&mut inner.commands)
        };
        *wants_reset |= commands.reset;
        if commands.close {
            return Some(Input::Close);
        }
        commands.restart.then_some(Input::Restart)
    }

    /// Whether the user may want something, told without a lock.
    pub(crate) fn is_commanded(&self) -> bool {
        self.commanded.load(Ordering::Acquire)
    }

    /// Whether there is a handle: only the driver can give a first one.
    pub(crate) fn is_watched(self: &Arc<Self>) -> bool {
        Arc::strong_count(self) > 1
    }

    /// Has `cx` woken when the user wants something; at once if they do already.
    pub(crate) fn wake_for_commands(&self, cx: &Context<'_>) {
        let waker = cx.waker().clone();
        let (is_commanded, _before) = {
            let mut inner = self.lock();
            let is_commanded = self.commanded.load(Ordering::Relaxed);
            (is_commanded, inner.driver.replace(waker))
        };
        // Woken, and the one before dropped, only here, where nothing is locked:
        // either may do anything.
        if is_commanded {
            cx.waker().wake_by_ref();
        }
    }

    /// Lets the handles see this.
    pub(crate) fn publish(&self, view: &View) {
        let watchers = {
            let mut inner = self.lock();
            inner.view.last_event_id = view.last_event_id.clone();
            inner.view.reconnection_time = view.reconnection_time;
            inner.set_ready_state(view.ready_state)
        };
        wake(watchers);
    }

    /// The stream was dropped.
    pub(crate) fn closed(&self) {
        let watchers = self.lock().set_ready_state(ReadyState::Closed);
        wake(watchers);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing in here panics while it holds the lock.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn set_ready_state(&mut self, state: ReadyState) -> Vec<(u64, Waker)> {
        if self.view.ready_state == state {
            return Vec::new();
        }
        self.view.ready_state = state;
        self.changes += 1;
        std::mem::take(&mut self.watchers)
    }
}

fn wake(watchers: Vec<(u64, Waker)>) {
    for (_, waker) in watchers {
        waker.wake();
    }
}
