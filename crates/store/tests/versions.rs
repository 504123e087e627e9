//! Stores that an older version of the format wrote: `version_1` holds the files
//! of one, as the program of that time left them.

mod common;

use common::*;
use std::sync::Arc;
use tidings_engine::{Entry, Position, Topic, Visibility};
use tidings_store::storage::crash::{CrashStorage, Faults};
use tidings_store::{MemoryStorage, Storage, Store, format};

const FILES: [(&str, &[u8]); 4] = [
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

/// What was published then: event `n`, one after the other.
fn published(n: u64) -> Entry {
    let topic = ["news", "orders/1", "a/b"][n as usize % 3];
    if n.is_multiple_of(5) {
        with_id(topic, n, &format!("id-{n}"))
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

fn put_files(storage: &dyn Storage) {
    for (name, bytes) in FILES {
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
fn check_old(store: &Store, what: &str) {
    let seen = read_all(&store.reader(), "**");
    for n in 1..=60 {
        let (entry, position) = (published(n), Position(n));
        let topic = entry.topic.as_str().to_owned();
        let of_topic = positions(&read_all(&store.reader(), &topic));
        assert!(of_topic.contains(&n), "{what}: {n} by its topic");
        if let Some(id) = &entry.id {
            let found = store.reader().locate(id, &selection(&topic)).unwrap();
            assert_eq!(found, Some(position), "{what}");
        }
        let payload = tidings_engine::Frame::new(LOG, position, entry).payload();
        let expected = Seen::Event(position, topic, payload);
        assert_eq!(seen[n as usize - 1], expected, "{what}");
    }
}

#[test]
fn a_store_of_version_1_is_gone_on_with() {
    let storage = Arc::new(MemoryStorage::new());
    put_files(&*storage);
    let (mut store, recovery) = open(&storage, options());
    assert!(!recovery.created);
    assert_eq!(recovery.findings, []);
    check_old(&store, "opened");
    // From here on, the program that wrote it refuses it.
    for name in ["store.meta", FILES[3].0] {
        assert_eq!(version_of(&*storage, name), format::VERSION, "{name}");
    }
    assert_eq!(version_of(&*storage, FILES[1].0), 1);

    let entry = Entry {
        alternates: ["x", "y/z"].map(|text| Topic::new(text).unwrap()).into(),
        visibility: Visibility::Public,
        ..event("news", 61)
    };
    for _ in 0..100 {
        append(&mut store, vec![entry.clone()]);
    }
    drop(store);
    let (store, recovery) = open(&storage, options());
    assert_eq!(recovery.findings, []);
    check_old(&store, "opened again");
    assert_eq!(positions(&read_all(&store.reader(), "y/z")).len(), 100);
    // The same without its description, which the segments then give.
    drop(store);
    storage.remove("store.meta").unwrap();
    let (store, _) = open(&storage, options());
    check_old(&store, "restored");
    assert_eq!(version_of(&*storage, "store.meta"), format::VERSION);
}

#[test]
fn f1_every_operation_of_going_on_may_be_the_last() {
    let calm = CrashStorage::new(1, Faults::default());
    put_files(&calm);
    let before = calm.operations();
    drop(open(&Arc::new(calm.clone()), options()));
    let operations = calm.operations() - before;
    assert!(operations > 4, "{operations}");
    for n in 0..operations {
        for seed in 0..4 {
            let what = format!("operation {n}, seed {seed}");
            let disk = CrashStorage::new(seed, Faults::default());
            put_files(&disk);
            disk.set_faults(Faults {
                crash_at: Some(before + n),
                ..Faults::default()
            });
            let opened = Store::open(Arc::new(disk.clone()), options(), NOW, fresh(LOG));
            assert!(disk.has_crashed(), "{what}");
            drop(opened);
            let disk = disk.reboot(seed, Faults::default());
            let (store, _) = open(&Arc::new(disk.clone()), options());
            check_old(&store, &what);
            for name in ["store.meta", FILES[3].0] {
                assert_eq!(version_of(&disk, name), format::VERSION, "{what}: {name}");
            }
        }
    }
}
