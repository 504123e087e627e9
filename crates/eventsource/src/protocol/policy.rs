use crate::Error;
use http::StatusCode;
use std::time::Duration;

/// When to try again, how long to wait, when to give up. Three presets.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Policy {
    /// What is tried again.
    pub retries: Retries,
    /// What a clean end of the body means.
    pub end: End,
    /// The reconnection time until the server sets one.
    pub reconnection_time: Duration,
    /// The least and the most that is taken from a server's `retry`.
    pub retry_range: (Duration, Duration),
    /// What is waited beyond the reconnection time.
    pub backoff: Backoff,
    /// How much is tried before giving up. `None`: for ever.
    pub budget: Option<Budget>,
    /// How long a server may be silent in a stream. There is no total timeout.
    pub idle: IdleTimeout,
    /// How long a server may take for the head of its response.
    pub head_timeout: Option<Duration>,
    /// Redirects per attempt.
    pub max_redirects: u8,
    /// Whether a redirect from https to http is followed.
    pub allow_downgrade: bool,
}

/// Which failures are tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retries {
    /// As the standard says: network errors and ended streams, no status.
    Standard,
    /// Also 408, 425, 429 and 5xx, after what `Retry-After` says.
    Transient,
    /// As `Transient`, until the first event; then nothing.
    BeforeFirstEvent,
}

impl Retries {
    /// Whether another attempt follows after `cause`.
    pub(super) fn covers(self, cause: &Error, had_event: bool) -> bool {
        let is_transient = match cause {
            Error::Status { status, .. } => self != Self::Standard && is_transient(*status),
            Error::Transport(error) => !error.is_futile(),
            Error::Ended | Error::Silent(_) | Error::Hook(_) => true,
            _ => false,
        };
        is_transient && !(self == Self::BeforeFirstEvent && had_event)
    }
}

/// Whether the same request may be answered otherwise later.
fn is_transient(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 425 | 429 | 500..=599)
}

/// What a clean end of the body means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The connection was lost: reconnect (F).
    Reconnect,
    /// The stream is complete.
    Complete,
}

/// How the wait before an attempt grows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Backoff {
    /// The reconnection time; doubled from the second failed attempt in a row
    /// on, up to `ceiling`. No jitter before an attempt has failed (T4).
    Standard {
        /// The longest wait.
        ceiling: Duration,
    },
    /// Decorrelated jitter: a random wait between the reconnection time and
    /// three times the one before, up to `ceiling`. Begins anew after a
    /// connection that brought an event and then stood for `stable`.
    Jitter {
        /// The longest wait.
        ceiling: Duration,
        /// How long a connection must stand to count as good.
        stable: Duration,
    },
}

/// How much is tried before giving up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Failed attempts in a row.
    pub attempts: u32,
    /// Time without a stream.
    pub time: Duration,
}

/// How long a server may be silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdleTimeout {
    /// As long as it likes.
    Never,
    /// This long after each byte.
    After(Duration),
    /// Three times the longest silence between two chunks seen so far, within
    /// the range; the upper bound until two were seen.
    Adaptive {
        /// The least.
        floor: Duration,
        /// The most.
        ceiling: Duration,
    },
}

impl Policy {
    /// The rules of the standard, as browsers have them.
    pub fn standard() -> Self {
        Self {
            retries: Retries::Standard,
            end: End::Reconnect,
            reconnection_time: Duration::from_secs(3),
            retry_range: (Duration::ZERO, Duration::from_secs(24 * 60 * 60)),
            backoff: Backoff::Standard {
                ceiling: Duration::from_secs(60),
            },
            budget: None,
            idle: IdleTimeout::Never,
            head_timeout: None,
            max_redirects: 20,
            allow_downgrade: false,
        }
    }

    /// For a backend that follows a stream for good.
    pub fn resilient() -> Self {
        Self {
            retries: Retries::Transient,
            reconnection_time: Duration::from_secs(1),
            retry_range: (Duration::from_millis(100), Duration::from_secs(5 * 60)),
            backoff: Backoff::Jitter {
                ceiling: Duration::from_secs(60),
                stable: Duration::from_secs(10),
            },
            idle: IdleTimeout::After(Duration::from_secs(45)),
            head_timeout: Some(Duration::from_secs(30)),
            ..Self::standard()
        }
    }

    /// For an answer that ends: of a language model, of a job. A clean end is
    /// the end; what fails is tried again only before the first event, so that
    /// nothing is said twice.
    pub fn once() -> Self {
        Self {
            retries: Retries::BeforeFirstEvent,
            end: End::Complete,
            budget: Some(Budget {
                attempts: 4,
                time: Duration::from_secs(120),
            }),
            ..Self::resilient()
        }
    }
}
