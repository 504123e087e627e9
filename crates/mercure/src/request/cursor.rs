//! Where a stream is asked to go on: the cursor under all its names.

use crate::dialect::EARLIEST;
use crate::form::Form;
use crate::refusal::{Refusal, RefusalKind};
use http::HeaderMap;
use tidings_codec::EventId;
use tidings_engine::limits::ID_BYTES;

/// A cursor that a request brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resume {
    /// It is empty: nothing is replayed, but the answer names the last event.
    Empty,
    /// Everything that is kept.
    Earliest,
    /// What comes after the event with this id.
    After(EventId),
}

/// The names that clients give the cursor in a query or a form: of the 0.x
/// hub and of Symfony's client, of 1.0, and other spellings of these.
pub const QUERY_NAMES: [&str; 6] = [
    "lastEventID",
    "Last-Event-ID",
    "last_event_id",
    "last-event-id",
    "lastEventId",
    "Last-Event-Id",
];

/// Reads the cursor. The header goes before the query, because an EventSource
/// that reconnects repeats its URL; the query goes before the body. One that is
/// empty, as some clients send it at first, yields to one that isn't.
///
/// # Errors
/// `400` for a cursor that no id can be, and for two that differ in one place.
pub fn resume(
    headers: &HeaderMap,
    query: &Form,
    body: Option<&Form>,
) -> Result<Option<Resume>, Refusal> {
    let mut found = header(headers)?;
    for form in [Some(query), body].into_iter().flatten() {
        if found.is_none_or(str::is_empty) {
            found = parameter(form)?.or(found);
        }
    }
    found.map(parse).transpose()
}

fn header(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    let mut values = headers.get_all("last-event-id").iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(invalid("'Last-Event-ID' is given more than once"));
    }
    // The UTF-8 bytes, as browsers send them (WHATWG HTML, 9.2.3).
    std::str::from_utf8(value.as_bytes())
        .map(Some)
        .map_err(|_| invalid("'Last-Event-ID' is not UTF-8 text"))
}

/// Clients that don't know which hub they talk to send several names with one value.
fn parameter(form: &Form) -> Result<Option<&str>, Refusal> {
    let mut values = form
        .fields()
        .filter(|(name, _)| QUERY_NAMES.contains(name))
        .map(|(_, value)| value);
    let Some(first) = values.next() else {
        return Ok(None);
    };
    if values.any(|other| other != first) {
        return Err(invalid("two different cursors are given; send one"));
    }
    Ok(Some(first))
}

fn parse(text: &str) -> Result<Resume, Refusal> {
    if text.len() > ID_BYTES {
        return Err(invalid("the cursor is longer than any id"));
    }
    if text.chars().any(char::is_control) {
        return Err(invalid("the cursor holds a control character; no id does"));
    }
    match text {
        "" => Ok(Resume::Empty),
        EARLIEST => Ok(Resume::Earliest),
        id => EventId::new(id)
            .map(Resume::After)
            .map_err(|_| invalid("the cursor is no id")),
    }
}

fn invalid(detail: &'static str) -> Refusal {
    Refusal::new(RefusalKind::InvalidCursor, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn ask(headers: &[&[u8]], query: &str, body: &str) -> Result<Option<Resume>, RefusalKind> {
        let mut map = HeaderMap::new();
        for value in headers {
            map.append("last-event-id", HeaderValue::from_bytes(value).unwrap());
        }
        let (query, body) = (Form::query(query).unwrap(), Form::query(body).unwrap());
        resume(&map, &query, Some(&body)).map_err(|refusal| refusal.kind)
    }

    fn after(id: &str) -> Result<Option<Resume>, RefusalKind> {
        Ok(Some(Resume::After(EventId::new(id).unwrap())))
    }

    #[test]
    fn every_name_in_the_wild() {
        for name in QUERY_NAMES {
            assert_eq!(ask(&[], &format!("a=1&{name}=x"), ""), after("x"), "{name}");
            assert_eq!(ask(&[], "", &format!("{name}=x")), after("x"), "{name}");
        }
        assert_eq!(ask(&[], "LASTEVENTID=x&last=y", ""), Ok(None));
        assert_eq!(ask(&[b"x"], "", ""), after("x"));
        assert_eq!(ask(&[], "lastEventID=x&Last-Event-ID=x", ""), after("x"));
    }

    #[test]
    fn header_then_query_then_body() {
        assert_eq!(ask(&[b"h"], "lastEventID=q", "last_event_id=b"), after("h"));
        assert_eq!(ask(&[], "lastEventID=q", "last_event_id=b"), after("q"));
        assert_eq!(ask(&[b""], "lastEventID=q", ""), after("q"));
        assert_eq!(ask(&[b""], "lastEventID=", "last_event_id=b"), after("b"));
        for empty in ["", "lastEventID="] {
            assert_eq!(ask(&[b""], empty, ""), Ok(Some(Resume::Empty)));
        }
    }

    #[test]
    fn earliest_and_empty() {
        assert_eq!(
            ask(&[], "last_event_id=earliest", ""),
            Ok(Some(Resume::Earliest))
        );
        assert_eq!(ask(&[b"earliest"], "", ""), Ok(Some(Resume::Earliest)));
        assert_eq!(ask(&[], "lastEventID=", ""), Ok(Some(Resume::Empty)));
        assert_eq!(ask(&[], "lastEventID=Earliest", ""), after("Earliest"));
        // A duration in the native face; here it can only be an id.
        assert_eq!(ask(&[], "lastEventID=10m", ""), after("10m"));
    }

    #[test]
    fn a8_bad_cursors() {
        let long = "x".repeat(257);
        assert!(ask(&[], &format!("lastEventID={}", &long[1..]), "").is_ok());
        for (headers, query) in [
            (&[&b"a"[..], b"b"][..], ""),
            (&[b"a", b"a"], ""),
            (&[b"\xff"], ""),
            (&[b"a\tb"], ""),
            (&[long.as_bytes()], ""),
            (&[], &*format!("lastEventID={long}")),
            (&[], "lastEventID=a%0Db"),
            (&[], "lastEventID=a%0Ab"),
            (&[], "lastEventID=a%00b"),
            (&[], "lastEventID=a%C2%85b"),
            (&[], "lastEventID=a&lastEventID=b"),
            (&[], "lastEventID=a&Last-Event-ID=b"),
        ] {
            assert_eq!(
                ask(headers, query, ""),
                Err(RefusalKind::InvalidCursor),
                "{query}"
            );
        }
        assert_eq!(ask(&[], "lastEventID=a%E2%80%A8b", ""), after("a\u{2028}b"));
    }
}
