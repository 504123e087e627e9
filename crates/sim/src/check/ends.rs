//! Topics that end: who is given an end, and what comes behind it.

use super::chain::{Walk, selects};
use super::events::Events;
use super::{Found, Invariant};
use crate::{Closed, History, Outcome, SlowPolicy, Step};
use std::collections::HashMap;

/// Reports ends that nobody asked for, and what comes behind an end without having
/// opened the topic again.
pub fn check(history: &History, events: &Events<'_>, walk: &Walk<'_>, found: &mut Found) {
    let mut ended: HashMap<&str, &str> = HashMap::new();
    for step in &walk.chain.steps {
        match step {
            Step::Ended { id, topic } => {
                let asked = |closed: &&Closed| closed.topic == *topic && closed.may_be(id);
                let Some(closed) = history.closed.iter().find(asked) else {
                    let what = format!("{id} is an end of {topic} that nobody asked for");
                    walk.report(Invariant::I5NoPhantom, what, found);
                    continue;
                };
                if !selects(&walk.chain.selection, topic) {
                    let what = format!("{id} is the end of {topic}, which is not selected");
                    walk.report(Invariant::I5NoPhantom, what, found);
                }
                if closed.lasts {
                    ended.insert(topic, id);
                }
            }
            // What opened it may be missing here, or conflated.
            Step::Gap { .. } => ended.clear(),
            Step::Event { data, .. } if walk.chain.slow != SlowPolicy::Latest => {
                let Some(event) = events.with_data(data).map(|number| &events.list[number]) else {
                    continue;
                };
                let end = ended.remove(event.is.topic.as_str());
                if let Some(end) = end.filter(|_| !event.is.reopens) {
                    let what = format!("{event} came behind the end {end}, and opens nothing");
                    walk.report(Invariant::I11Ends, what, found);
                }
            }
            _ => {}
        }
    }
}

impl Closed {
    /// Whether the end may stand under this id.
    fn may_be(&self, id: &str) -> bool {
        match &self.outcome {
            Outcome::Acked { id: own, .. } => own == id,
            Outcome::Unknown => true,
            Outcome::Refused => false,
        }
    }
}
