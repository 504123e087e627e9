//! CORS (Fetch standard): off unless origins are listed, never `*`.

use crate::http::{Reply, respond};
use http::header::{self, HeaderValue};
use http::{HeaderMap, StatusCode};
use std::collections::HashSet;

/// What pages may read besides the headers that all may: among them what tells
/// where a Mercure stream starts, and which hub tells of a document's changes.
const EXPOSED: &str = "ETag, Last-Event-ID, Link, Mercure-Last-Event-ID, Retry-After";

/// The origins whose pages may use the hub.
#[derive(Debug, Default)]
pub struct Cors {
    origins: HashSet<Box<str>>,
}

impl Cors {
    /// Allows exactly these serialised origins (`https://app.example`), with credentials.
    pub fn new(origins: impl IntoIterator<Item = String>) -> Self {
        Self {
            origins: origins.into_iter().map(String::into_boxed_str).collect(),
        }
    }

    /// Whether the page at `origin` may use the hub: byte by byte, so that
    /// neither `null` nor another case, port or scheme passes.
    pub fn allows(&self, origin: &HeaderValue) -> bool {
        origin
            .to_str()
            .is_ok_and(|origin| self.origins.contains(origin))
    }

    /// Adds what lets the page of an allowed origin read the reply.
    pub fn permit(&self, origin: Option<&HeaderValue>, reply: &mut Reply) {
        if self.origins.is_empty() {
            return;
        }
        // Not `insert`: a reply may vary by Accept too.
        reply
            .headers_mut()
            .append(header::VARY, HeaderValue::from_static("Origin"));
        if let Some(origin) = origin.filter(|origin| self.allows(origin)) {
            reply
                .headers_mut()
                .insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            respond::set(reply, header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
            respond::set(reply, header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        }
    }

    /// Answers `OPTIONS`: `204`, which permits something only to allowed origins.
    pub fn preflight(&self, request: &HeaderMap) -> Reply {
        let mut reply = respond::empty(StatusCode::NO_CONTENT);
        if request
            .get(header::ORIGIN)
            .is_some_and(|origin| self.allows(origin))
        {
            respond::set(
                &mut reply,
                header::ACCESS_CONTROL_ALLOW_METHODS,
                "GET, HEAD, QUERY, POST, PUT, DELETE",
            );
            respond::set(
                &mut reply,
                header::ACCESS_CONTROL_ALLOW_HEADERS,
                "Accept, Authorization, Cache-Control, Content-Type, Idempotency-Key, Last-Event-ID",
            );
            respond::set(&mut reply, header::ACCESS_CONTROL_MAX_AGE, "600");
        }
        reply
    }
}
