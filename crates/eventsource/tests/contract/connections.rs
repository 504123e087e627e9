//! Connections that are lost, refused and led elsewhere.

use crate::suite::Suite;
use serde_json::json;

#[test]
fn read_timeout() {
    let suite = Suite::new();
    suite.open(&json!({ "readTimeoutMs": 200 }));
    let mut exchange = suite.connected();
    exchange.send("data: x\nid: 1\n\n");
    suite.heard_event("message", "x", "1");
    suite.heard_error();
    exchange.closed();
    let exchange = suite.requested();
    assert_eq!(exchange.asked.header("last-event-id").as_deref(), Some("1"));
}

#[test]
fn restart() {
    let suite = Suite::new();
    // It doesn't wait for what a lost connection would have to wait for.
    let stream = suite.open(&json!({ "initialDelayMs": 3_600_000 }));
    for n in 1..4 {
        let exchange = suite.one_event(&format!("data\nid: {n}\n\n"));
        suite.command(&stream, &json!({ "command": "restart" }));
        exchange.closed();
    }
    let asked = suite.requested().asked;
    assert_eq!(asked.header("last-event-id").as_deref(), Some("3"));
}

/// An answer that is an error; whether the client comes back.
#[track_caller]
fn check_status(status: u16, headers: &[(&str, &str)], comes_back: bool) {
    let suite = Suite::new();
    suite.open(&json!({}));
    suite.requested().answer(status, headers, "");
    suite.heard_error();
    match comes_back {
        true => drop(suite.one_event("data: here again\n\n")),
        false => suite.check_quiet(),
    }
}

#[test]
fn server_directed_shutdown_request() {
    check_status(204, &[], false);
    // Also from a stream that stood.
    let suite = Suite::new();
    suite.open(&json!({}));
    suite.one_event("data\n\n").end();
    suite.heard_error();
    suite.requested().answer(204, &[], "");
    suite.heard_error();
    suite.check_quiet();
}

#[test]
fn errors_that_pass_are_tried_again_and_others_are_not() {
    for status in [408, 425, 429, 500, 502, 503, 504] {
        check_status(status, &[], true);
    }
    for status in [400, 401, 403, 404, 405, 410, 205] {
        check_status(status, &[], false);
    }
    check_status(200, &[("Content-Type", "text/html")], false);
    check_status(200, &[], false);
}

#[test]
fn a_connection_that_is_lost_comes_back() {
    let suite = Suite::new();
    suite.open(&json!({}));
    suite.one_event("data\nid: 1\n\n").end();
    suite.heard_error();
    suite.one_event("data\nid: 2\n\n").reset();
    suite.heard_error();
    // Before there is an answer, too.
    suite.requested().end();
    suite.heard_error();
    let mut exchange = suite.connected();
    assert_eq!(exchange.asked.header("last-event-id").as_deref(), Some("2"));
    // The `retry` of the server counts from then on: one that nobody would
    // wait for shows that it does.
    exchange.send("retry: 3600000\n\ndata\n\n");
    suite.heard();
    exchange.end();
    suite.heard_error();
    suite.check_quiet();
}

#[test]
fn a_long_initial_delay_is_waited_for() {
    let suite = Suite::new();
    suite.open(&json!({ "initialDelayMs": 3_600_000 }));
    suite.one_event("data\n\n").end();
    suite.heard_error();
    // Longer than what a client would wait that wasn't told.
    suite.check_quiet_while("retry: 500");
}

#[test]
fn a_short_retry_replaces_a_long_delay() {
    let suite = Suite::new();
    suite.open(&json!({ "initialDelayMs": 3_600_000 }));
    for _ in 0..3 {
        let mut exchange = suite.connected();
        exchange.send("retry: 10\ndata\n\n");
        suite.heard();
        exchange.end();
        suite.heard_error();
    }
    suite.requested();
}

#[test]
fn nobody_there_is_an_error_each_time() {
    let suite = Suite::new();
    let answer = suite.try_open("http://127.0.0.1:1/", &json!({}));
    assert_eq!(answer.status, 201);
    suite.heard_error();
    suite.heard_error();
    suite.end();
}

/// A redirect of a request with a body; the method and the body with which the
/// client asks where it leads to.
#[track_caller]
fn check_redirect(status: u16, method: &str, body: &str) {
    let suite = Suite::new();
    let headers = json!({ "X-Own": "1" });
    suite.open(&json!({ "method": "POST", "body": "ask", "headers": headers }));
    let target = suite.url("/target?x=y");
    for location in ["/target?x=y", &target] {
        let exchange = suite.requested();
        assert_eq!(
            exchange.asked.path, "/stream",
            "redirects aren't remembered"
        );
        exchange.answer(status, &[("Location", location)], "");
        let exchange = suite.one_event("data\n\n");
        let asked = &exchange.asked;
        assert_eq!(asked.path, "/target?x=y");
        assert_eq!((&*asked.method, &*asked.text()), (method, body), "{status}");
        assert_eq!(asked.header("accept").as_deref(), Some("text/event-stream"));
        assert_eq!(asked.header("x-own").as_deref(), Some("1"));
        exchange.end();
        suite.heard_error();
    }
}

#[test]
fn redirects_are_followed() {
    check_redirect(301, "GET", "");
    check_redirect(302, "GET", "");
    check_redirect(303, "GET", "");
    check_redirect(307, "POST", "ask");
    check_redirect(308, "POST", "ask");
}

#[test]
fn redirects_that_lead_nowhere_are_errors_and_no_loops() {
    for status in [301, 302, 303, 307, 308] {
        check_status(status, &[], false);
        check_status(status, &[("Location", "")], false);
        check_status(status, &[("Location", "ftp://127.0.0.1/")], false);
        check_status(status, &[("Location", "http://[")], false);
    }
    check_status(300, &[("Location", "/elsewhere")], false);
    check_status(304, &[], false);
}

#[test]
fn a_loop_of_redirects_ends() {
    let suite = Suite::new();
    suite.open(&json!({}));
    for _ in 0..=20 {
        suite
            .requested()
            .answer(302, &[("Location", "/stream")], "");
    }
    suite.heard_error();
    suite.check_quiet();
}
