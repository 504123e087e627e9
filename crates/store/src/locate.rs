//! Finding a place in the log: by a publisher's id, by time, by number.

use crate::catalog::Sealed;
use crate::error::StoreError;
use crate::format::record::{Head, Record};
use crate::format::{DATA_START, Salt, segment_name};
use crate::index::{Candidates, LiveIndex, id_hashes};
use crate::reader::Reader;
use crate::scan::{Extent, Scan, Step, Window};
use crate::storage::{StorageFile, is_damage};
use crate::work::Work;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use tidings_codec::EventId;
use tidings_engine::{Cursor, Entry, Kind, Position, Selection, Timestamp, Topic, Visibility};

/// How much of one record to read at a time, in bytes.
const READ: usize = 4 * 1024;
/// How much one search passes over at most, see [`Work`]: what isn't for the
/// selection, under a common id or at the end of the log.
const SEARCH: u64 = 64 << 20;
/// How many of the last records to ask an index for at most.
const CANDIDATES: usize = 16 * 1024;

/// A segment to search. The one that is active when a search begins stays
/// that same segment for it, also if it is sealed meanwhile.
struct Which {
    first: Position,
    /// `None` if it was active when the search began.
    sealed: Option<Arc<Sealed>>,
}

/// A segment, the active one included.
struct Part {
    salt: Salt,
    first: Position,
    end: u64,
    file: Arc<dyn StorageFile>,
}

impl Part {
    fn scan(&self, (at, behind): (u64, Position)) -> Scan<'_> {
        let extent = Extent {
            salt: self.salt,
            end: self.end,
            sealed: true,
        };
        Scan::new(&*self.file, extent, at, behind)
    }

    fn start(&self) -> (u64, Position) {
        (DATA_START, Position(self.first.0 - 1))
    }
}

impl Reader {
    /// The position of a publisher's id: of the earliest kept event that has
    /// it and that the selection watches and may see. Asks a filter per segment,
    /// and searches where that says perhaps.
    ///
    /// An id that only others have is unknown, like any that nobody has. And so is
    /// one that so many others have that looking further would take too long: who
    /// resumes by it is told of a gap and misses nothing.
    ///
    /// # Errors
    /// Of the storage.
    pub fn locate(
        &self,
        id: &EventId,
        selection: &Selection,
    ) -> Result<Option<Position>, StoreError> {
        let mut work = Work::new(SEARCH, selection);
        for which in &self.segments() {
            let found = self.find_in(which, id, None, |record| {
                if work.is_done() {
                    return None;
                }
                let own = selection_serves(self, selection, record);
                if !own {
                    work.pass_alone(record.head.len, 1 + record.head.alternates);
                }
                Some(own)
            });
            if let Some(found) = self.checked(which, found)? {
                return Ok(Some(found));
            }
            if work.is_done() {
                break;
            }
        }
        Ok(None)
    }

    /// The kept event that was natively published with this topic and id.
    pub(crate) fn find_own(
        &self,
        topic: &Topic,
        id: &EventId,
    ) -> Result<Option<(Position, Entry)>, StoreError> {
        // The newest segments first: repetitions are mostly of late.
        for which in self.segments().iter().rev() {
            let mut entry = None;
            let found = self.find_in(which, id, Some(topic), |record| {
                let own = record.topic == topic.as_str()
                    && record.head.visibility == Visibility::Native
                    && self.serves(record, topic);
                if own {
                    let publication = record.publication();
                    entry = publication.and_then(|publication| record.to_entry(publication));
                }
                Some(own && entry.is_some())
            });
            let position = self.checked(which, found)?;
            if let Some(found) = position.zip(entry) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Where reading what was taken in at `time` or later begins: behind
    /// everything before the first event that is not older.
    ///
    /// # Errors
    /// Of the storage.
    pub fn at_time(&self, time: Timestamp) -> Result<Cursor, StoreError> {
        let end = self.last();
        let mut after = end;
        for which in &self.segments() {
            if which.sealed.as_ref().is_some_and(|s| s.max_time < time.0) {
                continue;
            }
            let found = self.first_at(which, time);
            if let Some(found) = self.checked(which, found)? {
                after = Position(found.0 - 1);
                break;
            }
        }
        let base = self.shared.catalog().base();
        Ok(Cursor {
            after: after.max(base),
        })
    }

    /// Where reading the last `n` kept events of the selection begins: those that
    /// it may see. Where so much else stands between them that looking further
    /// would take too long, it is where the earliest kept one is.
    ///
    /// # Errors
    /// Of the storage.
    pub fn last_n(&self, n: usize, selection: &Selection) -> Result<Cursor, StoreError> {
        if n == 0 {
            return Ok(Cursor { after: self.last() });
        }
        let mut wanted = n;
        let mut work = Work::new(SEARCH, selection);
        for which in self.segments().iter().rev() {
            let found = self.last_in(which, wanted, selection, &mut work);
            let found = self.checked(which, found)?;
            if work.is_done() {
                break;
            }
            if found.len() == wanted
                && let Some(first) = found.front()
            {
                return Ok(Cursor {
                    after: Position(first.0 - 1),
                });
            }
            wanted -= found.len();
        }
        Ok(self.earliest(selection))
    }

    /// The segments there are now, oldest first.
    fn segments(&self) -> Vec<Which> {
        let catalog = self.shared.catalog();
        let sealed = catalog.sealed.iter().map(|s| Which {
            first: s.first,
            sealed: Some(s.clone()),
        });
        let active = Which {
            first: catalog.active.index.first,
            sealed: None,
        };
        sealed.chain([active]).collect()
    }

    /// The segment to read, under whatever it is by now.
    fn part(&self, which: &Which) -> io::Result<Part> {
        let sealed = {
            let catalog = self.shared.catalog();
            let active = &catalog.active;
            if which.sealed.is_none() && active.index.first == which.first {
                return Ok(Part {
                    salt: active.index.salt,
                    first: active.index.first,
                    end: active.index.end,
                    file: active.file.clone(),
                });
            }
            let sealed = which.sealed.as_ref();
            sealed.or_else(|| catalog.sealed_at(which.first)).cloned()
        };
        let sealed = sealed.ok_or(io::ErrorKind::NotFound)?;
        Ok(Part {
            salt: sealed.salt,
            first: sealed.first,
            end: sealed.end,
            file: self.shared.segment_file(sealed.first)?,
        })
    }

    /// Asks the index of a segment that was active: nothing if it is sealed
    /// by now.
    fn ask_active<T>(&self, which: &Which, ask: impl FnOnce(&LiveIndex) -> T) -> Option<T> {
        let catalog = self.shared.catalog();
        let index = &catalog.active.index;
        (index.first == which.first).then(|| ask(index))
    }

    /// What a search in one segment gave; nothing if its file is gone or the
    /// segment is dropped by now.
    fn checked<T: Default>(&self, which: &Which, found: io::Result<T>) -> Result<T, StoreError> {
        found.or_else(|source| {
            if is_damage(&source) || !self.shared.holds(which.first) {
                return Ok(T::default());
            }
            let file = self.shared.storage.path(&segment_name(which.first));
            Err(StoreError { file, source })
        })
    }

    fn serves(&self, record: &Record<'_>, topic: &Topic) -> bool {
        let class = self.shared.retention.class(topic);
        self.shared
            .catalog()
            .horizons
            .serves(class, record.head.position)
    }

    /// The first record of a segment with this id that `accept` accepts; none if
    /// it says `None`, after which it isn't asked again.
    fn find_in(
        &self,
        which: &Which,
        id: &EventId,
        topic: Option<&Topic>,
        mut accept: impl FnMut(&Record<'_>) -> Option<bool>,
    ) -> io::Result<Option<Position>> {
        let Some((part, offsets)) = self.id_offsets(which, id, topic)? else {
            return Ok(None);
        };
        let mut window = Window::new(&*part.file, READ);
        // What to answer, if it is known.
        let mut check = |record: &Record<'_>| {
            if record.id != Some(id.as_str()) {
                return None;
            }
            match accept(record) {
                Some(true) => Some(Some(record.head.position)),
                Some(false) => None,
                None => Some(None),
            }
        };
        if let Some(offsets) = offsets {
            for at in offsets {
                let head = window.record(part.salt, at, part.end)?;
                let record = head.as_ref().and_then(|head| window.view(at, head));
                if let Some(found) = record.as_ref().and_then(&mut check) {
                    return Ok(found);
                }
            }
            return Ok(None);
        }
        let mut scan = part.scan(part.start());
        let found = each_record(&mut scan, |record, _| check(record))?;
        Ok(found.flatten())
    }

    /// Where in a segment the id may be: `None` if nowhere, no list if
    /// anywhere.
    fn id_offsets(
        &self,
        which: &Which,
        id: &EventId,
        topic: Option<&Topic>,
    ) -> io::Result<Option<(Part, Option<Vec<u64>>)>> {
        let hashes = |salt| {
            let topic_text = topic.map_or("", Topic::as_str);
            let (id, hash) = id_hashes(salt, topic_text, id.as_str());
            (id, topic.map(|_| hash))
        };
        let offsets = match &which.sealed {
            None => self.ask_active(which, |index| {
                let (id, topic) = hashes(index.salt);
                index.find_id(id, topic)
            }),
            Some(sealed) => sealed.index().and_then(|index| {
                let (id, topic) = hashes(sealed.salt);
                let found = index.find_id(id, topic);
                let drop = |error: &io::Error| {
                    if is_damage(error) {
                        sealed.set_index(None);
                    }
                };
                found.inspect_err(drop).ok()
            }),
        };
        if offsets.as_ref().is_some_and(Vec::is_empty) {
            return Ok(None);
        }
        Ok(Some((self.part(which)?, offsets)))
    }

    /// The position of the segment's first record of `time` or later.
    fn first_at(&self, which: &Which, time: Timestamp) -> io::Result<Option<Position>> {
        let part = self.part(which)?;
        let start = match &which.sealed {
            None => self.ask_active(which, |index| index.seek_time(time.0)),
            Some(sealed) => sealed
                .index()
                .and_then(|index| index.seek_time(time.0).ok()),
        };
        let start = start.unwrap_or_else(|| part.start());
        let mut scan = part.scan(start);
        each_record(&mut scan, |record, head| {
            (record.head.time >= time).then_some(head.position)
        })
    }

    /// The positions of the last `wanted` records of the selection in a
    /// segment; of no use once `work` is done.
    fn last_in(
        &self,
        which: &Which,
        wanted: usize,
        selection: &Selection,
        work: &mut Work,
    ) -> io::Result<VecDeque<Position>> {
        let part = self.part(which)?;
        let mut found = VecDeque::new();
        let mut take = |found: &mut VecDeque<Position>, record: &Record<'_>| {
            if selection_serves(self, selection, record) {
                if found.len() == wanted {
                    found.pop_front();
                }
                found.push_back(record.head.position);
            } else {
                work.pass(record.head.len, 1 + record.head.alternates);
            }
            work.is_done()
        };
        // As many as are wanted, and more if that isn't enough because some
        // aren't shown, or have expired and their class isn't the others'.
        let mut limit = wanted;
        while let Candidates::At { offsets, more } = self.last_candidates(which, selection, limit) {
            found.clear();
            let mut window = Window::new(&*part.file, READ);
            for at in offsets.iter().filter(|at| **at < part.end) {
                let head = window.record(part.salt, *at, part.end)?;
                let record = head.as_ref().and_then(|head| window.view(*at, head));
                if record.is_some_and(|record| take(&mut found, &record)) {
                    return Ok(found);
                }
            }
            if found.len() == wanted || !more {
                return Ok(found);
            }
            if limit >= CANDIDATES {
                break;
            }
            limit = limit.saturating_mul(4).min(CANDIDATES);
        }
        found.clear();
        let mut scan = part.scan(part.start());
        each_record(&mut scan, |record, _| {
            take(&mut found, record).then_some(())
        })?;
        Ok(found)
    }

    fn last_candidates(&self, which: &Which, selection: &Selection, limit: usize) -> Candidates {
        let candidates = match &which.sealed {
            None => self.ask_active(which, |index| index.last_candidates(selection, limit)),
            Some(sealed) => sealed
                .index()
                .and_then(|index| index.last_candidates(selection, limit).ok()),
        };
        candidates.unwrap_or(Candidates::All)
    }
}

fn selection_serves(reader: &Reader, selection: &Selection, record: &Record<'_>) -> bool {
    record.publication().is_some_and(|publication| {
        let is_reopened = record.head.kind == Kind::End
            && reader.end_of(&publication.topic) != Some(record.head.position);
        !is_reopened
            && selection.watches_if(&publication.as_published(), |topic| {
                reader.serves(record, topic)
            })
    })
}

/// Calls `f` with the records that follow until it gives something.
fn each_record<T>(
    scan: &mut Scan<'_>,
    mut f: impl FnMut(&Record<'_>, &Head) -> Option<T>,
) -> io::Result<Option<T>> {
    loop {
        match scan.step()? {
            Step::Record { at, head } => {
                if let Some(found) = scan.view(at, &head).and_then(|record| f(&record, &head)) {
                    return Ok(Some(found));
                }
            }
            Step::Damage(_) => {}
            Step::End { .. } => return Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Limits, MemoryStorage, Options, Retention, Store};
    use bytes::Bytes;
    use tidings_engine::Selector;

    /// A store with small segments, in which nothing expires.
    fn store() -> Store {
        open(
            &Arc::new(MemoryStorage::new()),
            Options::default().filter_bytes,
        )
    }

    fn open(storage: &Arc<MemoryStorage>, filter_bytes: usize) -> Store {
        let options = Options {
            segment_bytes: 8 * 1024,
            filter_bytes,
            retention: Retention {
                default: Limits::NONE,
                rules: Vec::new(),
            },
            ..Options::default()
        };
        let identity = crate::fuzz::IDENTITY;
        let opened = Store::open(storage.clone(), options, Timestamp(1), identity);
        opened.unwrap().0
    }

    /// Appends entries whose number is their position, time and id.
    fn append(store: &mut Store, numbers: std::ops::RangeInclusive<u64>) {
        for n in numbers {
            let entry = Entry {
                kind: Kind::Event,
                alternates: Box::default(),
                visibility: Visibility::Native,
                topic: Topic::new("a").unwrap(),
                time: Timestamp(n),
                id: Some(EventId::new(n.to_string()).unwrap()),
                key: None,
                fields: Bytes::from(format!("data: {}\n", "x".repeat(500))),
            };
            let answer = store.commit(vec![vec![entry]], Timestamp(n)).remove(0);
            assert_eq!(answer.unwrap()[0].position, Position(n));
        }
    }

    #[test]
    fn a_search_keeps_to_the_segment_that_was_active_when_it_began() {
        let mut store = store();
        append(&mut store, 1..=5);
        let reader = store.reader();
        let segments = reader.segments();
        append(&mut store, 6..=100);
        assert!(reader.shared.catalog().sealed.len() > 1);

        let [which] = &segments[..] else {
            panic!("one segment")
        };
        let id = EventId::new("3").unwrap();
        let selection = Selection::new(vec![Selector::new("a").unwrap()]);
        for topic in [None, Some(&Topic::new("a").unwrap())] {
            let found = reader.find_in(which, &id, topic, |_| Some(true));
            assert_eq!(found.unwrap(), Some(Position(3)));
        }
        let found = reader.first_at(which, Timestamp(4));
        assert_eq!(found.unwrap(), Some(Position(4)));
        let mut work = Work::new(SEARCH, &selection);
        let found = reader.last_in(which, 1, &selection, &mut work).unwrap();
        let sealed_at = reader.shared.catalog().sealed[0].last;
        assert_eq!(found, [sealed_at]);
    }

    #[test]
    fn filters_of_the_newest_segments_are_held() {
        let storage = Arc::new(MemoryStorage::new());
        let memory = 3 * 64;
        let mut store = open(&storage, memory);
        let held = |store: &Store| -> Vec<bool> {
            let catalog = store.shared.catalog();
            let indexes = catalog.sealed.iter().map(|s| s.index().unwrap());
            indexes.map(|index| index.holds_filter()).collect()
        };
        let check = |held: Vec<bool>| {
            assert!(held.len() > 3);
            let newest = held.len() - 3;
            let want: Vec<_> = (0..held.len()).map(|i| i >= newest).collect();
            assert_eq!(held, want);
        };
        append(&mut store, 1..=100);
        check(held(&store));
        append(&mut store, 101..=150);
        check(held(&store));
        drop(store);
        check(held(&open(&storage, memory)));
        assert!(!held(&open(&storage, 0)).contains(&true));
    }
}
