//! Why a server refuses, as its problem document (RFC 9457) says it.

use bytes::Bytes;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;
use tidings_eventsource::protocol::Request;
use tidings_eventsource::transport::{Body, Hyper, Response, Sending, Transport, TransportError};

/// How much of a document is read.
const DOCUMENT_BYTES: usize = 64 << 10;
/// How long it may take.
const DOCUMENT_TIME: Duration = Duration::from_secs(2);
/// How much of its text is shown, in characters.
const DETAIL_CHARS: usize = 200;

/// The `detail` of a problem document, as far as it is safe to show.
pub fn detail(document: &[u8]) -> Option<String> {
    let document: serde_json::Value = serde_json::from_slice(document).ok()?;
    let shown = document["detail"].as_str()?.chars();
    let shown: String = shown
        .filter(|c| !c.is_control())
        .take(DETAIL_CHARS)
        .collect();
    Some(shown).filter(|detail| !detail.is_empty())
}

/// Reads a body, up to `limit` bytes of it.
///
/// # Errors
/// Those of the transport.
pub async fn read(body: &mut Body, limit: usize) -> Result<Vec<u8>, TransportError> {
    let mut read = Vec::new();
    while let Some(chunk) = poll_fn(|cx| body.as_mut().poll_next(cx)).await {
        let chunk = chunk?;
        let left = limit - read.len();
        read.extend_from_slice(&chunk[..chunk.len().min(left)]);
        if read.len() == limit {
            break;
        }
    }
    Ok(read)
}

/// A transport that keeps what the last refusal has said: a stream's error has
/// only its status.
pub struct Explaining {
    transport: Hyper,
    said: Said,
}

/// What the last refusal has said.
#[derive(Debug, Clone, Default)]
pub struct Said(Arc<Mutex<Option<(StatusCode, String)>>>);

impl Said {
    /// The detail of the last answer, if that had this status.
    pub fn of(&self, status: StatusCode) -> Option<String> {
        let said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (of, detail) = said.as_ref()?;
        (*of == status).then(|| detail.clone())
    }

    fn set(&self, said: Option<(StatusCode, String)>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = said;
    }
}

impl Explaining {
    pub fn new(transport: Hyper) -> Self {
        let said = Said::default();
        Self { transport, said }
    }

    pub fn said(&self) -> Said {
        self.said.clone()
    }
}

impl Transport for Explaining {
    fn send(&self, request: Request) -> Sending {
        let (sending, said) = (self.transport.send(request), self.said.clone());
        Box::pin(async move {
            let mut response = sending.await?;
            said.set(None);
            let status = response.head.status;
            let content_type = response.head.headers.get(CONTENT_TYPE);
            let is_problem = content_type
                .is_some_and(|value| value.as_bytes().starts_with(b"application/problem+json"));
            if !is_problem || status.is_success() {
                return Ok(response);
            }
            let document = read(&mut response.body, DOCUMENT_BYTES);
            if let Ok(Ok(document)) = tokio::time::timeout(DOCUMENT_TIME, document).await {
                said.set(detail(&document).map(|detail| (status, detail)));
            }
            let (head, body) = (response.head, Box::pin(Nothing));
            Ok(Response { head, body })
        })
    }
}

/// The body of a response that was read already.
struct Nothing;

impl futures_core::Stream for Nothing {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> Poll<Option<Self::Item>> {
        Poll::Ready(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_are_shown_without_controls_and_not_at_length() {
        let long = format!("{{\"detail\":\"\u{9b}{}\\u001b[31m\\n\"}}", "ü".repeat(300));
        let table = [
            ("{\"detail\":\"not you\"}", Some("not you".to_owned())),
            ("{\"detail\":\"a\\u0007b\\r\\nc\"}", Some("abc".to_owned())),
            (&long, Some("ü".repeat(200))),
            ("{\"detail\":\"\\n\"}", None),
            ("{\"detail\":7}", None),
            ("{}", None),
            ("<html>", None),
            ("", None),
        ];
        for (document, expected) in table {
            assert_eq!(detail(document.as_bytes()), expected, "{document}");
        }
    }

    #[test]
    fn what_was_said_is_of_one_status() {
        let said = Said::default();
        assert_eq!(said.of(StatusCode::FORBIDDEN), None);
        said.set(Some((StatusCode::FORBIDDEN, "no".to_owned())));
        assert_eq!(said.of(StatusCode::FORBIDDEN).as_deref(), Some("no"));
        assert_eq!(said.of(StatusCode::NOT_FOUND), None);
    }
}
