//! What has been revoked before its time.

use crate::names::TopicName;
use crate::rights::Rights;
use serde::{Deserialize, Serialize};
use std::fmt;
use tidings_engine::{Selector, Timestamp};

/// The most entries. Beyond it nothing is forgotten, but nothing more is taken:
/// who needs more has a key to replace.
pub const MAX_ENTRIES: usize = 100_000;
/// The longest name that is revoked, in bytes.
pub const MAX_NAME_BYTES: usize = 1024;
const VERSION: u32 = 1;

/// What is revoked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Revoked {
    /// The token with this `jti`.
    TokenId(String),
    /// Every token of this `sub` that was issued until now.
    Subject(String),
    /// What tokens that were issued until now grant on the topics of this
    /// selector. They stay good for other topics.
    Topics(String),
}

/// An entry of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// What is revoked.
    pub revoked: Revoked,
    /// Of which issuer only; `None` for all.
    pub issuer: Option<String>,
    /// When it was, in milliseconds since the Unix epoch. Tokens issued later
    /// are not meant, except by their id, and but for the verifier's leeway.
    pub at: u64,
    /// When the last token that is meant would have expired anyway; `None` if
    /// it never would.
    pub until: Option<u64>,
}

/// Why an entry isn't taken, or a list can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidRevocation {
    /// [`MAX_ENTRIES`] stand already.
    Full,
    /// An empty name or one over [`MAX_NAME_BYTES`].
    Name,
    /// Not a selector of native topics.
    Selector,
    /// The list isn't one, or is of a later version.
    Unreadable,
}

impl fmt::Display for InvalidRevocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => {
                "100,000 revocations stand already: replace the key that signs the tokens instead"
            }
            Self::Name => "a jti or sub to revoke has 1 to 1024 bytes",
            Self::Selector => "the topics to revoke aren't a topic or a pattern",
            Self::Unreadable => {
                "the list of revocations can't be read: it is damaged or of a later version"
            }
        })
    }
}

impl std::error::Error for InvalidRevocation {}

/// The list of a hub.
#[derive(Debug, Clone, Default)]
pub struct Revocations {
    /// Sorted by what is revoked, then by issuer.
    entries: Vec<Entry>,
    /// The selectors of `Revoked::Topics`, with their entries' issuer and times.
    topics: Vec<(Selector, Entry)>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    version: u32,
    entries: Vec<Entry>,
}

impl Revocations {
    /// Adds an entry, or makes one that stands last as long as it has to.
    ///
    /// # Errors
    /// [`InvalidRevocation`]; then the list is as before.
    pub fn add(&mut self, entry: Entry, now: Timestamp) -> Result<(), InvalidRevocation> {
        self.add_all(&[entry], now)
    }

    /// As [`Self::add`], for several: all or none.
    ///
    /// # Errors
    /// [`InvalidRevocation`]; then the list is as before.
    pub fn add_all(&mut self, entries: &[Entry], now: Timestamp) -> Result<(), InvalidRevocation> {
        entries.iter().try_for_each(Entry::check)?;
        self.expire(now);
        let is_new = |entry: &&Entry| self.find(&entry.revoked, entry.issuer.as_deref()).is_err();
        if self.entries.len() + entries.iter().filter(is_new).count() > MAX_ENTRIES {
            return Err(InvalidRevocation::Full);
        }
        for entry in entries {
            match self.find(&entry.revoked, entry.issuer.as_deref()) {
                Ok(index) => self.entries[index].last_as(entry),
                Err(index) => self.entries.insert(index, entry.clone()),
            }
        }
        self.index();
        Ok(())
    }

    /// Takes an entry back. Answers whether it stood there.
    pub fn remove(&mut self, revoked: &Revoked, issuer: Option<&str>) -> bool {
        let Ok(index) = self.find(revoked, issuer) else {
            return false;
        };
        self.entries.remove(index);
        self.index();
        true
    }

    /// Drops what would have expired by now.
    pub fn expire(&mut self, now: Timestamp) {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.stands(now));
        if self.entries.len() != before {
            self.index();
        }
    }

    /// The entries, in a fixed order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Whether a token as a whole is revoked.
    pub fn revoke(&self, rights: &Rights, now: Timestamp) -> bool {
        let by = |revoked: &Revoked| {
            let issuers = [None, rights.issuer.as_deref()];
            issuers.into_iter().any(|issuer| {
                let found = self.find(revoked, issuer).map(|index| &self.entries[index]);
                found.is_ok_and(|entry| {
                    entry.stands(now)
                        && (matches!(revoked, Revoked::TokenId(_)) || entry.is_older(rights))
                })
            })
        };
        let id = rights.token_id.clone().map(Revoked::TokenId);
        let subject = rights.subject.clone().map(Revoked::Subject);
        id.as_ref().is_some_and(by) || subject.as_ref().is_some_and(by)
    }

    /// Whether what a token grants on a topic has been withdrawn.
    pub fn withdraw(&self, rights: &Rights, topic: &TopicName<'_>, now: Timestamp) -> bool {
        let Some(topic) = topic.as_native() else {
            return false;
        };
        self.topics.iter().any(|(selector, entry)| {
            let whose = entry.issuer.is_none() || entry.issuer == rights.issuer;
            whose && entry.stands(now) && entry.is_older(rights) && selector.matches(topic)
        })
    }

    /// Whether topics are withdrawn from any token. If not, what a token shows
    /// depends on what it grants alone.
    pub fn has_topics(&self) -> bool {
        !self.topics.is_empty()
    }

    /// Whether this list withdraws topics from a token that `before`, as it stood
    /// at `since`, didn't: an entry that had expired by then is none.
    pub fn withdraws_more(
        &self,
        rights: &Rights,
        (before, since): (&Self, Timestamp),
        now: Timestamp,
    ) -> bool {
        let takes = |entry: &Entry, at: Timestamp| {
            let whose = entry.issuer.is_none() || entry.issuer == rights.issuer;
            whose && entry.stands(at) && entry.is_older(rights)
        };
        let is_known = |entry: &Entry| {
            let found = before.find(&entry.revoked, entry.issuer.as_deref());
            found.is_ok_and(|index| takes(&before.entries[index], since))
        };
        let mut entries = self.topics.iter().map(|(_, entry)| entry);
        entries.any(|entry| takes(entry, now) && !is_known(entry))
    }

    /// The list as bytes, to be kept.
    pub fn encode(&self) -> Vec<u8> {
        let list = List {
            version: VERSION,
            entries: self.entries.clone(),
        };
        serde_json::to_vec(&list).unwrap_or_default()
    }

    /// Reads what [`Self::encode`] wrote, and drops what has expired.
    ///
    /// # Errors
    /// [`InvalidRevocation`] if a single entry can't be read: a hub that
    /// started without it would let in whom it was told to keep out.
    pub fn decode(bytes: &[u8], now: Timestamp) -> Result<Self, InvalidRevocation> {
        let list: Result<List, _> = serde_json::from_slice(bytes);
        let list = list.map_err(|_| InvalidRevocation::Unreadable)?;
        if list.version != VERSION {
            return Err(InvalidRevocation::Unreadable);
        }
        let mut read = Self::default();
        for entry in list.entries {
            if let Revoked::Topics(selector) = &entry.revoked {
                Selector::new(selector).map_err(|_| InvalidRevocation::Selector)?;
            }
            read.entries.push(entry);
        }
        if read.entries.len() > MAX_ENTRIES {
            return Err(InvalidRevocation::Full);
        }
        let key = |entry: &Entry| (entry.revoked.clone(), entry.issuer.clone());
        read.entries.sort_by_cached_key(key);
        read.entries.retain(|entry| entry.stands(now));
        read.index();
        Ok(read)
    }

    fn find(&self, revoked: &Revoked, issuer: Option<&str>) -> Result<usize, usize> {
        let key = |entry: &Entry| {
            let by_what = entry.revoked.cmp(revoked);
            by_what.then_with(|| entry.issuer.as_deref().cmp(&issuer))
        };
        self.entries.binary_search_by(key)
    }

    fn index(&mut self) {
        let selector = |entry: &Entry| match &entry.revoked {
            Revoked::Topics(text) => Some((Selector::new(text).ok()?, entry.clone())),
            _ => None,
        };
        self.topics = self.entries.iter().filter_map(selector).collect();
    }
}

impl Entry {
    fn check(&self) -> Result<(), InvalidRevocation> {
        match &self.revoked {
            Revoked::Topics(selector) => match Selector::new(selector) {
                Ok(_) => Ok(()),
                Err(_) => Err(InvalidRevocation::Selector),
            },
            Revoked::TokenId(name) | Revoked::Subject(name) => {
                match (1..=MAX_NAME_BYTES).contains(&name.len()) {
                    true => Ok(()),
                    false => Err(InvalidRevocation::Name),
                }
            }
        }
    }

    /// Makes it last as long as another of the same, too.
    fn last_as(&mut self, other: &Self) {
        self.at = self.at.max(other.at);
        self.until = match (self.until, other.until) {
            (Some(own), Some(others)) => Some(own.max(others)),
            _ => None,
        };
    }

    /// Whether it still stands.
    pub fn stands(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| until > now.0)
    }

    /// Whether the token was issued before. One that doesn't say when was.
    fn is_older(&self, rights: &Rights) -> bool {
        rights.issued.is_none_or(|issued| issued.0 <= self.at)
    }
}
