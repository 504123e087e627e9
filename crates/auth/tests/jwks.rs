//! Documents of keys, and when they are asked for.

mod common;

use common::*;
use serde_json::{Value, json};
use tidings_auth::key::cache::{
    FLIGHT_MS, FORGET_AFTER_MS, MAX_SOURCES, MIN_INTERVAL_MS, REFRESH_AFTER_MS,
};
use tidings_auth::key::jwks::{self, InvalidJwks};
use tidings_auth::{
    Algorithm, Key, KeyCache, KeySource, Refusal, Rights, Roles, SourceId, Strictness, Verdict,
    Verifier,
};
use tidings_engine::Timestamp;

const A: &str = "https://a.example";
const B: &str = "https://b.example";

fn source(issuer: Option<&str>) -> KeySource {
    let place = issuer.unwrap_or("https://legacy.example");
    KeySource {
        url: format!("{place}/keys"),
        issuer: issuer.map(str::to_owned),
        algorithms: vec![
            Algorithm::ES256,
            Algorithm::ES384,
            Algorithm::EdDSA,
            Algorithm::RS256,
        ],
        strictness: Strictness::Strict,
        roles: Roles::BOTH,
    }
}

fn hub(sources: &[Option<&str>]) -> Verifier {
    let sources = sources.iter().copied().map(source).collect();
    let cache = KeyCache::new(sources).expect("few sources");
    Verifier::new(Vec::new(), cache, BASE.clone())
}

fn document(keys: &[Value]) -> Vec<u8> {
    json!({ "keys": keys }).to_string().into_bytes()
}

fn later(ms: u64) -> Timestamp {
    Timestamp(NOW.0 + ms)
}

/// A token of `issuer` with this `kid`, signed with a pair.
fn signed(pair: &Pair, issuer: &str, kid: Option<&str>) -> String {
    let exp = NOW_S + 10 * 24 * 3600;
    let claims = object(claims(json!({"iss": issuer, "exp": exp})));
    signing(pair).mint(&claims, "JWT", kid).expect("signed")
}

#[track_caller]
fn check(verifier: &Verifier, token: &str, at: Timestamp, expected: Result<(), Option<Refusal>>) {
    let outcome = match verifier.verify(token, at) {
        Verdict::Verified(_) => Ok(()),
        Verdict::Refused(refusal) => Err(Some(refusal)),
        Verdict::NeedsKeys(_) => Err(None),
    };
    assert_eq!(outcome, expected);
}

#[track_caller]
fn needed(verifier: &Verifier, token: &str, at: Timestamp) -> SourceId {
    match verifier.verify(token, at) {
        Verdict::NeedsKeys(source) => source,
        verdict => panic!("{verdict:?}"),
    }
}

#[test]
fn keys_come_with_the_first_fetch_and_one_is_in_flight_at_a_time() {
    let mut hub = hub(&[Some(A)]);
    let token = signed(&ES256, A, Some("k1"));
    let wanted = needed(&hub, &token, NOW);
    let fetch = hub.cache_mut().begin(wanted, NOW).expect("the first");
    assert_eq!(fetch.url, "https://a.example/keys");
    // Whoever comes meanwhile waits for the same one.
    assert_eq!(needed(&hub, &token, later(1)), wanted);
    assert_eq!(hub.cache_mut().begin(wanted, later(1)), None);
    assert_eq!(hub.cache_mut().due(later(1)), []);
    let keys = document(&[jwk(&ES256, "k1")]);
    assert_eq!(hub.cache_mut().finish(wanted, Some(&keys), later(2)), Ok(1));
    check(&hub, &token, later(2), Ok(()));
    assert_eq!(hub.cache_mut().due(later(2)), []);
}

#[test]
fn a_kid_that_is_not_there_is_asked_for_once_in_a_while() {
    let mut hub = hub(&[Some(A)]);
    let fetch = hub.cache_mut().due(NOW).remove(0).source;
    let keys = document(&[jwk(&ES256, "k1")]);
    hub.cache_mut()
        .finish(fetch, Some(&keys), NOW)
        .expect("keys");
    let unknown = signed(&ED, A, Some("k2"));
    check(
        &hub,
        &unknown,
        later(MIN_INTERVAL_MS - 1),
        Err(Some(Refusal::UnknownKey)),
    );
    let wanted = needed(&hub, &unknown, later(MIN_INTERVAL_MS));
    assert!(
        hub.cache_mut()
            .begin(wanted, later(MIN_INTERVAL_MS))
            .is_some()
    );
    let keys = document(&[jwk(&ES256, "k1"), jwk(&ED, "k2")]);
    let at = later(MIN_INTERVAL_MS + 1);
    hub.cache_mut()
        .finish(wanted, Some(&keys), at)
        .expect("keys");
    check(&hub, &unknown, at, Ok(()));
    check(&hub, &signed(&ES256, A, Some("k1")), at, Ok(()));
    // A signature that is wrong under a kid that is there asks for nothing.
    let forged = signed(&ED, A, Some("k1"));
    check(
        &hub,
        &forged,
        later(10 * MIN_INTERVAL_MS),
        Err(Some(Refusal::Algorithm)),
    );
    let nameless = signed(&ES384, A, None);
    check(
        &hub,
        &nameless,
        later(10 * MIN_INTERVAL_MS),
        Err(Some(Refusal::Algorithm)),
    );
}

/// No claim of a token that isn't verified leads to a request, let alone says
/// where to.
#[test]
fn cve_2026_32301_an_issuer_that_is_not_configured_is_never_asked() {
    let mut hub = hub(&[Some(A), None]);
    for fetch in hub.cache_mut().due(NOW) {
        let keys = document(&[jwk(&ES256, "k1")]);
        hub.cache_mut()
            .finish(fetch.source, Some(&keys), NOW)
            .expect("keys");
    }
    let at = later(2 * MIN_INTERVAL_MS);
    for issuer in [
        "https://evil.example",
        "http://169.254.169.254/latest",
        "file:///etc/passwd",
    ] {
        for aud in [HUB, "https://evil.example"] {
            let claims = object(claims(json!({"iss": issuer, "aud": aud})));
            let token = signing(&ED)
                .mint(&claims, "JWT", Some("k9"))
                .expect("signed");
            check(&hub, &token, at, Err(Some(Refusal::UnknownKey)));
        }
    }
    let only_a = {
        let mut only_a = self::hub(&[Some(A)]);
        let fetch = only_a.cache_mut().due(NOW).remove(0).source;
        let keys = document(&[jwk(&ES256, "k1")]);
        only_a
            .cache_mut()
            .finish(fetch, Some(&keys), NOW)
            .expect("keys");
        only_a
    };
    let token = signed(&ES256, "https://evil.example", Some("k1"));
    check(&only_a, &token, at, Err(Some(Refusal::UnknownIssuer)));
}

/// Centrifugo 8.2: a cache by `kid` alone lets one issuer speak for another.
#[test]
fn ghsa_g6vg_wj8f_48cj_a_kid_is_one_of_its_issuer() {
    let mut hub = hub(&[Some(A), Some(B)]);
    let fetches = hub.cache_mut().due(NOW);
    assert_eq!(fetches.len(), 2);
    for (fetch, pair) in fetches.iter().zip([&*ES256, &*ED]) {
        let keys = document(&[jwk(pair, "same")]);
        hub.cache_mut()
            .finish(fetch.source, Some(&keys), NOW)
            .expect("keys");
    }
    check(&hub, &signed(&ES256, A, Some("same")), NOW, Ok(()));
    check(&hub, &signed(&ED, B, Some("same")), NOW, Ok(()));
    check(
        &hub,
        &signed(&ES256, B, Some("same")),
        NOW,
        Err(Some(Refusal::Algorithm)),
    );
    check(
        &hub,
        &signed(&ED, A, Some("same")),
        NOW,
        Err(Some(Refusal::Algorithm)),
    );
    check(
        &hub,
        &signed(&ES256, B, None),
        NOW,
        Err(Some(Refusal::Algorithm)),
    );
}

#[test]
fn documents_are_fetched_again_by_age_and_forgotten_if_that_fails() {
    let mut hub = hub(&[Some(A)]);
    let source = hub.cache_mut().due(NOW).remove(0).source;
    let keys = document(&[jwk(&ES256, "k1")]);
    hub.cache_mut()
        .finish(source, Some(&keys), NOW)
        .expect("keys");
    let token = signed(&ES256, A, Some("k1"));
    assert_eq!(hub.cache_mut().due(later(REFRESH_AFTER_MS - 1)), []);
    assert_eq!(hub.cache_mut().due(later(REFRESH_AFTER_MS)).len(), 1);
    // It fails, in every way: the keys of before stay, and it is tried again.
    let mut at = REFRESH_AFTER_MS;
    let broken: [Option<&[u8]>; 4] = [None, Some(b"<html>"), Some(b"{\"keys\":{}}"), Some(b"")];
    for document in broken {
        let ended = hub.cache_mut().finish(source, document, later(at));
        assert_eq!(ended.is_ok(), document.is_none());
        check(&hub, &token, later(at), Ok(()));
        assert_eq!(hub.cache_mut().due(later(at + MIN_INTERVAL_MS - 1)), []);
        at += MIN_INTERVAL_MS;
        assert_eq!(hub.cache_mut().due(later(at)).len(), 1);
    }
    let _ = hub.cache_mut().finish(source, None, later(at));
    check(&hub, &token, later(FORGET_AFTER_MS - 1), Ok(()));
    check(&hub, &token, later(FORGET_AFTER_MS), Err(None));
}

#[test]
fn a_key_that_was_taken_out_of_its_document_verifies_no_more() {
    let mut hub = hub(&[Some(A)]);
    let source = hub.cache_mut().due(NOW).remove(0).source;
    let both = document(&[jwk(&ES256, "k1"), jwk(&ED, "k2")]);
    assert_eq!(hub.cache_mut().finish(source, Some(&both), NOW), Ok(2));
    let old = signed(&ES256, A, Some("k1"));
    check(&hub, &old, NOW, Ok(()));
    let at = later(REFRESH_AFTER_MS);
    assert_eq!(hub.cache_mut().due(at).len(), 1);
    let one = document(&[jwk(&ED, "k2")]);
    assert_eq!(hub.cache_mut().finish(source, Some(&one), at), Ok(1));
    check(&hub, &old, at, Err(Some(Refusal::UnknownKey)));
}

/// A document that can't be had excuses the keys that came in it, and no others.
#[test]
fn a_key_is_missed_unless_its_own_document_is() {
    let of = |issuers: &[Option<&str>], keys: Vec<Key>| {
        let sources = issuers.iter().copied().map(source).collect();
        let cache = KeyCache::new(sources).expect("few sources");
        Verifier::new(keys, cache, BASE.clone())
    };
    let mut hub = of(&[Some(A), Some(B)], vec![secret_key(Strictness::Strict)]);
    let wanted = hub.cache_mut().due(NOW).remove(0).source;
    let keys = document(&[jwk(&ES256, "k1")]);
    hub.cache_mut()
        .finish(wanted, Some(&keys), NOW)
        .expect("keys");
    let fetched = rights(&hub, &signed(&ES256, A, Some("k1")));
    let configured = rights(&hub, &token(hs_header(), claims(json!({}))));
    // As a ticket has them, too.
    let kept = |rights: &Rights| Rights::from_record(&rights.to_record(), &BASE).expect("one");
    let check = |hub: &Verifier, rights: &Rights, at, expected| {
        assert_eq!(hub.vouches(rights, at), expected);
        assert_eq!(hub.vouches(&kept(rights), at), expected);
    };
    for rights in [&fetched, &configured] {
        check(&hub, rights, NOW, true);
    }
    // The document of B has never come.
    let others = document(&[jwk(&ED, "k2")]);
    hub.cache_mut()
        .finish(wanted, Some(&others), NOW)
        .expect("keys");
    check(&hub, &fetched, NOW, false);
    // That of A is too old to be believed.
    check(&hub, &fetched, later(FORGET_AFTER_MS), true);
    check(&of(&[Some(A)], Vec::new()), &fetched, NOW, true);
    check(&of(&[Some(B)], Vec::new()), &fetched, NOW, false);
    check(
        &of(&[Some(A), Some(B)], Vec::new()),
        &configured,
        NOW,
        false,
    );
}

/// An issuer whose keys were all stolen takes them all out.
#[test]
fn a_document_that_has_no_keys_any_more_is_believed() {
    let oct = json!({"kty": "oct", "k": b64(SECRET)});
    for emptied in [document(&[]), document(&[oct])] {
        let mut hub = hub(&[Some(A)]);
        let source = hub.cache_mut().due(NOW).remove(0).source;
        let keys = document(&[jwk(&ES256, "k1")]);
        assert_eq!(hub.cache_mut().finish(source, Some(&keys), NOW), Ok(1));
        let token = signed(&ES256, A, Some("k1"));
        let rights = rights(&hub, &token);
        let at = later(MIN_INTERVAL_MS - 1);
        let ended = hub.cache_mut().finish(source, Some(&emptied), at);
        assert_eq!(ended, Err(InvalidJwks::NoKey));
        assert!(!hub.vouches(&rights, at));
        check(&hub, &token, at, Err(Some(Refusal::UnknownKey)));
        // It is asked for again as any other that lacks a key, and by its age.
        let at = later(MIN_INTERVAL_MS);
        assert_eq!(needed(&hub, &token, at), source);
        assert_eq!(hub.cache_mut().due(at), []);
        let fetch = hub.cache_mut().begin(source, at);
        assert!(fetch.is_some());
        assert_eq!(hub.cache_mut().finish(source, Some(&keys), at), Ok(1));
        check(&hub, &token, at, Ok(()));
        assert!(hub.vouches(&rights, at));
    }
}

#[test]
fn a_fetch_that_never_ends_is_begun_again() {
    let mut hub = hub(&[Some(A)]);
    let source = hub.cache_mut().due(NOW).remove(0).source;
    let token = signed(&ES256, A, Some("k1"));
    assert_eq!(needed(&hub, &token, later(FLIGHT_MS - 1)), source);
    // It has failed, and the interval isn't over.
    check(
        &hub,
        &token,
        later(FLIGHT_MS),
        Err(Some(Refusal::UnknownKey)),
    );
    assert_eq!(
        hub.cache_mut().begin(source, later(MIN_INTERVAL_MS - 1)),
        None
    );
    assert_eq!(needed(&hub, &token, later(MIN_INTERVAL_MS)), source);
    assert!(
        hub.cache_mut()
            .begin(source, later(MIN_INTERVAL_MS))
            .is_some()
    );
}

#[test]
fn p24_a_clock_that_jumps_makes_keys_old_and_not_eternal() {
    let mut hub = hub(&[Some(A)]);
    let ahead = later(10 * FORGET_AFTER_MS);
    let source = hub.cache_mut().due(ahead).remove(0).source;
    let keys = document(&[jwk(&ES256, "k1")]);
    hub.cache_mut()
        .finish(source, Some(&keys), ahead)
        .expect("keys");
    check(&hub, &signed(&ES256, A, Some("k1")), NOW, Err(None));
    assert_eq!(hub.cache_mut().due(NOW).len(), 1);
}

#[test]
fn sources_are_bounded() {
    let sources = |count| vec![source(Some(A)); count];
    assert!(KeyCache::new(sources(MAX_SOURCES)).is_ok());
    assert!(KeyCache::new(sources(MAX_SOURCES + 1)).is_err());
}

#[track_caller]
fn check_document(keys: &[Value], allowed: &[Algorithm], expected: Result<usize, InvalidJwks>) {
    let keys = jwks::parse(&document(keys), allowed, Strictness::Strict);
    assert_eq!(keys.map(|keys| keys.len()), expected);
}

const ALL: [Algorithm; 6] = [
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
    Algorithm::RS256,
    Algorithm::PS256,
    Algorithm::HS256,
];

fn with(mut jwk: Value, name: &str, value: Value) -> Value {
    jwk[name] = value;
    jwk
}

/// What a document says of a key never widens what the hub takes.
#[test]
fn mercure_1298_a_document_chooses_no_algorithm() {
    let oct = json!({"kty": "oct", "k": b64(SECRET), "alg": "HS256", "kid": "k"});
    check_document(&[oct], &ALL, Err(InvalidJwks::NoKey));
    for alg in ["HS256", "none", "RS256", "ES384", "ES256K", ""] {
        let key = with(jwk(&ES256, "k"), "alg", json!(alg));
        check_document(&[key], &ALL, Err(InvalidJwks::NoKey));
    }
    check_document(
        &[with(jwk(&ES256, "k"), "alg", json!("ES256"))],
        &ALL,
        Ok(1),
    );
    check_document(
        &[jwk(&ES256, "k")],
        &[Algorithm::RS256],
        Err(InvalidJwks::NoKey),
    );
    // An RSA key that names no algorithm has those that are configured.
    let allowed = [Algorithm::PS256];
    let keys = jwks::parse(&document(&[jwk(&RSA, "k")]), &allowed, Strictness::Strict);
    let verifier = verifier_of(keys.expect("a key"));
    let claims = object(claims(json!({})));
    let rs256 = signing(&RSA)
        .mint(&claims, "JWT", Some("k"))
        .expect("signed");
    check_refused(&verifier, &rs256, Refusal::Algorithm);
}

#[test]
fn keys_of_a_document_that_can_t_verify_are_passed_over() {
    let good = [
        jwk(&ES256, "1"),
        jwk(&ES384, "2"),
        jwk(&ED, "3"),
        jwk(&RSA, "4"),
    ];
    check_document(&good, &ALL, Ok(4));
    let ed = |x: Value| with(jwk(&ED, "k"), "x", x);
    let short_n = with(jwk(&RSA, "k"), "n", json!(b64(&raw_public(&RSA)[..255])));
    let bad = [
        with(jwk(&ES256, "k"), "use", json!("enc")),
        with(jwk(&ES256, "k"), "key_ops", json!(["sign"])),
        with(jwk(&ES256, "k"), "key_ops", json!("verify")),
        with(jwk(&ES256, "k"), "d", json!("AAAA")),
        with(jwk(&ES256, "k"), "kid", json!(7)),
        with(jwk(&ES256, "k"), "crv", json!("P-384")),
        with(jwk(&ES256, "k"), "crv", json!("P-521")),
        with(jwk(&ES256, "k"), "x", json!("AAAA")),
        with(jwk(&ES256, "k"), "y", json!(b64([7; 32]))),
        with(jwk(&ES256, "k"), "x", json!(1)),
        with(jwk(&ED, "k"), "crv", json!("X25519")),
        ed(json!(b64([0; 32]))),
        ed(json!(b64([1; 31]))),
        short_n,
        with(jwk(&RSA, "k"), "n", json!("")),
        json!({"kty": "unknown"}),
        json!({}),
        json!("x"),
    ];
    for key in bad {
        check_document(std::slice::from_ref(&key), &ALL, Err(InvalidJwks::NoKey));
        check_document(&[key, jwk(&ED, "k")], &ALL, Ok(1));
    }
    let verify = with(jwk(&ES256, "k"), "key_ops", json!(["verify"]));
    check_document(&[with(verify, "use", json!("sig"))], &ALL, Ok(1));
}

#[test]
fn documents_are_bounded() {
    let keys = |count| vec![jwk(&ED, "k"); count];
    check_document(&keys(100), &ALL, Ok(100));
    check_document(&keys(101), &ALL, Err(InvalidJwks::TooMany));
    for (text, expected) in [
        (" ".repeat(256 * 1024 + 1), InvalidJwks::TooLong),
        ("{}".to_owned(), InvalidJwks::Malformed),
        ("[]".to_owned(), InvalidJwks::Malformed),
        ("{\"keys\":{}}".to_owned(), InvalidJwks::Malformed),
        (
            "{\"keys\":[],\"keys\":[]}".to_owned(),
            InvalidJwks::Malformed,
        ),
        ("[".repeat(100_000), InvalidJwks::Malformed),
    ] {
        let keys = jwks::parse(text.as_bytes(), &ALL, Strictness::Strict);
        assert_eq!(keys.err(), Some(expected), "{text:.40}");
    }
}
