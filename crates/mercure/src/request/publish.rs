//! Publishing: a form, in both dialects.

use super::{BodyType, bad_form, body_type, not_a_form};
use crate::base::Base;
use crate::dialect::{Dialect, EARLIEST};
use crate::form::Form;
use crate::refusal::{Refusal, RefusalKind};
use crate::topic::{InvalidText, TOPICS, check_characters, check_text, is_reserved};
use http::HeaderMap;
use std::collections::HashSet;
use tidings_codec::{EventId, EventType};
use tidings_engine::publish::{InvalidPublisherId, event_type, publisher_id, retry};

/// An event as a Mercure publisher gives it. It is not authorized yet: the
/// publisher must be granted every topic, or nothing is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish {
    /// The canonical topic, then the alternates, each once; at least one.
    pub topics: Vec<String>,
    /// The payload, as it was sent.
    pub data: String,
    /// Whether only those get it who are granted one of its topics.
    pub private: bool,
    /// The publisher's own id; `None` lets the hub give one.
    pub id: Option<EventId>,
    /// `event:`; `None` means `message`.
    pub event_type: Option<EventType>,
    /// A new reconnection time, in milliseconds.
    pub retry: Option<u64>,
}

/// Parses the form of a `POST`. `dialect` is that of the publisher's token.
/// An empty `id`, `type` or `retry` is as good as none, as forms on web pages
/// send them. Fields of other names are ignored.
///
/// # Errors
/// [`Refusal`] says which rule the request breaks.
pub fn publish(
    headers: &HeaderMap,
    body: &[u8],
    dialect: Dialect,
    base: &Base,
) -> Result<Publish, Refusal> {
    if body_type(headers) != BodyType::Form {
        return Err(not_a_form());
    }
    let form = Form::body(body).map_err(|reason| bad_form(&reason, "body"))?;
    Ok(Publish {
        topics: topics(&form, dialect, base)?,
        data: one(&form, "data")?.unwrap_or_default().to_owned(),
        // Whatever its value: also `private=off` is private.
        private: one(&form, "private")?.is_some(),
        id: filled(&form, "id")?
            .map(|id| self::id(id, dialect))
            .transpose()?,
        event_type: filled(&form, "type")?
            .map(|text| event_type_of(text, dialect))
            .transpose()?,
        retry: filled(&form, "retry")?
            .map(|text| retry(text).map_err(|reason| invalid(reason.to_string())))
            .transpose()?,
    })
}

fn topics(form: &Form, dialect: Dialect, base: &Base) -> Result<Vec<String>, Refusal> {
    let bad = |detail: String| Refusal::new(RefusalKind::InvalidTopic, detail);
    let mut topics = Vec::new();
    let mut seen = HashSet::new();
    for (count, topic) in form.all("topic").enumerate() {
        if count == TOPICS {
            return Err(bad(format!("an event has at most {TOPICS} topics")));
        }
        check_text(topic, dialect).map_err(|reason| bad(format!("a topic {reason}")))?;
        if topic == "*" {
            return Err(bad(
                "'*' is for watching; an event needs a topic of its own".into(),
            ));
        }
        if is_reserved(topic, base) {
            return Err(Refusal::new(
                RefusalKind::ReservedTopic,
                "a topic is below the hub's own path; only the hub publishes there",
            ));
        }
        if seen.insert(topic) {
            topics.push(topic.to_owned());
        }
    }
    if topics.is_empty() {
        return Err(bad("'topic' is missing".into()));
    }
    Ok(topics)
}

fn id(text: &str, dialect: Dialect) -> Result<EventId, Refusal> {
    check_characters(text, dialect).map_err(|reason| characters("id", reason))?;
    match publisher_id(text) {
        Ok(id) => Ok(id),
        // The native face alone reads durations where an id may stand.
        Err(InvalidPublisherId::LooksLikeSince) if text != EARLIEST => {
            EventId::new(text).map_err(|reason| invalid(format!("'id' is not allowed: {reason}")))
        }
        Err(InvalidPublisherId::LooksLikeSince) => Err(invalid(
            "'id' can't be 'earliest', which means the first event kept".into(),
        )),
        Err(reason) => Err(invalid(reason.to_string())),
    }
}

fn event_type_of(text: &str, dialect: Dialect) -> Result<EventType, Refusal> {
    check_characters(text, dialect).map_err(|reason| characters("type", reason))?;
    event_type(text).map_err(|reason| invalid(reason.to_string()))
}

fn characters(field: &str, reason: InvalidText) -> Refusal {
    invalid(format!("'{field}' {reason}"))
}

fn invalid(detail: String) -> Refusal {
    Refusal::new(RefusalKind::InvalidEvent, detail)
}

/// The value of a field that may stand once.
fn one<'a>(form: &'a Form, name: &'static str) -> Result<Option<&'a str>, Refusal> {
    let mut values = form.all(name);
    let first = values.next();
    if values.next().is_some() {
        let detail = format!("the field '{name}' is given more than once");
        return Err(Refusal::new(RefusalKind::BadRequest, detail));
    }
    Ok(first)
}

fn filled<'a>(form: &'a Form, name: &'static str) -> Result<Option<&'a str>, Refusal> {
    Ok(one(form, name)?.filter(|value| !value.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn ask_as(
        content_type: Option<&str>,
        body: &[u8],
        dialect: Dialect,
    ) -> Result<Publish, Refusal> {
        let base = Base::new("https://example.com").unwrap();
        let mut headers = HeaderMap::new();
        if let Some(content_type) = content_type {
            headers.insert("content-type", HeaderValue::from_str(content_type).unwrap());
        }
        publish(&headers, body, dialect, &base)
    }

    fn ask(body: &str, dialect: Dialect) -> Result<Publish, RefusalKind> {
        ask_as(
            Some("application/x-www-form-urlencoded"),
            body.as_bytes(),
            dialect,
        )
        .map_err(|refusal| {
            assert!(refusal.detail.len() <= 200, "{}", refusal.detail);
            refusal.kind
        })
    }

    fn check_refused(body: &str, kind: RefusalKind) {
        for dialect in [Dialect::V0, Dialect::V1] {
            assert_eq!(ask(body, dialect), Err(kind), "{body} {dialect:?}");
        }
    }

    #[test]
    fn an_event_with_everything() {
        let body = "topic=https://a/1&topic=b&topic=https://a/1&data=x%0A%0A++y&private=on\
                    &id=id-%5B%22ab12%22%5D&type=added&retry=2000&unknown=1";
        for dialect in [Dialect::V0, Dialect::V1] {
            let event = ask(body, dialect).unwrap();
            assert_eq!(event.topics, ["https://a/1", "b"]);
            assert_eq!(event.data, "x\n\n  y");
            assert!(event.private);
            assert_eq!(event.id.unwrap().as_str(), "id-[\"ab12\"]");
            assert_eq!(event.event_type.unwrap().as_str(), "added");
            assert_eq!(event.retry, Some(2_000));
        }
    }

    #[test]
    fn what_may_be_left_out_or_empty() {
        for body in ["topic=a", "topic=a&data=&id=&type=&retry="] {
            let event = ask(body, Dialect::V1).unwrap();
            let expected = Publish {
                topics: vec!["a".into()],
                data: String::new(),
                private: false,
                id: None,
                event_type: None,
                retry: None,
            };
            assert_eq!(event, expected, "{body}");
        }
        for body in ["topic=a&private", "topic=a&private=", "topic=a&private=off"] {
            assert!(ask(body, Dialect::V0).unwrap().private, "{body}");
        }
    }

    #[test]
    fn b1_other_bodies_are_415() {
        for content_type in [
            None,
            Some("text/plain"),
            Some("multipart/form-data; boundary=x"),
            Some("application/json"),
            Some("nonsense"),
        ] {
            let refusal = ask_as(content_type, b"topic=a", Dialect::V0).unwrap_err();
            assert_eq!(refusal.kind.status(Dialect::V0), 415, "{content_type:?}");
        }
    }

    #[test]
    fn b4_forms() {
        for body in [
            "topic=a&data=1&data=1",
            "topic=a&id=1&id=2",
            "topic=a&private&private",
            "topic=a&type=x&type=x",
            "topic=a&retry=100&retry=",
            "topic=a;data=b",
            "topic=a&=b",
            "topic=%",
            "topic=a&data=%FF",
        ] {
            check_refused(body, RefusalKind::BadRequest);
        }
        check_refused(
            &format!("topic=a{}", "&x=1".repeat(100_000)),
            RefusalKind::BadRequest,
        );
        assert_eq!(ask("topic=a+%2B", Dialect::V1).unwrap().topics, ["a +"]);
    }

    #[test]
    fn b6_mercure_1259_ids() {
        for id in [
            "a%0Db",
            "a%0Ab",
            "a%0D%0Ab",
            "a%00",
            "%C2%85",
            "#1",
            "earliest",
            "+a",
            "td-1",
            &"x".repeat(257),
        ] {
            check_refused(&format!("topic=a&id={id}"), RefusalKind::InvalidEvent);
        }
        for id in [
            "10m",
            "last:5",
            "latest",
            "a%E2%80%A8b",
            "urn:uuid:1",
            "Earliest",
        ] {
            assert!(
                ask(&format!("topic=a&id={id}"), Dialect::V1).is_ok(),
                "{id}"
            );
        }
        assert!(ask("topic=a&id=a%E2%80%8Db", Dialect::V0).is_ok());
        assert_eq!(
            ask("topic=a&id=a%E2%80%8Db", Dialect::V1),
            Err(RefusalKind::InvalidEvent)
        );
    }

    #[test]
    fn b7_mercure_1259_types() {
        for text in [
            "a%0Db",
            "a%0Ab",
            "a%00",
            "mercure",
            "mercure:x",
            "tidings:gap",
            &"x".repeat(129),
        ] {
            check_refused(&format!("topic=a&type={text}"), RefusalKind::InvalidEvent);
        }
        assert_eq!(
            ask("topic=a&type=a%E2%80%8D", Dialect::V1),
            Err(RefusalKind::InvalidEvent)
        );
        assert!(ask("topic=a&type=Mercure", Dialect::V1).is_ok());
    }

    #[test]
    fn b8_retry() {
        for retry in [
            "-1",
            "0",
            "1",
            "99",
            "3600001",
            "1e9",
            "18446744073709551616",
            "5s",
            "%D9%A3",
            "%2B200",
        ] {
            check_refused(&format!("topic=a&retry={retry}"), RefusalKind::InvalidEvent);
        }
    }

    #[test]
    fn b10_reserved_topics() {
        for topic in [
            "/.well-known/mercure/x",
            "https://other/.well-known/%256Dercure/x",
        ] {
            let topic = topic.replace("%25", "%");
            // Encoded once for the form, so that `%6D` arrives.
            let body = format!("topic=ok&topic={}", topic.replace('%', "%25"));
            check_refused(&body, RefusalKind::ReservedTopic);
        }
    }

    /// Mercure #1260: the number of elements had no bound.
    #[test]
    fn b11_mercure_1260_topics_are_bounded() {
        check_refused("data=a", RefusalKind::InvalidTopic);
        check_refused("topic=*", RefusalKind::InvalidTopic);
        check_refused("topic=", RefusalKind::InvalidTopic);
        check_refused("topic=a%00", RefusalKind::InvalidTopic);
        check_refused(
            &format!("topic={}", "x".repeat(4_097)),
            RefusalKind::InvalidTopic,
        );
        let many = |count: usize| {
            (0..count)
                .map(|i| format!("topic={i}&"))
                .collect::<String>()
        };
        assert_eq!(ask(&many(1_000), Dialect::V1).unwrap().topics.len(), 1_000);
        check_refused(&many(1_001), RefusalKind::InvalidTopic);
        check_refused(&"topic=a&".repeat(1_001), RefusalKind::InvalidTopic);
    }
}
