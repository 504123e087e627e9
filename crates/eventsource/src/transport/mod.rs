//! What carries a request to a server and its response back.
//!
//! A transport sends exactly the request that it is given: it follows no
//! redirect, repeats nothing and keeps no cookies; the [protocol](crate::protocol)
//! decides all that. It may compress the body on the way (and then decodes it,
//! flushing what each chunk brings), pool connections and go through proxies.
//!
//! | transport | feature | what it is |
//! | --- | --- | --- |
//! | `Hyper` | `hyper` (on) | HTTP/1.1, and with `http2` (on) HTTP/2, over TCP and TLS; the default |
//! | `Reqwest` | `reqwest` | a `reqwest` client that the application has |
//! | `Memory` | `memory` | scripted servers without a network, for tests |
//! | `WithCookies` | `cookies` | any of them, with a `Jar` |

#[cfg(feature = "hyper")]
mod coding;
#[cfg(feature = "cookies")]
mod cookies;
#[cfg(feature = "hyper")]
mod hyper;
#[cfg(feature = "memory")]
mod memory;
#[cfg(feature = "reqwest")]
mod reqwest;

#[cfg(feature = "hyper")]
pub use self::hyper::{Hyper, HyperBuilder};
#[cfg(feature = "reqwest")]
pub use self::reqwest::Reqwest;
#[cfg(feature = "cookies")]
pub use cookies::{Jar, WithCookies};
#[cfg(feature = "memory")]
pub use memory::{Answer, Exchange, Memory};

use crate::protocol::{Head, Request};
use bytes::Bytes;
use futures_core::Stream;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// Sends requests. Cheap to share: see `Arc<dyn Transport>`.
pub trait Transport: Send + Sync + 'static {
    /// Sends `request` and resolves with the head of the response as soon as
    /// it has come. Dropping the future, or the body, aborts the request (A6).
    fn send(&self, request: Request) -> Sending;
}

impl<T: Transport + ?Sized> Transport for Arc<T> {
    fn send(&self, request: Request) -> Sending {
        (**self).send(request)
    }
}

/// A request on its way.
pub type Sending = Pin<Box<dyn Future<Output = Result<Response, TransportError>> + Send>>;

/// The body of a response, as its chunks arrive. It ends after `None` or an error.
pub type Body = Pin<Box<dyn Stream<Item = Result<Bytes, TransportError>> + Send>>;

/// The head of a response, and the body behind it.
pub struct Response {
    /// Status and headers.
    pub head: Head,
    /// What follows; dropping it aborts the request.
    pub body: Body,
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("head", &self.head)
            .finish_non_exhaustive()
    }
}

/// Why a request or a response did not get through: a network error of the
/// Fetch standard.
#[derive(Debug, Clone)]
pub struct TransportError {
    /// Where it failed.
    pub kind: TransportErrorKind,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

/// Where a request or a response failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransportErrorKind {
    /// The transport doesn't speak the URL's scheme: trying again is futile.
    Scheme,
    /// The request can't be sent as it is: trying again is futile.
    Request,
    /// The host's name has no address.
    Resolve,
    /// No connection: refused, unreachable or not in time.
    Connect,
    /// The TLS handshake failed: a certificate of another host, an expired one.
    Tls,
    /// The proxy refused, or could not be reached.
    Proxy,
    /// What came is not HTTP, or breaks its rules.
    Http,
    /// The connection broke.
    Io,
    /// The body is not what its `Content-Encoding` says, or has one that the
    /// transport doesn't know.
    Encoding,
}

impl TransportError {
    /// An error of `kind`, caused by `source`, which must not quote what the
    /// server sent.
    pub fn new(
        kind: TransportErrorKind,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self {
            kind,
            source: Some(source.into().into()),
        }
    }

    /// Whether another attempt must fail too, so that none is made (the
    /// "known futile" of the standard's response table, F).
    pub fn is_futile(&self) -> bool {
        matches!(
            self.kind,
            TransportErrorKind::Scheme | TransportErrorKind::Request
        )
    }
}

impl From<TransportErrorKind> for TransportError {
    fn from(kind: TransportErrorKind) -> Self {
        Self { kind, source: None }
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            TransportErrorKind::Scheme => "the URL's scheme is not http or https",
            TransportErrorKind::Request => "the request can't be sent as it is",
            TransportErrorKind::Resolve => "the host's name could not be resolved",
            TransportErrorKind::Connect => "the server could not be reached",
            TransportErrorKind::Tls => "the TLS handshake failed",
            TransportErrorKind::Proxy => "the proxy refused or could not be reached",
            TransportErrorKind::Http => "the server broke the rules of HTTP",
            TransportErrorKind::Io => "the connection broke",
            TransportErrorKind::Encoding => "the body could not be decompressed",
        })?;
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for TransportError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// Both clients would panic elsewhere.
#[cfg(any(feature = "hyper", feature = "reqwest"))]
fn check_tokio() -> Result<(), TransportError> {
    if tokio::runtime::Handle::try_current().is_ok() {
        return Ok(());
    }
    let text = "there is no tokio runtime here: poll the stream inside of one";
    Err(TransportError::new(TransportErrorKind::Request, text))
}
