//! Watching over HTTP: the head of a stream, its opening block, its forms, and
//! which events it gives.

use serde_json::json;
use std::collections::HashSet;
use tidings_testkit::{CANARY, HubProcess, Watch, check_problem, check_refused, launch};

const STREAM: (&str, &str) = ("Accept", "text/event-stream");

#[track_caller]
fn check_stream_head(answer: &tidings_testkit::Answer) {
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    assert_eq!(
        answer.header("cache-control"),
        Some("no-store, no-transform")
    );
    assert_eq!(answer.header("x-accel-buffering"), Some("no"));
    assert_eq!(answer.header("content-encoding"), None);
    assert_eq!(answer.header("content-length"), None);
    assert_eq!(answer.header("access-control-allow-origin"), None);
    assert!(answer.headers("vary").contains("Accept"), "{answer:?}");
}

fn publish(hub: &HubProcess, topic: &str, data: &str) {
    let answer = hub.post(&format!("/t/{topic}"), data);
    assert_eq!(answer.status, 200, "{topic}: {}", answer.text());
}

fn data(watch: &mut Watch, count: usize) -> Vec<String> {
    watch.events(count).into_iter().map(|e| e.data).collect()
}

#[test]
fn a_stream_opens_with_a_block_that_fires_no_event() {
    let hub = launch!().start();
    publish(&hub, "news", "before");
    let mut retries = HashSet::new();
    for path in [
        "/t/news",
        "/events?topic=news",
        "/t/news?envelope=json",
        "/t/news?since=latest",
    ]
    .repeat(4)
    {
        let watch = hub.watch(path).opened();
        check_stream_head(watch.head());
        let retry = watch.retry().expect("a reconnection time");
        assert!((2_000..=6_000).contains(&retry), "{retry} ms");
        retries.insert(retry);
        let opening = String::from_utf8(watch.raw().to_vec()).expect("UTF-8");
        let lines: Vec<&str> = opening.lines().collect();
        assert!(
            lines[..3].iter().any(|line| line.starts_with(':')),
            "{opening}"
        );
        assert!(
            lines[..3].iter().any(|line| line.starts_with("id: td-")),
            "{opening}"
        );
        assert_eq!(lines[3..], [""], "{opening}");
    }
    assert!(
        retries.len() > 1,
        "each connection has its own: {retries:?}"
    );
}

#[test]
fn retry_is_spread_from_the_base_that_is_set() {
    let hub = launch!("TIDINGS_STREAM_RETRY" = "100ms").start();
    for _ in 0..20 {
        let retry = hub
            .watch("/t/news")
            .opened()
            .retry()
            .expect("a reconnection time");
        assert!((100..=300).contains(&retry), "{retry} ms");
    }
}

#[test]
fn a18_methods() {
    let hub = launch!().start();
    let mut http = hub.http();
    for path in ["/t/news", "/events?topic=news"] {
        for _ in 0..3 {
            let answer = http.request("HEAD", path, &[STREAM], b"");
            check_stream_head(&answer);
        }
    }
    // No stream came of it.
    assert_eq!(hub.metric("tidings_subscribers"), 0);
    for (path, allowed) in [
        ("/t/news", "GET, HEAD, POST, PUT, DELETE"),
        ("/events", "GET, HEAD, POST"),
        ("/", "GET, HEAD"),
        ("/metrics", "GET, HEAD"),
        ("/livez", "GET, HEAD"),
    ] {
        for method in ["PUT", "DELETE", "TRACE", "PATCH", "PROPFIND"] {
            if method == "DELETE" && allowed.ends_with(method) {
                continue;
            }
            let answer = hub.http().request(method, path, &[], b"");
            check_problem(&answer, 405, "method-not-allowed");
            assert_eq!(answer.header("allow"), Some(allowed), "{method} {path}");
        }
    }
    for path in ["/", "/livez", "/readyz", "/metrics"] {
        let answer = hub.http().request("HEAD", path, &[], b"");
        assert_eq!((answer.status, answer.body.len()), (200, 0), "{path}");
    }
}

#[track_caller]
fn check_form(hub: &HubProcess, accept: Option<&str>, content_type: &str) {
    let headers: Vec<(&str, &str)> = accept
        .map(|accept| ("Accept", accept))
        .into_iter()
        .collect();
    for path in ["/t/news", "/events?topic=news"] {
        let mut http = hub.http();
        http.send_request("GET", path, &headers, b"").expect("sent");
        let head = http.answer_head().expect("an answer");
        let given = head.header("content-type").unwrap_or("").split(';').next();
        assert_eq!(given, Some(content_type), "{accept:?}");
        let expected = if content_type == "application/problem+json" {
            406
        } else {
            200
        };
        assert_eq!(head.status, expected, "{accept:?}");
    }
}

#[test]
fn a17_accept() {
    let hub = launch!().start();
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";
    for (accept, content_type) in [
        (None, "text/event-stream"),
        (Some("*/*"), "text/event-stream"),
        (Some("text/event-stream"), "text/event-stream"),
        (Some("text/event-stream, */*;q=0.1"), "text/event-stream"),
        (Some("application/json"), "application/json"),
        (
            Some("text/event-stream;q=0.1, application/json"),
            "application/json",
        ),
        (Some("text/html"), "text/html"),
        (Some(browser), "text/html"),
        (Some("*/*;q=0"), "application/problem+json"),
        (Some("image/png"), "application/problem+json"),
        (Some(""), "application/problem+json"),
        (Some(CANARY), "application/problem+json"),
    ] {
        check_form(&hub, accept, content_type);
    }
    check_refused(
        &hub,
        ("GET", "/t/news", &[("Accept", CANARY)], b""),
        406,
        "not-acceptable",
    );
}

#[test]
fn a20_accepting_codings_changes_nothing() {
    let hub = launch!().start();
    let mut http = hub.http();
    let headers = [STREAM, ("Accept-Encoding", "gzip, br, zstd, deflate")];
    http.send_request("GET", "/t/news", &headers, b"")
        .expect("sent");
    let mut watch = Watch::answered(http).expect("an answer").opened();
    check_stream_head(watch.head());
    publish(&hub, "news", "at once");
    assert_eq!(data(&mut watch, 1), ["at once"]);
}

#[test]
fn http_1_0_gets_the_stream_unchunked_and_its_end_is_the_close() {
    let hub = launch!("TIDINGS_DRAIN_WINDOW" = "0s").start();
    let mut http = hub.http();
    let head = format!("GET /t/news HTTP/1.0\r\nHost: {}\r\n\r\n", hub.address());
    http.send(head.as_bytes()).expect("sent");
    let mut watch = Watch::answered(http).expect("an answer").opened();
    check_stream_head(watch.head());
    assert_eq!(watch.head().header("transfer-encoding"), None);
    publish(&hub, "news", "one");
    publish(&hub, "news", "two\nlines");
    assert_eq!(data(&mut watch, 2), ["one", "two\nlines"]);
    hub.terminate();
    assert_eq!(watch.next(), None);
    let text = String::from_utf8(watch.raw().to_vec()).expect("UTF-8");
    assert!(text.starts_with("retry: "), "no chunk sizes: {text}");
    let last = text.trim_end().lines().last().expect("a line");
    assert!(last.starts_with("retry: "), "{text}");
}

#[test]
fn envelope_has_this_shape() {
    let hub = launch!().start();
    let mut watch = hub
        .watch("/events?topic=**&envelope=json&since=earliest")
        .opened();
    assert_eq!(
        hub.post("/t/a/b?event=price&id=own&retry=1500", "{\"x\":\n1}")
            .status,
        200
    );
    publish(&hub, "plain", "");
    let events = watch.events(2);
    for event in &events {
        assert_eq!(event.event, "message", "without event:");
    }
    let first: serde_json::Value = serde_json::from_str(&events[0].data).expect("JSON");
    let time = first["time"].as_str().expect("a time").to_owned();
    let expected =
        json!({"topic": "a/b", "event": "price", "id": "own", "time": time, "data": "{\"x\":\n1}"});
    assert_eq!(first, expected);
    // RFC 3339, UTC, milliseconds: 2026-01-31T12:34:56.789Z
    let shape: String = time
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    assert_eq!(shape, "0000-00-00T00:00:00.000Z");
    assert_eq!((&*events[0].id, watch.retry()), ("own", Some(1500)));
    let second: serde_json::Value = serde_json::from_str(&events[1].data).expect("JSON");
    assert_eq!(second["event"], "message");
    assert_eq!(
        (&second["id"], &second["data"]),
        (&json!(events[1].id), &json!(""))
    );
    // The members stand in this order, on one line.
    let order = [
        "{\"topic\":",
        ",\"event\":",
        ",\"id\":",
        ",\"time\":",
        ",\"data\":",
    ];
    let places: Vec<_> = order.iter().map(|name| events[0].data.find(name)).collect();
    assert!(
        places.is_sorted() && places[0] == Some(0),
        "{}",
        events[0].data
    );
    // The hub's own events stay bare.
    let mut watch = hub.resume("/t/plain?envelope=json", "nobody-s");
    let gap = watch.next().expect("a gap");
    assert_eq!(gap.event, "tidings:gap");
    let body: serde_json::Value = serde_json::from_str(&gap.data).expect("JSON");
    assert_eq!(body, json!({"reason": "unknown", "since": gap.id}));
    for query in [
        "envelope=xml",
        "envelope=",
        "envelope=json&envelope=json",
        "envelope=JSON",
    ] {
        let path = format!("/t/a?{query}");
        check_refused(&hub, ("GET", &path, &[STREAM], b""), 400, "bad-request");
    }
}

/// Which of these topics a stream gives, in order.
#[track_caller]
fn check_selects(hub: &HubProcess, query: &str, expected: &[&str]) {
    let mut watch = hub.watch(&format!("{query}since=earliest&envelope=json"));
    let events: Vec<serde_json::Value> = watch
        .events(expected.len() + 1)
        .iter()
        .map(|e| serde_json::from_str(&e.data).expect("JSON"))
        .collect();
    let topics: Vec<&str> = events
        .iter()
        .map(|e| e["topic"].as_str().expect("a topic"))
        .collect();
    let (last, topics) = topics.split_last().expect("an event");
    assert_eq!((topics, *last), (expected, "end"), "{query}");
}

/// What each selects. Each watches `end` too, to see where it is through.
const SELECTED: [(&str, &[&str]); 12] = [
    ("/events?topic=end&topic=a&", &["a"]),
    ("/events?topic=end&topic=a/*&", &["a/b", "a/c", "a/$x"]),
    (
        "/events?topic=end&topic=a/**&",
        &["a/b", "a/b/c", "a/c", "a/$x"],
    ),
    ("/events?topic=end&topic=*/b&", &["a/b", "d/b"]),
    ("/events?topic=end&topic=*/*/c&", &["a/b/c"]),
    (
        "/events?topic=end&topic=*&",
        &["a", "A", "caf\u{e9}", "cafe\u{301}"],
    ),
    (
        "/events?topic=**&",
        &[
            "a",
            "a/b",
            "a/b/c",
            "a/c",
            "A",
            "d/b",
            "caf\u{e9}",
            "cafe\u{301}",
            "a/$x",
        ],
    ),
    // Overlapping selectors give each event once.
    (
        "/events?topic=end&topic=a/b&topic=a/*&topic=a/**&topic=*/b&topic=a/b&",
        &["a/b", "a/b/c", "a/c", "d/b", "a/$x"],
    ),
    ("/events?topic=end&topic=caf%C3%A9&", &["caf\u{e9}"]),
    ("/events?topic=end&topic=a%2Fb&", &["a/b"]),
    (
        "/events?topic=end&topic=a%2F*&topic=%61&",
        &["a", "a/b", "a/c", "a/$x"],
    ),
    ("/events?topic=end&topic=nothing/**&", &[]),
];

#[test]
fn selectors_select_live_and_in_history_alike() {
    let hub = launch!().start();
    let mut live: Vec<Watch> = SELECTED
        .iter()
        .map(|(query, _)| hub.watch(&format!("{query}envelope=json")).opened())
        .collect();
    for topic in [
        "a",
        "a/b",
        "a/b/c",
        "a/c",
        "A",
        "d/b",
        "caf%C3%A9",
        "cafe%CC%81",
        "a/$x",
        "end",
    ] {
        publish(&hub, topic, "");
    }
    for ((query, expected), live) in SELECTED.iter().zip(&mut live) {
        check_selects(&hub, query, expected);
        for topic in expected.iter().chain(&["end"]) {
            let event: serde_json::Value =
                serde_json::from_str(&live.next().expect("an event").data).expect("JSON");
            assert_eq!(event["topic"], *topic, "live: {query}");
        }
    }
    let mut pattern = hub.watch("/t/a/*?since=earliest");
    pattern.events(3);
}

#[test]
fn everyone_sees_the_same_order() {
    const PUBLISHERS: usize = 4;
    const EACH: usize = 100;
    let hub = launch!().start();
    let total = PUBLISHERS * EACH;
    let mut watches: Vec<Watch> = ["/t/*", "/t/*?envelope=json", "/t/**"]
        .iter()
        .map(|path| hub.watch(path).opened())
        .collect();
    let late = std::thread::scope(|scope| {
        for publisher in 0..PUBLISHERS {
            let mut http = hub.http();
            scope.spawn(move || {
                for n in 0..EACH {
                    let path = format!("/t/{publisher}");
                    let answer = http.request("POST", &path, &[], n.to_string().as_bytes());
                    assert_eq!(answer.status, 200);
                }
            });
        }
        // One that comes in the middle, and reads from the beginning.
        hub.watch("/t/*?since=earliest")
    });
    watches.push(late);
    let ids: Vec<Vec<String>> = watches
        .iter_mut()
        .map(|watch| watch.events(total).into_iter().map(|e| e.id).collect())
        .collect();
    for other in &ids[1..] {
        assert_eq!(*other, ids[0]);
    }
    // Each publisher's events are in the order in which they were acknowledged.
    for publisher in 0..PUBLISHERS {
        let mut watch = hub.watch(&format!("/t/{publisher}?since=earliest"));
        let expected: Vec<String> = (0..EACH).map(|n| n.to_string()).collect();
        assert_eq!(data(&mut watch, EACH), expected);
    }
}

#[test]
fn the_hubs_own_topics_can_be_watched_when_spelt() {
    let hub = launch!().start();
    for topic in ["$presence", "$x/**", "%24x/*"] {
        hub.watch(&format!("/t/{topic}")).opened();
    }
}

#[test]
fn a1_a3_a4_topics_that_are_none() {
    let hub = launch!().start();
    let long = format!("/events?topic={}", "x".repeat(4097));
    let long_path = format!("/t/{}", "x".repeat(4097));
    for (path, code) in [
        ("/events", "invalid-topic"),
        ("/events?", "invalid-topic"),
        ("/events?since=earliest", "invalid-topic"),
        ("/events?Topic=a", "invalid-topic"),
        ("/events?topic", "invalid-topic"),
        ("/events?topic=", "invalid-topic"),
        ("/events?topic=a&topic=", "invalid-topic"),
        ("/events?topic=/a", "invalid-topic"),
        ("/events?topic=a/", "invalid-topic"),
        ("/events?topic=a//b", "invalid-topic"),
        ("/events?topic=../a", "invalid-topic"),
        ("/events?topic=a%0Ab", "invalid-topic"),
        ("/events?topic=a%0D", "invalid-topic"),
        ("/events?topic=a%00", "invalid-topic"),
        ("/events?topic=a%7F", "invalid-topic"),
        ("/events?topic=a%C2%80", "invalid-topic"),
        ("/events?topic=a*", "invalid-topic"),
        ("/events?topic=**/a", "invalid-topic"),
        ("/events?topic=***", "invalid-topic"),
        (&long, "invalid-topic"),
        (&long_path, "invalid-topic"),
        ("/t/", "invalid-topic"),
        ("/t/a*b", "invalid-topic"),
        ("/t/a%0A", "invalid-topic"),
        ("/events?topic=%C0%AF", "bad-request"),
        ("/events?topic=%ED%A0%80", "bad-request"),
        ("/events?topic=%FF", "bad-request"),
        ("/events?topic=a%", "bad-request"),
        ("/events?topic=a%zz", "bad-request"),
        ("/events?topic=a&%=1", "bad-request"),
        ("/t/%C0%AF", "bad-request"),
        ("/t/a%", "bad-request"),
    ] {
        check_refused(&hub, ("GET", path, &[STREAM], b""), 400, code);
    }
    // Decoded once: this is the topic `%61`, not `a`.
    let mut watch = hub.watch("/t/%2561").opened();
    publish(&hub, "a", "not this");
    publish(&hub, "%2561", "this");
    assert_eq!(data(&mut watch, 1), ["this"]);
}

#[test]
fn a5_patterns_that_would_bother_others() {
    let hub = launch!().start();
    // Nothing here is a regular expression or a template.
    for topic in ["(a%2B)%2B$", "%7Bx%7D", "%28", "%7B", "[a-z]", ".%2A?"] {
        let answer = hub.http().request(
            "GET",
            &format!("/t/{topic}"),
            &[("Accept", "application/json")],
            b"",
        );
        let expected = if topic.contains("%2A") { 400 } else { 200 };
        assert_eq!(answer.status, expected, "{topic}: {}", answer.text());
    }
    let deep = format!("/t/{}**", "*/".repeat(2000));
    let mut watch = hub
        .watch(&format!("/events?topic={}&topic=end", &deep[3..]))
        .opened();
    for n in 0..100 {
        publish(&hub, &format!("{n}/{}", "a/".repeat(1990) + "b"), "");
    }
    publish(&hub, "end", "end");
    assert_eq!(data(&mut watch, 1), ["end"]);
}

#[test]
fn a6_topics_are_compared_byte_by_byte() {
    let hub = launch!().start();
    // LATIN SMALL A, CYRILLIC SMALL A; composed and decomposed.
    let mut watch = hub.watch("/events?topic=a&topic=%C3%A9").opened();
    for topic in ["%D0%B0", "A", "e%CC%81", "a%CC%80"] {
        publish(&hub, topic, "not this");
    }
    publish(&hub, "%C3%A9", "this");
    assert_eq!(data(&mut watch, 1), ["this"]);
}

#[test]
fn the_start_page() {
    let hub = launch!().start();
    for (path, headers) in [("/", &[][..]), ("/t/news", &[("Accept", "text/html")])] {
        let answer = hub.http().request("GET", path, headers, b"");
        assert_eq!(answer.status, 200);
        let content_type = answer.header("content-type").unwrap_or("");
        assert!(content_type.starts_with("text/html"), "{content_type}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert!(answer.text().contains("EventSource"));
    }
}
