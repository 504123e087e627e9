//! Histories of watchers that were slower than their events.

use super::*;

/// Nothing says that it was too slow.
fn hide_a_slow_gap(history: &mut History, rng: &mut Rng) -> bool {
    each_covering_gap(history, rng, true, |steps, at| {
        if let Step::Gap { to, .. } = &steps[at] {
            steps[at] = Step::Reached { id: to.clone() };
        }
    })
}

fn slow_gap_for_nothing(history: &mut History, rng: &mut Rng) -> bool {
    each_covering_gap(history, rng, true, |steps, at| {
        steps.insert(at, steps[at].clone());
    })
}

/// It has to disconnect those who are slow.
fn slow_gap_against_the_policy(history: &mut History, rng: &mut Rng) -> bool {
    let too_slow = |chain: &Chain| {
        let slow = |step: &Step| matches!(step, Step::Gap { slow: true, .. });
        chain.steps.iter().any(slow)
    };
    let Some(at) = choose(&history.chains, rng, too_slow) else {
        return false;
    };
    history.chains[at].slow = SlowPolicy::Disconnect;
    true
}

/// Whose topic has no later event, in a chain that may miss earlier ones.
fn newest_of_latest(history: &History, rng: &mut Rng) -> Option<(usize, usize)> {
    let published = |step: &Step| match step {
        Step::Event { data, .. } => history.published.iter().find(|p| p.data == *data),
        _ => None,
    };
    let acked = acked(history);
    let mut places = Vec::new();
    for (number, chain) in history.chains.iter().enumerate() {
        if chain.slow != SlowPolicy::Latest || !chain.complete {
            continue;
        }
        let mut topics = BTreeSet::new();
        for (at, step) in chain.steps.iter().enumerate().rev() {
            match step {
                // It may excuse what comes before it.
                Step::Gap { .. } => break,
                step => {
                    let Some(published) = published(step) else {
                        continue;
                    };
                    let newest = topics.insert(&published.topic);
                    let id_of_hub = step.id().is_some_and(|id| id.starts_with("td-"));
                    if newest && id_of_hub && acked.contains(published.data.as_str()) {
                        places.push((number, at));
                    }
                }
            }
        }
    }
    rng.choice(places)
}

fn drop_a_newest(history: &mut History, rng: &mut Rng) -> bool {
    let place = newest_of_latest(history, rng);
    drop_at(history, place)
}

fn double_a_newest(history: &mut History, rng: &mut Rng) -> bool {
    let Some((chain, at)) = newest_of_latest(history, rng) else {
        return false;
    };
    let steps = &mut history.chains[chain].steps;
    steps.push(steps[at].clone());
    true
}

/// The newest comes before what is older.
fn newest_too_early(history: &mut History, rng: &mut Rng) -> bool {
    let Some((chain, at)) = newest_of_latest(history, rng) else {
        return false;
    };
    let steps = &mut history.chains[chain].steps;
    let event = |step: &Step| matches!(step, Step::Event { .. });
    let Some(before) = steps[..at].iter().rposition(event) else {
        return false;
    };
    steps.swap(before, at);
    true
}

/// Nobody said that only the newest are for it.
fn newest_without_the_policy(history: &mut History, rng: &mut Rng) -> bool {
    let acked = acked(history);
    let gone = |p: &&Published| p.expires.is_some();
    let gone: BTreeSet<_> = history
        .published
        .iter()
        .filter(gone)
        .map(|p| &p.data)
        .collect();
    // Of a topic that it watches from the first, it has the last and not all.
    let misses = |chain: &Chain| {
        let has: BTreeSet<_> = chain
            .steps
            .iter()
            .filter_map(|step| match step {
                Step::Event { data, .. } => Some(data),
                _ => None,
            })
            .collect();
        let wanted = |p: &&Published| selects(&chain.selection, &p.topic);
        let from_the_first = matches!(chain.begin, Begin::Earliest { .. });
        let gap = |step: &Step| matches!(step, Step::Gap { .. });
        from_the_first
            && !chain.steps.iter().any(gap)
            && history.published.iter().filter(wanted).any(|p| {
                acked.contains(p.data.as_str()) && !gone.contains(&p.data) && !has.contains(&p.data)
            })
    };
    let latest = |chain: &Chain| chain.slow == SlowPolicy::Latest && chain.complete;
    let Some(at) = choose(&history.chains, rng, |chain| latest(chain) && misses(chain)) else {
        return false;
    };
    history.chains[at].slow = SlowPolicy::Disconnect;
    true
}

#[test]
fn every_mutation_of_the_slow_is_reported() {
    let mutations: [(&str, Mutation, &[Invariant]); 7] = [
        ("hide slow gap", hide_a_slow_gap, &[I1NoLoss]),
        ("slow gap for nothing", slow_gap_for_nothing, &[I3Order]),
        (
            "slow gap against the policy",
            slow_gap_against_the_policy,
            &[I1NoLoss],
        ),
        ("drop newest", drop_a_newest, &[I1NoLoss]),
        ("double newest", double_a_newest, &[I2NoDuplicate]),
        (
            "newest too early",
            newest_too_early,
            &[I3Order, I4Agreement],
        ),
        (
            "newest without the policy",
            newest_without_the_policy,
            &[I1NoLoss],
        ),
    ];
    for (name, mutation, broken) in mutations {
        check_mutation(name, mutation, broken);
    }
}
