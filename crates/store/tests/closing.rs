//! Closing topics: what the writer decides, what is read of it, and what of it
//! outlasts the process, its indexes and its disk.

mod common;

use common::*;
use std::sync::Arc;
use tidings_engine::{Entry, Position, Topic, Visibility};
use tidings_store::storage::crash::{CrashStorage, Faults, Seeded};
use tidings_store::{
    AppendError, Limits, MemoryStorage, Options, Reader, Retention, Storage, Store,
};

fn store() -> (Arc<MemoryStorage>, Store) {
    let storage = Arc::new(MemoryStorage::new());
    let store = open(&storage, small()).0;
    (storage, store)
}

type Outcome = Result<Vec<(u64, bool)>, AppendError>;

/// Commits requests together and compares what became of each: where their entries
/// stand, and whether they stood there before.
fn check(store: &mut Store, requests: Vec<Vec<Entry>>, want: &[Outcome]) {
    let answers = store.commit(requests, NOW);
    let got: Vec<Outcome> = answers
        .into_iter()
        .map(|answer| {
            let appended = answer?.into_iter();
            Ok(appended.map(|a| (a.position.0, a.duplicate)).collect())
        })
        .collect();
    assert_eq!(got, want);
}

fn new(position: u64) -> Outcome {
    Ok(vec![(position, false)])
}

fn known(position: u64) -> Outcome {
    Ok(vec![(position, true)])
}

fn closed(index: usize) -> Outcome {
    Err(AppendError::TopicClosed { index })
}

fn end_of(reader: &Reader, topic: &str) -> Option<u64> {
    let end = reader.end_of(&Topic::new(topic).unwrap());
    end.map(|position| position.0)
}

#[test]
fn a_closed_topic_takes_nothing_but_what_opens_it() {
    let (_, mut store) = store();
    let mut one = |entry: Entry, want: Outcome| check(&mut store, vec![vec![entry]], &[want]);
    one(event("a", 1), new(1));
    one(end("a"), new(2));
    one(event("a", 2), closed(0));
    one(end("a"), known(2));
    one(event("b", 1), new(3));
    one(
        as_published(event("b", 2), &["a"], Visibility::Public),
        closed(0),
    );
    one(reopening("a", 3), new(4));
    one(event("a", 4), new(5));
    one(end("a"), new(6));
    one(
        as_published(reopening("b", 5), &["a", "c"], Visibility::Native),
        new(7),
    );
    one(event("a", 6), new(8));
    // A topic that never was can end, too.
    one(end("d"), new(9));
    one(event("d", 1), closed(0));
}

#[test]
fn a_request_is_taken_whole_or_not_and_its_order_counts() {
    let (_, mut store) = store();
    check(
        &mut store,
        vec![
            vec![event("a", 1), end("a")],
            vec![event("a", 2)],
            vec![event("b", 1), event("a", 3), event("b", 2)],
            vec![end("a")],
            vec![reopening("a", 4), event("a", 5), end("a"), end("a")],
            vec![end("b"), event("b", 3)],
            vec![event("b", 4)],
        ],
        &[
            Ok(vec![(1, false), (2, false)]),
            closed(0),
            closed(1),
            known(2),
            Ok(vec![(3, false), (4, false), (5, false), (5, true)]),
            closed(1),
            new(6),
        ],
    );
    assert_eq!(end_of(&store.reader(), "a"), Some(5));
    assert_eq!(end_of(&store.reader(), "b"), None);
}

#[test]
fn a_repetition_is_answered_as_before_also_behind_the_end() {
    let (_, mut store) = store();
    let end_with_key = |key| Entry {
        key: with_key("a", 0, key, 1).key,
        ..end("a")
    };
    let last = || vec![with_key("a", 2, 7, 7), end_with_key(8)];
    check(
        &mut store,
        vec![vec![with_id("a", 1, "x")], last()],
        &[new(1), Ok(vec![(2, false), (3, false)])],
    );
    check(
        &mut store,
        vec![
            vec![with_id("a", 1, "x")],
            last(),
            vec![reopening("a", 3)],
            last(),
        ],
        &[
            known(1),
            Ok(vec![(2, true), (3, true)]),
            new(4),
            // Not closed again: it asks for what was done.
            Ok(vec![(2, true), (3, true)]),
        ],
    );
    assert_eq!(end_of(&store.reader(), "a"), None);
    check(
        &mut store,
        vec![vec![with_key("a", 9, 7, 8)]],
        &[Err(AppendError::KeyConflict { index: 0 })],
    );
}

#[test]
fn an_end_that_was_reopened_is_passed_over_and_not_counted() {
    let (_, mut store) = store();
    append(
        &mut store,
        vec![event("a", 1), end("a"), event("b", 1), end("b")],
    );
    let reader = store.reader();
    let seen = |select| positions(&read_all(&reader, select));
    assert_eq!(seen("**"), [1, 2, 3, 4]);
    assert_eq!(seen("a"), [1, 2]);
    append(&mut store, vec![reopening("a", 2)]);
    assert_eq!(seen("**"), [1, 3, 4, 5]);
    assert_eq!(seen("a"), [1, 5]);
    assert_eq!(seen("b"), [3, 4]);
    let last_two = reader.last_n(2, &selection("a")).unwrap();
    assert_eq!(last_two.after, Position(0));
    let of_all = |select| reader.end_of_all(&selection(select)).map(|end| end.0);
    assert_eq!(of_all("b"), Some(4));
    assert_eq!(of_all("a b"), None);
    append(&mut store, vec![end("a")]);
    assert_eq!(of_all("a b"), Some(6));
    assert_eq!(of_all("a c"), None);
    assert_eq!(of_all("a b *"), None);
    assert_eq!(of_all("b/**"), None);
}

/// Fills several segments, in which topics end, and some are opened again.
fn fill(store: &mut Store, pad: usize) {
    for n in 0..40 {
        let topic = format!("answer/{n}");
        let mut padded = event(&topic, n);
        padded.fields = format!("data: {}\n", "x".repeat(pad)).into();
        append(store, vec![padded, end(&topic)]);
        if n % 4 == 3 {
            let opener = as_published(reopening("x", n), &[&topic], Visibility::Public);
            append(store, vec![opener]);
        }
        if n % 8 == 7 {
            append(store, vec![end(&topic)]);
        }
    }
}

fn check_filled(store: &mut Store, what: &str) {
    for n in 0..40 {
        let (topic, is_open) = (format!("answer/{n}"), n % 8 == 3);
        assert_eq!(
            end_of(&store.reader(), &topic).is_none(),
            is_open,
            "{what}: {n}"
        );
        let ends = read_all(&store.reader(), &topic);
        let ends = ends.iter().filter(|seen| matches!(seen, Seen::Event(.., bytes) if bytes.starts_with(b"event: tidings:end")));
        assert_eq!(ends.count(), usize::from(!is_open), "{what}: {n}");
        if !is_open {
            check(store, vec![vec![event(&topic, 1000)]], &[closed(0)]);
        }
    }
}

fn names_of(storage: &dyn Storage, suffix: &str) -> Vec<String> {
    let mut names = storage.list().unwrap();
    names.retain(|name| name.ends_with(suffix));
    names
}

#[test]
fn what_is_closed_outlasts_a_restart_and_every_index() {
    let (storage, mut store) = store();
    fill(&mut store, 1500);
    check_filled(&mut store, "appended");
    drop(store);
    let indexes = names_of(&*storage, ".idx");
    assert!(indexes.len() > 2, "{indexes:?}");
    let mut store = open(&storage, small()).0;
    check_filled(&mut store, "opened again");
    drop(store);
    for name in &indexes {
        storage.remove(name).unwrap();
    }
    let mut store = open(&storage, small()).0;
    check_filled(&mut store, "without indexes");
    drop(store);
    for name in &indexes {
        let file = storage.open(name).unwrap();
        let middle = file.size().unwrap() / 2;
        file.write_at(middle, &[0xff; 64]).unwrap();
    }
    let mut store = open(&storage, small()).0;
    check_filled(&mut store, "with damaged indexes");
}

#[test]
fn an_end_that_has_expired_closes_nothing() {
    let storage = Arc::new(MemoryStorage::new());
    let limits = |events| Limits {
        events: Some(events),
        ..Limits::NONE
    };
    let options = Options {
        retention: Retention {
            default: limits(4),
            rules: vec![(
                tidings_engine::Selector::new("kept/**").unwrap(),
                limits(100),
            )],
        },
        ..small()
    };
    let mut store = open(&storage, options.clone()).0;
    append(&mut store, vec![end("a"), end("kept/a")]);
    for n in 0..4 {
        append(&mut store, vec![event("b", n)]);
    }
    assert_eq!(end_of(&store.reader(), "a"), Some(1));
    store.maintain(NOW).unwrap();
    let check_ends = |store: &Store, what: &str| {
        assert_eq!(end_of(&store.reader(), "a"), None, "{what}");
        assert_eq!(end_of(&store.reader(), "kept/a"), Some(2), "{what}");
    };
    check_ends(&store, "expired");
    drop(store);
    let mut store = open(&storage, options).0;
    check_ends(&store, "opened again");
    check(&mut store, vec![vec![event("a", 1)]], &[new(7)]);
    check(&mut store, vec![vec![end("a")]], &[new(8)]);
}

/// What is known of a topic's requests, if they were answered.
#[derive(Default)]
struct Known {
    /// Whether the last answered request for it left it closed.
    closed: Option<bool>,
    /// Whether one after that was not answered.
    unsure: bool,
}

#[test]
fn f1_what_was_closed_when_the_power_failed_stays_closed() {
    const TOPICS: [&str; 3] = ["a", "b", "c"];
    for seed in 0..12 {
        for crash_at in (20..260).step_by(3) {
            let what = format!("seed {seed}, operation {crash_at}");
            let disk = CrashStorage::new(
                seed,
                Faults {
                    crash_at: Some(crash_at),
                    ..Faults::default()
                },
            );
            let mut known: [Known; 3] = Default::default();
            let opened = Store::open(Arc::new(disk.clone()), small(), NOW, fresh(LOG));
            if let Ok((mut store, _)) = opened {
                let mut random = Seeded::new(seed);
                for n in 0..100 {
                    let at = random.below(3) as usize;
                    let closes = random.below(3) == 0;
                    let mut padded = reopening(TOPICS[at], n);
                    padded.fields = format!("data: {}\n", "x".repeat(700)).into();
                    let mut request = vec![padded];
                    request.extend(closes.then(|| end(TOPICS[at])));
                    match store.commit(vec![request], NOW).remove(0) {
                        Ok(_) => known[at].closed = Some(closes),
                        Err(_) => known[at].unsure = true,
                    }
                    if disk.has_crashed() {
                        break;
                    }
                }
            }
            let disk = disk.reboot(seed, Faults::default());
            let (mut store, _) = open(&Arc::new(disk), small());
            for (topic, known) in TOPICS.iter().zip(known) {
                let is_closed = end_of(&store.reader(), topic).is_some();
                if let (Some(closed), false) = (known.closed, known.unsure) {
                    assert_eq!(is_closed, closed, "{what}: {topic}");
                }
                // What the table says is what the log says.
                let seen = read_all(&store.reader(), topic);
                let last_is_end = matches!(seen.last(), Some(Seen::Event(.., bytes)) if bytes.starts_with(b"event: tidings:end"));
                assert_eq!(is_closed, last_is_end, "{what}: {topic}");
                let answer = store.commit(vec![vec![event(topic, 1)]], NOW).remove(0);
                assert_eq!(answer.is_err(), is_closed, "{what}: {topic}");
            }
        }
    }
}
