//! Documents of keys (RFC 7517 section 5).

use super::public::{check_modulus, check_point};
use super::{Key, Strictness, is_hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};
use serde_json::{Map, Value};
use std::fmt;

/// The longest document that is read, in bytes.
pub const MAX_BYTES: usize = 256 * 1024;
/// The most keys of one document.
pub const MAX_KEYS: usize = 100;

/// Why a document gives no keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidJwks {
    /// Longer than [`MAX_BYTES`].
    TooLong,
    /// Not an object with a list `keys`.
    Malformed,
    /// More keys than [`MAX_KEYS`].
    TooMany,
    /// None of its keys can verify with the algorithms that are allowed.
    NoKey,
}

impl fmt::Display for InvalidJwks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "the document of keys is longer than 256 KiB",
            Self::Malformed => "the document of keys isn't a JSON object with a list \"keys\"",
            Self::TooMany => "the document of keys has more than 100 keys",
            Self::NoKey => {
                "the document of keys has no public signature key for the algorithms that are \
                 configured"
            }
        })
    }
}

impl std::error::Error for InvalidJwks {}

/// Reads a document. Each key is pinned to the algorithms of `allowed` that it
/// is for: its own `alg` if it names one. Passed over is what can't verify
/// tokens: other uses and algorithms, unfit keys, private keys, and symmetric
/// ones, for a secret is nothing to be published in a document.
///
/// # Errors
/// [`InvalidJwks`], also if no key is left.
pub fn parse(
    document: &[u8],
    allowed: &[Algorithm],
    strictness: Strictness,
) -> Result<Vec<Key>, InvalidJwks> {
    if document.len() > MAX_BYTES {
        return Err(InvalidJwks::TooLong);
    }
    let document = crate::json::object(document).ok_or(InvalidJwks::Malformed)?;
    let listed = document.get("keys").and_then(Value::as_array);
    let listed = listed.ok_or(InvalidJwks::Malformed)?;
    if listed.len() > MAX_KEYS {
        return Err(InvalidJwks::TooMany);
    }
    let objects = listed.iter().filter_map(Value::as_object);
    let keys: Vec<Key> = objects
        .filter_map(|jwk| key(jwk, allowed, strictness))
        .collect();
    match keys.is_empty() {
        true => Err(InvalidJwks::NoKey),
        false => Ok(keys),
    }
}

fn key(jwk: &Map<String, Value>, allowed: &[Algorithm], strictness: Strictness) -> Option<Key> {
    if !verifies(jwk) {
        return None;
    }
    let fits = suitable(jwk)?;
    let named = match jwk.get("alg") {
        None => None,
        Some(alg) => Some(alg.as_str()?.parse::<Algorithm>().ok()?),
    };
    let mut algorithms: Vec<Algorithm> = allowed.to_vec();
    algorithms.retain(|algorithm| {
        fits.contains(algorithm)
            && !is_hmac(*algorithm)
            && named.is_none_or(|alg| alg == *algorithm)
    });
    let first = *algorithms.first()?;
    let (decoding, material) = match first.family() {
        AlgorithmFamily::Hmac => return None,
        AlgorithmFamily::Rsa => {
            let (n, e) = (bytes(jwk, "n")?, bytes(jwk, "e")?);
            check_modulus(&n).ok()?;
            (
                DecodingKey::from_rsa_raw_components(&n, &e),
                [n, e].concat(),
            )
        }
        AlgorithmFamily::Ec => {
            let (x, y) = (bytes(jwk, "x")?, bytes(jwk, "y")?);
            if x.len() != y.len() {
                return None;
            }
            let point = [&[4], &x[..], &y[..]].concat();
            check_point(&point, first).ok()?;
            (DecodingKey::from_ec_der(&point), point)
        }
        AlgorithmFamily::Ed => {
            let x = bytes(jwk, "x")?;
            check_point(&x, first).ok()?;
            (DecodingKey::from_ed_der(&x), x)
        }
    };
    let mut key = Key::new(decoding, &material, algorithms, strictness);
    if let Some(kid) = jwk.get("kid") {
        key.key_id = Some(kid.as_str()?.to_owned());
    }
    Some(key)
}

/// Whether the key is there to verify signatures, and public.
fn verifies(jwk: &Map<String, Value>) -> bool {
    let for_signatures = jwk.get("use").is_none_or(|usage| usage == "sig");
    let for_verifying = jwk.get("key_ops").is_none_or(|operations| {
        let listed = operations.as_array();
        listed.is_some_and(|listed| listed.iter().any(|operation| operation == "verify"))
    });
    for_signatures && for_verifying && !jwk.contains_key("d")
}

/// The algorithms that a key of its type can be for.
fn suitable(jwk: &Map<String, Value>) -> Option<&'static [Algorithm]> {
    use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    match (text("kty")?, text("crv")) {
        ("RSA", _) => Some(&[RS256, RS384, RS512, PS256, PS384, PS512]),
        ("EC", Some("P-256")) => Some(&[ES256]),
        ("EC", Some("P-384")) => Some(&[ES384]),
        ("OKP", Some("Ed25519")) => Some(&[EdDSA]),
        _ => None,
    }
}

fn bytes(jwk: &Map<String, Value>, name: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(jwk.get(name)?.as_str()?).ok()
}
