//! Topics as Mercure has them: any text, most often a URL.

use crate::base::Base;
use crate::dialect::Dialect;
use icu_properties::CodePointMapData;
use icu_properties::props::GeneralCategory;
use std::fmt;
use tidings_engine::Topic;

/// The longest topic or matcher, in bytes.
pub const TOPIC_BYTES: usize = Topic::MAX_BYTES;
/// The most topics of one event, canonical and alternate.
pub const TOPICS: usize = 1_000;
/// The most matchers of one subscription.
pub const MATCHERS: usize = 100;

/// Why a text is no topic, or no matcher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidText {
    /// It is empty.
    Empty,
    /// It is longer than [`TOPIC_BYTES`].
    TooLong,
    /// It holds a control character (C0, DEL, C1).
    Control,
    /// 1.0 only: it holds a format character (Unicode category Cf), such as a
    /// zero-width joiner or a change of direction.
    Format,
}

impl fmt::Display for InvalidText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("is empty"),
            Self::TooLong => write!(f, "is longer than {TOPIC_BYTES} bytes"),
            Self::Control => f.write_str("holds a control character"),
            Self::Format => f.write_str("holds an invisible format character"),
        }
    }
}

impl std::error::Error for InvalidText {}

/// Checks what topics and matchers have in common.
///
/// # Errors
/// [`InvalidText`].
pub fn check_text(text: &str, dialect: Dialect) -> Result<(), InvalidText> {
    if text.is_empty() {
        return Err(InvalidText::Empty);
    }
    if text.len() > TOPIC_BYTES {
        return Err(InvalidText::TooLong);
    }
    check_characters(text, dialect)
}

/// Checks the characters of a topic, a matcher, an id or a type.
///
/// # Errors
/// [`InvalidText::Control`] and [`InvalidText::Format`].
pub fn check_characters(text: &str, dialect: Dialect) -> Result<(), InvalidText> {
    if text.chars().any(char::is_control) {
        return Err(InvalidText::Control);
    }
    if dialect == Dialect::V1 && text.chars().any(is_format) {
        return Err(InvalidText::Format);
    }
    Ok(())
}

fn is_format(character: char) -> bool {
    // Nothing of ASCII is; that saves the look-up nearly always.
    !character.is_ascii()
        && CodePointMapData::<GeneralCategory>::new().get(character) == GeneralCategory::Format
}

/// Whether only the hub may publish to `topic`: its path is the hub's or
/// below it, whatever the host; or it names a native topic of the hub's own.
///
/// Every way to write that path counts, also those that no server would take
/// for it: percent-encoded letters, doubled slashes, other case, dot segments.
/// A topic that is refused without need can be named otherwise; one that is
/// taken without right would forge what the hub says.
pub fn is_reserved(topic: &str, base: &Base) -> bool {
    let reserved = |path: &str| {
        let path = plain(path);
        [base.hub().path(), crate::base::HUB_PATH]
            .iter()
            .any(|hub| is_below(&path, &plain(hub)))
            || is_below_own(&path, base)
    };
    reserved(topic) || base.resolve(topic).is_some_and(|url| reserved(url.path()))
}

/// Whether `path` names a native topic that begins with `$`.
fn is_below_own(path: &str, base: &Base) -> bool {
    let prefix = plain(base.topics().path());
    path.strip_prefix(&prefix)
        .is_some_and(|native| native.starts_with('$'))
}

/// The path with its percent-escapes decoded, in lower case, with single slashes.
fn plain(path: &str) -> String {
    let decoded = percent_encoding::percent_decode_str(path).decode_utf8_lossy();
    let mut plain = String::with_capacity(decoded.len());
    for character in decoded.chars() {
        let character = if character == '\\' { '/' } else { character };
        if character != '/' || !plain.ends_with('/') {
            plain.push(character.to_ascii_lowercase());
        }
    }
    plain
}

/// Whether `path` is `hub` or below, after dot segments are gone.
fn is_below(path: &str, hub: &str) -> bool {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        match segment {
            "." => {}
            ".." => _ = segments.pop(),
            segment => segments.push(segment),
        }
    }
    let hub: Vec<&str> = hub
        .split('/')
        .filter(|segment| !segment.is_empty())
        .collect();
    path.starts_with('/') && segments.starts_with(&hub)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, v0: Result<(), InvalidText>, v1: Result<(), InvalidText>) {
        assert_eq!(check_text(text, Dialect::V0), v0, "{text:?}");
        assert_eq!(check_text(text, Dialect::V1), v1, "{text:?}");
    }

    #[test]
    fn a3_texts() {
        use InvalidText::*;
        check("", Err(Empty), Err(Empty));
        check(&"x".repeat(4_096), Ok(()), Ok(()));
        check(&"x".repeat(4_097), Err(TooLong), Err(TooLong));
        for text in ["a\0", "a\r", "a\nb", "\u{7f}", "\u{85}", "\u{9f}", "\t"] {
            check(text, Err(Control), Err(Control));
        }
        for text in [
            "a\u{200d}b",
            "\u{feff}",
            "\u{202e}",
            "\u{ad}",
            "\u{e0001}",
            "\u{110bd}",
        ] {
            check(text, Ok(()), Err(Format));
        }
        for text in [
            "https://example.com/a?b#c",
            "a b",
            "é",
            "日本",
            "a\u{2028}b",
            "\u{301}",
        ] {
            check(text, Ok(()), Ok(()));
        }
    }

    fn check_reserved(topics: &[&str], expected: bool) {
        let base = Base::new("https://hub.example").unwrap();
        for topic in topics {
            assert_eq!(is_reserved(topic, &base), expected, "{topic}");
        }
    }

    /// Mercure #1259: the hub's namespace was forged through `%6D`.
    #[test]
    fn b10_mercure_1259_the_hub_s_namespace_can_t_be_forged() {
        check_reserved(
            &[
                "/.well-known/mercure",
                "/.well-known/mercure/",
                "/.well-known/mercure/subscriptions/a/b",
                "/.well-known/%6Dercure/subscriptions/a",
                "/%2Ewell-known/%6d%65rcure/subscriptions/a",
                "/%2ewell%2Dknown/mercure",
                "/.well-known%2Fmercure/subscriptions",
                "https://hub.example/.well-known/mercure/subscriptions/a",
                "https://other.example/.well-known/mercure/subscriptions/a",
                "HTTPS://hub.example./.well-known/mercure/x",
                "https://hub.example:8443/.well-known/mercure/x",
                "https://user@hub.example/.well-known/mercure/x",
                "//hub.example/.well-known/mercure/x",
                "//.well-known/mercure/subscriptions",
                "https://hub.example//.well-known//mercure/x",
                "https://hub.example/./.well-known/./mercure/x",
                "https://hub.example/a/../.well-known/mercure/x",
                "https://hub.example/a/%2E%2E/.well-known/mercure/x",
                "https://hub.example/.Well-Known/Mercure/x",
                "https:\\\\hub.example\\.well-known\\mercure\\x",
                "mercure",
                "mercure/subscriptions/a",
                "./mercure/x",
                "?a",
                "#a",
                " /.well-known/mercure",
                "urn:/.well-known/mercure/x",
                "https://hub.example/t/$presence/a",
                "https://hub.example/t/%24presence/a",
                "/t/$mercure/a",
                "https://hub.example//t//$presence/a",
            ],
            true,
        );
        check_reserved(
            &[
                "https://hub.example/",
                "https://hub.example/.well-known",
                "https://hub.example/.well-known/mercurial",
                "https://hub.example/.well-known/mercure-events",
                "https://hub.example/books/.well-known/mercure",
                "https://hub.example/?path=/.well-known/mercure",
                "https://hub.example/#/.well-known/mercure",
                "https://hub.example/.well-known/%256Dercure",
                "https://hub.example/t/news",
                "https://hub.example/t/a/$b",
                "news",
                "urn:uuid:1",
                "http://[",
            ],
            false,
        );
    }

    #[test]
    fn below_a_path_too() {
        let base = Base::new("https://example.com/hub/").unwrap();
        for topic in [
            "/hub/.well-known/mercure/x",
            "/.well-known/mercure/x",
            "mercure",
        ] {
            assert!(is_reserved(topic, &base), "{topic}");
        }
    }
}
