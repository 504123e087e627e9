//! Other people's clients watch our hub.

mod interop;

use interop::hub::{check_remembers_the_start, check_watches};
use interop::{directory, node, python, table};
use std::path::Path;
use std::process::Command;

#[test]
fn npm_eventsource() {
    let Some(node) = node() else { return };
    check_watches("eventsource", |url| {
        script(&node, &[], "eventsource.mjs", url)
    });
    check_remembers_the_start("eventsource", |url| {
        script(&node, &[], "eventsource.mjs", url)
    });
}

#[test]
fn node_own() {
    let Some(node) = node() else { return };
    let flags = ["--experimental-eventsource", "--no-warnings"];
    check_watches("node", |url| script(&node, &flags, "node.mjs", url));
    check_remembers_the_start("node", |url| script(&node, &flags, "node.mjs", url));
}

#[test]
fn python_httpx_sse() {
    let Some(python) = python() else { return };
    let watch = |url: &str| script(&python, &["-u"], "httpx_sse_client.py", url);
    check_watches("httpx-sse", watch);
    check_remembers_the_start("httpx-sse", watch);
}

/// A client that watches a URL and listens for all types of the table.
fn script(interpreter: &Path, flags: &[&str], name: &str, url: &str) -> Command {
    let mut command = Command::new(interpreter);
    command
        .args(flags)
        .arg(directory().join("clients").join(name))
        .arg(url)
        .args(table::types());
    command
}
