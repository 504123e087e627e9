//! Answers as the bytes of HTTP/1.1 (RFC 9112), for those that hyper doesn't
//! write.

use crate::http::{Reply, ReplyBody};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use std::time::SystemTime;

/// All of an answer that has all of its body; of one that is a stream, an
/// answer without a body.
pub fn whole(reply: Reply, now: SystemTime) -> Bytes {
    let (head, body) = reply.into_parts();
    let body = match body {
        ReplyBody::Whole(body) => body.unwrap_or_default(),
        _ => Bytes::new(),
    };
    let length = format!("content-length: {}\r\n", body.len());
    let mut bytes = bytes_of(head.status, &head.headers, &length, now);
    bytes.extend_from_slice(&body);
    bytes.into()
}

/// The head of an answer whose body comes in chunks, after which the connection
/// ends.
pub fn chunked(status: StatusCode, headers: &HeaderMap, now: SystemTime) -> Bytes {
    let framing = match headers.contains_key(http::header::CONNECTION) {
        true => "transfer-encoding: chunked\r\n",
        false => "transfer-encoding: chunked\r\nconnection: close\r\n",
    };
    bytes_of(status, headers, framing, now).into()
}

/// A head. Names and values are those of the `http` crate, which lets no line
/// end into them.
fn bytes_of(status: StatusCode, headers: &HeaderMap, framing: &str, now: SystemTime) -> Vec<u8> {
    let reason = status.canonical_reason().unwrap_or("");
    let mut bytes = format!("HTTP/1.1 {} {reason}\r\n", status.as_u16()).into_bytes();
    for (name, value) in headers {
        bytes.extend_from_slice(name.as_str().as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    let date = httpdate::fmt_http_date(now);
    bytes.extend_from_slice(format!("{framing}date: {date}\r\n\r\n").as_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Code, Problem, respond};

    #[test]
    fn a_whole_answer_has_all_that_hyper_would_write() {
        let problem = Problem::new(Code::BadRequest, "no").closing();
        let document = problem.to_json();
        let bytes = whole(respond::problem(&problem), SystemTime::UNIX_EPOCH);
        let expect = format!(
            "HTTP/1.1 400 Bad Request\r\ncontent-type: application/problem+json\r\n\
             cache-control: no-store\r\nx-content-type-options: nosniff\r\nconnection: close\r\n\
             content-length: {}\r\ndate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n{document}",
            document.len()
        );
        assert_eq!(String::from_utf8_lossy(&bytes), expect);
    }

    #[test]
    fn a_chunked_answer_ends_its_connection() {
        let mut reply = respond::empty(StatusCode::OK);
        let expect = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\
                      date: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n";
        let bytes =
            |reply: &Reply| chunked(reply.status(), reply.headers(), SystemTime::UNIX_EPOCH);
        assert_eq!(String::from_utf8_lossy(&bytes(&reply)), expect);
        respond::set(&mut reply, http::header::CONNECTION, "close");
        let text = String::from_utf8_lossy(&bytes(&reply)).into_owned();
        assert_eq!(text.matches("connection: close").count(), 1, "{text}");
    }
}
