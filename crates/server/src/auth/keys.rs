//! The keys of a configuration: those it holds, those in its files, and where
//! the others are to be fetched.

use crate::config::{self, AuthKey, ConfigError, ConfigErrors, Material, Name, Place, Secret};
use crate::files;
use std::path::Path;
use tidings_auth::key::jwks;
use tidings_auth::{Key, KeyCache, KeySource, Verifier, Weakness};
use tidings_mercure::Base;

/// What verifies tokens at first.
pub struct Keys {
    keys: Vec<Key>,
    sources: Vec<KeySource>,
    /// What deserves a second thought, one sentence each.
    pub warnings: Vec<String>,
}

impl Keys {
    /// Reads the keys that `auth` names.
    ///
    /// # Errors
    /// What is wrong with which. Never what it holds.
    pub fn read(auth: &config::Auth) -> Result<Self, ConfigErrors> {
        let mut found = Self {
            keys: Vec::new(),
            sources: Vec::new(),
            warnings: Vec::new(),
        };
        let mut errors = Vec::new();
        for (index, key) in auth.keys.iter().enumerate() {
            let fault = |what: &str| fault(index, key, what);
            if let Err(what) = found.add(key, |what| fault(what).to_string()) {
                errors.push(fault(&what));
            }
        }
        match errors.is_empty() {
            true => Ok(found),
            false => Err(ConfigErrors(errors)),
        }
    }

    fn add(&mut self, key: &AuthKey, say: impl Fn(&str) -> String) -> Result<(), String> {
        match &key.material {
            Material::Secret(Secret(text)) => {
                let weakness = self.add_secret(key, text.as_bytes())?;
                self.warnings.extend(weakness.map(|text| say(&text)));
            }
            Material::SecretFile(path) => {
                let secret = files::read(path)?;
                let weakness = self.add_secret(key, without_line_end(&secret))?;
                self.warnings.extend(weakness.map(|text| say(&text)));
                self.warnings.extend(files::openness(path).map(say));
            }
            Material::Pem(Secret(text)) => self.add_pem(key, text.as_bytes())?,
            Material::PemFile(path) => self.add_pem(key, &files::read(path)?)?,
            Material::JwksFile(path) => self.add_document(key, path)?,
            Material::JwksUrl(url) => self.sources.push(KeySource {
                url: url.0.clone(),
                issuer: key.issuer.as_ref().map(|Name(issuer)| issuer.clone()),
                algorithms: key.algorithms.clone(),
                strictness: key.strictness(),
                roles: key.roles(),
            }),
        }
        Ok(())
    }

    fn add_secret(&mut self, key: &AuthKey, secret: &[u8]) -> Result<Option<String>, String> {
        let (keys, weakness) = key.of_secret(secret).map_err(|error| error.to_string())?;
        self.keys.extend(keys);
        let sentence =
            |weakness: Weakness| format!("{weakness}; it is taken only because the key is legacy");
        Ok(weakness.map(sentence))
    }

    fn add_pem(&mut self, key: &AuthKey, pem: &[u8]) -> Result<(), String> {
        let keys = key.of_pem(pem).map_err(|error| error.to_string())?;
        self.keys.extend(keys);
        Ok(())
    }

    fn add_document(&mut self, key: &AuthKey, path: &Path) -> Result<(), String> {
        let document = files::read(path)?;
        let keys = jwks::parse(&document, &key.algorithms, key.strictness());
        let keys = keys.map_err(|error| error.to_string())?;
        self.keys
            .extend(keys.into_iter().map(|own| key.vouching(own)));
        Ok(())
    }

    /// Whether there are documents to be fetched.
    pub fn fetches(&self) -> bool {
        !self.sources.is_empty()
    }

    /// A cache of the documents that are to be fetched.
    pub fn cache(&self) -> KeyCache {
        // The configuration was checked to have no more than there may be.
        KeyCache::new(self.sources.clone()).unwrap_or_default()
    }

    /// Verifies tokens for the hub at `base`.
    pub fn verifier(self, auth: &config::Auth, cache: KeyCache, base: Base) -> Verifier {
        let audiences = auth.audiences.iter().map(|Name(name)| name.clone());
        let leeway = u64::try_from(auth.leeway.as_millis()).unwrap_or(u64::MAX);
        Verifier::new(self.keys, cache, base)
            .with_audiences(audiences)
            .with_leeway_ms(leeway)
    }
}

/// Reads and checks the keys of a configuration, as a hub does when it starts.
/// Answers what deserves a second thought about them, a sentence each.
///
/// # Errors
/// What is wrong with which key.
pub fn check(config: &config::Config) -> Result<Vec<String>, ConfigErrors> {
    Ok(Keys::read(&config.auth)?.warnings)
}

fn fault(index: usize, key: &AuthKey, what: &str) -> ConfigError {
    let name = key.material.name();
    let file = match &key.material {
        Material::SecretFile(path) | Material::PemFile(path) | Material::JwksFile(path) => {
            format!(" {}", path.display())
        }
        _ => String::new(),
    };
    ConfigError {
        place: Place::Setting("auth.keys"),
        what: format!("key {}, {name}{file}: {what}", index + 1),
    }
}

/// An editor, or `openssl rand -base64`, puts a line end behind a secret.
fn without_line_end(secret: &[u8]) -> &[u8] {
    let secret = secret.strip_suffix(b"\n").unwrap_or(secret);
    secret.strip_suffix(b"\r").unwrap_or(secret)
}
