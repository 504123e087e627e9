//! Whose body is read, and for how long what they send counts.

mod mercure;

use mercure::{HUB, as_mercure, post, v0};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::io::Write as _;
use std::time::Duration;
use tidings_testkit::token::{PUBLIC_URL, SECRET, bearer, in_seconds};
use tidings_testkit::{Answer, Http, HubProcess, check_problem, launch, wait_until};

const NDJSON: (&str, &str) = ("Content-Type", "application/x-ndjson");
const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");
const CHUNKED: (&str, &str) = ("Transfer-Encoding", "chunked");
const OTHER_SECRET: &str = "9f2c7be1-4a3d-4c0e-8a5b-5d2f0c9e1b77";

fn publisher() -> String {
    bearer(json!({ "sub": "ann", "tidings": { "publish": ["**"], "subscribe": ["**"] } }))
}

/// A `QUERY` whose body doesn't come until it is asked for. What is answered to
/// its head.
fn query(hub: &HubProcess) -> (Http, Answer) {
    let mut http = hub.http();
    let expect = ("Expect", "100-continue");
    http.send_request("QUERY", HUB, &[FORM, CHUNKED, expect], b"")
        .expect("sent");
    let head = http.answer_head().expect("an answer");
    (http, head)
}

#[test]
fn b24_who_may_not_watch_is_refused_before_the_body_of_their_query() {
    let hub = launch!("TIDINGS_LIMITS_PUBLISH_BODIES" = "1")
        .closed()
        .start();
    let (mut http, mut head) = query(&hub);
    http.read_body(&mut head).expect("all of the answer");
    check_problem(&head, 401, "token-needed");
}

#[test]
fn watchers_whose_query_never_ends_keep_nobody_from_publishing() {
    let hub = launch!("TIDINGS_LIMITS_PUBLISH_BODIES" = "1");
    let hub = as_mercure(hub, "anonymous").start();
    // The hub asks for the body: so it waits for it now.
    let (_http, head) = query(&hub);
    assert_eq!(head.status, 100);
    let answer = post(&hub, &v0(&["*"], &[]), "topic=a&data=b");
    assert_eq!(answer.status, 200, "{}", answer.text());
    // There is an end to them too.
    let mut open = Vec::new();
    let refused = loop {
        let (http, head) = query(&hub);
        if head.status != 100 {
            break head.status;
        }
        open.push((http, head));
        assert!(open.len() < 1_000, "there is no end to them");
    };
    assert_eq!(refused, 503);
    let answer = post(&hub, &v0(&["*"], &[]), "topic=a&data=b");
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// A hub whose one key is in a file, and the file.
struct Keyed {
    hub: HubProcess,
    file: std::path::PathBuf,
    _directory: tempfile::TempDir,
}

impl Keyed {
    fn start() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("secret");
        std::fs::write(&file, SECRET).expect("a file");
        let path = file.display();
        let keys = format!("[{{ algorithms = [\"HS256\"], secret_file = \"{path}\" }}]");
        let hub = launch!(
            "TIDINGS_AUTH_KEYS" = keys,
            "TIDINGS_PUBLIC_URL" = PUBLIC_URL
        );
        Self {
            hub: hub.start(),
            file,
            _directory: directory,
        }
    }

    /// From here on tokens that [`SECRET`] signed are good for nothing.
    fn replace_key(&self) {
        std::fs::write(&self.file, OTHER_SECRET).expect("a file");
        self.hub.signal(Signal::HUP);
        self.hub.wait_for_log("read again: the keys for tokens");
    }
}

/// Begins a request with a body of lines.
fn lines(hub: &HubProcess, token: &str) -> Http {
    let mut http = hub.http();
    let headers = [NDJSON, CHUNKED, ("Authorization", token)];
    http.send_request("POST", "/t/a", &headers, b"")
        .expect("sent");
    http
}

/// What the log has of `a`, as whoever holds this token is told.
fn kept(hub: &HubProcess, token: &str) -> Vec<String> {
    let headers = [("Accept", "application/json"), ("Authorization", token)];
    let page = hub.http().request("GET", "/t/a", &headers, b"").json();
    let events = page["events"].as_array().expect("events");
    let data = |event: &Value| event["data"].as_str().expect("data").to_owned();
    events.iter().map(data).collect()
}

#[test]
fn a11_nobody_goes_on_publishing_when_their_key_is_gone() {
    let own = Keyed::start();
    let hub = &own.hub;
    let token = publisher();
    let mut http = lines(hub, &token);
    http.send_chunk(b"{\"data\":\"in time\"}\n").expect("sent");
    wait_until("the first is kept", || !kept(hub, &token).is_empty());
    // Two more that have been let in, and whose bodies are still to come.
    let begun = [
        ("/t/a", "late"),
        (HUB, "topic=https%3A%2F%2Fhub.example%2Ft%2Fa&data=late"),
    ]
    .map(|(path, body)| {
        let mut http = hub.http();
        let length = body.len().to_string();
        let headers = [
            FORM,
            ("Authorization", &*token),
            ("Content-Length", &*length),
            ("Expect", "100-continue"),
        ];
        http.send_request("POST", path, &headers, b"")
            .expect("sent");
        assert_eq!(http.answer_head().expect("an answer").status, 100);
        (http, body)
    });
    own.replace_key();
    // The hub may have ended it before it comes.
    let _ = http.send_chunk(b"{\"data\":\"too late\"}\n");
    let answer = http.answer(false).expect("an answer");
    check_problem(&answer, 401, "invalid-token");
    assert_eq!(answer.json()["published"], 1);
    for (mut http, body) in begun {
        http.send(body.as_bytes()).expect("sent");
        let answer = http.answer(false).expect("an answer");
        check_problem(&answer, 401, "invalid-token");
    }
    let claims = json!({ "tidings": { "subscribe": ["**"] } });
    let reader = tidings_testkit::token::signed(claims, OTHER_SECRET.as_bytes(), "JWT");
    assert_eq!(kept(hub, &format!("Bearer {reader}")), ["in time"]);
}

/// Revokes a token by its id.
#[track_caller]
fn revoke(hub: &HubProcess, id: &str) {
    let operator = bearer(json!({ "tidings": { "admin": true } }));
    let headers = [
        ("Authorization", &*operator),
        ("Content-Type", "application/json"),
    ];
    let what = json!({ "jti": id }).to_string();
    let answer = hub
        .http()
        .request("POST", "/admin/revocations", &headers, what.as_bytes());
    assert_eq!(answer.status, 201, "{}", answer.text());
}

/// Begins a request with a body of lines, of which the first is kept.
fn begin(hub: &HubProcess, token: &str) -> Http {
    let before = kept(hub, &publisher()).len();
    let mut http = lines(hub, token);
    http.send_chunk(b"{\"data\":\"x\"}\n").expect("sent");
    wait_until("it has begun", || kept(hub, &publisher()).len() > before);
    http
}

/// Checks that a body of blank lines is ended by the hub.
#[track_caller]
fn check_ends(mut http: Http) {
    let mut socket = http.socket().try_clone().expect("a socket");
    let sent = std::thread::spawn(move || {
        while socket.write_all(b"1\r\n\n\r\n").is_ok() {
            std::thread::park_timeout(Duration::from_millis(20));
        }
    });
    let answer = http.answer(false).expect("an answer");
    check_problem(&answer, 401, "invalid-token");
    assert_eq!(answer.json()["published"], 1);
    drop(http);
    sent.join().expect("the hub has closed");
}

#[test]
fn a11_blank_lines_keep_no_place_for_whoever_may_not_publish_any_more() {
    let hub = launch!("TIDINGS_LIMITS_PUBLISH_BODIES" = "1")
        .closed()
        .start();
    let claims = |exp: i64, jti: &str| {
        let all = json!({ "publish": ["**"], "subscribe": ["**"] });
        json!({ "exp": exp, "jti": jti, "tidings": all })
    };
    check_ends(begin(&hub, &bearer(claims(in_seconds(3), "1"))));
    // Its place is free: for one whose token is revoked.
    let http = begin(&hub, &bearer(claims(in_seconds(3600), "2")));
    revoke(&hub, "2");
    check_ends(http);
    // And for whoever may.
    let headers = [("Authorization", &*publisher())];
    let answer = hub.http().request("POST", "/t/a", &headers, b"x");
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[test]
fn a11_who_sends_nothing_keeps_no_place_either() {
    let own = Keyed::start();
    let token = publisher();
    let mut http = begin(&own.hub, &token);
    own.replace_key();
    let answer = http.answer(false).expect("an answer");
    check_problem(&answer, 401, "invalid-token");
    assert_eq!(answer.json()["published"], 1);
}

/// Publishes with an `Idempotency-Key`; answers the status and the id.
fn with_key(hub: &HubProcess, who: &Value, topic: &str, data: &str) -> (u16, Value) {
    let claims = json!({
        "tidings": { "publish": ["**"] }, "sub": who["sub"], "iss": who["iss"], "jti": who["jti"]
    });
    let token = bearer(claims);
    let headers = [("Authorization", &*token), ("Idempotency-Key", "1")];
    let path = format!("/t/{topic}");
    let answer = hub.http().request("POST", &path, &headers, data.as_bytes());
    (answer.status, answer.json()["id"].clone())
}

#[test]
fn idempotency_keys_are_their_publishers_own() {
    let hub = launch!().closed().start();
    let mut ids = Vec::new();
    for who in [
        json!({ "sub": "ann" }),
        json!({ "sub": "bob" }),
        json!({ "sub": "ann", "iss": "a" }),
        json!({ "sub": "ann", "iss": "b" }),
        json!({}),
        json!({ "iss": "a" }),
    ] {
        let data = who.to_string();
        let (status, id) = with_key(&hub, &who, "a", &data);
        assert_eq!(status, 200, "{who}");
        assert!(!ids.contains(&id), "{who}: {ids:?}");
        // Renewed, it is the same publisher's token.
        let mut renewed = who.clone();
        renewed["jti"] = "renewed".into();
        assert_eq!(with_key(&hub, &renewed, "a", &data), (200, id.clone()));
        assert_eq!(with_key(&hub, &who, "a", "another").0, 422, "{who}");
        ids.push(id);
    }
    // Where nobody is named, other topics may be another's.
    let (status, id) = with_key(&hub, &json!({}), "b", "x");
    assert_eq!(status, 200);
    assert!(!ids.contains(&id));
    assert_eq!(with_key(&hub, &json!({ "sub": "ann" }), "b", "x").0, 422);
}
