//! Who makes a request.

use std::sync::Arc;
use tidings_auth::ticket::Ticket;
use tidings_auth::{Caller, Rights};

/// Who makes a request.
#[derive(Debug, Clone)]
pub enum Who {
    /// Nobody is named.
    Anonymous,
    /// Who holds a token with these rights.
    Holder(Arc<Rights>),
    /// Who holds a ticket: it opens or resumes one stream, with the rights of
    /// the token it was given for.
    Ticket(Arc<Ticket>, Use),
}

/// What a ticket is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// To open its stream.
    Opens,
    /// To go on with it: the request has a `Last-Event-ID`, as an EventSource
    /// sends it when it comes back. Nothing in the URL makes it so, which a page
    /// may have copied.
    Resumes,
}

impl Who {
    /// What the token grants, if there is one.
    pub fn rights(&self) -> Option<&Arc<Rights>> {
        match self {
            Self::Anonymous => None,
            Self::Holder(rights) => Some(rights),
            Self::Ticket(ticket, _) => Some(&ticket.rights),
        }
    }

    /// Whom [`tidings_auth::authorize`] is to decide about.
    pub fn caller(&self) -> Caller<'_> {
        match self.rights() {
            None => Caller::Anonymous,
            Some(rights) => Caller::Token(rights),
        }
    }
}
