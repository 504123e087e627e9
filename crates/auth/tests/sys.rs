//! What the hub tells of itself is its operator's, whatever is granted on topics.

mod common;

use common::*;
use serde_json::{Value, json};
use std::sync::Arc;
use tidings_auth::{
    Action, Admission, Caller, Decision, Face, Policy, Refusal, Revocations, Rights, Strictness,
    Visibility, authorize,
};

fn holder(others: Value) -> Arc<Rights> {
    rights(
        &verifier(Strictness::Legacy),
        &token(hs_header(), claims(others)),
    )
}

fn check(policy: &Policy<'_>, caller: Caller<'_>, expected: Decision) {
    let received = [Face::Native, Face::Mercure].into_iter().flat_map(|face| {
        [Visibility::Native, Visibility::Public, Visibility::Private]
            .map(|visibility| Action::Receive { face, visibility })
    });
    for topic in ["$sys/stats", "$sys", "$sys/a/b"] {
        for action in received.clone().chain([Action::Presence]) {
            let decision = authorize(caller, action, &[native(topic)], policy, NOW);
            assert_eq!(decision, expected, "{action:?} {topic}");
        }
        let decision = authorize(caller, Action::Publish, &[native(topic)], policy, NOW);
        assert_eq!(decision, Err(Refusal::Reserved), "{topic}");
    }
    for texts in [&["$sys/stats"][..], &["$sys/**"], &["$sys/*", "$sys/stats"]] {
        let asked = selection(texts);
        let decision = Admission::Native(&asked, &BASE).check(caller, policy, NOW);
        assert_eq!(decision, expected, "{texts:?}");
    }
}

#[test]
fn p9_no_grant_and_no_opening_of_topics_shows_it() {
    let granted = ["**", "$sys/**", "$sys/stats"];
    let admin = holder(json!({"tidings": {"admin": true}}));
    let all = holder(json!({
        "mercure": {"publish": ["*"], "subscribe": ["*"]},
        "tidings": {"publish": granted, "subscribe": granted},
    }));
    let (anonymous, revocations) = (selection(&granted), Revocations::default());
    let closed = Policy {
        mercure_anonymous: true,
        ..Policy::closed(&anonymous, &revocations)
    };
    let open = Policy {
        open: true,
        ..closed
    };
    check(&closed, Caller::Anonymous, Err(Refusal::Anonymous));
    check(&closed, Caller::Token(&all), Err(Refusal::NotAdmin));
    check(&closed, Caller::Token(&admin), Ok(()));
    check(&open, Caller::Anonymous, Ok(()));
    // Beside others it is decided as if alone.
    let both = selection(&["news", "$sys/stats"]);
    let admission = |caller| Admission::Native(&both, &BASE).check(caller, &closed, NOW);
    assert_eq!(admission(Caller::Token(&all)), Err(Refusal::NotAdmin));
    // Others that begin with `$` are as they were.
    let nothing = selection(&[]);
    let strict = Policy::closed(&nothing, &revocations);
    let action = Action::Receive {
        face: Face::Native,
        visibility: Visibility::Native,
    };
    let other = [native("$system/stats")];
    let decision = authorize(Caller::Token(&admin), action, &other, &strict, NOW);
    assert_eq!(decision, Err(Refusal::SubscribeNotGranted));
}
