//! What an application watches.

use super::{Body, Received, Recorded};
use crate::http::ReplyBody;
use crate::hub::Hub;
use crate::pulled::{Pulled, Said};
use crate::watch::Watch;
use futures_core::Stream;
use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tidings_engine::{Batch, Form, Frame, Framing};

/// A cursor over the log: a [`Stream`] of what is watched, or, by
/// [`Subscription::into_body`], an event stream for somebody else.
///
/// It is read at the reader's own pace: what it has not taken is in the log, not
/// in memory. Who is slower than retention allows is told of a
/// [gap](Received::Gap); who isn't is told everything, however late. The stream
/// ends with the hub, and if the history can't be read any more. Dropping it
/// ends the subscription.
pub struct Subscription {
    hub: Arc<Hub>,
    state: State,
    /// What was read and not yet given.
    read: VecDeque<Arc<Frame>>,
}

enum State {
    Granted(Box<Watch>),
    Begun(Box<Pulled>),
    Over,
}

impl Subscription {
    pub(super) fn new(hub: Arc<Hub>, watch: Box<Watch>) -> Self {
        Self {
            hub,
            state: State::Granted(watch),
            read: VecDeque::new(),
        }
    }

    /// What is not read yet as the body of a `text/event-stream`, with
    /// heartbeats, for a response of the application's own.
    /// [`Hub::event_stream`](super::Hub::event_stream) makes the head too, and
    /// resumes.
    ///
    /// A connection that takes nothing meanwhile is slow, and the hub's
    /// [policy](super::Builder::slow) decides what becomes of it.
    ///
    /// ```
    /// use http_body_util::BodyExt;
    /// # use tidings_server::{Event, Hub, Since};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let hub = Hub::builder().open()?;
    /// hub.publish("news", Event::new("hello").id("7")).await?;
    /// let mut body = hub.subscribe(["news"], Since::Earliest).await?.into_body();
    /// let opening = body.frame().await;
    /// let Some(Ok(event)) = body.frame().await else { return Ok(()) };
    /// assert_eq!(event.into_data().unwrap(), "data: hello\nid: 7\n\n");
    /// # Ok(())
    /// # }
    /// ```
    pub fn into_body(self) -> Body {
        let Self { hub, state, read } = self;
        let rest = match state {
            State::Granted(watch) => ReplyBody::Watch(hub, watch),
            State::Begun(mut pulled) => {
                pulled.begin_heartbeats();
                ReplyBody::Pulled(pulled)
            }
            State::Over => ReplyBody::Whole(None),
        };
        let read = Batch::new(read.into());
        let first = (!read.is_empty()).then(|| read.bytes(Form::Plain, Framing::Bare));
        Body::new(first, rest)
    }
}

impl Stream for Subscription {
    type Item = Received;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Received>> {
        loop {
            if let Some(frame) = self.read.pop_front() {
                return Poll::Ready(Some(Received::Event(Recorded::new(frame))));
            }
            let pulled = match std::mem::replace(&mut self.state, State::Over) {
                State::Over => return Poll::Ready(None),
                State::Begun(pulled) => pulled,
                State::Granted(watch) => {
                    let hub = Arc::clone(&self.hub);
                    Box::new(Pulled::without_heartbeats(hub, *watch))
                }
            };
            self.state = State::Begun(pulled);
            let State::Begun(pulled) = &mut self.state else {
                continue;
            };
            match ready!(pulled.poll_said(cx)) {
                // Of interest to connections alone.
                Some(Said::Block(_) | Said::Anew(_)) => {}
                Some(Said::Gap(reason, _)) => return Poll::Ready(Some(Received::Gap(reason))),
                Some(Said::Events(batch) | Said::Own(batch)) => {
                    self.read.extend(batch.frames().iter().cloned());
                }
                None => self.state = State::Over,
            }
        }
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").finish_non_exhaustive()
    }
}
