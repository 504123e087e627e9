//! What every refusal has in common.

use crate::{Answer, HubProcess};
use serde_json::Value;

/// Stands in the bad input of tests; no answer and no log may repeat it.
pub const CANARY: &str = "kanarienvogel";

/// Checks that an answer is a problem document (RFC 9457) with this status and
/// code, of bounded length, that repeats nothing of what was sent.
///
/// # Panics
/// If it is something else.
#[track_caller]
pub fn check_problem(answer: &Answer, status: u16, code: &str) {
    let text = answer.text();
    assert_eq!((answer.status, &*answer.code()), (status, code), "{text}");
    assert_eq!(
        answer.header("content-type"),
        Some("application/problem+json"),
        "{text}"
    );
    let document = answer.json();
    assert_eq!(document["status"], status, "{text}");
    assert_eq!(document["type"], format!("urn:tidings:problem:{code}"));
    assert!(document["title"].as_str().is_some_and(|t| !t.is_empty()));
    let detail = document["detail"].as_str().expect("a detail");
    let length = detail.chars().count();
    assert!((1..=200).contains(&length), "{length} characters: {detail}");
    assert!(!text.contains(CANARY), "it repeats what was sent: {text}");
    let known = [
        "type",
        "title",
        "status",
        "detail",
        "code",
        "published",
        "last_id",
    ];
    let Value::Object(members) = document else {
        panic!("no object: {text}");
    };
    for name in members.keys() {
        assert!(known.contains(&&**name), "unknown member {name}: {text}");
    }
}

/// Sends a request on a connection of its own and checks its refusal.
///
/// # Panics
/// If it is answered otherwise.
#[track_caller]
pub fn check_refused(
    hub: &HubProcess,
    request: (&str, &str, &[(&str, &str)], &[u8]),
    status: u16,
    code: &str,
) {
    let (method, path, headers, body) = request;
    let mut http = hub.http();
    // A refusal may come while a large body is still being sent.
    let sent = http.send_request(method, path, headers, body);
    let answered = http.answer_head().or_else(|error| sent.and(Err(error)));
    let mut answer = answered.expect("an answer");
    if answer.header("content-type") != Some("text/event-stream") {
        http.read_body(&mut answer).expect("a body");
    }
    let shown = &path[..path.len().min(100)];
    assert_eq!(
        (answer.status, &*answer.code()),
        (status, code),
        "{method} {shown} {headers:?}: {}",
        answer.text()
    );
    check_problem(&answer, status, code);
}
