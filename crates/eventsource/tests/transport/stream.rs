//! Streams of events over the wire: what a transport's ends and errors become.

use crate::certificates::Authority;
use crate::coding::encode;
use crate::support::{Peer, Server, run, serve, serve_bytes, url};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tidings_eventsource::protocol::Policy;
use tidings_eventsource::transport::{Hyper, Jar, TransportErrorKind, WithCookies};
use tidings_eventsource::{Error, EventStream};
use tokio::net::TcpStream;

/// Gives the n-th connection to `respond`, with n.
async fn serve_in_turn<F, R>(respond: F) -> Server
where
    F: Fn(usize, Peer<TcpStream>) -> R + Send + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let count = AtomicUsize::new(0);
    serve(move |peer| respond(count.fetch_add(1, Ordering::SeqCst), peer)).await
}

/// The rules of the standard, without its patience.
fn policy() -> Policy {
    let mut policy = Policy::standard();
    policy.reconnection_time = Duration::from_millis(1);
    policy
}

#[test]
fn d13_a_truncated_coding_reconnects_from_the_last_event() {
    for coding in ["gzip", "br", "zstd"] {
        run(async move {
            let encoded = encode(coding, &[b"id: 1\ndata: a\n\n", b"data: never"]).await;
            let (cut, whole) = (encoded[..2].concat(), encoded.concat());
            let parts = Arc::new([cut, whole]);
            let mut server = serve_in_turn(move |number, mut peer| {
                let parts = parts.clone();
                async move {
                    peer.request().await;
                    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n";
                    peer.send(format!("{head}Content-Encoding: {coding}\r\n\r\n"))
                        .await;
                    peer.send(&parts[number.min(1)]).await;
                    peer.close().await;
                }
            })
            .await;
            let transport = Hyper::builder().no_proxy().build();
            let builder = EventStream::builder(server.url("/")).policy(policy());
            let mut events = builder.transport(transport).open().expect("a stream");
            for _ in 0..2 {
                let event = events.next().await.expect("an event").expect("no error");
                assert_eq!((event.data.as_str(), &*event.last_event_id), ("a", "1"));
            }
            let first = server.head().await;
            assert!(!first.iter().any(|line| line.starts_with("last-event-id")));
            assert!(server.head().await.contains(&"last-event-id: 1".to_owned()));
        });
    }
}

#[test]
fn d18_a_wrong_host_is_an_error_and_no_close_notify_an_end() {
    run(async {
        let authority = Authority::new();
        let wrong = authority.server("other.test", 2100, &[]);
        let right = authority.localhost(&[]);
        let server = serve_in_turn(move |number, peer| {
            let acceptor = if number == 0 { &wrong } else { &right }.clone();
            async move {
                let Some(mut peer) = peer.tls(&acceptor).await else {
                    return;
                };
                peer.request().await;
                let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
                peer.send(format!("{head}data: {number}\n\n")).await;
            }
        })
        .await;
        let target = url(&format!("https://localhost:{}/", server.address.port()));
        let builder = EventStream::builder(target).policy(policy());
        let builder = builder.transport(authority.trusted().build());
        let mut seen = Vec::new();
        let mut notices = builder.open().expect("a stream").notices();
        while seen.len() < 4 {
            use tidings_eventsource::Notice;
            match notices.next().await.expect("more").expect("no error") {
                Notice::Event(event) => seen.push(event.data),
                Notice::Reconnecting { cause, .. } => seen.push(match cause {
                    Error::Transport(error) if error.kind == TransportErrorKind::Tls => {
                        "TLS".to_owned()
                    }
                    Error::Ended => "end".to_owned(),
                    other => panic!("{other}"),
                }),
                _ => {}
            }
        }
        assert_eq!(seen, ["TLS", "1", "end", "2"]);
    });
}

#[test]
fn r7_r8_a_redirect_sets_a_cookie_for_where_it_leads() {
    run(async {
        let redirect = "HTTP/1.1 307 X\r\nSet-Cookie: a=1; Path=/\r\nLocation: /there\r\n\r\n";
        let mut server = serve_bytes(redirect).await;
        let transport = Hyper::builder().no_proxy().build();
        let transport = WithCookies::new(transport, Jar::new());
        let builder = EventStream::builder(server.url("/")).transport(transport);
        let error = builder.open().expect("a stream").next().await;
        assert!(matches!(error, Some(Err(Error::Redirect(_)))), "{error:?}");
        assert_eq!(server.head().await[0], "GET / HTTP/1.1");
        let second = server.head().await;
        assert_eq!(second[0], "GET /there HTTP/1.1");
        assert!(second.contains(&"cookie: a=1".to_owned()), "{second:?}");
    });
}
