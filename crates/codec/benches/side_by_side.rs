//! The same contenders as `decode`, taking turns, the fastest turn of each:
//! ratios hold even where other work disturbs the machine. Prints the table of
//! `docs/benchmarks/codec.md`: `cargo bench -p tidings-codec --bench side_by_side`.

mod contenders;

use contenders::{CONTENDERS, Contender, Input, memcpy};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// How long all contenders together take turns at one stream.
const PER_STREAM: Duration = Duration::from_secs(6);

fn main() {
    let names: Vec<_> = CONTENDERS.iter().map(|(name, _)| *name).collect();
    println!(
        "| GB/s | {} | memcpy | lent ÷ fastest peer |",
        names.join(" | ")
    );
    println!("|---|{}", "---:|".repeat(names.len() + 2));
    for input in Input::all() {
        let mut contenders: Vec<Contender> = input.contenders().collect();
        if input.has_floor() {
            contenders.push(("memcpy", memcpy));
        }
        let rates = fastest(&input, &contenders);
        let rate = |name: &str| {
            let at = contenders.iter().position(|(other, _)| *other == name)?;
            Some(rates[at])
        };
        let peers = names.iter().filter(|name| !name.starts_with("tidings"));
        let peer = peers.filter_map(|name| rate(name)).fold(0.0, f64::max);
        let ratio = rate("tidings, lent").expect("always there") / peer;
        let cells = names
            .iter()
            .chain(&["memcpy"])
            .map(|name| match rate(name) {
                Some(rate) => format!("{rate:.3}"),
                None => "–".to_owned(),
            });
        let cells: Vec<_> = cells.collect();
        println!("| {} | {} | {ratio:.2} |", input.name, cells.join(" | "));
    }
}

/// Of each contender's turns the best, in GB/s.
fn fastest(input: &Input, contenders: &[Contender]) -> Vec<f64> {
    let mut best = vec![Duration::MAX; contenders.len()];
    let started = Instant::now();
    while started.elapsed() < PER_STREAM {
        for ((_, decode), best) in contenders.iter().zip(&mut best) {
            let turn = Instant::now();
            black_box(decode(black_box(input)));
            *best = turn.elapsed().min(*best);
        }
    }
    let len = input.stream.len() as f64;
    best.iter()
        .map(|best| len / best.as_nanos() as f64)
        .collect()
}
