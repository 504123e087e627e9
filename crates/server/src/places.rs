//! Places for connections and for streams: how many there may be of each, who
//! makes room when there are few left, and who is asked to come back later.
//!
//! A connection has a [`Place`] from when it is accepted to when its descriptor
//! is closed. As long as nothing is asked on it, it is *idle*; when only
//! [`SPARE_CONNECTIONS`] places are left, each connection that comes sends an
//! idle one away, so that a crowd can't keep publishers, probes and scrapers
//! out: first those that never asked for anything, then those that haven't for
//! longest. Connections that watch never take those places.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};
use tidings_engine::Limits;
use tidings_engine::limits::SPARE_CONNECTIONS;
use tidings_mercure::Matcher;
use tidings_mercure::matcher::Load;
use tokio::sync::Notify;

/// A connection isn't sent away before it has been idle for so long: what it
/// asks may be on its way.
const GRACE: Duration = Duration::from_secs(1);
/// How often it is looked for one to send away while there is no place at all.
const LOOK: Duration = Duration::from_millis(50);

/// All places of a hub.
#[derive(Debug)]
pub struct Places {
    bounds: Bounds,
    state: Mutex<State>,
    freed: Notify,
    /// The last stream has ended.
    quiet: Notify,
    /// How many connections were sent away.
    sent_away: AtomicU64,
}

#[derive(Debug, Clone, Copy)]
struct Bounds {
    connections: usize,
    subscriptions: usize,
    per_address: Option<usize>,
    pattern_bytes: usize,
    pattern_work: usize,
}

#[derive(Debug, Default)]
struct State {
    connections: usize,
    /// Connections with at least one stream on them.
    watching: usize,
    subscriptions: usize,
    /// What the compiled patterns of all streams take, in bytes.
    pattern_bytes: usize,
    /// What a topic costs at worst that is held against them.
    patterns: Load,
    /// Streams by address, where that is bounded; no entry: none.
    by_address: HashMap<IpAddr, usize>,
    /// Idle connections that never asked for anything.
    silent: Idle,
    /// Idle connections that have.
    kept: Idle,
    /// Orders the times at which connections became idle; from 1.
    clock: u64,
}

/// Idle connections and since when they are, the longest first.
type Idle = BTreeMap<u64, (Instant, Weak<Seat>)>;

/// A connection's place. It is free again once this, its clones, and every
/// [`Watching`] of the connection are gone: let go of it after the socket.
#[derive(Debug, Clone)]
pub struct Place(Arc<Seat>);

#[derive(Debug)]
struct Seat {
    places: Arc<Places>,
    /// Who it is.
    peer: IpAddr,
    /// Whether it speaks TLS.
    is_secure: AtomicBool,
    /// Requests that are being answered and streams.
    busy: AtomicU32,
    streams: AtomicU32,
    /// Where it stands among those that are idle; 0: not there. Only changed
    /// under the lock of the state, as the next.
    idle: AtomicU64,
    has_asked: AtomicBool,
    sent_away: AtomicBool,
    leave: Notify,
}

/// A request that is being answered. Its connection isn't idle until this is
/// dropped.
#[derive(Debug)]
pub struct Asking(Place);

/// A place for one stream. It is free again when this is dropped.
#[derive(Debug)]
pub struct Watching {
    places: Arc<Places>,
    place: Option<Place>,
    patterns: Vec<Matcher>,
}

/// Why there is no place for a stream now; later there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoPlace {
    /// There are as many streams as there may be.
    Subscriptions,
    /// There are as many of this address as there may be.
    Address,
    /// As many connections watch as may.
    Connections,
    /// The patterns of all streams take as much memory, or time, as they may.
    Patterns,
}

impl Places {
    /// Places within `limits`.
    pub fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            bounds: Bounds {
                connections: limits.connections,
                subscriptions: limits.subscriptions,
                per_address: limits.subscriptions_per_address,
                pattern_bytes: limits.pattern_bytes,
                pattern_work: limits.pattern_work(),
            },
            state: Mutex::default(),
            freed: Notify::new(),
            quiet: Notify::new(),
            sent_away: AtomicU64::new(0),
        })
    }

    /// Waits until there is a place for one more connection. It isn't taken:
    /// listeners that wait at the same time may each find the same one free, so
    /// that there may be as many connections too many as there are listeners.
    pub async fn room(&self) {
        loop {
            let mut freed = std::pin::pin!(self.freed.notified());
            freed.as_mut().enable();
            if self.state().connections < self.bounds.connections {
                return;
            }
            self.make_room();
            let _ = tokio::time::timeout(LOOK, freed).await;
        }
    }

    /// Takes a place for a connection that was accepted from `peer`. If only the
    /// reserve is left, an idle connection is sent away.
    pub fn connect(self: &Arc<Self>, peer: IpAddr) -> Place {
        self.connect_at(peer, Instant::now())
    }

    fn connect_at(self: &Arc<Self>, peer: IpAddr, now: Instant) -> Place {
        let seat = Arc::new(Seat {
            places: Arc::clone(self),
            peer,
            is_secure: AtomicBool::new(false),
            busy: AtomicU32::new(0),
            streams: AtomicU32::new(0),
            idle: AtomicU64::new(0),
            has_asked: AtomicBool::new(false),
            sent_away: AtomicBool::new(false),
            leave: Notify::new(),
        });
        let mut state = self.state();
        state.connections += 1;
        let crowded = self.left(&state) < SPARE_CONNECTIONS;
        let oldest = crowded.then(|| state.pop_oldest(now)).flatten();
        state.rest(&seat, now);
        drop(state);
        send_away(oldest);
        Place(seat)
    }

    /// There is no place, descriptor or memory for a connection that waits: an
    /// idle one is sent away. Answers whether there was any.
    pub fn make_room(&self) -> bool {
        self.make_room_at(Instant::now())
    }

    fn make_room_at(&self, now: Instant) -> bool {
        let oldest = self.state().pop_oldest(now);
        send_away(oldest)
    }

    /// Takes a place for a stream on the connection at `place`; without one, for
    /// a stream whose connection is somebody else's business.
    ///
    /// # Errors
    /// [`NoPlace`].
    pub fn watch(self: &Arc<Self>, place: Option<&Place>) -> Result<Watching, NoPlace> {
        let mut state = self.state();
        if state.subscriptions >= self.bounds.subscriptions {
            return Err(NoPlace::Subscriptions);
        }
        if let Some(Place(seat)) = place {
            let first = seat.streams.load(Ordering::Relaxed) == 0;
            let most = self.bounds.connections.saturating_sub(SPARE_CONNECTIONS);
            if first && state.watching >= most {
                return Err(NoPlace::Connections);
            }
            if let (Some(address), Some(most)) = (seat.counted(), self.bounds.per_address) {
                let count = state.by_address.entry(address).or_default();
                if *count >= most {
                    return Err(NoPlace::Address);
                }
                *count += 1;
            }
            state.watching += usize::from(first);
            seat.streams.fetch_add(1, Ordering::Relaxed);
            seat.busy.fetch_add(1, Ordering::Relaxed);
            seat.has_asked.store(true, Ordering::Relaxed);
            state.wake(seat);
        }
        state.subscriptions += 1;
        drop(state);
        Ok(Watching {
            places: Arc::clone(self),
            place: place.cloned(),
            patterns: Vec::new(),
        })
    }

    /// Resolves when there is no stream.
    pub async fn no_streams(&self) {
        loop {
            let quiet = self.quiet.notified();
            if self.state().subscriptions == 0 {
                return;
            }
            quiet.await;
        }
    }

    /// How many connections there are.
    pub fn connections(&self) -> usize {
        self.state().connections
    }

    /// How many connections were sent away so far.
    pub fn sent_away(&self) -> u64 {
        self.sent_away.load(Ordering::Relaxed)
    }

    fn left(&self, state: &State) -> usize {
        self.bounds.connections.saturating_sub(state.connections)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing under the lock can panic with a change half made.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Puts a connection at the end of those that are idle, unless something
    /// has begun on it.
    fn rest(&mut self, seat: &Arc<Seat>, now: Instant) {
        self.wake(seat);
        if seat.busy.load(Ordering::Relaxed) > 0 || seat.sent_away.load(Ordering::Relaxed) {
            return;
        }
        self.clock += 1;
        seat.idle.store(self.clock, Ordering::Relaxed);
        let idle = match seat.has_asked.load(Ordering::Relaxed) {
            true => &mut self.kept,
            false => &mut self.silent,
        };
        idle.insert(self.clock, (now, Arc::downgrade(seat)));
    }

    fn wake(&mut self, seat: &Seat) {
        let place = seat.idle.swap(0, Ordering::Relaxed);
        self.silent.remove(&place);
        self.kept.remove(&place);
    }

    /// Takes the one out that is to go next, if there is any. The lock must be
    /// let go before what this answers is dropped: it may be the last to hold the
    /// seat.
    fn pop_oldest(&mut self, now: Instant) -> Option<Arc<Seat>> {
        let seat = pop(&mut self.silent, now).or_else(|| pop(&mut self.kept, now))?;
        seat.idle.store(0, Ordering::Relaxed);
        seat.sent_away.store(true, Ordering::Relaxed);
        Some(seat)
    }
}

fn pop(idle: &mut Idle, now: Instant) -> Option<Arc<Seat>> {
    loop {
        let first = idle.first_entry()?;
        let since = first.get().0;
        if now.saturating_duration_since(since) < GRACE {
            return None;
        }
        // One whose owner is just letting go of it leaves anyway.
        if let Some(seat) = first.remove().1.upgrade() {
            return Some(seat);
        }
    }
}

fn send_away(seat: Option<Arc<Seat>>) -> bool {
    let Some(seat) = seat else { return false };
    seat.places.sent_away.fetch_add(1, Ordering::Relaxed);
    seat.leave.notify_one();
    true
}

impl Place {
    /// The address that streams on it are counted against, if they are.
    pub fn address(&self) -> Option<IpAddr> {
        self.0.counted()
    }

    /// A request has come whole, or so far that it is worth waiting for.
    pub fn ask(&self) -> Asking {
        let Self(seat) = self;
        if seat.busy.fetch_add(1, Ordering::Relaxed) == 0 {
            let mut state = seat.places.state();
            seat.has_asked.store(true, Ordering::Relaxed);
            state.wake(seat);
        }
        Asking(self.clone())
    }

    /// Resolves when the connection should end, because others need its place: at
    /// once if it is silent, and when all that came is answered otherwise. One
    /// task may wait for it.
    pub async fn sent_away(&self) {
        while !self.0.sent_away.load(Ordering::Relaxed) {
            self.0.leave.notified().await;
        }
    }

    /// The connection speaks TLS.
    pub fn speaks_tls(&self) {
        self.0.is_secure.store(true, Ordering::Relaxed);
    }

    fn done(&self) {
        let Self(seat) = self;
        if seat.busy.fetch_sub(1, Ordering::Relaxed) != 1 {
            return;
        }
        seat.places.state().rest(seat, Instant::now());
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.done();
    }
}

impl Watching {
    /// Whose the stream's connection is; `None` if that is somebody else's business.
    pub fn peer(&self) -> Option<IpAddr> {
        self.place.as_ref().map(|Place(seat)| seat.peer)
    }

    /// Whether its connection speaks TLS.
    pub fn is_secure(&self) -> bool {
        let place = self.place.as_ref();
        place.is_some_and(|Place(seat)| seat.is_secure.load(Ordering::Relaxed))
    }

    /// Takes room for the compiled patterns among `matchers`, by which the stream is
    /// matched, for as long as it lasts. They count twice: for the memory that they
    /// take, each, and for what a topic costs that is held against those of all
    /// streams, where equal ones are one.
    ///
    /// # Errors
    /// [`NoPlace::Patterns`].
    pub fn take_patterns(&mut self, matchers: &[Matcher]) -> Result<(), NoPlace> {
        let bounds = self.places.bounds;
        let bytes: usize = matchers.iter().map(pattern_bytes).sum();
        let mut state = self.places.state();
        if bytes > bounds.pattern_bytes.saturating_sub(state.pattern_bytes) {
            return Err(NoPlace::Patterns);
        }
        let before = state.patterns.heaviest();
        matchers.iter().for_each(|own| state.patterns.add(own));
        let after = state.patterns.heaviest();
        if after > before && after > bounds.pattern_work {
            matchers.iter().for_each(|own| state.patterns.remove(own));
            return Err(NoPlace::Patterns);
        }
        state.pattern_bytes += bytes;
        let patterns = matchers.iter().filter(|own| is_pattern(own)).cloned();
        self.patterns.extend(patterns);
        Ok(())
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let mut state = self.places.state();
        state.subscriptions -= 1;
        if state.subscriptions == 0 {
            self.places.quiet.notify_waiters();
        }
        for own in &self.patterns {
            state.pattern_bytes -= pattern_bytes(own);
            state.patterns.remove(own);
        }
        let Some(place) = &self.place else { return };
        let Place(seat) = place;
        if seat.streams.fetch_sub(1, Ordering::Relaxed) == 1 {
            state.watching -= 1;
        }
        if let Some(address) = seat.counted()
            && let Some(count) = state.by_address.get_mut(&address)
        {
            *count -= 1;
            if *count == 0 {
                state.by_address.remove(&address);
            }
        }
        drop(state);
        place.done();
    }
}

/// What a matcher takes of the room for patterns.
fn pattern_bytes(matcher: &Matcher) -> usize {
    match is_pattern(matcher) {
        true => matcher.memory(),
        false => 0,
    }
}

fn is_pattern(matcher: &Matcher) -> bool {
    matches!(matcher, Matcher::Template(_) | Matcher::UrlPattern(_))
}

impl Seat {
    /// Whom streams are counted against, where that is bounded.
    fn counted(&self) -> Option<IpAddr> {
        let bounded = self.places.bounds.per_address.is_some();
        counted(self.peer).filter(|_| bounded)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut state = self.places.state();
        state.wake(self);
        state.connections -= 1;
        drop(state);
        self.places.freed.notify_waiters();
    }
}

/// Whom the streams of a peer are counted against; nobody on loopback, where
/// proxies live. Who has one address of IPv6 has its whole /64.
fn counted(peer: IpAddr) -> Option<IpAddr> {
    const HOST_BITS: u32 = 64;
    let address = peer.to_canonical();
    match address {
        _ if address.is_loopback() => None,
        IpAddr::V4(_) => Some(address),
        IpAddr::V6(v6) => {
            let network = v6.to_bits() >> HOST_BITS << HOST_BITS;
            Some(Ipv6Addr::from_bits(network).into())
        }
    }
}

#[cfg(test)]
mod tests;
