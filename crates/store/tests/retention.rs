//! What expires when, per topic; and what it gives back.

mod common;

use common::watched::{EPERM, Faulty, Refusals};
use common::*;
use std::sync::Arc;
use tidings_engine::{Cursor, Position, Selector, Timestamp};
use tidings_store::{Limits, MemoryStorage, Options, Retention, Storage, Store};

const HOUR: u64 = 3_600_000;

fn keeping(default: Limits, rules: &[(&str, Limits)]) -> Options {
    let rules = rules
        .iter()
        .map(|(s, limits)| (Selector::new(s).unwrap(), *limits));
    Options {
        segment_bytes: 8 * 1024,
        retention: Retention {
            default,
            rules: rules.collect(),
        },
        ..Options::default()
    }
}

fn events(n: u64) -> Limits {
    Limits {
        events: Some(n),
        ..Limits::NONE
    }
}

fn age(ms: u64) -> Limits {
    Limits {
        age_ms: Some(ms),
        ..Limits::NONE
    }
}

fn served(store: &Store, select: &str) -> Vec<u64> {
    let earliest = store.reader().earliest(&selection(select)).after;
    positions(&read_from(&store.reader(), earliest, select, BUDGET))
}

fn maintain(store: &mut Store, now: Timestamp) {
    while store.maintain(now).unwrap() {}
}

#[test]
fn by_count_exactly_and_per_topic() {
    let options = keeping(events(30), &[("few/**", events(3)), ("many", events(1000))]);
    let storage = Arc::new(MemoryStorage::new());
    let mut store = open(&storage, options.clone()).0;
    for n in 0..100 {
        append(
            &mut store,
            vec![event("few/a", n), event("many", n), event("other", n)],
        );
        if n % 7 == 0 {
            maintain(&mut store, NOW);
        }
    }
    maintain(&mut store, NOW);
    let check = |store: &Store| {
        assert_eq!(served(store, "few/a"), [292, 295, 298]);
        assert_eq!(
            served(store, "many"),
            (2..300).step_by(3).collect::<Vec<_>>()
        );
        assert_eq!(
            served(store, "other"),
            (213..=300).step_by(3).collect::<Vec<_>>()
        );
        assert_eq!(served(store, "**").len(), 3 + 100 + 30);
    };
    check(&store);
    drop(store);
    check(&open(&storage, options).0);
}

#[test]
fn the_horizon_tells_what_a_mixed_selection_lacks() {
    let options = keeping(Limits::NONE, &[("few", events(2))]);
    let mut store = open(&Arc::new(MemoryStorage::new()), options).0;
    for n in 0..10 {
        append(&mut store, vec![event("few", n), event("other", n)]);
    }
    maintain(&mut store, NOW);
    let reader = store.reader();
    let horizon = |s: &str| {
        (
            reader.earliest(&selection(s)).after.0,
            reader.horizon(&selection(s)).0,
        )
    };
    assert_eq!(horizon("few"), (15, 15));
    assert_eq!(horizon("other"), (0, 0));
    assert_eq!(horizon("**"), (0, 15));
    assert_eq!(read_all(&reader, "few")[0], Seen::Gap(Position(15)));
}

#[test]
fn by_age_exactly() {
    let options = keeping(age(10 * HOUR), &[("short", age(HOUR))]);
    let storage = Arc::new(MemoryStorage::new());
    let mut store = open(&storage, options).0;
    for hour in 0..=20 {
        let now = Timestamp(NOW.0 + hour * HOUR);
        store
            .commit(vec![vec![event("short", hour), event("long", hour)]], now)
            .remove(0)
            .unwrap();
        maintain(&mut store, now);
    }
    assert_eq!(served(&store, "short"), [39, 41]);
    assert_eq!(
        served(&store, "long"),
        (22..=42).step_by(2).collect::<Vec<_>>()
    );
}

#[test]
fn by_bytes_and_the_disk_is_bounded() {
    let limit = 1 << 20;
    let default = Limits {
        bytes: Some(limit),
        ..Limits::NONE
    };
    let mut options = keeping(default, &[]);
    options.segment_bytes = 64 * 1024;
    let storage = Arc::new(MemoryStorage::new());
    let mut store = open(&storage, options).0;
    for n in 0..3000 {
        let mut entry = event("a", n);
        entry.fields = format!("data: {}\n", "x".repeat(1000)).into();
        append(&mut store, vec![entry]);
        if n % 50 == 0 {
            maintain(&mut store, NOW);
        }
    }
    maintain(&mut store, NOW);
    assert!(store.reader().stats().bytes <= limit);
    let kept = served(&store, "a");
    assert!(kept.len() > 700, "{}", kept.len());
    assert_eq!(kept.last(), Some(&3000));
    let names = storage.list().unwrap();
    assert!(names.len() < 40, "{names:?}");
}

#[test]
fn f12_p24_no_jump_of_the_clock_wipes_history() {
    let options = keeping(age(7 * 24 * HOUR), &[]);
    let storage = Arc::new(MemoryStorage::new());
    let mut store = open(&storage, options.clone()).0;
    for n in 0..200 {
        append(&mut store, vec![event("a", n)]);
    }
    let years = 10 * 365 * 24 * HOUR;
    for now in [NOW.0 + years, NOW.0 - years, NOW.0 + HOUR, NOW.0] {
        let entry = tidings_engine::Entry {
            time: Timestamp(now),
            ..event("a", now)
        };
        store
            .commit(vec![vec![entry]], Timestamp(now))
            .remove(0)
            .unwrap();
        maintain(&mut store, Timestamp(now));
        assert_eq!(served(&store, "a").first(), Some(&1));
    }
    drop(store);
    for now in [NOW.0 + 2 * years, NOW.0 - years, NOW.0] {
        let opened = Store::open(storage.clone(), options.clone(), Timestamp(now), fresh(LOG));
        let mut store = opened.unwrap().0;
        maintain(&mut store, Timestamp(now));
        assert_eq!(served(&store, "a").len(), 204);
    }
}

#[test]
fn by_age_too_where_the_hub_is_quiet_and_restarted_every_day() {
    let options = keeping(age(7 * 24 * HOUR), &[]);
    let storage = Arc::new(MemoryStorage::new());
    let mut store = open(&storage, options.clone()).0;
    append(&mut store, vec![event("a", 1)]);
    let mut now = NOW;
    for day in 1..=9 {
        for _ in 0..23 {
            now.0 += HOUR;
            store.maintain(now).unwrap();
        }
        drop(store);
        now.0 += HOUR;
        let opened = Store::open(storage.clone(), options.clone(), now, fresh(LOG));
        store = opened.unwrap().0;
        assert_eq!(
            served(&store, "a").len(),
            usize::from(day <= 7),
            "day {day}"
        );
    }
}

#[test]
fn f12_a_damaged_or_foreign_clock_file_is_ignored() {
    let options = keeping(age(7 * 24 * HOUR), &[]);
    let storage = Arc::new(MemoryStorage::new());
    let mut store = open(&storage, options.clone()).0;
    append(&mut store, vec![event("a", 1)]);
    store.maintain(Timestamp(NOW.0 + HOUR)).unwrap();
    drop(store);
    let intact = image_of(&*storage, "store.clock");
    let later = Timestamp(NOW.0 + HOUR);
    for at in 0..intact.len() {
        let file = storage.create("store.clock").unwrap();
        let mut damaged = intact.clone();
        damaged[at] ^= 0xff;
        file.write_at(0, &damaged[..intact.len() - at % 2]).unwrap();
        let opened = Store::open(storage.clone(), options.clone(), later, fresh(LOG));
        let mut store = opened.unwrap().0;
        store.maintain(later).unwrap();
        assert_eq!(served(&store, "a"), [1], "byte {at}");
    }
}

#[test]
fn however_few_bytes_are_allowed_some_history_is_kept() {
    for limit in [1, 64 << 10, 128 << 10] {
        let default = Limits {
            bytes: Some(limit),
            ..Limits::NONE
        };
        let mut options = keeping(default, &[]);
        options.segment_bytes = 16 << 20;
        let mut store = open(&Arc::new(MemoryStorage::new()), options).0;
        let text = "x".repeat(200);
        for n in 0..2000 {
            let fields = format!("data: {text}\n").into();
            append(
                &mut store,
                vec![tidings_engine::Entry {
                    fields,
                    ..event("a", n)
                }],
            );
            maintain(&mut store, NOW);
            let bytes = served(&store, "a").len() as u64 * 264;
            let least = (limit / 8).saturating_sub(264).min(n * 264);
            assert!(bytes >= least, "{bytes} bytes kept of {limit}, event {n}");
        }
    }
}

#[test]
fn what_could_not_be_removed_is_removed_later() {
    let storage = Arc::new(Faulty::default());
    let mut store = open(&storage, keeping(events(5), &[])).0;
    for n in 0..1000 {
        append(&mut store, vec![event("a", n)]);
    }
    storage.refuse(Refusals {
        rename_and_remove: Some(EPERM),
        ..Refusals::default()
    });
    assert!(store.maintain(NOW).is_err());
    assert_eq!(served(&store, "a").len(), 5);
    storage.refuse(Refusals::default());
    maintain(&mut store, NOW);
    let names = storage.list().unwrap();
    let files = names.iter().filter(|n| n.ends_with(".log")).count();
    assert_eq!(files, store.reader().stats().segments, "{names:?}");
}

#[test]
fn lower_limits_apply_at_the_next_start() {
    let storage = Arc::new(MemoryStorage::new());
    let mut store = open(&storage, keeping(Limits::NONE, &[])).0;
    for n in 0..2000 {
        append(&mut store, vec![event("a", n)]);
    }
    let before = store.reader().stats().segments;
    drop(store);
    let mut store = open(&storage, keeping(events(20), &[])).0;
    assert_eq!(served(&store, "a"), (1981..=2000).collect::<Vec<_>>());
    maintain(&mut store, NOW);
    assert!(store.reader().stats().segments < before / 10);
    append(&mut store, vec![event("a", 1)]);
    assert_eq!(store.reader().last(), Position(2001));
    let last = store.reader().last_n(5, &selection("a")).unwrap();
    assert_eq!(
        last,
        Cursor {
            after: Position(1996)
        }
    );
}
