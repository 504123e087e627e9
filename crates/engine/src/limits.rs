//! All bounds of a hub, in one place, with the arithmetic that joins them.

mod worst_case;

pub use worst_case::{
    CONNECTION_BYTES, HTTP2_STREAM_BYTES, LANE_BYTES, SUBSCRIPTION_BYTES, TLS_BYTES,
};

use crate::{Event, Topic};
use std::fmt;
use std::time::Duration;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// The longest `id` a publisher may bring, in bytes; also the longest
/// `Last-Event-ID` that is looked at.
pub const ID_BYTES: usize = 256;
/// The longest event type, in bytes.
pub const EVENT_TYPE_BYTES: usize = 128;
/// The longest `Idempotency-Key`, in bytes.
pub const IDEMPOTENCY_KEY_BYTES: usize = 256;
/// The shortest reconnection time a publisher may set, in milliseconds.
pub const RETRY_MIN_MS: u64 = 100;
/// The longest reconnection time a publisher may set, in milliseconds: 1 h.
pub const RETRY_MAX_MS: u64 = 3_600_000;
/// The largest N of `since=last:N`.
pub const LAST_N: u32 = 10_000;
/// How far the hub's own reconnection times are spread: each connection gets
/// its own between the base and this many times the base.
pub const RETRY_SPREAD: u32 = 3;
/// Connections beyond those that may watch, so that a hub full of watchers can
/// still be published to and looked at.
pub const SPARE_CONNECTIONS: usize = 64;
/// File descriptors a hub needs besides its connections: 64 for the segments
/// and index files that the store holds open, 32 for listeners, the directory
/// lock, the runtime's own, and files that are just being read. Each lane needs
/// [`LANE_DESCRIPTORS`] more.
pub const OWN_DESCRIPTORS: u64 = 96;
/// What a lane needs of its own, its epoll and what wakes it, rounded up.
pub const LANE_DESCRIPTORS: u64 = 4;
/// What the pages of history that are being made or written may take together,
/// in bytes.
pub const PAGES_BYTES: usize = 64 << 20;
/// What the active subscriptions that a hub tells of may take together, in bytes:
/// those of about 500,000 streams of one topic each. Beyond it, streams are asked
/// to come back later.
pub const ACTIVE_BYTES: usize = 256 << 20;
/// What the hub's [own log](crate::own) keeps for those who are slow, in bytes.
pub const OWN_LOG_BYTES: usize = 8 << 20;

/// Of so many closed topics a hub knows that they are, the newest ones; older ones
/// are open again.
pub const CLOSED_TOPICS: usize = 900_000;
/// What a hub takes to know them, in bytes, while their table grows.
pub const CLOSED_BYTES: usize = 52 << 20;

/// The longest head of a request, in bytes; also the most that the header lists
/// of HTTP/2 may come to.
pub const HEAD_BYTES: usize = 128 * KIB;
/// What a body may hold before it counts against
/// [`Limits::publish_body_bytes`], in bytes.
pub const BODY_FREE_BYTES: usize = 64 * KIB;
/// Bodies of Mercure's `QUERY` that are being received at once; one more is refused
/// with 503. None is longer than [`Limits::query_bytes`].
pub const QUERY_BODIES: usize = 64;
/// What a publisher may send on an HTTP/2 stream that nobody has read, in bytes.
pub const BODY_WINDOW_BYTES: usize = 256 * KIB;
/// An envelope is at most this many times as long as its event: JSON writes
/// U+0001 as `\u0001`, six bytes for one.
pub const ENVELOPE_FACTOR: u64 = 6;
/// The bytes of an encoded event that are not its data: names of the fields,
/// the longest type, id and reconnection time, line ends.
pub const EVENT_OVERHEAD_BYTES: usize = EVENT_TYPE_BYTES + ID_BYTES + 64;
/// What each line of data costs on the wire beside itself: `data: ` and LF.
pub const DATA_LINE_BYTES: usize = 7;

/// The most topics of one event, the canonical one and its alternates.
pub const TOPICS: usize = 1_000;
/// The texts of all topics of one event, in bytes.
pub const TOPICS_BYTES: usize = 256 * KIB;
/// What the topics of one event can cost in memory beside their texts, wherever
/// it is held, in bytes: each its counters, its place in the event and in the
/// tail, and there an entry with its text again.
pub const EVENT_TOPICS_BYTES: usize = 2 * TOPICS_BYTES + TOPICS * 256;

/// The bounds an operator may set. Sizes are in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Data of one event, as the publisher sent it. Default 1 MiB.
    pub event_data_bytes: usize,
    /// One event as it stands on the wire, where each line of data costs
    /// [`DATA_LINE_BYTES`] more: 1 MiB of line feeds would be 7 MiB.
    /// Default 2 MiB.
    pub event_wire_bytes: usize,
    /// Line of an NDJSON body. JSON escapes make a line longer than its data.
    /// Default 4 MiB.
    pub line_bytes: usize,
    /// Events in one `POST /events`. Default 1,000.
    pub batch_events: usize,
    /// Body of one `POST /events` that isn't a stream. Default 8 MiB.
    pub batch_bytes: usize,
    /// Events admitted that the log hasn't taken yet, all publishers together;
    /// what has no room waits or is refused with 503. Default 64 MiB.
    pub publish_queue_bytes: usize,
    /// Bodies of publish requests that are being read, all publishers
    /// together. Default 64 MiB.
    pub publish_body_bytes: usize,
    /// Bodies of publish requests that are being received at once, streamed ones
    /// among them; one more is refused with 503. Default 1,024.
    pub publish_bodies: usize,
    /// The log's tail in memory. Default 32 MiB.
    pub tail_bytes: usize,
    /// Connections at once, watching or not; [`SPARE_CONNECTIONS`] of them never
    /// watch. Default 20,064.
    pub connections: usize,
    /// Whether connections may speak TLS, which costs memory. Default no.
    pub tls: bool,
    /// Subscriptions at once. Default 20,000.
    pub subscriptions: usize,
    /// Subscriptions at once of one address that isn't loopback; `None`: as
    /// many as there may be. Default 10,000, half of all, so that nobody alone
    /// can keep everybody else out.
    pub subscriptions_per_address: Option<usize>,
    /// Selectors of one subscription. Default 1,000.
    pub selectors_per_subscription: usize,
    /// What the URI templates and URL patterns that are watched by may take
    /// together, compiled ([`Matcher::memory`](tidings_matcher::Matcher::memory)).
    /// Default 64 MiB. What they may cost in time goes by it too, see
    /// [`Limits::pattern_work`].
    pub pattern_bytes: usize,
    /// What those who are present may take: each topic
    /// [`TOPIC_BYTES`](crate::presence::TOPIC_BYTES), and each member of it
    /// [`MEMBER_BYTES`](crate::presence::MEMBER_BYTES), the topic, and what is shown
    /// of them. Default 64 MiB, room for 50,000 who are at a topic of their own. Beyond
    /// it, streams that would have a member are asked to come back later.
    pub presence_bytes: usize,
    /// What the rights behind one stream may take. Default 0, as on a hub without
    /// keys; a hub in an application takes 64 KiB for it, as one with keys does, and 4 KiB
    /// for anything smaller.
    pub standing_bytes: usize,
    /// Query part of a request. Default 60 KiB, the most that hyper's bound on
    /// the whole target leaves.
    pub query_bytes: usize,
    /// Frames that one subscription has read and not yet written. A single
    /// frame may be larger. Default 32 KiB.
    pub subscription_buffer_bytes: usize,
    /// Bytes of a subscription's events that may have arrived since it was last
    /// caught up and that it has not been given; past that it is slow, and its
    /// [`SlowPolicy`](crate::slow::SlowPolicy) says what becomes of it. What it
    /// replays of older history doesn't count. Default 8 MiB.
    pub lag_bytes: usize,
    /// How long a subscription may take no byte of what waits for it; then it is
    /// slow too. Default 30 s.
    pub stall: Duration,
    /// Time between heartbeats of a stream. Default 15 s.
    pub heartbeat: Duration,
    /// After so long without any byte, readers and proxies give a stream up;
    /// heartbeats must come before. Default 45 s.
    pub idle_timeout: Duration,
    /// Base of the reconnection times the hub gives. Default 2 s.
    pub retry: Duration,
    /// Silence that ends a streamed publish body. Default 5 min.
    pub publish_silence: Duration,
    /// What [`Limits::worst_case_bytes`] may come to; `None` doesn't check it.
    pub memory_bytes: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            event_data_bytes: MIB,
            event_wire_bytes: 2 * MIB,
            line_bytes: 4 * MIB,
            batch_events: 1_000,
            batch_bytes: 8 * MIB,
            publish_queue_bytes: 64 * MIB,
            publish_body_bytes: 64 * MIB,
            publish_bodies: 1_024,
            tail_bytes: 32 * MIB,
            connections: 20_000 + SPARE_CONNECTIONS,
            tls: false,
            subscriptions: 20_000,
            subscriptions_per_address: Some(10_000),
            selectors_per_subscription: 1_000,
            pattern_bytes: 64 * MIB,
            presence_bytes: 64 * MIB,
            standing_bytes: 0,
            query_bytes: 60 * KIB,
            subscription_buffer_bytes: 32 * KIB,
            lag_bytes: 8 * MIB,
            stall: Duration::from_secs(30),
            heartbeat: Duration::from_secs(15),
            idle_timeout: Duration::from_secs(45),
            retry: Duration::from_secs(2),
            publish_silence: Duration::from_secs(300),
            memory_bytes: None,
        }
    }
}

/// Two limits that can't both hold. [`fmt::Display`] spells the arithmetic out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InconsistentLimits {
    /// The setting to change, as it is named in [`Limits`].
    pub setting: &'static str,
    explanation: String,
}

impl fmt::Display for InconsistentLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.explanation)
    }
}

impl std::error::Error for InconsistentLimits {}

/// Why an event is too large, with the size it has and may have, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventTooLarge {
    /// Its data alone.
    Data {
        /// The size of the data.
        bytes: usize,
        /// [`Limits::event_data_bytes`].
        limit: usize,
    },
    /// Its data with what each line costs on the wire.
    Wire {
        /// The size on the wire.
        bytes: usize,
        /// [`Limits::event_wire_bytes`].
        limit: usize,
    },
    /// It has more topics than [`TOPICS`].
    Topics {
        /// How many it has.
        count: usize,
    },
    /// The texts of its topics are longer than [`TOPICS_BYTES`] together.
    TopicTexts {
        /// How long they are.
        bytes: usize,
    },
}

impl fmt::Display for EventTooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Data { bytes, limit } => write!(
                f,
                "the event's data has {bytes} bytes and may have {limit}; \
                 split it, or raise event_data_bytes"
            ),
            Self::Wire { bytes, limit } => write!(
                f,
                "the event takes {bytes} bytes on the wire, where each line of data costs \
                 {DATA_LINE_BYTES} more, and may take {limit}; send fewer lines, or raise \
                 event_wire_bytes"
            ),
            Self::Topics { count } => write!(
                f,
                "the event has {count} topics and may have {TOPICS}; publish it more than once, \
                 or to a topic that its watchers share"
            ),
            Self::TopicTexts { bytes } => write!(
                f,
                "the event's topics have {bytes} bytes together and may have {TOPICS_BYTES}; \
                 name fewer, or shorter ones"
            ),
        }
    }
}

impl std::error::Error for EventTooLarge {}

impl Limits {
    /// What holding one topic against all URI templates and URL patterns that are
    /// watched by may take, in units of
    /// [`Matcher::work`](tidings_matcher::Matcher::work): one for each 32 KiB of
    /// [`pattern_bytes`](Self::pattern_bytes), and 256 at least.
    ///
    /// A unit is some 60 ns, and as much again for each 64 bytes of topic: with the
    /// default, 2,048 units, a topic of 100 bytes costs 0.25 ms at most, and one of
    /// 4,000 bytes 2,048 × 63 × 60 ns = 7.7 ms (on a busy machine 15 to 18 were
    /// measured, of the worst patterns). That is room for 11 different patterns
    /// with regular expressions or 256 templates of one variable that one topic can
    /// meet. Those that begin with different literals don't add up, and equal ones
    /// are one.
    pub fn pattern_work(&self) -> usize {
        const BYTES_PER_WORK: usize = 32 * KIB;
        const LEAST: usize = 256;
        (self.pattern_bytes / BYTES_PER_WORK).max(LEAST)
    }

    /// Whether the hub takes the event, by its size and its topics.
    ///
    /// # Errors
    /// [`EventTooLarge`].
    pub fn check_event(&self, event: &Event) -> Result<(), EventTooLarge> {
        let bytes = event.data.len();
        if bytes > self.event_data_bytes {
            return Err(EventTooLarge::Data {
                bytes,
                limit: self.event_data_bytes,
            });
        }
        let bytes = wire_bytes(&event.data);
        if bytes > self.event_wire_bytes {
            return Err(EventTooLarge::Wire {
                bytes,
                limit: self.event_wire_bytes,
            });
        }
        let count = 1 + event.alternates.len();
        if count > TOPICS {
            return Err(EventTooLarge::Topics { count });
        }
        let alternates = event.alternates.iter();
        let bytes = alternates.fold(event.topic.as_str().len(), |sum, topic| {
            sum + topic.as_str().len()
        });
        if bytes > TOPICS_BYTES {
            return Err(EventTooLarge::TopicTexts { bytes });
        }
        Ok(())
    }

    /// The most that topics, id and lines of one event have together, in bytes.
    pub fn entry_bytes(&self) -> usize {
        self.event_wire_bytes
            .saturating_add(TOPICS_BYTES + ID_BYTES)
    }

    /// Whether the limits can hold together.
    ///
    /// # Errors
    /// The first [`InconsistentLimits`].
    pub fn check(&self) -> Result<(), InconsistentLimits> {
        self.check_not_zero()?;
        let wire_least = self
            .event_data_bytes
            .saturating_add(DATA_LINE_BYTES + EVENT_OVERHEAD_BYTES);
        at_least(
            ("event_wire_bytes", self.event_wire_bytes),
            ("one event of one line", wire_least),
            &format!(
                "event_data_bytes {} + {DATA_LINE_BYTES} for the line + {EVENT_OVERHEAD_BYTES} \
                 for id, type and retry",
                self.event_data_bytes
            ),
        )?;
        let line_least = self
            .event_data_bytes
            .saturating_add(EVENT_OVERHEAD_BYTES + Topic::MAX_BYTES);
        let line_how = format!(
            "event_data_bytes {} + {EVENT_OVERHEAD_BYTES} for id, type and retry + {} for the topic",
            self.event_data_bytes,
            Topic::MAX_BYTES
        );
        for (name, value) in [
            ("line_bytes", self.line_bytes),
            ("batch_bytes", self.batch_bytes),
            ("publish_body_bytes", self.publish_body_bytes),
        ] {
            at_least((name, value), ("one event", line_least), &line_how)?;
        }
        at_least(
            ("publish_body_bytes", self.publish_body_bytes),
            ("one batch", self.batch_bytes),
            "batch_bytes",
        )?;
        for (name, value) in [
            ("publish_queue_bytes", self.publish_queue_bytes),
            ("tail_bytes", self.tail_bytes),
            ("lag_bytes", self.lag_bytes),
        ] {
            at_least(
                (name, value),
                ("one event", self.event_wire_bytes),
                "event_wire_bytes",
            )?;
        }
        self.check_places()?;
        self.check_times()?;
        self.check_memory()
    }

    /// Whether the process may open the files and sockets it needs.
    ///
    /// # Errors
    /// [`InconsistentLimits`] if `descriptors`, the process's limit of open
    /// files, is too low for [`Limits::connections`] beside what a hub with
    /// `lanes` lanes opens itself.
    pub fn check_descriptors(
        &self,
        descriptors: u64,
        lanes: usize,
    ) -> Result<(), InconsistentLimits> {
        let own = own_descriptors(lanes);
        let needed = (self.connections as u64).saturating_add(own);
        if descriptors >= needed {
            return Ok(());
        }
        Err(InconsistentLimits {
            setting: "connections",
            explanation: format!(
                "the process may open {descriptors} files, but connections {} + {own} for the \
                 hub itself = {needed}; raise the limit of open files (ulimit -n, LimitNOFILE), \
                 or lower connections and subscriptions",
                self.connections
            ),
        })
    }

    fn check_places(&self) -> Result<(), InconsistentLimits> {
        at_least(
            ("connections", self.connections),
            ("one watcher and those who publish", SPARE_CONNECTIONS + 1),
            &format!("1 + {SPARE_CONNECTIONS} that don't watch"),
        )
    }

    fn check_not_zero(&self) -> Result<(), InconsistentLimits> {
        for (setting, value) in [
            ("batch_events", self.batch_events),
            ("publish_bodies", self.publish_bodies),
            ("subscriptions", self.subscriptions),
            (
                "subscriptions_per_address",
                self.subscriptions_per_address.unwrap_or(usize::MAX),
            ),
            (
                "selectors_per_subscription",
                self.selectors_per_subscription,
            ),
            ("pattern_bytes", self.pattern_bytes),
            ("presence_bytes", self.presence_bytes),
            ("query_bytes", self.query_bytes),
            ("subscription_buffer_bytes", self.subscription_buffer_bytes),
        ] {
            at_least((setting, value), ("the smallest that works", 1), "one")?;
        }
        Ok(())
    }

    fn check_times(&self) -> Result<(), InconsistentLimits> {
        let ms = |time: Duration| time.as_millis();
        if self.heartbeat.is_zero() || self.heartbeat >= self.idle_timeout {
            return Err(InconsistentLimits {
                setting: "heartbeat",
                explanation: format!(
                    "heartbeat {} ms must be more than 0 and less than idle_timeout {} ms, or \
                     quiet streams are given up between two heartbeats",
                    ms(self.heartbeat),
                    ms(self.idle_timeout)
                ),
            });
        }
        if self.stall.is_zero() {
            return Err(InconsistentLimits {
                setting: "stall",
                explanation: "stall 0 ms would end every stream that waits at all".to_owned(),
            });
        }
        let longest = ms(self.retry).saturating_mul(RETRY_SPREAD.into());
        if ms(self.retry) < RETRY_MIN_MS.into() || longest > RETRY_MAX_MS.into() {
            return Err(InconsistentLimits {
                setting: "retry",
                explanation: format!(
                    "retry {} ms must be at least {RETRY_MIN_MS} ms, and spread over \
                     {RETRY_SPREAD} times that, {longest} ms, at most {RETRY_MAX_MS} ms",
                    ms(self.retry)
                ),
            });
        }
        Ok(())
    }

    fn check_memory(&self) -> Result<(), InconsistentLimits> {
        let worst = self.worst_case_bytes();
        match self.memory_bytes {
            Some(memory) if worst > memory => Err(InconsistentLimits {
                setting: "memory_bytes",
                explanation: format!(
                    "at worst {} = {worst} bytes, but memory_bytes is {memory}: lower a limit or raise \
                     memory_bytes",
                    self.worst_case_arithmetic().join(" + "),
                ),
            }),
            _ => Ok(()),
        }
    }
}

/// File descriptors that a hub with `lanes` lanes needs besides its connections.
pub fn own_descriptors(lanes: usize) -> u64 {
    OWN_DESCRIPTORS.saturating_add(LANE_DESCRIPTORS.saturating_mul(lanes as u64))
}

/// How many bytes an event with this data takes on the wire at most.
pub fn wire_bytes(data: &str) -> usize {
    tidings_codec::encoded_data_len(data) + EVENT_OVERHEAD_BYTES
}

fn at_least(
    (setting, value): (&'static str, usize),
    (what, least): (&str, usize),
    how: &str,
) -> Result<(), InconsistentLimits> {
    if value >= least {
        return Ok(());
    }
    Err(InconsistentLimits {
        setting,
        explanation: format!(
            "{setting} {value} has no room for {what}: {how} = {least}; raise {setting}"
        ),
    })
}
