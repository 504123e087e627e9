//! The adapter of a `reqwest` client; what both transports must do stands
//! beside the tests of the other one.

use crate::http1::{check_chunks, check_cuts, check_headers};
use crate::support::{fail, fetch, get, run, serve_bytes, url};
use tidings_eventsource::transport::{Reqwest, Transport, TransportErrorKind};

fn reqwest() -> Reqwest {
    Reqwest::new(::reqwest::Client::builder().no_proxy()).expect("a client")
}

#[test]
fn each_chunk_is_out_before_the_next_comes() {
    check_chunks(reqwest);
}

#[test]
fn f_where_it_is_cut_makes_an_end_or_an_error() {
    check_cuts(reqwest, |kind| match kind {
        // The client doesn't tell them apart.
        TransportErrorKind::Http => TransportErrorKind::Io,
        kind => kind,
    });
}

#[test]
fn r2_r3_r4_sends_the_headers_as_they_are() {
    check_headers(reqwest, "/", &[]);
}

#[test]
fn r7_a_redirect_is_the_protocols_to_follow() {
    run(async {
        let there = serve_bytes("HTTP/1.1 200 OK\r\n\r\nx").await;
        let location = there.url("/there");
        let redirect = format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\n\r\n");
        let here = serve_bytes(redirect).await;
        let response = fetch(&reqwest(), here.url("/")).await;
        assert_eq!(response.head.status, 302);

        let follows = ::reqwest::Client::builder().no_proxy().build();
        let follows = Reqwest::from(follows.expect("a client"));
        let error = follows.send(get(here.url("/"))).await.expect_err("it went");
        assert!(error.is_futile(), "{error}");
        assert!(error.to_string().contains("Policy::none()"), "{error}");

        let itself = serve_bytes("HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n").await;
        let error = follows
            .send(get(itself.url("/")))
            .await
            .expect_err("a loop");
        assert!(error.to_string().contains("Policy::none()"), "{error}");
    });
}

#[test]
fn what_it_cannot_do_says_so() {
    run(async {
        use TransportErrorKind::{Connect, Encoding, Scheme};
        let secret = url("http://127.0.0.1:1/?token=secret");
        let error = reqwest().send(get(secret)).await.expect_err("nobody");
        assert_eq!(error.kind, Connect);
        assert!(!error.to_string().contains("secret"), "{error}");
        assert_eq!(fail(&reqwest(), url("ftp://localhost/")).await, Scheme);
        let encoded = serve_bytes("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nx").await;
        assert_eq!(fail(&reqwest(), encoded.url("/")).await, Encoding);
    });
}

#[test]
fn without_a_tokio_runtime_it_says_so() {
    let sending = reqwest().send(get(url("http://127.0.0.1:1/")));
    let error = futures_util::FutureExt::now_or_never(sending)
        .expect("at once")
        .expect_err("no runtime");
    assert_eq!(error.kind, TransportErrorKind::Request);
}
