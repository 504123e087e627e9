//! One order for all: of publishers, of answers, and of the chains.

use super::chain::Walk;
use super::events::Events;
use super::{Found, Invariant};
use crate::Moment;
use std::collections::BTreeMap;

pub fn check(events: &Events<'_>, walks: &[Walk<'_>], found: &mut Found) {
    let exact = |number: &usize| events.list[*number].at.0 == events.list[*number].at.1;
    let mut positions: Vec<usize> = (0..events.list.len()).filter(exact).collect();
    positions.sort_by_key(|number| events.list[*number].at);
    against_time(events, &positions, None, found);
    for walk in walks {
        against_time(events, &walk.given, Some(walk.number), found);
        against_publishers(events, walk, found);
    }
    agreement(events, walks, found);
}

/// What was acknowledged before something else was called for comes first.
fn against_time(events: &Events<'_>, order: &[usize], chain: Option<usize>, found: &mut Found) {
    let mut first_acked: Option<(Moment, usize)> = None;
    for number in order.iter().rev() {
        let event = &events.list[*number];
        if let Some((acked, later)) = first_acked
            && acked < event.called
        {
            let later = &events.list[later];
            let what = format!(
                "{event} stands before {later}, which was acknowledged before the call for the first"
            );
            found.report(Invariant::I3Order, chain, what);
        }
        if let Some(acked) = event.acked
            && first_acked.is_none_or(|(first, _)| acked < first)
        {
            first_acked = Some((acked, *number));
        }
    }
}

fn against_publishers(events: &Events<'_>, walk: &Walk<'_>, found: &mut Found) {
    let mut last: BTreeMap<u32, usize> = BTreeMap::new();
    for number in &walk.given {
        let event = &events.list[*number];
        if let Some(before) = last.insert(event.is.publisher, *number)
            && events.list[before].is.number > event.is.number
        {
            let what = format!("{event} came after {}", events.list[before]);
            walk.report(Invariant::I3Order, what, found);
        }
    }
}

/// If each chain's order is an arrow from event to event, no arrows go round.
fn agreement(events: &Events<'_>, walks: &[Walk<'_>], found: &mut Found) {
    let mut next: Vec<Vec<(usize, usize)>> = vec![Vec::new(); events.list.len()];
    let mut arrows_to = vec![0usize; events.list.len()];
    for walk in walks {
        for pair in walk.given.windows(2) {
            next[pair[0]].push((pair[1], walk.number));
            arrows_to[pair[1]] += 1;
        }
    }
    let mut free: Vec<usize> = (0..next.len())
        .filter(|number| arrows_to[*number] == 0)
        .collect();
    let mut ordered = 0;
    while let Some(number) = free.pop() {
        ordered += 1;
        for (after, _) in &next[number] {
            arrows_to[*after] -= 1;
            if arrows_to[*after] == 0 {
                free.push(*after);
            }
        }
    }
    if ordered < next.len() {
        let what = format!(
            "the chains contradict each other: {}",
            round_trip(events, &next, &arrows_to)
        );
        found.report(Invariant::I4Agreement, None, what);
    }
}

/// Names a circle among the events that still have arrows to them. Each of
/// them has such an arrow from another one: going backwards must meet itself.
fn round_trip(events: &Events<'_>, next: &[Vec<(usize, usize)>], arrows_to: &[usize]) -> String {
    let mut from = vec![None; next.len()];
    for (number, after) in next
        .iter()
        .enumerate()
        .filter(|(number, _)| arrows_to[*number] > 0)
    {
        for (after, chain) in after {
            from[*after] = Some((number, *chain));
        }
    }
    let Some(mut at) = arrows_to.iter().position(|arrows| *arrows > 0) else {
        return String::new();
    };
    let mut met = vec![false; next.len()];
    while !met[at] {
        met[at] = true;
        let Some((before, _)) = from[at] else { break };
        at = before;
    }
    let (begin, mut told) = (at, Vec::new());
    while let Some((before, chain)) = from[at] {
        told.push(format!(
            "[{}] before [{}] in chain {chain}",
            events.list[before], events.list[at]
        ));
        at = before;
        if at == begin || told.len() == 8 {
            break;
        }
    }
    told.join(", ")
}
