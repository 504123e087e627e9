//! What is revoked, for whom and until when.

mod common;

use common::*;
use serde_json::{Value, json};
use std::sync::Arc;
use tidings_auth::revocation::{Entry, InvalidRevocation, MAX_ENTRIES, Revoked};
use tidings_auth::{Revocations, Rights, Strictness};
use tidings_engine::Timestamp;

fn holder(others: Value) -> Arc<Rights> {
    rights(
        &verifier(Strictness::Legacy),
        &token(hs_header(), claims(others)),
    )
}

fn entry(revoked: Revoked, issuer: Option<&str>, until: Option<u64>) -> Entry {
    Entry {
        revoked,
        issuer: issuer.map(str::to_owned),
        at: NOW.0,
        until,
    }
}

fn list(entries: &[Entry]) -> Revocations {
    let mut list = Revocations::default();
    for entry in entries {
        list.add(entry.clone(), NOW).expect("a good entry");
    }
    list
}

fn id(name: &str) -> Revoked {
    Revoked::TokenId(name.to_owned())
}

fn subject(name: &str) -> Revoked {
    Revoked::Subject(name.to_owned())
}

fn topics(name: &str) -> Revoked {
    Revoked::Topics(name.to_owned())
}

#[test]
fn tokens_by_id_and_by_subject() {
    let until = Some(NOW.0 + 1000);
    for (revoked, issuer, held, expected) in [
        (id("7"), None, json!({"jti": "7"}), true),
        (id("7"), None, json!({"jti": "7", "iat": NOW_S}), true),
        (id("7"), None, json!({"jti": "8", "sub": "7"}), false),
        (id("7"), None, json!({}), false),
        (id("7"), Some("a"), json!({"jti": "7", "iss": "a"}), true),
        (id("7"), Some("a"), json!({"jti": "7", "iss": "b"}), false),
        (id("7"), Some("a"), json!({"jti": "7"}), false),
        (
            subject("ann"),
            None,
            json!({"sub": "ann", "iss": "a"}),
            true,
        ),
        (
            subject("ann"),
            None,
            json!({"sub": "ann", "iat": NOW_S - 1}),
            true,
        ),
        (subject("ann"), None, json!({"sub": "Ann"}), false),
        (subject("ann"), None, json!({"jti": "ann"}), false),
        (
            subject("ann"),
            Some("a"),
            json!({"sub": "ann", "iss": "b"}),
            false,
        ),
    ] {
        let list = list(&[entry(revoked.clone(), issuer, until)]);
        let rights = holder(held.clone());
        assert_eq!(list.revoke(&rights, NOW), expected, "{revoked:?} {held}");
        assert!(!list.revoke(&rights, Timestamp(NOW.0 + 1000)), "it is over");
    }
}

#[test]
fn a_subject_s_later_tokens_are_good_again() {
    let mut earlier = entry(subject("ann"), None, None);
    earlier.at = NOW.0 - 2000;
    let list = list(&[earlier]);
    let of = |iat: u64| holder(json!({"sub": "ann", "iat": iat}));
    assert!(list.revoke(&of(NOW_S - 2), NOW));
    assert!(!list.revoke(&of(NOW_S - 1), NOW));
}

#[test]
fn topics_are_withdrawn_from_tokens_of_before() {
    let withdrawn = list(&[entry(topics("orders/*"), None, Some(NOW.0 + 1000))]);
    let held = holder(json!({"tidings": {"subscribe": ["**"]}}));
    for (topic, expected) in [("orders/42", true), ("orders/42/x", false), ("news", false)] {
        assert_eq!(withdrawn.withdraw(&held, &native(topic), NOW), expected);
    }
    let url = mercure("https://hub.example/t/orders/42");
    assert!(withdrawn.withdraw(&held, &url, NOW));
    assert!(!withdrawn.withdraw(&held, &mercure("orders/42"), NOW));
    assert!(!withdrawn.withdraw(&held, &native("orders/42"), Timestamp(NOW.0 + 1000)));
    assert!(!withdrawn.revoke(&held, NOW));
    let of_a = list(&[entry(topics("orders/*"), Some("a"), None)]);
    assert!(!of_a.withdraw(&held, &native("orders/42"), NOW));
    let mut before = entry(topics("orders/*"), None, None);
    before.at = NOW.0 - 2000;
    let later = holder(json!({"iat": NOW_S - 1}));
    assert!(!list(&[before]).withdraw(&later, &native("orders/42"), NOW));
}

#[test]
fn an_entry_lasts_as_long_as_the_longest_wish() {
    let ends = |entries: &[Entry]| list(entries).entries()[0].until;
    let with = |until| entry(id("7"), None, until);
    assert_eq!(
        ends(&[with(Some(NOW.0 + 5)), with(Some(NOW.0 + 9))]),
        Some(NOW.0 + 9)
    );
    assert_eq!(
        ends(&[with(Some(NOW.0 + 9)), with(Some(NOW.0 + 5))]),
        Some(NOW.0 + 9)
    );
    assert_eq!(ends(&[with(Some(NOW.0 + 9)), with(None)]), None);
    assert_eq!(ends(&[with(None), with(Some(NOW.0 + 9))]), None);
}

#[test]
fn entries_are_dropped_when_the_token_would_have_expired() {
    let mut list = list(&[
        entry(id("1"), None, Some(NOW.0 + 5)),
        entry(topics("a"), None, Some(NOW.0 + 7)),
        entry(id("2"), None, None),
    ]);
    for (after, left) in [(4, 3), (5, 2), (6, 2), (7, 1), (u64::MAX - NOW.0, 1)] {
        list.expire(Timestamp(NOW.0 + after));
        assert_eq!(list.entries().len(), left);
    }
}

#[test]
fn kept_over_a_restart() {
    let kept = list(&[
        entry(subject("ann"), Some("a"), None),
        entry(id("1"), None, Some(NOW.0 + 5)),
        entry(topics("orders/*"), None, None),
    ]);
    let again = Revocations::decode(&kept.encode(), NOW).expect("a list");
    assert_eq!(again.entries(), kept.entries());
    let held = holder(json!({}));
    assert!(again.withdraw(&held, &native("orders/1"), NOW));
    assert!(again.revoke(&holder(json!({"sub": "ann", "iss": "a"})), NOW));
    let later = Revocations::decode(&kept.encode(), Timestamp(NOW.0 + 5)).expect("a list");
    assert_eq!(later.entries().len(), 2);
    // Order in the file doesn't matter, damage does.
    let mut shuffled: Value = serde_json::from_slice(&kept.encode()).expect("JSON");
    shuffled["entries"]
        .as_array_mut()
        .expect("a list")
        .reverse();
    let again = Revocations::decode(shuffled.to_string().as_bytes(), NOW).expect("a list");
    assert_eq!(again.entries(), kept.entries());
    let bytes = kept.encode();
    for bad in [&b""[..], b"{}", &bytes[1..], &bytes[..bytes.len() - 1]] {
        let read = Revocations::decode(bad, NOW).map(drop);
        assert_eq!(read, Err(InvalidRevocation::Unreadable));
    }
    for (name, value) in [("version", json!(2)), ("more", json!(1))] {
        let mut other: Value = serde_json::from_slice(&bytes).expect("JSON");
        other[name] = value;
        assert!(Revocations::decode(other.to_string().as_bytes(), NOW).is_err());
    }
    let bad = json!({"version": 1, "entries": [entry(topics("a**"), None, None)]});
    let read = Revocations::decode(bad.to_string().as_bytes(), NOW).map(drop);
    assert_eq!(read, Err(InvalidRevocation::Selector));
}

#[test]
fn what_is_no_entry_is_refused_and_nothing_is_forgotten_for_room() {
    let mut list = Revocations::default();
    for (revoked, expected) in [
        (id(""), InvalidRevocation::Name),
        (subject(""), InvalidRevocation::Name),
        (id(&"x".repeat(1025)), InvalidRevocation::Name),
        (topics(""), InvalidRevocation::Selector),
        (topics("a*"), InvalidRevocation::Selector),
    ] {
        let added = list.add(entry(revoked, None, None), NOW);
        assert_eq!(added, Err(expected));
    }
    let full: Vec<Entry> = (0..MAX_ENTRIES)
        .map(|n| entry(id(&n.to_string()), None, Some(NOW.0 + 5)))
        .collect();
    let full = json!({"version": 1, "entries": full}).to_string();
    let mut list = Revocations::decode(full.as_bytes(), NOW).expect("a list");
    let more = entry(id("more"), None, None);
    assert_eq!(list.add(more.clone(), NOW), Err(InvalidRevocation::Full));
    assert_eq!(list.entries().len(), MAX_ENTRIES);
    let again = entry(id("7"), None, Some(NOW.0 + 9));
    assert_eq!(list.add(again, NOW), Ok(()));
    assert_eq!(list.add(more, Timestamp(NOW.0 + 5)), Ok(()));
    assert_eq!(list.entries().len(), 2);
}

/// The clock of its issuer may have been ahead.
#[test]
fn a_token_may_have_been_issued_earlier_than_it_says() {
    let lenient = verifier(Strictness::Strict).with_leeway_ms(5_000);
    let issued = |at: u64| {
        let claims = claims(json!({"iat": at, "sub": "ann"}));
        rights(&lenient, &token(hs_header(), claims))
    };
    let at = Timestamp(NOW.0 - 60_000);
    let revoked = |revoked| {
        let mut list = Revocations::default();
        let entry = Entry {
            at: at.0,
            ..entry(revoked, None, None)
        };
        list.add(entry, NOW).expect("an entry");
        list
    };
    let (ann, news) = (revoked(subject("ann")), revoked(topics("news")));
    for (later_s, expected) in [(0, true), (5, true), (6, false)] {
        let verified = issued(at.0 / 1000 + later_s);
        let kept = Rights::from_record(&verified.to_record(), &BASE).expect("a record");
        for rights in [&*verified, &kept] {
            assert_eq!(ann.revoke(rights, NOW), expected, "{later_s}");
            assert_eq!(news.withdraw(rights, &native("news"), NOW), expected);
        }
    }
}

#[test]
fn an_entry_can_be_taken_back() {
    let of_issuer = entry(id("7"), Some("a"), None);
    let mut list = list(&[
        entry(id("7"), None, None),
        of_issuer,
        entry(topics("news/*"), None, None),
    ]);
    let held = holder(json!({"jti": "7", "iss": "b"}));
    assert!(list.revoke(&held, NOW));
    assert!(!list.remove(&id("8"), None));
    assert!(!list.remove(&id("7"), Some("b")));
    assert!(list.remove(&id("7"), None));
    assert!(!list.revoke(&held, NOW));
    assert!(list.revoke(&holder(json!({"jti": "7", "iss": "a"})), NOW));
    assert!(list.withdraw(&held, &native("news/1"), NOW));
    assert!(list.remove(&topics("news/*"), None));
    assert!(!list.withdraw(&held, &native("news/1"), NOW));
    assert_eq!(list.entries().len(), 1);
}

#[test]
fn topics_are_lost_once_for_as_long_as_they_are_withdrawn() {
    let held = holder(json!({"iss": "a"}));
    let until = |until| list(&[entry(topics("news"), None, until)]);
    let after = Timestamp(NOW.0 + 10);
    let check = |before: &Revocations, since, newest: &Revocations, now, expected| {
        let more = newest.withdraws_more(&held, (before, since), now);
        assert_eq!(more, expected, "{before:?} {newest:?}");
    };
    let (none, all, short) = (until(Some(0)), until(None), until(Some(NOW.0 + 5)));
    check(&Revocations::default(), NOW, &all, NOW, true);
    check(&none, NOW, &all, NOW, true);
    check(&all, NOW, &all, after, false);
    check(&short, NOW, &all, NOW, false);
    check(&all, NOW, &short, NOW, false);
    // What had expired when it was looked at hid nothing.
    check(&short, after, &all, after, true);
    check(&Revocations::default(), NOW, &short, after, false);
    let others = list(&[entry(topics("news"), Some("b"), None)]);
    check(&Revocations::default(), NOW, &others, NOW, false);
}
