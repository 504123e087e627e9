//! What a token must say, and what it grants.

use super::Checks;
use super::auth::{not_granted, says, takes_good_tokens};
use crate::context::{Context, is_one_of};
use crate::outcome::{Checked, ensure, fail};
use crate::rules::Dialect;
use crate::token::{Action, DETAIL, detail, now};
use aws_lc_rs::hmac;
use serde_json::{Value, json};
use std::net::TcpListener;
use tidings_testkit::Answer;

pub const CHECKS: Checks = &[
    ("auth-8", auth_8_selectors),
    ("auth-9", auth_9_namespaced),
    ("auth-10", auth_10_no_publish),
    ("auth-11", auth_11_typ),
    ("auth-12", auth_12_algorithms),
    ("auth-13", auth_13_keys_of_its_own),
    ("auth-14", auth_14_required_claims),
    ("auth-15", auth_15_claims_that_may_lack),
    ("auth-16", auth_16_details),
    ("auth-17", auth_17_malformed_details),
    ("auth-18", auth_18_no_details),
    ("auth-19", every_topic),
    ("auth-20", every_topic),
    ("auth-21", auth_21_public),
    ("auth-22", auth_22_private),
    ("auth-23", auth_23_watching_grants_nothing),
];

fn auth_8_selectors(cx: &Context<'_>) -> Checked {
    selectors(cx, "mercure")
}

fn auth_9_namespaced(cx: &Context<'_>) -> Checked {
    selectors(cx, "https://mercure.rocks/")
}

fn selectors(cx: &Context<'_>, claim: &str) -> Checked {
    let key = cx.key(Action::Publish)?;
    let url = cx.url();
    let granted = json!({"publish": [format!("{url}/{{id}}")]});
    let token = cx.draft().claim(claim, granted).sign(key);
    let one = cx.post_as(Some(&token), &[&format!("{url}/1")])?;
    is_one_of("a topic that the token grants", &one, &[200])?;
    let other = cx.post_as(Some(&token), &[&format!("{url}/1/2")])?;
    is_one_of("another topic", &other, not_granted(cx.dialect))
}

fn auth_10_no_publish(cx: &Context<'_>) -> Checked {
    takes_good_tokens(cx)?;
    let key = cx.key(Action::Publish)?;
    for rights in [
        json!({"subscribe": ["*"]}),
        json!({"publish": [], "subscribe": ["*"]}),
        json!({}),
    ] {
        let token = cx.draft().claim("mercure", rights).sign(key);
        refuses(cx, &token, not_granted(cx.dialect))?;
    }
    Ok(())
}

fn auth_11_typ(cx: &Context<'_>) -> Checked {
    let key = cx.key(Action::Publish)?;
    let draft = cx.granting(Action::Publish, &["*"]);
    for typ in [
        "at+jwt",
        "AT+JWT",
        "application/at+jwt",
        "Application/At+Jwt",
    ] {
        accepts(cx, &draft.clone().header("typ", typ.into()).sign(key))?;
    }
    for typ in [json!("JWT"), Value::Null, json!("at"), json!(["at+jwt"])] {
        refuses(cx, &draft.clone().header("typ", typ).sign(key), &[401])?;
    }
    Ok(())
}

fn auth_12_algorithms(cx: &Context<'_>) -> Checked {
    takes_good_tokens(cx)?;
    let key = cx.key(Action::Publish)?;
    let draft = cx.granting(Action::Publish, &["*"]);
    for none in ["none", "nOnE", ""] {
        let unsigned = draft.clone().header("alg", none.into()).unsigned();
        refuses(cx, &format!("{unsigned}."), &[401])?;
        // Signed all the same: nothing may be taken for its header's sake.
        refuses(
            cx,
            &draft.clone().header("alg", none.into()).sign(key),
            &[401],
        )?;
    }
    let other = draft.clone().header("alg", "HS512".into());
    refuses(cx, &other.sign_with(hmac::HMAC_SHA512, key), &[401])?;
    refuses(cx, &draft.header("alg", "RS256".into()).sign(key), &[401]).map(|_| ())
}

fn auth_13_keys_of_its_own(cx: &Context<'_>) -> Checked {
    takes_good_tokens(cx)?;
    let draft = cx.granting(Action::Publish, &["*"]);
    refuses(cx, &draft.sign_by_itself(&[]), &[401])?;
    let Ok(listener) = TcpListener::bind("127.0.0.1:0") else {
        return fail("the test can't listen");
    };
    let address = listener
        .local_addr()
        .map_err(|e| crate::Stop::Fail(e.to_string()))?;
    let url = json!(format!("http://{address}/keys"));
    for name in ["jku", "x5u"] {
        refuses(cx, &draft.sign_by_itself(&[(name, url.clone())]), &[401])?;
    }
    let asked = listener.set_nonblocking(true).is_ok() && listener.accept().is_ok();
    ensure(!asked, || {
        "the hub connected to where the token said".into()
    })
}

fn auth_14_required_claims(cx: &Context<'_>) -> Checked {
    takes_good_tokens(cx)?;
    let key = cx.key(Action::Publish)?;
    let draft = cx.granting(Action::Publish, &["*"]);
    let mut wrong = vec![
        ("aud", json!("https://other.example/hub")),
        ("aud", json!([])),
        ("aud", Value::Null),
        ("exp", json!(now() - 3600)),
        ("exp", json!("tomorrow")),
        ("exp", Value::Null),
        ("nbf", json!(now() + 3600)),
    ];
    // Without one that was given, the hub may trust whoever has the key.
    if cx.issuer().is_some() {
        wrong.push(("iss", json!("https://evil.example")));
        wrong.push(("iss", Value::Null));
    }
    for (name, value) in wrong {
        let shown = format!("{name}: {value}");
        let token = draft.clone().claim(name, value).sign(key);
        let answer = cx.post_as(Some(&token), &[&cx.url()])?;
        is_one_of(&shown, &answer, &[401])?;
        says(&answer, "invalid_token")?;
    }
    let several = json!(["https://other.example/hub", cx.identity()]);
    accepts(cx, &draft.claim("aud", several).sign(key))
}

fn auth_15_claims_that_may_lack(cx: &Context<'_>) -> Checked {
    // Drafts have none of them.
    takes_good_tokens(cx)?;
    let key = cx.key(Action::Publish)?;
    let all = cx.granting(Action::Publish, &["*"]);
    let all = all
        .claim("sub", "somebody".into())
        .claim("client_id", "a client".into())
        .claim("iat", now().into())
        .claim("jti", cx.word().into());
    accepts(cx, &all.sign(key))
}

fn auth_16_details(cx: &Context<'_>) -> Checked {
    let key = cx.key(Action::Publish)?;
    let url = cx.url();
    let pattern = json!([{"match": format!("{url}/:id"), "match_type": "urlpattern"}]);
    let exact = json!([{"match": format!("{url}/:id")}]);
    let (one, two) = (format!("{url}/1"), format!("{url}/1/2"));
    let literal = format!("{url}/:id");
    for (topics, topic, statuses) in [
        (&pattern, &one, &[200]),
        (&pattern, &two, &[403]),
        (&exact, &literal, &[200]),
        (&exact, &one, &[403]),
        (&json!([{"match": "*"}]), &two, &[200]),
        (
            &json!([{"match": "*", "match_type": "urlpattern"}]),
            &two,
            &[200],
        ),
    ] {
        let details = json!([
            {"type": "https://other.example/detail", "actions": 1},
            detail(Action::Publish, topics.clone()),
        ]);
        let token = cx.draft().details(details).sign(key);
        let answer = cx.post_as(Some(&token), &[topic])?;
        is_one_of(&format!("{topic} with {topics}"), &answer, statuses)?;
    }
    Ok(())
}

fn auth_17_malformed_details(cx: &Context<'_>) -> Checked {
    let key = cx.key(Action::Publish)?;
    let all = json!([{"match": "*"}]);
    let good = detail(Action::Publish, all.clone());
    let make = |actions: Value, topics: &Value| json!({"type": DETAIL, "actions": actions, "topics": topics});
    for bad in [
        make(
            json!(["publish"]),
            &json!([{"match": "*", "match_type": "regexp"}]),
        ),
        make(json!(["publish"]), &json!([])),
        make(json!("publish"), &all),
        make(json!([]), &all),
        make(json!(["publish"]), &json!(["*"])),
        make(json!(["publish"]), &json!([{"match": 1}])),
    ] {
        // Beside a good one: the whole token is bad.
        let token = cx.draft().details(json!([good, bad])).sign(key);
        let answer = cx.post_as(Some(&token), &[&cx.url()])?;
        is_one_of(&bad.to_string(), &answer, &[401])?;
        says(&answer, "invalid_token")?;
    }
    let future = make(json!(["publish", "future"]), &all);
    accepts(cx, &cx.draft().details(json!([future])).sign(key))
}

fn auth_18_no_details(cx: &Context<'_>) -> Checked {
    takes_good_tokens(cx)?;
    let key = cx.key(Action::Publish)?;
    refuses(cx, &cx.draft().sign(key), &[403])?;
    let of_others = json!([{"type": "https://other.example/detail"}]);
    refuses(cx, &cx.draft().details(of_others).sign(key), &[403]).map(|_| ())
}

fn every_topic(cx: &Context<'_>) -> Checked {
    let (granted, other) = (cx.url(), cx.url());
    let mut stream = cx.watch_topics(&[&granted])?;
    let token = cx.token(Action::Publish, &[&granted])?;
    for topics in [[&*granted, &*other], [&*other, &*granted]] {
        let answer = cx.post_as(Some(&token), &topics)?;
        is_one_of(
            "a topic that isn't granted",
            &answer,
            not_granted(cx.dialect),
        )?;
        if cx.dialect == Dialect::V1 {
            says(&answer, "insufficient_scope")?;
        }
    }
    let answer = cx.post_as(Some(&token), &[&granted])?;
    is_one_of("the topic that is granted", &answer, &[200])?;
    stream.exactly(&[], &answer.text())
}

fn auth_21_public(cx: &Context<'_>) -> Checked {
    let (granted, other) = (cx.url(), cx.url());
    let token = cx.token(Action::Publish, &[&granted])?;
    let answer = cx.post_as(Some(&token), &[&granted])?;
    is_one_of("the topic that is granted", &answer, &[200])?;
    let answer = cx.post_as(Some(&token), &[&other])?;
    is_one_of("another topic", &answer, not_granted(cx.dialect))
}

fn auth_22_private(cx: &Context<'_>) -> Checked {
    let [a, b, c] = [cx.url(), cx.url(), cx.url()];
    for (watched, granted, shown) in [
        (&a, &b, true),
        (&a, &a, true),
        (&b, &a, true),
        (&a, &c, false),
        (&c, &a, false),
    ] {
        let token = cx.token(Action::Subscribe, &[granted])?;
        let mut stream = cx.watch_as(Some(&token), &[watched])?;
        let fields = [
            ("topic", a.as_str()),
            ("topic", &b),
            ("private", "on"),
            ("data", "x"),
        ];
        let private = cx.publish(&fields)?;
        let fence = cx.event(watched)?;
        let expected: &[&str] = if shown { &[&private] } else { &[] };
        stream.exactly(expected, &fence)?;
    }
    Ok(())
}

fn auth_23_watching_grants_nothing(cx: &Context<'_>) -> Checked {
    let topic = cx.url();
    let stranger = cx.stranger()?;
    for watched in ["*", &topic] {
        let mut stream = cx.watch_as(stranger.as_deref(), &[watched])?;
        let private = cx.private(&topic)?;
        let fence = cx.event(&topic)?;
        let seen = stream.until(&fence)?;
        ensure(
            seen.iter().all(|event| event.id.as_ref() != Some(&private)),
            || format!("who watches {watched} without a grant sees a private event"),
        )?;
    }
    Ok(())
}

/// A token is good for publishing.
pub fn accepts(cx: &Context<'_>, token: &str) -> Checked {
    let answer = cx.post_as(Some(token), &[&cx.url()])?;
    is_one_of("a good token", &answer, &[200])
}

/// A token is not good for publishing.
pub fn refuses(cx: &Context<'_>, token: &str, statuses: &[u16]) -> Checked<Answer> {
    let answer = cx.post_as(Some(token), &[&cx.url()])?;
    is_one_of(&told(token), &answer, statuses)?;
    Ok(answer)
}

/// What a token says, for whoever reads the report; never its signature.
fn told(token: &str) -> String {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
    let mut parts = token.split('.').filter_map(|part| {
        let bytes = BASE64.decode(part).ok()?;
        String::from_utf8(bytes).ok()
    });
    match (parts.next(), parts.next()) {
        (Some(header), Some(claims)) => format!("the token {header} {claims}"),
        _ => "a token that is none".to_owned(),
    }
}
