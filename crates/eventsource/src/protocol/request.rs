//! The request of an attempt (E).

use super::Options;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::header::{
    ACCEPT, AUTHORIZATION, CACHE_CONTROL, COOKIE, ORIGIN, PRAGMA, PROXY_AUTHORIZATION,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use percent_encoding::percent_decode_str;
use std::fmt;
use tidings_codec::EventId;
use url::Url;

pub(super) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// One request as it goes to the server: nothing is added but what carries it
/// (`Host`, `Content-Length`, `Accept-Encoding`, cookies if it says so).
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Where to; without a fragment, a user's name and a password.
    pub url: Url,
    /// `Accept`, `Cache-Control`, `Last-Event-ID` as UTF-8 bytes (R4), `Origin`
    /// where a page would send it, and what the user has set.
    pub headers: HeaderMap,
    /// The body, the same at each attempt.
    pub body: Option<Bytes>,
    /// Whether cookies go along and are taken from the response (R1, R8).
    pub cookies: bool,
}

impl Request {
    /// A request of one's own, for a [`Transport`](crate::transport::Transport):
    /// a user that the URL names goes into `Authorization`, unless that is
    /// given. Sends cookies.
    pub fn new(method: Method, url: &Url, headers: HeaderMap, body: Option<Bytes>) -> Self {
        let (url, user) = without_user(url);
        let mut request = Self {
            method,
            url,
            headers,
            body,
            cookies: true,
        };
        request.authorize(user);
        request
    }

    /// The first request of an attempt, which goes to the original URL (R6).
    pub(super) fn first(options: &Options, last_event_id: &str) -> Self {
        let (url, user) = without_user(&options.url);
        let mut headers = options.headers.clone();
        headers.remove(LAST_EVENT_ID);
        set_default(&mut headers, ACCEPT, "text/event-stream"); // R2
        set_default(&mut headers, CACHE_CONTROL, "no-cache"); // R3
        if let Some(id) = header_of(last_event_id) {
            headers.insert(LAST_EVENT_ID, id); // R4
        }
        let mut cookies = true;
        if let Some(cors) = &options.cors {
            // Fetch adds it for servers of HTTP/1.0; RFC 9111 section 5.4 has
            // deprecated it, so only pages send it.
            set_default(&mut headers, PRAGMA, "no-cache");
            let taint = cors.taint(&url);
            cookies = cors.sends_credentials(taint);
            match cors.origin_header(taint) {
                Some(origin) => headers.insert(ORIGIN, origin),
                None => headers.remove(ORIGIN),
            };
        }
        mark_credentials(&mut headers);
        let mut request = Self {
            method: options.method.clone(),
            url,
            headers,
            body: options.body.clone(),
            cookies,
        };
        request.authorize(user);
        request
    }

    /// As [`Request::url`] is to be, after somebody else had it in hand.
    pub(super) fn with_user_in_header(mut self) -> Self {
        let (url, user) = without_user(&self.url);
        self.url = url;
        mark_credentials(&mut self.headers);
        self.authorize(user);
        self
    }

    /// Says who the user of the URL is, unless a header does already or
    /// credentials don't go along.
    pub(super) fn authorize(&mut self, user: Option<HeaderValue>) {
        if let Some(user) = user
            && self.cookies
            && !self.headers.contains_key(AUTHORIZATION)
        {
            self.headers.insert(AUTHORIZATION, user);
        }
    }
}

/// Without what may be secret: the query, the body, and headers that are
/// credentials or [marked as sensitive](HeaderValue::set_sensitive).
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut url = self.url.clone();
        url.set_query(None);
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("url", &without_user(&url).0.as_str())
            .field("headers", &self.headers)
            .finish_non_exhaustive()
    }
}

/// Marks what is a credential by its name, so that nothing that prints a request
/// shows it.
fn mark_credentials(headers: &mut HeaderMap) {
    for name in [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION] {
        if let http::header::Entry::Occupied(mut values) = headers.entry(name) {
            values
                .iter_mut()
                .for_each(|value| value.set_sensitive(true));
        }
    }
}

/// `url` as it may go out, and basic authorization (RFC 7617) for the user that
/// it names.
pub(super) fn without_user(url: &Url) -> (Url, Option<HeaderValue>) {
    let mut bare = url.clone();
    bare.set_fragment(None);
    if url.username().is_empty() && url.password().is_none() {
        return (bare, None);
    }
    // It fails for URLs that have no host, and those have no user.
    let _ = bare.set_username("");
    let _ = bare.set_password(None);
    let mut user: Vec<u8> = percent_decode_str(url.username()).collect();
    user.push(b':');
    user.extend(percent_decode_str(url.password().unwrap_or_default()));
    let value = HeaderValue::try_from(format!("Basic {}", BASE64.encode(user)));
    let value = value.ok().map(|mut value| {
        value.set_sensitive(true);
        value
    });
    (bare, value)
}

/// R4: the UTF-8 bytes. R5: an ID that no header can carry, because it holds
/// control characters, is not sent.
fn header_of(last_event_id: &str) -> Option<HeaderValue> {
    if last_event_id.is_empty() {
        return None;
    }
    HeaderValue::from_bytes(last_event_id.as_bytes()).ok()
}

fn set_default(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers
        .entry(name)
        .or_insert(HeaderValue::from_static(value));
}

/// What the stream resumes after at first: [`Options::last_event_id`], or else a
/// `Last-Event-ID` among the user's headers that is an event's ID.
pub(super) fn seed_of(options: &Options) -> Option<EventId> {
    options.last_event_id.clone().or_else(|| {
        let value = options.headers.get(LAST_EVENT_ID)?;
        EventId::new(std::str::from_utf8(value.as_bytes()).ok()?).ok()
    })
}
