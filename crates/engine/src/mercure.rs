//! One log, two names: native topics as Mercure knows them, and back.
//!
//! A native topic is, for Mercure, the URL at which it is watched:
//! `orders/42` is `https://example.com/t/orders/42`. Every other Mercure
//! topic is kept under the native topic `$mercure/…`, in a form that no two
//! share, so that native watchers reach it (`$mercure/https:/%/a.example/*`)
//! and nobody but the hub can publish it natively.

use crate::Topic;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use tidings_matcher::Base;

/// The first segment of the native topics that stand for Mercure's own.
pub const OWN: &str = "$mercure";

/// The pattern of all of them.
pub(crate) const EVERYTHING: &str = "$mercure/**";

/// What a path segment of a URL keeps as it is (RFC 3986, 3.3: pchar), but
/// `$`, `'` and `*` are kept apart: no topic has `*`, and of `$` see [`to_mercure`].
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@')
    .remove(b'/');

/// The native topic that stands for a Mercure topic in the log. A URL of a
/// native topic is that topic, if it is written as [`to_mercure`] writes it:
/// Mercure compares bytes, and so no other spelling means the same.
///
/// `None` if it can't be kept: it is empty, holds control characters, or is
/// longer than a native topic can be once `%`, `*` and empty or dot segments
/// are written otherwise.
pub fn from_mercure(topic: &str, base: &Base) -> Option<Topic> {
    let named = topic
        .strip_prefix(base.topics().as_str())
        .and_then(|path| percent_decode_str(path).decode_utf8().ok())
        .and_then(|path| Topic::new(&path).ok());
    if let Some(native) = named
        && to_mercure(&native, base).as_deref() == Some(topic)
    {
        return Some(native);
    }
    if topic.is_empty() {
        return None;
    }
    let segments: Vec<String> = topic.split('/').map(escape).collect();
    Topic::new(&format!("{OWN}/{}", segments.join("/"))).ok()
}

/// The Mercure topic that a native one is known as; `None` for the hub's own
/// native topics, which Mercure doesn't see.
pub fn to_mercure(topic: &Topic, base: &Base) -> Option<String> {
    let text = topic.as_str();
    if !topic.is_reserved() {
        return Some(format!(
            "{}{}",
            base.topics(),
            utf8_percent_encode(text, SEGMENT)
        ));
    }
    let path = text.strip_prefix(OWN)?.strip_prefix('/')?;
    let segments: Option<Vec<String>> = path.split('/').map(unescape).collect();
    let topic = segments?.join("/");
    // What isn't written as `from_mercure` does stands for nothing.
    (from_mercure(&topic, base)?.as_str() == text).then_some(topic)
}

/// What the native topics begin with whose Mercure names begin with `literal`:
/// each with one of these texts, any of which may end inside a segment.
pub(crate) fn beginnings(literal: &str, base: &Base) -> Vec<String> {
    let topics = base.topics().as_str();
    if topics.starts_with(literal) {
        return vec![String::new()];
    }
    let mut found = vec![own_beginning(literal)];
    if let Some(path) = literal.strip_prefix(topics) {
        found.push(decoded_beginning(path));
    }
    found
}

/// The same of those below [`OWN`].
fn own_beginning(literal: &str) -> String {
    let (whole, last) = literal.rsplit_once('/').unzip();
    let mut text = format!("{OWN}/");
    for segment in whole.iter().flat_map(|whole| whole.split('/')) {
        text += &escape(segment);
        text.push('/');
    }
    match last.unwrap_or(literal) {
        // As whole segments these are written otherwise than as beginnings.
        "" | "." | ".." => {}
        last => text += &escape(last),
    }
    text
}

/// What a text begins with whose percent-encoding begins with `path`, as far as
/// that is certain: the end may cut an escape, or the bytes of a character.
fn decoded_beginning(path: &str) -> String {
    let cut = path.rfind('%').filter(|at| path.len() - at < 3);
    let bytes: Vec<u8> = percent_decode_str(&path[..cut.unwrap_or(path.len())]).collect();
    let valid = match std::str::from_utf8(&bytes) {
        Ok(text) => return text.into(),
        Err(error) => error.valid_up_to(),
    };
    String::from_utf8_lossy(&bytes[..valid]).into_owned()
}

/// A segment as native topics allow it.
fn escape(segment: &str) -> String {
    match segment {
        "" => "%".into(),
        "." => "%2E".into(),
        ".." => "%2E%2E".into(),
        segment => segment.replace('%', "%25").replace('*', "%2A"),
    }
}

fn unescape(segment: &str) -> Option<String> {
    match segment {
        "%" => Some(String::new()),
        segment => Some(percent_decode_str(segment).decode_utf8().ok()?.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn base() -> Base {
        Base::new("https://hub.example").unwrap()
    }

    fn check(mercure: &str, native: &str) {
        let base = base();
        let topic = from_mercure(mercure, &base).unwrap();
        assert_eq!(topic.as_str(), native, "{mercure}");
        assert_eq!(
            to_mercure(&topic, &base).as_deref(),
            Some(mercure),
            "{native}"
        );
    }

    #[test]
    fn both_directions() {
        for (mercure, native) in [
            ("https://hub.example/t/news", "news"),
            ("https://hub.example/t/orders/42", "orders/42"),
            ("https://hub.example/t/a%20b/%C3%A9", "a b/é"),
            ("https://hub.example/t/50%25", "50%"),
            ("https://hub.example/t/a:b@c;d=e", "a:b@c;d=e"),
            ("https://hub.example/t/a%3Fb%23c", "a?b#c"),
            (
                "https://example.com/books/1",
                "$mercure/https:/%/example.com/books/1",
            ),
            ("https://example.com/", "$mercure/https:/%/example.com/%"),
            ("urn:uuid:1", "$mercure/urn:uuid:1"),
            ("news", "$mercure/news"),
            ("/news", "$mercure/%/news"),
            ("a%20b*", "$mercure/a%2520b%2A"),
            (".././a", "$mercure/%2E%2E/%2E/a"),
            ("%", "$mercure/%25"),
        ] {
            check(mercure, native);
        }
    }

    #[test]
    fn other_spellings_of_a_native_url_are_other_topics() {
        for text in [
            "https://hub.example/t/%6Eews",
            "https://hub.example/t/a b",
            "https://hub.example/t/a%2fb",
            "https://hub.example/t/a%2Fb",
            "https://hub.example/t/",
            "https://hub.example/t//a",
            "https://hub.example/t/a/..",
            "https://hub.example/t/a*",
            "https://hub.example/t/$presence",
            "https://hub.example/t/$mercure/news",
            "https://hub.example/t/a?b",
            "https://hub.example/t/%FF",
            "HTTPS://hub.example/t/news",
            "https://hub.example:443/t/news",
            "/t/news",
        ] {
            let topic = from_mercure(text, &base()).unwrap();
            assert!(topic.as_str().starts_with("$mercure/"), "{text} {topic}");
            check(text, topic.as_str());
        }
    }

    #[test]
    fn what_has_no_name_on_the_other_side() {
        let base = base();
        for native in [
            "$presence/a",
            "$mercure",
            "$mercurex/a",
            "$mercure/%zz",
            "$mercure/%41",
            "$mercure/%FF",
            "$mercure/https:/%/hub.example/t/news",
        ] {
            assert_eq!(
                to_mercure(&Topic::new(native).unwrap(), &base),
                None,
                "{native}"
            );
        }
        for mercure in ["", "a\nb", "\u{85}", &"x".repeat(4_088), &"*".repeat(1_400)] {
            assert_eq!(from_mercure(mercure, &base), None, "{mercure:?}");
        }
        assert!(from_mercure(&"x".repeat(4_087), &base).is_some());
    }

    fn check_beginnings(literal: &str, expected: &[&str]) {
        assert_eq!(beginnings(literal, &base()), expected, "{literal:?}");
    }

    #[test]
    fn what_native_topics_begin_with() {
        check_beginnings("", &[""]);
        check_beginnings("https://hub", &[""]);
        check_beginnings("https://hub.example/t/", &[""]);
        let below = "$mercure/https:/%/hub.example/t/";
        check_beginnings(
            "https://hub.example/t/a/b",
            &[&format!("{below}a/b"), "a/b"],
        );
        check_beginnings("https://hub.example/t/a/", &[&format!("{below}a/"), "a/"]);
        check_beginnings("https://hub.example/t/a%", &[&format!("{below}a%25"), "a"]);
        check_beginnings(
            "https://hub.example/t/a%2",
            &[&format!("{below}a%252"), "a"],
        );
        check_beginnings(
            "https://hub.example/t/a%20",
            &[&format!("{below}a%2520"), "a "],
        );
        check_beginnings(
            "https://hub.example/t/a%C3",
            &[&format!("{below}a%25C3"), "a"],
        );
        check_beginnings("https://hub.example/t/.", &[below, "."]);
        check_beginnings("https://a.example/x", &["$mercure/https:/%/a.example/x"]);
        check_beginnings("https://a.example/", &["$mercure/https:/%/a.example/"]);
        check_beginnings("urn:", &["$mercure/urn:"]);
        check_beginnings("/", &["$mercure/%/"]);
        check_beginnings("a/..", &["$mercure/a/"]);
        check_beginnings("a/...", &["$mercure/a/..."]);
    }

    proptest! {
        #[test]
        fn every_topic_has_one_of_the_beginnings_of_its_name(
            text in "(https://hub\\.example/t/)?([a/.*%$é ]|%2F|%25|%61|%C3%A9|\\$mercure/|\\PC){1,12}",
            cut in any::<prop::sample::Index>(),
        ) {
            let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
            let topic = from_mercure(&text, &base()).unwrap();
            let literal = &text[..ends[cut.index(ends.len())]];
            let found = beginnings(literal, &base());
            prop_assert!(
                found.iter().any(|beginning| topic.as_str().starts_with(beginning)),
                "{} of {:?}: {:?}", topic, literal, found
            );
        }

        #[test]
        fn every_mercure_topic_comes_back(
            text in "(https://hub\\.example/t/)?([a/.*%$é ]|%2F|%25|%61|\\$mercure/|\\PC){1,12}"
        ) {
            let base = base();
            let topic = from_mercure(&text, &base);
            prop_assert!(topic.is_some());
            let back = topic.and_then(|topic| to_mercure(&topic, &base));
            prop_assert_eq!(back.as_deref(), Some(&*text));
        }

        #[test]
        fn every_native_topic_comes_back(text in "([a.%$é? #]|%25|\\PC)([a/.%$é? #]|%2F|\\PC){0,12}") {
            let Ok(topic) = Topic::new(&text) else {
                return Ok(());
            };
            let base = base();
            if let Some(mercure) = to_mercure(&topic, &base) {
                prop_assert_eq!(from_mercure(&mercure, &base), Some(topic));
            } else {
                prop_assert!(topic.is_reserved());
            }
        }
    }
}
