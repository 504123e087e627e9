//! Keys that tokens are verified with. Each is pinned to its algorithms when
//! it is configured; a token only ever chooses among them.

pub mod cache;
pub mod jwks;
mod public;
mod secret;
mod signer;

pub use secret::Weakness;
pub(crate) use signer::{SignedBy, Signer};

use aws_lc_rs::digest::{Context, SHA256};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};
use serde::{Deserialize, Serialize};
use std::fmt;

/// How strictly the tokens of a key are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Strictness {
    /// `exp` and `aud` are required; Mercure 0.x claims are refused; a weak
    /// secret is an error.
    Strict,
    /// As Mercure 0.x hubs read them: `exp` and `aud` may be missing, the
    /// `mercure` claim grants rights, and a weak secret is a warning.
    Legacy,
}

/// What the tokens of a key may grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Roles {
    /// To publish.
    pub publish: bool,
    /// To watch.
    pub subscribe: bool,
}

impl Roles {
    /// Everything.
    pub const BOTH: Self = Self {
        publish: true,
        subscribe: true,
    };
    /// Publishing only, as the tokens of `MERCURE_PUBLISHER_JWT_KEY`.
    pub const PUBLISH: Self = Self {
        publish: true,
        subscribe: false,
    };
    /// Watching only, as the tokens of `MERCURE_SUBSCRIBER_JWT_KEY`.
    pub const SUBSCRIBE: Self = Self {
        publish: false,
        subscribe: true,
    };

    /// What either of both may grant.
    fn and(self, other: Self) -> Self {
        Self {
            publish: self.publish || other.publish,
            subscribe: self.subscribe || other.subscribe,
        }
    }
}

/// A key and what it vouches for. `Debug` doesn't show the key.
#[derive(Clone)]
pub struct Key {
    pub(crate) key: DecodingKey,
    /// Of the key alone.
    material: Mark,
    /// Of all that rights depend on which are read under it.
    pub(crate) mark: Mark,
    /// The document that was fetched; `None` for a key of the configuration or
    /// of a file.
    pub(crate) source: Option<Mark>,
    /// Of one family. One, unless a JWK of RSA names none.
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) key_id: Option<String>,
    pub(crate) issuer: Option<String>,
    pub(crate) strictness: Strictness,
    pub(crate) roles: Roles,
}

/// Tells a key, or the document it came in, from others without showing it:
/// what rights were read under a key end with it.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark([u8; 16]);

impl Mark {
    fn of(parts: &[&[u8]]) -> Self {
        let mut digest = Context::new(&SHA256);
        for part in parts {
            digest.update(&(part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        let mut mark = [0; 16];
        mark.copy_from_slice(&digest.finish().as_ref()[..16]);
        Self(mark)
    }
}

impl fmt::Debug for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mark(..)")
    }
}

/// Why a key can't be used. The hub refuses to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyError {
    /// A secret for an algorithm of public keys.
    NotForSecrets,
    /// A public key for HMAC: whoever knows it, and it is public, could sign.
    PublicKeyAsSecret,
    /// An empty secret.
    EmptySecret,
    /// A weak secret of a key that isn't legacy.
    Weak(Weakness),
    /// Not a PEM with a public key.
    NotPem,
    /// A PEM with a private key.
    PrivateKey,
    /// A PEM with a certificate.
    Certificate,
    /// The key is of another family than the algorithm.
    OtherFamily,
    /// RSA under 2,048 or over 8,192 bits.
    RsaSize,
    /// Not a point of the algorithm's curve, or one of small order.
    Point,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotForSecrets => {
                "the algorithm takes a public key in a PEM; a secret is for HS256, HS384 and HS512"
            }
            Self::PublicKeyAsSecret => {
                "this is a key in a PEM, a DER or a JWK, and the algorithm would use it as a secret \
                 (everybody who knows the public key could sign): set the algorithm to that of the \
                 key, such as ES256 or RS256"
            }
            Self::EmptySecret => "the secret is empty: everybody could sign",
            Self::Weak(weakness) => return weakness.fmt(f),
            Self::NotPem => {
                "this isn't a PEM with a public key (-----BEGIN PUBLIC KEY-----), without anything \
                 before and behind it"
            }
            Self::PrivateKey => {
                "this PEM holds a private key: the hub needs the public one (openssl pkey -pubout)"
            }
            Self::Certificate => {
                "this PEM holds a certificate: the hub needs its public key (openssl x509 -pubkey \
                 -noout)"
            }
            Self::OtherFamily => "the key isn't one for the algorithm",
            Self::RsaSize => "an RSA key has 2048 to 8192 bits",
            Self::Point => "the key isn't a usable point of the algorithm's curve",
        })
    }
}

impl std::error::Error for KeyError {}

impl Key {
    /// A secret for an HMAC algorithm.
    ///
    /// # Errors
    /// For another algorithm, for anything that looks like a public key, for an
    /// empty secret; and for a weak one unless the key is legacy: then the
    /// weakness is answered beside the key, to be warned of.
    pub fn from_secret(
        secret: &[u8],
        algorithm: Algorithm,
        strictness: Strictness,
    ) -> Result<(Self, Option<Weakness>), KeyError> {
        let weakness = secret::check(secret, algorithm)?;
        if let (Some(weakness), Strictness::Strict) = (weakness, strictness) {
            return Err(KeyError::Weak(weakness));
        }
        let key = DecodingKey::from_secret(secret);
        let key = Self::new(key, secret, vec![algorithm], strictness);
        Ok((key, weakness))
    }

    /// A public key in a PEM: `PUBLIC KEY` (SPKI) or `RSA PUBLIC KEY` (PKCS#1).
    ///
    /// # Errors
    /// If it is none, private, a certificate, of another family than
    /// `algorithm`, or not fit to verify with.
    pub fn from_pem(
        pem: &[u8],
        algorithm: Algorithm,
        strictness: Strictness,
    ) -> Result<Self, KeyError> {
        let key = public::from_pem(pem, algorithm)?;
        let material = key.try_get_as_bytes().map_err(|_| KeyError::NotPem)?;
        let material = material.to_vec();
        Ok(Self::new(key, &material, vec![algorithm], strictness))
    }

    fn new(
        key: DecodingKey,
        material: &[u8],
        algorithms: Vec<Algorithm>,
        strictness: Strictness,
    ) -> Self {
        let material = Mark::of(&[material]);
        let key = Self {
            key,
            material,
            mark: material,
            source: None,
            algorithms,
            key_id: None,
            issuer: None,
            strictness,
            roles: Roles::BOTH,
        };
        key.marked()
    }

    /// With the mark of what it is now: a key that is given other roles is
    /// another one to whoever holds its tokens.
    fn marked(self) -> Self {
        let terms = (&self.algorithms, &self.issuer, self.strictness, self.roles);
        let terms = format!("{terms:?}");
        let mark = Mark::of(&[&self.material.0, terms.as_bytes()]);
        Self { mark, ..self }
    }

    /// Tokens that name a `kid` are verified with this key only if it is this.
    #[must_use]
    pub fn with_key_id(self, key_id: impl Into<String>) -> Self {
        Self {
            key_id: Some(key_id.into()),
            ..self
        }
    }

    /// The key vouches for this `iss` only, and for that `iss` no key does that
    /// wasn't configured for it.
    #[must_use]
    pub fn with_issuer(self, issuer: impl Into<String>) -> Self {
        Self {
            issuer: Some(issuer.into()),
            ..self
        }
        .marked()
    }

    /// What its tokens may grant at most.
    #[must_use]
    pub fn with_roles(self, roles: Roles) -> Self {
        Self { roles, ..self }.marked()
    }

    /// Whether `signature` is of this key, over `signed`.
    pub(crate) fn verifies(&self, algorithm: Algorithm, signed: &str, signature: &str) -> bool {
        self.algorithms.contains(&algorithm)
            && jsonwebtoken::crypto::verify(signature, signed.as_bytes(), &self.key, algorithm)
                .unwrap_or(false)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("algorithms", &self.algorithms)
            .field("key_id", &self.key_id)
            .field("issuer", &self.issuer)
            .field("strictness", &self.strictness)
            .field("roles", &self.roles)
            .finish_non_exhaustive()
    }
}

/// Whether the algorithm signs with a shared secret.
pub fn is_hmac(algorithm: Algorithm) -> bool {
    algorithm.family() == AlgorithmFamily::Hmac
}
