use super::{Cors, Policy};
use bytes::Bytes;
use http::{HeaderMap, Method};
use std::fmt;
use tidings_codec::{EventId, Limits};
use url::Url;

/// What to fetch, and how.
#[derive(Clone)]
pub struct Options {
    /// Where each first attempt and each reconnect goes (R6). A user and a
    /// password in it become basic authorization, which leaves the URL.
    pub url: Url,
    /// `GET` unless set.
    pub method: Method,
    /// Sent with each attempt. `Accept` and `Cache-Control` may be replaced.
    /// `Last-Event-ID` belongs to the protocol: one in here is the ID to resume
    /// after if [`last_event_id`](Self::last_event_id) is none, and isn't sent
    /// as it is.
    ///
    /// `Authorization`, `Cookie`, `Proxy-Authorization`, `Host` and values that
    /// are [marked as sensitive](http::HeaderValue::set_sensitive) don't follow
    /// a redirect to another origin.
    pub headers: HeaderMap,
    /// Replayed at each attempt.
    pub body: Option<Bytes>,
    /// Retries, backoff, timeouts, redirects.
    pub policy: Policy,
    /// Bounds of what a server may make us hold.
    pub limits: Limits,
    /// Set for a page: the checks that a browser makes. `None` for a backend,
    /// which sends cookies wherever the jar says.
    pub cors: Option<Cors>,
    /// What to resume after, from an earlier run.
    pub last_event_id: Option<EventId>,
    /// Whether comments are given.
    pub comments: bool,
    /// Seed of the jitter.
    pub seed: u64,
}

impl Options {
    /// `GET url` with `policy`; the rest as the standard has it.
    pub fn new(url: Url, policy: Policy) -> Self {
        Self {
            url,
            method: Method::GET,
            headers: HeaderMap::new(),
            body: None,
            policy,
            limits: Limits::default(),
            cors: None,
            last_event_id: None,
            comments: false,
            seed: 0,
        }
    }
}

/// Without what may be secret: the URL, the headers and the body.
impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("method", &self.method)
            .field("policy", &self.policy)
            .field("limits", &self.limits)
            .field("cors", &self.cors)
            .finish_non_exhaustive()
    }
}
