//! The project's own chores. `cargo xtask test` is everything that must pass.

mod browser;
mod chores;
mod compare;
mod counts;
mod install;
mod report;
mod run;
mod web;

use report::Report;
use std::process::ExitCode;
use std::time::Duration;

const USAGE: &str = "\
usage: cargo xtask <chore>

  test                 format, clippy, unit, integration and simulation tests,
                       tests of the documentation, the packages of the web,
                       tests in a browser, the comparison in small
  web                  the packages of the web alone: types, tests, builds
  soak [--minutes N]   the tests that kill and crash, again and again with new
                       seeds, for N minutes (10)
  bench                the benchmarks
  fuzz [--seconds N]   every fuzz target for N seconds (60)
  mercure-conformance --url HUB …
                       whether a hub does what Mercure asks for; without more,
                       how it is told
  compare              the hub beside a bare sender and other servers, in turn
    --quick            everything once and small, in debug builds: does it work?
    --connections N,…  how many subscribers (2000,5000,15000)
    --rounds N         how often everything is measured (3)
    --seconds N        how long each measurement takes, about (5)
    --only NAME,…      of floor, floor-cores, tidings, axum, better-sse, nchan,
                       websocket
    --parts NAME,…     of fanout, topics, stalled, resume
                       All of it goes into docs/benchmarks, a part of it into
                       the target directory.
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut report = Report::default();
    match args[..] {
        ["test"] => chores::test(&mut report),
        ["web"] => web::test(&mut report),
        ["soak"] => chores::soak(&mut report, Duration::from_secs(600)),
        ["soak", "--minutes", n] => match number(n) {
            Some(n) => chores::soak(&mut report, Duration::from_secs(n.saturating_mul(60))),
            None => return usage(),
        },
        ["bench"] => chores::bench(&mut report),
        ["fuzz"] => chores::fuzz(&mut report, 60),
        ["fuzz", "--seconds", n] => match number(n) {
            Some(n) => chores::fuzz(&mut report, n),
            None => return usage(),
        },
        // Its lines are for whoever reads them, or a program that does.
        ["mercure-conformance", ref options @ ..] => return chores::mercure_conformance(options),
        ["compare", ref options @ ..] => match compare::Options::parse(options) {
            Ok(options) => compare::run(&mut report, &options),
            Err(error) => {
                eprintln!("{error}\n");
                return usage();
            }
        },
        ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => return usage(),
    }
    print!("{report}");
    match report.failed() {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    }
}

fn number(text: &str) -> Option<u64> {
    text.parse().ok().filter(|n| *n > 0)
}

fn usage() -> ExitCode {
    eprint!("{USAGE}");
    ExitCode::from(2)
}
