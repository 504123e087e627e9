//! Appending: repetitions, limits, full and failing disks, the writer's queue.

mod common;

use common::watched::{Ask, Watch, Watched};
use common::*;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use tidings_engine::{Entry, Position, Timestamp};
use tidings_store::storage::crash::{CrashStorage, Faults};
use tidings_store::{
    AppendError, Appended, Busy, Health, Idempotency, MemoryStorage, Options, Store, Writer,
};

fn store() -> Store {
    open(&Arc::new(MemoryStorage::new()), small()).0
}

fn outcome(answer: &Result<Vec<Appended>, AppendError>) -> Result<Vec<(u64, bool)>, AppendError> {
    let appended = answer.as_ref().map_err(|e| *e)?;
    Ok(appended
        .iter()
        .map(|a| (a.position.0, a.duplicate))
        .collect())
}

/// Commits requests together and compares what became of each.
fn check(
    store: &mut Store,
    requests: Vec<Vec<Entry>>,
    want: &[Result<Vec<(u64, bool)>, AppendError>],
) {
    let answers = store.commit(requests, NOW);
    let got: Vec<_> = answers.iter().map(outcome).collect();
    assert_eq!(got, want);
}

#[test]
fn b6_an_id_again_is_the_same_event_or_a_conflict() {
    let mut store = store();
    let conflict = |index| Err(AppendError::IdConflict { index });
    check(
        &mut store,
        vec![vec![with_id("a", 1, "x")]],
        &[Ok(vec![(1, false)])],
    );
    check(
        &mut store,
        vec![vec![with_id("a", 1, "x")]],
        &[Ok(vec![(1, true)])],
    );
    check(&mut store, vec![vec![with_id("a", 2, "x")]], &[conflict(0)]);
    check(
        &mut store,
        vec![vec![with_id("b", 2, "x")]],
        &[Ok(vec![(2, false)])],
    );
    let pair = vec![event("c", 1), with_id("a", 2, "x")];
    check(
        &mut store,
        vec![pair, vec![event("c", 2)]],
        &[conflict(1), Ok(vec![(3, false)])],
    );
    // In one group and in one request too.
    let new = || with_id("a", 5, "y");
    let mixed = vec![
        vec![new()],
        vec![new(), event("a", 6)],
        vec![with_id("a", 7, "y")],
    ];
    let want = [
        Ok(vec![(4, false)]),
        Ok(vec![(4, true), (5, false)]),
        conflict(0),
    ];
    check(&mut store, mixed, &want);
    let twice = vec![with_id("d", 1, "z"), event("d", 2), with_id("d", 1, "z")];
    check(
        &mut store,
        vec![twice],
        &[Ok(vec![(6, false), (7, false), (6, true)])],
    );
}

#[test]
fn b21_a_key_again_is_the_same_event_or_a_conflict() {
    let mut store = store();
    let key = |request| vec![with_key("a", 1, 77, request)];
    let conflict = || Err(AppendError::KeyConflict { index: 0 });
    check(
        &mut store,
        vec![key(1), key(1), key(2)],
        &[Ok(vec![(1, false)]), Ok(vec![(1, true)]), conflict()],
    );
    check(
        &mut store,
        vec![key(1), key(2)],
        &[Ok(vec![(1, true)]), conflict()],
    );
}

#[test]
fn keys_and_ids_are_known_after_reopening_and_across_segments() {
    let storage = Arc::new(MemoryStorage::new());
    let mut store = open(&storage, small()).0;
    append(
        &mut store,
        vec![with_key("a", 1, 5, 5), with_id("a", 2, "own")],
    );
    for n in 0..1000 {
        append(&mut store, vec![event("fill", n)]);
    }
    assert!(store.reader().stats().segments > 3);
    drop(store);
    let mut store = open(&storage, small()).0;
    let again = vec![with_key("a", 1, 5, 5), with_id("a", 2, "own")];
    check(&mut store, vec![again], &[Ok(vec![(1, true), (2, true)])]);
}

#[test]
fn f12_a_jump_of_the_clock_forgets_no_key() {
    let storage = Arc::new(MemoryStorage::new());
    let hour = 3_600_000;
    let mut now = NOW;
    for (step, reopen) in [(0, false), (hour, false), (hour, true), (0, true)] {
        let mut store = Store::open(storage.clone(), small(), now, fresh(LOG))
            .unwrap()
            .0;
        now.0 += step;
        if reopen {
            drop(store);
            store = Store::open(storage.clone(), small(), now, fresh(LOG))
                .unwrap()
                .0;
        }
        let entry = Entry {
            time: now,
            ..with_key("a", 1, 77, 1)
        };
        let answer = store.commit(vec![vec![entry]], now).remove(0).unwrap();
        assert_eq!(answer[0].position, Position(1));
    }
}

#[test]
fn keys_are_forgotten_by_age_and_count() {
    let idempotency = Idempotency {
        age_ms: 1000,
        count: 3,
    };
    let options = Options {
        idempotency,
        ..small()
    };
    let storage = Arc::new(MemoryStorage::new());
    for reopen in [false, true] {
        let mut store = open(&storage, options.clone()).0;
        let base = if reopen { 100 } else { 0 };
        for key in 1..=4 {
            append(&mut store, vec![with_key("a", key as u64, base + key, 1)]);
        }
        if reopen {
            drop(store);
            store = open(&storage, options.clone()).0;
        }
        let again = |store: &mut Store, key: u128, now| {
            let request = vec![with_key("a", key as u64, base + key, 1)];
            store.commit(vec![request], now).remove(0).unwrap()[0].duplicate
        };
        assert!(again(&mut store, 2, NOW));
        assert!(!again(&mut store, 1, NOW), "beyond the count");
        assert!(again(&mut store, 4, Timestamp(NOW.0 + 1000)));
        assert!(!again(&mut store, 4, Timestamp(NOW.0 + 1001)), "too old");
    }
}

#[test]
fn too_large_is_refused_and_costs_nothing() {
    let options = Options {
        max_entry_bytes: 20_000,
        ..small()
    };
    let mut store = open(&Arc::new(MemoryStorage::new()), options).0;
    let sized = |n: usize| Entry {
        fields: vec![b'x'; n].into(),
        ..event("a", 0)
    };
    let large = Err(AppendError::TooLarge { index: 1 });
    check(
        &mut store,
        vec![vec![event("a", 1), sized(20_000)]],
        &[large],
    );
    // Longer than a segment, but allowed.
    check(
        &mut store,
        vec![vec![sized(19_000), sized(19_000)]],
        &[Ok(vec![(1, false), (2, false)])],
    );
    check(
        &mut store,
        vec![vec![event("a", 3)]],
        &[Ok(vec![(3, false)])],
    );
    assert_eq!(positions(&read_all(&store.reader(), "a")), [1, 2, 3]);
}

#[test]
fn a_full_disk_refuses_and_takes_again_when_there_is_space() {
    let disk = CrashStorage::new(5, Faults::default());
    let (mut store, _) = Store::open(Arc::new(disk.clone()), small(), NOW, fresh(LOG)).unwrap();
    disk.set_faults(Faults {
        space: Some(40_000),
        ..Faults::default()
    });
    let (mut kept, mut refused) = (Vec::new(), 0);
    for n in 0..1000 {
        match store.commit(vec![vec![event("a", n)]], NOW).remove(0) {
            Ok(appended) => kept.push(appended[0].position.0),
            Err(error) => {
                assert_eq!(error, AppendError::Full);
                assert_eq!(store.health(), Health::Full);
                refused += 1;
            }
        }
    }
    assert!(refused > 0);
    assert_eq!(positions(&read_all(&store.reader(), "a")), kept);
    disk.set_faults(Faults::default());
    for n in 0..300 {
        kept.push(append(&mut store, vec![event("a", n)])[0].position.0);
    }
    assert_eq!(store.health(), Health::Healthy);
    assert_eq!(kept, (1..=kept.len() as u64).collect::<Vec<_>>());
    drop(store);
    let disk = disk.reboot(6, Faults::default());
    let (store, _) = Store::open(Arc::new(disk), small(), NOW, fresh(LOG)).unwrap();
    assert_eq!(positions(&read_all(&store.reader(), "a")), kept);
}

/// Lets writes fail after a part, as a disk without preallocation would.
#[derive(Default)]
struct Short(AtomicBool);

impl Watch for Short {
    fn ask(&self, _: &str, what: &Ask<'_>) -> io::Result<()> {
        match what {
            Ask::Write { file, at, data } if self.0.load(Ordering::Relaxed) => {
                file.write_at(*at, &data[..data.len() - 8])?;
                Err(io::ErrorKind::StorageFull.into())
            }
            _ => Ok(()),
        }
    }
}

#[test]
fn what_a_short_write_left_never_becomes_an_event() {
    let storage = Arc::new(Watched::<Short>::default());
    let mut store = open(&storage, small()).0;
    append(&mut store, vec![event("a", 1)]);
    storage.0.store(true, Ordering::Relaxed);
    let many = (0..5).map(|n| vec![event("refused", n)]).collect();
    check(&mut store, many, &[const { Err(AppendError::Full) }; 5]);
    storage.0.store(false, Ordering::Relaxed);
    // As long as the first of those refused, so that the second would follow it.
    append(&mut store, vec![event("stored!", 9)]);
    drop(store);
    let (store, recovery) = open(&storage, small());
    assert_eq!(recovery.findings, []);
    assert_eq!(positions(&read_all(&store.reader(), "**")), [1, 2]);
    assert!(read_all(&store.reader(), "refused").is_empty());
}

#[test]
fn the_writers_queue_is_bounded_in_bytes() {
    let (release, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let deliver = move |_: &[Arc<tidings_engine::Frame>]| {
        let _ = gate.lock().unwrap().recv();
    };
    let writer = Writer::spawn(store(), || NOW, deliver).unwrap();
    let large = || Entry {
        fields: vec![b'x'; 3 << 20].into(),
        ..event("a", 0)
    };
    let (answered, answers) = mpsc::channel();
    let mut taken = 0;
    loop {
        let answered = answered.clone();
        let done =
            Box::new(move |answer: Result<Vec<_>, _>| answered.send(answer.is_ok()).unwrap());
        match writer.append(vec![large()], done) {
            Ok(()) => taken += 1,
            Err(Busy) => break,
        }
        assert!(taken < 30, "the queue takes without a bound");
    }
    assert!(taken as u64 * (3 << 20) >= Options::default().queue_bytes - (4 << 20));
    drop((release, answered));
    writer.shutdown();
    assert_eq!(
        answers.iter().filter(|ok| *ok).count(),
        taken,
        "all that was taken is answered"
    );
    assert_eq!(writer.status(), Health::Healthy);
}

#[test]
fn f30_a_panic_in_delivery_answers_all_who_wait() {
    let deliver = |_: &[Arc<tidings_engine::Frame>]| panic!("on purpose");
    let writer = Writer::spawn(store(), || NOW, deliver).unwrap();
    let (answered, answers) = mpsc::channel();
    for n in 0..10 {
        let answered = answered.clone();
        let done = Box::new(move |answer: Result<Vec<Appended>, _>| {
            answered.send(answer.map(|_| ())).unwrap();
        });
        if writer.append(vec![event("a", n)], done).is_err() {
            break;
        }
    }
    drop(answered);
    // Ends, because nobody holds a sender any more: each was called or dropped.
    assert!(
        answers
            .iter()
            .all(|answer| answer == Err(AppendError::Closed))
    );
    writer.shutdown();
    assert!(matches!(writer.status(), Health::Failed(_)));
    assert!(
        writer
            .append(vec![event("a", 1)], Box::new(|_| {}))
            .is_err()
    );
}

#[test]
fn positions_of_a_failed_group_are_not_shown() {
    let disk = CrashStorage::new(5, Faults::default());
    let (mut store, _) = Store::open(Arc::new(disk.clone()), small(), NOW, fresh(LOG)).unwrap();
    append(&mut store, vec![event("a", 1)]);
    let fail_syncs = (0..1000).collect();
    disk.set_faults(Faults {
        fail_syncs,
        ..Faults::default()
    });
    check(
        &mut store,
        vec![vec![event("a", 2)]],
        &[Err(AppendError::Failed)],
    );
    disk.set_faults(Faults::default());
    check(
        &mut store,
        vec![vec![event("a", 3)]],
        &[Err(AppendError::Failed)],
    );
    assert!(matches!(store.health(), Health::Failed(_)));
    assert_eq!(store.reader().last(), Position(1));
    assert_eq!(positions(&read_all(&store.reader(), "a")), [1]);
}
