//! A stream that goes on with another token.

mod auth;

use auth::{Headers, PROTOCOLS, Protocol, Watcher, admin, ask, publish, with};
use serde_json::{Value, json};
use tidings_testkit::token::{bearer, in_seconds, token};
use tidings_testkit::{CANARY, HubProcess, check_problem, launch};

/// Claims of Ann's.
fn ann(others: Value) -> Value {
    let mut claims = with(json!({ "sub": "ann", "iss": "https://issuer.example" }));
    for (name, value) in others.as_object().expect("an object") {
        claims[name] = value.clone();
    }
    claims
}

/// Opens a stream that can be renewed; answers with its id.
#[track_caller]
fn open(hub: &HubProcess, protocol: Protocol, headers: Headers<'_>) -> (Watcher, String) {
    let path = "/events?topic=news&connection=1";
    let mut watcher = Watcher::open(hub, protocol, path, headers);
    let (event, data) = watcher.next().expect("an id");
    assert_eq!(event, "tidings:connection");
    let data: Value = serde_json::from_str(&data).expect("JSON");
    let id = data["id"].as_str().expect("an id").to_owned();
    assert!(
        id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()),
        "{id}"
    );
    (watcher, id)
}

#[track_caller]
fn open_as(hub: &HubProcess, protocol: Protocol, claims: Value) -> (Watcher, String) {
    let token = bearer(claims);
    open(hub, protocol, &[("authorization", &token)])
}

fn path(id: &str) -> String {
    format!("/connections/{id}/token")
}

#[track_caller]
fn check_renewed(hub: &HubProcess, id: &str, claims: Value) {
    let answer = ask(hub, "POST", &path(id), &bearer(claims), "");
    assert_eq!((answer.status, &*answer.text()), (204, ""));
}

#[track_caller]
fn check_refused(hub: &HubProcess, id: &str, claims: Value, status: u16, code: &str) {
    let answer = ask(hub, "POST", &path(id), &bearer(claims), "");
    check_problem(&answer, status, code);
}

#[test]
fn a11_a_stream_lives_as_long_as_its_last_token() {
    let hub = launch!().closed().start();
    for protocol in PROTOCOLS {
        let short = || ann(json!({ "exp": in_seconds(4) }));
        let (mut renewed, id) = open_as(&hub, protocol, short());
        let (mut left, _) = open_as(&hub, protocol, short());
        check_renewed(&hub, &id, ann(json!({})));
        // The other ends with its token, which both began with.
        left.expect_end();
        publish(&hub, "news", "later");
        renewed.expect("later");
        // To a shorter life, too.
        check_renewed(&hub, &id, ann(json!({ "exp": in_seconds(2) })));
        renewed.expect_end();
        check_refused(&hub, &id, ann(json!({})), 404, "not-found");
    }
}

#[test]
fn the_new_token_is_of_the_same_holder_and_grants_what_is_watched() {
    let hub = launch!().closed().start();
    for protocol in PROTOCOLS {
        let (mut watcher, id) = open_as(&hub, protocol, ann(json!({})));
        for (claims, status, code) in [
            (ann(json!({ "sub": "bob" })), 403, "not-granted"),
            (ann(json!({ "sub": null })), 403, "not-granted"),
            (ann(json!({ "iss": null })), 403, "not-granted"),
            (
                ann(json!({ "iss": "https://other.example" })),
                403,
                "not-granted",
            ),
            (
                ann(json!({ "tidings": { "subscribe": ["other"] } })),
                403,
                "not-granted",
            ),
            (
                ann(json!({ "tidings": { "publish": ["**"] } })),
                403,
                "not-granted",
            ),
            (ann(json!({ "exp": in_seconds(-1) })), 401, "invalid-token"),
        ] {
            check_refused(&hub, &id, claims, status, code);
        }
        // It is as it was.
        publish(&hub, "news", "1");
        watcher.expect("1");
        check_renewed(
            &hub,
            &id,
            ann(json!({ "tidings": { "subscribe": ["news", "x"] } })),
        );
        publish(&hub, "news", "2");
        watcher.expect("2");
    }
}

#[test]
fn rights_are_replaced_and_a_revoked_token_renews_nothing() {
    let hub = launch!().closed().start();
    for protocol in PROTOCOLS {
        let (mut watcher, id) = open_as(&hub, protocol, ann(json!({ "jti": "one" })));
        check_renewed(&hub, &id, ann(json!({ "jti": "two" })));
        let revoke = |jti: &str| {
            let body = json!({ "jti": jti }).to_string();
            let answer = ask(&hub, "POST", "/admin/revocations", &admin(), &body);
            assert_eq!(answer.status, 201, "{}", answer.text());
        };
        // Of before: it is no more the stream's.
        revoke("one");
        check_refused(
            &hub,
            &id,
            ann(json!({ "jti": "one" })),
            401,
            "invalid-token",
        );
        publish(&hub, "news", "1");
        watcher.expect("1");
        revoke("two");
        watcher.expect_end();
        let forget = |jti: &str| {
            let list = ask(&hub, "GET", "/admin/revocations", &admin(), "").json();
            let entries = list["revocations"].as_array().expect("a list").clone();
            let entry = entries
                .iter()
                .find(|entry| entry["jti"] == jti)
                .expect("it");
            let path = format!(
                "/admin/revocations/{}",
                entry["id"].as_str().expect("an id")
            );
            assert_eq!(ask(&hub, "DELETE", &path, &admin(), "").status, 204);
        };
        ["one", "two"].into_iter().for_each(forget);
    }
}

/// Whoever guesses ids learns nothing, and whoever has none can't become somebody.
#[test]
fn streams_that_can_t_be_renewed_look_as_if_they_were_not_there() {
    let hub = launch!("TIDINGS_AUTH_ANONYMOUS" = "news").closed().start();
    let (mut anonymous, id) = open(&hub, Protocol::Http1, &[]);
    let unknown = "0123456789abcdef0123456789abcdef";
    let answer = |id: &str| ask(&hub, "POST", &path(id), &bearer(ann(json!({}))), "");
    let expected = answer(unknown);
    check_problem(&expected, 404, "not-found");
    for other in [
        &*id,
        CANARY,
        "0",
        &unknown[1..],
        &unknown.to_uppercase(),
        "%00",
        "+",
    ] {
        assert_eq!(answer(other).text(), expected.text(), "{other}");
    }
    publish(&hub, "news", "1");
    anonymous.expect("1");
    // The token is looked at first: without one, nothing is said of any id.
    let (_held, held) = open_as(&hub, Protocol::Http1, ann(json!({})));
    for id in [unknown, &held] {
        let anonymous = hub.http().request("POST", &path(id), &[], b"");
        check_problem(&anonymous, 401, "token-needed");
        let answer = hub.http().request("GET", &path(id), &[], b"");
        check_problem(&answer, 405, "method-not-allowed");
    }
    // One without a name can't be renewed by anybody.
    let (_nameless, nameless) = open_as(&hub, Protocol::Http1, ann(json!({ "sub": null })));
    check_refused(
        &hub,
        &nameless,
        ann(json!({ "sub": null })),
        403,
        "not-granted",
    );
}

#[test]
fn b20_a_page_renews_by_cookie_only_from_where_it_may() {
    let hub = launch!().closed().start();
    let (mut watcher, id) = open_as(&hub, Protocol::Http1, ann(json!({ "exp": in_seconds(4) })));
    let cookie = format!("mercureAuthorization={}", token(ann(json!({}))));
    let by_cookie = |origin: Option<&str>| {
        let mut headers = vec![("Cookie", cookie.as_str())];
        headers.extend(origin.map(|origin| ("Origin", origin)));
        hub.http().request("POST", &path(&id), &headers, b"")
    };
    for origin in [None, Some("null"), Some("https://evil.example")] {
        check_problem(&by_cookie(origin), 403, "origin-not-allowed");
    }
    assert_eq!(by_cookie(Some("https://hub.example")).status, 204);
    let (mut other, _) = open_as(&hub, Protocol::Http1, ann(json!({ "exp": in_seconds(4) })));
    other.expect_end();
    publish(&hub, "news", "1");
    watcher.expect("1");
}

/// What a ticket has opened is renewed like any other; the ticket isn't.
#[test]
fn a_stream_of_a_ticket_is_renewed() {
    let hub = launch!().closed().start();
    for protocol in PROTOCOLS {
        let claims = ann(json!({ "exp": in_seconds(4) }));
        let given = ask(&hub, "POST", "/tickets", &bearer(claims.clone()), "").json();
        let ticket = given["ticket"].as_str().expect("a ticket");
        let path = format!("/events?topic=news&connection=1&ticket={ticket}");
        let mut watcher = Watcher::open(&hub, protocol, &path, &[]);
        let (_, data) = watcher.next().expect("an id");
        let data: Value = serde_json::from_str(&data).expect("JSON");
        check_renewed(&hub, data["id"].as_str().expect("an id"), ann(json!({})));
        let (mut left, _) = open_as(&hub, protocol, claims);
        left.expect_end();
        publish(&hub, "news", "1");
        watcher.expect("1");
        let cursor = [("last-event-id", watcher.last_event_id())];
        let resumed = Watcher::ask(&hub, protocol, &path, &cursor);
        assert_eq!(resumed.status, 401);
    }
}
