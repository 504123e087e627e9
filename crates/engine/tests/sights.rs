//! Sights: who shares a read, who is woken, and what an index makes of events
//! with several topics and of Mercure's rules.

use proptest::prelude::*;
use std::any::Any;
use std::collections::BTreeSet;
use std::sync::Arc;
use tidings_engine::mercure::from_mercure;
use tidings_engine::{
    Budget, Cursor, Event, Frame, Index, LogId, MercureSelector, Position, Published, Read,
    Selection, Selector, Sight, SubscriptionKey, Subscriptions, Tail, Timestamp, Topic, Visibility,
};
use tidings_matcher::{Base, Matcher};

/// Shows the events of some topics, private or not.
#[derive(Debug)]
struct Granted(Vec<Selector>);

impl Granted {
    fn new(texts: &[&str]) -> Arc<Self> {
        let selectors = texts.iter().map(|text| Selector::new(text).unwrap());
        Arc::new(Self(selectors.collect()))
    }
}

impl Sight for Granted {
    fn shows(&self, event: &Published<'_>) -> bool {
        let granted = |topic| self.0.iter().any(|own| own.matches(topic));
        event.topics().any(granted)
    }

    fn is_same(&self, other: &dyn Sight) -> bool {
        let other: &dyn Any = other;
        other
            .downcast_ref::<Self>()
            .is_some_and(|other| self.0 == other.0)
    }
}

fn selection(texts: &[&str]) -> Selection {
    let selectors = texts.iter().map(|text| Selector::new(text).unwrap());
    Selection::new(selectors.collect())
}

fn at(position: u64) -> Cursor {
    Cursor {
        after: Position(position),
    }
}

fn frame(position: u64, topic: &str) -> Arc<Frame> {
    let event = Event {
        topic: Topic::new(topic).unwrap(),
        alternates: Box::default(),
        visibility: Visibility::Private,
        event_type: None,
        id: None,
        retry: None,
        data: "x".into(),
    };
    let entry = event.into_entry(Timestamp(0), None);
    Arc::new(Frame::new(LogId(1), Position(position), entry))
}

/// A lane in which subscriptions stand before `topics`, one event of each.
struct Lane {
    tail: Tail,
    lane: Subscriptions,
    ready: Vec<SubscriptionKey>,
}

impl Lane {
    fn new() -> Self {
        Self {
            tail: Tail::new(1 << 20, Position(0)),
            lane: Subscriptions::new(Position(0)),
            ready: Vec::new(),
        }
    }

    fn watch(&mut self, texts: &[&str], sight: Arc<Granted>) -> SubscriptionKey {
        let selection = selection(texts).with_sight(sight);
        self.lane.insert(selection, at(self.lane.end().0))
    }

    fn publish(&mut self, topics: &[&str]) {
        for topic in topics {
            let position = self.tail.end().0 + 1;
            self.tail.push(frame(position, topic));
        }
        self.lane.follow(&self.tail, Budget::ALL, &mut self.ready);
    }

    fn read(&mut self, key: SubscriptionKey) -> Vec<String> {
        let (_, batch) = self.lane.read(key, &self.tail, Budget::ALL);
        let topics = batch.frames().iter().map(|frame| frame.topic().to_string());
        topics.collect()
    }
}

/// Two subscribers of the same topics, one after the other at the same place: the
/// second is given what it may see, and never what was read for the first. Their
/// rights are different lists which are the same text once they are joined.
/// Thousands who watch the same topic hold its name once, whatever each may see of it.
#[test]
fn equal_selectors_are_in_memory_once() {
    let mut lane = Lane::new();
    let wishes: [(&[&str], &[&str]); 4] = [
        (&["news", "a/*"], &["**"]),
        (&["a/*", "news"], &["news"]),
        (&["news"], &["**"]),
        (&["news"], &["**"]),
    ];
    let keys = wishes.map(|(texts, granted)| lane.watch(texts, Granted::new(granted)));
    let place = |key| lane.lane.selection(key).map(|own| own.selectors().as_ptr());
    let [first, second, third, fourth] = keys.map(place);
    assert_eq!(first, second, "named in another order, with other rights");
    assert_ne!(second, third, "other selectors");
    assert_eq!(third, fourth);
}

#[test]
fn cve_2026_39972_rights_that_join_to_the_same_text_share_no_read() {
    let topics = ["a", "b", "a,b", "c", "a,b,c", "b,c"];
    let lists: [&[&str]; 5] = [
        &["a,b", "c"],
        &["a", "b,c"],
        &["a", "b", "c"],
        &["a,b,c"],
        &["c", "a,b"],
    ];
    for first in lists {
        for second in lists {
            let mut lane = Lane::new();
            let keys = [first, second].map(|list| lane.watch(&["**"], Granted::new(list)));
            lane.publish(&topics);
            for (key, list) in keys.into_iter().zip([first, second]) {
                let mut expected: Vec<&str> = topics.to_vec();
                expected.retain(|topic| list.contains(topic));
                assert_eq!(lane.read(key), expected, "{first:?}, then {second:?}");
            }
        }
    }
    // The same holds of what is watched.
    for first in lists {
        for second in lists {
            let mut lane = Lane::new();
            let keys = [first, second].map(|list| lane.watch(list, Granted::new(&["**"])));
            lane.publish(&topics);
            for (key, list) in keys.into_iter().zip([first, second]) {
                let mut expected: Vec<&str> = topics.to_vec();
                expected.retain(|topic| list.contains(topic));
                assert_eq!(lane.read(key), expected, "{first:?}, then {second:?}");
            }
        }
    }
}

#[test]
fn only_selections_that_show_the_same_are_equal() {
    let open = || selection(&["a"]);
    let sighted = |texts: &[&str]| open().with_sight(Granted::new(texts));
    assert_eq!(open(), open());
    assert_eq!(sighted(&["a", "b"]), sighted(&["a", "b"]));
    assert_ne!(sighted(&["a"]), open());
    assert_ne!(open(), sighted(&["a"]));
    assert_ne!(sighted(&["a"]), sighted(&["a", "b"]));
    assert_ne!(
        sighted(&["a"]),
        selection(&["b"]).with_sight(Granted::new(&["a"]))
    );
}

#[test]
fn those_who_may_see_the_same_share_a_read() {
    let mut lane = Lane::new();
    let keys = [0, 1].map(|_| lane.watch(&["**"], Granted::new(&["a"])));
    lane.publish(&["a", "b"]);
    let batches = keys.map(|key| lane.lane.read(key, &lane.tail, Budget::ALL).1);
    assert!(Arc::ptr_eq(&batches[0], &batches[1]));
}

#[test]
fn hidden_events_wake_nobody_and_are_no_lag() {
    let mut lane = Lane::new();
    let key = lane.watch(&["**"], Granted::new(&["a"]));
    lane.publish(&["b", "c", "b"]);
    assert!(lane.ready.is_empty() && !lane.lane.is_behind(key));
    assert_eq!(lane.lane.lag_bytes(key), 0);
    assert_eq!(lane.lane.cursor(key), Some(at(3)), "passed over");
    lane.publish(&["a", "b", "b"]);
    assert_eq!(lane.ready, [key]);
    let one = frame(4, "a").payload_len() as u64;
    assert_eq!(lane.lane.lag_bytes(key), one);
    assert_eq!(lane.read(key), ["a"]);
    let (read, batch) = lane.lane.read(key, &lane.tail, Budget::ALL);
    assert!(read == Read::CaughtUp && batch.is_empty());
    assert_eq!(lane.lane.lag_bytes(key), 0);
}

#[test]
fn another_sight_holds_from_the_next_read_on() {
    let mut lane = Lane::new();
    let [key, other] = [0, 1].map(|_| lane.watch(&["**"], Granted::new(&["a"])));
    lane.publish(&["a", "b"]);
    assert!(lane.lane.set_sight(key, Granted::new(&["b"])));
    assert_eq!(lane.read(other), ["a"]);
    assert_eq!(lane.read(key), ["b"]);
    lane.ready.clear();
    lane.publish(&["a"]);
    assert_eq!(lane.ready, [other]);
    lane.publish(&["b"]);
    assert_eq!(lane.ready, [other, key]);
}

#[test]
fn without_a_sight_all_but_what_is_private_is_shown() {
    let topic = Topic::new("a").unwrap();
    for (visibility, shown) in [
        (Visibility::Native, true),
        (Visibility::Public, true),
        (Visibility::Private, false),
    ] {
        let event = Published {
            visibility,
            ..Published::natively(&topic)
        };
        assert_eq!(selection(&["a"]).watches(&event), shown);
        assert!(!selection(&["b"]).watches(&event));
    }
}

const RULES: [&str; 12] = [
    "a",
    "*",
    "**",
    "a/*",
    "$mercure/**",
    "t:https://hub.example/t/a/{x}",
    "t:https://hub.example/t/{+x}",
    "t:{x}",
    "u:/t/:a",
    "u:https://hub.example/t/a/*",
    "u:*://other.example/*",
    "m:*",
];

const TOPICS: [&str; 10] = [
    "https://hub.example/t/a",
    "https://hub.example/t/b",
    "https://hub.example/t/a/a",
    "https://hub.example/t/a/b",
    "https://hub.example/t/a/b/c",
    "https://other.example/a",
    "https://other.example/t/a",
    "urn:a",
    "a",
    "/t/a",
];

fn selectors(text: &str, base: &Arc<Base>) -> Vec<Selector> {
    let matcher = match text.split_once(':') {
        Some(("t", text)) => Matcher::selector(text).unwrap(),
        Some(("u", text)) => Matcher::url_pattern(text, base).unwrap(),
        Some(("m", text)) => Matcher::exact(text),
        _ => return vec![Selector::new(text).unwrap()],
    };
    MercureSelector::selectors(&matcher, base)
}

proptest! {
    /// The index reports whose selection has a topic of the event, once; whatever
    /// was asked before, and after others have gone.
    #[test]
    fn the_index_finds_who_watches_any_topic_of_an_event(
        subscribers in prop::collection::vec(prop::collection::vec(0..RULES.len(), 0..4), 1..8),
        events in prop::collection::vec(prop::collection::vec(0..TOPICS.len(), 1..4), 1..8),
        leaving in any::<prop::sample::Index>(),
    ) {
        let base = Arc::new(Base::new("https://hub.example").unwrap());
        let selections: Vec<Selection> = subscribers
            .iter()
            .map(|rules| Selection::new(
                rules.iter().flat_map(|rule| selectors(RULES[*rule], &base)).collect(),
            ))
            .collect();
        let mut index = Index::new();
        for (key, selection) in selections.iter().enumerate() {
            index.insert(selection, key);
        }
        let gone = leaving.index(selections.len());
        for left in [None, Some(gone)] {
            if let Some(key) = left {
                index.remove(&selections[key], key);
            }
            for topics in &events {
                let mut topics = topics
                    .iter()
                    .map(|topic| from_mercure(TOPICS[*topic], &base).unwrap());
                let topic = topics.next().unwrap();
                let alternates = tidings_engine::published::alternates(&topic, topics);
                let event = Published { alternates: &alternates, ..Published::natively(&topic) };
                let mut found = Vec::new();
                index.matches(&event, |key| found.push(key));
                found.sort_unstable();
                let expected: Vec<usize> = (0..selections.len())
                    .filter(|key| Some(*key) != left)
                    .filter(|key| event.topics().any(|topic| selections[*key].matches(topic)))
                    .collect();
                prop_assert_eq!(&found, &expected, "{:?}", event);
                let naive: BTreeSet<usize> = (0..selections.len())
                    .filter(|key| Some(*key) != left)
                    .filter(|key| selections[*key].selectors().iter().any(|own| {
                        event.topics().any(|topic| own.matches(topic))
                    }))
                    .collect();
                prop_assert_eq!(naive.into_iter().collect::<Vec<_>>(), expected);
            }
        }
    }
}
