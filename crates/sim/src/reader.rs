//! From the bytes of event streams to the steps of a chain.

use crate::{Moment, Step};
use tidings_codec::{Decoder, Event, EventId, Item};
use tidings_engine::closing::END_EVENT;
use tidings_engine::control::{GAP_EVENT, GapReason};

/// Reads the connections of one watcher, one after the other, as an
/// EventSource does: it remembers the last event ID and drops what is
/// incomplete when a connection ends.
#[derive(Debug, Default)]
pub struct ChainReader {
    decoder: Decoder,
    envelope: bool,
    /// Whether this connection has stated an id yet.
    opened: bool,
    retry_ms: Option<u64>,
    steps: Vec<Step>,
}

impl ChainReader {
    /// A reader that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// A reader of streams that were asked for with `envelope=json`.
    pub fn of_envelopes() -> Self {
        Self {
            envelope: true,
            ..Self::default()
        }
    }

    /// A reader whose first connection already resumes, behind `id`.
    #[must_use]
    pub fn resuming(mut self, id: &str) -> Self {
        if let Ok(id) = EventId::new(id) {
            self.decoder.set_last_event_id(&id);
        }
        self
    }

    /// Takes in bytes of a body as they arrive; `now` is not before that.
    pub fn read(&mut self, bytes: &[u8], now: Moment) {
        // By line, because a block that only states an id gives no item: it
        // shows between one line and the next.
        for mut line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let before = self.decoder.last_event_id().to_owned();
            let mut gave_event = false;
            while let Some(item) = self.decoder.next(&mut line) {
                match item {
                    Item::Event(event) => {
                        gave_event = true;
                        self.opened |= event.id.is_some();
                        self.steps.push(step(&event, self.envelope, now));
                    }
                    Item::Retry(ms) => self.retry_ms = Some(ms),
                    Item::Comment(_) | Item::TooLarge(_) => {}
                }
            }
            if !gave_event {
                self.notice_id(&before, now);
            }
        }
    }

    /// The connection is gone, wherever it stood.
    pub fn disconnected(&mut self) {
        self.decoder.reset();
        self.opened = false;
        if !matches!(self.steps.last(), None | Some(Step::Disconnected)) {
            self.steps.push(Step::Disconnected);
        }
    }

    /// What the next connection sends as `Last-Event-ID`, unless it is empty.
    pub fn last_event_id(&self) -> &str {
        self.decoder.last_event_id()
    }

    /// The last reconnection time that was given, in milliseconds.
    pub fn retry_ms(&self) -> Option<u64> {
        self.retry_ms
    }

    /// What came so far.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// What came, for a [`Chain`](crate::Chain).
    pub fn into_steps(self) -> Vec<Step> {
        self.steps
    }

    /// The first id of a resumed connection states what was known before, so
    /// it is no change; it need not be recorded either.
    fn notice_id(&mut self, before: &str, now: Moment) {
        let id = self.decoder.last_event_id();
        if id == before || id.is_empty() {
            return;
        }
        let id = id.to_owned();
        self.steps.push(match self.opened {
            false => Step::Opened { id, at: now },
            true => Step::Reached { id },
        });
        self.opened = true;
    }
}

fn step(event: &Event<'_>, envelope: bool, now: Moment) -> Step {
    let id = event.last_event_id.to_owned();
    if event.event_type == GAP_EVENT {
        let slow =
            text_of(event.data, "reason").is_some_and(|reason| reason == GapReason::Slow.as_str());
        return Step::Gap {
            to: id,
            slow,
            at: now,
        };
    }
    if event.event_type == END_EVENT
        && let Some(topic) = text_of(event.data, "topic")
    {
        return Step::Ended { id, topic };
    }
    if envelope && let Some(step) = unwrap_envelope(&id, event.data) {
        return step;
    }
    Step::Event {
        id,
        topic: None,
        event_type: event.type_or_message().to_owned(),
        data: event.data.to_owned(),
    }
}

/// A member of the data of one of the hub's own events.
fn text_of(json: &str, name: &str) -> Option<String> {
    let value: serde_json::Value = serde_json::from_str(json).ok()?;
    Some(value.get(name)?.as_str()?.to_owned())
}

/// `None` if it is no envelope: then it stays what it is, which nobody
/// published. The id that stands inside must be the one outside.
fn unwrap_envelope(id: &str, json: &str) -> Option<Step> {
    let value: serde_json::Value = serde_json::from_str(json).ok()?;
    let text = |name: &str| Some(value.get(name)?.as_str()?.to_owned());
    text("time")?;
    let (id, topic) = ((text("id")? == id).then(|| id.to_owned())?, text("topic")?);
    if text("event")? == END_EVENT {
        return Some(Step::Ended { id, topic });
    }
    Some(Step::Event {
        id,
        topic: Some(topic),
        event_type: text("event")?,
        data: text("data")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "td-0000000000007-1";
    const B: &str = "td-0000000000007-9";

    fn check(bytes: &str, expected: &[Step]) {
        for cut in 0..=bytes.len() {
            let mut reader = ChainReader::new();
            reader.read(&bytes.as_bytes()[..cut], Moment(3));
            reader.read(&bytes.as_bytes()[cut..], Moment(3));
            assert_eq!(reader.steps(), expected, "cut at {cut}");
        }
    }

    fn event(id: &str, event_type: &str, data: &str) -> Step {
        let (id, event_type, data) = (id.into(), event_type.into(), data.into());
        Step::Event {
            id,
            topic: None,
            event_type,
            data,
        }
    }

    fn gap(slow: bool, at: Moment) -> Step {
        let to = A.into();
        Step::Gap { to, slow, at }
    }

    #[test]
    fn steps_in_any_chunking() {
        let at = Moment(3);
        check(
            &format!(
                "retry: 7\n: tidings\nid: {A}\n\nevent: x\ndata: 1\nid: own\n\n: \nid: {B}\n\n\
                 event: tidings:gap\ndata: {{}}\nid: {A}\n\n\
                 event: tidings:gap\ndata: {{\"reason\":\"slow\"}}\nid: {A}\n\ndata: 2\nid: {B}\n\ndata: torn\nid: z\n"
            ),
            &[
                Step::Opened { id: A.into(), at },
                event("own", "x", "1"),
                Step::Reached { id: B.into() },
                gap(false, at),
                gap(true, at),
                event(B, "message", "2"),
            ],
        );
    }

    #[test]
    fn a_lost_connection_drops_its_torn_block_and_keeps_the_id() {
        let mut reader = ChainReader::new();
        reader.read(
            format!("id: {A}\n\ndata: 1\nid: {B}\n").as_bytes(),
            Moment(1),
        );
        reader.disconnected();
        reader.disconnected();
        assert_eq!(reader.last_event_id(), A);
        reader.read(b"retry: 5\ndata: 1\nid: b\n\n", Moment(2));
        assert_eq!((reader.last_event_id(), reader.retry_ms()), ("b", Some(5)));
        assert_eq!(
            reader.steps()[1..],
            [Step::Disconnected, event("b", "message", "1")]
        );
    }

    #[test]
    fn envelopes_are_opened_unless_they_contradict_themselves() {
        let mut reader = ChainReader::of_envelopes();
        let json = r#"{"topic":"t","event":"e","id":"i","time":"now","data":"d"}"#;
        reader.read(
            format!("data: {json}\nid: i\n\ndata: {json}\nid: j\n\n").as_bytes(),
            Moment(1),
        );
        let Step::Event { topic, data, .. } = &reader.steps()[0] else {
            panic!("no event")
        };
        assert_eq!((topic.as_deref(), data.as_str()), (Some("t"), "d"));
        assert_eq!(reader.steps()[1], event("j", "message", json));
    }
}
