//! The machine: one table, and a function for each thing that can follow.

use super::attempt::Attempt;
use super::idle::Silence;
use super::media_type::is_event_stream;
use super::redirect::is_redirect;
use super::request::seed_of;
use super::retry_after::retry_after;
use super::step::{Input, Notice, ReadyState, State, Step, Then};
use super::wait::{Next, Outcome, Said, Stood, Waits};
use super::{End, Head, Options, Policy, Request};
use crate::Error;
use std::time::Duration;
use tidings_codec::{Decoder, EventId, Item, Limits};
use url::Url;

/// What an EventSource does next, from what has happened. The module's page
/// says how it is driven.
#[derive(Debug)]
pub struct Machine {
    options: Options,
    /// Whether there is a server; else there is a body, and when it is over, it
    /// is over (P1).
    connects: bool,
    phase: Phase,
    attempt: Attempt,
    decoder: Decoder,
    reconnection_time: Duration,
    waits: Waits,
    silence: Silence,
    /// Or what was too large to be one. Since the start, or a restart.
    had_event: bool,
}

#[derive(Debug)]
enum Phase {
    Connecting { since: Duration },
    Open(Stream),
    Waiting { until: Duration },
    Closed,
}

#[derive(Debug)]
struct Stream {
    since: Duration,
    brought_event: bool,
    said_retry: bool,
}

impl Machine {
    /// A machine and the first thing to do, which is to connect.
    pub fn new(options: Options, now: Duration) -> (Self, Then) {
        let machine = Self::at_start(options, true, now);
        let then = machine.connection();
        (machine, then)
    }

    /// Begins at `now`, as a machine that is made then, but for the last event
    /// ID and the reconnection time, which stay: for a driver that begins later
    /// than it is made. Nothing is begun where there is no server, or once it
    /// is closed.
    pub fn begin(&mut self, now: Duration) -> Then {
        match self.state() {
            State::Closed => return Then::Stop,
            _ if !self.connects => return Then::Continue,
            _ => {}
        }
        self.leave_stream(now);
        self.waits.reset(now);
        self.had_event = false;
        self.connect(now)
    }

    /// A machine over a body that is there already (rule P1,
    /// `fromReadableStream`). It begins at [`State::Connecting`], opens at
    /// [`Input::Body`], and fails when the body ends or breaks; it never
    /// connects. What it says of its URL is `about:event-stream`, so that the
    /// origin of its events is `null`.
    pub fn of_body(limits: Limits, now: Duration) -> (Self, Then) {
        let url = Url::parse("about:event-stream").expect("a URL");
        let mut options = Options::new(url, Policy::standard());
        options.limits = limits;
        (Self::at_start(options, false, now), Then::Continue)
    }

    fn at_start(options: Options, connects: bool, now: Duration) -> Self {
        let mut decoder = Decoder::with_limits(options.limits);
        if options.comments {
            decoder = decoder.with_comments();
        }
        if let Some(id) = seed_of(&options) {
            decoder.set_last_event_id(&id);
        }
        let policy = &options.policy;
        Self {
            connects,
            phase: Phase::Connecting { since: now },
            attempt: Attempt::new(&options, decoder.last_event_id()),
            decoder,
            reconnection_time: policy.reconnection_time,
            waits: Waits::new(policy.backoff, policy.budget, options.seed, now),
            silence: Silence::new(policy.idle),
            had_event: false,
            options,
        }
    }

    /// Takes in what happened at `now`. Every input is legal in every state:
    /// one that makes no sense there changes nothing ([`Then::Continue`]).
    pub fn handle(&mut self, input: Input, now: Duration) -> Step {
        use {Input as I, State as S};
        match (self.state(), input) {
            (S::Closed, _) => Step::STOP,
            (_, I::Close) => self.close(None),
            (_, I::Restart) => self.restart(now),

            (S::Connecting, I::Head(head)) => self.decide(&head, now),
            (S::Connecting, I::Body) => self.begin_body(now),
            (S::Connecting, I::Error(error)) => self.lose(Error::Transport(error), None, now),
            (S::Connecting, I::Refused(error)) => self.lose(Error::Hook(error), None, now),
            (S::Connecting, I::Timer) => self.check_silence(now),
            (S::Connecting, I::End) => Step::CONTINUE,

            (S::Open, I::End) => self.end(now),
            (S::Open, I::Error(error)) => self.lose(Error::Transport(error), None, now),
            (S::Open, I::Timer) => self.check_silence(now),
            (S::Open, I::Head(_) | I::Body | I::Refused(_)) => Step::CONTINUE,

            (S::Waiting, I::Timer) => self.reconnect(now),
            (S::Waiting, I::Head(_) | I::Body | I::End | I::Error(_) | I::Refused(_)) => {
                Step::CONTINUE
            }
        }
    }

    /// Reads on in `bytes`, moving its start, up to the next item; `None`
    /// means that all of it has been read. Unless the state is
    /// [`State::Open`], all of it is passed over: nothing comes when closed (B5).
    ///
    /// Give the same `now` for all of a chunk: when it came.
    #[inline]
    pub fn bytes<'a, 'b: 'a>(
        &'a mut self,
        bytes: &mut &'b [u8],
        now: Duration,
    ) -> Option<Item<'a>> {
        let Phase::Open(stream) = &mut self.phase else {
            *bytes = &[];
            return None;
        };
        if !bytes.is_empty() {
            self.silence.heard(now);
        }
        let item = self.decoder.next(bytes);
        match &item {
            Some(Item::Event(_)) => (stream.brought_event, self.had_event) = (true, true),
            Some(Item::TooLarge(_)) => self.had_event = true,
            Some(Item::Retry(millis)) => {
                // F8: at once; T6: for every connection from now on.
                let (least, most) = self.options.policy.retry_range;
                let time = Duration::from_millis(*millis);
                self.reconnection_time = time.min(most).max(least);
                stream.said_retry = true;
            }
            _ => {}
        }
        item
    }

    /// The request of this attempt is `request`, as the user's hook has changed
    /// it; what is to be sent is returned, with the user of a URL in a header.
    /// Redirects follow from it, and drop its credentials for another origin;
    /// the next attempt is made from the options again.
    pub fn set_request(&mut self, request: Request) -> Request {
        let request = request.with_user_in_header();
        self.attempt = Attempt::of(request.clone(), &self.options);
        request
    }

    /// When the silence of the server becomes an error: while connecting, the
    /// policy's head timeout after each request was given out, the time of the
    /// user's hook included; while open, the policy's idle timeout after the
    /// last bytes. `None`: never.
    pub fn deadline(&self) -> Option<Duration> {
        match &self.phase {
            Phase::Connecting { since } if self.connects => {
                Some(since.saturating_add(self.options.policy.head_timeout?))
            }
            Phase::Open(_) => self.silence.deadline(),
            Phase::Connecting { .. } | Phase::Waiting { .. } | Phase::Closed => None,
        }
    }

    /// Where it stands.
    pub fn state(&self) -> State {
        match self.phase {
            Phase::Connecting { .. } => State::Connecting,
            Phase::Open(_) => State::Open,
            Phase::Waiting { .. } => State::Waiting,
            Phase::Closed => State::Closed,
        }
    }

    /// The same as a browser tells it (A4).
    pub fn ready_state(&self) -> ReadyState {
        self.state().into()
    }

    /// The last event ID; it lives across connections (T6).
    pub fn last_event_id(&self) -> &str {
        self.decoder.last_event_id()
    }

    /// Resumes after `id` at the next attempt.
    pub fn set_last_event_id(&mut self, id: &EventId) {
        self.decoder.set_last_event_id(id);
    }

    /// The reconnection time; it lives across connections (T6).
    pub fn reconnection_time(&self) -> Duration {
        self.reconnection_time
    }

    /// Drops what has been read of an unfinished event, its `id` included (rule
    /// P1, `reset()`). The next byte is read as the first of a stream.
    pub fn reset(&mut self) {
        self.decoder.reset();
    }

    /// The response decision table (F).
    fn decide(&mut self, head: &Head, now: Duration) -> Step {
        if !self.connects {
            return Step::CONTINUE;
        }
        if !self.attempt.is_allowed(head, &self.options) {
            return self.close(Some(Error::Cors));
        }
        match head.status.as_u16() {
            200 if is_event_stream(&head.headers) => self.open(now),
            200 => self.close(Some(Error::ContentType)),
            _ if is_redirect(head.status) => self.follow(head, now),
            _ => {
                let retry_after = retry_after(&head.headers);
                let error = Error::Status {
                    status: head.status,
                    retry_after,
                };
                self.lose(error, retry_after.map(Said::RetryAfter), now)
            }
        }
    }

    fn follow(&mut self, head: &Head, now: Duration) -> Step {
        if let Err(error) = self.attempt.follow(head, &self.options) {
            return self.close(Some(error));
        }
        self.phase = Phase::Connecting { since: now };
        let request = self.attempt.request().clone();
        Step {
            notice: None,
            then: Then::Redirect(Box::new(request)),
        }
    }

    fn begin_body(&mut self, now: Duration) -> Step {
        match self.connects {
            true => Step::CONTINUE,
            false => self.open(now),
        }
    }

    /// Announces the connection (T1).
    fn open(&mut self, now: Duration) -> Step {
        self.silence.begin(now);
        self.phase = Phase::Open(Stream {
            since: now,
            brought_event: false,
            said_retry: false,
        });
        let url = self.attempt.request().url.clone();
        Step::new(Notice::Open { url }, Then::Read)
    }

    fn end(&mut self, now: Duration) -> Step {
        if self.options.policy.end == End::Complete {
            self.phase = Phase::Closed;
            return Step::new(Notice::Complete, Then::Stop);
        }
        self.lose(Error::Ended, None, now)
    }

    fn check_silence(&mut self, now: Duration) -> Step {
        match self.deadline() {
            Some(deadline) if now >= deadline => {
                let timeout = match self.phase {
                    Phase::Open(_) => self.silence.timeout(),
                    _ => self.options.policy.head_timeout,
                };
                self.lose(Error::Silent(timeout.unwrap_or_default()), None, now)
            }
            _ => Step::CONTINUE,
        }
    }

    /// Reestablishes the connection (T2), or fails it (T3) if the policy has
    /// no more attempt for `cause`.
    fn lose(&mut self, cause: Error, said: Option<Said>, now: Duration) -> Step {
        let stream = self.leave_stream(now);
        let policy = &self.options.policy;
        if !self.connects || !policy.retries.covers(&cause, self.had_event) {
            return self.close(Some(cause));
        }
        let said_retry = stream.as_ref().is_some_and(|stream| stream.said_retry);
        let outcome = Outcome {
            said: said.or(said_retry.then_some(Said::Retry)),
            stream: stream.map(|stream| Stood {
                time: now.saturating_sub(stream.since),
                brought_event: stream.brought_event,
            }),
        };
        match self.waits.after(&outcome, self.reconnection_time, now) {
            Next::Wait(wait) => {
                let until = now.saturating_add(wait);
                self.phase = Phase::Waiting { until };
                Step::new(Notice::Reconnecting { cause, wait }, Then::Wait(until))
            }
            Next::GiveUp(attempts) => self.close(Some(Error::GaveUp {
                attempts,
                last: Box::new(cause),
            })),
        }
    }

    fn leave_stream(&mut self, now: Duration) -> Option<Stream> {
        self.decoder.reset(); // D6
        match std::mem::replace(&mut self.phase, Phase::Closed) {
            Phase::Open(stream) => {
                self.silence.end(now);
                Some(stream)
            }
            _ => None,
        }
    }

    fn reconnect(&mut self, now: Duration) -> Step {
        match self.phase {
            Phase::Waiting { until } if now < until => Step::CONTINUE,
            _ => Step {
                notice: None,
                then: self.connect(now),
            },
        }
    }

    fn restart(&mut self, now: Duration) -> Step {
        if !self.connects {
            return Step::CONTINUE;
        }
        let notice = Notice::Reconnecting {
            cause: Error::Restarted,
            wait: Duration::ZERO,
        };
        Step::new(notice, self.begin(now))
    }

    fn connect(&mut self, now: Duration) -> Then {
        self.phase = Phase::Connecting { since: now };
        self.attempt = Attempt::new(&self.options, self.decoder.last_event_id());
        self.connection()
    }

    fn connection(&self) -> Then {
        Then::Connect(Box::new(self.attempt.request().clone()))
    }

    /// Closes, and fails (T3) if there is an error; without one it fires
    /// nothing (A6).
    fn close(&mut self, error: Option<Error>) -> Step {
        self.phase = Phase::Closed;
        Step {
            notice: error.map(Notice::Failed),
            then: Then::Stop,
        }
    }
}
