//! Running other programs.

use crate::counts::Counts;
use crate::report::{Outcome, Report, Step};
use std::io::{BufRead, BufReader, IsTerminal, Read, Write, stderr, stdout};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::time::Instant;

/// The root of the repository.
pub fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = own
        .ancestors()
        .nth(2)
        .expect("crates/xtask lies two levels down");
    root.to_owned()
}

/// The cargo that runs this, in the root of the repository.
pub fn cargo(args: &[&str]) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(args).current_dir(root());
    if stdout().is_terminal() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    command
}

/// Whether `program args` can be run and succeeds; its output is dropped.
pub fn succeeds(program: &str, args: &[&str]) -> bool {
    Command::new(program)
        .args(args)
        .current_dir(root())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The first of `names` that stands in `PATH`.
pub fn find(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let mut places =
        std::env::split_paths(&path).flat_map(|dir| names.iter().map(move |name| dir.join(name)));
    places.find(|place| place.is_file())
}

/// Whether nobody is there who could install what is missing.
pub fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|ci| ci == "true" || ci == "1")
}

/// Where cargo builds.
pub fn target_directory() -> Option<PathBuf> {
    let output = cargo(&["metadata", "--format-version", "1", "--no-deps"])
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let (_, rest) = text.split_once("\"target_directory\":\"")?;
    let (directory, _) = rest.split_once('"')?;
    Some(directory.replace("\\\\", "\\").into())
}

/// How many tests run at a time: one more than there are cores. Each has hubs and
/// browsers of its own, on ports of their own, and many wait for those, or for a
/// time that a hub keeps, more than they compute.
pub fn at_once() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from) + 1
}

/// Builds all programs and examples of the workspace in a debug build, as a step of
/// `report`. The features of what they need are chosen for the whole workspace and
/// its tests (examples take part in that), so that what was built for the tests is
/// all there; a package by itself has other ones, and most would be built again.
pub fn build_programs(report: &mut Report) -> bool {
    let all = ["build", "--workspace", "--bins", "--examples"];
    step(report, "build the programs", &mut cargo(&all))
}

/// Runs `command` as one step: its output is passed on as it comes, and the
/// tests it reports are counted. Answers whether it succeeded.
pub fn step(report: &mut Report, name: &str, command: &mut Command) -> bool {
    println!("\n== {name}");
    let start = Instant::now();
    let counts = Mutex::new(Counts::default());
    let outcome = match passing_on(command, &counts) {
        Ok(status) if status.success() => Outcome::Passed,
        Ok(status) => Outcome::Failed(status.to_string()),
        Err(error) => Outcome::Failed(format!(
            "{} can't be run: {error}",
            command.get_program().display()
        )),
    };
    let passed = outcome == Outcome::Passed;
    report.0.push(Step {
        name: name.to_owned(),
        time: start.elapsed(),
        outcome,
        counts: counts.into_inner().unwrap_or_default(),
    });
    passed
}

/// [`step`] for a runner of tests: one that finds none has not done its work.
pub fn test_step(report: &mut Report, name: &str, command: &mut Command) {
    step(report, name, command);
    if let Some(step) = report.0.last_mut()
        && step.outcome == Outcome::Passed
        && step.counts == Counts::default()
    {
        step.outcome = Outcome::Failed("it ran no tests".to_owned());
    }
}

/// Adds a step that did not run. Where nobody can install what is missing, that
/// is a failure: it would go unnoticed.
pub fn missing(report: &mut Report, name: &str, since: Instant, reason: String) {
    report.0.push(Step {
        name: name.to_owned(),
        time: since.elapsed(),
        outcome: match in_ci() {
            true => Outcome::Failed(format!("did not run: {reason}")),
            false => Outcome::Skipped(reason),
        },
        counts: Counts::default(),
    });
}

fn passing_on(command: &mut Command, counts: &Mutex<Counts>) -> std::io::Result<ExitStatus> {
    command.stdin(Stdio::null());
    let mut child: Child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let out = child.stdout.take();
    let err = child.stderr.take();
    std::thread::scope(|scope| {
        scope.spawn(|| out.map(|out| pass_on(out, stdout(), counts)));
        scope.spawn(|| err.map(|err| pass_on(err, stderr(), counts)));
    });
    child.wait()
}

fn pass_on(from: impl Read, mut to: impl Write, counts: &Mutex<Counts>) {
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
        // The runner goes on even if nobody reads along.
        let _ = to.write_all(&line).and_then(|()| to.flush());
        if let Ok(mut counts) = counts.lock() {
            counts.read(&String::from_utf8_lossy(&line));
        }
        line.clear();
    }
}
