//! Finding records of a segment without reading it: by position, by topic,
//! by publisher's id, by time.

mod file;
mod filter;
mod live;
mod page;
mod write;

pub(crate) use file::{IndexFile, TopicsOf};
pub(crate) use live::{LiveIndex, id_hashes};
pub(crate) use write::encode;

use tidings_engine::{Position, Selector, Topic};

/// How many bytes of records stand between two entries of the sparse index.
pub(crate) const SPARSE_BYTES: u64 = 16 * 1024;

/// An entry of the sparse index: what is known at the beginning of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sparse {
    /// The record's position.
    pub position: Position,
    /// Where it begins, in bytes.
    pub at: u64,
    /// The greatest time of the records before it in the segment.
    pub time_before: u64,
    /// Its age clock.
    pub tick: u64,
}

/// Positions in a segment that are damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hole {
    /// The last position before it.
    pub after: Position,
    /// The last position in it.
    pub to: Position,
}

/// A record with an idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyEntry {
    pub key: tidings_engine::IdempotencyKey,
    pub position: Position,
    pub time: u64,
}

/// Where the records of a selection may stand in a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Candidates {
    /// Anywhere: read the segment through.
    All,
    /// At these bytes, ascending; `more` if the list was cut to its limit.
    At { offsets: Vec<u64>, more: bool },
}

/// The records of the topics of a selection in a segment.
pub(crate) struct Found<L> {
    /// One per topic. A record with several topics may be in several.
    pub lists: Vec<L>,
    /// What finding them took, in [`Looks`].
    pub looked: u64,
}

/// Whether so many topics with so many records are better found by reading
/// all `records` of a segment.
pub(crate) fn reading_through_is_cheaper(topics: usize, found: usize, records: u64) -> bool {
    const MAX_LISTS: usize = 4096;
    topics > MAX_LISTS || (records > 64 && found as u64 > records / 2)
}

/// How often topics of the active segment are held against patterns, in
/// [`Looks`]. They are while nothing can be appended; reading through can't
/// hold that up, and what is behind a cursor there is mostly little.
pub(crate) const MAX_LOOKED_AT: u64 = 1024;

/// The same of a sealed segment of so many records: more than reading it
/// through costs is never worth it, and a read of many segments is to come
/// to its end.
pub(crate) fn max_looked_at(records: u64) -> u64 {
    records.clamp(MAX_LOOKED_AT, 64 * MAX_LOOKED_AT)
}

/// How many topics may still be held against patterns.
pub(crate) struct Looks {
    most: u64,
    left: u64,
}

impl Looks {
    /// How many patterns take as long as one rule of Mercure's.
    pub const DEAR: u64 = 8;

    pub fn new(most: u64) -> Self {
        Self { most, left: most }
    }

    /// Holds `topic` against `selector`; `None` if that was once too often.
    pub fn look(&mut self, selector: &Selector, topic: &Topic) -> Option<bool> {
        let cost = match selector {
            Selector::Mercure(_) => Self::DEAR,
            Selector::Exact(_) | Selector::Pattern(_) => 1,
        };
        self.left = self.left.checked_sub(cost)?;
        Some(selector.matches(topic))
    }

    pub fn taken(&self) -> u64 {
        self.most - self.left
    }
}

/// What a record does to one of its topics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Closing {
    pub position: Position,
    pub topic: Topic,
    /// Whether it closes the topic; else it opens it, if it is closed.
    pub ends: bool,
}

/// A record with several topics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Joint {
    /// The length of the record, in bytes.
    pub bytes: u64,
    /// Its topics' numbers, in the order in which the index has them.
    pub topics: Vec<u32>,
}

/// The next records of one topic.
pub(crate) struct List {
    pub offsets: Vec<u64>,
    /// Whether there are more.
    pub cut: bool,
}

/// How many entries of each of `lists` lists to fetch in order to merge
/// `limit` of all: bounds what a pattern over many topics takes in memory.
pub(crate) fn per_list(limit: usize, lists: usize) -> usize {
    (limit * 8 / lists.max(1)).clamp(8, limit.max(8))
}

/// Merges the beginnings of lists, as far as all of them are known.
pub(crate) fn merge(lists: Vec<List>, limit: usize) -> Candidates {
    let cut = lists.iter().filter(|l| l.cut);
    let known_to = cut.filter_map(|l| l.offsets.last().copied()).min();
    let mut offsets: Vec<u64> = lists.into_iter().flat_map(|l| l.offsets).collect();
    offsets.sort_unstable();
    offsets.dedup();
    if let Some(known_to) = known_to {
        offsets.truncate(offsets.partition_point(|o| *o <= known_to));
    }
    let more = known_to.is_some() || offsets.len() > limit;
    offsets.truncate(limit);
    Candidates::At { offsets, more }
}

/// Merges the ends of lists, as far as all of them are known.
pub(crate) fn merge_last(lists: Vec<List>, limit: usize) -> Candidates {
    let cut = lists.iter().filter(|l| l.cut);
    let known_from = cut.filter_map(|l| l.offsets.first().copied()).max();
    let mut offsets: Vec<u64> = lists.into_iter().flat_map(|l| l.offsets).collect();
    offsets.sort_unstable();
    offsets.dedup();
    if let Some(known_from) = known_from {
        offsets.drain(..offsets.partition_point(|o| *o < known_from));
    }
    let more = known_from.is_some() || offsets.len() > limit;
    offsets.drain(..offsets.len().saturating_sub(limit));
    Candidates::At { offsets, more }
}
