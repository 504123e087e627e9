//! Topics that were used behind their ends: whatever is kept again, or can't be read
//! any more, such an end counts no more, and any other does.

mod common;

use common::*;
use std::sync::Arc;
use tidings_engine::{Entry, Kind, Position, Selector, Timestamp, Topic, Visibility};
use tidings_store::storage::crash::Seeded;
use tidings_store::{AppendError, Limits, MemoryStorage, Options, Retention, Storage, Store};

const HOUR: u64 = 3_600_000;

/// Topics but `kept`, which holds every file that it is in.
fn keeping(limits: Limits) -> Options {
    Options {
        retention: Retention {
            default: limits,
            rules: vec![(Selector::new("kept").unwrap(), Limits::NONE)],
        },
        ..small()
    }
}

fn for_hours(hours: u64) -> Options {
    keeping(Limits {
        age_ms: Some(hours * HOUR),
        ..Limits::NONE
    })
}

fn events(events: u64) -> Options {
    keeping(Limits {
        events: Some(events),
        ..Limits::NONE
    })
}

/// About a fortieth of a segment.
fn padded(entry: Entry) -> Entry {
    let text = String::from_utf8_lossy(&entry.fields).trim_end().to_owned();
    Entry {
        fields: format!("{text} {}\n", "x".repeat(400)).into(),
        ..entry
    }
}

fn names_of(storage: &dyn Storage, suffix: &str) -> Vec<String> {
    let mut names = storage.list().unwrap();
    names.retain(|name| name.ends_with(suffix));
    names
}

/// What is done to the indexes of sealed segments before the store is opened again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Indexes {
    Kept,
    Removed,
    Damaged,
}

const ALL: [Indexes; 3] = [Indexes::Kept, Indexes::Removed, Indexes::Damaged];

fn treat(storage: &dyn Storage, indexes: Indexes) {
    for name in names_of(storage, ".idx") {
        match indexes {
            Indexes::Kept => {}
            Indexes::Removed => storage.remove(&name).unwrap(),
            Indexes::Damaged => {
                // All but the page of its head: it is opened, and then found out.
                let file = storage.open(&name).unwrap();
                let rest = file.size().unwrap().saturating_sub(4096) as usize;
                file.write_at(4096, &vec![0xff; rest]).unwrap();
            }
        }
    }
}

/// Damages the one record that has this text in it.
fn damage(storage: &dyn Storage, text: &str) {
    let mut found = 0;
    for name in names_of(storage, ".log") {
        let image = image_of(storage, &name);
        let at = image.windows(text.len()).position(|w| w == text.as_bytes());
        if let Some(at) = at {
            let file = storage.open(&name).unwrap();
            file.write_at(at as u64, b"#").unwrap();
            found += 1;
        }
    }
    assert_eq!(found, 1, "{text}");
}

/// Compares which topics are closed, and where, with what the table says, what is read,
/// and what is answered to who publishes.
fn check(store: &mut Store, now: Timestamp, ends: &[(&str, Option<Position>)], what: &str) {
    for (text, want) in ends {
        let topic = Topic::new(text).unwrap();
        assert_eq!(store.reader().end_of(&topic), *want, "{what}: {text}");
        let seen = read_all(&store.reader(), text);
        let given = seen.iter().filter_map(|seen| match seen {
            Seen::Event(position, _, bytes) if bytes.starts_with(b"event: tidings:end") => {
                Some(*position)
            }
            _ => None,
        });
        assert_eq!(given.last(), *want, "{what}: {text}");
        let answer = store.commit(vec![vec![event(text, 1_000)]], now).remove(0);
        let answer = answer.map(drop);
        let refused = Err(AppendError::TopicClosed { index: 0 });
        assert_eq!(
            answer,
            if want.is_some() { refused } else { Ok(()) },
            "{what}: {text}"
        );
    }
}

#[test]
fn an_end_that_expired_stays_void_when_the_store_keeps_more_again() {
    // The topic is used again in the segment of its end, or in a later one.
    for between in [0, 100] {
        for indexes in ALL {
            let storage = Arc::new(MemoryStorage::new());
            let mut store = open(&storage, for_hours(1)).0;
            let first = vec![event("kept", 0), end("plain"), end("alternate"), end("old")];
            let old = append_at(&mut store, first, NOW);
            fill(&mut store, between);
            for expired in [NOW.0 + HOUR, NOW.0 + HOUR + 1].map(Timestamp) {
                store.maintain(expired).unwrap();
            }
            let now = Timestamp(NOW.0 + HOUR + 1);
            let joint = as_published(event("y", 1), &["alternate"], Visibility::Public);
            append_at(&mut store, vec![event("plain", 1), joint], now);
            let closed = append_at(&mut store, vec![end("closed")], now);
            fill(&mut store, between);
            drop(store);
            treat(&*storage, indexes);
            let week = for_hours(7 * 24);
            let (mut store, _) = Store::open(storage.clone(), week, now, fresh(LOG)).unwrap();
            let what = format!("{between} between, indexes {indexes:?}");
            let ends = [
                ("plain", None),
                ("alternate", None),
                // It is kept again, and nothing stands behind it.
                ("old", Some(old)),
                ("closed", Some(closed)),
            ];
            check(&mut store, now, &ends, &what);
        }
    }
}

/// Events of another topic: 100 of them fill some segments.
fn fill(store: &mut Store, count: u64) {
    (0..count).for_each(|n| drop(append(store, vec![padded(event("x", n))])));
}

fn append_at(store: &mut Store, request: Vec<Entry>, now: Timestamp) -> Position {
    let appended = store.commit(vec![request], now).remove(0).unwrap();
    appended.last().unwrap().position
}

#[test]
fn f3_a_topic_that_was_used_is_open_whatever_became_of_what_opened_it() {
    for (before, behind) in [(0, 0), (100, 0), (0, 100), (100, 100)] {
        for indexes in ALL {
            let storage = Arc::new(MemoryStorage::new());
            let mut store = open(&storage, small()).0;
            append(&mut store, vec![end("used")]);
            let closed = append_at(&mut store, vec![event("closed", 1), end("closed")], NOW);
            fill(&mut store, before);
            let opener = as_published(reopening("y", 777_777), &["used"], Visibility::Public);
            append(&mut store, vec![opener]);
            fill(&mut store, behind);
            append(&mut store, vec![event("used", 1)]);
            fill(&mut store, 1);
            drop(store);
            damage(&*storage, "data: 777777\n");
            treat(&*storage, indexes);
            let mut store = open(&storage, small()).0;
            let what = format!("{before} before, {behind} behind, indexes {indexes:?}");
            check(
                &mut store,
                NOW,
                &[("used", None), ("closed", Some(closed))],
                &what,
            );
        }
    }
}

/// What a log of single entries with one limit on events says of topics.
#[derive(Default)]
struct Model {
    /// The last record of each topic: where it stands, and whether it is an end.
    last: [Option<(Position, bool)>; 4],
    end: Position,
}

const TOPICS: [&str; 4] = ["a", "b", "c", "d"];

impl Model {
    fn end_of(&self, topic: usize, horizon: Position) -> Option<Position> {
        let (position, ends) = self.last[topic]?;
        (ends && position > horizon).then_some(position)
    }
}

/// The last position before the oldest file.
fn base(storage: &dyn Storage) -> Position {
    let first = names_of(storage, ".log").into_iter().min().unwrap();
    let number: u64 = first.trim_end_matches(".log").parse().unwrap();
    Position(number - 1)
}

#[test]
fn whatever_is_kept_at_each_start_a_topic_is_closed_if_its_last_record_is_an_end_that_is() {
    for seed in 0..40 {
        println!("seed {seed}");
        let mut random = Seeded::new(seed);
        let storage = Arc::new(MemoryStorage::new());
        let mut model = Model::default();
        for start in 0..12 {
            let keeps = 1 + random.below(150);
            treat(&*storage, ALL[random.below(3) as usize]);
            let mut store = open(&storage, events(keeps)).0;
            for n in 0..random.below(60) {
                store.maintain(NOW).unwrap();
                let expired = Position(model.end.0.saturating_sub(keeps));
                let horizon = expired.max(base(&*storage));
                let what = format!("seed {seed}, start {start}, {n}");
                for (number, topic) in TOPICS.iter().enumerate() {
                    let is = store.reader().end_of(&Topic::new(topic).unwrap());
                    assert_eq!(is, model.end_of(number, horizon), "{what}: {topic}");
                }
                let at = random.below(4) as usize;
                let other = (at + 1) % 4;
                let (entry, topics) = match random.below(5) {
                    0 => (end(TOPICS[at]), vec![at]),
                    1 => (padded(reopening(TOPICS[at], n)), vec![at]),
                    2 => {
                        let alternate = [TOPICS[other]];
                        let entry = padded(event(TOPICS[at], n));
                        (
                            as_published(entry, &alternate, Visibility::Public),
                            vec![at, other],
                        )
                    }
                    _ => (padded(event(TOPICS[at], n)), vec![at]),
                };
                let ends = entry.kind == Kind::End;
                let appended = store.commit(vec![vec![entry]], NOW).remove(0);
                let appended = appended.map(|appended| appended[0].clone());
                if let Some(appended) = appended.ok().filter(|appended| !appended.duplicate) {
                    model.end = appended.position;
                    let is = Some((appended.position, ends));
                    topics.into_iter().for_each(|topic| model.last[topic] = is);
                }
            }
        }
    }
}
