//! Where a stream goes on: within a run, and in the next one.

mod stream;

use std::fs;
use stream::{SECOND, World, all};
use tidings_eventsource::protocol::Policy;
use tidings_eventsource::transport::Answer;
use tidings_eventsource::{Builder, Error, Event, FileIds};

/// A hub's stream: a position without an event, three events, a position.
fn hub() -> Answer {
    Answer::stream()
        .chunk("id: p0\n\n")
        .pass(SECOND)
        .chunk("id: e1\ndata: 1\n\nid: e2\ndata: 2\n\ndata: without an id\n\n")
        .pass(SECOND)
        .chunk("id: p3\n\n")
        .pass(SECOND)
        .chunk(": nothing new\n\n")
}

struct Runs {
    directory: tempfile::TempDir,
}

impl Runs {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        Self { directory }
    }

    fn ids(&self) -> FileIds {
        FileIds::new(self.directory.path().join("news")).sync(false)
    }

    /// Takes `count` events, waits `rest` seconds for more and is dropped.
    fn run(&self, set: fn(Builder) -> Builder, count: usize, rest: u32) -> Vec<Event> {
        let world = World::new([hub()]);
        let builder = set(world.builder().ids(self.ids()));
        let mut events = builder.open().expect("valid");
        let mut taken = Vec::new();
        world.runtime.block_on(async {
            for _ in 0..count {
                let event = events.next().await.expect("an event");
                taken.push(event.expect("an event"));
            }
            if rest > 0 {
                let next = events.next();
                let time = world.runtime.sleep(SECOND * rest);
                let (next, time) = (std::pin::pin!(next), std::pin::pin!(time));
                let first = futures_util::future::select(next, time).await;
                let waited = matches!(first, futures_util::future::Either::Right(_));
                assert!(waited, "no more events than that");
            }
        });
        taken
    }

    /// What the next run resumes from.
    fn resumes_from(&self) -> String {
        let world = World::new([Answer::status(204)]);
        let builder = world.builder().policy(Policy::standard());
        let builder = builder.last_event_id("unused").ids(self.ids());
        world.told(builder.open().expect("valid"));
        world.resumed_from().remove(0)
    }
}

/// The ID that a run resumes from, after one that took `count` events and
/// waited for `rest` seconds.
fn check(count: usize, rest: u32, expected: &str) {
    let runs = Runs::new();
    runs.run(|builder| builder, count, rest);
    assert_eq!(runs.resumes_from(), expected, "{count} events, {rest} s");
}

#[test]
fn an_event_is_committed_when_the_next_is_asked_for() {
    // Its reader may have died within the last one.
    check(1, 0, "p0");
    check(2, 0, "e1");
    check(3, 0, "e2");
}

#[test]
fn b1_positions_without_events_are_committed_too() {
    check(3, 1, "p3");
    check(3, 5, "p3");
}

#[test]
fn without_an_id_of_its_own_a_run_begins_where_it_is_told() {
    check(0, 0, "unused");
}

#[test]
fn by_hand_nothing_runs_ahead_of_what_was_committed() {
    for (commits, expected) in [
        (&[][..], "p0"),
        (&[0], "e1"),
        (&[1], "e2"),
        (&[1, 0], "e2"),
        // The last one shares its ID with the one before: only all three are
        // all that came before p3.
        (&[0, 1, 2], "p3"),
        (&[2], "p3"),
    ] {
        let runs = Runs::new();
        let world = World::new([hub()]);
        let builder = world.builder().commit_by_hand().ids(runs.ids());
        let mut events = builder.open().expect("valid");
        let handle = events.handle();
        world.runtime.block_on(async {
            let mut taken = Vec::new();
            for _ in 0..3 {
                taken.push(events.next().await.expect("one").expect("an event"));
            }
            let next = std::pin::pin!(events.next());
            let time = std::pin::pin!(world.runtime.sleep(SECOND * 2));
            futures_util::future::select(next, time).await;
            for &at in commits {
                handle.commit(&taken[at]).expect("saved");
            }
        });
        drop(events);
        drop(handle);
        assert_eq!(runs.resumes_from(), expected, "{commits:?}");
    }
}

#[test]
fn by_hand_a_commit_counts_after_the_stream_is_gone() {
    let runs = Runs::new();
    let world = World::new([hub()]);
    let builder = world.builder().commit_by_hand().ids(runs.ids());
    let mut events = builder.open().expect("valid");
    let handle = events.handle();
    let event = world.runtime.block_on(events.next());
    let event = event.expect("one").expect("an event");
    drop(events);
    handle.commit(&event).expect("saved");
    drop(handle);
    assert_eq!(runs.resumes_from(), "e1");
}

#[test]
fn by_hand_an_event_of_another_stream_is_refused() {
    let runs = [Runs::new(), Runs::new()];
    let mut taken = Vec::new();
    for runs in &runs {
        let world = World::new([hub()]);
        let builder = world.builder().commit_by_hand().ids(runs.ids());
        let mut events = builder.open().expect("valid");
        let event = world.runtime.block_on(events.next());
        let event = event.expect("one").expect("an event");
        taken.push((events.handle(), event));
    }
    let [(one, _), (_, other)] = &taken[..] else {
        panic!("two streams");
    };
    let error = one.commit(other).expect_err("it is of another stream");
    assert!(matches!(error, Error::Ids(_)), "{error:?}");
    assert!(error.to_string().contains("another stream"), "{error}");
    one.commit(&Event::new("message", "", "made"))
        .expect("nothing happens");
    drop(taken);
    assert_eq!(runs[0].resumes_from(), "p0");
}

#[test]
fn the_end_of_a_stream_is_committed() {
    let runs = Runs::new();
    let world = World::new([Answer::stream().chunk("id: 1\ndata: 1\n\n").end()]);
    let builder = world.builder().policy(Policy::once()).ids(runs.ids());
    let events = builder.open().expect("valid");
    let handle = events.handle();
    assert_eq!(all(&world, events), ["message \"1\" #1"]);
    // Although somebody still holds a handle.
    assert_eq!(runs.resumes_from(), "1");
    drop(handle);
}

#[test]
fn a_damaged_file_stops_it_before_it_begins_anywhere() {
    let runs = Runs::new();
    fs::write(runs.directory.path().join("news"), "{").expect("written");
    let world = World::new([]);
    let error = world
        .builder()
        .ids(runs.ids())
        .open()
        .expect_err("an error");
    assert!(matches!(error, Error::Ids(_)), "{error:?}");
    assert!(error.to_string().contains("news"), "it says where: {error}");
    assert!(world.server.requests().is_empty());
}

#[test]
fn a_file_that_cannot_be_written_is_told_and_the_events_come() {
    let runs = Runs::new();
    let path = runs.directory.path().join("missing").join("news");
    let world = World::new([Answer::stream()
        .chunk("id: 1\ndata: 1\n\n")
        .pass(SECOND)
        .chunk("id: 2\ndata: 2\n\n")
        .end()]);
    let builder = world.builder().policy(Policy::once());
    let told = all(
        &world,
        builder.ids(FileIds::new(path)).open().expect("valid"),
    );
    let events: Vec<_> = told.iter().filter(|line| line.starts_with("m")).collect();
    assert_eq!(events, ["message \"1\" #1", "message \"2\" #2"]);
    let errors: Vec<_> = told.iter().filter(|line| !line.starts_with("m")).collect();
    assert!(!errors.is_empty());
    for error in errors {
        assert!(error.contains("can't be written"), "{error}");
    }
}

/// The data of the events, if the server gives these blocks over two connections.
fn check_ids(set: fn(Builder) -> Builder, first: &str, second: &str, expected: &[&str]) {
    let world = World::new([
        Answer::stream().chunk(first.to_owned()).end(),
        Answer::stream().chunk(second.to_owned()).end(),
        Answer::status(204),
    ]);
    let builder = set(world.builder().policy(Policy::standard()));
    let told = all(&world, builder.open().expect("valid"));
    let (last, events) = told.split_last().expect("an error");
    assert!(last.starts_with("last: the server answered 204"), "{last}");
    assert_eq!(events, expected);
    assert_eq!(world.server.requests().len(), 3, "no attempt beyond");
}

#[test]
fn d15_odd_ids_are_given_as_they_come() {
    // Twice the same, going back, of another epoch, none again.
    check_ids(
        |builder| builder,
        "id: 5\ndata: a\n\nid: 5\ndata: b\n\nid: 4\ndata: c\n\n",
        "id: other-1\ndata: d\n\nid\ndata: e\n\nid: 5\ndata: f\n\n",
        &[
            "message \"a\" #5",
            "message \"b\" #5",
            "message \"c\" #4",
            "message \"d\" #other-1",
            "message \"e\" #",
            "message \"f\" #5",
        ],
    );
}

#[test]
fn d15_a_server_that_repeats_the_last_event_is_heard_once() {
    check_ids(
        |builder| builder.deduplicate(10),
        "id: 1\ndata: a\n\nid: 2\ndata: b\n\ndata: c\n\n",
        "id: 2\ndata: b\n\ndata: c\n\nid: 3\ndata: d\n\n",
        &[
            "message \"a\" #1",
            "message \"b\" #2",
            "message \"c\" 2",
            // Without an ID of its own nothing tells it from another.
            "message \"c\" 2",
            "message \"d\" #3",
        ],
    );
    // Also if that was in an earlier run.
    check_ids(
        |builder| builder.deduplicate(10).last_event_id("1"),
        "id: 1\ndata: a\n\nid: 2\ndata: b\n\n",
        "id: 3\ndata: c\n\n",
        &["message \"b\" #2", "message \"c\" #3"],
    );
}

#[test]
fn a_gap_is_an_event_among_events() {
    check_ids(
        |builder| builder,
        "id: td-1\n\ndata: a\n\n",
        "event: tidings:gap\ndata: {\"reason\":\"foreign\",\"since\":\"td-9\"}\nid: td-9\n\n",
        &[
            "message \"a\" td-1",
            "tidings:gap \"{\\\"reason\\\":\\\"foreign\\\",\\\"since\\\":\\\"td-9\\\"}\" #td-9",
        ],
    );
}

#[test]
fn a_gap_is_told_whatever_id_it_stands_at() {
    check_ids(
        |builder| builder.deduplicate(10),
        "id: 1\ndata: a\n\n",
        "event: tidings:gap\ndata\nid: 1\n\nid: 1\ndata: a\n\n",
        &["message \"a\" #1", "tidings:gap \"\" #1"],
    );
}

#[test]
fn d15_behind_a_gap_to_another_history_its_ids_are_new() {
    for (reason, is_other) in [("foreign", true), ("unknown", true), ("expired", false)] {
        let gap = format!("{{\"reason\":\"{reason}\"}}");
        let again = format!("event: tidings:gap\ndata: {gap}\nid: 0\n\nid: 1\ndata: a\n\n");
        let told = format!("tidings:gap {gap:?} #0");
        let mut expected = vec!["message \"a\" #1", &told];
        if is_other {
            expected.push("message \"a\" #1");
        }
        check_ids(
            |builder| builder.deduplicate(10),
            "id: 1\ndata: a\n\n",
            &again,
            &expected,
        );
    }
}

#[test]
fn json_tells_what_is_missing_and_what_is_wrong_and_goes_on() {
    let world = World::new([Answer::stream()
        .chunk("data: {\"n\":1}\n\ndata: secret\n\n")
        .chunk("event: tidings:gap\nid: td-9\ndata: {\"reason\":\"corrupt\"}\n\n")
        .chunk("data: {\"n\":2}\n\ndata: [DONE]\n\n")]);
    #[derive(Debug, serde::Deserialize)]
    #[expect(dead_code, reason = "its Debug shows it")]
    struct N {
        n: u32,
    }
    let builder = world.builder().until_data("[DONE]");
    let values = builder.open().expect("valid").json::<N>();
    assert_eq!(
        all(&world, values),
        [
            "N { n: 1 }",
            "passing: an event's data is not the JSON that was expected: it is not JSON, at \
             line 1, column 1",
            "passing: events are missing before what comes next: the hub's copy of them is \
             damaged",
            "N { n: 2 }",
        ]
    );
}
