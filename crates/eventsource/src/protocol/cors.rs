//! What a page may fetch and read: the parts of the Fetch standard that bind an
//! EventSource (R1, R9).
//!
//! No preflight is made: `Last-Event-ID` goes out without one, as browsers do,
//! and a page's EventSource sets no other header.

use http::header::{ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_ORIGIN};
use http::{HeaderMap, HeaderName, HeaderValue};
use url::{Origin, Url};

/// As whose request the stream is fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cors {
    /// The origin of the page. A response of another origin must allow it (R9).
    pub origin: Origin,
    /// Whether cookies go along (R1).
    pub credentials: Credentials,
}

/// The credentials mode of the Fetch standard, as far as EventSource has it (R1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Credentials {
    /// To the page's own origin only.
    #[default]
    SameOrigin,
    /// To every origin, which must allow it.
    Include,
}

/// What a chain of requests has seen of other origins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Taint {
    /// It has gone to another origin than the page's: every response from then
    /// on must allow the page (Fetch, response tainting "cors").
    pub(super) cors: bool,
    /// It was sent on from one foreign origin to another: it speaks for nobody
    /// any more (Fetch, redirect-taint).
    pub(super) opaque_origin: bool,
}

impl Cors {
    /// The taint of a chain that begins at `url`.
    pub(super) fn taint(&self, url: &Url) -> Taint {
        Taint {
            cors: self.is_foreign(url),
            opaque_origin: false,
        }
    }

    /// The taint of a chain that is sent on from one URL to another.
    pub(super) fn taint_after(&self, taint: Taint, from: &Url, to: &Url) -> Taint {
        Taint {
            cors: taint.cors || self.is_foreign(to),
            opaque_origin: taint.opaque_origin
                || (self.is_foreign(from) && from.origin() != to.origin()),
        }
    }

    pub(super) fn is_foreign(&self, url: &Url) -> bool {
        url.origin() != self.origin
    }

    /// Whether cookies, and credentials of the URL, go along.
    pub(super) fn sends_credentials(&self, taint: Taint) -> bool {
        self.credentials == Credentials::Include || !taint.cors
    }

    /// What `Origin` says of a tainted chain.
    pub(super) fn origin_header(&self, taint: Taint) -> Option<HeaderValue> {
        taint.cors.then(|| match taint.opaque_origin {
            true => HeaderValue::from_static("null"),
            false => HeaderValue::from_str(&self.origin.ascii_serialization())
                .unwrap_or(HeaderValue::from_static("null")),
        })
    }

    /// The Fetch standard's "CORS check" of a response.
    pub(super) fn allows(&self, taint: Taint, headers: &HeaderMap) -> bool {
        let Some(own) = self.origin_header(taint) else {
            return true;
        };
        cors_check(headers, &own, self.credentials == Credentials::Include)
    }
}

/// Whether a page may read a response of another origin with these `headers`:
/// the Fetch standard's "CORS check". `origin` is what the request said as
/// `Origin`, `include` whether its credentials mode is "include".
pub fn cors_check(headers: &HeaderMap, origin: &HeaderValue, include: bool) -> bool {
    match single(headers, ACCESS_CONTROL_ALLOW_ORIGIN) {
        Some(b"*") if !include => true,
        Some(allowed) if allowed == origin.as_bytes() => {
            !include || single(headers, ACCESS_CONTROL_ALLOW_CREDENTIALS) == Some(b"true")
        }
        _ => false,
    }
}

/// The value of a header that is there once; one that is there twice would be a
/// list, which never is an origin.
fn single(headers: &HeaderMap, name: HeaderName) -> Option<&[u8]> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => Some(value.as_bytes().trim_ascii()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r9_who_may_read() {
        let allow = "access-control-allow-origin";
        let credentials = ("access-control-allow-credentials", "true");
        let own = HeaderValue::from_static("http://a.test");
        for (lines, without, with) in [
            (&[][..], false, false),
            (&[(allow, "*")], true, false),
            (&[(allow, "http://a.test")], true, false),
            (&[(allow, "http://a.test"), credentials], true, true),
            (&[(allow, "*"), credentials], true, false),
            (&[(allow, "http://b.test"), credentials], false, false),
            (
                &[(allow, "http://a.test"), (allow, "http://a.test")],
                false,
                false,
            ),
        ] {
            let headers: HeaderMap = lines
                .iter()
                .map(|(name, value)| {
                    (
                        HeaderName::from_static(name),
                        HeaderValue::from_static(value),
                    )
                })
                .collect();
            assert_eq!(cors_check(&headers, &own, false), without, "{lines:?}");
            assert_eq!(cors_check(&headers, &own, true), with, "{lines:?}");
        }
    }
}
