//! `tidings listen` to a hub that is killed, drained and forgets.

mod tool;

use serde_json::Value;
use std::process::Command;
use tidings_testkit::{HubProcess, Launch, launch};
use tool::Tool;

/// Starts listening to a hub.
fn listen(hub: &HubProcess, path: &str, args: &[&str]) -> Tool {
    let url = format!("{}{path}", hub.address());
    let all: Vec<&str> = ["listen", &url]
        .into_iter()
        .chain(args.iter().copied())
        .collect();
    Tool::start(&all)
}

/// A hub at an address that no other test takes while it is down.
fn launch_alone(own: u8) -> Launch {
    launch!("TIDINGS_STREAM_RETRY" = "100ms").listen(format!("127.86.{own}.1:0"))
}

#[track_caller]
fn post(hub: &HubProcess, data: &str) {
    let answer = hub.post("/t/x", data);
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[test]
fn f1_kill_9_of_the_hub_loses_and_repeats_nothing() {
    let mut hub = launch_alone(1).start();
    let mut tool = listen(&hub, "/t/x", &["--format=data", "--since=earliest"]);
    for life in 0..3 {
        for n in 0..20 {
            post(&hub, &format!("{life}.{n}"));
        }
        // Some of it may not be there yet when the hub dies.
        let seen = if life == 1 { 5 } else { 20 };
        for n in 0..seen {
            assert_eq!(tool.line(), format!("{life}.{n}"));
        }
        hub = hub.kill().start();
        for n in seen..20 {
            assert_eq!(tool.line(), format!("{life}.{n}"));
        }
    }
    post(&hub, "the end");
    assert_eq!(tool.line(), "the end");
    tool.interrupt();
    let ended = tool.ended();
    assert_eq!(
        (ended.code, &*ended.stdout, &*ended.stderr),
        (Some(130), "", "")
    );
}

#[test]
fn p15_a_hub_that_drains_is_come_back_to() {
    let launch = launch_alone(2);
    let hub = launch.start();
    let launch = launch.listen(hub.address());
    let mut tool = listen(&hub, "/t/x", &["--json", "-n", "2", "--since=earliest"]);
    post(&hub, "before");
    assert!(tool.line().contains("\"data\":\"before\""));
    let (status, _) = hub.finish();
    assert_eq!(status.code(), Some(0));
    let hub = launch.start();
    post(&hub, "after");
    assert!(tool.line().contains("\"data\":\"after\""));
    tool.ended().check(0, &[]);
}

#[test]
fn a_quiet_stream_resumes_where_it_began() {
    let hub = launch_alone(3).start();
    post(&hub, "long ago");
    let mut tool = listen(&hub, "/t/x", &["--format=data", "-n1", "-v"]);
    hub.wait_for_metric("tidings_subscribers", 1);
    let launch = hub.kill();
    // Published while nobody is connected.
    let hub = launch.start();
    post(&hub, "missed");
    assert_eq!(tool.line(), "missed");
    tool.ended().check(0, &["again in"]);
}

#[test]
fn a_store_that_was_wiped_is_a_gap() {
    let other = launch!().start().post("/t/x", "of another log").json();
    let id = format!("--last-event-id={}", other["id"].as_str().expect("an id"));
    let hub = launch!().start();
    post(&hub, "a");
    let ended = listen(&hub, "/t/x", &["--json", &id, "-n1"]).ended();
    ended.check(
        0,
        &["events are missing before what comes next: the ID to resume from is of another log"],
    );
    let lines: Vec<Value> = ended
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(lines[0]["event"], "tidings:gap");
    assert_eq!(
        (&lines[1]["event"], &lines[1]["data"]),
        (&"message".into(), &"a".into())
    );
}

#[test]
fn since_starts_in_the_past() {
    let hub = launch!().start();
    for data in ["a", "b", "c"] {
        post(&hub, data);
    }
    for (since, expected) in [
        ("earliest", "a\nb\nc\n"),
        ("last:2", "b\nc\n"),
        ("1h", "a\nb\nc\n"),
    ] {
        let count = expected.lines().count().to_string();
        let since = format!("--since={since}");
        let tool = listen(&hub, "/t/x", &["--format=data", &since, "-n", &count]);
        assert_eq!(tool.ended().stdout, expected);
    }
    listen(&hub, "/t/x", &["--since=last:many"])
        .ended()
        .check(4, &["the server answered 400"]);
    listen(&hub, "/nowhere", &[])
        .ended()
        .check(4, &["the server answered 404"]);
}

#[test]
fn listen_and_publish_make_a_pipe() {
    let hub = launch!().start();
    let url = format!("{}/t/x", hub.address());
    let tool = listen(
        &hub,
        "/t/x",
        &["--format=data", "--since=earliest", "-n", "1000"],
    );
    let script = format!(
        "seq 1000 | {} publish {url} --lines",
        env!("CARGO_BIN_EXE_tidings")
    );
    let status = Command::new("sh")
        .args(["-c", &script])
        .status()
        .expect("a shell");
    assert!(status.success());
    let numbers: String = (1..=1000).map(|n| format!("{n}\n")).collect();
    assert_eq!(tool.ended().stdout, numbers);
}
