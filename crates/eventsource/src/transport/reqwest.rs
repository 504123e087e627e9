//! A transport on somebody's own client.

use super::{Body, Response, Sending, Transport, TransportError, TransportErrorKind, check_tokio};
use crate::protocol::{Head, Request};
use futures_util::stream;
use http::{HeaderMap, header};
use std::fmt;
use url::Url;

/// Sends requests by a `reqwest` client: one that an application has, with its
/// proxies, certificates and connections.
///
/// What the client is built with holds; TLS, HTTP/2 and decompression are those
/// of the features that the application's `reqwest` has. Three things matter:
///
/// - It must not follow redirects, which the protocol does, with what the
///   standard says of credentials and origins: [`Reqwest::new`] sees to it. A
///   client that does is told as [`TransportErrorKind::Request`] when it has.
/// - It must have no total timeout (`timeout`): it would end every stream.
/// - It asks for compression and decodes it if its features say so. What comes
///   compressed otherwise is [`TransportErrorKind::Encoding`].
///
/// Its own cookie store, if it has one, knows nothing of
/// [`Request::cookies`]; `WithCookies` does.
#[derive(Clone)]
pub struct Reqwest {
    client: ::reqwest::Client,
}

impl Reqwest {
    /// Builds a client that follows no redirects.
    ///
    /// # Errors
    ///
    /// If the client can't be built.
    pub fn new(builder: ::reqwest::ClientBuilder) -> Result<Self, TransportError> {
        let client = builder
            .redirect(::reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| TransportError::new(TransportErrorKind::Request, error))?;
        Ok(Self { client })
    }
}

impl From<::reqwest::Client> for Reqwest {
    /// The client must have been built with `redirect::Policy::none()`.
    fn from(client: ::reqwest::Client) -> Self {
        Self { client }
    }
}

impl fmt::Debug for Reqwest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reqwest").finish_non_exhaustive()
    }
}

impl Transport for Reqwest {
    fn send(&self, request: Request) -> Sending {
        let client = self.client.clone();
        Box::pin(async move { send(client, request).await })
    }
}

async fn send(client: ::reqwest::Client, request: Request) -> Result<Response, TransportError> {
    check_tokio()?;
    if !matches!(request.url.scheme(), "http" | "https") {
        return Err(TransportErrorKind::Scheme.into());
    }
    let asked = request.url.clone();
    let mut to_send = ::reqwest::Request::new(request.method, request.url);
    *to_send.headers_mut() = request.headers;
    *to_send.body_mut() = request.body.map(Into::into);
    let response = client.execute(to_send).await.map_err(from_reqwest)?;
    if is_elsewhere(&asked, response.url()) {
        return Err(followed());
    }
    let head = Head {
        status: response.status(),
        headers: response.headers().clone(),
    };
    let body: Body = if is_encoded(&head.headers) {
        let text = "the reqwest client was built without what decodes it";
        let error = TransportError::new(TransportErrorKind::Encoding, text);
        Box::pin(stream::once(async { Err(error) }))
    } else {
        Box::pin(stream::try_unfold(response, |mut response| async {
            let chunk = response.chunk().await.map_err(from_reqwest)?;
            Ok(chunk.map(|bytes| (bytes, response)))
        }))
    };
    Ok(Response { head, body })
}

/// Whether the client went from `asked` to another URL.
fn is_elsewhere(asked: &Url, got: &Url) -> bool {
    let without_fragment = |url: &Url| {
        let mut url = url.clone();
        url.set_fragment(None);
        url
    };
    without_fragment(asked) != without_fragment(got)
}

/// Whether there is a coding that the client has not decoded: it takes the
/// header away when it does.
fn is_encoded(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(header::CONTENT_ENCODING).iter();
    codings.any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

fn followed() -> TransportError {
    let text = "the reqwest client has followed a redirect: build it with \
                redirect::Policy::none(), or let Reqwest::new do it";
    TransportError::new(TransportErrorKind::Request, text)
}

fn from_reqwest(error: ::reqwest::Error) -> TransportError {
    if error.is_redirect() {
        return followed();
    }
    let kind = if error.is_builder() {
        TransportErrorKind::Request
    } else if error.is_connect() {
        TransportErrorKind::Connect
    } else {
        TransportErrorKind::Io
    };
    // The URL may hold secrets.
    TransportError::new(kind, error.without_url())
}
