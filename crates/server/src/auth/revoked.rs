//! What is revoked, as snapshots.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use tidings_auth::Revocations;

/// What is revoked.
#[derive(Default)]
pub struct Revoked {
    current: RwLock<Arc<Revocations>>,
    generation: AtomicU64,
}

impl Revoked {
    /// At this moment.
    pub fn snapshot(&self) -> Arc<Revocations> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&current)
    }

    /// How often it has changed.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }
}
