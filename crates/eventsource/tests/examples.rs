//! The examples, as programs against a server that says what the test says.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tidings_testkit::Scripted;

fn example(name: &str) -> Command {
    let own = std::env::current_exe().expect("a path");
    let built = own.ancestors().nth(2).expect("a directory");
    let built = built.join("examples").join(name);
    // Cargo has built it along with the tests, unless it was told not to.
    let mut command = match built.is_file() {
        true => Command::new(built),
        false => {
            let mut cargo = Command::new(env!("CARGO"));
            cargo.args(["run", "--quiet", "-p", "tidings-eventsource"]);
            cargo.args(["--example", name, "--"]);
            cargo
        }
    };
    command.env("NO_PROXY", "*").stderr(Stdio::null());
    command
}

fn answer(server: &Scripted) -> Child {
    example("answer")
        .arg("Why?")
        .env("OPENAI_BASE_URL", server.url("/v1"))
        .env("OPENAI_API_KEY", "secret")
        .stdout(Stdio::piped())
        .spawn()
        .expect("started")
}

const HALF: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"Because \"}}]}\n\n";
const REST: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"of the moon.\"}}]}\n\n";

#[test]
fn answer_streams_to_its_end() {
    let server = Scripted::new();
    let child = answer(&server);
    // A refusal that passes is tried again.
    server.next().answer(503, &[("Retry-After", "0")], "");
    let mut exchange = server.next();
    assert_eq!(exchange.asked.method, "POST");
    assert_eq!(exchange.asked.path, "/v1/chat/completions");
    let header = |name| exchange.asked.header(name).unwrap_or_default();
    assert_eq!(header("authorization"), "Bearer secret");
    assert_eq!(header("content-type"), "application/json");
    let body: serde_json::Value = serde_json::from_slice(&exchange.asked.body).expect("JSON");
    assert_eq!(body["messages"][0]["content"], "Why?");
    assert_eq!(body["stream"], true);
    exchange.open();
    exchange.send(HALF);
    exchange.send(REST);
    exchange.send("data: [DONE]\n\n");
    let output = child.wait_with_output().expect("ended");
    assert!(output.status.success(), "{}", output.status);
    assert_eq!(output.stdout, b"Because of the moon.\n");
}

#[test]
fn answer_fails_where_the_rest_is_missing() {
    let server = Scripted::new();
    let child = answer(&server);
    let mut exchange = server.next();
    exchange.open();
    exchange.send(HALF);
    exchange.end();
    let output = child.wait_with_output().expect("ended");
    assert!(!output.status.success());
    assert_eq!(output.stdout, b"Because ");
}

fn follow(server: &Scripted, ids: &Path) -> (Child, impl Iterator<Item = String>) {
    let mut child = example("follow")
        .arg(server.url("/t/news"))
        .arg(ids)
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    (child, lines.map(|line| line.expect("a line")))
}

#[test]
fn follow_resumes_behind_what_an_earlier_run_has_handled() {
    let server = Scripted::new();
    let directory = tempfile::tempdir().expect("a directory");
    let ids = directory.path().join("news.id");

    let (mut child, mut lines) = follow(&server, &ids);
    let mut exchange = server.next();
    assert_eq!(exchange.asked.header("last-event-id"), None);
    exchange.open();
    exchange.send("id: 1\ndata: one\n\nid: 2\ndata: two\n\n");
    assert_eq!(lines.by_ref().take(2).collect::<Vec<_>>(), ["one", "two"]);
    child.kill().expect("killed");
    child.wait().expect("ended");

    // A killed one may not have kept all that it has handled, but never more.
    let (mut child, mut lines) = follow(&server, &ids);
    let mut exchange = server.next();
    let resumed = exchange.asked.header("last-event-id");
    let resumed = resumed.unwrap_or_default();
    assert!(["", "1", "2"].contains(&&*resumed), "{resumed}");
    exchange.open();
    exchange.send("id: 3\ndata: three\n\n");
    assert_eq!(lines.next().as_deref(), Some("three"));
    exchange.end();
    // It comes back, and is told to stop.
    let exchange = server.next();
    assert_eq!(exchange.asked.header("last-event-id").as_deref(), Some("3"));
    exchange.answer(204, &[], "");
    assert!(!child.wait().expect("ended").success());

    // One that has ended by itself has kept everything.
    let (mut child, _) = follow(&server, &ids);
    let exchange = server.next();
    assert_eq!(exchange.asked.header("last-event-id").as_deref(), Some("3"));
    exchange.answer(204, &[], "");
    assert!(!child.wait().expect("ended").success());
}
