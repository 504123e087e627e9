//! Which topics are closed: for each the position of its end. The end is an event
//! of the log; this is what the log says of ends, kept at hand.
//!
//! Only the writer decides by it and changes it, so that a topic is closed or open
//! at each position. It is made again when the store opens, from the list of ends
//! and reopenings that the index of each segment has. A topic whose end has expired
//! is open: nothing that is kept says otherwise. What was published to it then says
//! that it is, also when a longer retention keeps the end again: **an end counts
//! while no record of its topic stands behind it**.
//!
//! Bound: the newest [`CLOSED_TOPICS`] ends. Topics are held as keyed hashes of 128
//! bits, of which no two are the same: to find such a pair takes 2⁶⁴ topics, and
//! the key, which never leaves the directory.

use crate::format::Identity;
use crate::options::{Class, Horizons, Retention};
use siphasher::sip128::{Hasher128, SipHasher13};
use std::collections::HashMap;
use std::hash::Hasher;
use std::sync::Arc;
use tidings_engine::limits::CLOSED_TOPICS;
use tidings_engine::{Position, Topic};

/// A topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct TopicHash(u128);

/// What hashes start from.
#[derive(Clone, Copy)]
pub(crate) struct HashKey(Identity);

impl HashKey {
    pub fn new(identity: Identity) -> Self {
        Self(identity)
    }

    pub fn hash(self, topic: &Topic) -> TopicHash {
        self.hash_text(topic.as_str())
    }

    fn hash_text(self, topic: &str) -> TopicHash {
        let mut hasher = SipHasher13::new_with_keys(self.0.log.0, self.0.secret);
        hasher.write(topic.as_bytes());
        TopicHash(hasher.finish128().as_u128())
    }
}

/// Where a topic ended.
#[derive(Debug, Clone, Copy)]
struct End {
    position: Position,
    class: Class,
}

/// The table.
pub(crate) struct Closed {
    key: HashKey,
    ends: HashMap<TopicHash, End>,
    /// How many it holds at most.
    most: usize,
    horizons: Arc<Horizons>,
    base: Position,
}

impl Closed {
    /// Of a log in which what `horizons` serve is kept, above `base`.
    pub fn new(key: HashKey, base: Position, horizons: Arc<Horizons>) -> Self {
        Self {
            key,
            ends: HashMap::new(),
            most: CLOSED_TOPICS,
            horizons,
            base,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// By what topics are hashed here.
    pub fn key(&self) -> HashKey {
        self.key
    }

    /// Where a topic ended, if it is closed.
    pub fn end_of(&self, topic: &Topic) -> Option<Position> {
        if self.is_empty() {
            return None;
        }
        self.end(self.key.hash(topic))
    }

    /// What stands at a position ends the topic, or opens it if it is closed.
    pub fn note(&mut self, topic: &Topic, position: Position, ends: bool, retention: &Retention) {
        let hash = self.key.hash(topic);
        if ends {
            self.close(hash, position, retention.class(topic));
        } else {
            self.ends.remove(&hash);
        }
    }

    /// A topic, given as text, has a record behind all that was noted. Only an open
    /// topic takes one, so whatever end is known of it counts no more.
    pub fn note_use(&mut self, topic: &str) {
        self.ends.remove(&self.key.hash_text(topic));
    }

    /// As [`Closed::end_of`], of a topic that was hashed.
    pub fn end(&self, topic: TopicHash) -> Option<Position> {
        let end = self.ends.get(&topic).filter(|end| self.keeps(end))?;
        Some(end.position)
    }

    fn close(&mut self, topic: TopicHash, position: Position, class: Class) {
        self.ends.insert(topic, End { position, class });
        if self.ends.len() > self.most {
            self.forget_oldest();
        }
    }

    /// Drops what is kept no more.
    pub fn expire(&mut self, base: Position, horizons: &Arc<Horizons>) {
        if self.base == base && self.horizons == *horizons {
            return;
        }
        (self.base, self.horizons) = (base, Arc::clone(horizons));
        let mut ends = std::mem::take(&mut self.ends);
        ends.retain(|_, end| self.keeps(end));
        self.ends = ends;
        if self.ends.capacity() > 4 * self.ends.len() + 16 {
            self.ends.shrink_to(2 * self.ends.len());
        }
    }

    fn keeps(&self, end: &End) -> bool {
        end.position > self.base && self.horizons.serves(end.class, end.position)
    }

    /// The oldest eighth at once, so that each end costs little.
    fn forget_oldest(&mut self) {
        let mut positions: Vec<Position> = self.ends.values().map(|end| end.position).collect();
        let number = positions.len() / 8;
        let (_, kept_from, _) = positions.select_nth_unstable(number);
        let kept_from = *kept_from;
        self.ends.retain(|_, end| end.position >= kept_from);
    }
}

/// What entries that aren't durable yet do to topics: the number of the new entry
/// of the group that closes it, or none if it was opened again.
#[derive(Debug, Default)]
pub(crate) struct Changes(HashMap<TopicHash, Option<usize>>);

/// How a topic stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Open,
    /// Its end is durable, and stands there.
    Durable(Position),
    /// Its end is the n-th new entry of the group.
    Staged(usize),
}

impl Changes {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn close(&mut self, topic: TopicHash, number: usize) {
        self.0.insert(topic, Some(number));
    }

    pub fn open(&mut self, topic: TopicHash) {
        self.0.insert(topic, None);
    }

    pub fn add(&mut self, later: Self) {
        self.0.extend(later.0);
    }

    /// What they say of a topic, if they do.
    pub fn state(&self, topic: TopicHash) -> Option<State> {
        let change = self.0.get(&topic)?;
        Some(change.map_or(State::Open, State::Staged))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidings_engine::LogId;

    fn key() -> HashKey {
        HashKey::new(Identity {
            log: LogId(1),
            secret: 2,
        })
    }

    fn hash(number: u64) -> TopicHash {
        key().hash(&Topic::new(&format!("answer/{number}")).unwrap())
    }

    fn horizons(each: [u64; 2]) -> Arc<Horizons> {
        Arc::new(Horizons(each.map(Position).into()))
    }

    fn closed(most: usize) -> Closed {
        Closed {
            most,
            ..Closed::new(key(), Position::START, horizons([0, 0]))
        }
    }

    fn known(closed: &Closed, up_to: u64) -> Vec<u64> {
        let known = (1..=up_to).filter(|n| closed.end(hash(*n)) == Some(Position(*n)));
        known.collect()
    }

    #[test]
    fn a_topic_is_closed_from_its_end_until_it_is_opened_again() {
        let (mut closed, retention) = (closed(100), Retention::default());
        let [topic, other] = ["a", "b"].map(|text| Topic::new(text).unwrap());
        for (ends, position, expected) in [
            (false, 1, None),
            (true, 2, Some(Position(2))),
            (false, 3, None),
            (false, 4, None),
            (true, 5, Some(Position(5))),
        ] {
            closed.note(&topic, Position(position), ends, &retention);
            assert_eq!(closed.end_of(&topic), expected, "{position}");
            assert_eq!(closed.end_of(&other), None);
        }
    }

    #[test]
    fn what_has_expired_is_open_by_its_class_and_by_its_segment() {
        let mut closed = closed(100);
        for n in 1..=6 {
            closed.close(hash(n), Position(n), n as usize % 2);
        }
        closed.expire(Position(1), &horizons([4, 0]));
        assert_eq!(known(&closed, 6), [3, 5, 6]);
        closed.expire(Position(6), &horizons([4, 0]));
        assert!(closed.is_empty());
    }

    #[test]
    fn the_newest_ends_are_known_however_many_there_were() {
        let mut closed = closed(64);
        for n in 1..=1_000 {
            closed.close(hash(n), Position(n), 0);
            assert!(closed.ends.len() <= 64);
        }
        let known = known(&closed, 1_000);
        assert!(known.len() >= 56, "{}", known.len());
        assert_eq!(*known.last().unwrap(), 1_000);
        assert_eq!(known[0] + known.len() as u64 - 1, 1_000, "the newest");
    }
}
