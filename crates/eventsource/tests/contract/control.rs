//! The control protocol itself.

use crate::suite::Suite;
use serde_json::{Value, json};
use tidings_testkit::Scripted;

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
    let exchange = suite.one_event("data: x\n\n");
    assert_eq!(suite.control("DELETE", &stream, "").status, 204);
    exchange.closed();
    assert_eq!(suite.control("DELETE", &stream, "").status, 404);
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
    let own = std::env::current_exe().expect("a path");
    let built = own.ancestors().nth(2).expect("a directory");
    let built = built.join("examples/contract_service");
    // Cargo has built it along with the tests, unless it was told not to.
    let mut command = match built.is_file() {
        true => Command::new(built),
        false => {
            let mut cargo = Command::new(env!("CARGO"));
            cargo.args(["run", "--quiet", "-p", "tidings-eventsource"]);
            cargo.args(["--example", "contract_service"]);
            cargo
        }
    };
    let mut child = command
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
