//! How long a connection may hold what it has without saying anything.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep};

/// The times of a connection. What a body or a stream may take is said where
/// they are read and written.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// From the beginning to the end of the first head: whether the peer is
    /// silent, stops within the preface of HTTP/2 or within a head. Over HTTP/2,
    /// to the first request.
    pub first_head: Duration,
    /// From the first byte of a later head to its last; over HTTP/2, the time
    /// that a block of headers may be incomplete.
    pub head: Duration,
    /// Without a request, with all answers written. Over HTTP/2, pings are no
    /// requests.
    pub idle: Duration,
    /// For a peer that takes nothing of what is written to it.
    pub stall: Duration,
    /// For answers under way when something behind them ends the connection.
    pub last_answers: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            first_head: Duration::from_secs(10),
            head: Duration::from_secs(10),
            idle: Duration::from_secs(60),
            stall: Duration::from_secs(30),
            last_answers: Duration::from_secs(5),
        }
    }
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// The end of the first head.
    FirstHead,
    /// The end of a later one.
    Head,
    /// Another request.
    Request,
    /// Room for what is written.
    Room,
    /// The last answers.
    Answers,
}

impl Times {
    /// How long that may take.
    pub fn of(&self, wait: Wait) -> Duration {
        match wait {
            Wait::FirstHead => self.first_head,
            Wait::Head => self.head,
            Wait::Request => self.idle,
            Wait::Room => self.stall,
            Wait::Answers => self.last_answers,
        }
    }
}

/// A timer of a connection: it waits for one thing at a time.
#[derive(Default)]
pub struct Patience {
    wait: Option<Wait>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    /// Resolves when what is waited for has taken too long; the time begins
    /// when it is first waited for, and ends when something else is.
    pub fn poll(&mut self, wait: Option<Wait>, times: &Times, cx: &mut Context<'_>) -> Poll<Wait> {
        let is_new = wait != self.wait;
        self.wait = wait;
        let Some(wait) = wait else {
            return Poll::Pending;
        };
        let timer = match &mut self.timer {
            Some(timer) => {
                if is_new {
                    timer.as_mut().reset(Instant::now() + times.of(wait));
                }
                timer
            }
            none => none.insert(Box::pin(sleep(times.of(wait)))),
        };
        timer.as_mut().poll(cx).map(|()| wait)
    }

    /// What a write came to, while a socket that takes nothing is waited for.
    pub fn poll_written(
        &mut self,
        written: Poll<io::Result<usize>>,
        times: &Times,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if written.is_pending() {
            ready!(self.poll(Some(Wait::Room), times, cx));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        self.renew();
        written
    }

    /// Something came, so that the time of whatever is waited for begins anew.
    pub fn renew(&mut self) {
        self.wait = None;
    }
}
