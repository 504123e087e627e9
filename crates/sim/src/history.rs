//! What was seen of a hub: by those who published and by those who watched.

use tidings_engine::SlowPolicy;

/// A place in the order of everything that a recorder notes. A counter does;
/// so does a clock that never repeats a value. Only the order counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Moment(pub u64);

/// A whole run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History {
    /// Every attempt to publish, in any order.
    pub published: Vec<Published>,
    /// Every attempt to close a topic, in any order.
    pub closed: Vec<Closed>,
    /// What each watcher saw.
    pub chains: Vec<Chain>,
}

/// One attempt to publish one event. Attempts with the same publisher and
/// number are one event that was retried in a way that may not double it (the
/// same idempotency key, or the same id of its own); they have the same topic,
/// type and data. No two events have the same data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Who. A publisher calls for one event, or one batch of events, after the
    /// other: for the next only once the last is answered, or can no longer
    /// have any effect (the hub that was asked is gone).
    pub publisher: u32,
    /// The number of the event among its publisher's, rising. Events of one
    /// batch have numbers of their own, in the order of the batch.
    pub number: u64,
    /// Where.
    pub topic: String,
    /// The `event` field; `None` if it has none.
    pub event_type: Option<String>,
    /// The payload, with LF for every line end.
    pub data: String,
    /// Before the hub could know of the attempt.
    pub called: Moment,
    /// What the hub said.
    pub outcome: Outcome,
    /// From when on the event may be missing, if that is declared: its time
    /// is over, or somebody damaged it on purpose. `None`: never.
    pub expires: Option<Moment>,
    /// Whether it opens its topic again, if that is closed.
    pub reopens: bool,
}

/// One attempt to close a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// Which.
    pub topic: String,
    /// What the hub said: under which id the end is.
    pub outcome: Outcome,
    /// Whether the end is certainly kept for as long as anything is recorded. One that
    /// has expired closes nothing.
    pub lasts: bool,
}

/// What a hub said to an attempt to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is in the log.
    Acked {
        /// Under this id.
        id: String,
        /// After the answer was read.
        at: Moment,
    },
    /// It is not in the log and never will be.
    Refused,
    /// Nothing that could be relied on.
    Unknown,
}

/// What one watcher saw, over all its connections: after each loss it resumed
/// with the last event ID that it had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// The selectors it watches.
    pub selection: Vec<String>,
    /// From where it asked to watch.
    pub begin: Begin,
    /// What a hub may do while it is slower than its events.
    pub slow: SlowPolicy,
    /// What came, in order.
    pub steps: Vec<Step>,
    /// Whether it had everything at the end: it has read something (selected
    /// or stated) that was published after all else was answered. What is
    /// missing from a chain that isn't complete may still have been to come.
    pub complete: bool,
}

/// Where a chain begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begin {
    /// With the earliest event kept.
    Earliest {
        /// Not before the hub decided what that is.
        at: Moment,
    },
    /// Behind the event, or the position, with this id.
    After(String),
    /// Where the first opening block says: live, or a number or an age of
    /// events. What was called for after that block was read belongs to it,
    /// whatever the block says. (Not what was acknowledged after it: the event
    /// may have been in the log when the stream began, and its answer slow.)
    Opened,
}

/// Something that came to a watcher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A connection's first statement of an id without an event.
    Opened {
        /// The position from which the stream goes on.
        id: String,
        /// After it was read.
        at: Moment,
    },
    /// A later one, in a heartbeat.
    Reached {
        /// Everything up to here is behind the stream.
        id: String,
    },
    /// An event.
    Event {
        /// Its id.
        id: String,
        /// Its topic, if the stream says it.
        topic: Option<String>,
        /// Its type; `message` if it has none.
        event_type: String,
        /// Its payload.
        data: String,
    },
    /// The end of a topic.
    Ended {
        /// Its id.
        id: String,
        /// Which topic.
        topic: String,
    },
    /// The hub declared that events are missing.
    Gap {
        /// The position from which the stream goes on.
        to: String,
        /// Whether that is because the watcher was too slow.
        slow: bool,
        /// After it was read.
        at: Moment,
    },
    /// The connection was lost, or ended.
    Disconnected,
}
