//! Who is given a stream, who shares its reads, and what ends it.

use super::*;
use crate::hub::Hub;
use crate::testing::{closed_hub, holder};
use serde_json::{Value, json};
use tidings_auth::Selector;
use tidings_auth::revocation::{Entry, Revoked};
use tidings_engine::{Limits, Published, Topic, Visibility};

fn selection(selectors: &[&str]) -> Selection {
    let selectors = selectors
        .iter()
        .map(|text| Selector::new(text).expect("one"));
    Selection::new(selectors.collect())
}

fn wish(selectors: &[&str]) -> Wish {
    Wish {
        face: Face::Native,
        selection: selection(selectors),
        connection: None,
        lifetime: None,
    }
}

fn subscribe(selectors: &[&str]) -> Value {
    json!({ "sub": "ann", "iat": now().0 / 1000 - 60, "tidings": { "subscribe": selectors } })
}

async fn stand(hub: &Hub, claims: Value, selectors: &[&str]) -> Admitted {
    let who = holder(hub, claims).await;
    hub.auth().stand(&who, wish(selectors)).expect("admitted")
}

/// A hub where anyone may watch `open/*`.
fn hub() -> Arc<Hub> {
    closed_hub(Limits::default(), &["open/*"])
}

#[tokio::test]
async fn strangers_share_one_sight_and_have_no_standing() {
    let hub = hub();
    let [one, other] = ["open/a", "open/a"].map(|topic| {
        let admitted = hub.auth().stand(&Who::Anonymous, wish(&[topic]));
        admitted.expect("open")
    });
    assert!(one.standing.is_none() && hub.auth().standings().is_empty());
    assert_eq!(one.selection, other.selection);
    for closed in ["a", "*", "open/**", "open/a/b"] {
        let refused = hub.auth().stand(&Who::Anonymous, wish(&[closed]));
        assert_eq!(refused.expect_err(closed).refusal(), Refusal::Anonymous);
    }
}

/// Whether two who hold tokens with these claims may be given the same reads.
#[track_caller]
fn check_shares(hub: &Hub, one: &Who, other: &Who, expected: bool) {
    let selection = |who: &Who| {
        let admitted = hub.auth().stand(who, wish(&["open/a"]));
        admitted.expect("granted").selection
    };
    assert_eq!(
        selection(one) == selection(other),
        expected,
        "{one:?} {other:?}"
    );
}

#[tokio::test]
async fn reads_are_shared_by_what_is_granted_and_not_by_how_it_reads() {
    let hub = hub();
    let ann = holder(&hub, subscribe(&["a", "b"])).await;
    let mut same = subscribe(&["b", "a", "a"]);
    same["sub"] = "bob".into();
    check_shares(&hub, &ann, &holder(&hub, same).await, true);
    check_shares(&hub, &ann, &Who::Anonymous, false);
    // CVE-2026-39972: lists that read alike once they are joined.
    for alike in [
        &["a,b"][..],
        &["a b"],
        &["ab"],
        &["a/b"],
        &["a"],
        &["a", "b", "c"],
    ] {
        check_shares(&hub, &ann, &holder(&hub, subscribe(alike)).await, false);
    }
}

#[tokio::test]
async fn private_events_are_for_those_whom_they_are_granted() {
    let hub = hub();
    let ann = stand(&hub, subscribe(&["a"]), &["a", "open/a"]).await;
    for (topic, visibility, shown) in [
        ("a", Visibility::Native, true),
        ("a", Visibility::Private, true),
        ("open/a", Visibility::Public, true),
        ("open/a", Visibility::Private, false),
    ] {
        let topic = Topic::new(topic).expect("a topic");
        let event = Published {
            visibility,
            ..Published::natively(&topic)
        };
        assert_eq!(ann.selection.watches(&event), shown, "{event:?}");
    }
}

fn entry(revoked: Revoked) -> Entry {
    Entry {
        revoked,
        issuer: None,
        at: now().0,
        until: None,
    }
}

#[tokio::test]
async fn revocations_end_the_streams_that_they_concern() {
    let hub = hub();
    let mut claims = subscribe(&["a/*", "b"]);
    claims["jti"] = "one".into();
    for (watched, revoked, ends) in [
        ("b", Revoked::TokenId("one".into()), true),
        ("b", Revoked::TokenId("two".into()), false),
        ("b", Revoked::Subject("ann".into()), true),
        ("b", Revoked::Subject("bob".into()), false),
        ("b", Revoked::Topics("b".into()), true),
        ("b", Revoked::Topics("*".into()), true),
        // Also what isn't watched: events of `b` may be granted by it.
        ("b", Revoked::Topics("a/*".into()), true),
        ("a/*", Revoked::Topics("a/1".into()), true),
        ("a/*", Revoked::Topics("**".into()), true),
        ("a/*", Revoked::Topics("b".into()), true),
    ] {
        let admitted = stand(&hub, claims.clone(), &[watched]).await;
        let standing = admitted.standing.expect("a standing");
        let mut list = Revocations::default();
        list.add(entry(revoked.clone()), now()).expect("an entry");
        hub.auth().standings().revoke(&list);
        let over = standing.over(now()).is_some();
        assert_eq!(over, ends, "{watched} {revoked:?}");
    }
}

#[tokio::test]
async fn a_standing_is_found_while_its_stream_lasts() {
    let hub = hub();
    let id = ConnectionId::random().expect("randomness");
    assert_eq!(ConnectionId::parse(&id.to_string()), Some(id));
    for bad in [
        "",
        "0",
        &"0".repeat(33),
        &"G".repeat(32),
        &"A".repeat(32),
        &format!("+{}", "0".repeat(31)),
    ] {
        assert_eq!(ConnectionId::parse(bad), None, "{bad}");
    }
    let who = holder(&hub, subscribe(&["a"])).await;
    let named = Wish {
        connection: Some(id),
        lifetime: Some(Duration::from_millis(1)),
        ..wish(&["a"])
    };
    let admitted = hub.auth().stand(&who, named).expect("granted");
    let standings = hub.auth().standings();
    let found = standings.connection(id).expect("it is there");
    assert_eq!(
        (found.connection(), found.watched()),
        (Some(id), &selection(&["a"]))
    );
    assert!(standings.find(found.id()).is_some());
    let soon = Timestamp(now().0 + 1);
    assert!(found.ends_at() <= Some(soon));
    assert_eq!(found.over(soon), Some(Over::Lifetime));
    found.end();
    assert_eq!(found.over(soon), Some(Over::Rights));
    drop((found, admitted));
    assert!(standings.connection(id).is_none() && standings.is_empty());
}
