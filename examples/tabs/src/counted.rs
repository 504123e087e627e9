//! Counting the streams that are open.

use http_body::{Body, Frame};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::watch;

/// How many there are, for all who want to know.
#[derive(Clone)]
pub struct Streams(watch::Sender<usize>);

impl Streams {
    pub fn new() -> Self {
        Self(watch::Sender::new(0))
    }

    pub fn watch(&self) -> watch::Receiver<usize> {
        self.0.subscribe()
    }
}

/// A body that counts for as long as it is there: until its stream ends, or
/// nobody reads it any more.
pub struct Counted<B> {
    body: B,
    streams: Streams,
}

impl<B> Counted<B> {
    pub fn new(body: B, streams: Streams) -> Self {
        streams.0.send_modify(|count| *count += 1);
        Self { body, streams }
    }
}

impl<B> Drop for Counted<B> {
    fn drop(&mut self) {
        self.streams.0.send_modify(|count| *count -= 1);
    }
}

impl<B: Body + Unpin> Body for Counted<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }
}
