use super::output;
use crate::Failure;
use crate::printer::Printer;
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
    /// The types to write; all, if there are none.
    pub types: &'a [String],
    /// Whether a gap is only told, and not written as an event.
    pub hides_gaps: bool,
    /// How many events are still to be written.
    pub left: Option<u64>,
    /// How long the first connection is tried for.
    pub wait: Option<Duration>,
    pub timeout: Option<Duration>,
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
        let mut stood = false;
        let mut too_large = 0u64;
        let mut unread = std::pin::pin!(output::closed());
        loop {
            let notice = tokio::select! {
                notice = notices.next() => notice,
                () = &mut unread => return self.ended(&End::Unread, too_large),
                () = at(end) => return Err(self.failure(Failure::timeout, "the time is over")),
                () = at(first), if !stood => {
                    return Err(self.failure(Failure::timeout, "no connection in the time to wait for one"));
                }
            };
            let end = match notice {
                None => Some(End::Complete),
                Some(Ok(Notice::Open { url })) => {
                    stood = true;
                    let place = crate::request::place(&url);
                    self.tell.progress(format_args!("connected to {place}"));
                    None
                }
                Some(Ok(Notice::Reconnecting { cause, wait })) => {
                    if !stood && first.is_none() {
                        return Err(self.stream_failure(&cause));
                    }
                    let wait = wait.as_secs_f64();
                    self.tell
                        .progress(format_args!("{cause}; again in {wait:.1} s"));
                    None
                }
                Some(Ok(Notice::Event(event))) => self.event(&event)?,
                Some(Ok(Notice::Gap(gap))) => self.gap(&gap)?,
                Some(Ok(Notice::Retry(time))) => {
                    self.printer
                        .retry(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
                    None
                }
                Some(Ok(_)) => None,
                Some(Err(Error::TooLarge(excess))) => {
                    too_large += 1;
                    self.tell.always(excess);
                    None
                }
                // How a server says that there will be nothing more (F).
                Some(Err(Error::Status { status, .. }))
                    if status == http::StatusCode::NO_CONTENT =>
                {
                    Some(End::Complete)
                }
                Some(Err(error)) => return Err(self.stream_failure(&error)),
            };
            if let Some(end) = end {
                return self.ended(&end, too_large);
            }
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

    fn ended(&self, end: &End, too_large: u64) -> Result<(), Failure> {
        match end {
            End::Complete => self.tell.progress("the stream is complete"),
            End::Counted | End::Unread => {}
        }
        match too_large {
            0 => Ok(()),
            number => Err(Failure::runtime(format!(
                "listen: {number} events were too large and were skipped"
            ))),
        }
    }

    fn stream_failure(&self, error: &Error) -> Failure {
        self.failure(|text| Failure::stream(error, text), error)
    }

    fn failure(&self, kind: impl FnOnce(String) -> Failure, text: impl Display) -> Failure {
        kind(format!("listen: {}: {text}", self.place))
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
