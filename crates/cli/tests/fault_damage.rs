//! A data directory that was damaged (promise P5, fault F7) or can't be used
//! (bad-input row e6): found, named with its place, and never served.

mod fault;

use fault::{Journal, Mount, check_same, history, is_gap, launch};
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use tidings_testkit::{Launch, skip};

const EVENT: usize = 8000;
const EVENTS: usize = 150;

/// Segments of 256 KiB.
fn small(data: &Path) -> Launch {
    launch(data).env("TIDINGS_RETENTION_BYTES", "4MiB")
}

/// A directory with several segments, and what is in them.
fn filled() -> (tempfile::TempDir, Journal) {
    let dir = tempfile::tempdir().expect("a directory");
    let hub = small(dir.path()).start();
    let mut journal = Journal::default();
    let mut http = hub.http();
    for _ in 0..EVENTS {
        assert_eq!(journal.publish(&mut http, EVENT).status, 200);
    }
    drop(hub.kill());
    assert!(segments(dir.path()).len() > 3);
    (dir, journal)
}

/// The segments, oldest first.
fn segments(data: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(data).expect("the data directory");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut segments: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .collect();
    segments.sort();
    segments
}

fn write_at(path: &Path, at: usize, bytes: &[u8]) {
    let file = fs::File::options()
        .write(true)
        .open(path)
        .expect("a segment");
    file.write_all_at(bytes, at as u64)
        .expect("a segment that can be written");
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}

/// Garbage where the next record would stand is reported with its place.
#[test]
fn f7_garbage_behind_the_last_record() {
    let (dir, mut journal) = filled();
    let active = segments(dir.path()).pop().expect("segments");
    let bytes = fs::read(&active).expect("a segment");
    let end = bytes.iter().rposition(|byte| *byte != 0).expect("records") + 1;
    let end = end.next_multiple_of(8);
    let garbage: Vec<u8> = (0..3000u32).map(|n| (n * 7 + 1) as u8 | 1).collect();
    write_at(&active, end, &garbage);

    let hub = small(dir.path()).start();
    let found = hub.wait_for_log("the log was repaired");
    let name = active
        .file_name()
        .and_then(|name| name.to_str())
        .expect("a name");
    assert!(
        found.contains(name) && found.contains(&format!("byte {end}")),
        "{end}: {found}"
    );
    let (events, _) = history(&hub);
    check_same(&events, &journal.acked);
    // No crash leaves every sector written, so acknowledged events may have
    // stood there: watchers are told.
    assert_eq!(journal.publish(&mut hub.http(), EVENT).status, 200);
    let received: Vec<_> = hub
        .watch("/t/log?since=earliest")
        .take(EVENTS + 2)
        .collect();
    assert_eq!(received.iter().filter(|event| is_gap(event)).count(), 1);
    let is_told_where = is_gap(&received[EVENTS]);
    assert!(
        is_told_where,
        "the gap doesn't stand behind the last good event"
    );
    let rest: Vec<String> = received
        .into_iter()
        .filter(|e| !is_gap(e))
        .map(|e| e.data)
        .collect();
    check_same(&rest, &journal.acked);
}

/// A flipped byte in the middle of a sealed segment costs the event it is in.
#[test]
fn f7_a_flipped_byte_in_a_sealed_segment() {
    let (dir, journal) = filled();
    let sealed = segments(dir.path()).swap_remove(1);
    let bytes = fs::read(&sealed).expect("a segment");
    let in_it = |number: &usize| find(&bytes, journal.acked[*number].as_bytes()).is_some();
    let inside: Vec<usize> = (0..EVENTS).filter(in_it).collect();
    let victim = inside[inside.len() / 2];
    let at = find(&bytes, journal.acked[victim].as_bytes()).expect("the event") + EVENT / 2;
    write_at(&sealed, at, &[bytes[at] ^ 4]);

    let hub = small(dir.path()).start();
    let mut received: Vec<_> = hub.watch("/t/log?since=earliest").take(EVENTS).collect();
    let gap = received.remove(victim);
    assert!(is_gap(&gap), "{:.20} came in place of a gap", gap.data);
    let mut expected = journal.acked.clone();
    expected.remove(victim);
    let data: Vec<String> = received.iter().map(|event| event.data.clone()).collect();
    check_same(&data, &expected);
    // The gap's id is one to resume from: what comes behind it comes once.
    let resumed = hub.resume("/t/log", &gap.id).next().expect("an event");
    assert_eq!(resumed, received[victim]);

    let found = hub.wait_for_log("the log is damaged");
    let name = sealed
        .file_name()
        .and_then(|name| name.to_str())
        .expect("a name");
    let (_, place) = found
        .split_once(name)
        .unwrap_or_else(|| panic!("{name} isn't in {found}"));
    let digits = place
        .trim_start_matches(" at byte ")
        .split(':')
        .next()
        .expect("a place");
    let place: usize = digits
        .parse()
        .unwrap_or_else(|_| panic!("no place: {found}"));
    // The record's head stands before its data.
    assert!(
        place < at && at - place < EVENT + 200,
        "{place} instead of {at}"
    );
}

#[test]
fn e6_data_of_a_newer_version_is_refused_and_left_alone() {
    let (dir, journal) = filled();
    let path = dir.path().join("store.meta");
    let before = fs::read(&path).expect("store.meta");
    let mut newer = before.clone();
    let own = u32::from_le_bytes(before[8..12].try_into().expect("4 bytes"));
    newer[8..12].copy_from_slice(&(own + 1).to_le_bytes());
    let sum = crc32c(newer[..12].iter().chain(&newer[16..]));
    newer[12..16].copy_from_slice(&sum.to_le_bytes());
    fs::write(&path, &newer).expect("store.meta");
    check_refuses(
        &small(dir.path()),
        &[
            &format!("store.meta has format version {}", own + 1),
            &format!("knows versions 1 to {own}"),
        ],
    );
    assert_eq!(fs::read(&path).expect("store.meta"), newer);
    fs::write(&path, before).expect("store.meta");
    journal.check_all_there(&small(dir.path()).start());
}

#[test]
fn e6_data_directory_that_can_only_be_read() {
    let mount = match Mount::tmpfs(16 << 20) {
        Ok(mount) => mount,
        Err(reason) => return skip(&reason),
    };
    let launch = mount.launch().env("TIDINGS_RETENTION_BYTES", "4MiB");
    let hub = launch.start();
    let mut journal = Journal::default();
    assert_eq!(journal.publish(&mut hub.http(), EVENT).status, 200);
    drop(hub.kill());
    mount.run("mount -o remount,ro \"$0\"");
    check_refuses(&launch, &["/mount/data/lock", "ead-only file system"]);
    mount.run("mount -o remount,rw \"$0\"");
    journal.check_all_there(&launch.start());
}

#[track_caller]
fn check_refuses(launch: &Launch, parts: &[&str]) {
    let Err((status, stderr)) = launch.try_start() else {
        panic!("the hub started");
    };
    assert_eq!(status.code(), Some(1), "{stderr}");
    for part in parts {
        assert!(stderr.contains(part), "{part:?} isn't in {stderr:?}");
    }
}

/// The checksum of the store's files, bit by bit.
fn crc32c<'a>(bytes: impl Iterator<Item = &'a u8>) -> u32 {
    !bytes.fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg())
        })
    })
}
