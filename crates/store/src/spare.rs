//! The next segment, made ready ahead of time and in small steps.

use crate::format::{SPARE, SPARE_UNFINISHED};
use crate::storage::{Storage, StorageFile};
use std::io;
use std::sync::Arc;

/// How far the spare segment is.
pub(crate) enum Spare {
    /// There is none.
    None,
    /// It holds zeros up to a byte.
    Filling { file: Arc<dyn StorageFile>, at: u64 },
    /// It is full of zeros, and they are durable.
    Ready,
}

impl Spare {
    /// How much is written in one step, in bytes.
    const STEP: u64 = 1 << 20;

    /// Whether it is ready; it is then taken.
    pub fn take_ready(&mut self) -> bool {
        let ready = matches!(self, Self::Ready);
        *self = Self::None;
        ready
    }

    /// Whether a dropped segment could become the spare.
    pub fn is_wanted(&self) -> bool {
        matches!(self, Self::None)
    }

    /// Takes the file that stands under the unfinished name: a dropped
    /// segment. Its renaming must be durable, or after a crash a segment
    /// could be back and full of zeros.
    pub fn recycle(&mut self, storage: &dyn Storage, capacity: u64) -> io::Result<()> {
        let file = storage.open(SPARE_UNFINISHED)?;
        file.set_len(capacity)?;
        *self = Self::Filling { file, at: 0 };
        Ok(())
    }

    /// Goes on making a spare of `capacity` bytes; whether there is more to do.
    pub fn step(&mut self, storage: &dyn Storage, capacity: u64) -> io::Result<bool> {
        let done = self.try_step(storage, capacity);
        if done.is_err() {
            // Gives back what was taken of a disk that is full.
            *self = Self::None;
            let _ = storage.remove(SPARE_UNFINISHED);
        }
        done
    }

    fn try_step(&mut self, storage: &dyn Storage, capacity: u64) -> io::Result<bool> {
        match self {
            Self::Ready => Ok(false),
            Self::None => {
                let file = create_unfinished(storage)?;
                *self = Self::Filling { file, at: 0 };
                Ok(true)
            }
            Self::Filling { file, at } if *at < capacity => {
                let to = (*at + Self::STEP).min(capacity);
                file.zero(*at, to)?;
                *at = to;
                Ok(true)
            }
            Self::Filling { file, .. } => {
                file.sync_data()?;
                storage.rename(SPARE_UNFINISHED, SPARE)?;
                *self = Self::Ready;
                Ok(false)
            }
        }
    }
}

/// Begins a file under the unfinished name. What stands there is removed, not
/// cut: after a crash it could be back under the name of the segment that it
/// was.
pub(crate) fn create_unfinished(storage: &dyn Storage) -> io::Result<Arc<dyn StorageFile>> {
    match storage.remove(SPARE_UNFINISHED) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => storage.create(SPARE_UNFINISHED),
    }
}
