//! Beginning segments and sealing them.

use crate::catalog::{Active, Sealed};
use crate::error::What;
use crate::files::Files;
use crate::format::record::Record;
use crate::format::segment::{Header, Previous};
use crate::format::{
    DATA_START, Identity, SPARE, SPARE_UNFINISHED, Salt, VERSION, index_name, segment_name,
};
use crate::index::{self, IndexFile, LiveIndex};
use crate::scan::{Extent, Scan, Step};
use crate::spare::create_unfinished;
use crate::storage::{Storage, StorageFile};
use crate::store::{Health, Store};
use std::io;
use std::sync::Arc;
use tidings_engine::Position;

/// Makes a file of `capacity` zeros under the name of the spare.
pub(crate) fn make_spare(storage: &dyn Storage, capacity: u64) -> io::Result<()> {
    let made = (|| {
        let file = create_unfinished(storage)?;
        file.zero(0, capacity)?;
        file.sync_data()?;
        storage.rename(SPARE_UNFINISHED, SPARE)
    })();
    if made.is_err() {
        // Gives back what was taken of a disk that is full.
        let _ = storage.remove(SPARE_UNFINISHED);
    }
    made
}

/// Turns the spare into the segment that `header` describes: durable and
/// empty once the directory is synced too.
pub(crate) fn begin_segment(
    storage: &dyn Storage,
    header: &Header,
) -> io::Result<Arc<dyn StorageFile>> {
    let file = storage.open(SPARE)?;
    file.write_at(0, &header.encode())?;
    file.sync_data()?;
    storage.rename(SPARE, &segment_name(header.first))?;
    Ok(file)
}

/// Writes the index file of a segment and opens it. It counts only once it
/// is complete; until then, and after a crash, it is made anew.
pub(crate) fn write_index(
    storage: &dyn Storage,
    files: &Arc<Files>,
    identity: Identity,
    live: &LiveIndex,
) -> io::Result<(IndexFile, u64)> {
    let name = index_name(live.first);
    let unfinished = format!("{name}.tmp");
    let bytes = index::encode(identity.log, live);
    let made = (|| {
        let file = storage.create(&unfinished)?;
        file.write_at(0, &bytes)?;
        file.sync_data()?;
        storage.rename(&unfinished, &name)
    })();
    files.forget(&name);
    if let Err(error) = made {
        let _ = storage.remove(&unfinished);
        return Err(error);
    }
    let index = IndexFile::open(files, name, identity, live.first)?;
    Ok((index, bytes.len() as u64))
}

/// Makes the index of a segment from its records, which end at byte `end`
/// and position `last`.
pub(crate) fn index_extent(
    file: &dyn StorageFile,
    salt: Salt,
    first: Position,
    end: u64,
    last: Position,
) -> io::Result<LiveIndex> {
    let mut live = LiveIndex::new(salt, first, 0);
    let extent = Extent {
        salt,
        end,
        sealed: true,
    };
    let mut scan = Scan::whole(file, extent, first);
    loop {
        match scan.step()? {
            Step::Record { at, head } => {
                let record = scan.view(at, &head);
                let published = record.as_ref().and_then(Record::publication);
                match (record, published) {
                    (Some(record), Some(publication)) => {
                        live.add(&record, publication.as_published().topics(), at);
                    }
                    _ => live.add_hole(head.position, at + head.len),
                }
            }
            Step::Damage(damage) => {
                let to = damage.next.map_or(last, |next| Position(next.0 - 1));
                live.add_hole(to, damage.to);
            }
            Step::End { .. } => break,
        }
    }
    if live.last < last {
        live.add_hole(last, end);
    }
    live.end = end;
    Ok(live)
}

/// Cuts a sealed segment that was left early where its records end: it is to
/// count for what it holds. The length of the file.
fn trim(file: &dyn StorageFile, end: u64, capacity: u64) -> u64 {
    let len = end.next_multiple_of(4096);
    if len <= capacity / 2 && file.set_len(len).is_ok() {
        return len;
    }
    capacity
}

impl Store {
    /// Begins the next segment, with room for `bytes` of records.
    pub(crate) fn roll(&mut self, bytes: u64) -> io::Result<()> {
        let standard = self.options.effective_segment_bytes();
        let needed = (DATA_START + bytes).next_multiple_of(4096);
        let storage = self.shared.storage.clone();
        let capacity = standard.max(needed);
        if !self.spare.take_ready() || capacity > standard {
            make_spare(&*storage, capacity)?;
        }
        let header = self.next_header(capacity);
        let file = begin_segment(&*storage, &header).inspect_err(|_| {
            // It may hold a header now; the next one is made from scratch.
            let _ = storage.remove(SPARE);
        })?;
        if let Err(error) = storage.sync_dir() {
            // Under which name the file survives is not known, so nothing
            // may be written into it.
            self.health = Health::Failed(format!("sync of the directory: {error}"));
            return Err(error);
        }
        self.soiled_to = None;
        let classes = self.shared.retention.classes();
        self.replace_active(Active::empty(file, &header, classes));
        Ok(())
    }

    fn next_header(&self, capacity: u64) -> Header {
        let catalog = self.shared.catalog();
        let active = &catalog.active;
        // An empty segment is replaced, not sealed: its first position is
        // still to be given, and files are named after it.
        let previous = if active.is_empty() {
            active.previous
        } else {
            Some(Previous {
                first: active.index.first,
                last: active.index.last,
                end: active.index.end,
                lost: false,
            })
        };
        Header {
            version: VERSION,
            identity: self.shared.identity,
            first: active.index.last.next(),
            capacity,
            previous,
            tick: self.clock.tick().max(active.index.last_tick),
        }
    }

    fn replace_active(&mut self, next: Active) {
        let mut catalog = self.shared.catalog_mut();
        let old = std::mem::replace(&mut catalog.active, next);
        if old.is_empty() {
            return;
        }
        let disk = trim(&*old.file, old.index.end, old.capacity);
        let before = old.before();
        let sealed = Arc::new(Sealed::new(&old.index, disk, before, old.totals));
        catalog.sealed.push_back(sealed.clone());
        drop(catalog);
        // A failure costs speed only, and is made good by maintenance.
        let _ = self.index_sealed(&sealed, &old.index);
    }

    /// Gives a sealed segment its index file.
    fn index_sealed(&self, sealed: &Sealed, live: &LiveIndex) -> io::Result<()> {
        let shared = &self.shared;
        let files = &shared.files;
        let (index, _) = write_index(&*shared.storage, files, shared.identity, live)?;
        sealed.set_index(Some(Arc::new(index)));
        self.share_filters();
        Ok(())
    }

    /// Gives the memory for filters to the newest segments: most repetitions
    /// are of late, and most ids that are looked for.
    pub(crate) fn share_filters(&self) {
        let catalog = self.shared.catalog();
        let newest_first = catalog.sealed.iter().rev();
        let indexes: Vec<_> = newest_first.filter_map(|s| s.index()).collect();
        drop(catalog);
        let mut left = self.options.filter_bytes;
        for index in indexes {
            // Where one finds no room, no older one does.
            let fits = index.filter_bytes() <= left;
            left = if fits { left - index.filter_bytes() } else { 0 };
            // Damage is found when the filter is asked for an id.
            let _ = index.hold_filter(fits);
        }
    }

    /// Makes the index of the oldest segment anew that has none and isn't to
    /// be left alone for now. A failure costs speed only.
    pub(crate) fn rebuild_an_index(&self) {
        let tick = self.clock.tick();
        let catalog = self.shared.catalog();
        let due = |s: &&Arc<Sealed>| s.index().is_none() && s.rebuild().is_due(tick);
        let sealed = catalog.sealed.iter().find(due).cloned();
        drop(catalog);
        if let Some(sealed) = sealed
            && self.rebuild_index(&sealed).is_err()
        {
            sealed.rebuild().failed(tick);
        }
    }

    fn rebuild_index(&self, sealed: &Sealed) -> io::Result<()> {
        let shared = &self.shared;
        let file = shared.segment_file(sealed.first)?;
        let live = index_extent(&*file, sealed.salt, sealed.first, sealed.end, sealed.last)?;
        self.index_sealed(sealed, &live)?;
        let name = index_name(sealed.first);
        let findings = &shared.findings;
        findings.report(&*shared.storage, &name, 0, What::IndexRebuilt);
        Ok(())
    }
}
