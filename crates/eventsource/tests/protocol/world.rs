//! A scripted server and a clock that is a number: the machine runs through
//! hours in no time, and all that it does is a list of lines.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::time::Duration;
use tidings_codec::Item;
use tidings_eventsource::protocol::{
    Head, Input, Machine, Notice, Options, Policy, ReadyState, Request, Step, Then,
};
use tidings_eventsource::transport::TransportErrorKind;
use url::Url;

/// What a server does with one request: a list of acts, each some time after
/// the one before.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    acts: VecDeque<(Duration, Act)>,
    pause: Duration,
}

#[derive(Debug, Clone)]
enum Act {
    Head(Head),
    Send(Vec<u8>),
    End,
    Fail(TransportErrorKind),
}

/// What the user does.
#[derive(Debug, Clone, Copy)]
pub enum User {
    Close,
    Restart,
    Reset,
}

/// Nothing, ever.
pub fn silence() -> Answer {
    Answer::default()
}

/// No connection.
pub fn refused() -> Answer {
    silence().cut_by(TransportErrorKind::Connect)
}

/// The head of a response.
pub fn status(status: u16) -> Answer {
    silence().then_status(status)
}

/// An event stream, open so far.
pub fn stream() -> Answer {
    status(200).header("content-type", "text/event-stream")
}

/// A redirect.
pub fn redirect(code: u16, location: &str) -> Answer {
    status(code).header("location", location)
}

impl Answer {
    pub fn then_status(self, status: u16) -> Self {
        self.act(Act::Head(Head {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
        }))
    }

    /// Adds to the head.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let head = self.acts.iter_mut().find_map(|(_, act)| match act {
            Act::Head(head) => Some(head),
            _ => None,
        });
        head.expect("a head first").headers.append(
            HeaderName::from_bytes(name.as_bytes()).unwrap(),
            HeaderValue::from_bytes(value.as_bytes()).unwrap(),
        );
        self
    }

    /// What follows does so this much later.
    pub fn after(mut self, millis: u64) -> Self {
        self.pause += Duration::from_millis(millis);
        self
    }

    pub fn send(self, bytes: impl AsRef<[u8]>) -> Self {
        self.act(Act::Send(bytes.as_ref().to_vec()))
    }

    pub fn end(self) -> Self {
        self.act(Act::End)
    }

    pub fn cut(self) -> Self {
        self.cut_by(TransportErrorKind::Io)
    }

    pub fn cut_by(self, kind: TransportErrorKind) -> Self {
        self.act(Act::Fail(kind))
    }

    fn act(mut self, act: Act) -> Self {
        self.acts.push_back((std::mem::take(&mut self.pause), act));
        self
    }
}

/// One run, as far as it has come.
pub struct World {
    pub machine: Machine,
    pub requests: Vec<Request>,
    /// What happened, with the milliseconds at which it did.
    pub trace: Vec<String>,
    pub now: Duration,
    /// Changes each first request, as a user's hook would.
    hook: Option<fn(&mut Request)>,
    server: VecDeque<Answer>,
    answer: Answer,
    /// When the answer's next act is due, from then on.
    acted: Duration,
    waits_until: Option<Duration>,
    stopped: bool,
    unanswered: bool,
}

impl World {
    pub fn new(options: Options, server: impl IntoIterator<Item = Answer>) -> Self {
        Self::with_hook(options, server, None)
    }

    pub fn with_hook(
        options: Options,
        server: impl IntoIterator<Item = Answer>,
        hook: Option<fn(&mut Request)>,
    ) -> Self {
        let (machine, then) = Machine::new(options, Duration::ZERO);
        Self::begin(machine, then, server, hook)
    }

    /// Over a body that is there already (P1).
    pub fn of_body(options: (Machine, Then), body: Answer) -> Self {
        let (machine, then) = options;
        let mut world = Self::begin(machine, then, [], None);
        world.answer = body;
        world.give(Input::Body);
        world
    }

    fn begin(
        machine: Machine,
        then: Then,
        server: impl IntoIterator<Item = Answer>,
        hook: Option<fn(&mut Request)>,
    ) -> Self {
        let mut world = Self {
            machine,
            requests: Vec::new(),
            trace: Vec::new(),
            now: Duration::ZERO,
            hook,
            server: server.into_iter().collect(),
            answer: silence(),
            acted: Duration::ZERO,
            waits_until: None,
            stopped: false,
            unanswered: false,
        };
        world.obey(then);
        world
    }

    /// Goes on until nothing can happen any more, or `end` (in milliseconds).
    pub fn run_until(&mut self, end: u64) -> &mut Self {
        let end = Duration::from_millis(end);
        while self.next_time().is_some_and(|at| at <= end) {
            self.step();
        }
        if !self.stopped {
            self.now = end;
        }
        self
    }

    pub fn run(&mut self) -> &mut Self {
        // A day: longer than anything waits.
        self.run_until(self.now.as_millis() as u64 + 24 * 60 * 60 * 1000)
    }

    /// What happens next, if anything.
    pub fn step(&mut self) -> bool {
        let Some(at) = self.next_time() else {
            return false;
        };
        self.now = self.now.max(at);
        self.happen();
        true
    }

    /// Whether a request is out to which the script has no answer.
    pub fn is_out_of_answers(&self) -> bool {
        self.unanswered
    }

    pub fn user(&mut self, user: User) -> &mut Self {
        match user {
            User::Close => self.give(Input::Close),
            User::Restart => self.give(Input::Restart),
            User::Reset => self.machine.reset(),
        }
        self
    }

    pub fn give(&mut self, input: Input) {
        let Step { notice, then } = self.machine.handle(input, self.now);
        if let Some(notice) = notice {
            self.tell(&notice);
        }
        self.obey(then);
    }

    fn next_time(&self) -> Option<Duration> {
        if self.stopped {
            return None;
        }
        if let Some(until) = self.waits_until {
            return Some(until);
        }
        let act = self
            .answer
            .acts
            .front()
            .map(|(after, _)| self.acted + *after);
        [act, self.machine.deadline()].into_iter().flatten().min()
    }

    fn happen(&mut self) {
        let due = |after: Duration| self.acted + after <= self.now;
        let act = match self.answer.acts.front() {
            Some((after, _)) if self.waits_until.is_none() && due(*after) => {
                self.answer.acts.pop_front().map(|(_, act)| act)
            }
            _ => return self.give(Input::Timer),
        };
        self.acted = self.now;
        match act {
            None => {}
            Some(Act::Head(head)) => self.give(Input::Head(head)),
            Some(Act::Send(bytes)) => self.read(&bytes),
            Some(Act::End) => self.give(Input::End),
            Some(Act::Fail(kind)) => self.give(Input::Error(kind.into())),
        }
    }

    pub fn read(&mut self, mut bytes: &[u8]) {
        while let Some(item) = self.machine.bytes(&mut bytes, self.now) {
            let line = match item {
                Item::Event(event) => {
                    let mut line = format!("{} {:?}", event.type_or_message(), event.data);
                    if !event.last_event_id.is_empty() {
                        let _ = write!(line, " id {:?}", event.last_event_id);
                    }
                    line
                }
                Item::Retry(millis) => format!("retry {millis}"),
                Item::Comment(text) => format!("comment {text:?}"),
                Item::TooLarge(error) => error.to_string(),
            };
            let line = format!("{} {line}", self.now.as_millis());
            self.trace.push(line);
        }
        assert!(bytes.is_empty(), "all is read");
    }

    fn tell(&mut self, notice: &Notice) {
        let line = describe(notice);
        let state = match notice {
            Notice::Open { .. } => ReadyState::Open,
            Notice::Reconnecting { .. } => ReadyState::Connecting,
            Notice::Failed(_) | Notice::Complete => ReadyState::Closed,
        };
        // What listeners see while the event is fired (T1 to T3).
        assert_eq!(self.machine.ready_state(), state, "{line}");
        self.trace.push(format!("{} {line}", self.now.as_millis()));
    }

    fn obey(&mut self, then: Then) {
        match then {
            Then::Connect(mut request) => {
                if let Some(hook) = self.hook {
                    hook(&mut request);
                    *request = self.machine.set_request(*request);
                }
                self.send(*request);
            }
            Then::Redirect(request) => self.send(*request),
            Then::Read | Then::Continue => {}
            Then::Wait(until) => self.waits_until = Some(until),
            Then::Stop => self.stopped = true,
        }
    }

    fn send(&mut self, request: Request) {
        let line = format!("{} {}", self.now.as_millis(), describe_request(&request));
        self.trace.push(line);
        self.requests.push(request);
        self.unanswered = self.server.is_empty();
        self.answer = self.server.pop_front().unwrap_or_default();
        self.acted = self.now;
        self.waits_until = None;
    }
}

pub fn describe(notice: &Notice) -> String {
    match notice {
        Notice::Open { url } => format!("open {url}"),
        Notice::Reconnecting { cause, wait } => {
            format!("reconnecting in {}: {cause}", wait.as_millis())
        }
        Notice::Failed(error) => format!("failed: {error}"),
        Notice::Complete => "complete".to_owned(),
    }
}

pub fn describe_request(request: &Request) -> String {
    let mut line = format!("{} {}", request.method, request.url);
    if let Some(id) = request.headers.get("last-event-id") {
        let _ = write!(line, " after {}", String::from_utf8_lossy(id.as_bytes()));
    }
    line
}

pub const URL: &str = "http://a.test/";

pub fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

pub fn standard() -> Options {
    Options::new(url(URL), Policy::standard())
}

/// What happens until nothing does any more, or within a day.
#[track_caller]
pub fn check(options: Options, server: impl IntoIterator<Item = Answer>, expected: &[&str]) {
    let mut world = World::new(options, server);
    assert_trace(world.run(), expected);
}

#[track_caller]
pub fn assert_trace(world: &World, expected: &[&str]) {
    assert_eq!(world.trace, expected, "\n{:#?}", world.trace);
}
