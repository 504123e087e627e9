//! Limits: what the defaults allow, and that what can't hold is said so.

use std::sync::Arc;
use std::time::Duration;
use tidings_engine::limits::{
    CONNECTION_BYTES, DATA_LINE_BYTES, EVENT_OVERHEAD_BYTES, EVENT_TOPICS_BYTES, EventTooLarge,
    SPARE_CONNECTIONS, SUBSCRIPTION_BYTES, TLS_BYTES, TOPICS, own_descriptors, wire_bytes,
};
use tidings_engine::{Event, Frame, Limits, LogId, Position, Tail, Timestamp, Topic};

const MIB: usize = 1 << 20;

fn event(data: String) -> Event {
    Event {
        alternates: Box::default(),
        visibility: tidings_engine::Visibility::Native,
        topic: Topic::new("t").unwrap(),
        event_type: None,
        id: None,
        retry: None,
        data: data.into(),
    }
}

fn check_event(data: String, expected: Result<(), EventTooLarge>) {
    assert_eq!(Limits::default().check_event(&event(data)), expected);
}

#[test]
fn b2_b9_size_is_counted_after_expansion() {
    check_event("x".repeat(MIB), Ok(()));
    let limit = MIB;
    check_event(
        "x".repeat(MIB + 1),
        Err(EventTooLarge::Data {
            bytes: MIB + 1,
            limit,
        }),
    );
    let bytes = (MIB + 1) * DATA_LINE_BYTES + EVENT_OVERHEAD_BYTES;
    let limit = 2 * MIB;
    check_event("\n".repeat(MIB), Err(EventTooLarge::Wire { bytes, limit }));
    check_event("\r\n".repeat(MIB / 4), Ok(()));
}

#[test]
fn a2_topics_of_an_event_are_bounded_in_number_and_length() {
    let check = |count: usize, length: usize, expected| {
        let topic = |number| Topic::new(&format!("{number:0length$}")).unwrap();
        let event = Event {
            topic: topic(0),
            alternates: (1..count).map(topic).collect(),
            ..event("x".into())
        };
        assert_eq!(Limits::default().check_event(&event), expected);
    };
    check(TOPICS, 4, Ok(()));
    let count = TOPICS + 1;
    check(count, 4, Err(EventTooLarge::Topics { count }));
    check(64, 4_096, Ok(()));
    let bytes = 65 * 4_096;
    check(65, 4_096, Err(EventTooLarge::TopicTexts { bytes }));
}

/// The tail's bound holds, but for one event, with whatever topics.
#[test]
fn one_event_costs_the_tail_no_more_than_is_said() {
    let limits = Limits::default();
    for (count, length) in [(1, 1), (TOPICS, 4), (TOPICS, 262), (64, 4_096)] {
        let topic = |number| Topic::new(&format!("{number:0length$}")).unwrap();
        let event = Event {
            topic: topic(0),
            alternates: (1..count).map(topic).collect(),
            ..event("x".repeat(MIB))
        };
        assert_eq!(limits.check_event(&event), Ok(()));
        let entry = event.into_entry(Timestamp(0), None);
        let mut tail = Tail::new(0, Position(0));
        tail.push(Arc::new(Frame::new(LogId(1), Position(1), entry)));
        assert!(tail.bytes() <= limits.event_wire_bytes + EVENT_TOPICS_BYTES);
    }
}

#[test]
fn wire_bytes_is_at_least_what_is_written() {
    for data in ["", "a", "\n", "a\r\nb\rc\n\n", "é😀"] {
        let fields = event(data.into()).into_entry(Timestamp(0), None).fields;
        assert!(wire_bytes(data) >= fields.len(), "{data:?}");
    }
}

#[test]
fn the_defaults_hold_together() {
    let limits = Limits::default();
    assert_eq!(limits.check(), Ok(()));
    let sum: u64 = [
        7 * 32 * MIB as u64,
        64 * MIB as u64,
        64 * MIB as u64,
        (1_024 + 64) * (64 + 256) * 1_024,
        64 * MIB as u64,
        52 * MIB as u64,
        20_064 * CONNECTION_BYTES,
        20_000 * (SUBSCRIPTION_BYTES + 2 * 60 * 1_024 + 3 * (60 * 1_024 + 1_000 * 10)),
        20_000 * 32 * 1_024,
        64 * MIB as u64,
        64 * MIB as u64,
        3 * 8 * MIB as u64,
    ]
    .iter()
    .sum();
    assert_eq!(limits.worst_case_bytes(), sum);
    // The text says the same: a number in front of each term.
    let told = limits.worst_case_arithmetic();
    let number = |line: &String| line.split(' ').next()?.parse::<u64>().ok();
    assert_eq!(told.iter().filter_map(number).sum::<u64>(), sum, "{told:?}");
}

/// One more place, for a watcher with a connection of its own, costs what it
/// is said to.
#[test]
fn a_place_costs_what_is_said() {
    for tls in [false, true] {
        let limits = Limits {
            tls,
            ..Limits::default()
        };
        let more = Limits {
            connections: limits.connections + 1,
            subscriptions: limits.subscriptions + 1,
            ..limits.clone()
        };
        assert_eq!(
            more.worst_case_bytes() - limits.worst_case_bytes(),
            limits.place_bytes()
        );
    }
    let with = Limits {
        standing_bytes: 1_000,
        ..Limits::default()
    };
    assert_eq!(
        with.worst_case_bytes() - Limits::default().worst_case_bytes(),
        20_000 * 1_000
    );
    assert_eq!(with.place_bytes() - Limits::default().place_bytes(), 1_000);
    let with = Limits {
        tls: true,
        ..Limits::default()
    };
    assert_eq!(
        with.worst_case_bytes() - Limits::default().worst_case_bytes(),
        20_064 * TLS_BYTES
    );
}

/// With `presence=1` each topic is watched twice: in the log, and in the own log, where
/// ten bytes stand before it.
#[test]
fn topics_whose_presence_is_told_are_counted_again() {
    let check = |selectors, query_bytes, of_selectors: u64| {
        let limits = Limits {
            selectors_per_subscription: selectors,
            query_bytes,
            ..Limits::default()
        };
        let few = Limits {
            subscriptions: limits.subscriptions - 1,
            ..limits.clone()
        };
        let each = limits.worst_case_bytes() - few.worst_case_bytes();
        let expected = SUBSCRIPTION_BYTES + of_selectors + limits.subscription_buffer_bytes as u64;
        assert_eq!(each, expected, "{selectors} {query_bytes}");
    };
    check(1_000, 60 * 1_024, 5 * 60 * 1_024 + 3 * 10_000);
    check(100, 60 * 1_024, 5 * 60 * 1_024 + 3 * 1_000);
    check(1, 60 * 1_024, 5 * Topic::MAX_BYTES as u64 + 3 * 10);
    // There are no more of them than the query has bytes.
    check(1_000, 100, 5 * 100 + 3 * 1_000);
    let told = Limits::default().worst_case_arithmetic();
    let is_named = |line: &String| line.contains("+ 3 × 71440 of those of presence");
    assert!(told.iter().any(is_named), "{told:?}");
}

#[test]
fn nothing_overflows() {
    let limits = Limits {
        tail_bytes: usize::MAX,
        connections: usize::MAX,
        subscriptions: usize::MAX,
        query_bytes: usize::MAX,
        selectors_per_subscription: usize::MAX,
        event_data_bytes: usize::MAX,
        retry: Duration::MAX,
        ..Limits::default()
    };
    assert_eq!(limits.worst_case_bytes(), u64::MAX);
    assert!(limits.check().is_err());
    assert!(limits.check_descriptors(u64::MAX - 1, usize::MAX).is_err());
}

/// `change` makes the defaults inconsistent; the error names `setting` and
/// spells out the arithmetic with `parts` in it.
fn check_inconsistent(change: impl FnOnce(&mut Limits), setting: &str, parts: &[&str]) {
    let mut limits = Limits::default();
    change(&mut limits);
    let error = limits.check().expect_err(setting);
    assert_eq!(error.setting, setting);
    let text = error.to_string();
    for part in parts {
        assert!(text.contains(part), "{part:?} in {text:?}");
    }
}

#[test]
fn e8_inconsistent_limits_with_the_arithmetic() {
    check_inconsistent(
        |l| l.event_data_bytes = 2 * MIB,
        "event_wire_bytes",
        &["2097152 + 7", "= 2097607", "raise event_wire_bytes"],
    );
    check_inconsistent(
        |l| l.tail_bytes = MIB,
        "tail_bytes",
        &["1048576", "event_wire_bytes = 2097152"],
    );
    check_inconsistent(
        |l| l.publish_queue_bytes = 1,
        "publish_queue_bytes",
        &["1 has no room"],
    );
    check_inconsistent(
        |l| l.line_bytes = MIB,
        "line_bytes",
        &["4096 for the topic"],
    );
    check_inconsistent(|l| l.batch_bytes = MIB, "batch_bytes", &["= 1053120"]);
    check_inconsistent(
        |l| l.publish_body_bytes = 4 * MIB,
        "publish_body_bytes",
        &["8388608"],
    );
    check_inconsistent(|l| l.pattern_bytes = 0, "pattern_bytes", &["= 1"]);
    check_inconsistent(|l| l.presence_bytes = 0, "presence_bytes", &["= 1"]);
    check_inconsistent(|l| l.batch_events = 0, "batch_events", &["= 1"]);
    check_inconsistent(|l| l.publish_bodies = 0, "publish_bodies", &["= 1"]);
    check_inconsistent(|l| l.subscriptions = 0, "subscriptions", &["= 1"]);
    check_inconsistent(
        |l| l.subscriptions_per_address = Some(0),
        "subscriptions_per_address",
        &["= 1"],
    );
    check_inconsistent(
        |l| l.connections = SPARE_CONNECTIONS,
        "connections",
        &["1 + 64 that don't watch = 65"],
    );
    check_inconsistent(
        |l| l.lag_bytes = MIB,
        "lag_bytes",
        &["event_wire_bytes = 2097152"],
    );
    check_inconsistent(|l| l.stall = Duration::ZERO, "stall", &["0 ms"]);
    check_inconsistent(
        |l| l.heartbeat = Duration::from_secs(45),
        "heartbeat",
        &["45000 ms", "idle_timeout 45000 ms"],
    );
    check_inconsistent(|l| l.heartbeat = Duration::ZERO, "heartbeat", &["0 ms"]);
    check_inconsistent(
        |l| l.retry = Duration::from_secs(1_201),
        "retry",
        &["3603000 ms"],
    );
    check_inconsistent(|l| l.retry = Duration::from_millis(99), "retry", &["99 ms"]);
    check_inconsistent(
        |l| l.memory_bytes = Some(64 << 20),
        "memory_bytes",
        &[
            "tail_bytes 33554432 × 7",
            "subscriptions 20000 ×",
            "memory_bytes is 67108864",
        ],
    );
}

#[test]
fn e8_too_few_descriptors() {
    let limits = Limits {
        connections: 1_000,
        ..Limits::default()
    };
    assert_eq!(own_descriptors(2), 104);
    assert_eq!(limits.check_descriptors(1_104, 2), Ok(()));
    let text = limits.check_descriptors(1_103, 2).unwrap_err().to_string();
    assert!(
        text.contains("1103 files") && text.contains("1000 + 104 for the hub itself = 1104"),
        "{text}"
    );
}
