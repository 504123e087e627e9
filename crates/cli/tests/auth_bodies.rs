//! Whose body is read, and for how long what they send counts.

mod mercure;

use mercure::{HUB, as_mercure, post, v0};
use tidings_testkit::{Answer, Http, HubProcess, check_problem, launch};

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");
const CHUNKED: (&str, &str) = ("Transfer-Encoding", "chunked");

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
