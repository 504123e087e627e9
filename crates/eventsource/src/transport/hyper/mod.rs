//! The default transport: hyper, with rustls where the URL is https.

mod builder;
mod connect;
mod proxy;
mod resolve;
mod tls;

pub use builder::HyperBuilder;

use super::{
    Response, Sending, Transport, TransportError, TransportErrorKind, check_tokio, coding,
};
use crate::protocol::{Head, Request};
use bytes::Bytes;
use connect::Connector;
use futures_core::Stream;
use http::{HeaderValue, Uri, header};
use http_body_util::{BodyDataStream, BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::{self, Client};
use proxy::Proxies;
use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// HTTP/1.1 and HTTP/2 over TCP and TLS. Cheap to clone; clones share
/// connections.
///
/// HTTP/2 is spoken where the server agrees to it in the TLS handshake (ALPN):
/// streams to a host then share a connection, which takes further ones until
/// five minutes after the last has begun. An HTTP/1.1 connection
/// carries one request and is not kept: an idle one may be closed by the server
/// at any moment, and would make a reconnect fail for no reason.
///
/// It sends the headers of the [`Request`], and besides `Host`,
/// `Content-Length` if there is a body, and `Accept-Encoding: gzip, br, zstd`
/// if there is none yet ([`HyperBuilder::compression`]). Proxies are those of
/// the environment ([`HyperBuilder::proxy`] says how).
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use tidings_eventsource::EventStream;
/// use tidings_eventsource::transport::Hyper;
///
/// let transport = Hyper::builder()
///     .connect_timeout(Duration::from_secs(5))
///     .resolve("*.internal", "10.0.0.7".parse()?)
///     .build();
/// let events = EventStream::builder("https://feed.internal/t/news")
///     .transport(transport)
///     .open()?;
/// # drop(events);
/// # Ok(())
/// # }
/// ```
///
/// Its requests must be polled inside a tokio runtime, whose I/O and time are
/// enabled. What a slow reader makes it hold is bounded: over HTTP/1.1 a chunk
/// as long as a head may be ([`HyperBuilder::max_head_size`], 64 KiB), over
/// HTTP/2 1 MiB, and of a compressed body another 64 KiB and the window of the
/// coding: 32 KiB (gzip), 16 MiB (br), 8 MiB (zstd).
#[derive(Clone)]
pub struct Hyper {
    inner: Arc<Inner>,
}

struct Inner {
    client: Client<Connector, Full<Bytes>>,
    proxies: Arc<Proxies>,
    accept_encoding: HeaderValue,
    user_agent: Option<HeaderValue>,
}

impl Hyper {
    /// With the options as they stand in [`HyperBuilder`].
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// To set options.
    pub fn builder() -> HyperBuilder {
        HyperBuilder::new()
    }
}

impl Default for Hyper {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Hyper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hyper").finish_non_exhaustive()
    }
}

impl Transport for Hyper {
    fn send(&self, request: Request) -> Sending {
        let inner = self.inner.clone();
        Box::pin(async move { inner.send(request).await })
    }
}

impl Inner {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        check_tokio()?;
        let request = self.to_http(request)?;
        let response = match self.client.request(request.clone()).await {
            Err(error) if is_unprocessed(&error) => self.client.request(request).await,
            first => first,
        };
        let (head, body) = response.map_err(from_client)?.into_parts();
        let head = Head {
            status: head.status,
            headers: head.headers,
        };
        let body = Chunks(Some(body.into_data_stream()));
        let body = coding::decoded(&head.headers, Box::pin(body));
        Ok(Response { head, body })
    }

    fn to_http(&self, request: Request) -> Result<http::Request<Full<Bytes>>, TransportError> {
        if !matches!(request.url.scheme(), "http" | "https") {
            return Err(TransportErrorKind::Scheme.into());
        }
        let uri: Uri = request
            .url
            .as_str()
            .parse()
            .map_err(|error| TransportError::new(TransportErrorKind::Request, error))?;
        let mut headers = request.headers;
        headers
            .entry(header::ACCEPT_ENCODING)
            .or_insert_with(|| self.accept_encoding.clone());
        if let Some(user_agent) = &self.user_agent {
            headers
                .entry(header::USER_AGENT)
                .or_insert_with(|| user_agent.clone());
        }
        if let Some(authorization) = self.proxies.authorization(&uri) {
            headers
                .entry(header::PROXY_AUTHORIZATION)
                .or_insert(authorization);
        }
        let mut to_send = http::Request::new(Full::new(request.body.unwrap_or_default()));
        *to_send.method_mut() = request.method;
        *to_send.uri_mut() = uri;
        *to_send.headers_mut() = headers;
        Ok(to_send)
    }
}

/// A body that ends after an error, which hyper may repeat.
struct Chunks(Option<BodyDataStream<Incoming>>);

impl Stream for Chunks {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(body) = &mut self.0 else {
            return Poll::Ready(None);
        };
        let chunk = ready!(Pin::new(body).poll_next(cx));
        if !matches!(chunk, Some(Ok(_))) {
            self.0 = None;
        }
        Poll::Ready(chunk.map(|chunk| chunk.map_err(|error| from_hyper(&error))))
    }
}

/// Whether the server says that it has not touched the request, which then may
/// be sent again whatever it does (RFC 9113, 8.7): a connection that was about
/// to be closed, or one with too many streams.
#[cfg(feature = "http2")]
fn is_unprocessed(error: &legacy::Error) -> bool {
    find::<h2::Error>(error).is_some_and(|error| {
        let refused = error.reason() == Some(h2::Reason::REFUSED_STREAM);
        let closing = error.is_go_away() && error.reason() == Some(h2::Reason::NO_ERROR);
        error.is_remote() && (refused || closing)
    })
}

/// Only HTTP/2 says that.
#[cfg(not(feature = "http2"))]
fn is_unprocessed(_: &legacy::Error) -> bool {
    false
}

fn from_client(error: legacy::Error) -> TransportError {
    if let Some(own) = find::<TransportError>(&error) {
        return own.clone();
    }
    if error.is_connect() {
        return TransportError::new(TransportErrorKind::Connect, error);
    }
    match find::<hyper::Error>(&error) {
        Some(error) => from_hyper(error),
        None => TransportError::new(TransportErrorKind::Io, error),
    }
}

#[cfg(feature = "http2")]
fn breaks_http2(error: &hyper::Error) -> bool {
    find::<h2::Error>(error).is_some_and(|error| error.is_library() || error.is_reset())
}

#[cfg(not(feature = "http2"))]
fn breaks_http2(_: &hyper::Error) -> bool {
    false
}

fn from_hyper(error: &hyper::Error) -> TransportError {
    let by_chunks = find::<io::Error>(error);
    let broken_rules = error.is_parse()
        || breaks_http2(error)
        || by_chunks.is_some_and(|error| {
            matches!(
                error.kind(),
                io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput
            )
        });
    let kind = match broken_rules {
        true => TransportErrorKind::Http,
        false => TransportErrorKind::Io,
    };
    TransportError::new(kind, reason(error))
}

/// The innermost of an error's causes, in words: those around it say only that
/// there was one.
fn reason(error: &(dyn StdError + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// The first of `error` and its causes that is an `E`.
fn find<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}
