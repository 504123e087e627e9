//! Responses: bytes that are there, or a stream of frames.

use crate::http::{Code, Problem};
use crate::hub::Hub;
use crate::mercure::active::Pages;
use crate::pulled::Pulled;
use crate::watch::Watch;
use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::OwnedSemaphorePermit;

/// A response of the hub.
pub type Reply = Response<ReplyBody>;

/// The body of a response.
pub enum ReplyBody {
    /// All of it, at once.
    Whole(Option<Bytes>),
    /// An event stream that has not begun.
    Watch(Arc<Hub>, Box<Watch>),
    /// An event stream that is being pulled.
    Pulled(Box<Pulled>),
    /// A document that is made as it is pulled.
    Pages(Box<Pages>),
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        // Whoever pulls the first bytes is who carries the stream.
        if let Self::Watch(..) = &*self
            && let Self::Watch(hub, watch) = std::mem::replace(&mut *self, Self::Whole(None))
        {
            *self = Self::Pulled(Box::new(Pulled::new(hub, *watch)));
        }
        match &mut *self {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Watch(..) => Poll::Ready(None),
            Self::Pulled(stream) => stream
                .poll_bytes(cx)
                .map(|bytes| bytes.map(|b| Ok(Frame::data(b)))),
            Self::Pages(pages) => Poll::Ready(pages.next().map(|piece| Ok(Frame::data(piece)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64))
            }
            Self::Watch(..) | Self::Pulled(_) | Self::Pages(_) => SizeHint::default(),
        }
    }
}

/// A response with all of its body.
pub fn whole(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Reply {
    let body = body.into();
    let mut reply = Response::new(ReplyBody::Whole((!body.is_empty()).then_some(body)));
    *reply.status_mut() = status;
    set(&mut reply, header::CONTENT_TYPE, content_type);
    set(&mut reply, header::CACHE_CONTROL, "no-store");
    set(&mut reply, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    reply
}

/// A page's text with its place among what all pages may take, until it is written.
/// Of that, only what the text has turned out to take is kept.
pub fn held(text: String, mut permit: OwnedSemaphorePermit) -> Bytes {
    struct Held {
        text: String,
        _permit: OwnedSemaphorePermit,
    }
    impl AsRef<[u8]> for Held {
        fn as_ref(&self) -> &[u8] {
            self.text.as_bytes()
        }
    }
    let needed = Hub::page_permits(text.len());
    drop(permit.split(permit.num_permits().saturating_sub(needed)));
    Bytes::from_owner(Held {
        text,
        _permit: permit,
    })
}

/// Says what an answer depends on beside its URL, on a hub that is open, or isn't.
pub fn vary(reply: &mut Reply, is_open: bool) {
    if !is_open {
        let names = HeaderValue::from_static("Authorization, Cookie");
        reply.headers_mut().append(header::VARY, names);
    }
}

/// A JSON response.
pub fn json(status: StatusCode, body: &serde_json::Value) -> Reply {
    let mut text = body.to_string();
    text.push('\n');
    whole(status, "application/json", text)
}

/// A response without a body.
pub fn empty(status: StatusCode) -> Reply {
    let mut reply = Response::new(ReplyBody::Whole(None));
    *reply.status_mut() = status;
    reply
}

/// The answer to a request that can't be granted.
pub fn problem(problem: &Problem) -> Reply {
    let mut reply = whole(
        problem.status(),
        "application/problem+json",
        problem.to_json(),
    );
    if let Some(allow) = problem.allow {
        set(&mut reply, header::ALLOW, allow);
    }
    let challenge = problem.challenge.as_deref();
    if let Some(challenge) = challenge.and_then(|text| HeaderValue::from_str(text).ok()) {
        reply
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, challenge);
    }
    if problem.close {
        set(&mut reply, header::CONNECTION, "close");
    }
    if matches!(
        problem.code,
        Code::Busy | Code::StorageFailed | Code::StorageFull
    ) {
        set(&mut reply, header::RETRY_AFTER, "1");
    }
    reply
}

/// Sets a header to a value that is known here.
pub fn set(reply: &mut Reply, name: HeaderName, value: &'static str) {
    reply
        .headers_mut()
        .insert(name, HeaderValue::from_static(value));
}
