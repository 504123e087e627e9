use super::output;
use crate::printer::Printer;
use crate::problem::Said;
use crate::{Failure, request};
use http::StatusCode;
use std::fmt::Display;
use std::io::{ErrorKind, Write, stderr};
use std::time::Duration;
use tidings_eventsource::{Error, Event, Gap, Notice, Notices};
use tokio::time::{Instant, sleep_until};

/// Follows one stream.
pub struct Follow<'a, W> {
    pub printer: Printer<W>,
    pub tell: Tell,
    /// Whom it follows, without secrets.
    pub place: String,
    /// What the server says when it refuses.
    pub said: Said,
    /// The types to write; all, if there are none.
    pub types: &'a [String],
    /// Whether a gap is only told, and not written as an event.
    pub hides_gaps: bool,
    /// How many events are still to be written.
    pub left: Option<u64>,
    /// How long the first connection is tried for.
    pub wait: Option<Duration>,
    pub timeout: Option<Duration>,
    /// Whether a connection has stood.
    pub stood: bool,
    /// Events that were too large, and skipped.
    pub too_large: u64,
}

/// How the stream ends well.
enum End {
    /// There is nothing more.
    Complete,
    /// As many as were wanted.
    Counted,
    /// Nobody reads them.
    Unread,
}

impl<W: Write> Follow<'_, W> {
    /// Writes events until there will be none, or enough.
    pub async fn run(mut self, mut notices: Notices) -> Result<(), Failure> {
        let begin = Instant::now();
        let end = self.timeout.map(|timeout| begin + timeout);
        let first = self.wait.map(|wait| begin + wait);
        let mut unread = std::pin::pin!(output::closed());
        loop {
            let ended = tokio::select! {
                notice = notices.next() => match notice {
                    None => Some(End::Complete),
                    Some(Ok(notice)) => self.notice(notice)?,
                    Some(Err(error)) => self.error(error)?,
                },
                () = &mut unread => Some(End::Unread),
                () = at(end) => return Err(self.timed_out("the time is over")),
                () = at(first), if !self.stood => {
                    return Err(self.timed_out("no connection in the time to wait for one"));
                }
            };
            if let Some(end) = ended {
                return self.ended(&end);
            }
        }
    }

    fn notice(&mut self, notice: Notice) -> Result<Option<End>, Failure> {
        match notice {
            Notice::Event(event) => return self.event(&event),
            Notice::Gap(gap) => return self.gap(&gap),
            Notice::Open { url } => {
                self.stood = true;
                let place = request::place(&url);
                self.tell.progress(format_args!("connected to {place}"));
            }
            Notice::Reconnecting { cause, wait } => {
                if !self.stood && self.wait.is_none() {
                    return Err(self.failure(&cause));
                }
                let wait = wait.as_secs_f64();
                let text = format_args!("{cause}; again in {wait:.1} s");
                self.tell.progress(text);
            }
            Notice::Retry(time) => {
                let millis = u64::try_from(time.as_millis());
                self.printer.retry(millis.unwrap_or(u64::MAX));
            }
            _ => {}
        }
        Ok(None)
    }

    fn error(&mut self, error: Error) -> Result<Option<End>, Failure> {
        match error {
            Error::TooLarge(excess) => {
                self.too_large += 1;
                self.tell.always(excess);
                Ok(None)
            }
            // How a server says that there will be nothing more (F).
            Error::Status { status, .. } if status == StatusCode::NO_CONTENT => {
                Ok(Some(End::Complete))
            }
            error => Err(self.failure(&error)),
        }
    }

    fn event(&mut self, event: &Event) -> Result<Option<End>, Failure> {
        if !self.types.is_empty() && !self.types.iter().any(|t| event.event_type == t.as_str()) {
            return Ok(None);
        }
        if let Some(end) = self.write(event)? {
            return Ok(Some(end));
        }
        let Some(left) = &mut self.left else {
            return Ok(None);
        };
        *left -= 1;
        Ok((*left == 0).then_some(End::Counted))
    }

    /// A gap is told to people, and is an event to programs, whatever types
    /// they want; it doesn't count as one.
    fn gap(&mut self, gap: &Gap) -> Result<Option<End>, Failure> {
        self.tell.always(gap);
        match self.hides_gaps {
            true => Ok(None),
            false => self.write(&gap.event),
        }
    }

    fn write(&mut self, event: &Event) -> Result<Option<End>, Failure> {
        let named = event.event_type != "message";
        let written = self.printer.event(&tidings_codec::Event {
            event_type: if named { &event.event_type } else { "" },
            data: &event.data,
            last_event_id: &event.last_event_id,
            id: event.has_id.then_some(&event.last_event_id),
            retry: None,
        });
        match written {
            Ok(()) => Ok(None),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(Some(End::Unread)),
            Err(error) => Err(Failure::runtime(format!(
                "listen: standard output can't be written: {error}"
            ))),
        }
    }

    fn ended(&self, end: &End) -> Result<(), Failure> {
        if let End::Complete = end {
            self.tell.progress("the stream is complete");
        }
        match self.too_large {
            0 => Ok(()),
            number => Err(Failure::runtime(format!(
                "listen: {}: events that were too large and were skipped: {number}",
                self.place
            ))),
        }
    }

    fn failure(&self, error: &Error) -> Failure {
        let text = format!("listen: {}: {error}", self.place);
        match status_of(error).and_then(|status| self.said.of(status)) {
            Some(said) => Failure::stream(error, format!("{text}: {said}")),
            None => Failure::stream(error, text),
        }
    }

    fn timed_out(&self, text: &str) -> Failure {
        Failure::timeout(format!("listen: {}: {text}", self.place))
    }
}

fn status_of(error: &Error) -> Option<StatusCode> {
    match error {
        Error::Status { status, .. } => Some(*status),
        Error::GaveUp { last, .. } => status_of(last),
        _ => None,
    }
}

async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// Standard error.
pub struct Tell {
    /// Whether it is told how the connection fares.
    pub verbose: bool,
}

impl Tell {
    fn progress(&self, text: impl Display) {
        if self.verbose {
            self.always(text);
        }
    }

    /// Nobody can be told that standard error can't be written.
    fn always(&self, text: impl Display) {
        let _ = writeln!(stderr(), "tidings listen: {text}");
    }
}
