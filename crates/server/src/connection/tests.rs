//! Connections over pipes, in time that passes only when nothing else happens.

use super::face::Face;
use super::open::Open;
use super::times::Times;
use super::{Socket, speak};
use crate::http::cors::Cors;
use crate::http::guard::Guard;
use crate::http1::PREFACE;
use crate::lanes;
use crate::testing::hub;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tidings_engine::{Budget, Cursor, Limits, Position, Read, Selection, Selector, SlowPolicy};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::{Instant, sleep, timeout};

impl Socket for DuplexStream {
    const CAN_LEAVE: bool = false;

    fn leave(self) -> io::Result<lanes::Socket> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// What the connections of a test share.
pub fn face() -> Arc<Face> {
    Arc::new(Face {
        hub: hub(Limits::default(), SlowPolicy::default()),
        guard: Guard {
            local: ([127, 0, 0, 1], 80).into(),
            secure: false,
            rules: Arc::default(),
        },
        cors: Arc::new(Cors::default()),
        tls: None,
        times: Times::default(),
    })
}

/// The other end of a connection to a hub.
struct Peer {
    pipe: DuplexStream,
    read: Vec<u8>,
}

impl Peer {
    fn connect(face: &Arc<Face>) -> Self {
        let (pipe, served) = duplex(1 << 20);
        let face = Arc::clone(face);
        tokio::spawn(async move {
            let place = face.hub.places().connect([192, 0, 2, 1].into());
            speak(served, face, Open::new().add(place)).await;
        });
        let read = Vec::new();
        Self { pipe, read }
    }

    /// Sends; whether somebody is there.
    async fn send(&mut self, bytes: &[u8]) -> bool {
        self.pipe.write_all(bytes).await.is_ok()
    }

    /// Reads more; false at the end.
    async fn more(&mut self) -> bool {
        self.pipe
            .read_buf(&mut self.read)
            .await
            .is_ok_and(|len| len > 0)
    }

    /// Reads an answer with a length to its end, and forgets it.
    async fn answer(&mut self) -> String {
        loop {
            let text = String::from_utf8_lossy(&self.read).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head
                    .lines()
                    .find_map(|line| line.strip_prefix("content-length: "));
                let length: usize = length.expect("a length").parse().expect("a number");
                if body.len() >= length {
                    let len = head.len() + 4 + length;
                    return String::from_utf8_lossy(&self.read.drain(..len).collect::<Vec<_>>())
                        .into_owned();
                }
            }
            assert!(self.more().await, "it ended within an answer: {text}");
        }
    }

    /// Reads to the end, and answers the pings of HTTP/2; the type and the
    /// content of the last frame.
    async fn until_closed(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut last = None;
        while self.more().await {
            while let Some((kind, content)) = self.take_frame() {
                if kind == PING {
                    self.send(&h2_frame(PING, 1, 0, &content)).await;
                }
                last = Some((kind, content));
            }
        }
        last
    }

    fn take_frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let [_, high, low, kind] = self.read.get(..9)?[..4] else {
            return None;
        };
        let end = 9 + usize::from(high) * 256 + usize::from(low);
        let content = self.read.get(9..end)?.to_vec();
        self.read.drain(..end);
        Some((kind, content))
    }
}

const PING: u8 = 6;
const SETTINGS: u8 = 4;

fn h2_frame(kind: u8, flags: u8, stream: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = (content.len() as u32).to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags, 0, 0, 0, stream]);
    bytes.extend(content);
    bytes
}

const HOST: &str = "Host: localhost\r\n\r\n";

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nAccept: text/plain\r\n{HOST}")
}

/// A peer that sends `before`, reads an answer to each request of it, sends
/// `last` and then nothing, is closed after so many seconds.
async fn check_closed_after(before: &str, last: &[u8], seconds: u64) {
    let face = face();
    let mut peer = Peer::connect(&face);
    for request in before.split_inclusive(HOST).filter(|text| !text.is_empty()) {
        assert!(peer.send(request.as_bytes()).await);
        assert!(peer.answer().await.starts_with("HTTP/1.1 "), "{before}");
    }
    assert!(peer.send(last).await);
    check_end(&mut peer, seconds, &last.escape_ascii().to_string()).await;
}

async fn check_end(peer: &mut Peer, seconds: u64, what: &str) {
    let since = Instant::now();
    peer.until_closed().await;
    let after = since.elapsed();
    let limit = Duration::from_secs(seconds);
    let before = limit - Duration::from_secs(1);
    assert!(
        before <= after && after <= limit + Duration::from_millis(10),
        "{after:?} instead of {limit:?}: {what}"
    );
}

#[tokio::test(start_paused = true)]
async fn p18_c13_silence_before_the_first_request() {
    check_closed_after("", b"", 10).await;
    for len in [1, 14, 23] {
        check_closed_after("", &PREFACE[..len], 10).await;
    }
    let head = get("/livez");
    for len in [1, 4, head.len() - 1] {
        check_closed_after("", &head.as_bytes()[..len], 10).await;
    }
    check_closed_after("", b"\r\n", 10).await;
}

#[tokio::test(start_paused = true)]
async fn p18_a_head_that_dribbles() {
    for answered in [false, true] {
        let face = face();
        let mut peer = Peer::connect(&face);
        if answered {
            assert!(peer.send(get("/livez").as_bytes()).await);
            peer.answer().await;
        }
        let since = Instant::now();
        for byte in format!("GET / HTTP/1.1\r\nA: {}", "x".repeat(100)).bytes() {
            let gone = !peer.send(&[byte]).await;
            // It only sends, and learns from that.
            if gone || timeout(Duration::from_millis(500), peer.more()).await == Ok(false) {
                break;
            }
        }
        assert!(since.elapsed() <= Duration::from_secs(11), "{answered}");
    }
}

#[tokio::test(start_paused = true)]
async fn p18_silence_behind_an_answer() {
    let live = get("/livez");
    check_closed_after(&live, b"", 60).await;
    check_closed_after(&live.repeat(3), b"", 60).await;
    check_closed_after(&get("/nowhere"), b"", 60).await;
    // An empty line too many is no request.
    check_closed_after(&live, b"\r\n", 60).await;
    check_closed_after(&live, &live.as_bytes()[..5], 10).await;
}

#[tokio::test(start_paused = true)]
async fn p18_time_without_a_request_begins_behind_each() {
    let face = face();
    let mut peer = Peer::connect(&face);
    for _ in 0..3 {
        assert!(peer.send(get("/livez").as_bytes()).await);
        peer.answer().await;
        sleep(Duration::from_secs(50)).await;
    }
    check_end(&mut peer, 10, "of 60").await;
}

#[tokio::test(start_paused = true)]
async fn p18_b23_a_body_that_stops() {
    let head = format!("POST /t/a HTTP/1.1\r\nContent-Length: 10\r\n{HOST}x");
    check_closed_after("", head.as_bytes(), 30).await;
    let chunked = format!("POST /t/a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n{HOST}3\r\nx");
    check_closed_after("", chunked.as_bytes(), 30).await;
    check_closed_after(&get("/livez"), head.as_bytes(), 30).await;
}

#[tokio::test(start_paused = true)]
async fn p18_a_peer_that_takes_no_answers() {
    let face = face();
    let mut peer = Peer::connect(&face);
    let since = Instant::now();
    // More than the pipe holds, one way and the other.
    let all = get("/metrics").repeat(100_000);
    assert!(!peer.send(all.as_bytes()).await, "nobody takes them");
    let after = since.elapsed();
    assert!(after <= Duration::from_secs(31), "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn p18_c15_http2_without_a_request() {
    let settings = h2_frame(SETTINGS, 0, 0, b"");
    let with = |more: &[u8]| [PREFACE, &settings, more].concat();
    check_closed_after("", PREFACE, 10).await;
    check_closed_after("", &[PREFACE, &settings[..5]].concat(), 10).await;
    check_closed_after("", &with(b""), 10).await;
    // One request, and then it answers pings, and takes a GOAWAY for what it is.
    let live = b"\x82\x86\x04\x06/livez\x01\x09localhost";
    check_closed_after("", &with(&h2_frame(1, 5, 1, live)), 55).await;
    // HEADERS without END_HEADERS, and half of one.
    check_closed_after("", &with(&h2_frame(1, 1, 1, b"\x82")), 10).await;
    check_closed_after("", &with(&h2_frame(1, 5, 1, b"\x82\x84\x86")[..10]), 10).await;
    check_closed_after("", &with(b"\0"), 10).await;
}

/// A flood ends its connection, which is told why, and nobody else's.
async fn check_flood(frame: &[u8]) {
    let face = face();
    let mut peer = Peer::connect(&face);
    assert!(
        peer.send(&[PREFACE, &h2_frame(SETTINGS, 0, 0, b"")].concat())
            .await
    );
    for _ in 0..300 {
        if !peer.send(&frame.repeat(1000)).await {
            break;
        }
    }
    let last = peer.until_closed().await;
    let calm = Some((7, vec![0, 0, 0, 0, 0, 0, 0, 0xb]));
    assert_eq!(last, calm, "{}", frame.escape_ascii());
    let mut other = Peer::connect(&face);
    assert!(other.send(get("/livez").as_bytes()).await);
    assert!(other.answer().await.contains("200 OK"));
}

#[tokio::test(start_paused = true)]
async fn p19_c17_floods_of_frames_that_carry_nothing() {
    for kind in [PING, 2, 99] {
        let len = if kind == 2 { 5 } else { 8 };
        let stream = if kind == 2 { 3 } else { 0 };
        check_flood(&h2_frame(kind, 0, stream, &b"\0\0\0\0\x10abc"[..len])).await;
    }
    check_flood(&h2_frame(PING, 1, 0, b"12345678")).await;
    check_flood(&h2_frame(SETTINGS, 0, 0, b"")).await;
    check_flood(&h2_frame(SETTINGS, 0, 0, b"\0\x04\0\0\xff\xff")).await;
    check_flood(&h2_frame(8, 0, 0, b"\0\0\0\x01")).await;
}

#[tokio::test]
async fn c11_requests_that_came_together_are_answered_and_kept_in_order() {
    let face = face();
    let mut peer = Peer::connect(&face);
    let publish = |n: usize, size: usize| {
        let body = "x".repeat(size);
        let head = format!("POST /t/a?id=n{n} HTTP/1.1\r\nContent-Length: {size}\r\n{HOST}");
        format!("{head}{body}")
    };
    // Small, large, events as a stream, and what reads.
    let mut all = String::new();
    for n in 0..300 {
        all += &match n % 50 {
            20 => publish(n, 100_000),
            30 => format!(
                "POST /t/a HTTP/1.1\r\nContent-Type: application/x-ndjson\r\n\
                 Transfer-Encoding: chunked\r\n{HOST}c\r\n{{\"data\":\"x\"}}\r\n0\r\n\r\n"
            ),
            40 => get("/livez"),
            _ => publish(n, n % 7),
        };
    }
    assert!(peer.send(all.as_bytes()).await);
    let mut expect = Vec::new();
    for n in 0..300 {
        let answer = peer.answer().await;
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{n}: {answer}");
        let (part, id) = match n % 50 {
            30 => ("\"published\":1".to_owned(), None),
            40 => ("ok\n".to_owned(), None),
            _ => (format!("\"id\":\"n{n}\""), Some(format!("n{n}"))),
        };
        assert!(answer.contains(&part), "{n}: {answer}");
        expect.extend(id);
    }
    assert_eq!(ids(&face), expect);
}

/// A request for a stream has its turn, whatever came with it.
#[tokio::test(start_paused = true)]
async fn c11_a_request_for_a_stream_waits_for_its_turn() {
    let face = face();
    let live = get("/livez");
    let wrong = get("/t/a?envelope=xml").replace("text/plain", "text/event-stream");
    let refused = format!("POST /t/$a HTTP/1.1\r\nContent-Length: 1\r\n{HOST}x");
    for before in [0, 1, 2, 64, 65] {
        for other in [&live, &refused] {
            let mut peer = Peer::connect(&face);
            let all = format!("{}{wrong}", other.repeat(before));
            assert!(peer.send(all.as_bytes()).await);
            for _ in 0..before {
                let answer = peer.answer().await;
                assert!(!answer.contains("'envelope'"), "{before}: {answer}");
            }
            let answer = peer.answer().await;
            assert!(answer.contains("'envelope'"), "{before}: {answer}");
            // And the connection goes on.
            assert!(peer.send(live.as_bytes()).await);
            assert!(peer.answer().await.ends_with("ok\n"), "{before}");
        }
    }
}

/// A few that came together wait for nothing more.
#[tokio::test(start_paused = true)]
async fn c11_few_requests_that_came_together() {
    let face = face();
    for count in [1, 2, 3, 63, 64, 65, 130] {
        let mut peer = Peer::connect(&face);
        // Refused, so that no disk is waited for while time stands still.
        let one = format!("POST /t/$a HTTP/1.1\r\nContent-Length: 1\r\n{HOST}x");
        assert!(peer.send(one.repeat(count).as_bytes()).await);
        let since = Instant::now();
        for _ in 0..count {
            assert!(peer.answer().await.contains("reserved-topic"), "{count}");
        }
        assert_eq!(since.elapsed(), Duration::ZERO, "{count}");
    }
}

/// The ids of all events of topic `a` that publishers gave, in the order of the
/// log.
pub fn ids(face: &Face) -> Vec<String> {
    let selection = Selection::new(vec![Selector::new("a").expect("a selector")]);
    let mut cursor = Cursor {
        after: Position::START,
    };
    let budget = Budget {
        frames: 1000,
        bytes: 16 << 20,
    };
    let mut frames = Vec::new();
    let reader = face.hub.reader();
    let read = reader.read(&mut cursor, &selection, budget, &mut frames);
    assert_eq!(read.expect("a store"), Read::Frames);
    let given = frames.iter().filter_map(|frame| {
        let text = String::from_utf8_lossy(&frame.payload()).into_owned();
        let id = text.lines().find_map(|line| line.strip_prefix("id: "))?;
        id.starts_with('n').then(|| id.to_owned())
    });
    given.collect()
}
