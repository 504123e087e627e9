//! Publishing structured events over HTTP: `POST /events`.

use serde_json::json;
use tidings_testkit::{Answer, CANARY, HubProcess, check_problem, check_refused, launch};

const JSON: (&str, &str) = ("Content-Type", "application/json");
const NDJSON: (&str, &str) = ("Content-Type", "application/x-ndjson");

fn publish(hub: &HubProcess, body: impl AsRef<[u8]>) -> Answer {
    hub.http()
        .request("POST", "/events", &[JSON], body.as_ref())
}

/// How many events the hub has.
fn count(hub: &HubProcess) -> u64 {
    hub.metric("tidings_store_last_position")
}

#[track_caller]
fn check_data(hub: &HubProcess, value: &str, data: &str) {
    let answer = publish(hub, format!("{{\"topic\":\"json\",\"data\":{value}}}"));
    assert_eq!(answer.status, 200, "{value}: {}", answer.text());
    let last = hub.watch("/t/json?since=last:1").events(1);
    assert_eq!(
        (&*last[0].data, &last[0].id),
        (
            data,
            &answer.json()["id"].as_str().expect("an id").to_owned()
        )
    );
}

#[test]
fn data_of_any_json_type() {
    let hub = launch!().start();
    for (value, data) in [
        (r#""text""#, "text"),
        (r#""""#, ""),
        (r#""a\nb\u0000\ud83c\udf0a""#, "a\nb\0\u{1F30A}"),
        ("null", "null"),
        ("true", "true"),
        ("-0.50", "-0.50"),
        ("12345678901234567890123", "12345678901234567890123"),
        ("[ 1 , [ ] ]", "[1,[]]"),
        (r#"{ "b" : " x " , "a" : { } }"#, r#"{"b":" x ","a":{}}"#),
    ] {
        check_data(&hub, value, data);
    }
}

#[test]
fn one_event() {
    let hub = launch!().start();
    let mut watch = hub.watch("/t/orders/42").opened();
    let body = json!({"topic": "orders/42", "data": {"state": "paid"}, "event": "order", "id": "o-1", "retry": 2500});
    let answer = publish(&hub, body.to_string());
    assert_eq!(answer.json(), json!({"id": "o-1", "topic": "orders/42"}));
    let got = watch.next().expect("an event");
    assert_eq!(
        (&*got.event, &*got.data, &*got.id),
        ("order", r#"{"state":"paid"}"#, "o-1")
    );
    assert_eq!(watch.retry(), Some(2500));
    // The same event again is that event.
    assert_eq!(publish(&hub, body.to_string()).json()["id"], "o-1");
    assert_eq!(count(&hub), 1);
}

#[test]
fn an_array_is_published_whole_and_in_order() {
    let hub = launch!().start();
    let mut watch = hub.watch("/events?topic=a&topic=b").opened();
    let body = json!([{"topic": "a", "data": "1"}, {"topic": "b", "data": 2, "id": "two"}, {"topic": "a", "data": "1"}]);
    let answer = publish(&hub, body.to_string());
    let events = watch.events(3);
    let data: Vec<&str> = events.iter().map(|e| &*e.data).collect();
    assert_eq!(data, ["1", "2", "1"]);
    let ids: Vec<&str> = events.iter().map(|e| &*e.id).collect();
    assert_eq!(
        answer.json(),
        json!({"published": 3, "ids": ids, "last_id": ids[2]})
    );
    let answer = publish(&hub, " [ ] ");
    assert_eq!(
        answer.json(),
        json!({"published": 0, "ids": [], "last_id": null})
    );
}

#[test]
fn an_array_with_one_bad_event_publishes_none() {
    let hub = launch!().start();
    publish(&hub, r#"{"topic":"a","data":"known","id":"known"}"#);
    let good = r#"{"topic":"a","data":"good"}"#;
    for (bad, status, code) in [
        (r#"{"topic":"a"}"#, 400, "invalid-event"),
        (r#"{"data":"x"}"#, 400, "invalid-event"),
        (r#"{"topic":"","data":"x"}"#, 400, "invalid-topic"),
        (r#"{"topic":"a/*","data":"x"}"#, 400, "invalid-topic"),
        (r#"{"topic":"$a","data":"x"}"#, 403, "reserved-topic"),
        (
            r#"{"topic":"a","data":"x","event":"tidings:gap"}"#,
            400,
            "invalid-event",
        ),
        (
            r#"{"topic":"a","data":"x","id":"last:5"}"#,
            400,
            "invalid-event",
        ),
        (
            r#"{"topic":"a","data":"x","kanarienvogel":1}"#,
            400,
            "invalid-event",
        ),
        (
            r#"{"topic":"a","data":"x","id":"known"}"#,
            409,
            "id-conflict",
        ),
        ("null", 400, "invalid-event"),
        ("[]", 400, "invalid-event"),
    ] {
        for array in [format!("[{bad},{good}]"), format!("[{good},{bad}]")] {
            let answer = publish(&hub, &array);
            assert_eq!(answer.status, status, "{array}: {}", answer.text());
            check_problem(&answer, status, code);
        }
    }
    // Two events of one array with one id.
    let twice = r#"[{"topic":"a","data":"x","id":"i"},{"topic":"a","data":"y","id":"i"}]"#;
    check_problem(&publish(&hub, twice), 409, "id-conflict");
    let many = format!("[{}]", vec![good; 1001].join(","));
    check_problem(&publish(&hub, many), 413, "too-large");
    assert_eq!(count(&hub), 1);
    let most = format!("[{}]", vec![good; 1000].join(","));
    assert_eq!(publish(&hub, most).json()["published"], 1000);
    assert_eq!(count(&hub), 1001);
}

#[test]
fn b1_events_takes_json_only() {
    let hub = launch!().start();
    let body = br#"{"topic":"a","data":"x"}"#;
    for content_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/event-stream",
        "text/json",
        CANARY,
        "",
    ] {
        let headers = [("Content-Type", content_type)];
        check_refused(
            &hub,
            ("POST", "/events", &headers, body),
            415,
            "unsupported-media-type",
        );
    }
    check_refused(
        &hub,
        ("POST", "/events", &[], body),
        415,
        "unsupported-media-type",
    );
    assert_eq!(count(&hub), 0);
    for content_type in ["Application/JSON", "application/json; charset=utf-8"] {
        let headers = [("Content-Type", content_type)];
        assert_eq!(
            hub.http().request("POST", "/events", &headers, body).status,
            200
        );
    }
}

#[test]
fn b5_json_that_is_none() {
    let hub = launch!().start();
    let deep = format!(
        "{{\"topic\":\"a\",\"data\":{}{}}}",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    let deep_objects = format!(
        "{{\"topic\":\"a\",\"data\":{}1{}}}",
        "{\"a\":".repeat(50_000),
        "}".repeat(50_000)
    );
    let unclosed = "[".repeat(1_000_000);
    let cases: [&[u8]; 26] = [
        b"",
        b" ",
        b"{",
        b"\"kanarienvogel\"",
        b"5",
        deep.as_bytes(),
        deep_objects.as_bytes(),
        unclosed.as_bytes(),
        br#"{"topic":"a","data":1e400}"#,
        br#"{"topic":"a","data":[-1e400]}"#,
        br#"{"topic":"a","data":"x","data":"y"}"#,
        br#"{"topic":"a","topic":"b","data":"y"}"#,
        br#"{"topic":"a","data":{"k":1,"k":2}}"#,
        br#"{"topic":"a","data":[{"k":1,"\u006b":2}]}"#,
        br#"{"topic":"a","data":"x"} kanarienvogel"#,
        br#"{"topic":"a","data":"x"}{"topic":"a","data":"x"}"#,
        b"\xef\xbb\xbf{\"topic\":\"a\",\"data\":\"x\"}",
        br#"{"topic":"a","data":"\ud800"}"#,
        br#"{"topic":"a","data":"\udc00\ud800"}"#,
        br#"{"topic":"a","data":{"\ud800":1}}"#,
        b"{\"topic\":\"a\",\"data\":\"\xff\"}",
        b"{\"topic\":\"a\",\"data\":\"\xc0\xaf\"}",
        b"{\"topic\":\"a\",\"data\":\"a\nb\"}",
        br#"{"topic":"a","data":NaN}"#,
        br#"{"topic":"a","data":01}"#,
        br#"{"topic":"a","data":"x",}"#,
    ];
    for body in cases {
        let answer = publish(&hub, body);
        let shown = String::from_utf8_lossy(&body[..body.len().min(80)]);
        assert_eq!(answer.status, 400, "{shown}: {}", answer.text());
        check_problem(&answer, 400, "invalid-event");
    }
    for body in [
        r#"{"topic":5,"data":"x"}"#,
        r#"{"topic":"a","data":"x","event":["e"]}"#,
        r#"{"topic":"a","data":"x","id":1}"#,
        r#"{"topic":"a","data":"x","retry":"1000"}"#,
        r#"{"topic":"a","data":"x","retry":1000.5}"#,
        r#"{"topic":"a","data":"x","retry":18446744073709551616}"#,
        r#"{"topic":"a","data":"x","private":true}"#,
        r#"{"topic":["a","b"],"data":"x"}"#,
    ] {
        check_problem(&publish(&hub, body), 400, "invalid-event");
    }
    assert_eq!(count(&hub), 0);
    let nested = format!("{}{}", "[".repeat(100), "]".repeat(100));
    check_data(&hub, &nested, &nested);
}

#[test]
fn lines_name_their_topics() {
    let hub = launch!().start();
    let mut watch = hub.watch("/events?topic=**").opened();
    let mut http = hub.http();
    let headers = [NDJSON, ("Transfer-Encoding", "chunked")];
    http.send_request("POST", "/events", &headers, b"")
        .expect("sent");
    for (line, topic) in [
        (r#"{"topic":"a","data":1}"#, "a"),
        (r#"{"topic":"b/c","data":2,"id":"own"}"#, "b/c"),
    ] {
        http.send_chunk(format!("{line}\n").as_bytes())
            .expect("sent");
        let got = watch.next().expect("an event");
        assert_eq!(
            hub.watch(&format!("/t/{topic}?since=last:1")).events(1),
            [got]
        );
    }
    assert_eq!(
        http.end_chunks().json(),
        json!({"published": 2, "last_id": "own"})
    );
    for (line, status, code) in [
        (r#"{"data":1}"#, 400, "invalid-event"),
        (r#"{"topic":"$a","data":1}"#, 403, "reserved-topic"),
        (r#"{"topic":"a//b","data":1}"#, 400, "invalid-topic"),
    ] {
        let body = format!(
            "{}\n{line}\n{}\n",
            r#"{"topic":"a","data":1}"#, r#"{"topic":"a","data":3}"#
        );
        let answer = hub
            .http()
            .request("POST", "/events", &[NDJSON], body.as_bytes());
        check_problem(&answer, status, code);
        assert_eq!(answer.json()["published"], 1);
    }
    assert_eq!(count(&hub), 5);
}

#[test]
fn b21_an_array_with_a_key() {
    let hub = launch!().start();
    let headers = [JSON, ("Idempotency-Key", "batch-1")];
    let body = r#"[{"topic":"a","data":1},{"topic":"a","data":1}]"#;
    let publish = |body: &str| {
        hub.http()
            .request("POST", "/events", &headers, body.as_bytes())
    };
    let first = publish(body).json();
    assert_eq!(publish(body).json(), first);
    check_problem(
        &publish(r#"[{"topic":"a","data":1},{"topic":"a","data":2}]"#),
        422,
        "key-conflict",
    );
    assert_eq!(count(&hub), 2);
}

#[test]
fn b10_b11_topics_of_json_events() {
    let hub = launch!().start();
    let long = "x".repeat(4097);
    for (topic, status, code) in [
        ("", 400, "invalid-topic"),
        ("/a", 400, "invalid-topic"),
        ("a/", 400, "invalid-topic"),
        ("a//b", 400, "invalid-topic"),
        ("a/../b", 400, "invalid-topic"),
        ("a\nb", 400, "invalid-topic"),
        ("a\u{9b}", 400, "invalid-topic"),
        ("**", 400, "invalid-topic"),
        ("http://localhost/x", 400, "invalid-topic"),
        (&long, 400, "invalid-topic"),
        ("$kanarienvogel", 403, "reserved-topic"),
    ] {
        let body = json!({"topic": topic, "data": ""}).to_string();
        check_refused(
            &hub,
            ("POST", "/events", &[JSON], body.as_bytes()),
            status,
            code,
        );
    }
    // No percent-decoding in JSON.
    assert_eq!(
        publish(&hub, r#"{"topic":"%2524","data":""}"#).json()["topic"],
        "%2524"
    );
}
