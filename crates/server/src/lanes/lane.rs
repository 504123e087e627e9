//! A lane: its thread, and what it does all day.

use super::Taken;
use super::connection::{Connection, NEVER, Turned};
use super::door::{Brought, Door};
use crate::hub::{self, Hub};
use crate::own::Share;
use crate::sys::{Streams, Survey, take_survey};
use crate::ticks::{SLOTS, Ticks};
use crate::watch;
use mio::{Events, Poll, Token, Waker};
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tidings_engine::stream::{StoreRead, Terms};
use tidings_engine::{Cursor, Position, SubscriptionKey, Subscriptions, Timestamp, Wheel};
use tokio::runtime::Handle;

/// The token of the door. Connections have the slots of their subscriptions.
const DOOR: Token = Token(usize::MAX);
/// How many sockets are looked at before something else is done.
const EVENTS: usize = 1024;
/// How long a lane rests when something went wrong that might again.
const PAUSE: Duration = Duration::from_millis(100);
/// How many new connections are taken in before others have their turn.
const NEWCOMERS: usize = 256;

/// One lane's share of the streams.
pub struct Lane {
    name: String,
    poll: Poll,
    door: Arc<Door>,
    subscriptions: Subscriptions,
    /// Those of the hub's own log.
    own: Share,
    /// By the slots of their subscriptions.
    connections: Vec<Option<Box<Connection>>>,
    /// Who has something to be written.
    queue: VecDeque<SubscriptionKey>,
    wheel: Wheel<SubscriptionKey>,
    ticks: Ticks,
    brought: VecDeque<Brought>,
    draining: bool,
}

/// What a round is made of.
struct Work<'a> {
    hub: &'a Arc<Hub>,
    runtime: &'a Handle,
    terms: Terms,
    /// The tick that it is.
    now: u64,
    /// What the clock on the wall says.
    wall: Timestamp,
    /// Ticks between heartbeats.
    heartbeat: u64,
    /// Ticks after which a socket that takes nothing is given up.
    stall: u64,
    given: Given,
}

/// What watchers were given, to be counted once a round.
#[derive(Default)]
pub struct Given {
    /// Events.
    pub events: u64,
    /// Bytes that sockets took.
    pub bytes: u64,
}

/// What a connection needs to have its turn.
pub struct Round<'a> {
    /// The hub.
    pub hub: &'a Hub,
    /// The lane's subscriptions.
    pub subscriptions: &'a mut Subscriptions,
    /// Those of the hub's own log.
    pub own: &'a mut Share,
    /// What a stream may be given.
    pub terms: Terms,
    /// The tick that it is.
    pub now: u64,
    /// What the clock on the wall says, by which rights end.
    pub wall: Timestamp,
    /// Ticks between heartbeats.
    pub heartbeat: u64,
    /// Ticks after which a socket that takes nothing is given up.
    pub stall: u64,
    /// What was given.
    pub given: &'a mut Given,
}

impl<'a> Work<'a> {
    fn round<'b>(
        &'b mut self,
        subscriptions: &'b mut Subscriptions,
        own: &'b mut Share,
    ) -> Round<'b> {
        Round {
            hub: self.hub,
            subscriptions,
            own,
            terms: self.terms,
            now: self.now,
            wall: self.wall,
            heartbeat: self.heartbeat,
            stall: self.stall,
            given: &mut self.given,
        }
    }

    /// When a stream ends, if the hub drains.
    fn end_tick(&self, ticks: Ticks) -> Option<u64> {
        let end = self.hub.drain().stream_end()?;
        Some(ticks.at(end.into_std()))
    }
}

impl Lane {
    /// A lane without connections.
    ///
    /// # Errors
    /// If the system has no descriptors to give.
    pub fn new(number: usize) -> io::Result<Self> {
        let poll = Poll::new()?;
        let door = Arc::new(Door::new(Waker::new(poll.registry(), DOOR)?));
        Ok(Self {
            name: format!("l{number}"),
            poll,
            door,
            subscriptions: Subscriptions::new(Position::START),
            own: Share::new(),
            connections: Vec::new(),
            queue: VecDeque::new(),
            wheel: Wheel::new(0, SLOTS),
            ticks: Ticks::new(),
            brought: VecDeque::new(),
            draining: false,
        })
    }

    /// Its door.
    pub fn door(&self) -> &Arc<Door> {
        &self.door
    }

    /// Carries streams until the hub is gone. `runtime` reads the store.
    pub fn run(mut self, hub: &Weak<Hub>, runtime: &Handle) {
        let mut events = Events::with_capacity(EVENTS);
        if let Some(hub) = hub.upgrade() {
            self.subscriptions = Subscriptions::new(hub.live().end());
        }
        while !self.door.is_closed() {
            let timeout = match hub.upgrade() {
                Some(hub) => self.timeout(&hub),
                None => return,
            };
            // Nothing of the hub is held while the lane waits.
            let polled = self.poll.poll(&mut events, timeout);
            self.door.wake_up();
            if let Err(error) = polled
                && error.kind() != ErrorKind::Interrupted
            {
                tracing::error!(%error, "a lane can't watch its sockets");
                std::thread::sleep(PAUSE);
            }
            let Some(hub) = hub.upgrade() else { return };
            let round = catch_unwind(AssertUnwindSafe(|| self.round(&hub, runtime, &events)));
            if round.is_err() {
                // Its other connections go on; whose fault it was has no place
                // in the lane, or ends at its next turn.
                tracing::error!("a round of a lane broke off; this is a defect of the hub");
                std::thread::sleep(PAUSE);
            }
        }
    }

    /// How long the lane may wait: not at all if there is something to do.
    fn timeout(&mut self, hub: &Hub) -> Option<Duration> {
        const NOT_AT_ALL: Option<Duration> = Some(Duration::ZERO);
        if !self.queue.is_empty() || !self.brought.is_empty() {
            return NOT_AT_ALL;
        }
        self.door.fall_asleep();
        let news = !self.door.is_empty()
            || hub.live().end() > self.subscriptions.end()
            || self.own.has_news(hub.own())
            || hub.drain().has_begun() != self.draining;
        if news {
            return NOT_AT_ALL;
        }
        self.subscriptions.rest();
        self.wheel.soonest().map(|tick| self.ticks.until(tick))
    }

    /// Does what there is to do, for everyone once.
    fn round(&mut self, hub: &Arc<Hub>, runtime: &Handle, events: &Events) {
        let mut work = Work {
            hub,
            runtime,
            terms: hub.terms(),
            now: self.ticks.now(),
            wall: hub::now(),
            heartbeat: Ticks::span(hub.settings().limits.heartbeat),
            stall: Ticks::span(hub.stall()),
            given: Given::default(),
        };
        for event in events {
            if event.token() != DOOR {
                self.hear(event, &mut work);
            }
        }
        if hub.drain().has_begun() && !self.draining {
            self.begin_drain(&mut work);
        }
        self.let_in(&mut work);
        self.follow(&mut work);
        self.follow_own(hub);
        for _ in 0..self.queue.len() {
            if let Some(key) = self.queue.pop_front() {
                if let Some(connection) = self.connection(key) {
                    connection.queued = false;
                }
                self.act(key, &mut work, Connection::turn);
            }
        }
        self.strike(&mut work);
        hub.metrics().deliveries.inc_by(work.given.events);
        hub.metrics().delivered_bytes.inc_by(work.given.bytes);
    }

    /// Moves the lane over so many of the next events as a watcher can take in
    /// one write: so those who keep up stay together, and share what they get.
    fn follow(&mut self, work: &mut Work<'_>) {
        let (hub, budget) = (work.hub, work.terms.budget);
        let mut ready = Vec::new();
        let tail = hub.live().tail();
        // Under the lock: whoever was given other rights before an event came
        // sees it by those. What matching takes, the writer doesn't wait for.
        let changed = self.door.take_changed();
        changed.iter().for_each(|key| self.change_sight(*key));
        let step = self.subscriptions.next_step(&tail, budget);
        let delivered = hub.live().delivered();
        drop(tail);
        let followed = self.subscriptions.take_step(&step, &mut ready);
        let seen = self.door.followed() + followed.bytes as u64;
        let seen = if followed.at_end { delivered } else { seen };
        self.door.set_followed(seen);
        hub.live().followed();
        ready.into_iter().for_each(|key| self.enqueue(key));
        for key in changed {
            self.enqueue(key);
            // It may end sooner now.
            self.schedule(key, work);
        }
    }

    /// Looks at what was said next in the hub's own log.
    fn follow_own(&mut self, hub: &Hub) {
        let mut ready = Vec::new();
        // What is left is news, for which the lane doesn't wait.
        self.own.follow(hub.own(), |key| ready.push(key));
        ready.into_iter().for_each(|key| self.enqueue(key));
    }

    /// Lets a stream see by the rights that it has now.
    fn change_sight(&mut self, key: SubscriptionKey) {
        let Some(Some(connection)) = self.connections.get(key.slot()) else {
            return;
        };
        if let Some(sight) = connection.sight()
            && connection.key() == key
        {
            if let Some(own) = connection.own() {
                self.own.set_sight(own.key(), Arc::clone(&sight));
            }
            self.subscriptions.set_sight(key, sight);
        }
    }

    fn enqueue(&mut self, key: SubscriptionKey) {
        if let Some(connection) = self.connection(key)
            && !connection.queued
        {
            connection.queued = true;
            self.queue.push_back(key);
        }
    }

    /// A socket has news.
    fn hear(&mut self, event: &mio::event::Event, work: &mut Work<'_>) {
        let Some(Some(connection)) = self.connections.get_mut(event.token().0) else {
            return;
        };
        let key = connection.key();
        if event.is_writable() && connection.is_full() {
            connection.opened();
            self.enqueue(key);
        }
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            self.act(key, work, Connection::hear);
        }
    }

    /// Takes in what was brought; of questions one, so that whoever has many to ask
    /// keeps no stream waiting for all of them.
    fn let_in(&mut self, work: &mut Work<'_>) {
        if self.brought.is_empty() {
            let mut brought = Vec::new();
            self.door.take(&mut brought);
            self.brought = brought.into();
        }
        for _ in 0..self.brought.len().min(NEWCOMERS) {
            match self.brought.pop_front() {
                Some(Brought::Connection(taken)) => self.admit(*taken, work),
                Some(Brought::StoreRead(key, done)) => self.answer(key, done),
                Some(Brought::Question(mut question)) => {
                    if question(self).is_continue() {
                        // Behind all that was brought meanwhile.
                        self.door.ask(question);
                    }
                    return;
                }
                None => return,
            }
        }
    }

    /// Hands a stream what the store answered.
    fn answer(&mut self, key: SubscriptionKey, mut done: StoreRead) {
        if let Some(selection) = self.subscriptions.selection(key) {
            watch::leave_out_hidden(&mut done, selection);
        }
        if let Some(connection) = self.connection(key) {
            connection.stream().answer(done);
            self.enqueue(key);
        }
    }

    fn admit(&mut self, taken: Taken, work: &mut Work<'_>) {
        let mut round = work.round(&mut self.subscriptions, &mut self.own);
        let mut connection = Box::new(Connection::new(taken, &self.door, &mut round));
        let key = connection.key();
        let registry = self.poll.registry();
        if let Err(error) = connection.socket().register(registry, Token(key.slot())) {
            tracing::warn!(%error, "a stream ends because its socket can't be watched");
            self.subscriptions.remove(key);
            connection.own().iter().for_each(|own| self.own.end(own));
            return;
        }
        if let Some(tick) = work.end_tick(self.ticks) {
            connection.end_at(tick);
        }
        if self.connections.len() <= key.slot() {
            self.connections.resize_with(key.slot() + 1, || None);
        }
        self.connections[key.slot()] = Some(connection);
        work.hub.metrics().subscribers.inc();
        self.schedule(key, work);
        self.enqueue(key);
    }

    /// Lets a connection do something, and does what follows from it. Should
    /// that panic, the connection ends, and no other.
    fn act(
        &mut self,
        key: SubscriptionKey,
        work: &mut Work<'_>,
        act: impl FnOnce(&mut Connection, &mut Round<'_>) -> Turned,
    ) {
        let slot = self.connections.get_mut(key.slot());
        let Some(connection) = slot.and_then(Option::as_mut) else {
            return;
        };
        if connection.key() != key {
            return;
        }
        let mut round = work.round(&mut self.subscriptions, &mut self.own);
        let turned = catch_unwind(AssertUnwindSafe(|| act(connection, &mut round)));
        match turned {
            Ok(Turned::More) => self.enqueue(key),
            Ok(Turned::Waits) => {}
            Ok(Turned::ReadStore(cursor)) => self.read_store(key, cursor, work),
            Ok(Turned::Gone) | Err(_) => return self.remove(key, work),
        }
        let has_more = |own: &Connection| own.has_more(&self.own);
        if self.connections[key.slot()]
            .as_deref()
            .is_some_and(has_more)
        {
            self.enqueue(key);
        }
        self.schedule(key, work);
    }

    /// Has the store read, elsewhere; what it answers comes through the door.
    fn read_store(&mut self, key: SubscriptionKey, cursor: Cursor, work: &Work<'_>) {
        let Some(selection) = self.subscriptions.selection(key).cloned() else {
            return;
        };
        let (hub, door) = (Arc::clone(work.hub), Arc::clone(&self.door));
        work.runtime.spawn(async move {
            door.answer(key, watch::read_store(hub, selection, cursor).await);
        });
    }

    fn remove(&mut self, key: SubscriptionKey, work: &Work<'_>) {
        let slot = self.connections.get_mut(key.slot());
        if let Some(mut connection) = slot.and_then(Option::take) {
            connection.socket().deregister(self.poll.registry());
            work.hub.metrics().subscribers.dec();
            connection.own().iter().for_each(|own| self.own.end(own));
        }
        self.subscriptions.remove(key);
        while let Some(None) = self.connections.last() {
            self.connections.pop();
        }
        if self.connections.capacity() > 4 * self.connections.len() + 64 {
            self.connections.shrink_to(2 * self.connections.len());
        }
    }

    /// Makes sure that a connection is looked at when its time comes.
    fn schedule(&mut self, key: SubscriptionKey, work: &mut Work<'_>) {
        let slot = self.connections.get_mut(key.slot());
        let Some(connection) = slot.and_then(Option::as_mut) else {
            return;
        };
        let due = connection.deadline(&work.round(&mut self.subscriptions, &mut self.own));
        // What is farther than the wheel reaches is looked at on the way.
        let due = due.clamp(work.now + 1, work.now + SLOTS as u64 - 1);
        if due < connection.wakes {
            connection.wakes = due;
            self.wheel.insert(due, key);
        }
    }

    /// Looks at those whose time has come.
    fn strike(&mut self, work: &mut Work<'_>) {
        let mut due = Vec::new();
        self.wheel
            .advance(work.now, |tick, key| due.push((tick, key)));
        for (tick, key) in due {
            let Some(connection) = self.connection(key) else {
                continue;
            };
            // A deadline that another has replaced means nothing.
            if connection.wakes == tick {
                connection.wakes = NEVER;
                self.act(key, work, Connection::strike);
            }
        }
    }

    fn begin_drain(&mut self, work: &mut Work<'_>) {
        self.draining = true;
        let connections = self.connections.iter_mut().flatten();
        let keys: Vec<_> = connections
            .filter_map(|connection| {
                connection.end_at(work.end_tick(self.ticks)?);
                Some(connection.key())
            })
            .collect();
        keys.into_iter().for_each(|key| self.schedule(key, work));
    }

    fn connection(&mut self, key: SubscriptionKey) -> Option<&mut Box<Connection>> {
        let connection = self.connections.get_mut(key.slot())?.as_mut()?;
        (connection.key() == key).then_some(connection)
    }
}

impl Streams for Lane {
    fn subscriptions(&mut self) -> &mut Subscriptions {
        &mut self.subscriptions
    }

    fn survey(&self, most: usize) -> Survey {
        let streams = self.connections.iter().flatten().map(|connection| {
            let lag = self.subscriptions.lag_bytes(connection.key());
            (connection, lag, connection.since())
        });
        take_survey(streams, most, |connection, lag| {
            let watched = self.subscriptions.selection(connection.key())?;
            Some(connection.told(&self.name, watched, lag))
        })
    }
}
