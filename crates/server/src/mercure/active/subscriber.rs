//! One stream, as those see it who ask who is there.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tidings_auth::Rights;
use tidings_engine::{Entry, Event, Timestamp, Topic, Visibility};
use tidings_mercure::document::{Active, subscription::SubscriptionEvent};
use tidings_mercure::{Base, Dialect, Matcher, native};

/// What every scheme of the name begins with (RFC 9562).
const NAME: &str = "urn:uuid:";
/// What a stream costs besides its matchers: its name, its places in the
/// registry, what waits to be said of it, counters. Rounded up.
const OVERHEAD_BYTES: usize = 384;
/// What a matcher costs besides its text.
const MATCHER_BYTES: usize = 64;
/// The longest path of a subscription that is told of, in bytes. It stands twice in
/// each event, and whoever may watch at all makes events of any matcher.
const PATH_BYTES: usize = 2048;

/// A stream and what it watches. Counts as long as anyone has it.
pub struct Subscriber {
    name: Box<str>,
    matchers: Box<[Matcher]>,
    rights: Option<Arc<Rights>>,
    _held: Held,
}

/// Bytes of what all subscribers may take together, until it is dropped.
struct Held {
    all: Arc<AtomicUsize>,
    bytes: usize,
}

impl Subscriber {
    /// The stream numbered `id`, whose 122 lower bits are random, as far as what
    /// it watches can be told; `None` if nothing of it can. What it takes is
    /// counted in `all`.
    ///
    /// A matcher that is so long that the path of its subscription, which is the
    /// topic of its events, is longer than [`PATH_BYTES`] or couldn't be a topic of
    /// the log isn't told of: those who watch the events would else find it in the
    /// documents for ever.
    pub fn new(
        id: u128,
        matchers: &[Matcher],
        rights: Option<Arc<Rights>>,
        terms: &Terms<'_>,
        all: &Arc<AtomicUsize>,
    ) -> Option<Self> {
        let name = name(id);
        let can_be_told = |matcher: &&Matcher| {
            let active = describe(matcher, &name, rights.as_deref(), true, terms.base);
            dialects().all(|dialect| match active.event(dialect, terms.base) {
                Some(event) => fits(event, terms),
                None => true,
            })
        };
        let matchers: Box<[Matcher]> = matchers.iter().filter(can_be_told).cloned().collect();
        if matchers.is_empty() {
            return None;
        }
        let texts = matchers
            .iter()
            .map(|matcher| matcher.as_str().len() + MATCHER_BYTES);
        let bytes = OVERHEAD_BYTES + texts.sum::<usize>();
        all.fetch_add(bytes, Ordering::Relaxed);
        let all = Arc::clone(all);
        Some(Self {
            name: name.into(),
            matchers,
            rights,
            _held: Held { all, bytes },
        })
    }

    /// `urn:uuid:...`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many subscriptions it has.
    pub fn len(&self) -> usize {
        self.matchers.len()
    }

    /// Its subscriptions, each as it is described.
    pub fn subscriptions<'a>(
        &'a self,
        active: bool,
        base: &'a Base,
    ) -> impl Iterator<Item = Active<'a>> {
        let rights = self.rights.as_deref();
        let matchers = self.matchers.iter();
        matchers.map(move |matcher| describe(matcher, &self.name, rights, active, base))
    }

    /// What the log is told when its subscriptions begin or end: of each, an
    /// event in every dialect that can say it.
    pub fn entries<'a>(
        &'a self,
        active: bool,
        now: Timestamp,
        base: &'a Base,
    ) -> impl Iterator<Item = Entry> + 'a {
        self.subscriptions(active, base).flat_map(move |active| {
            let events = dialects().filter_map(move |dialect| active.event(dialect, base));
            events.filter_map(move |event| entry(event, now, base))
        })
    }
}

impl fmt::Debug for Subscriber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscriber")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// What an event about a subscription has to keep to.
pub struct Terms<'a> {
    /// The hub's own URLs.
    pub base: &'a Base,
    /// The longest event of the log, in bytes.
    pub event_bytes: usize,
}

/// The name of a random version 4 UUID (RFC 9562, section 5.4).
fn name(id: u128) -> String {
    const VERSION: u128 = 0xf << 76;
    const VARIANT: u128 = 0b11 << 62;
    let id = id & !VERSION & !VARIANT | 4 << 76 | 0b10 << 62;
    let hex = format!("{id:032x}");
    let parts = [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ];
    format!("{NAME}{}", parts.join("-"))
}

fn describe<'a>(
    matcher: &'a Matcher,
    subscriber: &'a str,
    rights: Option<&'a Rights>,
    active: bool,
    base: &Base,
) -> Active<'a> {
    Active {
        matcher,
        subscriber,
        active,
        payload: rights.and_then(|rights| rights.payload(matcher.as_str(), base)),
    }
}

fn dialects() -> impl Iterator<Item = Dialect> {
    [Dialect::V0, Dialect::V1].into_iter()
}

fn fits(event: SubscriptionEvent, terms: &Terms<'_>) -> bool {
    // The end is said with the same event, which has `false` for `true`.
    const LONGER: usize = 1;
    if event.topic.len() > PATH_BYTES {
        return false;
    }
    let entry = entry(event, Timestamp(0), terms.base);
    entry.is_some_and(|entry| entry.fields.len() + LONGER <= terms.event_bytes)
}

fn entry(event: SubscriptionEvent, now: Timestamp, base: &Base) -> Option<Entry> {
    let event_type = event.event_type.map(tidings_codec::EventType::new);
    let event = Event {
        topic: native::from_mercure(&event.topic, base)?,
        alternates: Box::<[Topic]>::default(),
        visibility: Visibility::Private,
        event_type: event_type.transpose().ok()?,
        id: None,
        retry: None,
        data: event.data.into(),
    };
    Some(event.into_entry(now, None))
}
