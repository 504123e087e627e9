//! A storage in memory that asks a test before it does anything.
#![allow(dead_code)]

use std::io;
use std::ops::Deref;
use std::sync::{Arc, Mutex};
use tidings_store::{MemoryStorage, Storage, StorageFile};

/// What is about to be done with a file.
pub enum Ask<'a> {
    Open,
    OpenToRead,
    Create,
    /// Of this name, to another.
    Rename,
    Remove,
    Read {
        at: u64,
        len: usize,
    },
    Write {
        file: &'a dyn StorageFile,
        at: u64,
        data: &'a [u8],
    },
}

/// Looks on, and may refuse.
pub trait Watch: Default + Send + Sync + 'static {
    fn ask(&self, name: &str, what: &Ask<'_>) -> io::Result<()>;
}

/// It is what watches it too, for the test that holds it.
#[derive(Default)]
pub struct Watched<W> {
    inner: MemoryStorage,
    watch: Arc<W>,
}

struct WatchedFile<W> {
    inner: Arc<dyn StorageFile>,
    name: String,
    watch: Arc<W>,
}

impl<W> Deref for Watched<W> {
    type Target = W;

    fn deref(&self) -> &W {
        &self.watch
    }
}

impl<W: Watch> Watched<W> {
    fn file(&self, name: &str, inner: Arc<dyn StorageFile>) -> Arc<dyn StorageFile> {
        Arc::new(WatchedFile {
            inner,
            name: name.into(),
            watch: self.watch.clone(),
        })
    }
}

impl<W: Watch> Storage for Watched<W> {
    fn list(&self) -> io::Result<Vec<String>> {
        self.inner.list()
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        self.watch.ask(name, &Ask::Open)?;
        Ok(self.file(name, self.inner.open(name)?))
    }

    fn open_to_read(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        self.watch.ask(name, &Ask::OpenToRead)?;
        Ok(self.file(name, self.inner.open_to_read(name)?))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        self.watch.ask(name, &Ask::Create)?;
        Ok(self.file(name, self.inner.create(name)?))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.watch.ask(from, &Ask::Rename)?;
        self.inner.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.watch.ask(name, &Ask::Remove)?;
        self.inner.remove(name)
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.inner.sync_dir()
    }

    fn path(&self, name: &str) -> String {
        name.into()
    }
}

impl<W: Watch> StorageFile for WatchedFile<W> {
    fn size(&self) -> io::Result<u64> {
        self.inner.size()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.inner.set_len(len)
    }

    fn read_at(&self, at: u64, buf: &mut [u8]) -> io::Result<usize> {
        let len = buf.len();
        self.watch.ask(&self.name, &Ask::Read { at, len })?;
        self.inner.read_at(at, buf)
    }

    fn write_at(&self, at: u64, data: &[u8]) -> io::Result<()> {
        let file = &*self.inner;
        self.watch.ask(&self.name, &Ask::Write { file, at, data })?;
        self.inner.write_at(at, data)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.inner.sync_data()
    }
}

/// A storage that refuses what it is told to.
pub type Faulty = Watched<Refusing>;

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
    /// Renaming and removing anything.
    pub rename_and_remove: Option<i32>,
}

/// Not permitted.
pub const EPERM: i32 = 1;
/// The medium failed.
pub const EIO: i32 = 5;
/// Too many open files.
pub const EMFILE: i32 = 24;
/// No space left.
pub const ENOSPC: i32 = 28;
/// Read-only file system.
pub const EROFS: i32 = 30;

#[derive(Default)]
pub struct Refusing {
    refused: Mutex<Refusals>,
    created: Mutex<Vec<String>>,
}

impl Refusing {
    pub fn refuse(&self, what: Refusals) {
        *self.refused.lock().unwrap() = what;
    }

    /// How often a file whose name contains `part` was to be created.
    pub fn creations(&self, part: &str) -> usize {
        let created = self.created.lock().unwrap();
        created.iter().filter(|name| name.contains(part)).count()
    }
}

impl Watch for Refusing {
    fn ask(&self, name: &str, what: &Ask<'_>) -> io::Result<()> {
        let refused = self.refused.lock().unwrap();
        let named = |refused: Option<(&str, i32)>| match refused {
            Some((part, error)) if name.contains(part) => Some(error),
            _ => None,
        };
        let error = match what {
            Ask::Create => {
                self.created.lock().unwrap().push(name.into());
                named(refused.create)
            }
            Ask::Open => named(refused.open).or(refused.open_to_write),
            Ask::OpenToRead => named(refused.open),
            Ask::Rename | Ask::Remove => refused.rename_and_remove,
            Ask::Read { at, len } => refused.sector.as_ref().and_then(|(file, sector, error)| {
                let is_in = *at < sector + 512 && at + *len as u64 > *sector;
                (file == name && is_in).then_some(*error)
            }),
            Ask::Write { .. } => None,
        };
        error.map_or(Ok(()), |error| Err(io::Error::from_raw_os_error(error)))
    }
}
