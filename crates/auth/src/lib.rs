//! Who may publish and watch: the sans-IO core of authorization.
//!
//! A request brings at most one token ([`presented`]). A [`Verifier`] turns it
//! into [`Rights`], or says why not. Every path on which events move asks
//! [`authorize`] the same question: may this [`Caller`] do this with an event
//! of these topics? Nothing is allowed that no rule allows.
//!
//! Time, randomness and fetched key documents are arguments. (The one
//! exception is [`mint`]: the library that signs draws the nonce of an ECDSA
//! signature itself.)
//!
//! No error quotes what it was given: a token, a secret or a claim never
//! reaches a log through this crate.
#![forbid(unsafe_code)]
// The order of a hash map is random: nothing may depend on it.
#![deny(clippy::iter_over_hash_type)]

pub mod authorize;
mod claims;
#[cfg(any(test, feature = "fuzz"))]
pub mod fuzz;
mod json;
pub mod key;
pub mod mint;
pub mod names;
pub mod origin;
pub mod presented;
pub mod refusal;
pub mod revocation;
pub mod rights;
pub mod ticket;
pub mod token;
mod verifier;

pub use authorize::{
    Action, Admission, Caller, Decision, Face, Policy, administer, authorize, identify,
};
pub use jsonwebtoken::Algorithm;
pub use key::cache::{Fetch, KeyCache, KeySource, SourceId};
pub use key::{Key, KeyError, Roles, Strictness, Weakness};
pub use names::TopicName;
pub use refusal::{Answer, Refusal, Scope};
pub use revocation::Revocations;
pub use rights::Rights;
pub use rights::grants::Grants;
pub use tidings_engine::{Selection, Selector, Timestamp, Topic, Visibility};
pub use tidings_mercure::Base;
pub use verifier::{MAX_LEEWAY_MS, Verdict, Verifier};
