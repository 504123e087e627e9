//! What a hub is made of.

use super::Hub;
use crate::auth::{Auth, Kept, Mercure, Settings};
use crate::hub;
use crate::presence;
use crate::store::{self, Unopened};
use std::fmt;
use std::io;
use std::panic::catch_unwind;
use std::path::PathBuf;
use std::time::Duration;
use tidings_auth::rights::{MAX_BYTES as MAX_RIGHTS_BYTES, MIN_BYTES as MIN_RIGHTS_BYTES};
use tidings_engine::limits::{InconsistentLimits, SPARE_CONNECTIONS};
use tidings_engine::slow::{SlowPolicy, SlowRules};
use tidings_engine::{InvalidSelector, Limits, Selector};
use tidings_mercure::Base;
use tidings_mercure::base::InvalidPublicUrl;
use tidings_store::{Options, Retention};
use tokio::runtime::Handle;

const URL: &str = "http://localhost";

/// Describes a hub. Without a word it keeps its log in memory, 7 days and 1 GiB
/// of it at most, within the bounds of [`Limits::default`].
#[derive(Debug, Clone)]
#[must_use = "a hub begins with `open`"]
pub struct Builder {
    directory: Option<PathBuf>,
    retention: Retention,
    limits: Limits,
    retry: Option<Duration>,
    slow: SlowPolicy,
    slow_topics: Vec<(String, SlowPolicy)>,
    kept_topics: Vec<(String, tidings_store::Limits)>,
    drain_window: Duration,
    publish_timeout: Duration,
    presence: presence::Settings,
    public_url: String,
    mercure: Mercure,
}

impl Builder {
    pub(super) fn new() -> Self {
        Self {
            directory: None,
            retention: Retention::default(),
            limits: Limits::default(),
            retry: None,
            slow: SlowPolicy::default(),
            slow_topics: Vec::new(),
            kept_topics: Vec::new(),
            drain_window: Duration::from_secs(1),
            publish_timeout: Duration::from_secs(10),
            presence: presence::Settings::default(),
            public_url: URL.to_owned(),
            mercure: Mercure::default(),
        }
    }

    /// Keeps the log in memory: it begins empty and ends with the hub. Who
    /// resumes from an earlier one is told of a gap.
    pub fn memory(mut self) -> Self {
        self.directory = None;
        self
    }

    /// Keeps the log in this directory, which is created if it isn't there and
    /// which no other hub may have open. Events are published once the disk has
    /// them, and are there when the hub is opened again.
    pub fn disk(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// What is kept of topics for which [`Builder::keep_topic`] says nothing.
    pub fn keep(mut self, kept: Keep) -> Self {
        self.retention.default = kept.limits();
        self
    }

    /// What is kept of the topics that a selector watches. The first rule that
    /// watches a topic decides.
    pub fn keep_topic(mut self, selector: impl Into<String>, kept: Keep) -> Self {
        self.kept_topics.push((selector.into(), kept.limits()));
        self
    }

    /// What becomes of connections that can't keep up. In-process subscriptions
    /// are never too slow.
    pub fn slow(mut self, policy: SlowPolicy) -> Self {
        self.slow = policy;
        self
    }

    /// The same for the topics that a selector watches. The first rule that
    /// watches a topic decides.
    pub fn slow_topic(mut self, selector: impl Into<String>, policy: SlowPolicy) -> Self {
        self.slow_topics.push((selector.into(), policy));
        self
    }

    /// Bounds on what is taken in and kept in memory, the heartbeat and the
    /// reconnection time. Connections are the application's: `connections` and
    /// `subscriptions_per_address` mean nothing here. `standing_bytes` is what the
    /// rights of one [`Access`](super::Access) may take; 0 stands for 64 KiB, and what is
    /// less than 4 KiB, where hardly anything could be granted, for 4 KiB.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// How long a browser waits before it reconnects: 100 ms to 20 min, of which whole
    /// milliseconds count. Each stream is told a time of its own, from this to three
    /// times this, so that they don't all come back at once. It holds whatever
    /// [`Limits::retry`] says, be that said before or after. Default 2 s.
    pub fn retry(mut self, time: Duration) -> Self {
        self.retry = Some(time);
        self
    }

    /// Over which time streams end when the hub does, so that those who watch
    /// don't all come back at once. Default 1 s.
    pub fn drain_window(mut self, window: Duration) -> Self {
        self.drain_window = window;
        self
    }

    /// How long publishing waits for the disk at most. Default 10 s.
    pub fn publish_timeout(mut self, timeout: Duration) -> Self {
        self.publish_timeout = timeout;
        self
    }

    /// For how long somebody is still [present](Hub::presence) whose last stream has
    /// ended, so that who reconnects doesn't leave and join. Default 10 s.
    pub fn presence_grace(mut self, grace: Duration) -> Self {
        self.presence.grace = grace;
        self
    }

    /// Up to how many members of a topic are listed; of more it is told how many they
    /// are. Default 100.
    pub fn presence_list(mut self, members: usize) -> Self {
        self.presence.list = members;
        self
    }

    /// Whether the Mercure face has its subscription API and its events. Default no.
    pub fn mercure_subscriptions(mut self, are_told: bool) -> Self {
        self.mercure.subscriptions = are_told;
        self
    }

    /// Where the hub is reached from outside, for the Mercure face, whose topics
    /// are URLs. Default `http://localhost`.
    pub fn public_url(mut self, url: impl Into<String>) -> Self {
        self.public_url = url.into();
        self
    }

    /// Opens the hub. It reads the directory, so it may take a moment.
    ///
    /// # Errors
    /// [`OpenError`]; nothing on the disk was destroyed.
    pub fn open(self) -> Result<Hub, OpenError> {
        check_runtime()?;
        let (options, limits) = self.options()?;
        let rules = rules(&self.slow_topics)?;
        let settings = hub::Settings {
            publish_timeout: self.publish_timeout,
            drain_window: self.drain_window,
            open: false,
            slow: SlowRules::new(rules, self.slow),
            // Connections are the application's, and what it answers them is pulled.
            lanes: 0,
            presence: self.presence,
            limits,
        };
        let base = Base::new(&self.public_url).map_err(OpenError::PublicUrl)?;
        let store = store::open(self.directory.as_deref(), options)?;
        let kept = Kept::open(None).map_err(|error| OpenError::System(io::Error::other(error)))?;
        let auth = Auth::new(Settings::of_application(base, self.mercure), kept);
        let hub = hub::Hub::start(store, settings, auth).map_err(OpenError::System)?;
        Ok(Hub::new(hub))
    }

    /// How the store behaves, and the bounds, which fit together.
    fn options(&self) -> Result<(Options, Limits), OpenError> {
        let mut limits = self.limits.clone();
        limits.retry = self.retry.unwrap_or(limits.retry);
        limits.standing_bytes = match limits.standing_bytes {
            0 => MAX_RIGHTS_BYTES,
            given => given.max(MIN_RIGHTS_BYTES),
        };
        let needed = limits.subscriptions.saturating_add(SPARE_CONNECTIONS);
        limits.connections = limits.connections.max(needed);
        limits.check().map_err(OpenError::Limits)?;
        let options = Options {
            retention: Retention {
                rules: rules(&self.kept_topics)?,
                ..self.retention.clone()
            },
            max_entry_bytes: limits.entry_bytes(),
            queue_bytes: limits.publish_queue_bytes as u64,
            ..Options::default()
        };
        Ok((options, limits))
    }
}

/// Bounds on what is kept: what is beyond any of them is given no more.
/// [`Keep::default`] has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Keep {
    age: Option<Duration>,
    events: Option<u64>,
    bytes: Option<u64>,
}

impl Keep {
    /// Everything.
    pub fn everything() -> Self {
        Self::default()
    }

    /// The same, of events that are no older than this.
    #[must_use]
    pub fn age(mut self, age: Duration) -> Self {
        self.age = Some(age);
        self
    }

    /// The same, of the last so many events.
    #[must_use]
    pub fn events(mut self, events: u64) -> Self {
        self.events = Some(events);
        self
    }

    /// The same, of the last events that take so many bytes in the log.
    #[must_use]
    pub fn bytes(mut self, bytes: u64) -> Self {
        self.bytes = Some(bytes);
        self
    }

    fn limits(self) -> tidings_store::Limits {
        let millis = |age: Duration| u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        tidings_store::Limits {
            age_ms: self.age.map(millis),
            events: self.events,
            bytes: self.bytes,
        }
    }
}

fn rules<T: Copy>(given: &[(String, T)]) -> Result<Vec<(Selector, T)>, OpenError> {
    let rule = |(text, what): &(String, T)| {
        let selector = Selector::new(text).map_err(OpenError::Selector)?;
        Ok((selector, *what))
    };
    given.iter().map(rule).collect()
}

/// A hub's tasks need a runtime that knows the time.
fn check_runtime() -> Result<(), OpenError> {
    Handle::try_current().map_err(|_| OpenError::NoRuntime)?;
    // Nothing else tells whether there are timers.
    let timer = catch_unwind(|| drop(tokio::time::sleep(Duration::ZERO)));
    timer.map_err(|_| OpenError::NoTimers)
}

/// Why a hub can't be opened.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// There is no tokio runtime here.
    NoRuntime,
    /// The tokio runtime has no timers.
    NoTimers,
    /// The bounds contradict each other.
    Limits(InconsistentLimits),
    /// A rule for topics has a selector that is none.
    Selector(InvalidSelector),
    /// The public URL is none.
    PublicUrl(InvalidPublicUrl),
    /// The directory can't be used. The text names it, and if another process
    /// has it open, that process.
    Directory(io::Error),
    /// What is in the directory can't be used.
    Store(tidings_store::OpenError),
    /// The system refuses something that every hub needs.
    System(io::Error),
}

impl From<Unopened> for OpenError {
    fn from(unopened: Unopened) -> Self {
        match unopened {
            Unopened::Data(error) => Self::Directory(error),
            Unopened::Store(error) => Self::Store(error),
        }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRuntime => f.write_str(
                "a hub is opened within a tokio runtime: in an async fn below #[tokio::main], \
                 or after Runtime::enter",
            ),
            Self::NoTimers => f.write_str(
                "a hub needs a tokio runtime with timers: build it with enable_time or enable_all",
            ),
            Self::Limits(error) => write!(f, "the limits contradict each other: {error}"),
            Self::Selector(error) => write!(f, "a rule's selector is none: {error}"),
            Self::PublicUrl(error) => write!(f, "public_url: {error}"),
            Self::Directory(error) => write!(f, "can't use the directory: {error}"),
            Self::Store(error) => write!(f, "can't open the log: {error}"),
            Self::System(error) => write!(f, "can't start: {error}"),
        }
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Limits(error) => Some(error),
            Self::Selector(error) => Some(error),
            Self::Directory(error) | Self::System(error) => Some(error),
            Self::Store(error) => Some(error),
            Self::PublicUrl(error) => Some(error),
            Self::NoRuntime | Self::NoTimers => None,
        }
    }
}
