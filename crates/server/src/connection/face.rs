//! From a request to its answer, whatever brought the one and takes the other.

use super::times::Times;
use crate::http::body::RequestBody;
use crate::http::cors::Cors;
use crate::http::guard::Guard;
use crate::http::{Problem, Reply, ReplyBody, respond};
use crate::http1::Answering;
use crate::hub::Hub;
use crate::places::{Asking, Place};
use crate::sys::Transport;
use crate::{native, tls};
use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{HeaderMap, Method, Request, Response, Version};
use http_body::{Body, Frame, SizeHint};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// What all connections of a listener share.
pub struct Face {
    pub hub: Arc<Hub>,
    pub guard: Guard,
    pub cors: Arc<Cors>,
    /// For HTTPS.
    pub tls: Option<Arc<tls::Acceptor>>,
    pub times: Times,
}

/// A request that is being answered.
pub struct Begun {
    /// The request's version.
    pub version: Version,
    /// The origin of the page that asks, if one does.
    pub origin: Option<HeaderValue>,
    /// Its URL holds what nobody else should see.
    pub secret: bool,
    /// How far it is.
    pub begun: Result<native::Begun, Problem>,
}

impl Begun {
    /// Whether its answer ends the connection, so that nothing behind it may be
    /// looked at.
    pub fn is_last(&self) -> bool {
        match &self.begun {
            Ok(native::Begun::Answered(reply)) => closes(reply.headers()),
            Ok(native::Begun::Submitted(_)) => false,
            Err(problem) => problem.close,
        }
    }
}

impl Face {
    /// Answers a request.
    pub async fn answer(&self, request: Request<RequestBody>, place: &Place) -> Reply {
        let begun = self.begin(request, place).await;
        self.finish(begun, false).await
    }

    /// Begins to: as far as the order of the log asks for.
    pub async fn begin(&self, mut request: Request<RequestBody>, place: &Place) -> Begun {
        // Streams are counted against it.
        request.extensions_mut().insert(place.clone());
        Begun {
            version: request.version(),
            origin: request.headers().get(header::ORIGIN).cloned(),
            secret: self.hub.auth().is_in_query(request.uri()),
            begun: self.admitted(request).await,
        }
    }

    /// The answer. `more` says that answers to requests follow that have begun.
    pub async fn finish(&self, begun: Begun, more: bool) -> Reply {
        finish(&self.hub, &self.cors, begun, more).await
    }

    async fn admitted(&self, request: Request<RequestBody>) -> Result<native::Begun, Problem> {
        if !native::is_exempt(request.uri().path()) {
            self.guard.check(&request, &self.cors)?;
        }
        if *request.method() == Method::OPTIONS {
            let reply = self.cors.preflight(request.headers());
            return Ok(native::Begun::Answered(reply));
        }
        native::begin(&self.hub, request).await
    }
}

/// As [`Face::finish`], wherever the request came in.
pub async fn finish(hub: &Hub, cors: &Cors, begun: Begun, more: bool) -> Reply {
    let reply = match begun.begun {
        Ok(begun) => begun.answer().await,
        Err(problem) => Err(problem),
    };
    let mut reply = reply.unwrap_or_else(|problem| {
        hub.metrics().count_problem(problem.code.as_str());
        respond::problem(&problem)
    });
    if let ReplyBody::Watch(_, watch) = reply.body_mut() {
        watch.transport = Transport::Http(begun.version);
    }
    cors.permit(begun.origin.as_ref(), &mut reply);
    if begun.secret {
        respond::set(&mut reply, header::REFERRER_POLICY, "no-referrer");
    }
    // While the hub drains, every connection is answered once.
    if begun.version < Version::HTTP_2 && !more && hub.drain().has_begun() {
        respond::set(&mut reply, header::CONNECTION, "close");
    }
    reply
}

/// Whether an answer says that it is the last of its connection.
pub fn closes(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONNECTION)
        .is_some_and(|value| value == "close")
}

/// The body of an answer, which counts as answered when this is dropped.
pub struct Answer {
    body: ReplyBody,
    _answering: (Answering, Asking),
}

impl Answer {
    /// Counts `reply`.
    pub fn to(reply: Reply, answering: (Answering, Asking)) -> Response<Self> {
        reply.map(|body| Self {
            body,
            _answering: answering,
        })
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
