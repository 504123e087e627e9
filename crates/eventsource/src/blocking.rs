//! The face for threads: an iterator.
//!
//! ```no_run
//! # fn main() -> Result<(), tidings_eventsource::Error> {
//! use tidings_eventsource::EventStream;
//!
//! for event in EventStream::builder("http://localhost:8080/t/news").open_blocking()? {
//!     println!("{}", event?.data);
//! }
//! # Ok(())
//! # }
//! ```

use crate::{Builder, Error, EventStream, Handle, JsonStream, Notices};
use futures_channel::oneshot;
use futures_core::Stream;
use serde::de::DeserializeOwned;
use std::fmt;
use std::iter::FusedIterator;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{JoinHandle, Thread};

/// The items of a stream, for which [`Iterator::next`] blocks its thread:
/// [`Builder::open_blocking`].
///
/// The connection lives on a small runtime of its own with one thread; events
/// are decoded on the thread that asks for them, and like those of an
/// [`EventStream`] not before. It may be used inside an asynchronous runtime
/// too, where it blocks the thread that it is called on like any other blocking call.
///
/// An item is what the stream gives: `Ok`, a passing error after which others
/// follow, or a last error. Dropping it aborts the request (A7);
/// [`Events::handle`] ends it from another thread.
pub struct Events<S = EventStream> {
    // Before the runtime that its connection lives on.
    stream: S,
    handle: Handle,
    background: Background,
}

impl Builder {
    /// The stream as an iterator for a plain thread. It connects when the first
    /// event is asked for.
    ///
    /// # Errors
    /// Those of [`Builder::open`]; [`Error::Runtime`] if the operating system
    /// gives no thread.
    pub fn open_blocking(self) -> Result<Events, Error> {
        let background = Background::start().map_err(|error| Error::Runtime(error.into()))?;
        let stream = {
            let _context = background.runtime.enter();
            self.open()?
        };
        Ok(Events {
            handle: stream.handle(),
            stream,
            background,
        })
    }
}

impl Events {
    /// The same, telling of everything that happens: [`EventStream::notices`].
    pub fn notices(self) -> Events<Notices> {
        self.map(EventStream::notices)
    }

    /// The same, reading each event's data as JSON: [`EventStream::json`].
    pub fn json<T: DeserializeOwned>(self) -> Events<JsonStream<T>> {
        self.map(EventStream::json)
    }
}

impl<S> Events<S> {
    /// To see and to do things from another thread.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    fn map<T>(self, make: impl FnOnce(S) -> T) -> Events<T> {
        Events {
            stream: make(self.stream),
            handle: self.handle,
            background: self.background,
        }
    }
}

impl<S: Stream + Unpin> Iterator for Events<S> {
    type Item = S::Item;

    fn next(&mut self) -> Option<S::Item> {
        // Where connections are spawned and timers are set.
        let _context = self.background.runtime.enter();
        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
        let mut cx = Context::from_waker(&waker);
        loop {
            if let Poll::Ready(item) = Pin::new(&mut self.stream).poll_next(&mut cx) {
                return item;
            }
            std::thread::park();
        }
    }
}

impl<S: Stream + Unpin> FusedIterator for Events<S> {}

impl<S: fmt::Debug> fmt::Debug for Events<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Events").field(&self.stream).finish()
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

/// A runtime on a thread of its own, until it is dropped.
struct Background {
    runtime: tokio::runtime::Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Background {
    fn start() -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new()
            .name("event-stream".to_owned())
            .spawn(move || {
                // Its end is that the other half is dropped.
                let _ = runtime.block_on(stopped);
                // A name that is still being resolved isn't waited for.
                runtime.shutdown_background();
            })?;
        Ok(Self {
            runtime: handle,
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // So that the connection is gone when this returns.
            let _ = thread.join();
        }
    }
}
