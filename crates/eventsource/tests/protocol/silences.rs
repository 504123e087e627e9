//! How long a server may be silent: for its head, and in a stream (d14).

use crate::world::*;
use std::time::Duration;
use tidings_eventsource::protocol::{IdleTimeout, Options, Policy, State};

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn with_idle(idle: IdleTimeout) -> Options {
    let mut options = standard();
    options.policy.idle = idle;
    options
}

/// A stream that sends something each so many milliseconds, and then nothing.
fn heartbeats(gaps: &[u64]) -> Answer {
    gaps.iter()
        .fold(stream(), |answer, gap| answer.after(*gap).send(":\n"))
}

#[test]
fn d14_a_server_that_falls_silent_is_left() {
    let mut world = World::new(
        Options::new(url(URL), Policy::resilient()),
        [heartbeats(&[30_000, 44_999, 45_000, 44_999, 1])],
    );
    world.run_until(254_999);
    let lines: Vec<&str> = world.trace.iter().map(String::as_str).collect();
    assert_eq!(
        lines[..2],
        ["0 GET http://a.test/", "0 open http://a.test/"]
    );
    // The bytes that come in the last moment count.
    assert!(
        lines[2].starts_with("209999 reconnecting in ")
            && lines[2].ends_with(": the server was silent for 45 s"),
        "{lines:?}"
    );
}

#[test]
fn d14_there_is_no_timeout_in_total_and_none_in_standard() {
    let gaps = [44_000; 2_000];
    let mut world = World::new(
        Options::new(url(URL), Policy::resilient()),
        [heartbeats(&gaps)],
    );
    world.run_until(88_000_000);
    assert_eq!(world.machine.state(), State::Open);
    let mut world = World::new(standard(), [stream()]);
    world.run();
    assert_eq!(
        (world.machine.state(), world.machine.deadline()),
        (State::Open, None)
    );
}

#[test]
fn a_head_that_does_not_come_is_an_attempt_that_failed() {
    let mut options = standard();
    options.policy.head_timeout = Some(seconds(30));
    check(
        options,
        [
            silence(),
            // For each request anew.
            silence()
                .after(20_000)
                .then_status(302)
                .header("location", "/x"),
            silence().after(29_999).then_status(404),
        ],
        &[
            "0 GET http://a.test/",
            "30000 reconnecting in 3000: the server was silent for 30 s",
            "33000 GET http://a.test/",
            "53000 GET http://a.test/x",
            "82999 failed: the server answered 404, an event stream needs 200",
        ],
    );
    assert_eq!(World::new(standard(), []).machine.deadline(), None);
}

#[test]
fn bytes_count_as_of_when_they_came() {
    let mut world = World::new(with_idle(IdleTimeout::After(seconds(10))), [stream()]);
    world.run_until(0);
    for (now, bytes, deadline) in [
        (4, &b"data"[..], 14),
        (6, b"", 14),
        (7, b":\n\n", 17),
        (5, b":\n\n", 17), // a clock that goes back stands still
    ] {
        let mut bytes = bytes;
        while world.machine.bytes(&mut bytes, seconds(now)).is_some() {}
        assert_eq!(world.machine.deadline(), Some(seconds(deadline)), "{now}");
    }
}

fn adaptive() -> Options {
    with_idle(IdleTimeout::Adaptive {
        floor: seconds(5),
        ceiling: seconds(100),
    })
}

/// What a server is given when it has sent at these gaps, in seconds.
#[track_caller]
fn check_adaptive(gaps: &[u64], expected: u64) {
    let mut world = World::new(adaptive(), [stream()]);
    let mut now = world.run_until(0).now;
    for gap in gaps {
        now += seconds(*gap);
        let mut bytes = &b":\n"[..];
        assert!(world.machine.bytes(&mut bytes, now).is_none());
    }
    assert_eq!(
        world.machine.deadline(),
        Some(now + seconds(expected)),
        "{gaps:?}"
    );
}

#[test]
fn d14_adaptive_waits_thrice_the_longest_silence() {
    check_adaptive(&[], 100);
    // Not before it has watched for a hundred seconds.
    check_adaptive(&[1; 99], 100);
    check_adaptive(&[1; 100], 5);
    check_adaptive(&[15; 7], 45);
    check_adaptive(&[15, 15, 15, 15, 15, 15, 20], 60);
    check_adaptive(&[90, 10], 100);
    check_adaptive(&[0, 0, 0, 15, 0, 85, 1], 100);
}

#[test]
fn d14_adaptive_forgets_after_ten_to_twenty_ceilings() {
    let mut gaps = vec![30; 34];
    gaps.extend([10; 99]);
    check_adaptive(&gaps, 90);
    gaps.push(10);
    check_adaptive(&gaps, 30);
    let mut at_the_start_of_a_period = vec![15; 67];
    at_the_start_of_a_period.push(30);
    at_the_start_of_a_period.extend([10; 196]);
    check_adaptive(&at_the_start_of_a_period, 90);
    at_the_start_of_a_period.push(10);
    check_adaptive(&at_the_start_of_a_period, 30);
}

#[test]
fn d14_adaptive_learns_from_a_timeout_that_was_too_short() {
    let gaps = [2_000; 60];
    let mut world = World::new(adaptive(), [heartbeats(&gaps), stream().send("data\n\n")]);
    world.run_until(126_000);
    assert_eq!(
        world.trace[2..],
        ["126000 reconnecting in 3000: the server was silent for 6 s"]
    );
    world.run_until(129_000);
    assert_eq!(world.machine.deadline(), Some(seconds(129 + 18)));
}

#[test]
fn an_adaptive_range_that_is_none_is_its_ceiling() {
    let options = with_idle(IdleTimeout::Adaptive {
        floor: seconds(9),
        ceiling: seconds(7),
    });
    let mut world = World::new(options, [heartbeats(&[6_000, 6_000])]);
    world.run_until(12_000);
    assert_eq!(world.machine.deadline(), Some(seconds(19)));
}
