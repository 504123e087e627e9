//! What is revoked, as snapshots, and durable before anybody is told.

use super::vault::{Name, Vault, VaultError};
use crate::hub::now;
use std::sync::{Arc, PoisonError, RwLock};
use tidings_auth::Revocations;
use tokio::sync::{Mutex, MutexGuard};

/// What is revoked.
#[derive(Default)]
pub struct Revoked {
    current: RwLock<Arc<Revocations>>,
    /// Where the list is kept; nowhere by a hub that keeps nothing.
    vault: Option<Arc<Vault>>,
    changing: Mutex<()>,
}

/// What keeps others from changing the list.
pub struct Changing<'a> {
    revoked: &'a Revoked,
    _alone: MutexGuard<'a, ()>,
}

impl Revoked {
    /// What the data directory keeps.
    ///
    /// # Errors
    /// A list that can't be read: a hub that started without it would let in
    /// whom it was told to keep out.
    pub fn open(vault: Option<Arc<Vault>>) -> Result<Self, VaultError> {
        let kept = match &vault {
            None => None,
            Some(vault) => vault.read(Name::Revocations)?.map(|bytes| {
                let list = Revocations::decode(&bytes, now());
                list.map_err(|_| vault.damaged(Name::Revocations))
            }),
        };
        let current = kept.transpose()?.unwrap_or_default();
        Ok(Self {
            current: RwLock::new(Arc::new(current)),
            vault,
            ..Self::default()
        })
    }

    /// At this moment.
    pub fn snapshot(&self) -> Arc<Revocations> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&current)
    }

    /// The right to change it, once nobody else has it.
    pub async fn change(&self) -> Changing<'_> {
        Changing {
            revoked: self,
            _alone: self.changing.lock().await,
        }
    }
}

impl Changing<'_> {
    /// The list that stands.
    pub fn snapshot(&self) -> Arc<Revocations> {
        self.revoked.snapshot()
    }

    /// Has a list stand from now on.
    pub fn stand(&self, list: &Arc<Revocations>) {
        let current = &self.revoked.current;
        *current.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(list);
    }

    /// Keeps a list, durably.
    ///
    /// # Errors
    /// If the disk doesn't take it.
    pub async fn keep(&self, list: &Arc<Revocations>) -> Result<(), VaultError> {
        let Some(vault) = self.revoked.vault.clone() else {
            return Ok(());
        };
        let list = Arc::clone(list);
        // A disk may take its time.
        let writing =
            tokio::task::spawn_blocking(move || vault.write(Name::Revocations, &list.encode()));
        writing.await.expect("writing doesn't panic")
    }
}
