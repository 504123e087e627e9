//! Resuming on the Mercure face: cursors under all their names, and what the
//! answer says of them.

mod mercure;

use mercure::{HUB, Seen, as_mercure, end, escaped, publish, v0, watch};
use tidings_testkit::{HubProcess, check_refused, launch};

fn open_hub() -> HubProcess {
    as_mercure(launch!(), "anonymous").start()
}

/// Publishes events to `a` with these ids, their number as data; answers the ids.
fn events(hub: &HubProcess, ids: &[&str]) -> Vec<String> {
    let numbered = ids.iter().enumerate();
    let publish = |(number, id): (usize, &&str)| {
        let data = number.to_string();
        publish(hub, &[("topic", "a"), ("id", id), ("data", &data)])
    };
    numbered.map(publish).collect()
}

/// What a stream of each dialect answers and gives, with the cursor in the query,
/// or in the header.
#[track_caller]
fn check(hub: &HubProcess, cursor: &str, said: &str, expected: &[&str]) {
    let queries = [
        ("topic=a&lastEventID", "last-event-id"),
        ("match=a&last_event_id", "mercure-last-event-id"),
    ];
    for (query, header) in queries {
        let in_query = format!("{query}={}", escaped(cursor));
        let in_header = query.split_once('&').map_or("", |(first, _)| first);
        let headers = [("Last-Event-ID", cursor)];
        for (query, headers) in [(&*in_query, &[][..]), (in_header, &headers)] {
            let seen = Seen::open(hub, query, headers);
            let head = seen.head();
            let answer = head.header(header);
            assert_eq!(answer, Some(said), "{query} {headers:?}");
            let others = ["last-event-id", "mercure-last-event-id"];
            let other = others.iter().find(|name| **name != header);
            assert_eq!(other.and_then(|name| head.header(name)), None);
            end(hub);
            assert_eq!(seen.data(), expected, "{query} {headers:?}");
        }
    }
}

#[test]
fn a_stream_goes_on_behind_a_known_id_and_says_so() {
    let hub = open_hub();
    let ids = events(&hub, &["", "own", "", "é\u{2028}[\"x\"]"]);
    check(&hub, &ids[0], &ids[0], &["1", "2", "3"]);
    check(&hub, "own", "own", &["2", "3"]);
    check(&hub, &ids[2], &ids[2], &["3"]);
    check(&hub, &ids[3], &ids[3], &[]);
    check(&hub, "earliest", "earliest", &["0", "1", "2", "3"]);
}

#[test]
fn a7_after_an_id_that_is_not_known_everything_that_is_kept_comes_again() {
    let hub = open_hub();
    let ids = events(&hub, &["", "own"]);
    let (log, _) = ids[0].rsplit_once('-').expect("log and position");
    for unknown in [
        "nobody-s",
        "td-x",
        "#",
        // Of this log, and not there yet.
        &format!("{log}-999999"),
        // Of another log.
        "td-0000000000000-1",
        "10m",
    ] {
        check(&hub, unknown, "earliest", &["0", "1"]);
    }
}

#[test]
fn an_empty_cursor_asks_where_the_log_stands() {
    let hub = open_hub();
    let stream = watch(&hub, "topic=a&lastEventID=", &[]);
    let said = stream.head().header("last-event-id");
    assert_eq!(said, Some("earliest"), "nothing is there");
    let last = events(&hub, &["own", ""]).remove(1);
    for (query, header) in [
        ("topic=a&lastEventID=", "last-event-id"),
        ("match=a&last_event_id=", "mercure-last-event-id"),
    ] {
        let stream = watch(&hub, query, &[]);
        assert_eq!(stream.head().header(header), Some(&*last), "{query}");
    }
    let stream = watch(&hub, "topic=a", &[("Last-Event-ID", "")]);
    assert_eq!(stream.head().header("last-event-id"), Some(&*last));
}

#[test]
fn a8_every_name_of_a_cursor_and_which_goes_first() {
    let hub = open_hub();
    let ids = events(&hub, &["", "", ""]);
    for name in [
        "lastEventID",
        "Last-Event-ID",
        "last_event_id",
        "last-event-id",
        "lastEventId",
        "Last-Event-Id",
    ] {
        let seen = Seen::open(&hub, &format!("topic=a&{name}={}", ids[1]), &[]);
        assert_eq!(seen.head().header("last-event-id"), Some(&*ids[1]));
        end(&hub);
        assert_eq!(seen.data(), ["2"], "{name}");
    }
    // Symfony's client sends two names with one value.
    let both = format!("topic=a&lastEventID={0}&Last-Event-ID={0}", ids[1]);
    let seen = Seen::open(&hub, &both, &[]);
    // An EventSource repeats its URL, so the header must win.
    let header = [("Last-Event-ID", &*ids[1])];
    let first = format!("topic=a&lastEventID={}", ids[0]);
    let again = Seen::open(&hub, &first, &header);
    end(&hub);
    assert_eq!(seen.data(), ["2"]);
    assert_eq!(again.data(), ["2"]);
    let body = format!("last_event_id={}", ids[0]);
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    for (query, expected) in [
        ("match=a".to_owned(), &ids[0]),
        (format!("match=a&last_event_id={}", ids[1]), &ids[1]),
    ] {
        let mut http = hub.http();
        let path = format!("{HUB}?{query}");
        let sent = http.send_request("QUERY", &path, &[form], body.as_bytes());
        sent.expect("sent");
        let head = http.answer_head().expect("an answer");
        let said = head.header("mercure-last-event-id");
        assert_eq!(said, Some(&**expected), "{query}");
    }
}

#[test]
fn a8_cursors_that_are_none() {
    let hub = open_hub();
    let long = "x".repeat(257);
    for cursor in ["a%0Ab", "a%0D", "%00", "%C2%85", &long] {
        let path = format!("{HUB}?topic=a&lastEventID={cursor}");
        check_refused(&hub, ("GET", &path, &[], b""), 400, "invalid-cursor");
    }
    let path = format!("{HUB}?topic=a");
    let header = |value| ("Last-Event-ID", value);
    let long = [header(&*long)];
    let twice = [header("a"), header("a")];
    for headers in [&long[..], &twice] {
        check_refused(&hub, ("GET", &path, headers, b""), 400, "invalid-cursor");
    }
    let differ = format!("{path}&lastEventID=a&last_event_id=b");
    check_refused(&hub, ("GET", &differ, &[], b""), 400, "invalid-cursor");
}

#[test]
fn a7_an_id_that_is_not_for_the_watcher_is_as_unknown_as_any() {
    let hub = open_hub();
    publish(&hub, &[("topic", "a"), ("data", "public")]);
    let secret = [("topic", "a"), ("id", "secret"), ("private", "on")];
    publish(&hub, &secret);
    let heads = ["secret", "random"].map(|id| {
        let seen = Seen::open(&hub, &format!("topic=a&lastEventID={id}"), &[]);
        let head = seen.head().header("last-event-id").map(str::to_owned);
        end(&hub);
        (head, seen.data())
    });
    assert_eq!(heads[0], (Some("earliest".into()), vec!["public".into()]));
    assert_eq!(heads[0], heads[1]);
    // To whoever may see it, it is known.
    let token = v0(&[], &["a"]);
    let headers = [("Authorization", &*token), ("Last-Event-ID", "secret")];
    let stream = watch(&hub, "topic=a", &headers);
    assert_eq!(stream.head().header("last-event-id"), Some("secret"));
}

#[test]
fn of_several_events_with_one_id_a_cursor_means_the_first() {
    let hub = open_hub();
    events(&hub, &["x", "d", "y", "d"]);
    check(&hub, "d", "d", &["2", "3"]);
}

#[test]
fn the_position_of_an_opening_or_a_heartbeat_resumes_with_nothing_lost() {
    let heartbeat = launch!("TIDINGS_STREAM_HEARTBEAT" = "1s");
    let hub = as_mercure(heartbeat, "anonymous").start();
    let mut quiet = watch(&hub, "topic=a", &[]).opened();
    let opened = quiet.last_event_id().to_owned();
    // Elsewhere, so that only a heartbeat tells how far the log is.
    let elsewhere = publish(&hub, &[("topic", "b"), ("id", "own")]);
    assert_eq!(elsewhere, "own");
    let beaten = quiet.moved_from(&opened);
    drop(quiet);
    publish(&hub, &[("topic", "a"), ("data", "x")]);
    for id in [opened, beaten] {
        assert!(id.starts_with("td-"), "{id}");
        check(&hub, &id, &id, &["x"]);
    }
}

#[test]
fn what_is_replayed_is_authorized_as_what_is_live() {
    let hub = open_hub();
    let id = publish(&hub, &[("topic", "a"), ("data", "before")]);
    publish(
        &hub,
        &[("topic", "a"), ("data", "private"), ("private", "")],
    );
    publish(&hub, &[("topic", "a"), ("data", "after")]);
    let query = format!("topic=a&lastEventID={id}");
    for (token, expected) in [
        (v0(&[], &["b"]), &["after"][..]),
        (v0(&[], &["a"]), &["private", "after"]),
    ] {
        let seen = Seen::open(&hub, &query, &[("Authorization", &token)]);
        end(&hub);
        assert_eq!(seen.data(), expected);
    }
}
