//! Exit codes.

use std::fmt::Display;
use tidings_eventsource::Error;
use tidings_eventsource::transport::{TransportError, TransportErrorKind};

/// It could not do what it was asked for.
const RUNTIME: u8 = 1;
/// It was asked for something that can't be.
const USAGE: u8 = 2;
/// The server refused: 4xx.
const REFUSED: u8 = 4;
/// The server failed: 5xx.
const SERVER: u8 = 5;
/// No connection, or a broken one.
const CONNECT: u8 = 6;
/// It took too long.
const TIMEOUT: u8 = 7;
/// As shells say it of who was ended by SIGINT.
pub const INTERRUPTED: u8 = 130;

/// Why a command fails: what it says on standard error, and its exit code.
#[derive(Debug)]
pub struct Failure {
    pub code: u8,
    pub text: String,
}

impl Failure {
    /// The command was asked for something that can't be.
    pub fn usage(text: impl Display) -> Self {
        Self::new(USAGE, text)
    }

    /// It could not do what it was asked for.
    pub fn runtime(text: impl Display) -> Self {
        Self::new(RUNTIME, text)
    }

    /// It took too long.
    pub fn timeout(text: impl Display) -> Self {
        Self::new(TIMEOUT, text)
    }

    /// The server answered with another status than was needed.
    pub fn status(status: http::StatusCode, text: impl Display) -> Self {
        Self::new(of_status(status), text)
    }

    /// A request or its response did not get through.
    pub fn transport(error: &TransportError, text: impl Display) -> Self {
        Self::new(of_transport(error), text)
    }

    /// A stream has ended with `error`.
    pub fn stream(error: &Error, text: impl Display) -> Self {
        Self::new(of_stream(error), text)
    }

    /// It failed after so many events were published.
    pub fn behind(mut self, published: u64) -> Self {
        if published > 0 {
            self.text = format!("{}; {published} events before it are published", self.text);
        }
        self
    }

    fn new(code: u8, text: impl Display) -> Self {
        Self {
            code,
            text: text.to_string(),
        }
    }
}

fn of_status(status: http::StatusCode) -> u8 {
    if status.is_client_error() {
        REFUSED
    } else if status.is_server_error() {
        SERVER
    } else {
        RUNTIME
    }
}

fn of_transport(error: &TransportError) -> u8 {
    match error.kind {
        TransportErrorKind::Scheme => USAGE,
        TransportErrorKind::Http | TransportErrorKind::Encoding => RUNTIME,
        _ => CONNECT,
    }
}

fn of_stream(error: &Error) -> u8 {
    match error {
        Error::Transport(error) => of_transport(error),
        Error::Ended => CONNECT,
        Error::Silent(_) => TIMEOUT,
        Error::Status { status, .. } => of_status(*status),
        Error::Invalid(_) => USAGE,
        Error::GaveUp { last, .. } => of_stream(last),
        _ => RUNTIME,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::StatusCode;
    use std::time::Duration;
    use tidings_eventsource::InvalidRequest;

    #[test]
    fn exit_codes_say_whose_fault_it_was() {
        let status = |status| Error::Status {
            status,
            retry_after: None,
        };
        let transport = |kind: TransportErrorKind| Error::Transport(kind.into());
        let table = [
            (status(StatusCode::FORBIDDEN), 4),
            (status(StatusCode::SERVICE_UNAVAILABLE), 5),
            (status(StatusCode::MOVED_PERMANENTLY), 1),
            (Error::ContentType, 1),
            (transport(TransportErrorKind::Scheme), 2),
            (transport(TransportErrorKind::Resolve), 6),
            (transport(TransportErrorKind::Connect), 6),
            (transport(TransportErrorKind::Tls), 6),
            (transport(TransportErrorKind::Proxy), 6),
            (transport(TransportErrorKind::Io), 6),
            (transport(TransportErrorKind::Http), 1),
            (transport(TransportErrorKind::Encoding), 1),
            (Error::Ended, 6),
            (Error::Silent(Duration::from_secs(1)), 7),
            (Error::Invalid(InvalidRequest::Url), 2),
        ];
        for (error, code) in table {
            assert_eq!(of_stream(&error), code, "{error:?}");
            let gave_up = Error::GaveUp {
                attempts: 4,
                last: Box::new(error),
            };
            assert_eq!(of_stream(&gave_up), code, "{gave_up:?}");
        }
    }
}
