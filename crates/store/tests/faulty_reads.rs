//! Reading what can't be read by its index, or not at all.

mod common;

use common::watched::{EIO, EMFILE, ENOSPC, EROFS, Faulty, Refusals};
use common::*;
use std::sync::Arc;
use tidings_engine::{Cursor, Entry, Position, Read};
use tidings_store::{DirStorage, Finding, Options, Reader, Storage, Store, What};

fn large(n: u64, size: usize) -> Entry {
    Entry {
        fields: format!("data: {n} {}\n", "x".repeat(size)).into(),
        ..event("large", n)
    }
}

fn log_names(storage: &dyn Storage) -> Vec<String> {
    let mut names = storage.list().unwrap();
    names.retain(|name| name.ends_with(".log"));
    names.sort();
    names
}

/// Reads everything and goes on behind gaps: how many events, how many gaps.
/// A reader that stays where it is fails.
fn check_read(reader: &Reader, select: &str) -> (usize, usize) {
    let (selection, mut cursor) = (
        selection(select),
        Cursor {
            after: Position::START,
        },
    );
    let (mut events, mut gaps) = (0, 0);
    loop {
        let (mut out, before) = (Vec::new(), cursor);
        let read = reader.read(&mut cursor, &selection, BUDGET, &mut out);
        events += out.len();
        match read.unwrap() {
            Read::CaughtUp => return (events, gaps),
            Read::Gap(gap) => {
                gaps += 1;
                assert!(gap.to > cursor.after, "{gap:?} at {cursor:?}");
                cursor.after = gap.to;
            }
            Read::Frames => assert!(cursor > before, "{select}: stuck at {cursor:?}"),
        }
    }
}

#[test]
fn a_large_segment_without_an_index_is_read_to_its_end() {
    let storage = Arc::new(Faulty::default());
    storage.refuse(Refusals {
        create: Some((".idx.tmp", ENOSPC)),
        ..Refusals::default()
    });
    let options = Options {
        segment_bytes: 16 << 20,
        ..small()
    };
    let mut store = open(&storage, options).0;
    for n in 0..300 {
        append(&mut store, vec![large(n, 60_000)]);
    }
    assert_eq!(store.reader().stats().segments, 2);
    assert_eq!(check_read(&store.reader(), "**"), (300, 0));
    assert_eq!(check_read(&store.reader(), "other"), (0, 0));
}

#[test]
fn damage_far_into_a_large_active_segment_costs_one_event() {
    let storage = Arc::new(Faulty::default());
    let options = Options {
        segment_bytes: 32 << 20,
        ..small()
    };
    let mut store = open(&storage, options).0;
    for n in 0..250 {
        append(&mut store, vec![large(n, 60_000), event("narrow", n)]);
    }
    let name = &log_names(&*storage)[0];
    let image = image_of(&*storage, name);
    let far = 12 << 20;
    let within = image[far..].windows(6).position(|w| w == b"narrow");
    let file = storage.open(name).unwrap();
    file.write_at((far + within.unwrap()) as u64, b"N").unwrap();
    assert_eq!(check_read(&store.reader(), "narrow"), (249, 1));
    assert_eq!(check_read(&store.reader(), "large").0, 250);
}

/// A store of 300 events in small segments, and the names of those.
fn sample() -> (Arc<Faulty>, Store, Vec<String>) {
    let storage = Arc::new(Faulty::default());
    let options = Options {
        segment_bytes: 8 * 1024,
        ..small()
    };
    let mut store = open(&storage, options).0;
    for n in 0..300 {
        append(&mut store, vec![event("a", n)]);
    }
    let names = log_names(&*storage);
    assert!(names.len() > 3);
    (storage, store, names)
}

fn losses(findings: &[Finding]) -> usize {
    let lost = |f: &&Finding| matches!(f.what, What::Hole { .. } | What::MissingSegment { .. });
    findings.iter().filter(lost).count()
}

/// Makes a sector of a segment unreadable: it costs the events there, by
/// index and without one, now and after opening again.
fn check_unreadable(segment: usize, sector: u64) {
    let what = format!("segment {segment}, byte {sector}");
    let (storage, store, names) = sample();
    let name = names[segment].clone();
    storage.refuse(Refusals {
        sector: Some((name.clone(), sector, EIO)),
        ..Refusals::default()
    });
    let check = |mut store: Store, findings: &[Finding]| {
        let mut reported = losses(findings);
        for select in ["a", "**", "a"] {
            let (events, gaps) = check_read(&store.reader(), select);
            assert!((150..300).contains(&events), "{what}: {events}");
            assert_eq!(gaps, 1, "{what}");
            store.maintain(NOW).unwrap();
            reported += losses(&store.take_findings());
        }
        let id = tidings_codec::EventId::new("none").unwrap();
        let found = store.reader().locate(&id, &selection("a"));
        assert_eq!(found.unwrap(), None, "{what}");
        reported
    };
    assert_eq!(check(store, &[]), 1, "{what}");
    let (store, recovery) = open(&storage, small());
    check(store, &recovery.findings);
    let index = name.replace(".log", ".idx");
    if storage.remove(&index).is_ok() {
        let (store, recovery) = open(&storage, small());
        assert_eq!(check(store, &recovery.findings), 1, "{what}");
    }
}

#[test]
fn an_unreadable_sector_of_a_sealed_segment_costs_what_is_there() {
    check_unreadable(1, 4096);
    check_unreadable(1, 4096 + 1024);
}

#[test]
fn a_segment_whose_file_is_gone_is_a_gap() {
    let (storage, mut store, names) = sample();
    let (from, to) = (names[1].clone(), "elsewhere");
    storage.rename(&from, to).unwrap();
    // Opened afresh: what is held open can be read for as long as it is.
    let reader = store.reader();
    let (events, gaps) = check_read(&reader, "**");
    assert!(events < 300 && gaps == 1, "{events}, {gaps} gaps");
    check_read(&reader, "a");
    store.maintain(NOW).unwrap();
    assert_eq!(losses(&store.take_findings()), 1);
}

#[test]
fn no_descriptors_is_an_error_and_no_damage() {
    let (storage, store, names) = sample();
    let reader = store.reader();
    storage.refuse(Refusals {
        open: Some((".", EMFILE)),
        ..Refusals::default()
    });
    let mut cursor = Cursor {
        after: Position::START,
    };
    let read = reader.read(&mut cursor, &selection("**"), BUDGET, &mut Vec::new());
    let error = read.unwrap_err();
    assert_eq!(
        (error.file.as_str(), cursor.after.0),
        (names[0].as_str(), 0)
    );
    storage.refuse(Refusals::default());
    assert_eq!(check_read(&reader, "**"), (300, 0));
    assert_eq!(store.take_findings(), []);
}

#[test]
fn an_index_that_cannot_be_written_is_tried_less_and_less_and_not_reported() {
    let (storage, mut store, _) = sample();
    storage.refuse(Refusals {
        create: Some((".idx.tmp", ENOSPC)),
        ..Refusals::default()
    });
    for n in 0..300 {
        append(&mut store, vec![event("a", n)]);
    }
    let (mut now, before) = (NOW, storage.creations(".idx.tmp"));
    for _ in 0..600 {
        now.0 += 1000;
        store.maintain(now).unwrap();
    }
    assert_eq!(store.take_findings(), []);
    let tried = storage.creations(".idx.tmp") - before;
    assert!((10..100).contains(&tried), "{tried} attempts in 600 s");
    storage.refuse(Refusals::default());
    for _ in 0..600 {
        now.0 += 1000;
        store.maintain(now).unwrap();
    }
    let findings = store.take_findings();
    let rebuilt = |f: &&Finding| f.what == What::IndexRebuilt;
    assert_eq!(findings.iter().filter(rebuilt).count(), findings.len());
    let without = log_names(&*storage).len() - 1;
    let indexes = storage.list().unwrap();
    let indexes = indexes.iter().filter(|name| name.ends_with(".idx"));
    assert_eq!(indexes.count(), without);
}

#[test]
fn reading_goes_on_where_nothing_can_be_opened_for_writing_any_more() {
    let (storage, store, _) = sample();
    storage.refuse(Refusals {
        open_to_write: Some(EROFS),
        create: Some(("", EROFS)),
        ..Refusals::default()
    });
    for select in ["**", "a"] {
        assert_eq!(check_read(&store.reader(), select), (300, 0));
    }
}

#[test]
fn a_file_of_a_directory_that_is_opened_to_read_is_not_opened_to_write() {
    let dir = tempfile::tempdir().unwrap();
    let storage = DirStorage::open(dir.path()).unwrap();
    let name = "00000000000000000001.log";
    storage.create(name).unwrap().write_at(0, b"text").unwrap();
    let file = storage.open_to_read(name).unwrap();
    let mut bytes = [0; 4];
    assert_eq!(file.read_at(0, &mut bytes).unwrap(), 4);
    assert_eq!(&bytes, b"text");
    assert!(file.write_at(0, b"other").is_err());
    assert!(storage.open(name).unwrap().write_at(0, b"other").is_ok());
}

#[test]
fn damage_in_the_active_segment_is_reported_once() {
    for select in ["**", "a", "*"] {
        let storage = Arc::new(Faulty::default());
        let mut store = open(&storage, small()).0;
        for n in 0..20 {
            append(&mut store, vec![event("a", n)]);
        }
        let file = storage.open(&log_names(&*storage)[0]).unwrap();
        file.write_at(4096 + 300, b"\xff").unwrap();
        for _ in 0..5 {
            assert_eq!(check_read(&store.reader(), select), (19, 1), "{select}");
        }
        // Also once the segment is sealed, and its index is made of what was
        // known of it while it was active.
        for n in 0..300 {
            append(&mut store, vec![event("a", n)]);
        }
        for _ in 0..5 {
            assert_eq!(check_read(&store.reader(), select), (319, 1), "{select}");
            store.maintain(NOW).unwrap();
        }
        assert_eq!(losses(&store.take_findings()), 1, "{select}");
    }
}
