//! What the tests of interoperability share: one table of events, strangers as
//! processes, and something between them and us that cuts connections.
#![allow(dead_code, reason = "each test binary uses a part")]

pub mod client;
pub mod cutter;
pub mod hub;
pub mod nginx;
pub mod ours;
pub mod server;
pub mod stranger;
pub mod table;

use std::path::PathBuf;
use tidings_testkit::skip;

/// Where the strangers' scripts are, and what is installed for them.
pub fn directory() -> PathBuf {
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    own.join("../../tests/interop")
}

/// Node, in the version that npm installs beside the strangers: they need a newer
/// one than distributions have.
pub fn node() -> Option<PathBuf> {
    let machine = match std::env::consts::ARCH {
        "aarch64" => "arm64",
        _ => "x64",
    };
    installed(&format!("node_modules/node-linux-{machine}/bin/node"))
}

/// Python, in the virtual environment that has the strangers.
pub fn python() -> Option<PathBuf> {
    installed(".venv/bin/python")
}

fn installed(path: &str) -> Option<PathBuf> {
    let path = directory().join(path);
    if !path.is_file() {
        skip("the strangers aren't installed; `cargo xtask test` does it");
        return None;
    }
    Some(path)
}
