//! What a hub keeps of authorization over its restarts.

use super::revoked::Revoked;
use super::tickets::Tickets;
use super::vault::{Vault, VaultError};
use std::sync::Arc;

/// Tickets and revocations, and where they are kept.
pub struct Kept {
    pub(super) tickets: Tickets,
    pub(super) revoked: Revoked,
    vault: Option<Arc<Vault>>,
}

impl Kept {
    /// What a data directory has, or without one nothing: then tickets and
    /// revocations last for as long as the hub runs.
    ///
    /// # Errors
    /// [`VaultError`], which names the file and says what to do.
    pub fn open(vault: Option<Vault>) -> Result<Self, VaultError> {
        let vault = vault.map(Arc::new);
        Ok(Self {
            tickets: Tickets::open(vault.as_deref())?,
            revoked: Revoked::open(vault.clone())?,
            vault,
        })
    }

    /// Writes down what has not been, for a hub that starts again. To be called
    /// when no stream begins any more.
    pub fn close(&self) {
        let Some(vault) = &self.vault else { return };
        if let Err(error) = self.tickets.keep(vault) {
            tracing::warn!(%error, "tickets that have opened no stream yet will be refused");
        }
    }
}
