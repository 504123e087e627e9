//! Active subscriptions: who watches what through the Mercure face, as documents
//! (`/subscriptions`) and as events.
//!
//! A stream holds a [`Guard`] from before its answer is sent until it ends. What
//! begins and ends is put in order by the [`Registry`], and one task has the log
//! say it in that order: streams never wait for it, and a crowd that comes at once
//! is said in few requests. Who comes and goes without anybody's knowing costs the
//! log nothing, and all together fill it no faster than a [`Pace`](tidings_engine::Pace) allows. A hub that doesn't tell of subscriptions has none of
//! this.

mod announce;
pub mod api;
mod left;
#[cfg(test)]
mod log_tests;
mod pages;
mod registry;
mod subscriber;
#[cfg(test)]
mod tests;

pub use pages::Pages;

use crate::hub::Hub;
use crate::live::Live;
use crate::native::SoftRefusal;
use registry::{Number, Registry, View};
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use subscriber::{Subscriber, Terms};
use tidings_auth::Rights;
use tidings_engine::limits::ACTIVE_BYTES;
use tidings_mercure::{Base, Matcher};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout};

/// The active subscriptions of a hub, if it tells of them.
#[derive(Default)]
pub struct ActiveSubscriptions(Option<Arc<Shared>>);

struct Shared {
    base: Arc<Base>,
    live: Arc<Live>,
    /// The longest event, in bytes.
    event_bytes: usize,
    registry: Mutex<Registry>,
    /// Bytes that all subscribers take.
    bytes: Arc<AtomicUsize>,
    /// There is something to be told.
    changed: Notify,
    /// All changes with lower numbers are in the log.
    settled: watch::Sender<Number>,
}

/// There are as many active subscriptions as the hub keeps in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoRoom;

impl From<NoRoom> for SoftRefusal {
    fn from(_: NoRoom) -> Self {
        Self::Active
    }
}

/// A stream that is told of. Dropping it says that it has ended.
pub struct Guard {
    shared: Arc<Shared>,
    stream: Number,
}

impl ActiveSubscriptions {
    /// Of a hub that isn't started yet.
    pub fn new(base: &Arc<Base>, live: &Arc<Live>, event_bytes: usize) -> Self {
        Self(Some(Arc::new(Shared {
            base: Arc::clone(base),
            live: Arc::clone(live),
            event_bytes,
            registry: Mutex::new(Registry::new()),
            bytes: Arc::default(),
            changed: Notify::new(),
            settled: watch::Sender::new(0),
        })))
    }

    /// Whether the hub tells of subscriptions.
    pub fn are_told(&self) -> bool {
        self.0.is_some()
    }

    /// Has the log of `hub` say what happens, for as long as it lives.
    /// Must be called within a tokio runtime.
    pub fn tell(&self, hub: &Hub) {
        if let Some(shared) = &self.0 {
            let (writer, reader) = (hub.writer().clone(), hub.reader().clone());
            hub.run(announce::tell(Arc::clone(shared), writer, reader));
        }
    }

    /// A stream begins: call it once the stream's place in the log is known, so
    /// that the events about it come behind that, and before the stream is
    /// answered, so that who has the answer finds it here. `None` if it isn't told
    /// of.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub fn begin(
        &self,
        matchers: &[Matcher],
        rights: Option<Arc<Rights>>,
    ) -> Result<Option<Guard>, NoRoom> {
        let Some(shared) = &self.0 else {
            return Ok(None);
        };
        if shared.bytes.load(Ordering::Relaxed) >= ACTIVE_BYTES {
            return Err(NoRoom);
        }
        let terms = Terms {
            base: &shared.base,
            event_bytes: shared.event_bytes,
        };
        let subscriber = Subscriber::new(random(), matchers, rights, &terms, &shared.bytes);
        let Some(subscriber) = subscriber else {
            return Ok(None);
        };
        let stream = shared
            .registry()
            .begin(Arc::new(subscriber), Instant::now());
        shared.changed.notify_one();
        Ok(Some(Guard {
            shared: Arc::clone(shared),
            stream,
        }))
    }

    /// Waits until the log says all that has happened so far, for as long as
    /// `patience` at most; answers whether it does.
    pub async fn settled(&self, patience: Duration) -> bool {
        let Some(shared) = &self.0 else {
            return true;
        };
        let next = shared.registry().next();
        let mut settled = shared.settled.subscribe();
        let reached = settled.wait_for(|settled| *settled >= next);
        matches!(timeout(patience, reached).await, Ok(Ok(_)))
    }

    /// What the log says of all streams, or of the one that is named so.
    fn view(&self, of: Option<&str>) -> Option<View> {
        let shared = self.0.as_deref()?;
        let registry = shared.registry();
        // Under the lock: nothing is taken meanwhile, so that the log can't go
        // beyond what the registry knows to be in it.
        Some(registry.view(of, shared.live.end()))
    }
}

impl Shared {
    fn registry(&self) -> MutexGuard<'_, Registry> {
        // Every change to it is a single call.
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.shared.registry().end(self.stream);
        self.shared.changed.notify_one();
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Guard").field(&self.stream).finish()
    }
}

fn random() -> u128 {
    let half = || u128::from(getrandom::u64().unwrap_or_else(|_| fastrand::u64(..)));
    half() << 64 | half()
}
