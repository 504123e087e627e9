//! An event, to keep.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// An event as it was dispatched (B4).
#[derive(Debug, Clone, PartialEq, Eq)]
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
}

/// A short text that many events share: cloning it copies nothing.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Text(Option<Arc<str>>);

impl Text {
    /// The empty text, which takes no memory.
    pub const EMPTY: Self = Self(None);

    /// The text.
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or("")
    }

    /// Makes it `text`; what is equal already stays the same memory.
    pub(crate) fn set(&mut self, text: &str) {
        if self.as_str() != text {
            self.0 = (!text.is_empty()).then(|| text.into());
        }
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
