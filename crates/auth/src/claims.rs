//! The registered claims (RFC 7519 section 4.1), with their types.

use crate::Refusal;
use serde_json::{Map, Value};
use tidings_engine::Timestamp;

/// The end of the year 9999: later times are mistakes (milliseconds, or an
/// overflow).
const MAX_SECONDS: u64 = 253_402_300_799;
/// The longest `iss`, `sub` and `jti`, in bytes.
const MAX_NAME_BYTES: usize = 1024;
/// The most audiences of one token.
const MAX_AUDIENCES: usize = 100;

/// The registered claims of a token.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Registered {
    pub issuer: Option<String>,
    pub subject: Option<String>,
    pub token_id: Option<String>,
    pub audiences: Option<Vec<String>>,
    pub expires: Option<Timestamp>,
    pub not_before: Option<Timestamp>,
    pub issued: Option<Timestamp>,
}

impl Registered {
    /// Reads them. A claim that is there has its type, or the token is
    /// refused: to pass over a `nbf` that is a string would be to believe the
    /// token more because it is malformed (CVE-2026-25537).
    pub fn read(claims: &Map<String, Value>) -> Result<Self, Refusal> {
        Ok(Self {
            issuer: name(claims.get("iss"))?,
            subject: name(claims.get("sub"))?,
            token_id: name(claims.get("jti"))?,
            audiences: audiences(claims.get("aud"))?,
            expires: time(claims.get("exp"))?,
            not_before: time(claims.get("nbf"))?,
            issued: time(claims.get("iat"))?,
        })
    }
}

fn name(claim: Option<&Value>) -> Result<Option<String>, Refusal> {
    match claim {
        None => Ok(None),
        Some(Value::String(name)) if name.len() <= MAX_NAME_BYTES => Ok(Some(name.clone())),
        Some(_) => Err(Refusal::ClaimType),
    }
}

fn time(claim: Option<&Value>) -> Result<Option<Timestamp>, Refusal> {
    let Some(claim) = claim else {
        return Ok(None);
    };
    match claim.as_u64() {
        Some(seconds) if seconds <= MAX_SECONDS => Ok(Some(Timestamp(seconds * 1000))),
        _ => Err(Refusal::ClaimType),
    }
}

fn audiences(claim: Option<&Value>) -> Result<Option<Vec<String>>, Refusal> {
    let one = |value: &Value| value.as_str().map(str::to_owned).ok_or(Refusal::ClaimType);
    match claim {
        None => Ok(None),
        Some(Value::Array(list)) if list.len() > MAX_AUDIENCES => Err(Refusal::TooMany),
        Some(Value::Array(list)) => list.iter().map(one).collect::<Result<_, _>>().map(Some),
        Some(value) => one(value).map(|audience| Some(vec![audience])),
    }
}
