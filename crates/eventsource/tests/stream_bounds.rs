//! What a stream may lose and hold: nothing, and next to nothing.

mod stream;

use bytes::Bytes;
use futures_util::stream as streams;
use futures_util::{FutureExt as _, StreamExt as _};
use http::{HeaderMap, HeaderValue, StatusCode};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use stream::{SECOND, Shown, World, shown};
use tidings_eventsource::protocol::{Head, Policy, Request};
use tidings_eventsource::transport::{Answer, Body, Response, Sending, Transport};
use tidings_eventsource::{Builder, EventStream, Notices, Runtime, VirtualRuntime};

/// A stream whose server makes it wait in every way there is.
fn slow(world: &World) -> EventStream {
    let runtime = world.runtime.clone();
    let builder = world.builder().policy(Policy::standard());
    let builder = builder.before_attempt(move |request| {
        let wait = runtime.sleep(SECOND / 4);
        async move {
            wait.await;
            Ok(request)
        }
    });
    builder.open().expect("valid")
}

fn slow_answers() -> Vec<Answer> {
    let mut dribble = Answer::stream().late(SECOND);
    for byte in "id: 1\ndata: a\ndata: b\n\ndata: c\n\n".bytes() {
        dribble = dribble.chunk(vec![byte]).pass(SECOND / 8);
    }
    vec![
        dribble.end(),
        Answer::status(307).late(SECOND).header("location", "/x"),
        Answer::stream()
            .late(SECOND)
            .chunk("data: d\n\ndata: e\n\nid: 2\n\ndata: lost")
            .pass(SECOND)
            .breaks(),
        Answer::status(204).late(SECOND),
    ]
}

#[test]
fn dropping_next_at_any_await_loses_nothing() {
    let world = World::new(slow_answers());
    let expected = world.told(slow(&world));
    assert_eq!(expected.len(), 5, "{expected:?}");

    let dropping = World::new(slow_answers());
    let mut events = slow(&dropping);
    let mut dropped = 0;
    let told = dropping.runtime.block_on(async {
        let mut told = Vec::new();
        loop {
            // Each time it has to wait, the future is dropped, and the next
            // time a new one is polled.
            let item = poll_fn(|cx| {
                let item = pin!(events.next()).poll(cx);
                dropped += usize::from(item.is_pending());
                item
            });
            let Some(item) = item.await else {
                return told;
            };
            let now = dropping.runtime.now().as_secs_f64();
            told.push(format!("{now} {}", shown(&item)));
        }
    });
    assert_eq!(told, expected);
    assert_eq!(dropping.resumed_from(), world.resumed_from());
    assert!(dropped > 30, "dropped {dropped} times");
}

/// A server that gives an endless body and counts the chunks that are taken.
struct Endless {
    chunk: Bytes,
    taken: Arc<AtomicUsize>,
}

impl Transport for Endless {
    fn send(&self, _: Request) -> Sending {
        let (chunk, taken) = (self.chunk.clone(), self.taken.clone());
        let body = streams::repeat_with(move || {
            taken.fetch_add(1, Ordering::Relaxed);
            Ok(chunk.clone())
        });
        answered(Box::pin(body))
    }
}

fn answered(body: Body) -> Sending {
    let mut headers = HeaderMap::new();
    let event_stream = HeaderValue::from_static("text/event-stream");
    headers.insert("content-type", event_stream);
    let status = StatusCode::OK;
    let head = Head { status, headers };
    Box::pin(async { Ok(Response { head, body }) })
}

fn endless(chunk: &'static str) -> (Builder, Arc<AtomicUsize>, VirtualRuntime) {
    let runtime = VirtualRuntime::new(1);
    let taken = Arc::<AtomicUsize>::default();
    let transport = Endless {
        chunk: chunk.into(),
        taken: taken.clone(),
    };
    let builder = Builder::new("http://hub.example/", transport, runtime.clone());
    (builder, taken, runtime)
}

#[test]
fn nothing_is_read_ahead_of_who_reads() {
    let (builder, taken, runtime) = endless("data: 1\n\ndata: 2\n\ndata: 3\n\n");
    let mut events = builder.open().expect("valid");
    runtime.block_on(async {
        for event in 0..300_usize {
            assert_eq!(taken.load(Ordering::Relaxed), event.div_ceil(3));
            let event = events.next().await.expect("an event");
            event.expect("an event").shown();
        }
    });
}

#[test]
fn a_body_without_events_lets_others_run() {
    // Nothing in it is told, or what is told is passed over; it never waits.
    check_gives_way(": all is well\n\n");
    check_gives_way("retry: 1\n");
    check_gives_way("id: 1\ndata: the same\n\n");
}

fn check_gives_way(chunk: &'static str) {
    let (builder, taken, runtime) = endless(chunk);
    let builder = builder.last_event_id("1").deduplicate(1);
    let mut events = builder.open().expect("valid");
    runtime.block_on(async {
        let mut next = pin!(events.next());
        for _ in 0..10 {
            let pending = poll_fn(|cx| Poll::Ready(next.as_mut().poll(cx).is_pending()));
            assert!(pending.await, "it has given way");
        }
    });
    let taken = taken.load(Ordering::Relaxed);
    assert!((10..10_000).contains(&taken), "{taken} chunks");
}

#[test]
fn close_is_heard_in_a_body_without_events() {
    let (builder, _, runtime) = endless(": all is well\n\n");
    let mut events = builder.open().expect("valid");
    let handle = events.handle();
    runtime.spawn(async move { handle.close() });
    runtime.block_on(async {
        assert!(events.next().await.is_none());
    });
}

/// A server that has always sent something already, three times; but who
/// carries it begins only when it is asked, and takes a while.
struct Carried(VirtualRuntime);

impl Transport for Carried {
    fn send(&self, _: Request) -> Sending {
        let runtime = self.0.clone();
        let body = streams::unfold(1, move |count| {
            let while_it_carries = runtime.sleep(SECOND / 4);
            async move {
                while_it_carries.await;
                let chunk = format!("data: {count}\n\n").into();
                (count < 4).then_some((Ok(chunk), count + 1))
            }
        });
        answered(Box::pin(body.chain(streams::pending())))
    }
}

fn carried(runtime: &VirtualRuntime) -> Notices {
    let transport = Carried(runtime.clone());
    let builder = Builder::new("http://hub.example/", transport, runtime.clone());
    builder.open().expect("valid").notices()
}

#[test]
fn d14_bytes_that_wait_for_a_busy_reader_are_no_silence() {
    let runtime = VirtualRuntime::new(1);
    let mut notices = carried(&runtime);
    let told = runtime.block_on(async {
        let mut told = Vec::new();
        for _ in 0..5 {
            runtime.sleep(SECOND * 3600).await;
            let asked = runtime.now();
            let notice = shown(&notices.next().await.expect("no end"));
            let took = (runtime.now() - asked).as_secs_f64();
            told.push(format!("{took} {notice}"));
        }
        told
    });
    let (last, before) = told.split_last().expect("five");
    assert_eq!(
        before,
        [
            "0 open http://hub.example/",
            r#"0.25 message "1" "#,
            r#"0.25 message "2" "#,
            r#"0.25 message "3" "#,
        ]
    );
    // Nothing came then.
    assert!(last.starts_with("1 reconnecting in "), "{last}");
    assert!(last.ends_with("silent for 45 s"), "{last}");
}

#[test]
fn d14_a_reader_that_looks_in_rarely_finds_bytes_and_silence_too() {
    let runtime = VirtualRuntime::new(1);
    let mut notices = carried(&runtime);
    let told = runtime.block_on(async {
        let mut told = Vec::new();
        while told.len() < 5 {
            // It waits for nothing: what is carried has come by the next time.
            if let Some(notice) = notices.next().now_or_never() {
                told.push(shown(&notice.expect("no end")));
            }
            runtime.sleep(SECOND * 50).await;
        }
        told
    });
    let (last, before) = told.split_last().expect("five");
    let expected = ["1", "2", "3"].map(|count| format!("message {count:?} "));
    assert_eq!(before[1..], expected);
    assert!(last.ends_with("silent for 45 s"), "{last}");
}
