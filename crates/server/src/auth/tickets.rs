//! Tickets: what stands in the query for a token.

use super::{Auth, Who};
use http::request;
use tidings_auth::Refusal;

/// Opens the ticket that a request presents.
///
/// # Errors
/// A ticket that this hub didn't make, that has been used, or whose time is
/// over.
pub fn open(_auth: &Auth, _ticket: &str, _head: &request::Parts) -> Result<Who, Refusal> {
    Err(Refusal::Ticket)
}
