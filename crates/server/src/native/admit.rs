//! Admission: from what a publisher sent to a valid event of the log.

use crate::auth::Who;
use crate::http::{Code, Problem};
use crate::hub::PublishError;
use http::HeaderMap;
use sha2::{Digest, Sha256};
use std::fmt;
use tidings_auth::Rights;
use tidings_engine::limits::{EventTooLarge, IDEMPOTENCY_KEY_BYTES};
use tidings_engine::{Entry, Event, IdempotencyKey, Limits, Topic, publish};
use tidings_store::{AppendError, Appended};

/// What a publisher says of an event besides its topic and data.
#[derive(Debug, Default, Clone, Copy)]
pub struct Labels<'a> {
    pub event: Option<&'a str>,
    pub id: Option<&'a str>,
    /// In decimal digits.
    pub retry: Option<&'a str>,
}

/// Why an event breaks the rules for publishers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidEvent {
    /// Its type.
    Type(publish::InvalidEventType),
    /// Its id.
    Id(publish::InvalidPublisherId),
    /// Its reconnection time.
    Retry(publish::InvalidRetry),
    /// Its idempotency key.
    Key(InvalidKey),
    /// Its size.
    TooLarge(EventTooLarge),
}

impl fmt::Display for InvalidEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Type(reason) => reason.fmt(f),
            Self::Id(reason) => reason.fmt(f),
            Self::Retry(reason) => reason.fmt(f),
            Self::Key(reason) => reason.fmt(f),
            Self::TooLarge(reason) => reason.fmt(f),
        }
    }
}

impl std::error::Error for InvalidEvent {}

impl From<InvalidEvent> for Problem {
    fn from(reason: InvalidEvent) -> Self {
        let code = match reason {
            InvalidEvent::TooLarge(_) => Code::TooLarge,
            _ => Code::InvalidEvent,
        };
        Self::new(code, reason.to_string())
    }
}

impl Labels<'_> {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        self.event.is_none() && self.id.is_none() && self.retry.is_none()
    }
}

/// Checks an event against the rules for publishers.
///
/// # Errors
/// The rule that is broken.
pub fn event(
    topic: Topic,
    data: String,
    labels: Labels<'_>,
    limits: &Limits,
) -> Result<Event, InvalidEvent> {
    let event_type = labels.event.map(publish::event_type).transpose();
    let id = labels.id.map(publish::publisher_id).transpose();
    let retry = labels.retry.map(publish::retry).transpose();
    let event = Event {
        alternates: Box::default(),
        visibility: tidings_engine::Visibility::Native,
        topic,
        event_type: event_type.map_err(InvalidEvent::Type)?,
        id: id.map_err(InvalidEvent::Id)?,
        retry: retry.map_err(InvalidEvent::Retry)?,
        data: data.into(),
    };
    check_size(event, limits)
}

/// The event, if it isn't too large.
///
/// # Errors
/// [`InvalidEvent::TooLarge`].
pub fn check_size(event: Event, limits: &Limits) -> Result<Event, InvalidEvent> {
    limits.check_event(&event).map_err(InvalidEvent::TooLarge)?;
    Ok(event)
}

/// A key is empty, too long, or not printable ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidKey;

impl fmt::Display for InvalidKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let longest = IDEMPOTENCY_KEY_BYTES - 1;
        write!(
            f,
            "an idempotency key is 1 to {longest} printable ASCII characters"
        )
    }
}

impl std::error::Error for InvalidKey {}

/// An `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a request
/// repeated under it publishes nothing twice. Publishers with tokens have keys of
/// their own: nobody finds out what others have used, or uses it up for them.
pub struct Key {
    /// Of the key, and of whose it is.
    digest: Sha256,
    /// Nothing names its publisher who stays the same when the token is renewed: the
    /// key is shared by those who may publish to the same topic.
    by_topic: bool,
}

impl Key {
    /// Reads the header of a request by `who`.
    ///
    /// # Errors
    /// `400` if it is given twice, empty, too long or not printable ASCII.
    pub fn of(headers: &HeaderMap, who: &Who) -> Result<Option<Self>, Problem> {
        let mut values = headers.get_all("idempotency-key").iter();
        let Some(value) = values.next() else {
            return Ok(None);
        };
        let rights = who.rights();
        let digest = rights.map_or_else(Sha256::new, |rights| owner(rights));
        let by_topic = rights.is_some_and(|rights| rights.subject.is_none());
        match (Self::new(digest, by_topic, value.as_bytes()), values.next()) {
            (Ok(key), None) => Ok(Some(key)),
            _ => {
                let detail =
                    "'Idempotency-Key' is one value of 1 to 255 printable ASCII characters";
                Err(Problem::new(Code::BadRequest, detail))
            }
        }
    }

    /// A key of the application that the hub is in: nobody who asks over HTTP has it.
    ///
    /// # Errors
    /// [`InvalidKey`].
    pub fn of_application(text: &str) -> Result<Self, InvalidKey> {
        Self::new(Sha256::new_with_prefix([1]), false, text.as_bytes())
    }

    fn new(owner: Sha256, by_topic: bool, key: &[u8]) -> Result<Self, InvalidKey> {
        let printable = (1..IDEMPOTENCY_KEY_BYTES).contains(&key.len())
            && key.iter().all(|byte| matches!(byte, b' '..=b'~'));
        let digest = owner.chain_update(key);
        printable
            .then_some(Self { digest, by_topic })
            .ok_or(InvalidKey)
    }

    /// What the log keeps for the request's event number `number`, so that a
    /// stream that broke off can be repeated too.
    fn number(&self, number: u64, event: &Event) -> IdempotencyKey {
        let mut key = self
            .digest
            .clone()
            .chain_update([0])
            .chain_update(number.to_be_bytes());
        if self.by_topic {
            part(&mut key, Some(event.topic.as_str()));
        }
        let key = key.finalize();
        let mut request = Sha256::new();
        let retry = event.retry.map(|retry| retry.to_string());
        let visibility = format!("{:?}", event.visibility);
        let alternates = event.alternates.iter().map(|topic| Some(topic.as_str()));
        let parts = [
            Some(event.topic.as_str()),
            event.event_type.as_ref().map(AsRef::as_ref),
            event.id.as_ref().map(AsRef::as_ref),
            retry.as_deref(),
            Some(&*event.data),
            Some(&*visibility),
        ];
        let parts = parts.into_iter().chain(alternates);
        parts.for_each(|text| part(&mut request, text));
        let request = request.finalize();
        IdempotencyKey {
            key: u128::from_be_bytes(key[..16].try_into().expect("16 of 32 bytes")),
            request: u64::from_be_bytes(request[..8].try_into().expect("8 of 32 bytes")),
        }
    }
}

/// Begins the digest of a key of whoever these rights name. No key without an owner
/// begins as one: a key is printable.
fn owner(rights: &Rights) -> Sha256 {
    let mut digest = Sha256::new_with_prefix([0]);
    part(&mut digest, rights.issuer.as_deref());
    part(&mut digest, rights.subject.as_deref());
    digest
}

/// The length separates the parts; none differs from an empty one.
fn part(digest: &mut Sha256, text: Option<&str>) {
    let length = text.map_or(u64::MAX, |text| text.len() as u64);
    digest.update(length.to_be_bytes());
    digest.update(text.unwrap_or(""));
}

/// Encodes an event for the log.
pub fn entry(event: Event, key: Option<&Key>, number: u64) -> Entry {
    let key = key.map(|key| key.number(number, &event));
    event.into_entry(crate::hub::now(), key)
}

/// The id of an appended event, as JSON.
pub fn id_of(appended: Option<&Appended>) -> Option<&str> {
    appended.map(|appended| appended.id.as_str())
}

/// How a publisher is told that its events were not taken in.
pub fn refusal(error: &PublishError) -> Problem {
    let (code, detail) = match error {
        PublishError::Busy => (
            Code::Busy,
            "too many events wait for the disk; publish again later",
        ),
        PublishError::Unknown => (
            Code::Busy,
            "the disk did not answer in time, and the event may or may not be kept; publish it again with the same \
             id or Idempotency-Key",
        ),
        PublishError::NotGranted(refused) => return refused.clone().into(),
        PublishError::Refused(AppendError::IdConflict { .. }) => (
            Code::IdConflict,
            "another event of this topic has this id; ids are for one event each",
        ),
        PublishError::Refused(AppendError::KeyConflict { .. }) => (
            Code::KeyConflict,
            "this Idempotency-Key was used for another request; use a new one",
        ),
        PublishError::Refused(AppendError::TopicClosed { .. }) => (
            Code::TopicClosed,
            "the topic is closed: nothing comes behind its end; publish with '?reopen=1' at \
             /t/{topic} or /events to open it again",
        ),
        PublishError::Refused(AppendError::TooLarge { .. }) => (
            Code::TooLarge,
            "the events are larger than the store takes at once",
        ),
        PublishError::Refused(AppendError::Full) => (
            Code::StorageFull,
            "the disk is full; free some space or shorten the retention, then publish again",
        ),
        PublishError::Refused(AppendError::Unavailable) => (
            Code::Busy,
            "the system refused the hub a file or memory; publish again",
        ),
        PublishError::Refused(_) => (
            Code::StorageFailed,
            "the disk failed, so nothing can be kept; the hub's log says more",
        ),
    };
    Problem::new(code, detail)
}
