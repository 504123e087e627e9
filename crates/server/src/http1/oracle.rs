//! The gate against hyper: what passes the one, the other reads as the same
//! requests. For tests and fuzzing.

use super::body::Framing;
use super::gate::{End, Gate, PREFACE};
use super::head::Progress;
use http::{Method, Request, Response, Uri};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// A request as a reader understands it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Understood {
    method: Method,
    target: Uri,
    body: Vec<u8>,
    /// Whether its body has come to its end.
    whole: bool,
}

/// Sends `input`, cut into pieces of the sizes in `cuts` in turn (0 stands for
/// 256), through a gate and to hyper.
///
/// # Errors
/// What the two understand differently.
pub fn check(input: &[u8], cuts: &[u8]) -> Result<(), String> {
    let pieces = cut(input, cuts);
    let (passed, end) = pass(&pieces);
    let (at_once, end_at_once) = pass(&[input]);
    let kind = |end: Option<End>| end.map(|end| std::mem::discriminant(&end));
    if kind(end) != kind(end_at_once) {
        return Err(format!("in pieces {end:?}, at once {end_at_once:?}"));
    }
    if passed != at_once && end != Some(End::Body) {
        let lens = (passed.len(), at_once.len());
        return Err(format!("what passes depends on the pieces: {lens:?}"));
    }
    if input.starts_with(PREFACE) {
        return Ok(());
    }
    let gate = gate_understands(&passed)?;
    let hyper = hyper_understands(&cut(&passed, cuts));
    if gate != hyper {
        return Err(format!("of what passed, gate: {gate:?}; hyper: {hyper:?}"));
    }
    let without = hyper_understands(&pieces);
    let agree = gate.len() <= without.len()
        && gate.iter().zip(&without).all(|(gate, hyper)| {
            (gate.method == hyper.method && gate.target == hyper.target)
                && (gate == hyper || !gate.whole)
        });
    match agree {
        true => Ok(()),
        false => Err(format!("gate: {gate:?}; hyper alone: {without:?}")),
    }
}

fn cut<'a>(mut bytes: &'a [u8], cuts: &[u8]) -> Vec<&'a [u8]> {
    let mut sizes = cuts.iter().cycle();
    let mut pieces = Vec::new();
    while !bytes.is_empty() {
        let size = match sizes.next() {
            None => bytes.len(),
            Some(0) => 256,
            Some(size) => usize::from(*size),
        };
        let (piece, rest) = bytes.split_at(size.min(bytes.len()));
        pieces.push(piece);
        bytes = rest;
    }
    pieces
}

/// What a gate lets pass, and why no more.
fn pass(pieces: &[&[u8]]) -> (Vec<u8>, Option<End>) {
    let mut gate = Gate::new();
    let (mut passed, mut held) = (Vec::new(), Vec::new());
    for piece in pieces {
        held.extend_from_slice(piece);
        let (pass, end) = gate.judge_all(&held);
        passed.extend(held.drain(..pass));
        if end.is_some() {
            return (passed, end);
        }
    }
    (passed, None)
}

/// What the gate has taken for heads and content in bytes that it let pass.
fn gate_understands(mut bytes: &[u8]) -> Result<Vec<Understood>, String> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let head = Progress::default().read(bytes);
        let Ok(Some(head)) = head else {
            return Err(format!("a head passed that is none: {head:?}"));
        };
        let mut words = bytes[..head.len].trim_ascii_start().split(|b| *b == b' ');
        let (method, target) = (words.next().unwrap_or(b""), words.next().unwrap_or(b""));
        bytes = &bytes[head.len..];
        let mut framing: Framing = head.framing;
        let mut body = Vec::new();
        let len = framing.take(bytes, |content| body.extend_from_slice(content));
        // Behind a broken body nothing has passed.
        bytes = len.map_or(&[], |len| &bytes[len..]);
        all.push(Understood {
            method: Method::from_bytes(method).map_err(|error| error.to_string())?,
            target: Uri::try_from(target).map_err(|error| error.to_string())?,
            body,
            whole: framing.is_over(),
        });
    }
    Ok(all)
}

/// What hyper takes for requests, if it is sent these pieces and then nothing.
fn hyper_understands(pieces: &[&[u8]]) -> Vec<Understood> {
    let seen = Seen::default();
    let service = service_fn(|request| read(seen.clone(), request));
    let wire = Wire {
        pieces: pieces.iter().map(|piece| piece.to_vec()).collect(),
    };
    let mut connection = pin!(http1::Builder::new().serve_connection(wire, service));
    let woken = Arc::new(Woken(AtomicBool::new(true)));
    let waker = Waker::from(Arc::clone(&woken));
    let cx = &mut Context::from_waker(&waker);
    while woken.0.swap(false, Ordering::AcqRel) {
        if connection.as_mut().poll(cx).is_ready() {
            break;
        }
    }
    seen.with(|all| all.clone())
}

/// The requests that hyper has brought.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<Understood>>>);

impl Seen {
    fn with<T>(&self, act: impl FnOnce(&mut Vec<Understood>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Answers a request once its body has come, or broken off.
async fn read(
    seen: Seen,
    request: Request<Incoming>,
) -> Result<Response<Empty<Bytes>>, Infallible> {
    let (head, mut content) = request.into_parts();
    let index = seen.with(|all| {
        all.push(Understood {
            method: head.method,
            target: head.uri,
            body: Vec::new(),
            whole: false,
        });
        all.len() - 1
    });
    loop {
        match content.frame().await {
            Some(Ok(frame)) => {
                let data = frame.into_data().unwrap_or_default();
                seen.with(|all| all[index].body.extend_from_slice(&data));
            }
            Some(Err(_)) => break,
            None => {
                seen.with(|all| all[index].whole = true);
                break;
            }
        }
    }
    Ok(Response::new(Empty::new()))
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

/// A peer that has sent some pieces, takes all that is written, and stays.
struct Wire {
    pieces: std::collections::VecDeque<Vec<u8>>,
}

impl Read for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut out: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let Some(piece) = self.pieces.front_mut() else {
            return Poll::Pending;
        };
        let len = piece.len().min(out.remaining());
        out.put_slice(&piece[..len]);
        piece.drain(..len);
        if piece.is_empty() {
            self.pieces.pop_front();
        }
        Poll::Ready(Ok(()))
    }
}

impl Write for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fastrand::Rng;

    const CASES: u64 = 20_000;

    const LINES: &[&str] = &[
        "GET / HTTP/1.1",
        "GET /t/a?b=c HTTP/1.0",
        "POST /t/a HTTP/1.1",
        "HEAD http://h/t/a HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "CONNECT h:80 HTTP/1.1",
        "PRI * HTTP/2.0",
        "GET /<{\"}>#x HTTP/1.1",
        "M-SEARCH /\u{e9} HTTP/1.1",
    ];
    const HEADERS: &[&str] = &[
        "Host: h",
        "Content-Length: 3",
        "Content-Length:\t12 \t",
        "content-length: +3",
        "Content-Length: 3, 3",
        "Content-Length: 18446744073709551615",
        "Transfer-Encoding: chunked",
        "Transfer-Encoding: CHUNKED\t",
        "transfer-encoding: gzip, chunked",
        "Transfer-Encoding:\u{a0}chunked",
        "Transfer-Encoding : chunked",
        "Connection: close",
        "Connection: Keep-Alive, x",
        "Connection: x,\tclose",
        "Expect: 100-continue",
        "Upgrade: h2c",
        "Trailer: x",
        "Odd!#$%&'*+-.^_`|~: \u{e9}",
        "Empty:",
        " folded",
    ];
    const BODIES: &[&str] = &[
        "",
        "",
        "abc",
        "abcdefghijkl",
        "\r\n",
        "0\r\n\r\n",
        "3\r\nabc\r\n0\r\n\r\n",
        "3;a=\"b\"\r\nabc\r\n00\r\nTrailer: x\r\nContent-Length: 7\r\n\r\n",
        "3\t\r\nabc\r\n0\r\n\r\n",
        "0\r\nno colon\r\n\r\n",
        "0\r\n\"a\": b\r\n\r\n",
        "fffffffffffffffff\r\nabc",
    ];
    /// What a byte is replaced by.
    const ODD: &[u8] = b"\r\n\t :,;0a\0\x7f\x80/";

    fn input(rng: &mut Rng) -> Vec<u8> {
        let pick = |rng: &mut Rng, of: &[&'static str]| of[rng.usize(..of.len())];
        let mut text = String::new();
        for _ in 0..rng.usize(1..4) {
            // Most are what a client would send, or nothing gets behind the first.
            let any = rng.u8(..4) == 0;
            text += pick(rng, if any { LINES } else { &LINES[..4] });
            text += "\r\n";
            for _ in 0..rng.usize(..4) {
                text += pick(rng, HEADERS);
                text += "\r\n";
            }
            text += "\r\n";
            text += pick(rng, BODIES);
        }
        let mut bytes = text.into_bytes();
        for _ in 0..rng.usize(..8).saturating_sub(5) {
            let at = rng.usize(..bytes.len());
            match rng.u8(..4) {
                0 => bytes[at] = ODD[rng.usize(..ODD.len())],
                1 => bytes.insert(at, ODD[rng.usize(..ODD.len())]),
                2 => drop(bytes.drain(at..(at + rng.usize(1..9)).min(bytes.len()))),
                _ => bytes.extend_from_within(at..),
            }
            if bytes.is_empty() {
                break;
            }
        }
        bytes
    }

    fn from_environment(name: &str) -> Option<u64> {
        std::env::var(name).ok()?.parse().ok()
    }

    /// `TIDINGS_SEED` is the first case's seed, `TIDINGS_SEEDS` how many there are.
    #[test]
    fn what_passes_hyper_reads_as_the_same() {
        let cases = from_environment("TIDINGS_SEEDS").unwrap_or(CASES);
        let first = from_environment("TIDINGS_SEED").unwrap_or_else(|| fastrand::u64(..1 << 60));
        let (mut requests, mut refused) = (0, 0);
        for seed in first..first + cases {
            let mut rng = Rng::with_seed(seed);
            let input = input(&mut rng);
            let cuts: Vec<u8> = (0..rng.usize(..4)).map(|_| rng.u8(..)).collect();
            println!("TIDINGS_SEED={seed} TIDINGS_SEEDS=1");
            if let Err(error) = check(&input, &cuts) {
                panic!("TIDINGS_SEED={seed}: {error}: {}", input.escape_ascii());
            }
            let (passed, end) = pass(&[&input]);
            if !input.starts_with(PREFACE) {
                let all = gate_understands(&passed).expect("checked");
                requests += all.iter().filter(|request| request.whole).count() as u64;
            }
            refused += u64::from(end.is_some());
        }
        // It would prove nothing if nothing got through, or everything.
        if cases >= 1000 {
            let enough = cases / 4;
            assert!(
                requests > enough && refused > enough,
                "{requests} {refused}"
            );
        }
    }

    #[track_caller]
    fn check_large(input: &str) {
        for cuts in [&[][..], &[0], &[255, 1, 7]] {
            check(input.as_bytes(), cuts).unwrap();
        }
    }

    #[test]
    fn limits_are_hypers_or_stricter() {
        let chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        for len in 16_370..16_390 {
            let long = "x".repeat(len);
            check_large(&format!("{chunked}0\r\na:{long}\r\n\r\n"));
            check_large(&format!("{chunked}1;{long}\r\na\r\n0\r\n\r\n"));
        }
        for count in 99..103 {
            let many = "a: b\r\n".repeat(count);
            check_large(&format!("{chunked}0\r\n{many}\r\n"));
            check_large(&format!("GET / HTTP/1.1\r\n{many}\r\n"));
        }
        for len in 65_530..65_540 {
            let long = "x".repeat(len);
            check_large(&format!("GET /{long} HTTP/1.1\r\n\r\n"));
            check_large(&format!("GET / HTTP/1.1\r\n{long}: x\r\n\r\n"));
        }
    }
}
