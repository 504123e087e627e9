//! The keys of a hub while it runs: tokens are verified with them, their files
//! are read again, and documents of keys are fetched.

use super::fetch::Fetcher;
use super::keys::Keys;
use super::{Standing, Standings};
use crate::config::{self, ConfigErrors};
use crate::hub::now;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};
use std::time::Duration;
use tidings_auth::key::cache::FLIGHT_MS;
use tidings_auth::{Fetch, Refusal, Rights, SourceId, Timestamp, Verdict, Verifier};
use tidings_mercure::Base;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

/// How often it is looked for documents that have become too old.
const LOOK: Duration = Duration::from_secs(5);

/// The keys of a hub.
pub struct Keyring {
    auth: config::Auth,
    base: Base,
    verifier: RwLock<Verifier>,
    fetcher: Fetcher,
    clock: Box<dyn Fn() -> Timestamp + Send + Sync>,
    /// Sent when a fetch has ended, and when files were read again.
    landed: watch::Sender<()>,
}

impl Keyring {
    /// The keys of `auth`, which have been read. Must be called within a tokio
    /// runtime: documents of keys are fetched from now on.
    pub fn new(auth: &config::Auth, keys: Keys, base: &Base) -> Arc<Self> {
        Self::with(auth, keys, base, Fetcher::new(), now)
    }

    fn with(
        auth: &config::Auth,
        keys: Keys,
        base: &Base,
        fetcher: Fetcher,
        clock: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> Arc<Self> {
        let fetches = keys.fetches();
        let cache = keys.cache();
        let own = Arc::new(Self {
            auth: auth.clone(),
            base: base.clone(),
            verifier: RwLock::new(keys.verifier(auth, cache, base.clone())),
            fetcher,
            clock: Box::new(clock),
            landed: watch::Sender::new(()),
        });
        if fetches {
            tokio::spawn(keep_fresh(Arc::downgrade(&own)));
        }
        own
    }

    /// Verifies a token. If its key may be in a document that isn't there, waits
    /// for that.
    ///
    /// # Errors
    /// The one reason why it isn't good.
    pub async fn verify(self: &Arc<Self>, token: &str) -> Result<Arc<Rights>, Refusal> {
        let end = Instant::now() + Duration::from_millis(FLIGHT_MS);
        loop {
            // Before the look, so that no end of a fetch is missed.
            let mut landed = self.landed.subscribe();
            let verdict = self.read().verify(token, (self.clock)());
            let source = match verdict {
                Verdict::Verified(rights) => return Ok(rights),
                Verdict::Refused(refusal) => return Err(refusal),
                Verdict::NeedsKeys(source) => source,
            };
            self.fetch(source);
            if timeout_at(end, landed.changed()).await.is_err() {
                return Err(Refusal::KeysUnavailable);
            }
        }
    }

    /// Whether the key that verified the token of these rights is still there.
    pub fn vouches(&self, rights: &Rights) -> bool {
        self.read().vouches(rights, (self.clock)())
    }

    /// Tells when keys may have gone.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.landed.subscribe()
    }

    /// Reads the files of the keys again; fetched documents stay. Answers what
    /// deserves a second thought.
    ///
    /// # Errors
    /// What is wrong with which key; then nothing has changed.
    pub fn reload(&self) -> Result<Vec<String>, ConfigErrors> {
        let mut keys = Keys::read(&self.auth)?;
        let warnings = std::mem::take(&mut keys.warnings);
        let mut verifier = self.write();
        let cache = std::mem::take(verifier.cache_mut());
        *verifier = keys.verifier(&self.auth, cache, self.base.clone());
        drop(verifier);
        self.landed.send_replace(());
        Ok(warnings)
    }

    /// Fetches a document, unless somebody does already.
    fn fetch(self: &Arc<Self>, source: SourceId) {
        let fetch = self.write().cache_mut().begin(source, (self.clock)());
        if let Some(fetch) = fetch {
            self.begin(fetch);
        }
    }

    /// Fetches the documents that are too old.
    fn refresh(self: &Arc<Self>) {
        let due = self.write().cache_mut().due((self.clock)());
        for fetch in due {
            self.begin(fetch);
        }
    }

    /// In a task of its own: whoever needs the document may go away.
    fn begin(self: &Arc<Self>, fetch: Fetch) {
        let own = Arc::clone(self);
        tokio::spawn(async move {
            let document = own.fetcher.get(&fetch.url).await;
            let bytes = document.as_ref().ok().map(Vec::as_slice);
            let now = (own.clock)();
            let finished = own.write().cache_mut().finish(fetch.source, bytes, now);
            let place = super::fetch::origin(&fetch.url);
            match (document, finished) {
                (Err(error), _) => {
                    tracing::warn!(%place, %error, "a document of keys can't be fetched");
                }
                (Ok(_), Err(error)) => {
                    tracing::warn!(%place, %error, "a document of keys is of no use");
                }
                (Ok(_), Ok(keys)) => {
                    tracing::debug!(%place, keys, "a document of keys was fetched")
                }
            }
            own.landed.send_replace(());
        });
    }

    fn read(&self) -> RwLockReadGuard<'_, Verifier> {
        self.verifier.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Verifier> {
        self.verifier
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Fetches documents when they are due, for as long as the hub lives.
async fn keep_fresh(keyring: Weak<Keyring>) {
    while let Some(keyring) = keyring.upgrade() {
        keyring.refresh();
        drop(keyring);
        tokio::time::sleep(LOOK).await;
    }
}

/// Ends the streams whose rights were verified with a key that is gone, for as
/// long as there are keys.
pub fn end_unvouched(
    keyring: &Arc<Keyring>,
    standings: &Arc<Standings>,
) -> impl Future<Output = ()> + use<> {
    let (mut changes, standings) = (keyring.changes(), Arc::downgrade(standings));
    let keyring = Arc::downgrade(keyring);
    async move {
        while changes.changed().await.is_ok() {
            let (Some(keyring), Some(standings)) = (keyring.upgrade(), standings.upgrade()) else {
                return;
            };
            let is_gone = |standing: &&Arc<Standing>| {
                let rights = standing.rights();
                rights.is_some_and(|rights| !keyring.vouches(&rights))
            };
            let all = standings.all();
            all.iter()
                .filter(is_gone)
                .for_each(|standing| standing.end());
        }
    }
}

#[cfg(test)]
mod tests;
