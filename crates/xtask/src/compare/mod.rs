//! `cargo xtask compare`: the hub beside a bare sender and other servers, in
//! turn and in the same minutes, and the page that says what came of it.

mod contender;
mod fanout;
mod library;
mod load;
mod machine;
mod options;
mod page;
mod plot;
mod programs;
mod scenario;
mod server;
mod stats;
mod target;

pub use options::Options;

use crate::report::{Outcome, Report, Step};
use crate::run::{cargo, missing, root, step, target_directory};
use contender::Contender;
use fanout::Fanout;
use machine::Machine;
use options::Part;
use programs::Programs;
use scenario::Scenarios;
use std::path::Path;
use std::time::Instant;
use target::Target;

const NAME: &str = "comparison";

/// Everything that was measured.
pub struct Results {
    contenders: Vec<Contender>,
    fanout: Fanout,
    library: Fanout,
    scenarios: Scenarios,
    machine: Machine,
    targets: Vec<Target>,
    /// What went wrong: a server that didn't start, an event that was lost where
    /// none may be.
    faults: Vec<String>,
}

/// Whether the peers are in order and all of it still works: everything once
/// and small.
pub fn check(report: &mut Report) {
    let manifest = Programs::directory().join("Cargo.toml");
    let manifest = manifest.display().to_string();
    let format = ["fmt", "--check", "--manifest-path", &manifest];
    step(report, "format of the peers", &mut cargo(&format));
    if let Some(target) = target_directory() {
        let mut clippy = cargo(&["clippy", "--all-targets", "--locked"]);
        clippy.args(["--manifest-path", &manifest, "--target-dir"]);
        clippy.arg(target).args(["--", "-D", "warnings"]);
        step(report, "clippy of the peers", &mut clippy);
    }
    run(report, &Options::quick());
}

/// Measures, prints, and writes: a run of everything is the guide's page, any
/// other stands beside the builds. What falls short of what is to be
/// reached is said and is no failure of the chore; what could not be measured is.
pub fn run(report: &mut Report, options: &Options) {
    let start = Instant::now();
    let programs = match Programs::prepare(report, options) {
        Ok(programs) => programs,
        Err(reason) => return missing(report, NAME, start, reason),
    };
    let (contenders, absent) = Programs::contenders(options);
    for contender in absent {
        let name = format!("{NAME} with {}", contender.name);
        missing(
            report,
            &name,
            Instant::now(),
            "it isn't installed".to_owned(),
        );
    }
    let measuring = Instant::now();
    let results = measure(options, &programs, contenders);
    let directory = match options.is_whole() && results.contenders.len() == contender::ALL.len() {
        true => root().join("docs/benchmarks"),
        false => programs.scratch.clone(),
    };
    let mut faults = results.faults.clone();
    if options.has(Part::Library)
        && let Err(error) = write_library(options, &results, &programs.scratch)
    {
        faults.push(error);
    }
    match write(options, &results, &directory) {
        Ok(page) => println!("\n{page}\nwritten to {}", directory.display()),
        Err(error) => faults.push(error),
    }
    report.0.push(Step {
        name: NAME.to_owned(),
        time: measuring.elapsed(),
        outcome: match faults.is_empty() {
            true => Outcome::Passed,
            false => Outcome::Failed(faults.join("; ")),
        },
        counts: crate::counts::Counts::default(),
    });
}

fn measure(options: &Options, programs: &Programs, contenders: Vec<Contender>) -> Results {
    let mut results = Results {
        contenders,
        fanout: Fanout::default(),
        library: Fanout::default(),
        scenarios: Scenarios::default(),
        machine: Machine::look(programs),
        targets: Vec::new(),
        faults: Vec::new(),
    };
    if options.has(Part::Fanout) {
        let faults = &mut results.faults;
        results.fanout = Fanout::measure(options, programs, &results.contenders, faults);
        results.judge(options);
        // What took longest isn't lost if the rest is cut off; at the end it is
        // written again, or the reason why it can't be is told.
        let _ = write(options, &results, &programs.scratch);
    }
    if options.has(Part::Library) {
        let faults = &mut results.faults;
        results.library = library::measure(options, programs, faults);
    }
    results.scenarios = Scenarios::measure(options, programs, &mut results.faults);
    results.judge(options);
    results
}

impl Results {
    fn judge(&mut self, options: &Options) {
        self.targets = target::judge(options, &self.contenders, &self.fanout, &self.scenarios);
        self.targets.extend(library::judge(options, &self.library));
    }
}

/// Prints and writes the library's page, which stands for itself: to the guide, if
/// that is what was measured, and beside the builds otherwise.
fn write_library(options: &Options, results: &Results, scratch: &Path) -> Result<(), String> {
    let directory = match options.is_for_library() {
        true => root().join("docs/benchmarks"),
        false => scratch.to_owned(),
    };
    let path = directory.join("library.md");
    let page = library::page(options, results);
    std::fs::write(&path, &page).map_err(|error| format!("{}: {error}", path.display()))?;
    println!("\n{page}\nwritten to {}", path.display());
    Ok(())
}

/// Writes the page and its picture; the page again.
fn write(options: &Options, results: &Results, directory: &Path) -> Result<String, String> {
    let page = page::page(options, results);
    let svg = plot::plot(&results.contenders, &results.fanout);
    for (name, text) in [("compare.md", &page), ("compare.svg", &svg)] {
        let path = directory.join(name);
        std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(page)
}
