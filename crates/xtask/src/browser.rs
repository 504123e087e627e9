//! The tests in a browser: what they need, and running them. They find the hub
//! in `TIDINGS_BIN` and the browser in `CHROMIUM`.

use crate::install::{install, npm};
use crate::report::Report;
use crate::run::{cargo, find, missing, root, step, target_directory, test_step};
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

const NAME: &str = "browser tests";
/// What playwright-core's package asks for.
const NODE_MAJOR: u32 = 20;
const CHROMIUM: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];

/// Runs the tests in `tests/browser`, after installing what they need.
pub fn test(report: &mut Report) {
    let start = Instant::now();
    let chromium = match prepare(report) {
        Ok(chromium) => chromium,
        Err(reason) => return missing(report, NAME, start, reason),
    };
    if !step(
        report,
        "build the hub",
        &mut cargo(&["build", "--package", "tidings"]),
    ) {
        return missing(report, NAME, start, "the hub doesn't build".to_owned());
    }
    let Some(target) = target_directory() else {
        return missing(
            report,
            NAME,
            start,
            "cargo metadata names no target directory".to_owned(),
        );
    };
    let binary = format!("tidings{}", std::env::consts::EXE_SUFFIX);
    // Node finds the tests itself: every *.test.mjs below.
    let mut node = Command::new("node");
    node.args(["--test", "--test-reporter", "spec"]);
    node.current_dir(directory());
    node.env("TIDINGS_BIN", target.join("debug").join(binary));
    node.env("CHROMIUM", chromium);
    test_step(report, NAME, &mut node);
}

fn directory() -> PathBuf {
    root().join("tests/browser")
}

/// Installs what is missing, as far as that is possible. Answers where Chromium
/// is, or what is missing.
fn prepare(report: &mut Report) -> Result<PathBuf, String> {
    let mut packages = Vec::new();
    if chromium().is_none() {
        packages.push("chromium");
    }
    if find(&["node"]).is_none() {
        packages.push("nodejs");
    }
    if !packages.is_empty() {
        install(report, &packages)?;
    }
    let chromium =
        chromium().ok_or("there is no Chromium in PATH, nor in the variable CHROMIUM")?;
    if node_major().is_none_or(|major| major < NODE_MAJOR) {
        return Err(format!(
            "node is older than version {NODE_MAJOR}, which playwright-core needs"
        ));
    }
    npm(report, &directory())?;
    Ok(chromium)
}

/// The number before the first dot of `node --version`.
fn node_major() -> Option<u32> {
    let output = Command::new("node").arg("--version").output().ok()?;
    let version = String::from_utf8(output.stdout).ok()?;
    version
        .trim()
        .strip_prefix('v')?
        .split('.')
        .next()?
        .parse()
        .ok()
}

fn chromium() -> Option<PathBuf> {
    let given = std::env::var_os("CHROMIUM").map(PathBuf::from);
    given
        .filter(|path| path.is_file())
        .or_else(|| find(&CHROMIUM))
}
