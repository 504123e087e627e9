//! What reading costs, in bytes read from the disk.

mod common;

use common::watched::{Ask, Watch, Watched};
use common::*;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tidings_engine::{Position, Topic};
use tidings_store::Store;

/// Counts the bytes that are read.
#[derive(Default)]
struct Counting(AtomicU64);

impl Counting {
    fn take(&self) -> u64 {
        self.0.swap(0, Ordering::Relaxed)
    }
}

impl Watch for Counting {
    fn ask(&self, _: &str, what: &Ask<'_>) -> io::Result<()> {
        if let Ask::Read { len, .. } = what {
            self.0.fetch_add(*len as u64, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// About 16 MiB in 16 segments of 1 MiB; each thousandth event is narrow.
fn history() -> (Arc<Watched<Counting>>, Store) {
    let storage = Arc::new(Watched::<Counting>::default());
    let options = tidings_store::Options {
        segment_bytes: 1 << 20,
        ..small()
    };
    let mut store = open(&storage, options).0;
    for n in 0..8_000u64 {
        let topic = if n % 1000 == 500 { "narrow/a" } else { "wide" };
        let mut entry = with_id(topic, n, &format!("id-{n}"));
        entry.fields = vec![b'x'; 2000].into();
        append(&mut store, vec![entry]);
    }
    storage.take();
    (storage, store)
}

#[test]
fn a_narrow_topic_does_not_cost_the_whole_log() {
    let (storage, store) = history();
    let reader = store.reader();
    for narrow in ["narrow/a", "narrow/*", "*/a"] {
        assert_eq!(positions(&read_all(&reader, narrow)).len(), 8);
        let read = storage.take();
        assert!(read < 1 << 20, "{narrow}: {read} bytes");
    }
    assert_eq!(positions(&read_all(&reader, "**")).len(), 8000);
    let all = storage.take();
    assert!((16 << 20..64 << 20).contains(&all), "{all} bytes");
}

#[test]
fn a9_an_id_a_time_and_the_last_few_are_found_without_a_scan() {
    let (storage, store) = history();
    let reader = store.reader();
    let checked = |what: &str, f: &dyn Fn()| {
        storage.take();
        f();
        let read = storage.take();
        assert!(read < 200 << 10, "{what}: {read} bytes");
    };
    for n in [0, 1, 4000, 7999] {
        checked("a known id", &|| {
            let id = with_id("wide", 0, &format!("id-{n}")).id.unwrap();
            let found = reader.locate(&id, &selection("**")).unwrap();
            assert_eq!(found, Some(Position(n + 1)));
        });
    }
    checked("an unknown id", &|| {
        let id = with_id("wide", 0, "nobody's").id.unwrap();
        assert_eq!(reader.locate(&id, &selection("**")).unwrap(), None);
    });
    checked("a time", &|| {
        reader.at_time(NOW).unwrap();
    });
    checked("the last of a narrow topic", &|| {
        let cursor = reader.last_n(3, &selection("narrow/a")).unwrap();
        assert_eq!(cursor.after, Position(5500));
    });
    checked("one event in the middle", &|| {
        let budget = tidings_engine::Budget {
            frames: 1,
            bytes: 1,
        };
        let mut cursor = tidings_engine::Cursor {
            after: Position(4321),
        };
        let mut out = Vec::new();
        reader
            .read(&mut cursor, &selection("**"), budget, &mut out)
            .unwrap();
        assert_eq!(out[0].position(), Position(4322));
    });
}

#[test]
fn f10_opening_reads_only_what_is_not_sealed() {
    let (storage, store) = history();
    drop(store);
    storage.take();
    let options = tidings_store::Options {
        segment_bytes: 1 << 20,
        ..small()
    };
    let (store, recovery) = open(&storage, options);
    assert_eq!(recovery.findings, []);
    let read = storage.take();
    assert!(read < 4 << 20, "{read} bytes");
    assert_eq!(store.reader().last(), Position(8000));
}

/// What a start reads, in bytes, of a log with so many topics, of which the first
/// `closed` are.
fn start_of(topics: u64, closed: u64) -> u64 {
    let storage = Arc::new(Watched::<Counting>::default());
    let options = || tidings_store::Options {
        segment_bytes: 1 << 20,
        ..small()
    };
    let mut store = open(&storage, options()).0;
    let topic = |n| format!("answer/{n}");
    for n in 0..topics {
        let mut answer = event(&topic(n), n);
        answer.fields = vec![b'x'; 200].into();
        append(&mut store, vec![answer]);
        if n < closed {
            append(&mut store, vec![end(&topic(n))]);
        }
    }
    drop(store);
    storage.take();
    let (store, recovery) = open(&storage, options());
    assert_eq!(recovery.findings, []);
    let read = storage.take();
    for n in [0, closed, topics - 1] {
        let end = store.reader().end_of(&Topic::new(&topic(n)).unwrap());
        assert_eq!(end.is_some(), n < closed, "{n} of {closed}");
    }
    read
}

#[test]
fn f10_opening_looks_for_what_was_used_behind_its_end_among_names_alone() {
    const TOPICS: u64 = 20_000;
    let [none, one, all] = [0, 1, TOPICS].map(|closed| start_of(TOPICS, closed));
    // The names of all topics, with where each stands.
    let names = one - none;
    assert!(
        names < 48 * TOPICS,
        "{names} bytes: {one} instead of {none}"
    );
    // And the ends with their names.
    assert!(all < 200 * TOPICS, "{all} bytes");
}

#[test]
fn f10_opening_finds_the_ends_of_topics_without_reading_what_was_published() {
    const TOPICS: u64 = 8_000;
    let storage = Arc::new(Watched::<Counting>::default());
    let options = || tidings_store::Options {
        segment_bytes: 1 << 20,
        ..small()
    };
    let mut store = open(&storage, options()).0;
    for n in 0..TOPICS {
        let topic = format!("answer/{n}");
        let mut answer = event(&topic, n);
        answer.fields = vec![b'x'; 2000].into();
        append(&mut store, vec![answer, end(&topic)]);
    }
    drop(store);
    storage.take();
    let (store, recovery) = open(&storage, options());
    assert_eq!(recovery.findings, []);
    let read = storage.take();
    assert!(read < 6 << 20, "{read} bytes");
    for n in 0..TOPICS {
        let topic = Topic::new(&format!("answer/{n}")).unwrap();
        let end = Position(2 * n + 2);
        assert_eq!(store.reader().end_of(&topic), Some(end));
    }
    assert_eq!(storage.take(), 0, "the table is in memory");
}
