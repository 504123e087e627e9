//! Who is at one topic, and what of it has still to be told.
//!
//! Those who listen know a list, or a count alone. What they know is what was told
//! last, or what they were shown since: a snapshot shows what is, so it may be
//! ahead of what was told. What is told next then repeats what the snapshot has, and
//! names everybody who has left, so that one account is right for all of them.

use super::member::{Member, MemberId, Person, escapes};
use super::{Payer, Rules};
use crate::{Pace, Timestamp, Topic};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What may be told of one topic at once, in bytes.
const BURST_BYTES: u64 = 128 << 10;
/// What may be told of one topic in a second, in bytes, for as long as one likes.
const BYTES_PER_SECOND: u64 = 32 << 10;
/// For how long changes wait for others, to be told of together.
const TOGETHER: Duration = Duration::from_millis(50);

/// What an account has beside its topic and who is in it at most, in bytes:
/// `{"topic":"","seq":,"count":,"joined":,"left":}`, and four numbers.
const HEAD_BYTES: usize = 46 + 4 * 20;
/// What somebody who has left takes in an account, in bytes: the id in quotes, and a
/// comma.
const LEFT_BYTES: usize = 25;

/// Who is at one topic.
#[derive(Debug)]
pub(super) struct Audience {
    topic: Topic,
    /// Boxed, as most topics have few members and a node of the map has many places.
    members: BTreeMap<MemberId, Box<Present>>,
    /// What the members take in a list, in bytes.
    listed_bytes: usize,
    /// How many are told of changes. Without any nothing has to be told.
    listeners: usize,
    /// Whose presence may differ from what was told last, and whether that was
    /// told to be there. Only as long as lists are told.
    changed: BTreeMap<MemberId, bool>,
    /// How many have come, and gone, since it was told last.
    came: u64,
    went: u64,
    /// A snapshot was taken since, while something was to be told.
    looked_at: bool,
    /// A count is to be told, and then everything anew, whatever the size.
    anew: bool,
    /// What was told last was a count.
    counted: bool,
    /// When something is to be told.
    due: Option<Duration>,
    /// When a count may be told again.
    quiet: Duration,
    pace: Pace,
    /// Whether somebody pays for it, and who.
    paid: Option<Option<Payer>>,
}

/// Somebody at the topic.
#[derive(Debug)]
struct Present {
    person: Arc<Person>,
    since: Timestamp,
    streams: u32,
    /// Until when they stay at least without any stream.
    stays: Duration,
    payer: Option<Payer>,
}

/// What the last stream of somebody leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// They have other streams, or aren't there at all.
    Nothing,
    /// They leave then, unless they come back.
    Leaves(Duration),
}

/// What is told of a topic beside how many are there. Cheap to make, as it shares what
/// is kept of people: it is written where nobody waits for the roster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum News {
    /// Who has come and gone.
    Lists {
        joined: Vec<Member>,
        left: Vec<MemberId>,
    },
    /// How many have come and gone.
    Numbers { joined: u64, left: u64 },
    /// Everybody who is there.
    Everybody(Vec<Member>),
}

impl News {
    /// How long it is in an account at most, in bytes.
    fn bytes(&self) -> usize {
        let listed = |members: &[Member]| -> usize {
            members.iter().map(|own| own.person.written_bytes()).sum()
        };
        match self {
            Self::Lists { joined, left } => listed(joined) + LEFT_BYTES * left.len(),
            Self::Numbers { .. } => 0,
            Self::Everybody(members) => listed(members),
        }
    }
}

impl Audience {
    /// Nobody is at `topic`.
    pub fn new(topic: &Topic) -> Self {
        Self {
            topic: topic.clone(),
            members: BTreeMap::new(),
            listed_bytes: 0,
            listeners: 0,
            changed: BTreeMap::new(),
            came: 0,
            went: 0,
            looked_at: false,
            anew: false,
            counted: false,
            due: None,
            quiet: Duration::ZERO,
            pace: Pace::new(BURST_BYTES, BYTES_PER_SECOND),
            paid: None,
        }
    }

    /// The topic: one text for all that is kept of it.
    pub fn topic(&self) -> &Topic {
        &self.topic
    }

    /// Whether somebody pays for it, and who.
    pub fn paid(&self) -> Option<Option<Payer>> {
        self.paid
    }

    /// From now on it is paid for, by `payer` unless somebody does already.
    pub fn pay(&mut self, payer: Option<Payer>) {
        self.paid.get_or_insert(payer);
    }

    /// How many are there.
    pub fn count(&self) -> usize {
        self.members.len()
    }

    /// Whether neither a member nor a listener is left.
    pub fn is_forgotten(&self) -> bool {
        self.members.is_empty() && self.listeners == 0
    }

    /// What somebody who is there shows.
    pub fn person(&self, id: MemberId) -> Option<&Arc<Person>> {
        self.members.get(&id).map(|own| &own.person)
    }

    /// Who pays for somebody who is there.
    pub fn payer(&self, id: MemberId) -> Option<Payer> {
        self.members.get(&id)?.payer
    }

    /// When something is to be told.
    pub fn due(&self) -> Option<Duration> {
        self.due
    }

    /// A stream of `person` begins. Answers until when somebody was to stay who had
    /// no stream.
    pub fn begin(
        &mut self,
        person: &Arc<Person>,
        payer: Option<Payer>,
        now: (Duration, Timestamp),
        rules: &Rules,
    ) -> Option<Duration> {
        let Some(own) = self.members.get_mut(&person.id) else {
            self.listed_bytes += person.listed_bytes();
            let own = Present {
                person: Arc::clone(person),
                since: now.1,
                streams: 1,
                stays: now.0,
                payer,
            };
            self.members.insert(person.id, Box::new(own));
            self.came += 1;
            self.note(person.id, false, now.0, rules);
            return None;
        };
        let left = (own.streams == 0).then_some(own.stays);
        own.streams += 1;
        if own.person != *person {
            let before = std::mem::replace(&mut own.person, Arc::clone(person));
            self.listed_bytes = self.listed_bytes + person.listed_bytes() - before.listed_bytes();
            self.note(person.id, true, now.0, rules);
        }
        left
    }

    /// A stream of somebody ends; if they can come back, they stay until `stays` at
    /// least.
    pub fn end(&mut self, id: MemberId, now: Duration, stays: Duration) -> Ended {
        let Some(own) = self.members.get_mut(&id) else {
            return Ended::Nothing;
        };
        own.streams = own.streams.saturating_sub(1);
        own.stays = own.stays.max(if own.person.lasts { stays } else { now });
        match own.streams {
            0 => Ended::Leaves(own.stays),
            _ => Ended::Nothing,
        }
    }

    /// Somebody without any stream has left; who pays for what of them.
    pub fn leave(
        &mut self,
        id: MemberId,
        now: Duration,
        rules: &Rules,
    ) -> Option<(Arc<Person>, Option<Payer>)> {
        let own = self.members.remove(&id)?;
        self.listed_bytes -= own.person.listed_bytes();
        self.went += 1;
        self.note(id, true, now, rules);
        Some((own.person, own.payer))
    }

    /// One more is told of changes, from now on.
    pub fn listen(&mut self, rules: &Rules) {
        self.listeners += 1;
        if self.listeners == 1 {
            self.counted = self.is_large(rules);
        }
    }

    /// One less is told of changes.
    pub fn ignore(&mut self) {
        self.listeners = self.listeners.saturating_sub(1);
        if self.listeners == 0 {
            self.settle();
            self.due = None;
        }
    }

    /// Everybody who is there, or `None` if they are too many to be listed. Whoever
    /// listens may go on from it.
    pub fn look(&mut self, now: Duration, rules: &Rules) -> Option<Vec<Member>> {
        let large = self.is_large(rules);
        let is_behind = self.due.is_some();
        self.looked_at |= is_behind;
        // Lists are told still, of which whoever sees none now could make nothing.
        if large && !self.counted && is_behind {
            self.anew = true;
            self.schedule(now);
        }
        (!large).then(|| self.list())
    }

    /// What is to be told. `None` if it comes to nothing.
    pub fn tell(&mut self, now: Duration, rules: &Rules) -> Option<News> {
        self.due = None;
        let counts = self.anew || self.is_large(rules);
        let was_counted = std::mem::replace(&mut self.counted, counts);
        let is_news = self.came + self.went > 0;
        let told = match (was_counted, counts) {
            (false, false) => self.changes(),
            (true, true) if !is_news && !self.anew => None,
            (_, true) => Some(News::Numbers {
                joined: self.came,
                left: self.went,
            }),
            (true, false) => Some(News::Everybody(self.list())),
        };
        if let Some(told) = &told {
            self.quiet = now + rules.interval;
            let topic = self.topic.as_str();
            let bytes = HEAD_BYTES + topic.len() + escapes(topic) + told.bytes();
            self.pace.told(bytes, now);
        }
        self.settle();
        if counts && !self.is_large(rules) {
            self.schedule(now);
        }
        told
    }

    /// Who has come and gone since it was told last, by name.
    fn changes(&self) -> Option<News> {
        let (mut joined, mut left) = (Vec::new(), Vec::new());
        for (id, was_told) in &self.changed {
            match self.members.get(id) {
                Some(own) => joined.push(own.member()),
                None if *was_told || self.looked_at => left.push(*id),
                None => {}
            }
        }
        let is_news = !joined.is_empty() || !left.is_empty();
        is_news.then_some(News::Lists { joined, left })
    }

    fn note(&mut self, id: MemberId, was_there: bool, now: Duration, rules: &Rules) {
        if self.listeners == 0 {
            return self.settle();
        }
        if !self.counted && !self.anew {
            self.changed.entry(id).or_insert(was_there);
            if self.changed.len() > rules.most_changes() {
                self.changed.clear();
                self.anew = true;
            }
        }
        self.schedule(now);
    }

    /// Has it told of soon, unless it is already. A count waits for its time.
    fn schedule(&mut self, now: Duration) {
        if self.due.is_some() {
            return;
        }
        let soon = self.pace.ready(now).max(now + TOGETHER);
        self.due = Some(match self.counted {
            true => soon.max(self.quiet),
            false => soon,
        });
    }

    /// Nothing is to be told.
    fn settle(&mut self) {
        self.changed.clear();
        (self.came, self.went) = (0, 0);
        (self.looked_at, self.anew) = (false, false);
    }

    fn list(&self) -> Vec<Member> {
        self.members.values().map(|own| own.member()).collect()
    }

    fn is_large(&self, rules: &Rules) -> bool {
        self.count() > rules.list || self.listed_bytes > rules.list_bytes
    }
}

impl Present {
    fn member(&self) -> Member {
        Member {
            person: Arc::clone(&self.person),
            since: self.since,
        }
    }
}
