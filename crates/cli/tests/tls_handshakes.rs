//! Handshakes: in pieces, resumed, and those that come to nothing.

mod secure;

use secure::{failures, hub, post};
use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use tidings_testkit::{Identity, check_problem, launch, wait_until};
use tokio_rustls::rustls::HandshakeKind;

#[test]
fn without_alpn_it_is_http_1_1() {
    let (identity, hub) = hub();
    let mut trust = identity.trusted();
    trust.config.alpn_protocols.clear();
    post(&hub, &trust, "x");
    trust.config.alpn_protocols = vec![b"gopher".to_vec()];
    let refused = trust
        .connect(hub.tls_address())
        .expect_err("nothing in common");
    assert!(
        refused.to_string().contains("NoApplicationProtocol"),
        "{refused}"
    );
    wait_until("it is counted", || failures(&hub, "protocol") == 1);
}

#[test]
fn p15_handshakes_that_stall_hold_no_hub() {
    let identity = Identity::new();
    let hub = identity
        .shown_by(launch!("TIDINGS_DRAIN_WINDOW" = "300ms"))
        .start();
    let _silent = tidings_testkit::Http::connect(hub.tls_address());
    // Accepted by now, because those who come later are served.
    post(&hub, &identity.trusted(), "x");
    let (status, log) = hub.finish();
    assert_eq!(status.code(), Some(0));
    assert!(log.contains("\"drained\""), "{log}");
}

#[test]
fn c23_tickets_resume_without_early_data() {
    let (identity, hub) = hub();
    let mut trust = identity.trusted();
    trust.config.enable_early_data = true;
    for kind in [
        HandshakeKind::Full,
        HandshakeKind::Resumed,
        HandshakeKind::Resumed,
    ] {
        let mut connection = trust.connection();
        assert!(
            connection.early_data().is_none(),
            "a publish could be played again"
        );
        let http = tidings_testkit::Http::connect(hub.tls_address());
        let mut http = http.secure(connection).expect("TLS");
        // The tickets come with or before the answer.
        assert_eq!(http.request("GET", "/livez", &[], b"").status, 200);
        assert_eq!(http.tls().handshake_kind(), Some(kind));
    }
}

#[test]
fn plain_http_on_the_tls_port_is_told_what_to_do() {
    let (_identity, hub) = hub();
    let mut http = tidings_testkit::Http::connect(hub.tls_address());
    let answer = http.request("GET", "/t/news", &[], b"");
    assert_eq!((answer.status, &*answer.code()), (400, "bad-request"));
    assert!(answer.text().contains("https://"), "{}", answer.text());
    assert_eq!(http.read_to_close().expect("a close"), b"");
    wait_until("it is counted", || failures(&hub, "plain-http") == 1);
}

#[test]
fn c10_tls_on_the_plain_port_is_refused() {
    let (identity, hub) = hub();
    let mut hello = Vec::new();
    identity
        .trusted()
        .connection()
        .write_tls(&mut hello)
        .expect("a hello");
    let mut http = hub.http();
    http.send(&hello).expect("sent");
    let answer = http.answer(false).expect("an answer");
    check_problem(&answer, 400, "bad-request");
    assert_eq!(http.read_to_close().expect("a close"), b"");
}

/// RUSTSEC-2024-0399 was a panic at a hello in several records.
#[test]
fn c23_a_hello_in_pieces() {
    let (identity, hub) = hub();
    let mut trust = identity.trusted();
    trust.config.max_fragment_size = Some(32);
    post(&hub, &trust, "fragments");
    // And byte by byte, each in a segment of its own.
    let mut connection = trust.connection();
    let mut hello = Vec::new();
    while connection.wants_write() {
        connection.write_tls(&mut hello).expect("a hello");
    }
    let mut http = tidings_testkit::Http::connect(hub.tls_address());
    for byte in &hello {
        http.send(&[*byte]).expect("sent");
    }
    let mut http = http.secure(connection).expect("TLS");
    assert_eq!(http.request("POST", "/t/news", &[], b"bytes").status, 200);
    assert_eq!(hub.metric("tidings_events_published_total"), 2);
}

#[test]
fn c23_handshakes_that_come_to_nothing() {
    let (identity, hub) = hub();
    let trust = identity.trusted();
    let mut hello = Vec::new();
    trust.connection().write_tls(&mut hello).expect("a hello");
    // Silent, half a record, and a handshake that stops half-way.
    let mut stalled: Vec<_> = [&hello[..0], &hello[..40], &hello]
        .into_iter()
        .map(|bytes| {
            let mut http = tidings_testkit::Http::connect(hub.tls_address());
            http.send(bytes).expect("sent");
            http
        })
        .collect();
    // A hello without an end, and one that says too much.
    let huge = [&[22, 3, 1, 64, 0, 1, 15, 255, 255][..], &[0; 16380]].concat();
    for bytes in [&huge[..], &[21, 3, 3, 0, 2, 2, 40]] {
        let mut socket = TcpStream::connect(hub.tls_address()).expect("a hub");
        let _ = socket.write_all(bytes);
        let mut http = tidings_testkit::Http::connect(hub.tls_address());
        let _ = http.send(bytes);
        let _ = http.read_to_close();
    }
    drop(TcpStream::connect(hub.tls_address()).expect("a hub"));
    wait_until("who leaves is counted", || failures(&hub, "closed") > 0);
    wait_until("who breaks it is counted", || {
        failures(&hub, "protocol") > 0
    });
    post(&hub, &trust, "meanwhile");
    for http in &mut stalled {
        // Closed: by an end, or by a reset where something was unread.
        let closed = http.read_to_close();
        assert!(!closed.is_err_and(|error| error.kind() == ErrorKind::WouldBlock));
    }
    wait_until("who is slow is counted", || failures(&hub, "timeout") == 3);
}
