//! The standing of one stream: who watches, what they may see of it, and until
//! when. Renewal, revocation and the replacement of a ticket's stream find it
//! here; whoever carries the stream asks it before anything is read.

use super::tickets::Opened;
use super::view::{Rules, View};
use super::{Auth, Refused, Who};
use crate::hub::now;
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, Weak};
use std::time::Duration;
use tidings_auth::ticket::StreamId;
use tidings_auth::{Action, TopicName, authorize, identify};
use tidings_auth::{Admission, Face, Refusal, Revocations, Rights, Selection, Timestamp};
use tidings_engine::{Entry, Sight, Topic};

/// Names a stream to whoever watches it: 128 random bits, told to them alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConnectionId(u128);

impl ConnectionId {
    /// A new one.
    ///
    /// # Errors
    /// If the system has no randomness to give.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)?;
        Ok(Self(u128::from_be_bytes(bytes)))
    }

    /// Reads what [`fmt::Display`] writes: 32 digits, in lower case.
    pub fn parse(text: &str) -> Option<Self> {
        let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let is_id = text.len() == 32 && text.as_bytes().iter().all(is_digit);
        let id = u128::from_str_radix(text, 16).ok().filter(|_| is_id)?;
        Some(Self(id))
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// A stream that somebody asks for.
#[derive(Debug, Clone)]
pub struct Wish {
    /// Through which face.
    pub face: Face,
    /// What it would watch.
    pub selection: Selection,
    /// By which name its watcher could renew its token.
    pub connection: Option<ConnectionId>,
    /// How long it lives at most, whatever its rights.
    pub lifetime: Option<Duration>,
}

/// A stream that may begin.
#[derive(Debug)]
pub struct Admitted {
    /// What it watches, as far as it may see it.
    pub selection: Selection,
    /// What may end it before its time, if anything may.
    pub standing: Option<Arc<Standing>>,
}

/// Why a stream ends before its watcher wants it to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// Its rights have ended: expired, revoked, or taken over by another stream.
    Rights,
    /// It has lived as long as a stream may.
    Lifetime,
}

type Carrier = Box<dyn Fn(&Standing) + Send + Sync>;

/// What a stream's rights are, and until when.
pub struct Standing {
    id: StreamId,
    connection: Option<ConnectionId>,
    watched: Selection,
    view: RwLock<Arc<View>>,
    /// When its rights end, in milliseconds since the Unix epoch; `u64::MAX` if never.
    expires: AtomicU64,
    /// When its life ends, likewise.
    dies: u64,
    ended: AtomicBool,
    /// Tells whoever carries the stream that something here has changed.
    carrier: OnceLock<Carrier>,
    registry: Weak<Standings>,
    /// The ticket that it was opened with.
    ticket: OnceLock<Opened>,
}

impl Standing {
    /// Its name, which no other stream of this hub has had since it started.
    pub fn id(&self) -> StreamId {
        self.id
    }

    /// The name that its watcher was told.
    #[cfg(test)]
    pub fn connection(&self) -> Option<ConnectionId> {
        self.connection
    }

    /// The face that it was asked for on.
    pub fn face(&self) -> Face {
        self.view().face
    }

    /// What was asked for; how much of it is given says [`Self::view`].
    #[cfg(test)]
    pub fn watched(&self) -> &Selection {
        &self.watched
    }

    /// What it may see.
    pub fn view(&self) -> Arc<View> {
        Arc::clone(&self.view.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What its subscription sees by; `None` on a hub that has no keys.
    pub fn sight(&self) -> Option<Arc<dyn Sight>> {
        let view = self.view();
        (!view.rules.open).then_some(view as Arc<dyn Sight>)
    }

    /// What its token grants; `None` for whoever has none.
    pub fn rights(&self) -> Option<Arc<Rights>> {
        self.view().rights.clone()
    }

    /// When it ends by itself. `None` if it doesn't.
    pub fn ends_at(&self) -> Option<Timestamp> {
        let end = self.dies.min(self.expires.load(Ordering::Acquire));
        (end != u64::MAX).then_some(Timestamp(end))
    }

    /// Whether the stream has to end, and why. Nothing more may be read for it then.
    pub fn over(&self, now: Timestamp) -> Option<Over> {
        let expired = self.expires.load(Ordering::Acquire) <= now.0;
        if expired || self.ended.load(Ordering::Acquire) {
            return Some(Over::Rights);
        }
        (self.dies <= now.0).then_some(Over::Lifetime)
    }

    /// Ends the stream, soon.
    pub fn end(&self) {
        self.ended.store(true, Ordering::Release);
        self.tell();
    }

    /// Its rights have expired now. Nobody is told, as nobody is when time passes.
    #[cfg(test)]
    pub fn expire(&self) {
        self.expires.store(0, Ordering::Release);
    }

    /// Replaces its rights, from the next event on. What it watches has to be
    /// granted by them as when a stream begins.
    ///
    /// # Errors
    /// Where a stream of these rights couldn't begin; then nothing changes.
    pub fn renew(&self, auth: &Auth, rights: Arc<Rights>) -> Result<(), Refusal> {
        let view = auth.view(Some(rights), self.face());
        admit(&view, &self.watched)?;
        let expires = expiry(&view);
        {
            let mut own = self.view.write().unwrap_or_else(PoisonError::into_inner);
            *own = Arc::new(view);
            self.expires.store(expires, Ordering::Release);
        }
        self.tell();
        // What was revoked meanwhile was looked for in the rights of before.
        self.recheck(auth);
        Ok(())
    }

    /// Has `told` called after each change. To be called once, by whoever
    /// carries the stream, before it looks at anything else here.
    pub fn carried_by(&self, told: impl Fn(&Self) + Send + Sync + 'static) {
        // A second carrier would be a defect; the first one stays.
        let _ = self.carrier.set(Box::new(told));
    }

    fn tell(&self) {
        if let Some(told) = self.carrier.get() {
            told(self);
        }
    }

    /// Ends the stream if its rights have been revoked since its view was made,
    /// or the key that vouched for them is gone.
    fn recheck(&self, auth: &Auth) {
        let newest = auth.revocations();
        let is_news = !Arc::ptr_eq(&self.view().revocations, &newest);
        let unvouched = |rights: Arc<Rights>| !auth.vouches(&rights);
        if is_news && self.is_concerned(&newest) || self.rights().is_some_and(unvouched) {
            self.end();
        }
    }

    /// Whether a list of revocations takes anything from its token that the list
    /// which stood when its view was made doesn't. Which topics doesn't matter:
    /// an event may be granted by any of its own, also by one that isn't watched.
    fn is_concerned(&self, newest: &Revocations) -> bool {
        let (view, now) = (self.view(), now());
        let Some(rights) = &view.rights else {
            return false;
        };
        let before = (&*view.revocations, view.since);
        newest.revoke(rights, now) || newest.withdraws_more(rights, before, now)
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        if let Some(registry) = self.registry.upgrade() {
            registry.forget(self.id, self.connection);
        }
        if let (None, Some(opened)) = (self.carrier.get(), self.ticket.get()) {
            opened.take_back();
        }
    }
}

impl fmt::Debug for Standing {
    /// Neither its name, which is its watcher's, nor what it was granted.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Standing").finish_non_exhaustive()
    }
}

/// The standings of the streams there are.
#[derive(Default)]
pub struct Standings {
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    last: u64,
    by_id: HashMap<StreamId, Weak<Standing>>,
    by_connection: HashMap<ConnectionId, StreamId>,
}

impl Standings {
    /// The stream of this name, if it is there.
    pub fn find(&self, id: StreamId) -> Option<Arc<Standing>> {
        self.known().by_id.get(&id)?.upgrade()
    }

    /// The stream whose watcher was told this name, if it is there.
    pub fn connection(&self, id: ConnectionId) -> Option<Arc<Standing>> {
        let known = self.known();
        let id = known.by_connection.get(&id)?;
        known.by_id.get(id)?.upgrade()
    }

    /// All of them, at this moment.
    pub fn all(&self) -> Vec<Arc<Standing>> {
        // The last holder of a standing forgets it here: never under the lock.
        let known = self.known();
        known.by_id.values().filter_map(Weak::upgrade).collect()
    }

    /// Whether there is none.
    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.known().by_id.is_empty()
    }

    /// Ends the streams that `revocations` concern: of tokens that are revoked,
    /// and of tokens that have lost topics. Those resume with what is left.
    ///
    /// Whoever revokes has the new list stand first ([`Auth::revocations`]):
    /// a stream that begins meanwhile looks there.
    pub fn revoke(&self, revocations: &Revocations) {
        let all = self.all();
        let concerned = all.iter().filter(|own| own.is_concerned(revocations));
        concerned.for_each(|standing| standing.end());
    }

    fn add(self: &Arc<Self>, wish: &Wish, view: View, now: Timestamp) -> Arc<Standing> {
        let dies = wish.lifetime.map_or(u64::MAX, |lifetime| {
            let lifetime = u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX);
            now.0.saturating_add(lifetime)
        });
        let mut known = self.known();
        known.last += 1;
        let id = StreamId(known.last);
        let standing = Arc::new(Standing {
            id,
            connection: wish.connection,
            watched: wish.selection.clone(),
            expires: expiry(&view).into(),
            view: RwLock::new(Arc::new(view)),
            dies,
            ended: AtomicBool::new(false),
            carrier: OnceLock::new(),
            registry: Arc::downgrade(self),
            ticket: OnceLock::new(),
        });
        known.by_id.insert(id, Arc::downgrade(&standing));
        if let Some(connection) = wish.connection {
            known.by_connection.insert(connection, id);
        }
        standing
    }

    fn forget(&self, id: StreamId, connection: Option<ConnectionId>) {
        let mut known = self.known();
        known.by_id.remove(&id);
        if let Some(connection) = connection {
            known.by_connection.remove(&connection);
        }
        let Known {
            by_id,
            by_connection,
            ..
        } = &mut *known;
        shrink(by_id);
        shrink(by_connection);
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Auth {
    /// Decides whether a stream may begin, and what of it its watcher is given.
    ///
    /// # Errors
    /// [`Refused`], which is counted and logged.
    pub fn stand(&self, who: &Who, wish: Wish) -> Result<Admitted, Refused> {
        let lasts = wish.connection.is_some() || wish.lifetime.is_some();
        if !lasts && (who.rights().is_none() || self.is_open()) {
            let selection = self.see(who, wish.face, wish.selection)?;
            let standing = None;
            return Ok(Admitted {
                selection,
                standing,
            });
        }
        let view = self.view(who.rights().cloned(), wish.face);
        admit(&view, &wish.selection).map_err(|refusal| self.refuse(refusal))?;
        let standing = self.standings.add(&wish, view, now());
        if let Who::Ticket(ticket, what_for) = who {
            let opened = self.present(ticket, *what_for, standing.id());
            let opened = opened.map_err(|refusal| self.refuse(refusal))?;
            // It is the only one there is of a stream that begins.
            let _ = standing.ticket.set(opened);
        }
        standing.recheck(self);
        let selection = match standing.sight() {
            None => wish.selection,
            Some(sight) => wish.selection.with_sight(sight),
        };
        Ok(Admitted {
            selection,
            standing: Some(standing),
        })
    }

    /// Decides whether what is selected may be read at this moment, and what of
    /// it is given: a page of history.
    ///
    /// # Errors
    /// [`Refused`], which is counted and logged.
    pub fn see(&self, who: &Who, face: Face, selection: Selection) -> Result<Selection, Refused> {
        if let Who::Ticket(..) = who {
            return Err(self.refuse(Refusal::TicketElsewhere));
        }
        let view: Arc<View> = match who.rights() {
            // One for all, so that what is read for one is read for all.
            None => Arc::clone(self.strangers.on(face)),
            Some(rights) => Arc::new(self.view(Some(Arc::clone(rights)), face)),
        };
        admit(&view, &selection).map_err(|refusal| self.refuse(refusal))?;
        match self.is_open() {
            true => Ok(selection),
            false => Ok(selection.with_sight(view as Arc<dyn Sight>)),
        }
    }

    /// Decides whether it may be seen at this moment who is at these topics.
    ///
    /// # Errors
    /// [`Refused`], which is counted and logged.
    pub fn may_see_present(&self, who: &Who, topics: &[Topic]) -> Result<(), Refused> {
        if let Who::Ticket(..) = who {
            return Err(self.refuse(Refusal::TicketElsewhere));
        }
        let revocations = self.revocations();
        let policy = self.policy(&revocations);
        let names = topics
            .iter()
            .map(|topic| TopicName::native(topic, self.base()));
        let names: Vec<_> = names.collect();
        let decision = authorize(who.caller(), Action::Presence, &names, &policy, now());
        decision.map_err(|refusal| self.refuse(refusal))
    }

    /// Decides whether an event may be published to all these topics at this
    /// moment. To be asked of every event.
    ///
    /// # Errors
    /// [`Refused`], which is counted and logged.
    pub fn may_publish(&self, who: &Who, topics: &[TopicName<'_>]) -> Result<(), Refused> {
        self.still_publishes(who)?;
        let revocations = self.revocations();
        let policy = self.policy(&revocations);
        let decision = authorize(who.caller(), Action::Publish, topics, &policy, now());
        decision.map_err(|refusal| self.refuse(refusal))
    }

    /// As [`Self::may_publish`], of an event as the log will have it.
    ///
    /// # Errors
    /// [`Refused`], which is counted and logged.
    pub fn may_publish_entry(&self, who: &Who, entry: &Entry) -> Result<(), Refused> {
        let topics = std::iter::once(&entry.topic).chain(entry.alternates.iter());
        let names = topics.map(|topic| TopicName::native(topic, self.base()));
        self.may_publish(who, &names.collect::<Vec<_>>())
    }

    /// Decides whether whoever has begun to publish still counts, whatever they
    /// were granted: their token hasn't expired, it isn't revoked, and the key
    /// that vouched for it is still there.
    ///
    /// # Errors
    /// [`Refused`], which is counted and logged.
    pub fn still_publishes(&self, who: &Who) -> Result<(), Refused> {
        if self.is_open() {
            return Ok(());
        }
        let revocations = self.revocations();
        let decision = match who {
            Who::Ticket(..) => Err(Refusal::TicketElsewhere),
            Who::Holder(rights) if !self.vouches(rights) => Err(Refusal::Unvouched),
            _ => identify(who.caller(), &self.policy(&revocations), now()),
        };
        decision.map_err(|refusal| self.refuse(refusal))
    }

    /// Decides whether anything may be published at this moment, before it is
    /// known where: so that whoever may not needn't send it.
    ///
    /// # Errors
    /// [`Refused`], which is counted and logged.
    pub fn may_publish_somewhere(&self, who: &Who) -> Result<(), Refused> {
        let refusal = match who {
            _ if self.is_open() => return Ok(()),
            Who::Holder(rights) if !rights.publish.is_empty() => return Ok(()),
            Who::Holder(_) => Refusal::PublishNotGranted,
            Who::Anonymous => Refusal::Anonymous,
            Who::Ticket(..) => Refusal::TicketElsewhere,
        };
        Err(self.refuse(refusal))
    }

    /// The streams that have a standing.
    pub fn standings(&self) -> &Standings {
        &self.standings
    }

    fn view(&self, rights: Option<Arc<Rights>>, face: Face) -> View {
        View {
            face,
            rules: Arc::clone(&self.rules),
            revocations: self.revocations(),
            rights,
            since: now(),
        }
    }
}

/// What whoever has no token sees on either face.
pub struct Strangers {
    native: Arc<View>,
    mercure: Arc<View>,
}

impl Strangers {
    /// By the hub's rules.
    pub fn new(rules: &Arc<Rules>) -> Self {
        let view = |face| {
            Arc::new(View {
                face,
                rules: Arc::clone(rules),
                revocations: Arc::default(),
                rights: None,
                since: Timestamp(0),
            })
        };
        Self {
            native: view(Face::Native),
            mercure: view(Face::Mercure),
        }
    }

    /// On one of them.
    pub fn on(&self, face: Face) -> &Arc<View> {
        match face {
            Face::Native => &self.native,
            Face::Mercure => &self.mercure,
        }
    }
}

/// Whether what is selected may be watched with this view.
fn admit(view: &View, selection: &Selection) -> Result<(), Refusal> {
    let admission = match view.face {
        Face::Native => Admission::Native(selection, &view.rules.base),
        Face::Mercure => Admission::Mercure,
    };
    admission.check(view.caller(), &view.policy(), view.since)
}

/// When its rights end, in milliseconds since the Unix epoch.
fn expiry(view: &View) -> u64 {
    let expires = view.rights.as_ref().and_then(|rights| rights.expires);
    expires.map_or(u64::MAX, |at| at.0)
}

fn shrink<K: Eq + std::hash::Hash, V>(map: &mut HashMap<K, V>) {
    if map.capacity() > 4 * map.len() + 64 {
        map.shrink_to(2 * map.len());
    }
}

#[cfg(test)]
mod tests;
