//! A directory that lives in memory and dies with its process.

use super::{Storage, StorageFile};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// Files in memory: for a hub that keeps no history across restarts, and for
/// tests.
#[derive(Debug, Default)]
pub struct MemoryStorage {
    files: Mutex<BTreeMap<String, Arc<MemoryFile>>>,
}

/// Zeros at the end are not kept, so that a pre-zeroed segment costs nothing.
#[derive(Debug, Default)]
struct MemoryFile(RwLock<Content>);

#[derive(Debug, Default)]
struct Content {
    data: Vec<u8>,
    len: u64,
}

impl MemoryStorage {
    /// An empty directory.
    pub fn new() -> Self {
        Self::default()
    }

    fn with<T>(&self, f: impl FnOnce(&mut BTreeMap<String, Arc<MemoryFile>>) -> T) -> T {
        f(&mut self.files.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Storage for MemoryStorage {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.with(|files| files.keys().cloned().collect()))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        let file = self.with(|files| files.get(name).cloned());
        Ok(file.ok_or(io::ErrorKind::NotFound)?)
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        let file = Arc::new(MemoryFile::default());
        self.with(|files| files.insert(name.into(), file.clone()));
        Ok(file)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.with(|files| {
            let file = files.remove(from).ok_or(io::ErrorKind::NotFound)?;
            files.insert(to.into(), file);
            Ok(())
        })
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.with(|files| files.remove(name))
            .ok_or(io::ErrorKind::NotFound)?;
        Ok(())
    }

    fn sync_dir(&self) -> io::Result<()> {
        Ok(())
    }

    fn path(&self, name: &str) -> String {
        format!("{name} (in memory)")
    }
}

impl StorageFile for MemoryFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.0.read().unwrap_or_else(PoisonError::into_inner).len)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut content = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if (len as usize) < content.data.len() {
            content.data.truncate(len as usize);
        }
        content.len = len;
        Ok(())
    }

    fn read_at(&self, at: u64, buf: &mut [u8]) -> io::Result<usize> {
        let content = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let n = content.len.saturating_sub(at).min(buf.len() as u64) as usize;
        let stored = content.data.get(at as usize..).unwrap_or_default();
        let copied = stored.len().min(n);
        buf[..copied].copy_from_slice(&stored[..copied]);
        buf[copied..n].fill(0);
        Ok(n)
    }

    fn write_at(&self, at: u64, data: &[u8]) -> io::Result<()> {
        let mut content = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let end = at as usize + data.len();
        if content.data.len() < end {
            content.data.resize(end, 0);
        }
        content.data[at as usize..end].copy_from_slice(data);
        content.len = content.len.max(end as u64);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn zero(&self, from: u64, to: u64) -> io::Result<()> {
        let mut content = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let kept = content.data.len() as u64;
        if to >= kept {
            content.data.truncate(from as usize);
        } else if from < kept {
            content.data[from as usize..to as usize].fill(0);
        }
        content.len = content.len.max(to);
        Ok(())
    }
}
