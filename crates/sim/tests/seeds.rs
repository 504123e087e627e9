//! The world, from many seeds. `TIDINGS_SEEDS=N` sets how many; a failure
//! names its seed, and `TIDINGS_SEED=N` runs that one alone.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use tidings_sim::{check, world};

/// So many failures are enough.
const FAILURES: usize = 20;
/// How many seeds run unless somebody asks for others.
const SEEDS: u64 = 2_500;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is a number, not {text:?}")),
    )
}

/// What is wrong with the world of a seed; empty if nothing is.
fn faults_of(seed: u64) -> Vec<String> {
    let Ok(run) = catch_unwind(AssertUnwindSafe(|| world::run(seed))) else {
        return vec!["it panicked".into()];
    };
    if number("TIDINGS_SEED").is_some() {
        show(seed, &run);
    }
    let violations = check(&run.history)
        .into_iter()
        .map(|violation| violation.to_string());
    run.complaints.into_iter().chain(violations).collect()
}

/// Who replays one seed wants to see what happened.
fn show(seed: u64, run: &world::Run) {
    println!(
        "seed {seed}: {:#?}\n{:?}",
        world::Plan::of(seed),
        run.counts
    );
    run.history
        .published
        .iter()
        .for_each(|published| println!("{published:?}"));
    for (number, chain) in run.history.chains.iter().enumerate() {
        println!(
            "chain {number}: {:?} from {:?}",
            chain.selection, chain.begin
        );
        chain.steps.iter().for_each(|step| println!("  {step:?}"));
    }
}

fn report(seed: u64, faults: &[String]) -> String {
    let shown: Vec<_> = faults.iter().take(8).map(String::as_str).collect();
    format!(
        "seed {seed}: {} violations\n  {}\nreplay: TIDINGS_SEED={seed} cargo test -p tidings-sim --test seeds",
        faults.len(),
        shown.join("\n  ")
    )
}

#[test]
fn no_seed_breaks_a_promise() {
    let seeds = match number("TIDINGS_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("TIDINGS_SEEDS").unwrap_or(SEEDS),
    };
    let next = AtomicU64::new(seeds.start);
    let failed = thread::scope(|scope| {
        let work = || {
            let mut failed = Vec::new();
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= seeds.end || failed.len() >= FAILURES {
                    return failed;
                }
                let faults = faults_of(seed);
                if !faults.is_empty() {
                    failed.push((seed, report(seed, &faults)));
                }
            }
        };
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let results = workers
            .into_iter()
            .flat_map(|worker| worker.join().expect("no panic here"));
        let mut failed: Vec<_> = results.collect();
        failed.sort();
        failed
    });
    let reports: Vec<_> = failed
        .iter()
        .take(5)
        .map(|(_, report)| report.as_str())
        .collect();
    assert!(
        failed.is_empty(),
        "{} seeds failed\n{}",
        failed.len(),
        reports.join("\n")
    );
}

#[test]
fn a_seed_gives_the_same_run_twice() {
    for seed in 0..20 {
        assert!(world::run(seed) == world::run(seed), "seed {seed}");
    }
}

/// The seeds reach what they are there to reach.
#[test]
fn the_worlds_are_eventful() {
    use tidings_sim::{Outcome, Step};
    let (mut events, mut gaps, mut acked, mut unknown, mut power_cuts, mut kills, mut lost) =
        (0, 0, 0, 0, 0, 0, 0);
    let (mut slow_gaps, mut too_slow, mut drained) = (0, 0, 0);
    let (mut ends, mut told_over) = (0, 0);
    for seed in 0..100 {
        let run = world::run(seed);
        for step in run.history.chains.iter().flat_map(|chain| &chain.steps) {
            events += usize::from(matches!(step, Step::Event { .. }));
            gaps += usize::from(matches!(step, Step::Gap { slow: false, .. }));
            slow_gaps += usize::from(matches!(step, Step::Gap { slow: true, .. }));
            ends += usize::from(matches!(step, Step::Ended { .. }));
        }
        for published in &run.history.published {
            acked += usize::from(matches!(published.outcome, Outcome::Acked { .. }));
            unknown += usize::from(published.outcome == Outcome::Unknown);
        }
        power_cuts += run.counts.power_cuts;
        kills += run.counts.kills;
        lost += run.counts.lost_connections;
        too_slow += run.counts.too_slow;
        drained += run.counts.drained;
        told_over += run.counts.told_over;
    }
    println!(
        "{events} events, {gaps} gaps, {acked} acked, {unknown} unknown, {power_cuts} power cuts, {kills} kills, {lost} lost connections, {slow_gaps} slow gaps, {too_slow} too slow, {drained} drained, {ends} ends, {told_over} told of them"
    );
    assert!(
        events > 4_000 && gaps > 50 && acked > 2_000 && unknown > 1_000,
        "too quiet"
    );
    assert!(power_cuts > 100 && kills > 100 && lost > 500, "too safe");
    assert!(slow_gaps > 5 && too_slow > 5 && drained > 100, "too fast");
    assert!(ends > 100 && told_over > 10, "too open");
}
