//! Each row is what happens to a stream and what comes of it, as text.

use super::*;
use crate::{Event, Gap, Kind, Selection, Selector, Timestamp, Topic};
use tidings_codec::{Decoder, Item};

mod closing;
mod mercure;
mod slow;

const LOG: LogId = LogId(1);
/// What one of the events below takes.
const EVENT: u64 = 35;

struct Bench {
    tail: Tail,
    lane: Subscriptions,
    stream: Stream,
    terms: Terms,
}

/// A stream of `**` behind position 5, in a lane and a tail that end at `end`.
fn bench(end: u64, start: Start, told: u64, slow: SlowPolicy) -> Bench {
    voiced(end, start, told, (slow, Voice::default()))
}

fn voiced(end: u64, start: Start, told: u64, (slow, voice): (SlowPolicy, Voice)) -> Bench {
    let mut lane = Subscriptions::new(Position(end));
    let key = lane.insert(Selection::everything(), start.cursor);
    let opening = Opening {
        start,
        told: Position(told),
        retry_ms: 1_000,
        voice,
    };
    Bench {
        tail: Tail::new(1 << 20, Position(end)),
        lane,
        stream: Stream::new((LOG, key), opening, slow),
        terms: Terms {
            budget: Budget::ALL,
            lag_bytes: 2 * EVENT,
        },
    }
}

fn start(after: u64, gap: Option<GapReason>) -> Start {
    let after = Position(after);
    Start {
        cursor: Cursor { after },
        gap,
    }
}

/// `a7`: an event of topic `a` at position 7; `!a7`: its end.
fn frame(text: &str) -> Arc<Frame> {
    if let Some(text) = text.strip_prefix('!') {
        let (topic, position) = text.split_at(1);
        let end = crate::closing::end(Topic::new(topic).unwrap());
        let entry = end.into_entry(Timestamp(0), None).of_kind(Kind::End);
        let position = Position(position.parse().unwrap());
        return Arc::new(Frame::new(LOG, position, entry));
    }
    let (topic, position) = text.split_at(1);
    let event = Event {
        alternates: Box::default(),
        visibility: crate::Visibility::Native,
        topic: Topic::new(topic).unwrap(),
        event_type: None,
        id: None,
        retry: None,
        data: "x".repeat(5 - position.len()).into(),
    };
    let entry = event.into_entry(Timestamp(0), None);
    let frame = Frame::new(LOG, Position(position.parse().unwrap()), entry);
    assert_eq!(frame.payload_len() as u64, EVENT);
    Arc::new(frame)
}

fn frames(text: &str) -> Vec<Arc<Frame>> {
    text.split(' ').map(frame).collect()
}

/// What an EventSource makes of a block: the last id, and what else came.
fn heard(block: &[u8]) -> String {
    let (mut decoder, mut rest, mut out) = (Decoder::new(), block, Vec::new());
    while let Some(item) = decoder.next(&mut rest) {
        match item {
            Item::Retry(ms) => out.push(format!("retry {ms}")),
            Item::Event(event) => out.push(event.event_type.to_owned()),
            other => panic!("{other:?}"),
        }
    }
    assert!(!decoder.is_mid_event());
    if let Some(id) = WireId::parse(decoder.last_event_id()) {
        assert_eq!(id.log, LOG);
        out.push(format!("id {}", id.position.0));
    }
    out.join(", ")
}

impl Bench {
    fn next(&mut self, kept: Option<usize>) -> String {
        let next = self.stream.next(&mut self.lane, &self.tail, self.terms);
        match next {
            Next::Block(block) => heard(&block),
            Next::Gap(reason, block) => format!("{}: {}", reason.as_str(), heard(&block)),
            Next::Events(batch) => {
                if let Some(kept) = kept {
                    self.stream.give_back(&mut self.lane, &batch, kept);
                }
                let kept = batch.frames().iter().take(kept.unwrap_or(usize::MAX));
                let names = kept.map(|f| {
                    let mark = if f.is_end() { "!" } else { "" };
                    format!("{mark}{}{}", f.topic(), f.position().0)
                });
                names.collect::<Vec<_>>().join(" ")
            }
            Next::Later => "later".into(),
            Next::ReadStore(cursor) => format!("read the store from {}", cursor.after.0),
            Next::Waiting => "wait".into(),
            Next::MayEnd => "may end".into(),
            Next::Idle => "idle".into(),
            Next::End(ending) => format!("{ending:?}"),
        }
    }

    /// Hands over what the store says to a read that began at `before`.
    fn answer(&mut self, before: u64, to: u64, read: Option<Read>, frames: Vec<Arc<Frame>>) {
        self.answer_at(Position(0), before, to, read, frames);
    }

    fn answer_at(
        &mut self,
        horizon: Position,
        before: u64,
        to: u64,
        read: Option<Read>,
        frames: Vec<Arc<Frame>>,
    ) {
        let [before, cursor] = [before, to].map(|at| Cursor {
            after: Position(at),
        });
        self.stream.answer(StoreRead {
            before,
            cursor,
            frames,
            read,
            horizon,
        });
    }

    /// `what`, on what came into tail and lane if it is `a1 b2`, or else:
    /// `tail a1` into the tail alone, `next`, `take N` of the next batch and
    /// hand back the others, `beat`, `drop`: the tail holds nothing of before,
    /// `stands` and `lags`.
    fn act(&mut self, what: &str) -> String {
        let key = self.stream.key();
        match what.split_once(' ') {
            Some(("tail", events)) => self.push(events),
            Some(("take", count)) => return self.next(Some(count.parse().unwrap())),
            None if what == "next" => return self.next(None),
            None if what == "beat" => return heard(&self.stream.heartbeat(&self.lane)),
            None if what == "drop" => self.tail = Tail::new(1 << 20, self.tail.end()),
            None if what == "follow" => self.follow(),
            None if what == "stands" => {
                return self.lane.cursor(key).unwrap().after.0.to_string();
            }
            None if what == "lags" => return (self.lane.lag_bytes(key) / EVENT).to_string(),
            _ => {
                self.push(what);
                self.follow();
            }
        }
        String::new()
    }

    fn push(&mut self, events: &str) {
        for frame in frames(events) {
            self.tail.push(frame);
        }
    }

    fn follow(&mut self) {
        self.lane.follow(&self.tail, Budget::ALL, &mut Vec::new());
    }

    fn check(&mut self, rows: &[(&str, &str)]) {
        for (number, (what, expected)) in rows.iter().enumerate() {
            assert_eq!(self.act(what), *expected, "row {number}: {what}");
        }
    }
}

const DISCONNECT: SlowPolicy = SlowPolicy::Disconnect;

#[test]
fn it_opens_with_its_position_or_with_the_gap_that_has_it() {
    bench(5, start(5, None), 0, DISCONNECT).check(&[
        ("beat", ""),
        ("next", "retry 1000, id 5"),
        ("next", "idle"),
        ("beat", ""),
    ]);
    // Nothing is stated before.
    bench(5, start(5, None), 0, DISCONNECT).check(&[
        ("$6", ""),
        ("beat", ""),
        ("next", "retry 1000, id 5"),
        ("beat", "id 6"),
    ]);
    for (reason, name) in [
        (GapReason::Expired, "expired"),
        (GapReason::Unknown, "unknown"),
        (GapReason::Foreign, "foreign"),
    ] {
        bench(5, start(5, Some(reason)), 5, DISCONNECT).check(&[
            ("beat", ""),
            ("next", &format!("{name}: retry 1000, tidings:gap, id 5")),
            ("next", "idle"),
            ("beat", ""),
        ]);
    }
}

#[test]
fn heartbeats_state_what_is_behind_the_reader_once() {
    let mut stream = bench(5, start(5, None), 0, DISCONNECT);
    stream.check(&[("next", "retry 1000, id 5"), ("a6 $7", "")]);
    stream.check(&[
        ("beat", ""),
        ("next", "a6"),
        ("beat", "id 7"),
        ("beat", ""),
        ("$8 $9", ""),
        ("beat", "id 9"),
        ("a10", ""),
        ("$11", ""),
        ("beat", ""),
        ("next", "a10"),
        ("beat", "id 11"),
        ("beat", ""),
    ]);
}

#[test]
fn heartbeats_never_state_what_was_handed_back() {
    for (taken, given, behind, beat) in [
        (0, "", "5", "id 5"),
        (1, "a6", "7", "id 7"),
        (2, "a6 b8", "8", ""),
    ] {
        let mut stream = bench(5, start(5, None), 0, DISCONNECT);
        stream.terms.lag_bytes = 3 * EVENT;
        stream.check(&[("next", "retry 1000, id 5"), ("a6 $7 b8 a9", "")]);
        stream.check(&[(&format!("take {taken}"), given), ("stands", behind)]);
        stream.check(&[("beat", beat), ("beat", "")]);
        let rest = ["a6 b8 a9", "b8 a9", "a9"][taken];
        stream.check(&[("next", rest), ("beat", ""), ("$10", ""), ("beat", "id 10")]);
    }
}

#[test]
fn a_stream_that_was_removed_states_nothing() {
    let mut stream = bench(5, start(5, None), 0, DISCONNECT);
    stream.check(&[("next", "retry 1000, id 5"), ("a6", "")]);
    stream.lane.remove(stream.stream.key());
    stream.check(&[("beat", ""), ("next", "idle")]);
}

#[test]
fn what_the_store_gives_comes_before_the_tail() {
    let mut stream = bench(9, start(5, None), 0, DISCONNECT);
    stream.check(&[
        ("next", "retry 1000, id 5"),
        ("next", "read the store from 5"),
        ("next", "wait"),
        ("a10", ""),
        ("next", "wait"),
    ]);
    stream.answer(5, 7, Some(Read::Frames), frames("a6"));
    stream.check(&[
        ("next", "a6"),
        // What it passed over behind that is not selected.
        ("stands", "7"),
        ("next", "read the store from 7"),
    ]);
    // Much that is not selected.
    stream.answer(7, 8, Some(Read::Frames), vec![]);
    stream.check(&[
        ("next", "later"),
        ("beat", "id 8"),
        ("next", "read the store from 8"),
    ]);
    stream.answer(8, 9, Some(Read::CaughtUp), vec![]);
    stream.check(&[("next", "a10"), ("stands", "10"), ("next", "idle")]);
}

#[test]
fn the_store_may_be_ahead_of_lane_and_tail() {
    let mut stream = bench(6, start(5, None), 0, DISCONNECT);
    stream.check(&[
        ("next", "retry 1000, id 5"),
        ("next", "read the store from 5"),
    ]);
    stream.answer(5, 8, Some(Read::Frames), frames("a6 a7 a8"));
    stream.check(&[
        ("take 2", "a6 a7"),
        ("stands", "7"),
        ("lags", "0"),
        ("next", "idle"),
        ("tail a7 a8", ""),
        ("next", "idle"),
        ("follow", ""),
        ("lags", "1"),
        ("next", "a8"),
        ("next", "idle"),
    ]);
}

#[test]
fn gaps_of_the_store_are_told_and_passed() {
    for (horizon, reason) in [(8, "expired"), (7, "corrupt"), (0, "corrupt")] {
        let mut stream = bench(9, start(5, None), 0, DISCONNECT);
        stream.check(&[
            ("next", "retry 1000, id 5"),
            ("next", "read the store from 5"),
        ]);
        let gap = Read::Gap(Gap { to: Position(8) });
        stream.answer_at(Position(horizon), 5, 5, Some(gap), vec![]);
        stream.check(&[
            ("next", &format!("{reason}: tidings:gap, id 8")),
            ("beat", ""),
            ("next", "read the store from 8"),
        ]);
    }
}

#[test]
fn a_gap_tells_of_all_that_expired_by_then() {
    let mut stream = bench(10, start(5, None), 0, DISCONNECT);
    stream.check(&[
        ("next", "retry 1000, id 5"),
        ("next", "read the store from 5"),
    ]);
    let gap = Read::Gap(Gap { to: Position(8) });
    stream.answer_at(Position(9), 5, 5, Some(gap), vec![]);
    stream.check(&[
        ("next", "expired: tidings:gap, id 8"),
        ("next", "read the store from 8"),
    ]);
    stream.answer_at(Position(9), 8, 9, Some(Read::Frames), frames("a9"));
    stream.check(&[("next", "a9")]);
}

#[test]
fn what_expired_beside_what_is_kept_is_told_once() {
    // The horizon was at 3 when the stream began.
    for (horizon, told) in [(0, false), (3, false), (5, false), (6, true), (9, true)] {
        let mut stream = bench(9, start(5, None), 3, DISCONNECT);
        stream.check(&[
            ("next", "retry 1000, id 5"),
            ("next", "read the store from 5"),
        ]);
        let horizon = Position(horizon);
        stream.answer_at(horizon, 5, 7, Some(Read::Frames), frames("a6 a7"));
        if told {
            stream.check(&[("next", "expired: tidings:gap, id 5"), ("stands", "5")]);
        }
        stream.check(&[("next", "a6 a7"), ("next", "read the store from 7")]);
        stream.answer_at(horizon, 7, 8, Some(Read::Frames), frames("a8"));
        stream.check(&[("next", "a8"), ("next", "read the store from 8")]);
        // Farther than what was told.
        stream.answer_at(Position(10), 8, 9, Some(Read::CaughtUp), vec![]);
        stream.check(&[("next", "expired: tidings:gap, id 8"), ("next", "idle")]);
    }
    // Who never was there was told nothing, and asked for nothing.
    let mut stream = bench(9, start(2, None), 6, DISCONNECT);
    stream.check(&[
        ("next", "retry 1000, id 2"),
        ("next", "read the store from 2"),
    ]);
    stream.answer_at(Position(6), 2, 7, Some(Read::Frames), frames("a7"));
    stream.check(&[("next", "a7")]);
}

#[test]
fn a_store_that_is_not_to_be_read_ends_the_stream() {
    let mut stream = bench(9, start(5, None), 0, DISCONNECT);
    stream.check(&[
        ("next", "retry 1000, id 5"),
        ("next", "read the store from 5"),
    ]);
    stream.answer(5, 5, None, vec![]);
    stream.check(&[("next", "Unreadable"), ("stands", "5")]);
}

/// A shell that breaks the rules repeats a read, and loses nothing.
#[test]
fn an_answer_to_what_was_not_asked_is_not_taken() {
    for before in [4, 7] {
        let mut stream = bench(9, start(5, None), 0, DISCONNECT);
        stream.check(&[
            ("next", "retry 1000, id 5"),
            ("next", "read the store from 5"),
        ]);
        stream.answer(before, 8, Some(Read::Frames), frames("a8"));
        stream.check(&[("next", "read the store from 5"), ("stands", "5")]);
    }
}
