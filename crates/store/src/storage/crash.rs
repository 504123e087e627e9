//! A storage that crashes on purpose, from a seed.
//!
//! Until the crash it behaves like a file system with a page cache. At the
//! crash, of what was written and not synced every sector survives or not on
//! its own, and of the directory's unsynced changes either a prefix or any
//! selection does. Syncs can fail, which loses any part of what they should
//! have made durable although reads still show it; and the disk can be full.

use super::{Storage, StorageFile};
use crate::format::SECTOR;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Seeded random numbers (SplitMix64), so that a run can be repeated.
#[derive(Debug, Clone)]
pub struct Seeded(u64);

impl Seeded {
    /// Numbers that follow from `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which must not be 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.draw() % bound
    }
}

/// What goes wrong. Operations are those that change the disk, numbered from
/// 0: creating, writing, cutting, syncing, renaming, removing.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// The operation at which the machine stops; a write is done in part.
    pub crash_at: Option<u64>,
    /// The syncs (numbered among themselves) that fail with EIO.
    pub fail_syncs: Vec<u64>,
    /// How many bytes files may hold together; what exceeds it fails with
    /// ENOSPC after a part was written.
    pub space: Option<u64>,
}

/// The storage. Clones are the same disk.
#[derive(Debug, Clone)]
pub struct CrashStorage {
    disk: Arc<Mutex<Disk>>,
}

#[derive(Debug)]
struct Disk {
    random: Seeded,
    faults: Faults,
    operations: u64,
    syncs: u64,
    crashed: bool,
    files: Vec<Inode>,
    /// What a reader of the directory sees, and what is durable of it.
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    pending_names: Vec<NameChange>,
}

#[derive(Debug, Clone, Default)]
struct Inode {
    seen: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Debug, Clone)]
enum Change {
    Write(u64, Vec<u8>),
    SetLen(u64),
}

#[derive(Debug, Clone)]
enum NameChange {
    Link(String, usize),
    Rename(String, String),
    Remove(String),
}

#[derive(Debug)]
struct CrashFile {
    disk: Arc<Mutex<Disk>>,
    inode: usize,
}

impl CrashStorage {
    /// An empty disk.
    pub fn new(seed: u64, faults: Faults) -> Self {
        let disk = Disk {
            random: Seeded::new(seed),
            faults,
            operations: 0,
            syncs: 0,
            crashed: false,
            files: Vec::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            pending_names: Vec::new(),
        };
        Self {
            disk: Arc::new(Mutex::new(disk)),
        }
    }

    /// How many operations there were.
    pub fn operations(&self) -> u64 {
        lock(&self.disk).operations
    }

    /// How many syncs there were.
    pub fn syncs(&self) -> u64 {
        lock(&self.disk).syncs
    }

    /// Whether the machine has stopped; every operation then fails.
    pub fn has_crashed(&self) -> bool {
        lock(&self.disk).crashed
    }

    /// Changes what goes wrong from here on; operations keep their numbers.
    pub fn set_faults(&self, faults: Faults) {
        lock(&self.disk).faults = faults;
    }

    /// Another disk that holds what survives of this one if the power fails
    /// now.
    pub fn reboot(&self, seed: u64, faults: Faults) -> Self {
        let old = lock(&self.disk);
        let new = Self::new(seed, faults);
        let mut random = Seeded::new(seed ^ 0x5eed);
        {
            let mut disk = lock(&new.disk);
            disk.names = old.surviving_names(&mut random);
            disk.durable_names = disk.names.clone();
            let surviving = old.files.iter().map(|file| file.surviving(&mut random));
            disk.files = surviving.collect();
        }
        new
    }

    /// Another disk that holds what a process finds that is started after
    /// this one was killed: all of it, the unsynced still unsynced.
    pub fn restart(&self, seed: u64, faults: Faults) -> Self {
        let old = lock(&self.disk);
        let new = Self::new(seed, faults);
        {
            let mut disk = lock(&new.disk);
            disk.names.clone_from(&old.names);
            disk.durable_names.clone_from(&old.durable_names);
            disk.pending_names.clone_from(&old.pending_names);
            disk.files.clone_from(&old.files);
        }
        new
    }
}

fn lock(disk: &Mutex<Disk>) -> MutexGuard<'_, Disk> {
    disk.lock().unwrap_or_else(PoisonError::into_inner)
}

fn crashed() -> io::Error {
    io::Error::other("the machine has stopped")
}

impl Disk {
    fn alive(&self) -> io::Result<()> {
        if self.crashed { Err(crashed()) } else { Ok(()) }
    }

    /// Counts an operation; whether it is the one during which the machine
    /// stops.
    fn operation(&mut self) -> io::Result<bool> {
        self.alive()?;
        let last = self.faults.crash_at == Some(self.operations);
        self.operations += 1;
        self.crashed |= last;
        Ok(last)
    }

    fn change_names(&mut self, change: NameChange) -> io::Result<()> {
        // At the crash, the change may have reached the journal or not.
        let stops = self.operation()?;
        if apply(&mut self.names, &change) {
            self.pending_names.push(change);
        } else {
            return Err(io::ErrorKind::NotFound.into());
        }
        if stops { Err(crashed()) } else { Ok(()) }
    }

    fn surviving_names(&self, random: &mut Seeded) -> BTreeMap<String, usize> {
        let mut names = self.durable_names.clone();
        let in_order = random.below(2) == 0;
        let kept = random.below(self.pending_names.len() as u64 + 1) as usize;
        for (n, change) in self.pending_names.iter().enumerate() {
            let survives = if in_order {
                n < kept
            } else {
                random.below(2) == 0
            };
            if survives {
                apply(&mut names, change);
            }
        }
        names
    }

    fn used(&self) -> u64 {
        self.names
            .values()
            .map(|inode| self.files[*inode].seen.len() as u64)
            .sum()
    }
}

fn apply(names: &mut BTreeMap<String, usize>, change: &NameChange) -> bool {
    match change {
        NameChange::Link(name, inode) => {
            names.insert(name.clone(), *inode);
            true
        }
        NameChange::Rename(from, to) => match names.remove(from) {
            Some(inode) => {
                names.insert(to.clone(), inode);
                true
            }
            None => false,
        },
        NameChange::Remove(name) => names.remove(name).is_some(),
    }
}

fn put(bytes: &mut Vec<u8>, at: u64, data: &[u8]) {
    let end = at as usize + data.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[at as usize..end].copy_from_slice(data);
}

/// The parts of a write that lie in different sectors.
fn sectors(at: u64, data: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    let (mut at, mut rest) = (at, data);
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let n = ((SECTOR - at % SECTOR) as usize).min(rest.len());
        let (part, left) = rest.split_at(n);
        let found = (at, part);
        at += n as u64;
        rest = left;
        Some(found)
    })
}

impl Inode {
    fn change(&mut self, change: Change) {
        match &change {
            Change::Write(at, data) => put(&mut self.seen, *at, data),
            Change::SetLen(len) => self.seen.resize(*len as usize, 0),
        }
        self.pending.push(change);
    }

    /// What of the unsynced changes reaches the disk, sector by sector.
    fn persist_some(&mut self, random: &mut Seeded) {
        // All, none, and anything in between are each worth seeing often.
        let odds = [0, 1, 2, 3, 4][random.below(5) as usize];
        for change in std::mem::take(&mut self.pending) {
            match change {
                Change::Write(at, data) => {
                    for (at, part) in sectors(at, &data) {
                        if random.below(4) < odds {
                            put(&mut self.durable, at, part);
                        }
                    }
                }
                Change::SetLen(len) if random.below(4) < odds => {
                    self.durable.resize(len as usize, 0);
                }
                Change::SetLen(_) => {}
            }
        }
    }

    fn persist(&mut self) {
        for change in std::mem::take(&mut self.pending) {
            match change {
                Change::Write(at, data) => put(&mut self.durable, at, &data),
                Change::SetLen(len) => self.durable.resize(len as usize, 0),
            }
        }
    }

    fn surviving(&self, random: &mut Seeded) -> Self {
        let mut file = self.clone();
        file.persist_some(random);
        file.seen.clone_from(&file.durable);
        file
    }
}

impl Storage for CrashStorage {
    fn list(&self) -> io::Result<Vec<String>> {
        let disk = lock(&self.disk);
        disk.alive()?;
        Ok(disk.names.keys().cloned().collect())
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        let disk = lock(&self.disk);
        disk.alive()?;
        let inode = *disk.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(Arc::new(CrashFile {
            disk: self.disk.clone(),
            inode,
        }))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        let mut disk = lock(&self.disk);
        // Like O_CREAT with O_TRUNC: a file that is there is cut, under
        // whichever names it may turn out to have after a crash.
        if let Some(&inode) = disk.names.get(name) {
            let stops = disk.operation()?;
            disk.files[inode].change(Change::SetLen(0));
            let disk = self.disk.clone();
            let file: Arc<dyn StorageFile> = Arc::new(CrashFile { disk, inode });
            return if stops { Err(crashed()) } else { Ok(file) };
        }
        let inode = disk.files.len();
        disk.files.push(Inode::default());
        disk.change_names(NameChange::Link(name.into(), inode))?;
        Ok(Arc::new(CrashFile {
            disk: self.disk.clone(),
            inode,
        }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        lock(&self.disk).change_names(NameChange::Rename(from.into(), to.into()))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        lock(&self.disk).change_names(NameChange::Remove(name.into()))
    }

    fn sync_dir(&self) -> io::Result<()> {
        let mut disk = lock(&self.disk);
        if disk.operation()? {
            return Err(crashed());
        }
        let sync = disk.syncs;
        disk.syncs += 1;
        if disk.faults.fail_syncs.contains(&sync) {
            return Err(io::Error::other("EIO"));
        }
        disk.durable_names = disk.names.clone();
        disk.pending_names.clear();
        Ok(())
    }

    fn path(&self, name: &str) -> String {
        name.into()
    }
}

impl StorageFile for CrashFile {
    fn size(&self) -> io::Result<u64> {
        let disk = lock(&self.disk);
        disk.alive()?;
        Ok(disk.files[self.inode].seen.len() as u64)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut disk = lock(&self.disk);
        let stops = disk.operation()?;
        disk.files[self.inode].change(Change::SetLen(len));
        if stops { Err(crashed()) } else { Ok(()) }
    }

    fn read_at(&self, at: u64, buf: &mut [u8]) -> io::Result<usize> {
        let disk = lock(&self.disk);
        disk.alive()?;
        let seen = disk.files[self.inode]
            .seen
            .get(at as usize..)
            .unwrap_or_default();
        let n = seen.len().min(buf.len());
        buf[..n].copy_from_slice(&seen[..n]);
        Ok(n)
    }

    fn write_at(&self, at: u64, data: &[u8]) -> io::Result<()> {
        let mut disk = lock(&self.disk);
        let stops = disk.operation()?;
        if stops {
            let part = disk.random.below(data.len() as u64 + 1) as usize;
            disk.files[self.inode].change(Change::Write(at, data[..part].to_vec()));
            return Err(crashed());
        }
        let grows =
            (at + data.len() as u64).saturating_sub(disk.files[self.inode].seen.len() as u64);
        let full = disk
            .faults
            .space
            .is_some_and(|space| grows > 0 && disk.used() + grows > space);
        if full {
            let part = disk.random.below(data.len() as u64) as usize;
            disk.files[self.inode].change(Change::Write(at, data[..part].to_vec()));
            return Err(io::ErrorKind::StorageFull.into());
        }
        disk.files[self.inode].change(Change::Write(at, data.to_vec()));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut disk = lock(&self.disk);
        if disk.operation()? {
            return Err(crashed());
        }
        let sync = disk.syncs;
        disk.syncs += 1;
        let mut random = disk.random.clone();
        let fails = disk.faults.fail_syncs.contains(&sync);
        let file = &mut disk.files[self.inode];
        if fails {
            // The pages are clean now and still shown; the next sync doesn't
            // write them.
            file.persist_some(&mut random);
            disk.random = random;
            return Err(io::Error::other("EIO"));
        }
        file.persist();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_synced_survives_and_the_rest_may_not() {
        let (mut lost, mut kept) = (0, 0);
        for seed in 0..50 {
            let disk = CrashStorage::new(seed, Faults::default());
            let file = disk.create("a").unwrap();
            file.write_at(0, b"synced").unwrap();
            file.sync_data().unwrap();
            disk.sync_dir().unwrap();
            file.write_at(600, b"unsynced").unwrap();
            let file = disk.reboot(seed, Faults::default()).open("a").unwrap();
            let mut buf = [0; 608];
            let n = file.read_at(0, &mut buf).unwrap();
            assert_eq!(&buf[..6], b"synced");
            if n == 608 && &buf[600..] == b"unsynced" {
                kept += 1
            } else {
                lost += 1
            }
        }
        assert!(lost > 5 && kept > 5, "{lost} {kept}");
    }

    #[test]
    fn f11_an_unsynced_rename_gives_the_old_name_or_the_new() {
        let mut names = std::collections::BTreeSet::new();
        for seed in 0..50 {
            let disk = CrashStorage::new(seed, Faults::default());
            disk.create("old").unwrap();
            disk.sync_dir().unwrap();
            disk.rename("old", "new").unwrap();
            names.insert(disk.reboot(seed, Faults::default()).list().unwrap());
        }
        assert_eq!(names.len(), 2, "{names:?}");
    }

    #[test]
    fn the_chosen_operation_is_the_last() {
        let disk = CrashStorage::new(
            1,
            Faults {
                crash_at: Some(2),
                ..Faults::default()
            },
        );
        let file = disk.create("a").unwrap();
        file.write_at(0, b"1").unwrap();
        assert!(file.sync_data().is_err());
        assert!(disk.has_crashed() && file.write_at(0, b"2").is_err());
    }
}
