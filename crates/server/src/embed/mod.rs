//! The hub inside a Rust application.

mod builder;
mod error;
mod event;
mod presence;
mod reply;
mod service;
mod subscription;

pub use builder::{Builder, Keep, OpenError};
pub use error::{HistoryError, Later, PublishError, SubscribeError};
pub use event::{Event, Page, Received, Recorded};
pub use presence::{Member, Presence, PresenceChanges, PresenceError};
pub use reply::Body;
pub use service::{Access, Answering, Decided, Routes, Service, ServiceBuilder, Undecided};
pub use subscription::Subscription;

use crate::auth::{self, Who};
use crate::close::{self, Closed};
use crate::http::query::Query;
use crate::hub;
use crate::native::{self, SoftRefusal, history, soft_refusal};
use crate::watch::{self, Wish};
use crate::{http, start};
use ::http::{Method, Response, Version, request};
use service::Unheard;
use std::any::Any;
use std::sync::Arc;
use std::time::Duration;
use tidings_auth::Rights;
use tidings_auth::rights::Given;
use tidings_codec::EventId;
use tidings_engine::since::Since;
use tidings_engine::start::Asked;
use tidings_engine::{Entry, Form, Kind, Published, Selection, Selector, Sight, Topic, Voice};

/// A hub: a log, whoever publishes to it and whoever watches it. A handle:
/// clones are of the same hub, and several hubs may be in one process.
///
/// ```
/// use futures_util::StreamExt;
/// use tidings_server::{Event, Hub, Received, Since};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let hub = Hub::builder().memory().open()?;
/// let mut people = hub.subscribe(["people"], Since::Latest).await?;
/// hub.publish("people", Event::new("Ada").named("joined")).await?;
/// let Some(Received::Event(event)) = people.next().await else {
///     panic!("the hub ends only when it is told to");
/// };
/// assert_eq!((event.event_type(), event.data()), ("joined", "Ada"));
/// # Ok(())
/// # }
/// ```
///
/// It works on the tokio runtime that it was opened in. When the last handle is
/// dropped, the hub ends by itself: its streams end within the
/// [drain window](Builder::drain_window), then its threads, tasks, memory and
/// files are free. [`Hub::shutdown`] does the same and waits for it.
///
/// Whoever holds a handle may publish to every topic and watch every one: what
/// a visitor of the application may do is the application's to decide, before
/// it calls these methods.
#[derive(Clone)]
pub struct Hub {
    shared: Arc<Shared>,
}

/// What the handles of one hub share.
struct Shared {
    hub: Arc<hub::Hub>,
    /// The application itself.
    own: Who,
    /// What it sees.
    sight: Arc<dyn Sight>,
}

/// The application sees everything, Mercure's private events too.
#[derive(Debug)]
struct Everything;

impl Sight for Everything {
    fn shows(&self, _: &Published<'_>) -> bool {
        true
    }

    fn work(&self) -> usize {
        0
    }

    fn is_same(&self, other: &dyn Sight) -> bool {
        (other as &dyn Any).is::<Self>()
    }
}

/// How long the log has at the end to say which subscriptions have ended.
const SETTLE_TIME: Duration = Duration::from_secs(2);

impl Drop for Shared {
    fn drop(&mut self) {
        // Streams hold the hub, not this: so they end, and it with them.
        self.hub.begin_drain();
    }
}

impl Hub {
    /// Begins to describe a hub.
    pub fn builder() -> Builder {
        Builder::new()
    }

    pub(self) fn new(hub: Arc<hub::Hub>) -> Self {
        let everything = Given {
            everything: true,
            admin: true,
            ..Given::default()
        };
        // Only what is shown of somebody could be refused.
        let rights = everything
            .into_rights(usize::MAX)
            .unwrap_or_else(|_| Rights::default());
        let own = Who::Holder(Arc::new(rights));
        let sight: Arc<dyn Sight> = Arc::new(Everything);
        let shared = Arc::new(Shared { hub, own, sight });
        Self { shared }
    }

    /// Publishes an event, and answers its id once it is in the log: on a disk
    /// if the hub has one, so that nothing but the loss of the disk loses it.
    ///
    /// An event that names an [id](Event::id) which another event of the topic
    /// has is not published again if it is the same, and refused if it isn't; an
    /// event under a [key](Event::key) that was used likewise.
    ///
    /// # Errors
    /// [`PublishError`]; only after [`PublishError::Unknown`] can it be in the
    /// log. The same holds if the future is dropped before it has resolved.
    pub async fn publish(&self, topic: &str, event: Event) -> Result<EventId, PublishError> {
        let ids = self.publish_all([(topic, event)]).await?;
        ids.into_iter().next().ok_or(PublishError::Unknown)
    }

    /// Publishes several events, to one topic or several: all of them or none,
    /// in this order, with no other event between them. Answers their ids.
    ///
    /// # Errors
    /// As of [`Hub::publish`].
    pub async fn publish_all<T: AsRef<str>>(
        &self,
        events: impl IntoIterator<Item = (T, Event)>,
    ) -> Result<Vec<EventId>, PublishError> {
        let events = events.into_iter();
        let entries = events.map(|(topic, event)| self.entry(topic.as_ref(), event));
        let entries: Vec<Entry> = entries.collect::<Result<_, _>>()?;
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let Shared { hub, own, .. } = &*self.shared;
        let appended = hub.publish(entries, own).await;
        let appended = appended.map_err(|error| PublishError::of(error, hub))?;
        Ok(appended.into_iter().map(|event| event.id).collect())
    }

    /// Closes a topic, with `last` as its last event: who watches it is given the
    /// rest and an event `tidings:end`, then its stream ends; an `EventSource` that
    /// comes back is answered `204` and stops for good. Answers the id of the end.
    /// To close a closed topic without a last event changes nothing. What is repeated
    /// under the [key](Event::key) of a last event closes nothing that was opened
    /// again since.
    ///
    /// ```
    /// use futures_util::StreamExt;
    /// # use tidings_server::{Event, Hub, PublishError, Since};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let hub = Hub::builder().open()?;
    /// hub.publish("answer/42", Event::new("Hello")).await?;
    /// hub.close("answer/42", Some(Event::new(" world"))).await?;
    /// let answer = hub.subscribe(["answer/42"], Since::Earliest).await?;
    /// let all: Vec<_> = answer.collect().await;
    /// assert_eq!(all.len(), 3, "two events and the end");
    /// let late = hub.publish("answer/42", Event::new("!")).await;
    /// assert_eq!(late, Err(PublishError::TopicClosed));
    /// hub.publish("answer/42", Event::new("again").reopening()).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As of [`Hub::publish`].
    pub async fn close(&self, topic: &str, last: Option<Event>) -> Result<EventId, PublishError> {
        let topic = self.topic(topic)?;
        let Shared { hub, own, .. } = &*self.shared;
        let limits = &hub.settings().limits;
        let kind = last.as_ref().map_or_else(Kind::default, Event::kind);
        let last = last.map(|last| last.check(topic.clone(), limits));
        let last = last.transpose().map_err(PublishError::Invalid)?;
        let (last, key) = last.map_or((None, None), |(last, key)| (Some(last), key));
        let entries = close::entries(topic, last, kind, key.as_ref());
        let closed = hub.publish(entries, own).await;
        let closed = closed.map_err(|error| PublishError::of(error, hub))?;
        let end = Closed::of(closed).ok_or(PublishError::Unknown)?.end;
        Ok(end.id)
    }

    /// Whether a topic is [closed](Hub::close). What is no topic isn't.
    pub fn is_closed(&self, topic: &str) -> bool {
        let Ok(topic) = Topic::new(topic) else {
            return false;
        };
        let topic = Selection::new(vec![Selector::Exact(topic)]);
        self.shared.hub.reader().end_of_all(&topic).is_some()
    }

    /// Watches topics and patterns (`room/*`, `orders/**`) from `since` on:
    /// everything that is published to any of them, in the order of the log. No
    /// event between `since` and later ones is left out; where history is
    /// missing, [`Received::Gap`] says so.
    ///
    /// ```
    /// # use futures_util::StreamExt;
    /// # use tidings_server::{Event, Hub, Received, Since};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let hub = Hub::builder().open()?;
    /// for text in ["one", "two", "three"] {
    ///     hub.publish("room/7", Event::new(text)).await?;
    /// }
    /// // What was said before is watched like what is said from now on.
    /// let mut room = hub.subscribe(["room/*"], Since::Last(2)).await?;
    /// hub.publish("room/7", Event::new("four")).await?;
    /// for expected in ["two", "three", "four"] {
    ///     let Some(Received::Event(event)) = room.next().await else { break };
    ///     assert_eq!(event.data(), expected);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`SubscribeError`].
    pub async fn subscribe<S: AsRef<str>>(
        &self,
        selectors: impl IntoIterator<Item = S>,
        since: Since,
    ) -> Result<Subscription, SubscribeError> {
        let asked = Asked {
            last_event_id: None,
            since: Some(since),
        };
        let selection = self.seen(self.selection(selectors)?);
        self.watch(selection, asked).await
    }

    /// Answers a request with an event stream, as a browser's `EventSource`
    /// reads it: it resumes behind the request's `Last-Event-ID` if there is
    /// one, and begins at `since` otherwise; it carries heartbeats, and tells of
    /// gaps in events `tidings:gap`. A `HEAD` request gets the head alone.
    ///
    /// What may be refused only for now (too many streams, a hub that ends) is
    /// answered by `200`, a reconnection time and the stream's end: any other
    /// status ends an `EventSource` for good. Wrong selectors and a
    /// `Last-Event-ID` that is none are answered by `400` and a problem document
    /// (RFC 9457).
    ///
    /// With axum:
    ///
    /// ```
    /// use axum::extract::State;
    /// use axum::{Router, routing::get};
    /// use http::{Response, request::Parts};
    /// use tidings_server::{Body, Hub, Since};
    ///
    /// async fn connect(State(hub): State<Hub>, request: Parts) -> Response<Body> {
    ///     hub.event_stream(&request, ["people"], Since::Last(1)).await
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let hub = Hub::builder().open()?;
    /// let app: Router = Router::new().route("/connect", get(connect)).with_state(hub);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn event_stream<S: AsRef<str>>(
        &self,
        request: &request::Parts,
        selectors: impl IntoIterator<Item = S>,
        since: Since,
    ) -> Response<Body> {
        let version = request.version;
        let selection = match self.selection(selectors) {
            Ok(selection) => self.seen(selection),
            Err(error) => return reply::refusal(&self.shared.hub, version, error),
        };
        let asked = match native::last_event_id(&request.headers) {
            Ok(last_event_id) => Asked {
                last_event_id,
                since: Some(since),
            },
            Err(problem) => return reply::public(http::respond::problem(&problem)),
        };
        let is_head = request.method == Method::HEAD;
        let may_have_ended = self.shared.hub.may_have_ended(&selection);
        if is_head || may_have_ended || !asked.is_live() {
            // Not a part of every future: servers hold those in memory.
            return Box::pin(self.find_stream(version, is_head, selection, asked)).await;
        }
        let granted = watch::grant_live(&self.shared.hub, None, wish(selection, asked));
        self.answer(version, granted)
    }

    /// [`Hub::event_stream`] of who may have to wait for the log.
    async fn find_stream(
        &self,
        version: Version,
        is_head: bool,
        selection: Selection,
        asked: Asked,
    ) -> Response<Body> {
        if self.shared.hub.has_ended(&selection, &asked).await {
            return reply::public(native::ended());
        }
        if is_head {
            return reply::public(head(version));
        }
        let granted = watch::grant(&self.shared.hub, None, wish(selection, asked)).await;
        self.answer(version, granted)
    }

    fn answer(
        &self,
        version: Version,
        granted: Result<Box<watch::Watch>, SoftRefusal>,
    ) -> Response<Body> {
        let hub = &self.shared.hub;
        match granted {
            Ok(granted) => {
                let body = http::ReplyBody::Watch(Arc::clone(hub), granted);
                reply::public(native::bare_event_stream(version, body))
            }
            Err(refusal) => reply::refusal(hub, version, SubscribeError::of(refusal)),
        }
    }

    /// As [`Hub::event_stream`], for a visitor of whom the application says what
    /// they may and who they are: they are given what they may watch, as the
    /// [service](Hub::service) does it, and with an
    /// [identity](Access::identity) they are [present](Hub::presence) at the topics
    /// they watch. The request's query may say `presence=1`, `envelope=json` and
    /// `since=…`, as at the hub's own paths.
    pub async fn event_stream_for<S: AsRef<str>>(
        &self,
        visitor: Access,
        request: &request::Parts,
        selectors: impl IntoIterator<Item = S>,
        since: Since,
    ) -> Response<Body> {
        let hub = &self.shared.hub;
        let who = match visitor.decide(&hub.settings().limits) {
            Ok(who) => who,
            Err(Unheard::Later) => {
                return reply::public(soft_refusal(hub, request.version, SoftRefusal::Token));
            }
            Err(Unheard::Never(problem)) => {
                return reply::public(http::respond::problem(&problem));
            }
        };
        let selection = match self.selection(selectors) {
            Ok(selection) => selection,
            Err(error) => return reply::refusal(hub, request.version, error),
        };
        let most = hub.settings().limits.query_bytes;
        let stream = async {
            let query = Query::parse(request.uri.query(), most)?;
            let asked = (selection, Some(since));
            native::stream(hub, request, &who, &query, asked).await
        };
        let reply = stream.await.map_err(service::in_application);
        reply::public(reply.unwrap_or_else(|problem| http::respond::problem(&problem)))
    }

    /// Reads a page of history: at most `limit` events from `since` on, and
    /// about 1 MiB of them. Where the next page begins stands in
    /// [`Page::next`].
    ///
    /// ```
    /// # use tidings_server::{Event, Hub, Since};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let hub = Hub::builder().open()?;
    /// hub.publish("orders/42", Event::new("paid")).await?;
    /// hub.publish("orders/42", Event::new("sent")).await?;
    /// let page = hub.history(["orders/42"], Since::Earliest, 1).await?;
    /// assert_eq!((page.events[0].data(), page.more), ("paid", true));
    /// let page = hub.history(["orders/42"], page.next, 1).await?;
    /// assert_eq!(page.events[0].data(), "sent");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`HistoryError`].
    pub async fn history<S: AsRef<str>>(
        &self,
        selectors: impl IntoIterator<Item = S>,
        since: Since,
        limit: usize,
    ) -> Result<Page, HistoryError> {
        let selection = self.seen(self.selection(selectors)?);
        let hub = Arc::clone(&self.shared.hub);
        let asked = Asked {
            last_event_id: None,
            since: Some(since),
        };
        let start = start::find(&hub, asked, &selection).await;
        let start = start.map_err(|_| HistoryError::Storage)?;
        let reading = tokio::task::spawn_blocking(move || {
            let (mut events, mut bytes) = (Vec::new(), 0);
            let page = history::read(&hub, start, &selection, limit, |frame| {
                bytes += frame.payload_len();
                events.push(Recorded::new(Arc::clone(frame)));
                bytes
            });
            page.map(|page| Page {
                events,
                next: Since::Id(hub.wire_id(page.cursor.after).to_event_id()),
                more: page.more,
                gap: page.gap,
            })
        });
        match reading.await {
            Ok(Ok(page)) => Ok(page),
            failed => {
                if let Ok(Err(error)) = failed {
                    tracing::error!(%error, "a page of history can't be read");
                }
                Err(HistoryError::Storage)
            }
        }
    }

    /// Begins to describe a service that answers requests as the program
    /// `tidings serve` does, as far as the application allows: who may do what is
    /// decided by its own function, and there are no tokens.
    ///
    /// ```
    /// use axum::Router;
    /// use http::{header, request::Parts};
    /// use tidings_server::{Access, Hub, Routes};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let hub = Hub::builder().open()?;
    /// let service = hub
    ///     .service()
    ///     .authorize(|request: &Parts| {
    ///         let cookie = request.headers.get(header::COOKIE).cloned();
    ///         async move {
    ///             // Ask the application's own sessions here.
    ///             match cookie.as_ref().map(|cookie| cookie.as_bytes()) {
    ///                 Some(b"session=ada") => Access::nothing()
    ///                     .identity("ada")
    ///                     .watch(["news", "room/*"])
    ///                     .publish_topic("room/7"),
    ///                 _ => Access::nothing().watch(["news"]),
    ///             }
    ///         }
    ///     })
    ///     .routes(Routes::WATCH | Routes::PUBLISH)
    ///     .build();
    /// // GET /live/t/news, POST /live/t/room/7
    /// let app: Router = Router::new().nest_service("/live", service);
    /// # Ok(())
    /// # }
    /// ```
    pub fn service(&self) -> ServiceBuilder {
        ServiceBuilder::new(self.clone())
    }

    /// Ends the hub: its streams are told when to come back and end within the
    /// [drain window](Builder::drain_window), then what waits for the disk is
    /// written. Until then it takes events; afterwards publishing fails with
    /// [`PublishError::ShutDown`]. History can be read for as long as there are
    /// handles; when the last is dropped, its directory can be opened again.
    ///
    /// To be called where the application ends, before or while its server
    /// waits for open connections: streams end by this, not by themselves.
    pub async fn shutdown(&self) {
        let hub = Arc::clone(&self.shared.hub);
        hub.begin_drain();
        tokio::select! {
            () = hub.drain().over() => {}
            () = hub.places().no_streams() => {}
        }
        // All streams end now at the latest. Nobody wakes them once the tasks are gone.
        hub.live().wake_all();
        hub.active().settled(SETTLE_TIME).await;
        hub.stop_tasks().await;
        let closing = tokio::task::spawn_blocking(move || hub.writer().shutdown());
        // If it panicked, the store is closed all the same.
        let _ = closing.await;
    }

    /// Whether [`Hub::shutdown`] has been called.
    pub fn is_ending(&self) -> bool {
        self.shared.hub.drain().has_begun()
    }

    fn entry(&self, topic: &str, event: Event) -> Result<Entry, PublishError> {
        let topic = self.topic(topic)?;
        let limits = &self.shared.hub.settings().limits;
        let kind = event.kind();
        let (event, key) = event.check(topic, limits).map_err(PublishError::Invalid)?;
        Ok(native::entry(event, key.as_ref(), 0).of_kind(kind))
    }

    fn topic(&self, topic: &str) -> Result<Topic, PublishError> {
        let topic = Topic::new(topic).map_err(PublishError::Topic)?;
        match topic.is_reserved() {
            true => Err(PublishError::Reserved),
            false => Ok(topic),
        }
    }

    fn selection<S: AsRef<str>>(
        &self,
        selectors: impl IntoIterator<Item = S>,
    ) -> Result<Selection, SubscribeError> {
        let max = self.shared.hub.settings().limits.selectors_per_subscription;
        let mut own = Vec::new();
        for text in selectors {
            if own.len() == max {
                return Err(SubscribeError::TooMany { max });
            }
            own.push(Selector::new(text.as_ref()).map_err(SubscribeError::Selector)?);
        }
        match own.is_empty() {
            true => Err(SubscribeError::Nothing),
            false => Ok(Selection::new(own)),
        }
    }

    /// The same, as the application sees it.
    fn seen(&self, selection: Selection) -> Selection {
        selection.with_sight(Arc::clone(&self.shared.sight))
    }

    async fn watch(
        &self,
        selection: Selection,
        asked: Asked,
    ) -> Result<Subscription, SubscribeError> {
        let hub = &self.shared.hub;
        let granted = watch::grant(hub, None, wish(selection, asked)).await;
        let watch = granted.map_err(SubscribeError::of)?;
        Ok(Subscription::new(Arc::clone(hub), watch))
    }
}

/// What the application wishes to watch.
fn wish(selection: Selection, asked: Asked) -> Wish {
    Wish {
        admitted: auth::Admitted {
            selection,
            standing: None,
        },
        asked,
        form: Form::Plain,
        voice: Voice::default(),
    }
}

/// The head of an event stream.
fn head(version: Version) -> http::Reply {
    native::bare_event_stream(version, http::ReplyBody::Whole(None))
}
