//! Publishers and watchers of a hub that is killed again and again: they go on
//! with its next life as real ones would, and note down everything they see.

mod publisher;
mod watcher;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tidings_sim::{Chain, History, Moment, Outcome, Published, Step};
use tidings_testkit::PATIENCE;

pub use publisher::{Notes, publish};
pub use watcher::{Begins, Plan, watch};

/// The topics that are published to.
pub const TOPICS: [&str; 5] = [
    "orders/1",
    "orders/2",
    "orders/eu/7",
    "news",
    "chat/de/room",
];
/// The type of the events that end everything; no other event has it.
pub const END_EVENT: &str = "the-end";

/// What all of them share.
pub struct Crowd {
    address: SocketAddr,
    clock: AtomicU64,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Clone, Copy, Default)]
struct State {
    /// How often the hub has served so far; the number of its life.
    life: u64,
    up: bool,
    /// Whether this is the last life.
    last: bool,
    /// How many answers publishers had in this life.
    answers: u64,
}

impl Crowd {
    /// Around a hub that will always be found at `address`.
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            clock: AtomicU64::new(1),
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// The next moment in the order of everything.
    pub fn now(&self) -> Moment {
        Moment(self.clock.fetch_add(1, Ordering::SeqCst))
    }

    /// The hub serves (again); `last`: and will not be killed any more.
    pub fn hub_is_up(&self, last: bool) {
        let mut state = self.state();
        let life = state.life + 1;
        *state = State {
            life,
            up: true,
            last,
            answers: 0,
        };
        self.changed.notify_all();
    }

    /// The process is gone: what it was asked can have no effect any more.
    pub fn hub_is_gone(&self) {
        self.state().up = false;
    }

    /// Waits until publishers had `count` answers in this life.
    pub fn wait_for_answers(&self, count: u64) {
        let end = Instant::now() + PATIENCE;
        let mut state = self.state();
        while state.answers < count {
            assert!(
                Instant::now() < end,
                "publishers get no answers from a hub that serves"
            );
            let waited = self.changed.wait_timeout(state, Duration::from_secs(1));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until the hub serves in a life after `life`; answers which.
    ///
    /// # Panics
    /// If there is none to come: then a living hub has let somebody down.
    fn wait_for_life(&self, life: u64) -> u64 {
        let end = Instant::now() + PATIENCE;
        let mut state = self.state();
        while !state.up || state.life <= life {
            assert!(
                !(state.last && state.up && state.life == life),
                "a connection was lost, and the hub lives"
            );
            assert!(
                Instant::now() < end,
                "the hub's life {life} was not its last, and no other came"
            );
            let waited = self.changed.wait_timeout(state, Duration::from_secs(1));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.life
    }

    fn answered(&self) {
        self.state().answers += 1;
        self.changed.notify_all();
    }

    /// Whether publishers may stop, because the hub will not be killed any more.
    fn is_last_life(&self) -> bool {
        self.state().last
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Joins the notes of all. An acknowledged event whose id its publisher was not
/// told gets the one under which it was delivered; if it never was, that is a
/// loss which the checker shall find.
pub fn history(mut published: Vec<Published>, chains: Vec<Chain>) -> History {
    let mut ids: HashMap<&str, &str> = HashMap::new();
    for step in chains.iter().flat_map(|chain| &chain.steps) {
        if let Step::Event { id, data, .. } = step {
            ids.entry(data).or_insert(id);
        }
    }
    for attempt in &mut published {
        let known = ids.get(attempt.data.as_str());
        if let Outcome::Acked { id, .. } = &mut attempt.outcome
            && id.is_empty()
        {
            *id = known.map_or_else(
                || format!("never-seen-{}-{}", attempt.publisher, attempt.number),
                ToString::to_string,
            );
        }
    }
    History {
        published,
        chains,
        closed: Vec::new(),
    }
}
