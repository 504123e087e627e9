//! `native.openStreamSource`: an EventSource over a ReadableStream of the realm
//! (P1).

use super::eventsource::{connect, listeners};
use crate::host::{Host, lock};
use crate::native::text::bytes_of;
use bytes::Bytes;
use futures_core::Stream;
use rquickjs::{Ctx, Function, Object, Value};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use tidings_eventsource::{EventSource, EventSourceInit};

pub fn install<'js>(
    ctx: &Ctx<'js>,
    native: &Object<'js>,
    host: &Arc<Host>,
) -> rquickjs::Result<()> {
    let own = Arc::clone(host);
    let open = move |ctx: Ctx<'js>, id: u32| {
        let init = EventSourceInit {
            listeners: listeners(&own, id),
            ..EventSourceInit::default()
        };
        let chunks = Chunks {
            host: Arc::clone(&own),
            id,
            next: Arc::default(),
            asked: false,
        };
        connect(
            &ctx,
            &own,
            id,
            EventSource::from_readable_stream(chunks, init),
        )
    };
    native.set("openStreamSource", Function::new(ctx.clone(), open)?)
}

/// The chunks of the realm's stream, each asked for only when it is wanted.
struct Chunks {
    host: Arc<Host>,
    id: u32,
    next: Arc<Mutex<Next>>,
    asked: bool,
}

/// The chunk that was asked for.
#[derive(Default)]
struct Next {
    /// `Some(None)`: the end.
    chunk: Option<Option<Result<Bytes, StreamError>>>,
    waker: Option<Waker>,
}

/// The realm's stream has errored, or a chunk of it isn't bytes.
#[derive(Debug)]
struct StreamError;

impl std::fmt::Display for StreamError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the ReadableStream has errored, or a chunk of it isn't bytes")
    }
}

impl std::error::Error for StreamError {}

impl Stream for Chunks {
    type Item = Result<Bytes, StreamError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let came = {
            let mut next = lock(&self.next);
            next.waker = Some(cx.waker().clone());
            next.chunk.take()
        };
        if let Some(chunk) = came {
            self.asked = false;
            return Poll::Ready(chunk);
        }
        if !self.asked {
            self.asked = true;
            self.ask();
        }
        Poll::Pending
    }
}

impl Chunks {
    /// Has `js/eventsource.js` read a chunk and hand it over.
    fn ask(&self) {
        let next = Arc::clone(&self.next);
        self.host.enter("source-pull", |ctx, args| {
            args.push_arg(self.id)?;
            args.push_arg(Function::new(ctx.clone(), move |chunk| {
                feed(&next, &chunk)
            })?)
        });
    }
}

impl Drop for Chunks {
    fn drop(&mut self) {
        // The realm may be what drops it, and can't be entered then.
        let (host, id) = (Arc::clone(&self.host), self.id);
        tokio::spawn(async move {
            host.enter("source-cancel", |_, args| args.push_arg(id));
        });
    }
}

/// Bytes, null for the end, anything else for an error.
fn feed(next: &Mutex<Next>, chunk: &Value<'_>) -> rquickjs::Result<()> {
    let bytes = chunk
        .as_object()
        .and_then(|object| object.as_typed_array::<u8>());
    let chunk = match bytes {
        Some(bytes) => Some(Ok(Bytes::from(bytes_of(bytes)?))),
        None if chunk.is_null() => None,
        None => Some(Err(StreamError)),
    };
    let mut next = lock(next);
    next.chunk = Some(chunk);
    if let Some(waker) = next.waker.take() {
        waker.wake();
    }
    Ok(())
}
