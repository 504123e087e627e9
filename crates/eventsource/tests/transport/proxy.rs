//! Proxies: which is taken, and how it is asked.

use crate::certificates::Authority;
use crate::http2::{serve_h2c, stream};
use crate::support::{Peer, Server, expect, fail, fetch, read, run, serve, serve_bytes, url};
use std::net::SocketAddr;
use std::process::Command;
use tidings_eventsource::transport::{Hyper, HyperBuilder, TransportErrorKind};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, copy_bidirectional};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

const AUTHORIZATION: &str = "proxy-authorization: Basic QWxhZGRpbjpvcGVuc2VzYW1l";

fn through(builder: HyperBuilder, scheme: &str, proxy: SocketAddr) -> Hyper {
    let proxy = format!("{scheme}://Aladdin:opensesame@localhost:{}", proxy.port());
    builder.proxy(&url(&proxy)).expect("a proxy").build()
}

/// Connects `peer` to `server`, wherever it asked to.
async fn tunnel<S: AsyncRead + AsyncWrite + Unpin>(mut peer: Peer<S>, server: SocketAddr) {
    peer.request().await;
    peer.send("HTTP/1.1 200 Connection established\r\n\r\n")
        .await;
    let mut stream = TcpStream::connect(server).await.expect("the server");
    // Ends however it ends.
    let _ = copy_bidirectional(&mut peer.stream, &mut stream).await;
}

/// An https server that answers "x".
async fn serve_tls(acceptor: TlsAcceptor) -> Server {
    serve(move |peer| {
        let acceptor = acceptor.clone();
        async move {
            let mut peer = peer.tls(&acceptor).await.expect("trust");
            peer.request().await;
            peer.send("HTTP/1.1 200 OK\r\n\r\nx").await;
            peer.close().await;
        }
    })
    .await
}

#[test]
fn http_is_asked_for_by_whole_urls() {
    run(async {
        let mut proxy = serve_bytes("HTTP/1.1 200 OK\r\n\r\nx").await;
        let transport = through(Hyper::builder(), "http", proxy.address);
        let body = fetch(&transport, url("http://a.test:81/b?c")).await.body;
        assert_eq!(read(body).await.0, "x");
        let head = proxy.head().await;
        assert_eq!(head[0], "GET http://a.test:81/b?c HTTP/1.1");
        assert!(head.contains(&"host: a.test:81".to_owned()), "{head:?}");
        assert!(
            head.iter()
                .any(|line| line.eq_ignore_ascii_case(AUTHORIZATION))
        );
    });
}

#[test]
fn https_is_tunnelled_and_the_server_learns_nothing_of_it() {
    run(async {
        let authority = Authority::new();
        let mut server = serve_tls(authority.server("a.test", 2100, &[])).await;
        let address = server.address;
        let mut proxy = serve(move |peer| tunnel(peer, address)).await;
        let transport = through(authority.trusted(), "http", proxy.address);
        let body = fetch(&transport, url("https://a.test/b")).await.body;
        assert_eq!(read(body).await.0, "x");
        let head = proxy.head().await;
        assert_eq!(head[0], "CONNECT a.test:443 HTTP/1.1");
        assert!(
            head.iter()
                .any(|line| line.eq_ignore_ascii_case(AUTHORIZATION))
        );
        let head = server.head().await;
        assert_eq!(head[0], "GET /b HTTP/1.1");
        assert!(
            !head.iter().any(|line| line.starts_with("proxy-")),
            "{head:?}"
        );
    });
}

#[test]
fn a_proxy_may_be_https_too() {
    run(async {
        let authority = Authority::new();
        let server = serve_tls(authority.server("a.test", 2100, &[])).await;
        let address = server.address;
        let acceptor = authority.localhost(&["http/1.1"]);
        let mut proxy = serve(move |peer| {
            let acceptor = acceptor.clone();
            async move { tunnel(peer.tls(&acceptor).await.expect("trust"), address).await }
        })
        .await;
        let transport = through(authority.trusted(), "https", proxy.address);
        let body = fetch(&transport, url("https://a.test:8443/")).await.body;
        assert_eq!(read(body).await.0, "x");
        assert_eq!(proxy.head().await[0], "CONNECT a.test:8443 HTTP/1.1");
    });
}

#[test]
fn http2_without_tls_is_tunnelled() {
    run(async {
        let server = serve_h2c(|_, response| stream(response)).await;
        let address = server.address;
        let mut proxy = serve(move |peer| tunnel(peer, address)).await;
        let transport = through(
            Hyper::builder().http2_prior_knowledge(),
            "http",
            proxy.address,
        );
        let mut body = fetch(&transport, url("http://a.test/")).await.body;
        expect(&mut body, "data: 1\n\n").await;
        assert_eq!(proxy.head().await[0], "CONNECT a.test:80 HTTP/1.1");
    });
}

#[test]
fn socks_5_is_given_the_name() {
    run(async {
        let server = serve_bytes("HTTP/1.1 200 OK\r\n\r\nx").await;
        let address = server.address;
        let proxy = serve(move |mut peer: Peer<TcpStream>| async move {
            // RFC 1928, RFC 1929: name and password; CONNECT to a name.
            let hello = byte_string(&mut peer, 1).await;
            assert!(hello.contains(&2), "the method of RFC 1929 is offered");
            peer.send([5, 2]).await;
            assert_eq!(byte_string(&mut peer, 1).await, b"Aladdin");
            assert_eq!(byte_string(&mut peer, 0).await, b"opensesame");
            peer.send([1, 0]).await;
            assert_eq!(byte_string(&mut peer, 4).await, b"a.test");
            assert_eq!(peer.stream.read_u16().await.expect("a port"), 81);
            peer.send([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await;
            let mut stream = TcpStream::connect(address).await.expect("the server");
            let _ = copy_bidirectional(&mut peer.stream, &mut stream).await;
        })
        .await;
        let transport = through(Hyper::builder(), "socks5h", proxy.address);
        let body = fetch(&transport, url("http://a.test:81/")).await.body;
        assert_eq!(read(body).await.0, "x");
    });
}

/// After `skipped` bytes, what a byte says the length of.
async fn byte_string(peer: &mut Peer<TcpStream>, skipped: usize) -> Vec<u8> {
    let mut head = vec![0; skipped + 1];
    peer.stream.read_exact(&mut head).await.expect("a head");
    let mut bytes = vec![0; usize::from(head[skipped])];
    peer.stream.read_exact(&mut bytes).await.expect("bytes");
    bytes
}

#[test]
fn a_proxy_that_refuses_or_is_none_says_so() {
    let check = |answer: &'static str| {
        run(async move {
            let proxy = serve_bytes(answer).await;
            let transport = through(Hyper::builder(), "http", proxy.address);
            let kind = fail(&transport, url("https://a.test/")).await;
            assert_eq!(kind, TransportErrorKind::Proxy, "{answer:?}");
        });
    };
    check("HTTP/1.1 403 Forbidden\r\n\r\n");
    check("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
    check("SSH-2.0-OpenSSH_9.9\r\n\r\n");
    check("");
    run(async {
        let nobody = TcpStream::connect("127.0.0.1:1").await;
        assert!(nobody.is_err(), "port 1 is free");
        for scheme in ["http", "https", "socks5"] {
            let transport = through(Hyper::builder(), scheme, ([127, 0, 0, 1], 1).into());
            let kind = fail(&transport, url("https://a.test/")).await;
            assert_eq!(kind, TransportErrorKind::Proxy, "{scheme}");
        }
        let error = Hyper::builder()
            .proxy(&url("ftp://a.test"))
            .expect_err("ftp");
        assert_eq!(error.kind, TransportErrorKind::Proxy);
    });
}

/// What a test of the environment asks for, in a process of its own.
#[test]
#[ignore = "runs in a process of its own, with an environment of its own"]
fn fetches_what_the_environment_says() {
    let target = std::env::var("TIDINGS_TEST_TARGET").expect("a target");
    run(async {
        fetch(&Hyper::new(), url(&target)).await;
    });
}

#[test]
fn the_environment_names_the_proxy() {
    let check = |environment: &[(&str, &str)], target: &str, proxied: bool| {
        run(async {
            let mut proxy = serve_bytes("HTTP/1.1 200 OK\r\n\r\nproxy").await;
            let mut server = serve_bytes("HTTP/1.1 200 OK\r\n\r\nserver").await;
            let proxy_url = format!("http://{}", proxy.address);
            let target = target.replace("{server}", &server.address.to_string());
            let mut child = Command::new(std::env::current_exe().expect("this test"));
            child
                .args([
                    "--exact",
                    "proxy::fetches_what_the_environment_says",
                    "--ignored",
                ])
                .env_clear()
                .env("TIDINGS_TEST_TARGET", target);
            for (name, value) in environment {
                child.env(name, value.replace("{proxy}", &proxy_url));
            }
            let done = tokio::task::spawn_blocking(move || child.output());
            let output = done.await.expect("no panic").expect("a process");
            assert!(output.status.success(), "{environment:?} {output:?}");
            let came = (proxy.connections(), server.connections());
            let expected = if proxied { (1, 0) } else { (0, 1) };
            assert_eq!(came, expected, "{environment:?}");
        });
    };
    let server = "http://{server}/";
    let name = "http://a.test/";
    check(&[], server, false);
    check(&[("HTTP_PROXY", "{proxy}")], name, true);
    check(&[("http_proxy", "{proxy}")], name, true);
    check(&[("ALL_PROXY", "{proxy}")], name, true);
    check(&[("HTTPS_PROXY", "{proxy}")], server, false);
    check(
        &[
            ("HTTP_PROXY", "{proxy}"),
            ("NO_PROXY", "x.test,127.0.0.0/8"),
        ],
        server,
        false,
    );
    check(
        &[("HTTP_PROXY", "{proxy}"), ("NO_PROXY", "*")],
        server,
        false,
    );
    check(
        &[("HTTP_PROXY", "{proxy}"), ("NO_PROXY", "b.test")],
        name,
        true,
    );
    // In a CGI program, a visitor's header `Proxy:` would be this variable.
    let cgi = ("REQUEST_METHOD", "GET");
    check(&[("HTTP_PROXY", "{proxy}"), cgi], server, false);
    check(&[("http_proxy", "{proxy}"), cgi], name, true);
    check(&[("ALL_PROXY", "{proxy}"), cgi], name, true);
}
