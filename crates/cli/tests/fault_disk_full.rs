//! The disk is full (promise P4, fault F5): publishing answers 507, reading
//! goes on, publishing resumes by itself, and nothing is ever torn.

mod fault;

use fault::{Journal, Mount, check_problem, check_ready, launch, set_limit, wait_until};
use rustix::process::Resource;
use tidings_testkit::{Http, HubProcess, Launch, skip};

const MIB: u64 = 1 << 20;
const EVENT: usize = 32 << 10;
/// Far more events than there is room for.
const MOST: usize = 1000;

/// Segments of 2 MiB, so that several fit the small file systems.
fn small(launch: Launch) -> Launch {
    launch.env("TIDINGS_RETENTION_BYTES", "32MiB")
}

#[test]
fn f5_a_full_tmpfs() {
    match Mount::tmpfs(16 * MIB) {
        Ok(mount) => check_full_disk(&mount),
        Err(reason) => skip(&reason),
    }
}

#[test]
fn f5_a_full_ext4() {
    match Mount::ext4(16 * MIB) {
        Ok(mount) => check_full_disk(&mount),
        // Loop devices are for root and rare in containers; tmpfs has been tried.
        Err(reason) => eprintln!("SKIPPED: {reason}"),
    }
}

#[track_caller]
fn check_full_disk(mount: &Mount) {
    let ballast = mount.file("ballast");
    std::fs::write(&ballast, vec![b'x'; 4 << 20]).expect("room for the ballast");
    // The watcher reads when all is published.
    let launch = small(mount.launch()).env("TIDINGS_LIMITS_LAG", "1GiB");
    let hub = launch.start();
    let mut journal = Journal::default();
    let mut live = hub.watch("/t/log").opened();
    check_refuses(&hub, &mut journal);
    journal.check_watched(&mut live);

    // A crash now, and a start on the full disk.
    let hub = launch_again(hub);
    journal.check_nothing_lost(&hub);
    check_refuses(&hub, &mut journal);
    let mut live = hub.watch("/t/log").opened();

    std::fs::remove_file(&ballast).expect("the ballast");
    let resumed = check_resumes(&hub, &mut journal);
    assert_eq!(live.next().expect("an event").data, resumed);
    journal.check_nothing_lost(&hub);
    let hub = launch_again(hub);
    journal.check_nothing_lost(&hub);
}

/// A limit on file sizes gives a short write first and then an error.
#[test]
fn f5_a_limit_on_file_sizes() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = small(launch(dir.path())).start();
    let mut journal = Journal::default();
    let mut live = hub.watch("/t/log").opened();
    set_limit(&hub, Resource::Fsize, Some(100_000));
    check_refuses(&hub, &mut journal);
    journal.check_watched(&mut live);
    set_limit(&hub, Resource::Fsize, None);
    let resumed = check_resumes(&hub, &mut journal);
    assert_eq!(live.next().expect("an event").data, resumed);
    // What was refused was cut away before anything was written behind it.
    journal.check_all_there(&hub);
    let hub = launch_again(hub);
    journal.check_all_there(&hub);
}

#[test]
fn f5_a_crash_on_a_full_disk_leaves_nothing_torn() {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = small(launch(dir.path())).start();
    let mut journal = Journal::default();
    set_limit(&hub, Resource::Fsize, Some(100_000));
    check_refuses(&hub, &mut journal);
    let hub = launch_again(hub);
    journal.check_nothing_lost(&hub);
    check_resumes(&hub, &mut journal);
}

/// Retention makes room too.
#[test]
fn f5_publishing_resumes_when_old_events_go() {
    let mount = match Mount::tmpfs(16 * MIB) {
        Ok(mount) => mount,
        Err(reason) => return skip(&reason),
    };
    // However long it takes to fill it, nothing has gone until it is full.
    let hub = small(mount.launch()).start();
    let mut journal = Journal::default();
    check_refuses(&hub, &mut journal);
    let hub = hub.kill().env("TIDINGS_RETENTION_AGE", "10s").start();
    check_resumes(&hub, &mut journal);
    let mut http = hub.http();
    // Events that go between two pages of the history are a gap in it; what is gone
    // before the earliest event is none.
    wait_until("a shorter history without a gap", || {
        journal.publish(&mut http, EVENT);
        let (events, gap) = fault::history(&hub);
        let whole = events.len() == journal.acked.len();
        gap.is_none() && !whole && events.last() == journal.acked.last()
    });
}

/// Fills the disk; then publishing is refused and reading goes on.
#[track_caller]
fn check_refuses(hub: &HubProcess, journal: &mut Journal) {
    let mut http = hub.http();
    let refused = journal.publish_until_refused(&mut http, EVENT, MOST);
    check_problem(&refused, 507, "storage-full");
    for _ in 0..10 {
        // What was too long for the room that is left may be followed by what isn't.
        check_problem(&journal.publish(&mut http, 2 * EVENT), 507, "storage-full");
    }
    check_ready(hub, 503, "storage-full");
    assert_eq!(hub.get("/livez").status, 200);
    journal.check_nothing_lost(hub);
}

/// Waits until publishing works again; answers what was published first then.
#[track_caller]
fn check_resumes(hub: &HubProcess, journal: &mut Journal) -> String {
    let mut http = hub.http();
    wait_until("publishing resumes", || {
        journal.publish(&mut http, EVENT).status == 200
    });
    check_ready(hub, 200, "ok");
    journal.acked.last().expect("an event").clone()
}

/// `kill -9`, and a start.
fn launch_again(hub: HubProcess) -> HubProcess {
    let hub = hub.kill().start();
    assert_eq!(
        Http::connect(hub.address())
            .request("GET", "/livez", &[], b"")
            .status,
        200
    );
    hub
}
