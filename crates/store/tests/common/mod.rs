//! What the tests of the store have in common.
#![allow(dead_code)]

pub mod watched;

use bytes::Bytes;
use std::any::Any;
use std::sync::Arc;
use tidings_codec::EventId;
use tidings_engine::{
    Budget, Cursor, Entry, IdempotencyKey, Kind, LogId, MercureSelector, Position, Published, Read,
    Selection, Selector, Sight, Timestamp, Topic, Visibility, closing, published,
};
use tidings_matcher::{Base, Matcher};
use tidings_store::{
    Appended, Identity, Limits, Options, Reader, Recovery, Retention, Storage, Store,
};

/// The wall clock of tests that don't move it.
pub const NOW: Timestamp = Timestamp(1_700_000_000_000);
pub const LOG: LogId = LogId(0x7e57);
/// What a fresh store of a test is told.
pub fn fresh(log: LogId) -> Identity {
    let secret = log.0.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    Identity { log, secret }
}
pub const BUDGET: Budget = Budget {
    frames: 100,
    bytes: 1 << 20,
};

/// Small segments, nothing expires.
pub fn small() -> Options {
    Options {
        segment_bytes: 16 * 1024,
        retention: Retention {
            default: Limits::NONE,
            rules: Vec::new(),
        },
        ..Options::default()
    }
}

pub fn open<S: Storage + 'static>(storage: &Arc<S>, options: Options) -> (Store, Recovery) {
    Store::open(storage.clone(), options, NOW, fresh(LOG)).unwrap()
}

pub fn event(topic: &str, n: u64) -> Entry {
    Entry {
        kind: Kind::Event,
        alternates: Box::default(),
        visibility: Visibility::Native,
        topic: Topic::new(topic).unwrap(),
        time: NOW,
        id: None,
        key: None,
        fields: Bytes::from(format!("data: {n}\n")),
    }
}

/// The end of a topic.
pub fn end(topic: &str) -> Entry {
    let end = closing::end(Topic::new(topic).unwrap());
    end.into_entry(NOW, None).of_kind(Kind::End)
}

/// An event that opens its topics.
pub fn reopening(topic: &str, n: u64) -> Entry {
    event(topic, n).of_kind(Kind::Reopening)
}

pub fn with_id(topic: &str, n: u64, id: &str) -> Entry {
    Entry {
        id: Some(EventId::new(id).unwrap()),
        ..event(topic, n)
    }
}

pub fn with_key(topic: &str, n: u64, key: u128, request: u64) -> Entry {
    Entry {
        key: Some(IdempotencyKey { key, request }),
        ..event(topic, n)
    }
}

/// The same entry with other topics besides, published like that.
pub fn as_published(entry: Entry, alternates: &[&str], visibility: Visibility) -> Entry {
    let others = alternates.iter().map(|text| Topic::new(text).unwrap());
    Entry {
        alternates: published::alternates(&entry.topic, others),
        visibility,
        ..entry
    }
}

/// What a test lets a selection see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seer {
    /// What isn't private, and all that has this topic.
    Of(&'static str),
    /// Public events only.
    Public,
    /// Everything.
    All,
}

impl Sight for Seer {
    fn shows(&self, event: &Published<'_>) -> bool {
        match self {
            Self::Of(own) => {
                event.visibility != Visibility::Private
                    || event.topics().any(|topic| topic.as_str() == *own)
            }
            Self::Public => event.visibility == Visibility::Public,
            Self::All => true,
        }
    }

    fn is_same(&self, other: &dyn Sight) -> bool {
        (other as &dyn Any).downcast_ref::<Self>() == Some(self)
    }
}

pub fn append(store: &mut Store, request: Vec<Entry>) -> Vec<Appended> {
    store.commit(vec![request], NOW).remove(0).unwrap()
}

/// Selectors, between spaces; those with a `{` are templates of Mercure's.
pub fn selection(text: &str) -> Selection {
    let base = Arc::new(Base::new("https://hub.example").unwrap());
    let selectors = text.split(' ').flat_map(|text| {
        if text.contains('{') {
            MercureSelector::selectors(&Matcher::selector(text).unwrap(), &base)
        } else {
            vec![Selector::new(text).unwrap()]
        }
    });
    Selection::new(selectors.collect())
}

/// What a reader saw: an event, with what [`told`] says of it, or a gap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    Event(Position, String, Bytes),
    Gap(Position),
}

/// The topics of an event, between spaces; and how it was published, if not
/// natively.
pub fn told(event: &Published<'_>) -> String {
    let topics: Vec<&str> = event.topics().map(Topic::as_str).collect();
    match event.visibility {
        Visibility::Native => topics.join(" "),
        other => format!("{} {other:?}", topics.join(" ")),
    }
}

/// Reads everything behind the start, private events too, going on behind gaps.
pub fn read_all(reader: &Reader, select: &str) -> Vec<Seen> {
    read_from(reader, Position::START, select, BUDGET)
}

pub fn read_from(reader: &Reader, after: Position, select: &str, budget: Budget) -> Vec<Seen> {
    let selection = selection(select).with_sight(Arc::new(Seer::All));
    read_with(reader, after, &selection, budget)
}

pub fn read_with(
    reader: &Reader,
    after: Position,
    selection: &Selection,
    budget: Budget,
) -> Vec<Seen> {
    let (mut cursor, mut seen) = (Cursor { after }, Vec::new());
    loop {
        let mut frames = Vec::new();
        let read = reader
            .read(&mut cursor, selection, budget, &mut frames)
            .unwrap();
        for frame in &frames {
            assert!(selection.watches(&frame.published()));
            let told = told(&frame.published());
            seen.push(Seen::Event(frame.position(), told, frame.payload()));
        }
        match read {
            Read::Frames => {}
            Read::CaughtUp => return seen,
            Read::Gap(gap) => {
                seen.push(Seen::Gap(gap.to));
                cursor.after = gap.to;
            }
        }
    }
}

/// The positions of the events in it.
pub fn positions(seen: &[Seen]) -> Vec<u64> {
    let events = seen.iter().filter_map(|s| match s {
        Seen::Event(position, ..) => Some(position.0),
        Seen::Gap(_) => None,
    });
    events.collect()
}

/// The bytes of a file.
pub fn image_of(storage: &dyn Storage, name: &str) -> Vec<u8> {
    let file = storage.open(name).unwrap();
    let mut bytes = vec![0; file.size().unwrap() as usize];
    file.read_at(0, &mut bytes).unwrap();
    bytes
}

/// The bytes of all files.
pub fn image_of_all(storage: &dyn Storage) -> std::collections::BTreeMap<String, Vec<u8>> {
    let names = storage.list().unwrap().into_iter();
    names
        .map(|name| (name.clone(), image_of(storage, &name)))
        .collect()
}
