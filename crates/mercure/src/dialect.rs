//! The two living versions of the protocol.

/// Which Mercure is spoken: it is told apart per request and per token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Dialect {
    /// 0.x: draft-dunglas-mercure-07, hubs up to 0.24.
    #[default]
    V0,
    /// 1.0: draft-dunglas-mercure-08.
    V1,
}

impl Dialect {
    /// The response header that names the event before the first one sent, or
    /// [`EARLIEST`]: it is there if the request brought a cursor, even an empty one.
    pub fn last_event_id_header(self) -> &'static str {
        match self {
            Self::V0 => "Last-Event-ID",
            Self::V1 => "Mercure-Last-Event-ID",
        }
    }

    /// The cookie that carries a token.
    pub fn cookie(self) -> &'static str {
        match self {
            Self::V0 => "mercureAuthorization",
            Self::V1 => "__Secure-mercure_access_token",
        }
    }
}

/// The cursor before everything that is kept; as an answer, the state of a
/// client that nothing kept came before.
pub const EARLIEST: &str = "earliest";
