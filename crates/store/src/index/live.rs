//! The index of a segment in memory: of the active one, and of any other
//! while its index file is made.

use super::{Candidates, Closing, Found, Hole, Joint, KeyEntry, List, Looks, SPARSE_BYTES, Sparse};
use super::{MAX_LOOKED_AT, merge, merge_last, per_list, reading_through_is_cheaper};
use crate::format::record::{Head, Record};
use crate::format::{ALIGN, DATA_START, Salt};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use tidings_engine::{Kind, Position, Selection, Selector, Topic, Visibility};

/// A topic's records in a segment.
#[derive(Debug, Default)]
pub(crate) struct Postings {
    /// Where they begin, divided by [`ALIGN`], ascending.
    pub offsets: Vec<u32>,
    /// How many bytes they take.
    pub bytes: u64,
    /// Whether the last of them ends the topic.
    ended: bool,
}

/// A publisher's id in a segment: hash of the id, hash of the canonical topic,
/// and where the record begins divided by [`ALIGN`]. Of what came by Mercure,
/// where an id names any number of events, the topic's hash is that of nothing:
/// looking for the one native event of an id and a topic never meets it.
pub(crate) type IdEntry = (u64, u32, u32);

#[derive(Debug)]
pub(crate) struct LiveIndex {
    pub salt: Salt,
    pub first: Position,
    /// The last position; one less than `first` while there is none.
    pub last: Position,
    /// Where the records end, in bytes.
    pub end: u64,
    pub records: u64,
    /// The greatest time.
    pub max_time: u64,
    /// The time of the first record.
    pub first_time: u64,
    /// The age clock of the last record.
    pub last_tick: u64,
    pub sparse: Vec<Sparse>,
    pub topics: BTreeMap<Topic, Postings>,
    pub ids: BTreeSet<IdEntry>,
    pub keys: Vec<KeyEntry>,
    pub holes: Vec<Hole>,
    /// Where records with several topics begin, divided by [`ALIGN`], ascending;
    /// and how long they are, in bytes.
    joint: Vec<(u32, u64)>,
    /// What closes topics and opens them again, in order.
    pub closings: Vec<Closing>,
    /// About how much memory it takes, in bytes.
    pub memory: usize,
}

/// The hashes under which an id is found.
pub(crate) fn id_hashes(salt: Salt, topic: &str, id: &str) -> (u64, u32) {
    (salt.hash(id.as_bytes()), salt.hash(topic.as_bytes()) as u32)
}

impl LiveIndex {
    /// What a topic takes beside its text, and an id in its set, in bytes:
    /// about so much, with what an allocation and a tree take.
    const PER_TOPIC: usize = 128;
    const PER_ID: usize = 32;
    const PER_POSTING: usize = size_of::<u32>();
    /// How much memory the index of the active segment may take before
    /// another is begun, in bytes. Only small events with topics or ids of
    /// their own come to it.
    pub const MAX_MEMORY: usize = 8 << 20;

    pub fn new(salt: Salt, first: Position, tick: u64) -> Self {
        Self {
            salt,
            first,
            last: Position(first.0 - 1),
            end: DATA_START,
            records: 0,
            max_time: 0,
            first_time: 0,
            last_tick: tick,
            sparse: Vec::new(),
            topics: BTreeMap::new(),
            ids: BTreeSet::new(),
            keys: Vec::new(),
            holes: Vec::new(),
            joint: Vec::new(),
            closings: Vec::new(),
            memory: 0,
        }
    }

    /// About how much memory the alternates of an event take at most, in bytes.
    pub fn memory_of(alternates: &[Topic]) -> usize {
        let each = alternates.iter().map(|topic| {
            let text = topic.as_str().len();
            Self::PER_TOPIC + text + Self::PER_POSTING + size_of::<u32>()
        });
        each.sum()
    }

    /// Takes in the next record, which has these topics and begins at byte `at`.
    pub fn add<'t>(
        &mut self,
        record: &Record<'_>,
        topics: impl Iterator<Item = &'t Topic>,
        at: u64,
    ) {
        let head = &record.head;
        let offset = (at / ALIGN) as u32;
        if self.sparse.last().is_none_or(|s| at - s.at >= SPARSE_BYTES) {
            self.sparse.push(Sparse {
                position: head.position,
                at,
                time_before: self.max_time,
                tick: head.tick,
            });
        }
        if self.records == 0 {
            self.first_time = head.time.0;
        }
        self.records += 1;
        self.last = head.position;
        self.end = at + head.len;
        self.max_time = self.max_time.max(head.time.0);
        self.last_tick = head.tick;
        let mut count = 0;
        for topic in topics {
            let was_ended = self.post(topic, offset, head);
            // Any record opens a topic: behind an end that had expired none says so,
            // and what says so may be damaged.
            if head.kind != Kind::Event || was_ended {
                self.add_closing(head, topic);
            }
            count += 1;
        }
        if count > 1 {
            self.joint.push((offset, head.len));
            // What its topics take when they are written down.
            self.memory += size_of::<(u32, u64)>() + count * size_of::<u32>();
        }
        if let Some(id) = record.id {
            let topic = match head.visibility {
                Visibility::Native => record.topic,
                Visibility::Public | Visibility::Private => "",
            };
            let (id, topic) = id_hashes(self.salt, topic, id);
            self.ids.insert((id, topic, offset));
            self.memory += Self::PER_ID;
        }
        if let Some(key) = record.key {
            let (position, time) = (head.position, head.time.0);
            self.keys.push(KeyEntry {
                key,
                position,
                time,
            });
            self.memory += size_of::<KeyEntry>();
        }
    }

    fn add_closing(&mut self, head: &Head, topic: &Topic) {
        self.closings.push(Closing {
            position: head.position,
            topic: topic.clone(),
            ends: head.kind == Kind::End,
        });
        self.memory += size_of::<Closing>();
    }

    /// Notes a damaged place that ends at byte `end` and position `to`.
    pub fn add_hole(&mut self, to: Position, end: u64) {
        self.holes.push(Hole {
            after: self.last,
            to,
        });
        self.last = to;
        self.end = end;
    }

    /// Whether the record before it ended the topic.
    fn post(&mut self, topic: &Topic, offset: u32, head: &Head) -> bool {
        // Most topics are there already; a clone is made only for a new one.
        if !self.topics.contains_key(topic) {
            self.topics.insert(topic.clone(), Postings::default());
            self.memory += Self::PER_TOPIC + topic.as_str().len();
        }
        let Some(postings) = self.topics.get_mut(topic) else {
            return false;
        };
        postings.offsets.push(offset);
        self.memory += Self::PER_POSTING;
        postings.bytes += head.len;
        std::mem::replace(&mut postings.ended, head.kind == Kind::End)
    }

    /// Where to begin to look for what stands behind `after`: the byte, and
    /// the position before the record there.
    pub fn seek(&self, after: Position) -> (u64, Position) {
        let n = self
            .sparse
            .partition_point(|s| s.position.0 <= after.0.saturating_add(1));
        match n.checked_sub(1).map(|i| self.sparse[i]) {
            Some(s) => (s.at, Position(s.position.0 - 1)),
            None => (DATA_START, Position(self.first.0 - 1)),
        }
    }

    /// Where to begin to look for the first record of `time` or later.
    pub fn seek_time(&self, time: u64) -> (u64, Position) {
        let n = self.sparse.partition_point(|s| s.time_before < time);
        match n.checked_sub(1).map(|i| self.sparse[i]) {
            Some(s) => (s.at, Position(s.position.0 - 1)),
            None => (DATA_START, Position(self.first.0 - 1)),
        }
    }

    /// Where to begin to look for the last record whose age clock is at most
    /// `tick`.
    pub fn seek_tick(&self, tick: u64) -> (u64, Position) {
        let n = self.sparse.partition_point(|s| s.tick <= tick);
        match n.checked_sub(1).map(|i| self.sparse[i]) {
            Some(s) => (s.at, Position(s.position.0 - 1)),
            None => (DATA_START, Position(self.first.0 - 1)),
        }
    }

    /// The records with several topics, in order.
    pub fn joints(&self) -> Vec<Joint> {
        let empty = |(_, bytes): &(u32, u64)| Joint {
            bytes: *bytes,
            topics: Vec::new(),
        };
        let mut joints: Vec<Joint> = self.joint.iter().map(empty).collect();
        if joints.is_empty() {
            return joints;
        }
        for (number, postings) in self.topics.values().enumerate() {
            for offset in &postings.offsets {
                if let Ok(at) = self.joint.binary_search_by_key(offset, |(at, _)| *at) {
                    joints[at].topics.push(number as u32);
                }
            }
        }
        joints
    }

    /// Where the next records of the selection stand, from byte `from` on, at
    /// most `limit`; and what finding them took, in [`Looks`].
    pub fn candidates(&self, selection: &Selection, from: u64, limit: usize) -> (Candidates, u64) {
        let Some(Found { lists, looked }) = self.lists(selection) else {
            return (Candidates::All, MAX_LOOKED_AT);
        };
        let from = u32::try_from(from.div_ceil(ALIGN)).unwrap_or(u32::MAX);
        let each = per_list(limit, lists.len());
        let lists = lists.into_iter().map(|list| {
            let rest = &list[list.partition_point(|o| *o < from)..];
            let n = rest.len().min(each);
            List {
                offsets: bytes_of(&rest[..n]),
                cut: n < rest.len(),
            }
        });
        (merge(lists.collect(), limit), looked)
    }

    /// Where the last records of the selection stand, ascending; at most
    /// `limit`.
    pub fn last_candidates(&self, selection: &Selection, limit: usize) -> Candidates {
        let Some(Found { lists, .. }) = self.lists(selection) else {
            return Candidates::All;
        };
        let each = per_list(limit, lists.len());
        let lists = lists.into_iter().map(|list| {
            let n = list.len().min(each);
            List {
                offsets: bytes_of(&list[list.len() - n..]),
                cut: n < list.len(),
            }
        });
        merge_last(lists.collect(), limit)
    }

    /// Where records with this id may stand; with a topic's hash only those
    /// of that topic.
    pub fn find_id(&self, id: u64, topic: Option<u32>) -> Vec<u64> {
        let range = match topic {
            Some(topic) => (id, topic, 0)..=(id, topic, u32::MAX),
            None => (id, 0, 0)..=(id, u32::MAX, u32::MAX),
        };
        let offsets = self.ids.range(range).map(|(.., o)| u64::from(*o) * ALIGN);
        let mut offsets: Vec<u64> = offsets.collect();
        offsets.sort_unstable();
        offsets
    }

    /// The postings of the selection's topics; `None` if reading the segment
    /// through is cheaper.
    fn lists(&self, selection: &Selection) -> Option<Found<&[u32]>> {
        let mut found: BTreeMap<&Topic, &[u32]> = BTreeMap::new();
        let (mut total, mut looks) = (0, Looks::new(MAX_LOOKED_AT));
        for selector in selection.selectors() {
            if let Selector::Exact(topic) = selector {
                if let Some((topic, postings)) = self.topics.get_key_value(topic) {
                    found.insert(topic, &postings.offsets);
                    total += postings.offsets.len();
                }
                continue;
            }
            if selector.as_str() == "**" {
                return None;
            }
            for beginning in selector.beginnings() {
                for (topic, postings) in self.below(&beginning) {
                    if looks.look(selector, topic)? {
                        found.insert(topic, &postings.offsets);
                        total += postings.offsets.len();
                    }
                    if reading_through_is_cheaper(found.len(), total, self.records) {
                        return None;
                    }
                }
            }
        }
        let through = reading_through_is_cheaper(found.len(), total, self.records);
        (!through).then(|| Found {
            lists: found.into_values().collect(),
            looked: looks.taken(),
        })
    }

    /// The topics that begin with `text`.
    fn below<'a, 't>(
        &'a self,
        text: &'t str,
    ) -> impl Iterator<Item = (&'a Topic, &'a Postings)> + use<'a, 't> {
        let from = (Bound::Included(text), Bound::Unbounded);
        let range = self.topics.range::<str, _>(from);
        range.take_while(move |(topic, _)| topic.as_str().starts_with(text))
    }
}

fn bytes_of(offsets: &[u32]) -> Vec<u64> {
    offsets.iter().map(|o| u64::from(*o) * ALIGN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::record::{Place, encode, encoded_len};
    use crate::format::{Identity, Salt};
    use tidings_engine::{Entry, LogId, Timestamp};

    /// The index of `count` records, each of a topic of its own, that are
    /// called by `name`.
    fn indexed(count: u64, name: impl Fn(u64) -> String) -> LiveIndex {
        let identity = Identity {
            log: LogId(1),
            secret: 2,
        };
        let salt = Salt::new(identity, Position(1));
        let mut live = LiveIndex::new(salt, Position(1), 0);
        for n in 1..=count {
            let entry = Entry {
                kind: Kind::Event,
                alternates: Box::default(),
                visibility: Visibility::Native,
                topic: Topic::new(&name(n)).unwrap(),
                time: Timestamp(n),
                id: None,
                key: None,
                fields: bytes::Bytes::from_static(b"data: x\n"),
            };
            let place = Place {
                salt,
                at: live.end,
                group: live.end,
                position: Position(n),
                tick: n,
                ends_request: true,
            };
            let mut bytes = Vec::new();
            encode(&mut bytes, &entry, &place);
            assert_eq!(Some(bytes.len() as u64), encoded_len(&entry));
            let head = Head::parse(salt, place.at, &bytes).unwrap();
            let topics = entry.published().topics();
            live.add(&head.view(&bytes).unwrap(), topics, place.at);
        }
        live
    }

    fn check(live: &LiveIndex, select: &str, want: Option<usize>) {
        let selection = Selection::new(vec![Selector::new(select).unwrap()]);
        let found = match live.candidates(&selection, 0, 8).0 {
            Candidates::All => None,
            Candidates::At { offsets, .. } => Some(offsets.len()),
        };
        assert_eq!(found, want, "{select}");
    }

    #[test]
    fn a_pattern_looks_at_few_topics_or_says_read_through() {
        let many = MAX_LOOKED_AT + 1;
        let live = indexed(many, |n| format!("user/{n}/inbox"));
        check(&live, "user/*/none", None);
        check(&live, "user/7/*", Some(1));
        check(&live, "user/7/inbox", Some(1));
        check(&live, "other/*", Some(0));
        let few = indexed(many - 1, |n| format!("user/{n}/inbox"));
        check(&few, "user/*/none", Some(0));
    }

    #[test]
    fn what_an_index_takes_is_counted() {
        let own = indexed(1000, |n| format!("user/{n}"));
        let shared = indexed(1000, |_| "user".into());
        assert!(own.memory > 1000 * 100, "{}", own.memory);
        assert!(shared.memory < 1000 * 10, "{}", shared.memory);
    }
}
