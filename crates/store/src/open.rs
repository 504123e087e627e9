//! Opening a store: what a crash left is brought into order, made durable,
//! and only then shown.

mod known;

use crate::catalog::{Active, Before, Catalog, Findings, Sealed, Shared};
use crate::clock::{self, AgeClock};
use crate::error::{Finding, OpenError, What};
use crate::files::Files;
use crate::format::age::{self, Clocks};
use crate::format::segment::{self, Decoded, Header, Previous};
use crate::format::{
    DAMAGED_SUFFIX, Identity, SPARE, Salt, VERSION, index_name, meta, parse_index_name,
    parse_segment_name, record, segment_name,
};
use crate::index::{IndexFile, LiveIndex};
use crate::inventory::{Found, Inventory};
use crate::options::{Horizons, Options};
use crate::roll::{begin_segment, index_extent, make_spare, write_index};
use crate::spare::Spare;
use crate::storage::Storage;
use crate::store::{Health, Store};
use crate::tail::{self, Tail};
use crate::totals;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use tidings_engine::{Position, Timestamp};

/// What opening a store found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// Whether the log was begun just now.
    pub created: bool,
    /// What was cut, skipped, set aside or rebuilt.
    pub findings: Vec<Finding>,
}

struct Opening {
    storage: Arc<dyn Storage>,
    files: Arc<Files>,
    options: Options,
    findings: Findings,
    identity: Identity,
    older: bool,
}

/// Which log a directory holds.
struct Identified {
    identity: Identity,
    /// Whether it was begun just now.
    created: bool,
    /// Whether its description is of an older version.
    older: bool,
}

impl Store {
    /// Opens the store in `storage`, begins one that is `fresh`.
    ///
    /// # Errors
    /// [`OpenError`] names the file; nothing was destroyed.
    pub fn open(
        storage: Arc<dyn Storage>,
        options: Options,
        now: Timestamp,
        fresh: Identity,
    ) -> Result<(Self, Recovery), OpenError> {
        let names = storage.list().map_err(|e| io_error(&*storage, "", e))?;
        let findings = Findings::default();
        let Identified {
            identity,
            created,
            older,
        } = identify(&*storage, &names, fresh, &findings)?;
        let opening = Opening {
            files: Arc::new(Files::new(storage.clone())),
            storage,
            options,
            findings,
            identity,
            older,
        };
        let store = opening.run(&names, now)?;
        let findings = store.take_findings();
        Ok((store, Recovery { created, findings }))
    }
}

/// Which log the directory holds, or begins.
fn identify(
    storage: &dyn Storage,
    names: &[String],
    fresh: Identity,
    findings: &Findings,
) -> Result<Identified, OpenError> {
    let has = |name: &str| names.iter().any(|n| n == name);
    let known = if has(meta::NAME) {
        Some(read_meta(storage).map_err(|e| io_error(storage, meta::NAME, e))?)
    } else {
        None
    };
    let (any_segment, of_segments) = identity_of_segments(storage, names)?;
    let identified = |identity, created| Identified {
        identity,
        created,
        older: matches!(known, Some(meta::Meta::Older(_))),
    };
    match known {
        Some(meta::Meta::Other(found)) => {
            let file = storage.path(meta::NAME);
            Err(OpenError::Version { file, found })
        }
        Some(meta::Meta::Current(identity) | meta::Meta::Older(identity)) if any_segment => {
            Ok(identified(identity, false))
        }
        // Nothing was ever appended, or all of it is gone: with the old
        // identity, positions would be given twice.
        Some(meta::Meta::Current(_) | meta::Meta::Older(_)) => {
            describe(storage, fresh).map(|()| identified(fresh, true))
        }
        _ if of_segments.is_some() => {
            let identity = of_segments.unwrap_or(fresh);
            findings.report(storage, meta::NAME, 0, What::MetaRestored);
            describe(storage, identity).map(|()| identified(identity, false))
        }
        None if !any_segment => describe(storage, fresh).map(|()| identified(fresh, true)),
        _ => Err(OpenError::Damaged {
            file: storage.path(meta::NAME),
        }),
    }
}

/// Whether there are segments, and what the first intact one says.
fn identity_of_segments(
    storage: &dyn Storage,
    names: &[String],
) -> Result<(bool, Option<Identity>), OpenError> {
    let mut any = false;
    for name in names.iter().filter(|n| parse_segment_name(n).is_some()) {
        any = true;
        let header = storage.open(name).and_then(|file| segment::read(&*file));
        if let Decoded::Header(header) = header.map_err(|e| io_error(storage, name, e))? {
            return Ok((any, Some(header.identity)));
        }
    }
    Ok((any, None))
}

fn read_meta(storage: &dyn Storage) -> io::Result<meta::Meta> {
    let file = storage.open(meta::NAME)?;
    let mut bytes = vec![0; meta::LEN + 1];
    let n = file.read_at(0, &mut bytes)?;
    Ok(meta::decode(&bytes[..n]))
}

/// Makes the description of the log durable.
fn describe(storage: &dyn Storage, identity: Identity) -> Result<(), OpenError> {
    (|| {
        let file = storage.create(meta::NAME_UNFINISHED)?;
        file.write_at(0, &meta::encode(identity))?;
        file.sync_data()?;
        storage.rename(meta::NAME_UNFINISHED, meta::NAME)?;
        storage.sync_dir()
    })()
    .map_err(|e| io_error(storage, meta::NAME, e))
}

pub(crate) fn io_error(storage: &dyn Storage, name: &str, source: io::Error) -> OpenError {
    let file = storage.path(name);
    OpenError::Io { file, source }
}

impl Opening {
    fn run(mut self, names: &[String], now: Timestamp) -> Result<Store, OpenError> {
        let inventory = Inventory::take(&*self.storage, &self.files, self.identity, names)?;
        let Inventory {
            segments: found,
            unreadable,
            lost_to,
        } = inventory;
        if self.older {
            // Before anything of this version is written: a program of the
            // older one refuses the store from here on.
            describe(&*self.storage, self.identity)?;
        }
        self.remove_unfinished(names);
        // A segment that a killed process began may not be durable, and must
        // be before the one before it gets the index that tells of it.
        self.sync_dir()?;
        let mut sealed = VecDeque::new();
        let active = match found.split_last() {
            None => self.begin(None, lost_to, 0)?,
            Some((last, before)) => {
                for (i, segment) in before.iter().enumerate() {
                    let next = &found[i + 1].header;
                    let entry = self.sealed(segment, next, sealed.back());
                    sealed.push_back(entry.map_err(|e| self.segment_error(segment, e))?);
                }
                self.check_chain(&found, &sealed);
                let tail = tail::examine(&*last.file, &last.header);
                let tail = tail.map_err(|e| self.segment_error(last, e))?;
                self.active(last, &tail, lost_to, &mut sealed)?
            }
        };
        // Only now that the log goes on behind them: until then they are what
        // tells that their positions were given.
        for name in &unreadable {
            self.set_aside(names, name)
                .map_err(|e| io_error(&*self.storage, name, e))?;
        }
        self.remove_orphans(names);
        // What renames and removals a crash interrupted is decided now.
        self.sync_dir()?;
        self.store(sealed, active, names, now)
    }

    fn sync_dir(&self) -> Result<(), OpenError> {
        let synced = self.storage.sync_dir();
        synced.map_err(|e| io_error(&*self.storage, "", e))
    }

    /// Removes unfinished files. What can't be removed does no harm.
    fn remove_unfinished(&self, names: &[String]) {
        for name in names {
            let stem = name.strip_suffix(".tmp");
            let unfinished = stem.is_some_and(|stem| {
                parse_index_name(stem).is_some() || ["spare", meta::NAME, age::NAME].contains(&stem)
            });
            if unfinished {
                let _ = self.storage.remove(name);
            }
        }
    }

    /// Removes indexes without a segment.
    fn remove_orphans(&self, names: &[String]) {
        for name in names {
            let orphan =
                parse_index_name(name).is_some_and(|first| !names.contains(&segment_name(first)));
            if orphan {
                let _ = self.storage.remove(name);
            }
        }
    }

    /// Renames a file that is no segment; nothing that was set aside before
    /// is overwritten.
    fn set_aside(&self, names: &[String], name: &str) -> io::Result<()> {
        let plain = format!("{name}{DAMAGED_SUFFIX}");
        let to =
            (2..names.len() + 3)
                .map(|n| format!("{plain}.{n}"))
                .fold(
                    plain.clone(),
                    |to, next| if names.contains(&to) { next } else { to },
                );
        self.storage.rename(name, &to)?;
        self.findings
            .report(&*self.storage, name, 0, What::SetAside { to });
        Ok(())
    }

    /// Takes in a segment that another one follows.
    fn sealed(
        &mut self,
        segment: &Found,
        next: &Header,
        before: Option<&Arc<Sealed>>,
    ) -> io::Result<Arc<Sealed>> {
        let first = segment.header.first;
        let salt = Salt::new(self.identity, first);
        let index = self.open_index(first);
        let (last, end) = match (next.previous, &index) {
            (Some(previous), _) if previous.first == first => (previous.last, previous.end),
            (_, Some(index)) => (index.head().last, index.head().end),
            _ => {
                let tail = tail::examine(&*segment.file, &segment.header)?;
                (tail.last, tail.end)
            }
        };
        let link = match segment.header.previous {
            Some(p) if before.is_some_and(|b| b.first != p.first) => Before::Lost,
            previous => Before::of(previous),
        };
        let disk = segment.file.size()?;
        let tick = least_tick(&segment.header, before);
        let fits = |index: &IndexFile| index.head().last == last && index.head().end == end;
        if let Some(index) = index.filter(fits)
            && let Ok(totals) = totals::of_index(&index, &self.options.retention)
        {
            let mut sealed = Sealed::from_index(Arc::new(index), disk, link, totals);
            sealed.last_tick = sealed.last_tick.max(tick);
            return Ok(Arc::new(sealed));
        }
        self.findings
            .report(&*self.storage, &index_name(first), 0, What::IndexRebuilt);
        let mut live = index_extent(&*segment.file, salt, first, end, last)?;
        live.last_tick = live.last_tick.max(tick);
        self.report_holes(&live);
        Ok(self.seal(&live, disk, link))
    }

    fn seal(&mut self, live: &LiveIndex, disk: u64, before: Before) -> Arc<Sealed> {
        let totals = totals::of_live(live, &self.options.retention);
        let sealed = Sealed::new(live, disk, before, totals);
        let written = write_index(&*self.storage, &self.files, self.identity, live);
        if let Ok((index, _)) = written {
            sealed.set_index(Some(Arc::new(index)));
        }
        Arc::new(sealed)
    }

    fn open_index(&self, first: Position) -> Option<IndexFile> {
        let name = index_name(first);
        IndexFile::open(&self.files, name, self.identity, first).ok()
    }

    fn report_holes(&self, live: &LiveIndex) {
        let name = segment_name(live.first);
        for hole in &live.holes {
            let (after, last) = (hole.after, hole.to);
            let (at, to) = (live.seek(after).0, live.end);
            self.findings
                .report(&*self.storage, &name, at, What::Hole { to, after, last });
        }
    }

    /// Reports positions that no segment holds.
    fn check_chain(&self, found: &[Found], sealed: &VecDeque<Arc<Sealed>>) {
        for (i, segment) in sealed.iter().enumerate() {
            let next = &found[i + 1].header;
            let linked = next.previous.is_some_and(|p| p.first == segment.first);
            if !linked {
                let name = segment_name(next.first);
                let (after, last) = (segment.last, Position(next.first.0 - 1));
                let what = What::MissingSegment { after, last };
                self.findings.report(&*self.storage, &name, 0, what);
            }
        }
    }

    /// Takes in the last segment: goes on in it if it is whole, else seals it
    /// where it is still good and begins another.
    fn active(
        &mut self,
        found: &Found,
        tail: &Tail,
        lost_to: Option<Position>,
        sealed: &mut VecDeque<Arc<Sealed>>,
    ) -> Result<Active, OpenError> {
        let header = &found.header;
        let salt = Salt::new(self.identity, header.first);
        let error = |e| self.segment_error(found, e);
        if header.version < VERSION {
            // Its records are of this version from here on, which a program
            // that finds no `store.meta` must see too. Either copy of the
            // header, old or new, is right.
            let upgraded = Header {
                version: VERSION,
                ..*header
            };
            let written = found.file.write_at(0, &upgraded.encode());
            written.map_err(error)?;
        }
        tail::settle(&*found.file, tail).map_err(error)?;
        let live = index_extent(&*found.file, salt, header.first, tail.end, tail.last);
        let mut live = live.map_err(error)?;
        live.last_tick = live.last_tick.max(least_tick(header, sealed.back()));
        self.report_holes(&live);
        let linked = match (header.previous, sealed.back()) {
            (Some(previous), Some(before)) => previous.first == before.first,
            _ => true,
        };
        let mut previous = header.previous;
        if let Some(previous) = &mut previous {
            previous.lost |= !linked;
        }
        if tail.damage.is_none() && lost_to.is_none() {
            return Ok(Active {
                file: found.file.clone(),
                capacity: header.capacity,
                previous,
                totals: totals::of_live(&live, &self.options.retention),
                index: live,
            });
        }
        self.report_tail(header.first, tail);
        let end = Previous {
            first: header.first,
            last: tail.last,
            end: tail.end,
            lost: tail.damage.is_some_and(|d| d.lost) || lost_to.is_some(),
        };
        let held = header.capacity.saturating_sub(tail.end) / record::MIN + 1;
        let beyond = Position(tail.last.0 + held);
        let lost_to = lost_to.map(|lost_to| lost_to.max(beyond));
        // The index comes last: an index says that another segment follows.
        let active = self.begin(Some(end), Some(lost_to.unwrap_or(beyond)), live.last_tick)?;
        if let Some(last) = lost_to {
            let (name, after) = (segment_name(active.index.first), tail.last);
            let what = What::MissingSegment { after, last };
            self.findings.report(&*self.storage, &name, 0, what);
        }
        if !tail.damage.is_some_and(|d| d.lost) {
            // Gives back what it won't use; costs only space if it fails.
            let _ = found.file.set_len(tail.end.next_multiple_of(4096));
        }
        let disk = found.file.size().map_err(error)?;
        sealed.push_back(self.seal(&live, disk, Before::of(previous)));
        Ok(active)
    }

    fn report_tail(&self, first: Position, tail: &Tail) {
        let Some(damage) = tail.damage else {
            return;
        };
        let name = segment_name(first);
        let (to, after) = (damage.to, tail.last);
        let what = if damage.lost {
            What::Hole {
                to,
                after,
                last: after.next(),
            }
        } else {
            What::TornTail { to }
        };
        self.findings.report(&*self.storage, &name, tail.end, what);
    }

    /// Begins a segment behind `previous` and behind the position `beyond`,
    /// at `tick` of the age clock.
    fn begin(
        &self,
        previous: Option<Previous>,
        beyond: Option<Position>,
        tick: u64,
    ) -> Result<Active, OpenError> {
        let first = beyond.unwrap_or(Position::START).next();
        let capacity = self.options.effective_segment_bytes();
        let header = Header {
            version: VERSION,
            identity: self.identity,
            first,
            capacity,
            previous,
            tick,
        };
        // A spare that is there spares space that a full disk might not have.
        let spare = self.storage.open(SPARE).and_then(|file| file.size());
        let spare = match spare {
            Ok(size) if size == capacity => Ok(()),
            _ => make_spare(&*self.storage, capacity),
        };
        let begun = spare
            .and_then(|()| begin_segment(&*self.storage, &header))
            .and_then(|file| self.storage.sync_dir().map(|()| file));
        let file = begun.map_err(|e| io_error(&*self.storage, &segment_name(first), e))?;
        Ok(Active::empty(
            file,
            &header,
            self.options.retention.classes(),
        ))
    }

    fn store(
        self,
        sealed: VecDeque<Arc<Sealed>>,
        active: Active,
        names: &[String],
        now: Timestamp,
    ) -> Result<Store, OpenError> {
        let window = self.window(&sealed, &active);
        let closed = self.closed(&sealed, &active);
        let wall = sealed
            .iter()
            .map(|s| s.max_time)
            .max()
            .unwrap_or(0)
            .max(active.index.max_time);
        let tick = sealed
            .back()
            .map_or(0, |s| s.last_tick)
            .max(active.index.last_tick);
        let wall = if wall == 0 { now.0 } else { wall };
        // Where the log was quiet, the clock went on behind the last record.
        let saved = clock::load(&*self.storage, self.identity);
        let saved = saved.filter(|saved| saved.tick >= tick);
        let start = saved.unwrap_or(Clocks { tick, wall });
        let classes = self.options.retention.classes();
        let horizons = Arc::new(Horizons(vec![Position::START; classes]));
        let retention = self.options.retention.clone();
        let spare = self.spare(names);
        let catalog = Catalog {
            sealed,
            active,
            horizons,
        };
        let shared = Shared::new(
            self.identity,
            self.storage,
            self.files,
            retention,
            catalog,
            closed,
            self.findings,
        );
        let mut store = Store {
            shared: Arc::new(shared),
            clock: AgeClock::resume(start.tick, start.wall, now.0),
            saved_tick: start.tick,
            window,
            health: Health::Healthy,
            soiled_to: None,
            spare,
            dropped: VecDeque::new(),
            ledgers: vec![Default::default(); classes],
            options: self.options,
        };
        store.move_horizons();
        store.share_filters();
        Ok(store)
    }

    fn spare(&self, names: &[String]) -> Spare {
        if !names.iter().any(|name| name == SPARE) {
            return Spare::None;
        }
        let size = self.storage.open(SPARE).and_then(|file| file.size());
        if size.is_ok_and(|size| size == self.options.effective_segment_bytes()) {
            return Spare::Ready;
        }
        let _ = self.storage.remove(SPARE);
        Spare::None
    }

    fn segment_error(&self, segment: &Found, error: io::Error) -> OpenError {
        io_error(&*self.storage, &segment_name(segment.header.first), error)
    }
}

/// What the age clock said at least when a segment ended. Its records may be
/// gone, but clocks never fall along the log.
fn least_tick(header: &Header, before: Option<&Arc<Sealed>>) -> u64 {
    before.map_or(0, |b| b.last_tick).max(header.tick)
}
