//! The machine beside a naive reading of the rules, over random servers. A
//! failure names its seed; `TIDINGS_SEED=N` runs that one alone, and
//! `TIDINGS_SEEDS=N` sets how many are run.

use crate::chaos;
use crate::world::*;
use std::cell::RefCell;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use tidings_codec::fixtures::{Random, Told, cut, reference};
use tidings_eventsource::protocol::{Backoff, End, IdleTimeout, Options, Policy, Retries};

const SEEDS: u64 = 3_000;
const HOSTS: [&str; 3] = [URL, "http://a.test/x", "http://b.test/"];
const CODES: [u16; 8] = [200, 204, 401, 404, 408, 429, 500, 503];
const DELAYS: [u64; 7] = [0, 1, 700, 9_999, 10_000, 44_000, 50_000];
const FRAGMENTS: [&[u8]; 18] = [
    b"data:1\n",
    b"data\n",
    b"da",
    b"ta:2\n",
    b"\n",
    b"\n",
    b"\r",
    b"\r\n",
    b"id:7\n",
    b"id\n",
    "id:ü…\n".as_bytes(),
    b"id:\x01x\n",
    b"retry:0\n",
    b"retry:2500\n",
    b"event:x\n",
    b":c\n",
    b"\xEF\xBB\xBF",
    b"\xFF",
];

/// What the server does with one request.
#[derive(Debug, Clone)]
enum Plan {
    Refuse,
    Redirect(u16, usize),
    Status(u16, Option<u64>),
    Stream {
        head_after: u64,
        pieces: Vec<(u64, Vec<u8>)>,
        end_after: u64,
        cleanly: bool,
    },
}

fn plan(random: &mut Random) -> Plan {
    match random.below(10) {
        0 | 1 => Plan::Refuse,
        2 | 3 => Plan::Redirect([301, 302, 303, 307, 308][random.below(5)], random.below(3)),
        4 => {
            let retry_after = [None, Some(0), Some(7), Some(900)][random.below(4)];
            Plan::Status(CODES[random.below(CODES.len())], retry_after)
        }
        _ => {
            let mut body = Vec::new();
            for _ in 0..random.below(25) {
                body.extend_from_slice(FRAGMENTS[random.below(FRAGMENTS.len())]);
            }
            let delay = |random: &mut Random| match random.below(4) {
                0 => DELAYS[random.below(DELAYS.len())],
                _ => 0,
            };
            let most = 1 + random.below(40);
            Plan::Stream {
                head_after: delay(random),
                pieces: cut(&mut random.clone(), &body, most)
                    .into_iter()
                    .map(|piece| (delay(random), piece.to_vec()))
                    .collect(),
                end_after: delay(random),
                cleanly: random.below(2) == 0,
            }
        }
    }
}

fn answer(plan: &Plan) -> Answer {
    match plan {
        Plan::Refuse => refused(),
        Plan::Redirect(code, to) => redirect(*code, HOSTS[*to]),
        Plan::Status(code, None) => status(*code),
        Plan::Status(code, Some(after)) => status(*code).header("retry-after", &after.to_string()),
        Plan::Stream {
            head_after,
            pieces,
            end_after,
            cleanly,
        } => {
            let mut answer = silence()
                .after(*head_after)
                .then_status(200)
                .header("content-type", "text/event-stream");
            for (after, piece) in pieces {
                answer = answer.after(*after).send(piece);
            }
            let answer = answer.after(*end_after);
            if *cleanly { answer.end() } else { answer.cut() }
        }
    }
}

/// Reads the rules naively, and the trace beside them. Times are in
/// milliseconds; those of the trace are cut off, so one more or less is the same.
struct Model<'a> {
    policy: Policy,
    trace: std::slice::Iter<'a, String>,
    now: u64,
    id: String,
    retry: u64,
    growth: u32,
    drawn: u64,
    failed: u32,
    had_event: bool,
}

/// How an attempt was lost.
struct Loss {
    cause: String,
    said: Option<u64>,
    /// Of its stream: how long it stood, and whether it brought an event.
    stream: Option<(u64, bool)>,
}

impl<'a> Model<'a> {
    fn new(policy: Policy, trace: &'a [String]) -> Self {
        Self {
            policy,
            trace: trace.iter(),
            now: 0,
            id: String::new(),
            retry: policy.reconnection_time.as_millis() as u64,
            growth: 0,
            drawn: 0,
            failed: 0,
            had_event: false,
        }
    }

    /// The next line, and that it comes when it should.
    fn line(&mut self, after: u64) -> &'a str {
        let line = self.trace.next().expect("another line");
        let (at, rest) = line.split_once(' ').unwrap();
        let at: u64 = at.parse().unwrap();
        assert!(
            at.abs_diff(self.now + after) <= 1,
            "{line} after {} + {after}",
            self.now
        );
        self.now = at;
        rest
    }

    fn expect(&mut self, after: u64, expected: &str) {
        assert_eq!(self.line(after), expected);
    }

    /// The whole run, over as many plans as there are.
    fn run(mut self, plans: &[Plan]) {
        let mut plans = plans.iter();
        let mut wait = 0;
        loop {
            let mut url = URL;
            let mut redirects = 0;
            self.request(wait, url);
            let loss = loop {
                let Some(plan) = plans.next() else {
                    return; // Silence: what comes of that is another test's.
                };
                match plan {
                    Plan::Redirect(_, to) if redirects < self.policy.max_redirects => {
                        redirects += 1;
                        url = HOSTS[*to];
                        self.request(0, url);
                    }
                    Plan::Redirect(..) => {
                        let why = "there were too many in a row";
                        return self.fail(&format!("a redirect can't be followed: {why}"));
                    }
                    plan => break self.answered(plan, url),
                }
            };
            let Some(next) = self.lost(loss) else { return };
            wait = next;
        }
    }

    fn request(&mut self, after: u64, url: &str) {
        let mut expected = format!("GET {url}");
        if !self.id.is_empty() && !self.id.contains(|c: char| c.is_ascii_control()) {
            let _ = write!(expected, " after {}", self.id);
        }
        self.expect(after, &expected);
    }

    fn fail(mut self, why: &str) {
        self.expect(0, &format!("failed: {why}"));
        assert!(self.trace.next().is_none(), "nothing after the end");
    }

    /// What comes of an answer that is no redirect.
    fn answered(&mut self, plan: &Plan, url: &str) -> Loss {
        let loss = |cause: &str, said, stream| Loss {
            cause: cause.to_owned(),
            said,
            stream,
        };
        match plan {
            Plan::Status(200, _) => loss(
                "the response's Content-Type is not text/event-stream",
                None,
                None,
            ),
            Plan::Status(code, retry_after) => loss(
                &format!("the server answered {code}, an event stream needs 200"),
                retry_after.map(|seconds| seconds.min(300) * 1_000),
                None,
            ),
            Plan::Stream {
                head_after,
                pieces,
                end_after,
                cleanly,
            } => {
                let timeout = self.policy.head_timeout.map(|time| time.as_millis() as u64);
                if timeout.is_some_and(|timeout| *head_after > timeout) {
                    self.now += timeout.unwrap();
                    return loss("the server was silent for 30 s", None, None);
                }
                self.expect(*head_after, &format!("open {url}"));
                self.stream(pieces, *end_after, *cleanly)
            }
            Plan::Refuse | Plan::Redirect(..) => {
                loss("the server could not be reached", None, None)
            }
        }
    }

    fn stream(&mut self, pieces: &[(u64, Vec<u8>)], end_after: u64, cleanly: bool) -> Loss {
        let timeout = match self.policy.idle {
            IdleTimeout::After(time) => time.as_millis() as u64,
            _ => u64::MAX,
        };
        // An empty piece is no sign of life.
        let (mut body, mut stood, mut silent) = (Vec::new(), 0, 0);
        let mut cause = if cleanly {
            "the server ended the stream"
        } else {
            "the connection broke"
        };
        let end = [(end_after, Vec::new())];
        for (after, piece) in pieces.iter().chain(&end) {
            if silent + after > timeout {
                stood += timeout - silent;
                cause = "the server was silent for 45 s";
                break;
            }
            stood += after;
            silent = if piece.is_empty() { silent + after } else { 0 };
            body.extend_from_slice(piece);
        }
        let opened = self.now;
        let (told, id) = reference::decode(&body, &self.id);
        self.id = id;
        let (mut brought_event, mut said) = (false, None);
        for told in told {
            let expected = match told {
                Told::Comment(_) => continue,
                Told::Retry(millis) => {
                    let (least, most) = self.policy.retry_range;
                    self.retry = millis.clamp(least.as_millis() as u64, most.as_millis() as u64);
                    said = Some(self.retry);
                    format!("retry {millis}")
                }
                Told::Event {
                    event_type,
                    data,
                    last_event_id,
                    ..
                } => {
                    brought_event = true;
                    let event_type = if event_type.is_empty() {
                        "message"
                    } else {
                        &event_type
                    };
                    let mut line = format!("{event_type} {data:?}");
                    if !last_event_id.is_empty() {
                        let _ = write!(line, " id {last_event_id:?}");
                    }
                    line
                }
                Told::TooLarge(_) => unreachable!("nothing is so large"),
            };
            // Just when, other tests say.
            let line = self.trace.next().expect("another line");
            assert_eq!(line.split_once(' ').unwrap().1, expected);
        }
        self.had_event |= brought_event;
        self.now = opened + stood;
        Loss {
            cause: cause.to_owned(),
            // The reconnection time is the last that was said, here.
            said: said.map(|_| self.retry),
            stream: Some((stood, brought_event)),
        }
    }

    /// How long it waits then; nothing if that was the end.
    fn lost(&mut self, loss: Loss) -> Option<u64> {
        let cause = &loss.cause;
        if loss.stream.is_some() && cause.contains("ended") && self.policy.end == End::Complete {
            self.expect(0, "complete");
            return None;
        }
        let is_status = cause.contains("answered");
        let transient = ["408", "425", "429", "500", "503"]
            .iter()
            .any(|code| cause.contains(code));
        let again = match self.policy.retries {
            Retries::Standard => !is_status,
            Retries::Transient => !is_status || transient,
            Retries::BeforeFirstEvent => (!is_status || transient) && !self.had_event,
        };
        if !again || cause.contains("Content-Type") || cause.contains("redirect") {
            self.expect(0, &format!("failed: {cause}"));
            return None;
        }
        let (least, most) = self.waits(&loss);
        if self
            .policy
            .budget
            .is_some_and(|budget| self.failed >= budget.attempts)
        {
            let failed = self.failed;
            self.expect(
                0,
                &format!("failed: gave up (failed attempts in a row: {failed}): {cause}"),
            );
            return None;
        }
        let line = self.line(0);
        let rest = line.strip_prefix("reconnecting in ").expect(line);
        let (wait, told) = rest.split_once(": ").unwrap();
        assert_eq!(told, cause);
        let wait = wait.parse().unwrap();
        assert!(
            (least..=most).contains(&wait),
            "{line}: not within {least} to {most}"
        );
        if loss.said.is_none() {
            self.drawn = wait + 1;
        }
        Some(wait)
    }

    /// The least and the most that may be waited, by the words of `Backoff`.
    fn waits(&mut self, loss: &Loss) -> (u64, u64) {
        let (stood, event) = loss.stream.unwrap_or_default();
        let stood = loss.stream.is_some() && stood >= 10_000;
        let jitter = matches!(self.policy.backoff, Backoff::Jitter { .. });
        self.failed = if event || stood { 0 } else { self.failed + 1 };
        let good = if jitter {
            event && stood
        } else {
            event || stood
        };
        self.growth = match (good, loss.said) {
            (true, _) => 0,
            (false, Some(_)) => 2.min(self.growth + 1),
            (false, None) => self.growth + 1,
        };
        let floor = if self.growth < 2 { 0 } else { 1_000 };
        let ceiling = 60_000;
        match loss.said {
            Some(said) if jitter => {
                let wait = said.max(floor);
                (wait, (wait + wait / 4).min(300_000).max(wait))
            }
            Some(said) => (said.max(floor), said.max(floor)),
            None if jitter => {
                let before = if self.growth < 2 {
                    self.retry
                } else {
                    self.drawn.max(self.retry)
                };
                let least = self.retry.max(floor);
                (least, least.max(ceiling.min(before * 3)))
            }
            None if self.growth < 2 => (self.retry, self.retry),
            None => {
                let mut wait = (2 * self.retry).max(floor);
                for _ in 2..self.growth {
                    wait = (2 * wait).min(ceiling);
                }
                let wait = wait.min(ceiling).max(self.retry);
                (wait, wait)
            }
        }
    }
}

fn policies() -> [Policy; 3] {
    let mut once = Policy::once();
    // The trace's milliseconds are too coarse for that edge.
    once.budget = once.budget.map(|mut budget| {
        budget.time = std::time::Duration::MAX;
        budget
    });
    [Policy::standard(), Policy::resilient(), once]
}

fn run_seed(seed: u64) {
    let mut random = Random::new(seed);
    let mut policy = policies()[random.below(3)];
    policy.max_redirects = [0, 1, 3, 20][random.below(4)];
    let mut options = Options::new(url(URL), policy);
    options.seed = random.bits();
    let plans: Vec<Plan> = (0..1 + random.below(12))
        .map(|_| plan(&mut random))
        .collect();
    let mut world = World::new(options, plans.iter().map(answer));
    // Not the silence behind the last plan.
    while !world.is_out_of_answers() && world.step() {}
    Model::new(policy, &world.trace).run(&plans);
}

/// Runs `check` for many seeds, and says which one failed.
fn for_seeds(check: impl Fn(u64)) {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    let seeds = match number("TIDINGS_SEED") {
        Some(seed) => seed..seed.saturating_add(number("TIDINGS_SEEDS").unwrap_or(1)),
        None => 0..number("TIDINGS_SEEDS").unwrap_or(SEEDS),
    };
    for seed in seeds {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| check(seed))) {
            eprintln!(
                "replay: TIDINGS_SEED={seed} cargo test -p tidings-eventsource --test protocol model"
            );
            resume_unwind(panic);
        }
    }
}

#[test]
fn model_of_random_servers() {
    for_seeds(run_seed);
}

#[test]
fn model_of_drivers_that_are_wrong() {
    let reached = RefCell::new(Vec::new());
    for_seeds(|seed| {
        let mut random = Random::new(seed);
        let tape: Vec<u8> = (0..random.below(600))
            .map(|_| random.bits() as u8)
            .collect();
        reached.borrow_mut().push(chaos::play(&tape));
    });
    let reached = reached.into_inner();
    if reached.len() < 1_000 {
        return;
    }
    // The tapes get somewhere.
    let share = |of: fn(&chaos::Reached) -> u32| {
        reached.iter().filter(|reached| of(reached) > 0).count() * 100 / reached.len()
    };
    let shares = [
        share(|reached| reached.opened),
        share(|reached| reached.events),
        share(|reached| reached.redirected),
        share(|reached| reached.waited),
        share(|reached| reached.failed),
    ];
    assert!(shares.iter().all(|percent| *percent >= 20), "{shares:?}");
}
