//! The contract service, driven as a contract suite would: one test for each
//! capability, and for each trap that clients are known to fall into.

#[path = "../examples/contract_service/mod.rs"]
mod contract_service;
#[path = "contract/suite.rs"]
mod suite;

use serde_json::{Value, json};
use suite::Suite;
use tidings_testkit::{Exchange, Scripted};

/// Sends `pieces`, each in a write of its own; the client has seen the events
/// (type, data, id).
#[track_caller]
fn check_events<P: AsRef<[u8]>>(pieces: &[P], expected: &[(&str, &str, &str)]) {
    let suite = Suite::new();
    let stream = suite.open(&json!({}));
    for event_type in ["greeting", "Message", " x"] {
        suite.listen(&stream, event_type);
    }
    let mut exchange = suite.connected();
    for piece in pieces {
        exchange.send(piece);
    }
    for (event_type, data, id) in expected {
        suite.heard_event(event_type, data, id);
    }
    // Nothing else came of it.
    exchange.send("\n\ndata: the end\n\n");
    let end = suite.heard();
    assert_eq!(end["event"]["data"], "the end", "{end}");
}

/// Answers one event, and waits until it was seen.
#[track_caller]
fn one_event(suite: &Suite, text: &str) -> Exchange {
    let mut exchange = suite.connected();
    exchange.send(text);
    let heard = suite.heard();
    assert_eq!(heard["kind"], "event", "{heard}");
    exchange
}

#[test]
fn it_says_what_it_can_and_ends_when_asked() {
    let suite = Suite::new();
    let answer = suite.control("GET", "/", "");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let said = answer.json();
    assert!(said["name"].is_string());
    let capabilities = json!([
        "bom",
        "comments",
        "event-type-listeners",
        "headers",
        "last-event-id",
        "post",
        "read-timeout",
        "report",
        "restart",
        "server-directed-shutdown-request",
    ]);
    assert_eq!(said["capabilities"], capabilities);
    suite.open(&json!({}));
    let exchange = suite.connected();
    suite.end();
    exchange.closed();
}

#[test]
fn control_requests_that_make_no_sense_change_nothing() {
    let suite = Suite::new();
    let stream = suite.open(&json!({}));
    let table = [
        ("POST", "/", "{", 400),
        ("POST", "/", "{\"streamUrl\":7}", 400),
        ("POST", &stream, "{\"command\":\"dance\"}", 400),
        ("POST", &stream, "{\"command\":\"listen\"}", 400),
        ("POST", "/streams/7", "{\"command\":\"restart\"}", 404),
        ("DELETE", "/streams/7", "", 404),
        ("GET", "/nowhere", "", 404),
        ("GET", &stream, "", 405),
        ("PUT", "/", "", 405),
    ];
    for (method, path, body, status) in table {
        let answer = suite.control(method, path, body);
        assert_eq!(
            answer.status,
            status,
            "{method} {path} {body}: {}",
            answer.text()
        );
    }
    let table = [
        ("no URL", json!({})),
        ("/relative", json!({})),
        ("http://", json!({})),
        ("http://127.0.0.1:1/", json!({ "callbackUrl": "nowhere" })),
        ("http://127.0.0.1:1/", json!({ "method": "a b" })),
        ("http://127.0.0.1:1/", json!({ "headers": { "a b": "c" } })),
        ("http://127.0.0.1:1/", json!({ "headers": { "a": "b\nc" } })),
        ("http://127.0.0.1:1/", json!({ "lastEventId": "a\nb" })),
    ];
    for (url, with) in table {
        let answer = suite.try_open(url, &with);
        assert_eq!(answer.status, 400, "{url} {with}: {}", answer.text());
    }
    suite.connected().send("data: still here\n\n");
    suite.heard_event("message", "still here", "");
    suite.end();
}

#[test]
fn a_stream_that_is_deleted_is_closed_and_says_no_more() {
    let suite = Suite::new();
    let stream = suite.open(&json!({}));
    let exchange = one_event(&suite, "data: x\n\n");
    assert_eq!(suite.control("DELETE", &stream, "").status, 204);
    exchange.closed();
    assert_eq!(suite.control("DELETE", &stream, "").status, 404);
    suite.check_quiet();
}

#[test]
fn the_default_request() {
    let suite = Suite::new();
    suite.open(&json!({}));
    let asked = suite.requested().asked;
    assert_eq!((&*asked.method, &*asked.path), ("GET", "/stream"));
    assert_eq!(asked.header("accept").as_deref(), Some("text/event-stream"));
    assert_eq!(asked.header("cache-control").as_deref(), Some("no-cache"));
    assert_eq!(asked.header("last-event-id"), None);
    assert_eq!(asked.text(), "");
}

#[test]
fn events_fields_and_line_ends() {
    for end in ["\n", "\r", "\r\n"] {
        let stream = [
            "data: one",
            "",
            "data:two",
            "data: lines",
            "",
            "event: greeting",
            "data: three",
            "id: 3",
            "",
            "id: 4",
            "data",
            "",
            "data:",
            "nonsense: x",
            ": not asked",
            "",
        ]
        .join(end)
            + end;
        // Comments are reported where they come; without any here.
        let stream = stream.replace(&format!(": not asked{end}"), "");
        let expected = [
            ("message", "one", ""),
            ("message", "two\nlines", ""),
            ("greeting", "three", "3"),
            ("message", "", "4"),
            ("message", "", "4"),
        ];
        check_events(&[&stream], &expected);
        let (first, rest) = stream.split_at(stream.len() / 2);
        check_events(&[first, rest], &expected);
    }
}

#[test]
fn traps_of_the_grammar() {
    check_events(
        &["data:  two spaces\n\nid: 1\ndata: a\n\nid: x\0y\ndata: b\n\nid\ndata: c\n\n"],
        &[
            ("message", " two spaces", ""),
            ("message", "a", "1"),
            ("message", "b", "1"),
            ("message", "c", ""),
        ],
    );
    check_events(
        &[
            "event: greeting\n\ndata: unnamed\n\nevent: Message\ndata: case\n\nevent:  x\ndata: space\n\n",
        ],
        &[
            ("message", "unnamed", ""),
            ("Message", "case", ""),
            (" x", "space", ""),
        ],
    );
    check_events(
        &["id: 7\n\ndata: remembered\n\nDATA: x\ndata : x\n data: x\n\n"],
        &[("message", "remembered", "7")],
    );
}

#[test]
fn text_of_many_bytes_cut_anywhere() {
    let text = "data: ünïcödé 今日は 🎉\nid: é\nevent: greeting\n\n";
    let expected = [("greeting", "ünïcödé 今日は 🎉", "é")];
    let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
    check_events(&bytes, &expected);
    let chunks: Vec<String> = text.as_bytes().chunks(1).map(latin1_chunk).collect();
    check_chunked(&chunks, &expected);
}

/// One chunk of a chunked body, as an escape that [`check_chunked`] undoes.
fn latin1_chunk(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// The same with each piece as a chunk of the transfer coding; every `char` is
/// a byte.
#[track_caller]
fn check_chunked(pieces: &[String], expected: &[(&str, &str, &str)]) {
    let suite = Suite::new();
    let stream = suite.open(&json!({}));
    suite.listen(&stream, "greeting");
    let mut exchange = suite.requested();
    let headers = [
        ("Content-Type", "text/event-stream; charset=utf-8"),
        ("Transfer-Encoding", "chunked"),
    ];
    exchange.head(200, &headers);
    for piece in pieces {
        let bytes: Vec<u8> = piece.chars().map(|c| c as u8).collect();
        exchange.send(format!("{:x}\r\n", bytes.len()));
        exchange.send(bytes);
        exchange.send("\r\n");
    }
    for (event_type, data, id) in expected {
        suite.heard_event(event_type, data, id);
    }
}

#[test]
fn large_events_in_pieces_of_any_size() {
    let data: String = ('a'..='z').cycle().take(3 << 20).collect();
    let stream = format!("data: {data}\n\ndata: {data}\ndata: x\nid: 1\n\n");
    let pieces: Vec<&[u8]> = stream.as_bytes().chunks(77_777).collect();
    let two = format!("{data}\nx");
    check_events(&pieces, &[("message", &data, ""), ("message", &two, "1")]);
}

#[test]
fn many_events_come_in_order() {
    let suite = Suite::new();
    suite.open(&json!({}));
    let stream: String = (0..200)
        .map(|n| format!("data: {n}\nid: {n}\n\n"))
        .collect();
    suite.connected().send(stream);
    for n in 0..200 {
        let n = n.to_string();
        suite.heard_event("message", &n, &n);
    }
}

#[test]
fn bom() {
    check_events(
        &["\u{FEFF}data: a\n\n\u{FEFF}data: b\n\n"],
        &[("message", "a", "")],
    );
    let bytes: Vec<&[u8]> = "\u{FEFF}data: a\n\n".as_bytes().chunks(1).collect();
    check_events(&bytes, &[("message", "a", "")]);
    // Each connection may begin with one.
    let suite = Suite::new();
    suite.open(&json!({}));
    for _ in 0..2 {
        let mut exchange = suite.connected();
        exchange.send("\u{FEFF}data: a\n\n");
        suite.heard_event("message", "a", "");
        exchange.end();
        suite.heard_error();
    }
}

#[test]
fn comments() {
    let suite = Suite::new();
    suite.open(&json!({}));
    suite
        .connected()
        .send(":Hello\n: one space\n:\ndata: x\n:inside\n\n");
    for comment in ["Hello", "one space", "", "inside"] {
        assert_eq!(
            suite.heard(),
            json!({ "kind": "comment", "comment": comment })
        );
    }
    suite.heard_event("message", "x", "");
}

#[test]
fn event_type_listeners() {
    let suite = Suite::new();
    let stream = suite.open(&json!({}));
    suite.listen(&stream, "greeting");
    let mut exchange = suite.connected();
    let events = "event: greeting\ndata: a\n\nevent: other\ndata: b\n\nevent: message\ndata: c\n\n";
    exchange.send(events);
    suite.heard_event("greeting", "a", "");
    suite.heard_event("message", "c", "");
    suite.listen(&stream, "other");
    exchange.send(events);
    suite.heard_event("greeting", "a", "");
    suite.heard_event("other", "b", "");
    suite.heard_event("message", "c", "");
}

#[test]
fn headers() {
    let suite = Suite::new();
    let headers = json!({ "X-One": "1", "x-two": "zwei ü", "Accept": "text/plain" });
    suite.open(&json!({ "headers": headers }));
    for _ in 0..2 {
        let exchange = one_event(&suite, "data\n\n");
        let asked = &exchange.asked;
        assert_eq!(asked.header("x-one").as_deref(), Some("1"));
        assert_eq!(asked.header("x-two").as_deref(), Some("zwei ü"));
        assert_eq!(asked.header("accept").as_deref(), Some("text/plain"));
        exchange.end();
        suite.heard_error();
    }
}

#[test]
fn last_event_id() {
    let suite = Suite::new();
    suite.open(&json!({ "lastEventId": "wörld-7" }));
    let table = [
        ("wörld-7", "data: inherits\n\n", "wörld-7"),
        (
            "wörld-7",
            "id: 8\ndata\n\nid: 9\ndata: never dispatched\n",
            "8",
        ),
        ("8", "id: a b\n\ndata\n\n", "a b"),
        ("a b", "id\ndata\n\n", ""),
    ];
    for (sent, stream, id) in table {
        let mut exchange = suite.connected();
        assert_eq!(
            exchange.asked.header("last-event-id").as_deref(),
            Some(sent)
        );
        exchange.send(stream);
        assert_eq!(suite.heard()["event"]["id"], id);
        exchange.end();
        suite.heard_error();
    }
    assert_eq!(suite.requested().asked.header("last-event-id"), None);
}

/// A request with a body, and the same again after the connection was lost.
#[track_caller]
fn check_body(method: &str) {
    let suite = Suite::new();
    let body = "{\"hello\":\"wörld\"}";
    let headers = json!({ "Content-Type": "application/json" });
    suite.open(&json!({ "method": method, "body": body, "headers": headers }));
    for id in [None, Some("1")] {
        let exchange = one_event(&suite, "data\nid: 1\n\n");
        let asked = &exchange.asked;
        assert_eq!((&*asked.method, &*asked.text()), (method, body));
        assert_eq!(
            asked.header("content-type").as_deref(),
            Some("application/json")
        );
        let length = body.len().to_string();
        assert_eq!(asked.header("content-length"), Some(length));
        assert_eq!(asked.header("last-event-id").as_deref(), id);
        exchange.end();
        suite.heard_error();
    }
}

#[test]
fn post() {
    check_body("POST");
}

#[test]
fn report() {
    check_body("REPORT");
}

#[test]
fn read_timeout() {
    let suite = Suite::new();
    suite.open(&json!({ "readTimeoutMs": 200 }));
    let mut exchange = suite.connected();
    exchange.send("data: x\nid: 1\n\n");
    suite.heard_event("message", "x", "1");
    suite.heard_error();
    exchange.closed();
    let exchange = suite.requested();
    assert_eq!(exchange.asked.header("last-event-id").as_deref(), Some("1"));
}

#[test]
fn restart() {
    let suite = Suite::new();
    // It doesn't wait for what a lost connection would have to wait for.
    let stream = suite.open(&json!({ "initialDelayMs": 3_600_000 }));
    for n in 1..4 {
        let exchange = one_event(&suite, &format!("data\nid: {n}\n\n"));
        suite.command(&stream, &json!({ "command": "restart" }));
        exchange.closed();
    }
    let asked = suite.requested().asked;
    assert_eq!(asked.header("last-event-id").as_deref(), Some("3"));
}

/// An answer that is an error; whether the client comes back.
#[track_caller]
fn check_status(status: u16, headers: &[(&str, &str)], comes_back: bool) {
    let suite = Suite::new();
    suite.open(&json!({}));
    suite.requested().answer(status, headers, "");
    suite.heard_error();
    match comes_back {
        true => drop(one_event(&suite, "data: here again\n\n")),
        false => suite.check_quiet(),
    }
}

#[test]
fn server_directed_shutdown_request() {
    check_status(204, &[], false);
    // Also from a stream that stood.
    let suite = Suite::new();
    suite.open(&json!({}));
    one_event(&suite, "data\n\n").end();
    suite.heard_error();
    suite.requested().answer(204, &[], "");
    suite.heard_error();
    suite.check_quiet();
}

#[test]
fn errors_that_pass_are_tried_again_and_others_are_not() {
    for status in [408, 425, 429, 500, 502, 503, 504] {
        check_status(status, &[], true);
    }
    for status in [400, 401, 403, 404, 405, 410, 205] {
        check_status(status, &[], false);
    }
    check_status(200, &[("Content-Type", "text/html")], false);
    check_status(200, &[], false);
}

#[test]
fn a_connection_that_is_lost_comes_back() {
    let suite = Suite::new();
    suite.open(&json!({}));
    one_event(&suite, "data\nid: 1\n\n").end();
    suite.heard_error();
    one_event(&suite, "data\nid: 2\n\n").reset();
    suite.heard_error();
    // Before there is an answer, too.
    suite.requested().end();
    suite.heard_error();
    let mut exchange = suite.connected();
    assert_eq!(exchange.asked.header("last-event-id").as_deref(), Some("2"));
    // The `retry` of the server counts from then on: one that nobody would
    // wait for shows that it does.
    exchange.send("retry: 3600000\n\ndata\n\n");
    suite.heard();
    exchange.end();
    suite.heard_error();
    suite.check_quiet();
}

#[test]
fn a_short_retry_replaces_a_long_delay() {
    let suite = Suite::new();
    suite.open(&json!({ "initialDelayMs": 3_600_000 }));
    for _ in 0..3 {
        let mut exchange = suite.connected();
        exchange.send("retry: 10\ndata\n\n");
        suite.heard();
        exchange.end();
        suite.heard_error();
    }
    suite.requested();
}

#[test]
fn nobody_there_is_an_error_each_time() {
    let suite = Suite::new();
    let gone = Scripted::new().address();
    // A port that nobody listens on any more might be given to another.
    let nobody = "127.0.0.1:1";
    assert_ne!(gone.to_string(), nobody);
    let answer = suite.try_open(&format!("http://{nobody}/"), &json!({}));
    assert_eq!(answer.status, 201);
    suite.heard_error();
    suite.heard_error();
    suite.end();
}

/// A redirect of a request with a body; the method and the body with which the
/// client asks where it leads to.
#[track_caller]
fn check_redirect(status: u16, method: &str, body: &str) {
    let suite = Suite::new();
    let headers = json!({ "X-Own": "1" });
    suite.open(&json!({ "method": "POST", "body": "ask", "headers": headers }));
    let target = suite.url("/target?x=y");
    for location in ["/target?x=y", &target] {
        let exchange = suite.requested();
        assert_eq!(
            exchange.asked.path, "/stream",
            "redirects aren't remembered"
        );
        exchange.answer(status, &[("Location", location)], "");
        let exchange = one_event(&suite, "data\n\n");
        let asked = &exchange.asked;
        assert_eq!(asked.path, "/target?x=y");
        assert_eq!((&*asked.method, &*asked.text()), (method, body), "{status}");
        assert_eq!(asked.header("accept").as_deref(), Some("text/event-stream"));
        assert_eq!(asked.header("x-own").as_deref(), Some("1"));
        exchange.end();
        suite.heard_error();
    }
}

#[test]
fn redirects_are_followed() {
    check_redirect(301, "GET", "");
    check_redirect(302, "GET", "");
    check_redirect(303, "GET", "");
    check_redirect(307, "POST", "ask");
    check_redirect(308, "POST", "ask");
}

#[test]
fn redirects_that_lead_nowhere_are_errors_and_no_loops() {
    for status in [301, 302, 303, 307, 308] {
        check_status(status, &[], false);
        check_status(status, &[("Location", "")], false);
        check_status(status, &[("Location", "ftp://127.0.0.1/")], false);
        check_status(status, &[("Location", "http://[")], false);
    }
    check_status(300, &[("Location", "/elsewhere")], false);
    check_status(304, &[], false);
}

#[test]
fn a_loop_of_redirects_ends() {
    let suite = Suite::new();
    suite.open(&json!({}));
    for _ in 0..=20 {
        suite
            .requested()
            .answer(302, &[("Location", "/stream")], "");
    }
    suite.heard_error();
    suite.check_quiet();
}

#[test]
fn streams_keep_out_of_each_others_way() {
    let suite = Suite::new();
    let others = Scripted::new();
    let with = json!({ "callbackUrl": others.url("/its/own/") });
    suite.open_at("/other", &with);
    let mut other = suite.connected();
    suite.open(&json!({}));
    let mut own = suite.connected();
    own.send("data: own\n\n");
    other.send("data: other\n\n");
    // The other one's callback is not answered yet.
    let callback = others.next();
    assert_eq!(callback.asked.path, "/its/own/1");
    suite.heard_event("message", "own", "");
    own.send("data: more\n\n");
    suite.heard_event("message", "more", "");
    let heard: Value = serde_json::from_slice(&callback.asked.body).expect("JSON");
    assert_eq!(heard["event"]["data"], "other");
    other.send("data: second\n\n");
    callback.answer(500, &[], "a suite that is unwell");
    let callback = others.next();
    assert_eq!(callback.asked.path, "/its/own/2");
    callback.answer(200, &[], "");
}

#[test]
fn the_example_serves_on_its_port() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};
    let mut child = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "-p", "tidings-eventsource"])
        .args(["--example", "contract_service"])
        .env("PORT", "0")
        .stdout(Stdio::piped())
        .spawn()
        .expect("cargo");
    let mut line = String::new();
    let stdout = child.stdout.take().expect("piped");
    BufReader::new(stdout).read_line(&mut line).expect("a line");
    let address = line
        .trim()
        .strip_prefix("listening on http://")
        .expect("an address");
    let address = address.parse().expect("an address");
    let get = |method| tidings_testkit::Http::connect(address).request(method, "/", &[], b"");
    assert_eq!(get("GET").status, 200);
    assert_eq!(get("DELETE").status, 204);
    assert!(child.wait().expect("an end").success());
}
