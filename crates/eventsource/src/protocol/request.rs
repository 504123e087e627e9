use bytes::Bytes;
use http::{HeaderMap, Method};
use url::Url;

/// One request as it goes to the server: nothing is added but what carries it
/// (`Host`, `Content-Length`, `Accept-Encoding`, cookies if it says so).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Where to; without a fragment.
    pub url: Url,
    /// `Accept`, `Cache-Control`, `Last-Event-ID` as UTF-8 bytes (R4), `Origin`
    /// where a page would send it, and what the user has set.
    pub headers: HeaderMap,
    /// The body, the same at each attempt.
    pub body: Option<Bytes>,
    /// Whether cookies go along and are taken from the response (R1, R8).
    pub cookies: bool,
}
