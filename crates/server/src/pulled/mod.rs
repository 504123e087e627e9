//! Streams whose bytes somebody else pulls: hyper, for HTTP/2 and HTTP/1.0.
//! They share a few sets of subscriptions; each set is a cursor over the log
//! and wakes whom it finds something for.

mod stream;
#[cfg(test)]
mod tests;
mod window;

pub use stream::{Pulled, Said};

use crate::live::Live;
use crate::own::Share;
use crate::sys::{Carried, Streams, Survey, take_survey};
use crate::ticks::{SLOTS, Ticks};
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Instant;
use tidings_engine::subscriptions::{Followed, SubscriptionKey, Subscriptions};
use tidings_engine::{Budget, Position, Sight, Wheel};
use tokio::sync::Notify;

/// How many events a set looks at before others have their turn.
const STEP: Budget = Budget::frames(1024);

/// One set.
pub struct Set {
    state: Mutex<State>,
    ticks: Ticks,
    /// There is a deadline before the one that is being waited for.
    sooner: Notify,
}

/// What is under the lock.
pub struct State {
    /// The subscriptions.
    pub subscriptions: Subscriptions,
    /// Those of the hub's own log.
    pub own: Share,
    /// Who waits for something new, by the slots of their keys.
    wakers: Vec<Option<Waker>>,
    deadlines: Wheel<SubscriptionKey>,
    /// What is told of the streams, by the slots of their keys.
    carried: Vec<Option<(SubscriptionKey, Carried)>>,
    /// The tick that is being waited for.
    looks_at: Option<u64>,
}

impl Set {
    /// A set without subscriptions that stands at `end` of the log.
    pub fn new(end: Position) -> Self {
        let state = State {
            subscriptions: Subscriptions::new(end),
            own: Share::new(),
            wakers: Vec::new(),
            deadlines: Wheel::new(0, SLOTS),
            carried: Vec::new(),
            looks_at: None,
        };
        Self {
            state: Mutex::new(state),
            ticks: Ticks::new(),
            sooner: Notify::new(),
        }
    }

    /// What is under the lock.
    pub fn state(&self) -> MutexGuard<'_, State> {
        // A panic under the lock is one connection's; the state it leaves is
        // whole, because every change to it is a single call.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has whoever waits for `key` woken at `tick` too. `state` is the set's.
    ///
    /// What is farther than the wheel reaches is woken on the way.
    pub fn wake_at(&self, state: &mut State, tick: u64, key: SubscriptionKey) -> u64 {
        let tick = tick.min(self.ticks.now() + SLOTS as u64 - 1);
        state.deadlines.insert(tick, key);
        if state.looks_at.is_none_or(|looks_at| tick < looks_at) {
            self.sooner.notify_one();
        }
        tick
    }

    /// The tick at which `instant` has come.
    pub fn tick(&self, instant: Instant) -> u64 {
        self.ticks.at(instant)
    }

    /// Wakes everyone who waits: something else than the log has changed.
    pub fn wake_all(&self) {
        let wakers = std::mem::take(&mut self.state().wakers);
        wakers.into_iter().flatten().for_each(Waker::wake);
    }

    /// Lets a subscription, and that of the own log with it, see by `sight`, and wakes
    /// whoever waits for it: its standing has changed.
    pub fn change(
        &self,
        (key, own): (SubscriptionKey, Option<SubscriptionKey>),
        sight: Option<Arc<dyn Sight>>,
    ) {
        let waker = {
            let mut state = self.state();
            if let Some(sight) = sight {
                if let Some(own) = own {
                    state.own.set_sight(own, Arc::clone(&sight));
                }
                state.subscriptions.set_sight(key, sight);
            }
            state.take_waker(key)
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Looks at the next events and wakes whose subscriptions they match.
    fn follow(
        &self,
        live: &Live,
        ready: &mut Vec<SubscriptionKey>,
        wake: &mut Vec<Waker>,
    ) -> Followed {
        let followed = {
            let mut state = self.state();
            // The writer doesn't wait for what matching takes.
            let step = state.subscriptions.next_step(&live.tail(), STEP);
            let followed = state.subscriptions.take_step(&step, ready);
            wake.extend(ready.drain(..).filter_map(|key| state.take_waker(key)));
            followed
        };
        // Outside the lock: a woken connection reads at once.
        wake.drain(..).for_each(Waker::wake);
        followed
    }

    /// The same of the hub's own log. Answers whether that was all.
    fn follow_own(&self, live: &Live, wake: &mut Vec<Waker>) -> bool {
        let at_end = {
            let mut state = self.state();
            let State { own, wakers, .. } = &mut *state;
            own.follow(live.own(), |key| {
                wake.extend(wakers.get_mut(key.slot()).and_then(Option::take));
            })
        };
        wake.drain(..).for_each(Waker::wake);
        at_end
    }

    /// Wakes those whose time has come.
    fn strike(&self, wake: &mut Vec<Waker>) {
        {
            let mut state = self.state();
            let State {
                deadlines, wakers, ..
            } = &mut *state;
            deadlines.advance(self.ticks.now(), |_, key| {
                wake.extend(wakers.get_mut(key.slot()).and_then(Option::take));
            });
        }
        wake.drain(..).for_each(Waker::wake);
    }

    /// Resolves when a deadline has come.
    async fn next_deadline(&self) {
        loop {
            let soonest = {
                let mut state = self.state();
                state.looks_at = state.deadlines.soonest();
                state.looks_at
            };
            let struck = async {
                match soonest {
                    Some(tick) => tokio::time::sleep(self.ticks.until(tick)).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                () = struck => return,
                () = self.sooner.notified() => {}
            }
        }
    }
}

impl State {
    /// Has `waker` called when there is something for `key`, or at a tick of
    /// [`Set::wake_at`].
    pub fn wait(&mut self, key: SubscriptionKey, waker: &Waker) {
        let slot = key.slot();
        if self.wakers.len() <= slot {
            self.wakers.resize_with(slot + 1, || None);
        }
        self.wakers[slot] = Some(waker.clone());
    }

    /// Tells operators of the stream of `key` what `carried` says.
    pub fn carry(&mut self, key: SubscriptionKey, carried: Carried) {
        let slot = key.slot();
        if self.carried.len() <= slot {
            self.carried.resize_with(slot + 1, || None);
        }
        self.carried[slot] = Some((key, carried));
    }

    /// Counts events that the stream of `key` is given.
    fn count_given(&mut self, key: SubscriptionKey, events: u64) {
        if let Some(Some((_, carried))) = self.carried.get_mut(key.slot()) {
            carried.given += events;
        }
    }

    /// The streams of set `number`, to be looked at.
    pub fn streams(&mut self, number: usize) -> impl Streams + use<'_> {
        InSet {
            state: self,
            number,
        }
    }

    /// Forgets a subscription.
    pub fn remove(&mut self, key: SubscriptionKey) {
        self.take_waker(key);
        if let Some(carried) = self.carried.get_mut(key.slot()) {
            *carried = None;
        }
        while let Some(None) = self.carried.last() {
            self.carried.pop();
        }
        self.subscriptions.remove(key);
    }

    fn take_waker(&mut self, key: SubscriptionKey) -> Option<Waker> {
        self.wakers.get_mut(key.slot())?.take()
    }
}

/// The streams of one set.
struct InSet<'a> {
    state: &'a mut State,
    number: usize,
}

impl Streams for InSet<'_> {
    fn subscriptions(&mut self) -> &mut Subscriptions {
        &mut self.state.subscriptions
    }

    fn survey(&self, most: usize) -> Survey {
        let subscriptions = &self.state.subscriptions;
        let streams = self.state.carried.iter().flatten();
        let streams = streams.map(|own| (own, subscriptions.lag_bytes(own.0), own.1.since));
        take_survey(streams, most, |(key, carried), lag| {
            let watched = subscriptions.selection(*key)?;
            Some(carried.told(format!("s{}-{key}", self.number), watched, lag))
        })
    }
}

/// Follows the log for set number `number`, for as long as the hub lives.
pub async fn follow(live: Arc<Live>, number: usize) {
    let set = &live.sets()[number];
    let (mut head, mut own_head) = (live.head(), live.own().head());
    let (mut ready, mut wake) = (Vec::new(), Vec::new());
    loop {
        let at_end = set.follow(&live, &mut ready, &mut wake).at_end;
        if !set.follow_own(&live, &mut wake) || !at_end {
            tokio::task::yield_now().await;
            continue;
        }
        tokio::select! {
            moved = head.changed() => if moved.is_err() { return },
            said = own_head.changed() => if said.is_err() { return },
            () = set.next_deadline() => set.strike(&mut wake),
        }
    }
}
