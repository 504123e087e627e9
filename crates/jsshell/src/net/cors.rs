//! Preflights and exposed headers of the Fetch standard's CORS protocol, for
//! `fetch()`: what an EventSource needs of it stands in its own crate.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_EXPOSE_HEADERS,
    CONTENT_TYPE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

/// Whether a request of this method with these headers goes to another origin
/// without asking first.
pub fn is_simple(method: &Method, headers: &HeaderMap) -> bool {
    is_simple_method(method) && unsafe_names(headers).is_empty()
}

/// "CORS-unsafe request-header names", sorted.
pub fn unsafe_names(headers: &HeaderMap) -> Vec<&HeaderName> {
    let mut names: Vec<_> = headers
        .iter()
        .filter(|(name, value)| !is_safe(name, value))
        .map(|(name, _)| name)
        .collect();
    names.sort_by_key(|name| name.as_str());
    names.dedup();
    names
}

/// What the answer to a preflight must allow.
pub fn preflight_allows(
    answer: &HeaderMap,
    method: &Method,
    headers: &HeaderMap,
    with_credentials: bool,
) -> bool {
    let wildcard = |list: &[String]| !with_credentials && list.iter().any(|name| name == "*");
    let methods = list(answer, &ACCESS_CONTROL_ALLOW_METHODS);
    let names = list(answer, &ACCESS_CONTROL_ALLOW_HEADERS);
    let method_allowed = is_simple_method(method)
        || methods.iter().any(|allowed| allowed == method.as_str())
        || wildcard(&methods);
    let allowed = |name: &HeaderName| {
        let named = names
            .iter()
            .any(|allowed| allowed.eq_ignore_ascii_case(name.as_str()));
        named || (wildcard(&names) && name != http::header::AUTHORIZATION)
    };
    method_allowed && unsafe_names(headers).into_iter().all(allowed)
}

/// "CORS-safelisted response-header name".
pub fn is_exposed(headers: &HeaderMap, name: &HeaderName, with_credentials: bool) -> bool {
    const SAFE: [&str; 7] = [
        "cache-control",
        "content-language",
        "content-length",
        "content-type",
        "expires",
        "last-modified",
        "pragma",
    ];
    let exposed = list(headers, &ACCESS_CONTROL_EXPOSE_HEADERS);
    let named = |exposed: &String| exposed.eq_ignore_ascii_case(name.as_str());
    SAFE.contains(&name.as_str())
        || exposed.iter().any(named)
        || (!with_credentials && exposed.iter().any(|name| name == "*"))
}

fn is_simple_method(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::POST)
}

fn is_safe(name: &HeaderName, value: &HeaderValue) -> bool {
    let bytes = value.as_bytes();
    let unsafe_byte = |byte: &u8| {
        (*byte < 0x20 && *byte != b'\t') || *byte == 0x7F || b"\"():<>?@[\\]{}".contains(byte)
    };
    let language = |byte: &u8| byte.is_ascii_alphanumeric() || b" *,-.;=".contains(byte);
    bytes.len() <= 128
        && match name.as_str() {
            "accept" => !bytes.iter().any(unsafe_byte),
            "accept-language" | "content-language" => bytes.iter().all(language),
            _ if *name == CONTENT_TYPE => is_form(bytes) && !bytes.iter().any(unsafe_byte),
            _ => false,
        }
}

fn is_form(content_type: &[u8]) -> bool {
    let essence = content_type
        .split(|byte| *byte == b';')
        .next()
        .unwrap_or_default();
    let essence = essence.trim_ascii().to_ascii_lowercase();
    let forms: [&[u8]; 3] = [
        b"application/x-www-form-urlencoded",
        b"multipart/form-data",
        b"text/plain",
    ];
    forms.contains(&essence.as_slice())
}

fn list(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    let values = headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .map(|part| part.trim().to_owned())
        .filter(|part| !part.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let lines = lines.iter().map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        });
        lines.collect()
    }

    #[test]
    fn r9_what_needs_a_preflight() {
        let get = Method::GET;
        for (method, lines, simple) in [
            (&get, &[][..], true),
            (
                &Method::POST,
                &[("content-type", "Text/Plain;charset=UTF-8")],
                true,
            ),
            (
                &Method::POST,
                &[("content-type", "application/json")],
                false,
            ),
            (&Method::PUT, &[], false),
            (&get, &[("accept", "text/event-stream")], true),
            (&get, &[("accept", "a<b")], false),
            (&get, &[("x-own", "1")], false),
        ] {
            assert_eq!(
                is_simple(method, &headers(lines)),
                simple,
                "{method} {lines:?}"
            );
        }
    }

    #[test]
    fn r9_what_a_preflight_allows() {
        let asked = headers(&[("x-own", "1"), ("authorization", "x")]);
        for (names, without, with) in [
            ("X-Own, Authorization", true, true),
            ("*, authorization", true, false),
            ("*", false, false),
            ("x-own", false, false),
        ] {
            let answer = headers(&[
                ("access-control-allow-methods", "PUT"),
                ("access-control-allow-headers", names),
            ]);
            assert_eq!(
                preflight_allows(&answer, &Method::PUT, &asked, false),
                without,
                "{names}"
            );
            assert_eq!(
                preflight_allows(&answer, &Method::PUT, &asked, true),
                with,
                "{names}"
            );
            assert!(!preflight_allows(
                &answer,
                &Method::PATCH,
                &HeaderMap::new(),
                false
            ));
        }
    }
}
