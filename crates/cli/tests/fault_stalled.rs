//! Watchers that don't read (promise P11, fault F15) cost nobody anything.

mod fault;

use fault::launch;
use std::sync::mpsc::channel;
use tidings_testkit::{HubProcess, Watch};

const STALLED: usize = 20;
const READING: usize = 3;
const EVENT: usize = 64 << 10;
const EVENTS: usize = (200 << 20) / EVENT;
/// Events of one request.
const BATCH: usize = 64;
/// What all of it may cost at most, in KiB.
const GROWTH_KIB: u64 = 64 << 10;

#[test]
fn f15_watchers_that_never_read_cost_little_and_the_others_get_everything() {
    let dir = tempfile::tempdir().expect("a directory");
    // They stay, however far they fall behind.
    let hub = launch(dir.path())
        .env("TIDINGS_LIMITS_LAG", "1GiB")
        .env("TIDINGS_LIMITS_STALL", "1h")
        .start();
    let stalled: Vec<Watch> = (0..STALLED).map(|_| hub.watch("/t/log").opened()).collect();
    let reading: Vec<Watch> = (0..READING).map(|_| hub.watch("/t/log").opened()).collect();
    let before = hub.resident_kib();
    let (sizes, grown) = channel();
    std::thread::scope(|scope| {
        for watcher in reading {
            scope.spawn(move || check_gets_everything(watcher));
        }
        for first in (0..EVENTS).step_by(BATCH) {
            publish(&hub, first);
            sizes.send(hub.resident_kib()).expect("a receiver");
        }
    });
    drop(sizes);
    let most = grown.iter().max().expect("sizes");
    let growth = most.saturating_sub(before);
    eprintln!("resident: {before} KiB before, {most} KiB at most");
    assert!(
        growth <= GROWTH_KIB,
        "{growth} KiB more than the {before} KiB before"
    );
    // Who begins to read now has missed nothing either.
    let late = stalled.into_iter().next().expect("a watcher");
    check_gets_everything(late);
}

fn data(number: usize) -> String {
    format!("{number} {}", "x".repeat(EVENT))
}

fn publish(hub: &HubProcess, first: usize) {
    let lines: String = (first..first + BATCH)
        .map(|n| format!("{{\"data\":\"{}\"}}\n", data(n)))
        .collect();
    let headers = [("Content-Type", "application/x-ndjson")];
    let answer = hub
        .http()
        .request("POST", "/t/log", &headers, lines.as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
}

fn check_gets_everything(watcher: Watch) {
    let mut count = 0;
    for event in watcher.take(EVENTS) {
        // Not assert_eq, which would print it.
        assert!(
            event.data == data(count),
            "event {count} is {:.20}",
            event.data
        );
        count += 1;
    }
    assert_eq!(count, EVENTS);
}
