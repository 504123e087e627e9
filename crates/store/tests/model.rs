//! The store against a model: a vector and a filter, with a limit on the events of
//! each of two classes of topics, among which events may stand in both.

mod common;

use common::*;
use proptest::prelude::*;
use std::sync::Arc;
use tidings_engine::{
    Budget, Cursor, Entry, Frame, Kind, Position, Read, Selection, Selector, Timestamp, Topic,
    Visibility,
};
use tidings_store::{AppendError, Appended, Limits, MemoryStorage, Options, Retention, Store};

const TOPICS: [&str; 8] = [
    "news",
    "orders/1",
    "orders/2",
    "orders/2/items",
    "a/b",
    "$sys/x",
    "$mercure/https:/%/o.example/books/1",
    "$mercure/orders",
];
/// The topics of the rule; all others fall under the default.
const RULE: &str = "orders/**";
const SELECTIONS: [(&str, Option<Seer>); 18] = [
    ("**", None),
    ("news", None),
    ("orders/*", None),
    ("orders/**", None),
    ("*/b", None),
    ("orders/1 a/b", None),
    ("$sys/*", None),
    ("nothing", None),
    ("news orders/**", None),
    ("**", Some(Seer::Of("orders/1"))),
    ("**", Some(Seer::Public)),
    ("orders/2", Some(Seer::Of("orders/2"))),
    ("news a/b", Some(Seer::Of("news"))),
    ("https://hub.example/t/orders/{x}", None),
    ("https://o.example/{+x}", Some(Seer::Of("$sys/x"))),
    ("{x}", Some(Seer::Public)),
    ("{+x}", Some(Seer::Of("a/b"))),
    ("$mercure/** https://hub.example/{+x}", None),
];
const VISIBILITIES: [Visibility; 4] = [
    Visibility::Native,
    Visibility::Native,
    Visibility::Public,
    Visibility::Private,
];

fn selection_of(number: usize) -> Selection {
    let (text, sight) = SELECTIONS[number];
    match sight {
        Some(sight) => selection(text).with_sight(Arc::new(sight)),
        None => selection(text),
    }
}

/// An event of a step.
#[derive(Debug, Clone)]
struct Planned {
    topic: usize,
    alternates: Vec<usize>,
    visibility: usize,
    size: usize,
    with_id: bool,
    kind: Kind,
    /// Milliseconds since the one before.
    step: i64,
}

#[derive(Debug, Clone)]
enum Step {
    Append(Vec<Planned>),
    Repeat(usize),
    Read {
        selection: usize,
        from: usize,
        frames: usize,
        bytes: usize,
    },
    Find {
        selection: usize,
        n: usize,
        time: i64,
    },
    Maintain,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let alternates = prop_oneof![
        2 => Just(Vec::new()),
        1 => prop::collection::vec(0..TOPICS.len(), 1..5),
    ];
    let what = (0..TOPICS.len(), alternates, 0..VISIBILITIES.len());
    let kind = prop_oneof![
        30 => Just(Kind::Event),
        10 => Just(Kind::Reopening),
        1 => Just(Kind::End),
    ];
    let event = (what, 0usize..900, any::<bool>(), kind, -50i64..200).prop_map(
        |((topic, alternates, visibility), size, with_id, kind, step)| Planned {
            topic,
            alternates,
            visibility,
            size,
            with_id,
            kind,
            step,
        },
    );
    prop_oneof![
        6 => prop::collection::vec(event, 1..8).prop_map(Step::Append),
        1 => any::<usize>().prop_map(Step::Repeat),
        3 => (0..SELECTIONS.len(), any::<usize>(), 1usize..20, 1usize..4000)
            .prop_map(|(selection, from, frames, bytes)| Step::Read { selection, from, frames, bytes }),
        3 => (0..SELECTIONS.len(), 0usize..40, 0i64..20_000)
            .prop_map(|(selection, n, time)| Step::Find { selection, n, time }),
        1 => Just(Step::Maintain),
        1 => Just(Step::Reopen),
    ]
}

struct World {
    storage: Arc<MemoryStorage>,
    options: Options,
    store: Store,
    /// All that was appended, in order: position 1 is first.
    log: Vec<Entry>,
    /// How many entries were made, also of those that were refused or doubles: an id
    /// that is new was never given before.
    made: u64,
    time: i64,
}

impl World {
    fn new(events: Option<u64>, of_rule: Option<u64>) -> Self {
        let limits = |events| Limits {
            events,
            ..Limits::NONE
        };
        let rules = of_rule.map(|events| (Selector::new(RULE).unwrap(), limits(Some(events))));
        let options = Options {
            segment_bytes: 8 * 1024,
            retention: Retention {
                default: limits(events),
                rules: rules.into_iter().collect(),
            },
            // Some filters stay on disk.
            filter_bytes: 256,
            ..Options::default()
        };
        let storage = Arc::new(MemoryStorage::new());
        let store = open(&storage, options.clone()).0;
        Self {
            storage,
            options,
            store,
            log: Vec::new(),
            made: 0,
            time: 0,
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp(NOW.0.saturating_add_signed(self.time))
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Append(events) => self.append(events),
            Step::Repeat(which) => self.repeat(*which),
            Step::Read {
                selection,
                from,
                frames,
                bytes,
            } => {
                let budget = Budget {
                    frames: *frames,
                    bytes: *bytes,
                };
                self.read(&selection_of(*selection), *from, budget);
            }
            Step::Find { selection, n, time } => {
                self.find(&selection_of(*selection), *n, *time);
            }
            Step::Maintain => {
                while self.store.maintain(self.now()).unwrap() {}
                self.check_limits();
            }
            Step::Reopen => {
                let now = self.now();
                let opened =
                    Store::open(self.storage.clone(), self.options.clone(), now, fresh(LOG));
                let (store, recovery) = opened.unwrap();
                assert_eq!(recovery.findings, []);
                self.store = store;
            }
        }
        assert_eq!(self.store.reader().last().0, self.log.len() as u64);
    }

    fn append(&mut self, events: &[Planned]) {
        let mut request = Vec::new();
        for planned in events {
            self.time += planned.step;
            self.made += 1;
            request.push(self.entry(planned, self.made));
        }
        let (log, expected) = self.expected(&request);
        let answer = self.store.commit(vec![request], self.now()).remove(0);
        let expected = match (expected, &answer) {
            (Ok(expected), Ok(_)) => expected,
            (expected, answer) => {
                return assert_eq!(answer.as_ref().err().copied(), expected.err());
            }
        };
        for ((n, is_new), appended) in expected.into_iter().zip(answer.unwrap()) {
            let Appended {
                position,
                duplicate,
                frame,
                ..
            } = appended;
            assert_eq!((position.0, duplicate), (n as u64 + 1, !is_new));
            let payload = Frame::new(LOG, position, log[n].clone()).payload();
            assert_eq!(
                frame.map(|frame| frame.payload()),
                is_new.then_some(payload)
            );
        }
        self.log = log;
    }

    fn entry(&self, planned: &Planned, n: u64) -> Entry {
        let topic = TOPICS[planned.topic];
        if planned.kind == Kind::End {
            let time = self.now();
            return Entry { time, ..end(topic) };
        }
        let visibility = VISIBILITIES[planned.visibility];
        let mut entry = match (planned.with_id, visibility) {
            (false, _) => event(topic, n),
            (true, Visibility::Native) => with_id_of(topic, n),
            // Under an id that an event of its topic may have.
            (true, _) => Entry {
                id: with_id_of(topic, n / 8 * 3).id,
                ..event(topic, n)
            },
        };
        let others: Vec<&str> = planned.alternates.iter().map(|n| TOPICS[*n]).collect();
        entry = as_published(entry, &others, visibility).of_kind(planned.kind);
        entry.fields = format!("data: {}\n", "x".repeat(planned.size)).into();
        entry.time = self.now();
        entry
    }

    /// The log with a request behind it; where its entries then stand, and which are
    /// new.
    #[allow(clippy::type_complexity)]
    fn expected(&self, request: &[Entry]) -> (Vec<Entry>, Result<Vec<(usize, bool)>, AppendError>) {
        let (mut log, mut places) = (self.log.clone(), Vec::new());
        for (index, entry) in request.iter().enumerate() {
            let end = self.end_of(&log, &entry.topic);
            let mut topics = entry.published().topics();
            let is_closed = topics.any(|topic| self.end_of(&log, topic).is_some());
            match (entry.kind, end) {
                (Kind::End, Some(end)) => {
                    places.push((end, false));
                    continue;
                }
                (Kind::Event, _) if is_closed => {
                    return (log, Err(AppendError::TopicClosed { index }));
                }
                // Natively, the same id in the same topic would be the same event.
                _ => places.push((log.len(), true)),
            }
            log.push(entry.clone());
        }
        (log, Ok(places))
    }

    /// Where a topic ended: the last that it has is an end, which is kept.
    fn end_of(&self, log: &[Entry], topic: &Topic) -> Option<usize> {
        let has_it = |entry: &Entry| entry.published().topics().any(|own| own == topic);
        let last = log.iter().rposition(has_it)?;
        let is_kept = last >= self.log.len() || self.serves(topic, last);
        (log[last].kind == Kind::End && is_kept).then_some(last)
    }

    /// Publishes an event with an id again.
    fn repeat(&mut self, which: usize) {
        let with_id: Vec<_> = (0..self.log.len())
            .filter(|n| {
                let entry = &self.log[*n];
                let is_native = entry.visibility == Visibility::Native;
                entry.id.is_some() && is_native && self.serves(&entry.topic, *n)
            })
            .collect();
        if with_id.is_empty() {
            return;
        }
        let n = with_id[which % with_id.len()];
        let again = append(&mut self.store, vec![self.log[n].clone()]);
        assert!(again[0].duplicate && again[0].frame.is_none());
        assert_eq!(again[0].position.0 as usize, n + 1);
        let other = Entry {
            fields: "data: other\n".into(),
            ..self.log[n].clone()
        };
        let also_elsewhere = as_published(self.log[n].clone(), &["else/where"], Visibility::Native);
        for other in [other, also_elsewhere] {
            let refused = self.store.commit(vec![vec![other]], self.now()).remove(0);
            assert!(matches!(refused, Err(AppendError::IdConflict { index: 0 })));
        }
    }

    /// Whether the limits of `topic` keep the `n`-th event.
    fn serves(&self, topic: &Topic, n: usize) -> bool {
        let exactly = Selection::new(vec![Selector::Exact(topic.clone())]);
        n as u64 >= self.store.reader().earliest(&exactly).after.0
    }

    /// As many events as each limit allows are kept, of those that have a topic
    /// under it, and of no more segments than hold them.
    fn check_limits(&self) {
        let reader = self.store.reader();
        let base = reader.first().0 - 1;
        let rule = self.options.retention.rules.first();
        let of_rule = |topic: &Topic| rule.is_some_and(|(rule, _)| rule.matches(topic));
        let default = self.options.retention.default.events;
        let limits = [(false, default), (true, rule.and_then(|(_, l)| l.events))];
        for (is_of_rule, limit) in limits {
            let (Some(limit), topic) = (limit, if is_of_rule { "orders/1" } else { "news" }) else {
                continue;
            };
            let in_class = |entry: &Entry| {
                let mut topics = entry.published().topics();
                topics.any(|topic| of_rule(topic) == is_of_rule)
            };
            let mut counted = (1..).zip(&self.log).filter(|(_, entry)| in_class(entry));
            let beyond = counted.clone().count().checked_sub(limit as usize + 1);
            let last_beyond = beyond.and_then(|n| counted.nth(n)).map_or(0, |(n, _)| n);
            let earliest = reader.earliest(&selection(topic)).after.0;
            assert_eq!(earliest, base.max(last_beyond), "{topic}");
        }
    }

    /// The events that the selection is given behind `after`: the rule in other
    /// words, topic by topic.
    fn selected(&self, selection: &Selection, after: usize) -> Vec<usize> {
        let given = |n: &usize| {
            let entry = &self.log[*n];
            let mut topics = entry.published().topics();
            let is_watched = topics.any(|t| selection.matches(t) && self.serves(t, *n));
            let topic = &entry.topic;
            let is_over = entry.kind == Kind::End && self.end_of(&self.log, topic) != Some(*n);
            is_watched && selection.shows(&entry.published()) && !is_over
        };
        (after..self.log.len()).filter(given).collect()
    }

    /// What the reader says of where events begin to be missing is so.
    fn check_horizons(&self, selection: &Selection) {
        let reader = self.store.reader();
        let earliest = reader.earliest(selection).after;
        let horizon = reader.horizon(selection);
        assert!(earliest <= horizon);
        let selected = self.selected(selection, 0);
        assert!(selected.iter().all(|n| *n as u64 >= earliest.0));
        for n in horizon.0 as usize..self.log.len() {
            let is_given = selected.binary_search(&n).is_ok();
            let entry = &self.log[n];
            let is_over =
                entry.kind == Kind::End && self.end_of(&self.log, &entry.topic) != Some(n);
            let is_there = selection.watches(&entry.published()) && !is_over;
            assert_eq!(is_given, is_there, "{n}");
        }
    }

    fn read(&self, selection: &Selection, from: usize, budget: Budget) {
        self.check_horizons(selection);
        let from = from % (self.log.len() + 1);
        let mut cursor = Cursor {
            after: Position(from as u64),
        };
        let reader = self.store.reader();
        let earliest = reader.earliest(selection).after.0;
        if (from as u64) < earliest.min(self.log.len() as u64) {
            let read = reader.read(&mut cursor, selection, budget, &mut Vec::new());
            assert!(matches!(read.unwrap(), Read::Gap(gap) if gap.to.0 == earliest));
            return;
        }
        let mut expected = self.selected(selection, from).into_iter();
        loop {
            let mut out = Vec::new();
            let read = reader
                .read(&mut cursor, selection, budget, &mut out)
                .unwrap();
            assert!(out.len() <= budget.frames);
            let bytes: usize = out.iter().rev().skip(1).map(|f| f.payload().len()).sum();
            assert!(bytes < budget.bytes);
            for frame in &out {
                let n = expected.next().expect("no more than is there");
                assert_eq!(frame.position().0 as usize, n + 1);
                let whole = Frame::new(LOG, frame.position(), self.log[n].clone());
                assert_eq!(frame.payload(), whole.payload());
                assert_eq!((frame.topic(), frame.time()), (whole.topic(), whole.time()));
                assert_eq!(frame.published(), self.log[n].published());
            }
            match read {
                Read::Frames => assert!(!out.is_empty()),
                Read::CaughtUp => break,
                Read::Gap(gap) => panic!("a gap to {gap:?}"),
            }
        }
        assert_eq!(expected.next(), None);
        assert_eq!(cursor.after.0 as usize, self.log.len());
    }

    fn find(&self, selection: &Selection, n: usize, time: i64) {
        let reader = self.store.reader();
        for topic in TOPICS.map(|text| Topic::new(text).unwrap()) {
            let end = self.end_of(&self.log, &topic);
            assert_eq!(reader.end_of(&topic), end.map(|n| Position(n as u64 + 1)));
        }
        let selected = self.selected(selection, 0);
        let cursor = reader.last_n(n, selection).unwrap();
        let last = &selected[selected.len().saturating_sub(n)..];
        assert_eq!(self.selected(selection, cursor.after.0 as usize), last);

        let time = Timestamp(NOW.0.saturating_add_signed(time));
        let cursor = reader.at_time(time).unwrap();
        let base = reader.first().0 as usize - 1;
        let first = (base..self.log.len()).find(|n| self.log[*n].time >= time);
        assert_eq!(cursor.after.0 as usize, first.unwrap_or(self.log.len()));

        for back in [0, n] {
            let Some(entry) = self.log.len().checked_sub(back + 1).map(|n| &self.log[n]) else {
                continue;
            };
            let id = entry
                .id
                .clone()
                .unwrap_or_else(|| with_id("x", 0, "unknown").id.unwrap());
            let found = selected
                .iter()
                .find(|n| self.log[**n].id.as_ref() == Some(&id));
            let expected = found.map(|n| Position(*n as u64 + 1));
            assert_eq!(reader.locate(&id, selection).unwrap(), expected);
        }
    }
}

/// Ids repeat across topics, not within one.
fn with_id_of(topic: &str, n: u64) -> Entry {
    let id = if Topic::new(topic).unwrap().as_str() == "news" {
        n
    } else {
        n / 3 * 1000 + n % 3
    };
    with_id(topic, n, &format!("{topic:.1}{id}"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn reads_like_a_vector_and_a_filter(
        steps in prop::collection::vec(step(), 1..80),
        events in prop_oneof![Just(None), (5u64..200).prop_map(Some)],
        of_rule in prop_oneof![Just(None), (2u64..50).prop_map(Some)],
    ) {
        let mut world = World::new(events, of_rule);
        for step in &steps {
            world.step(step);
        }
    }
}
