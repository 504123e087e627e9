//! What a chain should have been given.

use super::chain::{Missing, Walk, selects};
use super::events::{Event, Events};
use super::{Found, Invariant};
use crate::{Begin, Moment, SlowPolicy};
use std::collections::HashMap;

/// Reports what exists and is missing from the chain without a reason.
pub fn check(events: &Events<'_>, walk: &Walk<'_>, found: &mut Found) {
    let selected = events
        .list
        .iter()
        .enumerate()
        .filter(|(_, event)| event.exists() && selects(&walk.chain.selection, &event.is.topic));
    let mut missing = Vec::new();
    // Where the last event of a topic stands, at most, that is there or needn't be.
    let mut newest: HashMap<&str, u64> = HashMap::new();
    for (number, event) in selected {
        let complaint = match walk.has[number] {
            true => None,
            false => complaint(events, walk, event),
        };
        if let Some(complaint) = complaint {
            missing.push((event, complaint));
        }
        // In a chain that isn't complete it may still have been to come.
        if complaint.is_none() || !walk.chain.complete {
            let newest = newest.entry(&event.is.topic).or_default();
            *newest = event.at.1.max(*newest);
        }
    }
    for (event, complaint) in missing {
        let newest = newest.get(event.is.topic.as_str());
        if walk.chain.slow == SlowPolicy::Latest && newest > Some(&event.at.0) {
            continue;
        }
        // It is there for one and not for the other.
        let invariant = match event.acked {
            Some(_) => Invariant::I1NoLoss,
            None => Invariant::I4Agreement,
        };
        walk.report(invariant, format!("{event} {complaint}"), found);
    }
}

/// Why the event should have come; `None` if it needn't, or if that can't be known.
fn complaint(events: &Events<'_>, walk: &Walk<'_>, event: &Event<'_>) -> Option<&'static str> {
    let (opened, moment) = walk.opened.unwrap_or((0, Moment(u64::MAX)));
    let may_be_after_start = match &walk.chain.begin {
        // What was gone by then nobody asked for.
        Begin::Earliest { at } => walk.opened.is_none() || !event.expired(*at),
        Begin::After(id) => is_after(events, event, id),
        Begin::Opened => event.at.0 > opened || event.called > moment,
    };
    if !may_be_after_start {
        return None;
    }
    // Where it stands is not always known exactly.
    let covers = |gap: &&Missing| event.at.1 > gap.after && event.at.0 <= gap.to;
    if walk
        .gaps
        .iter()
        .filter(|gap| gap.slow)
        .any(|gap| covers(&gap))
    {
        return None;
    }
    // What expired by the time of a gap may be missing behind it too, while
    // events of topics that are kept for longer still come.
    let mut declared = walk
        .gaps
        .iter()
        .filter(|gap| !gap.slow)
        .filter(|gap| covers(gap) || event.at.1 > gap.after && event.expired(gap.at))
        .peekable();
    if declared.peek().is_some() {
        let justified = declared.any(|gap| event.expired(gap.at));
        return (!justified).then_some("was declared missing while it was to be kept");
    }
    if walk.chain.complete {
        return Some("never came");
    }
    (event.at.1 <= walk.behind).then_some("was passed over")
}

fn is_after(events: &Events<'_>, event: &Event<'_>, id: &str) -> bool {
    if let Some(position) = events.position(id) {
        return event.at.0 > position;
    }
    let Some(begin) = events.with_id(id) else {
        // Nobody knows the id: the hub says so with a gap, and goes on there.
        return true;
    };
    event.at.0 > begin.at.1 || begin.acked.is_some_and(|acked| event.called > acked)
}
