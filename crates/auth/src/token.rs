//! The outer form of a token: a compact JWS (RFC 7515 section 7.1), taken
//! apart under bounds and before any signature is looked at.

use crate::Refusal;
use crate::json;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use serde_json::{Map, Value};

/// The longest token that is read, in bytes.
pub const MAX_BYTES: usize = 16 * 1024;
/// The longest header, encoded. A chain of certificates doesn't fit, and isn't read.
const MAX_HEADER_BYTES: usize = 4 * 1024;
/// The longest signature, encoded: that of an RSA key of 8,192 bits.
const MAX_SIGNATURE_BYTES: usize = 1366;
/// The longest `kid`, in bytes.
const MAX_KEY_ID_BYTES: usize = 256;
/// The most members of the header and of the claims.
const MAX_MEMBERS: usize = 256;

/// A token in parts. Nothing in it has been verified.
#[derive(Clone)]
pub struct Unverified<'a> {
    /// What its header says.
    pub header: Header,
    /// What its claims say.
    pub claims: Map<String, Value>,
    /// What was signed: the encoded header and claims.
    pub(crate) signed: &'a str,
    /// The encoded signature.
    pub(crate) signature: &'a str,
}

/// What a header says of the token, as far as a hub listens to it. Keys and
/// places of keys (`jwk`, `jku`, `x5u`, `x5c`) are not for the token to choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// `alg`, if it is one that exists here; `none` is not.
    pub algorithm: Algorithm,
    /// `kid`: a hint as to which of the configured keys.
    pub key_id: Option<String>,
    /// `typ`.
    pub kind: Kind,
}

/// The kind of a token, by its `typ`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// None, or `JWT`.
    Jwt,
    /// `at+jwt`: an access token (RFC 9068), in Mercure 1.0 the only kind.
    AccessToken,
}

impl<'a> Unverified<'a> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// [`Refusal`] says which rule of form it breaks. The cost is bounded by
    /// [`MAX_BYTES`].
    pub fn parse(token: &'a str) -> Result<Self, Refusal> {
        if token.len() > MAX_BYTES {
            return Err(Refusal::TokenTooLong);
        }
        let malformed = Refusal::TokenMalformed;
        let (signed, signature) = token.rsplit_once('.').ok_or(malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(malformed)?;
        if header.is_empty() || claims.is_empty() || signature.is_empty() || claims.contains('.') {
            return Err(malformed);
        }
        if header.len() > MAX_HEADER_BYTES || signature.len() > MAX_SIGNATURE_BYTES {
            return Err(malformed);
        }
        // Refused here, so that a signature has one spelling only.
        decode(signature)?;
        let header = Header::parse(&decode(header)?)?;
        let claims = json::object(&decode(claims)?).ok_or(Refusal::ClaimsMalformed)?;
        if claims.len() > MAX_MEMBERS {
            return Err(Refusal::TooMany);
        }
        Ok(Self {
            header,
            claims,
            signed,
            signature,
        })
    }
}

/// base64url without padding, without anything that would be skipped, and with
/// the unused bits zero (RFC 7515 section 2).
fn decode(text: &str) -> Result<Vec<u8>, Refusal> {
    URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|_| Refusal::TokenMalformed)
}

impl Header {
    fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let header = json::object(bytes).ok_or(Refusal::HeaderMalformed)?;
        if header.len() > MAX_MEMBERS {
            return Err(Refusal::TooMany);
        }
        // RFC 7515 section 4.1.11: what is critical and not understood has to
        // be refused; nothing is understood that could be critical.
        const UNSUPPORTED: [&str; 5] = ["crit", "zip", "b64", "enc", "cty"];
        if UNSUPPORTED.iter().any(|name| header.contains_key(*name)) {
            return Err(Refusal::HeaderUnsupported);
        }
        let algorithm = header.get("alg").and_then(Value::as_str);
        let algorithm = algorithm.and_then(|name| name.parse().ok());
        Ok(Self {
            algorithm: algorithm.ok_or(Refusal::Algorithm)?,
            key_id: key_id(header.get("kid"))?,
            kind: kind(header.get("typ"))?,
        })
    }
}

fn key_id(kid: Option<&Value>) -> Result<Option<String>, Refusal> {
    match kid {
        None => Ok(None),
        Some(Value::String(kid)) if (1..=MAX_KEY_ID_BYTES).contains(&kid.len()) => {
            Ok(Some(kid.clone()))
        }
        Some(_) => Err(Refusal::KeyId),
    }
}

/// RFC 7515 section 4.1.9: `application/` may be left out, case doesn't matter.
fn kind(typ: Option<&Value>) -> Result<Kind, Refusal> {
    let Some(typ) = typ else {
        return Ok(Kind::Jwt);
    };
    let typ = typ.as_str().ok_or(Refusal::Type)?.to_ascii_lowercase();
    match typ.strip_prefix("application/").unwrap_or(&typ) {
        "jwt" => Ok(Kind::Jwt),
        "at+jwt" => Ok(Kind::AccessToken),
        _ => Err(Refusal::Type),
    }
}
