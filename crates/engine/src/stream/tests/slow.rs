//! Readers that are slower than their events, and what is handed back.

use super::*;

/// What a reader with a policy gets that took one of the first two events,
/// when `events` have come behind them.
fn check_slow(slow: SlowPolicy, events: &str, rows: &[(&str, &str)]) {
    let mut stream = bench(5, start(5, None), 0, slow);
    stream.check(&[("next", "retry 1000, id 5"), ("a6 b7", "")]);
    stream.check(&[("take 1", "a6"), (events, "")]);
    stream.check(rows);
}

#[test]
fn a_slow_reader_is_let_be_up_to_its_lag() {
    for slow in [SlowPolicy::Disconnect, SlowPolicy::Gap] {
        check_slow(
            slow,
            "a8",
            &[("lags", "2"), ("next", "b7 a8"), ("next", "idle")],
        );
    }
}

#[test]
fn beyond_its_lag_its_policy_decides() {
    check_slow(
        SlowPolicy::Disconnect,
        "a8 b9",
        &[("lags", "3"), ("next", "TooSlow"), ("stands", "6")],
    );
    check_slow(
        SlowPolicy::Gap,
        "a8 b9",
        &[
            ("next", "slow: tidings:gap, id 9"),
            ("lags", "0"),
            ("beat", ""),
            ("next", "idle"),
            ("a10 a11 a12", ""),
            ("next", "a10 a11 a12"),
        ],
    );
    check_slow(
        SlowPolicy::Latest,
        "a8 b9",
        &[
            ("next", "a8 b9"),
            ("next", "idle"),
            ("a10 a11", ""),
            ("next", "a10 a11"),
        ],
    );
}

#[test]
fn a_gap_reaches_to_the_end_of_the_tail() {
    check_slow(
        SlowPolicy::Gap,
        "a8 b9",
        &[
            ("tail a10 a11", ""),
            ("next", "slow: tidings:gap, id 11"),
            ("follow", ""),
            ("next", "idle"),
        ],
    );
}

#[test]
fn only_who_was_full_is_slow() {
    for slow in [SlowPolicy::Disconnect, SlowPolicy::Gap, SlowPolicy::Latest] {
        let mut stream = bench(5, start(5, None), 0, slow);
        stream.check(&[
            ("next", "retry 1000, id 5"),
            ("a6 a7 a8 a9", ""),
            ("lags", "4"),
            ("next", "a6 a7 a8 a9"),
            ("lags", "0"),
        ]);
        // Until it has caught up.
        stream.check(&[
            ("a10 a11", ""),
            ("take 1", "a10"),
            ("next", "a11"),
            ("next", "idle"),
        ]);
        stream.check(&[("a12 a13 a14", ""), ("next", "a12 a13 a14")]);
    }
}

/// Replaying history that was asked for is no lag.
#[test]
fn who_replays_does_not_lag() {
    let mut stream = bench(9, start(5, None), 0, DISCONNECT);
    stream.check(&[
        ("next", "retry 1000, id 5"),
        ("next", "read the store from 5"),
    ]);
    stream.answer(5, 7, Some(Read::Frames), frames("a6 a7"));
    stream.check(&[("take 0", ""), ("a10 a11 a12", ""), ("lags", "0")]);
    stream.check(&[("next", "read the store from 5")]);
    stream.answer(5, 9, Some(Read::Frames), frames("a6 a7 a8 a9"));
    stream.check(&[
        ("next", "a6 a7 a8 a9"),
        ("lags", "0"),
        ("next", "a10 a11 a12"),
    ]);
}

/// What is given, handed back and given again is counted each time.
#[test]
fn lag_falls_and_rises_with_what_is_given_and_handed_back() {
    let mut stream = bench(5, start(5, None), 0, SlowPolicy::Latest);
    stream.terms.budget = Budget::frames(2);
    stream.check(&[
        ("next", "retry 1000, id 5"),
        ("a6 b7 c8 d9 $10 e11", ""),
        ("lags", "5"),
        ("take 1", "a6"),
        ("lags", "4"),
        ("take 0", ""),
        ("lags", "4"),
        ("next", "b7 c8"),
        ("lags", "2"),
        ("take 1", "d9"),
        ("lags", "1"),
        ("next", "e11"),
        ("lags", "0"),
    ]);
}

/// After a gap, what was lost in it is no reason to end the stream.
#[test]
fn lag_counts_anew_behind_a_gap() {
    let mut stream = bench(5, start(5, None), 0, DISCONNECT);
    stream.check(&[("next", "retry 1000, id 5"), ("a6 a7 a8", "")]);
    stream.terms.lag_bytes = 5 * EVENT;
    stream.check(&[
        ("take 1", "a6"),
        ("lags", "2"),
        ("drop", ""),
        ("b9 b10", ""),
    ]);
    stream.check(&[("lags", "4"), ("next", "read the store from 6")]);
    let gap = Read::Gap(Gap { to: Position(8) });
    stream.answer_at(Position(8), 6, 6, Some(gap), vec![]);
    stream.check(&[("next", "expired: tidings:gap, id 8"), ("lags", "0")]);
    stream.check(&[
        ("a11 a12 a13", ""),
        ("lags", "3"),
        ("next", "b9 b10 a11 a12 a13"),
    ]);
}

#[test]
fn the_newest_of_each_topic_is_given_in_order() {
    check_slow(
        SlowPolicy::Latest,
        "c8 a9 b10 a11 c12",
        &[("next", "b10 a11 c12"), ("next", "idle")],
    );
    // In parts: what came meanwhile replaces what was handed back.
    check_slow(
        SlowPolicy::Latest,
        "c8 a9 c10 a11",
        &[
            ("take 1", "b7"),
            ("stands", "9"),
            ("b12 c13", ""),
            ("take 1", "a11"),
            ("next", "b12 c13"),
            ("next", "idle"),
        ],
    );
}

#[test]
fn of_the_store_the_newest_of_each_topic_is_given() {
    check_slow(
        SlowPolicy::Latest,
        "a8 c9 a10",
        &[("drop", ""), ("c11", ""), ("next", "read the store from 6")],
    );
    let mut stream = bench(5, start(5, None), 0, SlowPolicy::Latest);
    stream.check(&[("next", "retry 1000, id 5"), ("a6 b7", "")]);
    stream.check(&[
        ("take 1", "a6"),
        ("a8 c9 a10", ""),
        ("drop", ""),
        ("c11", ""),
    ]);
    stream.check(&[("next", "read the store from 6")]);
    // c9 has a newer one in the tail, a8 in what the store gives.
    stream.answer(6, 10, Some(Read::Frames), frames("b7 a8 c9 a10"));
    stream.check(&[("next", "b7 a10"), ("next", "c11"), ("next", "idle")]);
}

#[test]
fn what_is_handed_back_twice_stays_handed_back() {
    let mut stream = bench(5, start(5, None), 0, DISCONNECT);
    stream.check(&[("a6 a7 a8", ""), ("next", "retry 1000, id 5")]);
    let key = stream.stream.key();
    let (_, batch) = stream.lane.read(key, &stream.tail, Budget::ALL);
    for (kept, stands, lags) in [
        (3, "8", "0"),
        (1, "6", "2"),
        (1, "6", "2"),
        (2, "6", "2"),
        (9, "6", "2"),
    ] {
        stream.lane.give_back(key, &batch, kept);
        stream.check(&[("stands", stands), ("lags", lags)]);
    }
    stream.check(&[("next", "a7 a8"), ("next", "idle")]);
}

/// Those who stand at the same place share one batch; nobody else gets it.
#[test]
fn only_equals_share_a_batch() {
    let mut tail = Tail::new(1 << 20, Position(5));
    let mut lane = Subscriptions::new(Position(5));
    let everything = Selection::everything;
    let only = |topic| Selection::new(vec![Selector::new(topic).unwrap()]);
    let at = |after| Cursor {
        after: Position(after),
    };
    let first = lane.insert(everything(), at(5));
    let same = lane.insert(everything(), at(5));
    let other = lane.insert(only("a"), at(5));
    let few = lane.insert(everything(), at(5));
    for frame in frames("a6 b7 a8") {
        tail.push(frame);
    }
    lane.follow(&tail, Budget::ALL, &mut Vec::new());
    let farther = lane.insert(everything(), at(6));
    let mut read = |key, budget| {
        let (_, batch) = lane.read(key, &tail, budget);
        let at = batch.frames().iter().map(|frame| frame.position().0);
        (at.collect::<Vec<_>>(), batch)
    };
    let (given, batch) = read(first, Budget::ALL);
    assert_eq!(given, [6, 7, 8]);
    assert_eq!(read(farther, Budget::ALL).0, [7, 8]);
    assert_eq!(read(other, Budget::ALL).0, [6, 8]);
    assert_eq!(read(few, Budget::frames(1)).0, [6]);
    assert_eq!(read(few, Budget::ALL).0, [7, 8]);
    let (given, again) = read(same, Budget::ALL);
    assert_eq!(given, [6, 7, 8]);
    assert!(!Arc::ptr_eq(&batch, &again), "others have read in between");
    lane.give_back(first, &batch, 0);
    let (_, shared) = lane.read(first, &tail, Budget::ALL);
    assert!(Arc::ptr_eq(&again, &shared), "as nobody has since");
    lane.give_back(first, &batch, 0);
    lane.rest();
    let (_, own) = lane.read(first, &tail, Budget::ALL);
    assert!(!Arc::ptr_eq(&again, &own), "it was forgotten");
}
