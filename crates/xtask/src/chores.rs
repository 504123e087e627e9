//! The chores.

use crate::browser;
use crate::compare;
use crate::install;
use crate::report::{Outcome, Report, Step};
use crate::run::{at_once, cargo, missing, root, step, succeeds, test_step};
use crate::web;
use std::ffi::OsStr;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant, SystemTime};

/// Everything that must pass. A step that fails doesn't keep the next ones from
/// running: one run shows all that is wrong.
pub fn test(report: &mut Report) {
    step(report, "format", &mut cargo(&["fmt", "--all", "--check"]));
    let clippy = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ];
    step(report, "clippy", &mut cargo(&clippy));
    // As an application has it: in the workspace, others ask for more features.
    let alone = [
        "clippy",
        "--package",
        "library-on-axum",
        "--",
        "-D",
        "warnings",
    ];
    step(report, "clippy of the library alone", &mut cargo(&alone));
    install::tools(report);
    test_step(report, "tests", &mut tests(None));
    let doc = ["test", "--workspace", "--doc", "--no-fail-fast"];
    step(report, "documentation tests", &mut cargo(&doc));
    web::test(report);
    browser::test(report);
    compare::check(report);
}

/// The workspace's tests: with cargo-nextest if it is there, and then only
/// those of a set, if one is given.
fn tests(set: Option<&str>) -> Command {
    if !succeeds("cargo", &["nextest", "--version"]) {
        let all = [
            "test",
            "--workspace",
            "--no-fail-fast",
            "--lib",
            "--bins",
            "--tests",
        ];
        return cargo(&all);
    }
    let mut command = cargo(&["nextest", "run", "--workspace", "--no-fail-fast"]);
    command.args(["--test-threads", &at_once().to_string()]);
    if let Some(set) = set {
        command.args(["-E", set]);
    }
    command
}

/// The tests that kill and crash, as nextest selects them.
const HARSH: &str = "package(tidings-sim) + binary(*crash*) + binary(*kill*) + binary(*soak*) \
                     + test(/crash|kill|soak|model/)";

/// The tests that kill and crash, with other seeds in every round and ten times
/// as many, until `time` is over.
pub fn soak(report: &mut Report, time: Duration) {
    let end = Instant::now() + time;
    let mut round = 1u64;
    while report.0.is_empty() || (Instant::now() < end && !report.failed()) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let seed = now.map_or(round, |now| now.as_nanos() as u64);
        let mut tests = tests(Some(HARSH));
        tests.env("TIDINGS_SEED", seed.to_string());
        tests
            .env("TIDINGS_SEEDS", "1000")
            .env("TIDINGS_KILLS", "1000");
        test_step(
            report,
            &format!("round {round}, TIDINGS_SEED={seed}"),
            &mut tests,
        );
        round += 1;
    }
}

/// The benchmarks. Their figures stand in docs/benchmarks.
pub fn bench(report: &mut Report) {
    step(
        report,
        "benchmarks",
        &mut cargo(&["bench", "--workspace", "--bench", "*"]),
    );
}

/// Holds any hub against the rules of Mercure; ends as that does.
pub fn mercure_conformance(options: &[&str]) -> ExitCode {
    let mut command = cargo(&["run", "--quiet", "--package", "tidings-conformance", "--"]);
    match command.args(options).status() {
        Ok(status) => {
            let code = status.code().and_then(|code| u8::try_from(code).ok());
            code.map_or(ExitCode::FAILURE, ExitCode::from)
        }
        Err(error) => {
            eprintln!("cargo can't be run: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Every fuzz target, for so many seconds each.
pub fn fuzz(report: &mut Report, seconds: u64) {
    let start = Instant::now();
    let mut targets: Vec<String> = match std::fs::read_dir(root().join("fuzz/fuzz_targets")) {
        Ok(entries) => entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension() == Some(OsStr::new("rs")))
            .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
            .collect(),
        Err(error) => {
            report.0.push(Step {
                name: "fuzz".to_owned(),
                time: start.elapsed(),
                outcome: Outcome::Failed(format!("fuzz/fuzz_targets can't be read: {error}")),
                counts: crate::counts::Counts::default(),
            });
            return;
        }
    };
    targets.sort();
    if !succeeds("cargo", &["fuzz", "--version"]) {
        let reason = "cargo-fuzz is missing (cargo install cargo-fuzz)".to_owned();
        missing(report, "fuzz", start, reason);
        return;
    }
    for target in targets {
        let limit = format!("-max_total_time={seconds}");
        let mut command = cargo(&["fuzz", "run", &target, "--", &limit]);
        // It passes unstable compiler flags to whatever toolchain is there.
        command.env("RUSTC_BOOTSTRAP", "1");
        step(report, &format!("fuzz {target}"), &mut command);
    }
}
