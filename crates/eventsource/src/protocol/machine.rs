use super::{Head, Options, Request};
use crate::Error;
use std::time::Duration;
use tidings_codec::Item;

/// What an EventSource does next, from what has happened. The module's page
/// says how it is driven.
#[derive(Debug)]
pub struct Machine {
    options: Options,
}

/// Where a [`Machine`] stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// A request is out, no head has come.
    Connecting,
    /// The body is read.
    Open,
    /// Until the next attempt.
    Waiting,
    /// For good.
    Closed,
}

/// `readyState` (A4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ReadyState {
    /// No stream yet, or none any more and another is coming.
    Connecting = 0,
    /// Events may come.
    Open = 1,
    /// There will be no more.
    Closed = 2,
}

/// What has happened.
#[derive(Debug)]
pub enum Input {
    /// The head of the response has come.
    Head(Head),
    /// The body has ended.
    End,
    /// No response, or no more of it.
    Error(crate::transport::TransportError),
    /// The time of [`Then::Wait`] or of [`Machine::deadline`] has come.
    Timer,
    /// The user's hook before an attempt failed: there is no request to send.
    Refused(crate::BoxError),
    /// The user is done (A6).
    Close,
    /// The user wants a new connection now, from the last event ID.
    Restart,
}

/// What follows from an input.
#[derive(Debug)]
pub struct Step {
    /// What is to be told, if anything.
    pub notice: Option<Notice>,
    /// What is to be done.
    pub then: Then,
}

/// What is told to who watches.
#[derive(Debug)]
pub enum Notice {
    /// The connection is announced (T1).
    Open {
        /// Where the response came from, after redirects; its origin is that of
        /// the events (B4).
        url: url::Url,
    },
    /// The connection is to be reestablished (T2).
    Reconnecting {
        /// Why.
        cause: Error,
        /// How long the wait is.
        wait: Duration,
    },
    /// The connection has failed for good (T3).
    Failed(Error),
    /// The stream is complete: [`End::Complete`](super::End::Complete).
    Complete,
}

/// What the driver does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Then {
    /// A new attempt: let the user's hook change this request, if there is one
    /// ([`Machine::set_request`]), and send it.
    Connect(Box<Request>),
    /// Send this, where a redirect leads.
    Redirect(Box<Request>),
    /// Read the body.
    Read,
    /// Nothing, until this time.
    Wait(Duration),
    /// Nothing more.
    Stop,
}

impl Machine {
    /// A machine and the first thing to do, which is to connect.
    pub fn new(options: Options, now: Duration) -> (Self, Then) {
        todo!("{options:?} {now:?}")
    }

    /// Takes in what happened at `now`.
    pub fn handle(&mut self, input: Input, now: Duration) -> Step {
        todo!("{input:?} {now:?}")
    }

    /// Reads on in `bytes`, moving its start, up to the next item; `None`
    /// means that all of it has been read. Nothing comes when closed (B5).
    pub fn bytes<'a, 'b: 'a>(
        &'a mut self,
        bytes: &mut &'b [u8],
        now: Duration,
    ) -> Option<Item<'a>> {
        todo!("{bytes:?} {now:?}")
    }

    /// The request of this attempt is `request`, as the user's hook has changed
    /// it. Redirects follow from it, and drop its credentials for another origin.
    pub fn set_request(&mut self, request: Request) {
        todo!("{request:?}")
    }

    /// When the silence of the server becomes an error, in `Connect` and `Read`.
    pub fn deadline(&self) -> Option<Duration> {
        todo!()
    }

    /// Where it stands.
    pub fn state(&self) -> State {
        todo!()
    }

    /// The same as a browser tells it (A4).
    pub fn ready_state(&self) -> ReadyState {
        match self.state() {
            State::Connecting | State::Waiting => ReadyState::Connecting,
            State::Open => ReadyState::Open,
            State::Closed => ReadyState::Closed,
        }
    }

    /// The last event ID; it lives across connections (T6).
    pub fn last_event_id(&self) -> &str {
        todo!()
    }

    /// Resumes after `id` at the next attempt.
    pub fn set_last_event_id(&mut self, id: &tidings_codec::EventId) {
        todo!("{id}")
    }

    /// The reconnection time; it lives across connections (T6).
    pub fn reconnection_time(&self) -> Duration {
        self.options.policy.reconnection_time
    }

    /// Drops what has been read of an unfinished event (rule P1, `reset()`).
    pub fn reset(&mut self) {
        todo!()
    }
}
