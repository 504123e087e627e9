//! `[[auth.keys]]`: the keys that tokens are verified with.

use super::fault::Fault;
use super::tables::{Keys, read_table, write_table};
use super::value::{DocumentUrl, Name, Role, Secret, Setting};
use std::path::PathBuf;
use tidings_auth::key::is_hmac;
use tidings_auth::{Algorithm, Key, KeyError, Roles, Strictness, Weakness};
use toml::Spanned;
use toml::de::DeValue;

/// A key, or a document of them, and what its tokens may grant.
#[derive(Debug, Clone, PartialEq)]
pub struct AuthKey {
    /// What its tokens may be signed with: at least one.
    pub algorithms: Vec<Algorithm>,
    /// The key, or where it is.
    pub material: Material,
    /// The `iss` that it vouches for.
    pub issuer: Option<Name>,
    /// The `kid` that its tokens may name.
    pub key_id: Option<Name>,
    /// Whether its tokens are read as Mercure 0.x does.
    pub legacy: bool,
    /// What its tokens may grant: at least one.
    pub roles: Vec<Role>,
}

/// A key, or where it is.
#[derive(Debug, Clone, PartialEq)]
pub enum Material {
    /// A secret for HMAC.
    Secret(Secret),
    /// A file with such a secret; a line end behind it doesn't count.
    SecretFile(PathBuf),
    /// A public key as PEM.
    Pem(Secret),
    /// A file with such a key.
    PemFile(PathBuf),
    /// A file with a document of keys (RFC 7517).
    JwksFile(PathBuf),
    /// Where such a document is fetched from.
    JwksUrl(DocumentUrl),
}

impl Material {
    /// The setting it stands in.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Secret(_) => "secret",
            Self::SecretFile(_) => "secret_file",
            Self::Pem(_) => "pem",
            Self::PemFile(_) => "pem_file",
            Self::JwksFile(_) => "jwks_file",
            Self::JwksUrl(_) => "jwks_url",
        }
    }

    fn is_document(&self) -> bool {
        matches!(self, Self::JwksFile(_) | Self::JwksUrl(_))
    }
}

impl AuthKey {
    /// A key of a Mercure hub's environment.
    pub(super) fn legacy(algorithms: Vec<Algorithm>, material: Material, role: Role) -> Self {
        Self {
            algorithms,
            material,
            issuer: None,
            key_id: None,
            legacy: true,
            roles: vec![role],
        }
    }

    /// How its tokens are read.
    pub fn strictness(&self) -> Strictness {
        match self.legacy {
            true => Strictness::Legacy,
            false => Strictness::Strict,
        }
    }

    /// What its tokens may grant.
    pub fn roles(&self) -> Roles {
        Roles {
            publish: self.roles.contains(&Role::Publish),
            subscribe: self.roles.contains(&Role::Subscribe),
        }
    }

    /// The keys of a secret, one for each algorithm, and what is weak about it.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn of_secret(&self, secret: &[u8]) -> Result<(Vec<Key>, Option<Weakness>), KeyError> {
        let mut weakness = None;
        let mut one = |algorithm| {
            let (key, weak) = Key::from_secret(secret, algorithm, self.strictness())?;
            weakness = weakness.or(weak);
            Ok(self.vouching(key))
        };
        let keys = self.algorithms.iter().map(|algorithm| one(*algorithm));
        Ok((keys.collect::<Result<_, _>>()?, weakness))
    }

    /// The keys of a PEM, one for each algorithm.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn of_pem(&self, pem: &[u8]) -> Result<Vec<Key>, KeyError> {
        let one = |algorithm: &Algorithm| {
            let key = Key::from_pem(pem, *algorithm, self.strictness())?;
            Ok(self.vouching(key))
        };
        self.algorithms.iter().map(one).collect()
    }

    /// The key, as far as it is configured for some tokens only.
    pub fn vouching(&self, mut key: Key) -> Key {
        if let Some(Name(issuer)) = &self.issuer {
            key = key.with_issuer(issuer);
        }
        if let Some(Name(key_id)) = &self.key_id {
            key = key.with_key_id(key_id);
        }
        key.with_roles(self.roles())
    }

    /// Checks what can be checked without opening a file.
    ///
    /// # Errors
    /// The setting that is wrong, and what is.
    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        let name = self.material.name();
        let of_key = |error: KeyError| (name, error.to_string());
        if self.material.is_document() {
            if self.algorithms.iter().any(|own| is_hmac(*own)) {
                let what = "a document of keys has public keys only: HS256, HS384 and HS512 take \
                            a secret";
                return Err(("algorithms", what.to_owned()));
            }
            if self.key_id.is_some() {
                let what = "the keys of a document have their own key ids";
                return Err(("key_id", what.to_owned()));
            }
        }
        match &self.material {
            Material::Secret(Secret(text)) => {
                self.of_secret(text.as_bytes()).map(drop).map_err(of_key)
            }
            Material::Pem(Secret(text)) => self.of_pem(text.as_bytes()).map(drop).map_err(of_key),
            _ => Ok(()),
        }
    }

    fn read(keys: &mut Keys<'_>) -> Option<Self> {
        const WITHOUT: &str = "no algorithm is given: write algorithms = [\"ES256\"], or that of \
                               the key";
        let algorithms: Option<Vec<Algorithm>> = keys.take("algorithms");
        let materials = [
            keys.take("secret").map(Material::Secret),
            keys.take("secret_file").map(Material::SecretFile),
            keys.take("pem").map(Material::Pem),
            keys.take("pem_file").map(Material::PemFile),
            keys.take("jwks_file").map(Material::JwksFile),
            keys.take("jwks_url").map(Material::JwksUrl),
        ];
        let issuer = keys.take("issuer");
        let key_id = keys.take("key_id");
        let legacy = keys.take("legacy");
        let roles: Option<Vec<Role>> = keys.take("roles");
        if !keys.has("algorithms") {
            keys.fault(WITHOUT);
        } else if algorithms.as_ref().is_some_and(Vec::is_empty) {
            keys.fault_of("algorithms", WITHOUT);
        }
        if roles.as_ref().is_some_and(Vec::is_empty) {
            let what =
                "a key without a role grants nothing: write \"publish\", \"subscribe\" or both";
            keys.fault_of("roles", what);
        }
        let mut given = materials.into_iter().flatten();
        let (first, second) = (given.next(), given.next());
        match (&first, &second) {
            (Some(_), Some(second)) => {
                let what = "a key is one of secret, secret_file, pem, pem_file, jwks_file and \
                            jwks_url";
                keys.fault_of(second.name(), what);
            }
            (None, _) if keys.is_sound() => keys.fault(
                "no key is given: write secret, secret_file, pem, pem_file, jwks_file or jwks_url",
            ),
            _ => {}
        }
        if !keys.is_sound() {
            return None;
        }
        let key = Self {
            algorithms: algorithms?,
            material: first?,
            issuer,
            key_id,
            legacy: legacy.unwrap_or(false),
            roles: roles.unwrap_or_else(Role::all),
        };
        if let Err((name, what)) = key.check() {
            keys.fault_of(name, what);
        }
        Some(key)
    }
}

impl Setting for AuthKey {
    const WANTED: &'static str =
        "a table such as { algorithms = [\"ES256\"], pem_file = \"issuer.pem\" }";
    const SPLITS_AT_COMMAS: bool = false;

    fn from_text(_: &str) -> Result<Self, Fault> {
        Err(Fault::new(format!("expected {}", Self::WANTED)))
    }

    fn to_toml(&self) -> String {
        let material = match &self.material {
            Material::Secret(text) | Material::Pem(text) => text.to_toml(),
            Material::SecretFile(path) | Material::PemFile(path) | Material::JwksFile(path) => {
                path.to_toml()
            }
            Material::JwksUrl(url) => url.to_toml(),
        };
        write_table([
            ("algorithms", Some(self.algorithms.to_toml())),
            (self.material.name(), Some(material)),
            ("issuer", self.issuer.as_ref().map(Setting::to_toml)),
            ("key_id", self.key_id.as_ref().map(Setting::to_toml)),
            ("legacy", Some(self.legacy.to_toml())),
            ("roles", Some(self.roles.to_toml())),
        ])
    }

    fn from_toml(value: &Spanned<DeValue<'_>>) -> Result<Self, Vec<Fault>> {
        read_table(value, "auth.keys", Self::read)
    }
}
