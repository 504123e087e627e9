//! A disk whose syncs fail (promise P3, fault F4) or take long (fault F6).
//! strace makes them, on the real binary.

mod fault;

use fault::{Journal, check_problem, check_ready, launch, wait_until};
use std::path::Path;
use std::process::{Command, Stdio};
use tidings_testkit::{Launch, Watch, skip};

const EVENT: usize = 100;
/// More syncs of one thread than a start needs. strace counts per thread, so
/// this many events or a few less are taken first.
const SYNCS: usize = 20;

/// A hub whose syncs meet `fault` from the [`SYNCS`]th of each thread on.
fn launch_with(data: &Path, fault: &str) -> Option<Launch> {
    let strace = Command::new("strace")
        .arg("-V")
        .stdout(Stdio::null())
        .status();
    if !strace.is_ok_and(|status| status.success()) {
        skip("strace is missing (apt-get install strace)");
        return None;
    }
    let inject = format!("inject=fdatasync:{fault}:when={SYNCS}+");
    // With -D the hub is our child and strace the stranger, so that signals
    // reach the hub.
    let words = [
        "strace",
        "-D",
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        "trace=fdatasync",
        "-e",
        &inject,
    ];
    Some(launch(data).through(words))
}

#[test]
fn f4_after_a_failed_sync_nothing_is_acknowledged_and_everything_is_read() {
    let dir = tempfile::tempdir().expect("a directory");
    let Some(failing) = launch_with(dir.path(), "error=EIO") else {
        return;
    };
    let hub = failing.start();
    let mut live = hub.watch("/t/log").opened();
    let mut journal = Journal::default();
    let mut http = hub.http();
    let refused = journal.publish_until_refused(&mut http, EVENT, 2 * SYNCS);
    check_problem(&refused, 503, "storage-failed");
    assert!(
        journal.acked.len() > SYNCS / 2,
        "it failed before the test began"
    );
    check_ready(&hub, 503, "storage-failed");
    for _ in 0..50 {
        check_problem(&journal.publish(&mut http, EVENT), 503, "storage-failed");
    }
    let with_id = http.request("POST", "/t/log?id=mine", &[], b"own id");
    check_problem(&with_id, 503, "storage-failed");
    let lines = http.request(
        "POST",
        "/t/log",
        &[("Content-Type", "application/x-ndjson")],
        b"{\"data\":\"a line\"}\n",
    );
    check_problem(&lines, 503, "storage-failed");
    assert_eq!(lines.json()["published"], 0);
    check_ready(&hub, 503, "storage-failed");
    assert_eq!(hub.get("/livez").status, 200);
    journal.check_watched(&mut live);
    journal.check_watched(&mut hub.watch("/t/log?since=earliest"));
    journal.check_all_there(&hub);

    // A start with a disk that works takes the log up where it was.
    drop(hub.kill());
    let hub = launch(dir.path()).start();
    journal.check_nothing_lost(&hub);
    let mut resumed = hub.resume("/t/log", live.last_event_id());
    assert_eq!(journal.publish(&mut hub.http(), EVENT).status, 200);
    let published = journal.acked.last().expect("an event");
    // What was in doubt may come first.
    let known = |data: &str| journal.refused.iter().any(|refused| refused == data);
    let next = resumed.find(|event| !known(&event.data)).expect("an event");
    assert_eq!(next.data, *published);
}

#[test]
fn f6_while_a_sync_takes_long_all_else_goes_on() {
    let dir = tempfile::tempdir().expect("a directory");
    let Some(slow) = launch_with(dir.path(), "delay_enter=8000000") else {
        return;
    };
    let hub = slow
        // A disk that is busy with other things may take a second by itself.
        .env("TIDINGS_PUBLISH_TIMEOUT", "2s")
        .env("TIDINGS_STREAM_HEARTBEAT", "1s")
        .start();
    let mut live = hub.watch("/t/log").opened();
    let mut journal = Journal::default();
    let mut http = hub.http();
    let refused = journal.publish_until_refused(&mut http, EVENT, 2 * SYNCS);
    check_problem(&refused, 503, "busy");
    // From now on the writer is stuck. The heartbeat stands behind the events
    // that the watcher has, because nothing else comes.
    journal.check_watched(&mut live);
    check_heartbeat(&mut live);
    journal.check_watched(&mut hub.watch("/t/log?since=earliest"));
    journal.check_all_there(&hub);

    let keyed = |data: &[u8]| {
        hub.http()
            .request("POST", "/t/log", &[("Idempotency-Key", "k")], data)
    };
    let mut attempts = 0;
    let mut answer = keyed(b"in doubt");
    wait_until("the event in doubt is acknowledged", || {
        attempts += 1;
        if answer.status != 200 {
            check_problem(&answer, 503, "busy");
            answer = keyed(b"in doubt");
        }
        answer.status == 200
    });
    assert!(attempts > 1, "nothing was in doubt");
    assert_eq!(keyed(b"in doubt").json(), answer.json());
    assert_eq!(keyed(b"another").status, 422);
    let (events, gap) = fault::history(&hub);
    assert_eq!(gap, None);
    let copies: Vec<_> = events.iter().filter(|data| *data == "in doubt").collect();
    assert_eq!(copies.len(), 1, "{attempts} attempts");
    // Live watchers have got it too, once, behind what was in doubt before it.
    let received = live.by_ref().find(|event| event.data == "in doubt");
    assert_eq!(received.expect("an event").id, answer.json()["id"]);
}

/// Reads on until a comment comes after what has been read.
#[track_caller]
fn check_heartbeat(watcher: &mut Watch) {
    let before = watcher.raw().len();
    while !watcher.raw()[before..].starts_with(b":") {
        assert_eq!(
            watcher.raw().len(),
            before,
            "something else than a heartbeat came"
        );
        assert!(watcher.read().expect("a heartbeat"), "the stream ended");
    }
}
