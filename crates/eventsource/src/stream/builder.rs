use super::EventStream;
use super::reader::{self, Reader};
use crate::driver::{Driver, Hook, Means};
use crate::duplicates::Duplicates;
use crate::protocol::{IdleTimeout, Options, Policy, Request};
use crate::resume::Resume;
use crate::transport::Transport;
use crate::{BoxError, Error, IdStore, InvalidRequest, Runtime};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use tidings_codec::{EventId, Limits};
use url::Url;

/// Says what to fetch and how; [`Builder::open`] gives the stream.
///
/// What can't be sent (a URL that can't be parsed, a header with a line break)
/// is an error of `open`, the first one if there are several.
#[must_use = "`open` it"]
pub struct Builder {
    url: String,
    method: Option<Method>,
    headers: HeaderMap,
    body: Option<Bytes>,
    policy: Policy,
    idle: Option<IdleTimeout>,
    limits: Limits,
    last_event_id: Option<EventId>,
    comments: bool,
    end_marker: Option<Box<str>>,
    ids: Option<Box<dyn IdStore>>,
    commit_by_hand: bool,
    remembered_ids: usize,
    means: Means,
    invalid: Option<InvalidRequest>,
}

impl Builder {
    /// `GET url` over `transport`, with the clock of `runtime` and the rules of
    /// [`Policy::resilient`].
    pub fn new(url: impl Into<String>, transport: impl Transport, runtime: impl Runtime) -> Self {
        Self {
            url: url.into(),
            method: None,
            headers: HeaderMap::new(),
            body: None,
            policy: Policy::resilient(),
            idle: None,
            limits: Limits::default(),
            last_event_id: None,
            comments: false,
            end_marker: None,
            ids: None,
            commit_by_hand: false,
            remembered_ids: 0,
            means: Means {
                transport: Arc::new(transport),
                runtime: Arc::new(runtime),
                before_attempt: None,
            },
            invalid: None,
        }
    }

    /// The method; without this `GET`, or `POST` if there is a body.
    pub fn method(mut self, method: Method) -> Self {
        self.method = Some(method);
        self
    }

    /// Sends a header with each attempt, replacing one of the same name.
    /// `Accept` and `Cache-Control` have their values from the standard (R2, R3)
    /// unless given here; `Last-Event-ID` belongs to the protocol, see
    /// [`Builder::last_event_id`].
    ///
    /// `Authorization`, `Proxy-Authorization`, `Cookie` and `Host` don't follow a
    /// redirect to another origin. Any other header does: what is a secret, like
    /// an API key, is for [`Builder::secret_header`].
    pub fn header(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.header_value(name, value.as_ref(), false)
    }

    /// Sends a header whose value is a secret, like `X-Api-Key`: as
    /// [`Builder::header`], but it doesn't follow a redirect to another origin,
    /// nor does what prints a request show it.
    pub fn secret_header(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.header_value(name, value.as_ref(), true)
    }

    fn header_value(mut self, name: &str, value: &[u8], is_secret: bool) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes());
        let value = HeaderValue::from_bytes(value);
        let (Ok(name), Ok(mut value)) = (name, value) else {
            return self.refuse(InvalidRequest::Header);
        };
        value.set_sensitive(is_secret);
        self.headers.insert(name, value);
        self
    }

    /// Sends several headers, replacing those of the same names. Values that are
    /// [marked as sensitive](HeaderValue::set_sensitive) are secrets as those of
    /// [`Builder::secret_header`] are.
    pub fn headers(mut self, headers: HeaderMap) -> Self {
        self.headers.extend(headers);
        self
    }

    /// Sends `Authorization: Bearer token`. For a token that has to be fresh at
    /// each attempt see [`Builder::before_attempt`].
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    /// Sends a body with each attempt, by `POST` unless [`Builder::method`] says
    /// otherwise.
    pub fn body(mut self, content_type: &str, body: impl Into<Bytes>) -> Self {
        self.body = Some(body.into());
        self.header(CONTENT_TYPE.as_str(), content_type)
    }

    /// When to try again, how long to wait, when to give up.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// How long the server may be silent in a stream before the connection
    /// counts as lost; in place of what the policy has.
    pub fn idle_timeout(mut self, idle: IdleTimeout) -> Self {
        self.idle = Some(idle);
        self
    }

    /// How much a server may make us hold.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Begins after the event with this ID, as a reconnect would.
    pub fn last_event_id(mut self, id: &str) -> Self {
        match EventId::new(id) {
            Ok(id) => self.last_event_id = Some(id),
            Err(_) => return self.refuse(InvalidRequest::LastEventId),
        }
        self
    }

    /// Begins after the ID that an earlier run has saved there, if there is one,
    /// rather than after [`Builder::last_event_id`], and saves the ID of what is
    /// handled: what was given before the next item is asked for.
    pub fn ids(mut self, store: impl IdStore) -> Self {
        self.ids = Some(Box::new(store));
        self
    }

    /// An event is handled only when [`Handle::commit`](crate::Handle::commit)
    /// says so: for events that are given on to other tasks.
    pub fn commit_by_hand(mut self) -> Self {
        self.commit_by_hand = true;
        self
    }

    /// Drops events whose own ID is among the last `ids` different ones, for
    /// servers that give the last event once more to who resumes after it. At
    /// most 1 MiB of IDs are remembered, and none behind a gap to another history
    /// ([`GapReason::Foreign`](crate::GapReason::Foreign) or `Unknown`); a server
    /// that begins its IDs anew without saying so needs `0`. Without this nothing
    /// is dropped.
    pub fn deduplicate(mut self, ids: usize) -> Self {
        self.remembered_ids = ids;
        self
    }

    /// Gives comments too, as [`Notice::Comment`](super::Notice::Comment).
    pub fn comments(mut self, wanted: bool) -> Self {
        self.comments = wanted;
        self
    }

    /// The stream is complete when an event has exactly this data. That event
    /// isn't given. With [`Policy::once`], where a clean end of the body ends
    /// the stream as well, an end without it is [`Error::Ended`]: part of the
    /// answer is missing.
    ///
    /// ```
    /// use tidings_eventsource::protocol::Policy;
    /// use tidings_eventsource::transport::{Answer, Memory};
    /// use tidings_eventsource::{Builder, VirtualRuntime};
    ///
    /// # fn main() -> Result<(), tidings_eventsource::Error> {
    /// let clock = VirtualRuntime::new(1);
    /// let answer = Answer::stream().chunk("data: {\"n\":1}\n\ndata: [DONE]\n\n");
    /// let server = Memory::script(clock.clone(), [answer]);
    /// let mut numbers = Builder::new("http://model/answers", server, clock.clone())
    ///     .policy(Policy::once())
    ///     .until_data("[DONE]")
    ///     .open()?
    ///     .json::<serde_json::Value>();
    /// clock.block_on(async {
    ///     assert_eq!(numbers.next().await.expect("one")?.value["n"], 1);
    ///     assert!(numbers.next().await.is_none());
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn until_data(mut self, marker: impl Into<Box<str>>) -> Self {
        self.end_marker = Some(marker.into());
        self
    }

    /// Lets `hook` change the request of each attempt before it is sent, such
    /// as to give it a fresh token. It runs before attempts, not before the
    /// requests that redirects lead to. An error of its own counts as a failed
    /// attempt ([`Error::Hook`]).
    ///
    /// What it sets follows redirects as what [`Builder::headers`] sets does: a
    /// secret that isn't in `Authorization` or `Cookie` must be
    /// [marked as sensitive](HeaderValue::set_sensitive).
    pub fn before_attempt<F, R>(mut self, hook: F) -> Self
    where
        F: Fn(Request) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Request, BoxError>> + Send + 'static,
    {
        let hook: Hook = Arc::new(move |request| Box::pin(hook(request)));
        self.means.before_attempt = Some(hook);
        self
    }

    /// What carries the requests.
    pub fn transport(self, transport: impl Transport) -> Self {
        self.shared_transport(Arc::new(transport))
    }

    /// The same, shared with other streams.
    pub fn shared_transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.means.transport = transport;
        self
    }

    /// Where time and randomness come from.
    pub fn runtime(mut self, runtime: impl Runtime) -> Self {
        self.means.runtime = Arc::new(runtime);
        self
    }

    /// The stream. It connects when it is first polled.
    ///
    /// # Errors
    /// [`Error::Invalid`] for what can't be sent, [`Error::Ids`] if the last
    /// event ID can't be loaded.
    pub fn open(mut self) -> Result<EventStream, Error> {
        if let Some(invalid) = self.invalid {
            return Err(invalid.into());
        }
        let url = Url::parse(&self.url).map_err(|_| InvalidRequest::Url)?;
        let mut policy = self.policy;
        policy.idle = self.idle.unwrap_or(policy.idle);
        let resume = self.load()?;
        let seed = self.last_event_id.as_ref().map_or("", EventId::as_str);
        let duplicates = (self.remembered_ids > 0).then(|| {
            let mut duplicates = Duplicates::new(self.remembered_ids);
            duplicates.remember(&seed.into());
            duplicates
        });
        let method = self.method.unwrap_or(match self.body {
            Some(_) => Method::POST,
            None => Method::GET,
        });
        let options = Options {
            method,
            headers: self.headers,
            body: self.body,
            limits: self.limits,
            last_event_id: self.last_event_id,
            comments: self.comments,
            seed: self.means.runtime.seed(),
            ..Options::new(url, policy)
        };
        let driver = Driver::new(options, self.means);
        let options = reader::Options {
            end_marker: self.end_marker,
            duplicates,
            resume,
        };
        Ok(EventStream::new(Reader::new(driver, options)))
    }

    /// Takes the ID to begin after from the store, if it has one.
    fn load(&mut self) -> Result<Option<Arc<Resume>>, Error> {
        let Some(mut store) = self.ids.take() else {
            return Ok(None);
        };
        let loaded = store.load().map_err(Error::Ids)?;
        let saved = loaded.as_deref().unwrap_or("").into();
        if let Some(id) = loaded {
            let id = EventId::new(id).map_err(|_| InvalidRequest::LastEventId)?;
            self.last_event_id = Some(id);
        }
        let resume = Resume::new(store, self.commit_by_hand, saved);
        Ok(Some(Arc::new(resume)))
    }

    fn refuse(mut self, invalid: InvalidRequest) -> Self {
        self.invalid.get_or_insert(invalid);
        self
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the URL, which may hold credentials.
        f.debug_struct("Builder")
            .field("method", &self.method)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}
