//! History as JSON pages: `GET` with `Accept: application/json`.

use serde_json::{Value, json};
use tidings_testkit::{CANARY, HubProcess, check_refused, launch, wait_until};

const JSON: (&str, &str) = ("Accept", "application/json");

fn page(hub: &HubProcess, path: &str) -> Value {
    let answer = hub.http().request("GET", path, &[JSON], b"");
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert!(answer.headers("vary").contains("Accept"));
    let page = answer.json();
    for name in page.as_object().expect("an object").keys() {
        assert!(
            ["events", "cursor", "more", "gap"].contains(&&**name),
            "{name}"
        );
    }
    page
}

fn data(page: &Value) -> Vec<&str> {
    let events = page["events"].as_array().expect("events").iter();
    events.map(|e| e["data"].as_str().expect("data")).collect()
}

fn publish_numbers(hub: &HubProcess, count: usize) {
    hub.publish_numbers(0..count, |n| match n % 3 {
        0 => "x/three",
        _ => "x/other",
    });
}

/// Follows the cursors from page to page; everything must come once.
#[track_caller]
fn check_pages(hub: &HubProcess, path: &str, limit: usize, expected: &[String]) {
    let mut got: Vec<String> = Vec::new();
    let mut since = "earliest".to_owned();
    loop {
        let page = page(hub, &format!("{path}limit={limit}&since={since}"));
        assert_eq!(page.get("gap"), None);
        let events = data(&page);
        assert!(events.len() <= limit);
        got.extend(events.iter().map(|d| (*d).to_owned()));
        since = page["cursor"].as_str().expect("a cursor").to_owned();
        if page["more"] == false {
            break;
        }
        assert_eq!(events.len(), limit, "a page that isn't the last is full");
    }
    assert_eq!(got, expected, "{path} {limit}");
    // Behind the last page there is nothing, until there is.
    let page = page(hub, &format!("{path}since={since}"));
    assert_eq!((data(&page), &page["more"]), (vec![], &json!(false)));
    let mut watch = hub
        .resume(path.trim_end_matches(['?', '&']), &since)
        .opened();
    assert_eq!(hub.post("/t/x/three", "later").status, 200);
    assert_eq!(watch.next().expect("an event").data, "later");
}

#[test]
fn pages_give_everything_once() {
    for (limit, path) in [
        (1, "/t/x/three?"),
        (7, "/t/x/*?"),
        (100, "/events?topic=x/other&topic=x/three&"),
        (1000, "/t/**?"),
    ] {
        let hub = launch!(
            "TIDINGS_LIMITS_TAIL_BYTES" = "4KiB",
            "TIDINGS_LIMITS_EVENT_WIRE_BYTES" = "4KiB",
            "TIDINGS_LIMITS_EVENT_DATA_BYTES" = "1KiB"
        )
        .start();
        publish_numbers(&hub, 300);
        let only_three = path.contains("/t/x/three");
        let expected: Vec<String> = (0..300)
            .filter(|n| !only_three || n % 3 == 0)
            .map(|n| n.to_string())
            .collect();
        check_pages(&hub, path, limit, &expected);
    }
}

#[test]
fn a_page_and_its_events_have_this_shape() {
    let hub = launch!().start();
    let id = hub.post("/t/a?event=e&id=own", "one\ntwo").json()["id"].clone();
    let page_1 = page(&hub, "/t/a");
    let event = &page_1["events"][0];
    let time = event["time"].as_str().expect("a time");
    let expected = json!({"topic": "a", "event": "e", "id": id, "time": time, "data": "one\ntwo"});
    assert_eq!(*event, expected);
    assert_eq!(page_1["more"], false);
    assert!(
        page_1["cursor"]
            .as_str()
            .is_some_and(|cursor| cursor.starts_with("td-"))
    );
    // The same text as in an enveloped stream.
    let enveloped = hub.watch("/t/a?since=earliest&envelope=json").events(1);
    assert_eq!(
        serde_json::from_str::<Value>(&enveloped[0].data).expect("JSON"),
        *event
    );
    let empty = page(&hub, "/t/nothing");
    assert_eq!((data(&empty), &empty["more"]), (vec![], &json!(false)));
}

#[test]
fn a_page_starts_where_a_stream_would() {
    let hub = launch!().start();
    publish_numbers(&hub, 6);
    let own = hub.post("/t/x/other?id=own", "6").json()["id"].clone();
    assert_eq!(own, "own");
    publish_numbers(&hub, 2);
    for (query, expected) in [
        ("", &["0", "1", "2", "3", "4", "5", "6", "0", "1"][..]),
        ("since=last:3", &["6", "0", "1"]),
        ("since=own", &["0", "1"]),
        ("since=1h&limit=2", &["0", "1"]),
        ("since=latest", &[]),
    ] {
        assert_eq!(
            data(&page(&hub, &format!("/t/x/*?{query}"))),
            expected,
            "{query}"
        );
    }
    let headers = [JSON, ("Last-Event-ID", "own")];
    let answer = hub
        .http()
        .request("GET", "/t/x/*?since=earliest", &headers, b"");
    assert_eq!(data(&answer.json()), ["0", "1"]);
}

#[test]
fn a7_a_page_tells_of_a_gap() {
    let hub = launch!("TIDINGS_RETENTION_EVENTS" = "3").start();
    let first = hub.post("/t/x/other", "first").json();
    let first = first["id"].as_str().expect("an id").to_owned();
    publish_numbers(&hub, 9);
    wait_until("the oldest have expired", || {
        data(&page(&hub, "/t/**")).len() == 3
    });
    // Asking for what is kept is no gap; asking from an id is.
    assert_eq!(page(&hub, "/t/**").get("gap"), None);
    for (since, reason) in [
        (&*first, "expired"),
        ("nobody-s", "unknown"),
        ("td-0000000000000-1", "foreign"),
    ] {
        let page = page(&hub, &format!("/t/**?since={since}"));
        assert_eq!(
            (data(&page), &page["gap"]),
            (vec!["6", "7", "8"], &json!(reason))
        );
    }
}

#[test]
fn limits_of_a_page() {
    let hub = launch!().start();
    publish_numbers(&hub, 150);
    assert_eq!(data(&page(&hub, "/t/**")).len(), 100);
    assert_eq!(page(&hub, "/t/**")["more"], true);
    for limit in [
        "0",
        "1001",
        "-1",
        "x",
        "",
        "1e2",
        "18446744073709551616",
        CANARY,
    ] {
        let path = format!("/t/**?limit={limit}");
        check_refused(&hub, ("GET", &path, &[JSON], b""), 400, "bad-request");
    }
    check_refused(
        &hub,
        ("GET", "/t/**?limit=1&limit=2", &[JSON], b""),
        400,
        "bad-request",
    );
}
