//! The tests in a browser: what they need, and running them. They find the hub
//! in `TIDINGS_BIN`, the examples in the directory `EXAMPLES_BIN` and the browser
//! in `CHROMIUM`.

use crate::install::{install, node, npm};
use crate::report::Report;
use crate::run::{
    at_once, build_programs, find, missing, root, succeeds, target_directory, test_step,
};
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

const NAME: &str = "browser tests";
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
    if !build_programs(report) {
        let reason = "the hub and the examples don't build".to_owned();
        return missing(report, NAME, start, reason);
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
    // Node itself would take one less than there are cores: of two, one would be idle.
    node.arg(format!("--test-concurrency={}", at_once()));
    node.current_dir(directory());
    node.env("TIDINGS_BIN", target.join("debug").join(binary));
    node.env("EXAMPLES_BIN", target.join("debug"));
    node.env("CHROMIUM", chromium);
    test_step(report, NAME, &mut node);
}

fn directory() -> PathBuf {
    root().join("tests/browser")
}

/// Installs what is missing, as far as that is possible. Answers where Chromium
/// is, or what is missing.
fn prepare(report: &mut Report) -> Result<PathBuf, String> {
    if chromium().is_none() {
        install(report, &["chromium"])?;
    }
    let chromium =
        chromium().ok_or("there is no Chromium in PATH, nor in the variable CHROMIUM")?;
    node(report)?;
    npm(report, &directory())?;
    letters();
    Ok(chromium)
}

/// A font with Chinese letters, without which the pictures of what is in Chinese
/// show boxes. No test depends on it, so nothing fails for want of it.
fn letters() {
    let install = "fc-list :lang=zh | grep -q . || DEBIAN_FRONTEND=noninteractive apt-get \
                   install -q -y --no-install-recommends fonts-wqy-microhei";
    if !succeeds("sh", &["-c", install]) {
        println!("without a font for Chinese; its pictures will show boxes (fonts-wqy-microhei)");
    }
}

fn chromium() -> Option<PathBuf> {
    let given = std::env::var_os("CHROMIUM").map(PathBuf::from);
    given
        .filter(|path| path.is_file())
        .or_else(|| find(&CHROMIUM))
}
