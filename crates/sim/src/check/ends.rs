//! Topics that end: who is given an end and who isn't, and what comes behind it.

use super::chain::{Missing, Walk, selects};
use super::events::Events;
use super::{Found, Invariant};
use crate::{Begin, Closed, History, Outcome, SlowPolicy, Step};
use std::collections::{BTreeMap, HashMap};

/// Reports ends that nobody asked for, ends that are withheld, and what comes behind an
/// end without having opened the topic again.
pub fn check(history: &History, events: &Events<'_>, walk: &Walk<'_>, found: &mut Found) {
    check_given(history, events, walk, found);
    check_withheld(history, events, walk, found);
}

fn check_given(history: &History, events: &Events<'_>, walk: &Walk<'_>, found: &mut Found) {
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

/// A chain that has everything was given each end that is kept, unless it began behind
/// it, was told of a gap there, or the topic may have been opened again since: then the
/// end may be left out. One who is told that nothing will come is no exception: they had
/// the end before.
fn check_withheld(history: &History, events: &Events<'_>, walk: &Walk<'_>, found: &mut Found) {
    if !walk.chain.complete {
        return;
    }
    let kept = history.closed.iter().filter(|closed| closed.lasts);
    let selected = kept.filter(|closed| selects(&walk.chain.selection, &closed.topic));
    let mut asked = BTreeMap::new();
    for closed in selected {
        // To close a topic again is answered with the same id.
        if let Outcome::Acked { id, .. } = &closed.outcome {
            asked.insert(id.as_str(), closed.topic.as_str());
        }
    }
    for (id, topic) in asked {
        let Some(position) = events.position(id) else {
            continue;
        };
        let is_it = |step: &Step| matches!(step, Step::Ended { id: own, .. } if own == id);
        let is_given = walk.chain.steps.iter().any(is_it);
        let is_missing = |gap: &Missing| gap.after < position && position <= gap.to;
        let excused = !begins_before(events, walk, position)
            || walk.gaps.iter().any(is_missing)
            || may_reopen(events, topic, position);
        if !is_given && !excused {
            let what = format!("{id}, the end of {topic}, never came");
            walk.report(Invariant::I11Ends, what, found);
        }
    }
}

/// Whether what stands at `position` certainly lies behind the chain's beginning.
fn begins_before(events: &Events<'_>, walk: &Walk<'_>, position: u64) -> bool {
    match &walk.chain.begin {
        Begin::Earliest { .. } => true,
        Begin::Opened => walk.opened.is_some_and(|(opened, _)| opened < position),
        Begin::After(id) => {
            let begin = events.with_id(id).map(|own| own.at.1);
            let begin = events.position(id).or(begin);
            begin.is_some_and(|begin| begin < position)
        }
    }
}

/// Whether an event that may stand behind `position` may have opened the topic again.
fn may_reopen(events: &Events<'_>, topic: &str, position: u64) -> bool {
    let mut of_topic = events.list.iter().filter(|own| own.is.topic == topic);
    of_topic.any(|own| own.is.reopens && !own.refused && own.at.1 > position)
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
