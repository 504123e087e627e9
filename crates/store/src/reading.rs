//! A read in progress: from segment to segment, by an index or through.

use crate::catalog::{Before, Sealed, Shared};
use crate::error::{StoreError, What};
use crate::format::record::Record;
use crate::format::{DATA_START, segment_name};
use crate::index::{Candidates, Hole};
use crate::options::{Class, Horizons};
use crate::place::{READ_NEAR, Segment, exact_start, hole_before};
use crate::scan::{Damage, Scan, Step, Window};
use crate::storage::is_damage;
use crate::work::Work;
use std::io;
use std::sync::Arc;
use tidings_engine::{Budget, Cursor, Frame, Gap, Kind, Position, Read, Selection};

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
    Sealed(Arc<Sealed>, Position),
    /// The active segment as it was when it was found to be next: it may be
    /// sealed, and another begun, before it is read.
    Active(Segment, Position),
}

/// A read in progress.
pub(crate) struct Reading<'r> {
    shared: &'r Shared,
    selection: &'r Selection,
    classes: Vec<Class>,
    horizons: Arc<Horizons>,
    budget: Budget,
    bytes: usize,
    /// What may be passed over without giving it out.
    work: Work,
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

impl<'r> Reading<'r> {
    pub fn new(
        shared: &'r Shared,
        selection: &'r Selection,
        budget: Budget,
        out: &'r mut Vec<Arc<Frame>>,
    ) -> Self {
        Self {
            shared,
            selection,
            classes: shared.retention.classes_of(selection),
            horizons: shared.catalog().horizons.clone(),
            budget,
            bytes: 0,
            work: Work::new(AT_ONCE, selection),
            begin: out.len(),
            out,
        }
    }

    /// See [`crate::Reader::read`].
    pub fn run(&mut self, cursor: &mut Cursor) -> Result<Read, StoreError> {
        loop {
            let (first, segment, behind) = match self.next(cursor.after) {
                Next::CaughtUp(last) => {
                    cursor.after = last;
                    return Ok(self.frames_or(Read::CaughtUp));
                }
                Next::Gap(to) => return Ok(self.frames_or(Read::Gap(Gap { to }))),
                Next::Sealed(sealed, behind) => match self.open(&sealed) {
                    Err(error) if is_damage(&error) && self.shared.holds(sealed.first) => {
                        self.note_lost(&sealed);
                        let to = sealed.last;
                        return Ok(self.frames_or(Read::Gap(Gap { to })));
                    }
                    opened => (sealed.first, opened, behind),
                },
                Next::Active(segment, behind) => (segment.first, Ok(segment), behind),
            };
            let before = *cursor;
            let outcome = match segment.and_then(|s| self.segment(&s, behind, cursor)) {
                Ok(outcome) => outcome,
                // A segment that was dropped meanwhile is a gap by now.
                Err(_) if !self.shared.holds(first) => continue,
                Err(source) => return Err(self.error(first, source)),
            };
            match outcome {
                Outcome::Enough => return Ok(Read::Frames),
                Outcome::Damaged(to) if self.shared.holds(first) => {
                    return Ok(self.frames_or(Read::Gap(Gap { to })));
                }
                Outcome::Again => debug_assert!(before < *cursor),
                Outcome::Done | Outcome::Damaged(_) => {}
            }
            // Not before something was passed: each read gets on.
            if self.work.is_done() && before < *cursor {
                return Ok(Read::Frames);
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

    fn error(&self, first: Position, source: io::Error) -> StoreError {
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
        let segment = |behind| match at {
            Some(at) => Next::Sealed(catalog.sealed[at].clone(), behind),
            None => Next::Active(Segment::of_active(&catalog.active), behind),
        };
        if after.next() >= first {
            return segment(after);
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
            segment(to)
        }
    }

    fn open(&self, sealed: &Arc<Sealed>) -> io::Result<Segment> {
        Ok(Segment {
            salt: sealed.salt,
            first: sealed.first,
            last: sealed.last,
            end: sealed.end,
            file: self.shared.segment_file(sealed.first)?,
            sealed: Some(sealed.clone()),
        })
    }

    /// Reads on in a segment; behind all of it, the cursor stands at its end.
    fn segment(
        &mut self,
        s: &Segment,
        after: Position,
        cursor: &mut Cursor,
    ) -> io::Result<Outcome> {
        cursor.after = cursor.after.max(after);
        let outcome = self.records(s, after, cursor)?;
        if matches!(outcome, Outcome::Done) {
            cursor.after = cursor.after.max(s.last);
        }
        Ok(outcome)
    }

    fn records(
        &mut self,
        s: &Segment,
        after: Position,
        cursor: &mut Cursor,
    ) -> io::Result<Outcome> {
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

    fn view(&mut self, s: &Segment, after: Position) -> io::Result<View> {
        let Some(sealed) = &s.sealed else {
            let start = self.shared.catalog().active.index.seek(after);
            return self.view_of_active(s, after, start);
        };
        let Some(index) = sealed.index() else {
            return Ok(self.view_through(s));
        };
        let view = (|| {
            let (at, behind) = exact_start(s, after, index.seek(after)?)?;
            let (candidates, looked) = index.candidates(self.selection, at, CANDIDATES)?;
            let mut holes = index.holes()?;
            holes.extend(sealed.damage());
            holes.sort_unstable_by_key(|h| h.to);
            self.work.ask(looked);
            Ok(View {
                at,
                behind,
                candidates,
                holes,
            })
        })();
        view.or_else(|error: io::Error| {
            if is_damage(&error) {
                sealed.set_index(None);
            }
            Ok(self.view_through(s))
        })
    }

    fn view_of_active(
        &mut self,
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
        let (mut candidates, looked) = index.candidates(self.selection, at, CANDIDATES);
        self.work.ask(looked);
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
            holes: self.shared.damage(s.first),
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
        // What is before the cursor is passed over at every read, so counting it
        // would leave a cursor that is far into the segment where it is for ever.
        let mut is_first = true;
        loop {
            match scan.step()? {
                Step::Record { at, head } => {
                    if head.position <= cursor.after {
                        continue;
                    }
                    let may_stop = !std::mem::take(&mut is_first) && self.work.is_done();
                    if may_stop || self.is_enough() {
                        return Ok(Outcome::Enough);
                    }
                    let record = scan.view(at, &head);
                    let taken = record.and_then(|record| self.take(&record));
                    if taken == Some(false) {
                        self.work.pass(head.len, 1 + head.alternates);
                    }
                    if taken.is_none() {
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
        for (n, at) in offsets.iter().enumerate() {
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
            if self.is_enough() || (n > 0 && self.work.is_done()) {
                return Ok(Some(Outcome::Enough));
            }
            let record = window.view(*at, &head);
            match record.and_then(|record| self.take(&record)) {
                None => return Ok(None),
                Some(false) => self.work.pass_alone(head.len, 1 + head.alternates),
                Some(true) => {}
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

    /// Gives the event out if it is watched and served; whether it did. `None` if
    /// it is none. The end of a topic that was opened again is not served.
    ///
    /// A topic that the selection matches counts only if its own class serves the
    /// event: what has expired from `a` isn't given to who watches `a` because it
    /// has an alternate that is kept longer, and is given to who watches that. So
    /// the classes of the selection's own topics say all about what it may miss
    /// ([`crate::catalog::Catalog::horizon`]), whatever topics events have.
    fn take(&mut self, record: &Record<'_>) -> Option<bool> {
        let publication = record.publication()?;
        let (retention, horizons) = (&self.shared.retention, &self.horizons);
        let position = record.head.position;
        let is_reopened = record.head.kind == Kind::End
            && self.shared.closed().end_of(&publication.topic) != Some(position);
        let is_watched = !is_reopened
            && self
                .selection
                .watches_if(&publication.as_published(), |topic| {
                    horizons.serves(retention.class(topic), position)
                });
        if !is_watched {
            return Some(false);
        }
        let entry = record.to_entry(publication)?;
        let frame = Frame::new(self.shared.identity.log, position, entry);
        self.bytes += frame.payload().len();
        self.out.push(Arc::new(frame));
        Some(true)
    }

    /// Notes that the file of a segment is gone.
    fn note_lost(&self, sealed: &Sealed) {
        let hole = Hole {
            after: Position(sealed.first.0 - 1),
            to: sealed.last,
        };
        if sealed.note_damage(hole) {
            let (name, after, last) = (segment_name(sealed.first), hole.after, hole.to);
            let what = What::MissingSegment { after, last };
            let findings = &self.shared.findings;
            findings.report(&*self.shared.storage, &name, 0, what);
        }
    }

    fn note(&self, s: &Segment, view: &View, damage: &Damage) {
        let last = damage.next.map_or(s.last, |next| Position(next.0 - 1));
        let hole = Hole {
            after: damage.after,
            to: last,
        };
        let news = !view.holes.contains(&hole) && self.shared.note_damage(s.first, hole);
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
/// How much one read passes over at most: see [`Work`].
const AT_ONCE: u64 = 8 << 20;
const READ_ONE: usize = 4 * 1024;
const READ_MANY: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Limits, MemoryStorage, Options, Retention, Store};
    use tidings_engine::{Entry, Timestamp, Topic};

    /// A store with small segments; nothing expires.
    fn store() -> Store {
        let options = Options {
            segment_bytes: 8 * 1024,
            retention: Retention {
                default: Limits::NONE,
                rules: Vec::new(),
            },
            ..Options::default()
        };
        let storage = Arc::new(MemoryStorage::new());
        Store::open(storage, options, Timestamp(1), crate::fuzz::IDENTITY)
            .unwrap()
            .0
    }

    fn append(store: &mut Store, topic: &str, count: usize) {
        for _ in 0..count {
            let entry = Entry {
                kind: Kind::Event,
                alternates: Box::default(),
                visibility: tidings_engine::Visibility::Native,
                topic: Topic::new(topic).unwrap(),
                time: Timestamp(1),
                id: None,
                key: None,
                fields: bytes::Bytes::from(format!("data: {}\n", "x".repeat(500))),
            };
            store
                .commit(vec![vec![entry]], Timestamp(1))
                .remove(0)
                .unwrap();
        }
    }

    /// Finds the active segment to be next behind `after`, appends so many
    /// events that it is sealed, and then reads it.
    fn check_roll_between(after: u64, select: &str) {
        let mut store = store();
        append(&mut store, "a", 5);
        let shared = store.shared.clone();
        let selection = Selection::new(vec![tidings_engine::Selector::new(select).unwrap()]);
        let (mut out, budget) = (
            Vec::new(),
            Budget {
                frames: 100,
                bytes: 1 << 20,
            },
        );
        let mut reading = Reading::new(&shared, &selection, budget, &mut out);
        let mut cursor = Cursor {
            after: Position(after),
        };
        let Next::Active(segment, behind) = reading.next(cursor.after) else {
            panic!("not the active segment");
        };
        append(&mut store, "a", 100);
        assert!(!shared.catalog().sealed.is_empty());
        reading.segment(&segment, behind, &mut cursor).unwrap();
        assert_eq!(cursor.after, Position(5));
        let found: Vec<_> = out.iter().map(|f| f.position().0).collect();
        assert_eq!(found, (after + 1..=5).collect::<Vec<_>>(), "{select}");
    }

    #[test]
    fn a_segment_that_is_sealed_before_it_is_read_is_read_to_where_it_ended() {
        for select in ["a", "*", "**"] {
            for after in 0..5 {
                check_roll_between(after, select);
            }
        }
    }
}
