//! The start page: watch a topic, publish to it, copy the lines that do so.

use crate::http::{Reply, respond};
use http::StatusCode;
use http::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY};

const PAGE: &str = include_str!("page.html");

/// Answers with the page. It takes the topic from its own address.
pub fn reply() -> Reply {
    let mut reply = respond::whole(StatusCode::OK, "text/html; charset=utf-8", PAGE);
    // Everything the page needs is in it, and it shows what anyone may publish.
    let policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; \
                  img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    respond::set(&mut reply, CONTENT_SECURITY_POLICY, policy);
    respond::set(&mut reply, REFERRER_POLICY, "no-referrer");
    reply
}
