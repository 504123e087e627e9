//! The hub's own log: which topics it has, frames without an id, and a stream over it
//! beside a list and a filter.

use std::collections::HashSet;
use std::sync::Arc;
use tidings_codec::fixtures::Random;
use tidings_codec::{Decoder, EventType, Item};
use tidings_engine::{
    Budget, Event, Form, Frame, Framing, MercureSelector, OwnNext, OwnStream, Position, Selection,
    Selector, SubscriptionKey, Subscriptions, Tail, Timestamp, Topic, Visibility, own,
};
use tidings_matcher::{Base, Matcher};

fn selection(texts: &[&str]) -> Selection {
    let selectors = texts.iter().map(|text| Selector::new(text).unwrap());
    Selection::new(selectors.collect())
}

fn frame(topic: &str, event_type: Option<&str>, position: u64, data: &str) -> Arc<Frame> {
    let event = Event {
        topic: Topic::new(topic).unwrap(),
        alternates: Box::default(),
        visibility: Visibility::Native,
        event_type: event_type.map(|text| EventType::new(text).unwrap()),
        id: None,
        retry: None,
        data: data.into(),
    };
    let entry = event.into_entry(Timestamp(1_000), None);
    Arc::new(Frame::without_id(Position(position), entry))
}

fn texts(selection: &Selection) -> Vec<&str> {
    selection.selectors().iter().map(Selector::as_str).collect()
}

#[test]
fn what_is_watched_splits_by_what_the_first_segment_spells() {
    for (all, log, own) in [
        (&["news"][..], &["news"][..], &[][..]),
        (&["$sys/**"], &[], &["$sys/**"]),
        (
            &["news", "$sys/stats", "**", "$presence/a/b"],
            &["news", "**"],
            &["$presence/a/b", "$sys/stats"],
        ),
        (
            &["*/stats", "$system/a", "$mercure/**", "a/$sys"],
            &["$system/a", "a/$sys", "$mercure/**", "*/stats"],
            &[],
        ),
        (&["$sys", "$presence"], &[], &["$presence", "$sys"]),
    ] {
        let (of_log, of_own) = selection(all).split();
        let sorted = |texts: &[&str]| -> Vec<String> {
            let selection = selection(texts);
            selection
                .selectors()
                .iter()
                .map(|own| own.as_str().to_owned())
                .collect()
        };
        assert_eq!(texts(&of_log), sorted(log), "{all:?}");
        assert_eq!(texts(&of_own), sorted(own), "{all:?}");
        assert_eq!(of_own.is_empty(), own.is_empty());
    }
    assert_eq!(own::presence_of("$presence/a/b"), Some("a/b"));
    for other in ["$presence", "$presences/a", "a/$presence/b", "$sys/a"] {
        assert_eq!(own::presence_of(other), None, "{other}");
    }
}

#[test]
fn only_who_spells_it_watches_the_own_log() {
    let base = Arc::new(Base::new("https://hub.example").unwrap());
    let of_mercure = [
        Matcher::Any,
        Matcher::selector("{x}").unwrap(),
        Matcher::selector("https://hub.example/t/{+x}").unwrap(),
        Matcher::url_pattern("https://hub.example/*", &base).unwrap(),
        Matcher::Exact("https://hub.example/t/$sys/stats".into()),
        Matcher::Exact("$sys/stats".into()),
    ];
    let native = ["*", "**", "*/*", "*/stats", "*/**", "sys/**", "$mercure/**"];
    let mut all: Vec<Selector> = native.map(|text| Selector::new(text).unwrap()).into();
    for matcher in &of_mercure {
        all.extend(MercureSelector::selectors(matcher, &base));
    }
    let topics = ["$sys/stats", "$sys/a/b", "$presence/news"].map(|text| Topic::new(text).unwrap());
    for selector in &all {
        for topic in &topics {
            assert!(!selector.matches(topic), "{selector:?} {topic}");
        }
        assert!(!own::is_own(selector.as_str()), "{selector:?}");
    }
    let (log, own) = Selection::new(all).split();
    assert!(own.is_empty() && !log.is_empty());
    assert!(Selector::new("$sys/**").unwrap().matches(&topics[0]));
}

/// What a reader makes of a block: its events, and the last event ID.
fn read(block: &[u8]) -> (Vec<(String, String)>, String) {
    let mut decoder = Decoder::new();
    let (mut events, mut rest) = (Vec::new(), block);
    while let Some(item) = decoder.next(&mut rest) {
        match item {
            Item::Event(event) => events.push((event.event_type.into(), event.data.into())),
            other => panic!("{other:?}"),
        }
    }
    assert!(!decoder.is_mid_event());
    (events, decoder.last_event_id().to_owned())
}

#[test]
fn a_frame_of_the_own_log_leaves_the_last_event_id_alone() {
    let named = frame("$sys/stats", Some("stats"), 7, r#"{"a":"b"}"#);
    let before = b"id: td-x\n\n";
    for form in [Form::Plain, Form::Envelope] {
        let bytes = [&before[..], &named.bytes(form, Framing::Bare)].concat();
        let (events, id) = read(&bytes);
        assert_eq!((events.len(), &*id), (1, "td-x"), "{form:?}");
        let chunk = named.bytes(form, Framing::Chunked);
        let bare = named.bytes(form, Framing::Bare);
        let expect = [format!("{:x}\r\n", bare.len()).as_bytes(), &bare, b"\r\n"].concat();
        assert_eq!(chunk, expect, "{form:?}");
    }
    assert_eq!(named.id(), None);
    let envelope: serde_json::Value = serde_json::from_str(named.to_json()).unwrap();
    let expect = serde_json::json!({
        "topic": "$sys/stats", "event": "stats", "id": null,
        "time": "1970-01-01T00:00:01.000Z", "data": r#"{"a":"b"}"#,
    });
    assert_eq!(envelope, expect);
}

#[test]
fn an_event_of_the_hub_s_own_type_has_one_form() {
    let one = frame("$presence/a", Some("tidings:presence"), 1, "{}");
    assert_eq!(
        one.bytes(Form::Envelope, Framing::Bare),
        one.bytes(Form::Plain, Framing::Bare)
    );
    let other = frame("$sys/stats", Some("stats"), 1, "{}");
    assert_ne!(
        other.bytes(Form::Envelope, Framing::Bare),
        other.bytes(Form::Plain, Framing::Bare)
    );
}

/// A reader of the model.
struct Reader {
    stream: OwnStream,
    selection: Selection,
    /// Positions that were said for it since it came, or began anew.
    due: Vec<u64>,
    ready: bool,
    begun: bool,
    lost: usize,
}

/// A lane, its tail, and everything that was said.
struct World {
    tail: Tail,
    lane: Subscriptions,
    said: Vec<(u64, &'static str)>,
    readers: Vec<Reader>,
}

const TOPICS: [&str; 4] = ["$sys/a", "$sys/b", "$presence/a", "$presence/a/b"];

impl World {
    fn say(&mut self, random: &mut Random) {
        let topic = TOPICS[random.below(TOPICS.len())];
        let position = self.tail.end().0 + 1;
        self.said.push((position, topic));
        assert!(
            self.tail
                .push(frame(topic, None, position, &"x".repeat(random.below(300))))
        );
        for reader in &mut self.readers {
            if reader.selection.matches(&Topic::new(topic).unwrap()) {
                reader.due.push(position);
            }
        }
    }

    fn come(&mut self, random: &mut Random) {
        let selection = selection(match random.below(4) {
            0 => &["$sys/**"],
            1 => &["$presence/a"],
            2 => &["$sys/a", "$presence/**"],
            _ => &["$sys/b", "$presence/a/b"],
        });
        let stream = OwnStream::new(selection.clone(), &mut self.lane, &self.tail);
        assert!(
            stream.has_more(&self.lane),
            "it begins with how things stand"
        );
        self.readers.push(Reader {
            stream,
            selection,
            due: Vec::new(),
            ready: true,
            begun: false,
            lost: 0,
        });
    }

    fn follow(&mut self, frames: usize) {
        let mut ready = Vec::new();
        self.lane
            .follow(&self.tail, Budget::frames(frames), &mut ready);
        let ready: HashSet<SubscriptionKey> = ready.into_iter().collect();
        for reader in &mut self.readers {
            reader.ready |= ready.contains(&reader.stream.key());
        }
    }

    /// One is asked for more, and hands back what comes behind `kept` frames.
    fn ask(&mut self, at: usize, budget: Budget, kept: usize) -> Result<(), String> {
        let reader = &mut self.readers[at];
        match reader.stream.next(&mut self.lane, &self.tail, budget) {
            OwnNext::Anew => {
                let first = reader.due.first();
                let overtaken = first.is_some_and(|first| *first <= self.tail.start().0);
                // Nothing selected need have been lost: others' events were, too.
                if reader.begun && !overtaken && self.tail.start() == Position::START {
                    return Err("it begins anew, and nothing is lost".into());
                }
                if std::mem::replace(&mut reader.begun, true) {
                    reader.lost += usize::from(overtaken);
                    reader.due.clear();
                }
            }
            OwnNext::Events(batch) => {
                let given: Vec<u64> = batch.frames().iter().map(|own| own.position().0).collect();
                if reader.due.get(..given.len()) != Some(&given) {
                    return Err(format!("{given:?} was given, not {:?}", reader.due));
                }
                let kept = kept.min(given.len());
                if kept < given.len() {
                    reader.stream.give_back(&mut self.lane, &batch, kept);
                }
                reader.due.drain(..kept);
            }
            OwnNext::Later => {}
            OwnNext::Idle => {
                // The lane has yet to look at what is due, and will say so.
                reader.ready = false;
                let end = self.lane.end().0;
                if let Some(missed) = reader.due.iter().find(|due| **due <= end) {
                    return Err(format!("idle at {end}, and {missed} is due"));
                }
            }
        }
        reader.ready |= reader.stream.has_more(&self.lane);
        Ok(())
    }

    fn settle(&mut self) -> Result<(), String> {
        self.follow(usize::MAX);
        for at in 0..self.readers.len() {
            let mut asked = 0;
            while self.readers[at].ready {
                self.ask(at, Budget::ALL, usize::MAX)?;
                asked += 1;
                if asked > 10_000 {
                    return Err("it never rests".into());
                }
            }
            if !self.readers[at].due.is_empty() {
                return Err(format!("{:?} was never given", self.readers[at].due));
            }
        }
        Ok(())
    }
}

fn run(seed: u64, steps: usize) -> Result<(usize, usize), String> {
    let mut random = Random::new(seed);
    let bytes = [1_000, 10_000, 100_000][random.below(3)];
    let mut world = World {
        tail: Tail::new(bytes, Position::START).with_scan_work([1, 20, 10_000][random.below(3)]),
        lane: Subscriptions::new(Position::START),
        said: Vec::new(),
        readers: Vec::new(),
    };
    for _ in 0..steps {
        match random.below(20) {
            0 => world.come(&mut random),
            1..8 => world.say(&mut random),
            8..12 => world.follow([1, 3, 1_000][random.below(3)]),
            12 if random.below(4) == 0 => world.settle()?,
            _ if world.readers.is_empty() => {}
            _ => {
                let at = random.below(world.readers.len());
                let budget = Budget::frames([1, 2, 100][random.below(3)]);
                if world.readers[at].ready {
                    world.ask(at, budget, [0, 1, 1_000][random.below(3)])?;
                }
            }
        }
    }
    world.settle()?;
    let lost = world.readers.iter().map(|reader| reader.lost).sum();
    Ok((lost, world.said.len()))
}

#[test]
fn whoever_watches_is_given_all_that_was_said_since_they_stood_anew() {
    let (mut lost, mut said) = (0, 0);
    for seed in 0..400 {
        match run(seed, 300) {
            Ok(counts) => (lost, said) = (lost + counts.0, said + counts.1),
            Err(what) => panic!("seed {seed}: {what}"),
        }
    }
    assert!(lost > 50 && said > 10_000, "{lost} lost of {said}");
}
