//! What a publisher says, and what the log keeps of it.

use crate::{Kind, Published, Timestamp, Topic, Visibility};
use bytes::Bytes;
use tidings_codec::{EventId, EventType};

/// A publisher's event, parsed and valid; the log has not seen it yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Where it is published: its canonical topic.
    pub topic: Topic,
    /// Its other topics; see [`published::alternates`](crate::published::alternates).
    pub alternates: Box<[Topic]>,
    /// To whom it is shown.
    pub visibility: Visibility,
    /// `event:`; `None` means `message`.
    pub event_type: Option<EventType>,
    /// An id of the publisher's own; `None` lets the hub give one.
    pub id: Option<EventId>,
    /// A new reconnection time for who receives it, in milliseconds.
    pub retry: Option<u64>,
    /// The payload. CR and CRLF become LF on the wire.
    pub data: Box<str>,
}

/// Under what a publisher may repeat an event without publishing it twice:
/// hashes, because the log keeps them and keys may be long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct IdempotencyKey {
    /// Hash of the key (and of the event's number within its request).
    pub key: u128,
    /// Hash of what was asked for, to notice a key used for something else.
    pub request: u64,
}

/// An event as the log keeps it: encoded once, without its `id:` line, which
/// follows from its position unless the publisher brought one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it was published: its canonical topic.
    pub topic: Topic,
    /// Its other topics; see [`published::alternates`](crate::published::alternates).
    pub alternates: Box<[Topic]>,
    /// To whom it is shown.
    pub visibility: Visibility,
    /// What it does to its topics.
    pub kind: Kind,
    /// When the hub took it in.
    pub time: Timestamp,
    /// The publisher's own id.
    pub id: Option<EventId>,
    /// How a repetition is recognised.
    pub key: Option<IdempotencyKey>,
    /// The `event`, `retry` and `data` lines, each ended by LF.
    pub fields: Bytes,
}

impl Event {
    /// Encodes the event: the one time this happens in its life.
    pub fn into_entry(self, time: Timestamp, key: Option<IdempotencyKey>) -> Entry {
        let mut fields = Vec::with_capacity(self.data.len() + 32);
        if let Some(event_type) = &self.event_type {
            tidings_codec::put_event_type(&mut fields, event_type);
        }
        if let Some(retry) = self.retry {
            tidings_codec::put_retry(&mut fields, retry);
        }
        tidings_codec::put_data(&mut fields, &self.data);
        Entry {
            topic: self.topic,
            alternates: self.alternates,
            visibility: self.visibility,
            kind: Kind::Event,
            time,
            id: self.id,
            key,
            fields: fields.into(),
        }
    }
}

impl Entry {
    /// The same, but for what it does to its topics.
    #[must_use]
    pub fn of_kind(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }

    /// Where and how it was published.
    pub fn published(&self) -> Published<'_> {
        Published {
            topic: &self.topic,
            alternates: &self.alternates,
            visibility: self.visibility,
        }
    }
}
