//! The bytes of an event, made once and shared by all who receive it.

use crate::batch::{Form, Framing};
use crate::control::OWN_EVENTS;
use crate::{Entry, Kind, LogId, Position, Published, Timestamp, Topic, Visibility, WireId};
use bytes::Bytes;
use serde::Serialize;
use std::ops::Range;
use std::sync::OnceLock;
use tidings_codec::{Decoder, EventId, Item, Limits, put_data, put_id, put_retry};

/// An event that is in the log, as bytes ready to be written.
#[derive(Debug)]
pub struct Frame {
    position: Position,
    time: Timestamp,
    topic: Topic,
    alternates: Box<[Topic]>,
    visibility: Visibility,
    is_end: bool,
    /// `None` in the hub's own log.
    id: Option<EventId>,
    plain: Chunk,
    /// Whether it has no other form than as it was said.
    only_plain: bool,
    envelope: OnceLock<Envelope>,
}

impl Frame {
    /// Joins an entry and the position that `log` gave it. Live delivery and
    /// history both come through here, and nowhere else.
    pub fn new(log: LogId, position: Position, entry: Entry) -> Self {
        let id = entry.id.clone();
        let id = id.unwrap_or_else(|| WireId { log, position }.to_event_id());
        Self::of(position, entry, Some(id))
    }

    /// Joins an entry and its position in the hub's [own log](crate::own). It has no
    /// `id:` line, whatever the entry says: a reader's last event ID stays what it
    /// was. An event of a type of the hub's ([`OWN_EVENTS`](crate::control::OWN_EVENTS))
    /// has one form only.
    pub fn without_id(position: Position, entry: Entry) -> Self {
        Self::of(position, entry, None)
    }

    fn of(position: Position, entry: Entry, id: Option<EventId>) -> Self {
        let id_len = id
            .as_ref()
            .map_or(0, |id| id.as_str().len() + "id: \n".len());
        let plain = Chunk::new(entry.fields.len() + id_len + 1, |out| {
            out.extend_from_slice(&entry.fields);
            id.iter().for_each(|id| put_id(out, id));
            out.push(b'\n');
        });
        Self {
            position,
            time: entry.time,
            topic: entry.topic,
            alternates: entry.alternates,
            visibility: entry.visibility,
            only_plain: id.is_none() && is_of_own_type(&entry.fields),
            is_end: entry.kind == Kind::End,
            id,
            plain,
            envelope: OnceLock::new(),
        }
    }

    /// Where it stands in the log.
    pub fn position(&self) -> Position {
        self.position
    }

    /// When the hub took it in.
    pub fn time(&self) -> Timestamp {
        self.time
    }

    /// Where it was published: its canonical topic.
    pub fn topic(&self) -> &Topic {
        &self.topic
    }

    /// Where and how it was published.
    pub fn published(&self) -> Published<'_> {
        Published {
            topic: &self.topic,
            alternates: &self.alternates,
            visibility: self.visibility,
        }
    }

    /// Whether it closes its topic. It may have been opened again since.
    pub fn is_end(&self) -> bool {
        self.is_end
    }

    /// Its id on the wire: the publisher's, or the hub's; none in the hub's own log.
    pub fn id(&self) -> Option<&EventId> {
        self.id.as_ref()
    }

    /// The event-stream block.
    pub fn payload(&self) -> Bytes {
        self.plain.payload()
    }

    /// How many bytes [`Frame::payload`] has.
    pub fn payload_len(&self) -> usize {
        self.plain.payload.len()
    }

    /// The same block as one chunk of HTTP/1.1's chunked transfer coding.
    pub fn chunk(&self) -> Bytes {
        self.plain.bytes.clone()
    }

    /// The event-stream block of an unnamed event whose data is
    /// [`Frame::to_json`], with the event's id and reconnection time.
    pub fn envelope(&self) -> Bytes {
        self.enveloped().chunk.payload()
    }

    /// The envelope as one chunk of HTTP/1.1's chunked transfer coding.
    pub fn envelope_chunk(&self) -> Bytes {
        self.enveloped().chunk.bytes.clone()
    }

    /// The block or its chunk, in the form that a stream has.
    pub fn bytes(&self, form: Form, framing: Framing) -> Bytes {
        let form = if self.only_plain { Form::Plain } else { form };
        match (form, framing) {
            (Form::Plain, Framing::Bare) => self.payload(),
            (Form::Plain, Framing::Chunked) => self.chunk(),
            (Form::Envelope, Framing::Bare) => self.envelope(),
            (Form::Envelope, Framing::Chunked) => self.envelope_chunk(),
        }
    }

    /// The event as one line of JSON: `{"topic","event","id","time","data"}`.
    /// `id` is `null` in the hub's own log, `event` is `message` if the event has no name, `time` is when the hub
    /// took it in (RFC 3339, UTC, milliseconds), `data` is a string in which
    /// line ends are LF.
    pub fn to_json(&self) -> &str {
        let envelope = self.enveloped();
        std::str::from_utf8(&envelope.chunk.bytes[envelope.json.clone()])
            .expect("it was made from a string")
    }

    /// What it costs in memory, in bytes, without the envelope.
    pub fn cost(&self) -> usize {
        let alternates = self.alternates.iter();
        let alternates: usize = alternates
            .map(|topic| topic.as_str().len() + TOPIC_OVERHEAD)
            .sum();
        self.plain.bytes.len()
            + self.topic.as_str().len()
            + alternates
            + self.id.as_ref().map_or(0, |id| id.as_str().len())
            + size_of::<Self>()
    }

    fn enveloped(&self) -> &Envelope {
        self.envelope.get_or_init(|| Envelope::of(self))
    }
}

/// Whether the fields of an entry are of an event whose type is the hub's.
fn is_of_own_type(fields: &[u8]) -> bool {
    let name = fields.strip_prefix(b"event: ");
    name.is_some_and(|name| name.starts_with(OWN_EVENTS.as_bytes()))
}

/// What an alternate costs beside its text: its place and its counters.
const TOPIC_OVERHEAD: usize = size_of::<Topic>() + 16;

/// A block and around it the chunk that holds exactly the block
/// (RFC 9112, section 7.1).
#[derive(Debug)]
struct Chunk {
    bytes: Bytes,
    payload: Range<usize>,
}

impl Chunk {
    /// `put` appends the block, which has `block_len` bytes.
    fn new(block_len: usize, put: impl FnOnce(&mut Vec<u8>)) -> Self {
        let head = format!("{block_len:x}\r\n");
        let mut bytes = Vec::with_capacity(head.len() + block_len + 2);
        bytes.extend_from_slice(head.as_bytes());
        put(&mut bytes);
        let payload = head.len()..bytes.len();
        debug_assert_eq!(payload.len(), block_len, "the chunk's size is in its head");
        bytes.extend_from_slice(b"\r\n");
        Self {
            bytes: bytes.into(),
            payload,
        }
    }

    fn payload(&self) -> Bytes {
        self.bytes.slice(self.payload.clone())
    }
}

/// The second form of an event, made when the first subscriber asks for it.
#[derive(Debug)]
struct Envelope {
    chunk: Chunk,
    /// Where in the chunk's bytes the JSON stands.
    json: Range<usize>,
}

/// The members of [`Frame::to_json`], in order.
#[derive(Serialize)]
struct Fields<'a> {
    topic: &'a str,
    event: &'a str,
    id: Option<&'a str>,
    time: String,
    data: &'a str,
}

impl Envelope {
    /// Reads the frame's own block, so that whatever is in it can't differ
    /// between the two forms.
    fn of(frame: &Frame) -> Self {
        let block = &frame.plain.bytes[frame.plain.payload.clone()];
        // No part of the block is larger than the block.
        let mut decoder = Decoder::with_limits(Limits {
            max_event: block.len(),
            max_id: block.len(),
        });
        let mut rest = block;
        while let Some(item) = decoder.next(&mut rest) {
            if let Item::Event(event) = item {
                return Self::new(frame, event.type_or_message(), event.data, event.retry);
            }
        }
        // Fields without data: no event comes of them, but a frame is one.
        Self::new(frame, "message", "", None)
    }

    fn new(frame: &Frame, event: &str, data: &str, retry: Option<u64>) -> Self {
        let fields = Fields {
            topic: frame.topic.as_str(),
            event,
            id: frame.id.as_ref().map(EventId::as_str),
            time: frame.time.to_string(),
            data,
        };
        let json = serde_json::to_string(&fields).expect("strings are JSON");
        let id_len = frame.id.as_ref().map_or(0, |id| id.as_str().len());
        let mut block = Vec::with_capacity(json.len() + id_len + 48);
        if let Some(retry) = retry {
            put_retry(&mut block, retry);
        }
        put_data(&mut block, &json);
        // JSON on one line: behind `data: `, before LF.
        let json_end = block.len() - 1;
        frame.id.iter().for_each(|id| put_id(&mut block, id));
        block.push(b'\n');
        let chunk = Chunk::new(block.len(), |out| out.extend_from_slice(&block));
        let end = chunk.payload.start + json_end;
        Self {
            chunk,
            json: end - json.len()..end,
        }
    }
}
