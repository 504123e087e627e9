//! No file descriptors are left (promise P25, fault F21): who is connected
//! notices nothing, the hub doesn't spin, publishing and health go on, and it
//! recovers by itself.

mod fault;

use fault::{Journal, launch, set_limit, wait_until};
use rustix::process::Resource;
use std::net::TcpStream;
use std::time::Duration;
use tidings_testkit::{Http, HubProcess};

const EVENT: usize = 1000;
/// A hub that may open so few files has about a hundred and fifty connections,
/// 64 of which never watch.
const FEW_FILES: [&str; 3] = ["prlimit", "--nofile=256:256", "--"];
/// More than it has.
const CROWD: usize = 400;

#[test]
fn f21_without_descriptors_connections_wait_and_streams_go_on() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = launch(dir.path()).start();
    let mut journal = Journal::default();
    let mut live = hub.watch("/t/log").opened();
    let mut http = hub.http();
    assert_eq!(journal.publish(&mut http, EVENT).status, 200);
    set_limit(&hub, Resource::Nofile, Some(hub.open_files() as u64));
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
    let hub = launch(dir.path())
        .env("TIDINGS_RETENTION_BYTES", "8MiB")
        .through(FEW_FILES)
        .start();
    let mut journal = Journal::default();
    let mut http = hub.http();
    let mut watcher = hub.watch("/t/log").opened();
    // Who has asked for something stays when others say nothing.
    assert_eq!(journal.publish(&mut http, EVENT).status, 200);
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

/// A crowd that holds connections and asks for nothing keeps nobody out: who
/// publishes, probes, scrapes or watches has a place at once, although none of
/// the crowd leaves by itself.
#[track_caller]
fn check_crowd_makes_room(join: impl Fn(&mut Http)) {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = launch(dir.path()).through(FEW_FILES).start();
    let mut journal = Journal::default();
    let mut early = hub.watch("/t/log").opened();
    let crowd: Vec<Http> = (0..CROWD)
        .map(|_| {
            let mut http = hub.http();
            join(&mut http);
            http
        })
        .collect();
    for _ in 0..20 {
        assert_eq!(journal.publish(&mut hub.http(), EVENT).status, 200);
        assert_eq!(hub.get("/livez").status, 200);
        assert_eq!(hub.get("/readyz").status, 200);
    }
    assert!(hub.metric("tidings_connections_sent_away_total") > 200);
    let files = hub.open_files();
    assert!(files <= 256 - 64, "{files} files are open");
    journal.check_watched(&mut early);
    let mut late = hub.watch("/t/log?since=earliest").opened();
    journal.check_watched(&mut late);
    check_idles(&hub);
    drop(crowd);
    // The two watchers, and who asks.
    hub.wait_for_metric("tidings_connections", 3);
    journal.check_all_there(&hub);
}

#[test]
fn f21_a_silent_crowd_makes_room() {
    check_crowd_makes_room(|_| {});
}

#[test]
fn f21_a_crowd_within_heads_makes_room() {
    check_crowd_makes_room(|http| http.send(b"GET /livez HTTP/1.1\r\nHost: ").expect("a peer"));
}

#[test]
fn f21_a_crowd_that_keeps_connections_alive_makes_room() {
    check_crowd_makes_room(|http| {
        assert_eq!(http.request("GET", "/livez", &[], b"").status, 200);
    });
}

/// With HTTP/2's preface and settings, and no stream.
#[test]
fn f21_a_crowd_that_speaks_http2_makes_room() {
    check_crowd_makes_room(|http| {
        let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
        let preface = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &settings[..]].concat();
        http.send(&preface).expect("a peer");
        assert!(!http.read_some().expect("settings").is_empty());
    });
}

/// Watchers may take every place but the reserve; the rest is told to come back
/// later, and publishing, health and the store go on.
#[test]
fn f21_watchers_leave_the_reserve() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = launch(dir.path())
        .through(FEW_FILES)
        .env("TIDINGS_RETENTION_BYTES", "8MiB")
        .start();
    let mut journal = Journal::default();
    let mut watchers = Vec::new();
    for _ in 0..CROWD {
        let mut watcher = hub.watch("/t/log");
        assert_eq!(watcher.head().status, 200);
        assert!(watcher.read().expect("a stream"));
        if watcher.raw().windows(4).any(|bytes| bytes == b"\nid:") {
            watchers.push(watcher);
        } else {
            assert_eq!(watcher.next(), None, "a soft refusal is the whole stream");
        }
    }
    let refused = hub.metric("tidings_soft_refusals_total{reason=\"subscriptions\"}");
    assert_eq!(watchers.len() as u64 + refused, CROWD as u64);
    // Of 256 files, 64 stay for the store and as many for who doesn't watch.
    assert!(
        (32..=256 - 128).contains(&watchers.len()),
        "{}",
        watchers.len()
    );
    for _ in 0..60 {
        assert_eq!(journal.publish(&mut hub.http(), 100_000).status, 200);
    }
    assert_eq!(hub.get("/readyz").status, 200);
    let (first, last) = (watchers.remove(0), watchers.pop().expect("several"));
    for mut watcher in [first, last] {
        journal.check_watched(&mut watcher);
    }
    drop(watchers);
    wait_until("a watcher is let in", || {
        let mut watcher = hub.watch("/t/log");
        watcher.read().is_ok() && watcher.raw().windows(4).any(|bytes| bytes == b"\nid:")
    });
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
