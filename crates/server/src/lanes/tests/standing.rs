//! Streams that end with the rights behind them, over lanes.

use super::*;
use crate::hub::now;
use crate::testing::{Ends, admit, closed_hub, holder, overtaken, until};
use serde_json::json;
use std::sync::atomic::Ordering;
use tidings_auth::Timestamp;

/// How soon an end may be asked to come back.
const LEAST_RETRY_MS: u64 = 5000;

fn may_watch(topics: &[&str]) -> serde_json::Value {
    json!({ "sub": "ann", "tidings": { "subscribe": topics } })
}

/// It has ended whole, and says when to come back.
fn check_ended(peer: &Peer) {
    assert!(peer.ended && peer.framing.is_over(), "the last chunk came");
    assert!(
        (LEAST_RETRY_MS..=3 * LEAST_RETRY_MS).contains(&peer.retry_ms),
        "{}",
        peer.retry_ms
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a11_a_stream_ends_when_its_token_expires() {
    let hub = closed_hub(Limits::default(), &[]);
    let who = holder(&hub, may_watch(&["a"])).await;
    let expires = Timestamp(now().0 + 700);
    let (admitted, standing) = admit(&hub, &until(&who, expires), &["a"]);
    assert_eq!(standing.ends_at(), Some(expires));
    drop(standing);
    let mut peer = Peer::carry(&hub, admitted, Position::START).await;
    publish(&hub, "a", "before").await;
    peer.until(|peer| !peer.events.is_empty()).await;
    assert!(now() < expires, "this machine is too slow for this test");
    peer.until(|_| false).await;
    assert!(now() >= expires, "it ended before its time");
    check_ended(&peer);
    assert_eq!(peer.data(), ["before"]);
    eventually("the standing is forgotten", || {
        hub.auth().standings().is_empty()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_passed_over_by_rights_that_have_ended() {
    let limits = Limits {
        heartbeat: Duration::from_millis(200),
        ..Limits::default()
    };
    let hub = closed_hub(limits, &[]);
    let who = holder(&hub, may_watch(&["a"])).await;
    let (admitted, standing) = admit(&hub, &who, &["a"]);
    let mut peer = Peer::carry(&hub, admitted, Position::START).await;
    peer.until(|peer| peer.retries > 0).await;
    publish(&hub, "a", "first").await;
    peer.until(|peer| !peer.events.is_empty()).await;
    standing.end();
    drop(standing);
    publish_all(&hub, "a", &numbers(0..10, 1)).await;
    peer.until(|_| false).await;
    check_ended(&peer);
    // Who comes back with other rights goes on with the event behind the last.
    let (admitted, _) = admit(&hub, &who, &["a"]);
    let mut again = Peer::carry(&hub, admitted, peer.position()).await;
    let got = peer.events.len();
    again.until(|again| again.events.len() + got >= 11).await;
    let all = [peer.data(), again.data()].concat();
    assert_eq!(all[0], "first");
    assert_eq!(all[1..], numbers(0..10, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_whose_reader_takes_nothing_ends_too() {
    let limits = Limits {
        lag_bytes: 1 << 30,
        ..Limits::default()
    };
    let hub = closed_hub(limits, &[]);
    let who = holder(&hub, may_watch(&["a"])).await;
    let (admitted, standing) = admit(&hub, &who, &["a"]);
    let peer = Peer::carry(&hub, admitted, Position::START).await;
    publish_all(&hub, "a", &numbers(0..500, 50_000)).await;
    assert_eq!(hub.places().connections(), 1);
    standing.end();
    eventually("its connection is let go", || {
        hub.places().connections() == 0
    })
    .await;
    drop(peer);
}

#[tokio::test(flavor = "multi_thread")]
async fn renewed_rights_count_from_the_next_event_on() {
    let hub = closed_hub(Limits::default(), &[]);
    let narrow = json!({ "sub": "ann", "tidings": { "subscribe": ["*"] } });
    let who = holder(&hub, narrow).await;
    let soon = Timestamp(now().0 + 60_000);
    let (admitted, standing) = admit(&hub, &until(&who, soon), &["*"]);
    let mut peer = Peer::carry(&hub, admitted, Position::START).await;
    let other = holder(&hub, may_watch(&["*", "x/**"])).await;
    let rights = other.rights().expect("a holder");
    for round in 0..50 {
        standing
            .renew(hub.auth(), Arc::clone(rights))
            .expect("granted");
        let data = round.to_string();
        publish(&hub, "a", &data).await;
        peer.until(|peer| peer.data().last() == Some(&&*data)).await;
    }
    assert!(
        standing.ends_at() > Some(soon),
        "it lives as long as the new token"
    );
    // What is watched has to be granted as a whole.
    let other = holder(&hub, may_watch(&["a"])).await;
    let rights = other.rights().expect("a holder");
    assert!(standing.renew(hub.auth(), Arc::clone(rights)).is_err());
    publish(&hub, "b", "still").await;
    peer.until(|peer| peer.data().last() == Some(&"still"))
        .await;
    assert!(!peer.ended);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_there_is_not_shown_by_rights_that_ended_after_they_were_looked_at() {
    for ends in [Ends::Revoked, Ends::Expires] {
        let hub = closed_hub(Limits::default(), &[]);
        let (admitted, own, taken) = overtaken(&hub, ends).await;
        let mut peer = Peer::carry_with(&hub, admitted, hub.live().end(), Some(own)).await;
        peer.until(|_| false).await;
        assert!(
            taken.load(Ordering::SeqCst),
            "{ends:?}: a snapshot was taken"
        );
        assert_eq!(peer.events, [], "{ends:?}");
        check_ended(&peer);
    }
}
