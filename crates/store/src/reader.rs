//! Reading the log at a cursor.

use crate::catalog::{Before, Sealed, Shared};
use crate::error::{Finding, StoreError, What};
use crate::format::record::Record;
use crate::format::{DATA_START, Salt, segment_name};
use crate::index::{Candidates, Hole};
use crate::options::{Class, Horizons};
use crate::scan::{Damage, Extent, Scan, Step, Window};
use crate::storage::StorageFile;
use std::io;
use std::sync::Arc;
use tidings_engine::{
    Budget, Cursor, Frame, Gap, LogId, Position, Read, Selection, Timestamp, Topic,
};

/// Reads a log while it is appended to, from any thread. Sees only what is
/// durable.
#[derive(Clone)]
pub struct Reader {
    pub(crate) shared: Arc<Shared>,
}

/// What the log takes and holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Length of all segments and their indexes, in bytes.
    pub bytes: u64,
    /// Number of segments.
    pub segments: usize,
    /// Number of events on disk, expired ones included.
    pub events: u64,
    /// When the oldest event on disk was taken in.
    pub oldest: Option<Timestamp>,
}

/// A segment as a read sees it.
struct Segment {
    salt: Salt,
    first: Position,
    last: Position,
    end: u64,
    file: Arc<dyn StorageFile>,
    sealed: Option<Arc<Sealed>>,
}

/// Where in a segment to go on, and what is known of it from there.
struct View {
    at: u64,
    behind: Position,
    candidates: Candidates,
    /// Known damage, ascending.
    holes: Vec<Hole>,
}

/// What the log has next behind a cursor.
enum Next {
    CaughtUp(Position),
    Gap(Position),
    Segment(Option<Arc<Sealed>>, Position),
}

/// A read in progress.
struct Reading<'r> {
    shared: &'r Shared,
    selection: &'r Selection,
    classes: Vec<Class>,
    horizons: Arc<Horizons>,
    budget: Budget,
    bytes: usize,
    begin: usize,
    out: &'r mut Vec<Arc<Frame>>,
}

/// How reading a segment ended.
enum Outcome {
    /// Behind its last record.
    Done,
    /// Behind the last of the candidates; there are more.
    Again,
    /// The budget is used up.
    Enough,
    /// A damaged place up to this position comes next.
    Damaged(Position),
}

impl Reader {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// The identity of the log.
    pub fn log_id(&self) -> LogId {
        self.shared.log
    }

    /// The last durable position; that before the first event if there is none.
    pub fn last(&self) -> Position {
        self.shared.catalog().last()
    }

    /// The oldest position that may still be there.
    pub fn first(&self) -> Position {
        self.shared.catalog().base().next()
    }

    /// Where reading from the earliest kept event of the selection begins.
    pub fn earliest(&self, selection: &Selection) -> Cursor {
        let classes = self.shared.retention.classes_of(selection);
        Cursor {
            after: self.shared.catalog().earliest(&classes),
        }
    }

    /// Events of the selection at or below this position may be gone. Equal
    /// to [`Reader::earliest`] unless the selection spans topics with
    /// different limits: then a cursor between both gets what is kept,
    /// without a gap from [`Reader::read`], and who resumes there should be
    /// told.
    pub fn horizon(&self, selection: &Selection) -> Position {
        let classes = self.shared.retention.classes_of(selection);
        self.shared.catalog().horizon(&classes)
    }

    /// What the log takes and holds.
    pub fn stats(&self) -> Stats {
        let catalog = self.shared.catalog();
        let active = &catalog.active;
        let oldest = catalog
            .sealed
            .iter()
            .map(|s| (s.last >= s.first, s.first_time));
        let newest = (active.index.records > 0, Timestamp(active.index.first_time));
        let mut times = oldest.chain([newest]).filter(|(any, _)| *any);
        let totals = catalog
            .sealed
            .iter()
            .flat_map(|s| &s.totals)
            .chain(&active.totals);
        Stats {
            bytes: catalog
                .sealed
                .iter()
                .map(|s| s.disk_with_index())
                .sum::<u64>()
                + active.capacity,
            segments: catalog.sealed.len() + 1,
            events: totals.map(|t| t.events).sum(),
            oldest: times.next().map(|(_, time)| time),
        }
    }

    /// What was found damaged, cut or rebuilt since the last call; see
    /// [`crate::Store::take_findings`].
    pub fn take_findings(&self) -> Vec<Finding> {
        self.shared.findings.take()
    }

    /// Appends to `out` what the selection has behind the cursor, in order,
    /// and moves the cursor. [`Read::Gap`] if events there are gone: expired,
    /// damaged or missing. One read passes over a bounded number of bytes
    /// that aren't selected and then answers [`Read::Frames`] with none given.
    ///
    /// # Errors
    /// Of the storage. The cursor then stands behind what was given.
    pub fn read(
        &self,
        cursor: &mut Cursor,
        selection: &Selection,
        budget: Budget,
        out: &mut Vec<Arc<Frame>>,
    ) -> Result<Read, StoreError> {
        let horizons = self.shared.catalog().horizons.clone();
        let mut reading = Reading {
            shared: &self.shared,
            selection,
            classes: self.shared.retention.classes_of(selection),
            horizons,
            budget,
            bytes: 0,
            begin: out.len(),
            out,
        };
        reading.run(cursor)
    }
}

impl Reading<'_> {
    fn run(&mut self, cursor: &mut Cursor) -> Result<Read, StoreError> {
        loop {
            let (sealed, behind) = match self.next(cursor.after) {
                Next::CaughtUp(last) => {
                    cursor.after = last;
                    return Ok(self.frames_or(Read::CaughtUp));
                }
                Next::Gap(to) => return Ok(self.frames_or(Read::Gap(Gap { to }))),
                Next::Segment(sealed, behind) => (sealed, behind),
            };
            let first = sealed.as_ref().map(|s| s.first);
            let is_live = |shared: &Shared| first.is_none_or(|first| shared.has_sealed(first));
            let before = *cursor;
            let outcome = match self.open(sealed).and_then(|s| {
                let outcome = self.segment(&s, behind, cursor)?;
                if matches!(outcome, Outcome::Done) {
                    cursor.after = cursor.after.max(s.last);
                }
                Ok(outcome)
            }) {
                Ok(outcome) => outcome,
                // A segment that was dropped meanwhile is a gap by now.
                Err(_) if !is_live(self.shared) => continue,
                Err(source) => return Err(self.error(first, source)),
            };
            match outcome {
                Outcome::Enough => return Ok(Read::Frames),
                Outcome::Damaged(to) if is_live(self.shared) => {
                    return Ok(self.frames_or(Read::Gap(Gap { to })));
                }
                Outcome::Again => debug_assert!(before < *cursor),
                Outcome::Done | Outcome::Damaged(_) => {}
            }
        }
    }

    fn frames_or(&self, other: Read) -> Read {
        if self.out.len() > self.begin {
            Read::Frames
        } else {
            other
        }
    }

    fn error(&self, first: Option<Position>, source: io::Error) -> StoreError {
        let first = first.unwrap_or_else(|| self.shared.catalog().active.index.first);
        let file = self.shared.storage.path(&segment_name(first));
        StoreError { file, source }
    }

    /// What comes behind `after`.
    fn next(&mut self, after: Position) -> Next {
        let catalog = self.shared.catalog();
        self.horizons = catalog.horizons.clone();
        let end = catalog.last();
        if after >= end {
            return Next::CaughtUp(after);
        }
        let earliest = catalog.earliest(&self.classes).min(end);
        if after < earliest {
            return Next::Gap(earliest);
        }
        let at = catalog.sealed_behind(after);
        let (first, before) = match at {
            Some(at) => (catalog.sealed[at].first, catalog.sealed[at].before),
            None => (catalog.active.index.first, catalog.active.before()),
        };
        let sealed = at.map(|at| catalog.sealed[at].clone());
        if after.next() >= first {
            return Next::Segment(sealed, after);
        }
        let older = at.unwrap_or(catalog.sealed.len()).checked_sub(1);
        let good = older.map_or(catalog.base(), |at| catalog.sealed[at].last);
        let to = Position(first.0 - 1);
        // A cursor inside the void was given a position that the disk
        // confirmed and lost: that is a gap too.
        if before == Before::Lost || after > good {
            return Next::Gap(to);
        }
        if to == end {
            Next::CaughtUp(end)
        } else {
            Next::Segment(sealed, to)
        }
    }

    fn open(&self, sealed: Option<Arc<Sealed>>) -> io::Result<Segment> {
        if let Some(sealed) = sealed {
            return Ok(Segment {
                salt: sealed.salt,
                first: sealed.first,
                last: sealed.last,
                end: sealed.end,
                file: self.shared.segment_file(sealed.first)?,
                sealed: Some(sealed),
            });
        }
        let catalog = self.shared.catalog();
        let active = &catalog.active;
        Ok(Segment {
            salt: active.index.salt,
            first: active.index.first,
            last: active.index.last,
            end: active.index.end,
            file: active.file.clone(),
            sealed: None,
        })
    }

    fn segment(
        &mut self,
        s: &Segment,
        after: Position,
        cursor: &mut Cursor,
    ) -> io::Result<Outcome> {
        // The segment that was active may have been sealed and another begun.
        if after.next() < s.first {
            return Ok(Outcome::Done);
        }
        cursor.after = cursor.after.max(after);
        let view = self.view(s, after)?;
        let Candidates::At { offsets, more } = &view.candidates else {
            return self.read_through(s, &view, cursor);
        };
        if let Some(outcome) = self.read_listed(s, &view, cursor, offsets, *more)? {
            return Ok(outcome);
        }
        // What was read is not what the index said: maintenance makes it
        // anew, and reading through trusts no index.
        if let Some(sealed) = &s.sealed {
            sealed.set_index(None);
        }
        let view = self.view_through(s);
        self.read_through(s, &view, cursor)
    }

    fn view(&self, s: &Segment, after: Position) -> io::Result<View> {
        let Some(sealed) = &s.sealed else {
            let start = self.shared.catalog().active.index.seek(after);
            return self.view_of_active(s, after, start);
        };
        let Some(index) = sealed.index() else {
            return Ok(self.view_through(s));
        };
        let view = (|| {
            let (at, behind) = exact_start(s, after, index.seek(after)?)?;
            let candidates = index.candidates(self.selection, at, CANDIDATES)?;
            let mut holes = index.holes()?;
            holes.extend(sealed.damage());
            holes.sort_unstable_by_key(|h| h.to);
            Ok(View {
                at,
                behind,
                candidates,
                holes,
            })
        })();
        view.or_else(|_: io::Error| {
            sealed.set_index(None);
            Ok(self.view_through(s))
        })
    }

    fn view_of_active(
        &self,
        s: &Segment,
        after: Position,
        start: (u64, Position),
    ) -> io::Result<View> {
        let (at, behind) = exact_start(s, after, start)?;
        let catalog = self.shared.catalog();
        let index = &catalog.active.index;
        if index.first != s.first {
            return Ok(self.view_through(s));
        }
        let mut candidates = index.candidates(self.selection, at, CANDIDATES);
        if let Candidates::At { offsets, more } = &mut candidates {
            let appended_since = offsets.partition_point(|o| *o < s.end);
            *more &= appended_since == offsets.len();
            offsets.truncate(appended_since);
        }
        Ok(View {
            at,
            behind,
            candidates,
            holes: index.holes.clone(),
        })
    }

    fn view_through(&self, s: &Segment) -> View {
        View {
            at: DATA_START,
            behind: Position(s.first.0 - 1),
            candidates: Candidates::All,
            holes: s.sealed.as_ref().map(|s| s.damage()).unwrap_or_default(),
        }
    }

    fn read_through(
        &mut self,
        s: &Segment,
        view: &View,
        cursor: &mut Cursor,
    ) -> io::Result<Outcome> {
        let ahead = self.budget.bytes.max(READ_NEAR as usize);
        let mut scan = Scan::new(&*s.file, s.extent(), view.at, view.behind).reading(ahead);
        loop {
            match scan.step()? {
                Step::Record { at, head } => {
                    if head.position <= cursor.after {
                        continue;
                    }
                    if self.is_enough() || at - view.at > SCAN_AT_ONCE {
                        return Ok(Outcome::Enough);
                    }
                    let record = scan.view(at, &head);
                    if record.is_none_or(|record| !self.take(&record)) {
                        let here = Damage {
                            at,
                            to: at + head.len,
                            after: Position(head.position.0 - 1),
                            next: Some(head.position.next()),
                            torn: false,
                        };
                        self.note(s, view, &here);
                        return Ok(Outcome::Damaged(head.position));
                    }
                    cursor.after = head.position;
                }
                Step::Damage(damage) => {
                    let to = damage.next.map_or(s.last, |next| Position(next.0 - 1));
                    self.note(s, view, &damage);
                    if cursor.after < to {
                        return Ok(Outcome::Damaged(to));
                    }
                }
                Step::End { .. } => return Ok(Outcome::Done),
            }
        }
    }

    /// `None` if the records are not where the index said.
    fn read_listed(
        &mut self,
        s: &Segment,
        view: &View,
        cursor: &mut Cursor,
        offsets: &[u64],
        more: bool,
    ) -> io::Result<Option<Outcome>> {
        let mut window = Window::new(&*s.file, READ_ONE);
        let mut before = 0;
        for at in offsets {
            // Records near each other are worth reading together.
            window.read_ahead(if at - before < READ_NEAR {
                READ_MANY
            } else {
                READ_ONE
            });
            before = *at;
            let Some(head) = window.record(s.salt, *at, s.end)? else {
                return Ok(None);
            };
            if head.position <= cursor.after || head.position > s.last {
                return Ok(None);
            }
            if let Some(hole) = hole_before(&view.holes, cursor.after, head.position) {
                return Ok(Some(Outcome::Damaged(hole)));
            }
            if self.is_enough() {
                return Ok(Some(Outcome::Enough));
            }
            let record = window.view(*at, &head);
            if record.is_none_or(|record| !self.take(&record)) {
                return Ok(None);
            }
            cursor.after = head.position;
        }
        if more {
            return Ok((!offsets.is_empty()).then_some(Outcome::Again));
        }
        Ok(Some(
            match hole_before(&view.holes, cursor.after, s.last.next()) {
                Some(hole) => Outcome::Damaged(hole),
                None => Outcome::Done,
            },
        ))
    }

    fn is_enough(&self) -> bool {
        let given = self.out.len() - self.begin;
        given > 0 && (given >= self.budget.frames || self.bytes >= self.budget.bytes)
    }

    /// Gives the event out if it is selected and served. False if it is none.
    fn take(&mut self, record: &Record<'_>) -> bool {
        let Ok(topic) = Topic::new(record.topic) else {
            return false;
        };
        if !self.selection.matches(&topic) {
            return true;
        }
        let class = self.shared.retention.class(&topic);
        if !self.horizons.serves(class, record.head.position) {
            return true;
        }
        let Some(entry) = record.to_entry() else {
            return false;
        };
        let frame = Frame::new(self.shared.log, record.head.position, entry);
        self.bytes += frame.payload().len();
        self.out.push(Arc::new(frame));
        true
    }

    fn note(&self, s: &Segment, view: &View, damage: &Damage) {
        let last = damage.next.map_or(s.last, |next| Position(next.0 - 1));
        let hole = Hole {
            after: damage.after,
            to: last,
        };
        let news = !view.holes.contains(&hole)
            && match &s.sealed {
                Some(sealed) => self.shared.has_sealed(s.first) && sealed.note_damage(hole),
                None => true,
            };
        if news {
            let what = What::Hole {
                to: damage.to,
                after: damage.after,
                last,
            };
            let name = segment_name(s.first);
            self.shared
                .findings
                .report(&*self.shared.storage, &name, damage.at, what);
        }
    }
}

/// How many records are looked up in an index at a time.
const CANDIDATES: usize = 1024;
/// How many bytes one read passes over at most where it can't use an index.
const SCAN_AT_ONCE: u64 = 8 << 20;
const READ_ONE: usize = 4 * 1024;
const READ_MANY: usize = 64 * 1024;
const READ_NEAR: u64 = 16 * 1024;

impl Segment {
    fn extent(&self) -> Extent {
        Extent {
            salt: self.salt,
            end: self.end,
            sealed: true,
        }
    }
}

/// The first record behind `after`, or damage there, found from a place
/// shortly before.
fn exact_start(
    s: &Segment,
    after: Position,
    (at, behind): (u64, Position),
) -> io::Result<(u64, Position)> {
    if behind >= after {
        return Ok((at, behind));
    }
    let mut scan = Scan::new(&*s.file, s.extent(), at, behind).reading(READ_NEAR as usize);
    let mut last = behind;
    loop {
        match scan.step()? {
            Step::Record { at, head } if head.position > after => return Ok((at, last)),
            Step::Record { head, .. } => last = head.position,
            Step::Damage(damage) => {
                let to = damage.next.map_or(s.last, |next| Position(next.0 - 1));
                if to > after {
                    return Ok((damage.at, last));
                }
                last = to;
            }
            Step::End { at } => return Ok((at, last)),
        }
    }
}

/// The end of the first hole behind `after` and before `next`.
fn hole_before(holes: &[Hole], after: Position, next: Position) -> Option<Position> {
    let hole = holes.iter().find(|h| h.to > after)?;
    (hole.after.next() < next).then_some(hole.to)
}
