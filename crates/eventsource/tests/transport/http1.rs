//! HTTP/1.1, byte by byte.

use crate::support::{
    STREAM, expect, fail, fetch, get, read, read_bytes, run, serve, serve_bytes, url,
};
use bytes::Bytes;
use http::{HeaderValue, Method, header};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use tidings_eventsource::protocol::Request;
use tidings_eventsource::transport::{Hyper, Transport, TransportErrorKind};
use tokio::sync::Notify;

fn hyper() -> Hyper {
    Hyper::builder().no_proxy().build()
}

/// The headers of a request go out as they are, and but for `Host` with
/// `added` alone; so does a path of which nothing has to be escaped.
pub fn check_headers<T: Transport>(transport: impl Fn() -> T, path: &str, added: &[&str]) {
    run(async {
        let mut server = serve_bytes("HTTP/1.1 204 No Content\r\n\r\n").await;
        let mut request = get(server.url(path));
        let mut expected: Vec<String> = added.iter().copied().map(str::to_owned).collect();
        for (name, value) in [
            ("accept", "text/event-stream"),
            ("cache-control", "no-cache"),
            ("last-event-id", "…äé😀"),
        ] {
            let bytes = HeaderValue::from_bytes(value.as_bytes()).expect("a value");
            request.headers.insert(name, bytes);
            expected.push(format!("{name}: {value}"));
        }
        expected.push(format!("host: {}", server.address));
        expected.sort();
        expected.insert(0, format!("GET {path} HTTP/1.1"));
        let response = transport().send(request).await.expect("a response");
        assert_eq!(response.head.status, 204);
        assert_eq!(server.head().await, expected);
    });
}

#[test]
fn r2_r3_r4_sends_the_headers_as_they_are() {
    let added = ["accept-encoding: gzip, br, zstd"];
    check_headers(hyper, "/a%20b?x=%C3%A4|{}", &added);
}

#[test]
fn a_body_goes_with_its_length_and_options_add_headers() {
    run(async {
        let mut server = serve_bytes("HTTP/1.1 200 OK\r\n\r\n").await;
        let transport = Hyper::builder()
            .no_proxy()
            .compression(false)
            .user_agent(HeaderValue::from_static("tests/1"))
            .build();
        let request = Request {
            method: Method::POST,
            body: Some(Bytes::from_static(b"{}")),
            ..get(server.url("/"))
        };
        transport.send(request.clone()).await.expect("a response");
        let expected = [
            "POST / HTTP/1.1".to_owned(),
            "accept-encoding: identity".to_owned(),
            "content-length: 2".to_owned(),
            format!("host: {}", server.address),
            "user-agent: tests/1".to_owned(),
        ];
        assert_eq!(server.head().await, expected);

        let mut own = request;
        own.headers
            .insert(header::USER_AGENT, HeaderValue::from_static("own"));
        transport.send(own).await.expect("a response");
        assert!(server.head().await.contains(&"user-agent: own".to_owned()));
    });
}

#[test]
fn each_chunk_is_out_before_the_next_comes() {
    check_chunks(hyper);
}

pub fn check_chunks<T: Transport>(transport: impl Fn() -> T) {
    run(async {
        let turn = Arc::new(Notify::new());
        let own = turn.clone();
        let server = serve(move |mut peer| {
            let turn = own.clone();
            async move {
                peer.request().await;
                peer.send(STREAM).await;
                for chunk in ["data: 1\n\n", "data: 2", "\n\n"] {
                    peer.send_chunk(chunk).await;
                    turn.notified().await;
                }
                peer.send("0\r\n\r\n").await;
                peer.closed().await;
            }
        })
        .await;
        let mut body = fetch(&transport(), server.url("/")).await.body;
        for chunk in ["data: 1\n\n", "data: 2", "\n\n"] {
            expect(&mut body, chunk).await;
            turn.notify_one();
        }
        assert!(read(body).await.1.is_none());
    });
}

#[test]
fn f_where_it_is_cut_makes_an_end_or_an_error() {
    check_cuts(hyper, |kind| kind);
}

/// `told` says as what the transport tells an error of a kind.
pub fn check_cuts<T: Transport>(
    transport: impl Fn() -> T,
    told: fn(TransportErrorKind) -> TransportErrorKind,
) {
    let check = |sent: &str, expected: Result<&str, TransportErrorKind>| {
        run(async {
            let server = serve_bytes(sent).await;
            match expected {
                Ok(text) => {
                    let body = fetch(&transport(), server.url("/")).await.body;
                    let (read, error) = read(body).await;
                    assert_eq!((read.as_str(), error.is_none()), (text, true), "{sent:?}");
                }
                Err(kind) => {
                    let kind = told(kind);
                    assert_eq!(fail(&transport(), server.url("/")).await, kind, "{sent:?}");
                }
            }
        });
    };
    use TransportErrorKind::{Http, Io};
    let ok = "HTTP/1.1 200 OK\r\n";
    check(&format!("{ok}\r\nabc"), Ok("abc"));
    check("HTTP/1.0 200 OK\r\n\r\nabc", Ok("abc"));
    check(&format!("{ok}Content-Length: 3\r\n\r\nabc"), Ok("abc"));
    check(&format!("{ok}Content-Length: 4\r\n\r\nabc"), Err(Io));
    check(
        &format!("{ok}Transfer-Encoding: chunked\r\n\r\n5\r\nabc"),
        Err(Io),
    );
    check(
        &format!("{ok}Transfer-Encoding: chunked\r\n\r\nxyz\r\n"),
        Err(Http),
    );
    check(
        &format!("{ok}Content-Length: 1\r\nContent-Length: 2\r\n\r\nx"),
        Err(Http),
    );
    check(
        &format!("HTTP/1.1 103 Early Hints\r\n\r\n{ok}\r\nx"),
        Ok("x"),
    );
    check("", Err(Io));
    check("HTTP/1.1 200 OK\r\nContent-Ty", Err(Io));
    check("SSH-2.0-OpenSSH_9.9\r\n\r\n", Err(Http));
}

/// A whole response, in two chunks.
const WHOLE: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\
                     Transfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n\
                     a\r\ndata: \u{e4}\n\n\r\n0\r\n\r\n";
const TEXT: &str = "data: 1\n\ndata: \u{e4}\n\n";

#[test]
fn cut_at_any_byte_it_gives_what_came_and_an_error() {
    run(async {
        let transport = hyper();
        for end in 0..WHOLE.len() {
            let server = serve_bytes(&WHOLE.as_bytes()[..end]).await;
            let Ok(response) = transport.send(get(server.url("/"))).await else {
                continue;
            };
            let (bytes, error) = read_bytes(response.body).await;
            assert!(error.is_some(), "cut at {end}");
            assert!(TEXT.as_bytes().starts_with(&bytes), "cut at {end}");
            // Behind a chunk's line, each byte counts.
            let line = WHOLE.find("9\r\n").expect("the first") + 3;
            let come = end.saturating_sub(line).min(9);
            assert!(bytes.len() >= come, "cut at {end}: {} came", bytes.len());
        }
    });
}

#[test]
fn d3_byte_by_byte_it_is_the_same() {
    run(async {
        let server = serve(|mut peer| async move {
            peer.stream.set_nodelay(true).expect("a socket's option");
            peer.request().await;
            for byte in WHOLE.as_bytes() {
                peer.send([*byte]).await;
            }
            peer.closed().await;
        })
        .await;
        let (text, error) = read(fetch(&hyper(), server.url("/")).await.body).await;
        assert_eq!(text, TEXT);
        assert!(error.is_none());
    });
}

#[test]
fn a_reset_breaks_the_body() {
    run(async {
        let server = serve(|mut peer| async move {
            peer.request().await;
            peer.send(STREAM).await;
            peer.send_chunk("data: 1\n\n").await;
            // What was not read makes the close a reset.
            peer.stream.set_zero_linger().expect("a socket's option");
        })
        .await;
        assert_eq!(
            fail(&hyper(), server.url("/")).await,
            TransportErrorKind::Io
        );
    });
}

#[test]
fn a_head_beyond_the_limit_is_an_error() {
    let check = |bytes: usize, fits: bool| {
        run(async move {
            let head = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "a".repeat(bytes));
            let server = serve_bytes(head).await;
            let transport = Hyper::builder().no_proxy().max_head_size(16 * 1024).build();
            let response = transport.send(get(server.url("/"))).await;
            match fits {
                true => assert!(response.is_ok()),
                false => {
                    let error = response.expect_err("too much");
                    assert_eq!(error.kind, TransportErrorKind::Http, "{error}");
                }
            }
        });
    };
    check(12 * 1024, true);
    check(20 * 1024, false);
}

#[test]
fn a6_dropping_the_request_or_the_body_closes_the_connection() {
    run(async {
        let closed = Arc::new(Notify::new());
        let own = closed.clone();
        let mut server = serve(move |mut peer| {
            let closed = own.clone();
            async move {
                if peer.request().await.contains("/body") {
                    peer.send(STREAM).await;
                }
                peer.closed().await;
                closed.notify_one();
            }
        })
        .await;
        drop(fetch(&hyper(), server.url("/body")).await);
        closed.notified().await;

        let transport = hyper();
        let sending = transport.send(get(server.url("/head")));
        tokio::select! {
            _ = sending => panic!("a response"),
            _ = async { while !server.head().await[0].contains("/head") {} } => {}
        }
        closed.notified().await;
    });
}

#[test]
fn what_cannot_be_reached_or_sent_says_so() {
    run(async {
        let free = {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
            listener.local_addr().expect("an address")
        };
        let no_name = format!("http://{}.invalid/", "a".repeat(64));
        let too_long = format!("http://{free}/{}", "a".repeat(70_000));
        use TransportErrorKind::{Connect, Request, Resolve, Scheme};
        for (target, kind, futile) in [
            (format!("http://{free}/"), Connect, false),
            (no_name, Resolve, false),
            (too_long, Request, true),
            ("ftp://localhost/".to_owned(), Scheme, true),
            ("about:blank".to_owned(), Scheme, true),
            ("mailto:a@b".to_owned(), Scheme, true),
            ("javascript:0".to_owned(), Scheme, true),
            ("data:text/event-stream,data:x".to_owned(), Scheme, true),
        ] {
            let error = hyper()
                .send(get(url(&target)))
                .await
                .expect_err("no server");
            assert_eq!(error.kind, kind, "{error}");
            assert_eq!(error.is_futile(), futile, "{error}");
        }
    });
}

#[test]
fn without_a_tokio_runtime_it_says_so() {
    let sending = hyper().send(get(url("http://127.0.0.1:1/")));
    let error = futures_util::FutureExt::now_or_never(sending)
        .expect("at once")
        .expect_err("no runtime");
    assert_eq!(error.kind, TransportErrorKind::Request);
    assert!(error.to_string().contains("tokio"), "{error}");
}

#[test]
fn a_connection_carries_one_request() {
    run(async {
        let mut server = serve(|mut peer| async move {
            while peer.request().await.starts_with("GET") {
                peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")
                    .await;
            }
        })
        .await;
        let transport = hyper();
        for _ in 0..3 {
            let body = fetch(&transport, server.url("/")).await.body;
            assert_eq!(read(body).await.0, "x");
        }
        assert_eq!(server.connections(), 3);
    });
}

#[test]
fn names_that_were_given_an_address_go_there() {
    run(async {
        let mut server = serve_bytes("HTTP/1.1 200 OK\r\n\r\n").await;
        let port = server.address.port();
        let transport = Hyper::builder()
            .no_proxy()
            .resolve("*.test", Ipv4Addr::LOCALHOST.into())
            .resolve("one.example", Ipv4Addr::LOCALHOST.into())
            .build();
        for host in ["www.a.test", "one.example"] {
            fetch(&transport, url(&format!("http://{host}:{port}/"))).await;
            let head = server.head().await;
            assert!(head.contains(&format!("host: {host}:{port}")), "{head:?}");
        }
    });
}
