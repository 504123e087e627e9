//! What claims grant, in the three dialects.

mod common;

use common::*;
use serde_json::{Value, json};
use std::sync::Arc;
use tidings_auth::{Refusal, Rights, Strictness, TopicName};

fn strict(header: Value, others: Value) -> Arc<Rights> {
    rights(
        &verifier(Strictness::Strict),
        &token(header, claims(others)),
    )
}

fn legacy(others: Value) -> Arc<Rights> {
    rights(
        &verifier(Strictness::Legacy),
        &token(hs_header(), claims(others)),
    )
}

#[track_caller]
fn check_grants(rights: &Rights, topics: &[(TopicName, bool, bool)]) {
    for (topic, publish, subscribe) in topics {
        assert_eq!(rights.publish.grant(topic), *publish, "publish {topic:?}");
        assert_eq!(
            rights.subscribe.grant(topic),
            *subscribe,
            "subscribe {topic:?}"
        );
    }
}

#[track_caller]
fn check_claims(header: Value, strictness: Strictness, others: Value, expected: Refusal) {
    check_refused(
        &verifier(strictness),
        &token(header, claims(others)),
        expected,
    );
}

#[test]
fn native_claims() {
    let granted = json!({
        "sub": "ann", "iss": "https://a.example", "jti": "7", "iat": NOW_S - 5,
        "tidings": {"publish": ["orders/*"], "subscribe": ["orders/**", "news"], "presence": {"n": 1}},
    });
    let rights = strict(hs_header(), granted);
    check_grants(
        &rights,
        &[
            (native("orders/42"), true, true),
            (native("orders/42/x"), false, true),
            (native("orders"), false, false),
            (native("news"), false, true),
            (mercure("https://hub.example/t/orders/42"), true, true),
            (mercure("https://hub.example/t/orders/%34%32"), false, false),
            (mercure("https://other.example/t/news"), false, false),
            (mercure("news"), false, false),
        ],
    );
    assert_eq!(rights.subject.as_deref(), Some("ann"));
    assert_eq!(rights.issuer.as_deref(), Some("https://a.example"));
    assert_eq!(rights.token_id.as_deref(), Some("7"));
    assert_eq!(rights.issued.map(|at| at.0), Some((NOW_S - 5) * 1000));
    assert_eq!(rights.expires.map(|at| at.0), Some((NOW_S + 60) * 1000));
    assert_eq!(rights.payload("news", &BASE), Some(&json!({"n": 1})));
}

#[test]
fn everything_natively_is_not_what_belongs_to_the_hub() {
    let granted = json!({"tidings": {"publish": ["**"], "subscribe": ["**"]}});
    let hub = native("$hub/x");
    check_grants(
        &strict(hs_header(), granted),
        &[
            (native("a/b/c"), true, true),
            (hub.clone(), false, false),
            (mercure("https://books.example/1"), false, false),
        ],
    );
    let spelled = json!({"tidings": {"subscribe": ["$hub/**"]}});
    check_grants(&strict(hs_header(), spelled), &[(hub.clone(), false, true)]);
    let all =
        json!({"mercure": {"publish": ["*"], "subscribe": ["*", "https://hub.example/t/$hub/x"]}});
    check_grants(
        &legacy(all),
        &[
            (native("a"), true, true),
            (mercure("https://books.example/1"), true, true),
            (hub, false, false),
        ],
    );
}

#[test]
fn no_claim_no_rights() {
    for others in [
        json!({}),
        json!({"tidings": {}}),
        json!({"scope": "publish:*"}),
    ] {
        let rights = strict(hs_header(), others);
        assert!(rights.publish.is_empty() && rights.subscribe.is_empty());
        assert_eq!(rights.payload("news", &BASE), None);
    }
}

#[test]
fn native_claims_that_can_t_be_read() {
    for claim in [
        json!("*"),
        json!(["**"]),
        json!({"publish": "**"}),
        json!({"publish": null}),
        json!({"publish": {"0": "**"}}),
        json!({"publish": [1]}),
        json!({"publish": ["a", null]}),
        json!({"publish": [""]}),
        json!({"publish": ["a//b"]}),
        json!({"publish": ["a/**/b"]}),
        json!({"publish": ["a*"]}),
        json!({"subscribe": ["../a"]}),
        json!({"subscribe": ["a\nb"]}),
        json!({"subscibe": []}),
        json!({"presence": "x".repeat(4095)}),
    ] {
        check_claims(
            hs_header(),
            Strictness::Strict,
            json!({"tidings": claim}),
            Refusal::Rights,
        );
    }
}

#[test]
fn a_claim_that_is_null_is_not_one_that_is_missing() {
    for (header, name) in [
        (hs_header(), "tidings"),
        (access_header(), "authorization_details"),
    ] {
        let mut claims = claims(json!({}));
        claims[name] = Value::Null;
        let token = token(header, claims);
        check_refused(&verifier(Strictness::Strict), &token, Refusal::Rights);
    }
}

/// Mercure #1260: counts are bounded, not only bytes.
#[test]
fn mercure_1260_the_number_of_selectors_is_bounded() {
    let list = |count: usize| vec!["a"; count];
    for name in ["publish", "subscribe"] {
        strict(hs_header(), json!({"tidings": {name: list(1000)}}));
        let more = json!({"tidings": {name: list(1001)}});
        check_claims(hs_header(), Strictness::Strict, more, Refusal::TooMany);
        legacy(json!({"mercure": {name: list(1000)}}));
        let more = json!({"mercure": {name: list(1001)}});
        check_claims(hs_header(), Strictness::Legacy, more, Refusal::TooMany);
    }
    let details = |count: usize, topics: usize| {
        let topics = vec![json!({"match": "a"}); topics];
        json!({"authorization_details": vec![detail(json!({"topics": topics})); count]})
    };
    strict(access_header(), details(30, 2));
    for (count, topics) in [(101, 1), (2, 501), (1, 1001)] {
        let compact = json!([{"match": "a"}]);
        let many = match count {
            101 => json!({"authorization_details": vec![json!({"type": "x"}); 101], "c": compact}),
            _ => details(count, topics),
        };
        let header = access_header();
        let token = token(header, claims(many));
        let expected = match token.len() > 16 * 1024 {
            true => Refusal::TokenTooLong,
            false => Refusal::TooMany,
        };
        check_refused(&verifier(Strictness::Strict), &token, expected);
    }
}

#[test]
fn mercure_0_claims_of_legacy_keys() {
    let claim = json!({
        "publish": ["https://a.example/{x}", "raw", "brace{", "t({x})"],
        "subscribe": ["*"], "payload": {"user": 7}, "unknown": 1,
    });
    for name in ["mercure", "https://mercure.rocks/"] {
        let rights = legacy(json!({name: claim, "exp": null, "aud": null}));
        check_grants(
            &rights,
            &[
                (mercure("https://a.example/1"), true, true),
                (mercure("https://a.example/1/2"), false, true),
                (mercure("https://a.example/{x}"), true, true),
                (mercure("raw"), true, true),
                (mercure("Raw"), false, true),
                (mercure("brace{"), true, true),
                (mercure("t({x})"), true, true),
                (mercure("t(1)"), true, true),
                (native("news"), false, true),
            ],
        );
        assert_eq!(rights.payload("anything", &BASE), Some(&json!({"user": 7})));
    }
    // The namespaced claim goes before the short one.
    let both =
        json!({"mercure": {"publish": ["*"]}, "https://mercure.rocks/": {"subscribe": ["a"]}});
    check_grants(&legacy(both), &[(mercure("a"), false, true)]);
    let missing = legacy(json!({"mercure": {"publish": null}}));
    assert!(missing.publish.is_empty() && missing.subscribe.is_empty());
    for claim in [
        json!([]),
        json!("*"),
        json!({"publish": "*"}),
        json!({"publish": [1]}),
    ] {
        check_claims(
            hs_header(),
            Strictness::Legacy,
            json!({"mercure": claim}),
            Refusal::Rights,
        );
    }
    let long = json!({"mercure": {"publish": ["x".repeat(4097)]}});
    check_claims(hs_header(), Strictness::Legacy, long, Refusal::Rights);
}

#[test]
fn mercure_0_claims_need_a_legacy_key() {
    let claim = json!({"mercure": {"publish": ["*"], "subscribe": ["*"]}});
    check_claims(
        hs_header(),
        Strictness::Strict,
        claim.clone(),
        Refusal::LegacyClaim,
    );
    check_claims(
        access_header(),
        Strictness::Legacy,
        claim,
        Refusal::LegacyClaim,
    );
    // Beside a claim that counts it is passed over.
    let both = json!({"mercure": {"publish": ["*"]}, "tidings": {"publish": ["a"]}});
    check_grants(
        &strict(hs_header(), both),
        &[(native("a"), true, false), (native("b"), false, false)],
    );
}

fn detail(others: Value) -> Value {
    let mut detail = object(json!({
        "type": "https://mercure.rocks/authorization-detail",
        "actions": ["publish", "subscribe"],
        "topics": [{"match": "https://a.example/1"}],
    }));
    for (name, value) in object(others) {
        match value {
            Value::Null => drop(detail.remove(&name)),
            value => drop(detail.insert(name, value)),
        }
    }
    Value::Object(detail)
}

#[test]
fn mercure_1_details_of_access_tokens() {
    let details = json!({"authorization_details": [
        {"type": "payment", "whatever": 1},
        detail(json!({"actions": ["publish", "fly"], "topics": [
            {"match": "https://a.example/1"}, {"match": "https://b.example/:x", "match_type": "urlpattern"},
            {"match": "https://c.example/:x", "match_type": "exact"},
        ]})),
        detail(json!({"actions": ["subscribe"], "topics": [{"match": "first"}], "payload": 1})),
        detail(json!({"actions": ["subscribe"], "topics": [{"match": "*"}], "payload": 2})),
        detail(json!({"actions": ["publish"], "topics": [{"match": "p"}], "payload": 3})),
    ]});
    let rights = strict(access_header(), details.clone());
    check_grants(
        &rights,
        &[
            (mercure("https://a.example/1"), true, true),
            (mercure("https://a.example/1/"), false, true),
            (mercure("https://b.example/9"), true, true),
            (mercure("https://b.example/9/9"), false, true),
            (mercure("https://c.example/9"), false, true),
            (mercure("https://c.example/:x"), true, true),
            (mercure("p"), true, true),
        ],
    );
    assert_eq!(rights.payload("first", &BASE), Some(&json!(1)));
    assert_eq!(rights.payload("p", &BASE), Some(&json!(2)));
    assert_eq!(rights.shown(), None, "it is Mercure's");
    // The same by a legacy key, and not in a token that isn't an access token.
    let token = token(access_header(), claims(details.clone()));
    common::rights(&verifier(Strictness::Legacy), &token);
    for strictness in [Strictness::Strict, Strictness::Legacy] {
        check_claims(
            hs_header(),
            strictness,
            details.clone(),
            Refusal::NotAccessToken,
        );
    }
    let wild = json!({"authorization_details": [detail(json!({"topics": [
        {"match": "*", "match_type": "urlpattern"}]}))]});
    check_grants(
        &strict(access_header(), wild),
        &[(mercure("any"), true, true)],
    );
}

#[test]
fn mercure_1_a_malformed_detail_spoils_the_token() {
    for others in [
        json!({"actions": null}),
        json!({"actions": []}),
        json!({"actions": "publish"}),
        json!({"actions": [""]}),
        json!({"actions": ["publish", 1]}),
        json!({"topics": null}),
        json!({"topics": []}),
        json!({"topics": {}}),
        json!({"topics": ["a"]}),
        json!({"topics": [{}]}),
        json!({"topics": [{"match": ""}]}),
        json!({"topics": [{"match": 1}]}),
        json!({"topics": [{"match": "a", "match_type": "regexp"}]}),
        json!({"topics": [{"match": "*", "match_type": "regexp"}]}),
        json!({"topics": [{"match": "a", "match_type": "Exact"}]}),
        json!({"topics": [{"match": "a", "match_type": 1}]}),
        json!({"topics": [{"match": "a(", "match_type": "urlpattern"}]}),
        json!({"topics": [{"match": "x".repeat(4097)}]}),
        json!({"type": null}),
        json!({"type": 1}),
        json!({"payload": "x".repeat(4095)}),
    ] {
        let details = json!({"authorization_details": [detail(json!({})), detail(others)]});
        check_claims(
            access_header(),
            Strictness::Strict,
            details,
            Refusal::Rights,
        );
    }
    for claim in [json!({}), json!("x"), json!([1]), json!([[]])] {
        let details = json!({"authorization_details": claim});
        check_claims(
            access_header(),
            Strictness::Strict,
            details,
            Refusal::Rights,
        );
    }
}

#[test]
fn claims_of_both_worlds_add_up() {
    let both = json!({
        "tidings": {"publish": ["a"]},
        "authorization_details": [detail(json!({}))],
    });
    check_grants(
        &strict(access_header(), both),
        &[
            (native("a"), true, false),
            (mercure("https://a.example/1"), true, true),
        ],
    );
}

#[test]
fn rights_are_written_down_and_read_again() {
    let granted = json!({
        "sub": "s", "iss": "i", "jti": "j", "iat": NOW_S,
        "tidings": {"publish": ["a/*", "$hub"], "presence": [1]},
        "mercure": {"publish": ["raw", "https://a.example/{x}"], "subscribe": ["*"]},
    });
    let rights = legacy(granted);
    let again = Rights::from_record(&rights.to_record(), &BASE).expect("a record");
    assert_eq!(again.to_record(), rights.to_record());
    for topic in [
        native("a/b"),
        native("b"),
        mercure("raw"),
        mercure("https://a.example/1"),
    ] {
        assert_eq!(again.publish.grant(&topic), rights.publish.grant(&topic));
        assert_eq!(
            again.subscribe.grant(&topic),
            rights.subscribe.grant(&topic)
        );
    }
    assert_eq!(again.payload("x", &BASE), Some(&json!([1])));
    assert_eq!(again.shown(), Some(&json!([1])));
    let names = |rights: &Rights| {
        (
            rights.subject.clone(),
            rights.issuer.clone(),
            rights.token_id.clone(),
            rights.expires,
            rights.issued,
        )
    };
    assert_eq!(names(&again), names(&rights));
    for bad in [&b""[..], b"{}", b"null", &rights.to_record()[1..]] {
        assert!(Rights::from_record(bad, &BASE).is_err());
    }
    // A pattern that isn't understood any more grants nothing by accident.
    let text = String::from_utf8(rights.to_record()).expect("JSON");
    let other = text.replace(r#"["t","#, r#"["u","#).replace("{x}", "(");
    assert!(Rights::from_record(other.as_bytes(), &BASE).is_err());
}

#[test]
fn a_token_renews_only_one_of_the_same_holder() {
    let of = |sub: Value, iss: Value| strict(hs_header(), json!({"sub": sub, "iss": iss}));
    let ann = of(json!("ann"), json!("a"));
    assert!(of(json!("ann"), json!("a")).may_renew(&ann));
    assert!(!of(json!("bob"), json!("a")).may_renew(&ann));
    assert!(!of(json!("ann"), json!("b")).may_renew(&ann));
    assert!(!of(json!("ann"), Value::Null).may_renew(&ann));
    let nobody = of(Value::Null, json!("a"));
    assert!(!nobody.may_renew(&nobody));
}
