//! Closing a topic. Its end is an event of the log like any other: it has an id,
//! is replayed, and expires. What it does beside that is to be asked of the store,
//! which alone knows the order of what is published.

use crate::{Event, Topic, Visibility};
use tidings_codec::EventType;

/// The type of the event that ends a topic.
pub const END_EVENT: &str = "tidings:end";

/// What an entry does to its topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Kind {
    /// Nothing: an event, which a closed topic doesn't take.
    #[default]
    Event,
    /// An event that opens those of its topics that are closed.
    Reopening,
    /// It closes its topic, and has only this one.
    End,
}

/// The event that ends `topic`, for an entry of [`Kind::End`]: of type
/// [`END_EVENT`], with the data `{"topic":"…"}`.
pub fn end(topic: Topic) -> Event {
    let text = serde_json::to_string(topic.as_str()).expect("a string is JSON");
    Event {
        data: format!(r#"{{"topic":{text}}}"#).into(),
        topic,
        alternates: Box::default(),
        visibility: Visibility::Native,
        event_type: Some(EventType::new(END_EVENT).expect("no line break in it")),
        id: None,
        retry: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::OWN_EVENTS;
    use crate::{Frame, LogId, Position, Timestamp};

    #[test]
    fn the_end_names_its_topic_as_json() {
        for (text, json) in [
            ("answer/42", r#""answer/42""#),
            (r#"a"b\c"#, r#""a\"b\\c""#),
        ] {
            let entry = end(Topic::new(text).unwrap()).into_entry(Timestamp(1), None);
            let entry = entry.of_kind(Kind::End);
            assert_eq!(
                &entry.fields[..],
                format!("event: {END_EVENT}\ndata: {{\"topic\":{json}}}\n").as_bytes()
            );
            assert!(Frame::new(LogId(1), Position(1), entry).is_end());
        }
        assert!(END_EVENT.starts_with(OWN_EVENTS), "no publisher has it");
    }
}
