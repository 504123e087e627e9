//! Who is there, who has been told of, and what has still to be told. Pure: it
//! reads no clock and no log.
//!
//! Two views of the same streams. The hub knows at once that one begins or ends;
//! the log says it a moment later, in the order in which it happened. Documents
//! show what the log says up to a position, so that the events behind that
//! position continue them exactly: nothing is missed, and nothing comes twice.

use super::subscriber::Subscriber;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;
use std::time::Duration;
use tidings_engine::Position;
use tokio::time::Instant;

/// The number of a change: a stream's beginning or its end. A stream has the
/// number of its beginning.
pub type Number = u64;

/// The first change. Before it there is what a hub that was killed left behind.
const FIRST: Number = 1;
/// How long a stream has to be there before it is told of. Less than a document
/// waits for the log, so that it has who came before it was asked for.
pub const PROBATION: Duration = Duration::from_millis(500);

/// All streams that are told of.
#[derive(Debug)]
pub struct Registry {
    /// The number of the next change.
    next: Number,
    streams: BTreeMap<Number, Stream>,
    by_name: BTreeMap<Box<str>, Number>,
    /// Changes that the log doesn't say yet, and whose they are.
    pending: BTreeMap<Number, Number>,
    /// Changes that are being appended.
    taken: Option<Taken>,
}

#[derive(Debug)]
struct Stream {
    subscriber: Arc<Subscriber>,
    since: Instant,
    /// The log says that it is there.
    told: bool,
}

#[derive(Debug, Clone, Copy)]
struct Taken {
    /// The last of them.
    last: Number,
    /// The log's end when they were taken: it says nothing of them there.
    before: Position,
}

/// What the log is to say.
#[derive(Debug, Clone)]
pub struct Change {
    /// Whose subscriptions begin or end.
    pub subscriber: Arc<Subscriber>,
    /// Whether they begin.
    pub active: bool,
}

/// What the log says up to a position.
#[derive(Debug)]
pub struct View {
    /// Who is there, the first to come first.
    pub subscribers: Vec<Arc<Subscriber>>,
    /// The position.
    pub at: Position,
}

impl Stream {
    /// When its beginning, or else its end, may be told.
    fn due(&self, active: bool) -> Instant {
        match active {
            true => self.since + PROBATION,
            false => self.since,
        }
    }
}

impl Registry {
    /// Nobody is there.
    pub fn new() -> Self {
        Self {
            next: FIRST,
            streams: BTreeMap::new(),
            by_name: BTreeMap::new(),
            pending: BTreeMap::new(),
            taken: None,
        }
    }

    /// A stream begins.
    pub fn begin(&mut self, subscriber: Arc<Subscriber>, now: Instant) -> Number {
        let number = self.number();
        self.by_name.insert(subscriber.name().into(), number);
        let stream = Stream {
            subscriber,
            since: now,
            told: false,
        };
        self.streams.insert(number, stream);
        self.pending.insert(number, number);
        number
    }

    /// A stream ends. One that ends before anything was said of it is forgotten:
    /// however many come and go, what waits for the log is of who is there, or has
    /// been told of.
    pub fn end(&mut self, stream: Number) {
        let being_told = self.taken.is_some_and(|taken| stream <= taken.last);
        let Some(found) = self.streams.get(&stream) else {
            return;
        };
        if !found.told && !being_told {
            self.pending.remove(&stream);
            return self.forget(stream);
        }
        let number = self.number();
        self.pending.insert(number, stream);
    }

    /// When there is something for the log to say; `None` if nothing waits for it.
    pub fn due(&self) -> Option<Instant> {
        let mut pending = self.pending.iter();
        pending.find_map(|(number, of)| Some(self.streams.get(of)?.due(number == of)))
    }

    /// Changes that the log is to say next, in their order: of `most` matchers, or
    /// of one stream, as far as they are due. The log ends at `before` now. They
    /// are taken until [`Self::told`] or [`Self::not_told`].
    pub fn take(&mut self, most: usize, before: Position, now: Instant) -> Vec<Change> {
        let (mut changes, mut last, mut matchers) = (Vec::new(), None, 0);
        for (number, stream) in &self.pending {
            let active = number == stream;
            let Some(stream) = self.streams.get(stream) else {
                continue;
            };
            matchers += stream.subscriber.len();
            if stream.due(active) > now || (matchers > most && last.is_some()) {
                break;
            }
            last = Some(*number);
            changes.push(Change {
                subscriber: Arc::clone(&stream.subscriber),
                active,
            });
        }
        self.taken = last.map(|last| Taken { last, before });
        changes
    }

    /// The log says what was taken.
    pub fn told(&mut self) {
        let Some(taken) = self.taken.take() else {
            return;
        };
        let later = self.pending.split_off(&(taken.last + 1));
        let told = std::mem::replace(&mut self.pending, later);
        for (number, stream) in told {
            if number != stream {
                self.forget(stream);
            } else if let Some(stream) = self.streams.get_mut(&stream) {
                stream.told = true;
            }
        }
    }

    /// The log has nothing of what was taken.
    pub fn not_told(&mut self) {
        self.taken = None;
    }

    /// All changes with lower numbers are in the log.
    pub fn settled(&self) -> Number {
        let first = self.pending.first_key_value();
        first.map_or(self.next, |(number, _)| *number)
    }

    /// The number that the next change will have.
    pub fn next(&self) -> Number {
        self.next
    }

    /// What the log says, which ends at `end`: all, or of one stream alone.
    pub fn view(&self, of: Option<&str>, end: Position) -> View {
        let shown = |stream: &&Stream| stream.told;
        let one = of.map(|name| {
            let number = self.by_name.get(name);
            number.and_then(|number| self.streams.get(number))
        });
        let subscriber = |stream: &Stream| Arc::clone(&stream.subscriber);
        let subscribers = match one {
            Some(one) => one.into_iter().filter(shown).map(subscriber).collect(),
            None => self
                .streams
                .values()
                .filter(shown)
                .map(subscriber)
                .collect(),
        };
        let at = self.taken.map_or(end, |taken| taken.before);
        View { subscribers, at }
    }

    fn number(&mut self) -> Number {
        let number = self.next;
        self.next += 1;
        number
    }

    fn forget(&mut self, number: Number) {
        let Some(stream) = self.streams.remove(&number) else {
            return;
        };
        if let Entry::Occupied(named) = self.by_name.entry(stream.subscriber.name().into())
            && *named.get() == number
        {
            named.remove();
        }
    }
}
