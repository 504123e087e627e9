//! What a publisher may say of an event: its id, its type, a reconnection time.

use crate::WireId;
use crate::control::OWN_EVENTS;
use crate::limits::{EVENT_TYPE_BYTES, ID_BYTES, RETRY_MAX_MS, RETRY_MIN_MS};
use crate::since::Since;
use std::fmt;
use tidings_codec::{EventId, EventType, InvalidField};

/// Why a publisher's id is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidPublisherId {
    /// It is empty: that would reset a reader's last event ID.
    Empty,
    /// It is longer than [`ID_BYTES`].
    TooLong,
    /// It holds a control character (C0, DEL, C1), CR, LF and NUL among them.
    Control,
    /// It begins or ends with a space, which the header `Last-Event-ID` loses.
    OuterSpace,
    /// It begins with `#` or with [`WireId::PREFIX`].
    Reserved,
    /// It reads as a keyword or a duration of `since=`.
    LooksLikeSince,
}

impl fmt::Display for InvalidPublisherId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("'id' is empty; leave it out and the hub gives one"),
            Self::TooLong => write!(f, "'id' is longer than {ID_BYTES} bytes"),
            Self::Control => f.write_str("'id' holds a control character"),
            Self::OuterSpace => f.write_str(
                "'id' begins or ends with a space, which would be lost when a reader resumes",
            ),
            Self::Reserved => write!(
                f,
                "'id' begins with '#' or '{}', which the hub keeps for itself",
                WireId::PREFIX
            ),
            Self::LooksLikeSince => f.write_str(
                "'id' reads as a start for 'since' (a keyword or a duration); put a letter before it",
            ),
        }
    }
}

impl std::error::Error for InvalidPublisherId {}

/// Checks an id that a publisher brings.
///
/// # Errors
/// [`InvalidPublisherId`].
pub fn publisher_id(text: &str) -> Result<EventId, InvalidPublisherId> {
    if text.is_empty() {
        return Err(InvalidPublisherId::Empty);
    }
    if text.len() > ID_BYTES {
        return Err(InvalidPublisherId::TooLong);
    }
    if text.chars().any(char::is_control) {
        return Err(InvalidPublisherId::Control);
    }
    if text.starts_with(' ') || text.ends_with(' ') {
        return Err(InvalidPublisherId::OuterSpace);
    }
    if text.starts_with('#') || text.starts_with(WireId::PREFIX) {
        return Err(InvalidPublisherId::Reserved);
    }
    match Since::parse(text) {
        Ok(Since::Id(id)) => Ok(id),
        _ => Err(InvalidPublisherId::LooksLikeSince),
    }
}

/// Why an event type is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidEventType {
    /// It is empty.
    Empty,
    /// It is longer than [`EVENT_TYPE_BYTES`].
    TooLong,
    /// It holds CR, LF or NUL.
    Field(InvalidField),
    /// It begins with [`OWN_EVENTS`], or is `mercure` or begins with `mercure:`.
    Reserved,
}

impl fmt::Display for InvalidEventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("'event' is empty; leave it out for a 'message'"),
            Self::TooLong => write!(f, "'event' is longer than {EVENT_TYPE_BYTES} bytes"),
            Self::Field(reason) => write!(f, "'event' is not allowed: {reason}"),
            Self::Reserved => write!(
                f,
                "'event' begins with '{OWN_EVENTS}' or 'mercure:' or is 'mercure': these are \
                 for the hub's own events"
            ),
        }
    }
}

impl std::error::Error for InvalidEventType {}

/// Checks the type of a publisher's event.
///
/// # Errors
/// [`InvalidEventType`].
pub fn event_type(text: &str) -> Result<EventType, InvalidEventType> {
    if text.is_empty() {
        return Err(InvalidEventType::Empty);
    }
    if text.len() > EVENT_TYPE_BYTES {
        return Err(InvalidEventType::TooLong);
    }
    if text.starts_with(OWN_EVENTS) || text == "mercure" || text.starts_with("mercure:") {
        return Err(InvalidEventType::Reserved);
    }
    EventType::new(text).map_err(InvalidEventType::Field)
}

/// A reconnection time that isn't ASCII digits, or not within
/// [`RETRY_MIN_MS`]`..=`[`RETRY_MAX_MS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidRetry;

impl fmt::Display for InvalidRetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "'retry' is a number of milliseconds from {RETRY_MIN_MS} to {RETRY_MAX_MS}, in \
             digits, without a unit"
        )
    }
}

impl std::error::Error for InvalidRetry {}

/// Checks a reconnection time, in milliseconds (rule E5).
///
/// # Errors
/// [`InvalidRetry`].
pub fn retry(text: &str) -> Result<u64, InvalidRetry> {
    // `parse` alone would take a sign.
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(InvalidRetry);
    }
    match text.parse() {
        Ok(ms @ RETRY_MIN_MS..=RETRY_MAX_MS) => Ok(ms),
        _ => Err(InvalidRetry),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LogId, Position};

    fn check_id(text: &str, expected: Result<(), InvalidPublisherId>) {
        let id = publisher_id(text);
        assert_eq!(id.clone().map(|_| ()), expected, "{text:?}");
        assert!(id.is_err() || id.is_ok_and(|id| id.as_str() == text));
    }

    #[test]
    fn b6_ids_of_publishers() {
        use InvalidPublisherId::*;
        for text in [
            "a\rb", "a\nb", "a\r\nb", "a\0b", "\t", "a\u{1b}", "\u{7f}", "\u{9f}",
        ] {
            check_id(text, Err(Control));
        }
        check_id("", Err(Empty));
        check_id(&"é".repeat(128), Ok(()));
        check_id(&format!("{}x", "é".repeat(128)), Err(TooLong));
        check_id(" a", Err(OuterSpace));
        check_id("a ", Err(OuterSpace));
        check_id("a b", Ok(()));
        let own = WireId {
            log: LogId(1),
            position: Position(1),
        }
        .to_string();
        for text in ["#", "#1", "td-", "td-x", &own] {
            check_id(text, Err(Reserved));
        }
        for text in [
            "earliest",
            "latest",
            "now",
            "last:",
            "last:5",
            "last:x",
            "10m",
            "1h30m",
            "99999999999999999999999w",
        ] {
            check_id(text, Err(LooksLikeSince));
        }
        for text in [
            "a\u{2028}b",
            "10",
            "td",
            "TD-1",
            "urn:uuid:1",
            "earliest-1",
            "日本",
            "*",
        ] {
            check_id(text, Ok(()));
        }
    }

    #[test]
    fn b7_event_types() {
        use InvalidEventType::*;
        for (text, expected) in [
            ("", Err(Empty)),
            ("a\rb", Err(Field(InvalidField::LineBreak))),
            ("a\nb", Err(Field(InvalidField::LineBreak))),
            ("a\0b", Err(Field(InvalidField::Nul))),
            ("tidings:gap", Err(Reserved)),
            ("tidings:", Err(Reserved)),
            ("mercure", Err(Reserved)),
            ("mercure:x", Err(Reserved)),
            ("tidings", Ok(())),
            ("mercurial", Ok(())),
            ("message", Ok(())),
            (" spaced", Ok(())),
            ("été", Ok(())),
        ] {
            assert_eq!(event_type(text).map(|_| ()), expected, "{text:?}");
        }
        assert!(event_type(&"x".repeat(128)).is_ok());
        assert_eq!(event_type(&"x".repeat(129)), Err(TooLong));
    }

    #[test]
    fn b8_retry() {
        for (text, ms) in [("100", 100), ("3600000", 3_600_000), ("0100", 100)] {
            assert_eq!(retry(text), Ok(ms), "{text:?}");
        }
        for text in [
            "-1",
            "0",
            "1",
            "99",
            "3600001",
            "1e9",
            "1000000000",
            "18446744073709551616",
            "5s",
            "٣",
            "٣٣٣",
            "",
            "+200",
            " 200",
            "200 ",
            "2e2",
            "200.0",
        ] {
            assert_eq!(retry(text), Err(InvalidRetry), "{text:?}");
        }
    }
}
