//! What one stream, or one page of history, may see of what it watches.

use std::any::Any;
use std::sync::Arc;
use tidings_auth::{
    Action, Caller, Face, Policy, Revocations, Rights, Selection, Timestamp, TopicName, authorize,
};
use tidings_engine::{Published, Sight};
use tidings_mercure::Base;

/// What the hub's configuration opens to everyone.
#[derive(Debug)]
pub struct Rules {
    /// The hub's own URLs.
    pub base: Arc<Base>,
    /// Everyone may do everything.
    pub open: bool,
    /// The native topics that may be watched without a token.
    pub anonymous: Selection,
    /// Whoever has no token may watch Mercure's public events on its face.
    pub mercure_anonymous: bool,
}

impl Rules {
    /// What [`authorize`] is to decide by.
    pub fn policy<'a>(&'a self, revocations: &'a Revocations) -> Policy<'a> {
        Policy {
            open: self.open,
            anonymous: &self.anonymous,
            mercure_anonymous: self.mercure_anonymous,
            revocations,
        }
    }
}

/// What somebody may see, as it stood at one moment. It never changes: who is
/// given other rights has another view, and a stream whose rights have ended is
/// ended and not blinded, since what a sight hides is passed over for good.
#[derive(Debug)]
pub struct View {
    pub(super) face: Face,
    pub(super) rules: Arc<Rules>,
    pub(super) revocations: Arc<Revocations>,
    /// `None` for whoever has no token.
    pub(super) rights: Option<Arc<Rights>>,
    /// When that was.
    pub(super) since: Timestamp,
}

impl View {
    /// Whom [`authorize`] decides about.
    pub fn caller(&self) -> Caller<'_> {
        match &self.rights {
            None => Caller::Anonymous,
            Some(rights) => Caller::Token(rights),
        }
    }

    /// What it decides by.
    pub fn policy(&self) -> Policy<'_> {
        self.rules.policy(&self.revocations)
    }

    fn is_granted(&self, event: &Published<'_>, topics: &[TopicName<'_>]) -> bool {
        let (face, visibility) = (self.face, event.visibility);
        let action = Action::Receive { face, visibility };
        authorize(self.caller(), action, topics, &self.policy(), self.since).is_ok()
    }
}

impl Sight for View {
    fn shows(&self, event: &Published<'_>) -> bool {
        let name = |topic| TopicName::native(topic, &self.rules.base);
        match event.alternates {
            [] => self.is_granted(event, &[name(event.topic)]),
            _ => self.is_granted(event, &event.topics().map(name).collect::<Vec<_>>()),
        }
    }

    fn work(&self) -> usize {
        let granted = self.rights.as_ref().map_or(0, |own| own.subscribe.work());
        granted + self.rules.anonymous.work_per_topic()
    }

    fn is_same(&self, other: &dyn Sight) -> bool {
        let other: &dyn Any = other;
        let Some(other) = other.downcast_ref::<Self>() else {
            return false;
        };
        self.face == other.face
            && Arc::ptr_eq(&self.rules, &other.rules)
            && match (&self.rights, &other.rights) {
                (None, None) => true,
                (Some(own), Some(others)) => {
                    // Withdrawn topics depend on whose token it is, and how old.
                    !self.revocations.has_topics()
                        && !other.revocations.has_topics()
                        && (Arc::ptr_eq(own, others)
                            || own.subscribe == others.subscribe
                                && own.admin == others.admin
                                && own.may_watch() == others.may_watch())
                }
                _ => false,
            }
    }
}
