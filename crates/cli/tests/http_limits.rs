//! Bounds of requests over HTTP: bodies, heads, queries, codings, expectations.

use std::io::ErrorKind;
use tidings_testkit::{
    Answer, CANARY, Http, HubProcess, Launch, check_problem, check_refused, launch,
};

type Headers<'a> = &'a [(&'a str, &'a str)];

const STREAM: (&str, &str) = ("Accept", "text/event-stream");

/// A hub that takes events of 1 KiB.
fn small() -> Launch {
    launch!(
        "TIDINGS_LIMITS_EVENT_DATA_BYTES" = "1KiB",
        "TIDINGS_LIMITS_EVENT_WIRE_BYTES" = "4KiB",
        "TIDINGS_LIMITS_BATCH_BYTES" = "6KiB",
        "TIDINGS_LIMITS_LINE_BYTES" = "8KiB"
    )
}

fn chunked(hub: &HubProcess, path: &str, content_type: &str) -> Http {
    let mut http = hub.http();
    let headers = [
        ("Content-Type", content_type),
        ("Transfer-Encoding", "chunked"),
    ];
    http.send_request("POST", path, &headers, b"")
        .expect("sent");
    http
}

/// Whether the hub takes a body of this size, sent whole and in chunks.
#[track_caller]
fn check_size(hub: &HubProcess, path: &str, content_type: &str, body: &[u8], fits: bool) {
    let check = |answer: &Answer| match fits {
        true => assert_eq!(answer.status, 200, "{}", answer.text()),
        false => check_problem(answer, 413, "too-large"),
    };
    let headers = [("Content-Type", content_type)];
    check(&hub.http().request("POST", path, &headers, body));
    let mut http = chunked(hub, path, content_type);
    for piece in body.chunks(500) {
        // It may have been refused by now.
        let _ = http.send_chunk(piece);
    }
    check(&http.end_chunks());
}

#[test]
fn b2_bodies_up_to_the_limit_and_no_farther() {
    let hub = small().start();
    let body = "x".repeat(1025);
    check_size(&hub, "/t/a", "text/plain", &body.as_bytes()[..1024], true);
    check_size(&hub, "/t/a", "text/plain", body.as_bytes(), false);
    check_size(&hub, "/t/a", "text/plain", &[b'x'; 300_000], false);
    // 500 line feeds are 3,507 bytes on the wire, 600 are 4,207.
    check_size(&hub, "/t/a", "text/plain", &[b'\n'; 500], true);
    check_size(&hub, "/t/a", "text/plain", &[b'\n'; 600], false);
    let event = |length: usize| format!("{{\"topic\":\"a\",\"data\":\"{}\"}}", "x".repeat(length));
    let array = |length: usize| format!("[{},{}]", event(length), [&*event(1000); 5].join(","));
    check_size(
        &hub,
        "/events",
        "application/json",
        event(1024).as_bytes(),
        true,
    );
    check_size(
        &hub,
        "/events",
        "application/json",
        event(1025).as_bytes(),
        false,
    );
    let fits = 6144 - array(0).len();
    check_size(
        &hub,
        "/events",
        "application/json",
        array(fits).as_bytes(),
        true,
    );
    check_size(
        &hub,
        "/events",
        "application/json",
        array(fits + 1).as_bytes(),
        false,
    );
    assert_eq!(hub.metric("tidings_store_last_position"), 18);
}

#[test]
fn b2_a_body_that_is_announced_too_large_is_refused_before_it_is_sent() {
    let hub = launch!().start();
    for path in ["/t/a", "/events"] {
        for length in ["8388609", "1000000000000", "18446744073709551615"] {
            let mut http = hub.http();
            let headers = [
                ("Content-Length", length),
                ("Content-Type", "application/json"),
            ];
            http.send_request("POST", path, &headers, b"")
                .expect("sent");
            let answer = http.answer(false).expect("an answer");
            if length.len() == 20 {
                assert!((400..500).contains(&answer.status), "{}", answer.text());
                continue;
            }
            check_problem(&answer, 413, "too-large");
            assert_eq!(answer.header("connection"), Some("close"));
            assert!(http.read_to_close().expect("a close").is_empty());
        }
    }
    // At the limit of the default: 1 MiB.
    let large = vec![b'x'; (1 << 20) + 1];
    assert_eq!(hub.post("/t/a", &large[1..]).status, 200);
    check_problem(&hub.post("/t/a", &large), 413, "too-large");
    let watched = hub.watch("/t/a?since=earliest").events(1);
    assert_eq!(watched[0].data.len(), 1 << 20);
}

#[test]
fn b3_compressed_bodies() {
    let hub = launch!().start();
    for coding in [
        "gzip",
        "GZIP",
        "x-gzip",
        "br",
        "zstd",
        "deflate",
        "compress",
        "gzip, gzip",
        "identity, gzip",
        CANARY,
    ] {
        let headers = [
            ("Content-Encoding", coding),
            ("Content-Type", "application/json"),
        ];
        for path in ["/t/a", "/events"] {
            check_refused(
                &hub,
                ("POST", path, &headers, b"x"),
                415,
                "unsupported-media-type",
            );
        }
    }
    let headers = [("Content-Encoding", "Identity")];
    assert_eq!(
        hub.http().request("POST", "/t/a", &headers, b"x").status,
        200
    );
}

#[test]
fn b24_expectations() {
    let hub = launch!().start();
    let large = [("Expect", "100-continue"), ("Content-Length", "99999999")];
    // No interim answer before a refusal: `request` takes the first there is.
    let refused: [(&str, Headers<'_>, u16, &str); 4] = [
        ("/t/a", &large, 413, "too-large"),
        (
            "/t/$a",
            &[("Expect", "100-continue"), ("Content-Length", "5")],
            403,
            "reserved-topic",
        ),
        (
            "/t/a",
            &[("Expect", CANARY), ("Content-Length", "5")],
            417,
            "expectation-failed",
        ),
        (
            "/t/a",
            &[("Expect", ""), ("Content-Length", "5")],
            417,
            "expectation-failed",
        ),
    ];
    for (path, headers, status, code) in refused {
        check_refused(&hub, ("POST", path, headers, b""), status, code);
    }
    let mut http = hub.http();
    let headers = [("Expect", "100-Continue"), ("Content-Length", "5")];
    http.send_request("POST", "/t/a", &headers, b"")
        .expect("sent");
    assert_eq!(http.answer_head().expect("an interim answer").status, 100);
    http.send(b"hello").expect("sent");
    assert_eq!(http.answer(false).expect("an answer").status, 200);
    // With nothing to send there is nothing to wait for.
    let headers = [("Expect", "100-continue")];
    let answer = hub.http().request("POST", "/t/a", &headers, b"");
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[test]
fn a2_topics_and_queries() {
    let hub = launch!().start();
    let topics = |count: usize| {
        (0..count)
            .map(|n| format!("topic=t{n}&"))
            .collect::<String>()
    };
    let path = format!("/events?{}", topics(1001));
    check_refused(&hub, ("GET", &path, &[STREAM], b""), 400, "invalid-topic");
    // A topic said twice counts twice.
    let path = format!("/events?{}", "topic=a&".repeat(1001));
    check_refused(&hub, ("GET", &path, &[STREAM], b""), 400, "invalid-topic");
    let mut watch = hub.watch(&format!("/events?{}", topics(1000))).opened();
    assert_eq!(hub.post("/t/t999", "x").status, 200);
    assert_eq!(watch.next().expect("an event").data, "x");
    let long = "x".repeat(100 * 1024);
    for (method, path) in [
        ("GET", "/t/a"),
        ("GET", "/events"),
        ("POST", "/t/a"),
        ("GET", "/"),
        ("POST", "/events"),
    ] {
        let answer = hub
            .http()
            .request(method, &format!("{path}?topic={long}"), &[], b"");
        assert_eq!(answer.status, 414, "{method} {path}");
    }
    // A query of the hub's own limit is told as such.
    let hub = launch!("TIDINGS_LIMITS_QUERY_BYTES" = "1KiB").start();
    let path = format!("/events?topic={}", &long[..1024 - 5]);
    check_refused(&hub, ("GET", &path, &[STREAM], b""), 414, "uri-too-long");
    let path = format!("/t/a?x={}", &long[..1024 - 2]);
    assert_eq!(hub.post(&path, "x").status, 200);
}

#[test]
fn c9_heads_that_are_too_large_are_told_so() {
    let hub = launch!().start();
    let large = "x".repeat(1 << 20);
    for headers in [
        vec![("X-Large", &*large)],
        vec![("X-Many", "x"); 101],
        vec![("Cookie", &large[..900_000])],
    ] {
        let answer = hub.http().request("GET", "/t/a", &headers, b"");
        assert_eq!(answer.status, 431, "{} headers", headers.len());
    }
    assert_eq!(hub.get("/readyz").status, 200);
}

#[test]
fn a19_reading_with_a_body() {
    let hub = launch!().start();
    let long = "1000000000";
    for path in ["/t/a", "/events?topic=a", "/", "/metrics", "/readyz"] {
        for method in ["GET", "HEAD"] {
            for headers in [
                [("Content-Length", long)],
                [("Content-Length", "1")],
                [("Transfer-Encoding", "chunked")],
            ] {
                let mut http = hub.http();
                http.send_request(method, path, &headers, b"")
                    .expect("sent");
                let answer = http.answer(method == "HEAD").expect("an answer");
                assert_eq!(answer.status, 400, "{method} {path} {headers:?}");
                if method == "GET" {
                    check_problem(&answer, 400, "bad-request");
                }
                // What follows could be anything.
                match http.read_to_close() {
                    Ok(rest) => assert!(rest.is_empty()),
                    Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
                }
            }
        }
    }
    // No body is no body.
    let answer = hub
        .http()
        .request("GET", "/readyz", &[("Content-Length", "0")], b"");
    assert_eq!(answer.status, 200);
}

#[test]
fn c11_pipelined_requests_are_answered_in_order() {
    let hub = launch!().start();
    let mut http = hub.http();
    for n in 0..200 {
        http.send_request("POST", &format!("/t/a?id=n{n}"), &[], b"x")
            .expect("sent");
    }
    for n in 0..200 {
        let answer = http.answer(false).expect("an answer");
        assert_eq!(answer.json()["id"], format!("n{n}"), "{}", answer.text());
    }
}

/// A body that is never read would stay where nothing bounds it.
#[test]
fn as_many_bodies_at_once_as_are_allowed() {
    let hub = launch!("TIDINGS_LIMITS_PUBLISH_BODIES" = "2").start();
    let mut watch = hub.watch("/t/a").opened();
    let mut streams: Vec<Http> = (0..2)
        .map(|_| chunked(&hub, "/t/a", "application/x-ndjson"))
        .collect();
    for stream in &mut streams {
        stream.send_chunk(b"{\"data\":\"x\"}\n").expect("sent");
        assert_eq!(watch.next().expect("an event").data, "x");
    }
    for (path, body) in [("/t/a", "x"), ("/events", "[]")] {
        let answer = hub.post(path, body);
        check_problem(&answer, 503, "busy");
        assert!(answer.header("retry-after").is_some());
    }
    assert_eq!(hub.get("/readyz").status, 200);
    let ended = streams.pop().expect("a stream").end_chunks();
    assert_eq!(ended.json()["published"], 1);
    assert_eq!(hub.post("/t/a", "y").status, 200);
    assert_eq!(watch.next().expect("an event").data, "y");
}
