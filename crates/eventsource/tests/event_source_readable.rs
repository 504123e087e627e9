//! `EventSource.fromReadableStream`, and what came with it: rule P1
//! (whatwg/html pull request 12272).
#![cfg(feature = "memory")]

mod event_source;

use bytes::Bytes;
use event_source::{Page, SECOND};
use futures_channel::mpsc;
use std::convert::Infallible;
use std::sync::Mutex;
use tidings_codec::Limits;
use tidings_eventsource::event_source::Listeners;
use tidings_eventsource::{DomEvent, Error, EventSource, EventSourceInit};

type Chunk = Result<Bytes, &'static str>;

/// A stream that a test writes, and the EventSource that reads it.
struct Readable {
    page: Page,
    source: EventSource,
    stream: mpsc::UnboundedSender<Chunk>,
}

impl Readable {
    fn new(init: EventSourceInit) -> Self {
        let page = Page::new([]);
        let (stream, chunks) = mpsc::unbounded::<Chunk>();
        let init = EventSourceInit {
            listeners: page.logging(init.listeners),
            ..init
        };
        let (source, driving) = EventSource::with_readable_stream(chunks, init);
        page.runtime.spawn(driving);
        Self {
            page,
            source,
            stream,
        }
    }

    fn send(&self, bytes: &'static str) {
        self.give(Ok(bytes.into()));
    }

    fn give(&self, chunk: Chunk) {
        self.stream.unbounded_send(chunk).expect("a reader");
    }

    /// Does `steps`, and lets the EventSource take in each. What it logged.
    fn play(&self, steps: &[&dyn Fn(&Self)]) -> Vec<String> {
        let runtime = &self.page.runtime;
        runtime.block_on(async {
            for step in steps {
                step(self);
                runtime.sleep(SECOND).await;
            }
        });
        self.page.log.lines()
    }
}

#[test]
fn p1_it_begins_connecting_opens_and_fails_at_the_end() {
    let readable = Readable::new(EventSourceInit {
        with_credentials: true,
        ..EventSourceInit::default()
    });
    let source = &readable.source;
    assert_eq!(source.url(), "about:event-stream");
    assert!(!source.with_credentials());
    assert_eq!(source.ready_state(), EventSource::CONNECTING);
    assert_eq!(source.last_event_id(), "");
    assert_eq!(source.reconnection_time(), SECOND * 3);
    let closed = source.closed();
    let log = readable.play(&[
        &|own| own.send("\u{FEFF}id: 1\nretry: 50\nevent: x\nda"),
        &|own| own.send("ta: a\n\ndata: lost"),
        &|own| own.stream.close_channel(),
    ]);
    assert_eq!(log, ["0 open Open", "1 x Open a", "2 error Closed"]);
    assert_eq!(source.last_event_id(), "1");
    assert_eq!(source.reconnection_time(), SECOND / 20);
    readable.page.runtime.block_on(closed);
}

/// What a listener for `event_type` makes of the events of `chunk`.
#[track_caller]
fn check_seen(
    event_type: &str,
    chunk: Chunk,
    see: impl Fn(&DomEvent) -> String + Send + Sync + 'static,
    expected: &[&str],
) {
    let (seen, lines) = std::sync::mpsc::channel();
    let listeners = Listeners::new().on(event_type, move |_, event| {
        seen.send(see(event)).expect("a reader");
    });
    let readable = Readable::new(EventSourceInit {
        listeners,
        ..EventSourceInit::default()
    });
    let chunk = Mutex::new(Some(chunk));
    readable.play(&[&|own| {
        let chunk = chunk.lock().expect("a chunk").take();
        own.give(chunk.expect("one chunk"));
    }]);
    assert_eq!(lines.try_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn p1_an_error_of_the_stream_is_one_error_and_the_end() {
    let readable = Readable::new(EventSourceInit::default());
    let log = readable.play(&[&|own| own.give(Err("cut off")), &|own| {
        let late = own.stream.unbounded_send(Ok("data: b\n\n".into()));
        assert!(late.is_err(), "nobody reads on");
    }]);
    assert_eq!(log, ["0 open Open", "0 error Closed"]);
    let reason = |event: &DomEvent| event.error().map(Error::to_string).unwrap_or_default();
    let expected = ["the connection broke: cut off"];
    check_seen("error", Err("cut off"), reason, &expected);
}

#[test]
fn p1_the_origin_of_its_events_is_null() {
    let see = |event: &DomEvent| {
        let message = event.message().expect("a message");
        format!(
            "{} {} {}",
            message.origin,
            message.last_event_id,
            event.is_trusted()
        )
    };
    let chunk = Ok("id: 7\ndata: a\n\ndata: b\n\n".into());
    check_seen("message", chunk, see, &["null 7 true", "null 7 true"]);
}

#[test]
fn p1_reset_drops_what_is_unfinished_and_nothing_else() {
    let readable = Readable::new(EventSourceInit::default());
    let log = readable.play(&[
        &|own| own.send("id: 1\nretry: 50\ndata: a\n\nid: 2\nevent: x\ndata: dropped\ndata: hal"),
        &|own| own.source.reset(),
        &|own| own.send("data: b\n\n"),
    ]);
    assert_eq!(log, ["0 open Open", "0 message Open a", "2 message Open b"]);
    assert_eq!(readable.source.last_event_id(), "1");
    assert_eq!(readable.source.reconnection_time(), SECOND / 20);
}

#[test]
fn p1_reset_in_a_listener_comes_after_what_was_read_with_its_event() {
    let listeners = Listeners::new().on("message", |source, _| source.reset());
    let readable = Readable::new(EventSourceInit {
        listeners,
        ..EventSourceInit::default()
    });
    let log = readable.play(&[
        &|own| own.send("data: a\n\ndata: b\n\ndata: dropped\n"),
        &|own| own.send("\ndata: c\n\n"),
    ]);
    assert_eq!(
        log,
        [
            "0 open Open",
            "0 message Open a",
            "0 message Open b",
            "1 message Open c"
        ]
    );
}

#[test]
fn p1_closing_it_lets_go_of_the_stream() {
    for drops in [false, true] {
        let Readable {
            page,
            source,
            stream,
        } = Readable::new(EventSourceInit::default());
        page.runtime.block_on(async {
            stream
                .unbounded_send(Ok("data: a\n\n".into()))
                .expect("a reader");
            page.runtime.sleep(SECOND).await;
            assert!(!stream.is_closed());
            source.close();
            if drops {
                drop(source);
            }
            page.runtime.sleep(SECOND).await;
            assert!(stream.is_closed());
        });
        assert_eq!(page.log.lines(), ["0 open Open", "0 message Open a"]);
    }
}

#[test]
fn p1_the_limits_hold() {
    let readable = Readable::new(EventSourceInit {
        limits: Limits {
            max_event: 4,
            ..Limits::default()
        },
        ..EventSourceInit::default()
    });
    let log = readable.play(&[&|own| own.send("data: 12345\n\ndata: 1234\n\n")]);
    assert_eq!(log, ["0 open Open", "0 error Open", "0 message Open 1234"]);
}

#[test]
fn a_stream_that_always_has_more_keeps_nobody_waiting() {
    let page = Page::new([]);
    let endless = futures_util::stream::repeat_with(|| Ok::<_, Infallible>("data: a\n\n".into()));
    let (source, driving) = EventSource::with_readable_stream(endless, EventSourceInit::default());
    page.runtime.spawn(driving);
    let closed = source.closed();
    page.runtime.block_on(async {
        // Is polled beside the other, though time never moves.
        let mut turns = 0;
        std::future::poll_fn(|cx| {
            turns += 1;
            cx.waker().wake_by_ref();
            match turns {
                100 => std::task::Poll::Ready(()),
                _ => std::task::Poll::Pending,
            }
        })
        .await;
        drop(source);
        closed.await;
    });
}
