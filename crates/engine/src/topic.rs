//! Topics: paths such as `news` or `orders/42`.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// A valid topic, cheap to clone. See [`Topic::new`] for its grammar.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Topic(Arc<str>);

/// Why a text is no topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidTopic {
    /// It is empty.
    Empty,
    /// It is longer than [`Topic::MAX_BYTES`].
    TooLong,
    /// It has an empty segment: a leading, trailing or doubled `/`.
    EmptySegment,
    /// It has a segment `.` or `..`, which URL parsers remove.
    DotSegment,
    /// It holds a control character (C0, DEL, C1).
    Control,
    /// It holds `*`, which only selectors use.
    Wildcard,
}

impl fmt::Display for InvalidTopic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "a topic can't be empty",
            Self::TooLong => "a topic is at most 4096 bytes long",
            Self::EmptySegment => {
                "a topic has no empty segment (no leading, trailing or doubled '/')"
            }
            Self::DotSegment => "a topic has no segment '.' or '..'",
            Self::Control => "a topic holds no control characters",
            Self::Wildcard => "a topic holds no '*'; patterns are for watching only",
        })
    }
}

impl std::error::Error for InvalidTopic {}

/// Checks what topics and selectors have in common.
pub(crate) fn check_path(text: &str) -> Result<(), InvalidTopic> {
    if text.is_empty() {
        return Err(InvalidTopic::Empty);
    }
    if text.len() > Topic::MAX_BYTES {
        return Err(InvalidTopic::TooLong);
    }
    if text.chars().any(char::is_control) {
        return Err(InvalidTopic::Control);
    }
    for segment in text.split('/') {
        match segment {
            "" => return Err(InvalidTopic::EmptySegment),
            "." | ".." => return Err(InvalidTopic::DotSegment),
            _ => {}
        }
    }
    Ok(())
}

impl Topic {
    /// The longest topic, in bytes.
    pub const MAX_BYTES: usize = 4096;

    /// Checks `text`: non-empty segments joined by `/`, at most
    /// [`Topic::MAX_BYTES`] bytes, no control characters, no segment `.` or
    /// `..`, no `*`. Compared byte by byte; no Unicode normalisation.
    ///
    /// # Errors
    /// [`InvalidTopic`] says which rule it breaks.
    pub fn new(text: &str) -> Result<Self, InvalidTopic> {
        check_path(text)?;
        if text.contains('*') {
            return Err(InvalidTopic::Wildcard);
        }
        Ok(Self(text.into()))
    }

    /// The topic as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its segments, in order.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// Whether only the hub may publish it: its first segment begins with `$`.
    pub fn is_reserved(&self) -> bool {
        self.0.starts_with('$')
    }
}

/// It is compared and hashed as its text is.
impl Borrow<str> for Topic {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Topic({:?})", &*self.0)
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
