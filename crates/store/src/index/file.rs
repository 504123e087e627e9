//! The index of a sealed segment, on disk. Nothing of it is held in memory
//! but its head and, within bounds, its filter. Any damage is an error of
//! kind `InvalidData`; the caller then reads the segment through and has the
//! index made anew.

use super::filter::{self, BLOCK, Filter};
use super::page::Pages;
use super::write::{
    CLOSINGS, ENTRY, FILTER, HEAD, HOLES, IDS, JOINTS, KEYS, MAGIC, NAMES, POSTINGS, SECTIONS,
    SECTIONS_AT, SECTIONS_OF_1, SECTIONS_OF_2, SPARSE, TOPICS,
};
use super::{Candidates, Closing, Found, Hole, Joint, KeyEntry, List, Looks, Sparse};
use super::{max_looked_at, merge, merge_last, per_list, reading_through_is_cheaper};
use crate::files::Files;
use crate::format::{ALIGN, DATA_START, Identity, OLDEST, Salt, VERSION, u32_at, u64_at};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use tidings_engine::{IdempotencyKey, LogId, Position, Selection, Selector, Topic};

/// What the head says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IndexHead {
    pub salt: Salt,
    pub first: Position,
    pub last: Position,
    pub end: u64,
    pub records: u64,
    pub first_time: u64,
    pub max_time: u64,
    pub last_tick: u64,
    sections: [(u64, u64); SECTIONS],
}

#[derive(Debug)]
pub(crate) struct IndexFile {
    files: Arc<Files>,
    name: String,
    head: IndexHead,
    /// If there was memory for it.
    filter: RwLock<Option<Filter>>,
    disk: u64,
}

/// The topics of a segment from one on, sorted, each with how many events have it.
pub(crate) struct TopicsOf<'i> {
    index: &'i IndexFile,
    pages: Pages<'i>,
    at: u64,
}

impl<'i> TopicsOf<'i> {
    pub fn new(index: &'i IndexFile, from: &str) -> io::Result<Self> {
        let mut pages = index.pages();
        let at = index.first_topic_from(&mut pages, from)?;
        Ok(Self { index, pages, at })
    }

    pub fn next(&mut self) -> io::Result<Option<(String, u64)>> {
        if self.at >= self.index.head.sections[TOPICS].1 {
            return Ok(None);
        }
        let entry = self.index.topic(&mut self.pages, self.at)?;
        self.at += 1;
        Ok(Some((entry.name, entry.postings)))
    }
}

/// A topic of the segment.
#[derive(Debug, Clone)]
pub(crate) struct TopicEntry {
    pub name: String,
    pub postings: u64,
    pub bytes: u64,
    begin: u64,
}

impl IndexFile {
    /// Opens the index `name` of the segment of a log that begins at `first`.
    pub fn open(
        files: &Arc<Files>,
        name: String,
        identity: Identity,
        first: Position,
    ) -> io::Result<Self> {
        let salt = Salt::new(identity, first);
        let mut bytes = [0; HEAD];
        let mut pages = Pages::new(files, &name, salt);
        pages.read(0, &mut bytes)?;
        let head =
            parse_head(&bytes, identity.log, first, salt).ok_or(io::ErrorKind::InvalidData)?;
        let disk = files.open(&name)?.size()?;
        let files = files.clone();
        Ok(Self {
            files,
            name,
            head,
            filter: RwLock::default(),
            disk,
        })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn head(&self) -> &IndexHead {
        &self.head
    }

    /// The length of the file, in bytes.
    pub fn disk(&self) -> u64 {
        self.disk
    }

    /// How much memory the filter takes when it is held, in bytes.
    pub fn filter_bytes(&self) -> usize {
        self.head.sections[FILTER].1 as usize * BLOCK
    }

    /// Holds the filter in memory, or does no longer.
    pub fn hold_filter(&self, hold: bool) -> io::Result<()> {
        if self.holds_filter() == hold {
            return Ok(());
        }
        let filter = if hold {
            let mut bits = vec![0; self.filter_bytes()];
            self.pages().read(self.head.sections[FILTER].0, &mut bits)?;
            Some(Filter(bits))
        } else {
            None
        };
        *self.filter.write().unwrap_or_else(PoisonError::into_inner) = filter;
        Ok(())
    }

    pub fn holds_filter(&self) -> bool {
        self.filter().is_some()
    }

    fn filter(&self) -> RwLockReadGuard<'_, Option<Filter>> {
        self.filter.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// See [`super::LiveIndex::seek`].
    pub fn seek(&self, after: Position) -> io::Result<(u64, Position)> {
        self.seek_by(|s| s.position.0 <= after.0.saturating_add(1))
    }

    /// See [`super::LiveIndex::seek_time`].
    pub fn seek_time(&self, time: u64) -> io::Result<(u64, Position)> {
        self.seek_by(|s| s.time_before < time)
    }

    /// See [`super::LiveIndex::seek_tick`].
    pub fn seek_tick(&self, tick: u64) -> io::Result<(u64, Position)> {
        self.seek_by(|s| s.tick <= tick)
    }

    /// See [`super::LiveIndex::candidates`].
    pub fn candidates(
        &self,
        selection: &Selection,
        from: u64,
        limit: usize,
    ) -> io::Result<(Candidates, u64)> {
        let mut pages = self.pages();
        let Some(Found {
            lists: topics,
            looked,
        }) = self.topics_of(&mut pages, selection)?
        else {
            return Ok((Candidates::All, max_looked_at(self.head.records)));
        };
        let each = per_list(limit, topics.len());
        let mut lists = Vec::with_capacity(topics.len());
        for (begin, count) in topics {
            let skipped = self.partition(&mut pages, POSTINGS, begin, count, |e| {
                u64::from(u32_at(e, 0)) * ALIGN < from
            })?;
            let n = (count - skipped).min(each as u64);
            lists.push(List {
                offsets: self.postings(&mut pages, begin + skipped, n)?,
                cut: skipped + n < count,
            });
        }
        Ok((merge(lists, limit), looked))
    }

    /// See [`super::LiveIndex::last_candidates`].
    pub fn last_candidates(&self, selection: &Selection, limit: usize) -> io::Result<Candidates> {
        let mut pages = self.pages();
        let Some(Found { lists: topics, .. }) = self.topics_of(&mut pages, selection)? else {
            return Ok(Candidates::All);
        };
        let each = per_list(limit, topics.len());
        let mut lists = Vec::with_capacity(topics.len());
        for (begin, count) in topics {
            let n = count.min(each as u64);
            lists.push(List {
                offsets: self.postings(&mut pages, begin + count - n, n)?,
                cut: n < count,
            });
        }
        Ok(merge_last(lists, limit))
    }

    /// Where records with this id may stand; with a topic's hash only those
    /// of that topic.
    pub fn find_id(&self, id: u64, topic: Option<u32>) -> io::Result<Vec<u64>> {
        let mut pages = self.pages();
        if !self.may_hold(&mut pages, id)? {
            return Ok(Vec::new());
        }
        let wanted = (id, topic.unwrap_or(0));
        let (_, count) = self.head.sections[IDS];
        let mut at = self.partition(&mut pages, IDS, 0, count, |e| {
            (u64_at(e, 0), u32_at(e, 8)) < wanted
        })?;
        let mut found = Vec::new();
        let mut entry = [0; ENTRY[IDS]];
        while at < count {
            self.entry(&mut pages, IDS, at, &mut entry)?;
            if u64_at(&entry, 0) != id || topic.is_some_and(|t| t != u32_at(&entry, 8)) {
                break;
            }
            found.push(u64::from(u32_at(&entry, 12)) * ALIGN);
            at += 1;
        }
        found.sort_unstable();
        Ok(found)
    }

    /// The last `limit` records with an idempotency key, in order.
    pub fn last_keys(&self, limit: usize) -> io::Result<Vec<KeyEntry>> {
        let mut pages = self.pages();
        let (_, count) = self.head.sections[KEYS];
        let n = count.min(limit as u64);
        let mut entries = Vec::with_capacity(n as usize);
        let mut e = [0; ENTRY[KEYS]];
        for at in count - n..count {
            self.entry(&mut pages, KEYS, at, &mut e)?;
            let key = u128::from(u64_at(&e, 0)) | u128::from(u64_at(&e, 8)) << 64;
            entries.push(KeyEntry {
                key: IdempotencyKey {
                    key,
                    request: u64_at(&e, 16),
                },
                position: Position(u64_at(&e, 24)),
                time: u64_at(&e, 32),
            });
        }
        Ok(entries)
    }

    /// The positions that were damaged when the index was made.
    pub fn holes(&self) -> io::Result<Vec<Hole>> {
        let (_, count) = self.head.sections[HOLES];
        if count == 0 {
            return Ok(Vec::new());
        }
        let mut pages = self.pages();
        let mut e = [0; ENTRY[HOLES]];
        (0..count)
            .map(|at| {
                self.entry(&mut pages, HOLES, at, &mut e)?;
                let (after, to) = (Position(u64_at(&e, 0)), Position(u64_at(&e, 8)));
                Ok(Hole { after, to })
            })
            .collect()
    }

    /// Calls `f` for every topic, sorted.
    pub fn each_topic(&self, mut f: impl FnMut(&TopicEntry)) -> io::Result<()> {
        let mut pages = self.pages();
        for at in 0..self.head.sections[TOPICS].1 {
            f(&self.topic(&mut pages, at)?);
        }
        Ok(())
    }

    /// Calls `f` for every record with several topics, in order.
    pub fn each_joint(&self, mut f: impl FnMut(&Joint)) -> io::Result<()> {
        let mut pages = self.pages();
        let (_, count) = self.head.sections[JOINTS];
        let topics = self.head.sections[TOPICS].1;
        let mut at = 0;
        while at < count {
            let units = self.next_of_joint(&mut pages, &mut at, u64::MAX)?;
            let several = self.next_of_joint(&mut pages, &mut at, topics)?;
            let numbers = (0..several)
                .map(|_| self.next_of_joint(&mut pages, &mut at, topics.saturating_sub(1)));
            f(&Joint {
                bytes: u64::from(units) * ALIGN,
                topics: numbers.collect::<io::Result<_>>()?,
            });
        }
        Ok(())
    }

    /// What closes topics and opens them again, in order.
    pub fn closings(&self) -> io::Result<Vec<Closing>> {
        let mut pages = self.pages();
        let (_, count) = self.head.sections[CLOSINGS];
        let mut found = Vec::new();
        let mut e = [0; ENTRY[CLOSINGS]];
        for at in 0..count {
            self.entry(&mut pages, CLOSINGS, at, &mut e)?;
            let number = u64::from(u32_at(&e, 8));
            if number >= self.head.sections[TOPICS].1 {
                return Err(io::ErrorKind::InvalidData.into());
            }
            found.push((number, at, Position(u64_at(&e, 0)), u32_at(&e, 12) == 1));
        }
        // Topics in the order in which they stand: each page is read once.
        found.sort_unstable();
        let closings = found.into_iter().map(|(number, at, position, ends)| {
            let topic = Topic::new(&self.topic(&mut pages, number)?.name);
            let topic = topic.map_err(|_| io::ErrorKind::InvalidData)?;
            let closing = Closing {
                position,
                topic,
                ends,
            };
            Ok((at, closing))
        });
        let mut closings: Vec<(u64, Closing)> = closings.collect::<io::Result<_>>()?;
        closings.sort_unstable_by_key(|(at, _)| *at);
        Ok(closings.into_iter().map(|(_, closing)| closing).collect())
    }

    /// The number at `at`, which then stands behind it, and which may be `most`.
    fn next_of_joint(&self, pages: &mut Pages<'_>, at: &mut u64, most: u64) -> io::Result<u32> {
        let mut e = [0; ENTRY[JOINTS]];
        if *at >= self.head.sections[JOINTS].1 {
            return Err(io::ErrorKind::InvalidData.into());
        }
        self.entry(pages, JOINTS, *at, &mut e)?;
        *at += 1;
        let number = u32_at(&e, 0);
        if u64::from(number) > most {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(number)
    }

    fn pages(&self) -> Pages<'_> {
        Pages::new(&self.files, &self.name, self.head.salt)
    }

    fn seek_by(&self, before: impl Fn(&Sparse) -> bool) -> io::Result<(u64, Position)> {
        let mut pages = self.pages();
        let (_, count) = self.head.sections[SPARSE];
        let n = self.partition(&mut pages, SPARSE, 0, count, |e| before(&sparse(e)))?;
        let Some(at) = n.checked_sub(1) else {
            return Ok((DATA_START, Position(self.head.first.0 - 1)));
        };
        let mut e = [0; ENTRY[SPARSE]];
        self.entry(&mut pages, SPARSE, at, &mut e)?;
        let found = sparse(&e);
        Ok((found.at, Position(found.position.0 - 1)))
    }

    /// The postings (begin, count) of the selection's topics; `None` if
    /// reading the segment through is cheaper.
    fn topics_of(
        &self,
        pages: &mut Pages<'_>,
        selection: &Selection,
    ) -> io::Result<Option<Found<(u64, u64)>>> {
        let mut found = BTreeMap::new();
        let records = self.head.records;
        let (mut total, mut looks) = (0, Looks::new(max_looked_at(records)));
        for selector in selection.selectors() {
            let exact = matches!(selector, Selector::Exact(_));
            if !exact && selector.as_str() == "**" {
                return Ok(None);
            }
            for beginning in selector.beginnings() {
                let mut at = self.first_topic_from(pages, &beginning)?;
                while at < self.head.sections[TOPICS].1 {
                    let entry = self.topic(pages, at)?;
                    if !entry.name.starts_with(&*beginning) || (exact && entry.name != beginning) {
                        break;
                    }
                    let looked = match Topic::new(&entry.name) {
                        _ if exact => Some(true),
                        Ok(topic) => looks.look(selector, &topic),
                        Err(_) => Some(false),
                    };
                    let Some(is_selected) = looked else {
                        return Ok(None);
                    };
                    if is_selected {
                        total += entry.postings as usize;
                        found.insert(at, (entry.begin, entry.postings));
                    }
                    if exact || reading_through_is_cheaper(found.len(), total, records) {
                        break;
                    }
                    at += 1;
                }
            }
        }
        let through = reading_through_is_cheaper(found.len(), total, records);
        Ok((!through).then(|| Found {
            lists: found.into_values().collect(),
            looked: looks.taken(),
        }))
    }

    fn first_topic_from(&self, pages: &mut Pages<'_>, name: &str) -> io::Result<u64> {
        let (mut low, mut high) = (0, self.head.sections[TOPICS].1);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.topic(pages, middle)?.name.as_str() < name {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    fn topic(&self, pages: &mut Pages<'_>, at: u64) -> io::Result<TopicEntry> {
        let mut e = [0; ENTRY[TOPICS]];
        self.entry(pages, TOPICS, at, &mut e)?;
        let (names, len) = self.head.sections[NAMES];
        let (begin, size) = (u64::from(u32_at(&e, 0)), u64::from(u32_at(&e, 4)));
        if begin + size > len || size > Topic::MAX_BYTES as u64 {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut name = vec![0; size as usize];
        pages.read(names + begin, &mut name)?;
        let entry = TopicEntry {
            name: String::from_utf8(name).map_err(|_| io::ErrorKind::InvalidData)?,
            begin: u32_at(&e, 8).into(),
            postings: u32_at(&e, 12).into(),
            bytes: u64_at(&e, 16),
        };
        if entry.begin + entry.postings > self.head.sections[POSTINGS].1 {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(entry)
    }

    fn postings(&self, pages: &mut Pages<'_>, begin: u64, count: u64) -> io::Result<Vec<u64>> {
        let mut bytes = vec![0; count as usize * ENTRY[POSTINGS]];
        let at = self.head.sections[POSTINGS].0 + begin * ENTRY[POSTINGS] as u64;
        pages.read(at, &mut bytes)?;
        let offsets = bytes.chunks_exact(ENTRY[POSTINGS]);
        Ok(offsets.map(|e| u64::from(u32_at(e, 0)) * ALIGN).collect())
    }

    fn may_hold(&self, pages: &mut Pages<'_>, id: u64) -> io::Result<bool> {
        if let Some(filter) = &*self.filter() {
            return Ok(filter.may_hold(id));
        }
        let (_, blocks) = self.head.sections[FILTER];
        if blocks == 0 {
            return Ok(false);
        }
        let mut block = [0; BLOCK];
        self.entry(
            pages,
            FILTER,
            filter::block_of(id, blocks) as u64,
            &mut block,
        )?;
        Ok(filter::block_may_hold(&block, id))
    }

    /// How many of `count` entries from `begin` on are `before`, which must
    /// be true of the first so many and false of the rest.
    fn partition(
        &self,
        pages: &mut Pages<'_>,
        section: usize,
        begin: u64,
        count: u64,
        before: impl Fn(&[u8]) -> bool,
    ) -> io::Result<u64> {
        let mut entry = [0; BLOCK];
        let entry = &mut entry[..ENTRY[section]];
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = low + (high - low) / 2;
            self.entry(pages, section, begin + middle, entry)?;
            if before(entry) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    fn entry(
        &self,
        pages: &mut Pages<'_>,
        section: usize,
        at: u64,
        out: &mut [u8],
    ) -> io::Result<()> {
        pages.read(
            self.head.sections[section].0 + at * ENTRY[section] as u64,
            out,
        )
    }
}

fn parse_head(bytes: &[u8; HEAD], log: LogId, first: Position, salt: Salt) -> Option<IndexHead> {
    let number = |i: usize| u64_at(bytes, 8 + 8 * i);
    let own = &bytes[..8] == MAGIC
        && (u64::from(OLDEST)..=u64::from(VERSION)).contains(&number(0))
        && number(1) == log.0
        && number(2) == first.0;
    if !own {
        return None;
    }
    let count = match number(0) {
        1 => SECTIONS_OF_1,
        2 => SECTIONS_OF_2,
        _ => SECTIONS,
    };
    let mut sections = [(0, 0); SECTIONS];
    for (i, section) in sections[..count].iter_mut().enumerate() {
        let at = SECTIONS_AT + 16 * i;
        *section = (u64_at(bytes, at), u64_at(bytes, at + 8));
        // Entries are addressed in 32 bits; this keeps sums from overflowing.
        if section.0 >= 1 << 48 || section.1 > u64::from(u32::MAX) {
            return None;
        }
    }
    Some(IndexHead {
        salt,
        first,
        last: Position(number(3)),
        end: number(4),
        records: number(5),
        first_time: number(6),
        max_time: number(7),
        last_tick: number(8),
        sections,
    })
}

fn sparse(e: &[u8]) -> Sparse {
    Sparse {
        position: Position(u64_at(e, 0)),
        at: u64_at(e, 8),
        time_before: u64_at(e, 16),
        tick: u64_at(e, 24),
    }
}
