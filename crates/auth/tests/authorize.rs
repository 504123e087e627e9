//! The one question, case by case.

mod common;

use common::*;
use serde_json::{Value, json};
use std::sync::Arc;
use tidings_auth::revocation::{Entry, Revoked};
use tidings_auth::{
    Action, Admission, Answer, Caller, Decision, Face, Policy, Refusal, Revocations, Rights, Roles,
    Scope, Strictness, TopicName, Visibility, administer, authorize,
};
use tidings_engine::{Selection, Timestamp};

fn holder(others: Value) -> Arc<Rights> {
    rights(
        &verifier(Strictness::Legacy),
        &token(hs_header(), claims(others)),
    )
}

const fn receive(face: Face, visibility: Visibility) -> Action {
    Action::Receive { face, visibility }
}

/// What a hub has configured.
struct Hub {
    open: bool,
    anonymous: Selection,
    mercure_anonymous: bool,
    revocations: Revocations,
}

fn closed() -> Hub {
    Hub {
        open: false,
        anonymous: selection(&[]),
        mercure_anonymous: false,
        revocations: Revocations::default(),
    }
}

impl Hub {
    fn policy(&self) -> Policy<'_> {
        Policy {
            open: self.open,
            anonymous: &self.anonymous,
            mercure_anonymous: self.mercure_anonymous,
            revocations: &self.revocations,
        }
    }

    fn ask(&self, caller: Caller<'_>, action: Action, topics: &[TopicName]) -> Decision {
        authorize(caller, action, topics, &self.policy(), NOW)
    }
}

const FACES: [Face; 2] = [Face::Native, Face::Mercure];
const VISIBILITIES: [Visibility; 3] = [Visibility::Native, Visibility::Public, Visibility::Private];

fn every_action() -> Vec<Action> {
    let received = FACES
        .into_iter()
        .flat_map(|face| VISIBILITIES.map(|seen| receive(face, seen)));
    [Action::Publish, Action::Presence]
        .into_iter()
        .chain(received)
        .collect()
}

#[test]
fn a_hub_with_keys_is_closed() {
    let hub = closed();
    let nothing = holder(json!({}));
    for topic in [native("news"), mercure("raw"), native("$hub/x")] {
        let topics = [topic];
        for action in every_action() {
            let reserved = action == Action::Publish && topics[0].is_reserved();
            let expected = if reserved {
                Refusal::Reserved
            } else {
                Refusal::Anonymous
            };
            assert_eq!(
                hub.ask(Caller::Anonymous, action, &topics),
                Err(expected),
                "{action:?}"
            );
            let outcome = hub.ask(Caller::Token(&nothing), action, &topics);
            let expected = match action {
                Action::Publish if reserved => Err(Refusal::Reserved),
                Action::Publish => Err(Refusal::PublishNotGranted),
                // A token that is good may be on Mercure's face, which shows what is public.
                Action::Receive {
                    face: Face::Mercure,
                    visibility: Visibility::Public,
                } => Ok(()),
                _ => Err(Refusal::SubscribeNotGranted),
            };
            assert_eq!(outcome, expected, "{action:?}");
        }
    }
}

#[test]
fn anonymous_opens_to_watchers_what_it_names() {
    let hub = Hub {
        anonymous: selection(&["news", "feeds/*"]),
        ..closed()
    };
    let nothing = holder(json!({}));
    for caller in [Caller::Anonymous, Caller::Token(&nothing)] {
        let native_face = |seen, topics: &[TopicName]| {
            hub.ask(caller, receive(Face::Native, seen), topics).is_ok()
        };
        assert!(native_face(Visibility::Native, &[native("news")]));
        assert!(native_face(Visibility::Native, &[native("feeds/1")]));
        assert!(native_face(
            Visibility::Native,
            &[native("other"), native("feeds/1")]
        ));
        assert!(native_face(
            Visibility::Public,
            &[mercure("https://hub.example/t/news")]
        ));
        assert!(!native_face(
            Visibility::Private,
            &[mercure("https://hub.example/t/news")]
        ));
        assert!(!native_face(Visibility::Native, &[native("feeds/1/2")]));
        assert!(!native_face(Visibility::Public, &[mercure("news")]));
        // Nobody publishes, and nobody sees who is there.
        assert!(hub.ask(caller, Action::Publish, &[native("news")]).is_err());
        assert!(
            hub.ask(caller, Action::Presence, &[native("news")])
                .is_err()
        );
    }
}

/// Which events a watcher on Mercure's face is shown without a grant.
#[test]
fn mercure_anonymous_opens_only_what_is_public_there() {
    let nothing = holder(json!({}));
    for (anonymous, mercure_anonymous, with_token, expected) in [
        (false, false, false, [false, false, false]),
        (false, true, false, [false, true, false]),
        (true, false, false, [false, false, false]),
        (true, true, false, [true, true, false]),
        (false, false, true, [false, true, false]),
        (true, false, true, [true, true, false]),
    ] {
        let anonymous = if anonymous {
            selection(&["**"])
        } else {
            selection(&[])
        };
        let hub = Hub {
            anonymous,
            mercure_anonymous,
            ..closed()
        };
        let caller = if with_token {
            Caller::Token(&nothing)
        } else {
            Caller::Anonymous
        };
        let topics = [mercure("https://hub.example/t/news")];
        let seen = VISIBILITIES.map(|seen| {
            hub.ask(caller, receive(Face::Mercure, seen), &topics)
                .is_ok()
        });
        assert_eq!(seen, expected);
    }
    // The directive opens nothing on the native face.
    let hub = Hub {
        mercure_anonymous: true,
        ..closed()
    };
    for seen in VISIBILITIES {
        assert!(
            hub.ask(
                Caller::Anonymous,
                receive(Face::Native, seen),
                &[native("news")]
            )
            .is_err()
        );
    }
}

#[test]
fn p9_private_events_reach_only_those_with_a_grant() {
    let wide_open = Hub {
        open: true,
        anonymous: selection(&["**"]),
        mercure_anonymous: true,
        ..closed()
    };
    let other =
        holder(json!({"mercure": {"subscribe": ["https://a.example/1"], "publish": ["*"]}}));
    let granted = holder(json!({"mercure": {"subscribe": ["https://a.example/2"]}}));
    let natively = holder(json!({"tidings": {"subscribe": ["n"]}}));
    let topics = [
        mercure("https://a.example/2"),
        mercure("https://hub.example/t/n"),
    ];
    for face in FACES {
        let action = receive(face, Visibility::Private);
        for caller in [Caller::Anonymous, Caller::Token(&other)] {
            assert!(wide_open.ask(caller, action, &topics).is_err());
        }
        for rights in [&granted, &natively] {
            assert_eq!(closed().ask(Caller::Token(rights), action, &topics), Ok(()));
        }
        // A grant to publish is none to watch.
        let topics = [mercure("https://a.example/3")];
        assert!(
            closed()
                .ask(Caller::Token(&other), action, &topics)
                .is_err()
        );
    }
}

/// Row b19, Mercure #579: publishing something public takes the same right.
#[test]
fn b19_mercure_579_publishing_needs_a_grant_on_every_topic() {
    let hub = closed();
    let some =
        holder(json!({"mercure": {"publish": ["https://a.example/{x}"], "subscribe": ["*"]}}));
    let ask = |topics: &[TopicName]| hub.ask(Caller::Token(&some), Action::Publish, topics);
    assert_eq!(ask(&[mercure("https://a.example/1")]), Ok(()));
    let refused = Err(Refusal::PublishNotGranted);
    assert_eq!(ask(&[mercure("https://b.example/1")]), refused);
    // b11: an alternate outside of what is granted.
    assert_eq!(
        ask(&[
            mercure("https://a.example/1"),
            mercure("https://b.example/1")
        ]),
        refused
    );
    assert_eq!(
        ask(&[
            mercure("https://b.example/1"),
            mercure("https://a.example/1")
        ]),
        refused
    );
    assert_eq!(
        Refusal::PublishNotGranted.answer(),
        Answer::Forbidden(Scope::Publish)
    );
}

#[test]
fn what_is_the_operator_s_needs_the_claim_and_nothing_else_will_do() {
    let admin = holder(json!({"jti": "7", "tidings": {"admin": true}}));
    let all = holder(json!({
        "mercure": {"publish": ["*"], "subscribe": ["*"]},
        "tidings": {"publish": ["**"], "subscribe": ["**"], "admin": false},
    }));
    let (mut hub, late) = (closed(), Timestamp(NOW.0 + 60_000));
    hub.anonymous = selection(&["**"]);
    hub.mercure_anonymous = true;
    let check = |hub: &Hub, caller, at, expected| {
        assert_eq!(administer(caller, &hub.policy(), at), expected);
    };
    check(&hub, Caller::Anonymous, NOW, Err(Refusal::Anonymous));
    check(&hub, Caller::Token(&all), NOW, Err(Refusal::NotAdmin));
    check(&hub, Caller::Token(&admin), NOW, Ok(()));
    check(&hub, Caller::Token(&admin), late, Err(Refusal::Expired));
    // No grant comes with it.
    let news = [native("news/1")];
    let publish = hub.ask(Caller::Token(&admin), Action::Publish, &news);
    assert_eq!(publish, Err(Refusal::PublishNotGranted));
    let entry = Entry {
        revoked: Revoked::TokenId("7".to_owned()),
        issuer: None,
        at: NOW.0,
        until: None,
    };
    hub.revocations.add(entry, NOW).expect("room");
    check(&hub, Caller::Token(&admin), NOW, Err(Refusal::Revoked));
    let open = Hub {
        open: true,
        ..closed()
    };
    check(&open, Caller::Anonymous, NOW, Ok(()));
    assert_eq!(Refusal::NotAdmin.answer(), Answer::Forbidden(Scope::Admin));
}

/// Mercure #1266: the check stands where no caller can leave it out.
#[test]
fn mercure_1266_nobody_publishes_to_what_belongs_to_the_hub() {
    let all = holder(json!({
        "mercure": {"publish": ["*"]}, "tidings": {"publish": ["$hub/x", "**"]},
    }));
    let open = Hub {
        open: true,
        ..closed()
    };
    for topic in [
        native("$hub/x"),
        mercure("/.well-known/mercure/subscriptions/a/b"),
        mercure("https://hub.example/.well-known/%6Dercure"),
        mercure("*"),
    ] {
        for hub in [&closed(), &open] {
            for caller in [Caller::Anonymous, Caller::Token(&all)] {
                let topics = [mercure("fine"), topic.clone()];
                let asked = hub.ask(caller, Action::Publish, &topics);
                assert_eq!(asked, Err(Refusal::Reserved));
            }
        }
    }
}

#[test]
fn presence_needs_a_grant_on_every_topic_it_tells_of() {
    let hub = Hub {
        anonymous: selection(&["**"]),
        mercure_anonymous: true,
        ..closed()
    };
    let path = "/.well-known/mercure/subscriptions/a/b";
    let rights =
        holder(json!({"mercure": {"subscribe": [path]}, "tidings": {"subscribe": ["room"]}}));
    let ask = |topics: &[TopicName]| hub.ask(Caller::Token(&rights), Action::Presence, topics);
    assert_eq!(ask(&[mercure(path)]), Ok(()));
    assert_eq!(ask(&[native("room")]), Ok(()));
    assert_eq!(ask(&[native("room"), mercure(path)]), Ok(()));
    assert_eq!(
        ask(&[native("room"), native("other")]),
        Err(Refusal::SubscribeNotGranted)
    );
    assert_eq!(
        hub.ask(Caller::Anonymous, Action::Presence, &[native("room")]),
        Err(Refusal::Anonymous)
    );
}

#[test]
fn an_open_hub_is_open_but_for_what_is_private() {
    let hub = Hub {
        open: true,
        ..closed()
    };
    for action in every_action() {
        let asked = hub.ask(Caller::Anonymous, action, &[native("news")]);
        let private = matches!(
            action,
            Action::Receive {
                visibility: Visibility::Private,
                ..
            }
        );
        assert_eq!(asked.is_ok(), !private, "{action:?}");
    }
}

#[test]
fn without_topics_nothing_is_allowed() {
    let all = holder(json!({"mercure": {"publish": ["*"], "subscribe": ["*"]}}));
    let open = Hub {
        open: true,
        ..closed()
    };
    for action in every_action() {
        assert_eq!(
            open.ask(Caller::Token(&all), action, &[]),
            Err(Refusal::NoTopic)
        );
    }
}

/// A stream ends with its token. It is never carried on as if nobody had come.
#[test]
fn an_expired_or_revoked_token_is_not_nobody() {
    let rights = holder(json!({"sub": "ann", "tidings": {"subscribe": ["**"], "publish": ["**"]}}));
    let mut hub = Hub {
        open: true,
        anonymous: selection(&["**"]),
        mercure_anonymous: true,
        ..closed()
    };
    let topics = [native("news")];
    let at = |ms: u64, action| {
        authorize(
            Caller::Token(&rights),
            action,
            &topics,
            &hub.policy(),
            Timestamp(NOW.0 + ms),
        )
    };
    for action in every_action() {
        assert_eq!(at(59_999, action), Ok(()), "{action:?}");
        assert_eq!(at(60_000, action), Err(Refusal::Expired));
    }
    let mercure_admitted = Admission::Mercure.check(
        Caller::Token(&rights),
        &hub.policy(),
        Timestamp(NOW.0 + 60_000),
    );
    assert_eq!(mercure_admitted, Err(Refusal::Expired));
    let entry = Entry {
        revoked: Revoked::Subject("ann".to_owned()),
        issuer: None,
        at: NOW.0,
        until: None,
    };
    hub.revocations.add(entry, NOW).expect("an entry");
    for action in every_action() {
        assert_eq!(
            hub.ask(Caller::Token(&rights), action, &topics),
            Err(Refusal::Revoked)
        );
        assert_eq!(
            hub.ask(Caller::Anonymous, action, &topics).is_ok(),
            action != receive(Face::Native, Visibility::Private)
                && action != receive(Face::Mercure, Visibility::Private)
        );
    }
}

#[test]
fn withdrawn_topics_are_not_granted_and_others_are() {
    let rights = holder(json!({"tidings": {"subscribe": ["**"], "publish": ["**"]}}));
    let mut hub = closed();
    let entry = Entry {
        revoked: Revoked::Topics("orders/**".to_owned()),
        issuer: None,
        at: NOW.0,
        until: None,
    };
    hub.revocations.add(entry, NOW).expect("an entry");
    let ask =
        |action, topics: &[TopicName]| hub.ask(Caller::Token(&rights), action, topics).is_ok();
    let watch = receive(Face::Native, Visibility::Native);
    assert!(!ask(watch, &[native("orders/1")]));
    assert!(ask(watch, &[native("news")]));
    assert!(ask(watch, &[native("orders/1"), native("news")]));
    assert!(!ask(Action::Publish, &[native("orders/1"), native("news")]));
    assert!(!ask(Action::Presence, &[native("orders/1")]));
    // What is open to all is open to them.
    hub.anonymous = selection(&["orders/1"]);
    let asked = hub.ask(Caller::Token(&rights), watch, &[native("orders/1")]);
    assert_eq!(asked, Ok(()));
}

#[test]
fn a_watch_begins_only_if_all_of_it_is_granted() {
    let hub = Hub {
        anonymous: selection(&["open/*", "news"]),
        ..closed()
    };
    let rights = holder(json!({
        "tidings": {"subscribe": ["orders/**", "one/*"]},
        "mercure": {"subscribe": ["https://hub.example/t/by/{x}"]},
    }));
    let all = holder(json!({"mercure": {"subscribe": ["*"]}}));
    let ask = |caller, selectors: &[&str]| {
        Admission::Native(&selection(selectors), &BASE).check(caller, &hub.policy(), NOW)
    };
    let refused = Err(Refusal::SubscribeNotGranted);
    for (selectors, with_token, with_all, without) in [
        (&["orders/42"][..], Ok(()), Ok(()), Err(Refusal::Anonymous)),
        (&["orders/**"], Ok(()), Ok(()), Err(Refusal::Anonymous)),
        (
            &["orders/*", "one/x"],
            Ok(()),
            Ok(()),
            Err(Refusal::Anonymous),
        ),
        (
            &["orders/*", "two"],
            refused,
            Ok(()),
            Err(Refusal::Anonymous),
        ),
        (&["orders"], refused, Ok(()), Err(Refusal::Anonymous)),
        (&["one/**"], refused, Ok(()), Err(Refusal::Anonymous)),
        (&["**"], refused, Ok(()), Err(Refusal::Anonymous)),
        (&["by/x"], Ok(()), Ok(()), Err(Refusal::Anonymous)),
        (&["by/*"], refused, Ok(()), Err(Refusal::Anonymous)),
        (&["open/1", "open/*", "news"], Ok(()), Ok(()), Ok(())),
        (&["open/**"], refused, Ok(()), Err(Refusal::Anonymous)),
        (&["$hub/x"], refused, refused, Err(Refusal::Anonymous)),
        (&["$hub/**"], refused, refused, Err(Refusal::Anonymous)),
        (
            &[],
            Err(Refusal::NoTopic),
            Err(Refusal::NoTopic),
            Err(Refusal::NoTopic),
        ),
    ] {
        assert_eq!(
            ask(Caller::Token(&rights), selectors),
            with_token,
            "{selectors:?}"
        );
        assert_eq!(
            ask(Caller::Token(&all), selectors),
            with_all,
            "{selectors:?}"
        );
        assert_eq!(ask(Caller::Anonymous, selectors), without, "{selectors:?}");
    }
    let open = Hub {
        open: true,
        ..closed()
    };
    let everything = selection(&["**"]);
    let asked = Admission::Native(&everything, &BASE).check(Caller::Anonymous, &open.policy(), NOW);
    assert_eq!(asked, Ok(()));
}

#[test]
fn mercure_s_face_takes_a_token_or_the_directive() {
    let nothing = holder(json!({}));
    let admit =
        |hub: &Hub, caller: Caller<'_>| Admission::Mercure.check(caller, &hub.policy(), NOW);
    assert_eq!(admit(&closed(), Caller::Anonymous), Err(Refusal::Anonymous));
    assert_eq!(admit(&closed(), Caller::Token(&nothing)), Ok(()));
    let natively = Hub {
        anonymous: selection(&["**"]),
        ..closed()
    };
    assert_eq!(admit(&natively, Caller::Anonymous), Err(Refusal::Anonymous));
    let directive = Hub {
        mercure_anonymous: true,
        ..closed()
    };
    assert_eq!(admit(&directive, Caller::Anonymous), Ok(()));
    // A key for publishing alone opens no more than no token does.
    for (roles, expected) in [
        (Roles::PUBLISH, Err(Refusal::SubscribeNotGranted)),
        (Roles::SUBSCRIBE, Ok(())),
        (Roles::BOTH, Ok(())),
    ] {
        let verifier = verifier_of(vec![secret_key(Strictness::Legacy).with_roles(roles)]);
        let granted = json!({"mercure": {"publish": ["*"], "subscribe": ["*"]}});
        let verified = rights(&verifier, &token(hs_header(), claims(granted)));
        let kept = Rights::from_record(&verified.to_record(), &BASE).expect("a record");
        for rights in [&*verified, &kept] {
            assert_eq!(admit(&closed(), Caller::Token(rights)), expected);
            assert_eq!(admit(&directive, Caller::Token(rights)), Ok(()));
            let public = receive(Face::Mercure, Visibility::Public);
            let seen = closed().ask(Caller::Token(rights), public, &[mercure("raw")]);
            assert_eq!(seen, expected);
        }
    }
}

/// CVE-2026-39972: a memo whose key was `selector_topic` gave one watcher what
/// another was granted. Nothing here remembers a match.
#[test]
fn cve_2026_39972_no_two_pairs_of_selector_and_topic_are_one() {
    let hub = closed();
    let first = holder(json!({"mercure": {"subscribe": ["a"]}}));
    let second = holder(json!({"mercure": {"subscribe": ["a_b"]}}));
    let ask = |rights: &Rights, topic: &str| {
        let action = receive(Face::Mercure, Visibility::Private);
        hub.ask(Caller::Token(rights), action, &[mercure(topic)])
            .is_ok()
    };
    for _ in 0..2 {
        assert!(!ask(&first, "b_c") && !ask(&second, "c") && !ask(&first, "a_b"));
        assert!(ask(&first, "a") && ask(&second, "a_b") && !ask(&second, "a"));
    }
}
