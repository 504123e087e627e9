//! Errors over HTTP: problem documents (RFC 9457) with a stable `code`.

use http::StatusCode;
use serde_json::{Map, Value};

/// What went wrong, as programs tell it apart. Codes are stable: clients may
/// match on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Code {
    /// The request's head or query can't be understood.
    BadRequest,
    /// A topic or selector breaks a rule.
    InvalidTopic,
    /// An event (its data, name, id or retry) breaks a rule.
    InvalidEvent,
    /// `Last-Event-ID` or `since` can't be understood.
    InvalidCursor,
    /// A token is needed, or one that grants this (Mercure 0.x).
    TokenNeeded,
    /// The token isn't good.
    InvalidToken,
    /// The token is good and doesn't grant this.
    NotGranted,
    /// The topic belongs to the hub.
    ReservedTopic,
    /// A page of an origin that isn't allowed tried to publish.
    OriginNotAllowed,
    /// A request came through a proxy to a hub that isn't meant to be public.
    ProxyNotAllowed,
    /// Nothing is served at this path.
    NotFound,
    /// The path is served, but not with this method.
    MethodNotAllowed,
    /// No representation fits `Accept`.
    NotAcceptable,
    /// The body didn't arrive in time.
    BodyTimeout,
    /// The id is taken by another event of this topic.
    IdConflict,
    /// The topic is closed.
    TopicClosed,
    /// An event or body is larger than the limit.
    TooLarge,
    /// The query is longer than the limit.
    UriTooLong,
    /// The body's type or coding isn't supported.
    UnsupportedMediaType,
    /// `Expect` asks for something else than `100-continue`.
    ExpectationFailed,
    /// `Host` names another server.
    WrongHost,
    /// The idempotency key was used for another request.
    KeyConflict,
    /// The request's head is larger than the limit.
    HeadTooLarge,
    /// The hub made a mistake.
    Internal,
    /// The hub can't take events in now; later it may.
    Busy,
    /// The disk failed; the hub takes no events in.
    StorageFailed,
    /// The disk is full; the hub takes no events in until there is space.
    StorageFull,
    /// The protocol's version isn't spoken here.
    VersionNotSupported,
}

impl Code {
    /// The code's text, its status and its title.
    fn describe(self) -> (&'static str, u16, &'static str) {
        match self {
            Self::BadRequest => ("bad-request", 400, "The request can't be understood"),
            Self::InvalidTopic => ("invalid-topic", 400, "The topic is not valid"),
            Self::InvalidEvent => ("invalid-event", 400, "The event is not valid"),
            Self::InvalidCursor => (
                "invalid-cursor",
                400,
                "The place to start from is not valid",
            ),
            Self::TokenNeeded => ("token-needed", 401, "A token is needed"),
            Self::InvalidToken => ("invalid-token", 401, "The token is not good"),
            Self::NotGranted => ("not-granted", 403, "The token does not grant this"),
            Self::ReservedTopic => ("reserved-topic", 403, "The topic belongs to the hub"),
            Self::OriginNotAllowed => ("origin-not-allowed", 403, "The origin is not allowed"),
            Self::ProxyNotAllowed => ("proxy-not-allowed", 403, "The hub is not open to proxies"),
            Self::NotFound => ("not-found", 404, "Nothing is served here"),
            Self::MethodNotAllowed => ("method-not-allowed", 405, "The method is not allowed"),
            Self::NotAcceptable => ("not-acceptable", 406, "No representation fits"),
            Self::BodyTimeout => ("body-timeout", 408, "The body did not arrive in time"),
            Self::IdConflict => ("id-conflict", 409, "The id is taken"),
            Self::TopicClosed => ("topic-closed", 409, "The topic is closed"),
            Self::TooLarge => ("too-large", 413, "The content is too large"),
            Self::UriTooLong => ("uri-too-long", 414, "The query is too long"),
            Self::UnsupportedMediaType => {
                ("unsupported-media-type", 415, "The type is not supported")
            }
            Self::ExpectationFailed => ("expectation-failed", 417, "The expectation can't be met"),
            Self::WrongHost => ("wrong-host", 421, "The request is for another host"),
            Self::KeyConflict => ("key-conflict", 422, "The idempotency key is taken"),
            Self::HeadTooLarge => ("head-too-large", 431, "The head is too large"),
            Self::Internal => ("internal", 500, "The hub made a mistake"),
            Self::Busy => ("busy", 503, "The hub is busy"),
            Self::StorageFailed => ("storage-failed", 503, "The storage failed"),
            Self::VersionNotSupported => (
                "version-not-supported",
                505,
                "The version of HTTP is not supported",
            ),
            Self::StorageFull => ("storage-full", 507, "The storage is full"),
        }
    }

    /// The code as it stands in documents and metrics.
    pub fn as_str(self) -> &'static str {
        self.describe().0
    }

    /// The status that goes with it.
    pub fn status(self) -> StatusCode {
        StatusCode::from_u16(self.describe().1).expect("a status of the table")
    }
}

/// An error as its causer is told of it. `detail` never repeats what was sent.
#[derive(Debug, Clone)]
pub struct Problem {
    /// What kind of error it is.
    pub code: Code,
    /// What was wrong, where, and what to do: at most 200 characters.
    pub detail: String,
    /// Its status, where that isn't the code's.
    status: Option<StatusCode>,
    /// Further members, such as how much was published before the error.
    pub members: Map<String, Value>,
    /// Whether the connection must end because what follows can't be trusted.
    pub close: bool,
    /// For `405`: the methods that are allowed.
    pub allow: Option<&'static str>,
    /// For refusals of tokens: `WWW-Authenticate`.
    pub challenge: Option<String>,
}

impl Problem {
    /// A problem without further members.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            status: None,
            members: Map::new(),
            close: false,
            allow: None,
            challenge: None,
        }
    }

    /// `405`, with the methods that are allowed.
    pub fn method_not_allowed(allow: &'static str) -> Self {
        let problem = Self::new(Code::MethodNotAllowed, format!("this path takes {allow}"));
        Self {
            allow: Some(allow),
            ..problem
        }
    }

    /// Gives it another status than its code's: dialects of Mercure differ there.
    #[must_use]
    pub fn with_status(self, status: StatusCode) -> Self {
        Self {
            status: Some(status),
            ..self
        }
    }

    /// Its status.
    pub fn status(&self) -> StatusCode {
        self.status.unwrap_or_else(|| self.code.status())
    }

    /// Adds a member.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.into(), value.into());
        self
    }

    /// Says what token would be taken.
    #[must_use]
    pub fn challenging(self, challenge: String) -> Self {
        Self {
            challenge: Some(challenge),
            ..self
        }
    }

    /// Ends the connection after the answer.
    #[must_use]
    pub fn closing(mut self) -> Self {
        self.close = true;
        self
    }

    /// The document: `type`, `title`, `status`, `detail`, `code`, and the members.
    pub fn to_json(&self) -> String {
        let (code, _, title) = self.code.describe();
        let mut document = Map::new();
        document.insert("type".into(), format!("urn:tidings:problem:{code}").into());
        document.insert("title".into(), title.into());
        document.insert("status".into(), self.status().as_u16().into());
        document.insert("detail".into(), self.detail.clone().into());
        document.insert("code".into(), code.into());
        document.extend(self.members.clone());
        let mut text = Value::Object(document).to_string();
        text.push('\n');
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Code; 28] = [
        Code::TokenNeeded,
        Code::InvalidToken,
        Code::NotGranted,
        Code::BadRequest,
        Code::InvalidTopic,
        Code::InvalidEvent,
        Code::InvalidCursor,
        Code::ReservedTopic,
        Code::OriginNotAllowed,
        Code::ProxyNotAllowed,
        Code::NotFound,
        Code::MethodNotAllowed,
        Code::NotAcceptable,
        Code::BodyTimeout,
        Code::IdConflict,
        Code::TopicClosed,
        Code::TooLarge,
        Code::UriTooLong,
        Code::UnsupportedMediaType,
        Code::ExpectationFailed,
        Code::WrongHost,
        Code::KeyConflict,
        Code::HeadTooLarge,
        Code::Internal,
        Code::Busy,
        Code::StorageFailed,
        Code::StorageFull,
        Code::VersionNotSupported,
    ];

    #[test]
    fn every_code_is_documented() {
        let documentation = include_str!("../../../../docs/http.md");
        for code in ALL {
            let (name, status, _) = code.describe();
            assert!(
                documentation.contains(&format!("`{name}`")),
                "{name} is not in docs/http.md"
            );
            assert!(
                documentation.contains(&status.to_string()),
                "{status} is not in docs/http.md"
            );
        }
    }

    #[test]
    fn document_has_the_members_of_rfc_9457() {
        let problem = Problem::new(Code::TooLarge, "smaller, please").with("published", 3);
        let document: Value = serde_json::from_str(&problem.to_json()).unwrap();
        assert_eq!(
            document,
            serde_json::json!({
                "type": "urn:tidings:problem:too-large",
                "title": "The content is too large",
                "status": 413,
                "detail": "smaller, please",
                "code": "too-large",
                "published": 3,
            })
        );
    }
}
