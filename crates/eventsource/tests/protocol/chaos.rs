//! A driver that does anything at any time, as the bytes of a tape say, and what
//! must hold all the same. The fuzz target `eventsource_machine` plays tapes too.

use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use std::time::Duration;
use tidings_codec::{EventId, Limits};
use tidings_eventsource::Error;
use tidings_eventsource::protocol::{
    Cors, Credentials, Head, IdleTimeout, Input, Machine, Notice, Options, Policy, Request, State,
    Step, Then,
};
use tidings_eventsource::transport::TransportErrorKind;
use url::Url;

/// Stands in everything that no text may quote.
const SECRET: &str = "s3cret";
const URLS: [&str; 4] = [
    "http://a.test/",
    "https://a.test/x?y#z",
    "http://s3cret:s3cret@a.test:8080/",
    "ftp://a.test/",
];
const LOCATIONS: [&str; 12] = [
    "",
    "/x",
    "?s3cret",
    "#f",
    "//b.test/",
    "http://a.test/",
    "https://a.test/",
    "https://s3cret@b.test/s3cret",
    "http://s3cret:s3cret@a.test/",
    "ftp://s3cret",
    "http://s3cret:x/",
    "\u{FFFD}",
];
const TYPES: [&str; 4] = [
    "text/event-stream",
    "Text/Event-Stream; s3cret",
    "text/html, s3cret",
    "*/*",
];
const RETRY_AFTER: [&str; 5] = [
    "0",
    "7",
    "99999999999999999999",
    "Sun, 06 Nov 1994 08:49:37 GMT",
    "s3cret",
];
const ORIGINS: [&str; 4] = ["*", "null", "http://page.test", "s3cret"];
const BODIES: [&[u8]; 8] = [
    b"data:1\n\n",
    b"id:7\ndata:s3cret\n\n",
    b"id:\x01\n\n",
    b"retry:0\n",
    b"retry:99999999999999999999\n\n",
    b"\xEF\xBB\xBF:\n",
    b"id:1",
    b"\n",
];

/// Bytes that decide, one after the other; zeros behind their end.
struct Tape<'a>(&'a [u8]);

impl<'a> Tape<'a> {
    fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::from(self.byte()) % choices.len()]
    }

    /// Some bytes as they are.
    fn raw(&mut self) -> &'a [u8] {
        let length = usize::from(self.byte() % 32).min(self.0.len());
        let (raw, rest) = self.0.split_at(length);
        self.0 = rest;
        raw
    }

    fn time(&mut self) -> Duration {
        let millis = self.pick(&[0, 1, 999, 3_000, 45_000, 300_000, 86_400_000, u64::MAX / 4]);
        Duration::from_millis(millis)
    }
}

/// How far a tape got.
#[derive(Debug, Default)]
pub struct Reached {
    pub opened: u32,
    pub events: u32,
    pub redirected: u32,
    pub waited: u32,
    pub failed: u32,
}

/// Plays a tape, on one machine after the other; panics if something doesn't
/// hold.
pub fn play(tape: &[u8]) -> Reached {
    let mut tape = Tape(tape);
    let mut reached = Reached::default();
    while !tape.0.is_empty() {
        let mut driver = Driver::begin(&mut tape, &mut reached);
        while !tape.0.is_empty() {
            if driver.machine.state() == State::Closed && tape.byte() < 128 {
                break;
            }
            match tape.byte() {
                0..=159 => driver.do_right(&mut tape),
                _ => driver.do_anything(&mut tape),
            }
            driver.check_state();
        }
    }
    reached
}

fn options(tape: &mut Tape) -> Options {
    let mut policy = tape.pick(&[Policy::standard(), Policy::resilient(), Policy::once()]);
    policy.max_redirects = tape.pick(&[0, 1, 20, 255]);
    policy.allow_downgrade = tape.byte() == 1;
    policy.idle = tape.pick(&[
        policy.idle,
        IdleTimeout::After(Duration::MAX),
        IdleTimeout::Adaptive {
            floor: Duration::from_secs(5),
            ceiling: Duration::from_secs(60),
        },
        IdleTimeout::Adaptive {
            floor: Duration::MAX,
            ceiling: Duration::ZERO,
        },
    ]);
    policy.reconnection_time = tape.pick(&[policy.reconnection_time, Duration::ZERO]);
    let url = Url::parse(tape.pick(&URLS)).expect("a URL");
    let mut options = Options::new(url, policy);
    options.method = tape.pick(&[&Method::GET, &Method::POST]).clone();
    options.comments = tape.byte() == 1;
    if tape.byte().is_multiple_of(2) {
        options
            .headers
            .insert(AUTHORIZATION, HeaderValue::from_static(SECRET));
        options
            .headers
            .insert(COOKIE, HeaderValue::from_static(SECRET));
    }
    if let Ok(value) = HeaderValue::from_bytes(tape.raw()) {
        options.headers.insert("last-event-id", value);
    }
    let credentials = tape.pick(&[
        None,
        Some(Credentials::SameOrigin),
        Some(Credentials::Include),
    ]);
    options.cors = credentials.map(|credentials| Cors {
        origin: Url::parse("http://page.test").expect("a URL").origin(),
        credentials,
    });
    options.seed = u64::from(tape.byte());
    options
}

fn any_input(tape: &mut Tape) -> Input {
    match tape.byte() % 12 {
        0..=3 => Input::Head(any_head(tape)),
        4 => Input::Body,
        5 => Input::End,
        6 => Input::Error(TransportErrorKind::Io.into()),
        7 => Input::Error(TransportErrorKind::Scheme.into()),
        8 => Input::Refused("no token".into()),
        9 if tape.byte() < 32 => Input::Close,
        10 => Input::Restart,
        _ => Input::Timer,
    }
}

/// One that leads on, mostly.
fn right_head(tape: &mut Tape) -> Head {
    let (code, name, value) = match tape.byte() % 8 {
        0..=2 => (200, "content-type", "text/event-stream"),
        3..=5 => (
            tape.pick(&[301, 302, 303, 307, 308]),
            "location",
            tape.pick(&LOCATIONS),
        ),
        6 => (503, "retry-after", tape.pick(&RETRY_AFTER)),
        _ => return any_head(tape),
    };
    let mut headers = HeaderMap::new();
    for (name, value) in [
        (name, value),
        ("access-control-allow-origin", tape.pick(&ORIGINS[1..3])),
        ("access-control-allow-credentials", "true"),
    ] {
        let value = HeaderValue::from_bytes(value.as_bytes()).expect("a value");
        headers.insert(name, value);
    }
    Head {
        status: StatusCode::from_u16(code).expect("three digits"),
        headers,
    }
}

fn any_head(tape: &mut Tape) -> Head {
    let any = 100 + u16::from(tape.byte()) * 3;
    let code = tape.pick(&[
        200, 200, 200, 301, 302, 303, 307, 308, 204, 401, 429, 503, any,
    ]);
    let mut headers = HeaderMap::new();
    for _ in 0..tape.byte() % 6 {
        let (name, value) = match tape.byte() % 6 {
            0 | 1 => ("content-type", tape.pick(&TYPES)),
            2 => ("location", tape.pick(&LOCATIONS)),
            3 => ("retry-after", tape.pick(&RETRY_AFTER)),
            4 => ("access-control-allow-origin", tape.pick(&ORIGINS)),
            _ => ("date", tape.pick(&RETRY_AFTER)),
        };
        let value = match tape.byte() % 4 {
            0 => tape.raw(),
            _ => value.as_bytes(),
        };
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(name, value);
        }
    }
    Head {
        status: StatusCode::from_u16(code).expect("three digits"),
        headers,
    }
}

struct Driver<'a> {
    machine: Machine,
    policy: Policy,
    original: Url,
    /// The last request of this attempt.
    last: Option<Request>,
    hops: u32,
    left_origin: bool,
    waits_until: Duration,
    now: Duration,
    reached: &'a mut Reached,
}

impl<'a> Driver<'a> {
    fn begin(tape: &mut Tape, reached: &'a mut Reached) -> Self {
        let options = options(tape);
        let (mut policy, original) = (options.policy, options.url.clone());
        let (machine, then) = match tape.byte() {
            0..16 => {
                policy = Policy::standard();
                Machine::of_body(Limits::default(), Duration::ZERO)
            }
            _ => Machine::new(options, Duration::ZERO),
        };
        let mut driver = Self {
            machine,
            policy,
            original,
            last: None,
            hops: 0,
            left_origin: false,
            waits_until: Duration::ZERO,
            now: Duration::ZERO,
            reached,
        };
        driver.check_then(&then, Duration::ZERO);
        driver
    }

    /// What makes sense in this state.
    fn do_right(&mut self, tape: &mut Tape) {
        let time = Duration::from_millis(tape.pick(&[0, 1, 999, 10_000, 44_999]));
        self.now = self.now.saturating_add(time);
        let input = match (self.machine.state(), tape.byte() % 8) {
            (State::Connecting, 0) => Input::Error(TransportErrorKind::Io.into()),
            (State::Connecting, 1) => Input::Body,
            (State::Connecting, _) => Input::Head(right_head(tape)),
            (State::Open, 0) => Input::End,
            (State::Open, 1) => Input::Error(TransportErrorKind::Io.into()),
            (State::Open, 2) => {
                self.now = self.now.max(self.machine.deadline().unwrap_or_default());
                Input::Timer
            }
            (State::Open, _) => return self.bytes(tape, self.now),
            (State::Waiting, _) => {
                self.now = self.now.max(self.waits_until);
                Input::Timer
            }
            (State::Closed, _) => Input::Restart,
        };
        self.give(input, self.now);
    }

    /// What nobody should do, at any time: it may go back, too.
    fn do_anything(&mut self, tape: &mut Tape) {
        let time = tape.time();
        match tape.byte() % 8 {
            0 | 1 => self.bytes(tape, time),
            2 => self.machine.reset(),
            3 => self.set_up(tape),
            _ => {
                let input = any_input(tape);
                self.give(input, time);
            }
        }
    }

    fn bytes(&mut self, tape: &mut Tape, now: Duration) {
        let was_open = self.machine.state() == State::Open;
        let mut bytes = match tape.byte() % 4 {
            0 => tape.raw(),
            _ => tape.pick(&BODIES),
        };
        while self.machine.bytes(&mut bytes, now).is_some() {
            assert!(was_open, "an item of a stream that isn't open");
            self.reached.events += 1;
        }
        assert!(bytes.is_empty(), "all is read");
        let (least, most) = self.policy.retry_range;
        let time = self.machine.reconnection_time();
        assert!(time == self.policy.reconnection_time || (least..=most).contains(&time));
    }

    fn set_up(&mut self, tape: &mut Tape) {
        if let Ok(id) = EventId::new(String::from_utf8_lossy(tape.raw()).into_owned()) {
            self.machine.set_last_event_id(&id);
        }
        if let Some(last) = &self.last
            && self.machine.state() == State::Connecting
        {
            self.machine.set_request(last.clone());
            self.hops = 0;
        }
    }

    fn give(&mut self, input: Input, now: Duration) {
        let before = self.machine.state();
        let is_good = matches!(&input, Input::Body) || is_event_stream(&input);
        let Step { notice, then } = self.machine.handle(input, now);
        let after = self.machine.state();
        match &then {
            Then::Connect(_) | Then::Redirect(_) => assert_eq!(after, State::Connecting),
            Then::Read => assert!(after == State::Open && before == State::Connecting && is_good),
            Then::Continue => assert!(after == before && after != State::Closed),
            Then::Wait(_) => assert_eq!(after, State::Waiting),
            Then::Stop => assert_eq!(after, State::Closed),
        }
        self.check_then(&then, now);
        let Some(notice) = notice else { return };
        assert_ne!(before, State::Closed, "told after the end: {notice:?}");
        match &notice {
            Notice::Open { url } => {
                self.reached.opened += 1;
                assert_eq!(then, Then::Read);
                assert!(!url.as_str().contains('#') && url.username().is_empty());
            }
            Notice::Reconnecting {
                cause: Error::Restarted,
                wait,
            } => {
                assert!(wait.is_zero() && matches!(then, Then::Connect(_)));
            }
            Notice::Reconnecting { cause, wait } => {
                self.reached.waited += 1;
                assert_eq!(then, Then::Wait(now.saturating_add(*wait)));
                assert_no_secret(cause);
            }
            Notice::Failed(error) => {
                self.reached.failed += 1;
                assert_eq!(then, Then::Stop);
                assert_no_secret(error);
            }
            Notice::Complete => assert_eq!(then, Then::Stop),
        }
    }

    fn check_then(&mut self, then: &Then, now: Duration) {
        match then {
            Then::Connect(request) => {
                assert_eq!(request.url.origin(), self.original.origin());
                assert_eq!(request.url.path(), self.original.path());
                let sent = request
                    .headers
                    .get("last-event-id")
                    .map(HeaderValue::as_bytes);
                let id = self.machine.last_event_id();
                let can_be_sent = !id.is_empty() && HeaderValue::from_bytes(id.as_bytes()).is_ok();
                assert_eq!(sent, can_be_sent.then_some(id.as_bytes()));
                (self.hops, self.left_origin) = (0, false);
                self.check_request(request);
            }
            Then::Redirect(request) => {
                self.hops += 1;
                self.reached.redirected += 1;
                assert!(
                    self.hops <= u32::from(self.policy.max_redirects),
                    "{} hops",
                    self.hops
                );
                let last = self.last.as_ref().expect("a request before");
                assert!(matches!(request.url.scheme(), "http" | "https"));
                if last.url.scheme() == "https" && !self.policy.allow_downgrade {
                    assert_eq!(request.url.scheme(), "https");
                }
                if last.url.origin() != request.url.origin() {
                    self.left_origin = true;
                    assert!(!request.headers.contains_key(AUTHORIZATION));
                }
                if self.left_origin {
                    assert!(!request.headers.contains_key(COOKIE));
                }
                self.check_request(request);
            }
            Then::Wait(until) => {
                self.waits_until = *until;
                let wait = until.saturating_sub(now);
                let most = self.policy.retry_range.1.max(Duration::from_secs(300));
                assert!(wait <= most, "waits {wait:?}");
            }
            Then::Read | Then::Continue | Then::Stop => {}
        }
    }

    fn check_request(&mut self, request: &Request) {
        let url = &request.url;
        assert!(url.fragment().is_none() && url.username().is_empty() && url.password().is_none());
        assert_eq!(request.headers["accept"], "text/event-stream");
        assert_eq!(request.headers["cache-control"], "no-cache");
        for (name, _) in &request.headers {
            assert_eq!(request.headers.get_all(name).iter().count(), 1, "{name}");
        }
        self.last = Some(request.clone());
    }

    fn check_state(&self) {
        let ready = self.machine.ready_state();
        assert_eq!(ready, self.machine.state().into());
        if matches!(self.machine.state(), State::Waiting | State::Closed) {
            assert_eq!(self.machine.deadline(), None);
        }
        assert!(!self.machine.last_event_id().contains(['\0', '\r', '\n']));
    }
}

/// Whether it is a head that an attempt may open with.
fn is_event_stream(input: &Input) -> bool {
    match input {
        Input::Head(head) => {
            head.status == StatusCode::OK && head.headers.contains_key("content-type")
        }
        _ => false,
    }
}

fn assert_no_secret(error: &Error) {
    let text = format!("{error} {error:?}");
    assert!(!text.contains(SECRET), "quotes what it was given: {text}");
}
