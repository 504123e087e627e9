//! Why a request is refused, with the status that each dialect gives it.

use crate::dialect::Dialect;
use std::borrow::Cow;
use std::fmt;

/// A refused request. The detail never repeats what was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What kind of error it is.
    pub kind: RefusalKind,
    /// What was wrong, where, and what to do: at most 200 characters.
    pub detail: Cow<'static, str>,
}

/// What kind of error a request was refused for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RefusalKind {
    /// The query, form or header can't be understood, or breaks a bound.
    BadRequest,
    /// A topic or matcher breaks a rule.
    InvalidTopic,
    /// The event's id, type or reconnection time breaks a rule.
    InvalidEvent,
    /// The cursor can't be understood.
    InvalidCursor,
    /// The topic is one of the hub's own.
    ReservedTopic,
    /// The body isn't a form.
    UnsupportedMediaType,
    /// The event is larger than the limit.
    TooLarge,
}

impl RefusalKind {
    /// The HTTP status that `dialect` gives it.
    pub fn status(self, dialect: Dialect) -> u16 {
        match self {
            Self::ReservedTopic if dialect == Dialect::V0 => 403,
            Self::TooLarge => 413,
            Self::UnsupportedMediaType => 415,
            _ => 400,
        }
    }

    /// The stable `code` of its problem document, as everywhere in the hub.
    pub fn code(self) -> &'static str {
        match self {
            Self::BadRequest => "bad-request",
            Self::InvalidTopic => "invalid-topic",
            Self::InvalidEvent => "invalid-event",
            Self::InvalidCursor => "invalid-cursor",
            Self::ReservedTopic => "reserved-topic",
            Self::UnsupportedMediaType => "unsupported-media-type",
            Self::TooLarge => "too-large",
        }
    }
}

impl Refusal {
    /// A refusal of this kind.
    pub fn new(kind: RefusalKind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            detail: detail.into(),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl std::error::Error for Refusal {}

/// What is wrong with the authorization of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unauthorized {
    /// There is no token, and it needs one.
    Missing,
    /// The token isn't valid, for whatever reason: one answer for all.
    Invalid,
    /// The token is valid, and doesn't grant this.
    NotGranted,
    /// Tokens were presented in a way that can't be understood: two headers,
    /// several mechanisms at once.
    Malformed,
}

impl Unauthorized {
    /// The status that `dialect` gives it. 0.x answers 401 to everything, as
    /// its hubs and not as its draft, because its clients follow the hubs.
    pub fn status(self, dialect: Dialect) -> u16 {
        match (dialect, self) {
            (Dialect::V1, Self::NotGranted) => 403,
            (Dialect::V1, Self::Malformed) => 400,
            _ => 401,
        }
    }

    /// The value of `WWW-Authenticate` (RFC 6750, 3; RFC 9728, 5.1).
    /// `metadata` is the URL of the hub's
    /// [metadata](crate::document::metadata), which must hold no `"` or `\`.
    pub fn challenge(self, metadata: &str) -> String {
        let error = match self {
            Self::Missing => "",
            Self::Invalid => r#"error="invalid_token", "#,
            Self::NotGranted => r#"error="insufficient_scope", "#,
            Self::Malformed => r#"error="invalid_request", "#,
        };
        format!(r#"Bearer {error}resource_metadata="{metadata}""#)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_of_each_dialect() {
        for (kind, v0, v1) in [
            (RefusalKind::BadRequest, 400, 400),
            (RefusalKind::InvalidTopic, 400, 400),
            (RefusalKind::InvalidEvent, 400, 400),
            (RefusalKind::InvalidCursor, 400, 400),
            (RefusalKind::ReservedTopic, 403, 400),
            (RefusalKind::UnsupportedMediaType, 415, 415),
            (RefusalKind::TooLarge, 413, 413),
        ] {
            assert_eq!(
                (kind.status(Dialect::V0), kind.status(Dialect::V1)),
                (v0, v1),
                "{kind:?}"
            );
        }
        for (unauthorized, v0, v1) in [
            (Unauthorized::Missing, 401, 401),
            (Unauthorized::Invalid, 401, 401),
            (Unauthorized::NotGranted, 401, 403),
            (Unauthorized::Malformed, 401, 400),
        ] {
            let statuses = (
                unauthorized.status(Dialect::V0),
                unauthorized.status(Dialect::V1),
            );
            assert_eq!(statuses, (v0, v1), "{unauthorized:?}");
        }
    }

    #[test]
    fn challenges_name_the_metadata() {
        assert_eq!(
            Unauthorized::Missing.challenge("https://a/b"),
            r#"Bearer resource_metadata="https://a/b""#
        );
        assert_eq!(
            Unauthorized::NotGranted.challenge("https://a/b"),
            r#"Bearer error="insufficient_scope", resource_metadata="https://a/b""#
        );
    }
}
