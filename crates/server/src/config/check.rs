//! Whether settings go together, what to warn of, and what they can cost.

use super::{AuthKey, Config, Limit, Machine, Material, StoreKind, format_duration};
use std::net::SocketAddr;
use std::time::Duration;
use tidings_auth::key::cache::MAX_SOURCES;

/// Two settings that can't both hold.
pub(super) struct Contradiction {
    /// The path of the one to change.
    pub key: &'static str,
    /// The arithmetic, and what to do.
    pub what: String,
}

/// Every contradiction in `config`.
pub(super) fn contradictions(config: &Config) -> Vec<Contradiction> {
    let mut found = Vec::new();
    let mut say = |key, what| found.push(Contradiction { key, what });
    if config.listen.is_empty() && config.tls.listen.is_empty() {
        say(
            "listen",
            "no address is given, such as \"127.0.0.1:8080\"".to_owned(),
        );
    }
    if let Some((key, what)) = half_of_tls(config) {
        say(key, what.to_owned());
    }
    let twice = |address: &&SocketAddr| address.port() != 0 && config.listen.contains(address);
    if let Some(address) = config.tls.listen.iter().find(twice) {
        say(
            "tls.listen",
            format!("{address} stands in listen too; an address is for HTTP or for HTTPS"),
        );
    }
    let exposed = config.exposed().filter(|_| !config.has_keys());
    if let (Some((key, address)), false) = (exposed, config.open) {
        say(
            key,
            format!(
                "{address} can be reached from other machines, and everyone who reaches the hub \
                 could publish and watch. Give it keys ([[auth.keys]]), or listen on 127.0.0.1, or \
                 say that this is meant: open = true (--open)"
            ),
        );
    }
    if config.open && config.has_keys() {
        say(
            "open",
            "open = true lets everyone publish and watch, and [auth] has keys, which are there so \
             that not everyone may: take one of the two away"
                .to_owned(),
        );
    }
    let urls = |key: &&AuthKey| matches!(key.material, Material::JwksUrl(_));
    if config.auth.keys.iter().filter(urls).count() > MAX_SOURCES {
        let what = format!("a hub fetches at most {MAX_SOURCES} documents of keys (jwks_url)");
        say("auth.keys", what);
    }
    if let Err(inconsistent) = config.limits_within(Machine::BOUNDLESS) {
        say(inconsistent.0, inconsistent.1);
    }
    let wire = config.limits.event_wire_bytes;
    if let Limit::AtMost(bytes) = config.retention.bytes
        && bytes < wire
    {
        say(
            "retention.bytes",
            format!("{bytes} can't hold one event of limits.event_wire_bytes = {wire}"),
        );
    }
    found
}

/// What is missing of `[tls]` where a part of it is given.
fn half_of_tls(config: &Config) -> Option<(&'static str, &'static str)> {
    let tls = &config.tls;
    match (
        !tls.listen.is_empty(),
        tls.certificate.is_some(),
        tls.key.is_some(),
    ) {
        (false, false, false) | (true, true, true) => None,
        (_, false, _) => Some((
            "tls.certificate",
            "the file of the certificate chain is missing; TLS takes tls.listen, tls.certificate \
             and tls.key",
        )),
        (_, true, false) => Some((
            "tls.key",
            "the file of the certificate's private key is missing; TLS takes tls.listen, \
             tls.certificate and tls.key",
        )),
        (false, true, true) => Some((
            "tls.listen",
            "no address is given for HTTPS, such as \"127.0.0.1:8443\"",
        )),
    }
}

impl Config {
    /// Whether tokens are asked for.
    pub fn has_keys(&self) -> bool {
        !self.auth.keys.is_empty()
    }

    /// Whether it listens for this machine alone.
    pub fn is_local(&self) -> bool {
        self.exposed().is_none()
    }

    /// An address that other machines can reach, and the setting it stands in.
    fn exposed(&self) -> Option<(&'static str, SocketAddr)> {
        let of = |key, addresses: &[SocketAddr]| {
            let mut addresses = addresses.iter();
            let address = addresses.find(|address| !address.ip().is_loopback())?;
            Some((key, *address))
        };
        of("listen", &self.listen).or_else(|| of("tls.listen", &self.tls.listen))
    }

    /// What is allowed but deserves a second thought, one sentence each. The hub
    /// says them when it starts.
    pub fn warnings(&self) -> Vec<String> {
        let mut found = self.notes.0.clone();
        let opens = !self.auth.anonymous.is_empty() || self.mercure.anonymous;
        if opens && !self.has_keys() {
            found.push(
                "anonymous says what needs no token, and without [[auth.keys]] nothing needs one"
                    .to_owned(),
            );
        }
        let plain = |key: &&AuthKey| match &key.material {
            Material::JwksUrl(url) => url.is_plain(),
            _ => false,
        };
        if self.auth.keys.iter().any(|key| plain(&key)) {
            found.push(
                "a jwks_url begins with http: who is on the way to it can put other keys in"
                    .to_owned(),
            );
        }
        match self.exposed() {
            Some((_, address)) if self.open => found.push(format!(
                "open = true on {address}: everyone who reaches this hub can publish and watch \
                 everything"
            )),
            None if self.open => found.push(
                "open = true: everyone who reaches this hub through a proxy can publish and watch \
                 everything"
                    .to_owned(),
            ),
            _ => {}
        }
        if self.stream.heartbeat > PROXY_TIMEOUT {
            found.push(format!(
                "stream.heartbeat = {}: many proxies end a connection after {} of silence",
                format_duration(self.stream.heartbeat),
                format_duration(PROXY_TIMEOUT)
            ));
        }
        let retention = &self.retention;
        let unbounded = retention.bytes == Limit::Unlimited
            && retention.age == Limit::Unlimited
            && retention.events == Limit::Unlimited;
        if unbounded {
            found.push(
                "retention has no bound: the log grows until the disk (or memory) is full"
                    .to_owned(),
            );
        }
        if self.store == StoreKind::Memory {
            found.push("store = \"memory\": all events are gone when the hub stops".to_owned());
        }
        found
    }
}

/// After this much silence nginx (`proxy_read_timeout`) and others give up.
const PROXY_TIMEOUT: Duration = Duration::from_secs(60);
