//! What an `EventStream` gives, over a server in memory and in virtual time.

mod stream;

use futures_util::stream::FusedStream;
use http::HeaderValue;
use http::header::COOKIE;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use stream::{SECOND, World, all};
use tidings_eventsource::protocol::{IdleTimeout, Policy};
use tidings_eventsource::transport::Answer;
use tidings_eventsource::transport::TransportErrorKind;
use tidings_eventsource::{Builder, Error, InvalidRequest};

/// What a stream with `policy` gives of these answers, by second.
fn check(policy: Policy, answers: impl IntoIterator<Item = Answer>, expected: &[&str]) {
    let world = World::new(answers);
    let stream = world.builder().policy(policy).open().expect("valid");
    assert_eq!(world.told(stream), expected);
}

/// What [`EventStream::notices`] gives of them.
fn check_notices(policy: Policy, answers: impl IntoIterator<Item = Answer>, expected: &[&str]) {
    let world = World::new(answers);
    let builder = world.builder().policy(policy).comments(true);
    let notices = builder.open().expect("valid").notices();
    assert_eq!(world.told(notices), expected);
}

/// What the builder says of what can't be sent.
fn check_invalid(set: impl FnOnce(Builder) -> Builder, expected: InvalidRequest) {
    let world = World::new([]);
    match set(world.builder()).open() {
        Err(Error::Invalid(invalid)) => assert_eq!(invalid, expected),
        other => panic!("{other:?}"),
    }
}

#[test]
fn gives_events_over_all_connections() {
    check(
        Policy::standard(),
        [
            Answer::stream()
                .chunk("data: 1\n\nevent: x\nid: a\nda")
                .pass(SECOND)
                .chunk("ta: 2\n\n")
                .end(),
            Answer::stream().chunk("data: 3\n\n").breaks(),
            Answer::status(204),
        ],
        &[
            "0 message \"1\" ",
            "1 x \"2\" #a",
            "4 message \"3\" a",
            "7 last: the server answered 204, an event stream needs 200",
        ],
    );
}

#[test]
fn notices_are_everything_that_happens() {
    check_notices(
        Policy::standard(),
        [
            Answer::stream()
                .chunk(": hello\nretry: 500\n\ndata: 1\n\n")
                .chunk("event: tidings:gap\nid: td-7\ndata: {\"reason\":\"expired\"}\n\n")
                .end(),
            Answer::status(204),
        ],
        &[
            "0 open http://hub.example/t/news",
            "0 comment \"hello\"",
            "0 retry 0.5",
            "0 message \"1\" ",
            "0 gap Expired td-7",
            "0 reconnecting in 0.5: the server ended the stream",
            "0.5 last: the server answered 204, an event stream needs 200",
        ],
    );
}

#[test]
fn once_ends_with_the_answer() {
    check(
        Policy::once(),
        [Answer::stream()
            .chunk("data: 1\n\ndata: 2\n\ndata: 3")
            .end()],
        &["0 message \"1\" ", "0 message \"2\" "],
    );
}

#[test]
fn once_fails_where_an_answer_breaks() {
    check(
        Policy::once(),
        [Answer::stream().chunk("data: 1\n\n").breaks()],
        &["0 message \"1\" ", "0 last: the connection broke"],
    );
}

#[test]
fn an_end_marker_ends_it() {
    let check = |answer: Answer, expected: &[&str]| {
        let world = World::new([answer]);
        let builder = world.builder().policy(Policy::once());
        let stream = builder.until_data("[DONE]").open().expect("valid");
        assert_eq!(all(&world, stream), expected);
        let over = world.server.exchanges()[0].over;
        assert!(over.is_some(), "the request is aborted");
    };
    let deltas = Answer::stream().chunk("data: 1\n\ndata: [DONE]\n\ndata: 2\n\n");
    check(deltas.clone(), &["message \"1\" "]);
    check(deltas.end(), &["message \"1\" "]);
    // Without it something is missing.
    check(
        Answer::stream().chunk("data: [DONE] \n\n").end(),
        &["message \"[DONE] \" ", "last: the server ended the stream"],
    );
}

#[test]
fn d8_what_is_too_large_is_told_and_the_stream_goes_on() {
    let world = World::new([Answer::stream()
        .chunk("data: 1\n\n")
        .chunk(format!("id: 2\ndata: {}\n\ndata: 3\n\n", "x".repeat(100)))
        .end()]);
    let limits = tidings_codec::Limits {
        max_event: 50,
        max_id: 10,
    };
    let builder = world.builder().limits(limits).policy(Policy::once());
    assert_eq!(
        all(&world, builder.open().expect("valid")),
        [
            "message \"1\" ",
            "passing: an event is larger than the limit of 50 bytes; the block that begins at \
             byte 9 of the stream was skipped",
            "message \"3\" 2",
        ]
    );
}

#[test]
fn d14_a_silent_server_is_left() {
    let world = World::new([
        Answer::stream().chunk("data: 1\n\n").pass(SECOND * 3600),
        Answer::status(404),
    ]);
    let builder = world.builder().policy(Policy::standard());
    let stream = builder
        .idle_timeout(IdleTimeout::After(SECOND * 20))
        .open()
        .expect("valid");
    assert_eq!(
        world.told(stream.notices()),
        [
            "0 open http://hub.example/t/news",
            "0 message \"1\" ",
            "20 reconnecting in 3: the server was silent for 20 s",
            "23 last: the server answered 404, an event stream needs 200",
        ]
    );
}

#[test]
fn sends_what_it_was_told_to() {
    let world = World::new([Answer::stream().end(), Answer::status(204)]);
    let stream = world
        .builder()
        .policy(Policy::standard())
        .header("X-Tenant", "7")
        .header("x-tenant", "8")
        .bearer("secret")
        .secret_header("x-api-key", "secret")
        .headers(
            [(COOKIE, HeaderValue::from_static("a=secret"))]
                .into_iter()
                .collect(),
        )
        .body("application/json", "{}")
        .open()
        .expect("valid");
    world.told(stream);
    let requests = world.server.requests();
    assert_eq!(requests.len(), 2);
    for request in requests {
        assert_eq!(request.method, "POST");
        assert_eq!(request.body.as_deref(), Some(&b"{}"[..]));
        for (name, value) in [
            ("accept", "text/event-stream"),
            ("cache-control", "no-cache"),
            ("x-tenant", "8"),
            ("authorization", "Bearer secret"),
            ("x-api-key", "secret"),
            ("cookie", "a=secret"),
            ("content-type", "application/json"),
        ] {
            let values: Vec<_> = request.headers.get_all(name).iter().collect();
            assert_eq!(values, [value], "{name}");
        }
        let shown = format!("{request:?}");
        assert!(!shown.contains("secret"), "{shown}");
    }
}

#[test]
fn d17_begins_after_the_id_that_is_given() {
    let world = World::new([Answer::stream().end(), Answer::status(204)]);
    let builder = world.builder().policy(Policy::standard());
    let stream = builder.last_event_id("…7").open().expect("valid");
    assert_eq!(stream.handle().last_event_id(), "…7");
    world.told(stream);
    assert_eq!(world.resumed_from(), ["…7", "…7"]);
}

#[test]
fn what_cannot_be_sent_is_an_error_of_open() {
    check_invalid(|b| b.header("a b", "1"), InvalidRequest::Header);
    check_invalid(|b| b.header("a", "1\n2"), InvalidRequest::Header);
    check_invalid(|b| b.body("text\r\n", ""), InvalidRequest::Header);
    check_invalid(|b| b.last_event_id("1\n2"), InvalidRequest::LastEventId);
    check_invalid(|b| b.last_event_id("1\0"), InvalidRequest::LastEventId);
    // The first that is wrong.
    check_invalid(
        |b| b.last_event_id("\r").header("", ""),
        InvalidRequest::LastEventId,
    );
    let world = World::new([]);
    for url in ["", "/t/news", "http://", "http://a b/"] {
        let builder = Builder::new(url, world.server.clone(), world.runtime.clone());
        assert!(
            matches!(builder.open(), Err(Error::Invalid(InvalidRequest::Url))),
            "{url}"
        );
    }
}

#[test]
fn the_hook_runs_before_each_attempt() {
    let world = World::new([
        Answer::stream().end(),
        Answer::status(307).header("location", "/elsewhere"),
        Answer::status(204),
    ]);
    let attempts = AtomicU32::new(0);
    let stream = world
        .builder()
        .policy(Policy::standard())
        .before_attempt(move |mut request| {
            let attempt = attempts.fetch_add(1, Ordering::Relaxed);
            async move {
                let value = attempt.to_string().parse().expect("a value");
                request.headers.insert("x-attempt", value);
                Ok(request)
            }
        })
        .open()
        .expect("valid");
    world.told(stream);
    let requests = world.server.requests();
    let seen: Vec<_> = requests
        .iter()
        .map(|request| (request.url.path(), &request.headers["x-attempt"]))
        .map(|(path, attempt)| (path, attempt.to_str().expect("a number")))
        .collect();
    // A redirect is part of its attempt.
    assert_eq!(
        seen,
        [("/t/news", "0"), ("/t/news", "1"), ("/elsewhere", "1")]
    );
}

#[test]
fn a_hook_that_fails_is_a_failed_attempt() {
    let world = World::new([Answer::status(204)]);
    let attempts = AtomicU32::new(0);
    let stream = world
        .builder()
        .policy(Policy::standard())
        .before_attempt(move |request| {
            let attempt = attempts.fetch_add(1, Ordering::Relaxed);
            async move {
                match attempt {
                    0 => Err("no token".into()),
                    _ => Ok(request),
                }
            }
        })
        .open()
        .expect("valid");
    assert_eq!(
        all(&world, stream.notices()),
        [
            "reconnecting in 3: the hook before the attempt failed: no token",
            "last: the server answered 204, an event stream needs 200",
        ]
    );
}

#[test]
fn f_a_futile_error_ends_it() {
    check(
        Policy::resilient(),
        [Answer::error(TransportErrorKind::Scheme)],
        &["0 last: the URL's scheme is not http or https"],
    );
}

#[test]
fn it_is_fused() {
    let world = World::new([Answer::stream().chunk("data: 1\n\n").end()]);
    let builder = world.builder().policy(Policy::once());
    let mut stream = builder.open().expect("valid");
    world.runtime.block_on(async {
        assert!(!stream.is_terminated());
        assert!(stream.next().await.is_some());
        assert!(!stream.is_terminated());
        for _ in 0..3 {
            assert!(stream.next().await.is_none());
            assert!(stream.is_terminated());
        }
    });
}

#[test]
fn it_can_be_moved_to_other_threads() {
    fn check<T: Send + Unpin + 'static>(_: &T) {}
    let world = World::new([]);
    let stream = world.builder().open().expect("valid");
    check(&Arc::new(stream.handle()));
    check(&stream.handle().watch());
    check(&stream);
    let notices = stream.notices();
    check(&notices);
}
