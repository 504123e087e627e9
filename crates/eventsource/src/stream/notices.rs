use super::reader::Reader;
use crate::{Error, Event, Gap, Handle};
use futures_core::Stream;
use futures_core::stream::FusedStream;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use url::Url;

/// Something that happened to a stream.
#[derive(Debug)]
#[non_exhaustive]
pub enum Notice {
    /// A connection stands (T1).
    Open {
        /// Where the response came from, after redirects.
        url: Url,
    },
    /// A connection was lost or an attempt failed; another follows (T2).
    Reconnecting {
        /// Why.
        cause: Error,
        /// After how long.
        wait: Duration,
    },
    /// An event.
    Event(Event),
    /// A hub says that events are missing before what comes next.
    Gap(Gap),
    /// The server has set the reconnection time (F8). This is what it said;
    /// [`Handle::reconnection_time`] is what the policy made of it.
    Retry(Duration),
    /// A comment; only for who asked for them
    /// ([`Builder::comments`](super::Builder::comments)).
    Comment(String),
}

/// Everything that happens to a stream, in order:
/// [`EventStream::notices`](super::EventStream::notices).
///
/// Errors are those that an `EventStream` gives: passing ones, or the last item.
pub struct Notices {
    reader: Reader,
}

impl Notices {
    pub(super) fn new(reader: Reader) -> Self {
        Self { reader }
    }

    /// The next notice; `None` when there will be none. Cancel-safe.
    ///
    /// # Errors
    /// Those of [`EventStream::next`](super::EventStream::next).
    pub async fn next(&mut self) -> Option<Result<Notice, Error>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// To see and to do things from another task.
    pub fn handle(&self) -> Handle {
        self.reader.handle()
    }
}

impl Stream for Notices {
    type Item = Result<Notice, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.reader.poll_picked(cx, |notice| {
            Some(match notice {
                Notice::Event(event) => {
                    Gap::from_event(event).map_or_else(Notice::Event, Notice::Gap)
                }
                other => other,
            })
        })
    }
}

impl FusedStream for Notices {
    fn is_terminated(&self) -> bool {
        self.reader.is_over()
    }
}

impl fmt::Debug for Notices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notices")
            .field("ready_state", &self.handle().ready_state())
            .finish_non_exhaustive()
    }
}
