//! The tail's edges, which the model's small runs don't reach.

use std::sync::Arc;
use tidings_engine::{
    Budget, Cursor, Entry, Event, Frame, Gap, LogId, Position, Read, Selection, Selector,
    Subscriptions, Tail, Timestamp, Topic, Visibility,
};

const ALL: Budget = Budget {
    frames: usize::MAX,
    bytes: usize::MAX,
};

fn frame(position: u64, topic: &str, bytes: usize) -> Arc<Frame> {
    let event = Event {
        alternates: Box::default(),
        visibility: Visibility::Native,
        topic: Topic::new(topic).unwrap(),
        event_type: None,
        id: None,
        retry: None,
        data: "x".repeat(bytes).into(),
    };
    let entry = event.into_entry(Timestamp(0), None);
    Arc::new(Frame::new(LogId(1), Position(position), entry))
}

fn selection(texts: &[&str]) -> Selection {
    Selection::new(
        texts
            .iter()
            .map(|text| Selector::new(text).unwrap())
            .collect(),
    )
}

fn at(position: u64) -> Cursor {
    Cursor {
        after: Position(position),
    }
}

fn read(tail: &Tail, cursor: &mut Cursor, texts: &[&str], budget: Budget) -> (Read, Vec<u64>) {
    let mut out = Vec::new();
    let read = tail.read(cursor, &selection(texts), budget, &mut out);
    (read, out.iter().map(|frame| frame.position().0).collect())
}

#[test]
fn an_empty_tail_knows_where_the_log_ends() {
    let tail = Tail::new(1_000, Position(10));
    let gap = Read::Gap(Gap { to: Position(10) });
    for (position, expected) in [(9, gap), (10, Read::CaughtUp), (11, Read::CaughtUp)] {
        let mut cursor = at(position);
        assert_eq!(read(&tail, &mut cursor, &["**"], ALL), (expected, vec![]));
        assert_eq!(cursor, at(position));
    }
    assert!(tail.first().is_none() && tail.last().is_none() && tail.is_empty());
}

#[test]
fn a_frame_that_is_not_after_the_end_is_not_taken() {
    let mut tail = Tail::new(10_000, Position(5));
    for (position, taken) in [
        (5, false),
        (4, false),
        (0, false),
        (9, true),
        (9, false),
        (7, false),
    ] {
        assert_eq!(tail.push(frame(position, "a", 1)), taken, "{position}");
    }
    assert_eq!(
        (tail.len(), tail.start(), tail.end()),
        (1, Position(5), Position(9))
    );
    let mut cursor = at(5);
    assert_eq!(
        read(&tail, &mut cursor, &["a"], ALL),
        (Read::Frames, vec![9])
    );
}

#[test]
fn a_frame_larger_than_the_bound_reaches_who_is_caught_up() {
    let mut tail = Tail::new(1_000, Position(0));
    let mut lane = Subscriptions::new(Position(0));
    let caught_up = lane.insert(selection(&["big"]), at(0));
    for position in 1..=3 {
        assert!(tail.push(frame(position, "big", 100_000)));
        assert_eq!(tail.len(), 1);
        let mut ready = Vec::new();
        assert!(lane.follow(&tail, Budget::ALL, &mut ready).at_end);
        assert_eq!(ready, [caught_up]);
        let small = Budget {
            frames: 1,
            bytes: 1,
        };
        let (read, batch) = lane.read(caught_up, &tail, small);
        assert_eq!(read, Read::Frames);
        assert_eq!(batch.frames().len(), 1);
        assert_eq!(lane.read(caught_up, &tail, small).0, Read::CaughtUp);
    }
    assert!(tail.push(frame(4, "small", 1)));
    assert!(tail.bytes() <= 1_000);
}

#[test]
fn a_lane_that_the_tail_has_left_behind_lets_everybody_look() {
    let mut tail = Tail::new(0, Position(0));
    let mut lane = Subscriptions::new(Position(0));
    let unconcerned = lane.insert(selection(&["other"]), at(0));
    let ahead = lane.insert(selection(&["a"]), at(3));
    for position in 1..=3 {
        tail.push(frame(position, "a", 1));
    }
    let mut ready = Vec::new();
    assert!(lane.follow(&tail, Budget::frames(1), &mut ready).at_end);
    assert_eq!(ready, [unconcerned]);
    assert_eq!(lane.lag(unconcerned), 3);
    let (read, _) = lane.read(unconcerned, &tail, ALL);
    assert_eq!(read, Read::Gap(Gap { to: Position(2) }));
    assert!(lane.set_cursor(unconcerned, at(3)));
    assert!(!lane.is_behind(unconcerned) && !lane.is_behind(ahead));
}

#[test]
fn a_cursor_never_goes_back() {
    let mut lane = Subscriptions::new(Position(10));
    for start in [5, 10, 15] {
        let key = lane.insert(selection(&["a"]), at(start));
        let own = lane.cursor(key).unwrap();
        // An answer of the store that something has overtaken.
        assert!(!lane.set_cursor(key, at(own.after.0 - 1)), "{start}");
        assert_eq!(lane.cursor(key), Some(own));
        assert!(lane.set_cursor(key, own));
        assert_eq!(lane.is_behind(key), start < 10);
        assert!(lane.set_cursor(key, at(20)));
        assert_eq!((lane.cursor(key), lane.lag(key)), (Some(at(20)), 0));
    }
}

/// One of 20,000 frames is watched: found by its list, not by looking at each.
#[test]
fn a_narrow_selection_is_read_in_one_go() {
    let mut tail = Tail::new(usize::MAX, Position(0)).with_scan_work(1);
    for position in 1..=20_000 {
        let topic = if position % 5_000 == 0 {
            "rare"
        } else {
            "busy"
        };
        tail.push(frame(position, topic, 1));
    }
    let mut cursor = at(1);
    let expected = (Read::Frames, vec![5_000, 10_000]);
    let two = Budget {
        frames: 2,
        bytes: usize::MAX,
    };
    assert_eq!(read(&tail, &mut cursor, &["rare", "nobody"], two), expected);
    // Nothing selected lies before the next one, so the cursor may be there.
    assert_eq!(cursor, at(14_999));
    let expected = (Read::Frames, vec![15_000, 20_000]);
    assert_eq!(read(&tail, &mut cursor, &["rare", "nobody"], two), expected);
    assert_eq!(cursor, at(20_000));
    assert_eq!(
        read(&tail, &mut cursor, &["rare"], two),
        (Read::CaughtUp, vec![])
    );
    let mut cursor = at(1);
    assert_eq!(
        read(&tail, &mut cursor, &["nobody"], two),
        (Read::CaughtUp, vec![])
    );
    assert_eq!(cursor, at(20_000));
}

/// A pattern that matches nothing has to look at every frame: in steps that
/// end, each of which gets on.
#[test]
fn a_pattern_is_read_in_bounded_steps() {
    let mut tail = Tail::new(usize::MAX, Position(0));
    let long = "x".repeat(4_000);
    for position in 1..=20_000 {
        tail.push(frame(
            position,
            if position % 2 == 0 { "busy" } else { &long },
            0,
        ));
    }
    let mut cursor = at(0);
    let mut steps = 0;
    loop {
        let before = cursor;
        match read(&tail, &mut cursor, &["no/*", "*/one"], ALL) {
            (Read::Frames, given) => assert!(given.is_empty() && cursor > before),
            (Read::CaughtUp, given) => break assert!(given.is_empty()),
            gap => panic!("{gap:?}"),
        }
        steps += 1;
    }
    assert_eq!(cursor, at(20_000));
    // (1 + 2 selectors) × (62 + 1) / 2 frames ... of 16,384 a step.
    assert!((90..150).contains(&steps), "{steps}");
}

/// By lists, as more frames wait than are looked at one by one.
#[test]
fn the_newest_of_a_narrow_selection() {
    let mut tail = Tail::new(usize::MAX, Position(0));
    for position in 1..=100 {
        let topic = match position {
            5 => "old",
            10 | 20 | 90 => "rare",
            _ => "busy",
        };
        tail.push(frame(position, topic, 1));
    }
    let narrow = selection(&["nobody", "old", "rare"]);
    let one = Budget::frames(1);
    for (after, budget, given, reached) in [
        (4, ALL, &[5, 90][..], 100),
        (5, ALL, &[90], 100),
        (50, ALL, &[90], 100),
        (4, one, &[5], 89),
        (5, one, &[90], 100),
    ] {
        let (mut cursor, mut out) = (at(after), Vec::new());
        let read = tail.read_newest(&mut cursor, &narrow, budget, &mut out);
        let positions: Vec<u64> = out.iter().map(|frame| frame.position().0).collect();
        assert_eq!((read, &positions[..]), (Read::Frames, given), "{after}");
        assert_eq!(cursor, at(reached), "{after}");
    }
}

/// `a,b!7`: an event of topic `a`, with `b` as an alternate, that is private.
fn published(text: &str) -> Arc<Frame> {
    let (topics, position) = text.split_at(text.find(|c: char| c.is_ascii_digit()).unwrap());
    let (topics, visibility) = match topics.strip_suffix('!') {
        Some(topics) => (topics, Visibility::Private),
        None => (topics, Visibility::Public),
    };
    let mut topics = topics.split(',').map(|text| Topic::new(text).unwrap());
    let event = Event {
        topic: topics.next().unwrap(),
        alternates: topics.collect(),
        visibility,
        event_type: None,
        id: None,
        retry: None,
        data: "x".into(),
    };
    let entry = event.into_entry(Timestamp(0), None);
    let position = Position(position.parse().unwrap());
    Arc::new(Frame::new(LogId(1), position, entry))
}

/// What reading to the end gives, of a tail with `filler` other events before
/// each of `events`, at whatever bound on one read: by lists of exact topics, and
/// by looking at each.
fn check_all(events: &str, texts: &[&str], all: &[u64], newest: &[u64]) {
    for (filler, scan_work) in [(0, 1), (0, 16_384), (40, 1), (40, 7), (40, 16_384)] {
        let mut tail = Tail::new(usize::MAX, Position(0)).with_scan_work(scan_work);
        let mut position = 0;
        for event in events.split(' ').map(published) {
            let next = event.position().0 * 100;
            while position + 1 < next && position % 100 < filler {
                position += 1;
                tail.push(frame(position, "other", 1));
            }
            let entry = Entry {
                kind: tidings_engine::Kind::Event,
                topic: event.topic().clone(),
                alternates: event.published().alternates.into(),
                visibility: event.published().visibility,
                time: Timestamp(0),
                id: None,
                key: None,
                fields: event.payload(),
            };
            position = next;
            tail.push(Arc::new(Frame::new(LogId(1), Position(next), entry)));
        }
        let selection = selection(texts);
        for (which, expected) in [(false, all), (true, newest)] {
            let (mut cursor, mut out, mut reads) = (at(0), Vec::new(), 0);
            loop {
                let before = cursor;
                let read = match which {
                    false => tail.read(&mut cursor, &selection, ALL, &mut out),
                    true => tail.read_newest(&mut cursor, &selection, ALL, &mut out),
                };
                if read == Read::CaughtUp {
                    break;
                }
                assert!(cursor > before, "no progress at {before:?}");
                reads += 1;
                assert!(reads <= tail.len());
            }
            let given = out.iter().filter(|f| f.topic().as_str() != "other");
            let given: Vec<u64> = given.map(|f| f.position().0 / 100).collect();
            assert_eq!(given, expected, "{texts:?}, {filler}, {scan_work}, {which}");
        }
    }
}

#[test]
fn an_event_of_several_topics_is_given_once() {
    let events = "a,b1 b,c2 c3 c,a,b4";
    check_all(events, &["a", "b"], &[1, 2, 4], &[1, 2, 4]);
    check_all(events, &["a", "b", "**"], &[1, 2, 3, 4], &[1, 2, 4]);
    check_all(events, &["b", "c", "nobody"], &[1, 2, 3, 4], &[1, 2, 4]);
}

/// By its canonical topic it is replaced, and by no other: who watches a topic
/// that several objects share as an alternate has the newest of each.
#[test]
fn the_newest_is_that_of_the_canonical_topic() {
    let events = "book/x,feed1 book/y,feed2 book/x,feed3 feed4 book/z,feed5";
    check_all(events, &["feed"], &[1, 2, 3, 4, 5], &[2, 3, 4, 5]);
    check_all(
        events,
        &["feed", "nobody/*"],
        &[1, 2, 3, 4, 5],
        &[2, 3, 4, 5],
    );
    check_all(events, &["book/*"], &[1, 2, 3, 5], &[2, 3, 5]);
    check_all(events, &["book/x", "book/y"], &[1, 2, 3], &[2, 3]);
}

#[test]
fn hidden_events_are_passed_over_and_replace_nothing() {
    let events = "a1 a!2 b,a!3 a4 a!5 b!6";
    check_all(events, &["a", "b"], &[1, 4], &[4]);
    check_all(events, &["*"], &[1, 4], &[4]);
    check_all(events, &["b"], &[], &[]);
}

#[test]
fn the_tail_counts_what_alternates_cost_and_gives_it_back() {
    let count = |events: &[&str]| {
        let mut tail = Tail::new(usize::MAX, Position(0));
        for event in events {
            tail.push(published(event));
        }
        tail.bytes()
    };
    let (one, two) = (count(&["a1"]), count(&["a,b1"]));
    assert!(two >= one + 2 * "b".len() + 32, "{one} {two}");
    // Dropped, none of it is left.
    let mut tail = Tail::new(0, Position(0));
    for event in ["a,b,c1", "b,a2", "c,a3", "a4"] {
        tail.push(published(event));
        assert_eq!(tail.len(), 1);
    }
    assert_eq!(tail.bytes(), one);
}
