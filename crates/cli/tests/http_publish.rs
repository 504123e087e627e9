//! Publishing single events over HTTP: `POST /t/{topic}`.

use tidings_testkit::{CANARY, HubProcess, Watch, check_refused, launch};

type Headers<'a> = &'a [(&'a str, &'a str)];

/// Publishes and answers the id; the answer must have the id and the topic and
/// nothing else.
#[track_caller]
fn publish(hub: &HubProcess, path: &str, headers: Headers<'_>, body: impl AsRef<[u8]>) -> String {
    let answer = hub.http().request("POST", path, headers, body.as_ref());
    assert_eq!(answer.status, 200, "{path} {headers:?}: {}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let document = answer.json();
    let id = document["id"].as_str().expect("an id").to_owned();
    let topic = path["/t/".len()..].split('?').next().expect("a topic");
    assert_eq!(document, serde_json::json!({ "id": id, "topic": topic }));
    id
}

#[track_caller]
fn check_data(hub: &HubProcess, watch: &mut Watch, headers: Headers<'_>, body: &[u8], data: &str) {
    let id = publish(hub, "/t/data", headers, body);
    let got = watch.next().expect("an event");
    assert_eq!(got.data, data, "{headers:?}");
    assert_eq!((&*got.event, got.id), ("message", id));
}

#[test]
fn b1_any_content_type_or_none_is_data() {
    let hub = launch!().start();
    let mut watch = hub.watch("/t/data").opened();
    for content_type in [
        "text/plain",
        "application/json",
        "application/octet-stream",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "image/svg+xml",
        "nonsense",
        "",
        "text/event-stream-like",
        "application/ndjson",
    ] {
        let headers = [("Content-Type", content_type)];
        check_data(&hub, &mut watch, &headers, b"{\"a\": 1}", "{\"a\": 1}");
        check_data(&hub, &mut watch, &headers, b"", "");
    }
    check_data(&hub, &mut watch, &[], b"hello", "hello");
    check_data(&hub, &mut watch, &[], b"", "");
    // Neither a length nor chunks: there is no body (RFC 9112, 6.3).
    let mut http = hub.http();
    let head = format!("POST /t/data HTTP/1.1\r\nHost: {}\r\n\r\n", hub.address());
    http.send(head.as_bytes()).expect("sent");
    assert_eq!(http.answer(false).expect("an answer").status, 200);
    assert_eq!(watch.next().expect("an event").data, "");
    // In chunks.
    let mut http = hub.http();
    http.send_request("POST", "/t/data", &[("Transfer-Encoding", "chunked")], b"")
        .expect("sent");
    http.send_chunk("gr\u{fc}".as_bytes()).expect("sent");
    http.send_chunk("\u{df}e".as_bytes()).expect("sent");
    assert_eq!(http.end_chunks().status, 200);
    assert_eq!(watch.next().expect("an event").data, "gr\u{fc}\u{df}e");
}

#[test]
fn b9_data_arrives_as_it_was_but_for_line_ends() {
    let hub = launch!().start();
    let mut watch = hub.watch("/t/data").opened();
    for (data, expected) in [
        ("\r", "\n"),
        ("\n", "\n"),
        ("\n\n", "\n\n"),
        ("a\rb", "a\nb"),
        ("a\r\nb", "a\nb"),
        ("a\n\rb\n", "a\n\nb\n"),
        ("\u{FEFF}x", "\u{FEFF}x"),
        ("event: x", "event: x"),
        (
            "data: x\n\nid: 7\nretry: 5\n\n: c",
            "data: x\n\nid: 7\nretry: 5\n\n: c",
        ),
        (": c", ": c"),
        (" two  spaces ", " two  spaces "),
        ("\t", "\t"),
        ("\0", "\0"),
        ("a\u{85}b\u{2028}c\u{b}d", "a\u{85}b\u{2028}c\u{b}d"),
        ("\u{1F30A} 日本", "\u{1F30A} 日本"),
    ] {
        check_data(&hub, &mut watch, &[], data.as_bytes(), expected);
    }
    let path = "/t/data";
    check_refused(&hub, ("POST", path, &[], b"\xff\xfe"), 400, "invalid-event");
    check_refused(
        &hub,
        ("POST", path, &[], b"\xed\xa0\x80"),
        400,
        "invalid-event",
    );
    // 1 MiB of LF would be 7 MiB on the wire.
    let line_feeds = vec![b'\n'; 1 << 20];
    check_refused(&hub, ("POST", path, &[], &line_feeds), 413, "too-large");
}

#[test]
fn labels_stand_on_the_wire() {
    let hub = launch!().start();
    let mut watch = hub.watch("/t/labels").opened();
    let before = watch.raw().len();
    let path = "/t/labels?event=price%20change&id=order+1&retry=2500";
    assert_eq!(publish(&hub, path, &[], "12"), "order 1");
    let got = watch.next().expect("an event");
    assert_eq!(
        (&*got.event, &*got.data, &*got.id),
        ("price change", "12", "order 1")
    );
    assert_eq!(watch.retry(), Some(2500));
    let block = String::from_utf8(watch.raw()[before..].to_vec()).expect("UTF-8");
    let mut lines: Vec<&str> = block.trim_end().lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "data: 12",
            "event: price change",
            "id: order 1",
            "retry: 2500"
        ]
    );
}

#[test]
fn b6_ids() {
    let hub = launch!().start();
    let mut watch = hub.watch("/events?topic=ids&topic=other").opened();
    let long = format!("/t/ids?id={}", "x".repeat(257));
    for id in [
        "",
        "%0A",
        "a%0Ab",
        "a%0Db",
        "a%0D%0Aevent:%20x",
        "a%00b",
        "%20a",
        "a%20",
        "%23",
        "%23x",
        "td-",
        "td-0000000000000-1",
        "earliest",
        "latest",
        "now",
        "last:5",
        "last:",
        "10m",
        "1h30m",
        "0s",
        "%7F",
        "a%C2%85",
    ] {
        let path = format!("/t/ids?id={id}");
        check_refused(&hub, ("POST", &path, &[], b"x"), 400, "invalid-event");
    }
    check_refused(&hub, ("POST", &long, &[], b"x"), 400, "invalid-event");
    check_refused(
        &hub,
        ("POST", "/t/ids?id=a&id=b", &[], b"x"),
        400,
        "bad-request",
    );
    check_refused(
        &hub,
        ("POST", "/t/ids?id=%FF", &[], b"x"),
        400,
        "bad-request",
    );
    let longest = "x".repeat(256);
    for (encoded, id) in [
        ("a%E2%80%A8b", "a\u{2028}b"),
        ("urn:uuid:6a2f", "urn:uuid:6a2f"),
        ("10", "10"),
        ("%2561", "%61"),
        (&longest, &longest),
    ] {
        let path = format!("/t/ids?id={encoded}");
        assert_eq!(publish(&hub, &path, &[], id), id);
        let got = watch.next().expect("an event");
        assert_eq!((&*got.id, &*got.data), (id, id));
    }
}

#[test]
fn b6_the_same_id_again() {
    let hub = launch!().start();
    let mut watch = hub.watch("/events?topic=ids&topic=other").opened();
    let again = |hub: &HubProcess| {
        assert_eq!(publish(hub, "/t/ids?id=a", &[], "one"), "a");
        check_refused(
            hub,
            ("POST", "/t/ids?id=a", &[], b"two"),
            409,
            "id-conflict",
        );
        // An id is for one event of one topic.
        assert_eq!(publish(hub, "/t/other?id=a", &[], "other"), "a");
        check_refused(
            hub,
            ("POST", "/t/other?id=a", &[], b"one"),
            409,
            "id-conflict",
        );
    };
    again(&hub);
    again(&hub);
    publish(&hub, "/t/ids", &[], "end");
    let data: Vec<String> = watch.events(3).into_iter().map(|e| e.data).collect();
    assert_eq!(data, ["one", "other", "end"]);
    // It is known after kill -9, too.
    let hub = hub.kill().start();
    again(&hub);
    publish(&hub, "/t/ids", &[], "the very end");
    let mut watch = hub.watch("/events?topic=ids&topic=other&since=earliest");
    let data: Vec<String> = watch.events(4).into_iter().map(|e| e.data).collect();
    assert_eq!(data, ["one", "other", "end", "the very end"]);
}

#[test]
fn b6_an_id_of_two_topics_is_the_earliest_that_is_watched() {
    let hub = launch!().start();
    for (path, data) in [
        ("a?id=twice", "1"),
        ("b", "2"),
        ("b?id=twice", "3"),
        ("a", "4"),
        ("b", "5"),
    ] {
        publish(&hub, &format!("/t/{path}"), &[], data);
    }
    for (query, expected) in [
        ("topic=a", &["4"][..]),
        ("topic=b", &["5"]),
        ("topic=a&topic=b", &["2", "3", "4", "5"]),
        ("topic=**", &["2", "3", "4", "5"]),
        ("topic=b&topic=c", &["5"]),
    ] {
        let mut watch = hub.resume(&format!("/events?{query}"), "twice");
        let data: Vec<String> = watch
            .events(expected.len())
            .into_iter()
            .map(|e| e.data)
            .collect();
        assert_eq!(data, expected, "{query}");
    }
    let gap = hub.resume("/t/c", "twice").next().expect("a gap");
    assert_eq!(gap.event, "tidings:gap");
}

#[test]
fn b7_event_names() {
    let hub = launch!().start();
    let long = "x".repeat(129);
    for name in [
        "",
        "a%0Ab",
        "a%0Db",
        "a%0D%0Adata:%20x",
        "a%00b",
        "tidings:gap",
        "tidings:",
        "%74idings:x",
        "mercure",
        "mercure:x",
        &long,
    ] {
        let path = format!("/t/names?event={name}");
        check_refused(&hub, ("POST", &path, &[], b"x"), 400, "invalid-event");
    }
    let path = format!("/t/names?event=a&event={CANARY}");
    check_refused(&hub, ("POST", &path, &[], b"x"), 400, "bad-request");
    let mut watch = hub.watch("/t/names").opened();
    let longest = "x".repeat(128);
    for name in ["message", "tidings", "Tidings:x", "error", "open", &longest] {
        publish(&hub, &format!("/t/names?event={name}"), &[], "");
        assert_eq!(watch.next().expect("an event").event, name);
    }
}

#[test]
fn b8_retry() {
    let hub = launch!().start();
    for retry in [
        "-1",
        "0",
        "1",
        "99",
        "3600001",
        "1e9",
        "18446744073709551616",
        "5s",
        "%D9%A3%D9%A3%D9%A3",
        "",
        "+200",
        "%2B200",
        "200.0",
        "0x200",
    ] {
        let path = format!("/t/retry?retry={retry}");
        check_refused(&hub, ("POST", &path, &[], b"x"), 400, "invalid-event");
    }
    let mut watch = hub.watch("/t/retry").opened();
    for retry in [100, 3_600_000] {
        publish(&hub, &format!("/t/retry?retry={retry}"), &[], "");
        watch.next().expect("an event");
        assert_eq!(watch.retry(), Some(retry));
    }
}

#[test]
fn b10_topics_that_nobody_may_publish_to() {
    let hub = launch!().start();
    let long = format!("/t/{}", "x".repeat(4097));
    for (path, status, code) in [
        ("/t/", 400, "invalid-topic"),
        ("/t//", 400, "invalid-topic"),
        ("/t//a", 400, "invalid-topic"),
        ("/t/a/", 400, "invalid-topic"),
        ("/t/a//b", 400, "invalid-topic"),
        ("/t/a%2F%2Fb", 400, "invalid-topic"),
        ("/t/./a", 400, "invalid-topic"),
        ("/t/a/..", 400, "invalid-topic"),
        ("/t/%2e%2e/a", 400, "invalid-topic"),
        ("/t/a*", 400, "invalid-topic"),
        ("/t/*", 400, "invalid-topic"),
        ("/t/**", 400, "invalid-topic"),
        ("/t/a%0Ab", 400, "invalid-topic"),
        ("/t/a%0D", 400, "invalid-topic"),
        ("/t/a%00", 400, "invalid-topic"),
        ("/t/a%7F", 400, "invalid-topic"),
        ("/t/a%C2%9B", 400, "invalid-topic"),
        (&long, 400, "invalid-topic"),
        ("/t/%C0%AF", 400, "bad-request"),
        ("/t/%ED%A0%80", 400, "bad-request"),
        ("/t/%", 400, "bad-request"),
        ("/t/%zz", 400, "bad-request"),
        ("/t/a%2", 400, "bad-request"),
        ("/t/$", 403, "reserved-topic"),
        ("/t/$presence/a", 403, "reserved-topic"),
        ("/t/%24x", 403, "reserved-topic"),
        ("/T/a", 404, "not-found"),
        ("/t", 404, "not-found"),
        ("//t/a", 404, "not-found"),
        ("/", 405, "method-not-allowed"),
        ("/metrics", 405, "method-not-allowed"),
        ("/readyz", 405, "method-not-allowed"),
    ] {
        check_refused(&hub, ("POST", path, &[], CANARY.as_bytes()), status, code);
    }
    // Compared byte by byte, decoded once.
    for path in [
        "/t/A",
        "/t/a$",
        "/t/a/$b",
        "/t/...",
        "/t/a;b=c",
        "/t/longest",
    ] {
        publish(&hub, path, &[], "x");
    }
    let longest = format!("/t/{}", "x".repeat(4096));
    publish(&hub, &longest, &[], "x");
    for (path, topic) in [
        ("/t/%61%2Fb", "a/b"),
        ("/t/%2561", "%61"),
        ("/t/a+b", "a+b"),
        ("/t/a%20b", "a b"),
        ("/t/caf%C3%A9", "café"),
        ("/t/cafe%CC%81", "cafe\u{301}"),
    ] {
        let answer = hub.post(path, "x");
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        assert_eq!(answer.json()["topic"], topic);
    }
}

#[test]
fn b21_idempotency_keys() {
    let hub = launch!().start();
    let mut watch = hub.watch("/events?topic=keys&topic=other").opened();
    let key: Headers<'_> = &[("Idempotency-Key", "order-1")];
    let id = publish(&hub, "/t/keys?event=a", key, "one");
    let again = |hub: &HubProcess| {
        assert_eq!(publish(hub, "/t/keys?event=a", key, "one"), id);
        for (path, body) in [
            ("/t/keys?event=a", "two"),
            ("/t/keys?event=b", "one"),
            ("/t/keys", "one"),
            ("/t/keys?event=a&retry=100", "one"),
            ("/t/keys?event=a&id=x", "one"),
            ("/t/other?event=a", "one"),
        ] {
            check_refused(
                hub,
                ("POST", path, key, body.as_bytes()),
                422,
                "key-conflict",
            );
        }
    };
    again(&hub);
    let second = publish(
        &hub,
        "/t/keys?event=a",
        &[("idempotency-key", "order-2")],
        "one",
    );
    assert_ne!(second, id);
    assert_eq!(
        [
            watch.events(2)[0].id.clone(),
            watch.last_event_id().to_owned()
        ],
        [id.clone(), second]
    );
    let mut ended = hub.kill().start();
    again(&ended);
    ended.terminate();
    ended.wait(tidings_testkit::PATIENCE);
    let hub = ended.kill().start();
    again(&hub);
    publish(&hub, "/t/keys", &[], "end");
    let data = hub.watch("/t/keys?since=earliest").events(3);
    let data: Vec<&str> = data.iter().map(|e| &*e.data).collect();
    assert_eq!(data, ["one", "one", "end"]);
}

#[test]
fn b21_one_key_used_at_the_same_time() {
    let hub = launch!().start();
    for round in 0..10 {
        let key = format!("round-{round}");
        let ids: Vec<String> = std::thread::scope(|scope| {
            let ask = || publish(&hub, "/t/keys", &[("Idempotency-Key", &key)], &key);
            let asking: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
            asking
                .into_iter()
                .map(|a| a.join().expect("an answer"))
                .collect()
        });
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    }
    let events = hub.watch("/t/keys?since=earliest").events(10);
    let data: Vec<&str> = events.iter().map(|e| &*e.data).collect();
    let expected: Vec<String> = (0..10).map(|round| format!("round-{round}")).collect();
    assert_eq!(data, expected);
    assert_eq!(hub.metric("tidings_store_last_position"), 10);
}

#[test]
fn b21_idempotency_keys_that_are_none() {
    let hub = launch!().start();
    let long = "k".repeat(300);
    let refused = |headers: Headers<'_>| {
        check_refused(&hub, ("POST", "/t/keys", headers, b"x"), 400, "bad-request");
    };
    refused(&[("Idempotency-Key", "")]);
    refused(&[("Idempotency-Key", &long)]);
    refused(&[("Idempotency-Key", &long[..256])]);
    refused(&[("Idempotency-Key", "caf\u{e9}")]);
    refused(&[("Idempotency-Key", "a\tb")]);
    refused(&[("Idempotency-Key", CANARY), ("Idempotency-Key", "b")]);
    publish(&hub, "/t/keys", &[("Idempotency-Key", &long[..255])], "x");
    // A line end in a key ends the header: what follows is another one.
    let broken: Headers<'_> = &[("Idempotency-Key", "a\rb")];
    assert_eq!(
        hub.http().request("POST", "/t/keys", broken, b"x").status,
        400
    );
}

#[test]
fn b22_a_publisher_that_leaves_before_the_answer_can_repeat_its_request() {
    let hub = launch!().start();
    let mut expected = Vec::new();
    for round in 0..20 {
        let (key, body) = (format!("key-{round}"), format!("body {round}"));
        let headers: Headers<'_> = &[("Idempotency-Key", &key)];
        let mut http = hub.http();
        http.send_request("POST", "/t/left", headers, body.as_bytes())
            .expect("sent");
        http.reset().expect("reset");
        let id = publish(&hub, "/t/left", headers, &body);
        assert_eq!(publish(&hub, "/t/left", headers, &body), id);
        expected.push((id, body));
    }
    let events = hub.watch("/t/left?since=earliest").events(20);
    let events: Vec<_> = events.into_iter().map(|e| (e.id, e.data)).collect();
    assert_eq!(events, expected);
    assert_eq!(hub.metric("tidings_store_last_position"), 20);
}

#[test]
fn odd_parameters_of_a_publish_are_refused() {
    let hub = launch!().start();
    for query in ["event=%", "id=%zz", "x=%C0%AF", "retry=1000&retry=1000"] {
        let path = format!("/t/a?{query}");
        check_refused(&hub, ("POST", &path, &[], b"x"), 400, "bad-request");
    }
}
