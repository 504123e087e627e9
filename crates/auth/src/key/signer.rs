//! What is remembered of who has signed a token.

use super::{Key, Mark, Roles, Strictness};
use serde::{Deserialize, Serialize};

/// The keys that verified a token, as one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Signer {
    /// Those that it counts for: with the first of them that is gone, it is.
    pub keys: Vec<SignedBy>,
    pub strictness: Strictness,
    pub roles: Roles,
}

/// One of them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SignedBy {
    pub key: Mark,
    /// The document that it came in, if that was fetched.
    pub source: Option<Mark>,
}

impl SignedBy {
    fn of(key: &Key) -> Self {
        Self {
            key: key.mark,
            source: key.source,
        }
    }
}

impl Signer {
    /// Joins the keys that verify a token: a hub may have one secret for both
    /// roles. Where a strict key verifies it, legacy ones don't count, and none
    /// counts that adds nothing.
    pub fn of<'a>(keys: impl Iterator<Item = &'a Key>) -> Option<Self> {
        let mut keys: Vec<&Key> = keys.collect();
        if keys.iter().any(|key| key.strictness == Strictness::Strict) {
            keys.retain(|key| key.strictness == Strictness::Strict);
        }
        let first = keys.first()?;
        let mut own = Self {
            keys: vec![SignedBy::of(first)],
            strictness: first.strictness,
            roles: first.roles,
        };
        for key in keys {
            let roles = own.roles.and(key.roles);
            if roles != own.roles {
                own.keys.push(SignedBy::of(key));
                own.roles = roles;
            }
        }
        Some(own)
    }
}
