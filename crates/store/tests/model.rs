//! The store against a model: a vector and a filter.

mod common;

use common::*;
use proptest::prelude::*;
use std::sync::Arc;
use tidings_engine::{Budget, Cursor, Entry, Frame, Position, Read, Timestamp, Topic};
use tidings_store::{Appended, Limits, MemoryStorage, Options, Retention, Store};

const TOPICS: [&str; 6] = [
    "news",
    "orders/1",
    "orders/2",
    "orders/2/items",
    "a/b",
    "$sys/x",
];
const SELECTIONS: [&str; 9] = [
    "**",
    "news",
    "orders/*",
    "orders/**",
    "*/b",
    "orders/1 a/b",
    "$sys/*",
    "nothing",
    "news orders/**",
];

#[derive(Debug, Clone)]
enum Step {
    /// Events: topic, size, whether with an id, milliseconds since the one before.
    Append(Vec<(usize, usize, bool, i64)>),
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
    let event = (0..TOPICS.len(), 0usize..900, any::<bool>(), -50i64..200);
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
    time: i64,
}

impl World {
    fn new(events: Option<u64>) -> Self {
        let default = Limits {
            events,
            ..Limits::NONE
        };
        let options = Options {
            segment_bytes: 8 * 1024,
            retention: Retention {
                default,
                rules: Vec::new(),
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
                self.read(SELECTIONS[*selection], *from, budget);
            }
            Step::Find { selection, n, time } => self.find(SELECTIONS[*selection], *n, *time),
            Step::Maintain => while self.store.maintain(self.now()).unwrap() {},
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

    fn append(&mut self, events: &[(usize, usize, bool, i64)]) {
        let mut request = Vec::new();
        for (topic, size, with_id, step) in events {
            self.time += step;
            let n = (self.log.len() + request.len() + 1) as u64;
            let mut entry = match with_id {
                true => with_id_of(TOPICS[*topic], n),
                false => event(TOPICS[*topic], n),
            };
            entry.fields = format!("data: {}\n", "x".repeat(*size)).into();
            entry.time = self.now();
            request.push(entry);
        }
        let mut expected = self.log.len() as u64;
        let appended = append(&mut self.store, request.clone());
        for (
            entry,
            Appended {
                position,
                duplicate,
                frame,
                ..
            },
        ) in request.into_iter().zip(appended)
        {
            // The same id in the same topic is the same event: ids repeat on
            // purpose, with other fields nearly always.
            assert!(!duplicate);
            expected += 1;
            assert_eq!(position.0, expected);
            assert_eq!(
                frame.unwrap().payload(),
                Frame::new(LOG, position, entry.clone()).payload()
            );
            self.log.push(entry);
        }
    }

    /// Publishes an event with an id again.
    fn repeat(&mut self, which: usize) {
        let horizon = self.horizon();
        let with_id: Vec<_> = (horizon..self.log.len())
            .filter(|n| self.log[*n].id.is_some())
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
        let refused = self.store.commit(vec![vec![other]], self.now()).remove(0);
        assert!(matches!(
            refused,
            Err(tidings_store::AppendError::IdConflict { index: 0 })
        ));
    }

    /// How many events are served no more.
    fn horizon(&self) -> usize {
        self.store.reader().earliest(&selection("**")).after.0 as usize
    }

    fn selected(&self, select: &str, after: usize) -> Vec<usize> {
        let selection = selection(select);
        let from = after.max(self.horizon());
        (from..self.log.len())
            .filter(|n| selection.matches(&self.log[*n].topic))
            .collect()
    }

    fn read(&self, select: &str, from: usize, budget: Budget) {
        let from = from % (self.log.len() + 1);
        let mut cursor = Cursor {
            after: Position(from as u64),
        };
        let reader = self.store.reader();
        if from < self.horizon() {
            let read = reader.read(&mut cursor, &selection(select), budget, &mut Vec::new());
            assert!(matches!(read.unwrap(), Read::Gap(gap) if gap.to.0 as usize == self.horizon()));
            return;
        }
        let mut expected = self.selected(select, from).into_iter();
        loop {
            let mut out = Vec::new();
            let read = reader
                .read(&mut cursor, &selection(select), budget, &mut out)
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

    fn find(&self, select: &str, n: usize, time: i64) {
        let reader = self.store.reader();
        let selected = self.selected(select, 0);
        let cursor = reader.last_n(n, &selection(select)).unwrap();
        let last = &selected[selected.len().saturating_sub(n)..];
        assert_eq!(self.selected(select, cursor.after.0 as usize), last);

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
            assert_eq!(reader.locate(&id, &selection(select)).unwrap(), expected);
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
    ) {
        let mut world = World::new(events);
        for step in &steps {
            world.step(step);
        }
    }
}
