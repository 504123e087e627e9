//! Correct histories, made from a seed: a log in a vector, publishers that
//! overlap, and watchers that read it at cursors.

use crate::{Begin, Chain, History, Moment, Outcome, Published, SlowPolicy, Step};
use fastrand::Rng;
use std::collections::BTreeSet;
use tidings_engine::{LogId, Position, WireId};

const TOPICS: [&str; 4] = ["news", "orders/1", "orders/2", "logs/a/b"];
const SELECTIONS: [&[&str]; 5] = [
    &["**"],
    &["news"],
    &["orders/*"],
    &["logs/**", "news"],
    &["*", "orders/2"],
];
/// Most disconnect, as in life.
const POLICIES: [SlowPolicy; 4] = [
    SlowPolicy::Disconnect,
    SlowPolicy::Disconnect,
    SlowPolicy::Gap,
    SlowPolicy::Latest,
];
const PUBLISHERS: u32 = 4;
/// A watcher that has so many events before it may be too slow.
const LAG: usize = 8;
const ROUNDS: usize = 60;

struct Model {
    rng: Rng,
    now: u64,
    /// The numbers in `published` of what is in the log, in order.
    log: Vec<usize>,
    /// How many of the log's events are gone.
    horizon: usize,
    published: Vec<Published>,
    numbers: [u64; PUBLISHERS as usize],
    watchers: Vec<Watcher>,
}

struct Watcher {
    chain: Chain,
    /// How many of the log's events are behind it; `None` before it began.
    cursor: Option<usize>,
    connected: bool,
    stated: usize,
}

/// A history that breaks nothing. Its first chain has every event; the others
/// lose connections, and lag behind retention.
pub fn history(seed: u64) -> History {
    let mut model = Model {
        rng: Rng::with_seed(seed),
        now: 0,
        log: Vec::new(),
        horizon: 0,
        published: Vec::new(),
        numbers: [0; PUBLISHERS as usize],
        watchers: Vec::new(),
    };
    model.watchers.push(Watcher::new(
        vec!["**".into()],
        Begin::Earliest { at: Moment(0) },
        SlowPolicy::Disconnect,
        true,
    ));
    for _ in 0..ROUNDS {
        model.publish_round();
        model.watch(0, usize::MAX);
        if model.rng.u8(..) < 24 && model.watchers.len() < 7 {
            model.join();
        }
        if model.rng.u8(..) < 16 {
            model.expire();
        }
        for watcher in 1..model.watchers.len() {
            match model.rng.u8(0..8) {
                0 => model.disconnect(watcher),
                1..4 => {
                    let most = model.rng.usize(0..6);
                    model.watch(watcher, most);
                }
                _ => {}
            }
        }
    }
    for watcher in 0..model.watchers.len() {
        if model.watchers[watcher].chain.complete {
            model.watch(watcher, usize::MAX);
        }
    }
    History {
        closed: Vec::new(),
        published: model.published,
        chains: model
            .watchers
            .into_iter()
            .map(|watcher| watcher.chain)
            .collect(),
    }
}

impl Watcher {
    fn new(selection: Vec<String>, begin: Begin, slow: SlowPolicy, complete: bool) -> Self {
        let chain = Chain {
            selection,
            begin,
            slow,
            steps: Vec::new(),
            complete,
        };
        Self {
            chain,
            cursor: None,
            connected: false,
            stated: 0,
        }
    }
}

impl Model {
    fn tick(&mut self) -> Moment {
        self.now += 1;
        Moment(self.now)
    }

    /// Some publishers call at once; the log takes what comes in some order.
    fn publish_round(&mut self) {
        let mut callers: Vec<u32> = (0..PUBLISHERS).filter(|_| self.rng.bool()).collect();
        let calls: Vec<usize> = callers
            .iter()
            .map(|publisher| self.call(*publisher))
            .collect();
        let mut order: Vec<usize> = (0..calls.len()).collect();
        self.rng.shuffle(&mut order);
        let fates: Vec<u8> = callers.drain(..).map(|_| self.rng.u8(0..16)).collect();
        for at in &order {
            match fates[*at] {
                // Refused; lost on the way.
                0 | 1 => {}
                _ => self.log.push(calls[*at]),
            }
        }
        for at in order {
            let number = calls[at];
            self.published[number].outcome = match fates[at] {
                0 => Outcome::Refused,
                1 | 2 => Outcome::Unknown,
                // An answer that was lost, and a retry that is told the same.
                3 => {
                    self.retry(number);
                    Outcome::Unknown
                }
                _ => self.ack(number),
            };
        }
    }

    fn call(&mut self, publisher: u32) -> usize {
        let number = self.numbers[publisher as usize];
        self.numbers[publisher as usize] += 1;
        let called = self.tick();
        self.published.push(Published {
            publisher,
            number,
            topic: self.rng.choice(TOPICS).unwrap_or("news").into(),
            event_type: (self.rng.u8(..) < 80).then(|| "said".into()),
            data: format!("{publisher}/{number}"),
            called,
            outcome: Outcome::Unknown,
            expires: None,
            reopens: false,
        });
        self.published.len() - 1
    }

    fn ack(&mut self, number: usize) -> Outcome {
        Outcome::Acked {
            id: self.id(number),
            at: self.tick(),
        }
    }

    fn retry(&mut self, number: usize) {
        let called = self.tick();
        let outcome = self.ack(number);
        self.published.push(Published {
            called,
            outcome,
            ..self.published[number].clone()
        });
    }

    fn id(&self, number: usize) -> String {
        let at = self.log.iter().rposition(|in_log| *in_log == number);
        id(number, at.expect("it is in the log") + 1)
    }

    fn expire(&mut self) {
        let to = self.rng.usize(self.horizon..=self.log.len());
        self.horizon = to.saturating_sub(4).max(self.horizon);
        let now = self.tick();
        let gone = &self.log[..self.horizon];
        let gone: BTreeSet<_> = gone
            .iter()
            .map(|number| event(&self.published[*number]))
            .collect();
        // The attempts of an event expire together.
        for published in self
            .published
            .iter_mut()
            .filter(|p| gone.contains(&event(p)))
        {
            published.expires.get_or_insert(now);
        }
    }

    fn join(&mut self) {
        let selection = self.rng.choice(SELECTIONS).unwrap_or(&["**"]);
        let mut cursor = None;
        let begin = match self.rng.u8(0..3) {
            0 => Begin::Earliest { at: self.tick() },
            1 => Begin::Opened,
            _ => {
                let after = self.rng.usize(self.horizon..=self.log.len());
                cursor = Some(after);
                match after {
                    0 => Begin::After(wire(0)),
                    after => Begin::After(self.id(self.log[after - 1])),
                }
            }
        };
        let complete = self.rng.u8(0..4) > 0;
        let selection = selection
            .iter()
            .map(|selector| (*selector).into())
            .collect();
        let slow = self.rng.choice(POLICIES).unwrap_or_default();
        let mut watcher = Watcher::new(selection, begin, slow, complete);
        watcher.cursor = cursor;
        self.watchers.push(watcher);
        self.watch(self.watchers.len() - 1, 0);
    }

    fn disconnect(&mut self, watcher: usize) {
        let watcher = &mut self.watchers[watcher];
        if std::mem::take(&mut watcher.connected) {
            watcher.chain.steps.push(Step::Disconnected);
        }
    }

    fn watch(&mut self, watcher: usize, most: usize) {
        let (at, horizon, end) = (self.tick(), self.horizon, self.log.len());
        let watcher = &mut self.watchers[watcher];
        let steps = &mut watcher.chain.steps;
        let mut cursor = watcher.cursor.unwrap_or(match watcher.chain.begin {
            Begin::Opened => end,
            _ => horizon,
        });
        if !std::mem::replace(&mut watcher.connected, true) {
            steps.push(Step::Opened {
                id: wire(cursor.max(horizon)),
                at,
            });
            watcher.stated = cursor;
        }
        if cursor < horizon {
            steps.push(Step::Gap {
                to: wire(horizon),
                slow: false,
                at,
            });
            cursor = horizon;
        }
        let too_slow = end - cursor > LAG && self.rng.bool();
        let slow = watcher.chain.slow;
        if slow == SlowPolicy::Gap && too_slow {
            steps.push(Step::Gap {
                to: wire(end),
                slow: true,
                at,
            });
            cursor = end;
        }
        let mut given = 0;
        while cursor < end && given < most {
            let published = &self.published[self.log[cursor]];
            let later = &self.log[cursor + 1..];
            let newer = |number: &usize| self.published[*number].topic == published.topic;
            let superseded = slow == SlowPolicy::Latest && too_slow && later.iter().any(newer);
            if super::chain::selects(&watcher.chain.selection, &published.topic) && !superseded {
                given += 1;
                steps.push(Step::Event {
                    id: id(self.log[cursor], cursor + 1),
                    topic: given.is_multiple_of(2).then(|| published.topic.clone()),
                    event_type: published.event_type.clone().unwrap_or("message".into()),
                    data: published.data.clone(),
                });
            }
            cursor += 1;
        }
        if given < most && cursor > watcher.stated && self.rng.bool() {
            steps.push(Step::Reached { id: wire(cursor) });
        }
        watcher.stated = cursor;
        watcher.cursor = Some(cursor);
    }
}

fn event(published: &Published) -> (u32, u64) {
    (published.publisher, published.number)
}

/// Every fifth event has an id of its own.
fn id(number: usize, position: usize) -> String {
    match number.is_multiple_of(5) {
        true => format!("own-{number}"),
        false => wire(position),
    }
}

pub fn wire(position: usize) -> String {
    WireId {
        log: LogId(77),
        position: Position(position as u64),
    }
    .to_string()
}
