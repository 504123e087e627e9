//! The events of the fake hub, and who watches them.

use super::Shared;
use super::faults::Switch;
use super::rights::Rights;
use serde_json::Value;
use std::sync::Arc;
use tidings_mercure::document::Active;
use tidings_mercure::request::{Publish, Resume, Subscribe};
use tidings_mercure::{Base, Dialect, Matcher, Subject, matcher::any_matches};

#[derive(Default)]
pub struct Log {
    events: Vec<Event>,
    members: Vec<Arc<Watching>>,
    named: u64,
}

struct Event {
    id: String,
    topics: Vec<String>,
    private: bool,
    block: String,
}

/// Who watches what, as the subscription API tells it.
pub struct Watching {
    subscriber: String,
    matchers: Vec<(Matcher, Option<Value>)>,
}

impl Watching {
    pub fn active(&self, active: bool) -> impl Iterator<Item = Active<'_>> {
        self.matchers.iter().map(move |(matcher, payload)| Active {
            matcher,
            subscriber: &self.subscriber,
            active,
            payload: payload.as_ref(),
        })
    }
}

impl Log {
    pub fn len(&self) -> usize {
        self.events.len()
    }

    pub fn last_id(&self) -> String {
        let last = self.events.last();
        last.map_or_else(|| "earliest".to_owned(), |event| event.id.clone())
    }

    pub fn members(&self) -> Vec<Arc<Watching>> {
        self.members.clone()
    }

    fn next_name(&mut self) -> String {
        self.named += 1;
        format!("urn:uuid:00000000-0000-4000-8000-{:012x}", self.named)
    }

    /// Adds what was published; answers its id.
    pub fn append(&mut self, event: Publish) -> String {
        let id = match &event.id {
            Some(id) => id.as_str().to_owned(),
            None => self.next_name(),
        };
        let event_type = event.event_type.as_ref().map(|name| name.as_str());
        let block = block(&id, event_type, event.retry, &event.data);
        self.events.push(Event {
            id: id.clone(),
            topics: event.topics,
            private: event.private,
            block,
        });
        id
    }

    pub fn join(&mut self, member: &mut Member, base: &Base, public: bool) {
        let watching = Arc::new(Watching {
            subscriber: self.next_name(),
            matchers: member
                .matchers
                .iter()
                .map(|matcher| (matcher.clone(), member.rights.payload(matcher, base)))
                .collect(),
        });
        member.watching = Some(Arc::clone(&watching));
        self.tell(&watching, true, base, public);
        self.members.push(watching);
    }

    pub fn leave(&mut self, member: &Member, base: &Base, public: bool) {
        if let Some(watching) = &member.watching {
            self.members.retain(|other| !Arc::ptr_eq(other, watching));
            self.tell(watching, false, base, public);
        }
    }

    fn tell(&mut self, watching: &Watching, active: bool, base: &Base, public: bool) {
        for one in watching.active(active) {
            for dialect in [Dialect::V0, Dialect::V1] {
                if let Some(event) = one.event(dialect, base) {
                    let id = self.next_name();
                    self.events.push(Event {
                        block: block(&id, event.event_type, None, &event.data),
                        id,
                        topics: vec![event.topic],
                        private: !public,
                    });
                }
            }
        }
    }
}

fn block(id: &str, event_type: Option<&str>, retry: Option<u64>, data: &str) -> String {
    let mut block = String::new();
    if let Some(name) = event_type {
        block += &format!("event: {name}\n");
    }
    if let Some(millis) = retry {
        block += &format!("retry: {millis}\n");
    }
    block += &format!("id: {id}\n");
    let data = data.replace("\r\n", "\n").replace('\r', "\n");
    for line in data.split('\n') {
        block += &format!("data: {line}\n");
    }
    block + "\n"
}

/// A stream that is about to begin, or goes on.
pub struct Member {
    pub dialect: Dialect,
    pub rights: Rights,
    /// The id before the first event, if a cursor was given.
    pub before: Option<String>,
    matchers: Vec<Matcher>,
    at: usize,
    /// Where what was replayed ended.
    replayed: Option<usize>,
    watching: Option<Arc<Watching>>,
    /// How many blocks it was given, and the one that waits for the next.
    given: usize,
    held: Option<String>,
}

impl Member {
    pub fn new(asked: Subscribe, rights: Rights, log: &Log, shared: &Shared) -> Self {
        let mut member = Self {
            dialect: asked.dialect,
            rights,
            before: None,
            matchers: asked.matchers,
            at: log.len(),
            replayed: None,
            watching: None,
            given: 0,
            held: None,
        };
        let Some(resume) = asked.resume else {
            return member;
        };
        let (at, before) = match &resume {
            Resume::Earliest => (0, None),
            Resume::Empty => (log.len(), log.events.last()),
            Resume::After(id) => match member.find(id.as_str(), log, shared) {
                Some(at) => (at + 1, log.events.get(at)),
                None => (log.len(), None),
            },
        };
        member.replayed = Some(log.len());
        member.at = at;
        member.before = Some(before.map_or_else(|| "earliest".into(), |event| event.id.clone()));
        member
    }

    pub fn at(&self) -> usize {
        self.at
    }

    /// Where the first event with this id is that the stream may show.
    fn find(&self, id: &str, log: &Log, shared: &Shared) -> Option<usize> {
        let hidden = shared.is(Switch::HiddenCursors);
        let mut found = (0..log.len()).filter(|at| {
            let event = &log.events[*at];
            event.id == id && (hidden || self.shows(event, &shared.base))
        });
        match shared.is(Switch::LastDouble) {
            true => found.next_back(),
            false => found.next(),
        }
    }

    /// The blocks of what is next.
    pub fn read(&mut self, log: &Log, shared: &Shared) -> Vec<String> {
        let mut blocks = Vec::new();
        let from = self.at;
        self.at = log.len();
        for (at, event) in log.events.iter().enumerate().skip(from) {
            let is_replay = self.replayed.is_some_and(|end| at < end);
            let seen = shared.is(Switch::ReplayShowsAll) && is_replay;
            if !self.watches(event, &shared.base) || !(seen || self.shows(event, &shared.base)) {
                continue;
            }
            let is_first_live = self.replayed.is_some() && !is_replay;
            if is_first_live {
                self.replayed = None;
            }
            if is_first_live && shared.is(Switch::Lossy) {
                continue;
            }
            self.given += 1;
            if shared.is(Switch::InPairs) && self.given % 2 == 1 && self.given < 100 {
                self.held = Some(event.block.clone());
            } else {
                blocks.push(event.block.clone());
                blocks.extend(self.held.take());
            }
        }
        blocks
    }

    fn watches(&self, event: &Event, base: &Base) -> bool {
        any_matches(&self.matchers, &subjects(event, base))
    }

    fn shows(&self, event: &Event, base: &Base) -> bool {
        !event.private || any_matches(&self.rights.subscribe, &subjects(event, base))
    }
}

fn subjects<'a>(event: &'a Event, base: &'a Base) -> Vec<Subject<'a>> {
    let topics = event.topics.iter();
    topics.map(|topic| Subject::new(topic, base)).collect()
}
