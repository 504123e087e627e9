//! The asynchronous face: a stream of events, or of everything that happens.

mod builder;
mod notices;
mod reader;

pub use builder::Builder;
pub use notices::{Notice, Notices};

use crate::{Error, Event, Handle};
use futures_core::Stream;
use futures_core::stream::FusedStream;
use reader::Reader;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The events of an event stream, over as many connections as it takes.
///
/// It connects when it is first polled and does nothing while it isn't:
/// nothing is read ahead but the chunk of the body that events come from, so
/// that a slow reader slows the server down rather than filling memory.
///
/// It gives an event as `Ok`. [`Error::is_passing`] errors, such as an event
/// that was too large, are given where they happened, and the stream goes on.
/// Any other error is the last item but `None`. What is mended silently, such as
/// a lost connection, is seen by [`EventStream::notices`].
///
/// Dropping it aborts the request (A7).
///
/// ```
/// use tidings_eventsource::transport::{Answer, Memory};
/// use tidings_eventsource::{Builder, VirtualRuntime};
///
/// # fn main() -> Result<(), tidings_eventsource::Error> {
/// // A server in memory that breaks the connection, and its clock.
/// let clock = VirtualRuntime::new(1);
/// let server = Memory::script(
///     clock.clone(),
///     [
///         Answer::stream().chunk("id: 7\ndata: first\n\ndata: sec").breaks(),
///         Answer::stream().chunk("data: second\n\n"),
///     ],
/// );
/// let mut events = Builder::new("http://hub/t/news", server.clone(), clock.clone()).open()?;
/// clock.block_on(async {
///     let mut data = Vec::new();
///     for _ in 0..2 {
///         data.push(events.next().await.expect("no end")?.data);
///     }
///     assert_eq!(data, ["first", "second"]);
///     assert_eq!(server.requests()[1].headers["last-event-id"], "7");
///     Ok(())
/// })
/// # }
/// ```
pub struct EventStream {
    reader: Reader,
}

impl EventStream {
    pub(crate) fn new(reader: Reader) -> Self {
        Self { reader }
    }

    /// `GET url` with the rules of
    /// [`Policy::resilient`](crate::protocol::Policy::resilient), over a
    /// [`Hyper`](crate::transport::Hyper) of its own, with tokio's clock: to be
    /// polled inside a tokio runtime. What can be set and its defaults stand in
    /// [`Builder`]; for another transport or runtime see [`Builder::new`].
    ///
    /// Streams share connections (HTTP/2) if they share a transport:
    /// [`Builder::shared_transport`].
    #[cfg(feature = "hyper")]
    pub fn builder(url: impl Into<String>) -> Builder {
        use crate::TokioRuntime;
        use crate::transport::Hyper;
        Builder::new(url, Hyper::new(), TokioRuntime::new())
    }

    /// The next event; `None` when there will be none: the stream is complete,
    /// was closed through its [`Handle`], or has given its last error.
    ///
    /// Cancel-safe: a dropped future takes nothing with it. What was read,
    /// what the server is being asked and how long was waited stay in the stream.
    ///
    /// # Errors
    /// What an [`Error`] says; the stream goes on if [`Error::is_passing`].
    pub async fn next(&mut self) -> Option<Result<Event, Error>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// To see and to do things from another task.
    pub fn handle(&self) -> Handle {
        self.reader.handle()
    }

    /// The same stream, but telling of everything that happens to it.
    pub fn notices(self) -> Notices {
        Notices::new(self.reader)
    }
}

impl Stream for EventStream {
    type Item = Result<Event, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.reader.poll_picked(cx, |notice| match notice {
            Notice::Event(event) => Some(event),
            _ => None,
        })
    }
}

impl FusedStream for EventStream {
    fn is_terminated(&self) -> bool {
        self.reader.is_over()
    }
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream")
            .field("ready_state", &self.handle().ready_state())
            .finish_non_exhaustive()
    }
}
