//! A real directory.

use super::{Storage, StorageFile};
use rustix::fs::{FlockOperation, OFlags};
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The file that a process holds locked while it uses the directory. It
/// holds the process's id, for people.
const LOCK: &str = "lock";

/// A directory of the file system, locked against other processes for as
/// long as this value lives (also when its process is killed: the kernel
/// releases the lock).
#[derive(Debug)]
pub struct DirStorage {
    root: PathBuf,
    _lock: File,
}

impl DirStorage {
    /// Creates the directory if it is missing, and locks it.
    ///
    /// # Errors
    /// The text names the path, and for [`io::ErrorKind::WouldBlock`] the
    /// process that has the directory open.
    pub fn open(root: impl Into<PathBuf>) -> io::Result<Self> {
        let root = root.into();
        fs::create_dir_all(&root).map_err(|e| named(&root, "can't be used as a directory", e))?;
        let path = root.join(LOCK);
        // The store never waits on a pipe that somebody put in the file's place.
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .custom_flags(guard_flags())
            .open(&path)
            .map_err(|e| named(&path, "can't be opened", e))?;
        require_regular(&lock, &path)?;
        if let Err(error) = rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            let error = io::Error::from(error);
            if error.kind() != io::ErrorKind::WouldBlock {
                return Err(named(&path, "can't be locked", error));
            }
            return Err(io::Error::new(
                error.kind(),
                format!("{} is in use by {}", root.display(), holder(&mut lock)),
            ));
        }
        lock.set_len(0)?;
        lock.write_all(format!("{}\n", std::process::id()).as_bytes())
            .map_err(|e| named(&path, "can't be written", e))?;
        Ok(Self { root, _lock: lock })
    }

    fn file(&self, options: &OpenOptions, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        let path = self.root.join(name);
        let file = options
            .clone()
            .custom_flags(guard_flags())
            .open(&path)
            .map_err(|e| named(&path, "can't be opened", e))?;
        require_regular(&file, &path)?;
        Ok(Arc::new(file))
    }
}

fn guard_flags() -> i32 {
    (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC).bits() as i32
}

fn require_regular(file: &File, path: &Path) -> io::Result<()> {
    if file.metadata()?.is_file() {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("{} is not a regular file", path.display()),
    ))
}

fn named(path: &Path, what: &str, error: io::Error) -> io::Error {
    let text = format!("{} {what}: {error}", path.display());
    io::Error::new(error.kind(), Named { text, error })
}

/// An error with the path in its text. The number of the system stays known.
#[derive(Debug)]
struct Named {
    text: String,
    error: io::Error,
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Named {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

fn holder(lock: &mut File) -> String {
    let mut text = String::new();
    let read = lock
        .rewind()
        .and_then(|()| lock.take(20).read_to_string(&mut text));
    match text.trim().parse::<u32>() {
        Ok(pid) if read.is_ok() => format!("process {pid}"),
        _ => "another process".into(),
    }
}

impl Storage for DirStorage {
    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.root).map_err(|e| named(&self.root, "can't be read", e))? {
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        self.file(OpenOptions::new().read(true).write(true), name)
    }

    fn open_to_read(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        self.file(OpenOptions::new().read(true), name)
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true);
        self.file(&options, name)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let path = self.root.join(from);
        fs::rename(&path, self.root.join(to)).map_err(|e| named(&path, "can't be renamed", e))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let path = self.root.join(name);
        fs::remove_file(&path).map_err(|e| named(&path, "can't be removed", e))
    }

    fn sync_dir(&self) -> io::Result<()> {
        File::open(&self.root)
            .and_then(|dir| dir.sync_all())
            .map_err(|e| named(&self.root, "can't be synced", e))
    }

    fn path(&self, name: &str) -> String {
        self.root.join(name).display().to_string()
    }
}

impl StorageFile for File {
    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        Self::set_len(self, len)
    }

    fn read_at(&self, at: u64, buf: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        while done < buf.len() {
            match FileExt::read_at(self, &mut buf[done..], at + done as u64) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(done)
    }

    fn write_at(&self, at: u64, data: &[u8]) -> io::Result<()> {
        // Continues after short writes and EINTR.
        FileExt::write_all_at(self, data, at)
    }

    fn sync_data(&self) -> io::Result<()> {
        Self::sync_data(self)
    }
}
