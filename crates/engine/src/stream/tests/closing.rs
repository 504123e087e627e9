//! Streams of topics that end: `!a7` is the end of topic `a`, at position 7.

use super::*;

/// A stream of these selectors behind position 5, where lane and tail end.
fn watching(selectors: &[&str], (slow, voice): (SlowPolicy, Voice)) -> Bench {
    let mut bench = voiced(5, start(5, None), 0, (slow, voice.clone()));
    let selectors = selectors.iter().map(|text| Selector::new(text).unwrap());
    let selection = Selection::new(selectors.collect());
    let cursor = start(5, None).cursor;
    let key = bench.lane.insert(selection, cursor);
    let opening = Opening {
        start: start(5, None),
        told: Position(0),
        retry_ms: 1_000,
        voice,
    };
    bench.stream = Stream::new((LOG, key), opening, slow);
    bench
}

fn native(selectors: &[&str]) -> Bench {
    watching(selectors, (DISCONNECT, Voice::default()))
}

const OPENED: (&str, &str) = ("next", "retry 1000, id 5");

#[test]
fn it_asks_when_it_has_caught_up_first_and_behind_each_end() {
    let mut stream = native(&["a", "b"]);
    stream.check(&[
        OPENED,
        ("next", "may end"),
        ("next", "idle"),
        ("next", "idle"),
        ("a6", ""),
        ("next", "a6"),
        ("next", "idle"),
        ("!a7 b8", ""),
        ("next", "!a7 b8"),
        ("next", "may end"),
        ("next", "idle"),
        ("!b9", ""),
        ("next", "!b9"),
        ("next", "may end"),
        ("next", "idle"),
    ]);
}

#[test]
fn who_can_be_given_other_topics_or_has_no_word_for_it_never_asks() {
    for selectors in [&["a", "*"][..], &["**"]] {
        let mut stream = native(selectors);
        stream.check(&[
            OPENED,
            ("next", "idle"),
            ("!a6", ""),
            ("next", "!a6"),
            ("next", "idle"),
        ]);
    }
    let mut stream = watching(&["a"], (DISCONNECT, Voice::Mercure));
    stream.check(&[OPENED, ("next", "idle"), ("!a6", ""), ("next", "!a6")]);
    stream.check(&[("next", "idle")]);
}

#[test]
fn an_end_that_was_reopened_before_it_is_read_is_passed_over() {
    let mut stream = native(&["a"]);
    stream.check(&[OPENED, ("next", "may end"), ("!a6", ""), ("tail a7", "")]);
    stream.check(&[("next", "a7"), ("next", "idle")]);
    // From the store too, which was read before.
    let mut stream = native(&["a"]);
    stream.check(&[OPENED, ("a6 !a7", ""), ("drop", ""), ("a8", "")]);
    stream.check(&[("next", "read the store from 5")]);
    stream.answer(5, 7, Some(Read::Frames), frames("a6 !a7"));
    stream.check(&[("next", "a6"), ("next", "a8"), ("next", "may end")]);
}

#[test]
fn who_is_handed_a_gap_may_have_missed_the_end() {
    let mut stream = watching(&["a"], (SlowPolicy::Gap, Voice::default()));
    stream.check(&[OPENED, ("next", "may end"), ("next", "idle")]);
    stream.check(&[("a6 a7 a8 !a9", ""), ("take 0", "")]);
    stream.check(&[("next", "slow: tidings:gap, id 9")]);
    stream.check(&[("next", "may end"), ("next", "idle")]);
}

#[test]
fn the_latest_event_of_a_topic_that_ended_is_given_with_its_end() {
    let mut stream = watching(&["a", "b"], (SlowPolicy::Latest, Voice::default()));
    stream.check(&[OPENED, ("next", "may end"), ("next", "idle")]);
    stream.check(&[("a6 b7 a8 !a9 b10", ""), ("take 0", "")]);
    stream.check(&[("next", "a8 !a9 b10"), ("next", "may end")]);
    let mut stream = watching(&["a", "b"], (SlowPolicy::Latest, Voice::default()));
    stream.check(&[
        OPENED,
        ("a6 b7 a8 !a9 b10", ""),
        ("take 0", ""),
        ("drop", ""),
    ]);
    stream.check(&[("next", "read the store from 5")]);
    let kept = frames("a6 b7 a8 !a9 b10");
    stream.answer(5, 10, Some(Read::Frames), kept);
    stream.check(&[("next", "a8 !a9 b10"), ("next", "may end")]);
}

#[test]
fn an_end_that_others_were_given_is_not_shared_once_it_was_reopened() {
    let mut stream = native(&["a"]);
    stream.check(&[OPENED, ("next", "may end"), ("a6 !a7", "")]);
    let other = {
        let selection = stream.lane.selection(stream.stream.key()).unwrap().clone();
        stream.lane.insert(selection, start(5, None).cursor)
    };
    let (_, batch) = stream.lane.read(other, &stream.tail, Budget::ALL);
    assert!(batch.has_end());
    stream.check(&[("tail a8", ""), ("next", "a6 a8")]);
}
