//! What tests of a running hub share: the process, a plain HTTP client that
//! can also say nonsense, and a watcher that resumes.

pub mod guide;
pub mod http;
pub mod hub;
pub mod problem;
mod publish;
pub mod script;
pub mod tls;
pub mod token;
pub mod watch;

pub use http::{Answer, Http, PATIENCE};
pub use hub::{HubProcess, Launch};
pub use problem::{CANARY, check_problem, check_refused};
pub use script::{Asked, Exchange, Scripted};
pub use tls::{Identity, Trust};
pub use watch::{Received, Watch};

use std::time::{Duration, Instant};

/// How to start the binary under test, with its data in a directory of its own
/// that goes with the hub; variables of the environment may follow.
#[macro_export]
macro_rules! launch {
    ($($name:literal = $value:expr),* $(,)?) => {
        $crate::Launch::fresh(env!("CARGO_BIN_EXE_tidings"))$(.env($name, $value))*
    };
}

/// Waits until `condition` holds.
///
/// # Panics
/// If it doesn't within [`PATIENCE`].
#[track_caller]
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "still not: {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// Says that a test can't run here. In CI that is a failure: nobody would
/// notice it.
///
/// # Panics
/// In CI.
pub fn skip(reason: &str) {
    let ci = std::env::var("CI").is_ok_and(|ci| ci == "true" || ci == "1");
    assert!(!ci, "this test can't run: {reason}");
    eprintln!("SKIPPED: {reason}");
}
