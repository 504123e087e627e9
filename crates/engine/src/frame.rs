//! The bytes of an event, made once and shared by all who receive it.

use crate::{Entry, LogId, Position, Timestamp, Topic, WireId};
use bytes::Bytes;
use std::ops::Range;
use std::sync::OnceLock;
use tidings_codec::EventId;

/// An event that is in the log, as bytes ready to be written.
#[derive(Debug)]
pub struct Frame {
    position: Position,
    time: Timestamp,
    topic: Topic,
    id: EventId,
    /// One HTTP/1.1 chunk that holds exactly the payload.
    chunk: Bytes,
    payload: Range<usize>,
    envelope: OnceLock<Bytes>,
}

impl Frame {
    /// Joins an entry and the position that `log` gave it. Live delivery and
    /// history both come through here, and nowhere else.
    pub fn new(log: LogId, position: Position, entry: Entry) -> Self {
        let id = entry
            .id
            .unwrap_or_else(|| WireId { log, position }.to_event_id());
        let payload_len = entry.fields.len() + id.as_str().len() + "id: \n\n".len();
        let head = format!("{payload_len:x}\r\n");
        let mut chunk = Vec::with_capacity(head.len() + payload_len + 2);
        chunk.extend_from_slice(head.as_bytes());
        chunk.extend_from_slice(&entry.fields);
        tidings_codec::put_id(&mut chunk, &id);
        chunk.extend_from_slice(b"\n\r\n");
        let payload = head.len()..chunk.len() - 2;
        Self {
            position,
            time: entry.time,
            topic: entry.topic,
            id,
            chunk: chunk.into(),
            payload,
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

    /// Where it was published.
    pub fn topic(&self) -> &Topic {
        &self.topic
    }

    /// Its id on the wire: the publisher's, or the hub's.
    pub fn id(&self) -> &EventId {
        &self.id
    }

    /// The event-stream block.
    pub fn payload(&self) -> Bytes {
        self.chunk.slice(self.payload.clone())
    }

    /// How many bytes [`Frame::payload`] has.
    pub fn payload_len(&self) -> usize {
        self.payload.len()
    }

    /// The same block as one chunk of HTTP/1.1's chunked transfer coding.
    pub fn chunk(&self) -> Bytes {
        self.chunk.clone()
    }

    /// What it costs in memory, in bytes, without the envelope.
    pub fn cost(&self) -> usize {
        self.chunk.len() + self.topic.as_str().len() + self.id.as_str().len() + size_of::<Self>()
    }
}
