//! Nobody takes more than their part, and a hub that is full, slow or stopping
//! says so in a way that can be understood.

use std::time::Duration;
use tidings_testkit::{Http, HubProcess, Launch, Watch, check_problem, launch, wait_until};

const JSON: (&str, &str) = ("Content-Type", "application/json");
const NDJSON: (&str, &str) = ("Content-Type", "application/x-ndjson");

/// A hub that keeps little in memory, so that who is slow reads from the store.
fn small() -> Launch {
    launch!(
        "TIDINGS_LIMITS_EVENT_DATA_BYTES" = "4KiB",
        "TIDINGS_LIMITS_EVENT_WIRE_BYTES" = "16KiB",
        "TIDINGS_LIMITS_TAIL_BYTES" = "64KiB"
    )
}

/// Publishes `count` events of 1 KiB, by turns to each topic.
fn fill(hub: &HubProcess, topics: &[&str], count: usize) {
    let data = "x".repeat(1024);
    let line = |n: usize| {
        format!(
            "{{\"topic\":\"{}\",\"data\":\"{n} {data}\"}}\n",
            topics[n % topics.len()]
        )
    };
    let body: String = (0..count).map(line).collect();
    let answer = hub
        .http()
        .request("POST", "/events", &[NDJSON], body.as_bytes());
    assert_eq!(answer.json()["published"], count, "{}", answer.text());
}

fn history(hub: &HubProcess, path: &str) -> Vec<serde_json::Value> {
    let answer = hub
        .http()
        .request("GET", path, &[("Accept", "application/json")], b"");
    answer.json()["events"].as_array().expect("events").clone()
}

#[test]
fn what_expires_for_some_topics_of_a_slow_watcher_is_told() {
    let rules = r#"[{ selector = "cursors/*", events = 5 }]"#;
    let hub = small().env("TIDINGS_RETENTION_TOPICS", rules).start();
    let mut http = Http::connect(hub.address());
    http.receive_buffer(64 << 10).expect("a socket");
    let accept = [("Accept", "text/event-stream")];
    http.send_request(
        "GET",
        "/events?topic=cursors/*&topic=orders/**",
        &accept,
        b"",
    )
    .expect("sent");
    let mut watch = Watch::answered(http).expect("a stream").opened();
    let count = 8_000;
    fill(&hub, &["cursors/a", "orders/b"], count);
    wait_until("cursors have expired", || {
        history(&hub, "/t/cursors/a").len() <= 5
    });
    let (mut orders, mut cursors, mut gaps) = (0, 0, 0);
    while orders < count / 2 {
        let event = watch.next().expect("the stream goes on");
        match event.event.as_str() {
            "tidings:gap" => gaps += 1,
            _ if event
                .data
                .split(' ')
                .next()
                .is_some_and(|n| n.parse::<usize>().unwrap() % 2 == 0) =>
            {
                cursors += 1
            }
            _ => orders += 1,
        }
    }
    assert!(
        cursors < count / 2,
        "the watcher was not slow enough for this test"
    );
    assert!(
        gaps >= 1,
        "{} events are missing without a word",
        count / 2 - cursors
    );
}

#[test]
fn a_watcher_that_waits_in_front_of_its_body_keeps_nobody_from_publishing() {
    let hub = launch!("TIDINGS_PUBLISH_TIMEOUT" = "500ms").start();
    let announce = |path: &str, length: &str| {
        let mut http = hub.http();
        http.send_request("POST", path, &[JSON, ("Content-Length", length)], b"[")
            .expect("sent");
        http
    };
    let silent: Vec<Http> = (0..40).map(|_| announce("/events", "8388608")).collect();
    assert_eq!(hub.post("/t/news", "hi").status, 200);
    let big = format!("\"{}\"", "x".repeat(1 << 19));
    let body = format!("{{\"topic\":\"a\",\"data\":{big}}}");
    assert_eq!(
        hub.http()
            .request("POST", "/events", &[JSON], body.as_bytes())
            .status,
        200
    );
    drop(silent);
}

#[test]
fn pages_that_nobody_reads_take_bounded_memory() {
    let hub = launch!().start();
    fill(&hub, &["a"], 6_000);
    let before = hub.resident_kib();
    let ask = |_| {
        let mut http = hub.http();
        http.receive_buffer(4096).expect("a socket");
        let headers = [("Accept", "application/json")];
        http.send_request("GET", "/t/a?limit=1000", &headers, b"")
            .expect("sent");
        http
    };
    let mut unread: Vec<Http> = (0..100).map(ask).collect();
    // The heads of as many as there is room for have come; that many are made.
    unread[0].answer_head().expect("a page");
    let busy = unread
        .iter_mut()
        .skip(1)
        .filter_map(|http| http.answer_head().ok())
        .filter(|head| head.status == 503);
    let (busy, after) = (busy.count(), hub.resident_kib());
    assert!(
        after < before + 160 * 1024,
        "{before} KiB became {after} KiB, {busy} were refused"
    );
    drop(unread);
    wait_until("pages are made again", || {
        hub.get("/livez").status == 200 && !history(&hub, "/t/a?limit=1000").is_empty()
    });
}

#[test]
fn b5_an_array_with_too_many_events_costs_no_memory() {
    let hub = launch!().start();
    let before = hub.resident_kib();
    let body = format!(
        "[{}]",
        vec!["{\"topic\":\"a\",\"data\":1}"; 300_000].join(",")
    );
    let answer = hub
        .http()
        .request("POST", "/events", &[JSON], body.as_bytes());
    check_problem(&answer, 413, "too-large");
    let grown = hub.resident_kib().saturating_sub(before) as usize * 1024;
    assert!(
        grown < 4 * body.len(),
        "{grown} bytes for a body of {}",
        body.len()
    );
    assert!(history(&hub, "/t/a").is_empty());
}

#[test]
fn a_full_hub_refuses_softly_and_can_still_be_published_to() {
    let hub = launch!("TIDINGS_LIMITS_SUBSCRIPTIONS" = "1").start();
    let mut watch = hub.watch("/t/news").opened();
    for _ in 0..100 {
        let mut refused = hub.watch("/t/news");
        assert_eq!(
            (refused.head().status, refused.head().header("connection")),
            (200, Some("close"))
        );
        assert!(refused.next().is_none(), "a refusal has no events");
        assert!(refused.retry().is_some() && refused.last_event_id().is_empty());
    }
    assert_eq!(hub.post("/t/news", "hi").status, 200);
    assert_eq!(watch.next().expect("an event").data, "hi");
}

#[test]
fn as_many_streams_as_there_may_be_even_all_at_once() {
    let hub = launch!("TIDINGS_LIMITS_SUBSCRIPTIONS" = "3").start();
    fill(&hub, &["a"], 10);
    let streams: Vec<Watch> = std::thread::scope(|scope| {
        let open = || Watch::open(hub.address(), "/t/a?since=last:5", None);
        let opening: Vec<_> = (0..30).map(|_| scope.spawn(open)).collect();
        opening
            .into_iter()
            .map(|thread| thread.join().expect("a stream"))
            .collect()
    });
    let granted = streams
        .into_iter()
        .filter_map(|mut watch| watch.next())
        .count();
    assert_eq!(granted, 3);
}

#[test]
fn while_draining_new_connections_are_answered() {
    let mut hub = launch!(
        "TIDINGS_DRAIN_WINDOW" = "30s",
        "TIDINGS_STREAM_HEARTBEAT" = "1s"
    )
    .start();
    let streams: Vec<Watch> = (0..8).map(|_| hub.watch("/t/news").opened()).collect();
    hub.terminate();
    wait_until("the hub isn't ready", || hub.get("/readyz").status == 503);
    let mut refused = hub.watch("/t/news");
    assert_eq!(refused.head().status, 200);
    assert!(refused.next().is_none() && refused.retry().is_some());
    assert_eq!(hub.post("/t/other", "still taken").status, 200);
    drop(streams);
    assert!(
        hub.wait(Duration::from_secs(20)).success(),
        "nobody is left to wait for"
    );
}

#[test]
fn a_streamed_body_is_answered_before_the_hub_stops() {
    let mut hub = launch!("TIDINGS_DRAIN_WINDOW" = "1s").start();
    let mut watch = hub.watch("/t/a").opened();
    let mut http = hub.http();
    let headers = [NDJSON, ("Transfer-Encoding", "chunked")];
    http.send_request("POST", "/t/a", &headers, b"")
        .expect("sent");
    http.send_chunk(b"{\"data\":\"one\"}\n").expect("sent");
    assert_eq!(watch.next().expect("an event").data, "one");
    hub.terminate();
    let answer = http.answer(false).expect("an answer");
    check_problem(&answer, 503, "busy");
    assert_eq!(answer.json()["published"], 1);
    assert!(hub.wait(Duration::from_secs(20)).success());
}

#[test]
fn http_1_0_streams_end_with_their_connection() {
    let hub = launch!().start();
    let mut http = hub.http();
    let head = format!("GET /t/a HTTP/1.0\r\nHost: {}\r\n\r\n", hub.address());
    http.send(head.as_bytes()).expect("sent");
    let answer = http.answer_head().expect("a head");
    assert_eq!(
        (answer.status, answer.header("connection")),
        (200, Some("close"))
    );
    assert_eq!(answer.header("transfer-encoding"), None);
}
