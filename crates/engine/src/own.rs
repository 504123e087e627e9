//! The hub's own log: what it says about itself and about who is there, live and
//! never stored. It is a [`Tail`] of its own, beside that of the log, and whoever
//! watches it is a cursor over it too. Its positions never reach the wire, its
//! frames have no `id:` line ([`Frame::without_id`](crate::Frame::without_id)), so
//! where a stream resumes in the log has nothing to do with it.
//!
//! Its topics begin with [`SYS`] or [`PRESENCE`]. As those of all topics whose first
//! segment begins with `$`, they match only selectors that spell that segment.

use crate::{Batch, Budget, Cursor, Read, Selection, SubscriptionKey, Subscriptions, Tail};
use std::sync::Arc;

/// The first segment of the topics on which the hub tells of itself.
pub const SYS: &str = "$sys";

/// The first segment of the topics on which the hub tells who is there: the other
/// segments are the topic at which they are.
pub const PRESENCE: &str = "$presence";

/// Whether a topic, or all topics of a pattern, are in the own log: by what its
/// first segment spells.
pub fn is_own(selector: &str) -> bool {
    matches!(first_segment(selector), SYS | PRESENCE)
}

/// Whether a topic, or all topics of a pattern, tell of the hub itself.
pub fn is_sys(selector: &str) -> bool {
    first_segment(selector) == SYS
}

/// At which topic, or pattern of topics, a topic or pattern of the own log tells who
/// is there; `None` if it tells of something else.
pub fn presence_of(selector: &str) -> Option<&str> {
    selector.strip_prefix(PRESENCE)?.strip_prefix('/')
}

fn first_segment(path: &str) -> &str {
    path.split('/').next().unwrap_or_default()
}

/// What one stream is given of the own log. Nothing of that is kept for whoever
/// can't keep up: they go on at its end.
#[derive(Debug)]
pub struct OwnStream {
    key: SubscriptionKey,
    /// Whether what was said before has been replaced by how things stand.
    began: bool,
}

/// What a stream is given next of the own log.
#[derive(Debug)]
pub enum OwnNext {
    /// It goes on from here, at the end: what was said before is gone, or it has
    /// just begun. Whoever needs to know how things stand is to be told, after this
    /// was answered: then nothing is missing between that and what comes next.
    Anew,
    /// Events are to be written.
    Events(Arc<Batch>),
    /// It looked at much and found nothing: it is to be asked again.
    Later,
    /// There is nothing until the lane reports the subscription.
    Idle,
}

impl OwnStream {
    /// Adds a subscription at the end of the own log. It has
    /// [something to say](Self::has_more) at once.
    pub fn new(selection: Selection, subscriptions: &mut Subscriptions, tail: &Tail) -> Self {
        let cursor = Cursor { after: tail.end() };
        Self {
            key: subscriptions.insert(selection, cursor),
            began: false,
        }
    }

    /// Its subscription, among those of the own log.
    pub fn key(&self) -> SubscriptionKey {
        self.key
    }

    /// What is to be written next.
    pub fn next(
        &mut self,
        subscriptions: &mut Subscriptions,
        tail: &Tail,
        budget: Budget,
    ) -> OwnNext {
        if !self.began {
            self.began = true;
            return OwnNext::Anew;
        }
        match subscriptions.read(self.key, tail, budget) {
            (Read::Frames, batch) if batch.is_empty() => OwnNext::Later,
            (Read::Frames, batch) => OwnNext::Events(batch),
            (Read::CaughtUp, _) => OwnNext::Idle,
            (Read::Gap(_), _) => {
                let end = Cursor { after: tail.end() };
                subscriptions.set_cursor(self.key, end);
                OwnNext::Anew
            }
        }
    }

    /// The connection could not take all of `batch`, the last it was given: all but
    /// the first `kept` frames are given again, if they are still there.
    pub fn give_back(&self, subscriptions: &mut Subscriptions, batch: &Batch, kept: usize) {
        subscriptions.give_back(self.key, batch, kept);
    }

    /// Whether it has to be asked, though the lane reports nothing.
    pub fn has_more(&self, subscriptions: &Subscriptions) -> bool {
        !self.began || subscriptions.is_behind(self.key)
    }
}
