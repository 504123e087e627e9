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
    /// The least and the most that is taken from a server's `retry` (d5).
    pub retry_range: (Duration, Duration),
    /// What is waited beyond the reconnection time.
    pub backoff: Backoff,
    /// How much is tried before giving up. `None`: for ever.
    pub budget: Option<Budget>,
    /// How long a server may be silent in a stream. There is no total timeout.
    pub idle: IdleTimeout,
    /// How long a server may take for the head of its response, for each
    /// request anew; the time of the user's hook counts.
    pub head_timeout: Option<Duration>,
    /// Redirects per attempt (R7); with more it fails.
    pub max_redirects: u8,
    /// Whether a redirect from https to http is followed.
    pub allow_downgrade: bool,
}

/// Which failures are tried again. A response that is no event stream, a
/// redirect that can't be followed and a page that isn't allowed never are, nor
/// is a URL that the transport doesn't speak; what fails before there is a
/// response, and a user's hook that fails, always is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retries {
    /// As the standard says: network errors and ended streams, no status.
    Standard,
    /// Also 408, 425, 429 and 5xx, after what `Retry-After` says.
    Transient,
    /// As `Transient`, until the first event; then nothing, so that nothing comes
    /// twice. A restart that the user asks for begins anew.
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

/// Whether the same request may be answered otherwise later: 408, 425, 429 and
/// 5xx (RFC 9110 section 15, RFC 8470, RFC 6585).
pub fn is_transient(status: StatusCode) -> bool {
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
///
/// Where a server itself said in an attempt when to come back, with `retry` in
/// its stream or `Retry-After` in the head of its refusal (at most 5 min of it),
/// that counts instead: exactly with `Standard`, up to a quarter later with
/// `Jitter`, because others were told the same. Nothing grows then.
///
/// Whatever a server says, from the second attempt in a row on that failed or
/// brought nothing (below: was not good), the wait is at least 1 s, or
/// `ceiling` if that is less (d16). It never is less than the reconnection time,
/// but for a `Retry-After`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Backoff {
    /// The reconnection time exactly, without jitter (T4); doubled from the
    /// second attempt in a row on that was not good, up to `ceiling`. A stream
    /// was good if it brought an event or stood for 10 s: a server that sends
    /// events and closes is asked again as browsers do.
    Standard {
        /// The longest wait.
        ceiling: Duration,
    },
    /// Decorrelated jitter: a random wait between the reconnection time and
    /// three times the one before, up to `ceiling`; at first, up to three times
    /// the reconnection time. Begins anew after a stream that was good: one that
    /// brought an event and stood for `stable`.
    Jitter {
        /// The longest wait.
        ceiling: Duration,
        /// How long a stream must stand to be good.
        stable: Duration,
    },
}

/// How much is tried before giving up. Both begin anew with a stream that
/// brought an event or stood for as long as the [`Backoff`] asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Failed attempts in a row; the last of them is the end. 0 is as 1.
    pub attempts: u32,
    /// Time without a stream. No attempt is waited for that would come later.
    pub time: Duration,
}

/// How long a server may be silent in a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdleTimeout {
    /// As long as it likes.
    Never,
    /// This long after the last bytes, or after the head.
    After(Duration),
    /// Learns how often the server sends something, heartbeats included: three
    /// times the longest silence of late, within `floor` and `ceiling`.
    ///
    /// It is `ceiling` until streams were watched for as long as that in all.
    /// "Of late" is over connections, the last 10 to 20 ceilings of time. The
    /// silence that broke a stream counts too, so a timeout that was too short
    /// is three times as long the next time. A reader that doesn't read makes
    /// silences as well, which only makes it more patient.
    Adaptive {
        /// The least: longer than the heartbeats that may come.
        floor: Duration,
        /// The most.
        ceiling: Duration,
    },
}

impl Policy {
    /// The rules of the standard, as browsers have them, with the one liberty
    /// that it gives (T2): attempts that fail, or bring nothing, are made less
    /// and less often. Chromium takes no such liberty and asks every
    /// reconnection time for ever.
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

    /// For a backend that follows a stream for good: a server may take 30 s for
    /// its head and be silent for 45 s. One that sends fewer heartbeats needs
    /// another [`Policy::idle`].
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
    /// nothing is said twice, four times in all and within 120 s. A server may be
    /// silent as long as with [`Policy::resilient`], before the first event too:
    /// for a model that thinks for longer than 45 s, set [`Policy::idle`].
    ///
    /// A body that only the end of its connection delimits ends cleanly wherever
    /// the connection ends: an answer with an end marker should be read until that
    /// (`Builder::until_data`).
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
