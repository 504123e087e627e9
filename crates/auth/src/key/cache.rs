//! Keys that are fetched: what is known of each document, and when it may be
//! asked for again. Who fetches is told what and when; nothing here waits.
//!
//! A token never leads to a request elsewhere: the places are those of the
//! configuration, keys are found by (issuer, place, `kid`), and for tokens of
//! an issuer that isn't configured nothing is ever asked for.

use super::jwks::{self, InvalidJwks};
use super::{Key, Mark, Roles, Strictness};
use jsonwebtoken::Algorithm;
use tidings_engine::Timestamp;

/// The most documents of one hub.
pub const MAX_SOURCES: usize = 32;
/// A document is asked for at most so often, however many tokens name keys
/// that it lacks, in milliseconds.
pub const MIN_INTERVAL_MS: u64 = 30_000;
/// A document older than this is fetched again, in milliseconds.
pub const REFRESH_AFTER_MS: u64 = 10 * 60_000;
/// The keys of a document that could not be fetched again for so long are
/// believed no more, in milliseconds.
pub const FORGET_AFTER_MS: u64 = 24 * 3_600_000;
/// A fetch that has not ended after this long has failed, in milliseconds.
pub const FLIGHT_MS: u64 = 15_000;
// So that the interval alone keeps a second fetch from beginning beside one.
const _: () = assert!(FLIGHT_MS < MIN_INTERVAL_MS);

/// A document of keys, as configured.
#[derive(Debug, Clone)]
pub struct KeySource {
    /// Where it is fetched from.
    pub url: String,
    /// The `iss` it vouches for; `None` for all that no other key is
    /// configured for. Without one a `kid` that it lacks leads to no fetch.
    pub issuer: Option<String>,
    /// The algorithms that its keys may be used with.
    pub algorithms: Vec<Algorithm>,
    /// How its tokens are read.
    pub strictness: Strictness,
    /// What its tokens may grant.
    pub roles: Roles,
}

impl KeySource {
    /// A key of the document.
    fn vouching(&self, key: Key) -> Key {
        let key = key.with_roles(self.roles);
        let key = match &self.issuer {
            None => key,
            Some(issuer) => key.with_issuer(issuer),
        };
        let source = Some(self.mark());
        Key { source, ..key }
    }

    /// Tells it from others, also to a hub that has started with other sources.
    fn mark(&self) -> Mark {
        let issuer = self.issuer.as_deref().unwrap_or_default();
        Mark::of(&[self.url.as_bytes(), issuer.as_bytes()])
    }
}

/// Names a [`KeySource`] of a [`KeyCache`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(usize);

/// A document to be fetched, by GET and without following a redirect to
/// another origin. [`KeyCache::finish`] takes what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetch {
    /// Whose.
    pub source: SourceId,
    /// From where.
    pub url: String,
}

/// The documents of a hub.
#[derive(Debug, Default)]
pub struct KeyCache {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    source: KeySource,
    keys: Vec<Key>,
    fetched: Option<Timestamp>,
    attempted: Option<Timestamp>,
    in_flight: bool,
    /// The last fetch that ended gave no document.
    failed: bool,
}

impl KeyCache {
    /// Nothing is known yet: [`Self::due`] names every document.
    ///
    /// # Errors
    /// Gives the sources back if there are more than [`MAX_SOURCES`].
    pub fn new(sources: Vec<KeySource>) -> Result<Self, Vec<KeySource>> {
        if sources.len() > MAX_SOURCES {
            return Err(sources);
        }
        let entry = |source| Entry {
            source,
            keys: Vec::new(),
            fetched: None,
            attempted: None,
            in_flight: false,
            failed: false,
        };
        Ok(Self {
            entries: sources.into_iter().map(entry).collect(),
        })
    }

    /// The documents that are to be fetched because of their age, and are
    /// being fetched from now on.
    pub fn due(&mut self, now: Timestamp) -> Vec<Fetch> {
        let due = |(_, entry): &(usize, &Entry)| {
            entry
                .fetched
                .is_none_or(|at| age(at, now) >= REFRESH_AFTER_MS)
        };
        let due: Vec<usize> = self
            .entries
            .iter()
            .enumerate()
            .filter(due)
            .map(|(index, _)| index)
            .collect();
        due.into_iter()
            .filter_map(|index| self.begin(SourceId(index), now))
            .collect()
    }

    /// Begins to fetch a document. `None` while somebody else does, and for
    /// [`MIN_INTERVAL_MS`] after the last attempt.
    pub fn begin(&mut self, source: SourceId, now: Timestamp) -> Option<Fetch> {
        let entry = self.entries.get_mut(source.0)?;
        if !entry.may_begin(now) {
            return None;
        }
        entry.in_flight = true;
        entry.attempted = Some(now);
        Some(Fetch {
            source,
            url: entry.source.url.clone(),
        })
    }

    /// Takes what came of a fetch: the document, or `None` for a failure of
    /// whatever kind. Answers how many keys it has. After a failure the keys
    /// of before stay until they are too old.
    ///
    /// # Errors
    /// [`InvalidJwks`], and the keys of before stay. Not so after
    /// [`InvalidJwks::NoKey`]: that is what the issuer says, and there are none.
    pub fn finish(
        &mut self,
        source: SourceId,
        document: Option<&[u8]>,
        now: Timestamp,
    ) -> Result<usize, InvalidJwks> {
        let Some(entry) = self.entries.get_mut(source.0) else {
            return Ok(0);
        };
        entry.in_flight = false;
        entry.failed = true;
        if let Some(document) = document {
            let source = &entry.source;
            let keys = jwks::parse(document, &source.algorithms, source.strictness);
            let has_none = keys.as_ref().err() == Some(&InvalidJwks::NoKey);
            let keys = if has_none { Vec::new() } else { keys? };
            entry.keys = keys.into_iter().map(|key| source.vouching(key)).collect();
            entry.fetched = Some(now);
            entry.failed = false;
            if has_none {
                return Err(InvalidJwks::NoKey);
            }
        }
        Ok(entry.keys.len())
    }

    /// Whether a document vouches for this issuer.
    pub(crate) fn knows(&self, issuer: &str) -> bool {
        self.of(Some(issuer)).next().is_some()
    }

    /// The keys for tokens of an issuer.
    pub(crate) fn keys(&self, issuer: Option<&str>, now: Timestamp) -> impl Iterator<Item = &Key> {
        self.of(issuer)
            .flat_map(move |(_, entry)| entry.usable(now))
    }

    /// Every key that is believed.
    pub(crate) fn all(&self, now: Timestamp) -> impl Iterator<Item = &Key> {
        self.entries.iter().flat_map(move |entry| entry.usable(now))
    }

    /// Whether a document isn't there, and may have keys once it is.
    pub(crate) fn awaits(&self, source: Mark, now: Timestamp) -> bool {
        let mut entries = self.entries.iter();
        entries.any(|entry| entry.source.mark() == source && !entry.is_known(now))
    }

    /// The document that may have a key `kid` of this issuer once it is
    /// fetched: it isn't there yet, and may be fetched now or is being so.
    pub(crate) fn lacking(
        &self,
        issuer: Option<&str>,
        kid: Option<&str>,
        now: Timestamp,
    ) -> Option<SourceId> {
        let mut of = self.of(issuer);
        let found = of
            .find(|(_, entry)| entry.lacks(kid, now) && (entry.flies(now) || entry.may_begin(now)));
        found.map(|(index, _)| SourceId(index))
    }

    /// Whether the key may be in a document that was asked for last in vain: in
    /// a while it may be there.
    pub(crate) fn is_unavailable(
        &self,
        issuer: Option<&str>,
        kid: Option<&str>,
        now: Timestamp,
    ) -> bool {
        self.of(issuer)
            .any(|(_, entry)| entry.failed && entry.lacks(kid, now))
    }

    fn of(&self, issuer: Option<&str>) -> impl Iterator<Item = (usize, &Entry)> {
        let entries = self.entries.iter().enumerate();
        entries.filter(move |(_, entry)| entry.source.issuer.as_deref() == issuer)
    }
}

impl Entry {
    /// Whether the document is there, be it one without keys.
    fn is_known(&self, now: Timestamp) -> bool {
        let young = |at| age(at, now) < FORGET_AFTER_MS;
        self.fetched.is_some_and(young)
    }

    fn usable(&self, now: Timestamp) -> &[Key] {
        match self.is_known(now) {
            true => &self.keys,
            false => &[],
        }
    }

    /// Whether a key of this `kid` may be in the document and isn't here.
    fn lacks(&self, kid: Option<&str>, now: Timestamp) -> bool {
        let keys = self.usable(now);
        let named = kid.filter(|_| self.source.issuer.is_some());
        let has = |kid| keys.iter().any(|key| key.key_id.as_deref() == Some(kid));
        !self.is_known(now) || named.is_some_and(|kid| !has(kid))
    }

    fn flies(&self, now: Timestamp) -> bool {
        let long = |at| age(at, now) >= FLIGHT_MS;
        self.in_flight && !self.attempted.is_some_and(long)
    }

    fn may_begin(&self, now: Timestamp) -> bool {
        let recent = |at| age(at, now) < MIN_INTERVAL_MS;
        !self.attempted.is_some_and(recent)
    }
}

/// How long ago that was. A clock that was set back makes things old, so that
/// they are fetched again, and not eternal.
fn age(then: Timestamp, now: Timestamp) -> u64 {
    now.0.abs_diff(then.0)
}
