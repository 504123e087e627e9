//! One log, two faces: what is published through one is seen through the other,
//! by those who may.

mod mercure;

use mercure::{HUB, Seen, as_mercure, end, escaped, publish, v0, watch};
use serde_json::json;
use tidings_testkit::token::{PUBLIC_URL, SECRET, signed};
use tidings_testkit::{HubProcess, Received, Watch, launch, wait_until};

/// Who may do everything on the native face.
fn native() -> String {
    let claims = json!({
        "tidings": { "publish": ["**"], "subscribe": ["**", "$mercure/**"] },
        "aud": null, "exp": null
    });
    format!("Bearer {}", signed(claims, SECRET.as_bytes(), "JWT"))
}

fn open_hub() -> HubProcess {
    as_mercure(launch!("TIDINGS_AUTH_ANONYMOUS" = "news/**"), "anonymous").start()
}

/// Publishes natively.
#[track_caller]
fn post(hub: &HubProcess, path: &str, data: &str) -> String {
    let token = native();
    let headers = [("Authorization", &*token)];
    let answer = hub.http().request("POST", path, &headers, data.as_bytes());
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.json()["id"].as_str().expect("an id").to_owned()
}

/// Opens a native stream.
fn watch_natively(hub: &HubProcess, path: &str, headers: mercure::Headers<'_>) -> Watch {
    let mut http = hub.http();
    let sent = http.send_request("GET", path, headers, b"");
    sent.expect("sent");
    Watch::answered(http).expect("an answer")
}

#[test]
fn a_native_event_is_for_mercure_at_the_url_of_its_topic() {
    let hub = open_hub();
    let url = |topic: &str| escaped(&format!("{PUBLIC_URL}/t/{topic}"));
    for (query, path, shown) in [
        (format!("topic={}", url("news/a")), "/t/news/a", true),
        (
            format!("match={}", url("news/a%20b")),
            "/t/news/a%20b",
            true,
        ),
        (format!("topic={}", url("news/{x}")), "/t/news/a", true),
        ("match_urlpattern=/t/news/:x".to_owned(), "/t/news/a", true),
        ("topic=*".to_owned(), "/t/news/a", true),
        // Another spelling is another topic.
        (format!("topic={}", url("news/%61")), "/t/news/a", false),
        ("topic=/t/news/a".to_owned(), "/t/news/a", false),
        ("topic=news/a".to_owned(), "/t/news/a", false),
        // Not opened to everyone.
        (format!("topic={}", url("orders/1")), "/t/orders/1", false),
        ("topic=*".to_owned(), "/t/orders/1", false),
    ] {
        let seen = Seen::open(&hub, &query, &[]);
        let data = format!("{query} {path}");
        post(&hub, path, &data);
        end(&hub);
        let expected: &[String] = if shown { &[data] } else { &[] };
        assert_eq!(seen.data(), expected, "{query} {path}");
    }
    let token = v0(&[], &[&format!("{PUBLIC_URL}/t/orders/{{id}}")]);
    let seen = Seen::open(&hub, "topic=*", &[("Authorization", &token)]);
    post(&hub, "/t/orders/2", "granted");
    post(&hub, "/t/others/2", "not granted");
    end(&hub);
    assert_eq!(seen.data(), ["granted"]);
}

#[test]
fn an_event_of_mercure_s_is_seen_natively_under_its_native_name() {
    let hub = open_hub();
    let token = native();
    let headers = [("Authorization", &*token)];
    let own = format!("{PUBLIC_URL}/t/news/a");
    for (path, topic) in [
        ("/t/news/a", &*own),
        ("/t/$mercure/urn:x", "urn:x"),
        (
            "/t/$mercure/https:/%25/shop.example/**",
            "https://shop.example/books/1",
        ),
    ] {
        let mut stream = watch_natively(&hub, path, &headers).opened();
        let fields = [("topic", topic), ("type", "x"), ("data", topic)];
        let id = publish(&hub, &fields);
        let event = stream.next().expect("an event");
        let expected = Received {
            event: "x".into(),
            data: topic.into(),
            id,
        };
        assert_eq!(event, expected, "{path}");
    }
    // Private ones are for those who are granted them; without a token, of the
    // others those that the hub opens to everyone.
    let mut stream = watch_natively(&hub, "/t/news/a", &[]).opened();
    publish(
        &hub,
        &[("topic", &own), ("data", "private"), ("private", "")],
    );
    publish(&hub, &[("topic", &own), ("data", "public")]);
    assert_eq!(stream.next().expect("an event").data, "public");
}

#[test]
fn the_envelope_of_an_event_of_mercure_s_has_its_canonical_native_name() {
    let hub = open_hub();
    let token = native();
    let headers = [("Authorization", &*token)];
    let path = "/events?topic=$mercure/**&envelope=json";
    let mut stream = watch_natively(&hub, path, &headers).opened();
    let fields = [("topic", "urn:a"), ("topic", "urn:b"), ("data", "x")];
    let id = publish(&hub, &fields);
    let event = stream.next().expect("an event");
    let envelope: serde_json::Value = serde_json::from_str(&event.data).expect("JSON");
    assert_eq!(envelope["topic"], "$mercure/urn:a");
    assert_eq!(envelope["id"], id);
    assert_eq!(envelope["data"], "x");
}

#[test]
fn cursors_are_of_one_log() {
    let hub = open_hub();
    let natively = post(&hub, "/t/news/a", "1");
    let by_mercure = publish(&hub, &[("topic", "a"), ("id", "own"), ("data", "2")]);
    post(&hub, "/t/news/a?id=also-own", "3");
    let url = escaped(&format!("{PUBLIC_URL}/t/news/a"));
    for (cursor, expected) in [
        (&*natively, &["2", "3"][..]),
        (&by_mercure, &["3"]),
        ("also-own", &[]),
    ] {
        let query = format!("topic=a&topic={url}&lastEventID={cursor}");
        let seen = Seen::open(&hub, &query, &[]);
        assert_eq!(seen.head().header("last-event-id"), Some(cursor));
        end(&hub);
        assert_eq!(seen.data(), expected, "{cursor}");
    }
    let token = native();
    let headers = [("Authorization", &*token), ("Last-Event-ID", "own")];
    let mut stream = watch_natively(&hub, "/events?topic=news/a&topic=$mercure/a", &headers);
    assert_eq!(stream.next().expect("an event").data, "3");
}

/// Whatever happens to a stream, a Mercure client sees events that somebody has
/// published, and no others.
#[test]
fn no_event_of_the_hub_s_own_is_on_a_stream_of_mercure_s() {
    let kept = launch!(
        "TIDINGS_RETENTION_EVENTS" = "10",
        "TIDINGS_STREAM_HEARTBEAT" = "1s"
    );
    let hub = as_mercure(kept, "anonymous").start();
    let first = publish(&hub, &[("topic", "a"), ("data", "0")]);
    for number in 1..20 {
        publish(&hub, &[("topic", "a"), ("data", &number.to_string())]);
    }
    wait_until("the first has expired", || {
        let stream = watch(&hub, &format!("topic=a&lastEventID={first}"), &[]);
        stream.head().header("last-event-id") == Some("earliest")
    });
    for cursor in ["", "earliest", "unknown", "td-0000000000000-1", &first] {
        let query = format!("topic=a&lastEventID={cursor}");
        let seen = Seen::open(&hub, &query, &[]);
        // Who is told `earliest` and didn't ask for that has to fetch anew.
        let said = seen.head().header("last-event-id");
        assert_eq!(said == Some("earliest"), !cursor.is_empty(), "{cursor}");
        end(&hub);
        let data = seen.data();
        assert_eq!(data.is_empty(), cursor.is_empty(), "{cursor}: {data:?}");
        assert_eq!(
            data.last().map(|last| &**last),
            (!cursor.is_empty()).then_some("19")
        );
    }
    let stream = watch(&hub, "topic=a&connection=1", &[]).opened();
    let opening = String::from_utf8_lossy(stream.raw()).into_owned();
    assert!(!opening.contains("event:"), "{opening}");
    assert!(hub.get(&format!("{HUB}?topic=a&lastEventID=%00")).status == 400);
}
