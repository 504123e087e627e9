use super::{DomEvent, EventSource};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A function that events are fired at. It may be called while it runs, as it
/// may itself [dispatch](EventSource::dispatch_event); so it is `Fn`, and keeps
/// what it changes in a `Mutex`, an atomic or a queue's sender.
pub type Listener = Arc<dyn Fn(&EventSource, &DomEvent) + Send + Sync>;

/// Names a listener, among those of all EventSources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ListenerId(u64);

/// Listeners in the order in which they are called: that of their
/// registration.
#[derive(Clone, Default)]
pub struct Listeners {
    entries: Vec<Entry>,
}

#[derive(Clone)]
struct Entry {
    id: ListenerId,
    /// `None`: every type.
    event_type: Option<Box<str>>,
    once: bool,
    /// Whether it stands for an event handler attribute, like `onopen`.
    is_handler: bool,
    listener: Listener,
}

impl Listeners {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// And `listener` for events of this type.
    #[must_use]
    pub fn on(
        mut self,
        event_type: &str,
        listener: impl Fn(&EventSource, &DomEvent) + Send + Sync + 'static,
    ) -> Self {
        self.add(Some(event_type), false, Arc::new(listener));
        self
    }

    /// And `listener` for every event, whatever its type. The DOM has no such
    /// thing; a host that has event targets of its own needs it.
    #[must_use]
    pub fn on_any(
        mut self,
        listener: impl Fn(&EventSource, &DomEvent) + Send + Sync + 'static,
    ) -> Self {
        self.add(None, false, Arc::new(listener));
        self
    }

    pub(super) fn add(
        &mut self,
        event_type: Option<&str>,
        once: bool,
        listener: Listener,
    ) -> ListenerId {
        let id = ListenerId::next();
        self.entries.push(Entry {
            id,
            event_type: event_type.map(Into::into),
            once,
            is_handler: false,
            listener,
        });
        id
    }

    /// What was removed, to be dropped where nothing is locked: what a
    /// listener holds may do anything when it is dropped.
    pub(super) fn remove(&mut self, id: ListenerId) -> Option<Listener> {
        let at = self.entries.iter().position(|entry| entry.id == id)?;
        Some(self.entries.remove(at).listener)
    }

    /// Sets the event handler attribute of this type. As in the HTML standard,
    /// section "Event handlers", one that replaces another takes its place, and
    /// one that is set after `None` goes to the end. Gives what was there.
    pub(super) fn set_handler(
        &mut self,
        event_type: &str,
        listener: Option<Listener>,
    ) -> Option<Listener> {
        match (self.handler_at(event_type), listener) {
            (Some(at), Some(listener)) => {
                Some(std::mem::replace(&mut self.entries[at].listener, listener))
            }
            (Some(at), None) => Some(self.entries.remove(at).listener),
            (None, Some(listener)) => {
                self.add(Some(event_type), false, listener);
                if let Some(entry) = self.entries.last_mut() {
                    entry.is_handler = true;
                }
                None
            }
            (None, None) => None,
        }
    }

    pub(super) fn handler(&self, event_type: &str) -> Option<Listener> {
        let at = self.handler_at(event_type)?;
        Some(self.entries[at].listener.clone())
    }

    /// Who is to be called for an event of this type, as of now (DOM standard,
    /// "inner invoke": the list is cloned).
    pub(super) fn of(&self, event_type: &str) -> Vec<ListenerId> {
        let matching = self.entries.iter().filter(|entry| {
            let wanted = entry.event_type.as_deref();
            wanted.is_none_or(|wanted| wanted == event_type)
        });
        matching.map(|entry| entry.id).collect()
    }

    /// The listener as it is at its turn: `None` if it was removed meanwhile.
    /// One that is called once is removed first (DOM standard, "inner invoke").
    pub(super) fn at_its_turn(&mut self, id: ListenerId) -> Option<Listener> {
        let entry = self.entries.iter().find(|entry| entry.id == id)?;
        if entry.once {
            return self.remove(id);
        }
        Some(entry.listener.clone())
    }

    fn handler_at(&self, event_type: &str) -> Option<usize> {
        self.entries
            .iter()
            .position(|entry| entry.is_handler && entry.event_type.as_deref() == Some(event_type))
    }
}

impl fmt::Debug for Listeners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let types = self.entries.iter().map(|entry| entry.event_type.as_deref());
        f.debug_list().entries(types).finish()
    }
}

impl ListenerId {
    fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}
