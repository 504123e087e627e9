//! What the stream fires, in which order and with which state: the rules B4 to
//! B6, F and T1 to T6 as a page sees them.
#![cfg(feature = "memory")]

mod event_source;

use event_source::{Page, SECOND, check};
use http::header::ACCESS_CONTROL_ALLOW_CREDENTIALS;
use std::thread;
use std::time::Duration;
use tidings_codec::Limits;
use tidings_eventsource::event_source::Listeners;
use tidings_eventsource::protocol::{End, Policy};
use tidings_eventsource::transport::{Answer, TransportErrorKind};
use tidings_eventsource::{Error, EventSource, EventSourceInit, Runtime};
use url::Url;

/// Ends any EventSource.
fn stop() -> Answer {
    Answer::status(204)
}

#[test]
fn t1_the_state_is_open_before_open_is_fired() {
    let late = Answer::stream().late(SECOND).chunk("data: a\n\n").end();
    check(
        Listeners::new(),
        [late, stop()],
        &[
            "1 open Open",
            "1 message Open a",
            "1 error Connecting",
            "4 error Closed",
        ],
    );
}

#[test]
fn t2_t5_error_with_connecting_comes_before_the_next_open() {
    let answers = [
        Answer::stream().chunk("data: a\n\n").pass(SECOND).end(),
        Answer::stream().chunk("data: b\n\n").pass(SECOND).breaks(),
        stop(),
    ];
    check(
        Listeners::new(),
        answers,
        &[
            "0 open Open",
            "0 message Open a",
            "1 error Connecting",
            "4 open Open",
            "4 message Open b",
            "5 error Connecting",
            "8 error Closed",
        ],
    );
}

#[test]
fn t3_a_failure_is_one_error_and_no_more_requests() {
    for answer in [
        Answer::status(204),
        Answer::status(205),
        Answer::status(210),
        Answer::status(299),
        Answer::status(404),
        Answer::status(500),
        Answer::status(503),
        Answer::status(200),
        Answer::status(200).header("content-type", "text/html"),
        Answer::status(302),
        Answer::error(TransportErrorKind::Scheme),
    ] {
        let page = Page::new([answer]);
        let source = page.open(EventSourceInit::default());
        page.run(100);
        assert_eq!(page.log.lines(), ["0 error Closed"]);
        assert_eq!(page.memory.requests().len(), 1);
        assert_eq!(source.ready_state(), EventSource::CLOSED);
    }
}

#[test]
fn t4_t6_retry_is_waited_exactly_and_lives_across_connections() {
    let answers = [
        Answer::stream().chunk("retry: 7000\ndata: a\n\n").end(),
        Answer::stream().chunk("data: b\n\n").end(),
        stop(),
    ];
    let page = Page::new(answers);
    let source = page.open(EventSourceInit::default());
    assert_eq!(source.reconnection_time(), SECOND * 3);
    page.runtime.block_on(source.closed());
    assert_eq!(
        page.log.lines(),
        [
            "0 open Open",
            "0 message Open a",
            "0 error Connecting",
            "7 open Open",
            "7 message Open b",
            "7 error Connecting",
            "14 error Closed",
        ]
    );
    assert_eq!(source.reconnection_time(), SECOND * 7);
}

#[test]
fn t6_the_last_event_id_lives_across_connections() {
    let answers = [
        Answer::stream().chunk("id: …\ndata: a\n\n").end(),
        Answer::stream().chunk("data: b\n\nid: 2\n\n").end(),
        Answer::stream().end(),
        stop(),
    ];
    let page = Page::new(answers);
    let source = page.open(EventSourceInit::default());
    assert_eq!(source.last_event_id(), "");
    page.runtime.block_on(source.closed());
    let sent = page.memory.requests().into_iter().map(|request| {
        let value = request.headers.get("last-event-id").cloned();
        value.map(|value| String::from_utf8(value.as_bytes().to_vec()).expect("UTF-8"))
    });
    let expected = [None, Some("…"), Some("2"), Some("2")];
    assert_eq!(
        sent.collect::<Vec<_>>(),
        expected.map(|id| id.map(str::to_owned))
    );
    assert_eq!(source.last_event_id(), "2");
}

#[test]
fn b1_the_last_event_id_in_a_listener_is_that_of_its_event() {
    let page = Page::new([Answer::stream().chunk("id: 1\ndata: a\n\nid: 2\n\nid: 3\ndata: c\n\n")]);
    let log = page.log.clone();
    let listeners = Listeners::new().on("message", move |source, event| {
        let of_event = &event.message().expect("a message").last_event_id;
        log.add(format!("{of_event} {}", source.last_event_id()));
    });
    let source = page.open(EventSourceInit {
        listeners,
        ..EventSourceInit::default()
    });
    page.run(1);
    assert_eq!(
        page.log.lines(),
        [
            "0 open Open",
            "1 1",
            "0 message Open a",
            "3 3",
            "0 message Open c"
        ]
    );
    drop(source);
}

#[test]
fn b4_the_type_is_the_servers_or_message() {
    let stream = "event: a\ndata: 1\n\ndata: 2\n\nevent:\ndata: 3\n\nevent: open\ndata: 4\n\n";
    check(
        Listeners::new(),
        [Answer::stream().chunk(stream).end(), stop()],
        &[
            "0 open Open",
            "0 a Open 1",
            "0 message Open 2",
            "0 message Open 3",
            "0 open Open 4",
            "0 error Connecting",
            "3 error Closed",
        ],
    );
}

#[test]
fn a3_b4_the_url_is_the_original_and_the_origin_the_final_one() {
    let redirect = Answer::status(301).header("location", "https://b.test:8443/other");
    let page = Page::new([redirect, Answer::stream().chunk("data: a\n\n")]);
    let log = page.log.clone();
    let listeners = Listeners::new().on("message", move |source, event| {
        let message = event.message().expect("a message");
        log.add(format!("{} from {}", source.url(), message.origin));
    });
    let init = EventSourceInit {
        listeners,
        ..EventSourceInit::default()
    };
    let source = page.open_at("http://A.test:80/s?q#f", init);
    page.run(1);
    assert_eq!(
        page.log.lines()[1],
        "http://a.test/s?q#f from https://b.test:8443"
    );
    assert_eq!(source.url(), "http://a.test/s?q#f");
}

#[test]
fn b5_events_behind_a_close_are_suppressed() {
    let listeners = Listeners::new().on("message", |source, event| {
        if event.data() == Some("b") {
            source.close();
        }
    });
    let stream = "data: a\n\ndata: b\n\ndata: c\n\n: d\n\n";
    check(
        listeners,
        [Answer::stream().chunk(stream).chunk(stream).end()],
        &["0 open Open", "0 message Open a", "0 message Closed b"],
    );
}

#[test]
fn a6_b5_another_thread_closes_it_while_a_listener_runs() {
    let closing = Listeners::new().on("message", |source, _| {
        thread::scope(|threads| {
            threads.spawn(|| source.close());
        });
    });
    check(
        closing,
        [Answer::stream().chunk("data: a\n\ndata: b\n\n")],
        &["0 open Open", "0 message Closed a"],
    );
}

#[test]
fn b6_what_is_fired_is_trusted_and_open_and_error_have_no_data() {
    let page = Page::new([Answer::stream().chunk("data: a\n\n").breaks(), stop()]);
    let log = page.log.clone();
    let listeners = Listeners::new().on_any(move |_, event| {
        log.add(format!(
            "{} trusted {} bubbles {} cancelable {} data {:?} error {}",
            event.event_type(),
            event.is_trusted(),
            event.bubbles(),
            event.cancelable(),
            event.data(),
            event.error().is_some(),
        ));
    });
    let source = page.open(EventSourceInit {
        listeners,
        ..EventSourceInit::default()
    });
    page.runtime.block_on(source.closed());
    let lines = page.log.lines();
    let (flags, _): (Vec<&String>, Vec<&String>) =
        lines.iter().partition(|line| line.contains("trusted"));
    assert_eq!(
        flags,
        [
            "open trusted true bubbles false cancelable false data None error false",
            "message trusted true bubbles false cancelable false data Some(\"a\") error false",
            "error trusted true bubbles false cancelable false data None error true",
            "error trusted true bubbles false cancelable false data None error true",
        ]
    );
}

#[test]
fn r1_r9_a_page_gets_what_the_server_allows_it() {
    let allowed = |value| Answer::stream().header("access-control-allow-origin", value);
    let with_credentials =
        |value| allowed(value).header(ACCESS_CONTROL_ALLOW_CREDENTIALS.as_str(), "true");
    for (credentials, answer, expected) in [
        (false, Answer::stream(), "0 error Closed"),
        (false, allowed("*"), "0 open Open"),
        (false, allowed("http://page.test"), "0 open Open"),
        (false, allowed("http://other.test"), "0 error Closed"),
        (true, allowed("http://page.test"), "0 error Closed"),
        (true, with_credentials("*"), "0 error Closed"),
        (true, with_credentials("http://page.test"), "0 open Open"),
    ] {
        let page = Page::new([answer]);
        let source = page.open(EventSourceInit {
            with_credentials: credentials,
            origin: Some(Url::parse("http://page.test/x").expect("a URL").origin()),
            ..EventSourceInit::default()
        });
        assert_eq!(source.with_credentials(), credentials);
        page.run(1);
        assert_eq!(page.log.lines(), [expected]);
        assert_eq!(page.memory.requests()[0].cookies, credentials);
    }
}

#[test]
fn an_event_that_is_too_large_is_told_and_the_stream_goes_on() {
    let stream = "data: 0123456789\n\ndata: b\n\n";
    let page = Page::new([Answer::stream().chunk(stream)]);
    let log = page.log.clone();
    let listeners = Listeners::new().on("error", move |_, event| {
        let lost = matches!(event.error(), Some(Error::TooLarge(_)));
        log.add(format!("lost {lost}"));
    });
    let source = page.open(EventSourceInit {
        listeners,
        limits: Limits {
            max_event: 9,
            ..Limits::default()
        },
        ..EventSourceInit::default()
    });
    page.run(1);
    assert_eq!(
        page.log.lines(),
        [
            "0 open Open",
            "lost true",
            "0 error Open",
            "0 message Open b"
        ]
    );
    drop(source);
}

#[test]
fn a_stream_that_is_complete_closes_and_fires_nothing() {
    let page = Page::new([Answer::stream().chunk("data: a\n\n").end()]);
    let mut policy = Policy::standard();
    policy.end = End::Complete;
    let source = page.open(EventSourceInit {
        policy,
        ..EventSourceInit::default()
    });
    page.runtime.block_on(source.closed());
    assert_eq!(page.log.lines(), ["0 open Open", "0 message Open a"]);
    assert_eq!(page.runtime.now(), Duration::ZERO);
}
