//! Tickets: what stands in the URL of a page that can neither set headers nor
//! use cookies, opens one stream, and resumes it.

mod auth;

use auth::{NEWS, PROTOCOLS, Protocol, Watcher, admin, ask, everything, publish, with};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use tidings_testkit::token::{bearer, in_seconds, token};
use tidings_testkit::{CANARY, HubProcess, check_problem, check_refused, launch, wait_until};

/// A ticket of a token with these claims.
#[track_caller]
fn ticket_of(hub: &HubProcess, claims: Value) -> String {
    let answer = ask(hub, "POST", "/tickets", &bearer(claims), "");
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()["ticket"]
        .as_str()
        .expect("a ticket")
        .to_owned()
}

fn ticket(hub: &HubProcess) -> String {
    ticket_of(hub, everything())
}

fn stream(ticket: &str) -> String {
    format!("/events?topic=news&ticket={ticket}")
}

/// Opens a stream with a ticket.
#[track_caller]
fn open(hub: &HubProcess, protocol: Protocol, ticket: &str) -> Watcher {
    Watcher::open(hub, protocol, &stream(ticket), &[])
}

/// Resumes it.
#[track_caller]
fn resume(hub: &HubProcess, protocol: Protocol, ticket: &str, cursor: &str) -> Watcher {
    let cursor = [("last-event-id", cursor)];
    Watcher::open(hub, protocol, &stream(ticket), &cursor)
}

#[track_caller]
fn check_opens_none(hub: &HubProcess, ticket: &str) {
    check_refused(
        hub,
        (
            "GET",
            &stream(ticket),
            &[("Accept", "text/event-stream")],
            b"",
        ),
        401,
        "invalid-token",
    );
}

#[test]
fn b20_a_ticket_is_for_whoever_holds_a_token() {
    let hub = launch!().closed().start();
    let expires = in_seconds(600);
    let claims = with(json!({ "exp": expires }));
    let answer = ask(&hub, "POST", "/tickets", &bearer(claims.clone()), "");
    assert_eq!(answer.status, 201);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let given = answer.json();
    assert_eq!(
        (&given["expires"], &given["opens_within"]),
        (&json!(expires), &json!(60))
    );
    // The page sends the cookie, which anybody's page could have it send.
    let cookie = format!("mercureAuthorization={}", token(claims));
    let by_cookie = |origin: &[(&str, &str)]| {
        let mut headers = vec![("Cookie", cookie.as_str())];
        headers.extend_from_slice(origin);
        hub.http().request("POST", "/tickets", &headers, b"")
    };
    assert_eq!(by_cookie(&[("Origin", "https://hub.example")]).status, 201);
    assert_eq!(
        by_cookie(&[("Referer", "https://hub.example/page")]).status,
        201
    );
    for origin in [
        vec![],
        vec![("Origin", "null")],
        vec![("Origin", "https://evil.example")],
    ] {
        check_problem(&by_cookie(&origin), 403, "origin-not-allowed");
    }
    let (ticket, expired) = (ticket(&hub), bearer(json!({ "exp": in_seconds(-1) })));
    let of_ticket = format!("/tickets?ticket={ticket}");
    let expired = [("Authorization", expired.as_str())];
    for (request, status, code) in [
        (("POST", "/tickets", &[][..], &b""[..]), 401, "token-needed"),
        (("POST", "/tickets", &expired, b""), 401, "invalid-token"),
        (("POST", &of_ticket, &[], b""), 401, "invalid-token"),
        (("GET", "/tickets", &[], b""), 405, "method-not-allowed"),
    ] {
        check_refused(&hub, request, status, code);
    }
    let open = launch!().start();
    check_refused(&open, ("POST", "/tickets", &[], b""), 404, "not-found");
}

#[track_caller]
fn check_opens_one_and_resumes_it(hub: &HubProcess, protocol: Protocol, path: &str) {
    let path = format!("{path}&ticket={}", ticket(hub));
    let status = |headers| Watcher::ask(hub, protocol, &path, headers).status;
    let resume = |cursor: &str| Watcher::open(hub, protocol, &path, &[("last-event-id", cursor)]);
    let mut first = Watcher::open(hub, protocol, &path, &[]);
    assert_eq!(status(&[]), 401);
    publish(hub, "news", "1");
    first.expect("1");
    let cursor = first.last_event_id().to_owned();
    drop(first);
    publish(hub, "news", "2");
    // An EventSource that was cut off comes back with the same URL.
    let mut second = resume(&cursor);
    second.expect("2");
    assert_eq!(status(&[]), 401);
    // While the hub hasn't noticed that the connection is gone, too.
    let mut third = resume(second.last_event_id());
    second.expect_end();
    publish(hub, "news", "3");
    third.expect("3");
    assert_eq!(status(&[("last-event-id", "")]), 401);
}

#[test]
fn a_ticket_opens_one_stream_and_resumes_it_exactly() {
    let hub = launch!().closed().start();
    for path in NEWS {
        for protocol in PROTOCOLS {
            check_opens_one_and_resumes_it(&hub, protocol, path);
        }
    }
}

/// A proxy that serves the hub below a path takes that away.
#[test]
fn a_ticket_opens_streams_of_a_hub_that_is_reached_below_a_path() {
    let below = "https://hub.example/below";
    let hub = launch!().closed().env("TIDINGS_PUBLIC_URL", below).start();
    for path in NEWS {
        let ticket = ticket_of(&hub, with(json!({ "aud": below })));
        let path = format!("{path}&ticket={ticket}");
        let _stream = Watcher::open(&hub, Protocol::Http1, &path, &[]);
    }
}

/// A place to go on from that stands in the URL is no resume: it would be
/// copied along.
#[test]
fn a_cursor_in_the_url_resumes_nothing() {
    let hub = launch!().closed().start();
    let queries = [
        "since=earliest",
        "lastEventID=earliest",
        "last-event-id=earliest",
    ];
    for (path, query) in NEWS
        .into_iter()
        .flat_map(|path| queries.map(|query| (path, query)))
    {
        let path = format!("{path}&{query}&ticket={}", ticket(&hub));
        let _first = Watcher::open(&hub, Protocol::Http1, &path, &[]);
        assert_eq!(
            Watcher::ask(&hub, Protocol::Http1, &path, &[]).status,
            401,
            "{path}"
        );
    }
}

#[test]
fn a_ticket_grants_what_its_token_does_and_no_more() {
    let hub = launch!().closed().start();
    let few = || {
        ticket_of(
            &hub,
            json!({ "tidings": { "subscribe": ["news"], "publish": ["**"] } }),
        )
    };
    let asked = format!("/events?topic=news&topic=other&ticket={}", few());
    let get = |path: &str| Watcher::ask(&hub, Protocol::Http1, path, &[]);
    assert_eq!(get(&asked).status, 403);
    // A stream that wasn't granted hasn't been opened.
    let ticket = few();
    let elsewhere = format!("/t/other?ticket={ticket}");
    assert_eq!(get(&elsewhere).status, 403);
    assert_eq!(get(&format!("/t/news?ticket={ticket}")).status, 200);
}

#[test]
fn a_stream_that_found_no_place_has_not_been_opened() {
    let hub = launch!("TIDINGS_LIMITS_SUBSCRIPTIONS" = "1")
        .closed()
        .start();
    let other = bearer(everything());
    let other = [("authorization", other.as_str())];
    for protocol in PROTOCOLS {
        let held = Watcher::open(&hub, protocol, "/t/other", &other);
        let path = stream(&ticket(&hub));
        for _ in 0..2 {
            let mut told = Watcher::ask(&hub, protocol, &path, &[]);
            assert!(told.status == 200 && !told.begins());
        }
        drop(held);
        wait_until("a place", || {
            let mut watcher = Watcher::ask(&hub, protocol, &path, &[]);
            assert_eq!(watcher.status, 200);
            watcher.begins()
        });
        assert_eq!(Watcher::ask(&hub, protocol, &path, &[]).status, 401);
        hub_is_empty(&hub);
    }
}

/// Waits until the hub has noticed that nobody watches any more.
fn hub_is_empty(hub: &HubProcess) {
    wait_until("nobody to watch", || {
        let metrics = ask(hub, "GET", "/metrics", &admin(), "").text();
        metrics.lines().any(|line| line == "tidings_subscribers 0")
    });
}

#[test]
fn a13_a_ticket_is_for_streams_and_nothing_else() {
    let hub = launch!("TIDINGS_MERCURE_SUBSCRIPTIONS" = "true")
        .closed()
        .start();
    let ticket = ticket_of(
        &hub,
        json!({ "tidings": { "subscribe": ["**"], "publish": ["**"], "admin": true } }),
    );
    let with = |path: &str| {
        format!(
            "{path}{}ticket={ticket}",
            if path.contains('?') { '&' } else { '?' }
        )
    };
    let json = [("Accept", "application/json")];
    let stream = [("Accept", "text/event-stream")];
    let html = [("Accept", "text/html")];
    for (method, path, headers) in [
        ("GET", "/t/news", &json[..]),
        ("GET", "/events?topic=news", &json),
        ("GET", "/t/news", &html),
        ("POST", "/t/news", &[]),
        ("PUT", "/t/news", &stream),
        ("POST", "/events", &stream),
        ("GET", "/metrics", &stream),
        ("GET", "/admin/revocations", &stream),
        ("POST", "/tickets", &stream),
        ("POST", "/.well-known/mercure", &stream),
        ("QUERY", "/.well-known/mercure", &stream),
        ("GET", "/.well-known/mercure/subscriptions", &stream),
    ] {
        check_refused(
            &hub,
            (method, &with(path), headers, b""),
            401,
            "invalid-token",
        );
    }
    let head = hub.http().request("HEAD", &with("/t/news"), &stream, b"");
    assert_eq!(head.status, 401);
    // None of that has used it.
    drop(open(&hub, Protocol::Http1, &ticket));
    check_opens_none(&hub, &format!("{ticket}A"));
    check_opens_none(&hub, CANARY);
    check_opens_none(&hub, "");
}

#[test]
fn two_that_take_a_stream_from_each_other_both_lose_it() {
    let hub = launch!().closed().start();
    let ticket = ticket(&hub);
    let mut present = open(&hub, Protocol::Http1, &ticket);
    // Whoever has copied the URL gets nothing with that alone.
    check_opens_none(&hub, &ticket);
    let cursor = present.last_event_id().to_owned();
    let cursor = [("last-event-id", cursor.as_str())];
    for turn in 1.. {
        let next = Watcher::ask(&hub, Protocol::Http1, &stream(&ticket), &cursor);
        if next.status == 401 {
            break;
        }
        assert!(turn < 100, "they go on for ever");
        present.expect_end();
        present = next;
    }
    present.expect_end();
    let refused = Watcher::ask(&hub, Protocol::Http1, &stream(&ticket), &cursor);
    assert_eq!(refused.status, 401);
    let metrics = ask(&hub, "GET", "/metrics", &admin(), "").text();
    assert!(metrics.contains("reason=\"ticket-contested\""), "{metrics}");
}

#[test]
fn a_stopped_hub_knows_its_tickets_when_it_starts_again() {
    let mut hub = launch!("TIDINGS_DRAIN_WINDOW" = "0s").closed().start();
    let (used, unused) = (ticket(&hub), ticket(&hub));
    let first = open(&hub, Protocol::Http1, &used);
    hub.terminate();
    hub.wait(tidings_testkit::PATIENCE);
    let hub = hub.launch_again().start();
    check_opens_none(&hub, &used);
    drop(resume(&hub, Protocol::Http1, &used, first.last_event_id()));
    drop(open(&hub, Protocol::Http1, &unused));
    check_opens_none(&hub, &unused);
}

#[test]
fn a_killed_hub_lets_tickets_of_before_resume_and_open_nothing() {
    let hub = launch!("TIDINGS_DRAIN_WINDOW" = "0s").closed().start();
    // A table of an earlier stop must not be taken for the present one.
    let early = ticket(&hub);
    let mut hub = { hub };
    hub.terminate();
    hub.wait(tidings_testkit::PATIENCE);
    let hub = hub.launch_again().start();
    let (used, unused) = (ticket(&hub), ticket(&hub));
    let first = open(&hub, Protocol::Http1, &used);
    drop(open(&hub, Protocol::Http1, &early));
    let hub = hub.kill().start();
    for ticket in [&used, &unused, &early] {
        check_opens_none(&hub, ticket);
    }
    let mut resumed = resume(&hub, Protocol::Http1, &used, first.last_event_id());
    publish(&hub, "news", "after");
    resumed.expect("after");
    drop(open(&hub, Protocol::Http1, &ticket(&hub)));
}

#[test]
fn the_key_is_nobody_else_s_and_a_damaged_one_keeps_the_hub_from_starting() {
    let hub = launch!().closed().start();
    let ticket = ticket(&hub);
    let launch = hub.kill();
    let directory = launch.data().join("auth");
    let mode = |name: &str| {
        let metadata = fs::metadata(directory.join(name)).expect("a file");
        metadata.permissions().mode() & 0o777
    };
    assert_eq!((mode("ticket-key"), mode("")), (0o600, 0o700));
    let path = directory.join("ticket-key");
    let good = fs::read(&path).expect("a file");
    let bad = [&good[..], &[0]].concat();
    fs::write(&path, bad).expect("written");
    let (status, stderr) = launch.try_start().expect_err("a damaged key");
    assert_eq!(status.code(), Some(1));
    assert!(stderr.contains("ticket-key is damaged"), "{stderr}");
    assert!(stderr.contains("or remove it"), "{stderr}");
    fs::remove_file(&path).expect("removed");
    let hub = launch.start();
    let resumed = Watcher::ask(
        &hub,
        Protocol::Http1,
        &stream(&ticket),
        &[("last-event-id", "x")],
    );
    assert_eq!(resumed.status, 401, "it was sealed with another key");
    // What is only a convenience doesn't.
    let launch = hub.kill();
    fs::write(directory.join("used-tickets"), b"garbage").expect("written");
    let hub = launch.start();
    hub.wait_for_log("used-tickets is damaged");
}

#[test]
fn a_hub_in_memory_has_a_key_for_each_start() {
    let hub = launch!("TIDINGS_STORE" = "memory").closed().start();
    let ticket = ticket(&hub);
    drop(open(&hub, Protocol::Http1, &ticket));
    let launch = hub.kill();
    assert!(!launch.data().join("auth").exists());
    let hub = launch.start();
    let resumed = Watcher::ask(
        &hub,
        Protocol::Http1,
        &stream(&ticket),
        &[("last-event-id", "x")],
    );
    assert_eq!(resumed.status, 401);
}

#[test]
fn p26_tickets_stand_in_no_log() {
    let hub = launch!("TIDINGS_LOG_LEVEL" = "trace", "TIDINGS_DRAIN_WINDOW" = "0s")
        .closed()
        .start();
    let tickets: Vec<String> = PROTOCOLS
        .into_iter()
        .map(|protocol| {
            let ticket = ticket(&hub);
            let mut first = open(&hub, protocol, &ticket);
            let _resumed = resume(&hub, protocol, &ticket, first.last_event_id());
            first.expect_end();
            for path in ["/t/news", "/metrics", "/tickets", "/nowhere", "/%zz"] {
                let path = format!("{path}?ticket={ticket}");
                let _ = Watcher::ask(&hub, protocol, &path, &[]);
            }
            check_opens_none(&hub, &format!("{ticket}{CANARY}"));
            ticket
        })
        .collect();
    let (_, log) = hub.finish();
    assert!(log.contains("draining"), "the log was read: {log}");
    for ticket in &tickets {
        // Not in pieces either.
        for at in (0..ticket.len() - 12).step_by(6) {
            assert!(!log.contains(&ticket[at..at + 12]), "{log}");
        }
    }
    assert!(!log.contains(CANARY), "{log}");
}
