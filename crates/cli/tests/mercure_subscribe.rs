//! The Mercure face for who subscribes: what is matched, what is refused, who is
//! shown what.

mod mercure;

use mercure::{HUB, Seen, as_mercure, end, escaped, everyone, publish, v0, v1, watch};
use serde_json::json;
use tidings_testkit::token::{SECRET, in_seconds, signed};
use tidings_testkit::{CANARY, HubProcess, Watch, check_refused, launch};

const STREAM: (&str, &str) = ("Accept", "text/event-stream");

fn open_hub() -> HubProcess {
    as_mercure(launch!(), "anonymous").start()
}

#[track_caller]
fn refused(hub: &HubProcess, query: &str, status: u16, code: &str) {
    let path = format!("{HUB}?{query}");
    check_refused(hub, ("GET", &path, &[STREAM], b""), status, code);
}

/// What a watcher is given of events of these topics, each with its topic as data.
#[track_caller]
fn check_matches(hub: &HubProcess, query: &str, topics: &[&str], expected: &[&str]) {
    let seen = Seen::open(hub, query, &[]);
    for topic in topics {
        publish(hub, &[("topic", topic), ("data", topic)]);
    }
    end(hub);
    assert_eq!(seen.data(), expected, "{query}");
}

#[test]
fn a1_a2_a3_a4_queries_that_are_refused() {
    let hub = open_hub();
    let many = |count: usize| vec!["topic=a"; count].join("&");
    let long = "x".repeat(4_097);
    for (query, status, code) in [
        ("", 400, "bad-request"),
        ("a=b", 400, "bad-request"),
        ("lastEventID=x", 400, "bad-request"),
        (&many(101), 400, "bad-request"),
        (&many(1_001), 400, "bad-request"),
        (&many(7_800), 414, "uri-too-long"),
        (&format!("topic={long}"), 400, "invalid-topic"),
        (&format!("match_urlpattern={long}"), 400, "invalid-topic"),
        ("topic=", 400, "invalid-topic"),
        ("topic=a%00b", 400, "invalid-topic"),
        ("topic=a%0Ab", 400, "invalid-topic"),
        ("topic=a%0D", 400, "invalid-topic"),
        ("topic=%7F", 400, "invalid-topic"),
        ("match=%C2%85", 400, "invalid-topic"),
        ("match=%E2%80%8D", 400, "invalid-topic"),
        ("topic=%FF", 400, "bad-request"),
        ("topic=%ED%A0%80", 400, "bad-request"),
        ("topic=%C0%AF", 400, "bad-request"),
        ("topic=%", 400, "bad-request"),
        ("topic=%zz", 400, "bad-request"),
        ("match=a&match_regexp=b", 400, "bad-request"),
        ("match=a&Match=b", 400, "bad-request"),
        ("match=a&MATCH_EXACT=b", 400, "bad-request"),
        (&format!("match_{CANARY}=b"), 400, "bad-request"),
    ] {
        refused(&hub, query, status, code);
    }
}

#[test]
fn a5_patterns_that_cost_too_much() {
    let hub = open_hub();
    let variables: String = (0..1_000).map(|n| format!("{{a{n}}}")).collect();
    let alternatives = format!("/({})", "a|".repeat(1_500));
    for query in [
        format!("topic={}", escaped(&variables[..4_000])),
        format!("match_urlpattern={}", escaped("/(")),
        format!("match_urlpattern={}", escaped("/{")),
        format!("match_urlpattern={}", escaped(&alternatives)),
        format!("match_urlpattern={}", escaped(&format!("/({CANARY}"))),
    ] {
        let answer = hub.get(&format!("{HUB}?{query}"));
        let text = answer.text();
        assert_eq!((answer.status, &*answer.code()), (400, "invalid-topic"));
        assert!(!text.contains("regex") && !text.contains('^'), "{text}");
        assert!(!text.contains(CANARY), "{text}");
    }
    // An unclosed brace makes no template, and so it is a topic of 0.x.
    check_matches(&hub, "topic=%7Ba", &["{a", "a"], &["{a"]);
    // What would blow up elsewhere is matched in linear time.
    let bomb = format!("match_urlpattern={}", escaped("/((?:a+)+)"));
    let hostile = format!("/{}!", "a".repeat(4_000));
    let fitting = format!("/{}", "a".repeat(4_000));
    check_matches(&hub, &bomb, &[&hostile, &fitting], &[&fitting]);
}

/// The library that reads patterns has assertions which they reach where arithmetic
/// is checked.
#[test]
fn a5_what_a_pattern_makes_panic_says_nothing_of_it() {
    let hub = open_hub();
    for _ in 0..10 {
        let query = format!("match_urlpattern={}", escaped(&format!(":{CANARY}:1]")));
        refused(&hub, &query, 400, "invalid-topic");
    }
    let (_, log) = hub.finish();
    let panics: Vec<&str> = log.lines().filter(|line| line.contains("panic")).collect();
    // Seconds may have passed on a busy machine, but a line is said now and then.
    let most = if cfg!(debug_assertions) { 1..=5 } else { 0..=0 };
    assert!(most.contains(&panics.len()), "{log}");
    for line in panics {
        assert!(
            line.contains("\"place\":") && line.contains("\"times\":"),
            "{line}"
        );
    }
    assert!(!log.contains(CANARY) && !log.contains("thread '"), "{log}");
}

#[test]
fn a4_a6_topics_are_decoded_once_and_compared_byte_by_byte() {
    let hub = open_hub();
    let url = "https://example.com/a";
    for (query, topics, expected) in [
        ("topic=%2561", &["a", "%61"][..], &["%61"][..]),
        ("match=a%2Bb", &["a b", "a+b"], &["a+b"]),
        ("topic=a+b", &["a b", "a+b"], &["a b"]),
        ("topic=caf%C3%A9", &["café", "cafe\u{301}"], &["café"]),
        ("topic=a", &["\u{430}", "A", "a"], &["a"]),
        (
            &format!("match={}", escaped(url)),
            &["https://example.com/%61", "HTTPS://example.com/a", url],
            &[url],
        ),
    ] {
        check_matches(&hub, query, topics, expected);
    }
}

#[test]
fn what_each_dialect_matches() {
    let hub = open_hub();
    let books = &[
        "https://example.com/books/1",
        "https://example.com/Books/1",
        "https://example.com/books/1/2",
    ][..];
    let everything = &["http://[", "word", "https://a/"][..];
    let template = format!("topic={}", escaped("https://example.com/books/{id}"));
    let pattern = format!(
        "match_urlpattern={}",
        escaped("https://example.com/books/:id")
    );
    let own = "https://hub.example/rel/1";
    for (query, topics, expected) in [
        ("topic=a&topic=b", &["a", "b", "c"][..], &["a", "b"][..]),
        ("topic=a&topic=a&topic=*", &["a"], &["a"]),
        ("topic=*", everything, everything),
        ("match=*", everything, everything),
        ("match_exact=*", everything, everything),
        ("match_urlpattern=*", everything, everything),
        (
            "match_urlpattern=*://*/*",
            everything,
            &["word", "https://a/"],
        ),
        (&template, books, &books[..1]),
        (&pattern, books, &books[..1]),
        (
            "match_urlpattern=/rel/:id",
            &["/rel/1", own, "/rel/1/2"],
            &["/rel/1", own],
        ),
        // 1.0 doesn't know `topic`, nor other names in other case.
        ("match=a&topic=b&Topic=c", &["a", "b", "c"], &["a"]),
        // No topic that long can be in the log.
        (
            &format!("topic={}&topic=a", "x".repeat(4_096)),
            &["a"],
            &["a"],
        ),
    ] {
        check_matches(&hub, query, topics, expected);
    }
}

#[test]
fn any_topic_of_an_event_counts_and_the_event_arrives_once() {
    let hub = open_hub();
    for query in ["topic=b", "topic=c&topic=b", "match=a&match_urlpattern=*"] {
        let seen = Seen::open(&hub, query, &[]);
        publish(
            &hub,
            &[
                ("topic", "a"),
                ("topic", "b"),
                ("topic", "c"),
                ("data", "x"),
            ],
        );
        end(&hub);
        let expected: &[&str] = match query.contains('*') {
            true => &["x", "urn:end"],
            false => &["x"],
        };
        assert_eq!(seen.data(), expected[..1], "{query}");
    }
}

#[test]
fn a17_what_is_given_is_an_event_stream() {
    let hub = open_hub();
    let path = format!("{HUB}?topic=a");
    for accept in [
        "",
        "text/event-stream",
        "text/*",
        "*/*",
        "application/json, */*;q=0.1",
        "text/html,application/xml;q=0.9,*/*;q=0.8",
    ] {
        let headers = [("Accept", accept)];
        let headers = match accept {
            "" => &[][..],
            _ => &headers[..],
        };
        let stream = watch(&hub, "topic=a", headers);
        let head = stream.head();
        assert_eq!(head.status, 200, "{accept}");
        assert_eq!(head.header("content-type"), Some("text/event-stream"));
        assert_eq!(head.header("x-accel-buffering"), Some("no"));
        assert!(head.headers("cache-control").contains("no-store"));
        for name in ["last-event-id", "mercure-last-event-id"] {
            assert_eq!(head.header(name), None, "nothing was asked for");
        }
    }
    for accept in [
        "application/json",
        "*/*;q=0",
        "text/event-stream;q=0, text/html",
    ] {
        let headers = [("Accept", accept)];
        let refused = |method, body: &[u8]| {
            let query = [
                headers[0],
                ("Content-Type", "application/x-www-form-urlencoded"),
            ];
            check_refused(&hub, (method, &path, &query, body), 406, "not-acceptable");
        };
        check_refused(&hub, ("GET", &path, &headers, b""), 406, "not-acceptable");
        refused("QUERY", b"topic=a");
    }
}

#[test]
fn a18_methods() {
    let hub = open_hub();
    let path = format!("{HUB}?topic=a");
    let mut http = hub.http();
    let answer = http.request("HEAD", &path, &[], b"");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    // The connection takes another request.
    for method in ["PUT", "DELETE", "PATCH"] {
        let answer = http.request(method, &path, &[("Content-Length", "0")], b"");
        assert_eq!(answer.status, 405, "{method}");
        assert_eq!(answer.header("allow"), Some("GET, HEAD, QUERY, POST"));
    }
}

#[test]
fn a_query_has_a_form() {
    let hub = open_hub();
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    let refused = |headers: &[(&str, &str)], body: &[u8], status, code| {
        let path = format!("{HUB}?match=a");
        check_refused(&hub, ("QUERY", &path, headers, body), status, code);
    };
    refused(&[], b"match=b", 400, "bad-request");
    refused(
        &[("Content-Type", "nonsense")],
        b"match=b",
        400,
        "bad-request",
    );
    let json = ("Content-Type", "application/json");
    refused(&[json], b"{}", 415, "unsupported-media-type");
    refused(&[form], b"match=%zz", 400, "bad-request");
    refused(&[form], &[b'x'; 70_000], 413, "too-large");
    let coded = [form, ("Content-Encoding", "gzip")];
    refused(&coded, b"match=b", 415, "unsupported-media-type");
    // Both places count.
    let mut http = hub.http();
    let sent = http.send_request(
        "QUERY",
        &format!("{HUB}?match=a"),
        &[form, STREAM],
        b"match=b&match=end",
    );
    sent.expect("sent");
    let mut stream = Watch::answered(http).expect("an answer").opened();
    for topic in ["a", "c", "b", "end"] {
        publish(&hub, &[("topic", topic), ("data", topic)]);
    }
    let data: Vec<_> = stream.events(3).into_iter().map(|e| e.data).collect();
    assert_eq!(data, ["a", "b", "end"]);
}

#[test]
fn a10_a_full_hub_and_one_that_ends_refuse_softly() {
    let hub = as_mercure(launch!("TIDINGS_LIMITS_SUBSCRIPTIONS" = "1"), "anonymous").start();
    let _first = watch(&hub, "topic=a", &[STREAM]).opened();
    for query in ["topic=a", "match=a&last_event_id=earliest"] {
        let mut refused = watch(&hub, query, &[STREAM]);
        assert_eq!(refused.head().status, 200);
        assert_eq!(refused.next(), None, "a soft refusal has no event");
        assert!(refused.retry().is_some(), "it says when to come back");
    }
}

#[test]
fn a11_a12_a_closed_hub_takes_nobody_without_a_token() {
    let hub = as_mercure(launch!(), "").start();
    let path = format!("{HUB}?topic=a");
    for path in [&*path, HUB, &format!("{HUB}?match_urlpattern=/(")] {
        check_refused(&hub, ("GET", path, &[], b""), 401, "token-needed");
    }
    let answer = hub.get(&path);
    let challenge = "Bearer resource_metadata=\"https://hub.example/.well-known/\
                     oauth-protected-resource/.well-known/mercure\"";
    assert_eq!(answer.header("www-authenticate"), Some(challenge));
    let garbage = [("Authorization", "Bearer garbage")];
    check_refused(&hub, ("GET", &path, &garbage, b""), 401, "invalid-token");
    // Whoever is known may watch; what they are shown is another matter.
    for token in [v0(&[], &[]), v1(&json!([{ "match": "b" }]))] {
        let seen = Seen::open(&hub, "topic=a", &[("Authorization", &token)]);
        publish(&hub, &[("topic", "a"), ("data", "public")]);
        publish(
            &hub,
            &[("topic", "a"), ("data", "private"), ("private", "")],
        );
        end(&hub);
        assert_eq!(seen.data(), ["public"]);
    }
}

#[test]
fn private_events_reach_those_who_are_granted_one_of_their_topics() {
    let hub = open_hub();
    let [all_0, all_1] = everyone();
    let by_pattern = v1(&json!([{ "match": "https://a/:x", "match_type": "urlpattern" }]));
    let topics = [("topic", "https://a/1"), ("topic", "https://a/b/2")];
    let [one, two] = topics.map(|(_, topic)| format!("topic={}", escaped(topic)));
    for (query, token, sees) in [
        (&one, "", false),
        (&one, &v0(&[], &[]), false),
        (&one, &v0(&[], &["https://a/1"]), true),
        // Granted by one topic, watched by the other.
        (&two, &v0(&[], &["https://a/{x}"]), true),
        (&two, &by_pattern, true),
        (&one, &v0(&[], &["https://a/3"]), false),
        (&one, &v0(&["*"], &[]), false),
        (&"topic=*".to_owned(), "", false),
        (&"topic=*".to_owned(), &all_0, true),
        (&"match=*".to_owned(), &all_1, true),
        // What is granted isn't what is watched.
        (&"topic=other".to_owned(), &all_0, false),
    ] {
        let headers = [("Authorization", token)];
        let headers = match token {
            "" => &[][..],
            _ => &headers[..],
        };
        let seen = Seen::open(&hub, query, headers);
        let fields = [topics[0], topics[1], ("data", "x"), ("private", "off")];
        let id = publish(&hub, &fields);
        end(&hub);
        let expected: &[&str] = if sees { &["x"] } else { &[] };
        assert_eq!(seen.data(), expected, "{query} {token}");
        // The same from history, and behind an event's own id.
        let again = format!("{query}&lastEventID=earliest");
        let seen = Seen::open(&hub, &again, headers);
        end(&hub);
        let shown = seen.data().iter().filter(|data| **data == "x").count();
        assert_eq!(shown > 0, sees, "{query} {token} from history");
        assert!(!id.is_empty());
    }
}

/// A cache of matches whose key was a text joined from selector and topic gave
/// private events to those whose joined text was the same.
#[test]
fn cve_2026_39972_matches_are_never_told_apart_by_a_joined_text() {
    let hub = open_hub();
    let selectors = ["a_b", "a", "a_{x}", "a_b_{x}", "_", "{x}_c", "a_b_c", "b_c"];
    let topics = ["a_b_c", "b_c", "c", "a", "a_b", "_c", "a_", "_"];
    let watchers: Vec<_> = selectors
        .iter()
        .map(|selector| {
            let token = v0(&[], &[selector]);
            let query = format!("topic={}", escaped("{+any}"));
            let seen = Seen::open(&hub, &query, &[("Authorization", &token)]);
            (selector, seen)
        })
        .collect();
    for _ in 0..2 {
        for topic in topics {
            publish(&hub, &[("topic", topic), ("data", topic), ("private", "1")]);
        }
    }
    end(&hub);
    for (selector, seen) in watchers {
        let granted = |topic: &&str| match *selector {
            "{x}_c" => topic.ends_with("_c"),
            "a_{x}" => topic.starts_with("a_"),
            "a_b_{x}" => topic.starts_with("a_b_"),
            exact => exact == *topic,
        };
        let once: Vec<_> = topics.iter().filter(|topic| granted(topic)).collect();
        let twice: Vec<String> = once.iter().chain(&once).map(|t| t.to_string()).collect();
        assert_eq!(seen.data(), twice, "{selector}");
    }
}

#[test]
fn the_metadata_tell_what_is_spoken() {
    let closed = as_mercure(launch!(), "subscriptions").start();
    let open = launch!("TIDINGS_PUBLIC_URL" = "https://hub.example/below").start();
    for (hub, below, subscriptions) in [(&closed, "", true), (&open, "/below", false)] {
        let path = format!("/.well-known/oauth-protected-resource{below}{HUB}");
        let answer = hub.get(&path);
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let metadata = answer.json();
        assert_eq!(
            metadata["resource"],
            format!("https://hub.example{below}{HUB}")
        );
        assert_eq!(metadata["mercure_subscriptions"], subscriptions);
        assert_eq!(metadata["mercure_cookie"], "__Secure-mercure_access_token");
        let posted = hub.post(&path, "");
        assert_eq!(posted.status, 405);
    }
    let elsewhere = format!("/.well-known/oauth-protected-resource{HUB}");
    assert_eq!(open.get(&elsewhere).status, 404);
}

#[test]
fn a16_pages_of_allowed_origins_can_read_where_a_stream_starts() {
    let hub = as_mercure(launch!(), "anonymous\ncors_origins https://good.example").start();
    let good = ("Origin", "https://good.example");
    let stream = watch(&hub, "match=a&last_event_id=", &[good, STREAM]);
    let exposed = stream.head().headers("access-control-expose-headers");
    for name in ["Mercure-Last-Event-ID", "Last-Event-ID", "Link"] {
        assert!(exposed.split(", ").any(|own| own == name), "{exposed}");
    }
    let preflight = [good, ("Access-Control-Request-Method", "QUERY")];
    let answer = hub.http().request("OPTIONS", HUB, &preflight, b"");
    let methods = answer.headers("access-control-allow-methods");
    assert!(
        methods.contains("QUERY") && methods.contains("POST"),
        "{methods}"
    );
    let evil = [("Origin", "https://evil.example"), STREAM];
    let stream = watch(&hub, "match=a", &evil);
    assert_eq!(stream.head().header("access-control-allow-origin"), None);
}

#[test]
fn a11_a_stream_ends_with_its_token() {
    let hub = open_hub();
    let claims = json!({
        "mercure": { "subscribe": ["*"] }, "aud": null, "exp": in_seconds(3)
    });
    let token = format!("Bearer {}", signed(claims, SECRET.as_bytes(), "JWT"));
    let headers = [("Authorization", &*token), STREAM];
    let streams = ["topic=a", "match=a"].map(|query| watch(&hub, query, &headers));
    for mut stream in streams {
        assert_eq!(stream.head().status, 200);
        assert_eq!(stream.next(), None, "it ends, and well");
        assert!(stream.retry() >= Some(5_000), "{:?}", stream.retry());
    }
    let path = format!("{HUB}?topic=a");
    check_refused(&hub, ("GET", &path, &headers, b""), 401, "invalid-token");
}

#[test]
fn a_stream_ends_when_it_has_lived_as_long_as_one_may() {
    let hub = as_mercure(launch!(), "anonymous\nwrite_timeout 1s").start();
    for query in ["topic=a", "match=a"] {
        let mut stream = watch(&hub, query, &[STREAM]);
        assert_eq!(stream.head().status, 200);
        assert_eq!(stream.next(), None, "it ends, and well");
        assert!(stream.retry().is_some(), "it says when to come back");
    }
}
