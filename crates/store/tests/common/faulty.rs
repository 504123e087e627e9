//! A storage in memory that refuses what it is told to.

use std::io;
use std::sync::{Arc, Mutex};
use tidings_store::{MemoryStorage, Storage, StorageFile};

/// What is refused, with an error number of the system.
#[derive(Debug, Default, Clone)]
pub struct Refusals {
    /// Creating files whose name contains this.
    pub create: Option<(&'static str, i32)>,
    /// Opening files whose name contains this.
    pub open: Option<(&'static str, i32)>,
    /// Opening anything for writing, once it is there.
    pub open_to_write: Option<i32>,
    /// Reading the sector that begins at this byte of this file.
    pub sector: Option<(String, u64, i32)>,
}

/// No space left.
pub const ENOSPC: i32 = 28;
/// Too many open files.
pub const EMFILE: i32 = 24;
/// Read-only file system.
pub const EROFS: i32 = 30;
/// The medium failed.
pub const EIO: i32 = 5;

#[derive(Default)]
pub struct Faulty {
    inner: MemoryStorage,
    refused: Arc<Mutex<Refusals>>,
    created: Mutex<Vec<String>>,
}

struct FaultyFile {
    inner: Arc<dyn StorageFile>,
    name: String,
    refused: Arc<Mutex<Refusals>>,
}

impl Faulty {
    pub fn refuse(&self, what: Refusals) {
        *self.refused.lock().unwrap() = what;
    }

    /// How often a file whose name contains `part` was to be created.
    pub fn creations(&self, part: &str) -> usize {
        let created = self.created.lock().unwrap();
        created.iter().filter(|name| name.contains(part)).count()
    }

    fn refused(&self) -> Refusals {
        self.refused.lock().unwrap().clone()
    }

    fn file(&self, name: &str, inner: Arc<dyn StorageFile>) -> Arc<dyn StorageFile> {
        Arc::new(FaultyFile {
            inner,
            name: name.into(),
            refused: self.refused.clone(),
        })
    }
}

fn unless(refused: Option<(&'static str, i32)>, name: &str) -> io::Result<()> {
    match refused {
        Some((part, error)) if name.contains(part) => Err(io::Error::from_raw_os_error(error)),
        _ => Ok(()),
    }
}

impl Storage for Faulty {
    fn list(&self) -> io::Result<Vec<String>> {
        self.inner.list()
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        unless(self.refused().open, name)?;
        unless(self.refused().open_to_write.map(|error| ("", error)), name)?;
        Ok(self.file(name, self.inner.open(name)?))
    }

    fn open_to_read(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        unless(self.refused().open, name)?;
        Ok(self.file(name, self.inner.open_to_read(name)?))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        self.created.lock().unwrap().push(name.into());
        unless(self.refused().create, name)?;
        Ok(self.file(name, self.inner.create(name)?))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.inner.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.inner.remove(name)
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.inner.sync_dir()
    }

    fn path(&self, name: &str) -> String {
        name.into()
    }
}

impl StorageFile for FaultyFile {
    fn size(&self) -> io::Result<u64> {
        self.inner.size()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.inner.set_len(len)
    }

    fn read_at(&self, at: u64, buf: &mut [u8]) -> io::Result<usize> {
        if let Some((name, sector, error)) = &self.refused.lock().unwrap().sector
            && *name == self.name
            && at < sector + 512
            && at + buf.len() as u64 > *sector
        {
            return Err(io::Error::from_raw_os_error(*error));
        }
        self.inner.read_at(at, buf)
    }

    fn write_at(&self, at: u64, data: &[u8]) -> io::Result<()> {
        self.inner.write_at(at, data)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.inner.sync_data()
    }
}
