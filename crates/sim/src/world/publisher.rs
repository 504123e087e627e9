//! Those who publish: one call after the other, single events and batches,
//! some with ids and keys; a call whose outcome is unknown is repeated if it
//! can't double anything.

use super::hub::{Answer, Hub, Ticket};
use super::ledger::{Ledger, Sums};
use crate::{Moment, Outcome, Published};
use fastrand::Rng;
use tidings_codec::{EventId, EventType};
use tidings_engine::{Entry, Event, IdempotencyKey, Kind, Timestamp, Topic, closing};
use tidings_store::AppendError;

const TOPICS: [&str; 6] = [
    "news",
    "orders/1",
    "orders/2",
    "orders/1/items",
    "logs/a",
    "logs",
];

/// One publisher.
pub struct Publisher {
    number: usize,
    retries: bool,
    own_ids: bool,
    next_event: u64,
    next_ticket: u64,
    call: Option<Call>,
}

/// What is being published, over all attempts.
struct Call {
    batch: Vec<Said>,
    /// Whether the topic of the last event ends behind it.
    closes: bool,
    first: u64,
    /// Whether repeating it can't double it.
    repeatable: bool,
    called: Sums,
    /// In milliseconds of the world.
    since: u64,
    /// The attempt that is waited for, with its records; `None` if none is.
    waiting: Option<(Ticket, Attempt)>,
}

/// The records of one attempt.
struct Attempt {
    events: Vec<usize>,
    end: Option<usize>,
}

#[derive(Clone)]
struct Said {
    topic: &'static str,
    event_type: Option<&'static str>,
    id: Option<String>,
    key: Option<u128>,
    data: String,
    reopens: bool,
}

impl Publisher {
    pub fn new(number: usize, (retries, own_ids): (bool, bool)) -> Self {
        Self {
            number,
            retries,
            own_ids,
            next_event: 0,
            next_ticket: 0,
            call: None,
        }
    }

    pub fn is_idle(&self) -> bool {
        self.call.is_none()
    }

    /// What its call is as old as, for who decides whether it may go on.
    pub fn call_since(&self) -> Option<(Sums, u64)> {
        self.call.as_ref().map(|call| (call.called, call.since))
    }

    /// Begins a new call, or repeats the one that nobody will answer.
    pub fn step(
        &mut self,
        hub: &mut Hub,
        ledger: &mut Ledger,
        rng: &mut Rng,
        clock: (u64, Timestamp),
        now: &mut Moment,
    ) {
        if self.call.is_none() {
            self.call = Some(self.invent(rng, ledger.sums, clock.0));
        }
        let Some(call) = &mut self.call else { return };
        if call.waiting.is_some() {
            return;
        }
        now.0 += 1;
        let ticket = (self.number, self.next_ticket);
        self.next_ticket += 1;
        let (publisher, called) = (self.number as u32, *now);
        let records = (call.first..)
            .zip(&call.batch)
            .map(|(number, said)| Published {
                publisher,
                number,
                topic: said.topic.into(),
                event_type: said.event_type.map(str::to_owned),
                data: said.data.clone(),
                called,
                outcome: Outcome::Unknown,
                expires: None,
                reopens: said.reopens,
            });
        let events = ledger.request(records);
        let closing = call.batch.last().filter(|_| call.closes);
        let end = closing.map(|said| ledger.close(said.topic));
        call.waiting = Some((ticket, Attempt { events, end }));
        let entries = call.batch.iter().map(|said| said.entry(clock.1));
        let ends = closing.map(|said| said.end(clock.1));
        hub.take(ticket, entries.chain(ends).collect());
    }

    /// An answer arrives, unless nobody waits for it any more.
    pub fn hear(&mut self, ticket: Ticket, answer: Answer, ledger: &mut Ledger, now: &mut Moment) {
        let Some(call) = &mut self.call else { return };
        if call
            .waiting
            .as_ref()
            .is_none_or(|(waiting, _)| *waiting != ticket)
        {
            return;
        }
        let Some((_, Attempt { events, end })) = call.waiting.take() else {
            return;
        };
        now.0 += 1;
        match answer {
            Ok(appended) => {
                if let (Some(end), Some(appended)) = (end, appended.last()) {
                    let id = appended.id.as_str().to_owned();
                    ledger.close_answered(end, Outcome::Acked { id, at: *now });
                }
                for (record, appended) in events.into_iter().zip(appended) {
                    let id = appended.id.as_str().to_owned();
                    ledger.acked(record, id, appended.position.0, *now);
                }
                self.call = None;
            }
            // A crash may still bring it back.
            Err(AppendError::Full | AppendError::Failed) => self.unanswered(),
            Err(_) => {
                events.into_iter().for_each(|record| ledger.refused(record));
                if let Some(end) = end {
                    ledger.close_answered(end, Outcome::Refused);
                }
                self.call = None;
            }
        }
    }

    /// The answer will not come, or says nothing.
    pub fn unanswered(&mut self) {
        match &mut self.call {
            Some(call) if call.repeatable => call.waiting = None,
            _ => self.call = None,
        }
    }

    /// Stops waiting while the hub still works on it: only for what may be
    /// repeated, because it may come to pass at any time.
    pub fn impatient(&mut self) {
        if self.call.as_ref().is_some_and(|call| call.repeatable) {
            self.unanswered();
        }
    }

    /// Lets the call be.
    pub fn give_up(&mut self) {
        self.call = None;
    }

    fn invent(&mut self, rng: &mut Rng, called: Sums, since: u64) -> Call {
        let first = self.next_event;
        let repeatable = rng.bool() && self.retries;
        let length = if rng.u8(0..4) == 0 { rng.u64(2..6) } else { 1 };
        self.next_event += length;
        let batch = (first..first + length).map(|number| {
            let by_id = rng.u8(0..4) == 0 && self.own_ids;
            let ids = (self.number, number);
            Said {
                topic: rng.choice(TOPICS).unwrap_or("news"),
                event_type: (rng.u8(0..4) == 0).then_some("changed"),
                id: by_id.then(|| format!("own/{}/{}", ids.0, ids.1)),
                key: (repeatable && !by_id).then_some(u128::from(number) << 32 | ids.0 as u128),
                data: data(ids, rng),
                reopens: rng.u8(0..3) > 0,
            }
        });
        Call {
            batch: batch.collect(),
            closes: rng.u8(0..8) == 0,
            first,
            repeatable,
            called,
            since,
            waiting: None,
        }
    }
}

/// Unique, and of every shape that has tripped a codec.
fn data((publisher, number): (usize, u64), rng: &mut Rng) -> String {
    let name = format!("{publisher}/{number}");
    match rng.u8(0..8) {
        0 => format!("{name}\n\nid: td-0000000000000-1\ndata: no"),
        1 => format!(" {name} \n"),
        2 => format!(":{name} 🛰"),
        3 => format!("{name}{}", ".".repeat(rng.usize(0..700))),
        _ => name,
    }
}

impl Said {
    fn entry(&self, time: Timestamp) -> Entry {
        let event = Event {
            alternates: Box::default(),
            visibility: tidings_engine::Visibility::Native,
            topic: Topic::new(self.topic).expect("a topic"),
            event_type: self
                .event_type
                .map(|name| EventType::new(name).expect("a type")),
            id: self
                .id
                .as_ref()
                .map(|id| EventId::new(id.as_str()).expect("an id")),
            retry: None,
            data: self.data.as_str().into(),
        };
        let kind = match self.reopens {
            true => Kind::Reopening,
            false => Kind::Event,
        };
        let entry = event.into_entry(
            time,
            self.key.map(|key| IdempotencyKey {
                key,
                request: key as u64,
            }),
        );
        entry.of_kind(kind)
    }

    fn end(&self, time: Timestamp) -> Entry {
        let end = closing::end(Topic::new(self.topic).expect("a topic"));
        end.into_entry(time, None).of_kind(Kind::End)
    }
}
