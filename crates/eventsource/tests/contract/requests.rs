//! What the client asks for.

use crate::suite::Suite;
use serde_json::json;

#[test]
fn the_default_request() {
    let suite = Suite::new();
    suite.open(&json!({}));
    let asked = suite.requested().asked;
    assert_eq!((&*asked.method, &*asked.path), ("GET", "/stream"));
    assert_eq!(asked.header("accept").as_deref(), Some("text/event-stream"));
    assert_eq!(asked.header("cache-control").as_deref(), Some("no-cache"));
    assert_eq!(asked.header("last-event-id"), None);
    assert_eq!(asked.text(), "");
}

#[test]
fn headers() {
    let suite = Suite::new();
    let headers = json!({ "X-One": "1", "x-two": "zwei ü", "Accept": "text/plain" });
    suite.open(&json!({ "headers": headers }));
    for _ in 0..2 {
        let exchange = suite.one_event("data\n\n");
        let asked = &exchange.asked;
        assert_eq!(asked.header("x-one").as_deref(), Some("1"));
        assert_eq!(asked.header("x-two").as_deref(), Some("zwei ü"));
        assert_eq!(asked.header("accept").as_deref(), Some("text/plain"));
        exchange.end();
        suite.heard_error();
    }
}

#[test]
fn last_event_id() {
    let suite = Suite::new();
    suite.open(&json!({ "lastEventId": "wörld-7" }));
    let table = [
        ("wörld-7", "data: inherits\n\n", "wörld-7"),
        (
            "wörld-7",
            "id: 8\ndata\n\nid: 9\ndata: never dispatched\n",
            "8",
        ),
        ("8", "id: a b\n\ndata\n\n", "a b"),
        ("a b", "id\ndata\n\n", ""),
    ];
    for (sent, stream, id) in table {
        let mut exchange = suite.connected();
        assert_eq!(
            exchange.asked.header("last-event-id").as_deref(),
            Some(sent)
        );
        exchange.send(stream);
        assert_eq!(suite.heard()["event"]["id"], id);
        exchange.end();
        suite.heard_error();
    }
    assert_eq!(suite.requested().asked.header("last-event-id"), None);
}

/// A request with a body, and the same again after the connection was lost.
#[track_caller]
fn check_body(method: &str) {
    let suite = Suite::new();
    let body = "{\"hello\":\"wörld\"}";
    let headers = json!({ "Content-Type": "application/json" });
    suite.open(&json!({ "method": method, "body": body, "headers": headers }));
    for id in [None, Some("1")] {
        let exchange = suite.one_event("data\nid: 1\n\n");
        let asked = &exchange.asked;
        assert_eq!((&*asked.method, &*asked.text()), (method, body));
        assert_eq!(
            asked.header("content-type").as_deref(),
            Some("application/json")
        );
        let length = body.len().to_string();
        assert_eq!(asked.header("content-length"), Some(length));
        assert_eq!(asked.header("last-event-id").as_deref(), id);
        exchange.end();
        suite.heard_error();
    }
}

#[test]
fn post() {
    check_body("POST");
}

#[test]
fn report() {
    check_body("REPORT");
}
