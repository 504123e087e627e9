use super::Invariant::{self, *};
use super::chain::selects;
use super::model::{history, wire};
use super::*;
use crate::{Begin, Chain, Moment, Outcome, Published, SlowPolicy, Step};
use fastrand::Rng;
use std::collections::BTreeSet;
use tidings_engine::WireId;

mod circle;
mod ends;
mod slow;

const SEEDS: u64 = 100;

/// Damages a correct history; `false` if it has nothing to damage that way.
type Mutation = fn(&mut History, &mut Rng) -> bool;

/// Applies `mutation` to many histories: each time it finds a place, one of
/// the promises named must be reported broken.
fn check_mutation(name: &str, mutation: Mutation, broken: &[Invariant]) {
    let mut applied = 0;
    for seed in 0..SEEDS {
        let mut history = history(seed);
        if !mutation(&mut history, &mut Rng::with_seed(seed)) {
            continue;
        }
        applied += 1;
        let found = check(&history);
        assert!(
            found
                .iter()
                .any(|violation| broken.contains(&violation.invariant)),
            "{name}, seed {seed}: found {found:#?}"
        );
    }
    assert!(
        applied > SEEDS / 8,
        "{name} found a place in {applied} of {SEEDS} histories"
    );
}

#[test]
fn correct_histories_pass() {
    let (mut gaps, mut events) = (0, 0);
    for seed in 0..1_000 {
        let history = history(seed);
        let found = check(&history);
        assert!(found.is_empty(), "seed {seed}: {found:#?}");
        let steps = || history.chains.iter().flat_map(|chain| &chain.steps);
        gaps += steps()
            .filter(|step| matches!(step, Step::Gap { .. }))
            .count();
        events += steps()
            .filter(|step| matches!(step, Step::Event { .. }))
            .count();
    }
    assert!(
        gaps > 500 && events > 100_000,
        "{gaps} gaps, {events} events"
    );
}

/// The chain and the step of an event that is given, that is acknowledged,
/// and that no gap could excuse; not in the chain that has everything.
fn pick(history: &History, rng: &mut Rng) -> Option<(usize, usize)> {
    let acked = acked(history);
    let mut places = Vec::new();
    for (number, chain) in history.chains.iter().enumerate().skip(1) {
        if chain.slow == SlowPolicy::Latest {
            continue;
        }
        let last_gap = chain
            .steps
            .iter()
            .rposition(|step| matches!(step, Step::Gap { .. }));
        for (at, step) in chain.steps.iter().enumerate() {
            let excusable = !chain.complete || last_gap.is_some_and(|gap| gap > at);
            if let Step::Event { data, .. } = step
                && !excusable
                && acked.contains(data.as_str())
            {
                places.push((number, at));
            }
        }
    }
    rng.choice(places)
}

fn acked(history: &History) -> BTreeSet<&str> {
    let acked = |p: &&Published| matches!(p.outcome, Outcome::Acked { .. });
    history
        .published
        .iter()
        .filter(acked)
        .map(|p| p.data.as_str())
        .collect()
}

fn picked<'a>(history: &'a mut History, rng: &mut Rng) -> Option<&'a mut Step> {
    let (chain, at) = pick(history, rng)?;
    Some(&mut history.chains[chain].steps[at])
}

/// A number among those of `items` for which `wanted` holds.
fn choose<T>(items: &[T], rng: &mut Rng, wanted: impl Fn(&T) -> bool) -> Option<usize> {
    let places: Vec<usize> = (0..items.len()).filter(|at| wanted(&items[*at])).collect();
    rng.choice(places)
}

fn drop_one(history: &mut History, rng: &mut Rng) -> bool {
    let place = pick(history, rng);
    drop_at(history, place)
}

/// Leaves a step out, if there is one to leave out.
fn drop_at(history: &mut History, place: Option<(usize, usize)>) -> bool {
    let Some((chain, at)) = place else {
        return false;
    };
    history.chains[chain].steps.remove(at);
    true
}

fn double_one(history: &mut History, rng: &mut Rng) -> bool {
    let Some((chain, at)) = pick(history, rng) else {
        return false;
    };
    let steps = &mut history.chains[chain].steps;
    let again = rng.usize(at + 1..=steps.len());
    steps.insert(again, steps[at].clone());
    true
}

fn swap_two(history: &mut History, rng: &mut Rng) -> bool {
    let Some((chain, at)) = pick(history, rng) else {
        return false;
    };
    let steps = &mut history.chains[chain].steps;
    let next = (at + 1..steps.len()).find(|at| matches!(steps[*at], Step::Event { .. }));
    let Some(next) = next else { return false };
    steps.swap(at, next);
    true
}

fn forge(
    step: Option<&mut Step>,
    change: impl FnOnce(&mut String, &mut String, &mut Option<String>, &mut String),
) -> bool {
    let Some(Step::Event {
        id,
        topic,
        event_type,
        data,
    }) = step
    else {
        return false;
    };
    change(id, data, topic, event_type);
    true
}

fn forge_data(history: &mut History, rng: &mut Rng) -> bool {
    forge(picked(history, rng), |_, data, _, _| data.push('!'))
}

fn forge_id(history: &mut History, rng: &mut Rng) -> bool {
    forge(picked(history, rng), |id, _, _, _| *id = wire(100_000))
}

fn forge_own_id(history: &mut History, rng: &mut Rng) -> bool {
    forge(picked(history, rng), |id, _, _, _| *id = "own-none".into())
}

fn relabel_topic(history: &mut History, rng: &mut Rng) -> bool {
    forge(picked(history, rng), |_, _, topic, _| {
        *topic = Some("elsewhere".into())
    })
}

fn relabel_type(history: &mut History, rng: &mut Rng) -> bool {
    forge(picked(history, rng), |_, _, _, event_type| {
        event_type.push('!')
    })
}

fn exchange_data(history: &mut History, rng: &mut Rng) -> bool {
    let Some((chain, at)) = pick(history, rng) else {
        return false;
    };
    let steps = &mut history.chains[chain].steps;
    let (before, after) = steps.split_at_mut(at);
    let other = before.iter_mut().rev().find_map(|step| match step {
        Step::Event { data, .. } => Some(data),
        _ => None,
    });
    let (Some(other), Step::Event { data, .. }) = (other, &mut after[0]) else {
        return false;
    };
    std::mem::swap(other, data);
    true
}

fn deliver_what_was_refused(history: &mut History, rng: &mut Rng) -> bool {
    let refused = |p: &Published| p.outcome == Outcome::Refused;
    let Some(at) = choose(&history.published, rng, refused) else {
        return false;
    };
    let published = &history.published[at];
    let step = Step::Event {
        id: wire(100_000),
        topic: None,
        event_type: published.event_type.clone().unwrap_or("message".into()),
        data: published.data.clone(),
    };
    history.chains[0].steps.push(step);
    true
}

fn refuse_what_was_delivered(history: &mut History, rng: &mut Rng) -> bool {
    let Some((chain, at)) = pick(history, rng) else {
        return false;
    };
    let Step::Event { data, .. } = &history.chains[chain].steps[at] else {
        return false;
    };
    for published in history.published.iter_mut().filter(|p| p.data == *data) {
        published.outcome = Outcome::Refused;
    }
    true
}

fn never_publish(history: &mut History, rng: &mut Rng) -> bool {
    let Some((chain, at)) = pick(history, rng) else {
        return false;
    };
    let Step::Event { data, .. } = &history.chains[chain].steps[at] else {
        return false;
    };
    let data = data.clone();
    history.published.retain(|p| p.data != data);
    true
}

fn acknowledge_what_was_lost(history: &mut History, rng: &mut Rng) -> bool {
    let given: Vec<&String> = history.chains[0]
        .steps
        .iter()
        .filter_map(|step| match step {
            Step::Event { data, .. } => Some(data),
            _ => None,
        })
        .collect();
    let lost = |p: &Published| p.outcome == Outcome::Unknown && !given.contains(&&p.data);
    let Some(at) = choose(&history.published, rng, lost) else {
        return false;
    };
    history.published[at].outcome = Outcome::Acked {
        id: "own-lost".into(),
        at: Moment(u64::MAX),
    };
    true
}

/// Only one chain has it, where before all had.
fn decide_unknown_two_ways(history: &mut History, rng: &mut Rng) -> bool {
    let Some((chain, at)) = pick(history, rng) else {
        return false;
    };
    let Step::Event { data, .. } = history.chains[chain].steps.remove(at) else {
        return false;
    };
    for published in history.published.iter_mut().filter(|p| p.data == data) {
        published.outcome = Outcome::Unknown;
    }
    true
}

fn change_an_acked_id(history: &mut History, rng: &mut Rng) -> bool {
    let Some((chain, at)) = pick(history, rng) else {
        return false;
    };
    let Step::Event { data, .. } = &history.chains[chain].steps[at] else {
        return false;
    };
    for published in history.published.iter_mut().filter(|p| p.data == *data) {
        if let Outcome::Acked { id, .. } = &mut published.outcome {
            id.push('9');
        }
    }
    true
}

fn answer_a_retry_otherwise(history: &mut History, rng: &mut Rng) -> bool {
    let acked = |p: &Published| matches!(p.outcome, Outcome::Acked { .. });
    let Some(at) = choose(&history.published, rng, acked) else {
        return false;
    };
    let mut again = history.published[at].clone();
    again.outcome = Outcome::Acked {
        id: "own-second".into(),
        at: Moment(u64::MAX),
    };
    history.published.push(again);
    true
}

fn give_an_id_twice(history: &mut History, rng: &mut Rng) -> bool {
    let acked =
        |p: &Published| matches!(&p.outcome, Outcome::Acked { id, .. } if id.starts_with("td-"));
    let (Some(a), Some(b)) = (
        choose(&history.published, rng, acked),
        choose(&history.published, rng, acked),
    ) else {
        return false;
    };
    if history.published[a].data == history.published[b].data {
        return false;
    }
    history.published[a].outcome = history.published[b].outcome.clone();
    true
}

fn hide_a_gap(history: &mut History, rng: &mut Rng) -> bool {
    each_covering_gap(history, rng, false, |steps, at| {
        if let Step::Gap { to, .. } = &steps[at] {
            steps[at] = Step::Reached { id: to.clone() };
        }
    })
}

/// What is gone was to be kept.
fn gap_without_reason(history: &mut History, rng: &mut Rng) -> bool {
    let applied = each_covering_gap(history, rng, false, |_, _| {});
    for published in &mut history.published {
        published.expires = None;
    }
    applied
}

fn gap_before_its_reason(history: &mut History, rng: &mut Rng) -> bool {
    each_covering_gap(history, rng, false, |steps, at| {
        if let Step::Gap { at, .. } = &mut steps[at] {
            *at = Moment(0);
        }
    })
}

fn each_covering_gap(
    history: &mut History,
    rng: &mut Rng,
    of_slow: bool,
    change: fn(&mut Vec<Step>, usize),
) -> bool {
    let mut places = Vec::new();
    for (number, chain) in history
        .chains
        .iter()
        .enumerate()
        .filter(|(_, chain)| chain.complete && chain.slow != SlowPolicy::Latest)
    {
        let mut behind = 0;
        let mut before_opening = None;
        for (at, step) in chain.steps.iter().enumerate() {
            let after = before_opening.take().unwrap_or(behind);
            let position = step
                .id()
                .and_then(WireId::parse)
                .map_or(0, |id| id.position.0);
            let covers = |p: &&Published| match &p.outcome {
                Outcome::Acked { id, .. } => WireId::parse(id)
                    .is_some_and(|id| (after + 1..=position).contains(&id.position.0)),
                _ => false,
            };
            match step {
                Step::Gap { slow, .. }
                    if at > 1
                        && *slow == of_slow
                        && history
                            .published
                            .iter()
                            .filter(covers)
                            .any(|p| selects(&chain.selection, &p.topic)) =>
                {
                    places.push((number, at));
                }
                Step::Opened { .. } => before_opening = Some(behind),
                _ => {}
            }
            behind = behind.max(position);
        }
    }
    let Some((chain, at)) = rng.choice(places) else {
        return false;
    };
    change(&mut history.chains[chain].steps, at);
    true
}

fn widen_a_gap(history: &mut History, rng: &mut Rng) -> bool {
    let Some((chain, at)) = pick(history, rng) else {
        return false;
    };
    let steps = &mut history.chains[chain].steps;
    let Step::Event { id, data, .. } = &steps[at] else {
        return false;
    };
    let (id, data) = (id.clone(), data.clone());
    if history
        .published
        .iter()
        .any(|p| p.data == data && p.expires.is_some())
        || !id.starts_with("td-")
    {
        return false;
    }
    steps[at] = Step::Gap {
        to: id,
        slow: false,
        at: Moment(u64::MAX),
    };
    true
}

fn state_too_much(history: &mut History, rng: &mut Rng) -> bool {
    let Some((chain, at)) = pick(history, rng) else {
        return false;
    };
    let steps = &mut history.chains[chain].steps;
    let Step::Event { id, .. } = &steps[at] else {
        return false;
    };
    if !id.starts_with("td-") {
        return false;
    }
    let id = id.clone();
    steps.insert(at, Step::Reached { id });
    true
}

fn resume_too_late(history: &mut History, rng: &mut Rng) -> bool {
    let Some((chain, at)) = pick(history, rng) else {
        return false;
    };
    let steps = &mut history.chains[chain].steps;
    let Step::Event { id, .. } = &steps[at] else {
        return false;
    };
    if !id.starts_with("td-") {
        return false;
    }
    steps[at] = Step::Opened {
        id: id.clone(),
        at: Moment(u64::MAX),
    };
    true
}

fn another_log(history: &mut History, rng: &mut Rng) -> bool {
    forge(picked(history, rng), |id, _, _, _| {
        *id = wire(3).replacen("td-0", "td-1", 1)
    })
}

/// It was called for when all was over, but stands in the middle.
fn answer_before_the_call(history: &mut History, rng: &mut Rng) -> bool {
    let position = |p: &Published| match &p.outcome {
        Outcome::Acked { id, .. } => WireId::parse(id).map(|id| id.position),
        _ => None,
    };
    let last = history.published.iter().filter_map(position).max();
    let early = |p: &Published| position(p).is_some_and(|at| Some(at) < last);
    let Some(at) = choose(&history.published, rng, early) else {
        return false;
    };
    let data = history.published[at].data.clone();
    for published in history.published.iter_mut().filter(|p| p.data == data) {
        published.called = Moment(u64::MAX);
    }
    true
}

#[test]
fn every_mutation_is_reported() {
    let mutations: [(&str, Mutation, &[Invariant]); 25] = [
        ("drop one", drop_one, &[I1NoLoss]),
        ("double one", double_one, &[I2NoDuplicate]),
        ("swap two", swap_two, &[I3Order, I4Agreement]),
        ("forge data", forge_data, &[I5NoPhantom]),
        ("forge id", forge_id, &[I5NoPhantom]),
        ("forge own id", forge_own_id, &[I5NoPhantom]),
        ("relabel topic", relabel_topic, &[I5NoPhantom]),
        ("relabel type", relabel_type, &[I5NoPhantom]),
        ("exchange data", exchange_data, &[I5NoPhantom]),
        ("deliver refused", deliver_what_was_refused, &[I7HonestAck]),
        (
            "refuse delivered",
            refuse_what_was_delivered,
            &[I7HonestAck],
        ),
        ("never publish", never_publish, &[I5NoPhantom]),
        ("acknowledge lost", acknowledge_what_was_lost, &[I1NoLoss]),
        ("unknown two ways", decide_unknown_two_ways, &[I4Agreement]),
        ("change acked id", change_an_acked_id, &[I5NoPhantom]),
        (
            "answer retry otherwise",
            answer_a_retry_otherwise,
            &[I7HonestAck],
        ),
        ("give id twice", give_an_id_twice, &[I7HonestAck]),
        ("hide gap", hide_a_gap, &[I1NoLoss]),
        ("gap without reason", gap_without_reason, &[I1NoLoss]),
        ("gap before its reason", gap_before_its_reason, &[I1NoLoss]),
        ("widen gap", widen_a_gap, &[I1NoLoss]),
        ("state too much", state_too_much, &[I3Order]),
        ("resume too late", resume_too_late, &[I1NoLoss]),
        ("another log", another_log, &[I1NoLoss]),
        ("answer before call", answer_before_the_call, &[I3Order]),
    ];
    for (name, mutation, broken) in mutations {
        check_mutation(name, mutation, broken);
    }
}

#[test]
fn a_hundred_thousand_events_are_checked() {
    let published = (0..100_000).map(|number: u64| Published {
        publisher: (number % 8) as u32,
        number,
        topic: "t".into(),
        event_type: None,
        data: number.to_string(),
        called: Moment(2 * number),
        outcome: Outcome::Acked {
            id: wire(number as usize + 1),
            at: Moment(2 * number + 1),
        },
        expires: None,
        reopens: false,
    });
    let steps = (0..100_000).map(|number: usize| Step::Event {
        id: wire(number + 1),
        topic: None,
        event_type: "message".into(),
        data: number.to_string(),
    });
    let chain = Chain {
        selection: vec!["*".into()],
        begin: Begin::Earliest { at: Moment(0) },
        slow: SlowPolicy::Disconnect,
        steps: steps.collect(),
        complete: true,
    };
    let mut history = History {
        published: published.collect(),
        closed: Vec::new(),
        chains: vec![chain; 4],
    };
    assert_eq!(check(&history), []);
    history.chains[3].steps.swap_remove(70_000);
    assert!(!check(&history).is_empty());
}
