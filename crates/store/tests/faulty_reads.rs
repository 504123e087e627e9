//! Reading what can't be read by its index, or not at all.

mod common;
#[path = "common/faulty.rs"]
mod faulty;

use common::*;
use faulty::{ENOSPC, Faulty, Refusals};
use std::sync::Arc;
use tidings_engine::{Cursor, Entry, Position, Read};
use tidings_store::{Options, Reader, Storage};

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
