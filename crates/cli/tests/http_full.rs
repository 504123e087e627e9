//! A hub that has as many streams as it may, and what it says of itself.

use tidings_testkit::{CANARY, HubProcess, check_problem, check_refused, launch, wait_until};

const JSON: (&str, &str) = ("Accept", "application/json");

/// Asks for a stream; whether it was let in, or told to come back later in the
/// one way that doesn't end an EventSource.
#[track_caller]
fn is_let_in(hub: &HubProcess, path: &str) -> bool {
    let mut watch = hub.watch(path);
    assert_eq!(watch.head().status, 200);
    assert_eq!(
        watch.head().header("content-type"),
        Some("text/event-stream")
    );
    assert_eq!(
        watch.head().header("cache-control"),
        Some("no-store, no-transform")
    );
    if watch.read().expect("a stream") && watch.raw().windows(4).any(|bytes| bytes == b"\nid:") {
        return true;
    }
    assert_eq!(watch.next(), None);
    let text = String::from_utf8(watch.raw().to_vec()).expect("UTF-8");
    let retry = text
        .strip_prefix("retry: ")
        .and_then(|rest| rest.strip_suffix("\n\n"));
    let retry: u64 = retry
        .and_then(|ms| ms.parse().ok())
        .expect("a reconnection time and nothing else");
    assert!((2_000..=6_000).contains(&retry), "{retry} ms");
    false
}

#[test]
fn a10_a_full_hub_refuses_softly_and_goes_on_with_the_rest() {
    let hub = launch!("TIDINGS_LIMITS_SUBSCRIPTIONS" = "2").start();
    let mut first = hub.watch("/t/a").opened();
    let second = hub.watch("/events?topic=a&topic=b").opened();
    for n in 0..100 {
        assert!(!is_let_in(
            &hub,
            ["/t/a", "/t/a?since=earliest", "/events?topic=b"][n % 3]
        ));
    }
    let refused = "tidings_soft_refusals_total{reason=\"subscriptions\"}";
    assert_eq!(hub.metric(refused), 100);
    let line = hub.wait_for_log("limits.subscriptions allows");
    assert!(line.contains("\"times\":1,\"limit\":2,"), "{line}");
    let more = hub.log();
    let said = more.matches("limits.subscriptions allows").count();
    assert!(said < 20, "{said} lines of 100 refusals: {more}");
    // What can't be granted ever is said as such.
    check_refused(&hub, ("GET", "/events", &[], b""), 400, "invalid-topic");
    // Everything else goes on.
    assert_eq!(hub.post("/t/a", "x").status, 200);
    assert_eq!(first.next().expect("an event").data, "x");
    assert_eq!(
        hub.http().request("GET", "/t/a", &[JSON], b"").json()["events"][0]["data"],
        "x"
    );
    assert_eq!(hub.http().request("HEAD", "/t/a", &[], b"").status, 200);
    assert_eq!(hub.get("/readyz").status, 200);
    // A place that is free is given again.
    drop(second);
    wait_until("somebody is let in", || is_let_in(&hub, "/t/a"));
    drop(first);
    hub.wait_for_metric("tidings_subscribers", 0);
}

#[test]
fn metrics_are_in_prometheus_text_and_of_few_labels() {
    let hub = launch!().start();
    let topic = format!("{CANARY}/topic");
    let mut watch = hub.watch(&format!("/t/{topic}")).opened();
    for n in 0..3 {
        assert_eq!(
            hub.post(&format!("/t/{topic}?id={CANARY}-{n}"), CANARY)
                .status,
            200
        );
        watch.next().expect("an event");
    }
    check_problem(&hub.post(&format!("/t/{topic}*"), ""), 400, "invalid-topic");
    check_problem(&hub.get(&format!("/{CANARY}")), 404, "not-found");
    let gap = hub
        .resume(&format!("/t/{topic}"), CANARY)
        .next()
        .expect("a gap");
    assert_eq!(gap.event, "tidings:gap");
    let answer = hub.get("/metrics");
    let content_type = answer.header("content-type").unwrap_or("");
    assert!(
        content_type.starts_with("text/plain; version=0.0.4"),
        "{content_type}"
    );
    let text = answer.text();
    assert!(!text.contains(CANARY), "{text}");
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').expect("a name and a value");
        assert!(name.starts_with("tidings_"), "{line}");
        assert!(value.parse::<f64>().is_ok(), "{line}");
    }
    for (name, value) in [
        ("tidings_events_published_total", 3),
        ("tidings_store_last_position", 3),
        ("tidings_store_healthy", 1),
        ("tidings_gaps_total{reason=\"unknown\"}", 1),
        ("tidings_problems_total{code=\"invalid-topic\"}", 1),
        ("tidings_problems_total{code=\"not-found\"}", 1),
    ] {
        assert_eq!(hub.metric(name), value, "{name}: {text}");
    }
    assert!(hub.metric("tidings_deliveries_total") >= 3);
    assert!(hub.metric("tidings_delivered_bytes_total") > 3 * CANARY.len() as u64);
    drop(watch);
    hub.wait_for_metric("tidings_subscribers", 0);
    check_refused(
        &hub,
        ("DELETE", "/metrics", &[], b""),
        405,
        "method-not-allowed",
    );
    assert_eq!(
        hub.metric("tidings_problems_total{code=\"method-not-allowed\"}"),
        1
    );
}

#[test]
fn health() {
    let hub = launch!().start();
    let answer = hub.get("/livez");
    assert_eq!((answer.status, answer.text().trim()), (200, "ok"));
    for path in ["/readyz", "/healthz"] {
        let answer = hub.get(path);
        assert_eq!(answer.status, 200);
        let expected = serde_json::json!({"status": "ready", "storage": "ok", "draining": false});
        assert_eq!(answer.json(), expected);
    }
}

#[test]
fn what_is_not_there_is_a_problem_document_too() {
    let hub = launch!().start();
    for path in [
        "/kanarienvogel",
        "/t",
        "/events/",
        "/events/kanarienvogel",
        "/T/a",
        "/favicon.ico",
        "/../t/a",
        "//",
        "/readyz/",
    ] {
        for method in ["GET", "POST", "PUT", "DELETE"] {
            check_refused(&hub, (method, path, &[], b""), 404, "not-found");
        }
    }
}
