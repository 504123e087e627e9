//! One connection of a lane.

use super::Taken;
use super::door::Door;
use super::lane::Round;
use super::socket::{Inbound, PIECES, Socket};
use crate::auth::{Over, Standing};
use crate::connection::USER_TIMEOUT;
use crate::hub;
use crate::mercure::active::Guard;
use crate::metrics::SlowAction;
use crate::own::{Reading, Share};
use crate::places::Watching;
use crate::presence;
use crate::sys::{self, Told, Transport};
use crate::ticks::Ticks;
use bytes::Bytes;
use http::Version;
use std::sync::Arc;
use std::time::Duration;
use tidings_engine::stream::Ending;
use tidings_engine::{
    Batch, Cursor, Form, Framing, Next, OwnNext, Selection, Sight, Stream, SubscriptionKey,
    Timestamp, control,
};

/// How long a peer that was told the end has to close its side: closing a
/// socket that has unread bytes would take the last words from it.
const LINGER: Duration = Duration::from_secs(2);
/// A tick that doesn't come.
pub const NEVER: u64 = u64::MAX;
/// Once a socket hasn't been full for so long, a peer that takes nothing is gone
/// rather than slow, and is given up as any other.
const CALM: Duration = Duration::from_secs(5);
/// The last chunk of a body (RFC 9112, section 7.1).
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// A socket and the stream that it carries.
pub struct Connection {
    socket: Socket,
    stream: Stream,
    /// What it is given of the hub's own log.
    own: Option<Box<Reading>>,
    form: Form,
    /// What was begun and is not yet written: of one frame, or blocks of the
    /// hub's own.
    rest: Bytes,
    /// Whether it stands in the lane's queue.
    pub queued: bool,
    state: State,
    /// The tick at which it was full last, while the kernel lets the peer take nothing
    /// for longer.
    patient: Option<u64>,
    /// The tick at which the socket last took something, of the hub's own log not
    /// counted; or at which it became full, if that was later.
    moved: u64,
    /// The tick at which the stream ends, once the hub drains; [`NEVER`] before.
    ends: u64,
    /// The tick at which it is looked at next; [`NEVER`] if at none.
    pub wakes: u64,
    /// When it began.
    since: Timestamp,
    /// How many events of the log were given to it.
    given: u64,
    /// Until the end is said.
    active: Option<Guard>,
    presence: Option<Box<presence::Guard>>,
    /// What may end the stream before its time.
    standing: Option<Arc<Standing>>,
    permit: Watching,
    _place: Box<dyn Send>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The socket takes bytes.
    Open,
    /// It is full.
    Full,
    /// All is said; until this tick the peer may close its side.
    Lingering(u64),
}

/// What is to be done for a connection after it had its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turned {
    /// It has more to say.
    More,
    /// It waits: for its socket, for events, or for the store.
    Waits,
    /// It waits for the store to be read from here.
    ReadStore(Cursor),
    /// It is over.
    Gone,
}

impl Connection {
    /// Begins the stream of `taken`; the head of the response comes first.
    /// Changes of its standing are told at `door`.
    pub fn new(taken: Taken, door: &Arc<Door>, round: &mut Round<'_>) -> Self {
        let Taken {
            socket,
            head,
            mut watch,
            place,
        } = taken;
        let stream = watch.begin(round.hub, round.subscriptions);
        let own = watch.own.take();
        let own = own.map(|own| round.own.begin(own, stream.key()));
        if let Some(standing) = &watch.standing {
            let (door, key) = (Arc::clone(door), stream.key());
            standing.carried_by(move |_| door.change(key));
        }
        Self {
            socket,
            stream,
            own,
            form: watch.form,
            rest: head,
            queued: false,
            state: State::Open,
            patient: None,
            moved: round.now,
            ends: NEVER,
            wakes: NEVER,
            since: round.wall,
            given: 0,
            active: watch.active,
            presence: watch.presence,
            standing: watch.standing,
            permit: watch.permit,
            _place: place,
        }
    }

    /// Its subscription.
    pub fn key(&self) -> SubscriptionKey {
        self.stream.key()
    }

    /// When its stream began.
    pub fn since(&self) -> Timestamp {
        self.since
    }

    /// What is told of its stream, which watches `watched`, to an operator.
    pub fn told(&self, lane: &str, watched: &Selection, lag_bytes: u64) -> Told {
        let (topics, more_topics) = sys::topics(watched, self.own().map(Reading::selection));
        Told {
            id: format!("{lane}-{}", self.key()),
            peer: self.permit.peer(),
            transport: Transport::Http(Version::HTTP_11),
            secure: self.permit.is_secure(),
            since: self.since.0,
            topics,
            more_topics,
            lag_bytes,
            given: self.given,
        }
    }

    /// Its socket.
    pub fn socket(&mut self) -> &mut Socket {
        &mut self.socket
    }

    /// Its stream, for what the store answered.
    pub fn stream(&mut self) -> &mut Stream {
        &mut self.stream
    }

    /// What it is given of the hub's own log.
    pub fn own(&self) -> Option<&Reading> {
        self.own.as_deref()
    }

    /// Whether it has to be asked for more of the hub's own log, which `share` has.
    pub fn has_more(&self, share: &Share) -> bool {
        self.state == State::Open && self.own().is_some_and(|own| share.has_more(own))
    }

    /// What its stream sees by, if that can change.
    pub fn sight(&self) -> Option<Arc<dyn Sight>> {
        self.standing.as_ref()?.sight()
    }

    /// The hub drains: the stream ends at a tick.
    pub fn end_at(&mut self, tick: u64) {
        self.ends = self.ends.min(tick);
    }

    /// Whether its socket is full.
    pub fn is_full(&self) -> bool {
        self.state == State::Full
    }

    /// The socket takes bytes again.
    pub fn opened(&mut self) {
        if self.is_full() {
            self.state = State::Open;
        }
    }

    /// The tick at which something has to be done though nothing happens.
    pub fn deadline(&self, round: &Round<'_>) -> u64 {
        let due = match self.state {
            State::Open => self.moved + round.heartbeat,
            State::Full => self.moved + round.stall,
            State::Lingering(until) => return until,
        };
        let due = self.ends.min(due);
        let standing = self.standing.as_deref();
        standing.map_or(due, |own| due.min(end_of(own, round)))
    }

    /// Whether its standing is, and why.
    fn over(&self, round: &Round<'_>) -> Option<Over> {
        self.standing.as_ref()?.over(round.wall)
    }

    /// Writes what waits for the watcher, in one write.
    pub fn turn(&mut self, round: &mut Round<'_>) -> Turned {
        if self.state != State::Open {
            return Turned::Waits;
        }
        // Before anything is read: what a right no longer shows isn't given, and
        // isn't passed over either.
        if let Some(over) = self.over(round) {
            return self.say_goodbye(round.hub.retry_after(over), round);
        }
        let mut pieces = Pieces::default();
        pieces.push(std::mem::take(&mut self.rest));
        let (mut given, mut turned) = (None, Turned::More);
        if self.own().is_some_and(|own| own.goes_first) {
            given = self.turn_own(round, &mut pieces);
        }
        while given.is_none() && pieces.has_room() {
            let tail = round.hub.live().tail();
            // Again, by now: what was published after a revocation was answered may
            // be in this tail, and not have been in that of the round's beginning.
            let standing = self.standing.as_ref();
            if let Some(over) = standing.and_then(|own| own.over(hub::now())) {
                drop(tail);
                return self.end_with(round.hub.retry_after(over), round, pieces);
            }
            let next = self.stream.next(round.subscriptions, &tail, round.terms);
            drop(tail);
            match next {
                Next::Block(block) => pieces.push(chunk(&block)),
                Next::Gap(reason, block) => {
                    round.hub.metrics().count_gap(reason);
                    pieces.push(chunk(&block));
                }
                Next::Events(events) => {
                    pieces.push(events.bytes(self.form, Framing::Chunked));
                    given = Some(Given {
                        batch: events,
                        own: false,
                    });
                    if let Some(own) = &mut self.own {
                        own.goes_first = true;
                    }
                }
                Next::Later => break,
                Next::ReadStore(cursor) => {
                    turned = Turned::ReadStore(cursor);
                    break;
                }
                Next::MayEnd => {
                    if self.has_ended(round) {
                        return self.end_with(round.hub.jittered_retry(), round, pieces);
                    }
                }
                Next::Waiting | Next::Idle => {
                    turned = Turned::Waits;
                    break;
                }
                Next::End(ending) => return self.end(ending, round, pieces),
            }
        }
        if given.is_none() {
            given = self.turn_own(round, &mut pieces);
        }
        match self.write(pieces, given.as_ref(), round) {
            Err(()) => Turned::Gone,
            Ok(()) if turned == Turned::More && self.is_full() => Turned::Waits,
            Ok(()) if given.is_some() && self.is_caught_up(round) => Turned::Waits,
            Ok(()) => turned,
        }
    }

    /// Adds what comes next of the hub's own log.
    fn turn_own(&mut self, round: &mut Round<'_>, pieces: &mut Pieces) -> Option<Given> {
        let own = self.own.as_mut()?;
        while pieces.has_room() {
            let next = round.own.next(own, round.hub.own(), round.terms.budget);
            let anew = matches!(next, OwnNext::Anew).then(|| own.anew());
            // As with the log's: by now, and behind the making of a block, in which may
            // be who came after a revocation was answered. The next turn ends it.
            let standing = self.standing.as_ref();
            if standing.is_some_and(|own| own.over(hub::now()).is_some()) {
                return None;
            }
            match next {
                OwnNext::Anew => {
                    if let Some(block) = anew.filter(|block| !block.is_empty()) {
                        pieces.push(chunk(&block));
                    }
                    if own.stands_on() {
                        return None;
                    }
                }
                OwnNext::Events(batch) => {
                    pieces.push(batch.bytes(self.form, Framing::Chunked));
                    return Some(Given { batch, own: true });
                }
                OwnNext::Later | OwnNext::Idle => return None,
            }
        }
        None
    }

    /// Its time has come: a heartbeat, or an end.
    pub fn strike(&mut self, round: &mut Round<'_>) -> Turned {
        if self.deadline(round) > round.now {
            return Turned::Waits;
        }
        if self.ends <= round.now {
            return self.say_goodbye(round.hub.jittered_retry(), round);
        }
        if let Some(over) = self.over(round) {
            return self.say_goodbye(round.hub.retry_after(over), round);
        }
        match self.state {
            State::Lingering(_) => Turned::Gone,
            State::Full => {
                round.hub.metrics().count_slow(SlowAction::Stall);
                Turned::Gone
            }
            State::Open => {
                let mut pieces = Pieces::default();
                pieces.push(std::mem::take(&mut self.rest));
                let block = self.stream.heartbeat(round.subscriptions);
                pieces.push(chunk(&block));
                match self.write(pieces, None, round) {
                    Ok(()) => Turned::Waits,
                    Err(()) => Turned::Gone,
                }
            }
        }
    }

    /// The peer has sent something, or is gone.
    pub fn hear(&mut self, round: &mut Round<'_>) -> Turned {
        match self.socket.read() {
            Inbound::Something if !matches!(self.state, State::Lingering(_)) => {
                // Nobody speaks on a stream that ends with its connection.
                self.linger(round)
            }
            Inbound::Nothing | Inbound::Something => Turned::Waits,
            Inbound::End => Turned::Gone,
        }
    }

    /// Whether there is nothing to ask the stream for. One whose reader was
    /// slow has to be asked, to notice that it no longer is; and one that may end.
    fn is_caught_up(&self, round: &Round<'_>) -> bool {
        !self.stream.is_slow()
            && !self.stream.may_end()
            && !round.subscriptions.is_behind(self.key())
    }

    /// Whether all that it watches is closed.
    fn has_ended(&self, round: &Round<'_>) -> bool {
        if self.own().is_some_and(Reading::outlives_topics) {
            return false;
        }
        let selection = round.subscriptions.selection(self.key());
        let end = selection.and_then(|own| round.hub.reader().end_of_all(own));
        let reached = round
            .subscriptions
            .cursor(self.key())
            .map(|cursor| cursor.after);
        end.is_some() && reached >= end
    }

    /// The stream ends because of its reader or of the store.
    fn end(&mut self, ending: Ending, round: &mut Round<'_>, pieces: Pieces) -> Turned {
        if ending == Ending::TooSlow {
            round.hub.metrics().count_slow(SlowAction::Disconnect);
        }
        self.end_with(round.hub.jittered_retry(), round, pieces)
    }

    /// Ends the stream once `pieces` are written.
    fn end_with(&mut self, retry_ms: u64, round: &mut Round<'_>, pieces: Pieces) -> Turned {
        if self.write(pieces, None, round).is_err() {
            return Turned::Gone;
        }
        self.say_goodbye(retry_ms, round)
    }

    /// Ends the stream with the time at which to come back, if the socket has
    /// room for that.
    fn say_goodbye(&mut self, retry_ms: u64, round: &mut Round<'_>) -> Turned {
        self.ends = NEVER;
        self.standing = None;
        if let Some(presence) = &mut self.presence {
            presence.stays(retry_ms);
        }
        if self.state == State::Open {
            let mut pieces = Pieces::default();
            pieces.push(std::mem::take(&mut self.rest));
            pieces.push(chunk(&control::retry(retry_ms)));
            pieces.push(Bytes::from_static(LAST_CHUNK));
            if self.write(pieces, None, round).is_err() {
                return Turned::Gone;
            }
        }
        self.linger(round)
    }

    fn linger(&mut self, round: &mut Round<'_>) -> Turned {
        self.socket.shut_down();
        self.active = None;
        self.presence = None;
        if let Some(own) = self.own.take() {
            round.own.end(&own);
        }
        self.rest = Bytes::new();
        self.state = State::Lingering(round.now + Ticks::span(LINGER));
        Turned::Waits
    }

    /// The socket takes nothing more. From now on it has the time of a socket that
    /// stalls: how long nothing was said before is no fault of its peer's.
    fn become_full(&mut self, now: u64) {
        if self.state == State::Open {
            self.moved = now;
        }
        self.state = State::Full;
        self.stream.was_full();
    }

    /// Writes `pieces`, of which the last is that of `given` if there is one.
    /// Of what the socket does not take, it keeps the rest of one frame and
    /// hands the frames behind it back.
    fn write(
        &mut self,
        pieces: Pieces,
        given: Option<&Given>,
        round: &mut Round<'_>,
    ) -> Result<(), ()> {
        let total = pieces.len();
        let owed = self.socket.owes();
        let written = match total + owed {
            0 => 0,
            _ => self.socket.write(pieces.as_slice()).map_err(|_| ())?,
        };
        let batch_bytes = given.map_or(0, |_| pieces.last_len());
        let before = total - batch_bytes;
        let is_whole = written == total && self.socket.owes() == 0;
        // What is said on the own log doesn't put a heartbeat off, which states
        // where the stream stands in the log.
        let only_own = before == 0 && is_whole && given.is_some_and(|given| given.own);
        if (written > 0 || self.socket.owes() < owed) && !only_own {
            self.moved = round.now;
        }
        let mut events = given.map_or(0, |given| given.batch.frames().len());
        if written < total || self.socket.owes() > 0 {
            self.become_full(round.now);
            if self.patient.replace(round.now).is_none() {
                self.socket.wait_for(round.hub.stall());
            }
        } else if self
            .patient
            .is_some_and(|full| full + Ticks::span(CALM) <= round.now)
        {
            self.patient = None;
            self.socket.wait_for(USER_TIMEOUT);
        }
        if written < total {
            let mut rest = pieces.from(written.min(before), before);
            if let Some(Given { batch, own }) = given {
                let (cut, kept) =
                    batch.rest(self.form, Framing::Chunked, written.saturating_sub(before));
                match &self.own {
                    Some(reading) if *own => round.own.give_back(reading, batch, kept),
                    _ => self.stream.give_back(round.subscriptions, batch, kept),
                }
                // Nothing of the batch was begun while something stands before it.
                rest = if rest.is_empty() { cut } else { rest };
                events = kept;
            }
            self.rest = rest;
        }
        if given.is_some_and(|given| !given.own) {
            self.given += events as u64;
            round.given.events += events as u64;
            round.given.bytes += written.saturating_sub(before) as u64;
        }
        Ok(())
    }
}

/// What a turn gives.
struct Given {
    batch: Arc<Batch>,
    /// Of the hub's own log.
    own: bool,
}

/// The tick at which a standing is over.
fn end_of(standing: &Standing, round: &Round<'_>) -> u64 {
    if standing.over(round.wall).is_some() {
        return round.now;
    }
    let left = |end: Timestamp| Duration::from_millis(end.0.saturating_sub(round.wall.0));
    let end = standing.ends_at().map(left);
    end.map_or(u64::MAX, |left| round.now.saturating_add(Ticks::ceil(left)))
}

/// The pieces of one write.
#[derive(Default)]
struct Pieces {
    pieces: [Bytes; PIECES],
    count: usize,
}

impl Pieces {
    /// Adds a piece, for which there has to be room. An empty one takes none.
    fn push(&mut self, piece: Bytes) {
        if !piece.is_empty() {
            self.pieces[self.count] = piece;
            self.count += 1;
        }
    }

    fn has_room(&self) -> bool {
        self.count < PIECES
    }

    fn as_slice(&self) -> &[Bytes] {
        &self.pieces[..self.count]
    }

    fn len(&self) -> usize {
        self.as_slice().iter().map(Bytes::len).sum()
    }

    fn last_len(&self) -> usize {
        self.as_slice().last().map_or(0, Bytes::len)
    }

    /// The bytes from `start` to `end`; a copy only where they are in several
    /// pieces.
    fn from(&self, mut start: usize, end: usize) -> Bytes {
        let mut left = end - start;
        let mut parts = Vec::new();
        for piece in self.as_slice() {
            let from = start.min(piece.len());
            let to = (from + left).min(piece.len());
            start -= from;
            left -= to - from;
            if from < to {
                parts.push(piece.slice(from..to));
            }
        }
        match parts.len() {
            1 => parts.remove(0),
            _ => parts.concat().into(),
        }
    }
}

/// A block of the hub's own as a chunk (RFC 9112, section 7.1).
fn chunk(block: &[u8]) -> Bytes {
    [format!("{:x}\r\n", block.len()).as_bytes(), block, b"\r\n"]
        .concat()
        .into()
}
