//! The native face of a hub with keys: every path asks who it is.

mod tool;

use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};
use tidings_testkit::token::{bearer, in_seconds};
use tidings_testkit::{
    Answer, CANARY, HubProcess, Watch, check_problem, check_refused, launch, wait_until,
};

/// The shortest reconnection time of a stream whose rights have ended.
const LEAST_RETRY_MS: u64 = 5000;
const JSON: (&str, &str) = ("Content-Type", "application/json");
const NDJSON: (&str, &str) = ("Content-Type", "application/x-ndjson");
const PAGE: (&str, &str) = ("Accept", "application/json");
const STREAM: (&str, &str) = ("Accept", "text/event-stream");

fn closed() -> HubProcess {
    launch!("TIDINGS_AUTH_ANONYMOUS" = "open/**")
        .closed()
        .start()
}

fn grants(publish: &[&str], subscribe: &[&str]) -> Value {
    json!({ "sub": "ann", "tidings": { "publish": publish, "subscribe": subscribe } })
}

/// What may do everything.
fn all() -> String {
    bearer(grants(&["**"], &["**"]))
}

/// Only the head of the answer: a stream has no end.
fn head(hub: &HubProcess, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut http = hub.http();
    http.send_request(method, path, headers, b"").expect("sent");
    http.answer_head().expect("an answer")
}

fn post(hub: &HubProcess, path: &str, token: &str, kind: (&str, &str), body: &str) -> Answer {
    let headers = [("Authorization", token), kind];
    hub.http().request("POST", path, &headers, body.as_bytes())
}

#[track_caller]
fn publish(hub: &HubProcess, topic: &str, data: &str) -> Answer {
    let answer = post(hub, &format!("/t/{topic}"), &all(), ("Accept", "*/*"), data);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer
}

fn watch(hub: &HubProcess, path: &str, token: &str, last_event_id: Option<&str>) -> Watch {
    let mut http = hub.http();
    let mut headers = vec![STREAM, ("Authorization", token)];
    headers.extend(last_event_id.map(|id| ("Last-Event-ID", id)));
    http.send_request("GET", path, &headers, b"").expect("sent");
    Watch::answered(http).expect("an answer")
}

/// What the log has of a topic, as whoever may see everything is told.
fn kept(hub: &HubProcess, path: &str) -> Vec<String> {
    let headers = [PAGE, ("Authorization", &*all())];
    let page = hub.http().request("GET", path, &headers, b"").json();
    let events = page["events"].as_array().expect("events");
    let data = |event: &Value| event["data"].as_str().expect("data").to_owned();
    events.iter().map(data).collect()
}

/// Every way to move an event, with what has to be granted for it.
const PATHS: [(&str, &str, (&str, &str), &str); 12] = [
    ("GET", "/t/a", STREAM, ""),
    ("GET", "/t/a", PAGE, ""),
    ("HEAD", "/t/a", STREAM, ""),
    ("HEAD", "/t/a", PAGE, ""),
    ("GET", "/events?topic=a&topic=open/x", STREAM, ""),
    ("GET", "/events?topic=open/x&topic=a", PAGE, ""),
    ("HEAD", "/events?topic=**", STREAM, ""),
    ("POST", "/t/a", ("Accept", "*/*"), "x"),
    ("POST", "/t/a", NDJSON, "{\"data\":\"x\"}\n"),
    (
        "PUT",
        "/t/a",
        ("Content-Type", "text/event-stream"),
        "data: x\n\n",
    ),
    ("POST", "/events", JSON, "{\"topic\":\"a\",\"data\":\"x\"}"),
    (
        "POST",
        "/events",
        NDJSON,
        "{\"topic\":\"a\",\"data\":\"x\"}\n",
    ),
];

#[test]
fn no_path_goes_round_authorization() {
    let hub = closed();
    publish(&hub, "a", "kept");
    let tokens = [
        (None, 401, "token-needed"),
        (Some(bearer(grants(&[], &[]))), 403, "not-granted"),
        (Some(bearer(json!({}))), 403, "not-granted"),
        (
            Some(bearer(grants(&["b"], &["b", "open/**"]))),
            403,
            "not-granted",
        ),
        (Some("Bearer x.y.z".to_owned()), 401, "invalid-token"),
        (
            Some(bearer(json!({ "exp": in_seconds(-5) }))),
            401,
            "invalid-token",
        ),
    ];
    for (token, status, code) in &tokens {
        for (method, path, header, body) in PATHS {
            let mut headers = vec![header];
            headers.extend(token.as_deref().map(|token| ("Authorization", token)));
            if method == "HEAD" {
                assert_eq!(head(&hub, method, path, &headers).status, *status, "{path}");
                continue;
            }
            check_refused(
                &hub,
                (method, path, &headers, body.as_bytes()),
                *status,
                code,
            );
        }
    }
    assert_eq!(kept(&hub, "/t/**"), ["kept"]);
    // Whoever may is let pass by each of them.
    let token = all();
    for (method, path, header, body) in PATHS {
        let headers = [header, ("Authorization", &*token)];
        let mut http = hub.http();
        http.send_request(method, path, &headers, body.as_bytes())
            .expect("sent");
        assert_eq!(
            http.answer_head().expect("an answer").status,
            200,
            "{method} {path}"
        );
    }
}

#[test]
fn what_is_open_to_watchers_is_closed_to_publishers() {
    let hub = closed();
    publish(&hub, "open/x", "for all");
    for path in ["/t/open/x", "/t/open/*", "/t/open/**"] {
        let path = format!("{path}?since=earliest");
        assert_eq!(hub.watch(&path).events(1)[0].data, "for all");
    }
    check_refused(&hub, ("GET", "/t/*", &[STREAM], b""), 401, "token-needed");
    check_refused(&hub, ("GET", "/t/**", &[STREAM], b""), 401, "token-needed");
    check_refused(&hub, ("POST", "/t/open/x", &[], b"x"), 401, "token-needed");
    // Watching with a token that has expired is no watching without one.
    let expired = bearer(json!({ "exp": in_seconds(-5) }));
    let headers = [STREAM, ("Authorization", &*expired)];
    check_refused(
        &hub,
        ("GET", "/t/open/x", &headers, b""),
        401,
        "invalid-token",
    );
}

#[test]
fn a12_a_private_topic_that_exists_looks_like_one_that_does_not() {
    let hub = closed();
    let id = publish(&hub, "exists", "secret").json()["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    for token in [None, Some(bearer(grants(&[], &["other"])))] {
        for accept in [STREAM, PAGE] {
            for since in ["", "?since=earliest", &format!("?since={id}")] {
                let mut answers = ["exists", "nothing"].map(|topic| {
                    let mut headers = vec![accept];
                    headers.extend(token.as_deref().map(|token| ("Authorization", token)));
                    hub.http()
                        .request("GET", &format!("/t/{topic}{since}"), &headers, b"")
                });
                for answer in &mut answers {
                    answer.headers.retain(|(name, _)| name != "date");
                }
                let [one, other] = &answers;
                assert_eq!((one.status, one.text()), (other.status, other.text()));
                assert_eq!(one.headers, other.headers);
                assert!(one.status == 401 || one.status == 403);
            }
        }
    }
}

#[test]
fn a11_a_stream_ends_at_its_tokens_end_and_is_told_to_wait() {
    let hub = closed();
    let exp = in_seconds(2);
    let mut claims = grants(&[], &["a"]);
    claims["exp"] = exp.into();
    let mut stream = watch(&hub, "/t/a", &bearer(claims), None).opened();
    publish(&hub, "a", "before");
    assert_eq!(stream.events(1)[0].data, "before");
    assert!(stream.try_next().expect("an end").is_none());
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock");
    assert!(
        now.as_secs() >= exp.cast_unsigned(),
        "it ended before its time"
    );
    assert!(
        stream.retry() >= Some(LEAST_RETRY_MS),
        "{:?}",
        stream.retry()
    );
    // It comes back with another token, where it was.
    publish(&hub, "a", "after");
    let id = stream.last_event_id().to_owned();
    let mut stream = watch(&hub, "/t/a", &all(), Some(&id));
    assert_eq!(stream.events(1)[0].data, "after");
}

#[test]
fn a11_over_http_1_0_a_stream_ends_at_its_tokens_end_too() {
    let hub = closed();
    let mut claims = grants(&[], &["a"]);
    claims["exp"] = in_seconds(2).into();
    let mut http = hub.http();
    let token = bearer(claims);
    let request = format!("GET /t/a HTTP/1.0\r\nAuthorization: {token}\r\n\r\n");
    http.send(request.as_bytes()).expect("sent");
    let mut stream = Watch::answered(http).expect("an answer");
    publish(&hub, "a", "before");
    assert_eq!(stream.events(1)[0].data, "before");
    let _ = stream.try_next();
    assert!(
        stream.retry() >= Some(LEAST_RETRY_MS),
        "{:?}",
        stream.retry()
    );
}

#[test]
fn f28_rights_that_shrink_between_publish_and_resume_shrink_the_replay() {
    let hub = closed();
    let mut stream = watch(
        &hub,
        "/t/orders/*",
        &bearer(grants(&[], &["orders/*"])),
        None,
    );
    publish(&hub, "orders/1", "one");
    assert_eq!(stream.events(1)[0].data, "one");
    let id = stream.last_event_id().to_owned();
    drop(stream);
    publish(&hub, "orders/2", "two");
    publish(&hub, "orders/1", "three");
    // What the new token doesn't grant as a whole can't be asked for any more.
    let narrow = bearer(grants(&[], &["orders/1"]));
    let headers = [STREAM, ("Authorization", &*narrow), ("Last-Event-ID", &*id)];
    check_refused(
        &hub,
        ("GET", "/t/orders/*", &headers, b""),
        403,
        "not-granted",
    );
    let mut stream = watch(&hub, "/t/orders/1", &narrow, Some(&id));
    assert_eq!(stream.events(1)[0].data, "three");
    let headers = [PAGE, ("Authorization", &*narrow)];
    let page = hub.http().request("GET", "/t/orders/1", &headers, b"");
    assert!(!page.text().contains("two"), "{}", page.text());
}

#[test]
fn a14_the_header_goes_before_a_cookie_and_they_are_never_merged() {
    let hub = closed();
    let (one, other) = (bearer(grants(&[], &["a"])), bearer(grants(&[], &["b"])));
    let cookie = other.replace("Bearer ", "mercureAuthorization=");
    let headers = [STREAM, ("Authorization", &*one), ("Cookie", &*cookie)];
    for path in ["/t/b", "/events?topic=a&topic=b"] {
        check_refused(&hub, ("GET", path, &headers, b""), 403, "not-granted");
    }
    assert_eq!(head(&hub, "GET", "/t/a", &headers).status, 200);
}

#[test]
fn a15_a_stream_with_credentials_is_for_pages_of_allowed_origins() {
    let hub = launch!("TIDINGS_CORS_ORIGINS" = "https://good.example")
        .closed()
        .start();
    let token = all();
    let cookie = token.replace("Bearer ", "mercureAuthorization=");
    for credentials in [("Authorization", &*token), ("Cookie", &*cookie)] {
        for origin in [
            "null",
            "https://kanarienvogel.example",
            "https://good.example.kanarienvogel",
            "https://good.kanarienvogel.example",
            "HTTPS://GOOD.EXAMPLE",
            "https://good.example:8443",
            "http://good.example",
        ] {
            for accept in [STREAM, PAGE] {
                let headers = [accept, credentials, ("Origin", origin)];
                let answer = hub.http().request("GET", "/t/a", &headers, b"");
                check_problem(&answer, 403, "origin-not-allowed");
                assert_eq!(
                    answer.header("access-control-allow-origin"),
                    None,
                    "{origin}"
                );
            }
        }
        let headers = [STREAM, credentials, ("Origin", "https://good.example")];
        let answer = head(&hub, "GET", "/t/a", &headers);
        assert_eq!(answer.status, 200);
        let allowed = answer.header("access-control-allow-origin");
        assert_eq!(allowed, Some("https://good.example"));
        assert_eq!(
            answer.header("access-control-allow-credentials"),
            Some("true")
        );
        let varies = answer.headers("vary").to_ascii_lowercase();
        for name in ["authorization", "cookie", "origin", "accept"] {
            assert!(varies.contains(name), "{name} in {varies}");
        }
        let caching = answer.header("cache-control").expect("a rule");
        assert!(caching.contains("no-store"), "{caching}");
    }
}

#[test]
fn b19_publishing_needs_a_grant_on_every_topic() {
    let hub = closed();
    let narrow = bearer(grants(&["a", "b/*"], &["**"]));
    for (topic, status) in [
        ("a", 200),
        ("b/c", 200),
        ("c", 403),
        ("b", 403),
        ("b/c/d", 403),
    ] {
        let answer = post(
            &hub,
            &format!("/t/{topic}"),
            &narrow,
            ("Accept", "*/*"),
            "x",
        );
        assert_eq!(answer.status, status, "{topic}: {}", answer.text());
        if status == 403 {
            let challenge = answer.header("www-authenticate").expect("a challenge");
            assert!(
                challenge.contains("error=\"insufficient_scope\""),
                "{challenge}"
            );
        }
    }
    // A batch is refused whole, a stream from its first event that is refused.
    let batch = r#"[{"topic":"a","data":"1"},{"topic":"c","data":"2"}]"#;
    check_problem(
        &post(&hub, "/events", &narrow, JSON, batch),
        403,
        "not-granted",
    );
    let lines = "{\"topic\":\"a\",\"data\":\"1\"}\n{\"topic\":\"c\",\"data\":\"2\"}\n";
    let answer = post(&hub, "/events", &narrow, NDJSON, lines);
    check_problem(&answer, 403, "not-granted");
    assert_eq!(answer.json()["published"], 1);
    assert_eq!(kept(&hub, "/t/**"), ["x", "x", "1"]);
}

#[test]
fn b20_a_cookie_publishes_for_the_hubs_own_pages_alone() {
    let hub = launch!("TIDINGS_CORS_ORIGINS" = "https://good.example")
        .closed()
        .start();
    let cookie = all().replace("Bearer ", "mercureAuthorization=");
    let own = "https://hub.example";
    for (headers, status) in [
        (vec![], 403),
        (vec![("Origin", "null")], 403),
        (vec![("Origin", "https://kanarienvogel.example")], 403),
        (vec![("Referer", "https://kanarienvogel.example/page")], 403),
        (vec![("Referer", "https://hub.example/page")], 200),
    ] {
        let mut headers = headers;
        headers.push(("Cookie", &*cookie));
        let answer = hub.http().request("POST", "/t/a", &headers, b"x");
        assert_eq!(answer.status, status, "{headers:?}: {}", answer.text());
        assert!(!answer.text().contains(CANARY));
    }
    let headers = [
        ("Cookie", &*cookie),
        ("Origin", own),
        ("Host", "hub.example"),
    ];
    let own_page = hub.http().request("POST", "/t/a", &headers, b"x");
    assert!([200, 421].contains(&own_page.status), "{}", own_page.text());
}

#[test]
fn b24_who_may_not_publish_sends_no_body() {
    let hub = closed();
    let narrow = bearer(grants(&["b"], &[]));
    let nothing = bearer(grants(&[], &["**"]));
    for (path, kind, token, status) in [
        ("/t/a", ("Accept", "*/*"), "", 401),
        ("/t/a", ("Accept", "*/*"), &*narrow, 403),
        ("/t/a", NDJSON, &*narrow, 403),
        ("/events", JSON, "", 401),
        ("/events", JSON, &*nothing, 403),
        ("/events", NDJSON, &*nothing, 403),
    ] {
        let mut headers = vec![kind, ("Content-Length", "10"), ("Expect", "100-continue")];
        if !token.is_empty() {
            headers.push(("Authorization", token));
        }
        // Not 100 before it.
        assert_eq!(head(&hub, "POST", path, &headers).status, status, "{path}");
    }
    let answer = head(
        &hub,
        "POST",
        "/t/b",
        &[
            ("Authorization", &*narrow),
            ("Content-Length", "10"),
            ("Expect", "100-continue"),
        ],
    );
    assert_eq!(answer.status, 100);
}

#[test]
fn a_token_that_expires_while_it_publishes_publishes_nothing_more() {
    let hub = closed();
    let exp = in_seconds(2);
    let mut claims = grants(&["a"], &[]);
    claims["exp"] = exp.into();
    let token = bearer(claims);
    let mut http = hub.http();
    let chunked = ("Transfer-Encoding", "chunked");
    let headers = [NDJSON, chunked, ("Authorization", &*token)];
    http.send_request("POST", "/t/a", &headers, b"")
        .expect("sent");
    http.send_chunk(b"{\"data\":\"in time\"}\n").expect("sent");
    wait_until("the first is kept", || !kept(&hub, "/t/a").is_empty());
    wait_until("the token has expired", || in_seconds(0) >= exp);
    http.send_chunk(b"{\"data\":\"too late\"}\n").expect("sent");
    let answer = http.answer(false).expect("an answer");
    check_problem(&answer, 401, "invalid-token");
    assert_eq!(answer.json()["published"], 1);
    assert_eq!(kept(&hub, "/t/a"), ["in time"]);
}

#[test]
fn a_token_that_expires_while_its_body_is_awaited_publishes_nothing() {
    let hub = closed();
    let exp = in_seconds(2);
    let mut claims = grants(&["a"], &[]);
    claims["exp"] = exp.into();
    let token = bearer(claims);
    let event = "{\"topic\":\"a\",\"data\":\"late\"}";
    let length = event.len().to_string();
    let begun = ["/t/a", "/events"].map(|path| {
        let mut http = hub.http();
        let headers = [
            JSON,
            ("Content-Length", &*length),
            ("Authorization", &*token),
        ];
        http.send_request("POST", path, &headers, b"")
            .expect("sent");
        http
    });
    wait_until("the token has expired", || in_seconds(0) >= exp);
    for mut http in begun {
        http.send(event.as_bytes()).expect("sent");
        let answer = http.answer(false).expect("an answer");
        check_problem(&answer, 401, "invalid-token");
    }
    assert!(kept(&hub, "/t/a").is_empty());
}

#[test]
fn a_connection_has_a_name_if_its_watcher_asks_for_one() {
    let hub = closed();
    let named = |stream: &mut Watch| {
        let first = stream.events(1).remove(0);
        assert_eq!(first.event, "tidings:connection");
        let data: Value = serde_json::from_str(&first.data).expect("JSON");
        let id = data["id"].as_str().expect("an id").to_owned();
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        assert!(id.len() == 32 && id.bytes().all(is_digit), "{id}");
        id
    };
    let mut one = watch(&hub, "/t/a?connection=1", &all(), None);
    let mut other = watch(&hub, "/t/a?connection=1", &all(), None);
    let mut stranger = hub.watch("/t/open/x?connection=1");
    let names = [named(&mut one), named(&mut other), named(&mut stranger)];
    assert!(names[0] != names[1] && names[1] != names[2] && names[0] != names[2]);
    publish(&hub, "a", "goes on");
    assert_eq!(one.events(1)[0].data, "goes on");
    check_refused(
        &hub,
        ("GET", "/t/open/x?connection=yes", &[STREAM], b""),
        400,
        "bad-request",
    );
}

#[test]
fn the_command_line_sends_a_token() {
    let hub = closed();
    let token = all().replace("Bearer ", "");
    let url = format!("http://{}/t/a", hub.address());
    let ended = tool::run(&["publish", &url, "hello", "--token", &token], b"");
    ended.check(0, &[]);
    let listen = ["listen", &url, "--since", "earliest", "--count", "1"];
    let mut command = tool::command(&listen);
    command.env("TIDINGS_TOKEN", &token);
    let output = command.output().expect("a command");
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("hello"));
    let refused = tool::run(&listen, b"");
    assert_eq!(refused.code, Some(4), "{refused:?}");
}
