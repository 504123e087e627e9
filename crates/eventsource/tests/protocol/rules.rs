//! The standard's rules by number, A to G and P1, as far as the machine knows
//! them. What belongs to the decoder alone (D1 to D5, F1 to F10) is tested in
//! `tidings-codec`; here one line each shows that the machine passes it on.

use crate::world::*;
use std::time::Duration;
use tidings_codec::{EventId, Limits};
use tidings_eventsource::protocol::{Input, Machine, ReadyState, State, Then};
use tidings_eventsource::transport::TransportErrorKind;

/// What a stream says that comes in one piece and then stays open.
#[track_caller]
fn check_stream(bytes: impl AsRef<[u8]>, expected: &[&str]) {
    let bytes = bytes.as_ref();
    let trace = |chunk: usize| {
        let mut answer = stream();
        for piece in bytes.chunks(chunk) {
            answer = answer.send(piece);
        }
        World::new(standard(), [answer]).run().trace.split_off(2)
    };
    let expected: Vec<String> = expected.iter().map(|line| format!("0 {line}")).collect();
    assert_eq!(trace(bytes.len()), expected, "{}", bytes.escape_ascii());
    assert_eq!(trace(1), expected, "byte by byte: {}", bytes.escape_ascii());
}

#[test]
fn d1_to_d5_lines() {
    check_stream("data: ok…\n\n", &["message \"ok…\""]);
    check_stream("\u{FEFF}data:1\n\n\u{FEFF}data:2\n\n", &["message \"1\""]);
    check_stream(b"data:\xE2\x82A\n\n", &["message \"\u{FFFD}A\""]);
    check_stream(
        "data:1\rdata:2\n\rdata:3\r\n\r\n",
        &["message \"1\\n2\"", "message \"3\""],
    );
    check_stream("data:1\r\r", &["message \"1\""]);
}

#[test]
fn d2_a_byte_order_mark_is_expected_at_each_connection() {
    let answer = || stream().send("\u{FEFF}data:1\n\n").end();
    check(
        standard(),
        [answer(), answer(), status(204)],
        &[
            "0 GET http://a.test/",
            "0 open http://a.test/",
            "0 message \"1\"",
            "0 reconnecting in 3000: the server ended the stream",
            "3000 GET http://a.test/",
            "3000 open http://a.test/",
            "3000 message \"1\"",
            "3000 reconnecting in 3000: the server ended the stream",
            "6000 GET http://a.test/",
            "6000 failed: the server answered 204, an event stream needs 200",
        ],
    );
}

#[test]
fn d6_what_is_incomplete_at_the_end_is_dropped_with_its_id() {
    let broken = stream().send("id:1\ndata:1\n\nid:2\ndata:2\n").cut();
    check(
        standard(),
        [broken, stream().send("\ndata:3\n\n")],
        &[
            "0 GET http://a.test/",
            "0 open http://a.test/",
            "0 message \"1\" id \"1\"",
            "0 reconnecting in 3000: the connection broke",
            "3000 GET http://a.test/ after 1",
            "3000 open http://a.test/",
            "3000 message \"3\" id \"1\"",
        ],
    );
}

#[test]
fn f1_to_f10_fields() {
    check_stream(":c\n: c\ndata:1\n\n", &["message \"1\""]);
    check_stream("data:  1\n\n", &["message \" 1\""]);
    check_stream("data\n\n", &["message \"\""]);
    check_stream("DATA:1\n data:2\ndata\0:3\n\n", &[]);
    check_stream(
        "event:a\ndata:1\n\ndata:2\n\n",
        &["a \"1\"", "message \"2\""],
    );
    check_stream("data:1\ndata:2\n\n", &["message \"1\\n2\""]);
    check_stream(
        "id:1\0\nid:2\nid:3\0\ndata:1\n\n",
        &["message \"1\" id \"2\""],
    );
    check_stream(
        "id:1\ndata:1\n\nid\ndata:2\n\n",
        &["message \"1\" id \"1\"", "message \"2\""],
    );
    check_stream("retry:0012\n", &["retry 12"]);
    check_stream("foo:1\ndata:1\n\n", &["message \"1\""]);
    check_stream("event:a\0\ndata:1\0\n\n", &["a\0 \"1\\0\""]);
}

#[test]
fn f8_retry_counts_at_once_even_in_a_block_that_never_ends() {
    check(
        standard(),
        [stream().send("data:1\n\nretry:700\n").cut()],
        &[
            "0 GET http://a.test/",
            "0 open http://a.test/",
            "0 message \"1\"",
            "0 retry 700",
            "0 reconnecting in 700: the connection broke",
            "700 GET http://a.test/",
        ],
    );
}

#[test]
fn b1_an_id_is_taken_from_blocks_without_data() {
    check(
        standard(),
        [
            stream().send("id:7\n\n").end(),
            stream().send("id\n\n").end(),
        ],
        &[
            "0 GET http://a.test/",
            "0 open http://a.test/",
            "0 reconnecting in 3000: the server ended the stream",
            "3000 GET http://a.test/ after 7",
            "3000 open http://a.test/",
            "3000 reconnecting in 6000: the server ended the stream",
            "9000 GET http://a.test/",
        ],
    );
}

#[test]
fn b2_to_b4_events() {
    check_stream("event:a\n\ndata:1\n\n", &["message \"1\""]);
    check_stream("data:\n\n", &["message \"\""]);
    check_stream("data:\ndata:\n\n", &["message \"\\n\""]);
    check_stream("event:\ndata:1\n\n", &["message \"1\""]);
}

#[test]
fn b4_the_url_that_is_announced_is_the_last_of_the_redirects() {
    check(
        standard(),
        [redirect(307, "http://b.test/x?y#z"), stream()],
        &[
            "0 GET http://a.test/",
            "0 GET http://b.test/x?y",
            "0 open http://b.test/x?y",
        ],
    );
}

#[test]
fn b5_nothing_is_parsed_after_close() {
    let mut world = World::new(standard(), [stream().send("data:1\n\n")]);
    world.run();
    let mut bytes = &b"data:2\n\ndata:3\n\n"[..];
    assert!(world.machine.bytes(&mut bytes, world.now).is_some());
    world.machine.handle(Input::Close, world.now);
    assert!(world.machine.bytes(&mut bytes, world.now).is_none());
    assert!(bytes.is_empty());
}

#[test]
fn a4_ready_state() {
    let mut world = World::new(standard(), [stream().after(10).end(), status(404)]);
    let mut seen = Vec::new();
    for end in [0, 5, 20, 4000] {
        seen.push((
            world.run_until(end).machine.state(),
            world.machine.ready_state() as u8,
        ));
    }
    assert_eq!(
        seen,
        [
            (State::Open, 1),
            (State::Open, 1),
            (State::Waiting, 0),
            (State::Closed, 2)
        ]
    );
    let (machine, _) = Machine::new(standard(), Duration::ZERO);
    assert_eq!(machine.ready_state(), ReadyState::Connecting);
}

#[test]
fn a6_close_fires_nothing_in_any_state_and_twice() {
    for (name, server, at) in [
        ("connecting", silence(), 0),
        ("open", stream(), 0),
        ("waiting", refused(), 100),
        ("closed", status(404), 0),
    ] {
        let mut world = World::new(standard(), [server]);
        let before = world.run_until(at).trace.len();
        world.user(User::Close).user(User::Close).run();
        assert_eq!(world.trace.len(), before, "{name}: {:#?}", world.trace);
        assert_eq!(world.machine.state(), State::Closed, "{name}");
    }
}

#[test]
fn r2_r3_headers_go_out_exactly_so() {
    let world = World::new(standard(), []);
    let headers = &world.requests[0].headers;
    let sent: Vec<(&str, &[u8])> = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .collect();
    assert_eq!(
        sent,
        [
            ("accept", &b"text/event-stream"[..]),
            ("cache-control", b"no-cache"),
        ]
    );
}

#[test]
fn r4_the_id_goes_out_as_utf8_and_not_at_first() {
    let server = [
        stream().send("id:…\u{1F600} é\ndata:1\n\n").end(),
        silence(),
    ];
    let mut world = World::new(standard(), server);
    world.run();
    assert!(!world.requests[0].headers.contains_key("last-event-id"));
    assert_eq!(
        world.requests[1].headers["last-event-id"].as_bytes(),
        "…\u{1F600} é".as_bytes()
    );
}

#[test]
fn r4_an_id_from_an_earlier_run_goes_out_at_first() {
    let mut options = standard();
    options.last_event_id = Some(EventId::new("ü").unwrap());
    options
        .headers
        .insert("last-event-id", "not this".parse().unwrap());
    let world = World::new(options.clone(), []);
    assert_eq!(
        world.requests[0].headers["last-event-id"].as_bytes(),
        "ü".as_bytes()
    );
    assert_eq!(
        world.requests[0]
            .headers
            .get_all("last-event-id")
            .iter()
            .count(),
        1
    );

    options.last_event_id = None;
    let world = World::new(options, [stream().send("id\n\n").end()])
        .run()
        .requests
        .clone();
    assert_eq!(world[0].headers["last-event-id"], "not this");
    assert!(
        !world[1].headers.contains_key("last-event-id"),
        "it was reset"
    );
}

#[test]
fn r5_an_id_that_no_header_can_carry_is_not_sent() {
    for id in ["\u{1}", "a\u{7f}b", "\u{1b}[31m"] {
        let server = [
            stream().send(format!("id:{id}\ndata:1\n\n")).end(),
            stream(),
        ];
        let mut world = World::new(standard(), server);
        world.run();
        assert!(
            !world.requests[1].headers.contains_key("last-event-id"),
            "{id:?}"
        );
        assert_eq!(world.machine.last_event_id(), id);
        assert_eq!(world.machine.state(), State::Open);
    }
    let server = [stream().send("id:a\tb\ndata:1\n\n").end(), stream()];
    let mut world = World::new(standard(), server);
    assert_eq!(world.run().requests[1].headers["last-event-id"], "a\tb");
}

/// Every row of the response decision table, in the order of the standard.
#[test]
fn f_d10_d11_the_response_decision_table() {
    let lines = |answer: Answer| {
        let mut world = World::new(standard(), [answer]);
        world.run_until(100);
        (world.trace.split_off(1).join(" / "), world.machine.state())
    };
    for kind in [
        TransportErrorKind::Resolve,
        TransportErrorKind::Connect,
        TransportErrorKind::Tls,
        TransportErrorKind::Proxy,
        TransportErrorKind::Http,
        TransportErrorKind::Io,
        TransportErrorKind::Encoding,
    ] {
        let (line, state) = lines(silence().cut_by(kind));
        assert!(
            line.starts_with("0 reconnecting in 3000: "),
            "{kind:?}: {line}"
        );
        assert_eq!(state, State::Waiting);
    }
    let (line, state) = lines(silence().cut_by(TransportErrorKind::Scheme));
    assert_eq!(line, "0 failed: the URL's scheme is not http or https");
    assert_eq!(state, State::Closed);

    for code in (100..600).filter(|code| ![200, 301, 302, 303, 307, 308].contains(code)) {
        let answer = status(code).header("content-type", "text/event-stream");
        let expected = format!("0 failed: the server answered {code}, an event stream needs 200");
        assert_eq!(lines(answer), (expected, State::Closed));
    }
    let not_a_stream = "0 failed: the response's Content-Type is not text/event-stream";
    for answer in [status(200), status(200).header("content-type", "text/html")] {
        assert_eq!(lines(answer), (not_a_stream.to_owned(), State::Closed));
    }
    for value in [
        "text/event-stream;",
        "Text/Event-Stream; charset=windows-1252",
    ] {
        let answer = status(200).header("content-type", value);
        assert_eq!(
            lines(answer),
            ("0 open http://a.test/".to_owned(), State::Open)
        );
    }
    for (answer, cause) in [
        (stream().end(), "the server ended the stream"),
        (stream().cut(), "the connection broke"),
    ] {
        let expected = format!("0 open http://a.test/ / 0 reconnecting in 3000: {cause}");
        assert_eq!(lines(answer), (expected, State::Waiting));
    }
}

#[test]
fn t1_t2_t5_error_comes_before_the_next_open() {
    check(
        standard(),
        [refused(), stream().after(10).end(), stream()],
        &[
            "0 GET http://a.test/",
            "0 reconnecting in 3000: the server could not be reached",
            "3000 GET http://a.test/",
            "3000 open http://a.test/",
            "3010 reconnecting in 6000: the server ended the stream",
            "9010 GET http://a.test/",
            "9010 open http://a.test/",
        ],
    );
}

#[test]
fn t1_t3_nothing_is_announced_and_nothing_fails_after_close() {
    for input in [
        Input::End,
        Input::Timer,
        Input::Restart,
        Input::Refused("no token".into()),
        Input::Error(TransportErrorKind::Io.into()),
    ] {
        let mut world = World::new(standard(), [stream()]);
        world.run().user(User::Close);
        let step = world.machine.handle(input, world.now);
        assert!(step.notice.is_none());
        assert_eq!(step.then, Then::Stop);
    }
}

#[test]
fn t4_the_wait_is_exact_after_streams_that_brought_events() {
    for retry in [0, 1, 3000] {
        let answer = move || {
            stream()
                .after(5)
                .send(format!("retry:{retry}\ndata\n\n"))
                .end()
        };
        let mut world = World::new(standard(), (0..4).map(|_| answer()));
        world.run();
        let waits: Vec<&String> = world
            .trace
            .iter()
            .filter(|line| line.contains("reconnecting"))
            .collect();
        assert_eq!(waits.len(), 4);
        let expected = format!("reconnecting in {retry}: the server ended the stream");
        assert!(
            waits.iter().all(|line| line.ends_with(&expected)),
            "{waits:?}"
        );
        assert_eq!(world.now.as_millis(), 24 * 60 * 60 * 1000);
    }
}

#[test]
fn t6_reconnection_time_and_last_event_id_live_across_connections() {
    check(
        standard(),
        [
            stream().send("retry:50\nid:1\ndata\n\n").end(),
            stream().send("data\n\n").end(),
            stream().send("data\n\n").cut(),
        ],
        &[
            "0 GET http://a.test/",
            "0 open http://a.test/",
            "0 retry 50",
            "0 message \"\" id \"1\"",
            "0 reconnecting in 50: the server ended the stream",
            "50 GET http://a.test/ after 1",
            "50 open http://a.test/",
            "50 message \"\" id \"1\"",
            "50 reconnecting in 50: the server ended the stream",
            "100 GET http://a.test/ after 1",
            "100 open http://a.test/",
            "100 message \"\" id \"1\"",
            "100 reconnecting in 50: the connection broke",
            "150 GET http://a.test/ after 1",
        ],
    );
}

#[test]
fn p1_a_body_opens_and_fails_at_its_end() {
    let body = || Machine::of_body(Limits::default(), Duration::ZERO);
    assert_eq!(body().0.ready_state(), ReadyState::Connecting);
    for (answer, error) in [
        (silence().end(), "the server ended the stream"),
        (silence().cut(), "the connection broke"),
    ] {
        let mut world = World::of_body(body(), answer);
        assert_trace(
            world.run(),
            &["0 open about:event-stream", &format!("0 failed: {error}")],
        );
    }
    assert_eq!(
        url("about:event-stream").origin().ascii_serialization(),
        "null"
    );
}

#[test]
fn p1_a_body_tells_events_ids_and_the_reconnection_time() {
    let body = silence().send("id:1\nretry:70\ndata:1\n\n");
    let mut world = World::of_body(Machine::of_body(Limits::default(), Duration::ZERO), body);
    assert_eq!(world.machine.reconnection_time(), Duration::from_secs(3));
    assert_trace(
        world.run(),
        &[
            "0 open about:event-stream",
            "0 retry 70",
            "0 message \"1\" id \"1\"",
        ],
    );
    assert_eq!(world.machine.last_event_id(), "1");
    assert_eq!(world.machine.reconnection_time(), Duration::from_millis(70));
    assert_eq!(world.machine.deadline(), None);
}

#[test]
fn p1_a_body_never_connects() {
    let (mut machine, then) = Machine::of_body(Limits::default(), Duration::ZERO);
    assert_eq!(then, Then::Continue);
    for before_body in [true, false] {
        let head = status_head();
        for input in [Input::Restart, Input::Timer, Input::Head(head)] {
            let step = machine.handle(input, Duration::from_secs(1_000_000));
            assert!(step.notice.is_none());
            assert_eq!(step.then, Then::Continue);
        }
        if before_body {
            machine.handle(Input::Body, Duration::ZERO);
        }
    }
    assert_eq!(machine.state(), State::Open);
}

fn status_head() -> tidings_eventsource::protocol::Head {
    let mut headers = http::HeaderMap::new();
    headers.insert("content-type", "text/event-stream".parse().unwrap());
    tidings_eventsource::protocol::Head {
        status: http::StatusCode::OK,
        headers,
    }
}

#[test]
fn p1_reset_drops_what_is_unfinished_and_keeps_the_last_event_id() {
    let body = silence()
        .send("id:1\ndata:1\n\nid:2\nevent:x\ndata:2")
        .after(10)
        .send("data:3\n\n");
    let mut world = World::of_body(Machine::of_body(Limits::default(), Duration::ZERO), body);
    world.run_until(5).user(User::Reset);
    assert_trace(
        world.run(),
        &[
            "0 open about:event-stream",
            "0 message \"1\" id \"1\"",
            "10 message \"3\" id \"1\"",
        ],
    );
}
