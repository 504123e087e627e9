//! TLS: who is trusted, and how a connection ends.

use crate::certificates::Authority;
use crate::support::{STREAM, Server, expect, fail, fetch, read, run, serve, url};
use std::time::Duration;
use tidings_eventsource::transport::{Hyper, TransportErrorKind};
use tokio_rustls::TlsAcceptor;
use url::Url;

/// A server that sends `bytes` and then cuts the connection below TLS: there
/// is no `close_notify`.
async fn serve_and_cut(acceptor: TlsAcceptor, bytes: &'static str) -> Server {
    serve(move |peer| {
        let acceptor = acceptor.clone();
        async move {
            if let Some(mut peer) = peer.tls(&acceptor).await {
                peer.request().await;
                peer.send(bytes).await;
            }
        }
    })
    .await
}

fn localhost(server: &Server) -> Url {
    url(&format!("https://localhost:{}/", server.address.port()))
}

#[test]
fn d18_another_host_an_expired_certificate_and_a_stranger_are_errors() {
    let authority = Authority::new();
    let stranger = Authority::named("Stranger");
    let check = |transport: Hyper, host: &'static str, acceptor: TlsAcceptor, trusted: bool| {
        run(async move {
            let server = serve_and_cut(acceptor, "HTTP/1.1 200 OK\r\n\r\nx").await;
            let target = url(&format!("https://{host}:{}/", server.address.port()));
            if trusted {
                assert_eq!(read(fetch(&transport, target).await.body).await.0, "x");
            } else {
                assert_eq!(fail(&transport, target).await, TransportErrorKind::Tls);
            }
        });
    };
    let trusting = || authority.trusted().build();
    let is = |name, until| authority.server(name, until, &[]);
    check(trusting(), "localhost", is("localhost", 2100), true);
    check(trusting(), "localhost", is("other.test", 2100), false);
    check(trusting(), "localhost", is("localhost", 2001), false);
    check(trusting(), "localhost", is("127.0.0.1", 2100), false);
    check(trusting(), "127.0.0.1", is("127.0.0.1", 2100), true);
    check(trusting(), "127.0.0.1", is("localhost", 2100), false);
    check(trusting(), "localhost", stranger.localhost(&[]), false);
    let both = stranger.trusted_too(authority.trusted()).build();
    check(both, "localhost", stranger.localhost(&[]), true);
}

#[test]
fn d18_a_close_without_close_notify_is_an_end() {
    run(async {
        let authority = Authority::new();
        let acceptor = authority.localhost(&[]);
        let bytes = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n";
        let server = serve_and_cut(acceptor.clone(), bytes).await;
        let transport = authority.trusted().build();
        let body = fetch(&transport, localhost(&server)).await.body;
        let (text, error) = read(body).await;
        assert_eq!(text, "data: 1\n\n");
        assert!(error.is_none(), "{error:?}");
    });
}

#[test]
fn d18_a_body_that_says_how_long_it_is_is_seen_to_be_cut() {
    run(async {
        let authority = Authority::new();
        let server = serve_and_cut(authority.localhost(&[]), STREAM).await;
        let kind = fail(&authority.trusted().build(), localhost(&server)).await;
        assert_eq!(kind, TransportErrorKind::Io);
    });
}

#[test]
fn a_server_that_speaks_no_tls_is_an_error() {
    run(async {
        let server = serve(|mut peer| async move {
            peer.send("HTTP/1.1 400 Bad Request\r\n\r\n").await;
            peer.close().await;
        })
        .await;
        let kind = fail(&Authority::new().trusted().build(), localhost(&server)).await;
        assert_eq!(kind, TransportErrorKind::Tls);
    });
}

#[test]
fn a_handshake_that_stalls_ends_with_the_connect_timeout() {
    run(async {
        let server = serve(|mut peer| async move { peer.closed().await }).await;
        let transport = Authority::new()
            .trusted()
            .connect_timeout(Duration::from_millis(50))
            .build();
        let kind = fail(&transport, localhost(&server)).await;
        assert_eq!(kind, TransportErrorKind::Connect);
    });
}

#[test]
fn a_chunk_is_out_as_soon_as_its_record_has_come() {
    run(async {
        let authority = Authority::new();
        let acceptor = authority.localhost(&["http/1.1"]);
        let server = serve(move |peer| {
            let acceptor = acceptor.clone();
            async move {
                let mut peer = peer.tls(&acceptor).await.expect("trust");
                peer.request().await;
                peer.send(STREAM).await;
                peer.send_chunk("data: 1\n\n").await;
                peer.closed().await;
            }
        })
        .await;
        let transport = authority.trusted().build();
        let mut body = fetch(&transport, localhost(&server)).await.body;
        expect(&mut body, "data: 1\n\n").await;
    });
}
