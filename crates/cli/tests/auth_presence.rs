//! Presence on a hub with keys: who somebody is, what is shown of them and to whom,
//! and what becomes of it when their rights end.

mod auth;

use auth::{NEWS, PROTOCOLS, Protocol, Watcher, admin, ask, with};
use serde_json::{Value, json};
use tidings_testkit::token::{SECRET, bearer, in_seconds, signed};
use tidings_testkit::{CANARY, HubProcess, check_problem, launch, wait_until};

fn hub() -> HubProcess {
    launch!(
        "TIDINGS_PRESENCE_GRACE" = "0s",
        "TIDINGS_AUTH_ANONYMOUS" = "open"
    )
    .closed()
    .start()
}

/// Who watches with these claims.
fn watch(hub: &HubProcess, protocol: Protocol, path: &str, claims: &Value) -> Watcher {
    let token = bearer(claims.clone());
    Watcher::open(hub, protocol, path, &[("authorization", &token)])
}

#[track_caller]
fn account(watcher: &mut Watcher) -> Value {
    let (name, data) = watcher.next().expect("an event");
    assert_eq!(name, "tidings:presence", "{data}");
    serde_json::from_str(&data).expect("JSON")
}

fn page(hub: &HubProcess, topic: &str, claims: &Value) -> Value {
    let path = format!("/presence?topic={topic}");
    let answer = ask(hub, "GET", &path, &bearer(claims.clone()), "");
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

#[test]
fn what_a_token_shows_is_shown_and_nothing_else_of_it() {
    for protocol in PROTOCOLS {
        let hub = hub();
        let shown = json!({ "name": "Ann", "of": ["x"] });
        let ann = |id: &str| {
            with(json!({
                "sub": CANARY, "iss": CANARY, "jti": format!("{CANARY}{id}"),
                "tidings": { "subscribe": ["**"], "presence": shown },
            }))
        };
        let eve = with(json!({ "sub": "eve" }));
        let mut told = watch(&hub, protocol, "/t/news?presence=1", &eve);
        let snapshot = account(&mut told);
        assert_eq!(
            snapshot["members"][0].as_object().map(|own| own.len()),
            Some(2)
        );
        // Two tokens, one person.
        let both = ["1", "2"].map(|id| watch(&hub, protocol, "/t/news", &ann(id)));
        let joined = account(&mut told);
        assert_eq!(
            joined["joined"].as_array().map(Vec::len),
            Some(1),
            "{joined}"
        );
        assert_eq!(joined["joined"][0]["data"], shown);
        let own = page(&hub, "news", &eve);
        assert_eq!((&own["count"], &own["watchers"]), (&json!(2), &json!(3)));
        for text in [joined.to_string(), own.to_string()] {
            assert!(!text.contains(CANARY), "{text}");
        }
        drop(both);
        let left = account(&mut told);
        assert_eq!(left["left"], json!([joined["joined"][0]["id"]]));
        assert_eq!(page(&hub, "news", &eve)["count"], 1);
    }
}

#[test]
fn who_may_watch_by_a_grant_sees_who_is_present_and_nobody_else() {
    let hub = hub();
    let stream = [("Accept", "text/event-stream")];
    for path in [
        "/presence?topic=open",
        "/presence?topic=news",
        "/t/open?presence=1",
    ] {
        let answer = hub.http().request("GET", path, &stream, b"");
        assert_eq!(answer.status, 401, "{path}: {}", answer.text());
    }
    // What is open to all can be watched, by nobody in particular.
    let stranger = Watcher::open(&hub, Protocol::Http1, "/t/open", &[]);
    let some = with(json!({ "tidings": { "subscribe": ["news", "open"] } }));
    let own = page(&hub, "open", &some);
    assert_eq!((&own["count"], &own["watchers"]), (&json!(0), &json!(1)));
    drop(stranger);
    let token = bearer(some.clone());
    for path in ["/presence?topic=other", "/presence?topic=news&topic=other"] {
        check_problem(&ask(&hub, "GET", path, &token, ""), 403, "not-granted");
    }
    for path in [
        "/t/other?presence=1",
        "/events?topic=news&topic=other&presence=1",
    ] {
        let refused = Watcher::ask(&hub, Protocol::Http2, path, &[("authorization", &token)]);
        assert_eq!(refused.status, 403, "{path}");
    }
    // A grant of what tells it isn't one of who is there.
    let sly = with(json!({ "tidings": { "subscribe": ["$presence/**"] } }));
    let sly = bearer(sly);
    check_problem(
        &ask(&hub, "GET", "/presence?topic=news", &sly, ""),
        403,
        "not-granted",
    );
    let named = [("Accept", "text/event-stream"), ("Authorization", &*token)];
    let answer = hub.http().request("GET", "/t/news?as=Ann", &named, b"");
    check_problem(&answer, 400, "bad-request");
}

#[test]
fn a23_where_there_is_no_room_who_does_not_ask_for_presence_has_their_stream() {
    let hub = launch!("TIDINGS_LIMITS_PRESENCE_BYTES" = "64KiB")
        .closed()
        .start();
    let topics = |from: usize| -> String {
        let topics = (from..from + 30).map(|n| format!("topic=t{n}&"));
        topics.collect()
    };
    let person = |sub: &str| with(json!({ "sub": sub, "tidings": { "subscribe": ["**"] } }));
    let path = |from: usize| format!("/events?{}", topics(from));
    let _listed = watch(&hub, Protocol::Http1, &path(0), &person("ann"));
    let unlisted = watch(&hub, Protocol::Http1, &path(30), &person("eve"));
    assert_eq!(page(&hub, "t29", &person("ann"))["count"], 1);
    let nobody = json!({ "count": 0, "watchers": 1 });
    let seen = page(&hub, "t30", &person("ann"));
    assert_eq!(
        json!({ "count": seen["count"], "watchers": seen["watchers"] }),
        nobody
    );
    hub.wait_for_log("limits.presence_bytes");
    let asked = format!("{}presence=1", path(60));
    let token = bearer(person("bob"));
    let headers = [("authorization", &*token)];
    let mut refused = Watcher::ask(&hub, Protocol::Http1, &asked, &headers);
    assert!(refused.status == 200 && refused.next().is_none());
    drop(unlisted);
}

#[test]
fn who_is_revoked_hears_no_more_and_stays_until_they_could_be_back() {
    for protocol in PROTOCOLS {
        let hub = hub();
        let ann = with(json!({ "sub": "ann", "iss": "a" }));
        let eve = with(json!({ "sub": "eve", "iss": "a" }));
        let mut told = watch(&hub, protocol, "/t/news?presence=1", &eve);
        account(&mut told);
        let mut gone = watch(&hub, protocol, "/t/news?presence=1", &ann);
        assert_eq!(account(&mut gone)["count"], 2);
        assert_eq!(account(&mut told)["count"], 2);
        let what = json!({ "sub": "ann" }).to_string();
        let revoked = ask(&hub, "POST", "/admin/revocations", &admin(), &what);
        assert_eq!(revoked.status, 201, "{}", revoked.text());
        let bob = watch(&hub, protocol, "/t/news", &with(json!({ "sub": "bob" })));
        // It is over at once, whatever was on its way.
        while let Some((name, data)) = gone.next() {
            assert!(
                name == "tidings:presence" && !data.contains("\"count\":3"),
                "{data}"
            );
        }
        let joined = account(&mut told);
        assert_eq!(
            (&joined["count"], &joined["left"]),
            (&json!(3), &json!([])),
            "{joined}"
        );
        drop(gone);
        wait_until("the stream is gone", || {
            page(&hub, "news", &eve)["watchers"] == 2
        });
        assert_eq!(page(&hub, "news", &eve)["count"], 3, "{protocol:?}");
        drop(bob);
    }
}

#[test]
fn what_the_claims_of_mercure_say_of_somebody_is_shown_by_mercure_alone() {
    let hub = hub();
    let eve = with(json!({ "sub": "eve" }));
    let mut told = watch(&hub, Protocol::Http1, "/t/news?presence=1", &eve);
    account(&mut told);
    let ann = json!({
        "sub": "ann", "iat": in_seconds(-60),
        "authorization_details": [{
            "type": "https://mercure.rocks/authorization-detail", "actions": ["subscribe"],
            "topics": [{ "match": "*" }], "payload": { "address": CANARY },
        }],
    });
    let token = signed(ann, SECRET.as_bytes(), "at+jwt");
    let token = format!("Bearer {token}");
    let headers = [("authorization", &*token)];
    let stream = Watcher::open(&hub, Protocol::Http1, NEWS[1], &headers);
    let joined = account(&mut told);
    assert_eq!(joined["count"], 2, "{joined}");
    for text in [joined.to_string(), page(&hub, "news", &eve).to_string()] {
        assert!(!text.contains(CANARY), "{text}");
    }
    drop(stream);
}

#[test]
fn a_stream_of_the_mercure_face_is_of_a_person_too() {
    let hub = hub();
    let eve = with(json!({ "sub": "eve" }));
    let path = "/.well-known/mercure?topic=https%3A%2F%2Fhub.example%2Ft%2Fnews";
    let stream = watch(&hub, Protocol::Http1, path, &eve);
    assert_eq!(page(&hub, "news", &eve)["count"], 1);
    drop(stream);
    wait_until("they have left", || page(&hub, "news", &eve)["count"] == 0);
}
