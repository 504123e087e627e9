//! Who somebody is to others.

use crate::Timestamp;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fmt;
use std::sync::Arc;

/// Names a person to others for as long as the hub runs: 128 bits that tell
/// nothing about them. Written as 22 characters of unpadded base64url.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MemberId(pub u128);

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0.to_be_bytes()))
    }
}

/// A person as others see them, at whatever topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// By which they are one, however many streams they have.
    pub id: MemberId,
    /// Whether they can come back as the same person. Who can't has left with their
    /// last stream.
    pub lasts: bool,
    /// What they call themselves.
    pub called: Option<Box<str>>,
    /// What their token shows of them, as JSON on one line.
    pub data: Option<Box<str>>,
}

/// A person at a topic, as others see them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub person: Arc<Person>,
    /// Since when, by the clock on the wall.
    pub since: Timestamp,
}

/// The longest `{"id":"…","since":"…"}`, with a comma behind it, in bytes.
const BARE_BYTES: usize = 70;

/// What stands around what somebody is called, and before what they show, in bytes.
const NAMES_BYTES: usize = r#","as":"","data":"#.len();

impl Person {
    /// What they bring along, in bytes.
    pub fn text_bytes(&self) -> usize {
        let len = |text: &Option<Box<str>>| text.as_ref().map_or(0, |text| text.len());
        len(&self.called) + len(&self.data)
    }

    /// About what they take in a list, in bytes.
    pub(super) fn listed_bytes(&self) -> usize {
        BARE_BYTES + self.text_bytes()
    }

    /// What they take in a list at most, in bytes, escapes counted.
    pub(super) fn written_bytes(&self) -> usize {
        let escapes = self.called.as_deref().map_or(0, escapes);
        self.listed_bytes() + NAMES_BYTES + escapes
    }
}

impl Member {
    /// Appends `{"id":…,"since":…,"as":…,"data":…}`.
    pub fn put(&self, out: &mut String) {
        let Person {
            id, called, data, ..
        } = &*self.person;
        out.push_str(&format!(r#"{{"id":"{id}","since":"{}""#, self.since));
        if let Some(called) = called {
            out.push_str(r#","as":"#);
            put_text(called, out);
        }
        if let Some(data) = data {
            out.push_str(r#","data":"#);
            out.push_str(data);
        }
        out.push('}');
    }
}

/// Appends a text as JSON writes it.
pub(super) fn put_text(text: &str, out: &mut String) {
    let written = serde_json::to_string(text);
    // A text can always be written.
    out.push_str(&written.unwrap_or_default());
}

/// How many bytes JSON adds to a text that has no control characters.
pub(super) fn escapes(text: &str) -> usize {
    let escaped = text.bytes().filter(|byte| matches!(byte, b'"' | b'\\'));
    escaped.count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn check(called: Option<&str>, data: Option<&str>, expected: &Value) {
        let person = Person {
            id: MemberId(u128::MAX - 1),
            lasts: true,
            called: called.map(Into::into),
            data: data.map(Into::into),
        };
        let member = Member {
            person: Arc::new(person),
            since: Timestamp(1),
        };
        let mut out = String::new();
        member.put(&mut out);
        let read: Value =
            serde_json::from_str(&out).unwrap_or_else(|error| panic!("{out}: {error}"));
        assert_eq!(read, *expected);
        assert!(!out.contains('\n'), "{out}");
        // With a comma behind it.
        let most = member.person.written_bytes();
        assert!(out.len() < most, "{out}");
    }

    #[test]
    fn a_member_shows_no_more_than_what_it_has() {
        let (id, since) = ("_____________________g", "1970-01-01T00:00:00.001Z");
        check(None, None, &json!({ "id": id, "since": since }));
        let named = json!({ "id": id, "since": since, "as": "\"\u{2028}\\é" });
        check(Some("\"\u{2028}\\é"), None, &named);
        let data = json!({ "id": id, "since": since, "data": [{ "name": "Ann" }] });
        check(None, Some(r#"[{"name":"Ann"}]"#), &data);
        let both = json!({ "id": id, "since": since, "as": "a", "data": 1 });
        check(Some("a"), Some("1"), &both);
    }
}
