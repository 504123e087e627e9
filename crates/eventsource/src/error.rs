//! Why there are no more events, or why one is missing.

use crate::gap::Gap;
use crate::json::JsonError;
use crate::transport::TransportError;
use http::StatusCode;
use std::fmt;
use std::time::Duration;
use tidings_codec::TooLarge;

/// An error of the user's own code, or of a library behind it.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What went wrong. [`Error::fault`] says on whose side.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// No response, or no more of it.
    Transport(TransportError),
    /// The body has ended, which for the standard is no end of the stream (F).
    Ended,
    /// The server was silent for this long.
    Silent(Duration),
    /// The response's status is not 200.
    Status {
        /// The status.
        status: StatusCode,
        /// What its `Retry-After` says.
        retry_after: Option<Duration>,
    },
    /// The response is no event stream: its `Content-Type` is missing or another (F).
    ContentType,
    /// A redirect can't be followed.
    Redirect(RedirectError),
    /// The server doesn't allow the page's origin to read its response (R9).
    Cors,
    /// A block went beyond a limit: its event is lost, the stream goes on.
    TooLarge(TooLarge),
    /// The data of an event is not the JSON that was expected; the stream goes on.
    Json(Box<JsonError>),
    /// The hub says that events are missing before what comes next; given only
    /// where an event can't be: see [`Gap`]. The stream goes on.
    Gap(Box<Gap>),
    /// The last event ID could not be loaded or saved. When it was to be saved,
    /// the stream goes on: what a later run resumes after is an earlier event.
    Ids(BoxError),
    /// The operating system gave no thread or no timers to run on.
    Runtime(BoxError),
    /// The user's code that runs before an attempt failed.
    Hook(BoxError),
    /// The user asked for another connection.
    Restarted,
    /// The user's URL, header or ID can't be sent.
    Invalid(InvalidRequest),
    /// The budget of the policy is spent.
    GaveUp {
        /// Failed attempts in a row.
        attempts: u32,
        /// What the last one failed with.
        last: Box<Error>,
    },
}

/// Why a redirect can't be followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RedirectError {
    /// More than the policy allows.
    TooMany,
    /// No `Location`, an empty one, or several.
    NoLocation,
    /// Its `Location` is not a URL, or one with credentials for another origin.
    InvalidLocation,
    /// From https to http.
    Downgrade,
    /// To a scheme that is not http or https.
    Scheme,
}

/// What of a request can't be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidRequest {
    /// The URL can't be parsed.
    Url,
    /// The name or the value of a header.
    Header,
    /// The last event ID holds CR, LF or NUL.
    LastEventId,
}

/// Whose fault an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// Of the network between, or nobody's.
    Network,
    /// Of the server.
    Server,
    /// Of who uses this library.
    User,
}

impl Error {
    /// Whose fault it was.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Transport(_) | Self::Ended | Self::Silent(_) => Fault::Network,
            Self::Status { status, .. } if status.is_client_error() => Fault::User,
            Self::Status { .. }
            | Self::ContentType
            | Self::Redirect(_)
            | Self::Cors
            | Self::TooLarge(_)
            | Self::Json(_)
            | Self::Gap(_) => Fault::Server,
            Self::Hook(_)
            | Self::Ids(_)
            | Self::Runtime(_)
            | Self::Restarted
            | Self::Invalid(_) => Fault::User,
            Self::GaveUp { last, .. } => last.fault(),
        }
    }

    /// Whether the stream goes on behind it.
    pub fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::TooLarge(_) | Self::Json(_) | Self::Gap(_) | Self::Ids(_)
        )
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transport(error) => error.fmt(f),
            Self::Ended => f.write_str("the server ended the stream"),
            Self::Silent(time) => {
                write!(f, "the server was silent for {} s", time.as_secs_f64())
            }
            Self::Status { status, .. } => write!(
                f,
                "the server answered {}, an event stream needs 200",
                status.as_u16()
            ),
            Self::ContentType => {
                f.write_str("the response's Content-Type is not text/event-stream")
            }
            Self::Redirect(error) => write!(f, "a redirect can't be followed: {error}"),
            Self::Cors => f.write_str("the server doesn't allow this origin to read its response"),
            Self::TooLarge(error) => error.fmt(f),
            Self::Json(error) => error.fmt(f),
            Self::Gap(gap) => gap.fmt(f),
            Self::Runtime(error) => write!(f, "no thread to run on: {error}"),
            Self::Ids(error) => write!(f, "the last event ID can't be kept: {error}"),
            Self::Hook(error) => write!(f, "the hook before the attempt failed: {error}"),
            Self::Restarted => f.write_str("a restart was asked for"),
            Self::Invalid(error) => error.fmt(f),
            Self::GaveUp { attempts, last } => {
                write!(f, "gave up (failed attempts in a row: {attempts}): {last}")
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Transport(error) => error.source(),
            Self::Hook(error) | Self::Ids(error) | Self::Runtime(error) => Some(error.as_ref()),
            Self::GaveUp { last, .. } => Some(last),
            _ => None,
        }
    }
}

impl fmt::Display for RedirectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooMany => "there were too many in a row",
            Self::NoLocation => "it says no one location",
            Self::InvalidLocation => "its location is not a URL that may be followed",
            Self::Downgrade => "it leads from https to http",
            Self::Scheme => "it leads to something that is not http or https",
        })
    }
}

impl std::error::Error for RedirectError {}

impl fmt::Display for InvalidRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Url => {
                "the URL can't be parsed; an absolute one is needed, like http://host/path"
            }
            Self::Header => "a header's name or value has characters that can't be sent",
            Self::LastEventId => "the last event ID holds a line break or a NUL",
        })
    }
}

impl std::error::Error for InvalidRequest {}

impl From<TransportError> for Error {
    fn from(error: TransportError) -> Self {
        Self::Transport(error)
    }
}

impl From<RedirectError> for Error {
    fn from(error: RedirectError) -> Self {
        Self::Redirect(error)
    }
}

impl From<InvalidRequest> for Error {
    fn from(error: InvalidRequest) -> Self {
        Self::Invalid(error)
    }
}
