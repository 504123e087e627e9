//! An event stream of the hub's, read as a client reads it.

use crate::outcome::{Checked, Stop, ensure, fail};
use crate::target::{Request, Target};
use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};
use tidings_codec::{Decoder, Item};
use tidings_testkit::{Answer, Watch};

/// An event that has arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The id that its own block has; `None`: the block has none.
    pub id: Option<String>,
    /// Its type; empty if it has none.
    pub event_type: String,
    /// Its data.
    pub data: String,
    /// The reconnection time that its own block has.
    pub retry: Option<u64>,
}

/// An open stream.
pub struct Stream {
    watch: Watch,
    decoder: Decoder,
    /// How many of the bytes that came were decoded.
    decoded: usize,
    waiting: VecDeque<Said>,
    patience: Duration,
}

#[derive(Debug)]
enum Said {
    Event(Seen),
    Comment,
}

impl Stream {
    /// Opens a stream, or reads what the hub answers instead.
    ///
    /// # Errors
    /// If there is no answer.
    pub fn ask(target: &Target, request: &Request) -> Checked<Result<Self, Answer>> {
        let http = target.send(request)?;
        let mut watch =
            Watch::answered(http).map_err(|error| target.unreachable("the answer", &error))?;
        let is_stream = watch
            .head()
            .header("content-type")
            .is_some_and(|value| value.starts_with("text/event-stream"));
        if watch.head().status != 200 || !is_stream {
            let mut answer = watch.head().clone();
            // What of the body can be had is for the report alone.
            let _ = watch.http().read_body(&mut answer);
            return Ok(Err(answer));
        }
        Ok(Ok(Self {
            watch,
            decoder: Decoder::new().with_comments(),
            decoded: 0,
            waiting: VecDeque::new(),
            patience: target.patience(),
        }))
    }

    /// Opens a stream.
    ///
    /// # Errors
    /// If the hub refuses.
    pub fn open(target: &Target, request: &Request) -> Checked<Self> {
        Self::ask(target, request)?
            .map_err(|answer| Stop::Fail(format!("no event stream, but {}", shown(&answer))))
    }

    /// The answer's head.
    pub fn head(&self) -> &Answer {
        self.watch.head()
    }

    /// The next event; `None` at the end of the stream.
    ///
    /// # Errors
    /// If neither comes in time.
    pub fn event(&mut self) -> Checked<Option<Seen>> {
        let end = Instant::now() + self.patience;
        while let Some(said) = self.said(end)? {
            if let Said::Event(event) = said {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    /// What comes before the event with the id `fence`, which must come.
    ///
    /// # Errors
    /// If it doesn't in time.
    pub fn until(&mut self, fence: &str) -> Checked<Vec<Seen>> {
        let mut before = Vec::new();
        loop {
            match self.event() {
                Ok(Some(event)) if event.id.as_deref() == Some(fence) => return Ok(before),
                Ok(Some(event)) => before.push(event),
                Ok(None) => return fail("the stream ended before an event that was to come"),
                Err(stop) => {
                    return fail(format!(
                        "an event that was to come did not, after {} others: {stop}",
                        before.len()
                    ));
                }
            }
        }
    }

    /// The events with these ids come, in this order; others may come between.
    ///
    /// # Errors
    /// If they don't.
    pub fn expect(&mut self, ids: &[&str]) -> Checked {
        for id in ids {
            self.until(id)?;
        }
        Ok(())
    }

    /// Exactly the events with these ids come, in this order, and then `fence`.
    ///
    /// # Errors
    /// If others come, or not all of them.
    pub fn exactly(&mut self, ids: &[&str], fence: &str) -> Checked {
        let seen = self.until(fence)?;
        let seen: Vec<&str> = seen
            .iter()
            .map(|event| event.id.as_deref().unwrap_or("(no id)"))
            .collect();
        ensure(seen == ids, || {
            format!("expected {ids:?} before {fence:?}, and {seen:?} came")
        })
    }

    /// Waits for a comment.
    ///
    /// # Errors
    /// If none comes in time.
    pub fn comment(&mut self, patience: Duration) -> Checked {
        let end = Instant::now() + patience;
        while let Some(said) = self.said(end)? {
            if matches!(said, Said::Comment) {
                return Ok(());
            }
        }
        fail("the stream ended before a comment came")
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// If it doesn't come in time.
    pub fn ends(&mut self) -> Checked {
        let end = Instant::now() + self.patience;
        while self.said(end)?.is_some() {}
        Ok(())
    }

    fn said(&mut self, end: Instant) -> Checked<Option<Said>> {
        loop {
            if let Some(said) = self.waiting.pop_front() {
                return Ok(Some(said));
            }
            let left = end.saturating_duration_since(Instant::now());
            let timed_out = || Stop::Fail(format!("nothing came within {:?}", self.patience));
            if left.is_zero() {
                return Err(timed_out());
            }
            let socket = self.watch.http().socket().set_read_timeout(Some(left));
            match socket.and_then(|()| self.watch.read()) {
                Ok(true) => self.decode(),
                Ok(false) => return Ok(None),
                Err(error) if is_timeout(&error) => return Err(timed_out()),
                // An end all the same: a token's end may cut in hard.
                Err(_) => return Ok(None),
            }
        }
    }

    fn decode(&mut self) {
        let mut rest = &self.watch.raw()[self.decoded..];
        self.decoded += rest.len();
        while let Some(item) = self.decoder.next(&mut rest) {
            match item {
                Item::Event(event) => self.waiting.push_back(Said::Event(Seen {
                    id: event.id.map(str::to_owned),
                    event_type: event.event_type.to_owned(),
                    data: event.data.to_owned(),
                    retry: event.retry,
                })),
                Item::Comment(_) => self.waiting.push_back(Said::Comment),
                _ => {}
            }
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

/// An answer in a few words.
pub fn shown(answer: &Answer) -> String {
    const MOST: usize = 160;
    let text: String = answer
        .text()
        .chars()
        .filter(|c| !c.is_control())
        .take(MOST)
        .collect();
    let media_type = answer.header("content-type").unwrap_or("no type");
    format!("{} ({media_type}) {text}", answer.status)
}
