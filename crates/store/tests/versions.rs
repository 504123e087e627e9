//! Stores that older versions of the format wrote: `version_1` and `version_2` hold
//! the files of one each, as the programs of their times left them.

mod common;

use common::*;
use std::sync::Arc;
use tidings_engine::{Entry, Position, Topic, Visibility};
use tidings_store::storage::crash::{CrashStorage, Faults};
use tidings_store::{MemoryStorage, Storage, Store, format};

/// The files of a store: its description, a segment and its index, and the segment
/// in which it goes on.
type Files = [(&'static str, &'static [u8]); 4];

const VERSION_1: Files = [
    ("store.meta", include_bytes!("version_1/store.meta")),
    (
        "00000000000000000001.log",
        include_bytes!("version_1/00000000000000000001.log"),
    ),
    (
        "00000000000000000001.idx",
        include_bytes!("version_1/00000000000000000001.idx"),
    ),
    (
        "00000000000000000055.log",
        include_bytes!("version_1/00000000000000000055.log"),
    ),
];

const VERSION_2: Files = [
    ("store.meta", include_bytes!("version_2/store.meta")),
    (
        "00000000000000000001.log",
        include_bytes!("version_2/00000000000000000001.log"),
    ),
    (
        "00000000000000000001.idx",
        include_bytes!("version_2/00000000000000000001.idx"),
    ),
    (
        "00000000000000000056.log",
        include_bytes!("version_2/00000000000000000056.log"),
    ),
];

/// What was published then: event `n`, one after the other.
fn published(n: u64, version: u32) -> Entry {
    let topic = ["news", "orders/1", "a/b"][n as usize % 3];
    if n.is_multiple_of(5) {
        with_id(topic, n, &format!("id-{n}"))
    } else if n.is_multiple_of(7) && version == 2 {
        as_published(event(topic, n), &["x", "y/z"], Visibility::Public)
    } else {
        event(topic, n)
    }
}

fn options() -> tidings_store::Options {
    tidings_store::Options {
        segment_bytes: 8 * 1024,
        ..small()
    }
}

fn put_files(storage: &dyn Storage, files: Files) {
    for (name, bytes) in files {
        let file = storage.create(name).unwrap();
        file.write_at(0, bytes).unwrap();
        file.sync_data().unwrap();
    }
    storage.sync_dir().unwrap();
}

fn version_of(storage: &dyn Storage, name: &str) -> u32 {
    u32::from_le_bytes(image_of(storage, name)[8..12].try_into().unwrap())
}

/// All that was published is there, each event by itself and by its topic.
fn check_old(store: &Store, version: u32, what: &str) {
    let seen = read_all(&store.reader(), "**");
    for n in 1..=60 {
        let (entry, position) = (published(n, version), Position(n));
        let (topic, told) = (entry.topic.as_str().to_owned(), told(&entry.published()));
        let of_topic = positions(&read_all(&store.reader(), &topic));
        assert!(of_topic.contains(&n), "{what}: {n} by its topic");
        if let Some(id) = &entry.id {
            let found = store.reader().locate(id, &selection(&topic)).unwrap();
            assert_eq!(found, Some(position), "{what}");
        }
        let payload = tidings_engine::Frame::new(LOG, position, entry).payload();
        let expected = Seen::Event(position, told, payload);
        assert_eq!(seen[n as usize - 1], expected, "{what}");
    }
}

#[test]
fn a_store_of_version_1_is_gone_on_with() {
    check_gone_on_with(1, VERSION_1);
}

#[test]
fn a_store_of_version_2_is_gone_on_with() {
    check_gone_on_with(2, VERSION_2);
}

fn check_gone_on_with(version: u32, files: Files) {
    let storage = Arc::new(MemoryStorage::new());
    put_files(&*storage, files);
    let (mut store, recovery) = open(&storage, options());
    assert!(!recovery.created);
    assert_eq!(recovery.findings, []);
    check_old(&store, version, "opened");
    // From here on, the program that wrote it refuses it.
    for name in ["store.meta", files[3].0] {
        assert_eq!(version_of(&*storage, name), format::VERSION, "{name}");
    }
    assert_eq!(version_of(&*storage, files[1].0), version);

    let entry = as_published(event("news", 61), &["x", "w/z"], Visibility::Public);
    for _ in 0..100 {
        append(&mut store, vec![entry.clone()]);
    }
    append(&mut store, vec![end("over")]);
    drop(store);
    let (store, recovery) = open(&storage, options());
    assert_eq!(recovery.findings, []);
    check_old(&store, version, "opened again");
    assert_eq!(positions(&read_all(&store.reader(), "w/z")).len(), 100);
    let over = Topic::new("over").unwrap();
    assert_eq!(store.reader().end_of(&over), Some(Position(161)));
    // The same without its description, which the segments then give.
    drop(store);
    storage.remove("store.meta").unwrap();
    let (store, _) = open(&storage, options());
    check_old(&store, version, "restored");
    assert_eq!(store.reader().end_of(&over), Some(Position(161)));
    assert_eq!(version_of(&*storage, "store.meta"), format::VERSION);
}

#[test]
fn f1_every_operation_of_going_on_may_be_the_last() {
    for (version, files) in [(1, VERSION_1), (2, VERSION_2)] {
        let calm = CrashStorage::new(1, Faults::default());
        put_files(&calm, files);
        let before = calm.operations();
        drop(open(&Arc::new(calm.clone()), options()));
        let operations = calm.operations() - before;
        assert!(operations > 4, "{operations}");
        for n in 0..operations {
            for seed in 0..4 {
                let what = format!("version {version}, operation {n}, seed {seed}");
                check_crash_at(version, files, (before + n, seed), &what);
            }
        }
    }
}

fn check_crash_at(version: u32, files: Files, (operation, seed): (u64, u64), what: &str) {
    let disk = CrashStorage::new(seed, Faults::default());
    put_files(&disk, files);
    disk.set_faults(Faults {
        crash_at: Some(operation),
        ..Faults::default()
    });
    let opened = Store::open(Arc::new(disk.clone()), options(), NOW, fresh(LOG));
    assert!(disk.has_crashed(), "{what}");
    drop(opened);
    let disk = disk.reboot(seed, Faults::default());
    let (store, _) = open(&Arc::new(disk.clone()), options());
    check_old(&store, version, what);
    for name in ["store.meta", files[3].0] {
        assert_eq!(version_of(&disk, name), format::VERSION, "{what}: {name}");
    }
}
