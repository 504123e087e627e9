//! The registry against a naive model, and what is said of a stream.

use super::registry::{Change, PROBATION, Registry};
use super::subscriber::{Subscriber, Terms};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tidings_engine::{Position, Timestamp, Visibility};
use tidings_mercure::{Base, Matcher, native};
use tokio::time::Instant;

const AMPLE: usize = 1 << 20;

fn base() -> Base {
    Base::new("https://hub.example").expect("a URL")
}

fn subscriber(id: u128, matchers: &[Matcher], all: &Arc<AtomicUsize>) -> Option<Arc<Subscriber>> {
    let base = base();
    let terms = Terms {
        base: &base,
        event_bytes: AMPLE,
    };
    Subscriber::new(id, matchers, None, &terms, all).map(Arc::new)
}

fn named(id: u128) -> Arc<Subscriber> {
    subscriber(id, &[Matcher::exact("a")], &Arc::default()).expect("one that can be told of")
}

fn names(subscribers: &[Arc<Subscriber>]) -> BTreeSet<String> {
    let names = subscribers.iter().map(|own| own.name().to_owned());
    names.collect()
}

/// The log as someone reads it who watches its events.
#[derive(Default)]
struct Log {
    changes: Vec<(String, bool)>,
}

impl Log {
    fn end(&self) -> Position {
        Position(self.changes.len() as u64)
    }

    fn append(&mut self, changes: &[Change]) {
        let said = changes.iter();
        self.changes
            .extend(said.map(|own| (own.subscriber.name().to_owned(), own.active)));
    }

    /// Who is there after so many changes, each of which must be one.
    fn at(&self, position: Position) -> BTreeSet<String> {
        let mut there = BTreeSet::new();
        for (name, active) in &self.changes[..position.0 as usize] {
            let changed = match active {
                true => there.insert(name.clone()),
                false => there.remove(name),
            };
            assert!(changed, "{name} {active} is no change");
        }
        there
    }
}

/// Streams come and go while requests to the log are on their way, fail and
/// succeed; the view is always exactly what the log says up to its position.
fn check_against_log(seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut registry, mut log) = (Registry::new(), Log::default());
    let mut there = Vec::new();
    let mut on_its_way: Option<Vec<Change>> = None;
    let mut now = Instant::now();
    for id in 0..300 {
        now += PROBATION / 8 * random.u32(0..3);
        match random.u8(0..8) {
            0..3 => there.push((registry.begin(named(id), now), id)),
            3..5 if !there.is_empty() => {
                let (stream, _) = there.swap_remove(random.usize(..there.len()));
                registry.end(stream);
            }
            5 if on_its_way.is_none() => {
                on_its_way = Some(registry.take(random.usize(1..9), log.end(), now));
            }
            6 => {
                if let Some(changes) = on_its_way.take() {
                    log.append(&changes);
                    // Others are told before the registry is.
                    check_view(&registry, &log, seed);
                    registry.told();
                }
            }
            7 if on_its_way.take().is_some() => registry.not_told(),
            _ => {}
        }
        check_view(&registry, &log, seed);
    }
    if on_its_way.is_some() {
        registry.not_told();
    }
    while let Some(due) = registry.due() {
        now = now.max(due);
        let changes = registry.take(7, log.end(), now);
        assert!(!changes.is_empty(), "seed {seed}: nothing is due");
        log.append(&changes);
        registry.told();
    }
    assert_eq!(registry.settled(), registry.next(), "seed {seed}");
    let alive = there.iter().map(|(_, id)| named(*id).name().to_owned());
    assert_eq!(log.at(log.end()), alive.collect(), "seed {seed}");
    check_view(&registry, &log, seed);
}

fn check_view(registry: &Registry, log: &Log, seed: u64) {
    let view = registry.view(None, log.end());
    assert_eq!(names(&view.subscribers), log.at(view.at), "seed {seed}");
    for name in names(&view.subscribers) {
        let one = registry.view(Some(&name), log.end());
        assert_eq!(
            names(&one.subscribers),
            BTreeSet::from([name]),
            "seed {seed}"
        );
    }
}

#[test]
fn a_view_is_what_the_log_says_up_to_its_position() {
    let first = fastrand::u64(..);
    for seed in first..first.saturating_add(30) {
        check_against_log(seed);
    }
}

#[test]
fn a23_a_stream_that_came_and_went_is_not_told_of() {
    let (mut registry, start) = (Registry::new(), Instant::now());
    for id in 0..1000 {
        let stream = registry.begin(named(id), start);
        assert_eq!(registry.due(), Some(start + PROBATION));
        assert!(registry.take(9, Position(0), start).is_empty());
        registry.end(stream);
    }
    assert_eq!(registry.due(), None);
    assert_eq!(registry.settled(), registry.next());
    // Also one that was there for long, while the log took nothing.
    let stream = registry.begin(named(1), start);
    registry.end(stream);
    let late = start + 9 * PROBATION;
    assert!(registry.take(9, Position(0), late).is_empty());
    // What the log is being told already must come to its end.
    let taken = registry.begin(named(2), start);
    assert_eq!(registry.take(9, Position(2), late).len(), 1);
    let forgotten = registry.begin(named(3), late);
    registry.end(taken);
    registry.end(forgotten);
    registry.told();
    assert!(registry.due().is_some_and(|due| due <= late));
    let told = registry.take(9, Position(3), late);
    assert_eq!(told.len(), 1);
    assert!(!told[0].active && told[0].subscriber.name() == named(2).name());
}

#[test]
fn who_is_there_is_told_of_once_it_was_there_for_a_while() {
    let (mut registry, start) = (Registry::new(), Instant::now());
    let later = start + PROBATION / 2;
    let (first, _) = (
        registry.begin(named(1), start),
        registry.begin(named(2), later),
    );
    let almost = start + PROBATION - Duration::from_nanos(1);
    assert!(registry.take(9, Position(0), almost).is_empty());
    assert_eq!(registry.take(9, Position(0), start + PROBATION).len(), 1);
    registry.told();
    // Changes keep their order: the end waits for the beginning before it.
    registry.end(first);
    assert_eq!(registry.due(), Some(later + PROBATION));
    assert!(registry.take(9, Position(1), start + PROBATION).is_empty());
    let told = registry.take(9, Position(1), later + PROBATION);
    let told: Vec<bool> = told.iter().map(|change| change.active).collect();
    assert_eq!(told, [true, false]);
}

#[test]
fn one_request_tells_of_one_stream_at_least() {
    let (mut registry, start) = (Registry::new(), Instant::now());
    let three = [
        Matcher::exact("a"),
        Matcher::exact("b"),
        Matcher::exact("c"),
    ];
    for id in 0..3 {
        let own = subscriber(id, &three, &Arc::default()).expect("one");
        registry.begin(own, start);
    }
    let due = start + PROBATION;
    for most in [1, 5] {
        assert_eq!(registry.take(most, Position(0), due).len(), 1);
    }
    assert_eq!(registry.take(6, Position(0), due).len(), 2);
}

#[test]
fn names_are_random_uuids() {
    for id in [0, u128::MAX, 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef] {
        let own = named(id);
        let uuid = own.name().strip_prefix("urn:uuid:").expect("a URN");
        let parts: Vec<&str> = uuid.split('-').collect();
        let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12], "{uuid}");
        assert!(parts[2].starts_with('4'), "{uuid}");
        assert!(parts[3].starts_with(['8', '9', 'a', 'b']), "{uuid}");
    }
    assert_ne!(named(1).name(), named(2).name());
}

#[test]
fn what_is_said_of_a_stream() {
    let base = base();
    let matchers = [
        Matcher::Any,
        Matcher::selector("/{id}").expect("a template"),
        Matcher::url_pattern("/:id", &base).expect("a pattern"),
    ];
    let own = subscriber(1, &matchers, &Arc::default()).expect("one");
    for active in [true, false] {
        let entries: Vec<_> = own.entries(active, Timestamp(1), &base).collect();
        let topics: Vec<String> = entries
            .iter()
            .map(|entry| native::to_mercure(&entry.topic, &base).expect("a Mercure topic"))
            .collect();
        let by = "urn%3Auuid%3A00000000-0000-4000-8000-000000000001";
        let below = |rest: &str| format!("/.well-known/mercure/subscriptions/{rest}/{by}");
        // A topic and `*` have both shapes.
        let expected = ["%2A", "exact/%2A", "%2F%7Bid%7D", "urlpattern/%2F%3Aid"];
        assert_eq!(topics, expected.map(below));
        for (entry, is_new) in entries.iter().zip([false, true, false, true]) {
            assert_eq!(entry.visibility, Visibility::Private);
            assert!(entry.topic.is_reserved());
            let fields = String::from_utf8(entry.fields.to_vec()).expect("text");
            assert_eq!(fields.starts_with("event: mercure\n"), is_new, "{fields}");
            assert!(
                fields.contains(&format!(r#""active":{active}"#)),
                "{fields}"
            );
        }
    }
}

#[test]
fn a23_what_has_too_long_a_path_is_not_told_of() {
    let (short, long) = (Matcher::exact("a"), Matcher::exact(&"x".repeat(4_000)));
    // An encoded character takes three bytes.
    let (fits, encoded) = (
        Matcher::exact(&"/".repeat(640)),
        Matcher::exact(&"/".repeat(700)),
    );
    let all = Arc::default();
    assert!(subscriber(1, &[long.clone(), encoded], &all).is_none());
    assert_eq!(all.load(Ordering::Relaxed), 0);
    let own = subscriber(1, &[long, short, fits], &all).expect("one");
    assert_eq!(own.len(), 2);
    assert!(all.load(Ordering::Relaxed) > 640);
    drop(own);
    assert_eq!(all.load(Ordering::Relaxed), 0);
}

#[test]
fn events_that_the_log_would_refuse_are_not_told_of() {
    let base = base();
    let told = |event_bytes| {
        let terms = Terms {
            base: &base,
            event_bytes,
        };
        Subscriber::new(1, &[Matcher::exact("a")], None, &terms, &Arc::default()).is_some()
    };
    let own = named(1);
    let entries = own.entries(false, Timestamp(1), &base);
    let longest = entries
        .map(|entry| entry.fields.len())
        .max()
        .expect("entries");
    assert!(told(longest));
    assert!(!told(longest - 1));
}
