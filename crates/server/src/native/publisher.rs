//! Whoever publishes: what they may is asked for before a body is read, so that
//! nobody sends one in vain, and again of each event before it is appended.

use super::admit::Key;
use crate::auth::{Refused, Who};
use crate::http::Problem;
use crate::hub::Hub;
use http::HeaderMap;
use std::sync::Arc;
use tidings_auth::TopicName;
use tidings_engine::Topic;

/// Who publishes, and where.
#[derive(Clone)]
pub struct Publisher<'h> {
    /// The hub.
    pub hub: &'h Arc<Hub>,
    who: Who,
}

impl<'h> Publisher<'h> {
    /// Whoever may publish to `topic` at this moment.
    ///
    /// # Errors
    /// The problem to answer with.
    pub fn to(hub: &'h Arc<Hub>, who: Who, topic: &Topic) -> Result<Self, Problem> {
        let own = Self { hub, who };
        own.check(topic)?;
        Ok(own)
    }

    /// Whoever may publish somewhere at this moment.
    ///
    /// # Errors
    /// The problem to answer with.
    pub fn anywhere(hub: &'h Arc<Hub>, who: Who) -> Result<Self, Problem> {
        hub.auth().may_publish_somewhere(&who)?;
        Ok(Self { hub, who })
    }

    /// Who it is.
    pub fn who(&self) -> &Who {
        &self.who
    }

    /// Their `Idempotency-Key`, if the request has one.
    ///
    /// # Errors
    /// As of [`Key::of`].
    pub fn key(&self, headers: &HeaderMap) -> Result<Option<Key>, Problem> {
        Key::of(headers, &self.who)
    }

    /// Whoever publishes still counts. To be asked again and again of one whose
    /// body doesn't end: it has a place that others may need.
    ///
    /// # Errors
    /// The problem to answer with.
    pub fn still_counts(&self) -> Result<(), Refused> {
        self.hub.auth().still_publishes(&self.who)
    }

    /// Decides whether an event may be published to `topic` at this moment. To
    /// be asked of every event before it is appended.
    ///
    /// # Errors
    /// The problem to answer with.
    pub fn check(&self, topic: &Topic) -> Result<(), Refused> {
        let auth = self.hub.auth();
        auth.may_publish(&self.who, &[TopicName::native(topic, auth.base())])
    }
}
