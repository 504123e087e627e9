//! Presence: who is connected to a topic.
//!
//! A stream holds a [`Guard`] from before its answer is sent until it ends. Who is
//! there is kept by the [`Roster`]; one task tells in the hub's own log, on
//! `$presence/{topic}`, who comes and goes. Whoever asks for it with `presence=1` is
//! given a snapshot first, and then what is told.

mod identity;
mod page;
mod tell;

pub use page::{Attendance, answer};

use crate::auth::Who;
use crate::hub::{self, now};
use crate::own::{Own, Part};
use crate::places::Place;
use crate::watch::Watch;
use identity::{Identity, Names};
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tidings_auth::Rights;
use tidings_engine::presence::{
    Full, LIST_BYTES, MemberId, Payer, Person, Roster, Rules, Snapshot,
};
use tidings_engine::{Selection, Selector, Topic, control, own};
use tokio::sync::Notify;
use tokio::time::Instant;

/// What a block takes beside its data, in bytes: `event: tidings:presence` and
/// `data: `, with their line breaks.
const FRAMING: usize = 48;

/// How presence is kept.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Of which topics.
    pub topics: Selection,
    /// For how long somebody stays who has no stream any more.
    pub grace: Duration,
    /// Up to so many members are listed.
    pub list: usize,
    /// How much time there is between two accounts of more.
    pub interval: Duration,
}

impl Default for Settings {
    /// Of all topics.
    fn default() -> Self {
        Self {
            topics: Selection::everything(),
            grace: Duration::from_secs(10),
            list: 100,
            interval: Duration::from_secs(1),
        }
    }
}

/// Who is connected to the topics of a hub.
pub struct Presence(Arc<Shared>);

struct Shared {
    topics: Selection,
    /// What is written of snapshots at once, in bytes.
    buffer: usize,
    own: Arc<Own>,
    names: Names,
    /// From here the roster's times are counted.
    started: Instant,
    roster: Mutex<Roster>,
    /// Something is due sooner than before.
    changed: Arc<Notify>,
}

/// Somebody's stream, as far as presence goes. Dropping it says that it has ended.
pub struct Guard {
    shared: Arc<Shared>,
    watched: Selection,
    member: Option<MemberId>,
    listens: bool,
    retry: Option<Duration>,
}

impl Presence {
    /// Nobody is there. What is answered beside it tells of changes, for as long as
    /// it runs.
    pub fn new(
        settings: &hub::Settings,
        own: &Arc<Own>,
    ) -> (Self, impl Future<Output = ()> + use<>) {
        let presence = &settings.presence;
        let rules = Rules {
            grace: presence.grace,
            list: presence.list,
            list_bytes: LIST_BYTES,
            interval: presence.interval,
            bytes: settings.limits.presence_bytes,
        };
        let changed = Arc::<Notify>::default();
        let shared = Arc::new(Shared {
            topics: presence.topics.clone(),
            buffer: settings.limits.subscription_buffer_bytes,
            own: Arc::clone(own),
            names: Names::new(),
            started: Instant::now(),
            roster: Mutex::new(Roster::new(rules)),
            changed: Arc::clone(&changed),
        });
        let telling = tell::tell(Arc::downgrade(&shared), changed);
        (Self(shared), telling)
    }

    /// Whether presence is kept of a topic.
    pub fn is_kept(&self, topic: &Topic) -> bool {
        self.0.is_kept(topic)
    }

    /// A stream of `who` on the connection at `place` begins: call it once the
    /// stream's place in the log is known, and before the stream is answered, so that
    /// who has the answer finds it here.
    ///
    /// # Errors
    /// [`Full`].
    pub fn attend(
        &self,
        watch: &mut Watch,
        who: &Who,
        attendance: &Attendance,
        place: Option<&Place>,
    ) -> Result<(), Full> {
        let rights = who.rights().map(|rights| &**rights);
        let rights = rights.filter(|rights| rights.name_somebody());
        let address = place.and_then(Place::address);
        let guard = self.begin(&watch.selection, rights, attendance, address)?;
        if let (Some(guard), Some(own), true) = (&guard, &mut watch.own, attendance.listens) {
            own.resync = Some(Arc::new(guard.snapshots()));
        }
        watch.presence = guard;
        Ok(())
    }

    /// `None` if nobody is there by a stream of `watched`.
    fn begin(
        &self,
        watched: &Selection,
        rights: Option<&Rights>,
        attendance: &Attendance,
        address: Option<IpAddr>,
    ) -> Result<Option<Box<Guard>>, Full> {
        let shared = &self.0;
        let identity = match (rights, &attendance.called) {
            (Some(rights), _) => Some(Identity::Holder(rights)),
            (None, Some(called)) => Some(Identity::Called(called)),
            (None, None) => attendance.listens.then_some(Identity::Stranger),
        };
        let mut topics = shared.kept(watched).peekable();
        let Some(identity) = identity.filter(|_| topics.peek().is_some()) else {
            return Ok(None);
        };
        let id = shared.names.of(identity);
        let at: Vec<_> = topics
            .map(|topic| (topic.clone(), shared.person(id, identity)))
            .collect();
        let now = (shared.now(), now());
        {
            let mut roster = shared.roster();
            roster.begin(&at, address.map(payer), now)?;
            if attendance.listens {
                at.iter().for_each(|(topic, _)| roster.listen(topic));
            }
        }
        shared.changed.notify_one();
        Ok(Some(Box::new(Guard {
            shared: Arc::clone(shared),
            watched: watched.clone(),
            member: Some(id),
            listens: attendance.listens,
            retry: None,
        })))
    }

    /// Somebody wants to be told of changes at the topics that `watched` names, and
    /// isn't there by that.
    pub fn listen(&self, watched: &Selection) -> Box<Guard> {
        let mut roster = self.0.roster();
        self.0.kept(watched).for_each(|topic| roster.listen(topic));
        Box::new(Guard {
            shared: Arc::clone(&self.0),
            watched: watched.clone(),
            member: None,
            listens: true,
            retry: None,
        })
    }

    /// Who is at a topic.
    pub fn members(&self, topic: &Topic) -> Snapshot {
        let now = self.0.now();
        self.0.roster().snapshot(topic, now)
    }

    /// How many members there are, at one topic each, and what they take in bytes.
    pub fn size(&self) -> (usize, usize) {
        let roster = self.0.roster();
        (roster.members(), roster.bytes())
    }
}

impl Guard {
    /// What gives snapshots of all its topics, as blocks, at any time while it
    /// listens: in parts, each no longer than what is kept for a stream.
    pub fn snapshots(&self) -> impl Fn(usize) -> Part + Send + Sync + 'static {
        let (shared, watched) = (Arc::clone(&self.shared), self.watched.clone());
        move |from| shared.snapshots(&watched, from)
    }

    /// The hub ends the stream and asks it to come back in so many milliseconds.
    pub fn stays(&mut self, retry_ms: u64) {
        self.retry = Some(Duration::from_millis(retry_ms));
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let now = self.shared.now();
        let topics = || self.shared.kept(&self.watched);
        let mut roster = self.shared.roster();
        if let Some(member) = self.member {
            roster.end(member, topics(), self.retry, now);
        }
        if self.listens {
            topics().for_each(|topic| roster.ignore(topic));
        }
        drop(roster);
        self.shared.changed.notify_one();
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").finish_non_exhaustive()
    }
}

impl Shared {
    fn roster(&self) -> MutexGuard<'_, Roster> {
        // Every change to it is a single call.
        self.roster.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn is_kept(&self, topic: &Topic) -> bool {
        !topic.is_reserved() && self.topics.matches(topic) && told_at(topic).is_some()
    }

    /// The topics at which somebody is who watches `watched`: those it names.
    fn kept<'a>(&'a self, watched: &'a Selection) -> impl Iterator<Item = &'a Topic> {
        let exact = watched.selectors().iter().filter_map(|own| match own {
            Selector::Exact(topic) => Some(topic),
            Selector::Pattern(_) | Selector::Mercure(_) => None,
        });
        exact.filter(|topic| self.is_kept(topic))
    }

    /// What is shown of somebody.
    fn person(&self, id: MemberId, identity: Identity<'_>) -> Arc<Person> {
        let (called, data) = match identity {
            Identity::Called(called) => (Some(called.into()), None),
            Identity::Stranger => (None, None),
            Identity::Holder(rights) => {
                let shown = rights.shown();
                (None, shown.map(|shown| shown.to_string().into()))
            }
        };
        Arc::new(Person {
            id,
            lasts: !matches!(identity, Identity::Stranger),
            called,
            data,
        })
    }

    /// Who is there at the topics that `watched` names, from the one with this number
    /// on. A list for which there is never room is told as that of a crowd is.
    fn snapshots(&self, watched: &Selection, from: usize) -> Part {
        let (mut out, mut next) = (Vec::new(), None);
        let now = self.now();
        for (number, topic) in self.kept(watched).enumerate().skip(from) {
            // One at a time: others wait for the roster.
            let mut snapshot = self.roster().snapshot(topic, now);
            let mut data = snapshot.to_json();
            if data.len() + FRAMING > self.buffer {
                snapshot.members = None;
                data = snapshot.to_json();
            }
            if !out.is_empty() && out.len() + data.len() + FRAMING > self.buffer {
                next = Some(number);
                break;
            }
            control::put_presence(&mut out, &data);
        }
        Part {
            // Without what the vector has to spare: it may be kept for long.
            blocks: out.into_boxed_slice().into(),
            next,
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // Whoever waits for changes finds that there will be none.
        self.changed.notify_one();
    }
}

/// Where it is told who is at `topic`; `None` for a topic that is too long for that.
pub fn told_at(topic: &Topic) -> Option<Topic> {
    Topic::new(&format!("{}/{topic}", own::PRESENCE)).ok()
}

/// Who answers for what somebody takes who is connected from `address`.
fn payer(address: IpAddr) -> Payer {
    Payer(match address {
        IpAddr::V4(own) => own.to_ipv6_mapped().to_bits(),
        IpAddr::V6(own) => own.to_bits(),
    })
}
