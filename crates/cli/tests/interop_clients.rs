//! Other people's clients watch our hub, at its native and its Mercure face.

mod interop;

use interop::hub::{
    MERCURE, check_remembers_the_start, check_remembers_the_start_at, check_watches,
    check_watches_at,
};
use interop::stranger::Stranger;
use interop::{directory, node, python, table};
use std::path::Path;
use std::process::Command;

#[test]
fn npm_eventsource() {
    let Some(node) = node() else { return };
    check(|url| script(&node, &[], "eventsource.mjs", url));
}

#[test]
fn node_own() {
    let Some(node) = node() else { return };
    let flags = ["--experimental-eventsource", "--no-warnings"];
    check(|url| script(&node, &flags, "node.mjs", url));
}

#[test]
fn python_httpx_sse() {
    let Some(python) = python() else { return };
    check(|url| script(&python, &[], "httpx_sse_client.py", url));
}

#[track_caller]
fn check(watch: impl Fn(&str) -> Stranger) {
    check_watches(&watch);
    check_remembers_the_start(&watch);
    check_watches_at(&format!("{MERCURE}&lastEventID=earliest"), &watch);
    check_remembers_the_start_at(MERCURE, &watch);
}

/// A client that watches a URL and listens for all types of the table.
fn script(interpreter: &Path, flags: &[&str], name: &str, url: &str) -> Stranger {
    let mut command = Command::new(interpreter);
    command
        .args(flags)
        .arg(directory().join("clients").join(name))
        .arg(url)
        .args(table::types());
    Stranger::start(name, &mut command)
}
