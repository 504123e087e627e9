//! Answers to requests that an application has let in.

use super::SubscribeError;
use crate::http::{Code, Problem, Reply, ReplyBody, respond};
use crate::hub::Hub;
use crate::native::soft_refusal;
use bytes::Bytes;
use http::{Response, Version};
use http_body::{Frame, SizeHint};
use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The body of an answer of the hub's: an event stream, or all of it at once.
/// Dropping it ends the stream.
///
/// It is the same for every server: axum takes it as it is, hyper too.
pub struct Body {
    /// What comes before the rest; seldom anything, so it has no room in every body.
    first: Option<Box<Bytes>>,
    rest: ReplyBody,
}

impl Body {
    pub(super) fn new(first: Option<Bytes>, rest: ReplyBody) -> Self {
        Self {
            first: first.map(Box::new),
            rest,
        }
    }
}

impl From<ReplyBody> for Body {
    fn from(rest: ReplyBody) -> Self {
        Self::new(None, rest)
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.first.take() {
            Some(first) => Poll::Ready(Some(Ok(Frame::data(*first)))),
            None => Pin::new(&mut self.rest).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match self.first {
            Some(_) => SizeHint::default(),
            None => self.rest.size_hint(),
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").finish_non_exhaustive()
    }
}

/// A reply for whatever server carries it.
pub(super) fn public(reply: Reply) -> Response<Body> {
    reply.map(Body::from)
}

/// The answer to who can't be given a stream.
pub(super) fn refusal(hub: &Hub, version: Version, error: SubscribeError) -> Response<Body> {
    public(match error {
        SubscribeError::Later(later) => soft_refusal(hub, version, later.refusal()),
        error => respond::problem(&Problem::new(Code::InvalidTopic, error.to_string())),
    })
}
