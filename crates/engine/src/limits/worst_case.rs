//! What limits can cost in memory when everything they allow is used at once.

use super::{
    BODY_FREE_BYTES, BODY_WINDOW_BYTES, CLOSED_BYTES, ENVELOPE_FACTOR, EVENT_TOPICS_BYTES,
    HEAD_BYTES, Limits, OWN_LOG_BYTES, PAGES_BYTES, QUERY_BODIES,
};
use crate::Topic;
use crate::own::PRESENCE;

/// What a subscription of HTTP/1.1 costs beside its selectors and its buffer, in
/// bytes, rounded up: its state in a lane, index entries, and its socket's place.
/// Measured: 650 to 930 bytes, with one short topic.
pub const LANE_BYTES: u64 = 2 * 1024;
/// The same of one of 100 streams of an HTTP/2 connection: hyper's and h2's state
/// of the stream, with its task. Measured: 1.5 KB, and 6.7 KB while its request is
/// being answered.
pub const HTTP2_STREAM_BYTES: u64 = 8 * 1024;
/// What a subscription costs at most, whichever way it is carried.
pub const SUBSCRIPTION_BYTES: u64 = max(LANE_BYTES, HTTP2_STREAM_BYTES);
/// What TLS adds to a connection at most, in bytes: its state, of which less than
/// 4 KB were measured when idle, and a record of 16 KiB and its frame each way.
pub const TLS_BYTES: u64 = (8 + 17 + 17) * 1024;
/// What a connection costs at most beside TLS and the streams and bodies on it,
/// in bytes: hyper's state with its buffers, of which 27 KB were measured over
/// HTTP/1.1 and 22 KB over HTTP/2, and a head that is being received or answered.
pub const CONNECTION_BYTES: u64 = 28 * 1024 + HEAD_BYTES as u64;

/// A frame of the own log and its envelope, in which what JSON has to escape of JSON
/// is twice as long at most: it has no control characters.
const OWN_FORMS: usize = 1 + 2;

/// Where a selector of the own log stands: in the selection, in the index of all who
/// watch that log, and in that of those of a lane, or of a set.
const ACCOUNT_PLACES: u64 = 3;

/// One term of the sum.
struct Term {
    bytes: u64,
    name: &'static str,
    how: String,
}

impl Limits {
    /// The most memory that events, connections and subscriptions can take, in
    /// bytes. The binary itself and its stacks come on top.
    pub fn worst_case_bytes(&self) -> u64 {
        self.worst_case()
            .iter()
            .fold(0, |sum, term| sum.saturating_add(term.bytes))
    }

    /// [`Limits::worst_case_bytes`], spelled out: a line for each term.
    pub fn worst_case_arithmetic(&self) -> Vec<String> {
        let line = |term: &Term| format!("{} {} ({})", term.bytes, term.name, term.how);
        self.worst_case().iter().map(line).collect()
    }

    /// What one more place costs at worst, in bytes: a subscription with a
    /// connection of its own.
    pub fn place_bytes(&self) -> u64 {
        self.each_connection()
            .saturating_add(self.each_subscription())
            .saturating_add(self.subscription_buffer_bytes as u64)
    }

    fn each_connection(&self) -> u64 {
        CONNECTION_BYTES + if self.tls { TLS_BYTES } else { 0 }
    }

    fn each_subscription(&self) -> u64 {
        // Selectors stand in the selection and, split, in the index.
        SUBSCRIPTION_BYTES
            .saturating_add(self.selector_bytes().saturating_mul(2))
            .saturating_add(self.account_bytes().saturating_mul(ACCOUNT_PLACES))
            .saturating_add(self.standing_bytes as u64)
    }

    /// The longest selectors that one subscription can watch of the own log, together:
    /// with `presence=1` each topic that it names, once more as what tells who is there.
    fn account_bytes(&self) -> u64 {
        let named = self.selectors_per_subscription.min(self.query_bytes) as u64;
        let prefixes = named.saturating_mul(PRESENCE.len() as u64 + 1);
        self.selector_bytes().saturating_add(prefixes)
    }

    /// The longest selectors that one subscription can name, together.
    fn selector_bytes(&self) -> u64 {
        let each = self
            .selectors_per_subscription
            .saturating_mul(Topic::MAX_BYTES);
        self.query_bytes.min(each) as u64
    }

    fn worst_case(&self) -> Vec<Term> {
        let product = |count: usize, each: usize| (count as u64).saturating_mul(each as u64);
        let of = |bytes, name, how| Term { bytes, name, how };
        // The newest event always stays.
        let one = self.event_wire_bytes.saturating_add(EVENT_TOPICS_BYTES);
        let tail = self.tail_bytes.max(one);
        let forms = 1 + ENVELOPE_FACTOR;
        let body = BODY_FREE_BYTES + BODY_WINDOW_BYTES;
        let (connections, subscriptions) = (self.connections, self.subscriptions);
        vec![
            of(
                product(tail, forms as usize),
                "tail",
                format!("tail_bytes {tail} × {forms}, with every envelope"),
            ),
            of(
                self.publish_queue_bytes as u64,
                "publish queue",
                "publish_queue_bytes".into(),
            ),
            of(
                self.publish_body_bytes as u64,
                "publish bodies",
                "publish_body_bytes".into(),
            ),
            of(
                product(self.publish_bodies.saturating_add(QUERY_BODIES), body),
                "bodies just received",
                format!(
                    "(publish_bodies {} + {QUERY_BODIES} queries) × ({BODY_FREE_BYTES} + {BODY_WINDOW_BYTES} in HTTP/2's \
                     window)",
                    self.publish_bodies
                ),
            ),
            of(PAGES_BYTES as u64, "history pages", "fixed".into()),
            of(
                product(OWN_LOG_BYTES, OWN_FORMS),
                "own log",
                format!("{OWN_LOG_BYTES} × {OWN_FORMS}, with every envelope"),
            ),
            of(CLOSED_BYTES as u64, "closed topics", "fixed".into()),
            of(
                product(connections, self.each_connection() as usize),
                "connections",
                format!(
                    "connections {connections} × ({} + {HEAD_BYTES} for a head{})",
                    CONNECTION_BYTES - HEAD_BYTES as u64,
                    match self.tls {
                        true => format!(" + {TLS_BYTES} for TLS"),
                        false => String::new(),
                    }
                ),
            ),
            of(
                (subscriptions as u64).saturating_mul(self.each_subscription()),
                "subscriptions",
                format!(
                    "subscriptions {subscriptions} × ({SUBSCRIPTION_BYTES} + 2 × {} of selectors \
                     + {ACCOUNT_PLACES} × {} of those of presence{})",
                    self.selector_bytes(),
                    self.account_bytes(),
                    match self.standing_bytes {
                        0 => String::new(),
                        bytes => format!(" + {bytes} of rights"),
                    }
                ),
            ),
            of(
                self.pattern_bytes as u64,
                "patterns of Mercure's",
                "pattern_bytes".into(),
            ),
            of(
                self.presence_bytes as u64,
                "presence",
                "presence_bytes".into(),
            ),
            of(
                product(subscriptions, self.subscription_buffer_bytes),
                "subscription buffers",
                format!(
                    "subscriptions {subscriptions} × subscription_buffer_bytes {}",
                    self.subscription_buffer_bytes
                ),
            ),
        ]
    }
}

const fn max(a: u64, b: u64) -> u64 {
    if a > b { a } else { b }
}
