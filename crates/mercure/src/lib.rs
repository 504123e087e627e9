//! The pure core of the Mercure protocol, in both living dialects: what
//! subscribers and publishers ask for, which topics a matcher matches, what a
//! hub says of itself. Nothing in here reads a clock, a socket, a file or a
//! random number, and nothing here decides who may do what: that is the one
//! `authorize` function's.
//!
//! - [`request`]: subscribe and publish requests, from their parts to types.
//! - [`document`]: the subscription API, the metadata, links.
//! - [`settings`]: the environment of a Mercure hub's container image.
#![forbid(unsafe_code)]
// The order of a hash map is random: nothing may depend on it.
#![deny(clippy::iter_over_hash_type)]

pub mod dialect;
pub mod document;
pub mod form;
pub mod refusal;
pub mod request;
pub mod settings;
pub mod topic;

pub use dialect::Dialect;
pub use refusal::{Refusal, RefusalKind, Unauthorized};
pub use tidings_engine::mercure as native;
pub use tidings_matcher as matcher;
pub use tidings_matcher::{Base, Index, Matcher, Subject, base};
