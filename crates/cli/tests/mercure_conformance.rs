//! The hub against every rule of Mercure, in both versions of the protocol.

use std::time::Duration;
use tidings_conformance::{Dialect, Options, Report, run};
use tidings_testkit::token::PUBLIC_URL;
use tidings_testkit::{HubProcess, Identity, Launch, launch};

const PUBLISHERS: &str = "what publishers' tokens are signed with";
const SUBSCRIBERS: &str = "what subscribers' tokens are signed with";
const ISSUER: &str = "https://issuer.example";
const ORIGIN: &str = "https://page.example";

/// With the environment of a Mercure hub's image.
fn environment(more: &str) -> Launch {
    let directives = format!("subscriptions\nheartbeat 1s\ncors_origins {ORIGIN}\n{more}");
    launch!(
        "MERCURE_PUBLISHER_JWT_KEY" = PUBLISHERS,
        "MERCURE_SUBSCRIBER_JWT_KEY" = SUBSCRIBERS,
        "MERCURE_EXTRA_DIRECTIVES" = directives,
        "TIDINGS_PUBLIC_URL" = PUBLIC_URL,
    )
}

/// With keys of its own configuration, which vouch for one issuer.
fn configured() -> Launch {
    let key = |secret: &str, role: &str| {
        format!(
            "{{ algorithms = [\"HS256\"], secret = \"{secret}\", issuer = \"{ISSUER}\", roles = \
             [\"{role}\"] }}"
        )
    };
    let keys = [key(PUBLISHERS, "publish"), key(SUBSCRIBERS, "subscribe")];
    launch!(
        "TIDINGS_AUTH_KEYS" = format!("[{}]", keys.join(", ")),
        "TIDINGS_MERCURE_SUBSCRIPTIONS" = "true",
        "TIDINGS_STREAM_HEARTBEAT" = "1s",
        "TIDINGS_CORS_ORIGINS" = ORIGIN,
        "TIDINGS_PUBLIC_URL" = PUBLIC_URL,
    )
}

fn options(hub: &HubProcess, dialects: &[Dialect], issuer: Option<&str>) -> Options {
    let path = "/.well-known/mercure";
    let mut options = Options::new(format!("http://{}{path}", hub.address()));
    options.dialects = dialects.to_vec();
    options.credentials.publisher_key = Some(PUBLISHERS.into());
    options.credentials.subscriber_key = Some(SUBSCRIBERS.into());
    options.credentials.issuer = issuer.map(str::to_owned);
    options.credentials.audience = Some(format!("{PUBLIC_URL}{path}"));
    options.origin = Some(ORIGIN.into());
    options.patience = Duration::from_secs(30);
    options
}

/// Nothing fails, and no more is skipped than this.
#[track_caller]
fn check(report: &Report, skipped: &[&str]) {
    let failed: Vec<String> = report.failures().map(ToString::to_string).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    let unexpected: Vec<String> = report
        .skipped()
        .filter(|line| !skipped.contains(&&*line.id) && !line.id.starts_with("row-"))
        .map(ToString::to_string)
        .collect();
    assert!(unexpected.is_empty(), "{}", unexpected.join("\n"));
}

#[test]
fn as_a_mercure_hub_open_to_anonymous_subscribers() {
    let hub = environment("anonymous").start();
    let report = run(&options(&hub, &Dialect::ALL, None), |_| {}).unwrap();
    assert!(report.skipped().all(|line| !line.id.starts_with("row-")));
    check(
        &report,
        &["auth-24", "discovery-3", "stream-8", "subscribe-17"],
    );
}

#[test]
fn as_a_mercure_hub_for_those_with_tokens() {
    let hub = environment("").start();
    let report = run(&options(&hub, &Dialect::ALL, None), |_| {}).unwrap();
    check(&report, &["discovery-3", "stream-8", "subscribe-17"]);
}

#[test]
fn with_keys_that_vouch_for_an_issuer() {
    let hub = configured().start();
    let report = run(&options(&hub, &[Dialect::V1], Some(ISSUER)), |_| {}).unwrap();
    check(&report, &["stream-8", "subscribe-17"]);
}

#[test]
fn over_tls_with_a_certificate_that_is_trusted_only_if_told_to() {
    let hub = Identity::new().shown_by(environment("anonymous")).start();
    let mut options = options(&hub, &Dialect::ALL, None);
    let port = hub.tls_address().port();
    options.url = format!("https://localhost:{port}/.well-known/mercure");
    options.only = ["endpoint", "cursor", "row"].map(str::to_owned).to_vec();
    assert!(run(&options, |line| panic!("{line}")).is_err());
    options.insecure = true;
    let report = run(&options, |_| {}).unwrap();
    assert!(!report.0.is_empty());
    check(&report, &[]);
}
