//! The attempts to publish joined into events, and what is known of where
//! each stands in the log.

use super::{Found, Invariant};
use crate::{Chain, History, Moment, Outcome, Published, Step};
use std::collections::BTreeMap;
use std::collections::HashMap;
use std::fmt;
use tidings_engine::{LogId, WireId};

/// All events of a history.
pub struct Events<'a> {
    pub list: Vec<Event<'a>>,
    by_data: HashMap<&'a str, usize>,
    by_id: HashMap<&'a str, usize>,
    log: Option<LogId>,
}

/// One event, over all attempts to publish it.
pub struct Event<'a> {
    /// The first attempt.
    pub is: &'a Published,
    /// When it was first called for.
    pub called: Moment,
    /// When it was first acknowledged.
    pub acked: Option<Moment>,
    /// Under which id, by an answer or else by a delivery.
    pub id: Option<&'a str>,
    /// Whether every attempt was refused.
    pub refused: bool,
    /// Whether some chain has it.
    pub delivered: bool,
    /// Its position is at least this, and at most that.
    pub at: (u64, u64),
    pub expires: Option<Moment>,
}

impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "event {} of publisher {} in {}",
            self.is.number, self.is.publisher, self.is.topic
        )?;
        match (self.id, self.acked) {
            (Some(id), Some(_)) => write!(f, ", acknowledged as {id}"),
            (Some(id), None) => write!(f, ", not acknowledged, delivered as {id}"),
            (None, _) if self.refused => f.write_str(", refused"),
            (None, _) => f.write_str(", outcome unknown"),
        }
    }
}

impl Event<'_> {
    /// Whether it is certainly in the log.
    pub fn exists(&self) -> bool {
        self.acked.is_some() || self.delivered
    }

    /// Whether it may be missing at `moment`, if that is declared.
    pub fn expired(&self, moment: Moment) -> bool {
        self.expires.is_some_and(|expires| expires <= moment)
    }
}

const ANYWHERE: (u64, u64) = (1, u64::MAX);

impl<'a> Events<'a> {
    pub fn join(history: &'a History, found: &mut Found) -> Self {
        let mut attempts: BTreeMap<(u32, u64), Vec<&Published>> = BTreeMap::new();
        for published in &history.published {
            attempts
                .entry((published.publisher, published.number))
                .or_default()
                .push(published);
        }
        let list = attempts
            .values()
            .map(|attempts| join(attempts, found))
            .collect();
        let mut events = Self {
            list,
            by_data: HashMap::new(),
            by_id: HashMap::new(),
            log: None,
        };
        events.index(found);
        events.find_log(history, found);
        events.learn_from_deliveries(history);
        events.place(history);
        events
    }

    /// The event that is delivered with this data.
    pub fn with_data(&self, data: &str) -> Option<usize> {
        self.by_data.get(data).copied()
    }

    /// The event that stands under this id, if only one does.
    pub fn with_id(&self, id: &str) -> Option<&Event<'a>> {
        self.by_id.get(id).map(|number| &self.list[*number])
    }

    /// The position that an id of the hub's states.
    pub fn position(&self, id: &str) -> Option<u64> {
        let id = WireId::parse(id)?;
        (Some(id.log) == self.log).then_some(id.position.0)
    }

    fn index(&mut self, found: &mut Found) {
        for (number, event) in self.list.iter().enumerate() {
            if let Some(other) = self.by_data.insert(&event.is.data, number) {
                let what = format!("{event} has the data of {}", self.list[other]);
                found.report(Invariant::Recorder, None, what);
            }
            let Some(id) = event.id else { continue };
            let Some(other) = self.by_id.insert(id, number) else {
                continue;
            };
            let other = &self.list[other];
            // Publishers' own ids are for one event of a topic each.
            if WireId::parse(id).is_some() || other.is.topic == event.is.topic {
                found.report(
                    Invariant::I7HonestAck,
                    None,
                    format!("{event} has the id of {other}"),
                );
            }
        }
    }

    /// A history is of one log. The identity of a log in which nothing ever
    /// was may change.
    fn find_log(&mut self, history: &'a History, found: &mut Found) {
        let acked = self.list.iter().filter_map(|event| event.id);
        let stated = history
            .chains
            .iter()
            .flat_map(|chain| &chain.steps)
            .filter_map(Step::id);
        for id in acked.chain(stated).filter_map(WireId::parse) {
            if id.position.0 == 0 || self.log == Some(id.log) {
                continue;
            }
            if self.log.is_some() {
                let what =
                    format!("{id} is of another log than the ids before it: that one is lost");
                found.report(Invariant::I1NoLoss, None, what);
                return;
            }
            self.log = Some(id.log);
        }
    }

    /// Who has no answer learns the id, and that it is in the log, from who
    /// received it.
    fn learn_from_deliveries(&mut self, history: &'a History) {
        for step in history.chains.iter().flat_map(|chain| &chain.steps) {
            let Step::Event { id, data, .. } = step else {
                continue;
            };
            let Some(number) = self.with_data(data) else {
                continue;
            };
            let event = &mut self.list[number];
            event.delivered = true;
            if event.id.is_none() {
                event.id = Some(id);
                self.by_id.entry(id).or_insert(number);
            }
        }
    }

    /// Finds where the events stand that have no id of the hub's: between
    /// those that came before and after them, in time and in the chains.
    fn place(&mut self, history: &History) {
        for number in 0..self.list.len() {
            let position = self.list[number].id.and_then(|id| self.position(id));
            self.list[number].at = position.map_or(ANYWHERE, |at| (at, at));
        }
        self.place_by_time();
        for chain in &history.chains {
            self.place_by_chain(chain);
        }
    }

    fn place_by_time(&mut self) {
        let exact = |event: &&Event<'_>| event.at.0 == event.at.1;
        let mut acked: Vec<_> = self
            .list
            .iter()
            .filter(exact)
            .filter_map(|e| Some((e.acked?, e.at.0)))
            .collect();
        acked.sort_unstable();
        let mut called: Vec<_> = self
            .list
            .iter()
            .filter(exact)
            .map(|e| (e.called, e.at.0))
            .collect();
        called.sort_unstable();
        // Of all up to here the greatest; of all from here on the least.
        let mut greatest = 0;
        for (_, at) in &mut acked {
            greatest = greatest.max(*at);
            *at = greatest;
        }
        let mut least = u64::MAX;
        for (_, at) in called.iter_mut().rev() {
            least = least.min(*at);
            *at = least;
        }
        for event in self.list.iter_mut().filter(|event| event.at == ANYWHERE) {
            let before = acked.partition_point(|(at, _)| *at < event.called);
            if before > 0 {
                event.at.0 = acked[before - 1].1 + 1;
            }
            let Some(answered) = event.acked else {
                continue;
            };
            let after = called.partition_point(|(at, _)| *at <= answered);
            if let Some((_, at)) = called.get(after) {
                event.at.1 = at - 1;
            }
        }
    }

    fn place_by_chain(&mut self, chain: &Chain) {
        let mut behind = 0;
        for step in &chain.steps {
            let Some((event, stated)) = self.told(step) else {
                continue;
            };
            if let Some(number) = event {
                let at = &mut self.list[number].at;
                if at.0 < at.1 {
                    at.0 = at.0.max(behind + 1);
                }
                behind = behind.max(at.0);
            }
            behind = behind.max(stated.unwrap_or(0));
        }
        let mut before = u64::MAX;
        for step in chain.steps.iter().rev() {
            let Some((event, stated)) = self.told(step) else {
                continue;
            };
            if let Some(number) = event {
                let at = &mut self.list[number].at;
                if at.0 < at.1 {
                    at.1 = at.1.min(before.saturating_sub(1));
                }
                before = before.min(at.1);
            } else if let Some(stated) = stated {
                before = before.min(stated.saturating_add(1));
            }
        }
    }

    /// The event or the position that a step tells of.
    fn told(&self, step: &Step) -> Option<(Option<usize>, Option<u64>)> {
        let event = match step {
            Step::Event { data, .. } => Some(self.with_data(data)?),
            _ => None,
        };
        Some((event, self.position(step.id()?)))
    }
}

impl Step {
    pub(super) fn id(&self) -> Option<&str> {
        match self {
            Self::Opened { id, .. }
            | Self::Reached { id }
            | Self::Event { id, .. }
            | Self::Ended { id, .. } => Some(id),
            Self::Gap { to, .. } => Some(to),
            Self::Disconnected => None,
        }
    }
}

fn join<'a>(attempts: &[&'a Published], found: &mut Found) -> Event<'a> {
    let first = attempts[0];
    let mut event = Event {
        is: first,
        called: first.called,
        acked: None,
        id: None,
        refused: attempts
            .iter()
            .all(|attempt| attempt.outcome == Outcome::Refused),
        delivered: false,
        at: ANYWHERE,
        expires: attempts.iter().filter_map(|attempt| attempt.expires).min(),
    };
    for attempt in attempts {
        event.called = event.called.min(attempt.called);
        let same = (&first.topic, &first.event_type, &first.data);
        if (&attempt.topic, &attempt.event_type, &attempt.data) != same {
            found.report(
                Invariant::Recorder,
                None,
                format!("{event} was retried as another event"),
            );
        }
        let Outcome::Acked { id, at } = &attempt.outcome else {
            continue;
        };
        event.acked = Some(event.acked.map_or(*at, |acked| acked.min(*at)));
        match event.id {
            Some(known) if known != id => {
                let what = format!("{event}: a retry was acknowledged as {id}");
                found.report(Invariant::I7HonestAck, None, what);
            }
            _ => event.id = Some(id),
        }
    }
    event
}
