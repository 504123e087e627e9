//! Where a request carries its token. A cookie yields to what the page has
//! chosen. Of the rest at most one may stand: two that differ would be read
//! differently by the hub and by whoever stands before it.

use crate::Refusal;
use std::fmt;
use url::form_urlencoded;

/// The cookie of Mercure 0.x.
pub const MERCURE_COOKIE: &str = "mercureAuthorization";
/// The cookie of Mercure 1.0.
pub const ACCESS_TOKEN_COOKIE: &str = "__Secure-mercure_access_token";
/// The query parameter of a ticket.
pub const TICKET_PARAMETER: &str = "ticket";
/// The query parameter of Mercure 0.x.
pub const QUERY_PARAMETER: &str = "authorization";

/// The parts of a request that may carry a token, as they came.
#[derive(Clone, Copy, Default)]
pub struct Parts<'a> {
    /// Every value of `Authorization`.
    pub authorization: &'a [&'a [u8]],
    /// Every value of `Cookie`.
    pub cookie: &'a [&'a [u8]],
    /// The query, without its `?`.
    pub query: &'a str,
}

/// How a hub takes tokens.
#[derive(Debug, Clone)]
pub struct Options {
    /// The names of cookies that hold a token, from the first to the last.
    pub cookies: Vec<String>,
    /// Whether a token may stand in the query: only with a legacy key, whose
    /// tokens alone may ([`crate::Rights::may_stand_in_query`]).
    pub query_token: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cookies: vec![MERCURE_COOKIE.to_owned(), ACCESS_TOKEN_COOKIE.to_owned()],
            query_token: false,
        }
    }
}

/// What a request presents. `Debug` doesn't show it.
#[derive(Clone, PartialEq, Eq)]
pub enum Presented {
    /// Nothing: anonymous.
    Nothing,
    /// A token in `Authorization`.
    Bearer(String),
    /// A token in the query.
    Query(String),
    /// A token in a cookie: whoever writes with it has to come from a known
    /// origin ([`crate::origin::check`]).
    Cookie(String),
    /// A ticket.
    Ticket(String),
}

impl fmt::Debug for Presented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "Nothing",
            Self::Bearer(_) => "Bearer(..)",
            Self::Query(_) => "Query(..)",
            Self::Cookie(_) => "Cookie(..)",
            Self::Ticket(_) => "Ticket(..)",
        })
    }
}

impl Presented {
    /// Finds what a request presents.
    ///
    /// # Errors
    /// If there is more than one and they differ, a query token where none is
    /// taken, or an `Authorization` that isn't `Bearer`.
    pub fn find(parts: Parts<'_>, options: &Options) -> Result<Self, Refusal> {
        let bearer = bearer(parts.authorization)?;
        let cookie = cookie(parts.cookie, &options.cookies)?;
        let ticket = parameter(parts.query, TICKET_PARAMETER)?;
        let query = parameter(parts.query, QUERY_PARAMETER)?;
        if query.is_some() && !options.query_token {
            return Err(Refusal::QueryToken);
        }
        let chosen: Vec<Self> = [
            bearer.map(Self::Bearer),
            query.map(Self::Query),
            ticket.map(Self::Ticket),
        ]
        .into_iter()
        .flatten()
        .collect();
        let mut all = chosen.iter();
        let cookie = cookie.map(Self::Cookie);
        let first = match (all.next(), cookie) {
            (None, None) => return Ok(Self::Nothing),
            (None, Some(cookie)) => return Ok(cookie),
            // A browser sends cookies on its own: what the page has chosen goes first.
            (Some(first), _) => first,
        };
        match all.all(|other| first.is(other)) {
            true => Ok(first.clone()),
            false => Err(Refusal::Ambiguous),
        }
    }

    /// Whether both present the same token. A ticket isn't one.
    fn is(&self, other: &Self) -> bool {
        match (self.token(), other.token()) {
            (Some(own), Some(other)) => own == other,
            _ => false,
        }
    }

    /// The token, if it is one.
    pub fn token(&self) -> Option<&str> {
        match self {
            Self::Bearer(token) | Self::Query(token) | Self::Cookie(token) => Some(token),
            Self::Nothing | Self::Ticket(_) => None,
        }
    }
}

/// RFC 6750 section 2.1. The scheme's letters may be of either case.
fn bearer(values: &[&[u8]]) -> Result<Option<String>, Refusal> {
    let value = match values {
        [] => return Ok(None),
        [value] => std::str::from_utf8(value).map_err(|_| Refusal::Scheme)?,
        _ => return Err(Refusal::Ambiguous),
    };
    let (scheme, token) = value.split_once(' ').ok_or(Refusal::Scheme)?;
    let token = token.trim_start_matches(' ');
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() || !token.bytes().all(plain) {
        return Err(Refusal::Scheme);
    }
    Ok(Some(token.to_owned()))
}

/// The value of the first name that stands; all values of one name are equal.
fn cookie(values: &[&[u8]], names: &[String]) -> Result<Option<String>, Refusal> {
    for name in names {
        let mut found: Option<&[u8]> = None;
        for value in values
            .iter()
            .flat_map(|value| value.split(|byte| *byte == b';'))
        {
            let mut halves = value.trim_ascii().splitn(2, |byte| *byte == b'=');
            if halves.next() != Some(name.as_bytes()) {
                continue;
            }
            let value = halves.next().unwrap_or_default();
            if found.is_some_and(|found| found != value) {
                return Err(Refusal::Ambiguous);
            }
            found = Some(value);
        }
        if let Some(value) = found {
            let value = String::from_utf8(value.to_vec());
            return value.map(Some).map_err(|_| Refusal::TokenMalformed);
        }
    }
    Ok(None)
}

fn parameter(query: &str, name: &str) -> Result<Option<String>, Refusal> {
    let mut found: Option<String> = None;
    for (own, value) in form_urlencoded::parse(query.as_bytes()) {
        if own != name {
            continue;
        }
        if found.as_deref().is_some_and(|found| found != value) {
            return Err(Refusal::Ambiguous);
        }
        found = Some(value.into_owned());
    }
    Ok(found)
}
