//! What of a connection's bytes may pass.

use super::body::{Broken, Framing};
use super::head::{Head, Kind, Progress};
use super::refusal::Refusal;
use std::ops::Range;

/// How HTTP/2 begins without TLS (RFC 9113, 3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// How many whole requests pass at once at most, and begin together.
pub const TOGETHER: usize = 64;

/// Follows the requests of one connection.
#[derive(Debug)]
pub struct Gate {
    state: State,
    heads: usize,
}

#[derive(Debug)]
enum State {
    /// Nothing of the connection has passed.
    Start,
    Head(Progress),
    /// Before a head that is held back.
    Held(Head),
    /// Before a head that was held back and no longer is.
    Released(Head),
    Body(Framing, Then),
    /// Behind the last request.
    Behind,
    /// HTTP/2, which has rules of its own.
    Open,
    Shut,
}

/// What may follow a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Another,
    Nothing,
}

/// What a [`Gate`] says of bytes.
#[derive(Debug, PartialEq, Eq)]
pub struct Verdict {
    /// So many may pass. The rest is to be shown again, with what has come since.
    pub pass: usize,
    /// Nothing passes behind them.
    pub end: Option<End>,
    /// What of them is a publish request from its first byte to its last, in
    /// their order; [`TOGETHER`] at most. Then the rest is to be shown again
    /// even if nothing comes.
    pub whole: Vec<Whole>,
}

/// Where a whole request stands in the bytes that were shown.
#[derive(Debug, PartialEq, Eq)]
pub struct Whole {
    /// How many heads had passed before it.
    pub number: usize,
    /// Its head.
    pub head: Range<usize>,
    /// Where its body ends, which begins behind the head.
    pub end: usize,
}

/// Why nothing more passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// A head breaks the rules: to be answered, after what came before it.
    Head(Refusal),
    /// A body does: its request is already being answered.
    Body,
    /// Bytes stand behind a request that was to be the last. They are nobody's,
    /// and get no answer.
    Behind,
}

impl Gate {
    /// A gate before a connection's first byte.
    pub fn new() -> Self {
        Self {
            state: State::Start,
            heads: 0,
        }
    }

    /// How many heads have passed.
    pub fn heads(&self) -> usize {
        self.heads
    }

    /// Whether the connection is one of HTTP/2.
    pub fn is_http2(&self) -> bool {
        matches!(self.state, State::Open)
    }

    /// How long the head is that the next bytes are and that doesn't pass until
    /// it is released: a [`Kind::Get`] with nothing behind it.
    pub fn held(&self) -> Option<usize> {
        match &self.state {
            State::Held(head) => Some(head.len),
            _ => None,
        }
    }

    /// Lets the head that is held back pass, once the bytes are shown again.
    pub fn release(&mut self) {
        self.state = match std::mem::replace(&mut self.state, State::Shut) {
            State::Held(head) => State::Released(head),
            state => state,
        };
    }

    /// Whether a head has begun that has not ended; the empty line that some
    /// send behind a body begins none.
    pub fn is_within_head(&self, rest: &[u8]) -> bool {
        matches!(self.state, State::Start | State::Head(_)) && !b"\r\n".starts_with(rest)
    }

    /// Whether a body has begun that has not ended.
    pub fn is_within_body(&self) -> bool {
        matches!(self.state, State::Body(..))
    }

    /// Judges the bytes that have not passed yet.
    pub fn judge(&mut self, bytes: &[u8]) -> Verdict {
        let mut verdict = Verdict {
            pass: 0,
            end: None,
            whole: Vec::new(),
        };
        while verdict.whole.len() < TOGETHER {
            let pass = &mut verdict.pass;
            let rest = &bytes[*pass..];
            let next = match &mut self.state {
                State::Start if rest.len() < PREFACE.len() && PREFACE.starts_with(rest) => None,
                State::Start if rest.starts_with(PREFACE) => Some(State::Open),
                State::Start => Some(State::Head(Progress::default())),
                State::Open => {
                    *pass = bytes.len();
                    None
                }
                State::Shut | State::Held(_) => None,
                State::Head(progress) => match progress.read(rest) {
                    Ok(None) => None,
                    Ok(Some(head)) if head.kind == Kind::Get && head.len == rest.len() => {
                        Some(State::Held(head))
                    }
                    Ok(Some(head)) => Some(State::Released(head)),
                    Err(refusal) => return self.shut(verdict, End::Head(refusal)),
                },
                State::Released(head) => {
                    let begin = *pass;
                    *pass += head.len;
                    if let Kind::Post(body) = head.kind
                        && let Ok(body) = usize::try_from(body)
                        && body <= rest.len() - head.len
                    {
                        verdict.whole.push(Whole {
                            number: self.heads,
                            head: begin..*pass,
                            end: *pass + body,
                        });
                    }
                    self.heads += 1;
                    let then = if head.last {
                        Then::Nothing
                    } else {
                        Then::Another
                    };
                    Some(State::Body(head.framing.clone(), then))
                }
                State::Behind if b"\r\n".starts_with(rest) => None,
                State::Behind => return self.shut(verdict, End::Behind),
                State::Body(framing, then) => match framing.take(rest, |_| {}) {
                    Err(Broken) => return self.shut(verdict, End::Body),
                    Ok(len) => {
                        *pass += len;
                        framing.is_over().then(|| match then {
                            Then::Another => State::Head(Progress::default()),
                            Then::Nothing => State::Behind,
                        })
                    }
                },
            };
            match next {
                Some(next) => self.state = next,
                None => break,
            }
        }
        verdict
    }

    /// What passes of `bytes` if nothing is held back, and why no more does.
    #[cfg(any(test, feature = "fuzz"))]
    pub fn judge_all(&mut self, bytes: &[u8]) -> (usize, Option<End>) {
        let mut pass = 0;
        loop {
            let verdict = self.judge(&bytes[pass..]);
            pass += verdict.pass;
            let more = self.held().is_some() || verdict.whole.len() == TOGETHER;
            if verdict.end.is_some() || !more {
                return (pass, verdict.end);
            }
            self.release();
        }
    }

    fn shut(&mut self, mut verdict: Verdict, end: End) -> Verdict {
        self.state = State::Shut;
        verdict.end = Some(end);
        verdict
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What passes of `bytes`, however they are cut, and why no more does.
    fn judged(bytes: &[u8], size: usize) -> (usize, Option<End>) {
        let mut gate = Gate::new();
        let (mut passed, mut came) = (0, 0);
        while came < bytes.len() {
            came = (came + size).min(bytes.len());
            let (pass, end) = gate.judge_all(&bytes[passed..came]);
            passed += pass;
            if end.is_some() {
                return (passed, end);
            }
        }
        (passed, None)
    }

    #[track_caller]
    fn check(bytes: &[u8], expect: (usize, Option<End>)) {
        let mut sizes = vec![1, 2, 3, 7, 64, 4096, bytes.len().max(1)];
        sizes.retain(|size| *size > 1 || bytes.len() < 10_000);
        for size in sizes {
            let (passed, end) = judged(bytes, size);
            assert_eq!(end, expect.1, "in pieces of {size}: {}", shown(bytes));
            // Of a broken body, more or less may have passed before.
            if end != Some(End::Body) {
                assert_eq!(passed, expect.0, "in pieces of {size}: {}", shown(bytes));
            }
        }
    }

    fn shown(bytes: &[u8]) -> String {
        bytes[..bytes.len().min(200)].escape_ascii().to_string()
    }

    const FINE: &str = "POST /t/a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc";

    /// Refused as the first request, behind a body, and behind an empty line too many.
    #[track_caller]
    fn check_refused(head: &str, refusal: Refusal) {
        check(head.as_bytes(), (0, Some(End::Head(refusal))));
        let second = format!("{FINE}{head}");
        check(second.as_bytes(), (FINE.len(), Some(End::Head(refusal))));
    }

    #[track_caller]
    fn check_passes(bytes: &str) {
        check(bytes.as_bytes(), (bytes.len(), None));
        let twice = format!("{bytes}{bytes}{FINE}");
        check(twice.as_bytes(), (twice.len(), None));
    }

    #[test]
    fn requests_that_keep_the_rules_pass() {
        for request in [
            FINE,
            "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
            "GET /t/a?b=%20c HTTP/1.0\r\nConnection: x, Keep-Alive\r\n\r\n",
            "GET http://h/t/a HTTP/1.1\r\nHost: h\r\n\r\n",
            "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
            "GET / HTTP/1.1\r\nX-Odd:\t\u{e9}, \r\nEmpty:\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        ] {
            check_passes(request);
        }
        // RFC 9112, 2.2: an empty line too many behind a body.
        let twice = format!("{FINE}\r\n{FINE}");
        check(twice.as_bytes(), (twice.len(), None));
        let long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(65_000));
        check_passes(&long);
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(100));
        check_passes(&many);
    }

    #[test]
    fn c11_nothing_passes_behind_a_last_request() {
        for last in [
            "GET / HTTP/1.0\r\n\r\n",
            "GET / HTTP/1.0\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n",
            "GET / HTTP/1.1\r\nConnection: close\r\n\r\n",
            "GET / HTTP/1.1\r\nConnection: keep-alive,\t CLOSE \r\n\r\n",
            "POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc",
        ] {
            check(last.as_bytes(), (last.len(), None));
            let empty_line = format!("{last}\r\n");
            check(empty_line.as_bytes(), (last.len(), None));
            for behind in [FINE, "\r\nGET / HTTP/1.1\r\n\r\n", "\0", "\r\r"] {
                let all = format!("{last}{behind}");
                check(all.as_bytes(), (last.len(), Some(End::Behind)));
            }
        }
        check_passes("GET / HTTP/1.1\r\nConnection: close\u{e9}, close\r\n\r\n");
        check_passes("GET / HTTP/1.1\r\nConnection: closed, x-close\r\n\r\n");
    }

    #[test]
    fn c12_an_upgrade_is_a_request_like_others() {
        check_passes("GET / HTTP/1.1\r\nHost: h\r\nUpgrade: h2c\r\nConnection: upgrade, x\r\n\r\n");
    }

    #[test]
    fn a_get_with_nothing_behind_it_is_held_back() {
        const GET: &str = "GET /t/a HTTP/1.1\r\nHost: h\r\n\r\n";
        for (bytes, held) in [
            (GET.to_owned(), Some((0, GET.len()))),
            (format!("{FINE}{GET}"), Some((FINE.len(), GET.len()))),
            (format!("{GET}\r\n"), None),
            (format!("{GET}{GET}"), Some((GET.len(), GET.len()))),
            (GET[..GET.len() - 1].to_owned(), None),
            (GET.replace("GET", "HEAD"), None),
            (GET.replace("1.1", "1.0"), None),
            (GET.replace("Host", "Content-Length: 0\r\nHost"), None),
            (GET.replace("Host", "Content-Length: 1\r\nHost"), None),
            (
                GET.replace("Host", "Transfer-Encoding: chunked\r\nHost"),
                None,
            ),
            (GET.replace("Host", "Expect: 100-continue\r\nHost"), None),
        ] {
            let mut gate = Gate::new();
            let verdict = gate.judge(bytes.as_bytes());
            let got = gate.held().map(|len| (verdict.pass, len));
            assert_eq!(got, held, "{bytes}");
            if let Some((pass, len)) = held {
                let rest = &bytes.as_bytes()[pass..];
                assert_eq!(gate.judge(rest).pass, 0, "{bytes}");
                gate.release();
                assert_eq!(gate.judge(rest).pass, len, "{bytes}");
            }
        }
    }

    #[test]
    fn c11_whole_publish_requests_are_found() {
        let chunked = "POST /t/a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
        let empty = "POST /t/a HTTP/1.1\r\nHost: h\r\n\r\n";
        let part = &FINE[..FINE.len() - 1];
        let all = format!("{FINE}\r\n{empty}{chunked}{FINE}{part}");
        let mut gate = Gate::new();
        let found = gate.judge(all.as_bytes()).whole;
        let texts: Vec<_> = found
            .iter()
            .map(|whole| (whole.number, &all[whole.head.start..whole.end]))
            .collect();
        let spaced = format!("\r\n{empty}");
        assert_eq!(texts, [(0, FINE), (1, spaced.as_str()), (3, FINE)]);
        let many = FINE.repeat(2 * TOGETHER + 1);
        let (mut gate, mut passed) = (Gate::new(), 0);
        for expect in [TOGETHER, TOGETHER, 1, 0] {
            let verdict = gate.judge(&many.as_bytes()[passed..]);
            assert_eq!(verdict.whole.len(), expect);
            passed += verdict.pass;
        }
        assert_eq!(passed, many.len());
    }

    #[test]
    fn c13_http_2_is_left_alone() {
        let bytes = [PREFACE, b"\0\0\0\x04\0\0\0\0\0", &[0xff; 100]].concat();
        check(&bytes, (bytes.len(), None));
        check(&PREFACE[..23], (0, None));
        check(
            b"PRI * HTTP/2.0\r\n\r\nXX",
            (0, Some(End::Head(Refusal::RequestLine))),
        );
        // Only a connection begins with it.
        let late = [FINE.as_bytes(), PREFACE].concat();
        check(&late, (FINE.len(), Some(End::Head(Refusal::RequestLine))));
    }

    #[test]
    fn c1_c2_c3_framing_that_two_could_read_differently() {
        use Refusal::{ContentLength, Header, TransferEncoding, TwoFramings};
        for (headers, refusal) in [
            (
                "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
                TwoFramings,
            ),
            (
                "Transfer-Encoding: chunked\r\ncontent-length: 5\r\n",
                TwoFramings,
            ),
            ("Content-Length: 5\r\nContent-Length: 6\r\n", ContentLength),
            ("Content-Length: 5\r\nContent-Length: 5\r\n", ContentLength),
            ("Content-Length: 3,3\r\n", ContentLength),
            ("Content-Length: 3, 3\r\n", ContentLength),
            ("Content-Length: +3\r\n", ContentLength),
            ("Content-Length: -1\r\n", ContentLength),
            ("Content-Length: 0x3\r\n", ContentLength),
            ("Content-Length: a\r\n", ContentLength),
            ("Content-Length:\r\n", ContentLength),
            ("Content-Length: 1180591620717411303424\r\n", ContentLength),
            ("Content-Length: 18446744073709551616\r\n", ContentLength),
            ("Content-Length: 18446744073709551615\r\n", ContentLength),
            ("Content-Length: 9223372036854775808\r\n", ContentLength),
            ("Content-Length: 3\u{a0}\r\n", ContentLength),
            ("Transfer-Encoding: chunked\u{a0}\r\n", TransferEncoding),
            ("Transfer-Encoding: chunked;q=1\r\n", TransferEncoding),
            ("Transfer-Encoding : chunked\r\n", Header),
            ("Transfer-Encoding: xchunked\r\n", TransferEncoding),
            ("Transfer-Encoding: chunked, identity\r\n", TransferEncoding),
            ("Transfer-Encoding: gzip, chunked\r\n", TransferEncoding),
            ("Transfer-Encoding: identity\r\n", TransferEncoding),
            ("Transfer-Encoding:\r\n", TransferEncoding),
            (
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
                TransferEncoding,
            ),
        ] {
            check_refused(
                &format!("POST / HTTP/1.1\r\n{headers}\r\n0\r\n\r\n"),
                refusal,
            );
        }
        check_refused(
            "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
            TransferEncoding,
        );
    }

    #[test]
    fn c6_c7_lines_and_names() {
        use Refusal::{Header, LineEnd};
        for (head, refusal) in [
            ("GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", Header),
            ("GET / HTTP/1.1\r\nA: b\r\n\tc\r\n\r\n", Header),
            ("GET / HTTP/1.1\r\n A: b\r\n\r\n", Header),
            ("GET / HTTP/1.1\r\nA b: c\r\n\r\n", Header),
            ("GET / HTTP/1.1\r\nA\r\n\r\n", Header),
            ("GET / HTTP/1.1\r\n: b\r\n\r\n", Header),
            ("GET / HTTP/1.1\r\n\u{e9}: b\r\n\r\n", Header),
            ("GET / HTTP/1.1\r\nA: b\rc\r\n\r\n", LineEnd),
            ("GET / HTTP/1.1\r\nA: b\0c\r\n\r\n", LineEnd),
            ("GET / HTTP/1.1\r\nA: b\x7f\r\n\r\n", LineEnd),
            ("GET / HTTP/1.1\nA: b\n\n", LineEnd),
            ("GET / HTTP/1.1\r\nA: b\n\r\n", LineEnd),
            ("GET / HTTP/1.1\r\nA: b\r\n\n", LineEnd),
        ] {
            check_refused(head, refusal);
        }
    }

    #[test]
    fn c9_heads_that_are_too_large() {
        let headers = |count: usize| "A: b\r\n".repeat(count);
        let get = |target: &str, headers: &str| format!("GET /{target} HTTP/1.1\r\n{headers}\r\n");
        check_refused(&get("", &headers(101)), Refusal::TooLarge);
        let long = format!("A: {}\r\n", "x".repeat(1 << 20));
        check_refused(&get("", &long), Refusal::TooLarge);
        let name = format!("{}: x\r\n", "a".repeat(65_536));
        check_refused(&get("", &name), Refusal::TooLarge);
        check_refused(&get(&"x".repeat(65_534), ""), Refusal::TargetTooLong);
        check_refused(&get(&"x".repeat(1 << 20), ""), Refusal::TargetTooLong);
    }

    #[test]
    fn c10_what_is_not_http_1() {
        use Refusal::{LineEnd, RequestLine, Version};
        for (head, refusal) in [
            ("GET / HTTP/2.0\r\n\r\n", Version),
            ("GET / HTTP/9.9\r\n\r\n", Version),
            ("GET / HTTP/1.2\r\n\r\n", Version),
            ("GET / HTTP/1\r\n\r\n", RequestLine),
            ("GET / http/1.1\r\n\r\n", RequestLine),
            ("get / HTTP/1.1\r\n\r\n", RequestLine),
            ("Get / HTTP/1.1\r\n\r\n", RequestLine),
            ("GET  / HTTP/1.1\r\n\r\n", RequestLine),
            (" GET / HTTP/1.1\r\n\r\n", RequestLine),
            ("GET / \r\n\r\n", RequestLine),
            ("GET /\r\n\r\n", RequestLine),
            ("GET / HTTP/1.1 \r\n\r\n", RequestLine),
            ("GET t/a HTTP/1.1\r\n\r\n", RequestLine),
            ("GET * HTTP/1.1\r\n\r\n", RequestLine),
            ("GET ftp://h/ HTTP/1.1\r\n\r\n", RequestLine),
            ("GET /t/a#b HTTP/1.1\r\n\r\n", RequestLine),
            ("GET /t/<a> HTTP/1.1\r\n\r\n", RequestLine),
            ("GET http:// HTTP/1.1\r\n\r\n", RequestLine),
            ("GET /\u{e9} HTTP/1.1\r\n\r\n", RequestLine),
            ("CONNECT h:80 HTTP/1.1\r\n\r\n", RequestLine),
            ("SSH-2.0-OpenSSH_9.2\r\n", RequestLine),
            ("\x16\x03\x01\x02\0\x01\0", LineEnd),
            ("\r\n\r\nGET / HTTP/1.1\r\n\r\n", RequestLine),
            ("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", RequestLine),
        ] {
            check_refused(head, refusal);
        }
    }

    #[test]
    fn c8_c11_nothing_passes_behind_a_broken_body() {
        let broken = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n";
        check(format!("{broken}{FINE}").as_bytes(), (0, Some(End::Body)));
    }
}
