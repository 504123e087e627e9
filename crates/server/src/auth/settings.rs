//! What the configuration says of who may do what.

use super::{Keyring, Keys};
use crate::config::{Config, Name};
use crate::serve::Address;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tidings_auth::presented::Options;
use tidings_engine::Selection;
use tidings_mercure::Base;

/// What a hub's configuration says of who may do what.
pub struct Settings {
    /// Where it is reached from outside.
    pub base: Arc<Base>,
    /// What verifies tokens; `None` for a hub without keys.
    pub keyring: Option<Arc<Keyring>>,
    /// Whether the application that the hub is embedded in says who asks, with
    /// each request; then nothing that a request presents is looked at.
    pub application: bool,
    /// Where a request may carry a token.
    pub presented: Options,
    /// The issuers that keys are configured for.
    pub issuers: Vec<String>,
    /// The native topics that may be watched without a token.
    pub anonymous: Selection,
    /// Origins of pages that may publish by cookie, besides the hub's own.
    pub origins: Vec<String>,
    /// Of the Mercure face.
    pub mercure: Mercure,
    /// Whether the hub can be reached from this machine alone, so that its log
    /// may say why each token is refused.
    pub local: bool,
}

/// Settings of the Mercure face.
#[derive(Debug, Clone, Copy, Default)]
pub struct Mercure {
    /// Whoever has no token may watch public events.
    pub anonymous: bool,
    /// The subscription API and its events are there.
    pub subscriptions: bool,
    /// How long a stream lives at most.
    pub lifetime: Option<Duration>,
}

impl Settings {
    /// Of a hub of this configuration, whose keys have been read, at these
    /// addresses. Must be called within a tokio runtime.
    pub fn new(config: &Config, keys: Keys, addresses: &[Address]) -> Self {
        let base = match &config.public_url {
            Some(url) => url.base().clone(),
            None => default_base(addresses),
        };
        let keyring = |base| Keyring::new(&config.auth, keys, base);
        let keyring = config.has_keys().then(|| keyring(&base));
        let auth = &config.auth;
        let issuers = auth.keys.iter().filter_map(|key| key.issuer.clone());
        let issuers: BTreeSet<String> = issuers.map(|Name(issuer)| issuer).collect();
        let origins = auth.origins.iter();
        Self {
            base: Arc::new(base),
            keyring,
            application: false,
            presented: Options {
                cookies: auth.cookies.iter().map(|name| name.0.clone()).collect(),
                query_token: auth.keys.iter().any(|key| key.legacy),
            },
            issuers: issuers.into_iter().collect(),
            anonymous: Selection::new(auth.anonymous.clone()),
            origins: origins.map(ToString::to_string).collect(),
            mercure: Mercure {
                anonymous: config.mercure.anonymous,
                subscriptions: config.mercure.subscriptions,
                lifetime: config.mercure.lifetime.at_most(),
            },
            local: config.is_local(),
        }
    }

    /// Of a hub in an application that says who asks.
    pub fn of_application(base: Base, mercure: Mercure) -> Self {
        Self {
            base: Arc::new(base),
            keyring: None,
            application: true,
            presented: Options {
                cookies: Vec::new(),
                query_token: false,
            },
            issuers: Vec::new(),
            anonymous: Selection::new(Vec::new()),
            origins: Vec::new(),
            mercure,
            local: false,
        }
    }

    /// Of a hub without keys: everyone who reaches it may do everything.
    #[cfg(test)]
    pub fn open(base: Base) -> Self {
        Self {
            application: false,
            local: true,
            ..Self::of_application(base, Mercure::default())
        }
    }
}

/// Where a hub is reached whose configuration doesn't say it.
fn default_base(addresses: &[Address]) -> Base {
    let first = addresses.first();
    let (scheme, port) = first.map_or(("http", 80), |first| (first.scheme(), first.socket.port()));
    Base::new(&format!("{scheme}://localhost:{port}")).expect("a URL that was made here")
}
