//! What a token grants, read from its claims.

mod given;
pub mod grants;
mod mercure;
mod native;
mod record;

pub use given::Given;
pub use record::{InvalidRecord, MAX_RECORD_BYTES};

use crate::Refusal;
use crate::claims::Registered;
use crate::key::{Roles, Signer, Strictness};
use crate::token::Kind;
use grants::Grants;
use serde_json::{Map, Value};
use tidings_engine::Timestamp;
use tidings_mercure::{Base, Dialect, Subject};

/// The most selectors of one list (Mercure #1260: without a bound, a token of a
/// thousand selectors and an event of a thousand topics are a million matches).
pub const MAX_SELECTORS: usize = 1000;
/// The most entries of `authorization_details`.
pub const MAX_DETAILS: usize = 100;
/// The longest payload that is shown with a presence, as JSON, in bytes.
pub const MAX_PAYLOAD_BYTES: usize = 4096;
/// What the rights of one token may take in memory: the token, four times as long
/// once it is read.
pub const MAX_BYTES: usize = 4 * crate::token::MAX_BYTES;
/// The least that [`Given`] rights may sensibly be bounded by, in bytes: in less there is
/// hardly room for the rights themselves, even if they grant nothing.
pub const MIN_BYTES: usize = 4096;

/// What a verified token grants, and who holds it.
#[derive(Debug, Clone, Default)]
pub struct Rights {
    /// Where it may publish.
    pub publish: Grants,
    /// What it may watch.
    pub subscribe: Grants,
    /// Whether it may use what is the operator's: the admin API and metrics. No
    /// grant on topics comes with it.
    pub admin: bool,
    /// Which Mercure its holder speaks: 1.0 if it is an access token.
    pub dialect: Dialect,
    /// What presence shows of the holder: the native claim or the application says it.
    shown: Option<Value>,
    /// What Mercure's claims say of the holder, for whoever may see Mercure's
    /// subscriptions.
    payloads: Vec<Payload>,
    /// `sub`.
    pub subject: Option<String>,
    /// `iss`.
    pub issuer: Option<String>,
    /// `jti`.
    pub token_id: Option<String>,
    /// From then on it grants nothing: `exp` and the leeway. `None` for a token of a legacy key
    /// without `exp`.
    pub expires: Option<Timestamp>,
    /// The earliest moment that `iat` may mean by the hub's clock: the issuer's
    /// may be ahead by the leeway.
    pub issued: Option<Timestamp>,
    /// Who has signed the token ([`crate::Verifier::vouches`]).
    pub(crate) signer: Option<Signer>,
    /// They are no token's: the application that the hub is in has given them.
    pub(crate) by_application: bool,
}

/// A payload for the subscriptions that these grants match.
#[derive(Clone)]
struct Payload {
    of: Grants,
    value: Value,
}

impl std::fmt::Debug for Payload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Payload")
            .field("of", &self.of)
            .finish_non_exhaustive()
    }
}

impl Rights {
    /// What presence shows of the holder. Never what Mercure's claims say: to see
    /// that takes a right of Mercure's.
    pub fn shown(&self) -> Option<&Value> {
        self.shown.as_ref()
    }

    /// What Mercure's description of a subscription to `matcher`, the selector as
    /// the watcher wrote it, says of the holder: what is [shown](Self::shown) of
    /// them, or else the payload of the first entry that grants it.
    pub fn payload(&self, matcher: &str, base: &Base) -> Option<&Value> {
        if self.shown.is_some() {
            return self.shown();
        }
        let matcher = Subject::new(matcher, base);
        let fits = |payload: &&Payload| payload.of.match_subject(&matcher);
        self.payloads
            .iter()
            .find(fits)
            .map(|payload| &payload.value)
    }

    /// Whether the token has expired.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|at| at <= now)
    }

    /// Whether the token is of a key that is for watching, whatever it grants:
    /// on Mercure's face that opens what is public.
    pub fn may_watch(&self) -> bool {
        self.by_application && !self.subscribe.is_empty()
            || self.signer.as_ref().is_some_and(|own| own.roles.subscribe)
    }

    /// Whether they name somebody: a token does by itself; an application gives
    /// rights to those too whom it doesn't know.
    pub fn name_somebody(&self) -> bool {
        !self.by_application || self.subject.is_some()
    }

    /// Whether the token may stand in a query: as Mercure 0.x has it, so with a
    /// legacy key alone, and not if it is an access token.
    pub fn may_stand_in_query(&self) -> bool {
        let legacy = |signer: &Signer| signer.strictness == Strictness::Legacy;
        self.dialect == Dialect::V0 && self.signer.as_ref().is_some_and(legacy)
    }

    /// Whether these rights may replace those of a connection that stands: the
    /// same issuer and the same subject, both named.
    pub fn may_renew(&self, standing: &Self) -> bool {
        self.subject.is_some() && self.subject == standing.subject && self.issuer == standing.issuer
    }

    pub(crate) fn restrict(&mut self, roles: Roles) {
        // Whoever holds a key for one half of a hub isn't its operator.
        self.admin &= roles.publish && roles.subscribe;
        if !roles.publish {
            self.publish = Grants::default();
        }
        if !roles.subscribe {
            self.subscribe = Grants::default();
            self.payloads.clear();
            self.shown = None;
        }
    }

    /// Takes over who holds the token, and its times, each for the more by what
    /// the clocks of hub and issuer may differ.
    pub(crate) fn identify(&mut self, claims: Registered, leeway_ms: u64) {
        let expires = claims.expires.map(|at| at.0.saturating_add(leeway_ms));
        let issued = claims.issued.map(|at| at.0.saturating_sub(leeway_ms));
        self.subject = claims.subject;
        self.issuer = claims.issuer;
        self.token_id = claims.token_id;
        self.issued = issued.map(Timestamp);
        self.expires = expires.map(Timestamp);
    }

    fn show(&mut self, value: &Value) -> Result<(), Refusal> {
        self.shown = Some(bounded(value)?);
        Ok(())
    }

    fn add_payload(&mut self, of: Grants, value: &Value) -> Result<(), Refusal> {
        let value = bounded(value)?;
        self.payloads.push(Payload { of, value });
        Ok(())
    }
}

fn bounded(payload: &Value) -> Result<Value, Refusal> {
    match payload.to_string().len() {
        ..=MAX_PAYLOAD_BYTES => Ok(payload.clone()),
        _ => Err(Refusal::Rights),
    }
}

/// Reads what the claims of a verified token grant.
pub(crate) fn read(
    claims: &Map<String, Value>,
    kind: Kind,
    strictness: Strictness,
    base: &Base,
) -> Result<Rights, Refusal> {
    let mut rights = Rights {
        dialect: match kind {
            Kind::Jwt => Dialect::V0,
            Kind::AccessToken => Dialect::V1,
        },
        ..Rights::default()
    };
    let native = claims.get("tidings");
    let details = claims.get("authorization_details");
    let legacy = mercure::legacy_claim(claims);
    // Each dialect of Mercure has its own kind of token. A token made for both
    // has both claims, and counts as what its header says it is.
    let access = kind == Kind::AccessToken;
    let fitting = details.filter(|_| access);
    let old = legacy.filter(|_| strictness == Strictness::Legacy && !access);
    if native.is_none() && fitting.is_none() && old.is_none() {
        if details.is_some() {
            return Err(Refusal::NotAccessToken);
        }
        if legacy.is_some() {
            return Err(Refusal::LegacyClaim);
        }
    }
    if let Some(claim) = native {
        native::read(claim, &mut rights)?;
    }
    if let Some(claim) = fitting {
        mercure::read_details(claim, base, &mut rights)?;
    }
    if let Some(claim) = old {
        mercure::read_legacy(claim, &mut rights)?;
    }
    Ok(rights)
}

/// A list of at most [`MAX_SELECTORS`] strings.
fn strings(list: &Value) -> Result<Vec<&str>, Refusal> {
    let list = list.as_array().ok_or(Refusal::Rights)?;
    if list.len() > MAX_SELECTORS {
        return Err(Refusal::TooMany);
    }
    let texts = list.iter().map(Value::as_str);
    texts.map(|text| text.ok_or(Refusal::Rights)).collect()
}
