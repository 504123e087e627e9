//! A bounded number of files open for reading, however many segments there
//! are.

use crate::storage::{Storage, StorageFile};
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Opens files of a storage and keeps the last used ones open.
pub(crate) struct Files {
    storage: Arc<dyn Storage>,
    held: Mutex<VecDeque<(String, Arc<dyn StorageFile>)>>,
}

impl Files {
    const HELD: usize = 64;

    pub fn new(storage: Arc<dyn Storage>) -> Self {
        Self {
            storage,
            held: Mutex::default(),
        }
    }

    pub fn open(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        let mut held = self.held();
        if let Some(at) = held.iter().position(|(n, _)| n == name)
            && let Some(found) = held.remove(at)
        {
            let file = found.1.clone();
            held.push_back(found);
            return Ok(file);
        }
        let file = self.storage.open_to_read(name)?;
        if held.len() == Self::HELD {
            held.pop_front();
        }
        held.push_back((name.to_owned(), file.clone()));
        Ok(file)
    }

    /// Forgets a file that was removed, renamed or replaced.
    pub fn forget(&self, name: &str) {
        self.held().retain(|(n, _)| n != name);
    }

    fn held(&self) -> MutexGuard<'_, VecDeque<(String, Arc<dyn StorageFile>)>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Files {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Files").finish_non_exhaustive()
    }
}
