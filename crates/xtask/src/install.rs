//! Installing what tests need and the machine lacks.

use crate::report::Report;
use crate::run::{find, step, succeeds};
use std::path::Path;
use std::process::Command;

/// What the tests of faults use to make them.
const TOOLS: [(&str, &str); 5] = [
    ("strace", "strace"),
    ("mkfs.ext4", "e2fsprogs"),
    ("nsenter", "util-linux"),
    ("prlimit", "util-linux"),
    ("unshare", "util-linux"),
];

/// Installs the tools that make faults, as far as that is possible. The tests
/// themselves say which of them did not run for want of one.
pub fn tools(report: &mut Report) {
    let missing = |tool: &str| find(&[tool]).is_none() && !sbin_has(tool);
    let mut packages: Vec<&str> = TOOLS
        .iter()
        .filter(|(tool, _)| missing(tool))
        .map(|(_, package)| *package)
        .collect();
    packages.dedup();
    if !packages.is_empty()
        && let Err(reason) = install(report, &packages)
    {
        println!("{reason}");
    }
}

/// Directories that stand in `PATH` for root only.
fn sbin_has(tool: &str) -> bool {
    ["/usr/sbin", "/sbin"]
        .iter()
        .any(|dir| Path::new(dir).join(tool).is_file())
}

/// Installs Debian packages, if this is Debian (or a relative) and we may.
pub fn install(report: &mut Report, packages: &[&str]) -> Result<(), String> {
    let list = packages.join(" ");
    let by_hand =
        |why: &str| format!("{list} missing, and {why}; install it (apt-get install {list})");
    if find(&["apt-get"]).is_none() {
        return Err(by_hand("there is no apt-get"));
    }
    let sudo: &[&str] = if is_root() {
        &[]
    } else if succeeds("sudo", &["-n", "true"]) {
        &["sudo", "-n"]
    } else {
        return Err(by_hand("only root may install it"));
    };
    // Old lists name packages that are gone; without network the installation
    // may still succeed from what is there.
    let script = "apt-get update -q; exec apt-get install -q -y --no-install-recommends \"$@\"";
    let words = [
        sudo,
        &[
            "env",
            "DEBIAN_FRONTEND=noninteractive",
            "sh",
            "-c",
            script,
            "sh",
        ],
    ]
    .concat();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).args(packages);
    match step(report, &format!("install {list}"), &mut command) {
        true => Ok(()),
        false => Err(by_hand("apt-get failed")),
    }
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}
