//! `tidings publish` to a hub, and to a server whose every word the test says.

mod tool;

use serde_json::{Value, json};
use tidings_testkit::{CANARY, Exchange, HubProcess, Scripted, launch};
use tool::{Ended, Tool, run};

const JSON: (&str, &str) = ("Content-Type", "application/json");
const PROBLEM: (&str, &str) = ("Content-Type", "application/problem+json");

/// Publishes to `/t/x` of a hub.
fn publish(hub: &HubProcess, args: &[&str], input: &str) -> Ended {
    let url = format!("{}/t/x", hub.address());
    let all: Vec<&str> = ["publish", &url]
        .into_iter()
        .chain(args.iter().copied())
        .collect();
    run(&all, input.as_bytes())
}

/// All events of the hub as (event, data).
fn events(hub: &HubProcess) -> Vec<(String, String)> {
    let accept = [("Accept", "application/json")];
    let path = "/t/**?since=earliest&limit=1000";
    let page = hub.http().request("GET", path, &accept, b"").json();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let events = page["events"].as_array().expect("events");
    events
        .iter()
        .map(|event| (text(&event["event"]), text(&event["data"])))
        .collect()
}

/// What is published by `args` and `input`.
#[track_caller]
fn check_published(args: &[&str], input: &str, expected: &[(&str, &str)]) {
    let hub = launch!().start();
    let ended = publish(&hub, args, input);
    ended.check(0, &[]);
    assert_eq!(ended.stderr, "");
    let expected: Vec<_> = expected
        .iter()
        .map(|(e, d)| ((*e).to_owned(), (*d).to_owned()))
        .collect();
    assert_eq!(events(&hub), expected, "{args:?} {input:?}");
}

#[test]
fn data_is_an_argument_or_the_input() {
    check_published(&["hello"], "unread", &[("message", "hello")]);
    check_published(&["-"], "a\nb\n", &[("message", "a\nb")]);
    check_published(&[], "ünï\r\n", &[("message", "ünï")]);
    check_published(&[""], "", &[("message", "")]);
    check_published(&["-x"], "", &[("message", "-x")]);
    check_published(&["{\"a\":1}"], "", &[("message", "{\"a\":1}")]);
    check_published(
        &["hello", "--event", "shipped"],
        "",
        &[("shipped", "hello")],
    );
    check_published(&["hello", "--type=shipped"], "", &[("shipped", "hello")]);
}

#[test]
fn lines_are_events_each() {
    let plain = [("message", "a"), ("message", ""), ("message", "\"b\"")];
    check_published(&["--lines"], "a\n\n\"b\"", &plain);
    check_published(
        &["--lines", "--event=e"],
        "a\r\nb\n",
        &[("e", "a"), ("e", "b")],
    );
    let keyed = ["--lines", "--idempotency-key=k"];
    check_published(&keyed, "a\n\n\"b\"\n", &plain);
    let events = "{\"data\":\"a\",\"event\":\"e\"}\n\n{\"data\":{\"b\":1}}\n";
    check_published(
        &["--ndjson"],
        events,
        &[("e", "a"), ("message", "{\"b\":1}")],
    );
    check_published(
        &["--ndjson", "--idempotency-key=k"],
        events,
        &[("e", "a"), ("message", "{\"b\":1}")],
    );
    check_published(&["--lines"], "", &[]);
    let many: String = (0..5000).map(|n| format!("{n}\n")).collect();
    let hub = launch!().start();
    let ended = publish(&hub, &["--lines", "--json"], &many);
    let answer: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    assert_eq!(answer["published"], 5000);
    let mut watch = hub.watch("/t/x?since=earliest");
    let all: Vec<String> = watch
        .events(5000)
        .into_iter()
        .map(|event| event.data)
        .collect();
    assert_eq!(all, (0..5000).map(|n| n.to_string()).collect::<Vec<_>>());
    let answered = answer["last_id"].as_str().expect("an id");
    assert_eq!(answered, watch.last_event_id());
}

#[test]
fn close_ends_the_topic_behind_what_is_published() {
    let hub = launch!().start();
    let end = ("tidings:end".to_owned(), r#"{"topic":"x"}"#.to_owned());
    let mut all = Vec::new();
    for (args, input, data) in [
        (&["last", "--close"][..], "", &["last"][..]),
        (&["--close", "--reopen"], "typed\n", &["typed"]),
        (&["--lines", "--close", "--reopen"], "a\nb\n", &["a", "b"]),
        (
            &["--lines", "--close", "--reopen", "--idempotency-key=k"],
            "c\nd\n",
            &["c", "d"],
        ),
    ] {
        let ended = publish(&hub, args, input);
        ended.check(0, &[]);
        assert_eq!(ended.stderr, "");
        // Each reopening takes away the end before it.
        all.retain(|event| *event != end);
        all.extend(data.iter().map(|data| ("message".into(), (*data).into())));
        all.push(end.clone());
        assert_eq!(events(&hub), all, "{args:?}");
        publish(&hub, &["more"], "").check(4, &["409", "the topic is closed"]);
    }
    // Nothing to say: the end that there is.
    let again = publish(&hub, &["--close", "--json"], "");
    again.check(0, &[]);
    let lines = publish(&hub, &["--lines", "--close"], "");
    lines.check(0, &[]);
    let answer: Value = serde_json::from_str(&again.stdout).expect("JSON");
    assert_eq!(answer["closed"], true);
    assert_eq!(answer["end_id"], lines.stdout.trim());
    assert_eq!(events(&hub), all);
}

#[test]
fn lines_are_published_as_they_come() {
    let hub = launch!().start();
    let mut watch = hub.watch("/t/x").opened();
    let url = format!("{}/t/x", hub.address());
    for keyed in [false, true] {
        let key: &[&str] = if keyed { &["--idempotency-key=k"] } else { &[] };
        let mut tool = Tool::start(&[&["publish", &url, "--lines"], key].concat());
        for line in ["one", "two", "three"] {
            tool.input(format!("{line}\n").as_bytes());
            assert_eq!(watch.next().expect("an event").data, line);
        }
        tool.end_input();
        let ended = tool.ended();
        ended.check(0, &[]);
        assert_eq!(ended.stdout, format!("{}\n", watch.last_event_id()));
    }
}

#[test]
fn the_answer_is_the_id_once_it_is_durable() {
    let hub = launch!().start();
    let mut watch = hub.watch("/t/x").opened();
    let plain = publish(&hub, &["a"], "");
    assert_eq!(
        plain.stdout,
        format!("{}\n", watch.next().expect("an event").id)
    );
    let own = publish(&hub, &["b", "--id", "my 1", "--retry", "700"], "");
    assert_eq!(own.stdout, "my 1\n");
    assert_eq!(watch.next().expect("an event").id, "my 1");
    assert_eq!(watch.retry(), Some(700));
    let json = publish(&hub, &["c", "--json"], "");
    let id = watch.next().expect("an event").id;
    let answer: Value = serde_json::from_str(&json.stdout).expect("JSON");
    assert_eq!(answer, json!({ "id": id, "topic": "x" }));
    assert_eq!(json.stdout.lines().count(), 1);
    // It is there after a crash.
    let hub = hub.kill().start();
    assert_eq!(events(&hub).len(), 3);
}

#[test]
fn structured_events_go_to_events() {
    let hub = launch!().start();
    let url = format!("{}/events", hub.address());
    let events_json =
        "[{\"topic\":\"a\",\"data\":\"1\"},{\"topic\":\"b/c\",\"data\":\"2\",\"event\":\"e\"}]";
    let ended = run(&["publish", &url, events_json], b"");
    ended.check(0, &[]);
    let lines = "{\"topic\":\"a\",\"data\":\"3\"}\n{\"topic\":\"d\",\"data\":\"4\"}\n";
    run(&["publish", &url, "--ndjson"], lines.as_bytes()).check(0, &[]);
    let data: Vec<_> = events(&hub).into_iter().map(|(_, data)| data).collect();
    assert_eq!(data, ["1", "2", "3", "4"]);
}

#[test]
fn b21_a_key_publishes_once_however_often_it_is_repeated() {
    let hub = launch!().start();
    let key = "--idempotency-key=order 42";
    let first = publish(&hub, &["a", key], "");
    assert_eq!(publish(&hub, &["a", key], "").stdout, first.stdout);
    publish(&hub, &["b", key], "").check(
        4,
        &[
            "publish: 127.0.0.1:",
            "the answer is 422: this Idempotency-Key",
        ],
    );
    // Lines too, though they come together otherwise.
    let first = publish(
        &hub,
        &["--lines", "--idempotency-key=k", "--json"],
        "x\ny\n",
    );
    assert_eq!(
        publish(
            &hub,
            &["--lines", "--idempotency-key=k", "--json"],
            "x\ny\nz\n"
        )
        .code,
        Some(0)
    );
    first.check(0, &[]);
    let data: Vec<_> = events(&hub).into_iter().map(|(_, data)| data).collect();
    assert_eq!(data, ["a", "x", "y", "z"]);
}

#[test]
fn what_the_hub_refuses() {
    let hub = launch!().start();
    publish(&hub, &["a", "--id=1"], "").check(0, &[]);
    let table = [
        (&["b", "--id=1"][..], "", 4, "the answer is 409: "),
        (&["b", "--id=td-1"], "", 4, "the answer is 400: "),
        (&["b", "--event=tidings:x"], "", 4, "the answer is 400: "),
        (&["b", "--retry=1"], "", 4, "the answer is 400: "),
        (
            &["--ndjson"],
            "{\"data\":\"c\"}\n{\"data\":\"d\"}\nnonsense\n",
            4,
            "; 2 events before it are published",
        ),
        (
            &["--lines", "--event=tidings:x"],
            "a\n",
            4,
            "the answer is 400: ",
        ),
    ];
    for (args, input, code, said) in table {
        let ended = publish(&hub, args, input);
        ended.check(code, &["tidings: publish: 127.0.0.1:", said]);
        assert_eq!(ended.stdout, "");
    }
    let data: Vec<_> = events(&hub).into_iter().map(|(_, data)| data).collect();
    assert_eq!(data, ["a", "c", "d"]);
}

/// Starts publishing to a server.
fn start(server: &Scripted, args: &[&str]) -> Tool {
    let url = server.url("/t/x?a=b");
    let all: Vec<&str> = ["publish", &url]
        .into_iter()
        .chain(args.iter().copied())
        .collect();
    Tool::start(&all)
}

#[test]
fn the_request_is_what_was_asked_for() {
    let server = Scripted::new();
    let args = [
        "ünï",
        "--event=e f",
        "--id=1",
        "--retry=500",
        "-H",
        "Authorization: Bearer t",
        "--idempotency-key=k",
    ];
    let tool = start(&server, &args);
    let exchange = server.next();
    let asked = &exchange.asked;
    assert_eq!(
        (&*asked.method, &*asked.path),
        ("POST", "/t/x?a=b&event=e+f&id=1&retry=500")
    );
    assert_eq!(asked.text(), "ünï");
    for (name, value) in [
        ("authorization", "Bearer t"),
        ("idempotency-key", "k"),
        ("content-type", "text/plain; charset=utf-8"),
    ] {
        assert_eq!(asked.header(name).as_deref(), Some(value));
    }
    // As hubs of the Mercure protocol answer.
    exchange.answer(200, &[("Content-Type", "text/plain")], "urn:uuid:1\n");
    let ended = tool.ended();
    ended.check(0, &[]);
    assert_eq!(ended.stdout, "urn:uuid:1\n");
    let url = format!("http://me:p@{}/t/x", server.address());
    let _tool = Tool::start(&["publish", &url, "x", "-H", "Content-Type: a/b"]);
    let asked = server.next().asked;
    // RFC 7617: base64 of "me:p".
    assert_eq!(
        asked.header("authorization").as_deref(),
        Some("Basic bWU6cA==")
    );
    assert_eq!(asked.header("content-type").as_deref(), Some("a/b"));
    assert_eq!(asked.header("idempotency-key"), None);
}

#[test]
fn without_a_key_nothing_is_sent_twice() {
    let lost: fn(Exchange) = |exchange| exchange.reset();
    let busy: fn(Exchange) = |exchange| exchange.answer(503, &[("Retry-After", "0")], "");
    for (answer, code) in [(lost, 6), (busy, 5)] {
        for args in [&["data"][..], &["--lines"]] {
            let server = Scripted::new();
            let mut tool = start(&server, args);
            tool.input(b"line\n");
            answer(server.next());
            tool.ended().check(code, &["publish: 127.0.0.1:"]);
            assert!(server.within(std::time::Duration::ZERO).is_none());
        }
    }
}

#[test]
fn with_a_key_it_is_repeated_until_it_is_published() {
    let server = Scripted::new();
    let tool = start(&server, &["data", "--idempotency-key=k"]);
    let mut repeated = 0;
    let mut next = || {
        let exchange = server.next();
        assert_eq!(
            exchange.asked.header("idempotency-key").as_deref(),
            Some("k")
        );
        assert_eq!(exchange.asked.text(), "data");
        repeated += 1;
        exchange
    };
    next().reset();
    next().answer(503, &[("Retry-After", "1")], "");
    next().answer(429, &[], "");
    next().answer(200, &[JSON], "{\"id\":\"td-1\"}");
    assert_eq!(repeated, 4);
    let ended = tool.ended();
    ended.check(0, &[]);
    assert_eq!((&*ended.stdout, &*ended.stderr), ("td-1\n", ""));
    // What won't become better isn't.
    let tool = start(&server, &["data", "--idempotency-key=k"]);
    server
        .next()
        .answer(422, &[PROBLEM], "{\"detail\":\"used\"}");
    tool.ended().check(4, &["the answer is 422: used"]);
}

#[test]
fn with_a_key_each_line_has_its_own() {
    let server = Scripted::new();
    let mut tool = start(&server, &["--lines", "--idempotency-key=k", "--json"]);
    tool.input(b"a\nb\n");
    for (key, body, status) in [("k-1", "a", 200), ("k-2", "b", 500), ("k-2", "b", 200)] {
        let exchange = server.next();
        assert_eq!(
            exchange.asked.header("idempotency-key").as_deref(),
            Some(key)
        );
        assert_eq!(exchange.asked.text(), format!("{{\"data\":\"{body}\"}}\n"));
        let content_type = exchange.asked.header("content-type");
        assert_eq!(content_type.as_deref(), Some("application/x-ndjson"));
        let answer = format!("{{\"published\":1,\"last_id\":\"of {body}\"}}");
        exchange.answer(status, &[JSON], &answer);
    }
    tool.end_input();
    let ended = tool.ended();
    ended.check(0, &[]);
    assert_eq!(ended.stdout, "{\"last_id\":\"of b\",\"published\":2}\n");
}

#[test]
fn exit_codes_and_what_the_server_says() {
    let nasty = "{\"detail\":\"no\\u001b[31m\\nway\",\"published\":0}";
    let table = [
        (
            400,
            &[PROBLEM][..],
            nasty,
            4,
            "the answer is 400: no[31mway\n",
        ),
        (401, &[], "<html>", 4, "the answer is 401\n"),
        (404, &[PROBLEM], "{\"detail\":7}", 4, "the answer is 404\n"),
        (
            500,
            &[PROBLEM],
            "{\"detail\":\"broken\"}",
            5,
            "the answer is 500: broken\n",
        ),
        (
            307,
            &[("Location", "/else")],
            "",
            1,
            "a redirect; give the URL where it leads to\n",
        ),
        (204, &[], "", 0, ""),
        (200, &[JSON], "[1]", 0, ""),
    ];
    for (status, headers, body, code, said) in table {
        let server = Scripted::new();
        let tool = start(&server, &["x"]);
        server.next().answer(status, headers, body);
        let ended = tool.ended();
        ended.check(code, &[said]);
        assert!(ended.stdout.chars().all(|c| c == '\n' || !c.is_control()));
        assert!(
            !ended.stderr.trim_end().contains(char::is_control),
            "{ended:?}"
        );
    }
    run(&["publish", "127.0.0.1:1", "x"], b"").check(
        6,
        &["publish: 127.0.0.1:1: the server could not be reached"],
    );
    let server = Scripted::new();
    let tool = start(&server, &["x", "--timeout", "300ms"]);
    let exchange = server.next();
    tool.ended().check(7, &["no answer within 0.3 s"]);
    drop(exchange);
}

#[test]
fn usage_errors_repeat_no_secrets() {
    let url = format!("http://host:99999/{CANARY}");
    let event = format!("host/?event={CANARY}");
    let key = format!("--idempotency-key={CANARY}ü");
    let header = format!("--header={CANARY}");
    let table: [&[&str]; 11] = [
        &["publish"],
        &["publish", &url, "x"],
        &["publish", &event, "x", "--event=y"],
        &["publish", "host", "x", &key],
        &["publish", "host", "x", &header],
        &["publish", "host", "x", "-H", "Idempotency-Key: k"],
        &["publish", "host", CANARY, "--lines"],
        &["publish", "host", "--lines", "--id=1"],
        &["publish", "host", "--lines", "--ndjson"],
        &["publish", "host", "--ndjson", "--event=e"],
        &["publish", "host", "x", "--timeout=soon"],
    ];
    for args in table {
        let ended = run(args, b"");
        ended.check(2, &[]);
        assert!(!ended.stderr.is_empty() && ended.stdout.is_empty());
        assert!(!ended.stderr.contains(CANARY), "{args:?}: {}", ended.stderr);
    }
}

#[test]
fn p26_secrets_stand_in_no_output() {
    for answer in [401, 500, 302] {
        let server = Scripted::new();
        let url = format!(
            "http://me:{CANARY}@{}/{CANARY}?token={CANARY}",
            server.address()
        );
        let header = format!("Authorization: Bearer {CANARY}");
        let tool = Tool::start(&["publish", &url, CANARY, "-H", &header]);
        server
            .next()
            .answer(answer, &[("Location", CANARY)], CANARY);
        let ended = tool.ended();
        assert!(!ended.stderr.is_empty());
        assert!(!format!("{ended:?}").contains(CANARY), "{ended:?}");
    }
}

#[test]
fn bad_lines_are_named() {
    let hub = launch!().start();
    let url = format!("{}/t/x", hub.address());
    let ended = run(&["publish", &url, "--lines"], b"a\nb\xff\n");
    ended.check(1, &["publish: line 2 isn't UTF-8"]);
}

#[test]
fn e10_a_closed_pipe_is_no_error() {
    let hub = launch!().start();
    let url = format!("{}/t/x", hub.address());
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut command = tool::command(&["publish", &url, "x"]);
    let ended = Tool::spawn(command.stdout(writer)).ended();
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
    assert_eq!(events(&hub).len(), 1);
}
