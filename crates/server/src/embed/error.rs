//! Why a hub doesn't do what an application asks.

use crate::hub;
use crate::native::{InvalidEvent, SoftRefusal};
use crate::places::NoPlace;
use std::fmt;
use tidings_engine::InvalidSelector;
use tidings_engine::topic::InvalidTopic;
use tidings_store::AppendError;

/// Why events were not published. None of them is in the log, except perhaps
/// after [`PublishError::Unknown`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PublishError {
    /// The topic is none.
    Topic(InvalidTopic),
    /// The topic begins with `$`: the hub alone publishes there.
    Reserved,
    /// The event breaks a rule, or is too large.
    Invalid(InvalidEvent),
    /// The event's id is that of another event of its topic.
    IdConflict,
    /// The event's key was used for another event.
    KeyConflict,
    /// The topic is closed, and the event doesn't open it again.
    TopicClosed,
    /// The events are larger together than the log takes at once.
    TooLarge,
    /// Too much waits for the disk, or for those who watch; later there is room.
    Busy,
    /// The disk did not answer in time. The events may be in the log or come
    /// there yet; publishing them again under the same ids or keys is safe.
    Unknown,
    /// The disk is full.
    Full,
    /// The disk failed; nothing is taken until the hub is opened again.
    Failed,
    /// The hub was shut down.
    ShutDown,
}

impl PublishError {
    pub(super) fn of(error: hub::PublishError, hub: &hub::Hub) -> Self {
        match error {
            hub::PublishError::Busy if hub.drain().has_begun() => Self::ShutDown,
            hub::PublishError::Busy => Self::Busy,
            hub::PublishError::Unknown => Self::Unknown,
            // The application itself may publish everywhere but there.
            hub::PublishError::NotGranted(_) => Self::Reserved,
            hub::PublishError::Refused(error) => match error {
                AppendError::IdConflict { .. } => Self::IdConflict,
                AppendError::KeyConflict { .. } => Self::KeyConflict,
                AppendError::TopicClosed { .. } => Self::TopicClosed,
                AppendError::TooLarge { .. } => Self::TooLarge,
                AppendError::Full => Self::Full,
                AppendError::Unavailable => Self::Busy,
                AppendError::Closed => Self::ShutDown,
                _ => Self::Failed,
            },
        }
    }
}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Topic(reason) => reason.fmt(f),
            Self::Invalid(reason) => reason.fmt(f),
            Self::Reserved => f.write_str("topics that begin with '$' belong to the hub"),
            Self::IdConflict => f.write_str("another event of this topic has this id"),
            Self::KeyConflict => {
                f.write_str("the event's key was used for another event; use a new one")
            }
            Self::TopicClosed => f.write_str("the topic is closed"),
            Self::TooLarge => f.write_str("the events are larger than the log takes at once"),
            Self::Busy => f.write_str("too many events wait for the disk or for those who watch"),
            Self::Unknown => f.write_str(
                "the disk did not answer in time, and the events may or may not be kept",
            ),
            Self::Full => f.write_str("the disk is full"),
            Self::Failed => {
                f.write_str("the disk failed; nothing is taken until the hub is opened again")
            }
            Self::ShutDown => f.write_str("the hub was shut down"),
        }
    }
}

impl std::error::Error for PublishError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Topic(reason) => Some(reason),
            Self::Invalid(reason) => Some(reason),
            _ => None,
        }
    }
}

/// Why there is no subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubscribeError {
    /// A selector is none.
    Selector(InvalidSelector),
    /// There is no selector.
    Nothing,
    /// There are more selectors than
    /// [`Limits::selectors_per_subscription`](crate::Limits::selectors_per_subscription).
    TooMany {
        /// How many there may be.
        max: usize,
    },
    /// It can't be granted now; later it may be.
    Later(Later),
}

/// Why a subscription can't be granted now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Later {
    /// There are as many as [`Limits::subscriptions`](crate::Limits::subscriptions)
    /// allows.
    Full,
    /// The hub ends.
    Ending,
    /// The history can't be read.
    Storage,
}

impl SubscribeError {
    pub(super) fn of(refusal: SoftRefusal) -> Self {
        Self::Later(match refusal {
            SoftRefusal::Draining => Later::Ending,
            SoftRefusal::Storage => Later::Storage,
            _ => Later::Full,
        })
    }
}

impl Later {
    pub(super) fn refusal(self) -> SoftRefusal {
        match self {
            Self::Full => SoftRefusal::NoPlace(NoPlace::Subscriptions),
            Self::Ending => SoftRefusal::Draining,
            Self::Storage => SoftRefusal::Storage,
        }
    }
}

impl fmt::Display for SubscribeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Selector(reason) => reason.fmt(f),
            Self::Nothing => f.write_str("name at least one topic to watch"),
            Self::TooMany { max } => write!(
                f,
                "a stream watches at most {max} topics; use a pattern, or several streams"
            ),
            Self::Later(Later::Full) => {
                f.write_str("there are as many streams as limits.subscriptions allows")
            }
            Self::Later(Later::Ending) => f.write_str("the hub ends"),
            Self::Later(Later::Storage) => HistoryError::Storage.fmt(f),
        }
    }
}

impl std::error::Error for SubscribeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Selector(reason) => Some(reason),
            _ => None,
        }
    }
}

/// Why there is no page of history.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum HistoryError {
    /// What is asked for can't be watched either.
    Asked(SubscribeError),
    /// The history can't be read; the log of the application says why
    /// (`tracing`, at the level of errors).
    Storage,
}

impl fmt::Display for HistoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asked(error) => error.fmt(f),
            Self::Storage => f.write_str("the history can't be read"),
        }
    }
}

impl std::error::Error for HistoryError {}

impl From<SubscribeError> for HistoryError {
    fn from(error: SubscribeError) -> Self {
        Self::Asked(error)
    }
}
