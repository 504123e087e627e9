//! Does what the [protocol](crate::protocol) says: the one shell around it,
//! under every face.

use crate::error::BoxError;
use crate::event::{Event, Place, Text};
use crate::handle::{Handle, Shared, View};
use crate::protocol::{Input, Machine, Notice, Options, Request, State, Step, Then};
use crate::runtime::Runtime;
use crate::transport::{Body, Sending, Transport};
use bytes::{Buf, Bytes};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;
use tidings_codec::{Item, Limits, TooLarge};

/// Changes the request of an attempt before it is sent.
pub(crate) type Hook = Arc<dyn Fn(Request) -> Prepared + Send + Sync>;
type Prepared = Pin<Box<dyn Future<Output = Result<Request, BoxError>> + Send>>;
type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What carries, what tells the time, and what runs before an attempt.
#[derive(Clone)]
pub(crate) struct Means {
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) runtime: Arc<dyn Runtime>,
    pub(crate) before_attempt: Option<Hook>,
}

/// Everything that a stream tells, in order.
#[derive(Debug)]
pub(crate) enum Told {
    Notice(Notice),
    Event(Event),
    Retry(Duration),
    Comment(String),
    TooLarge(TooLarge),
}

/// After how many inputs that told nothing the other tasks of an executor have
/// their turn: a body that is always ready must not keep them waiting.
pub(crate) const INPUTS_PER_POLL: u32 = 64;

/// How long what has come for a reader that was busy may take to get to it,
/// when the server's time is over already: what carries it may read on only
/// when it is asked, and on another thread.
const LATE_READER: Duration = Duration::from_secs(1);

/// How many streams this process has had, so that no event passes for one of
/// another stream.
static STREAMS: AtomicU64 = AtomicU64::new(0);

/// Polls the connections of one stream, one at a time. It holds one chunk of a
/// body and the decoder's buffers, and reads on only when it is polled: a slow
/// reader slows the server down through its socket.
pub(crate) struct Driver {
    machine: Machine,
    means: Means,
    doing: Doing,
    /// What of the last chunk isn't read yet, and when it came.
    chunk: Bytes,
    chunk_at: Duration,
    timer: Option<(Duration, Sleep)>,
    /// Since when what is being done is waited for; `None` if it wasn't asked yet.
    waits_from: Option<Duration>,
    event_type: Text,
    /// The place of the last event that was told.
    place: Place,
    view: View,
    /// Whether the user wants what is unfinished dropped, once the chunk is
    /// read: what has come already may finish it.
    wants_reset: bool,
    /// Who is woken by commands, so that it is set only when it changes.
    waker: Option<Waker>,
    shared: Arc<Shared>,
}

enum Doing {
    /// Nothing yet: the first poll begins, with the clock as it stands then.
    Idle,
    Preparing(Prepared),
    Sending(Sending),
    Reading(Body),
    Waiting(Duration),
    Stopped,
}

impl Driver {
    pub(crate) fn new(options: Options, means: Means) -> Self {
        let (machine, _) = Machine::new(options, means.runtime.now());
        let mut driver = Self::of(machine, means);
        driver.doing = Doing::Idle;
        driver
    }

    /// Reads what is there already, and connects to nothing (rule P1). Of
    /// `means`, it needs the clock.
    pub(crate) fn of_body(body: Body, limits: Limits, means: Means) -> Self {
        let (machine, then) = Machine::of_body(limits, means.runtime.now());
        let mut driver = Self::of(machine, means);
        driver.doing = Doing::Reading(body);
        driver.begin(then);
        driver
    }

    fn of(machine: Machine, means: Means) -> Self {
        let view = View::of(&machine);
        let shared = Shared::new(view.clone());
        Self {
            machine,
            means,
            doing: Doing::Stopped,
            chunk: Bytes::new(),
            chunk_at: Duration::ZERO,
            timer: None,
            waits_from: None,
            event_type: Text::EMPTY,
            place: Place {
                stream: STREAMS.fetch_add(1, Ordering::Relaxed) + 1,
                number: 0,
            },
            view,
            wants_reset: false,
            waker: None,
            shared,
        }
    }

    pub(crate) fn handle(&self) -> Handle {
        self.shared.publish(&self.view);
        self.shared.handle()
    }

    /// The last event ID after what was told last.
    pub(crate) fn last_event_id(&self) -> &Text {
        &self.view.last_event_id
    }

    /// The next that is told; `None` when nothing will be. Cancel-safe: what
    /// was read stays in here.
    pub(crate) fn poll_told(&mut self, cx: &mut Context<'_>) -> Poll<Option<Told>> {
        for _ in 0..INPUTS_PER_POLL {
            if let Some(input) = self.take_command() {
                if let Some(told) = self.take(input) {
                    return Poll::Ready(Some(told));
                }
                continue;
            }
            if let Some(told) = self.next_of_chunk() {
                return Poll::Ready(Some(told));
            }
            if std::mem::take(&mut self.wants_reset) {
                self.machine.reset();
            }
            if matches!(self.doing, Doing::Stopped) {
                return Poll::Ready(None);
            }
            let Poll::Ready(input) = self.poll_input(cx) else {
                self.wake_for_commands(cx);
                return Poll::Pending;
            };
            if let Some(told) = input.and_then(|input| self.take(input)) {
                return Poll::Ready(Some(told));
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn take_command(&mut self) -> Option<Input> {
        if !self.shared.is_commanded() {
            return None;
        }
        // Whoever commanded has taken it.
        self.waker = None;
        self.shared.take_command(&mut self.wants_reset)
    }

    fn wake_for_commands(&mut self, cx: &Context<'_>) {
        let is_known = |waker: &Waker| waker.will_wake(cx.waker());
        if !self.waker.as_ref().is_some_and(is_known) {
            self.shared.wake_for_commands(cx);
            self.waker = Some(cx.waker().clone());
        }
    }

    /// Ends the stream (A6).
    pub(crate) fn close(&mut self) {
        self.take(Input::Close);
    }

    fn next_of_chunk(&mut self) -> Option<Told> {
        if self.chunk.is_empty() {
            return None;
        }
        let mut bytes = &self.chunk[..];
        let mut has_changed = false;
        let item = self.machine.bytes(&mut bytes, self.chunk_at);
        let told = item.map(|item| match item {
            Item::Event(event) => {
                // All that an event changes.
                has_changed = self.view.last_event_id.set(event.last_event_id);
                self.place.number += 1;
                Told::Event(Event {
                    event_type: match event.event_type {
                        "" => Text::MESSAGE,
                        named => self.event_type.made(named),
                    },
                    data: event.data.to_owned(),
                    last_event_id: self.view.last_event_id.clone(),
                    has_id: event.id.is_some(),
                    retry: event.retry.map(Duration::from_millis),
                    place: self.place,
                })
            }
            Item::Retry(millis) => Told::Retry(Duration::from_millis(millis)),
            Item::Comment(text) => Told::Comment(text.to_owned()),
            Item::TooLarge(excess) => Told::TooLarge(excess),
        });
        let read = self.chunk.len() - bytes.len();
        self.chunk.advance(read);
        if !matches!(told, Some(Told::Event(_))) {
            has_changed = self.view.update(&self.machine);
        }
        self.publish(has_changed);
        told
    }

    /// Lets the handles see what has changed, if there are any.
    fn publish(&self, has_changed: bool) {
        if has_changed && self.shared.is_watched() {
            self.shared.publish(&self.view);
        }
    }

    /// Waits for what is being done, or for its time to be over. `None`: a
    /// chunk has come, or the request is on its way.
    fn poll_input(&mut self, cx: &mut Context<'_>) -> Poll<Option<Input>> {
        if let Poll::Ready(input) = self.poll_doing(cx) {
            self.waits_from = None;
            return Poll::Ready(input);
        }
        let waits_from = match self.waits_from {
            Some(time) => time,
            None => *self.waits_from.insert(self.means.runtime.now()),
        };
        ready!(self.poll_timer(waits_from, cx));
        let now = self.means.runtime.now();
        if self.was_away(waits_from, now) {
            self.waits_from = Some(now);
            ready!(self.poll_timer(now, cx));
        }
        self.waits_from = None;
        Poll::Ready(Some(Input::Timer))
    }

    /// Whether the reader was not there any more when the server's time was over.
    fn was_away(&self, waits_from: Duration, now: Duration) -> bool {
        let deadline = self.machine.deadline();
        deadline.is_some_and(|time| waits_from < time && now > time.saturating_add(LATE_READER))
    }

    fn poll_doing(&mut self, cx: &mut Context<'_>) -> Poll<Option<Input>> {
        match &mut self.doing {
            Doing::Idle => {
                let then = self.machine.begin(self.means.runtime.now());
                self.begin(then);
                Poll::Ready(None)
            }
            Doing::Preparing(prepared) => {
                prepared.as_mut().poll(cx).map(|prepared| match prepared {
                    Ok(request) => {
                        let request = self.machine.set_request(request);
                        self.doing = Doing::Sending(self.means.transport.send(request));
                        None
                    }
                    Err(error) => Some(Input::Refused(error)),
                })
            }
            Doing::Sending(sending) => sending.as_mut().poll(cx).map(|response| match response {
                Ok(response) => {
                    self.doing = Doing::Reading(response.body);
                    Some(Input::Head(response.head))
                }
                Err(error) => Some(Input::Error(error)),
            }),
            Doing::Reading(_) if self.machine.state() == State::Connecting => {
                Poll::Ready(Some(Input::Body))
            }
            Doing::Reading(body) => body.as_mut().poll_next(cx).map(|chunk| match chunk {
                Some(Ok(chunk)) => {
                    self.chunk = chunk;
                    self.chunk_at = self.means.runtime.now();
                    None
                }
                Some(Err(error)) => Some(Input::Error(error)),
                None => Some(Input::End),
            }),
            Doing::Waiting(_) | Doing::Stopped => Poll::Pending,
        }
    }

    fn poll_timer(&mut self, waits_from: Duration, cx: &mut Context<'_>) -> Poll<()> {
        let until = match self.doing {
            Doing::Waiting(until) => Some(until),
            Doing::Idle | Doing::Stopped => None,
            _ => match self.machine.deadline() {
                // The reader has come late, not the server.
                Some(time) if time <= waits_from => Some(waits_from.saturating_add(LATE_READER)),
                time => time,
            },
        };
        let Some(until) = until else {
            self.timer = None;
            return Poll::Pending;
        };
        let timer = match &mut self.timer {
            // One that fires too early is kept: each chunk moves the deadline,
            // and setting a timer for each would cost more than reading it.
            Some((at, sleep)) if *at <= until => sleep,
            none => {
                let sleep = self.means.runtime.sleep_until(until);
                &mut none.insert((until, sleep)).1
            }
        };
        ready!(timer.as_mut().poll(cx));
        self.timer = None;
        if self.means.runtime.now() < until {
            return self.poll_timer(waits_from, cx);
        }
        Poll::Ready(())
    }

    fn take(&mut self, input: Input) -> Option<Told> {
        let Step { notice, then } = self.machine.handle(input, self.means.runtime.now());
        self.begin(then);
        let has_changed = self.view.update(&self.machine);
        self.publish(has_changed);
        notice.map(Told::Notice)
    }

    fn begin(&mut self, then: Then) {
        self.doing = match then {
            Then::Connect(request) => {
                self.chunk.clear();
                match &self.means.before_attempt {
                    Some(hook) => Doing::Preparing(hook(*request)),
                    None => Doing::Sending(self.means.transport.send(*request)),
                }
            }
            Then::Redirect(request) => Doing::Sending(self.means.transport.send(*request)),
            Then::Read | Then::Continue => return,
            Then::Wait(until) => {
                self.chunk.clear();
                Doing::Waiting(until)
            }
            Then::Stop => {
                self.chunk.clear();
                Doing::Stopped
            }
        };
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.shared.closed();
    }
}
