//! The EventSource of the WHATWG HTML standard, with its listeners.

mod dom_event;
mod drive;
mod init;
mod listeners;
mod readable;

pub use dom_event::{DomEvent, MessageEvent};
pub use init::EventSourceInit;
pub use listeners::{Listener, ListenerId, Listeners};

use crate::driver::{Driver, Means};
use crate::event::Text;
use crate::handle::Handle;
use crate::protocol::ReadyState;
use crate::runtime::Runtime;
use crate::transport::Transport;
use crate::{BoxError, Error};
use bytes::Bytes;
use futures_channel::oneshot;
use futures_core::Stream;
use futures_util::FutureExt;
use futures_util::future::Shared;
use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The EventSource of the standard: it connects, fires events at its
/// listeners, and reconnects until it is closed or the server makes it fail.
///
/// ```no_run
/// use tidings_eventsource::event_source::Listeners;
/// use tidings_eventsource::{EventSource, EventSourceInit};
///
/// # async fn example() -> Result<(), tidings_eventsource::Error> {
/// let init = EventSourceInit {
///     listeners: Listeners::new()
///         .on("message", |_, event| println!("{}", event.data().unwrap_or_default()))
///         .on("error", |source, event| {
///             if let Some(error) = event.error() {
///                 eprintln!("{error}; now {:?}", source.ready_state());
///             }
///         })
///         // An event type that the server chose.
///         .on("end", |source, _| source.close()),
///     ..EventSourceInit::default()
/// };
/// let source = EventSource::new("https://example.com/t/news", init)?;
/// source.closed().await;
/// # Ok(())
/// # }
/// ```
///
/// It is one side of the work; the other is a future that reads the stream and
/// calls the listeners, one event after the other. `EventSource::new`,
/// `EventSource::over` and `EventSource::from_readable_stream` spawn it on the
/// current tokio runtime (of either kind, or a `LocalSet`);
/// [`EventSource::with`] and [`EventSource::with_readable_stream`] give it to you.
///
/// # Listeners
///
/// A listener is called with the EventSource and the event. It may do anything
/// with either: close it, add and remove listeners, dispatch. As in the DOM, a
/// listener that is removed during a dispatch isn't called in it, nor is one
/// that is added. It should not block: nothing is read meanwhile.
///
/// A listener that panics doesn't stop the others, nor the stream: the panic
/// hook reports it, as a browser reports an exception, and that is all (unless
/// the program is built to abort where it panics).
///
/// A listener that holds an `Arc` of its own EventSource keeps it alive, and
/// connected, until one of the two is let go: use the one it is called with.
///
/// # The end
///
/// Dropping it aborts its request (A7), as [`EventSource::close`] does; neither
/// fires anything.
pub struct EventSource {
    core: Arc<Core>,
}

struct Core {
    url: String,
    with_credentials: bool,
    handle: Handle,
    inner: Mutex<Inner>,
    closed: Shared<oneshot::Receiver<Infallible>>,
}

struct Inner {
    ready_state: ReadyState,
    listeners: Listeners,
    /// Dropped when it is closed, which `closed` hears.
    open_or_connecting: Option<oneshot::Sender<Infallible>>,
}

impl EventSource {
    /// `CONNECTING` (A4): there is no stream yet, or another one is coming.
    pub const CONNECTING: ReadyState = ReadyState::Connecting;
    /// `OPEN` (A4): events may come.
    pub const OPEN: ReadyState = ReadyState::Open;
    /// `CLOSED` (A4): there will be no more.
    pub const CLOSED: ReadyState = ReadyState::Closed;

    /// Connects to `url`, on the current tokio runtime, over HTTP as a new
    /// [`Hyper`](crate::transport::Hyper) does it. [`EventSource::over`] takes
    /// one that several share.
    ///
    /// # Errors
    ///
    /// As [`EventSource::with`].
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, as `tokio::spawn` does.
    #[cfg(feature = "hyper")]
    pub fn new(url: &str, init: EventSourceInit) -> Result<Self, Error> {
        Self::over(url, init, Arc::new(crate::transport::Hyper::new()))
    }

    /// Connects to `url` over `transport`, on the current tokio runtime.
    ///
    /// # Errors
    ///
    /// As [`EventSource::with`].
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, as `tokio::spawn` does.
    #[cfg(feature = "tokio")]
    pub fn over(
        url: &str,
        init: EventSourceInit,
        transport: Arc<dyn Transport>,
    ) -> Result<Self, Error> {
        let runtime = Arc::new(crate::TokioRuntime::new());
        let (source, driving) = Self::with(url, init, transport, runtime)?;
        tokio::spawn(driving);
        Ok(source)
    }

    /// Connects to `url` over `transport`. Nothing happens until the future is
    /// spawned or polled; it is over once the EventSource is closed, and
    /// dropping it closes without an event.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] if `url` can't be parsed (A1: `SyntaxError`).
    pub fn with(
        url: &str,
        init: EventSourceInit,
        transport: Arc<dyn Transport>,
        runtime: Arc<dyn Runtime>,
    ) -> Result<(Self, impl Future<Output = ()> + Send + use<>), Error> {
        let url = init.resolve(url)?;
        let serialized = url.as_str().to_owned();
        let options = init.options(url, runtime.seed());
        let means = Means {
            transport,
            runtime,
            before_attempt: None,
        };
        Ok(Self::of(Driver::new(options, means), serialized, init))
    }

    /// `EventSource.fromReadableStream(stream)` (rule P1, whatwg/html pull
    /// request 12272): reads an event stream that is there already, on the
    /// current tokio runtime.
    ///
    /// Its URL is `about:event-stream`, the origin of its events `null`. It
    /// connects to nothing: when `stream` ends or has an error, it fails (T3).
    /// Of `init`, the limits and the listeners count.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, as `tokio::spawn` does.
    #[cfg(feature = "tokio")]
    pub fn from_readable_stream<S, E>(stream: S, init: EventSourceInit) -> Self
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: Into<BoxError> + 'static,
    {
        let (source, driving) = Self::with_readable_stream(stream, init);
        tokio::spawn(driving);
        source
    }

    /// `fromReadableStream` (rule P1) for any runtime, or none: nothing happens
    /// until the future is spawned or polled. It takes no time but what `stream`
    /// takes.
    ///
    /// ```
    /// # use std::convert::Infallible;
    /// # use std::sync::mpsc;
    /// # use tidings_eventsource::event_source::Listeners;
    /// # use tidings_eventsource::{EventSource, EventSourceInit};
    /// let chunks = ["id: 7\ndata: fi", "rst\n\ndata: second\n\n"];
    /// let stream = futures_util::stream::iter(chunks.map(|chunk| Ok::<_, Infallible>(chunk.into())));
    /// let (seen, events) = mpsc::channel();
    /// let init = EventSourceInit {
    ///     listeners: Listeners::new().on("message", move |source, event| {
    ///         let data = event.data().unwrap_or_default().to_owned();
    ///         let _ = seen.send((data, source.last_event_id().to_string()));
    ///     }),
    ///     ..EventSourceInit::default()
    /// };
    /// let (source, driving) = EventSource::with_readable_stream(stream, init);
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// driving.await;
    /// # });
    /// assert_eq!(source.ready_state(), EventSource::CLOSED);
    /// assert_eq!(events.recv(), Ok(("first".into(), "7".into())));
    /// assert_eq!(events.recv(), Ok(("second".into(), "7".into())));
    /// ```
    pub fn with_readable_stream<S, E>(
        stream: S,
        init: EventSourceInit,
    ) -> (Self, impl Future<Output = ()> + Send + use<S, E>)
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: Into<BoxError> + 'static,
    {
        let driver = readable::driver(stream, init.limits);
        let init = EventSourceInit {
            with_credentials: false,
            ..init
        };
        Self::of(driver, readable::URL.to_owned(), init)
    }

    fn of(
        driver: Driver,
        url: String,
        init: EventSourceInit,
    ) -> (Self, impl Future<Output = ()> + Send + use<>) {
        let (open_or_connecting, closed) = oneshot::channel();
        let core = Arc::new(Core {
            url,
            with_credentials: init.with_credentials,
            handle: driver.handle(),
            inner: Mutex::new(Inner {
                ready_state: ReadyState::Connecting,
                listeners: init.listeners,
                open_or_connecting: Some(open_or_connecting),
            }),
            closed: closed.shared(),
        });
        let target = Self { core: core.clone() };
        (Self { core }, drive::drive(driver, target))
    }

    /// `url` (A3): the URL it was made with, resolved and serialized; never
    /// where it was redirected to.
    pub fn url(&self) -> &str {
        &self.core.url
    }

    /// `withCredentials` (A1).
    pub fn with_credentials(&self) -> bool {
        self.core.with_credentials
    }

    /// `readyState` (A4). It has changed when the `open` or `error` that tells
    /// of it is fired (T1 to T3).
    pub fn ready_state(&self) -> ReadyState {
        self.core.lock().ready_state
    }

    /// `lastEventId` (rule P1): what the next reconnect resumes after; empty if
    /// there is none.
    pub fn last_event_id(&self) -> Text {
        self.core.handle.last_event_id()
    }

    /// `reconnectionTime` (rule P1): what a reconnect waits at least.
    pub fn reconnection_time(&self) -> Duration {
        self.core.handle.reconnection_time()
    }

    /// `reset()` (rule P1): drops what was read of an unfinished event.
    pub fn reset(&self) {
        self.core.handle.reset();
    }

    /// `close()` (A6): aborts the request or cancels the reconnect, and fires
    /// nothing. Events that were read and not fired yet never are (B5); one that
    /// another thread is firing just then still reaches its listeners.
    pub fn close(&self) {
        self.core.close();
    }

    /// Resolves when it is closed, by whom or what ever; after the `error` if
    /// there is one. Keeps nothing alive. Cancel-safe.
    pub fn closed(&self) -> impl Future<Output = ()> + Send + use<> {
        self.core.closed.clone().map(|_| ())
    }

    /// `addEventListener(type, listener)` (A5). Each call adds another one.
    pub fn add_event_listener(
        &self,
        event_type: &str,
        listener: impl Fn(&Self, &DomEvent) + Send + Sync + 'static,
    ) -> ListenerId {
        self.listen(event_type, false, Arc::new(listener))
    }

    /// `addEventListener(type, listener, { once: true })` (A5): it is removed
    /// before it is called.
    pub fn add_event_listener_once(
        &self,
        event_type: &str,
        listener: impl Fn(&Self, &DomEvent) + Send + Sync + 'static,
    ) -> ListenerId {
        self.listen(event_type, true, Arc::new(listener))
    }

    /// `removeEventListener` (A5). Says whether it was there.
    pub fn remove_event_listener(&self, id: ListenerId) -> bool {
        let removed = self.core.lock().listeners.remove(id);
        removed.is_some()
    }

    /// `dispatchEvent` (A5): fires `event` at the listeners of its type before
    /// it returns. To them it is not trusted.
    pub fn dispatch_event(&self, event: DomEvent) {
        self.fire(&event);
    }

    /// `onopen` (A5).
    pub fn onopen(&self) -> Option<Listener> {
        self.core.lock().listeners.handler("open")
    }

    /// Sets `onopen` (A5). What replaces a handler is called in its place among
    /// the listeners; what is set after `None` is called last.
    pub fn set_onopen(&self, listener: Option<Listener>) {
        self.set_handler("open", listener);
    }

    /// `onmessage` (A5).
    pub fn onmessage(&self) -> Option<Listener> {
        self.core.lock().listeners.handler("message")
    }

    /// Sets `onmessage` (A5), like [`EventSource::set_onopen`].
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use tidings_eventsource::EventSource;
    /// fn print_one(source: &EventSource) {
    ///     source.set_onmessage(Some(Arc::new(|source, event| {
    ///         println!("{}", event.data().unwrap_or_default());
    ///         source.close();
    ///     })));
    /// }
    /// ```
    pub fn set_onmessage(&self, listener: Option<Listener>) {
        self.set_handler("message", listener);
    }

    /// `onerror` (A5).
    pub fn onerror(&self) -> Option<Listener> {
        self.core.lock().listeners.handler("error")
    }

    /// Sets `onerror` (A5), like [`EventSource::set_onopen`].
    pub fn set_onerror(&self, listener: Option<Listener>) {
        self.set_handler("error", listener);
    }

    fn listen(&self, event_type: &str, once: bool, listener: Listener) -> ListenerId {
        let mut core = self.core.lock();
        core.listeners.add(Some(event_type), once, listener)
    }

    fn set_handler(&self, event_type: &str, listener: Option<Listener>) {
        let replaced = self.core.lock().listeners.set_handler(event_type, listener);
        // Dropped only here, where nothing is locked: see `Listeners::remove`.
        drop(replaced);
    }
}

impl Core {
    /// A6, A7.
    fn close(&self) {
        self.lock().close();
        self.handle.close();
    }

    /// Says whether it wasn't closed.
    fn become_unless_closed(&self, state: ReadyState) -> bool {
        let mut inner = self.lock();
        let was_closed = inner.ready_state == ReadyState::Closed;
        if !was_closed {
            inner.ready_state = state;
        }
        !was_closed
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // No listener is called or dropped while it is locked, so nothing panics.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn close(&mut self) {
        self.ready_state = ReadyState::Closed;
        self.open_or_connecting = None;
    }
}

/// There are two, the user's and the future's, which is the one that listeners
/// see. Each closes when it goes: without a user nobody listens (A7), without
/// the future nothing is read any more.
impl Drop for EventSource {
    fn drop(&mut self) {
        self.core.close();
    }
}

impl fmt::Debug for EventSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventSource")
            .field("ready_state", &self.ready_state())
            .finish_non_exhaustive()
    }
}
