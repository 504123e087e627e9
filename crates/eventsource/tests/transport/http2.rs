//! HTTP/2: when it is spoken, and what shares a connection.

use crate::certificates::Authority;
use crate::support::{Peer, Server, expect, fail, fetch, read, run, serve, url};
use bytes::Bytes;
use futures_util::FutureExt;
use h2::server::SendResponse;
use h2::{Reason, SendStream};
use http::header;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tidings_eventsource::transport::{Hyper, TransportErrorKind};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, copy_bidirectional};
use tokio::net::TcpStream;
use tokio::sync::Notify;

/// Answers each request, whose number is given, and keeps the bodies open that
/// are not ended.
async fn answer<S>(
    peer: Peer<S>,
    mut respond: impl FnMut(usize, SendResponse<Bytes>) -> Option<SendStream<Bytes>>,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Ok(mut connection) = h2::server::handshake(peer.stream).await else {
        return;
    };
    let mut open = Vec::new();
    let mut number = 0;
    while let Some(Ok((request, stream))) = connection.accept().await {
        // The test may not look at it.
        let _ = peer.heads.send(format!("{:?}", request.headers()));
        open.extend(respond(number, stream));
        number += 1;
    }
}

/// 200, and an event.
pub fn stream(mut response: SendResponse<Bytes>) -> Option<SendStream<Bytes>> {
    let head = http::Response::builder().header(header::CONTENT_TYPE, "text/event-stream");
    let mut body = response.send_response(head.body(()).ok()?, false).ok()?;
    body.send_data("data: 1\n\n".into(), false).ok()?;
    Some(body)
}

/// 200, and nothing more.
fn empty(mut response: SendResponse<Bytes>) -> Option<SendStream<Bytes>> {
    response.send_response(http::Response::new(()), true).ok()
}

pub async fn serve_h2c(
    respond: impl Fn(usize, SendResponse<Bytes>) -> Option<SendStream<Bytes>> + Clone + Send + 'static,
) -> Server {
    serve(move |peer: Peer<TcpStream>| answer(peer, respond.clone())).await
}

fn h2c() -> Hyper {
    Hyper::builder().no_proxy().http2_prior_knowledge().build()
}

#[test]
fn streams_to_a_host_share_a_connection() {
    run(async {
        let mut server = serve_h2c(|_, response| stream(response)).await;
        let transport = h2c();
        let mut bodies = Vec::new();
        for _ in 0..5 {
            let mut response = fetch(&transport, server.url("/")).await;
            expect(&mut response.body, "data: 1\n\n").await;
            bodies.push(response.body);
        }
        assert_eq!(server.connections(), 1);
    });
}

#[test]
fn streams_that_begin_at_once_share_a_connection() {
    run(async {
        let authority = Authority::new();
        let acceptor = authority.localhost(&["h2", "http/1.1"]);
        let mut server = serve(move |peer| {
            let acceptor = acceptor.clone();
            async move {
                let peer = peer.tls(&acceptor).await.expect("trust");
                answer(peer, |_, response| stream(response)).await;
            }
        })
        .await;
        let transport = authority.trusted().build();
        let target = url(&format!("https://localhost:{}/", server.address.port()));
        let responses = (0..5).map(|_| fetch(&transport, target.clone()));
        let mut responses = futures_util::future::join_all(responses).await;
        for response in &mut responses {
            expect(&mut response.body, "data: 1\n\n").await;
        }
        // All but one of the connections that were begun give way.
        server.connections();
        fetch(&transport, target).await;
        assert_eq!(server.connections(), 0);
    });
}

#[test]
fn alpn_decides() {
    let check = |offered: &'static [&'static str], http1_only: bool, http2: bool| {
        run(async move {
            let authority = Authority::new();
            let acceptor = authority.localhost(offered);
            let server = serve(move |peer| {
                let acceptor = acceptor.clone();
                async move {
                    let mut peer = peer.tls(&acceptor).await.expect("trust");
                    if peer.stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                        return answer(peer, |_, response| stream(response)).await;
                    }
                    peer.request().await;
                    peer.send("HTTP/1.1 200 OK\r\n\r\nHTTP/1.1!").await;
                    peer.close().await;
                }
            })
            .await;
            let mut transport = authority.trusted();
            if http1_only {
                transport = transport.http1_only();
            }
            let target = url(&format!("https://localhost:{}/", server.address.port()));
            let mut body = fetch(&transport.build(), target).await.body;
            let expected = if http2 { "data: 1\n\n" } else { "HTTP/1.1!" };
            expect(&mut body, expected).await;
        });
    };
    check(&["h2", "http/1.1"], false, true);
    check(&["http/1.1"], false, false);
    check(&[], false, false);
    check(&["h2", "http/1.1"], true, false);
}

#[test]
fn r4_headers_go_as_they_are() {
    run(async {
        let mut server = serve_h2c(|_, response| stream(response)).await;
        fetch(&h2c(), server.url("/")).await;
        let head = server.head().await;
        assert_eq!(head, ["{\"accept-encoding\": \"gzip, br, zstd\"}"]);
    });
}

#[test]
fn what_the_server_has_not_touched_is_sent_again() {
    run(async {
        let mut server = serve_h2c(|number, mut response| {
            if number == 0 {
                response.send_reset(Reason::REFUSED_STREAM);
                return None;
            }
            stream(response)
        })
        .await;
        let mut body = fetch(&h2c(), server.url("/")).await.body;
        expect(&mut body, "data: 1\n\n").await;
        assert_eq!(server.connections(), 1);
    });
}

#[test]
fn what_the_server_may_have_touched_is_not_sent_again() {
    run(async {
        let requests = Arc::new(AtomicUsize::new(0));
        let counted = requests.clone();
        let server = serve_h2c(move |_, mut response| {
            counted.fetch_add(1, Ordering::SeqCst);
            response.send_reset(Reason::INTERNAL_ERROR);
            None
        })
        .await;
        let kind = fail(&h2c(), server.url("/")).await;
        assert_eq!(kind, TransportErrorKind::Http);
        assert_eq!(requests.load(Ordering::SeqCst), 1);
    });
}

/// A server whose first connection goes away when a request has come, saying
/// that it has touched streams up to `last`. Further ones answer.
async fn serve_going_away(last: u8) -> Server {
    // SETTINGS; GOAWAY without an error (RFC 9113, 6.5 and 6.8).
    let frames = [
        &[0, 0, 0, 4, 0, 0, 0, 0, 0][..],
        &[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, last, 0, 0, 0, 0],
    ];
    let frames = frames.concat();
    let before = Arc::new(AtomicUsize::new(0));
    serve(move |mut peer: Peer<TcpStream>| {
        let first = before.fetch_add(1, Ordering::SeqCst) == 0;
        let frames = frames.clone();
        async move {
            if !first {
                return answer(peer, |_, response| stream(response)).await;
            }
            until_headers(&mut peer).await;
            peer.send(frames).await;
            peer.close().await;
        }
    })
    .await
}

#[test]
fn a_connection_that_goes_away_before_the_request_is_no_error() {
    run(async {
        let mut server = serve_going_away(0).await;
        let mut body = fetch(&h2c(), server.url("/")).await.body;
        expect(&mut body, "data: 1\n\n").await;
        assert_eq!(server.connections(), 2);
    });
}

#[test]
fn a_connection_that_goes_away_with_the_request_is_an_error() {
    run(async {
        let mut server = serve_going_away(1).await;
        let kind = fail(&h2c(), server.url("/")).await;
        assert_eq!(kind, TransportErrorKind::Io);
        assert_eq!(server.connections(), 1);
    });
}

/// Reads up to the frame that begins a request.
async fn until_headers(peer: &mut Peer<TcpStream>) {
    let mut preface = [0; 24];
    peer.stream
        .read_exact(&mut preface)
        .await
        .expect("a preface");
    loop {
        let mut head = [0; 9];
        peer.stream.read_exact(&mut head).await.expect("a frame");
        let length = usize::from(head[1]) << 8 | usize::from(head[2]);
        let mut payload = vec![0; length];
        peer.stream
            .read_exact(&mut payload)
            .await
            .expect("a payload");
        if head[3] == 1 {
            return;
        }
    }
}

#[test]
fn a6_dropping_a_body_ends_its_stream_and_no_other() {
    run(async {
        let (reset, mut resets) = tokio::sync::mpsc::unbounded_channel();
        let server = serve_h2c(move |number, response| {
            let mut body = stream(response)?;
            if number == 1 {
                return Some(body);
            }
            let reset = reset.clone();
            tokio::spawn(async move {
                let reason = std::future::poll_fn(|cx| body.poll_reset(cx)).await;
                reset.send(reason.expect("a reset")).expect("a test");
            });
            None
        })
        .await;
        let transport = h2c();
        let first = fetch(&transport, server.url("/")).await;
        let mut second = fetch(&transport, server.url("/")).await;
        drop(first);
        assert_eq!(resets.recv().await, Some(Reason::CANCEL));
        expect(&mut second.body, "data: 1\n\n").await;
    });
}

#[test]
fn an_end_is_an_end_and_a_reset_is_an_error() {
    run(async {
        let server = serve_h2c(|number, response| {
            let mut body = stream(response)?;
            match number {
                0 => body.send_data(Bytes::new(), true).ok()?,
                _ => body.send_reset(Reason::INTERNAL_ERROR),
            }
            None
        })
        .await;
        let transport = h2c();
        let (text, error) = read(fetch(&transport, server.url("/")).await.body).await;
        assert_eq!((text.as_str(), error.is_none()), ("data: 1\n\n", true));
        let kind = fail(&transport, server.url("/")).await;
        assert_eq!(kind, TransportErrorKind::Http);
    });
}

#[test]
fn a_stream_that_nobody_reads_stops_no_other() {
    run(async {
        const UNREAD: usize = 8;
        let server = serve_h2c(|number, response| {
            let mut body = stream(response)?;
            if number < UNREAD {
                // More than a stream's window, each.
                body.send_data(vec![b':'; 4 << 20].into(), false).ok()?;
            }
            Some(body)
        })
        .await;
        let transport = h2c();
        let mut unread = Vec::new();
        for _ in 0..UNREAD {
            unread.push(fetch(&transport, server.url("/")).await);
        }
        let mut last = fetch(&transport, server.url("/")).await;
        expect(&mut last.body, "data: 1\n\n").await;
    });
}

#[test]
fn a_connection_that_was_closed_while_idle_is_no_error() {
    run(async {
        let (close, closed) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let own = (close.clone(), closed.clone());
        let mut server = serve(move |mut peer: Peer<TcpStream>| {
            let (close, closed) = own.clone();
            async move {
                let (mut outer, inner) = tokio::io::duplex(1 << 16);
                let serving = async {
                    let peer = Peer {
                        stream: inner,
                        heads: peer.heads.clone(),
                    };
                    tokio::select! {
                        () = answer(peer, |_, response| empty(response)) => {}
                        () = close.notified() => {}
                    }
                };
                let copying = copy_bidirectional(&mut peer.stream, &mut outer);
                // Ends when the other side has closed the connection as well.
                let _ = tokio::join!(copying, serving);
                closed.notify_one();
            }
        })
        .await;
        let transport = h2c();
        for _ in 0..3 {
            assert_eq!(
                read(fetch(&transport, server.url("/")).await.body).await.0,
                ""
            );
            assert_eq!(server.connections(), 1);
            close.notify_one();
            closed.notified().await;
        }
    });
}

#[test]
fn a_head_beyond_the_limit_is_an_error() {
    run(async {
        let server = serve_h2c(|_, mut response| {
            let head = http::Response::builder().header("x", "a".repeat(12 * 1024));
            let head = head.body(()).expect("a head");
            response.send_response(head, true).expect("a response");
            None
        })
        .await;
        fetch(&h2c(), server.url("/")).await;
        let limited = Hyper::builder().no_proxy().http2_prior_knowledge();
        let limited = limited.max_head_size(8 * 1024).build();
        let kind = fail(&limited, server.url("/")).await;
        assert_eq!(kind, TransportErrorKind::Http);
    });
}

#[test]
fn a_peer_that_answers_no_ping_is_found_out() {
    run(async {
        let server = serve(|peer: Peer<TcpStream>| async move {
            let mut connection = h2::server::handshake(peer.stream).await.expect("HTTP/2");
            let (_, response) = connection.accept().await.expect("one").expect("a request");
            let body = stream(response);
            // Sends what it has, and then does nothing more.
            let _ = connection.accept().now_or_never();
            std::future::pending::<()>().await;
            drop((connection, body));
        })
        .await;
        let transport = Hyper::builder().no_proxy().http2_prior_knowledge();
        let transport = transport.dead_after(Some(Duration::from_secs(20))).build();
        let mut body = fetch(&transport, server.url("/")).await.body;
        expect(&mut body, "data: 1\n\n").await;
        // From here on the clock jumps to the next timer when nothing happens.
        tokio::time::pause();
        let error = read(body).await.1.expect("an error");
        assert_eq!(error.kind, TransportErrorKind::Io, "{error}");
    });
}
