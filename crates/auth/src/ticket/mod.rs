//! Tickets: for a page that can neither set headers nor use cookies. An opaque
//! value in the query stands for a token: it opens one stream within a minute,
//! and until the token expires resumes that stream, ending the one it replaces.

mod sealed;
mod used;

pub use sealed::{Ticket, TicketId, TicketKey};
pub use used::{StreamId, UsedTickets};

/// How long a ticket may wait before it opens its stream, in milliseconds.
pub const OPENS_WITHIN_MS: u64 = 60_000;
/// How many times a ticket's stream may be taken from another that is still
/// carried, beyond one each [`CALM_MS`]. A client whose connection was cut
/// stays below it; two that hold the same ticket and take the stream from each
/// other don't.
pub const CONTESTS: u64 = 8;
/// See [`CONTESTS`]; in milliseconds.
pub const CALM_MS: u64 = 30_000;
/// How long the ticket of a token without `exp` resumes its stream, in
/// milliseconds.
pub const LONGEST_MS: u64 = 24 * 3_600_000;
