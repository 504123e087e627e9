//! The hub as a library: its body on axum beside axum's own `Sse` over a
//! broadcast, and the page that says what came of it.

use super::Results;
use super::contender::{AXUM, Contender, LIBRARY, named};
use super::fanout::{CPU, Fanout, MEMORY, P99, Pace, RATE};
use super::options::Options;
use super::page::{conditions, spread};
use super::programs::Programs;
use super::stats::{exact, shown};
use super::target::{Bound, Target, judged_at, row};
use std::fmt::Write as _;

const INTRO: &str = "\
# The library beside axum's own event streams

`cargo xtask compare --parts library` measures two axum applications in turn and in the same minutes, and writes this
page; nothing on it is edited by hand. Both serve an event stream to each of the same subscribers, over HTTP/1.1 by
axum's own server:

| | what it is |
| --- | --- |
| axum `Sse`, tokio broadcast | a handler that answers with `Sse` over a `tokio::sync::broadcast` with room for 1,024 events (`benches/compare/src/bin/axum_broadcast.rs`). Nobody resumes, and what a subscriber is too slow for is lost to it |
| Tidings' library on axum | a handler that answers with `Hub::event_stream` of a hub in memory (`crates/server/examples/axum.rs`, built as `benches/library`): events have ids, whoever comes back resumes, nothing is lost |

Memory is read when the subscribers have been idle for 20 seconds, so that each has been told once, by a comment, that
its connection stands; until then axum's stream has said nothing at all, and has no queue for what it says. Both are
built by themselves, with no more of axum and hyper than they need. What a connection costs axum's server is in both. Ratios travel from one machine to another, the figures themselves
don't.
";

const HOW: &str = "
How it is measured stands in [compare.md](compare.md#how-it-is-measured): *paced* is 50,000 deliveries a second, all
subscribers together; *saturated* is as many as `POST`s on 16 connections bring in. Medians of the rounds, with the
least and the most in brackets. Both programs use the system's allocator.
";

/// For longer than it takes until axum's `Sse` and the hub have said, unasked, that they
/// are still there (15 s): what hyper needs for what a body says is then in both.
const SETTLE: u64 = 20;

/// Measures both, at the number of subscribers that ratios are taken at.
pub fn measure(options: &Options, programs: &Programs, faults: &mut Vec<String>) -> Fanout {
    let at_one = Options {
        connections: vec![judged_at(options)],
        settle: match options.quick {
            true => options.settle,
            false => SETTLE,
        },
        ..options.clone()
    };
    Fanout::measure(&at_one, programs, &contenders(), faults)
}

fn contenders() -> [Contender; 2] {
    [named(AXUM), named(LIBRARY)]
}

/// What is to be reached.
pub fn judge(options: &Options, library: &Fanout) -> [Target; 2] {
    let at = judged_at(options);
    let number = exact(at as f64);
    let ratio = |pointer| {
        let figure = |key| Some(library.figure((key, at, Pace::Paced), pointer)?.median);
        let (own, other) = (figure(LIBRARY)?, figure(AXUM)?);
        (other > 0.0).then_some(own / other)
    };
    let cpu = format!("library on axum: processor time per delivery, {number} subscribers, paced");
    let memory = format!("library on axum: memory per idle subscriber, {number} of them");
    [
        row(&cpu, Bound::AtMost(1.0), ratio(CPU), "× axum's `Sse`"),
        row(&memory, Bound::AtMost(1.0), ratio(MEMORY), "× axum's `Sse`"),
    ]
}

/// The page.
pub fn page(options: &Options, results: &Results) -> String {
    let mut page = INTRO.to_owned();
    conditions(&mut page, options, results);
    page.push_str("\n| | measured | to reach | |\n| --- | --- | --- | --- |\n");
    for target in judge(options, &results.library) {
        let _ = writeln!(page, "| {} |", target.cells().join(" | "));
    }
    let at = judged_at(options);
    let _ = writeln!(
        page,
        "\n{} subscribers:\n\n| | µs of processor per delivery, paced | p99, ms, paced | bytes per idle subscriber | \
         deliveries/s, saturated | µs of processor per delivery, saturated | lost, saturated |\n\
         | --- | --- | --- | --- | --- | --- | --- |",
        exact(at as f64)
    );
    for contender in contenders() {
        let figure = |pace, pointer| {
            let figure = results.library.figure((contender.key, at, pace), pointer);
            figure.map_or("—".to_owned(), spread)
        };
        let saturated = (contender.key, at, Pace::Saturated);
        let lost = results
            .library
            .computed(saturated, super::load::Measured::lost_percent);
        let lost = lost.map_or("—".to_owned(), |lost| format!("{} %", shown(lost.median)));
        let cells = [
            figure(Pace::Paced, CPU),
            figure(Pace::Paced, P99),
            figure(Pace::Paced, MEMORY),
            figure(Pace::Saturated, RATE),
            figure(Pace::Saturated, CPU),
            lost,
        ];
        let _ = writeln!(page, "| {} | {} |", contender.name, cells.join(" | "));
    }
    page.push_str(HOW);
    page
}
