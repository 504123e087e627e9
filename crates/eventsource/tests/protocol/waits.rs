//! How long is waited, and what is tried again, in each preset: T2, T4, d5, d12
//! and d16.

use crate::world::*;
use std::time::Duration;
use tidings_eventsource::protocol::{
    Budget, Input, Machine, Options, Policy, Retries, State, Then,
};

fn with(policy: Policy) -> Options {
    Options::new(url(URL), policy)
}

/// Lost at once, after an event.
fn event() -> Answer {
    stream().send("data\n\n").end()
}

/// Lost at once, with nothing in it.
fn nothing() -> Answer {
    stream().end()
}

/// The waits, in milliseconds.
fn waits(options: Options, server: impl IntoIterator<Item = Answer>) -> Vec<u64> {
    let server: Vec<Answer> = server.into_iter().collect();
    let requests = server.len();
    let mut world = World::new(options, server);
    // What follows is not of interest.
    while world.requests.len() <= requests && world.step() {}
    let told = world.trace.iter().filter_map(|line| {
        let (_, rest) = line.split_once("reconnecting in ")?;
        rest.split_once(':')?.0.parse().ok()
    });
    told.collect()
}

#[track_caller]
fn check_standard(server: impl IntoIterator<Item = Answer>, expected: &[u64]) {
    assert_eq!(waits(standard(), server), expected);
}

/// Each wait is within its range, in milliseconds, over many seeds, and most of
/// the range is used.
#[track_caller]
fn check_resilient(server: impl IntoIterator<Item = Answer>, expected: &[(u64, u64)]) {
    let server: Vec<Answer> = server.into_iter().collect();
    let mut seen: Vec<Vec<u64>> = vec![Vec::new(); expected.len()];
    for seed in 0..300 {
        let mut options = with(Policy::resilient());
        options.seed = seed;
        let waits = waits(options, server.clone());
        assert_eq!(waits.len(), expected.len(), "seed {seed}: {waits:?}");
        for (at, (wait, (least, most))) in waits.iter().zip(expected).enumerate() {
            assert!(
                (least..=most).contains(&wait),
                "seed {seed}: wait {at} is {wait}, not within {least} to {most}"
            );
            seen[at].push(*wait);
        }
    }
    for (at, (waits, (least, most))) in seen.iter().zip(expected).enumerate() {
        let spread = waits.iter().max().unwrap() - waits.iter().min().unwrap();
        assert!(
            spread >= (most - least) * 6 / 10,
            "wait {at}: spread {spread}"
        );
    }
}

#[test]
fn t4_standard_waits_longer_only_after_two_failed_attempts_in_a_row() {
    let refusals = || std::iter::repeat_n(refused(), 8);
    check_standard(
        refusals(),
        &[3000, 6000, 12_000, 24_000, 48_000, 60_000, 60_000, 60_000],
    );
    let mut after_an_event = vec![refused(), refused(), refused(), event()];
    after_an_event.extend([refused(), refused(), refused()]);
    check_standard(
        after_an_event,
        &[3000, 6000, 12_000, 3000, 3000, 6000, 12_000],
    );
}

#[test]
fn t4_standard_begins_anew_after_an_event_or_ten_seconds() {
    let stood = |millis| stream().after(millis).end();
    let failing = || vec![refused(), refused(), refused()];
    for (last, wait) in [
        (event(), 3000),
        (stood(10_000), 3000),
        (stood(9_999), 24_000),
        (stream().send(":\n\nid:1\n\n").end(), 24_000),
        (stream().send("retry:100\n").end(), 1_000),
    ] {
        let mut server = failing();
        server.push(last);
        check_standard(server, &[3000, 6000, 12_000, wait]);
    }
}

#[test]
fn d16_standard_asks_a_server_that_brings_nothing_at_most_once_a_second() {
    let retry_once = stream().send("retry:0\n").end();
    let mut server = vec![retry_once];
    server.extend(std::iter::repeat_n(nothing(), 7));
    check_standard(
        server,
        &[0, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000],
    );
    // Who says when each time is asked then, but not all the time.
    for (retry, wait) in [(0, 1_000), (999, 1_000), (5_000, 5_000)] {
        let answer = stream().send(format!("retry:{retry}\n\n")).end();
        check_standard(
            std::iter::repeat_n(answer, 5),
            &[retry, wait, wait, wait, wait],
        );
    }
}

#[test]
fn d16_standard_honours_retry_0_of_a_server_that_brings_events() {
    let first = stream().send("retry:0\ndata\n\n").end();
    let mut server = vec![first];
    server.extend(std::iter::repeat_n(event(), 5));
    check_standard(server, &[0; 6]);
}

#[test]
fn d5_the_server_s_retry_is_clamped() {
    let day = 24 * 60 * 60 * 1000;
    for (field, wait) in [
        ("0", 0),
        ("86400000", day),
        ("86400001", day),
        ("99999999999999999999", day),
        ("10s", 3000),
        ("-1", 3000),
        ("\u{663}", 3000),
        ("", 3000),
    ] {
        let answer = stream().send(format!("retry:{field}\ndata\n\n")).end();
        check_standard([answer], &[wait]);
    }
    for (field, least, most) in [
        (0, 100, 125),
        (99, 100, 125),
        (2_000, 2_000, 2_500),
        (999_999_999, 300_000, 300_000),
    ] {
        let answer = stream().send(format!("retry:{field}\ndata\n\n")).end();
        check_resilient([answer], &[(least, most)]);
    }
}

#[test]
fn t2_a_reconnection_time_beyond_the_ceiling_is_waited() {
    let long = || stream().send("retry:90000\n").cut();
    check_standard([long(), refused(), refused()], &[90_000; 3]);
}

#[test]
fn d12_resilient_waits_at_random_between_the_least_and_thrice_the_one_before() {
    check_resilient(
        std::iter::repeat_n(refused(), 4),
        &[(1000, 3000), (1000, 9000), (1000, 27_000), (1000, 60_000)],
    );
}

#[test]
fn d16_resilient_begins_anew_only_after_an_event_and_ten_seconds() {
    let again = (1000, 3000);
    let on = (1000, 27_000);
    for (third, wait) in [
        (stream().send("data\n\n").after(10_000).end(), again),
        (stream().after(10_000).send("data\n\n").end(), again),
        (stream().send("data\n\n").after(9_999).end(), on),
        (stream().after(10_000).end(), on),
    ] {
        let server = [refused(), refused(), third];
        check_resilient(server, &[(1000, 3000), (1000, 9000), wait]);
    }
}

#[test]
fn d16_resilient_asks_at_most_once_a_second_on_average() {
    for answer in [
        nothing(),
        event(),
        stream().send("retry:1\n\n").end(),
        stream().send("retry:1\ndata\n\n").end(),
        status(503).header("retry-after", "0"),
        refused(),
    ] {
        for seed in 0..20 {
            let mut options = with(Policy::resilient());
            options.seed = seed;
            let waits = waits(options, std::iter::repeat_n(answer.clone(), 30));
            let total: u64 = waits.iter().sum();
            // Only the first may come sooner.
            assert!(total >= 29_000, "seed {seed}: {waits:?}");
        }
    }
}

#[test]
fn d12_retry_after_is_waited_and_clamped() {
    let sent = "Sun, 06 Nov 1994 08:49:37 GMT";
    let answer = |value: &str| {
        status(503)
            .header("retry-after", value)
            .header("date", sent)
    };
    for (value, least, most) in [
        ("7", 7_000, 8_750),
        ("0", 0, 0),
        ("299", 299_000, 300_000),
        ("301", 300_000, 300_000),
        ("99999999999999999999999", 300_000, 300_000),
        ("Sun, 06 Nov 1994 08:49:57 GMT", 20_000, 25_000),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 300_000, 300_000),
        ("Sun, 06 Nov 1994 08:00:00 GMT", 0, 0),
        ("soon", 1_000, 3_000),
    ] {
        check_resilient([answer(value)], &[(least, most)]);
    }
    let undated = status(503).header("retry-after", "Sun, 06 Nov 1994 08:49:57 GMT");
    check_resilient([undated], &[(1_000, 3_000)]);
    check_resilient([answer("0"), answer("0")], &[(0, 0), (1_000, 1_250)]);
}

#[test]
fn d12_what_a_server_says_makes_no_wait_grow() {
    let busy = status(429).header("retry-after", "5");
    let mut server = vec![busy; 6];
    server.push(refused());
    let mut expected = vec![(5_000, 6_250); 6];
    // As after two failed attempts.
    expected.push((1_000, 3_000));
    let waits = {
        let mut options = with(Policy::resilient());
        options.seed = 3;
        waits(options, server.clone())
    };
    assert!(
        waits[..6].iter().all(|wait| (5_000..=6_250).contains(wait)),
        "{waits:?}"
    );
    check_resilient(server, &expected);
}

#[test]
fn d12_statuses_that_are_tried_again() {
    for code in (100..=599).filter(|code| ![200, 301, 302, 303, 307, 308].contains(code)) {
        let again = matches!(code, 408 | 425 | 429 | 500..);
        for (policy, retried) in [
            (Policy::standard(), false),
            (Policy::resilient(), again),
            (Policy::once(), again),
        ] {
            let mut world = World::new(with(policy), [status(code)]);
            let state = world.run_until(0).machine.state();
            let expected = if retried {
                State::Waiting
            } else {
                State::Closed
            };
            assert_eq!(state, expected, "{code} {:?}", policy.retries);
        }
    }
}

#[test]
fn d11_what_is_no_event_stream_is_never_tried_again() {
    for policy in [Policy::standard(), Policy::resilient(), Policy::once()] {
        for answer in [
            status(200),
            status(200).header("content-type", "text/html"),
            redirect(302, ""),
        ] {
            let mut world = World::new(with(policy), [answer]);
            assert_eq!(world.run().machine.state(), State::Closed);
            assert_eq!(world.requests.len(), 1);
        }
    }
}

#[test]
fn once_a_clean_end_is_the_end() {
    for body in ["", "data:1\n\n", "data:1\n\ndata:2"] {
        let mut world = World::new(with(Policy::once()), [stream().send(body).end()]);
        assert_eq!(world.run().trace.last().unwrap(), "0 complete");
        assert_eq!(world.machine.state(), State::Closed);
    }
}

#[test]
fn once_tries_again_only_before_the_first_event() {
    let mut world = World::new(
        with(Policy::once()),
        [
            refused(),
            status(503),
            stream().send(": wait\n\nid:1\n\ndata:half").cut(),
            stream().send("data:1\n\ndata:2").cut(),
        ],
    );
    world.run();
    assert_eq!(world.requests.len(), 4);
    let last = world.trace.last().unwrap();
    assert!(last.ends_with(" failed: the connection broke"), "{last}");

    let mut world = World::new(with(Policy::once()), [stream().send("data:1\n\n")]);
    let last = world.run().trace.last().unwrap();
    assert_eq!(last, "45000 failed: the server was silent for 45 s");
}

#[test]
fn once_does_not_ask_again_for_what_was_too_large() {
    let mut options = with(Policy::once());
    options.limits.max_event = 4;
    let mut world = World::new(options, [stream().send("data:12345\n\n").cut()]);
    let last = world.run().trace.last().unwrap();
    assert!(last.ends_with(" failed: the connection broke"), "{last}");
}

#[test]
fn once_gives_up_after_four_attempts() {
    let mut world = World::new(with(Policy::once()), std::iter::repeat_n(refused(), 9));
    world.run();
    assert_eq!(world.requests.len(), 4);
    let last = world.trace.last().unwrap();
    let expected =
        " failed: gave up (failed attempts in a row: 4): the server could not be reached";
    assert!(last.ends_with(expected), "{last}");
}

#[test]
fn a_budget_of_time_gives_up_instead_of_waiting_beyond_it() {
    let mut options = with(Policy::once());
    let answer = status(503).header("retry-after", "121");
    let mut world = World::new(options.clone(), [answer.clone()]);
    let expected = "0 failed: gave up (failed attempts in a row: 1): \
                    the server answered 503, an event stream needs 200";
    assert_eq!(world.run().trace.last().unwrap(), expected);

    let exactly = |after: &str| {
        let mut options = standard();
        options.policy.retries = Retries::Transient;
        options.policy.budget = Policy::once().budget;
        let answer = status(503).header("retry-after", after);
        World::new(options, [answer]).run_until(0).machine.state()
    };
    assert_eq!(exactly("120"), State::Waiting);
    assert_eq!(exactly("121"), State::Closed);

    options.policy.budget = Some(Budget {
        attempts: u32::MAX,
        time: Duration::MAX,
    });
    let mut world = World::new(options, [answer, stream()]);
    assert_eq!(world.run_until(160_000).machine.state(), State::Open);
}

#[test]
fn a_budget_begins_anew_with_a_stream_that_stood() {
    let mut options = with(Policy::resilient());
    options.policy.budget = Some(Budget {
        attempts: 2,
        time: Duration::from_secs(60),
    });
    // Quiet for half an hour, but for heartbeats.
    let mut quiet = stream();
    for _ in 0..60 {
        quiet = quiet.after(30_000).send(":\n");
    }
    for (third, requests) in [
        (quiet.end(), 4),
        (event(), 4),
        (stream().after(9_999).end(), 2),
        (nothing(), 2),
    ] {
        let server = [refused(), third, refused(), refused(), refused()];
        let mut world = World::new(options.clone(), server);
        world.run();
        assert_eq!(world.requests.len(), requests, "{:#?}", world.trace);
        assert_eq!(world.machine.state(), State::Closed);
    }
}

#[test]
fn a_budget_of_no_attempts_is_one_of_one() {
    let mut options = standard();
    options.policy.budget = Some(Budget {
        attempts: 0,
        time: Duration::MAX,
    });
    let mut world = World::new(options, [event(), refused()]);
    world.run();
    assert_eq!(world.requests.len(), 2);
    assert_eq!(world.machine.state(), State::Closed);
}

#[test]
fn a_restart_connects_at_once_from_any_state_and_forgets_what_failed() {
    let told = |at: u64| format!("{at} reconnecting in 0: a restart was asked for");
    for (server, at) in [
        (silence(), 5),
        (stream().send("id:1\ndata\n\nid:2\ndata"), 5),
        (refused(), 5),
    ] {
        let mut world = World::new(standard(), [refused(), refused(), server]);
        // The third request goes out at 9 s.
        world.run_until(9_000 + at).user(User::Restart);
        let after = if world.machine.last_event_id() == "1" {
            " after 1"
        } else {
            ""
        };
        let expected = [
            told(9_000 + at),
            format!("{} GET http://a.test/{after}", 9_000 + at),
        ];
        assert!(world.trace.ends_with(&expected), "{:#?}", world.trace);
        world.give(Input::Error(
            tidings_eventsource::transport::TransportErrorKind::Io.into(),
        ));
        assert!(world.trace.last().unwrap().contains("reconnecting in 3000"));
    }
}

#[test]
fn a_restart_after_the_first_event_of_an_answer_asks_again() {
    let server = [stream().send("data:1\n\n"), refused(), event()];
    let mut world = World::new(with(Policy::once()), server);
    world.run_until(0).user(User::Restart).run_until(3_500);
    assert_eq!(world.requests.len(), 3);
    assert!(world.trace.last().unwrap().ends_with(" complete"));
}

#[test]
fn a_restart_has_a_budget_of_its_own() {
    let mut world = World::new(with(Policy::once()), std::iter::repeat_n(refused(), 9));
    while world.requests.len() < 4 {
        world.step();
    }
    world.user(User::Restart).run();
    assert_eq!(world.requests.len(), 8);

    let mut options = standard();
    options.policy.budget = Some(Budget {
        attempts: u32::MAX,
        time: Duration::from_secs(10),
    });
    let mut world = World::new(options, std::iter::repeat_n(refused(), 9));
    world.run_until(5_000).user(User::Restart).run();
    let requests = world.trace.iter().filter(|line| line.contains("GET"));
    let at: Vec<&str> = requests.filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(at, ["0", "3000", "5000", "8000", "14000"]);
}

#[test]
fn what_begins_later_than_it_is_made_has_all_of_its_time() {
    let (mut machine, made) = Machine::new(with(Policy::once()), Duration::ZERO);
    let late = Duration::from_secs(600);
    assert_eq!(machine.begin(late), made, "the same request");
    assert_eq!(machine.deadline(), Some(late + Duration::from_secs(30)));
    let step = machine.handle(Input::Refused("no token".into()), late);
    assert!(matches!(step.then, Then::Wait(_)), "{step:?}");

    machine.handle(Input::Close, late);
    assert_eq!(machine.begin(late), Then::Stop);
    let (mut machine, _) = Machine::of_body(Default::default(), Duration::ZERO);
    assert_eq!(machine.begin(late), Then::Continue);
}

#[test]
fn a_hook_that_fails_is_tried_again_as_an_attempt_that_failed() {
    for policy in [Policy::standard(), Policy::resilient(), Policy::once()] {
        let mut world = World::new(with(policy), []);
        world.give(Input::Refused("no token".into()));
        let line = world.trace.last().unwrap();
        assert!(
            line.ends_with(": the hook before the attempt failed: no token"),
            "{line}"
        );
        assert_eq!(world.machine.state(), State::Waiting);
    }
}

#[test]
fn a_timer_that_comes_too_early_changes_nothing() {
    let mut world = World::new(with(Policy::resilient()), [stream(), refused()]);
    world.run_until(0);
    for millis in [0, 44_999] {
        let step = world
            .machine
            .handle(Input::Timer, Duration::from_millis(millis));
        assert_eq!(step.then, Then::Continue, "{millis}");
    }
    world.run_until(45_000);
    assert_eq!(world.machine.state(), State::Waiting);
    let step = world
        .machine
        .handle(Input::Timer, Duration::from_millis(45_999));
    assert_eq!(step.then, Then::Continue);
}

#[test]
fn a_policy_of_one_s_own_may_wait_less_than_a_second() {
    let mut policy = Policy::standard();
    policy.retries = Retries::Transient;
    policy.reconnection_time = Duration::from_millis(10);
    policy.backoff = tidings_eventsource::protocol::Backoff::Standard {
        ceiling: Duration::from_millis(50),
    };
    let server = std::iter::repeat_n(status(500), 5);
    assert_eq!(waits(with(policy), server), [10, 50, 50, 50, 50]);
    let server = std::iter::repeat_n(stream().send("retry:10\n").end(), 3);
    assert_eq!(waits(with(policy), server), [10, 50, 50]);
}

#[test]
fn the_same_seed_draws_the_same_waits() {
    let draw = |seed| {
        let mut options = with(Policy::resilient());
        options.seed = seed;
        waits(options, std::iter::repeat_n(refused(), 10))
    };
    assert_eq!(draw(7), draw(7));
    assert_ne!(draw(7), draw(8));
}
