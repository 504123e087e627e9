//! Making tokens, for tools and tests. A hub never does.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, AlgorithmFamily, EncodingKey};
use serde_json::{Map, Value, json};
use std::fmt;

/// A key that signs. `Debug` doesn't show it.
pub struct SigningKey {
    key: EncodingKey,
    algorithm: Algorithm,
}

/// Why nothing was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MintError {
    /// The algorithm takes a private key in a PEM.
    NotForSecrets,
    /// The algorithm takes a secret.
    NotForKeys,
    /// Not a private key for the algorithm.
    Key,
}

impl fmt::Display for MintError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotForSecrets => "the algorithm signs with a private key in a PEM, not a secret",
            Self::NotForKeys => "HS256, HS384 and HS512 sign with a secret, not with a PEM",
            Self::Key => {
                "this isn't a private key for the algorithm in a PEM (-----BEGIN PRIVATE KEY-----; \
                 other forms become that with: openssl pkcs8 -topk8 -nocrypt)"
            }
        })
    }
}

impl std::error::Error for MintError {}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({:?})", self.algorithm)
    }
}

impl SigningKey {
    /// A secret, for an HMAC algorithm. It may be weak: a token for a hub with
    /// a weak one has to be made somehow.
    ///
    /// # Errors
    /// For other algorithms.
    pub fn from_secret(secret: &[u8], algorithm: Algorithm) -> Result<Self, MintError> {
        match crate::key::is_hmac(algorithm) {
            true => Ok(Self {
                key: EncodingKey::from_secret(secret),
                algorithm,
            }),
            false => Err(MintError::NotForSecrets),
        }
    }

    /// A private key in a PEM (PKCS#8, or PKCS#1 for RSA).
    ///
    /// # Errors
    /// If it isn't one for the algorithm.
    pub fn from_pem(pem: &[u8], algorithm: Algorithm) -> Result<Self, MintError> {
        let key = match algorithm.family() {
            AlgorithmFamily::Hmac => return Err(MintError::NotForKeys),
            AlgorithmFamily::Rsa => EncodingKey::from_rsa_pem(pem),
            AlgorithmFamily::Ec => EncodingKey::from_ec_pem(pem),
            AlgorithmFamily::Ed => EncodingKey::from_ed_pem(pem),
        };
        let key = key.map_err(|_| MintError::Key)?;
        let key = Self { key, algorithm };
        // The library looks at the key only when it signs.
        key.sign(b"").map(|_| key)
    }

    /// Signs claims into a token, with `typ` and perhaps a `kid`.
    ///
    /// # Errors
    /// If the key can't sign after all.
    pub fn mint(
        &self,
        claims: &Map<String, Value>,
        typ: &str,
        key_id: Option<&str>,
    ) -> Result<String, MintError> {
        let mut header = json!({ "alg": format!("{:?}", self.algorithm), "typ": typ });
        if let Some(key_id) = key_id {
            header["kid"] = key_id.into();
        }
        let claims = Value::Object(claims.clone());
        self.mint_raw(header.to_string().as_bytes(), claims.to_string().as_bytes())
    }

    /// Signs any header and claims, also such as no hub takes.
    ///
    /// # Errors
    /// If the key can't sign after all.
    pub fn mint_raw(&self, header: &[u8], claims: &[u8]) -> Result<String, MintError> {
        let header = URL_SAFE_NO_PAD.encode(header);
        let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims));
        let signature = self.sign(signed.as_bytes())?;
        Ok(format!("{signed}.{signature}"))
    }

    fn sign(&self, bytes: &[u8]) -> Result<String, MintError> {
        jsonwebtoken::crypto::sign(bytes, &self.key, self.algorithm).map_err(|_| MintError::Key)
    }
}
