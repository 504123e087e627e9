//! What the hub tells of itself is its operator's, on a hub with keys: whatever a
//! token grants on topics, and from loopback too.

mod auth;

use auth::{PROTOCOLS, Watcher, admin, ask, with};
use serde_json::{Value, json};
use tidings_testkit::token::{bearer, in_seconds};
use tidings_testkit::{HubProcess, launch};

const STREAM: (&str, &str) = ("Accept", "text/event-stream");
const PAGE: (&str, &str) = ("Accept", "application/json");

/// Everything that is an operator's, and reads.
const PATHS: [(&str, &str, (&str, &str)); 9] = [
    ("GET", "/t/$sys/stats", STREAM),
    ("GET", "/t/$sys/**", STREAM),
    ("GET", "/events?topic=news&topic=$sys/topics", STREAM),
    ("HEAD", "/t/$sys/stats", STREAM),
    ("GET", "/t/$sys/stats", PAGE),
    ("GET", "/events?topic=news&topic=$sys/**", PAGE),
    ("GET", "/metrics", PAGE),
    ("GET", "/admin/topics", PAGE),
    ("GET", "/admin/connections", PAGE),
];

fn status(
    hub: &HubProcess,
    (method, path, form): (&str, &str, (&str, &str)),
    token: Option<&str>,
) -> u16 {
    let mut headers = vec![form];
    headers.extend(token.map(|token| ("Authorization", token)));
    let mut http = hub.http();
    http.send_request(method, path, &headers, b"")
        .expect("sent");
    http.answer_head().expect("an answer").status
}

#[test]
fn no_grant_on_topics_opens_what_is_the_operator_s() {
    // The requests come from loopback; the hub opens the topics to everyone.
    let hub = launch!("TIDINGS_AUTH_ANONYMOUS" = "news,$sys/**,**")
        .closed()
        .start();
    let everything = json!({ "tidings": {
        "publish": ["**", "$sys/**"], "subscribe": ["**", "$sys/**", "$sys/stats", "$sys/topics"],
    }});
    let of_operator = json!({ "tidings": { "admin": true, "subscribe": ["news"] } });
    for (claims, expect) in [
        (None, 401),
        (Some(everything), 403),
        (Some(json!({ "tidings": { "admin": false } })), 403),
        (
            Some(json!({ "exp": in_seconds(-5), "tidings": { "admin": true } })),
            401,
        ),
        (Some(of_operator), 200),
    ] {
        let token = claims.map(bearer);
        for path in PATHS {
            assert_eq!(status(&hub, path, token.as_deref()), expect, "{path:?}");
        }
    }
    // No grant on topics comes with being one.
    let only_admin = admin();
    let closed = launch!().closed().start();
    let both = ("GET", "/events?topic=news&topic=$sys/stats", STREAM);
    assert_eq!(status(&closed, both, Some(&only_admin)), 403);
    assert_eq!(status(&closed, PATHS[0], Some(&only_admin)), 200);
}

#[track_caller]
fn next(watcher: &mut Watcher, kind: &str) -> Value {
    loop {
        let (event, data) = watcher.next().expect("the stream goes on");
        if event == kind {
            return serde_json::from_str(&data).expect("JSON");
        }
    }
}

#[test]
fn p9_a_stream_of_it_lasts_as_long_as_the_right_to_it() {
    let hub = launch!().closed().start();
    let operator = |others: Value| {
        let mut claims = with(json!({ "sub": "ann", "iss": "https://issuer.example", "jti": "1" }));
        claims["tidings"]["admin"] = true.into();
        for (name, value) in others.as_object().expect("an object") {
            claims[name] = value.clone();
        }
        claims
    };
    for protocol in PROTOCOLS {
        let path = "/events?topic=news&topic=$sys/stats&connection=1";
        let token = bearer(operator(json!({ "jti": "9" })));
        let mut watcher = Watcher::ask(&hub, protocol, path, &[("authorization", &token)]);
        let id = next(&mut watcher, "tidings:connection")["id"]
            .as_str()
            .expect("an id")
            .to_owned();
        next(&mut watcher, "stats");
        let renewal = format!("/connections/{id}/token");
        // One who isn't an operator couldn't open it.
        let claims = with(json!({ "sub": "ann", "iss": "https://issuer.example" }));
        assert_eq!(ask(&hub, "POST", &renewal, &bearer(claims), "").status, 403);
        next(&mut watcher, "stats");
        let renewed = bearer(operator(json!({ "jti": "10" })));
        assert_eq!(ask(&hub, "POST", &renewal, &renewed, "").status, 204);
        next(&mut watcher, "stats");
        let what = json!({ "jti": "10" }).to_string();
        assert_eq!(
            ask(&hub, "POST", "/admin/revocations", &admin(), &what).status,
            201
        );
        while watcher.next().is_some() {}
        // And it ends with its token.
        let short = bearer(operator(json!({ "exp": in_seconds(3) })));
        let mut watcher = Watcher::ask(
            &hub,
            protocol,
            "/t/$sys/stats",
            &[("authorization", &short)],
        );
        assert_eq!(watcher.status, 200);
        while watcher.next().is_some() {}
        // For the next protocol.
        let list = ask(&hub, "GET", "/admin/revocations", &admin(), "").json();
        let id = list["revocations"][0]["id"]
            .as_str()
            .expect("an id")
            .to_owned();
        let path = format!("/admin/revocations/{id}");
        assert_eq!(ask(&hub, "DELETE", &path, &admin(), "").status, 204);
    }
}
