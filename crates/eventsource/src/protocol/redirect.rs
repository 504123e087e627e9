//! Where a redirect leads (R7): the Fetch standard's "HTTP-redirect fetch".

use super::Policy;
use crate::RedirectError;
use bytes::Bytes;
use http::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_LOCATION,
    CONTENT_TYPE, COOKIE, HOST, LOCATION, PROXY_AUTHORIZATION,
};
use http::{HeaderMap, HeaderName, Method, StatusCode};
use url::Url;

/// What describes a body, and goes when it goes.
const OF_BODY: [HeaderName; 5] = [
    CONTENT_ENCODING,
    CONTENT_LANGUAGE,
    CONTENT_LENGTH,
    CONTENT_LOCATION,
    CONTENT_TYPE,
];

/// What is for one origin only; so is every value that is marked as sensitive.
const OF_ORIGIN: [HeaderName; 4] = [AUTHORIZATION, COOKIE, HOST, PROXY_AUTHORIZATION];

/// Whether a response of `status` sends its reader elsewhere: the Fetch
/// standard's "redirect status". 300, 304 and the rest are plain failures.
pub fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// The URL that a redirect from `from` names, with what it says of a user.
///
/// An empty `Location` would lead to `from` again, so it is an error.
pub(super) fn target(
    from: &Url,
    headers: &HeaderMap,
    policy: &Policy,
) -> Result<Url, RedirectError> {
    let mut locations = headers.get_all(LOCATION).iter();
    let (Some(location), None) = (locations.next(), locations.next()) else {
        return Err(RedirectError::NoLocation);
    };
    let location = text(location.as_bytes().trim_ascii());
    if location.is_empty() {
        return Err(RedirectError::NoLocation);
    }
    let url = from
        .join(&location)
        .map_err(|_| RedirectError::InvalidLocation)?;
    match (from.scheme(), url.scheme()) {
        ("https", "http") if !policy.allow_downgrade => Err(RedirectError::Downgrade),
        (_, "http" | "https") => Ok(url),
        _ => Err(RedirectError::Scheme),
    }
}

/// Makes a request what a redirect of `status` says: a GET without a body and
/// without what described it, after 301 and 302 for a POST, after 303 for all but
/// GET and HEAD. Else it stays as it is.
pub fn redirect_request(
    status: StatusCode,
    method: &mut Method,
    headers: &mut HeaderMap,
    body: &mut Option<Bytes>,
) {
    let changes = match status.as_u16() {
        301 | 302 => *method == Method::POST,
        303 => *method != Method::GET && *method != Method::HEAD,
        _ => false,
    };
    if !changes {
        return;
    }
    *method = Method::GET;
    *body = None;
    for name in &OF_BODY {
        headers.remove(name);
    }
}

/// Drops what a request to another origin doesn't say: `Authorization`, `Cookie`,
/// `Host`, `Proxy-Authorization` and values that are marked as sensitive. It
/// isn't known again on the way back.
pub fn drop_credentials(headers: &mut HeaderMap) {
    let sensitive = headers.iter().filter(|(_, value)| value.is_sensitive());
    let sensitive: Vec<HeaderName> = sensitive.map(|(name, _)| name.clone()).collect();
    for name in OF_ORIGIN.iter().chain(&sensitive) {
        headers.remove(name);
    }
}

/// Locations come as UTF-8, or else as Latin-1.
fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().copied().map(char::from).collect(),
    }
}
