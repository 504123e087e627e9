//! An event, to keep.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

/// An event as it was dispatched (B4).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Event {
    /// The type; `message` unless the server named one.
    pub event_type: Text,
    /// The data.
    pub data: String,
    /// The last event ID: this event's, or the one inherited from before; empty
    /// if there never was one.
    pub last_event_id: Text,
    /// Whether the ID was given by this event itself.
    pub has_id: bool,
    /// The event's valid `retry`.
    pub retry: Option<Duration>,
    /// Where it comes from, for who says that it is handled.
    pub(crate) place: Place,
}

/// Which event of which stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// The number of the stream in this process, from 1.
    pub(crate) stream: u64,
    /// The number of the event in the stream, from 1.
    pub(crate) number: u64,
}

impl Place {
    /// Of an event that no stream has given.
    pub(crate) const NONE: Self = Self {
        stream: 0,
        number: 0,
    };
}

impl Event {
    /// An event with an ID of its own unless `id` is empty, for tests of code
    /// that takes events.
    pub fn new(event_type: &str, data: impl Into<String>, id: &str) -> Self {
        Self {
            event_type: event_type.into(),
            data: data.into(),
            last_event_id: id.into(),
            has_id: !id.is_empty(),
            retry: None,
            place: Place::NONE,
        }
    }

    /// The ID that this event itself has given; it may be empty.
    pub fn own_id(&self) -> Option<&str> {
        self.has_id.then_some(&*self.last_event_id)
    }
}

/// What the server said; not where in its stream.
impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        let said = |event: &Self| (event.has_id, event.retry);
        said(self) == said(other)
            && self.event_type == other.event_type
            && self.data == other.data
            && self.last_event_id == other.last_event_id
    }
}

impl Eq for Event {}

/// A short text that many events share: cloning it copies nothing.
#[derive(Clone)]
pub struct Text(Repr);

#[derive(Clone)]
enum Repr {
    /// Needs no count of who holds it, which would be changed for every event.
    Static(&'static str),
    Shared(Arc<str>),
}

impl Text {
    /// The empty text, which takes no memory.
    pub const EMPTY: Self = Self(Repr::Static(""));

    /// The type of an event that has none of its own (B4).
    pub(crate) const MESSAGE: Self = Self(Repr::Static("message"));

    /// The text.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Repr::Static(text) => text,
            Repr::Shared(text) => text,
        }
    }

    /// Makes it `text` and says whether that is another; what is equal already
    /// stays the same memory.
    pub(crate) fn set(&mut self, text: &str) -> bool {
        // Most streams have no IDs: nothing is compared for them.
        let are_empty = text.is_empty() && self.is_empty();
        let differs = !are_empty && self.as_str() != text;
        if differs {
            self.0 = match text {
                "" => Repr::Static(""),
                text => Repr::Shared(text.into()),
            };
        }
        differs
    }
}

impl Text {
    /// Makes it `text`, and gives it.
    pub(crate) fn made(&mut self, text: &str) -> Self {
        self.set(text);
        self.clone()
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        let mut own = Self::EMPTY;
        own.set(text);
        own
    }
}

impl std::ops::Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl Default for Text {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Text {}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other)
    }
}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}
