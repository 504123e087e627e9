//! Compressed bodies.

use crate::support::{Server, expect, fail, fetch, read, run, serve, serve_bytes};
use async_compression::Level;
use async_compression::tokio::write::{BrotliEncoder, GzipEncoder, ZstdEncoder};
use futures_util::StreamExt;
use std::sync::Arc;
use tidings_eventsource::transport::{Hyper, TransportErrorKind};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::Notify;

const CODINGS: [&str; 3] = ["gzip", "br", "zstd"];

/// The most that comes in one piece, in bytes.
const PIECE: usize = 64 * 1024;

fn hyper() -> Hyper {
    Hyper::builder().no_proxy().build()
}

/// An encoder that keeps what it has made, and gives it away after a flush.
type Encoder = Box<dyn AsyncWrite + Unpin + Send>;

fn encoder(coding: &str, into: tokio::io::DuplexStream) -> Encoder {
    match coding {
        "gzip" => Box::new(GzipEncoder::new(into)),
        "br" => Box::new(BrotliEncoder::with_quality(into, Level::Fastest)),
        _ => Box::new(ZstdEncoder::new(into)),
    }
}

/// `pieces`, each flushed, and what comes when the stream is ended.
pub async fn encode(coding: &str, pieces: &[&[u8]]) -> Vec<Vec<u8>> {
    let (into, mut out) = tokio::io::duplex(1 << 24);
    let mut encoder = encoder(coding, into);
    let mut encoded = Vec::new();
    for piece in pieces {
        encoder.write_all(piece).await.expect("space");
        encoder.flush().await.expect("space");
        encoded.push(written(&mut out).await);
    }
    encoder.shutdown().await.expect("space");
    encoded.push(written(&mut out).await);
    encoded
}

/// What there is to read, without waiting for more.
async fn written(out: &mut tokio::io::DuplexStream) -> Vec<u8> {
    use tokio::io::AsyncReadExt;
    let mut bytes = Vec::new();
    let mut piece = [0; 8192];
    while let Some(Ok(read @ 1..)) = futures_util::FutureExt::now_or_never(out.read(&mut piece)) {
        bytes.extend_from_slice(&piece[..read]);
    }
    bytes
}

fn head(coding: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\n\r\n")
}

/// A server whose body is `bytes`, to the end of the connection.
async fn serve_body(coding: &str, bytes: &[u8]) -> Server {
    serve_bytes([head(coding).as_bytes(), bytes].concat()).await
}

async fn check_read(coding: &str, bytes: &[u8], expected: &str) {
    let server = serve_body(coding, bytes).await;
    let (text, error) = read(fetch(&hyper(), server.url("/")).await.body).await;
    assert!(error.is_none(), "{coding}: {error:?}");
    assert_eq!(text, expected, "{coding}");
}

async fn check_error(coding: &str, bytes: &[u8]) {
    let server = serve_body(coding, bytes).await;
    let kind = fail(&hyper(), server.url("/")).await;
    assert_eq!(
        kind,
        TransportErrorKind::Encoding,
        "{coding} {}",
        bytes.len()
    );
}

#[test]
fn d13_each_event_is_out_as_soon_as_its_bytes_have_come() {
    for coding in CODINGS {
        run(async move {
            let turn = Arc::new(Notify::new());
            let own = turn.clone();
            let events: [&[u8]; 3] = [b"data: 1\n\n", b": 2\n\n", b"data: 3\n\n"];
            let encoded = Arc::new(encode(coding, &events).await);
            let server = serve(move |mut peer| {
                let (turn, encoded) = (own.clone(), encoded.clone());
                async move {
                    peer.request().await;
                    peer.send(head(coding)).await;
                    // The end is not among them: the connection stays open.
                    for piece in &encoded[..3] {
                        peer.send(piece).await;
                        turn.notified().await;
                    }
                    peer.closed().await;
                }
            })
            .await;
            let mut body = fetch(&hyper(), server.url("/")).await.body;
            for event in events {
                expect(&mut body, std::str::from_utf8(event).expect("UTF-8")).await;
                turn.notify_one();
            }
        });
    }
}

#[test]
fn d13_what_came_before_a_cut_is_given_before_the_error() {
    for coding in CODINGS {
        run(async move {
            let encoded = encode(coding, &[b"data: 1\n\n", b"data: 2\n\n"]).await;
            let server = serve_body(coding, &encoded[..2].concat()).await;
            let (text, error) = read(fetch(&hyper(), server.url("/")).await.body).await;
            assert_eq!(text, "data: 1\n\ndata: 2\n\n", "{coding}");
            let error = error.expect("the coding has no end");
            assert_eq!(error.kind, TransportErrorKind::Encoding, "{coding}");
        });
    }
}

#[test]
fn a_connection_that_breaks_within_a_coding_is_told_as_such() {
    for coding in CODINGS {
        run(async move {
            let encoded = encode(coding, &[b"data: 1\n\n"]).await;
            let mut bytes = format!(
                "HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: 1000\r\n\r\n"
            )
            .into_bytes();
            bytes.extend_from_slice(&encoded[0]);
            let server = serve_bytes(bytes).await;
            let (text, error) = read(fetch(&hyper(), server.url("/")).await.body).await;
            assert_eq!(text, "data: 1\n\n", "{coding}");
            let error = error.expect("a break");
            assert_eq!(error.kind, TransportErrorKind::Io, "{coding}");
        });
    }
}

#[test]
fn d13_truncated_anywhere_is_an_error() {
    for coding in CODINGS {
        run(async move {
            let whole = encode(coding, &[b"data: 1\n\n", b"data: 2\n\n"])
                .await
                .concat();
            check_read(coding, &whole, "data: 1\n\ndata: 2\n\n").await;
            check_read(coding, b"", "").await;
            for end in 1..whole.len() {
                check_error(coding, &whole[..end]).await;
            }
        });
    }
}

#[test]
fn d13_what_is_not_of_the_coding_is_an_error() {
    for coding in CODINGS {
        run(async move {
            check_error(coding, b"data: not compressed at all, but long enough\n\n").await;
            check_error(coding, &[0xff; 64]).await;
            check_error(coding, &[0; 64]).await;
        });
    }
}

#[test]
fn several_members_or_frames_are_one_body() {
    for coding in ["gzip", "zstd"] {
        run(async move {
            let first = encode(coding, &[b"data: 1\n"]).await.concat();
            let second = encode(coding, &[b"\ndata: 2\n\n"]).await.concat();
            let both = [first, second].concat();
            check_read(coding, &both, "data: 1\n\ndata: 2\n\n").await;
        });
    }
}

#[test]
fn a_member_per_event_is_out_as_soon_as_it_has_come() {
    for coding in ["gzip", "zstd"] {
        run(async move {
            let member = Arc::new(encode(coding, &[b"data: 1\n\n"]).await.concat());
            let turn = Arc::new(Notify::new());
            let own = turn.clone();
            let server = serve(move |mut peer| {
                let (turn, member) = (own.clone(), member.clone());
                async move {
                    peer.request().await;
                    peer.send(head(coding)).await;
                    for _ in 0..3 {
                        peer.send(&*member).await;
                        turn.notified().await;
                    }
                    peer.closed().await;
                }
            })
            .await;
            let mut body = fetch(&hyper(), server.url("/")).await.body;
            for _ in 0..3 {
                expect(&mut body, "data: 1\n\n").await;
                turn.notify_one();
            }
        });
    }
}

#[test]
fn codings_are_named_in_any_case_and_may_be_on_top_of_each_other() {
    run(async {
        let inner = encode("br", &[b"data: 1\n\n"]).await.concat();
        let outer = encode("gzip", &[&inner]).await.concat();
        check_read("identity, BR , X-GZip", &outer, "data: 1\n\n").await;
        check_read("identity", b"data: 1\n\n", "data: 1\n\n").await;
        check_read("", b"data: 1\n\n", "data: 1\n\n").await;
        check_error("br, gzip, identity, gzip", &outer).await;
        check_error("compress", b"x").await;
        check_error("gzip;q=1", b"x").await;
        check_error("\u{e9}", b"x").await;
    });
}

#[test]
fn an_error_of_the_coding_comes_after_the_head() {
    run(async {
        let server = serve_bytes("HTTP/1.1 404 X\r\nContent-Encoding: x\r\n\r\nx").await;
        assert_eq!(fetch(&hyper(), server.url("/")).await.head.status, 404);
        let server = serve_bytes("HTTP/1.1 204 X\r\nContent-Encoding: gzip\r\n\r\n").await;
        let response = fetch(&hyper(), server.url("/")).await;
        assert!(read(response.body).await.1.is_none());
    });
}

#[test]
fn d13_a_bomb_is_decoded_no_further_than_it_is_read() {
    for coding in CODINGS {
        run(async move {
            // 64 MiB, in some kilobytes that all fit into the socket.
            let zeros = vec![0; 1 << 20];
            let pieces: Vec<&[u8]> = (0..64).map(|_| zeros.as_slice()).collect();
            let bomb = encode(coding, &pieces).await.concat();
            assert!(bomb.len() < 200_000, "{coding}: {}", bomb.len());
            let server = serve_body(coding, &bomb).await;
            let mut body = fetch(&hyper(), server.url("/")).await.body;
            let mut read = 0;
            while let Some(piece) = body.next().await {
                let piece = piece.expect("no error");
                assert!(piece.len() <= PIECE, "{coding}: {}", piece.len());
                read += piece.len();
            }
            assert_eq!(read, 64 << 20, "{coding}");
        });
    }
}

#[test]
fn d13_a_window_beyond_the_bound_is_an_error() {
    run(async {
        // An empty stream of brotli with a "large window" of 32 MiB; one of
        // 64 KiB.
        check_error("br", &[0x11, 0b1101_1001]).await;
        check_read("br", &[0b0110], "").await;
        // A frame of zstd: its magic, no size or checksum, a window of 16 MiB
        // (exponent 14, 10 bits are implied), one empty last block.
        let frame = |exponent: u8| [0x28, 0xb5, 0x2f, 0xfd, 0, exponent << 3, 1, 0, 0];
        check_error("zstd", &frame(14)).await;
        check_read("zstd", &frame(13), "").await;
    });
}
