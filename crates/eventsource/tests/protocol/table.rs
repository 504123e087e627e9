//! What comes of every input in every state, for each preset, as text in
//! `tests/snapshots`. After a change that is meant to be, write it anew with
//!
//! ```text
//! TIDINGS_BLESS=1 cargo test -p tidings-eventsource --test protocol table
//! ```
//!
//! and read the difference.

use crate::world::*;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;
use tidings_codec::Limits;
use tidings_eventsource::protocol::{Head, Input, Machine, Options, Policy, State, Then};
use tidings_eventsource::transport::TransportErrorKind;

/// A machine in some state, and when it got there.
type Place = (Machine, Duration);

/// The variants of [`Input`]. A new one doesn't compile until it is added here.
fn variant(input: &Input) -> &'static str {
    match input {
        Input::Head(_) => "Head",
        Input::Body => "Body",
        Input::End => "End",
        Input::Error(_) => "Error",
        Input::Timer => "Timer",
        Input::Refused(_) => "Refused",
        Input::Close => "Close",
        Input::Restart => "Restart",
    }
}

const VARIANTS: [&str; 8] = [
    "Body", "Close", "End", "Error", "Head", "Refused", "Restart", "Timer",
];

fn head(status: u16, header: Option<(&'static str, &'static str)>) -> Input {
    let mut headers = HeaderMap::new();
    if let Some((name, value)) = header {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    Input::Head(Head {
        status: StatusCode::from_u16(status).unwrap(),
        headers,
    })
}

/// Every input, and whether the time that the machine waits for has come.
fn inputs() -> Vec<(&'static str, Input, bool)> {
    let now = |name, input| (name, input, false);
    vec![
        now(
            "head: 200, an event stream",
            head(200, Some(("content-type", "text/event-stream"))),
        ),
        now(
            "head: 200, something else",
            head(200, Some(("content-type", "text/html"))),
        ),
        now("head: 200, without a type", head(200, None)),
        now("head: 204", head(204, None)),
        now("head: 302 to /x", head(302, Some(("location", "/x")))),
        now("head: 302 to nowhere", head(302, None)),
        now("head: 401", head(401, None)),
        now("head: 429", head(429, None)),
        now(
            "head: 503, Retry-After: 7",
            head(503, Some(("retry-after", "7"))),
        ),
        now("body", Input::Body),
        now("end", Input::End),
        now(
            "error: it broke",
            Input::Error(TransportErrorKind::Io.into()),
        ),
        now(
            "error: no such scheme",
            Input::Error(TransportErrorKind::Scheme.into()),
        ),
        now("timer, too early", Input::Timer),
        ("timer, in time", Input::Timer, true),
        now("refused by the hook", Input::Refused("no token".into())),
        now("close", Input::Close),
        now("restart", Input::Restart),
    ]
}

fn of(policy: Policy, answer: Answer, end: u64) -> Place {
    let mut world = World::new(Options::new(url(URL), policy), [answer]);
    world.run_until(end);
    (world.machine, world.now)
}

/// Every state, as a script gets there.
fn states(policy: Policy) -> Vec<(&'static str, Place)> {
    vec![
        ("connecting", of(policy, silence(), 5)),
        ("connecting, redirected 20 times", {
            let hops = (0..20).map(|_| redirect(307, "/"));
            let mut world = World::new(Options::new(url(URL), policy), hops);
            world.run_until(5);
            (world.machine, world.now)
        }),
        ("open, without an event yet", of(policy, stream(), 5)),
        (
            "open, after an event with the id 1",
            of(policy, stream().send("id:1\ndata\n\n"), 5),
        ),
        ("waiting", of(policy, refused(), 5)),
        ("closed", of(policy, status(404), 5)),
    ]
}

fn states_of_body() -> Vec<(&'static str, Place)> {
    let machine = || Machine::of_body(Limits::default(), Duration::ZERO);
    let mut open = World::of_body(machine(), silence());
    open.run_until(5);
    let mut closed = World::of_body(machine(), silence().end());
    closed.run_until(5);
    vec![
        ("connecting", (machine().0, Duration::from_millis(5))),
        ("open", (open.machine, open.now)),
        ("closed", (closed.machine, closed.now)),
    ]
}

/// One line: state and input, what is told, what is done.
fn line(name: &str, input: Input, in_time: bool, (mut machine, mut now): Place) -> String {
    if in_time {
        now = machine
            .deadline()
            .unwrap_or(now + Duration::from_secs(24 * 60 * 60));
    }
    let step = machine.handle(input, now);
    let then = match &step.then {
        Then::Connect(request) => format!("connect: {}", describe_request(request)),
        Then::Redirect(request) => format!("redirect: {}", describe_request(request)),
        Then::Read => "read".to_owned(),
        Then::Continue => "continue".to_owned(),
        Then::Wait(until) => format!("wait {}", (*until - now).as_millis()),
        Then::Stop => "stop".to_owned(),
    };
    let state = format!("{:?}", machine.state()).to_lowercase();
    let told = step.notice.as_ref().map(describe).unwrap_or_default();
    format!("  {name:<28} {state:<11} {then:<36} {told}")
        .trim_end()
        .to_owned()
        + "\n"
}

fn table(states: fn() -> Vec<(&'static str, Place)>) -> String {
    let mut text =
        "  input                        state       then                                 told\n"
            .to_owned();
    let mut pairs = BTreeSet::new();
    for at in 0..states().len() {
        let _ = writeln!(text, "\n{}", states()[at].0);
        for (name, input, in_time) in inputs() {
            let place = states().swap_remove(at).1;
            pairs.insert((format!("{:?}", place.0.state()), variant(&input)));
            text += &line(name, input, in_time, place);
        }
    }
    let all_states: BTreeSet<&String> = pairs.iter().map(|(state, _)| state).collect();
    assert_eq!(
        pairs.len(),
        all_states.len() * VARIANTS.len(),
        "a pair is missing"
    );
    text
}

#[track_caller]
fn check_snapshot(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/snapshots")
        .join(name);
    if std::env::var_os("TIDINGS_BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    let differing = text
        .lines()
        .zip(expected.lines())
        .find(|(is, was)| is != was);
    assert!(
        text == expected,
        "{name} says otherwise (TIDINGS_BLESS=1 writes it anew); first difference, \
         is and was: {differing:#?}"
    );
}

#[test]
fn table_of_every_state_and_input() {
    check_snapshot(
        "protocol_standard.txt",
        &table(|| states(Policy::standard())),
    );
    check_snapshot(
        "protocol_resilient.txt",
        &table(|| states(Policy::resilient())),
    );
    check_snapshot("protocol_once.txt", &table(|| states(Policy::once())));
    check_snapshot("protocol_body.txt", &table(states_of_body));
}

#[test]
fn table_has_every_state() {
    for policy in [Policy::standard(), Policy::resilient(), Policy::once()] {
        let seen: Vec<State> = states(policy)
            .iter()
            .map(|(_, place)| place.0.state())
            .collect();
        for state in [
            State::Connecting,
            State::Open,
            State::Waiting,
            State::Closed,
        ] {
            assert!(seen.contains(&state), "{state:?}");
        }
    }
}
