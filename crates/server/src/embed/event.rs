//! Events, on their way into the log and out of it.

use crate::native::{self, InvalidEvent, Key, Labels};
use serde::Serialize;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tidings_codec::{Decoder, EventId, Item};
use tidings_engine::control::GapReason;
use tidings_engine::since::Since;
use tidings_engine::{Frame, Kind, Limits, Topic};

/// An event to be published. What may stand in it is checked when it is.
#[derive(Clone, PartialEq, Eq)]
pub struct Event {
    data: String,
    event_type: Option<String>,
    id: Option<String>,
    key: Option<String>,
    retry: Option<Duration>,
    reopens: bool,
}

impl Event {
    /// An event with this data and no name: an `EventSource` gives it to
    /// `onmessage`. CR and CRLF in the data become LF.
    pub fn new(data: impl Into<String>) -> Self {
        Self {
            data: data.into(),
            event_type: None,
            id: None,
            key: None,
            retry: None,
            reopens: false,
        }
    }

    /// An event whose data is `value` as JSON.
    ///
    /// ```
    /// use tidings_server::Event;
    /// let event = Event::json(&["Ada", "Grace"])?.named("people");
    /// assert_eq!(event, Event::new(r#"["Ada","Grace"]"#).named("people"));
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the value is none of JSON's: a map whose keys aren't strings.
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        serde_json::to_string(value).map(Self::new)
    }

    /// The same with a name (`event:`), by which an `EventSource` tells
    /// listeners apart: 1 to 128 bytes without CR, LF and NUL. `mercure` and
    /// what begins with `mercure:` or `tidings:` is the hub's.
    #[must_use]
    pub fn named(mut self, event_type: impl Into<String>) -> Self {
        self.event_type = Some(event_type.into());
        self
    }

    /// The same with an id of the application's own, 1 to 256 bytes, instead of
    /// one of the hub's. Within a topic an id is for one event: publishing the
    /// same again changes nothing.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// The same under an idempotency key, 1 to 255 printable ASCII characters: an
    /// event that is published again under it is not published twice, and answered
    /// with the id of the first, also by a hub that was opened again on its disk. So
    /// what may or may not have been published can be published again. Under the same
    /// key another event is refused, at whatever topic.
    ///
    /// The hub remembers the last 100,000 keys for ten minutes. They are the
    /// application's: no `Idempotency-Key` of a visitor of a
    /// [service](super::Hub::service) meets them.
    ///
    /// ```
    /// # use tidings_server::{Event, Hub};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let hub = Hub::builder().open()?;
    /// let paid = || Event::new("paid").key("payment-77");
    /// let id = hub.publish("orders/42", paid()).await?;
    /// assert_eq!(hub.publish("orders/42", paid()).await?, id);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// The same with a new reconnection time for who receives it: 100 ms to 1 h,
    /// in whole milliseconds.
    #[must_use]
    pub fn retry(mut self, retry: Duration) -> Self {
        self.retry = Some(retry);
        self
    }

    /// The same, and it opens its topic again if that is [closed](super::Hub::close).
    #[must_use]
    pub fn reopening(mut self) -> Self {
        self.reopens = true;
        self
    }

    pub(super) fn kind(&self) -> Kind {
        match self.reopens {
            true => Kind::Reopening,
            false => Kind::Event,
        }
    }

    /// The event and its key, if they keep the rules.
    pub(super) fn check(
        self,
        topic: Topic,
        limits: &Limits,
    ) -> Result<(tidings_engine::Event, Option<Key>), InvalidEvent> {
        let key = self.key.as_deref().map(Key::of_application).transpose();
        let key = key.map_err(InvalidEvent::Key)?;
        let retry = self.retry.map(|retry| retry.as_millis().to_string());
        let labels = Labels {
            event: self.event_type.as_deref(),
            id: self.id.as_deref(),
            retry: retry.as_deref(),
        };
        let event = native::admit_event(topic, self.data, labels, limits)?;
        Ok((event, key))
    }
}

impl fmt::Debug for Event {
    /// Not its data: that is nobody's business in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("data_bytes", &self.data.len())
            .field("event_type", &self.event_type)
            .finish_non_exhaustive()
    }
}

/// Text is an event with this data.
impl From<String> for Event {
    fn from(data: String) -> Self {
        Self::new(data)
    }
}

/// What a [`Subscription`](super::Subscription) gives.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Received {
    /// An event.
    Event(Recorded),
    /// Events are missing here: the hub doesn't have them any more, or never
    /// had what was asked for. What follows is complete again.
    Gap(GapReason),
}

impl Received {
    /// The event, if it is one.
    pub fn event(self) -> Option<Recorded> {
        match self {
            Self::Event(event) => Some(event),
            Self::Gap(_) => None,
        }
    }
}

/// An event that is in the log.
#[derive(Clone)]
pub struct Recorded {
    frame: Arc<Frame>,
    event_type: Box<str>,
    data: Box<str>,
}

impl Recorded {
    /// Reads a frame's own bytes, as everyone else who receives them does.
    pub(super) fn new(frame: Arc<Frame>) -> Self {
        let block = frame.payload();
        let mut decoder = Decoder::with_limits(tidings_codec::Limits {
            max_event: block.len(),
            max_id: block.len(),
        });
        let (mut rest, mut event_type, mut data) = (&block[..], "message".into(), "".into());
        while let Some(item) = decoder.next(&mut rest) {
            if let Item::Event(event) = item {
                (event_type, data) = (event.type_or_message().into(), event.data.into());
            }
        }
        Self {
            frame,
            event_type,
            data,
        }
    }

    /// Where it was published.
    pub fn topic(&self) -> &str {
        self.frame.topic().as_str()
    }

    /// Its name; `message` if it has none.
    pub fn event_type(&self) -> &str {
        &self.event_type
    }

    /// Its data.
    pub fn data(&self) -> &str {
        &self.data
    }

    /// Its id, from which [`Since::Id`] goes on. What the hub says of itself
    /// (below `$sys`) has none: it is not kept.
    pub fn id(&self) -> Option<&EventId> {
        self.frame.id()
    }

    /// When the hub took it in, to the millisecond.
    pub fn time(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(self.frame.time().0)
    }
}

impl fmt::Debug for Recorded {
    /// Not its data: that is nobody's business in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorded")
            .field("topic", &self.topic())
            .field("event_type", &self.event_type)
            .field("id", &self.id())
            .field("data_bytes", &self.data.len())
            .finish()
    }
}

/// A page of history.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Page {
    /// Its events, in the order of the log.
    pub events: Vec<Recorded>,
    /// Where the next page begins, and where a subscription goes on that is to
    /// miss nothing.
    pub next: Since,
    /// Whether there is more behind it. If there is, `events` may be fewer than
    /// were asked for, or none.
    pub more: bool,
    /// Whether events are missing before the first of these, and why.
    pub gap: Option<GapReason>,
}
