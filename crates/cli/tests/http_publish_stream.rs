//! Publishing streams of events over HTTP: NDJSON and `text/event-stream`
//! bodies, each event of which is published as it arrives.

use serde_json::json;
use std::time::{Duration, Instant};
use tidings_testkit::{Answer, CANARY, Http, HubProcess, check_problem, check_refused, launch};

const NDJSON: &str = "application/x-ndjson";
const STREAM: &str = "text/event-stream";

/// Begins an upload in chunks.
fn upload(hub: &HubProcess, path: &str, content_type: &str, more: &[(&str, &str)]) -> Http {
    let mut headers = vec![
        ("Content-Type", content_type),
        ("Transfer-Encoding", "chunked"),
    ];
    headers.extend(more);
    let mut http = hub.http();
    http.send_request("POST", path, &headers, b"")
        .expect("sent");
    http
}

/// A whole body at once.
fn publish(hub: &HubProcess, path: &str, content_type: &str, body: impl AsRef<[u8]>) -> Answer {
    let headers = [("Content-Type", content_type)];
    hub.http().request("POST", path, &headers, body.as_ref())
}

/// What a topic has, as (name, data).
fn history(hub: &HubProcess, topic: &str) -> Vec<(String, String)> {
    let accept = [("Accept", "application/json")];
    let path = format!("/t/{topic}?since=earliest&limit=1000");
    let page = hub.http().request("GET", &path, &accept, b"").json();
    assert_eq!(page["more"], false);
    let text = |event: &serde_json::Value, name: &str| event[name].as_str().expect(name).to_owned();
    let events = page["events"].as_array().expect("events").iter();
    events
        .map(|e| (text(e, "event"), text(e, "data")))
        .collect()
}

/// Pieces go out one by one; behind each, the events it completed must be with
/// a watcher before the next goes out.
#[track_caller]
fn check_live(hub: &HubProcess, topic: &str, content_type: &str, pieces: &[(&str, &[&str])]) {
    let path = format!("/t/{topic}");
    let mut watch = hub.watch(&path).opened();
    let mut http = upload(hub, &path, content_type, &[]);
    let mut published = 0;
    for (piece, events) in pieces {
        http.send_chunk(piece.as_bytes()).expect("sent");
        let got = watch.events(events.len());
        let got: Vec<&str> = got.iter().map(|e| &*e.data).collect();
        assert_eq!(&got, events, "behind {piece:?}");
        published += events.len();
    }
    let answer = http.end_chunks();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let expected = json!({ "published": published, "last_id": watch.last_event_id() });
    assert_eq!(answer.json(), expected);
    assert_eq!(history(hub, topic).len(), published);
}

#[test]
fn events_are_live_before_the_body_ends() {
    let hub = launch!().start();
    check_live(
        &hub,
        "lines",
        NDJSON,
        &[
            ("{\"data\":\"one\"}\n", &["one"]),
            ("{\"data\":", &[]),
            ("\"two\"}\r\n{\"data\":3}\n{\"da", &["two", "3"]),
            ("ta\":[4, {\"a\": null}]}", &[]),
            ("\n", &["[4,{\"a\":null}]"]),
            ("\n  \n\r\n", &[]),
            (" {\"data\":\"five\",\"event\":\"x\"} \n", &["five"]),
        ],
    );
    check_live(
        &hub,
        "stream",
        STREAM,
        &[
            ("\u{FEFF}data: one\n\n", &["one"]),
            ("da", &[]),
            ("ta: two\ndata: lines\n", &[]),
            (
                "\n: comment\n\n\ndata: three\r\n\r\nda",
                &["two\nlines", "three"],
            ),
            ("ta:four\r", &[]),
            // A second CR ends the event at once (rule D5).
            ("\r", &["four"]),
            ("\nevent: empty\n\ndata\n\n", &[""]),
            (
                "ignored: x\nid: 7\nretry: 5000\nevent: e\ndata: six\n\n",
                &["six"],
            ),
        ],
    );
    // Byte by byte.
    let body = "data: a\r\n\r\ndata: \u{1F30A}\n\n";
    let bytes: Vec<Vec<u8>> = body.bytes().map(|byte| vec![byte]).collect();
    let mut watch = hub.watch("/t/bytes").opened();
    let mut http = upload(&hub, "/t/bytes", "Text/Event-Stream; charset=utf-8", &[]);
    for byte in &bytes {
        http.send_chunk(byte).expect("sent");
    }
    let data: Vec<String> = watch.events(2).into_iter().map(|e| e.data).collect();
    assert_eq!(data, ["a", "\u{1F30A}"]);
    assert_eq!(http.end_chunks().json()["published"], 2);
}

#[test]
fn an_empty_stream_publishes_nothing() {
    let hub = launch!().start();
    for content_type in [NDJSON, STREAM] {
        for body in ["", "\n", "\n\n\n"] {
            let answer = publish(&hub, "/t/none", content_type, body);
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_eq!(answer.json(), json!({ "published": 0, "last_id": null }));
        }
    }
}

#[test]
fn b23_comments_and_blank_lines_are_life_and_silence_is_not() {
    let hub = launch!("TIDINGS_PUBLISH_BODY_IDLE" = "2s").start();
    std::thread::scope(|scope| {
        for (topic, content_type, life, event) in [
            ("lines", NDJSON, "\n", "{\"data\":\"late\"}\n"),
            ("stream", STREAM, ": still here\n", "data: late\n\n"),
        ] {
            let hub = &hub;
            scope.spawn(move || {
                let path = format!("/t/{topic}");
                let mut alive = upload(hub, &path, content_type, &[]);
                let mut silent = upload(hub, &path, content_type, &[]);
                silent.send_chunk(event.as_bytes()).expect("sent");
                silent.send_chunk(&event.as_bytes()[..5]).expect("sent");
                let began = Instant::now();
                // Longer than the silence that would end it.
                while began.elapsed() < Duration::from_secs(3) {
                    alive.send_chunk(life.as_bytes()).expect("sent");
                    std::thread::park_timeout(Duration::from_millis(200));
                }
                alive.send_chunk(event.as_bytes()).expect("sent");
                let answer = alive.end_chunks();
                assert_eq!(answer.status, 200, "{}", answer.text());
                assert_eq!(answer.json()["published"], 1);
                let answer = silent.answer(false).expect("an answer");
                check_problem(&answer, 408, "body-timeout");
                assert_eq!(answer.json()["published"], 1, "what came stays");
                assert!(silent.read_to_close().expect("a close").is_empty());
                assert_eq!(history(hub, topic).len(), 2);
            });
        }
    });
}

/// A body whose third event is bad: what came before stays, what comes after
/// isn't published.
#[track_caller]
fn check_bad(hub: &HubProcess, content_type: &str, bad: &[u8], status: u16, code: &str) {
    static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let topic = format!("bad/{number}");
    let good = |n: u32| match content_type {
        NDJSON => format!("{{\"data\":\"{n}\"}}\n").into_bytes(),
        _ => format!("data: {n}\n\n").into_bytes(),
    };
    let body = [&good(1), &good(2), bad, &good(4)].concat();
    let answer = publish(hub, &format!("/t/{topic}"), content_type, body);
    let shown = String::from_utf8_lossy(&bad[..bad.len().min(80)]);
    assert_eq!(answer.status, status, "{shown}: {}", answer.text());
    check_problem(&answer, status, code);
    let document = answer.json();
    assert_eq!(document["published"], 2, "{shown}");
    let expected = [("message", "1"), ("message", "2")].map(|(e, d)| (e.to_owned(), d.to_owned()));
    assert_eq!(history(hub, &topic), expected, "{shown}");
    let last = hub.watch(&format!("/t/{topic}?since=last:1")).events(1);
    assert_eq!(document["last_id"], last[0].id, "{shown}");
}

#[test]
fn a_bad_event_ends_the_stream_and_what_came_before_stays() {
    let hub = launch!().start();
    let json = |text: &str| format!("{text}\n").into_bytes();
    for bad in [
        "kanarienvogel",
        "{}",
        "[]",
        "null",
        "{\"data\":\"x\"",
        "{\"data\":\"x\"} {\"data\":\"y\"}",
        "{\"data\":\"x\",\"data\":\"y\"}",
        "{\"data\":\"x\",\"kanarienvogel\":1}",
        "{\"data\":\"x\",\"topic\":\"elsewhere\"}",
        "{\"data\":\"x\",\"event\":\"tidings:gap\"}",
        "{\"data\":\"x\",\"event\":\"a\\nb\"}",
        "{\"data\":\"x\",\"event\":\"\"}",
        "{\"data\":\"x\",\"id\":\"td-1\"}",
        "{\"data\":\"x\",\"id\":\"a\\u0000\"}",
        "{\"data\":\"x\",\"id\":5}",
        "{\"data\":\"x\",\"retry\":99}",
        "{\"data\":\"x\",\"retry\":-1000}",
        "{\"data\":\"x\",\"retry\":1e3}",
        "{\"data\":\"\\ud800\"}",
        "{\"data\":1e400}",
    ] {
        check_bad(&hub, NDJSON, &json(bad), 400, "invalid-event");
    }
    check_bad(&hub, NDJSON, b"{\"data\":\"\xff\"}\n", 400, "invalid-event");
    check_bad(
        &hub,
        NDJSON,
        "\u{FEFF}{\"data\":1}\n".as_bytes(),
        400,
        "invalid-event",
    );
    for bad in [
        "event: tidings:gap\ndata: x\n\n",
        "event: mercure\ndata: x\n\n",
        "event: \u{0}\ndata: x\n\n",
    ] {
        check_bad(&hub, STREAM, bad.as_bytes(), 400, "invalid-event");
    }
    let name = format!("event: {}\ndata: x\n\n", "n".repeat(129));
    check_bad(&hub, STREAM, name.as_bytes(), 400, "invalid-event");
}

#[test]
fn b2_an_event_that_is_too_large_ends_the_stream_and_what_came_before_stays() {
    let hub = launch!(
        "TIDINGS_LIMITS_EVENT_DATA_BYTES" = "1KiB",
        "TIDINGS_LIMITS_EVENT_WIRE_BYTES" = "2KiB",
        "TIDINGS_LIMITS_LINE_BYTES" = "8KiB"
    )
    .start();
    let (large, endless) = ("x".repeat(1025), "x".repeat(64 * 1024));
    for (content_type, body) in [
        (NDJSON, format!("{{\"data\":\"{large}\"}}\n")),
        (STREAM, format!("data: {large}\n\n")),
        (NDJSON, endless.clone()),
        (STREAM, format!("data: {endless}")),
        (STREAM, "data\n".repeat(1000) + "\n"),
    ] {
        check_bad(&hub, content_type, body.as_bytes(), 413, "too-large");
    }
}

#[test]
fn b2_limits_count_per_event_and_not_per_body() {
    let hub = launch!(
        "TIDINGS_LIMITS_EVENT_DATA_BYTES" = "1KiB",
        "TIDINGS_LIMITS_EVENT_WIRE_BYTES" = "2KiB",
        "TIDINGS_LIMITS_LINE_BYTES" = "8KiB"
    )
    .start();
    let data = "x".repeat(1024);
    // Escaped, the line is longer than the data may be.
    let escaped = "\\u0078".repeat(1024);
    let lines = format!("{{\"data\":\"{data}\"}}\n{{\"data\":\"{escaped}\"}}\n").repeat(50);
    let stream = format!(": {}\ndata: {data}\n\n", "c".repeat(1000)).repeat(100);
    for (topic, content_type, body) in [("l", NDJSON, lines), ("s", STREAM, stream)] {
        let answer = publish(&hub, &format!("/t/{topic}"), content_type, body);
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json()["published"], 100);
        assert!(history(&hub, topic).iter().all(|(_, d)| *d == data));
    }
}

#[test]
fn upstream_ids_and_retries_are_dropped_unless_kept() {
    let hub = launch!().start();
    let body = "id: up-1\nretry: 1234\nevent: e\ndata: one\n\ndata: two\n\nid\ndata: three\n\n";
    let mut watch = hub.watch("/t/dropped").opened();
    let retry = watch.retry();
    assert_eq!(publish(&hub, "/t/dropped", STREAM, body).status, 200);
    let events = watch.events(3);
    assert!(events.iter().all(|e| e.id.starts_with("td-")), "{events:?}");
    assert_eq!((&*events[0].event, watch.retry()), ("e", retry));

    let mut watch = hub.watch("/t/kept").opened();
    let answer = publish(&hub, "/t/kept?keep=id", STREAM, body);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let events = watch.events(3);
    assert_eq!((&*events[0].id, watch.retry()), ("up-1", Some(1234)));
    // `id` is inherited by a reader but given to one event only.
    assert!(events[1].id.starts_with("td-"), "{events:?}");
    assert!(events[2].id.starts_with("td-"), "{events:?}");
    // The same again is the same events; another with a known id is a conflict.
    let answer = publish(
        &hub,
        "/t/kept?keep=id",
        STREAM,
        "id: up-1\nretry: 1234\nevent: e\ndata: one\n\n",
    );
    assert_eq!(answer.json(), json!({ "published": 1, "last_id": "up-1" }));
    let answer = publish(
        &hub,
        "/t/kept?keep=id",
        STREAM,
        "data: four\n\nid: up-1\ndata: five\n\n",
    );
    check_problem(&answer, 409, "id-conflict");
    assert_eq!(answer.json()["published"], 1);
    // An id that isn't allowed is refused, not replaced.
    let answer = publish(&hub, "/t/kept?keep=id", STREAM, "id: 10m\ndata: x\n\n");
    check_problem(&answer, 400, "invalid-event");
    let data: Vec<_> = history(&hub, "kept").into_iter().map(|(_, d)| d).collect();
    assert_eq!(data, ["one", "two", "three", "four"]);
}

#[test]
fn a_line_gives_id_event_and_retry() {
    let hub = launch!().start();
    let mut watch = hub.watch("/t/lines").opened();
    let body = "{\"retry\":1234,\"id\":\"own\",\"event\":\"e\",\"data\":\"a\\nb\"}\n{\"data\":\"\",\"id\":null,\"event\":null,\"retry\":null}";
    let answer = publish(&hub, "/t/lines", NDJSON, body);
    // The last line needs no line end.
    assert_eq!(answer.json()["published"], 2, "{}", answer.text());
    let events = watch.events(2);
    let first = &events[0];
    assert_eq!(
        (&*first.event, &*first.data, &*first.id),
        ("e", "a\nb", "own")
    );
    assert_eq!(watch.retry(), Some(1234));
    assert_eq!((&*events[1].event, &*events[1].data), ("message", ""));
    assert!(events[1].id.starts_with("td-"));
}

#[test]
fn a18_put_takes_streams_only() {
    let hub = launch!().start();
    for (content_type, piece) in [(STREAM, "data: one\n\n"), (NDJSON, "{\"data\":\"one\"}\n")] {
        let mut watch = hub.watch("/t/put").opened();
        let headers = [
            ("Content-Type", content_type),
            ("Transfer-Encoding", "chunked"),
            ("Expect", "100-continue"),
        ];
        let mut http = hub.http();
        http.send_request("PUT", "/t/put", &headers, b"")
            .expect("sent");
        assert_eq!(http.answer_head().expect("an interim answer").status, 100);
        http.send_chunk(piece.as_bytes()).expect("sent");
        assert_eq!(watch.next().expect("an event").data, "one");
        assert_eq!(http.end_chunks().json()["published"], 1);
    }
    for headers in [
        &[][..],
        &[("Content-Type", "text/plain")],
        &[("Content-Type", "application/json")],
    ] {
        let answer = hub.http().request("PUT", "/t/put", headers, b"x");
        check_problem(&answer, 405, "method-not-allowed");
        assert_eq!(answer.header("allow"), Some("GET, HEAD, POST, PUT, DELETE"));
    }
    check_refused(
        &hub,
        ("PUT", "/events", &[("Content-Type", NDJSON)], b""),
        405,
        "method-not-allowed",
    );
}

#[test]
fn b22_a_publisher_that_breaks_off_keeps_what_was_complete() {
    let hub = launch!().start();
    for (topic, content_type, pieces) in [
        (
            "lines",
            NDJSON,
            [
                "{\"data\":\"one\"}\n{\"data\":\"tw",
                "o\"}\n{\"data\":\"three\"}",
            ],
        ),
        (
            "stream",
            STREAM,
            ["data: one\n\ndata: tw", "o\n\ndata: three\n"],
        ),
    ] {
        for reset in [false, true] {
            let topic = format!("{topic}/{reset}");
            let path = format!("/t/{topic}");
            let mut watch = hub.watch(&path).opened();
            let mut http = upload(&hub, &path, content_type, &[]);
            for piece in pieces {
                http.send_chunk(piece.as_bytes()).expect("sent");
            }
            let data: Vec<String> = watch.events(2).into_iter().map(|e| e.data).collect();
            assert_eq!(data, ["one", "two"]);
            match reset {
                true => http.reset().expect("reset"),
                false => drop(http),
            }
            // The next event there is the next that anybody publishes.
            assert_eq!(hub.post(&path, "end").status, 200);
            assert_eq!(watch.next().expect("an event").data, "end");
            assert_eq!(history(&hub, &topic).len(), 3);
        }
    }
}

#[test]
fn d7_an_incomplete_last_event_is_an_error_and_not_silently_lost() {
    let hub = launch!().start();
    for (number, tail) in [
        "data: two",
        "data: two\n",
        "event: x\n",
        "data: two\nid: 7\n",
    ]
    .iter()
    .enumerate()
    {
        let topic = format!("incomplete/{number}");
        let answer = publish(
            &hub,
            &format!("/t/{topic}"),
            STREAM,
            format!("data: one\n\n{tail}"),
        );
        check_problem(&answer, 400, "invalid-event");
        assert_eq!(answer.json()["published"], 1, "{tail:?}");
        assert_eq!(history(&hub, &topic).len(), 1, "{tail:?}");
    }
    // Comments and a blank line are no event.
    for tail in [": bye", ": bye\n", "\n", "\r\n\r\n"] {
        let answer = publish(&hub, "/t/complete", STREAM, format!("data: one\n\n{tail}"));
        assert_eq!(answer.status, 200, "{tail:?}: {}", answer.text());
    }
}

#[test]
fn b21_a_stream_with_a_key_can_be_repeated_whole() {
    let hub = launch!().start();
    for (topic, content_type, begin, rest) in [
        (
            "lines",
            NDJSON,
            "{\"data\":1}\n{\"data\":2}\n{\"da",
            "ta\":3}\n{\"data\":2}\n",
        ),
        (
            "stream",
            STREAM,
            "data: 1\n\ndata: 2\n\nda",
            "ta: 3\n\ndata: 2\n\n",
        ),
    ] {
        let path = format!("/t/{topic}");
        let key = [("Idempotency-Key", topic)];
        let mut watch = hub.watch(&path).opened();
        let mut http = upload(&hub, &path, content_type, &key);
        http.send_chunk(begin.as_bytes()).expect("sent");
        watch.events(2);
        http.reset().expect("reset");
        let headers = [("Content-Type", content_type), key[0]];
        let whole = format!("{begin}{rest}");
        for _ in 0..2 {
            let answer = hub
                .http()
                .request("POST", &path, &headers, whole.as_bytes());
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_eq!(answer.json()["published"], 4);
        }
        // Events alike at different places of the stream are different events.
        let data: Vec<String> = watch.events(2).into_iter().map(|e| e.data).collect();
        assert_eq!(data, ["3", "2"]);
        assert_eq!(history(&hub, topic).len(), 4);
        // The key used for another stream: told, and nothing of it is published twice.
        let other = whole.replace('3', "4");
        let answer = hub
            .http()
            .request("POST", &path, &headers, other.as_bytes());
        check_problem(&answer, 422, "key-conflict");
        assert_eq!(answer.json()["published"], 2);
        assert_eq!(history(&hub, topic).len(), 4);
    }
}

#[test]
fn what_a_stream_of_events_cannot_be_given() {
    let hub = launch!().start();
    let header = [("Content-Type", STREAM)];
    for query in [
        "event=x",
        "id=x",
        "retry=1000",
        "keep=ids",
        "keep=",
        "keep=id&keep=id",
        "a=%",
    ] {
        let path = format!("/t/a?{query}");
        check_refused(
            &hub,
            ("POST", &path, &header, b"data: x\n\n"),
            400,
            "bad-request",
        );
    }
    let reserved = format!("/t/${CANARY}");
    check_refused(
        &hub,
        ("POST", &reserved, &header, b"data: x\n\n"),
        403,
        "reserved-topic",
    );
    for coding in ["gzip", "br", "zstd", "deflate", "gzip, gzip", CANARY, ""] {
        let headers = [header[0], ("Content-Encoding", coding)];
        check_refused(
            &hub,
            ("POST", "/t/a", &headers, b"data: x\n\n"),
            415,
            "unsupported-media-type",
        );
    }
    assert_eq!(hub.metric("tidings_events_published_total"), 0);
}
