//! By what a person is known again.

use sha2::{Digest, Sha256};
use tidings_auth::Rights;
use tidings_engine::presence::MemberId;

/// Makes names for others to see out of what tells who somebody is. The names of two
/// hubs, and of one hub before and after a restart, have nothing in common.
pub struct Names {
    key: [u8; 32],
}

/// Who somebody is.
#[derive(Debug, Clone, Copy)]
pub enum Identity<'a> {
    /// Whoever a token names, or else the token itself.
    Holder(&'a Rights),
    /// Whoever calls themselves so, where everyone is taken at their word.
    Called(&'a str),
    /// Nobody who could be known again.
    Stranger,
}

impl Names {
    /// With a key of their own.
    pub fn new() -> Self {
        let mut key = [0; 32];
        if getrandom::fill(&mut key).is_err() {
            fastrand::fill(&mut key);
        }
        Self { key }
    }

    /// What others are told.
    pub fn of(&self, identity: Identity<'_>) -> MemberId {
        match identity {
            Identity::Holder(rights) => self.of_holder(rights),
            Identity::Called(text) => self.name(&[b"as", text.as_bytes()]),
            Identity::Stranger => {
                let half = || u128::from(getrandom::u64().unwrap_or_else(|_| fastrand::u64(..)));
                MemberId(half() << 64 | half())
            }
        }
    }

    /// Issuer and subject; without a subject the token: its `jti`, or else all that is
    /// read of it.
    fn of_holder(&self, rights: &Rights) -> MemberId {
        let issuer = rights.issuer.as_deref().unwrap_or_default().as_bytes();
        match (&rights.subject, &rights.token_id) {
            (Some(subject), _) => self.name(&[b"sub", issuer, subject.as_bytes()]),
            (None, Some(id)) => self.name(&[b"jti", issuer, id.as_bytes()]),
            (None, None) => self.name(&[b"token", issuer, &rights.to_record()]),
        }
    }

    fn name(&self, parts: &[&[u8]]) -> MemberId {
        let mut hash = Sha256::new();
        hash.update(self.key);
        for part in parts {
            // So that no two lists of parts are written alike.
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let digest = hash.finalize();
        let mut name = [0; 16];
        name.copy_from_slice(&digest[..16]);
        MemberId(u128::from_be_bytes(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidings_engine::Timestamp;

    fn rights(issuer: Option<&str>, subject: Option<&str>, id: Option<&str>) -> Rights {
        let mut rights = Rights::default();
        rights.issuer = issuer.map(Into::into);
        rights.subject = subject.map(Into::into);
        rights.token_id = id.map(Into::into);
        rights
    }

    #[test]
    fn one_identity_has_one_name_and_no_other_has_it() {
        let names = Names::new();
        let of = |own: &Rights| names.of(Identity::Holder(own));
        let same = |a: &Rights, b: &Rights| assert_eq!(of(a), of(b), "{a:?} {b:?}");
        let differ = |a: &Rights, b: &Rights| assert_ne!(of(a), of(b), "{a:?} {b:?}");
        let ann = rights(Some("i"), Some("ann"), Some("1"));
        same(&ann, &rights(Some("i"), Some("ann"), Some("2")));
        same(&ann, &rights(Some("i"), Some("ann"), None));
        differ(&ann, &rights(Some("j"), Some("ann"), Some("1")));
        differ(&ann, &rights(None, Some("ann"), Some("1")));
        differ(&ann, &rights(Some("i"), Some("bob"), Some("1")));
        differ(&ann, &rights(Some("ia"), Some("nn"), Some("1")));
        // What isn't named is known by its token.
        let token = rights(Some("i"), None, Some("1"));
        same(&token, &rights(Some("i"), None, Some("1")));
        differ(&token, &rights(Some("i"), None, Some("2")));
        differ(&token, &rights(Some("i"), Some("1"), None));
        let bare = rights(None, None, None);
        same(&bare, &bare.clone());
        let mut later = bare.clone();
        later.expires = Some(Timestamp(1));
        differ(&bare, &later);
        let called = |text| names.of(Identity::Called(text));
        assert_eq!(called("ann"), called("ann"));
        assert_ne!(called("ann"), called("Ann"));
        let named_alike = rights(None, Some("ann"), None);
        assert_ne!(called("ann"), of(&named_alike));
        let stranger = || names.of(Identity::Stranger);
        assert_ne!(stranger(), stranger());
        assert_ne!(Names::new().of(Identity::Called("ann")), called("ann"));
    }
}
