//! Floods over HTTP/2 (promise P19, rows c14 to c17, c19): what costs a peer
//! nothing ends its connection, costs the hub little, and nobody else anything.

use std::io::ErrorKind;
use std::time::Instant;
use tidings_testkit::{Http, PATIENCE, launch};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Types of frames (RFC 9113, 6).
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// `:method: GET`, `:path: /`, `:scheme: http` (RFC 7541, appendix A).
const GET: [u8; 3] = [0x82, 0x84, 0x86];
/// `:method: POST`, the same.
const POST: [u8; 3] = [0x83, 0x84, 0x86];

/// How much more memory any of this may cost, in KiB.
const GROWTH_KIB: u64 = 32 << 10;
/// How many frames are sent at once, and how often at most.
const PIECE: usize = 500;
const PIECES: usize = 1000;

fn frame(kind: u8, flags: u8, stream: usize, content: &[u8]) -> Vec<u8> {
    let mut bytes = (content.len() as u32).to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend((stream as u32).to_be_bytes());
    bytes.extend(content);
    bytes
}

/// A connection over which `first` was sent, then as many pieces of `PIECE`
/// frames as the hub takes.
#[track_caller]
fn check_flood(name: &str, first: &[u8], mut next: impl FnMut(usize) -> Vec<u8>) {
    let hub = launch!().start();
    let mut watch = hub.watch("/t/a").opened();
    let before = hub.resident_kib();
    let mut http = hub.http();
    http.send(&[PREFACE, &frame(SETTINGS, 0, 0, b""), first].concat())
        .expect("sent");
    let ended = (0..PIECES).any(|piece| {
        let frames = (0..PIECE).flat_map(|n| next(piece * PIECE + n));
        http.send(&frames.collect::<Vec<u8>>()).is_err()
    });
    check_closed(&mut http, name);
    let growth = hub.resident_kib().saturating_sub(before);
    assert!(growth <= GROWTH_KIB, "{name}: {growth} KiB more");
    // The others have noticed nothing.
    assert_eq!(hub.post("/t/a", "x").status, 200, "{name}");
    assert_eq!(watch.next().expect("an event").data, "x", "{name}");
    eprintln!("{name}: ended while sending: {ended}, {growth} KiB more");
}

/// Reads to the end, however long that is.
#[track_caller]
fn check_closed(http: &mut Http, name: &str) {
    if let Err(error) = http.read_to_close() {
        let gone = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
        assert!(gone.contains(&error.kind()), "{name}: {error}");
    }
}

#[test]
fn p19_c17_pings_and_settings() {
    check_flood("PING", b"", |_| frame(PING, 0, 0, b"12345678"));
    check_flood("answers to PING", b"", |_| frame(PING, 1, 0, b"12345678"));
    check_flood("SETTINGS", b"", |_| frame(SETTINGS, 0, 0, b""));
    check_flood("SETTINGS with a window", b"", |n| {
        let window = if n % 2 == 0 { 0 } else { 0xff };
        frame(SETTINGS, 0, 0, &[0, 4, 0, 0, window, window])
    });
    check_flood("PRIORITY", b"", |n| {
        frame(2, 0, 2 * (n % 1000) + 1, &[0, 0, 0, 0, 16])
    });
}

#[test]
fn p19_c14_rapid_reset() {
    check_flood("rapid reset", b"", |n| {
        let stream = 2 * n + 1;
        let open = frame(HEADERS, END_STREAM | END_HEADERS, stream, &GET);
        [open, frame(RST_STREAM, 0, stream, &[0, 0, 0, 8])].concat()
    });
}

#[test]
fn p19_c15_continuation() {
    let open = frame(HEADERS, END_STREAM, 1, &GET);
    check_flood("CONTINUATION", &open, |_| frame(CONTINUATION, 0, 1, b""));
    check_flood("CONTINUATION with headers", &open, |_| {
        frame(CONTINUATION, 0, 1, b"\x00\x01a\x01b")
    });
}

#[test]
fn p19_c16_empty_data() {
    let open = frame(HEADERS, END_HEADERS, 1, &POST);
    check_flood("empty DATA", &open, |_| frame(DATA, 0, 1, b""));
}

/// Row c19: a block of headers that is small on the wire and large behind it is
/// refused; the connection may go on.
#[test]
fn p19_c19_header_bomb() {
    let hub = launch!().start();
    let before = hub.resident_kib();
    let mut http = hub.http();
    http.send(&[PREFACE, &frame(SETTINGS, 0, 0, b"")].concat())
        .expect("sent");
    // One field of 4,000 bytes into the table, then a reference to it, 16,000
    // times: 64 MB.
    let mut block = GET.to_vec();
    block.extend(b"\x40\x01a\x7f\xa1\x1e");
    block.extend([b'x'; 4000]);
    block.extend([0xbe; 12_000]);
    for stream in 0..50 {
        let flags = END_STREAM | END_HEADERS;
        if http
            .send(&frame(HEADERS, flags, 2 * stream + 1, &block))
            .is_err()
        {
            break;
        }
    }
    // The hub may have closed it by then.
    let _ = http.finish_sending();
    check_closed(&mut http, "header bomb");
    let growth = hub.resident_kib().saturating_sub(before);
    assert!(growth <= GROWTH_KIB, "{growth} KiB more");
    assert_eq!(hub.get("/readyz").status, 200);
}

/// What honest peers send is no flood: keep-alive pings, pings that measure the
/// path.
#[test]
fn c17_honest_pings_are_answered() {
    let hub = launch!().start();
    let mut http = hub.http();
    http.send(&[PREFACE, &frame(SETTINGS, 0, 0, b"")].concat())
        .expect("sent");
    for n in 0..500_u64 {
        http.send(&frame(PING, 0, 0, &n.to_be_bytes()))
            .expect("sent");
        let end = Instant::now() + PATIENCE;
        while !has_pong(&mut http, n) {
            assert!(Instant::now() < end, "no answer to ping {n}");
        }
    }
}

/// Reads one frame; whether it is the answer to ping `n`.
fn has_pong(http: &mut Http, n: u64) -> bool {
    let head = http.read_bytes(9).expect("a frame");
    let len = usize::from(head[1]) << 8 | usize::from(head[2]);
    let content = http.read_bytes(len).expect("a frame");
    (head[3], head[4], &content[..]) == (PING, 1, &n.to_be_bytes()[..])
}
