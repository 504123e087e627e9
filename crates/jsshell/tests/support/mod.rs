//! Runs test pages in the shell, against a server that does what each asks for.

pub mod server;
mod steps;

use server::Server;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// How long a page may take, in seconds, before its test fails.
const PATIENCE: &str = "60";

/// Where the pages are.
pub fn pages() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/js")
}

/// The shell with these arguments.
///
/// # Panics
/// If it can't be started.
pub fn shell(args: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_jsshell"))
        .args(args)
        .output();
    output.expect("the shell runs")
}

/// Evaluates the scripts in one realm, at `http://page.test` on a server of its
/// own, and holds that each test in them passes.
///
/// # Panics
/// With what the page printed, if not.
#[track_caller]
pub fn check_page(scripts: &[&str]) {
    let server = Server::start();
    let location = format!(
        "http://page.test:{}/dir/page.html?other={}",
        server.ports[0], server.ports[1]
    );
    let paths: Vec<PathBuf> = scripts.iter().map(|script| pages().join(script)).collect();
    let mut args = vec!["--location", &location, "--timeout", PATIENCE];
    args.extend(["--resolve", "*.test=127.0.0.1"]);
    args.extend(paths.iter().map(|path| path.to_str().expect("UTF-8")));
    let output = shell(&args);
    let text = String::from_utf8_lossy(&output.stdout);
    let report = || format!("{text}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{}", report());
    let passed = text.lines().filter(|line| line.starts_with("ok ")).count();
    let said = text
        .lines()
        .last()
        .and_then(|line| line.strip_suffix(" tests"));
    let all = said.and_then(|count| count.parse().ok());
    assert!(passed > 0, "no test: {}", report());
    assert_eq!(Some(passed), all, "{}", report());
}
