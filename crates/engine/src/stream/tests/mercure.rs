//! Streams whose voice has no word for a gap.

use super::*;

fn mercure(end: u64, start: Start, told: u64, slow: SlowPolicy) -> Bench {
    voiced(end, start, told, (slow, Voice::Mercure))
}

#[test]
fn it_opens_with_its_position_whatever_is_missing() {
    for gap in [None, Some(GapReason::Expired), Some(GapReason::Unknown)] {
        mercure(5, start(5, gap), 5, DISCONNECT).check(&[
            ("beat", ""),
            ("next", "retry 1000, id 5"),
            ("next", "idle"),
            ("$6", ""),
            ("beat", "id 6"),
        ]);
    }
}

#[test]
fn it_ends_at_a_gap_of_the_store() {
    for horizon in [8, 7, 0] {
        let mut stream = mercure(9, start(5, None), 0, DISCONNECT);
        stream.check(&[
            ("next", "retry 1000, id 5"),
            ("next", "read the store from 5"),
        ]);
        let gap = Read::Gap(Gap { to: Position(8) });
        stream.answer_at(Position(horizon), 5, 5, Some(gap), vec![]);
        stream.check(&[("next", "Gap"), ("stands", "5"), ("beat", "")]);
    }
}

/// Its head has said `earliest`: what was there until then is fetched anew.
#[test]
fn what_the_head_has_told_of_ends_nothing() {
    let mut stream = mercure(9, start(5, Some(GapReason::Expired)), 9, DISCONNECT);
    stream.check(&[
        ("next", "retry 1000, id 5"),
        ("next", "read the store from 5"),
    ]);
    // The horizon has risen since, in some of the topics and then in all.
    stream.answer_at(Position(7), 5, 6, Some(Read::Frames), vec![]);
    stream.check(&[("next", "later"), ("next", "read the store from 6")]);
    let gap = Read::Gap(Gap { to: Position(8) });
    stream.answer_at(Position(8), 6, 6, Some(gap), vec![]);
    stream.check(&[("next", "read the store from 8"), ("stands", "8")]);
    let gap = Read::Gap(Gap { to: Position(10) });
    stream.answer_at(Position(10), 8, 8, Some(gap), vec![]);
    stream.check(&[("next", "id 8"), ("next", "Gap"), ("stands", "8")]);
}

/// Who resumed farther back would read up to the gap again and again, and never
/// be told.
#[test]
fn before_it_ends_at_a_gap_it_states_where_that_is() {
    for (horizon, read) in [
        (0, Some(Read::Gap(Gap { to: Position(8) }))),
        (8, Some(Read::Gap(Gap { to: Position(8) }))),
        (8, Some(Read::Frames)),
    ] {
        let mut stream = mercure(9, start(5, None), 0, DISCONNECT);
        stream.check(&[
            ("next", "retry 1000, id 5"),
            ("next", "read the store from 5"),
        ]);
        // Nothing of it is selected.
        stream.answer(5, 7, Some(Read::Frames), vec![]);
        stream.check(&[("next", "later"), ("next", "read the store from 7")]);
        stream.answer_at(Position(horizon), 7, 7, read, vec![]);
        stream.check(&[("next", "id 7"), ("next", "Gap"), ("stands", "7")]);
    }
}

#[test]
fn it_ends_where_others_of_its_topics_have_expired() {
    // The horizon was at 3 when the stream began.
    for (horizon, ends) in [(0, false), (3, false), (5, false), (6, true), (9, true)] {
        let mut stream = mercure(9, start(5, None), 3, DISCONNECT);
        stream.check(&[
            ("next", "retry 1000, id 5"),
            ("next", "read the store from 5"),
        ]);
        let horizon = Position(horizon);
        stream.answer_at(horizon, 5, 7, Some(Read::Frames), frames("a6 a7"));
        match ends {
            true => stream.check(&[("next", "Gap"), ("stands", "5")]),
            false => stream.check(&[("next", "a6 a7"), ("next", "read the store from 7")]),
        }
    }
}

/// Nothing is missing then: who comes back is given all of it.
#[test]
fn too_slow_for_a_gap_it_ends_as_too_slow() {
    let mut stream = mercure(5, start(5, None), 0, SlowPolicy::Gap);
    stream.check(&[
        ("next", "retry 1000, id 5"),
        ("a6 b7", ""),
        ("take 1", "a6"),
        ("a8 b9", ""),
        ("next", "TooSlow"),
        ("stands", "6"),
    ]);
}

#[test]
fn a_native_stream_may_say_something_first() {
    let first = Bytes::from_static(b"event: tidings:first\ndata\n\n");
    for (gap, expected) in [
        (None, "tidings:first, retry 1000, id 5"),
        (
            Some(GapReason::Unknown),
            "unknown: tidings:first, retry 1000, tidings:gap, id 5",
        ),
    ] {
        let voice = Voice::Native {
            first: Some(first.clone()),
        };
        voiced(5, start(5, gap), 0, (DISCONNECT, voice)).check(&[
            ("beat", ""),
            ("next", expected),
            ("next", "idle"),
        ]);
    }
}
