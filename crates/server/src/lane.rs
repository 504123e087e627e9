//! Lanes: each holds a share of the hub's subscriptions and is itself a cursor
//! over the log. It takes frames and a way to wake a connection; whether a
//! connection is a hyper body or a socket of our own is not its business.

use crate::live::Live;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use tidings_engine::subscriptions::{SubscriptionKey, Subscriptions};
use tidings_engine::{Budget, Cursor, Frame, Position, Read, Selection};

/// How many events a lane looks at before others have their turn.
const STEP: usize = 1024;

/// One lane.
pub struct Lane {
    state: Mutex<State>,
}

struct State {
    subscriptions: Subscriptions,
    /// Who waits for something new. No entry: nobody does.
    wakers: HashMap<SubscriptionKey, Waker>,
}

impl Lane {
    /// A lane without subscriptions that stands at `end` of the log.
    pub fn new(end: Position) -> Self {
        let state = State {
            subscriptions: Subscriptions::new(end),
            wakers: HashMap::new(),
        };
        Self {
            state: Mutex::new(state),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic under the lock is one connection's; the state it leaves is
        // whole, because every change to it is a single call.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a subscription in.
    pub fn insert(&self, selection: Selection, cursor: Cursor) -> SubscriptionKey {
        self.state().subscriptions.insert(selection, cursor)
    }

    /// Forgets a subscription.
    pub fn remove(&self, key: SubscriptionKey) {
        let mut state = self.state();
        state.subscriptions.remove(key);
        state.wakers.remove(&key);
    }

    /// Reads for a subscription; if it is caught up, `waker` is called once
    /// there is more.
    pub fn read(
        &self,
        key: SubscriptionKey,
        live: &Live,
        budget: Budget,
        out: &mut Vec<Arc<Frame>>,
        waker: &Waker,
    ) -> Read {
        let mut state = self.state();
        let read = state.subscriptions.read(key, &live.tail(), budget, out);
        if read == Read::CaughtUp {
            state.wakers.insert(key, waker.clone());
        }
        read
    }

    /// Where a subscription stands: everything up to here is behind it.
    pub fn cursor(&self, key: SubscriptionKey) -> Cursor {
        let state = self.state();
        state.subscriptions.cursor(key).unwrap_or(Cursor {
            after: state.subscriptions.end(),
        })
    }

    /// Moves a subscription, after the store was read for it or a gap declared.
    pub fn set_cursor(&self, key: SubscriptionKey, cursor: Cursor) {
        self.state().subscriptions.set_cursor(key, cursor);
    }

    /// Wakes everyone who waits: something else than the log has changed.
    pub fn wake_all(&self) {
        let wakers = std::mem::take(&mut self.state().wakers);
        wakers.into_values().for_each(Waker::wake);
    }

    /// Looks at the next events and wakes whose subscriptions they match.
    /// Answers whether there was nothing more.
    fn follow(&self, live: &Live, ready: &mut Vec<SubscriptionKey>, wake: &mut Vec<Waker>) -> bool {
        let at_end = {
            let mut state = self.state();
            let at_end = state.subscriptions.follow(&live.tail(), STEP, ready);
            wake.extend(ready.drain(..).filter_map(|key| state.wakers.remove(&key)));
            at_end
        };
        // Outside the lock: a woken connection reads at once.
        wake.drain(..).for_each(Waker::wake);
        at_end
    }
}

/// Follows the log for lane number `number`, for as long as the hub lives.
pub async fn follow(live: Arc<Live>, number: usize) {
    let lane = &live.lanes()[number];
    let mut head = live.head();
    let (mut ready, mut wake) = (Vec::new(), Vec::new());
    loop {
        if !lane.follow(&live, &mut ready, &mut wake) {
            tokio::task::yield_now().await;
        } else if head.changed().await.is_err() {
            return;
        }
    }
}
