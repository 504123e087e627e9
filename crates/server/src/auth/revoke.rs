//! Who holds a token at all, and the revocation of tokens.

use super::{Auth, Refused, VaultError, Who};
use crate::hub::now;
use std::fmt;
use std::sync::Arc;
use tidings_auth::revocation::{Entry, InvalidRevocation};
use tidings_auth::{Refusal, Revocations, Rights, identify};

/// Why tokens are not revoked for good.
#[derive(Debug)]
pub enum RevokeError {
    /// None is.
    Invalid(InvalidRevocation),
    /// They are, until the hub restarts.
    NotKept(VaultError),
}

impl fmt::Display for RevokeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(reason) => reason.fmt(f),
            Self::NotKept(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for RevokeError {}

impl Auth {
    /// What a token grants that counts at this moment.
    ///
    /// # Errors
    /// [`Refused`]: nobody, and whoever holds one that doesn't.
    pub fn identified<'a>(&self, who: &'a Who) -> Result<&'a Arc<Rights>, Refused> {
        let revocations = self.revocations();
        let counts = identify(who.caller(), &self.policy(&revocations), now());
        let rights = counts.and_then(|()| who.rights().ok_or(Refusal::Anonymous));
        rights.map_err(|refusal| self.refuse(refusal))
    }

    /// Revokes, all or none: later requests are refused, and the streams that it
    /// concerns end. When this returns, a restart doesn't undo it.
    ///
    /// # Errors
    /// [`RevokeError`].
    pub async fn revoke(&self, entries: &[Entry]) -> Result<(), RevokeError> {
        let changing = self.kept.revoked.change().await;
        let (mut list, now) = ((*changing.snapshot()).clone(), now());
        list.add_all(entries, now).map_err(RevokeError::Invalid)?;
        let list = Arc::new(list);
        // Before it is kept: a disk may take its time, and a token that is known
        // to be stolen is refused even if the disk fails.
        changing.stand(&list);
        self.standings().revoke(&list);
        changing.keep(&list).await.map_err(RevokeError::NotKept)
    }

    /// Takes an entry back, which a restart doesn't undo. Streams that it has
    /// ended come back by themselves; one that it has left go on without its
    /// topics has them again when it comes back.
    ///
    /// # Errors
    /// If the disk doesn't take it; then the entry stands as it did.
    pub async fn take_back(&self, entry: &Entry) -> Result<(), VaultError> {
        let changing = self.kept.revoked.change().await;
        let mut list: Revocations = (*changing.snapshot()).clone();
        list.remove(&entry.revoked, entry.issuer.as_deref());
        let list = Arc::new(list);
        changing.keep(&list).await?;
        changing.stand(&list);
        Ok(())
    }
}
