//! From a token to what it grants.

use crate::Refusal;
use crate::claims::Registered;
use crate::key::cache::{KeyCache, SourceId};
use crate::key::{Key, SignedBy, Signer, Strictness};
use crate::rights::{self, Rights};
use crate::token::{Kind, Unverified};
use std::fmt;
use std::sync::Arc;
use tidings_engine::Timestamp;
use tidings_mercure::Base;

/// The most keys that one token is tried with.
pub const MAX_TRIES: usize = 8;
/// The most that the clocks of hub and issuer may be said to differ, in
/// milliseconds.
pub const MAX_LEEWAY_MS: u64 = 300_000;

/// What came of a token.
#[derive(Debug)]
pub enum Verdict {
    /// It is good, and grants this.
    Verified(Arc<Rights>),
    /// It is not.
    Refused(Refusal),
    /// Its key may be in a document that has to be fetched first
    /// ([`KeyCache::begin`], unless somebody does already). Then it is to be
    /// verified once more; while nothing new came it is refused.
    NeedsKeys(SourceId),
}

/// Verifies tokens with the keys of a hub.
pub struct Verifier {
    keys: Vec<Key>,
    cache: KeyCache,
    audiences: Vec<String>,
    leeway_ms: u64,
    base: Base,
}

impl Verifier {
    /// A token's `aud` may call the hub by its public URL and by that of its
    /// Mercure face.
    pub fn new(keys: Vec<Key>, cache: KeyCache, base: Base) -> Self {
        Self {
            keys,
            cache,
            audiences: vec![base.public().to_owned(), base.hub().to_string()],
            leeway_ms: 0,
            base,
        }
    }

    /// Other names that `aud` may call the hub by.
    #[must_use]
    pub fn with_audiences(mut self, audiences: impl IntoIterator<Item = String>) -> Self {
        self.audiences.extend(audiences);
        self
    }

    /// How far `exp`, `nbf` and `iat` may be off, at most [`MAX_LEEWAY_MS`].
    #[must_use]
    pub fn with_leeway_ms(self, leeway_ms: u64) -> Self {
        Self {
            leeway_ms: leeway_ms.min(MAX_LEEWAY_MS),
            ..self
        }
    }

    /// The documents of keys, to be fetched.
    pub fn cache_mut(&mut self) -> &mut KeyCache {
        &mut self.cache
    }

    /// Whether the key that rights were verified with is still there, as far as
    /// is known: while the document that it came in hasn't come again, it may be
    /// in that. What was granted under a key that is gone ends.
    pub fn vouches(&self, rights: &Rights, now: Timestamp) -> bool {
        let Some(signer) = &rights.signer else {
            return true;
        };
        let is_there = |own: &SignedBy| {
            let mut all = self.keys.iter().chain(self.cache.all(now));
            let awaited = |source| self.cache.awaits(source, now);
            all.any(|key| key.mark == own.key) || own.source.is_some_and(awaited)
        };
        signer.keys.iter().all(is_there)
    }

    /// Verifies a token: its form, its signature, its times and audience, and
    /// reads what it grants.
    pub fn verify(&self, token: &str, now: Timestamp) -> Verdict {
        let token = match Unverified::parse(token) {
            Ok(token) => token,
            Err(refusal) => return Verdict::Refused(refusal),
        };
        match self.signer(&token, now) {
            Ok((signer, claims)) => match self.judge(&token, signer, claims, now) {
                Ok(rights) => Verdict::Verified(Arc::new(rights)),
                Err(refusal) => Verdict::Refused(refusal),
            },
            Err(Unsigned::Refused(refusal)) => Verdict::Refused(refusal),
            Err(Unsigned::NeedsKeys(source)) => Verdict::NeedsKeys(source),
        }
    }

    /// Who has signed the token. Its claims are read for their `iss`, which
    /// says whose keys are tried, and believed only afterwards.
    fn signer(
        &self,
        token: &Unverified<'_>,
        now: Timestamp,
    ) -> Result<(Signer, Registered), Unsigned> {
        let claims = Registered::read(&token.claims)?;
        // Keys of one issuer never vouch for another, and a token that names
        // an issuer with keys of its own isn't tried with anybody else's.
        let issuer = claims.issuer.as_deref().filter(|iss| self.has_keys_of(iss));
        let kid = token.header.key_id.as_deref();
        let own = self
            .keys
            .iter()
            .filter(|key| key.issuer.as_deref() == issuer);
        let of_issuer: Vec<&Key> = own.chain(self.cache.keys(issuer, now)).collect();
        let fits = |key: &&Key| match (kid, key.key_id.as_deref()) {
            (Some(named), Some(own)) => named == own,
            _ => true,
        };
        let by_kid: Vec<&Key> = of_issuer.iter().copied().filter(fits).collect();
        let algorithm = token.header.algorithm;
        let pinned = by_kid
            .iter()
            .filter(|key| key.algorithms.contains(&algorithm));
        let candidates: Vec<&Key> = pinned.copied().take(MAX_TRIES).collect();
        let verifies = |key: &&Key| key.verifies(algorithm, token.signed, token.signature);
        if let Some(signer) = Signer::of(candidates.iter().copied().filter(verifies)) {
            return Ok((signer, claims));
        }
        if let Some(source) = self.cache.lacking(issuer, kid, now) {
            return Err(Unsigned::NeedsKeys(source));
        }
        if self.cache.is_unavailable(issuer, kid, now) {
            return Err(Unsigned::Refused(Refusal::KeysUnavailable));
        }
        Err(Unsigned::Refused(if !candidates.is_empty() {
            Refusal::Signature
        } else if !by_kid.is_empty() {
            Refusal::Algorithm
        } else if of_issuer.is_empty() && issuer.is_none() && claims.issuer.is_some() {
            Refusal::UnknownIssuer
        } else {
            Refusal::UnknownKey
        }))
    }

    fn has_keys_of(&self, issuer: &str) -> bool {
        let own = |key: &Key| key.issuer.as_deref() == Some(issuer);
        self.keys.iter().any(own) || self.cache.knows(issuer)
    }

    /// What a token that was signed by `signer` grants.
    fn judge(
        &self,
        token: &Unverified<'_>,
        signer: Signer,
        claims: Registered,
        now: Timestamp,
    ) -> Result<Rights, Refusal> {
        let kind = token.header.kind;
        let lenient = signer.strictness == Strictness::Legacy && kind != Kind::AccessToken;
        self.check_times(&claims, lenient, now)?;
        self.check_audience(&claims, lenient)?;
        let mut rights = rights::read(&token.claims, kind, signer.strictness, &self.base)?;
        rights.restrict(signer.roles);
        rights.identify(claims, self.leeway_ms);
        rights.signer = Some(signer);
        Ok(rights)
    }

    fn check_times(
        &self,
        claims: &Registered,
        lenient: bool,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let latest = now.0.saturating_add(self.leeway_ms);
        match claims.expires {
            // RFC 7519 section 4.1.4: not accepted on or after exp.
            Some(at) if at.0.saturating_add(self.leeway_ms) <= now.0 => Err(Refusal::Expired),
            None if !lenient => Err(Refusal::NoExpiry),
            _ if claims.not_before.is_some_and(|at| at.0 > latest) => Err(Refusal::NotYet),
            _ if claims.issued.is_some_and(|at| at.0 > latest) => Err(Refusal::IssuedLater),
            _ => Ok(()),
        }
    }

    /// RFC 7519 section 4.1.3: whoever is not among those named has to refuse.
    /// That holds for legacy tokens too, if they name somebody.
    fn check_audience(&self, claims: &Registered, lenient: bool) -> Result<(), Refusal> {
        match &claims.audiences {
            None if lenient => Ok(()),
            None => Err(Refusal::NoAudience),
            Some(named) if named.iter().any(|name| self.audiences.contains(name)) => Ok(()),
            Some(_) => Err(Refusal::Audience),
        }
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("keys", &self.keys)
            .field("cache", &self.cache)
            .field("audiences", &self.audiences)
            .field("leeway_ms", &self.leeway_ms)
            .finish_non_exhaustive()
    }
}

/// Why it is not known who signed a token.
enum Unsigned {
    Refused(Refusal),
    NeedsKeys(SourceId),
}

impl From<Refusal> for Unsigned {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}
