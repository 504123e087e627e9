//! A hub over TLS, and who talks to it.

// Each test file that includes this uses another part of it.
#![allow(dead_code)]

use std::process::Command;
use tidings_testkit::{HubProcess, Identity, Trust, Watch, launch};

/// A hub that speaks both, and who it is.
pub fn hub() -> (Identity, HubProcess) {
    let identity = Identity::new();
    let hub = identity.shown_by(launch!()).start();
    (identity, hub)
}

/// Gives a command the environment that a hub with TLS has.
pub fn with_tls(command: &mut Command, identity: &Identity) {
    command.env("TIDINGS_TLS_LISTEN", "127.0.0.1:0");
    command.env("TIDINGS_TLS_CERTIFICATE", identity.certificate_file());
    command.env("TIDINGS_TLS_KEY", identity.key_file());
}

pub fn watch(hub: &HubProcess, trust: &Trust, path: &str, last_event_id: Option<&str>) -> Watch {
    let http = trust.connect(hub.tls_address()).expect("TLS");
    let watch = Watch::try_over(http, path, last_event_id).expect("an answer");
    assert_eq!(watch.head().status, 200);
    watch
}

#[track_caller]
pub fn post(hub: &HubProcess, trust: &Trust, data: &str) {
    let mut http = trust.connect(hub.tls_address()).expect("TLS");
    let answer = http.request("POST", "/t/news", &[], data.as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// How often a handshake failed for `reason`.
pub fn failures(hub: &HubProcess, reason: &str) -> u64 {
    let name = format!("tidings_tls_handshake_failures_total{{reason=\"{reason}\"}}");
    hub.metric(&name)
}
