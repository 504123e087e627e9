//! Who is connected to a topic. A member is a person, not a socket: an identity at
//! a topic, however many streams it has there, and for a grace after the last of
//! them.
//!
//! Times are those since the hub started; the clock on the wall says since when
//! somebody is there, and nothing else.

mod audience;
mod document;
mod ledger;
mod member;
#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;

pub use ledger::{Full, Payer};
pub use member::{Member, MemberId, Person};

use crate::{Timestamp, Topic};
use audience::{Audience, Ended, News};
use ledger::Ledger;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// What a member costs beside its topic and what it shows, in bytes: its places
/// among the members and the deadlines, and what waits to be told of it. Rounded up.
pub const MEMBER_BYTES: usize = 512;
/// What a topic that has members costs beside them, in bytes. Rounded up.
pub const TOPIC_BYTES: usize = 768;
/// The most bytes of members that are told as a list.
pub const LIST_BYTES: usize = 64 * 1024;

/// How presence is kept and told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// For how long somebody stays who has no stream any more.
    pub grace: Duration,
    /// Up to so many members are listed.
    pub list: usize,
    /// As long as their list has at most so many bytes.
    pub list_bytes: usize,
    /// How much time there is between two accounts of more.
    pub interval: Duration,
    /// What all members may take, in bytes.
    pub bytes: usize,
}

impl Rules {
    /// How many changes are remembered by name before they are only counted.
    fn most_changes(&self) -> usize {
        2 * self.list + 64
    }
}

/// Everybody who is there.
#[derive(Debug)]
pub struct Roster {
    rules: Rules,
    /// The number of the last account.
    seq: u64,
    audiences: HashMap<Topic, Box<Audience>>,
    /// Who leaves when, unless they come back.
    leaving: BTreeSet<(Duration, Topic, MemberId)>,
    /// Of which topics something is to be told when.
    due: BTreeSet<(Duration, Topic)>,
    members: usize,
    ledger: Ledger,
}

/// What is to be told of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The topic.
    pub topic: Topic,
    seq: u64,
    count: usize,
    news: News,
}

impl Account {
    /// A `tidings:presence` event's data: JSON on one line. Nothing of the roster is
    /// needed for it.
    pub fn to_json(&self) -> String {
        document::account(&self.topic, self.seq, self.count, &self.news)
    }
}

/// Who is at a topic at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The topic.
    pub topic: Topic,
    /// Accounts up to this number are in it.
    pub seq: u64,
    /// How many are there.
    pub count: usize,
    /// Who they are; `None` if they are too many to be listed.
    pub members: Option<Vec<Member>>,
}

impl Snapshot {
    /// As the data of a `tidings:presence` event.
    pub fn to_json(&self) -> String {
        document::snapshot(&self.topic, self.seq, self.count, self.members.as_deref())
    }

    /// As a document, which also says how many streams watch the topic: `null` if
    /// that isn't known.
    pub fn to_page(&self, watchers: Option<usize>) -> String {
        let numbers = (self.count, watchers);
        document::page(&self.topic, self.seq, numbers, self.members.as_deref())
    }
}

impl Roster {
    /// Nobody is there.
    pub fn new(rules: Rules) -> Self {
        Self {
            seq: 0,
            audiences: HashMap::new(),
            leaving: BTreeSet::new(),
            due: BTreeSet::new(),
            members: 0,
            ledger: Ledger::new(rules.bytes),
            rules,
        }
    }

    /// A stream begins that makes somebody a member at topics, which are different: at
    /// each the same person, who may show something else. `payer` answers for what
    /// that takes.
    ///
    /// # Errors
    /// [`Full`]; then nothing has changed.
    pub fn begin(
        &mut self,
        at: &[(Topic, Arc<Person>)],
        payer: Option<Payer>,
        now: (Duration, Timestamp),
    ) -> Result<(), Full> {
        let new = |(topic, person): &(Topic, Arc<Person>)| {
            let audience = self.audiences.get(topic);
            let is_paid = audience.is_some_and(|own| own.paid().is_some());
            let is_there = audience.is_some_and(|own| own.person(person.id).is_some());
            let member = if is_there { 0 } else { cost(topic, person) };
            member + if is_paid { 0 } else { TOPIC_BYTES }
        };
        self.ledger.take(at.iter().map(new).sum(), payer)?;
        for (topic, person) in at {
            self.begin_at(topic, person, payer, now);
        }
        Ok(())
    }

    /// A stream ends that began so. The hub has asked it to come back in `retry`, if
    /// it has.
    pub fn end<'a>(
        &mut self,
        id: MemberId,
        topics: impl IntoIterator<Item = &'a Topic>,
        retry: Option<Duration>,
        now: Duration,
    ) {
        let stays = now + retry.unwrap_or_default() + self.rules.grace;
        for topic in topics {
            let Some(audience) = self.audiences.get_mut(topic) else {
                continue;
            };
            match audience.end(id, now, stays) {
                Ended::Nothing => {}
                Ended::Leaves(at) if at <= now => self.leave(topic, id, now),
                Ended::Leaves(at) => {
                    self.leaving.insert((at, audience.topic().clone(), id));
                }
            }
        }
    }

    /// Somebody wants to be told of changes at `topic`, from now on.
    pub fn listen(&mut self, topic: &Topic) {
        let audience = self.audiences.entry(topic.clone());
        let audience = audience.or_insert_with(|| Box::new(Audience::new(topic)));
        audience.listen(&self.rules);
    }

    /// Somebody who listened doesn't want it any more.
    pub fn ignore(&mut self, topic: &Topic) {
        self.change(topic, |audience, _| audience.ignore());
    }

    /// When something has to be done: somebody leaves, or something is to be told.
    pub fn due(&self) -> Option<Duration> {
        let leaves = self.leaving.first().map(|(at, ..)| *at);
        let told = self.due.first().map(|(at, _)| *at);
        leaves.into_iter().chain(told).min()
    }

    /// Does what is due at `now`, for `most` members and topics at most; answers
    /// what is to be told, in order.
    pub fn take(&mut self, most: usize, now: Duration) -> Vec<Account> {
        for _ in 0..most {
            match self.leaving.first() {
                Some((at, ..)) if *at <= now => {}
                _ => break,
            }
            if let Some((_, topic, id)) = self.leaving.pop_first() {
                self.leave(&topic, id, now);
            }
        }
        let mut accounts = Vec::new();
        for _ in 0..most {
            match self.due.first() {
                Some((at, _)) if *at <= now => {}
                _ => break,
            }
            if let Some((_, topic)) = self.due.pop_first() {
                accounts.extend(self.tell(topic, now));
            }
        }
        accounts
    }

    /// Who is at a topic. Whoever listened before it was taken can go on from it:
    /// with accounts of higher numbers, in order.
    pub fn snapshot(&mut self, topic: &Topic, now: Duration) -> Snapshot {
        let looked = self.change(topic, |audience, rules| {
            (audience.count(), audience.look(now, rules))
        });
        let (count, members) = looked.unwrap_or_else(|| (0, Some(Vec::new())));
        Snapshot {
            topic: topic.clone(),
            seq: self.seq,
            count,
            members,
        }
    }

    /// How many members there are: who is at two topics counts twice.
    pub fn members(&self) -> usize {
        self.members
    }

    /// What they take, in bytes.
    pub fn bytes(&self) -> usize {
        self.ledger.held()
    }

    fn begin_at(
        &mut self,
        topic: &Topic,
        person: &Arc<Person>,
        payer: Option<Payer>,
        now: (Duration, Timestamp),
    ) {
        if !self.audiences.contains_key(topic) {
            self.audiences
                .insert(topic.clone(), Box::new(Audience::new(topic)));
        }
        let person = self.affordable(topic, person);
        let begun = self.change(topic, |audience, rules| {
            audience.pay(payer);
            let before = audience.count();
            let left = audience.begin(&person, payer, now, rules);
            (audience.count() - before, left)
        });
        let (came, left) = begun.unwrap_or_default();
        self.members += came;
        if let Some(left) = left {
            self.leaving.remove(&(left, topic.clone(), person.id));
        }
    }

    /// What is shown of somebody from now on: what they bring, or still what they
    /// brought when they came, if whoever answers for them has no room for more.
    fn affordable(&mut self, topic: &Topic, person: &Arc<Person>) -> Arc<Person> {
        let shown = self.audiences.get(topic).and_then(|audience| {
            let own = audience.person(person.id)?;
            Some((Arc::clone(own), audience.payer(person.id)))
        });
        let Some((shown, payer)) = shown else {
            return Arc::clone(person);
        };
        let (before, after) = (cost(topic, &shown), cost(topic, person));
        let more = after.saturating_sub(before);
        if self.ledger.take(more, payer).is_err() {
            return shown;
        }
        self.ledger.give_back(before.saturating_sub(after), payer);
        Arc::clone(person)
    }

    fn leave(&mut self, topic: &Topic, id: MemberId, now: Duration) {
        let gone = self.change(topic, |audience, rules| audience.leave(id, now, rules));
        if let Some((person, payer)) = gone.flatten() {
            self.members -= 1;
            self.ledger.give_back(cost(topic, &person), payer);
        }
    }

    fn tell(&mut self, topic: Topic, now: Duration) -> Option<Account> {
        let told = self.change(&topic, |audience, rules| {
            Some((audience.count(), audience.tell(now, rules)?))
        });
        let (count, news) = told.flatten()?;
        self.seq += 1;
        Some(Account {
            topic,
            seq: self.seq,
            count,
            news,
        })
    }

    /// Changes what is at a topic, if there is anything, and what follows from it.
    fn change<T>(
        &mut self,
        topic: &Topic,
        change: impl FnOnce(&mut Audience, &Rules) -> T,
    ) -> Option<T> {
        let audience = self.audiences.get_mut(topic)?;
        let before = audience.due();
        let changed = change(audience, &self.rules);
        let after = audience.due();
        if before != after {
            if let Some(before) = before {
                self.due.remove(&(before, topic.clone()));
            }
            if let Some(after) = after {
                self.due.insert((after, audience.topic().clone()));
            }
        }
        if audience.is_forgotten() {
            if let Some(payer) = audience.paid() {
                self.ledger.give_back(TOPIC_BYTES, payer);
            }
            self.audiences.remove(topic);
            crate::shrink_map(&mut self.audiences);
        }
        Some(changed)
    }
}

/// What somebody takes who is a member at `topic`.
fn cost(topic: &Topic, person: &Person) -> usize {
    MEMBER_BYTES + topic.as_str().len() + person.text_bytes()
}
