//! What goes into a [`Machine`](super::Machine) and what comes out.

use super::{Head, Request};
use crate::transport::TransportError;
use crate::{BoxError, Error};
use std::time::Duration;
use url::Url;

/// Where a [`Machine`](super::Machine) stands.
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

impl From<State> for ReadyState {
    fn from(state: State) -> Self {
        match state {
            State::Connecting | State::Waiting => Self::Connecting,
            State::Open => Self::Open,
            State::Closed => Self::Closed,
        }
    }
}

/// What has happened.
#[derive(Debug)]
pub enum Input {
    /// The head of the response has come.
    Head(Head),
    /// There is a body to read, without a request: the first input of a machine
    /// [of a body](super::Machine::of_body).
    Body,
    /// The body has ended.
    End,
    /// No response, or no more of it.
    Error(TransportError),
    /// The time of [`Then::Wait`] or of [`Machine::deadline`](super::Machine::deadline)
    /// has come.
    Timer,
    /// The user's hook before an attempt failed: there is no request to send.
    Refused(BoxError),
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
        url: Url,
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
    /// A new attempt: drop what there is of the last one, let the user's hook
    /// change this request, if there is one
    /// ([`Machine::set_request`](super::Machine::set_request)), and send it.
    Connect(Box<Request>),
    /// Send this, where a redirect leads; drop the redirect's body.
    Redirect(Box<Request>),
    /// Read the body.
    Read,
    /// What it did before: the input made no sense here, or came too early.
    Continue,
    /// Nothing, until this time.
    Wait(Duration),
    /// Nothing more.
    Stop,
}

impl Step {
    /// The input changes nothing.
    pub(super) const CONTINUE: Self = Self {
        notice: None,
        then: Then::Continue,
    };
    /// There is nothing more to do, and nothing to tell.
    pub(super) const STOP: Self = Self {
        notice: None,
        then: Then::Stop,
    };

    pub(super) fn new(notice: Notice, then: Then) -> Self {
        Self {
            notice: Some(notice),
            then,
        }
    }
}
