use crate::Error;
use crate::event::Text;
use std::cell::Cell;

/// What a listener is called with: the `Event` interface of the DOM standard,
/// as far as it means something where there is no tree.
///
/// `open` and `error` are plain events, without data (B6); an event of the
/// stream has a [`MessageEvent`].
#[derive(Debug)]
pub struct DomEvent {
    event_type: Text,
    is_trusted: bool,
    detail: Detail,
    stopped: Cell<bool>,
}

/// What an event of the stream has beyond its type: the `MessageEvent`
/// interface (B4).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MessageEvent {
    /// The `data` lines, joined by LF.
    pub data: String,
    /// Where the stream came from, after redirects: the serialized origin, as
    /// in `https://example.com`, or `null`.
    pub origin: Text,
    /// The last event ID when the event was dispatched; empty if there was none.
    pub last_event_id: Text,
}

#[derive(Debug)]
enum Detail {
    None,
    Message(MessageEvent),
    Error(Error),
}

impl DomEvent {
    /// A plain event of the user's own.
    pub fn new(event_type: &str) -> Self {
        Self::with_detail(event_type.into(), false, Detail::None)
    }

    /// A `MessageEvent` of the user's own.
    pub fn with_message(event_type: &str, message: MessageEvent) -> Self {
        Self::with_detail(event_type.into(), false, Detail::Message(message))
    }

    /// T1.
    pub(super) fn open() -> Self {
        Self::with_detail("open".into(), true, Detail::None)
    }

    /// T2, T3.
    pub(super) fn failed(error: Error) -> Self {
        Self::with_detail("error".into(), true, Detail::Error(error))
    }

    /// B4.
    pub(super) fn message_of_stream(event_type: Text, message: MessageEvent) -> Self {
        Self::with_detail(event_type, true, Detail::Message(message))
    }

    fn with_detail(event_type: Text, is_trusted: bool, detail: Detail) -> Self {
        Self {
            event_type,
            is_trusted,
            detail,
            stopped: Cell::new(false),
        }
    }

    /// `type`: `open`, `error`, or what the server named the event, which is
    /// `message` if it did not (B4).
    pub fn event_type(&self) -> &str {
        &self.event_type
    }

    /// `isTrusted`: whether the stream fired it, and not the user (B6).
    pub fn is_trusted(&self) -> bool {
        self.is_trusted
    }

    /// `bubbles`: never (B6).
    pub fn bubbles(&self) -> bool {
        false
    }

    /// `cancelable`: never (B6), so there is nothing to prevent either.
    pub fn cancelable(&self) -> bool {
        false
    }

    /// What an event of the stream carries; `None` for `open` and `error`.
    pub fn message(&self) -> Option<&MessageEvent> {
        match &self.detail {
            Detail::Message(message) => Some(message),
            Detail::None | Detail::Error(_) => None,
        }
    }

    /// `data`; `None` for `open` and `error` (B6).
    pub fn data(&self) -> Option<&str> {
        self.message().map(|message| message.data.as_str())
    }

    /// Why an `error` was fired. Browsers hide it from scripts; there is no
    /// reason to here. One that [is passing](Error::is_passing) is fired while
    /// the state is `OPEN`: an event was beyond the limits, which the standard
    /// doesn't have, and the stream goes on behind it.
    pub fn error(&self) -> Option<&Error> {
        match &self.detail {
            Detail::Error(error) => Some(error),
            Detail::None | Detail::Message(_) => None,
        }
    }

    /// The listeners after this one are not called.
    pub fn stop_immediate_propagation(&self) {
        self.stopped.set(true);
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.get()
    }
}
