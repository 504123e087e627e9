//! HTTP/1.1 heads and bodies that two readers could understand differently
//! are refused, whether they come first on a connection or behind others.

use std::io::ErrorKind;
use tidings_testkit::{CANARY, Http, HubProcess, check_problem, launch};

/// With `HOST` standing for the hub's.
fn bytes(hub: &HubProcess, request: &str) -> Vec<u8> {
    let host = hub.address().to_string();
    request.replace("HOST", &host).into_bytes()
}

/// Nothing more is answered, and the hub closes.
#[track_caller]
fn check_closed(http: &mut Http) {
    match http.read_to_close() {
        Ok(rest) => assert!(rest.is_empty(), "{}", rest.escape_ascii()),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}"),
    }
}

/// Something that would be seen if it were taken for a request.
const SMUGGLED: &str = "POST /t/smuggled HTTP/1.1\r\nHost: HOST\r\nContent-Length: 0\r\n\r\n";
const FINE: &str = "POST /t/fine HTTP/1.1\r\nHost: HOST\r\nContent-Length: 1\r\n\r\nx";

/// `request` is refused with `status` as the first, second and third of a
/// connection, sent alone or at once with those before it.
#[track_caller]
fn check_refused(hub: &HubProcess, request: &str, status: u16, code: &str) {
    for before in 0..3 {
        for pipelined in [false, true] {
            let mut http = hub.http();
            if pipelined {
                let all = format!("{}{request}{SMUGGLED}", FINE.repeat(before));
                // What was refused may be closed before all of it is sent.
                let _ = http.send(&bytes(hub, &all));
            }
            for _ in 0..before {
                if !pipelined {
                    http.send(&bytes(hub, FINE)).expect("sent");
                }
                let answer = http.answer(false).expect("an answer");
                assert_eq!(answer.status, 200, "{}: {}", answer.text(), shown(request));
            }
            if !pipelined {
                let _ = http.send(&bytes(hub, &format!("{request}{SMUGGLED}")));
            }
            let answer = http
                .answer(false)
                .unwrap_or_else(|error| panic!("{error}: {before} before {}", shown(request)));
            check_problem(&answer, status, code);
            assert_eq!(answer.header("connection"), Some("close"));
            check_closed(&mut http);
        }
    }
}

fn shown(request: &str) -> String {
    request.chars().take(200).collect()
}

/// None of what hid behind a refused request was ever published.
#[track_caller]
fn check_nothing_smuggled(hub: &HubProcess) {
    let json = [("Accept", "application/json")];
    let answer = hub.http().request("GET", "/t/smuggled", &json, b"");
    assert_eq!(answer.json()["events"], serde_json::json!([]));
}

#[test]
fn c1_c2_c3_framing_that_two_could_read_differently() {
    let hub = launch!().start();
    for framing in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 3,3\r\n",
        "Content-Length: +3\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 0x3\r\n",
        "Content-Length: 1180591620717411303424\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    ] {
        let request = format!("POST /t/a HTTP/1.1\r\nHost: HOST\r\n{framing}\r\n0\r\n\r\n");
        check_refused(&hub, &request, 400, "bad-request");
    }
    let old = "POST /t/a HTTP/1.0\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    check_refused(&hub, old, 400, "bad-request");
    check_nothing_smuggled(&hub);
}

#[test]
fn c4_c5_exactly_one_host() {
    let hub = launch!().start();
    for head in [
        "POST /t/a HTTP/1.1\r\n",
        "POST /t/a HTTP/1.1\r\nHost: HOST\r\nHost: HOST\r\n",
        "POST /t/a HTTP/1.1\r\nHost: a b@c/\r\n",
        "POST /t/a HTTP/1.1\r\nHost: user@HOST\r\n",
        "POST /t/a HTTP/1.1\r\nHost:\r\n",
        "POST http://other.example/t/a HTTP/1.1\r\nHost: HOST\r\n",
    ] {
        let request = format!("{head}Content-Length: 0\r\n\r\n");
        check_refused(&hub, &request, 400, "bad-request");
    }
    check_nothing_smuggled(&hub);
}

/// What asks for a stream is read by the hub itself: the rules are the same.
#[test]
fn c1_to_c10_requests_for_streams() {
    let hub = launch!().start();
    for (head, status, code) in [
        ("GET /t/a HTTP/1.1\r\n", 400, "bad-request"),
        (
            "GET /t/a HTTP/1.1\r\nHost: HOST\r\nHost: HOST\r\n",
            400,
            "bad-request",
        ),
        ("GET /t/a HTTP/1.1\r\nHost: a b@c/\r\n", 400, "bad-request"),
        (
            "GET http://other.example/t/a HTTP/1.1\r\nHost: HOST\r\n",
            400,
            "bad-request",
        ),
        (
            "GET /t/a HTTP/1.1\r\nHost: HOST\r\nContent-Length: 1\r\n",
            400,
            "bad-request",
        ),
        (
            "GET /t/a HTTP/1.1\r\nHost: HOST\r\nContent-Length: +0\r\n",
            400,
            "bad-request",
        ),
        (
            "GET /t/a HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n",
            400,
            "bad-request",
        ),
        (
            "GET /t/a HTTP/1.1\r\nHost: HOST\r\nExpect: x\r\n",
            417,
            "expectation-failed",
        ),
        (
            "GET /t/a HTTP/1.1\r\nHost: HOST\r\n folded\r\n",
            400,
            "bad-request",
        ),
        (
            "GET /t/a HTTP/1.1\r\nHost: HOST\r\nA : b\r\n",
            400,
            "bad-request",
        ),
        ("GET /t/a HTTP/1.1\nHost: HOST\r\n", 400, "bad-request"),
        (
            "GET /t/a HTTP/9.9\r\nHost: HOST\r\n",
            505,
            "version-not-supported",
        ),
    ] {
        let request = format!("{head}Accept: text/event-stream\r\n\r\n");
        for before in 0..2 {
            let mut http = hub.http();
            for _ in 0..before {
                http.send(&bytes(&hub, FINE)).expect("sent");
                assert_eq!(http.answer(false).expect("an answer").status, 200);
            }
            // Alone, so that it is nobody else's to read.
            http.send(&bytes(&hub, &request)).expect("sent");
            check_problem(&http.answer(false).expect("an answer"), status, code);
            check_closed(&mut http);
        }
        check_refused(&hub, &request, status, code);
    }
    check_nothing_smuggled(&hub);
}

#[test]
fn c6_c7_lines_and_names() {
    let hub = launch!().start();
    for headers in [
        "A: b\r\n c\r\n",
        "A: b\r\n\tc\r\n",
        "A: b\rc\r\n",
        "A: b\0c\r\n",
        "A b: c\r\n",
        ": c\r\n",
        "A\r\n",
        "A: b\n",
    ] {
        let request = format!("POST /t/a HTTP/1.1\r\nHost: HOST\r\n{headers}\r\n");
        check_refused(&hub, &request, 400, "bad-request");
    }
    let bare = "POST /t/a HTTP/1.1\nHost: HOST\n\n";
    check_refused(&hub, bare, 400, "bad-request");
    check_nothing_smuggled(&hub);
}

#[test]
fn c9_c10_heads_of_another_size_or_protocol() {
    let hub = launch!().start();
    let large = format!(
        "GET /t/a HTTP/1.1\r\nHost: HOST\r\nA: {}\r\n\r\n",
        CANARY.repeat(20_000)
    );
    check_refused(&hub, &large, 431, "head-too-large");
    let many = format!(
        "GET /t/a HTTP/1.1\r\nHost: HOST\r\n{}\r\n",
        "A: b\r\n".repeat(100)
    );
    check_refused(&hub, &many, 431, "head-too-large");
    let long = format!(
        "GET /t/a?{} HTTP/1.1\r\nHost: HOST\r\n\r\n",
        "x".repeat(100_000)
    );
    check_refused(&hub, &long, 414, "uri-too-long");
    for version in ["HTTP/2.0", "HTTP/9.9", "HTTP/1.2"] {
        let request = format!("GET /t/a {version}\r\nHost: HOST\r\n\r\n");
        check_refused(&hub, &request, 505, "version-not-supported");
    }
    for request in [
        "get /t/a HTTP/1.1\r\nHost: HOST\r\n\r\n",
        "GET t/a HTTP/1.1\r\nHost: HOST\r\n\r\n",
        "GET /t/a\r\n",
        "GET /t/a#b HTTP/1.1\r\nHost: HOST\r\n\r\n",
        "GET /t/<a> HTTP/1.1\r\nHost: HOST\r\n\r\n",
        "CONNECT localhost:80 HTTP/1.1\r\nHost: HOST\r\n\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n",
        "\x16\x03\x01\x02\0\x01\0",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
    ] {
        check_refused(&hub, request, 400, "bad-request");
    }
    check_nothing_smuggled(&hub);
}

#[test]
fn c8_chunks_that_two_could_read_differently() {
    let hub = launch!().start();
    let long = format!("1;{}\r\nx\r\n0\r\n\r\n", "x".repeat(100_000));
    let trailers = format!("0\r\n{}\r\n", "a: b\r\n".repeat(1000));
    for body in [
        "0x3\r\nabc\r\n0\r\n\r\n",
        "0\r\nno colon\r\n\r\n",
        "3\nabc\n0\n\n",
        "fffffffffffffffff\r\nabc",
        "3 \r\nabc\r\n0\r\n\r\n",
        "3\r\nabcd\r\n0\r\n\r\n",
        "-3\r\nabc\r\n0\r\n\r\n",
        &long,
        &trailers,
    ] {
        let head = "POST /t/smuggled HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n";
        let mut http = hub.http();
        let _ = http.send(&bytes(&hub, &format!("{head}{body}{SMUGGLED}")));
        // Its answer, if there is one, is the last.
        let all = http.read_to_close().unwrap_or_default();
        let all = String::from_utf8_lossy(&all);
        assert!(
            all.matches("HTTP/1.1 ").count() <= 1,
            "{}: {all}",
            shown(body)
        );
        assert!(!all.contains("HTTP/1.1 200"), "{}: {all}", shown(body));
    }
    check_nothing_smuggled(&hub);
}

/// `sent` gets one answer, with `status`; then the connection ends.
#[track_caller]
fn check_one_answer(hub: &HubProcess, sent: &str, status: u16) {
    let mut http = hub.http();
    let _ = http.send(&bytes(hub, sent));
    let answer = http.answer(false).expect("an answer");
    assert_eq!(answer.status, status, "{}: {}", answer.text(), shown(sent));
    assert_eq!(answer.header("connection"), Some("close"));
    check_closed(&mut http);
}

#[test]
fn c11_a_last_request_is_the_last() {
    let hub = launch!().start();
    let fine =
        "POST /t/fine HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx";
    let refused = "POST /nowhere HTTP/1.1\r\nHost: a b@c/\r\nContent-Length: 1\r\n\r\nx";
    for behind in ["", "\r\n", SMUGGLED, "\0\0", "GET / HTTP/1.1\r\nA"] {
        check_one_answer(&hub, &format!("{fine}{behind}"), 200);
        // The hub says that this is the last.
        check_one_answer(&hub, &format!("{refused}{behind}"), 400);
    }
    check_nothing_smuggled(&hub);
}

#[test]
fn c12_a_refusal_is_told_behind_an_upgrade_too() {
    let hub = launch!().start();
    let mut http = hub.http();
    let upgrade =
        "GET /readyz HTTP/1.1\r\nHost: HOST\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n";
    http.send(&bytes(&hub, upgrade)).expect("sent");
    assert_eq!(http.answer(false).expect("an answer").status, 200);
    http.send(&bytes(&hub, "get / HTTP/1.1\r\n\r\n"))
        .expect("sent");
    check_problem(&http.answer(false).expect("an answer"), 400, "bad-request");
    check_closed(&mut http);
}

#[test]
fn b2_an_early_refusal_reaches_a_peer_that_is_still_sending() {
    let hub = launch!().start();
    let head = "POST /t/a HTTP/1.1\r\nHost: HOST\r\nContent-Length: 100000000\r\n\r\n";
    for _ in 0..10 {
        let mut http = hub.http();
        http.send(&bytes(&hub, head)).expect("sent");
        for _ in 0..8 {
            let _ = http.send(&[b'x'; 64 * 1024]);
        }
        check_problem(&http.answer(false).expect("an answer"), 413, "too-large");
    }
}

/// Row c9 in time: a head that has begun behind an answer without an end is
/// given up, and the stream with it.
#[test]
fn a22_half_a_head_on_an_open_stream_ends_it() {
    let hub = launch!().start();
    let mut http = hub.http();
    http.send_request("GET", "/t/a", &[("Accept", "text/event-stream")], b"")
        .expect("sent");
    assert_eq!(http.answer_head().expect("an answer").status, 200);
    http.chunk().expect("the opening block");
    http.send(b"GET / HTTP/1.1\r\nA: ").expect("sent");
    if let Err(error) = http.read_to_close() {
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
    }
}

#[test]
fn c12_upgrades_are_ignored() {
    let hub = launch!().start();
    let headers = [
        ("Upgrade", "h2c"),
        ("Connection", "upgrade"),
        ("HTTP2-Settings", "AAMAAABkAAQAAP__"),
    ];
    assert_eq!(
        hub.http().request("GET", "/readyz", &headers, b"").status,
        200
    );
}

#[test]
fn a22_garbage_on_an_open_stream_ends_it() {
    let hub = launch!().start();
    let mut http = hub.http();
    http.send_request("GET", "/t/a", &[("Accept", "text/event-stream")], b"")
        .expect("sent");
    assert_eq!(http.answer_head().expect("an answer").status, 200);
    http.chunk().expect("the opening block");
    http.send(b"\0\xff\r\n").expect("sent");
    match http.read_to_close() {
        Ok(rest) => assert!(!rest.starts_with(b"HTTP"), "{}", rest.escape_ascii()),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}"),
    }
    assert_eq!(hub.get("/readyz").status, 200);
}
