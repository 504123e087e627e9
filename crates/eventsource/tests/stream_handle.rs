//! What can be seen and done from outside while a stream is read.

mod stream;

use std::sync::{Arc, Mutex};
use stream::{SECOND, World, all, shown};
use tidings_eventsource::protocol::{Policy, ReadyState};
use tidings_eventsource::transport::Answer;
use tidings_eventsource::{Handle, Runtime, VirtualRuntime};

/// What the stream tells if `act` has its handle beside it, and how the
/// requests resume.
fn check<F: Future<Output = ()> + Send + 'static>(
    answers: impl IntoIterator<Item = Answer>,
    act: impl FnOnce(Handle, VirtualRuntime) -> F,
    expected: &[&str],
    resumed_from: &[&str],
) {
    let world = World::new(answers);
    let builder = world.builder().policy(Policy::standard());
    let notices = builder.open().expect("valid").notices();
    world
        .runtime
        .spawn(act(notices.handle(), world.runtime.clone()));
    assert_eq!(world.told(notices), expected);
    assert_eq!(world.resumed_from(), resumed_from);
}

const OPEN: &str = "open http://hub.example/t/news";

#[test]
fn a6_close_ends_it_and_fires_nothing() {
    // While it connects, while it reads, while it waits.
    for (answer, seconds, told) in [
        (Answer::silence(), 1, &[][..]),
        (Answer::stream().chunk("data: 1\n\ndata"), 1, &[OPEN, "1"]),
        (
            Answer::stream().chunk("data: 1\n\n").end(),
            1,
            &[OPEN, "1", "wait"],
        ),
    ] {
        let expected: Vec<String> = told
            .iter()
            .map(|line| match *line {
                "1" => "0 message \"1\" ".to_owned(),
                "wait" => "0 reconnecting in 3: the server ended the stream".to_owned(),
                line => format!("0 {line}"),
            })
            .collect();
        let expected: Vec<_> = expected.iter().map(String::as_str).collect();
        check(
            [answer],
            |handle, runtime| async move {
                runtime.sleep(SECOND * seconds).await;
                handle.close();
                handle.close();
            },
            &expected,
            &[""],
        );
    }
}

#[test]
fn b5_what_was_read_and_not_taken_goes_with_close() {
    let world = World::new([Answer::stream().chunk("data: 1\n\ndata: 2\n\n")]);
    let mut events = world.builder().open().expect("valid");
    world.runtime.block_on(async {
        let first = events.next().await.expect("an event").expect("an event");
        assert_eq!(first.data, "1");
        events.handle().close();
        assert!(events.next().await.is_none());
    });
    assert!(stream::is_over(&events));
    assert!(world.server.exchanges()[0].over.is_some(), "it is aborted");
}

#[test]
fn restart_connects_at_once_from_the_last_id() {
    let last = "last: the server answered 204, an event stream needs 200";
    // While it reads: what is incomplete is dropped (D6).
    check(
        [
            Answer::stream().chunk("id: 7\ndata: 1\n\nid: 8\ndata: x"),
            Answer::status(204),
        ],
        |handle, runtime| async move {
            runtime.sleep(SECOND).await;
            handle.restart();
            handle.restart();
        },
        &[
            &format!("0 {OPEN}"),
            "0 message \"1\" #7",
            "1 reconnecting in 0: a restart was asked for",
            &format!("1 {last}"),
        ],
        &["", "7"],
    );
    // While it waits.
    check(
        [Answer::stream().end(), Answer::status(204)],
        |handle, runtime| async move {
            runtime.sleep(SECOND).await;
            handle.restart();
        },
        &[
            &format!("0 {OPEN}"),
            "0 reconnecting in 3: the server ended the stream",
            "1 reconnecting in 0: a restart was asked for",
            &format!("1 {last}"),
        ],
        &["", ""],
    );
    // While it connects.
    check(
        [Answer::silence(), Answer::status(204)],
        |handle, runtime| async move {
            runtime.sleep(SECOND).await;
            handle.restart();
        },
        &[
            "1 reconnecting in 0: a restart was asked for",
            &format!("1 {last}"),
        ],
        &["", ""],
    );
}

#[test]
fn p1_reset_drops_an_incomplete_event() {
    check(
        [
            Answer::stream()
                .chunk("id: 1\ndata: 1\n\nid: 2\ndata: lost\n")
                .pass(SECOND * 2)
                .chunk("data: 3\n\n")
                .end(),
            Answer::status(204),
        ],
        |handle, runtime| async move {
            runtime.sleep(SECOND).await;
            handle.reset();
        },
        &[
            &format!("0 {OPEN}"),
            "0 message \"1\" #1",
            "2 message \"3\" 1",
            "2 reconnecting in 3: the server ended the stream",
            "5 last: the server answered 204, an event stream needs 200",
        ],
        &["", "1"],
    );
}

#[test]
fn shows_what_the_stream_has_become() {
    let world = World::new([
        Answer::stream()
            .chunk("retry: 500\nid: a\ndata: 1\n\ndata: 2\n\nid: b\n\n")
            .pass(SECOND)
            .end(),
        Answer::status(204),
    ]);
    let builder = world.builder().policy(Policy::standard());
    let mut events = builder.open().expect("valid");
    let handle = events.handle();
    let seen = |handle: &Handle| {
        let id = handle.last_event_id().to_string();
        (handle.ready_state(), id, handle.reconnection_time())
    };
    let (connecting, open) = (ReadyState::Connecting, ReadyState::Open);
    assert_eq!(seen(&handle), (connecting, String::new(), SECOND * 3));
    world.runtime.block_on(async {
        for _ in 0..2 {
            events.next().await.expect("an event").expect("an event");
            assert_eq!(seen(&handle), (open, "a".to_owned(), SECOND / 2));
        }
        let last = events.next().await.expect("an error");
        assert!(last.is_err());
    });
    let closed = (ReadyState::Closed, "b".to_owned(), SECOND / 2);
    assert_eq!(seen(&handle), closed);
    drop(events);
    assert_eq!(seen(&handle), closed);
    // Too late for either.
    handle.restart();
    handle.close();
    assert_eq!(seen(&handle), closed);
}

#[test]
fn a4_every_change_of_the_state_can_be_watched() {
    let world = World::new([
        Answer::stream()
            .late(SECOND)
            .chunk("data: 1\n\n")
            .pass(SECOND)
            .end(),
        Answer::stream().chunk("data: 2\n\n").pass(SECOND).breaks(),
        Answer::status(204),
    ]);
    let builder = world.builder().policy(Policy::standard());
    let events = builder.open().expect("valid");
    let seen = Arc::new(Mutex::new(Vec::new()));
    for _ in 0..2 {
        let (seen, runtime) = (seen.clone(), world.runtime.clone());
        let mut watch = events.handle().watch();
        world.runtime.spawn(async move {
            while let Some(state) = watch.changed().await {
                seen.lock().unwrap().push((runtime.now().as_secs(), state));
            }
            assert_eq!(watch.changed().await, None);
        });
    }
    world.runtime.block_on(async {
        let mut events = events;
        while events.next().await.is_some() {}
        world.runtime.sleep(SECOND).await;
    });
    let (connecting, open, closed) = (ReadyState::Connecting, ReadyState::Open, ReadyState::Closed);
    let expected = [
        (1, open),
        (2, connecting),
        (5, open),
        (6, connecting),
        (9, closed),
    ];
    let twice: Vec<_> = expected.iter().flat_map(|one| [*one, *one]).collect();
    assert_eq!(*seen.lock().unwrap(), twice);
}

#[test]
fn a7_dropping_it_aborts_the_request() {
    let world = World::new([Answer::stream().chunk("data: 1\n\n")]);
    let mut events = world.builder().open().expect("valid");
    let handle = events.handle();
    let mut watch = handle.watch();
    world.runtime.block_on(async {
        events.next().await.expect("an event").expect("an event");
        assert_eq!(watch.changed().await, Some(ReadyState::Open));
        assert!(world.server.exchanges()[0].over.is_none());
        drop(events);
        assert!(world.server.exchanges()[0].over.is_some());
        assert_eq!(watch.changed().await, Some(ReadyState::Closed));
        assert_eq!(watch.changed().await, None);
        assert_eq!(handle.watch().changed().await, None);
    });
}

#[test]
fn nothing_happens_before_it_is_polled() {
    let world = World::new([Answer::stream().end()]);
    let events = world.builder().open().expect("valid");
    assert_eq!(events.handle().ready_state(), ReadyState::Connecting);
    drop(events);
    assert!(world.server.requests().is_empty());

    // Not even to be closed.
    let events = world.builder().open().expect("valid");
    events.handle().close();
    assert!(all(&world, events).is_empty());
    assert!(world.server.requests().is_empty());

    // Nor does the server's time to answer begin.
    let world = World::new([Answer::stream().late(SECOND).end()]);
    let builder = world.builder().policy(Policy::once());
    let events = builder.open().expect("valid");
    world.runtime.block_on(world.runtime.sleep(SECOND * 3600));
    assert_eq!(world.told(events.notices()), [format!("3601 {OPEN}")]);
}

#[test]
fn each_stream_has_handles_of_its_own() {
    let world = World::new([
        Answer::stream().chunk("data: 1\n\n").pass(SECOND).end(),
        Answer::stream().chunk("data: 2\n\n").pass(SECOND).end(),
    ]);
    let open = || {
        let builder = world.builder().policy(Policy::once());
        builder.open().expect("valid")
    };
    let (mut one, other) = (open(), open());
    world.runtime.block_on(async {
        assert_eq!(shown(&one.next().await.expect("one")), "message \"1\" ");
        one.handle().close();
        assert!(one.next().await.is_none());
    });
    assert_eq!(all(&world, other), ["message \"2\" "]);
}
