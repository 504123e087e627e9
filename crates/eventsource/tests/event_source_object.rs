//! The object itself, its listeners and its end: the rules A1 to A7.
#![cfg(feature = "memory")]

mod event_source;

use event_source::{Log, Page, SECOND, URL};
use futures_util::FutureExt;
use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tidings_eventsource::event_source::{Listener, ListenerId, Listeners};
use tidings_eventsource::transport::Answer;
use tidings_eventsource::{
    DomEvent, Error, EventSource, EventSourceInit, InvalidRequest, MessageEvent, Runtime,
};
use url::Url;

/// An EventSource at whose server nothing happens.
fn idle() -> (Page, EventSource) {
    let page = Page::new([Answer::silence()]);
    let source = page.open(EventSourceInit::default());
    (page, source)
}

fn fire(source: &EventSource, event_type: &str) {
    source.dispatch_event(DomEvent::new(event_type));
}

fn listener(log: &Log, name: &'static str) -> Option<Listener> {
    Some(Arc::new(log.listener(name)))
}

#[test]
fn a1_the_url_is_resolved_against_the_base() {
    let page = Page::new([]);
    let base = "http://a.test/dir/page?q#f";
    for (url, base, expected) in [
        ("http://b.test", None, Ok("http://b.test/")),
        ("stream", Some(base), Ok("http://a.test/dir/stream")),
        ("/stream", Some(base), Ok("http://a.test/stream")),
        ("?x", Some(base), Ok("http://a.test/dir/page?x")),
        ("//b.test/s", Some(base), Ok("http://b.test/s")),
        ("", Some(base), Ok("http://a.test/dir/page?q")),
        ("null", Some(base), Ok("http://a.test/dir/null")),
        ("http://ü.test/…", None, Ok("http://xn--tda.test/%E2%80%A6")),
        ("mailto:a@b.test", None, Ok("mailto:a@b.test")),
        ("stream", None, Err(InvalidRequest::Url)),
        ("", None, Err(InvalidRequest::Url)),
        (
            "http://this is invalid/",
            Some(base),
            Err(InvalidRequest::Url),
        ),
        ("http://a.test:70000", None, Err(InvalidRequest::Url)),
        ("s", Some("mailto:a@b.test"), Err(InvalidRequest::Url)),
    ] {
        let init = EventSourceInit {
            base: base.map(|base| Url::parse(base).expect("a base")),
            ..EventSourceInit::default()
        };
        let memory = Arc::new(page.memory.clone());
        let made = EventSource::with(url, init, memory, Arc::new(page.runtime.clone()));
        let seen = match &made {
            Ok((source, _)) => Ok(source.url()),
            Err(Error::Invalid(invalid)) => Err(*invalid),
            Err(other) => panic!("{url}: {other}"),
        };
        assert_eq!(seen, expected, "{url} against {base:?}");
    }
}

#[test]
fn a4_the_constants_and_the_state_at_the_start() {
    let constants = [
        EventSource::CONNECTING,
        EventSource::OPEN,
        EventSource::CLOSED,
    ];
    assert_eq!(constants.map(|state| state as u8), [0, 1, 2]);
    let (_page, source) = idle();
    assert_eq!(source.ready_state(), EventSource::CONNECTING);
    assert!(!source.with_credentials());
}

#[test]
fn a5_listeners_are_called_by_type_and_in_order() {
    let (page, source) = idle();
    let log = &page.log;
    source.add_event_listener("a", log.listener("a1"));
    source.add_event_listener("b", log.listener("b"));
    source.add_event_listener("a", log.listener("a2"));
    fire(&source, "a");
    fire(&source, "A");
    fire(&source, "b");
    assert_eq!(
        log.lines(),
        [
            "0 a Connecting",
            "a1",
            "a2",
            "0 A Connecting",
            "0 b Connecting",
            "b"
        ]
    );
}

#[test]
fn a5_a_handler_keeps_its_place_until_it_is_set_to_none() {
    let (page, source) = idle();
    let source = &source;
    let log = Log::default();
    drop(page);
    source.set_onmessage(listener(&log, "handler"));
    source.add_event_listener("message", log.listener("listener"));
    source.set_onmessage(listener(&log, "replaced"));
    fire(source, "message");
    assert_eq!(log.lines(), ["replaced", "listener"]);
    source.set_onmessage(None);
    assert!(source.onmessage().is_none());
    fire(source, "message");
    assert_eq!(log.lines()[2..], ["listener"]);
    source.set_onmessage(listener(&log, "again"));
    fire(source, "message");
    assert_eq!(log.lines()[3..], ["listener", "again"]);
}

#[test]
fn a5_each_handler_is_for_its_own_type() {
    let (_page, source) = idle();
    let log = Log::default();
    source.set_onopen(listener(&log, "onopen"));
    source.set_onmessage(listener(&log, "onmessage"));
    source.set_onerror(listener(&log, "onerror"));
    for event_type in ["error", "message", "open", "other"] {
        fire(&source, event_type);
    }
    assert_eq!(log.lines(), ["onerror", "onmessage", "onopen"]);
    for (get, name) in [
        (source.onopen(), "onopen"),
        (source.onmessage(), "onmessage"),
        (source.onerror(), "onerror"),
    ] {
        get.expect("what was set")(&source, &DomEvent::new("any"));
        assert_eq!(log.lines().last().expect("a line"), name);
    }
}

#[test]
fn a5_a_listener_for_once_is_called_once_even_from_inside_itself() {
    let (_page, source) = idle();
    let log = Log::default();
    let own = log.clone();
    let id = source.add_event_listener_once("a", move |source, event| {
        own.add("once");
        fire(source, event.event_type());
    });
    fire(&source, "a");
    fire(&source, "a");
    assert_eq!(log.lines(), ["once"]);
    assert!(!source.remove_event_listener(id));
}

#[test]
fn a5_what_is_removed_or_added_in_a_dispatch_is_not_called_in_it() {
    let (_page, source) = idle();
    let log = Log::default();
    let removable: Arc<Mutex<Option<ListenerId>>> = Arc::default();
    let (own, to_remove) = (log.clone(), removable.clone());
    source.add_event_listener("a", move |source, _| {
        own.add("first");
        if let Some(id) = to_remove.lock().expect("an id").take() {
            assert!(source.remove_event_listener(id));
            source.add_event_listener("a", own.listener("added"));
            source.set_onmessage(listener(&own, "new handler"));
        }
    });
    let id = source.add_event_listener("a", log.listener("removed"));
    *removable.lock().expect("no id yet") = Some(id);
    source.add_event_listener("a", log.listener("last"));
    fire(&source, "a");
    assert_eq!(log.lines(), ["first", "last"]);
    fire(&source, "a");
    assert_eq!(log.lines()[2..], ["first", "last", "added"]);
}

#[test]
fn a5_a_handler_that_is_replaced_in_a_dispatch_is_called_as_it_then_is() {
    for (replace, expected) in [
        (true, &["first", "new"][..]),
        // Set anew it is another listener, and that one was added.
        (false, &["first"][..]),
    ] {
        let (_page, source) = idle();
        let log = Log::default();
        let own = log.clone();
        source.add_event_listener("open", move |source, _| {
            own.add("first");
            if !replace {
                source.set_onopen(None);
            }
            source.set_onopen(listener(&own, "new"));
        });
        source.set_onopen(listener(&log, "old"));
        fire(&source, "open");
        assert_eq!(log.lines(), expected);
    }
}

#[test]
fn a5_what_is_dispatched_is_not_trusted_and_changes_no_state() {
    let (page, source) = idle();
    let log = page.log.clone();
    let own = log.clone();
    source.add_event_listener("message", move |_, event| {
        let message = event.message().expect("a message");
        own.add(format!(
            "trusted {} {} {} {}",
            event.is_trusted(),
            message.data,
            message.origin,
            message.last_event_id
        ));
    });
    let message = MessageEvent {
        data: "x".into(),
        origin: "null".into(),
        last_event_id: "7".into(),
    };
    source.dispatch_event(DomEvent::with_message("message", message));
    fire(&source, "open");
    assert_eq!(
        log.lines(),
        [
            "0 message Connecting x",
            "trusted false x null 7",
            "0 open Connecting"
        ]
    );
    assert_eq!(source.last_event_id(), "");
    source.close();
    fire(&source, "late");
    assert_eq!(log.lines().last().expect("a line"), "0 late Closed");
}

#[test]
fn a5_propagation_stops_where_a_listener_stops_it() {
    let (_page, source) = idle();
    let log = Log::default();
    source.add_event_listener("a", |_, event| event.stop_immediate_propagation());
    source.add_event_listener("a", log.listener("not called"));
    fire(&source, "a");
    assert!(log.lines().is_empty());
}

#[test]
fn a5_a_listener_that_panics_stops_neither_the_others_nor_the_stream() {
    let page = Page::new([Answer::stream().chunk("data: a\n\n").chunk("data: b\n\n")]);
    let listeners = Listeners::new().on("message", |_, event| {
        assert_eq!(event.data(), None, "a panic on purpose");
    });
    let _source = page.open(EventSourceInit {
        listeners,
        ..EventSourceInit::default()
    });
    page.run(1);
    assert_eq!(
        page.log.lines(),
        ["0 open Open", "0 message Open a", "0 message Open b"]
    );
}

#[test]
fn a5_a_listener_may_be_dropped_that_closes_when_it_is_dropped() {
    struct Closes(Option<EventSource>);
    impl Drop for Closes {
        fn drop(&mut self) {
            let other = self.0.take().expect("set once");
            other.close();
        }
    }
    let page = Page::new([Answer::silence(), Answer::silence()]);
    let other = page.open(EventSourceInit::default());
    let closed = other.closed();
    let source = page.open(EventSourceInit::default());
    let closes = Closes(Some(other));
    let id = source.add_event_listener("a", move |_, _| assert!(closes.0.is_some()));
    fire(&source, "a");
    assert!(source.remove_event_listener(id));
    page.runtime.block_on(closed);
}

/// Where a stream may stand when it is closed: what its server does, and for
/// how long.
fn stands() -> [(Answer, u32, &'static [&'static str]); 4] {
    [
        (Answer::silence(), 0, &[]),
        (Answer::silence(), 1, &[]),
        (Answer::stream(), 1, &["0 open Open"]),
        (
            Answer::stream().end(),
            1,
            &["0 open Open", "0 error Connecting"],
        ),
    ]
}

/// Ends a stream wherever it may stand: nothing is fired, the request is
/// aborted, no other follows.
fn check_end(end: impl Fn(EventSource) -> Option<EventSource>) {
    for (answer, seconds, expected) in stands() {
        let page = Page::new([answer, Answer::stream()]);
        let source = page.open(EventSourceInit::default());
        let closed = source.closed();
        let runtime = page.runtime.clone();
        let kept = page.runtime.block_on(async {
            runtime.sleep(SECOND * seconds).await;
            let kept = end(source);
            closed.await;
            runtime.sleep(SECOND * 100).await;
            kept
        });
        assert_eq!(page.log.lines(), expected);
        let exchanges = page.memory.exchanges();
        // Before its future has run there is no request.
        assert_eq!(exchanges.len(), usize::from(seconds > 0));
        for exchange in exchanges {
            let over = exchange.over.expect("an aborted request");
            assert!(over <= SECOND * seconds, "aborted at {over:?}");
        }
        if let Some(source) = kept {
            assert_eq!(source.ready_state(), EventSource::CLOSED);
        }
    }
}

#[test]
fn a6_close_aborts_wherever_it_stands_and_fires_nothing() {
    check_end(|source| {
        source.close();
        assert_eq!(source.ready_state(), EventSource::CLOSED);
        source.close();
        Some(source)
    });
}

#[test]
fn a7_dropping_aborts_wherever_it_stands() {
    check_end(|source| {
        drop(source);
        None
    });
}

#[test]
fn a6_close_in_a_listener_of_open_or_error() {
    for (event_type, expected) in [
        ("open", &["0 open Closed"][..]),
        (
            "error",
            &["0 open Open", "0 message Open a", "0 error Closed"][..],
        ),
    ] {
        let page = Page::new([
            Answer::stream().chunk("data: a\n\n").end(),
            Answer::stream(),
        ]);
        let listeners = Listeners::new().on(event_type, |source, _| source.close());
        let source = page.open(EventSourceInit {
            listeners,
            ..EventSourceInit::default()
        });
        page.run(100);
        assert_eq!(page.log.lines(), expected);
        assert_eq!(page.memory.requests().len(), 1);
        assert_eq!(source.ready_state(), EventSource::CLOSED);
    }
}

#[test]
fn a7_dropping_it_in_its_own_listener() {
    let page = Page::new([Answer::stream().chunk("data: a\n\ndata: b\n\n")]);
    let own: Arc<Mutex<Option<EventSource>>> = Arc::default();
    let held = Arc::downgrade(&own);
    let listeners = Listeners::new().on("message", move |_, _| {
        let own = held.upgrade().expect("a holder");
        drop(own.lock().expect("the source").take());
    });
    let source = page.open(EventSourceInit {
        listeners,
        ..EventSourceInit::default()
    });
    *own.lock().expect("none yet") = Some(source);
    page.run(1);
    assert!(own.lock().expect("the source").is_none());
    assert_eq!(page.log.lines(), ["0 open Open", "0 message Closed a"]);
    assert_eq!(page.memory.exchanges()[0].over, Some(Duration::ZERO));
}

#[test]
fn a7_what_listeners_hold_is_let_go() {
    let page = Page::new([Answer::silence()]);
    let held = Arc::new(());
    let own = held.clone();
    let listeners = Listeners::new().on("message", move |_, _| {
        let _ = &own;
    });
    let init = EventSourceInit {
        listeners,
        ..EventSourceInit::default()
    };
    page.runtime.block_on(async {
        let source = page.open(init);
        let closed = source.closed();
        page.runtime.sleep(SECOND).await;
        assert_eq!(Arc::strong_count(&held), 2);
        drop(source);
        closed.await;
        page.runtime.sleep(SECOND).await;
        assert_eq!(Arc::strong_count(&held), 1);
    });
}

#[test]
fn closed_resolves_after_the_error_however_often_it_is_asked() {
    let page = Page::new([Answer::status(204).late(SECOND)]);
    let log = page.log.clone();
    let listeners = Listeners::new().on("error", move |source, _| {
        log.add(format!("{:?}", source.closed().now_or_never()));
    });
    let source = page.open(EventSourceInit {
        listeners,
        ..EventSourceInit::default()
    });
    for name in ["first", "second"] {
        let (log, closed) = (page.log.clone(), source.closed());
        page.runtime.spawn(async move {
            closed.await;
            log.add(name);
        });
    }
    drop(source.closed());
    page.run(2);
    assert_eq!(
        page.log.lines(),
        ["None", "1 error Closed", "first", "second"]
    );
    page.runtime.block_on(source.closed());
}

#[test]
fn several_threads_may_use_it() {
    const TURNS: usize = 2000;
    let page = Page::new([]);
    let endless = futures_util::stream::repeat_with(|| Ok::<_, Infallible>("data: a\n\n".into()));
    let (source, driving) = EventSource::with_readable_stream(endless, EventSourceInit::default());
    let source = Arc::new(source);
    let seen = Arc::new(AtomicUsize::new(0));
    let reader = std::thread::spawn(move || page.runtime.block_on(driving));
    let users: Vec<_> = (0..3)
        .map(|_| (source.clone(), seen.clone()))
        .map(|(source, seen)| {
            std::thread::spawn(move || {
                for _ in 0..TURNS {
                    let seen = seen.clone();
                    let id = source.add_event_listener("message", move |source, event| {
                        seen.fetch_add(1, Ordering::Relaxed);
                        if event.is_trusted() {
                            source.dispatch_event(DomEvent::new("other"));
                        }
                    });
                    fire(&source, "message");
                    source.set_onmessage(None);
                    assert!(source.remove_event_listener(id));
                }
            })
        })
        .collect();
    for user in users {
        user.join().expect("a user");
    }
    assert!(seen.load(Ordering::Relaxed) >= 3 * TURNS);
    source.close();
    // Its future ends, though the stream doesn't.
    reader.join().expect("the reader");
    assert_eq!(source.ready_state(), EventSource::CLOSED);
}

#[test]
fn without_its_future_it_is_closed() {
    let page = Page::new([Answer::silence()]);
    let memory = Arc::new(page.memory.clone());
    let runtime = Arc::new(page.runtime.clone());
    let init = EventSourceInit::default();
    let (source, driving) = EventSource::with(URL, init, memory, runtime).expect("a URL");
    assert_eq!(source.ready_state(), EventSource::CONNECTING);
    drop(driving);
    assert_eq!(source.ready_state(), EventSource::CLOSED);
    page.runtime.block_on(source.closed());
    assert_eq!(page.runtime.now(), Duration::ZERO);
}
