//! The Mercure face for publishers: forms, what they may hold, who may send them.

mod mercure;

use mercure::{HUB, Seen, as_mercure, end, escaped, everyone, form, post, publish, v0, v1};
use serde_json::json;
use tidings_testkit::{Answer, CANARY, HubProcess, check_problem, check_refused, launch};

fn open_hub() -> HubProcess {
    as_mercure(launch!(), "anonymous").start()
}

/// A form that is refused, to both dialects: `statuses` of 0.x and 1.0.
#[track_caller]
fn refused(hub: &HubProcess, body: &str, statuses: [u16; 2], code: &str) {
    for (token, status) in everyone().iter().zip(statuses) {
        let answer = post(hub, token, body);
        let shown = &body[..body.len().min(100)];
        assert_eq!(answer.status, status, "{shown}: {}", answer.text());
        if status != 200 {
            check_problem(&answer, status, code);
        }
    }
}

#[track_caller]
fn check_data(hub: &HubProcess, body: &str, expected: &str) {
    let seen = Seen::open(hub, "topic=a", &[]);
    let answer = post(hub, &v0(&["*"], &[]), body);
    assert_eq!(answer.status, 200, "{body}: {}", answer.text());
    end(hub);
    assert_eq!(seen.data(), [expected], "{body:.80}");
}

#[test]
fn b1_a_body_is_a_form() {
    let hub = open_hub();
    let token = v0(&["*"], &[]);
    let authorization = ("Authorization", &*token);
    for media_type in [
        "text/plain",
        "application/json",
        "multipart/form-data; boundary=x",
        "nonsense",
        "",
    ] {
        let headers = [authorization, ("Content-Type", media_type)];
        let headers = match media_type {
            "" => &headers[..1],
            _ => &headers[..],
        };
        let request = ("POST", HUB, headers, &b"topic=a&data=b"[..]);
        check_refused(&hub, request, 415, "unsupported-media-type");
    }
    for media_type in [
        "application/x-www-form-urlencoded; charset=utf-8",
        "Application/X-WWW-Form-URLEncoded",
    ] {
        let headers = [authorization, ("Content-Type", media_type)];
        let answer = hub.http().request("POST", HUB, &headers, b"topic=a&data=b");
        assert_eq!(answer.status, 200, "{media_type}");
    }
    let coded = [
        authorization,
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Content-Encoding", "gzip"),
    ];
    let request = ("POST", HUB, &coded[..], &b"topic=a"[..]);
    check_refused(&hub, request, 415, "unsupported-media-type");
}

#[test]
fn b2_forms_and_events_that_are_too_large() {
    let hub = as_mercure(
        launch!(
            "TIDINGS_LIMITS_EVENT_DATA_BYTES" = "8KiB",
            "TIDINGS_LIMITS_LINE_BYTES" = "64KiB"
        ),
        "anonymous",
    )
    .start();
    let data = |bytes: usize| format!("topic=a&data={}", "x".repeat(bytes));
    check_data(&hub, &data(8_192), &"x".repeat(8_192));
    refused(&hub, &data(8_193), [413; 2], "too-large");
    refused(&hub, &data(80_000), [413; 2], "too-large");
    // Written out it is longer than what it says.
    let escapes = format!("topic=a&data={}", "%78".repeat(8_192));
    check_data(&hub, &escapes, &"x".repeat(8_192));
}

#[test]
fn b4_forms_that_could_be_read_in_two_ways() {
    let hub = open_hub();
    for (body, code) in [
        ("topic=a&data=b&data=c", "bad-request"),
        ("topic=a&id=b&id=c", "bad-request"),
        ("topic=a&private=on&private=on", "bad-request"),
        ("topic=a&type=b&type=c", "bad-request"),
        ("topic=a&retry=100&retry=100", "bad-request"),
        ("topic=a;data=b", "bad-request"),
        ("topic=a&=b", "bad-request"),
        ("topic=a&data=%", "bad-request"),
        ("topic=a&data=%g0", "bad-request"),
        ("topic=a&data=%FF", "bad-request"),
        ("topic=a&data=%ED%A0%80", "bad-request"),
        (&format!("topic=a{}", "&f=1".repeat(100_000)), "bad-request"),
        (&format!("topic=a&data={CANARY}&data=%zz"), "bad-request"),
    ] {
        refused(&hub, body, [400; 2], code);
    }
    check_data(&hub, "topic=a&data=b+c%2Bd&future=e&&", "b c+d");
    check_data(&hub, "topic=a&data=b%3Bc", "b;c");
    check_data(&hub, "topic=a", "");
    check_data(&hub, "data=x&topic=b&topic=a", "x");
}

#[test]
fn b6_ids() {
    let hub = open_hub();
    for id in [
        "a\rb", "a\nb", "a\r\nb", "a\0b", "\u{85}", " a", "a ", "#a", "#", "td-x", "earliest",
    ] {
        let body = form(&[("topic", "a"), ("id", id)]);
        refused(&hub, &body, [400; 2], "invalid-event");
    }
    let long = "x".repeat(257);
    refused(
        &hub,
        &form(&[("topic", "a"), ("id", &long)]),
        [400; 2],
        "invalid-event",
    );
    refused(&hub, "topic=a&id=%FF", [400; 2], "bad-request");
    // 1.0 alone refuses what can't be seen.
    let joined = form(&[("topic", "a"), ("id", "a\u{200d}b")]);
    refused(&hub, &joined, [200, 400], "invalid-event");
    for id in [
        &"x".repeat(256),
        "a\u{2028}b",
        "10m",
        "last:5",
        "latest",
        "id-[\"ab12\"]",
        "urn:uuid:1",
    ] {
        let answered = publish(&hub, &[("topic", "a"), ("id", id)]);
        assert_eq!(answered, *id);
    }
    // None, and an empty one, let the hub give one: a fresh one for each.
    let given = [&[("topic", "a")][..], &[("topic", "a"), ("id", "")]];
    let [one, other] = given.map(|fields| publish(&hub, fields));
    assert!(one.starts_with("td-") && other.starts_with("td-") && one != other);
}

#[test]
fn b6_the_same_id_again_is_another_event() {
    let hub = open_hub();
    let seen = Seen::open(&hub, "topic=a", &[]);
    for data in ["1", "2", "1"] {
        let id = publish(&hub, &[("topic", "a"), ("id", "same"), ("data", data)]);
        assert_eq!(id, "same");
    }
    end(&hub);
    assert_eq!(seen.data(), ["1", "2", "1"]);
}

#[test]
fn b7_types() {
    let hub = open_hub();
    let long = "x".repeat(129);
    for name in [
        "a\rb",
        "a\nb",
        "a\r\nb",
        "a\0b",
        "mercure",
        "mercure:x",
        "tidings:gap",
        &long,
    ] {
        let body = form(&[("topic", "a"), ("type", name)]);
        refused(&hub, &body, [400; 2], "invalid-event");
    }
    let joined = form(&[("topic", "a"), ("type", "a\u{200d}b")]);
    refused(&hub, &joined, [200, 400], "invalid-event");
    let mut stream = mercure::watch(&hub, "topic=a", &[]).opened();
    for (name, expected) in [("x", "x"), ("", "message"), ("Mercure", "Mercure")] {
        publish(&hub, &[("topic", "a"), ("type", name), ("data", "d")]);
        assert_eq!(stream.next().expect("an event").event, expected);
    }
}

#[test]
fn b8_retry() {
    let hub = open_hub();
    let huge = "18446744073709551616";
    for retry in [
        "-1", "0", "1", "99", "3600001", huge, "5s", "٣", "1e3", "+100", " 100",
    ] {
        let body = form(&[("topic", "a"), ("retry", retry)]);
        refused(&hub, &body, [400; 2], "invalid-event");
    }
    let mut stream = mercure::watch(&hub, "topic=a", &[]).opened();
    for retry in ["100", "3600000"] {
        publish(&hub, &[("topic", "a"), ("retry", retry), ("data", "d")]);
        stream.next().expect("an event");
        assert_eq!(stream.retry(), retry.parse().ok());
    }
}

#[test]
fn b9_data_arrives_as_it_was_but_for_line_ends() {
    let hub = open_hub();
    for (data, expected) in [
        ("", ""),
        ("\r", "\n"),
        ("\n\n", "\n\n"),
        ("a\rb\r\nc\nd", "a\nb\nc\nd"),
        ("\u{feff}x", "\u{feff}x"),
        ("event: x", "event: x"),
        (": c", ": c"),
        ("  two\n\n  three ", "  two\n\n  three "),
        ("a\0b\u{2028}", "a\0b\u{2028}"),
    ] {
        let body = form(&[("topic", "a"), ("data", data)]);
        check_data(&hub, &body, expected);
    }
}

#[test]
fn b10_topics_of_the_hub_s_own() {
    let hub = open_hub();
    for topic in [
        "/.well-known/mercure",
        "/.well-known/mercure/subscriptions/a/b",
        "/.well-known/%6Dercure/x",
        "/a/../.well-known/mercure/x",
        "/./.well-known//mercure/x",
        "/.WELL-KNOWN/Mercure/x",
        "https://hub.example/.well-known/mercure/x",
        "https://hub.example./.well-known/mercure",
        "https://other.example/.well-known/mercure/x",
        "//hub.example/.well-known/mercure",
        "https://hub.example/t/$presence/a",
    ] {
        let body = form(&[("topic", topic)]);
        refused(&hub, &body, [403, 400], "reserved-topic");
        let alternate = form(&[("topic", "a"), ("topic", topic)]);
        refused(&hub, &alternate, [403, 400], "reserved-topic");
    }
    for topic in ["*", "", "a\nb", "\u{85}"] {
        refused(&hub, &form(&[("topic", topic)]), [400; 2], "invalid-topic");
    }
}

#[test]
fn b11_how_many_topics() {
    let hub = open_hub();
    refused(&hub, "data=x", [400; 2], "invalid-topic");
    let topics = |count: usize| {
        let each: Vec<_> = (0..count).map(|n| format!("topic=a{n}")).collect();
        each.join("&")
    };
    refused(&hub, &topics(1_001), [400; 2], "invalid-topic");
    let seen = Seen::open(&hub, "topic=a999", &[]);
    let answer = post(&hub, &v0(&["*"], &[]), &format!("{}&data=x", topics(1_000)));
    assert_eq!(answer.status, 200, "{}", answer.text());
    end(&hub);
    assert_eq!(seen.data(), ["x"]);
    check_data(&hub, "topic=a&topic=a&data=once", "once");
    // As the log writes it, it would be too long.
    for topic in ["x".repeat(4_096), "*a".repeat(2_000)] {
        let body = form(&[("topic", &topic)]);
        refused(&hub, &body, [400; 2], "invalid-topic");
    }
}

#[test]
fn b11_b19_a_publisher_is_granted_every_topic_or_publishes_nothing() {
    let hub = open_hub();
    let some_0 = v0(&["https://a/{x}"], &["*"]);
    let some_1 = v1(&json!([{ "match": "https://a/:x", "match_type": "urlpattern" }]));
    let seen = Seen::open(&hub, "topic=*", &[("Authorization", &v0(&[], &["*"]))]);
    let topic = |topic: &str| format!("topic={}", escaped(topic));
    let (granted, other) = (topic("https://a/1"), topic("https://a/1/2"));
    for private in ["", "&private=on"] {
        for body in [
            format!("{other}&data=no{private}"),
            format!("{granted}&{other}&data=no{private}"),
            format!("{other}&{granted}&data=no{private}"),
        ] {
            // 0.x says that with another status than 1.0.
            let answer = post(&hub, &some_0, &body);
            check_problem(&answer, 401, "token-needed");
            let answer = post(&hub, &some_1, &body);
            check_problem(&answer, 403, "not-granted");
            assert!(challenge(&answer).contains("error=\"insufficient_scope\""));
        }
        for token in [&some_0, &some_1] {
            let body = format!("{granted}&data=yes{private}");
            assert_eq!(post(&hub, token, &body).status, 200);
        }
        for (token, status, code) in [
            (v0(&[], &["*"]), 401, "token-needed"),
            (v1(&json!([{ "match": "b" }])), 403, "not-granted"),
        ] {
            let answer = post(&hub, &token, &format!("topic=a&data=no{private}"));
            check_problem(&answer, status, code);
        }
    }
    end(&hub);
    assert_eq!(seen.data(), ["yes"; 4]);
}

fn challenge(answer: &Answer) -> &str {
    answer.header("www-authenticate").unwrap_or_default()
}

#[test]
fn b19_b20_who_publishes_has_a_token_and_by_cookie_a_page_that_may() {
    let hub = as_mercure(launch!(), "anonymous\npublish_origins https://good.example").start();
    let media_type = ("Content-Type", "application/x-www-form-urlencoded");
    let send = |headers: &[(&str, &str)]| {
        let mut all = vec![media_type];
        all.extend(headers);
        hub.http().request("POST", HUB, &all, b"topic=a&data=b")
    };
    let answer = send(&[]);
    check_problem(&answer, 401, "token-needed");
    assert!(challenge(&answer).starts_with("Bearer resource_metadata="));
    assert!(!challenge(&answer).contains("error"));
    for bad in ["Bearer x", "Bearer a.b.c"] {
        let answer = send(&[("Authorization", bad)]);
        check_problem(&answer, 401, "invalid-token");
    }
    let token = v0(&["*"], &[]);
    let twice = ("Authorization", &*token);
    check_problem(&send(&[twice, twice]), 400, "bad-request");
    let cookie = token.replace("Bearer ", "mercureAuthorization=");
    let cookie = ("Cookie", &*cookie);
    for (headers, status) in [
        (&[cookie][..], 403),
        (&[cookie, ("Origin", "null")], 403),
        (&[cookie, ("Origin", "https://evil.example")], 403),
        (&[cookie, ("Referer", "https://evil.example/a")], 403),
        (&[cookie, ("Referer", "https://good.example/a")], 200),
    ] {
        let answer = send(headers);
        assert_eq!(answer.status, status, "{headers:?}: {}", answer.text());
    }
}

#[test]
fn b21_a_form_with_an_idempotency_key_is_published_once() {
    let hub = open_hub();
    let token = v0(&["*"], &[]);
    let seen = Seen::open(&hub, "topic=a", &[]);
    let send = |body: &str| {
        let headers = [
            ("Authorization", &*token),
            ("Content-Type", "application/x-www-form-urlencoded"),
            ("Idempotency-Key", "k"),
        ];
        hub.http().request("POST", HUB, &headers, body.as_bytes())
    };
    let first = send("topic=a&topic=b&data=x");
    assert_eq!(first.status, 200);
    assert_eq!(send("topic=a&topic=b&data=x").text(), first.text());
    for other in [
        "topic=a&data=x",
        "topic=a&topic=c&data=x",
        "topic=a&topic=b&data=x&private",
        "topic=a&topic=b&data=y",
    ] {
        check_problem(&send(other), 422, "key-conflict");
    }
    end(&hub);
    assert_eq!(seen.data(), ["x"]);
}

#[test]
fn a_hub_without_keys_takes_forms_of_everyone_and_shows_private_events_to_nobody() {
    let hub = launch!().start();
    let seen = Seen::open(&hub, "topic=*", &[]);
    for body in ["topic=a&data=public", "topic=a&data=private&private=on"] {
        let answer = post(&hub, "", body);
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    end(&hub);
    assert_eq!(seen.data(), ["public"]);
}

#[test]
fn forms_that_come_together_are_published_in_their_order() {
    let hub = open_hub();
    let seen = Seen::open(&hub, "topic=a", &[]);
    let token = v0(&["*"], &[]);
    let mut requests = String::new();
    for number in 0..200 {
        let body = format!("topic=a&data={number}");
        requests.push_str(&format!(
            "POST {HUB} HTTP/1.1\r\nHost: {}\r\nAuthorization: {token}\r\nContent-Type: \
             application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            hub.address(),
            body.len()
        ));
    }
    let mut http = hub.http();
    http.send(requests.as_bytes()).expect("sent");
    for _ in 0..200 {
        assert_eq!(http.answer(false).expect("an answer").status, 200);
    }
    end(&hub);
    let expected: Vec<String> = (0..200).map(|number| number.to_string()).collect();
    assert_eq!(seen.data(), expected);
}
