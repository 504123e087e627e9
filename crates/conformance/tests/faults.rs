//! The checks, held against a small hub: they pass when it does all it should,
//! and each fails when it breaks the rule.

mod fake;

use fake::faults::{Change, FAULTS};
use fake::{Fake, ISSUER, ORIGIN, SECRET};
use serde_json::json;
use std::net::TcpListener;
use std::time::Duration;
use tidings_conformance::token::{DETAIL, Draft};
use tidings_conformance::{Dialect, Options, Outcome, rules, run};

fn options(fake: &Fake) -> Options {
    let mut options = Options::new(fake.url());
    options.credentials.publisher_key = Some(SECRET.into());
    options.credentials.subscriber_key = Some(SECRET.into());
    options.credentials.issuer = Some(ISSUER.into());
    options.credentials.audience = Some(fake.url());
    options.origin = Some(ORIGIN.into());
    // Long on a machine that has much to do; nothing that passes waits for it.
    options.patience = Duration::from_secs(60);
    options
}

/// What a hub that does all it should is not asked.
const SKIPPED: [&str; 4] = ["auth-29", "discovery-3", "stream-8", "subscribe-17"];

#[track_caller]
fn check_passes(open: bool, more_skipped: &[&str]) {
    let fake = Fake::start(open, None);
    let report = run(&options(&fake), |_| {}).unwrap();
    let failed: Vec<String> = report.failures().map(ToString::to_string).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    let mut skipped: Vec<&str> = report.skipped().map(|line| &*line.id).collect();
    skipped.dedup();
    let mut expected = [&SKIPPED[..], more_skipped].concat();
    skipped.sort_unstable();
    expected.sort_unstable();
    assert_eq!(skipped, expected);
}

#[test]
fn a_hub_that_does_all_it_should_passes() {
    check_passes(true, &["auth-24"]);
}

#[test]
fn one_that_asks_for_a_token_passes() {
    let rows: Vec<String> = (1..=11).map(|row| format!("row-{row}")).collect();
    check_passes(false, &rows.iter().map(String::as_str).collect::<Vec<_>>());
}

/// Every check of the rule fails, in every dialect that the rule is of.
#[track_caller]
fn check_notices((id, what, change): (&str, &str, Change)) {
    // Where a hub that is open is not asked.
    let open = id != "auth-24";
    let fake = Fake::start(open, Some(change));
    let mut options = options(&fake);
    options.patience = Duration::from_secs(1);
    options.heartbeat = Duration::from_secs(1);
    options.only = vec![id.to_owned()];
    let report = run(&options, |_| {}).unwrap();
    for line in &report.0 {
        assert!(
            matches!(line.outcome, Outcome::Fail(_)),
            "{what}, and this was found: {line}"
        );
    }
}

#[test]
fn every_fault_is_noticed() {
    // Most of the time is spent waiting for what doesn't come.
    const AT_ONCE: usize = 8;
    std::thread::scope(|scope| {
        let all = FAULTS.concat();
        for share in all.chunks(all.len().div_ceil(AT_ONCE)) {
            let share = share.to_vec();
            scope.spawn(move || share.into_iter().for_each(check_notices));
        }
    });
}

#[test]
fn every_check_has_a_fault_that_it_notices() {
    // What no test sees within its time, it can't see broken either.
    const NONE: [&str; 1] = ["stream-8"];
    for rule in rules() {
        let mut faults = FAULTS.into_iter().flatten();
        let has_one = faults.any(|(id, ..)| *id == rule.id);
        assert_eq!(has_one, !NONE.contains(&&*rule.id), "{}", rule.id);
    }
}

#[test]
fn to_look_at_nothing_is_a_mistake() {
    let mut options = options(&Fake::start(true, None));
    options.only = vec!["auth-0".into()];
    assert!(run(&options, |_| {}).is_err());
}

#[test]
fn a_hub_that_is_not_there_breaks_no_rule() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    assert!(run(&Options::new(url), |line| panic!("{line}")).is_err());
}

/// Without keys what needs tokens of its own making is skipped, and nothing fails.
#[track_caller]
fn check_without_keys(dialect: Dialect, has_tokens: bool, fewest: usize) {
    let fake = Fake::start(true, None);
    let mut options = options(&fake);
    options.dialects = vec![dialect];
    let draft = Draft::new(dialect, ISSUER, &fake.url());
    let token = match dialect {
        Dialect::V0 => draft.claim("mercure", json!({"publish": ["*"], "subscribe": ["*"]})),
        Dialect::V1 => draft.details(json!([{
            "type": DETAIL,
            "actions": ["publish", "subscribe"],
            "topics": [{"match": "*"}],
        }])),
    };
    let token = has_tokens.then(|| token.sign(SECRET));
    let who = &mut options.credentials;
    (who.publisher_key, who.subscriber_key) = (None, None);
    (who.publisher_token, who.subscriber_token) = (token.clone(), token);
    let report = run(&options, |_| {}).unwrap();
    let failed: Vec<String> = report.failures().map(ToString::to_string).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    for line in report.skipped() {
        let is_for_want = line.to_string().contains("why: no --");
        let known = SKIPPED.contains(&&*line.id) || line.id == "auth-24";
        assert!(is_for_want || known, "{line}");
    }
    let passed = report.0.len() - report.skipped().count();
    assert!(passed >= fewest, "{report}");
}

#[test]
fn without_keys_less_is_looked_at() {
    for (dialect, with_tokens, with_nothing) in [(Dialect::V0, 50, 8), (Dialect::V1, 60, 15)] {
        check_without_keys(dialect, true, with_tokens);
        check_without_keys(dialect, false, with_nothing);
    }
}
