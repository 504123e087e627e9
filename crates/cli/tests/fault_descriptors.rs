//! No file descriptors are left (promise P25, fault F21): who is connected
//! notices nothing, the hub doesn't spin, and it recovers by itself.

mod fault;

use fault::{Journal, launch, set_limit, wait_until};
use rustix::process::Resource;
use std::net::TcpStream;
use std::time::Duration;
use tidings_testkit::{Http, HubProcess};

const EVENT: usize = 1000;

#[test]
fn f21_without_descriptors_connections_wait_and_streams_go_on() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = launch(dir.path()).start();
    let mut journal = Journal::default();
    let mut live = hub.watch("/t/log").opened();
    let mut http = hub.http();
    assert_eq!(journal.publish(&mut http, EVENT).status, 200);
    set_limit(&hub, Resource::Nofile, Some(open_files(&hub)));
    let mut waiting: Vec<Http> = (0..20).map(|_| hub.http()).collect();
    for http in &mut waiting {
        http.send_request("GET", "/livez", &[], b"")
            .expect("a backlog that takes it");
    }
    for _ in 0..50 {
        assert_eq!(journal.publish(&mut http, EVENT).status, 200);
    }
    journal.check_watched(&mut live);
    check_idles(&hub);
    set_limit(&hub, Resource::Nofile, None);
    for mut http in waiting {
        assert_eq!(http.answer(false).expect("an answer").status, 200);
    }
    journal.check_all_there(&hub);
}

/// A hub with few descriptors keeps enough of them for its files, however many
/// connections come: history is read and segments are rolled.
#[test]
fn f21_connections_leave_descriptors_for_the_store() {
    let dir = tempfile::tempdir().expect("a directory");
    let limited = ["prlimit", "--nofile=256:256", "--"];
    let hub = launch(dir.path())
        .env("TIDINGS_RETENTION_BYTES", "8MiB")
        .through(limited)
        .start();
    let mut journal = Journal::default();
    let mut http = hub.http();
    let mut watcher = hub.watch("/t/log").opened();
    let idle: Vec<TcpStream> = (0..400)
        .map(|_| TcpStream::connect(hub.address()).expect("a backlog that takes it"))
        .collect();
    // Each event is a good part of a segment, so that there are many segments.
    for _ in 0..60 {
        let answer = journal.publish(&mut http, 100_000);
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    journal.check_watched(&mut watcher);
    // A page of history on a connection that is there opens many files.
    let page = http.request(
        "GET",
        "/t/log?since=earliest",
        &[("Accept", "application/json")],
        b"",
    );
    assert_eq!(page.status, 200, "{}", page.text());
    drop(idle);
    wait_until("new connections are served", || {
        Http::try_connect(hub.address())
            .and_then(|mut http| http.try_request("GET", "/readyz", &[], b""))
            .is_ok_and(|ready| ready.status == 200)
    });
}

fn open_files(hub: &HubProcess) -> u64 {
    let files = std::fs::read_dir(format!("/proc/{}/fd", hub.pid())).expect("a running process");
    files.count() as u64
}

/// In a second the hub uses a small part of a processor: one that asks again
/// and again for what it can't get would use all of one.
#[track_caller]
fn check_idles(hub: &HubProcess) {
    let before = hub.processor_time();
    std::thread::sleep(Duration::from_secs(1));
    let used = hub.processor_time() - before;
    assert!(
        used < Duration::from_millis(250),
        "{used:?} of processor time in a second"
    );
}
