//! What readers and the committing side share: which segments there are and
//! where each ends. A position is in the catalog only once it is durable.

use crate::closed::Closed;
use crate::error::{Finding, What};
use crate::files::Files;
use crate::format::segment::{Header, Previous};
use crate::format::{Identity, Salt, segment_name};
use crate::index::{Hole, IndexFile, LiveIndex};
use crate::options::{Class, Horizons, Retention};
use crate::storage::{Storage, StorageFile};
use crate::totals::Total;
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use tidings_engine::{Entry, Kind, Position, Timestamp};

/// What stands between a segment and the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    /// Nothing, or positions that were never acknowledged.
    Void,
    /// Positions that are declared lost.
    Lost,
}

/// A segment that is complete.
#[derive(Debug)]
pub(crate) struct Sealed {
    pub salt: Salt,
    pub first: Position,
    /// One less than `first` if it is empty.
    pub last: Position,
    /// Where its records end, in bytes.
    pub end: u64,
    /// The length of its file, in bytes.
    pub disk: u64,
    pub before: Before,
    pub first_time: Timestamp,
    pub max_time: u64,
    pub last_tick: u64,
    pub records: u64,
    /// Per class.
    pub totals: Vec<Total>,
    pub index: RwLock<Option<Arc<IndexFile>>>,
    /// Damage that reading found.
    damage: Mutex<Vec<Hole>>,
    /// When its index may be made anew again.
    rebuild: Mutex<Backoff>,
}

/// When something that failed is tried again: each time after twice as long.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
    not_before: u64,
}

impl Backoff {
    /// The first wait, in milliseconds of the age clock, and how often it is
    /// doubled at most: to about nine minutes.
    const FIRST: u64 = 1000;
    const DOUBLINGS: u32 = 9;

    pub fn is_due(&self, tick: u64) -> bool {
        tick >= self.not_before
    }

    pub fn failed(&mut self, tick: u64) {
        let wait = Self::FIRST << self.failures.min(Self::DOUBLINGS);
        self.not_before = tick.saturating_add(wait);
        self.failures += 1;
    }
}

/// The segment that is appended to.
pub(crate) struct Active {
    pub file: Arc<dyn StorageFile>,
    pub capacity: u64,
    /// What its header says of the segment before.
    pub previous: Option<Previous>,
    pub index: LiveIndex,
    /// Per class.
    pub totals: Vec<Total>,
}

pub(crate) struct Catalog {
    /// Ascending.
    pub sealed: VecDeque<Arc<Sealed>>,
    pub active: Active,
    pub horizons: Arc<Horizons>,
}

pub(crate) struct Shared {
    pub identity: Identity,
    pub storage: Arc<dyn Storage>,
    pub retention: Retention,
    pub findings: Findings,
    pub files: Arc<Files>,
    catalog: RwLock<Catalog>,
    closed: RwLock<Closed>,
}

impl Active {
    /// A segment that was just begun.
    pub fn empty(file: Arc<dyn StorageFile>, header: &Header, classes: usize) -> Self {
        let salt = Salt::new(header.identity, header.first);
        Self {
            file,
            capacity: header.capacity,
            previous: header.previous,
            index: LiveIndex::new(salt, header.first, header.tick),
            totals: vec![Total::default(); classes],
        }
    }

    /// Whether it holds no position yet.
    pub fn is_empty(&self) -> bool {
        self.index.last < self.index.first
    }

    pub fn before(&self) -> Before {
        Before::of(self.previous)
    }
}

impl Before {
    pub fn of(previous: Option<Previous>) -> Self {
        match previous {
            Some(Previous { lost: true, .. }) => Self::Lost,
            _ => Self::Void,
        }
    }
}

impl Sealed {
    /// Seals what `live` describes.
    pub fn new(live: &LiveIndex, disk: u64, before: Before, totals: Vec<Total>) -> Self {
        Self {
            salt: live.salt,
            first: live.first,
            last: live.last,
            end: live.end,
            disk,
            before,
            first_time: Timestamp(live.first_time),
            max_time: live.max_time,
            last_tick: live.last_tick,
            records: live.records,
            totals,
            index: RwLock::new(None),
            damage: Mutex::default(),
            rebuild: Mutex::default(),
        }
    }

    /// The same of what an index file says.
    pub fn from_index(
        index: Arc<IndexFile>,
        disk: u64,
        before: Before,
        totals: Vec<Total>,
    ) -> Self {
        let head = index.head();
        Self {
            salt: head.salt,
            first: head.first,
            last: head.last,
            end: head.end,
            disk,
            before,
            first_time: Timestamp(head.first_time),
            max_time: head.max_time,
            last_tick: head.last_tick,
            records: head.records,
            totals,
            index: RwLock::new(Some(index)),
            damage: Mutex::default(),
            rebuild: Mutex::default(),
        }
    }

    pub fn index(&self) -> Option<Arc<IndexFile>> {
        self.index
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub fn set_index(&self, index: Option<Arc<IndexFile>>) {
        *self.index.write().unwrap_or_else(PoisonError::into_inner) = index;
    }

    /// When its index may be made anew again.
    pub fn rebuild(&self) -> MutexGuard<'_, Backoff> {
        self.rebuild.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The length of its file and its index, in bytes.
    pub fn disk_with_index(&self) -> u64 {
        self.disk + self.index().map_or(0, |index| index.disk())
    }

    /// Remembers damage; whether it is news.
    pub fn note_damage(&self, hole: Hole) -> bool {
        let mut damage = self.damage.lock().unwrap_or_else(PoisonError::into_inner);
        note(&mut damage, hole)
    }

    /// The damage that reading found so far, ascending.
    pub fn damage(&self) -> Vec<Hole> {
        self.damage
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// How many damaged places of a segment are remembered; a segment with more is
/// scanned again for those beyond.
const MAX_DAMAGE: usize = 1024;

/// Adds to ascending holes one that isn't among them; whether it is news.
fn note(holes: &mut Vec<Hole>, hole: Hole) -> bool {
    let news = !holes.contains(&hole);
    if news && holes.len() < MAX_DAMAGE {
        let at = holes.partition_point(|h| h.to < hole.to);
        holes.insert(at, hole);
    }
    news
}

impl Catalog {
    /// The last position before the oldest segment.
    pub fn base(&self) -> Position {
        let first = self
            .sealed
            .front()
            .map_or(self.active.index.first, |s| s.first);
        Position(first.0 - 1)
    }

    /// The last durable position.
    pub fn last(&self) -> Position {
        self.active.index.last
    }

    /// The oldest sealed segment that ends behind `after`.
    pub fn sealed_behind(&self, after: Position) -> Option<usize> {
        let at = self.sealed.partition_point(|s| s.last <= after);
        (at < self.sealed.len()).then_some(at)
    }

    /// The sealed segment that begins at `first`.
    pub fn sealed_at(&self, first: Position) -> Option<&Arc<Sealed>> {
        let at = self.sealed.binary_search_by_key(&first, |s| s.first);
        at.ok().map(|at| &self.sealed[at])
    }

    /// Nothing at or below this is served to who watches topics of these
    /// classes, whatever other topics it has.
    pub fn earliest(&self, classes: &[Class]) -> Position {
        let horizons = classes.iter().map(|class| self.horizons.0[*class]);
        horizons.min().unwrap_or(Position::START).max(self.base())
    }

    /// Something at or below this may be served no more to who watches topics of
    /// these classes; all above it is.
    pub fn horizon(&self, classes: &[Class]) -> Position {
        let horizons = classes.iter().map(|class| self.horizons.0[*class]);
        horizons.max().unwrap_or(Position::START).max(self.base())
    }
}

impl Shared {
    pub fn new(
        identity: Identity,
        storage: Arc<dyn Storage>,
        files: Arc<Files>,
        retention: Retention,
        catalog: Catalog,
        closed: Closed,
        findings: Findings,
    ) -> Self {
        Self {
            identity,
            storage,
            retention,
            findings,
            files,
            catalog: RwLock::new(catalog),
            closed: RwLock::new(closed),
        }
    }

    pub fn catalog(&self) -> RwLockReadGuard<'_, Catalog> {
        self.catalog.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn catalog_mut(&self) -> RwLockWriteGuard<'_, Catalog> {
        self.catalog.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Which topics are closed. Who holds this asks for the catalog no more.
    pub fn closed(&self) -> RwLockReadGuard<'_, Closed> {
        self.closed.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn closed_mut(&self) -> RwLockWriteGuard<'_, Closed> {
        self.closed.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// An entry is durable at a position, and does to its topics what it does.
    pub fn note_closing(&self, entry: &Entry, position: Position) {
        if entry.kind == Kind::Event {
            return;
        }
        let (mut closed, ends) = (self.closed_mut(), entry.kind == Kind::End);
        for topic in entry.published().topics() {
            closed.note(topic, position, ends, &self.retention);
        }
    }

    /// Remembers damage in the segment that begins at `first`; whether it is
    /// news. None is if the segment is dropped by now.
    pub fn note_damage(&self, first: Position, hole: Hole) -> bool {
        let mut catalog = self.catalog_mut();
        if catalog.active.index.first == first {
            return note(&mut catalog.active.index.holes, hole);
        }
        let sealed = catalog.sealed_at(first).cloned();
        drop(catalog);
        sealed.is_some_and(|sealed| sealed.note_damage(hole))
    }

    /// The damage of a segment that is known so far, ascending.
    pub fn damage(&self, first: Position) -> Vec<Hole> {
        let catalog = self.catalog();
        if catalog.active.index.first == first {
            return catalog.active.index.holes.clone();
        }
        let sealed = catalog.sealed_at(first);
        sealed.map(|sealed| sealed.damage()).unwrap_or_default()
    }

    /// The file of a sealed segment.
    pub fn segment_file(&self, first: Position) -> io::Result<Arc<dyn StorageFile>> {
        self.files.open(&segment_name(first))
    }

    /// Whether the segment is (still) part of the log.
    pub fn holds(&self, first: Position) -> bool {
        let catalog = self.catalog();
        catalog.active.index.first == first || catalog.sealed_at(first).is_some()
    }
}

/// Findings that nobody has taken yet, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Findings(Mutex<VecDeque<Finding>>);

impl Findings {
    /// How many wait to be taken; the oldest give way.
    const MAX: usize = 1024;

    pub fn report(&self, storage: &dyn Storage, name: &str, offset: u64, what: What) {
        let mut findings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if findings.len() == Self::MAX {
            findings.pop_front();
        }
        let file = storage.path(name);
        findings.push_back(Finding { file, offset, what });
    }

    pub fn take(&self) -> Vec<Finding> {
        let mut findings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        findings.drain(..).collect()
    }
}
