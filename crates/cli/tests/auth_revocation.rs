//! Tokens that are good for nothing more before their time: at once, on every
//! path, and after any restart.

mod auth;

use auth::{NEWS, PROTOCOLS, Protocol, Watcher, admin, ask, everything, publish, with};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use tidings_testkit::token::{bearer, in_seconds};
use tidings_testkit::{CANARY, HubProcess, check_problem, check_refused, launch, wait_until};

const PATH: &str = "/admin/revocations";

#[track_caller]
fn revoke(hub: &HubProcess, what: &Value) -> Value {
    let answer = ask(hub, "POST", PATH, &admin(), &what.to_string());
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()["revocations"].clone()
}

fn list(hub: &HubProcess) -> Vec<Value> {
    let answer = ask(hub, "GET", PATH, &admin(), "");
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["revocations"]
        .as_array()
        .expect("a list")
        .clone()
}

/// Asks for a stream with these claims.
fn watch(hub: &HubProcess, protocol: Protocol, path: &str, claims: &Value) -> Watcher {
    let token = bearer(claims.clone());
    Watcher::ask(hub, protocol, path, &[("authorization", &token)])
}

fn status(hub: &HubProcess, method: &str, path: &str, claims: &Value) -> u16 {
    let body = if method == "POST" { "x" } else { "" };
    ask(hub, method, path, &bearer(claims.clone()), body).status
}

/// What is revoked, who is meant, and who isn't.
fn cases() -> Vec<(Value, Value, Value)> {
    let ann = with(json!({ "sub": "ann", "jti": "1", "iss": "a" }));
    let later = with(json!({ "sub": "ann", "jti": "1", "iss": "a", "iat": in_seconds(-10) }));
    let bob = with(json!({ "sub": "bob", "jti": "2", "iss": "a" }));
    vec![
        (json!({ "jti": "1" }), ann.clone(), bob.clone()),
        (
            json!({ "jti": "1", "issuer": "a" }),
            ann.clone(),
            bob.clone(),
        ),
        (
            json!({ "jti": "2", "issuer": "b" }),
            with(json!({ "jti": "2", "iss": "b" })),
            bob.clone(),
        ),
        (json!({ "sub": "ann" }), ann.clone(), bob),
        (
            json!({ "sub": "ann", "issued_until": in_seconds(-30) }),
            ann,
            later,
        ),
    ]
}

#[track_caller]
fn check_ends(
    hub: &HubProcess,
    (protocol, path): (Protocol, &str),
    (what, meant, other): &(Value, Value, Value),
) {
    let open = |claims: &Value| {
        let token = bearer(claims.clone());
        Watcher::open(hub, protocol, path, &[("authorization", &token)])
    };
    let (mut ended, mut left) = (open(meant), open(other));
    let revoked = revoke(hub, what);
    ended.expect_end();
    assert_eq!(watch(hub, protocol, path, meant).status, 401);
    publish(hub, "news", "1");
    left.expect("1");
    assert_eq!(status(hub, "POST", "/t/news", meant), 401, "{what}");
    assert_eq!(status(hub, "POST", "/t/news", other), 200, "{what}");
    assert_eq!(status(hub, "POST", "/tickets", meant), 401, "{what}");
    let taken_back = format!("{PATH}/{}", revoked[0]["id"].as_str().expect("an id"));
    assert_eq!(ask(hub, "DELETE", &taken_back, &admin(), "").status, 204);
    assert_eq!(watch(hub, protocol, path, meant).status, 200);
}

#[test]
fn a11_streams_of_a_revoked_token_end_at_once_and_are_refused_when_they_come_back() {
    // What is open to everyone isn't to who holds a revoked token.
    let hub = launch!("TIDINGS_AUTH_ANONYMOUS" = "news").closed().start();
    for case in cases() {
        for path in NEWS {
            for protocol in PROTOCOLS {
                check_ends(&hub, (protocol, path), &case);
            }
        }
    }
}

#[test]
fn a_token_may_lose_some_topics() {
    let hub = launch!().closed().start();
    for protocol in PROTOCOLS {
        let claims = with(json!({ "iss": "a" }));
        let token = bearer(claims.clone());
        let open = |path: &str| Watcher::open(&hub, protocol, path, &[("authorization", &token)]);
        let mut one = open("/t/orders/1");
        let mut several = open("/events?topic=orders/*&topic=news");
        let mut news = open("/t/news");
        let revoked = revoke(
            &hub,
            &json!({ "topics": ["orders/*", "secret"], "issuer": "a" }),
        );
        assert_eq!(revoked.as_array().map(Vec::len), Some(2));
        one.expect_end();
        several.expect_end();
        // An event of what is watched may have been granted by another topic.
        news.expect_end();
        let cursor = [
            ("authorization", &*token),
            ("last-event-id", news.last_event_id()),
        ];
        publish(&hub, "news", "1");
        let mut news = Watcher::open(&hub, protocol, "/t/news", &cursor);
        news.expect("1");
        assert_eq!(watch(&hub, protocol, "/t/orders/1", &claims).status, 403);
        assert_eq!(status(&hub, "POST", "/t/orders/1", &claims), 403);
        assert_eq!(status(&hub, "POST", "/t/orders/1/x", &claims), 200);
        // Whoever asks for more than that is given the rest.
        let mut rest = open("/events?topic=**");
        publish(&hub, "orders/1", "hidden");
        publish(&hub, "news", "2");
        rest.expect("2");
        // Tokens of another issuer, and those issued later, are not meant.
        assert_eq!(status(&hub, "POST", "/t/secret", &everything()), 200);
        wait_until("the second of the revocation to pass", || {
            let later = with(json!({ "iss": "a", "iat": in_seconds(0) }));
            status(&hub, "POST", "/t/secret", &later) == 200
        });
        for entry in list(&hub) {
            let path = format!("{PATH}/{}", entry["id"].as_str().expect("an id"));
            assert_eq!(ask(&hub, "DELETE", &path, &admin(), "").status, 204);
        }
    }
}

#[test]
fn a_ticket_and_a_stream_of_events_end_with_their_token() {
    let hub = launch!().closed().start();
    let claims = with(json!({ "sub": "ann" }));
    let token = bearer(claims.clone());
    let given = ask(&hub, "POST", "/tickets", &token, "").json();
    let ticket = given["ticket"].as_str().expect("a ticket").to_owned();
    let path = format!("/t/news?ticket={ticket}");
    let mut watcher = Watcher::open(&hub, Protocol::Http1, &path, &[]);
    let mut publisher = hub.http();
    let headers = [
        ("Authorization", token.as_str()),
        ("Content-Type", "application/x-ndjson"),
        ("Transfer-Encoding", "chunked"),
    ];
    publisher
        .send_request("POST", "/t/news", &headers, b"")
        .expect("sent");
    publisher.send_chunk(b"{\"data\":\"1\"}\n").expect("sent");
    watcher.expect("1");
    revoke(&hub, &json!({ "sub": "ann" }));
    watcher.expect_end();
    let cursor = [("last-event-id", watcher.last_event_id())];
    let resumed = Watcher::ask(&hub, Protocol::Http1, &path, &cursor);
    assert_eq!(resumed.status, 401);
    // The next event isn't taken in.
    let _ = publisher.send_chunk(b"{\"data\":\"2\"}\n");
    let answer = publisher.answer(false).expect("an answer");
    check_problem(&answer, 401, "invalid-token");
    assert_eq!(answer.json()["published"], 1);
}

#[test]
fn what_was_answered_outlasts_kill_9() {
    let mut hub = launch!().closed().start();
    let all: Vec<(Value, Value)> = [
        (json!({ "jti": "1" }), with(json!({ "jti": "1" }))),
        (json!({ "sub": "ann" }), with(json!({ "sub": "ann" }))),
        (json!({ "topics": ["news"] }), everything()),
    ]
    .into_iter()
    .collect();
    for (n, (what, meant)) in all.iter().enumerate() {
        assert_eq!(status(&hub, "POST", "/t/news", meant), 200, "{what}");
        revoke(&hub, what);
        hub = hub.kill().start();
        assert_eq!(list(&hub).len(), n + 1);
        for (what, meant) in &all[..=n] {
            assert!(status(&hub, "POST", "/t/news", meant) > 400, "{what}");
        }
    }
    let launch = hub.kill();
    let path = launch.data().join("auth/revocations");
    let mode = fs::metadata(&path).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // Taken back, that lasts as well.
    let hub = launch.start();
    for entry in list(&hub) {
        let path = format!("{PATH}/{}", entry["id"].as_str().expect("an id"));
        assert_eq!(ask(&hub, "DELETE", &path, &admin(), "").status, 204);
    }
    let hub = hub.kill().start();
    assert!(list(&hub).is_empty());
}

#[test]
fn a_list_that_can_t_be_kept_is_in_force_and_that_is_said() {
    let launch = launch!().closed();
    let hub = launch.start();
    let post = |hub: &HubProcess| ask(hub, "POST", PATH, &admin(), "{\"sub\":\"ann\"}");
    let ann = with(json!({ "sub": "ann" }));
    // What is to be written can't be, as on a disk that has failed.
    let blocked = launch.data().join("auth/revocations.tmp");
    fs::create_dir(&blocked).expect("a directory");
    check_problem(&post(&hub), 503, "storage-failed");
    assert_eq!(status(&hub, "POST", "/t/news", &ann), 401);
    let entry = list(&hub)[0]["id"].as_str().expect("an id").to_owned();
    let delete = |hub: &HubProcess| ask(hub, "DELETE", &format!("{PATH}/{entry}"), &admin(), "");
    check_problem(&delete(&hub), 503, "storage-failed");
    assert_eq!(list(&hub).len(), 1);
    hub.wait_for_log("the list of revocations can't be written");
    let hub = hub.kill().start();
    assert!(list(&hub).is_empty(), "it was never said to be kept");
    fs::remove_dir(&blocked).expect("removed");
    assert_eq!(post(&hub).status, 201);
    let hub = hub.kill().start();
    assert_eq!(status(&hub, "POST", "/t/news", &ann), 401);
    assert_eq!(delete(&hub).status, 204);
}

#[test]
fn f3_a_list_that_can_t_be_read_keeps_the_hub_from_starting() {
    let hub = launch!().closed().start();
    revoke(&hub, &json!({ "jti": "1" }));
    let launch = hub.kill();
    let path = launch.data().join("auth/revocations");
    let good = fs::read(&path).expect("a file");
    let mut changed = good.clone();
    *changed.last_mut().expect("a byte") ^= 1;
    for bad in [&[][..], &good[..good.len() - 1], &changed] {
        fs::write(&path, bad).expect("written");
        let (status, stderr) = launch.try_start().expect_err("a damaged list");
        assert_eq!(status.code(), Some(1));
        for said in ["auth/revocations is damaged", "good again"] {
            assert!(stderr.contains(said), "{stderr}");
        }
    }
    fs::write(&path, good).expect("written");
    assert_eq!(list(&launch.start()).len(), 1);
}

#[test]
fn the_list_is_the_operator_s() {
    let hub = launch!("TIDINGS_AUTH_ANONYMOUS" = "**").closed().start();
    let user = bearer(everything());
    let user = [("Authorization", user.as_str())];
    let id = format!("{PATH}/0123456789abcdef0123456789abcdef");
    for (method, path) in [("GET", PATH), ("POST", PATH), ("DELETE", &id)] {
        check_refused(&hub, (method, path, &[], b""), 401, "token-needed");
        check_refused(&hub, (method, path, &user, b""), 403, "not-granted");
    }
    let admin = admin();
    let admin = [("Authorization", admin.as_str())];
    check_refused(&hub, ("DELETE", &id, &admin, b""), 404, "not-found");
    check_refused(
        &hub,
        ("DELETE", PATH, &admin, b""),
        405,
        "method-not-allowed",
    );
    check_refused(&hub, ("GET", &id, &admin, b""), 405, "method-not-allowed");
    check_refused(
        &hub,
        ("GET", &format!("{id}/x"), &admin, b""),
        404,
        "not-found",
    );
    let open = launch!().start();
    check_refused(&open, ("GET", PATH, &[], b""), 404, "not-found");
}

#[test]
fn what_was_revoked_is_told_as_it_was_said() {
    let hub = launch!().closed().start();
    let (issued, until) = (in_seconds(-100), in_seconds(1000));
    let told = revoke(
        &hub,
        &json!({ "sub": "ann", "issuer": "a", "issued_until": issued, "until": until }),
    );
    let id = told[0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(id.len(), 32);
    let expected =
        json!([{ "id": id, "sub": "ann", "issuer": "a", "issued_until": issued, "until": until }]);
    assert_eq!(told, expected);
    assert_eq!(Value::Array(list(&hub)), expected);
    // Once more, for longer: it is one entry.
    let told = revoke(&hub, &json!({ "sub": "ann", "issuer": "a" }));
    assert_eq!(
        (&told[0]["id"], &told[0]["until"]),
        (&json!(id), &Value::Null)
    );
    assert_eq!(list(&hub).len(), 1);
    assert_eq!(
        revoke(&hub, &json!({ "jti": "1" }))[0]["issued_until"],
        Value::Null
    );
    assert_eq!(list(&hub).len(), 2);
}

#[test]
fn b5_what_can_t_be_understood_revokes_nothing() {
    let hub = launch!().closed().start();
    let admin = admin();
    let json = [
        ("Authorization", admin.as_str()),
        ("Content-Type", "application/json"),
    ];
    let long = "x".repeat(1025);
    let many: Vec<String> = (0..1001).map(|n| format!("t/{n}")).collect();
    let bad = [
        String::new(),
        "{}".into(),
        "[]".into(),
        "null".into(),
        "{\"jti\":\"1\"} x".into(),
        "{\"jti\":\"1\",\"jti\":\"2\"}".into(),
        "[".repeat(100_000),
        "{\"jti\":\"\\ud800\"}".into(),
        json!({ "jti": 1 }).to_string(),
        json!({ "jti": "1", "sub": "1" }).to_string(),
        json!({ "jti": "1", CANARY: "1" }).to_string(),
        json!({ "jti": "1", "issued_until": 1 }).to_string(),
        json!({ "jti": "1", "until": 1 }).to_string(),
        json!({ "jti": "1", "until": -1 }).to_string(),
        json!({ "jti": "1", "until": "tomorrow" }).to_string(),
        json!({ "jti": "" }).to_string(),
        json!({ "jti": long }).to_string(),
        json!({ "sub": "1", "issued_until": in_seconds(60) }).to_string(),
        json!({ "topics": [] }).to_string(),
        json!({ "topics": "news" }).to_string(),
        json!({ "topics": ["news", "a*"] }).to_string(),
        json!({ "topics": ["news", CANARY, ""] }).to_string(),
        json!({ "topics": many }).to_string(),
    ];
    for body in &bad {
        check_refused(
            &hub,
            ("POST", PATH, &json, body.as_bytes()),
            400,
            "bad-request",
        );
    }
    let large = format!("{{\"jti\":\"{}\"}}", "x".repeat(300_000));
    check_refused(
        &hub,
        ("POST", PATH, &json, large.as_bytes()),
        413,
        "too-large",
    );
    let plain = [
        ("Authorization", admin.as_str()),
        ("Content-Type", "text/plain"),
    ];
    check_refused(
        &hub,
        ("POST", PATH, &plain, b"{\"jti\":\"1\"}"),
        415,
        "unsupported-media-type",
    );
    assert!(list(&hub).is_empty());
}
