//! What opening makes of directories in which a crash, a disk or a person
//! has left a segment torn, unreadable or missing.

mod common;

use common::watched::{EMFILE, ENOSPC, Faulty, Refusals};
use common::*;
use std::sync::Arc;
use tidings_engine::{Entry, LogId, Position, Timestamp};
use tidings_store::format::Salt;
use tidings_store::format::record::{Place, encode, encoded_len};
use tidings_store::{
    AppendError, Health, Identity, Limits, MemoryStorage, OpenError, Options, Retention, Storage,
    Store, What,
};

const HOUR: u64 = 3_600_000;

/// 8 KiB segments: 4 KiB of records each.
fn tiny() -> Options {
    Options {
        segment_bytes: 8 * 1024,
        ..small()
    }
}

fn keeping(limits: Limits) -> Options {
    Options {
        retention: Retention {
            default: limits,
            rules: Vec::new(),
        },
        ..tiny()
    }
}

/// The names of the segments, ascending.
fn logs(storage: &dyn Storage) -> Vec<String> {
    let names = storage.list().unwrap().into_iter();
    let mut logs: Vec<_> = names.filter(|name| name.ends_with(".log")).collect();
    logs.sort();
    logs
}

fn served(store: &Store) -> Vec<u64> {
    let earliest = store.reader().earliest(&selection("**")).after;
    positions(&read_from(&store.reader(), earliest, "**", BUDGET))
}

/// Appends until a second segment holds one record; then the power fails,
/// and of that record 20 bytes are left.
fn tear_first_group(mut store: Store, storage: &dyn Storage, now: Timestamp) {
    let mut n = 0;
    while logs(storage).len() < 2 {
        n += 1;
        let entry = Entry {
            time: now,
            ..event("fill", n)
        };
        store.commit(vec![vec![entry]], now).remove(0).unwrap();
    }
    drop(store);
    let file = storage.open(&logs(storage)[1]).unwrap();
    file.write_at(4096 + 20, &[0; 4096 - 20]).unwrap();
}

/// A store of 250 events, in four segments; and its last position.
fn sample(storage: &Arc<impl Storage + 'static>) -> Position {
    let mut store = open(storage, tiny()).0;
    for n in 1..=250 {
        append(&mut store, vec![event("a", n)]);
    }
    store.reader().last()
}

/// The next event stands behind `last`, and who read up to there is told
/// that something may be missing.
fn check_goes_on_behind(storage: &Arc<impl Storage + 'static>, last: Position) {
    let mut store = open(storage, tiny()).0;
    let position = append(&mut store, vec![event("new", 1)])[0].position;
    assert!(position > last, "{position:?} was given before");
    let seen = read_all(&store.reader(), "**");
    assert_eq!(positions(&seen).last(), Some(&position.0));
    assert!(
        seen.iter()
            .any(|s| matches!(s, Seen::Gap(to) if *to >= last && *to < position))
    );
    drop(store);
    let (store, recovery) = open(storage, tiny());
    assert_eq!(
        (recovery.findings, store.reader().last()),
        (vec![], position)
    );
}

fn make_unreadable(storage: &dyn Storage, name: &str) {
    let file = storage.open(name).unwrap();
    file.write_at(0, &[0; 4096]).unwrap();
}

#[test]
fn a_torn_first_group_of_a_segment_expires_no_history() {
    let options = keeping(Limits {
        age_ms: Some(10 * HOUR),
        ..Limits::NONE
    });
    let storage = Arc::new(MemoryStorage::new());
    let mut store = open(&storage, options.clone()).0;
    let mut now = NOW;
    for _ in 0..20 {
        now.0 += HOUR;
        store.maintain(now).unwrap();
    }
    tear_first_group(store, &*storage, now);
    for _ in 0..2 {
        let opened = Store::open(storage.clone(), options.clone(), now, fresh(LOG));
        let mut store = opened.unwrap().0;
        let kept = served(&store);
        assert!(kept.len() > 50);
        store.maintain(now).unwrap();
        assert_eq!(served(&store), kept);
    }
}

#[test]
fn a_torn_first_group_of_a_segment_forgets_no_key() {
    let storage = Arc::new(MemoryStorage::new());
    let mut store = open(&storage, tiny()).0;
    append(&mut store, vec![with_key("a", 1, 77, 1)]);
    tear_first_group(store, &*storage, NOW);
    let mut store = open(&storage, tiny()).0;
    assert!(append(&mut store, vec![with_key("a", 1, 77, 1)])[0].duplicate);
}

#[test]
fn f5_an_unreadable_segment_keeps_its_positions_when_opening_is_refused() {
    let storage = Arc::new(MemoryStorage::new());
    let last = sample(&storage);
    let active = logs(&*storage).pop().unwrap();
    make_unreadable(&*storage, &active);
    let other = Arc::new(MemoryStorage::new());
    drop(Store::open(other.clone(), tiny(), NOW, fresh(LogId(4242))).unwrap());
    let stray = format!("{:020}.log", 7777);
    let image = image_of(&*other, &logs(&*other)[0]);
    let file = storage.create(&stray).unwrap();
    file.write_at(0, &image).unwrap();
    let before = image_of_all(&*storage);
    assert!(Store::open(storage.clone(), tiny(), NOW, fresh(LOG)).is_err());
    assert_eq!(image_of_all(&*storage), before);
    storage.remove(&stray).unwrap();
    check_goes_on_behind(&storage, last);
}

#[test]
fn f5_an_unreadable_segment_keeps_its_positions_when_the_disk_is_full() {
    let storage = Arc::new(Faulty::default());
    let last = sample(&storage);
    let active = logs(&*storage).pop().unwrap();
    make_unreadable(&*storage, &active);
    let _ = storage.remove("spare.seg");
    storage.refuse(Refusals {
        create: Some(("spare.tmp", ENOSPC)),
        ..Refusals::default()
    });
    assert!(Store::open(storage.clone(), tiny(), NOW, fresh(LOG)).is_err());
    storage.refuse(Refusals::default());
    check_goes_on_behind(&storage, last);
}

#[test]
fn f5_a_segment_set_aside_keeps_its_positions_and_is_never_overwritten() {
    let storage = Arc::new(MemoryStorage::new());
    let last = sample(&storage);
    let active = logs(&*storage).pop().unwrap();
    storage
        .rename(&active, &format!("{active}.damaged"))
        .unwrap();
    let kept = image_of(&*storage, &format!("{active}.damaged"));
    storage.create(&active).unwrap();
    check_goes_on_behind(&storage, last);
    assert_eq!(image_of(&*storage, &format!("{active}.damaged")), kept);
    assert!(image_of(&*storage, &format!("{active}.damaged.2")).is_empty());
}

#[test]
fn f5_missing_last_segments_are_declared_and_their_positions_not_given_again() {
    for missing in 1..=3 {
        let storage = Arc::new(MemoryStorage::new());
        let last = sample(&storage);
        let names = logs(&*storage);
        // The index of the one before says that there was a last segment.
        for name in names.iter().rev().take(missing) {
            storage.remove(name).unwrap();
        }
        assert!(missing < names.len());
        let (store, recovery) = open(&storage, tiny());
        let declared = recovery
            .findings
            .iter()
            .any(|f| matches!(f.what, What::MissingSegment { last: to, .. } if to >= last));
        assert!(declared, "{:?}", recovery.findings);
        drop(store);
        check_goes_on_behind(&storage, last);
    }
}

#[test]
fn f5_a_file_with_a_name_beyond_every_position_is_no_segment() {
    for name in [u64::MAX, (1 << 62) + 1, 1 << 62] {
        let storage = Arc::new(MemoryStorage::new());
        sample(&storage);
        storage.create(&format!("{name:020}.log")).unwrap();
        for _ in 0..3 {
            let mut store = open(&storage, tiny()).0;
            append(&mut store, vec![event("a", 1)]);
        }
    }
}

#[test]
fn f2_a_payload_that_imitates_a_record_is_none_in_a_torn_group() {
    let storage = Arc::new(MemoryStorage::new());
    let mut store = open(&storage, small()).0;
    append(&mut store, vec![event("a", 1)]);
    let at = 4096 + encoded_len(&event("a", 1)).unwrap();
    // The publisher knows the log and the places, and guesses the secret.
    let guessed = Identity {
        log: LOG,
        secret: 0,
    };
    let (head, topic, field) = (48, 1, 6);
    let begin = at + head + topic;
    let forged_at = (begin + field + 600).next_multiple_of(8);
    let place = Place {
        salt: Salt::new(guessed, Position(1)),
        at: forged_at,
        group: forged_at,
        position: Position(3),
        tick: 0,
        ends_request: true,
    };
    let mut forged = Vec::new();
    encode(&mut forged, &event("$admin/secret", 666), &place);
    let mut fields = b"data: ".to_vec();
    fields.resize((forged_at - begin) as usize, b'x');
    fields.extend(&forged);
    fields.extend(b"xxxx\n");
    let payload = Entry {
        fields: fields.into(),
        ..event("a", 0)
    };
    append(&mut store, vec![payload]);
    drop(store);
    // The power fails: the sector with the record's head is not written.
    let file = storage.open(&logs(&*storage)[0]).unwrap();
    file.write_at(at, &vec![0; (4608 - at) as usize]).unwrap();
    let seen = read_all(&open(&storage, small()).0.reader(), "**");
    assert_eq!(positions(&seen), [1], "{seen:?}");
}

#[test]
fn f5_a_segment_with_another_secret_is_refused_and_the_secret_is_shown_nowhere() {
    let storage = Arc::new(MemoryStorage::new());
    sample(&storage);
    let other = Arc::new(MemoryStorage::new());
    let identity = Identity {
        log: LOG,
        secret: 123_456_789,
    };
    drop(Store::open(other.clone(), tiny(), NOW, identity).unwrap());
    let image = image_of(&*other, &logs(&*other)[0]);
    let name = logs(&*storage)[0].clone();
    let file = storage.create(&name).unwrap();
    file.write_at(0, &image).unwrap();
    let opened = Store::open(storage.clone(), tiny(), NOW, fresh(LOG));
    assert!(matches!(opened, Err(OpenError::Foreign { .. })));
    assert!(!format!("{identity:?}").contains("123"));
}

#[test]
fn torn_tails_cost_no_history() {
    let options = Options {
        segment_bytes: 16 << 20,
        ..keeping(Limits {
            bytes: Some(1 << 20),
            ..Limits::NONE
        })
    };
    let storage = Arc::new(MemoryStorage::new());
    let mut store = open(&storage, options.clone()).0;
    let text = "x".repeat(900);
    for n in 0..100 {
        let fields = format!("data: {text}\n").into();
        append(
            &mut store,
            vec![Entry {
                fields,
                ..event("a", n)
            }],
        );
    }
    for n in 0..20 {
        append(&mut store, vec![event("x", n)]);
        drop(store);
        let last = logs(&*storage).pop().unwrap();
        let image = image_of(&*storage, &last);
        let end = image.iter().rposition(|b| *b != 0).unwrap() + 1;
        let file = storage.open(&last).unwrap();
        file.write_at(end.next_multiple_of(8) as u64, &[1; 20])
            .unwrap();
        store = open(&storage, options.clone()).0;
        while store.maintain(NOW).unwrap() {}
    }
    assert_eq!(served(&store).len(), 120);
}

#[test]
fn p9_what_the_system_refuses_for_a_moment_is_asked_for_again() {
    let storage = Arc::new(Faulty::default());
    let mut store = open(&storage, tiny()).0;
    storage.refuse(Refusals {
        create: Some(("spare.tmp", EMFILE)),
        ..Refusals::default()
    });
    let commit = |store: &mut Store, n| store.commit(vec![vec![event("a", n)]], NOW).remove(0);
    let refused = (1..=100).find_map(|n| commit(&mut store, n).err());
    assert_eq!(refused, Some(AppendError::Unavailable));
    assert_eq!(store.health(), Health::Healthy);
    storage.refuse(Refusals::default());
    assert!(commit(&mut store, 101).is_ok());
}
