//! What a request does to topics beside publishing to them.

use crate::http::query::Query;
use crate::http::{Code, Problem};
use tidings_engine::Kind;

/// What the query asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Effect {
    /// Behind its events the topic ends.
    pub closes: bool,
    /// Its events open topics that are closed.
    pub reopens: bool,
}

impl Effect {
    /// Reads `close` and `reopen`.
    ///
    /// # Errors
    /// `400` if one of them is anything but `1`.
    pub fn of(query: &Query) -> Result<Self, Problem> {
        Ok(Self {
            closes: flag(query, "close")?,
            reopens: flag(query, "reopen")?,
        })
    }

    /// What its events do.
    pub fn kind(self) -> Kind {
        match self.reopens {
            true => Kind::Reopening,
            false => Kind::Event,
        }
    }
}

fn flag(query: &Query, name: &'static str) -> Result<bool, Problem> {
    match query.one(name)? {
        None => Ok(false),
        Some("1") => Ok(true),
        Some(_) => Err(Problem::new(
            Code::BadRequest,
            format!("'{name}' can only be '1'"),
        )),
    }
}
