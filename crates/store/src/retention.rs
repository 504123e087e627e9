//! What is served no more, and what is dropped.
//!
//! Each rule is a class of topics with a horizon of its own: the last position
//! that is served no more under them. An event with topics in several classes has
//! expired from each by itself. Nothing is skipped in silence for that:
//!
//! - Who watches is given it while the class of one of the topics that it matches
//!   serves it; other topics of the event don't matter, neither to give it nor to
//!   hide it. So what a selection may miss depends on the classes of the topics
//!   that its selectors can match, and on nothing that an event has besides: below
//!   the least of their horizons there is nothing (a gap), above the greatest
//!   everything, and between them some (who resumes there is told).
//! - It counts once under the limits of each of its classes, so that each limit
//!   means what is served under it.
//! - A segment is dropped when no class that has events in it serves any: what is
//!   kept by way of an alternate keeps its segment.

use crate::catalog::{Catalog, Sealed};
use crate::clock;
use crate::format::record::{Head, Record};
use crate::format::{SPARE_UNFINISHED, Salt, index_name, segment_name};
use crate::options::{Class, Horizons, Limits};
use crate::scan::{Extent, Scan, Step};
use crate::storage::StorageFile;
use crate::store::Store;
use std::io;
use std::sync::Arc;
use tidings_engine::{Position, Timestamp, Topic};

/// How far the expiry of a class has been counted inside the segment through
/// which its horizon runs, so that maintenance doesn't count it again.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ledger {
    segment: Position,
    /// Where counting goes on, in bytes; 0 before the first time.
    at: u64,
    last: Position,
    events: u64,
    bytes: u64,
}

/// What must go of a class's events in one segment.
#[derive(Debug, Clone, Copy)]
struct Excess {
    segment: Position,
    events: u64,
    bytes: u64,
}

/// A segment, as far as counting in it needs.
struct Span {
    salt: Salt,
    first: Position,
    end: u64,
    file: Arc<dyn StorageFile>,
}

impl Store {
    /// How many segments one maintenance drops at most, so that it stays
    /// short after the limits were lowered.
    const MAX_DROPS: usize = 16;
    /// After how many milliseconds the age clock is saved: an hour.
    const SAVE_CLOCK: u64 = 3_600_000;

    /// Expires what is over its limits at `now`, gives disk space back, makes
    /// damaged indexes anew, and goes on making the spare segment. To be
    /// called about once a second. Whether there is more to do at once.
    ///
    /// # Errors
    /// Those of the storage; what couldn't be done is tried again next time.
    pub fn maintain(&mut self, now: Timestamp) -> io::Result<bool> {
        self.clock.advance(now.0);
        self.move_horizons();
        if self.clock.tick() - self.saved_tick >= Self::SAVE_CLOCK {
            self.save_clock()?;
        }
        let dropped = self.drop_expired();
        self.rebuild_an_index();
        Ok(self.prepare()? | dropped?)
    }

    /// Goes on making the spare segment, one step of about a mebibyte;
    /// whether there is more to do.
    ///
    /// # Errors
    /// Those of the storage, a full disk above all; harmless.
    pub fn prepare(&mut self) -> io::Result<bool> {
        if !self.dropped.is_empty() {
            // One of them may become the spare.
            return Ok(false);
        }
        let capacity = self.options.effective_segment_bytes();
        self.spare.step(&*self.shared.storage, capacity)
    }

    pub(crate) fn save_clock(&mut self) -> io::Result<()> {
        let (shared, clocks) = (&self.shared, self.clock.clocks());
        clock::save(&*shared.storage, shared.identity, clocks)?;
        self.saved_tick = clocks.tick;
        Ok(())
    }

    /// Computes anew which positions are served no more. Horizons only rise.
    pub(crate) fn move_horizons(&mut self) {
        let classes = self.shared.retention.classes();
        let mut horizons = Vec::with_capacity(classes);
        for class in 0..classes {
            let limits = self.shared.retention.limits(class);
            let before = self.shared.catalog().horizons.0[class];
            let horizon = before.max(self.horizon_by_age(limits));
            horizons.push(horizon.max(self.horizon_by_size(class, limits)));
        }
        let horizons = Arc::new(Horizons(horizons));
        let mut catalog = self.shared.catalog_mut();
        catalog.horizons = horizons.clone();
        let base = catalog.base();
        drop(catalog);
        self.shared.closed_mut().expire(base, &horizons);
    }

    /// The last position that is too old. Age clocks never fall along the
    /// log, so this is a search.
    fn horizon_by_age(&self, limits: Limits) -> Position {
        let Some(age) = limits.age_ms else {
            return Position::START;
        };
        // Events at exactly the greatest age are kept.
        let Some(cutoff) = self.clock.tick().checked_sub(age.saturating_add(1)) else {
            return Position::START;
        };
        let catalog = self.shared.catalog();
        let old = catalog.sealed.partition_point(|s| s.last_tick <= cutoff);
        let whole = old
            .checked_sub(1)
            .map_or(Position::START, |i| catalog.sealed[i].last);
        let (span, start) = match catalog.sealed.get(old) {
            Some(sealed) => {
                let index = sealed.index();
                let start = index.and_then(|index| index.seek_tick(cutoff).ok());
                (self.span(&catalog, Some(sealed)), start)
            }
            None => {
                let start = catalog.active.index.seek_tick(cutoff);
                (self.span(&catalog, None), Some(start))
            }
        };
        drop(catalog);
        let within = span.and_then(|span| {
            let (at, last) = start.unwrap_or((0, Position(span.first.0 - 1)));
            let mut horizon = Position::START;
            span.each(at, last, |_, head, _| {
                let expired = head.tick <= cutoff;
                if expired {
                    horizon = head.position;
                }
                expired
            })?;
            Ok(horizon)
        });
        whole.max(within.unwrap_or(Position::START))
    }

    /// The last position of the class that is one too many, or one byte.
    fn horizon_by_size(&mut self, class: Class, limits: Limits) -> Position {
        let catalog = self.shared.catalog();
        let excess = excess(&catalog, class, limits);
        let Some(excess) = excess else {
            return Position::START;
        };
        let sealed = catalog
            .sealed
            .iter()
            .find(|s| s.first == excess.segment)
            .cloned();
        let span = self.span(&catalog, sealed.as_ref());
        drop(catalog);
        let mut ledger = self.ledgers[class];
        if ledger.segment != excess.segment || ledger.at == 0 {
            ledger = Ledger {
                segment: excess.segment,
                ..Ledger::default()
            };
        }
        let counted = span.and_then(|span| self.count(&span, class, excess, &mut ledger));
        if counted.is_ok() {
            self.ledgers[class] = ledger;
        }
        let over = ledger.events > 0;
        if over {
            ledger.last
        } else {
            Position(excess.segment.0 - 1)
        }
    }

    /// Counts events of the class until the excess is reached.
    fn count(&self, span: &Span, class: Class, excess: Excess, l: &mut Ledger) -> io::Result<()> {
        let retention = &self.shared.retention;
        let reached = |l: &Ledger| l.events >= excess.events && l.bytes >= excess.bytes;
        if reached(l) {
            return Ok(());
        }
        let (mut events, mut bytes) = (l.events, l.bytes);
        let (mut next, mut last) = (l.at, l.last);
        let start = if l.at == 0 {
            Position(span.first.0 - 1)
        } else {
            l.last
        };
        span.each(l.at, start, |at, head, record| {
            let mut topics = record.iter().flat_map(Record::topics);
            let own = retention.rules.is_empty()
                || topics.any(|t| Topic::new(t).is_ok_and(|t| retention.class(&t) == class));
            (next, last) = (at + head.len, head.position);
            if own {
                events += 1;
                bytes += head.len;
            }
            events < excess.events || bytes < excess.bytes
        })?;
        *l = Ledger {
            segment: l.segment,
            at: next,
            last,
            events,
            bytes,
        };
        Ok(())
    }

    fn span(&self, catalog: &Catalog, sealed: Option<&Arc<Sealed>>) -> io::Result<Span> {
        Ok(match sealed {
            Some(s) => {
                let file = self.shared.segment_file(s.first)?;
                Span {
                    salt: s.salt,
                    first: s.first,
                    end: s.end,
                    file,
                }
            }
            None => {
                let index = &catalog.active.index;
                let file = catalog.active.file.clone();
                Span {
                    salt: index.salt,
                    first: index.first,
                    end: index.end,
                    file,
                }
            }
        })
    }

    fn drop_expired(&mut self) -> io::Result<bool> {
        self.remove_dropped()?;
        for _ in 0..Self::MAX_DROPS {
            let oldest = {
                let catalog = self.shared.catalog();
                let oldest = catalog.sealed.front().cloned();
                oldest.filter(|s| self.is_expired(&catalog, s) || self.is_over(&catalog))
            };
            let Some(oldest) = oldest else {
                return Ok(false);
            };
            // Readers first: from here on they get a gap, and never see what
            // becomes of the file.
            self.shared.catalog_mut().sealed.pop_front();
            self.dropped.push_back(oldest);
            self.remove_dropped()?;
        }
        Ok(true)
    }

    /// Whether no event of the segment is served any more.
    fn is_expired(&self, catalog: &Catalog, sealed: &Sealed) -> bool {
        let classes = sealed.totals.iter().zip(&catalog.horizons.0);
        classes
            .into_iter()
            .all(|(total, horizon)| total.events == 0 || *horizon >= sealed.last)
    }

    /// Whether the segments take more than all limits allow together.
    fn is_over(&self, catalog: &Catalog) -> bool {
        // However little is allowed, what was just sealed is not dropped.
        if catalog.sealed.len() < 2 {
            return false;
        }
        let Some(allowed) = self.shared.retention.total_bytes() else {
            return false;
        };
        let spare = self.options.effective_segment_bytes();
        let sealed: u64 = catalog.sealed.iter().map(|s| s.disk_with_index()).sum();
        sealed + catalog.active.capacity + spare > allowed
    }

    /// Removes the files of dropped segments; what fails is tried again at
    /// the next maintenance.
    fn remove_dropped(&mut self) -> io::Result<()> {
        while let Some(sealed) = self.dropped.front().cloned() {
            self.remove_files(&sealed)?;
            self.dropped.pop_front();
        }
        Ok(())
    }

    fn remove_files(&mut self, sealed: &Sealed) -> io::Result<()> {
        let shared = self.shared.clone();
        let (name, index) = (segment_name(sealed.first), index_name(sealed.first));
        let standard = self.options.effective_segment_bytes();
        let recycle = self.spare.is_wanted() && sealed.disk >= standard;
        let gone = if recycle {
            shared.storage.rename(&name, SPARE_UNFINISHED)
        } else {
            shared.storage.remove(&name)
        };
        let renamed = match gone {
            // The last attempt came so far.
            Err(e) if e.kind() == io::ErrorKind::NotFound => false,
            gone => gone.map(|()| recycle)?,
        };
        // A reader may have opened it again since it was dropped.
        shared.files.forget(&name);
        shared.files.forget(&index);
        let _ = shared.storage.remove(&index);
        // Oldest first on the disk too, or a crash might bring back an older
        // segment without a younger one.
        shared.storage.sync_dir()?;
        if renamed {
            self.spare.recycle(&*shared.storage, standard)?;
        }
        Ok(())
    }
}

/// Where the newest events of a class reach its limits, and what of that
/// segment is too much.
fn excess(catalog: &Catalog, class: Class, limits: Limits) -> Option<Excess> {
    let newest = (catalog.active.index.first, catalog.active.totals[class]);
    let older = catalog
        .sealed
        .iter()
        .rev()
        .map(|s| (s.first, s.totals[class]));
    let (mut events, mut bytes) = (0u64, 0u64);
    for (segment, total) in std::iter::once(newest).chain(older) {
        events += total.events;
        bytes += total.bytes;
        let events_over = limits
            .events
            .map_or(0, |limit| events.saturating_sub(limit));
        let bytes_over = limits.bytes.map_or(0, |limit| bytes.saturating_sub(limit));
        if events_over > 0 || bytes_over > 0 {
            return Some(Excess {
                segment,
                events: events_over,
                bytes: bytes_over,
            });
        }
    }
    None
}

impl Span {
    /// Calls `f` with the records from byte `at` on, behind position `last`,
    /// until it says false.
    fn each(
        &self,
        at: u64,
        last: Position,
        mut f: impl FnMut(u64, &Head, Option<Record<'_>>) -> bool,
    ) -> io::Result<()> {
        let extent = Extent {
            salt: self.salt,
            end: self.end,
            sealed: true,
        };
        let mut scan = match at {
            0 => Scan::whole(&*self.file, extent, self.first),
            at => Scan::new(&*self.file, extent, at, last),
        };
        loop {
            match scan.step()? {
                Step::Record { at, head } => {
                    if !f(at, &head, scan.view(at, &head)) {
                        return Ok(());
                    }
                }
                Step::Damage(_) => {}
                Step::End { .. } => return Ok(()),
            }
        }
    }
}
