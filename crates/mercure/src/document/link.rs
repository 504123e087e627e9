//! `Link` headers (RFC 8288) that lead to the hub, and what caches hold on to.

use crate::base::Base;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::fmt::Write;

/// The link from a document to the hub that tells of its changes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Link<'a> {
    /// The id of the last event that the document takes into account.
    pub last_event_id: Option<&'a str>,
    /// The media type of the events' data.
    pub content_type: Option<&'a str>,
    /// The type of the events, as in their `event` field.
    pub event_type: Option<&'a str>,
}

impl Link<'_> {
    /// The header's value, ASCII whatever the ids hold.
    pub fn to_hub(&self, base: &Base) -> String {
        let mut link = format!(r#"<{}>; rel="mercure""#, base.hub());
        for (name, value) in [
            ("last-event-id", self.last_event_id),
            ("type", self.event_type),
            ("content-type", self.content_type),
        ] {
            if let Some(value) = value {
                put_parameter(&mut link, name, value);
            }
        }
        link
    }
}

/// The value of the header that names a document's canonical topic.
pub fn to_self(topic: &str) -> String {
    // What can't stand in a URI reference would end the brackets, or the header.
    const OUTSIDE: &AsciiSet = &percent_encoding::CONTROLS
        .add(b' ')
        .add(b'<')
        .add(b'>')
        .add(b'"');
    format!(r#"<{}>; rel="self""#, utf8_percent_encode(topic, OUTSIDE))
}

/// The entity tag of the subscription API's documents, made of the id of the
/// hub's last event.
pub fn etag(last_event_id: &str) -> String {
    // RFC 9110, 8.8.3: anything visible but the quote; `%` keeps ids apart.
    const TAG: &AsciiSet = &percent_encoding::CONTROLS.add(b' ').add(b'"').add(b'%');
    format!(r#""{}""#, utf8_percent_encode(last_event_id, TAG))
}

/// Whether `If-None-Match` names the entity tag `etag`, which is answered with
/// `304` (RFC 9110, 13.1.2: weak comparison).
pub fn is_fresh(if_none_match: &str, etag: &str) -> bool {
    if if_none_match.trim() == "*" {
        return true;
    }
    // Tags may hold commas, so that quotes are what separates them.
    if_none_match
        .split('"')
        .skip(1)
        .step_by(2)
        .any(|tag| etag.get(1..etag.len() - 1) == Some(tag))
}

/// Appends a parameter: quoted if it can be, else encoded (RFC 8187).
fn put_parameter(link: &mut String, name: &str, value: &str) {
    let plain = value.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    let written = if plain {
        let quoted = value.replace('\\', r"\\").replace('"', r#"\""#);
        write!(link, r#"; {name}="{quoted}""#)
    } else {
        let encoded = utf8_percent_encode(value, NON_ALPHANUMERIC);
        write!(link, "; {name}*=UTF-8''{encoded}")
    };
    written.expect("a string takes everything");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links() {
        let base = Base::new("https://hub.example").unwrap();
        let link = Link {
            last_event_id: Some("urn:uuid:1"),
            content_type: Some("application/json"),
            event_type: Some("mercure"),
        };
        assert_eq!(
            link.to_hub(&base),
            r#"<https://hub.example/.well-known/mercure>; rel="mercure"; last-event-id="urn:uuid:1"; type="mercure"; content-type="application/json""#
        );
        assert_eq!(
            Link::default().to_hub(&base),
            r#"<https://hub.example/.well-known/mercure>; rel="mercure""#
        );
        for (id, parameter) in [
            (r#"a"b\c"#, r#"last-event-id="a\"b\\c""#),
            ("é\r\nx", "last-event-id*=UTF-8''%C3%A9%0D%0Ax"),
        ] {
            let link = Link {
                last_event_id: Some(id),
                ..Link::default()
            }
            .to_hub(&base);
            assert!(link.ends_with(parameter), "{link}");
        }
    }

    #[test]
    fn p10_a_topic_can_t_end_its_link() {
        assert_eq!(
            to_self("https://a/b?c=d"),
            r#"<https://a/b?c=d>; rel="self""#
        );
        assert_eq!(
            to_self("a>; rel=\"x\"\r\n é"),
            r#"<a%3E;%20rel=%22x%22%0D%0A%20%C3%A9>; rel="self""#
        );
    }

    #[test]
    fn entity_tags() {
        let tag = etag("urn:uuid:1");
        assert_eq!(tag, r#""urn:uuid:1""#);
        assert_eq!(etag("a\"b%é"), r#""a%22b%25%C3%A9""#);
        for fresh in [
            &*tag,
            "*",
            r#"W/"urn:uuid:1""#,
            r#""a", "urn:uuid:1""#,
            r#""a,b","urn:uuid:1""#,
        ] {
            assert!(is_fresh(fresh, &tag), "{fresh}");
        }
        for stale in ["", r#""urn:uuid:2""#, "urn:uuid:1", r#""a"urn:uuid:1"b""#] {
            assert!(!is_fresh(stale, &tag), "{stale}");
        }
    }
}
