//! Why a request can't be read on, and what its sender is told.

use super::wire;
use crate::http::{Code, Problem, respond};
use bytes::Bytes;
use std::time::SystemTime;

/// What is wrong with a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The first line is not a request line of HTTP/1.
    RequestLine,
    /// A protocol version other than 1.0 and 1.1.
    Version,
    /// The target is longer than [`head::MAX_TARGET`](super::head::MAX_TARGET).
    TargetTooLong,
    /// A line that doesn't end in CR LF, or a control character.
    LineEnd,
    /// A header line that is none, among them one that continues another.
    Header,
    /// Head or number of headers beyond the limits.
    TooLarge,
    /// Not exactly one `Content-Length` of digits.
    ContentLength,
    /// Not exactly `chunked`, or in HTTP/1.0.
    TransferEncoding,
    /// Both of them.
    TwoFramings,
    /// A request without TLS on a port that speaks nothing else.
    NotTls,
}

impl Refusal {
    fn problem(self) -> Problem {
        let (code, detail) = match self {
            Self::RequestLine => (
                Code::BadRequest,
                "the first line is not a request line of HTTP/1.1: a method in capitals, a target, a version",
            ),
            Self::Version => (
                Code::VersionNotSupported,
                "this port speaks HTTP/1.1, HTTP/1.0 and HTTP/2",
            ),
            Self::TargetTooLong => (
                Code::UriTooLong,
                "the request's target is longer than 65,534 bytes",
            ),
            Self::LineEnd => (
                Code::BadRequest,
                "a line of the head doesn't end in CR LF, or holds a control character",
            ),
            Self::Header => (
                Code::BadRequest,
                "a line of the head is not 'Name: value' on one line",
            ),
            Self::TooLarge => (
                Code::HeadTooLarge,
                "the head is larger than 128 KiB or has more than 100 headers",
            ),
            Self::ContentLength => (
                Code::BadRequest,
                "'Content-Length' must stand once and be a number of bytes in digits",
            ),
            Self::TransferEncoding => (
                Code::BadRequest,
                "'Transfer-Encoding' must stand once, be 'chunked', and in HTTP/1.1",
            ),
            Self::TwoFramings => (
                Code::BadRequest,
                "a request has 'Content-Length' or 'Transfer-Encoding', not both",
            ),
            Self::NotTls => (
                Code::BadRequest,
                "this port speaks TLS; the URL must begin with https://",
            ),
        };
        Problem::new(code, detail).closing()
    }

    /// The code, for the metrics.
    pub fn code(self) -> Code {
        self.problem().code
    }

    /// The whole answer, after which the connection is closed.
    pub fn response(self) -> Bytes {
        wire::whole(respond::problem(&self.problem()), SystemTime::now())
    }
}
