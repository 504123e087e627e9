//! Tokens as strangers send them: rows b12 to b15 of the hub's bad input, and
//! the mistakes that others have made with them.

mod common;

use common::*;
use serde_json::{Value, json};
use tidings_auth::mint::SigningKey;
use tidings_auth::{Algorithm, Key, Refusal, Roles, Strictness, Verdict};
use tidings_engine::Timestamp;

fn strict() -> tidings_auth::Verifier {
    verifier(Strictness::Strict)
}

#[test]
fn every_algorithm_verifies_what_it_signed_and_nothing_else() {
    let secrets = [
        (Algorithm::HS256, 32),
        (Algorithm::HS384, 48),
        (Algorithm::HS512, 64),
    ];
    let secrets = secrets.map(|(algorithm, length)| {
        let secret: Vec<u8> = (0..length).map(|n| n * 3 + 1).collect();
        let key = Key::from_secret(&secret, algorithm, Strictness::Strict)
            .expect("good")
            .0;
        (
            algorithm,
            key,
            SigningKey::from_secret(&secret, algorithm).expect("good"),
        )
    });
    let rsa = [
        Algorithm::RS256,
        Algorithm::RS384,
        Algorithm::RS512,
        Algorithm::PS256,
        Algorithm::PS384,
        Algorithm::PS512,
    ];
    let rsa = rsa.map(|algorithm| (algorithm, &*RSA));
    let pairs = [&ES256, &ES384, &ED].map(|pair| (pair.algorithm, &**pair));
    let pairs = rsa.into_iter().chain(pairs).map(|(algorithm, pair)| {
        let key = Key::from_pem(pair.public.as_bytes(), algorithm, Strictness::Strict);
        let signing = SigningKey::from_pem(pair.private.as_bytes(), algorithm);
        (algorithm, key.expect("good"), signing.expect("good"))
    });
    let all: Vec<_> = secrets.into_iter().chain(pairs).collect();
    assert_eq!(all.len(), 12);
    for (signed_by, _, signing) in &all {
        let token = signing
            .mint(&object(claims(json!({}))), "JWT", None)
            .expect("signed");
        for (algorithm, key, _) in &all {
            let verifier = verifier_of(vec![key.clone()]);
            if algorithm == signed_by {
                rights(&verifier, &token);
                let (signed, signature) = token.rsplit_once('.').expect("three parts");
                let first = if signature.starts_with('A') { 'B' } else { 'A' };
                let forged = format!("{signed}.{first}{}", &signature[1..]);
                check_refused(&verifier, &forged, Refusal::Signature);
            } else {
                check_refused(&verifier, &token, Refusal::Algorithm);
            }
        }
    }
}

/// A header as given, with a signature by the hub's own secret.
#[track_caller]
fn check_header(header: Value, expected: Refusal) {
    check_refused(&strict(), &token(header, claims(json!({}))), expected);
}

#[test]
fn b12_alg_none_in_every_spelling() {
    for alg in [
        "none", "None", "nOnE", "NONE", "", "HS256 ", "hs256", "ES256K", "RS1", "A256GCM",
    ] {
        check_header(json!({"alg": alg}), Refusal::Algorithm);
        // And without a signature, with and without the last dot.
        let header = b64(json!({"alg": alg}).to_string());
        let claims = b64(claims(json!({})).to_string());
        check_refused(
            &strict(),
            &format!("{header}.{claims}."),
            Refusal::TokenMalformed,
        );
        check_refused(
            &strict(),
            &format!("{header}.{claims}"),
            Refusal::TokenMalformed,
        );
    }
    for header in [
        json!({}),
        json!({"alg": null}),
        json!({"alg": ["HS256"]}),
        json!({"alg": 1}),
    ] {
        check_header(header, Refusal::Algorithm);
    }
}

#[test]
fn b12_cve_2026_22817_a_public_key_is_no_secret() {
    for pair in [&*RSA, &*ES256, &*ED] {
        let key = Key::from_pem(pair.public.as_bytes(), pair.algorithm, Strictness::Strict);
        let verifier = verifier_of(vec![key.expect("good")]);
        let der: String = pair
            .public
            .lines()
            .filter(|line| !line.starts_with('-'))
            .collect();
        let jwk = jwk(pair, "k").to_string();
        let raw = raw_public(pair);
        let secrets = [
            pair.public.as_bytes(),
            pair.public.trim().as_bytes(),
            der.as_bytes(),
        ];
        for secret in secrets.into_iter().chain([jwk.as_bytes(), &raw]) {
            for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
                let forged = SigningKey::from_secret(secret, algorithm).expect("any secret");
                let forged = forged.mint(&object(claims(json!({}))), "JWT", None);
                check_refused(&verifier, &forged.expect("signed"), Refusal::Algorithm);
            }
        }
    }
}

#[test]
fn b12_rs256_and_ps256_are_two_algorithms() {
    for (own, other) in [
        (Algorithm::RS256, Algorithm::PS256),
        (Algorithm::PS256, Algorithm::RS256),
    ] {
        let key = Key::from_pem(RSA.public.as_bytes(), own, Strictness::Strict).expect("good");
        let other = SigningKey::from_pem(RSA.private.as_bytes(), other).expect("good");
        let token = other
            .mint(&object(claims(json!({}))), "JWT", None)
            .expect("signed");
        check_refused(&verifier_of(vec![key]), &token, Refusal::Algorithm);
    }
}

#[test]
fn b12_the_header_s_alg_is_signed_too() {
    // The signature of one algorithm under the name of another that is pinned.
    let rs = Key::from_pem(RSA.public.as_bytes(), Algorithm::RS256, Strictness::Strict);
    let verifier = verifier_of(vec![rs.expect("good")]);
    let ps = SigningKey::from_pem(RSA.private.as_bytes(), Algorithm::PS256).expect("good");
    let claims = claims(json!({})).to_string();
    let token = ps
        .mint_raw(br#"{"alg":"RS256"}"#, claims.as_bytes())
        .expect("signed");
    check_refused(&verifier, &token, Refusal::Signature);
}

#[test]
fn b13_a_kid_chooses_only_among_configured_keys() {
    let named = secret_key(Strictness::Strict).with_key_id("main");
    let verifier = verifier_of(vec![named]);
    let header = |kid: Value| json!({"alg": "HS256", "kid": kid});
    rights(&verifier, &token(header(json!("main")), claims(json!({}))));
    rights(&verifier, &token(hs_header(), claims(json!({}))));
    for kid in [
        "../../etc/passwd",
        "' OR 1=1 --",
        "Main",
        "main ",
        "main\0",
        "\u{202e}main",
    ] {
        let token = token(header(json!(kid)), claims(json!({})));
        check_refused(&verifier, &token, Refusal::UnknownKey);
    }
    for kid in [
        json!(""),
        json!(1),
        json!(["main"]),
        Value::Null,
        json!("k".repeat(257)),
    ] {
        let token = token(header(kid), claims(json!({})));
        check_refused(&verifier, &token, Refusal::KeyId);
    }
    let huge = token(header(json!("k".repeat(1_000_000))), claims(json!({})));
    check_refused(&verifier, &huge, Refusal::TokenTooLong);
}

#[test]
fn b13_keys_in_the_header_are_not_listened_to() {
    // A token signed with the key that it brings along.
    let header = json!({
        "alg": "ES256", "jwk": jwk(&ES256, "k"), "jku": "https://evil.example/keys",
        "x5u": "https://evil.example/chain", "x5c": ["MIIB"], "x5t": "abc",
    });
    let claims = claims(json!({})).to_string();
    let forged = signing(&ES256).mint_raw(header.to_string().as_bytes(), claims.as_bytes());
    check_refused(&strict(), &forged.expect("signed"), Refusal::Algorithm);
    let other = Key::from_pem(ES256_OTHER.as_bytes(), Algorithm::ES256, Strictness::Strict);
    let forged = signing(&ES256).mint_raw(header.to_string().as_bytes(), claims.as_bytes());
    let verifier = verifier_of(vec![other.expect("good")]);
    check_refused(&verifier, &forged.expect("signed"), Refusal::Signature);
}

/// The key of RFC 7517 appendix A.1.
const ES256_OTHER: &str = "-----BEGIN PUBLIC KEY-----\n\
    MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEMKBCTNIcKUSDii11ySs3526iDZ8A\n\
    iTo7Tu6KPAqv7D7gS2XpJFbZiItSs3m9+9Ue6GnvHw/GW2ZZaVtszggXIw==\n\
    -----END PUBLIC KEY-----";

#[test]
fn b13_what_is_critical_compressed_or_unencoded_is_refused() {
    for (name, value) in [
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("b64", json!(false)),
        ("b64", json!(true)),
        ("zip", json!("DEF")),
        ("enc", json!("A256GCM")),
    ] {
        check_header(
            json!({"alg": "HS256", name: value}),
            Refusal::HeaderUnsupported,
        );
    }
}

#[test]
fn cve_2026_29000_no_token_inside_a_token() {
    let inner = format!(
        "{}.{}.",
        b64(r#"{"alg":"none"}"#),
        b64(claims(json!({})).to_string())
    );
    check_header(
        json!({"alg": "HS256", "cty": "JWT"}),
        Refusal::HeaderUnsupported,
    );
    for header in [hs_header(), json!({"alg": "none"})] {
        let outer = hs256().mint_raw(header.to_string().as_bytes(), inner.as_bytes());
        let expected = match header["alg"] == "none" {
            true => Refusal::Algorithm,
            false => Refusal::ClaimsMalformed,
        };
        check_refused(&strict(), &outer.expect("signed"), expected);
    }
}

#[test]
fn b14_times_have_their_type_and_range() {
    let wrong = [
        json!("9999999999"),
        json!(1_800_000_060.5),
        json!(1_800_000_060.0),
        json!(-1),
        json!(9_223_372_036_854_775_808_u64),
        json!(u64::MAX),
        json!(1e308),
        json!(true),
        json!([NOW_S + 60]),
        json!({}),
        json!(253_402_300_800_u64),
    ];
    for verifier in [strict(), verifier(Strictness::Legacy)] {
        for name in ["exp", "nbf", "iat"] {
            for value in &wrong {
                let token = token(hs_header(), claims(json!({name: value})));
                check_refused(&verifier, &token, Refusal::ClaimType);
            }
            let raw = format!(r#"{{"aud":"{HUB}","exp":{},"{name}":null}}"#, NOW_S + 60);
            let raw = raw.replacen(r#""exp":1800000060,"exp""#, r#""exp""#, 1);
            let token = hs256().mint_raw(hs_header().to_string().as_bytes(), raw.as_bytes());
            check_refused(&verifier, &token.expect("signed"), Refusal::ClaimType);
        }
    }
}

#[test]
fn b14_cve_2026_25537_a_string_is_no_time() {
    let token = token(hs_header(), claims(json!({"nbf": "9999"})));
    check_refused(&strict(), &token, Refusal::ClaimType);
}

#[test]
fn b14_times_are_kept_to_the_second() {
    let at = |others: Value| token(hs_header(), claims(others));
    for (others, expected) in [
        (json!({"exp": NOW_S + 1}), None),
        (json!({"exp": NOW_S}), Some(Refusal::Expired)),
        (json!({"exp": NOW_S - 1}), Some(Refusal::Expired)),
        (json!({"exp": 0}), Some(Refusal::Expired)),
        (json!({"nbf": NOW_S}), None),
        (json!({"nbf": NOW_S + 1}), Some(Refusal::NotYet)),
        (json!({"iat": NOW_S}), None),
        (json!({"iat": NOW_S + 1}), Some(Refusal::IssuedLater)),
        (json!({"exp": null}), Some(Refusal::NoExpiry)),
    ] {
        match expected {
            None => drop(rights(&strict(), &at(others))),
            Some(refusal) => check_refused(&strict(), &at(others), refusal),
        }
    }
    // A leeway counts for all three, and for the end of the stream.
    let lenient = strict().with_leeway_ms(5_000);
    assert_eq!(
        rights(&lenient, &at(json!({"exp": NOW_S - 4}))).expires,
        Some(Timestamp((NOW_S + 1) * 1000))
    );
    rights(&lenient, &at(json!({"nbf": NOW_S + 5, "iat": NOW_S + 5})));
    check_refused(&lenient, &at(json!({"exp": NOW_S - 5})), Refusal::Expired);
    check_refused(&lenient, &at(json!({"nbf": NOW_S + 6})), Refusal::NotYet);
    check_refused(
        &lenient,
        &at(json!({"iat": NOW_S + 6})),
        Refusal::IssuedLater,
    );
    let no_more = strict().with_leeway_ms(u64::MAX);
    check_refused(&no_more, &at(json!({"exp": NOW_S - 300})), Refusal::Expired);
}

#[test]
fn b15_aud_names_this_hub() {
    let hub = format!("{HUB}/.well-known/mercure");
    for (aud, expected) in [
        (json!(HUB), None),
        (json!(hub), None),
        (json!(["https://other.example", HUB]), None),
        (Value::Null, Some(Refusal::NoAudience)),
        (json!([]), Some(Refusal::Audience)),
        (json!("https://other.example"), Some(Refusal::Audience)),
        (json!("https://HUB.example"), Some(Refusal::Audience)),
        (json!("https://hub.example/"), Some(Refusal::Audience)),
        (
            json!("https://hub.example.evil.example"),
            Some(Refusal::Audience),
        ),
        (json!(""), Some(Refusal::Audience)),
        (json!(1), Some(Refusal::ClaimType)),
        (json!([HUB, 1]), Some(Refusal::ClaimType)),
        (json!({"0": HUB}), Some(Refusal::ClaimType)),
        (json!(vec![HUB; 101]), Some(Refusal::TooMany)),
    ] {
        let token = token(hs_header(), claims(json!({"aud": aud})));
        match expected {
            None => drop(rights(&strict(), &token)),
            Some(refusal) => check_refused(&strict(), &token, refusal),
        }
    }
}

#[test]
fn b15_iss_decides_whose_keys_are_tried() {
    let own = secret_key(Strictness::Strict).with_issuer("https://a.example");
    let other = Key::from_pem(
        ES256.public.as_bytes(),
        Algorithm::ES256,
        Strictness::Strict,
    );
    let other = other.expect("good").with_issuer("https://b.example");
    let verifier = verifier_of(vec![own, other]);
    let of = |iss: Value| token(hs_header(), claims(json!({"iss": iss})));
    rights(&verifier, &of(json!("https://a.example")));
    // Signed well, by a key of somebody else.
    check_refused(
        &verifier,
        &of(json!("https://b.example")),
        Refusal::Algorithm,
    );
    check_refused(
        &verifier,
        &of(json!("https://c.example")),
        Refusal::UnknownIssuer,
    );
    check_refused(
        &verifier,
        &of(json!("https://A.example")),
        Refusal::UnknownIssuer,
    );
    check_refused(&verifier, &of(Value::Null), Refusal::UnknownKey);
    check_refused(
        &verifier,
        &of(json!(["https://a.example"])),
        Refusal::ClaimType,
    );
    check_refused(&verifier, &of(json!("x".repeat(1025))), Refusal::ClaimType);
}

#[test]
fn b15_issuers_with_keys_are_not_pooled_with_those_without() {
    let free = secret_key(Strictness::Strict);
    let bound = Key::from_pem(
        ES256.public.as_bytes(),
        Algorithm::ES256,
        Strictness::Strict,
    );
    let bound = bound.expect("good").with_issuer("https://b.example");
    let verifier = verifier_of(vec![free, bound]);
    let of = |iss: &str| token(hs_header(), claims(json!({"iss": iss})));
    rights(&verifier, &of("https://any.example"));
    check_refused(&verifier, &of("https://b.example"), Refusal::Algorithm);
}

#[test]
fn b15_only_these_types_of_token() {
    for typ in [
        "JWT",
        "jwt",
        "at+jwt",
        "AT+JWT",
        "application/at+jwt",
        "application/jwt",
    ] {
        rights(
            &strict(),
            &token(json!({"alg": "HS256", "typ": typ}), claims(json!({}))),
        );
    }
    rights(
        &strict(),
        &token(json!({"alg": "HS256"}), claims(json!({}))),
    );
    for typ in [
        json!("id_token"),
        json!("dpop+jwt"),
        json!("secevent+jwt"),
        json!("logout+jwt"),
    ] {
        check_header(json!({"alg": "HS256", "typ": typ}), Refusal::Type);
    }
    for typ in [json!(""), json!(1), Value::Null, json!(["JWT"])] {
        check_header(json!({"alg": "HS256", "typ": typ}), Refusal::Type);
    }
}

#[test]
fn legacy_keys_do_without_exp_and_aud_and_without_nothing_else() {
    let legacy = verifier(Strictness::Legacy);
    let of = |others: Value| token(hs_header(), claims(others));
    let bare = rights(&legacy, &of(json!({"exp": null, "aud": null})));
    assert_eq!(bare.expires, None);
    check_refused(&legacy, &of(json!({"exp": NOW_S})), Refusal::Expired);
    check_refused(&legacy, &of(json!({"nbf": NOW_S + 1})), Refusal::NotYet);
    check_refused(
        &legacy,
        &of(json!({"aud": "https://other.example"})),
        Refusal::Audience,
    );
    check_refused(
        &legacy,
        &token(json!({"alg": "none"}), claims(json!({}))),
        Refusal::Algorithm,
    );
    // An access token is one of Mercure 1.0, whose rules have no leniency.
    let access = |others: Value| token(access_header(), claims(others));
    rights(&legacy, &access(json!({})));
    check_refused(&legacy, &access(json!({"exp": null})), Refusal::NoExpiry);
    check_refused(&legacy, &access(json!({"aud": null})), Refusal::NoAudience);
}

#[test]
fn a_secret_of_a_strict_and_a_legacy_key_is_strict() {
    let keys = vec![
        secret_key(Strictness::Legacy),
        secret_key(Strictness::Strict),
    ];
    let bare = token(hs_header(), claims(json!({"exp": null})));
    check_refused(&verifier_of(keys), &bare, Refusal::NoExpiry);
}

#[test]
fn a_key_grants_no_more_than_its_role() {
    let granted = json!({
        "tidings": {"publish": ["**"], "subscribe": ["**"], "presence": 1, "admin": true},
    });
    let token = token(hs_header(), claims(granted));
    let key = |roles| secret_key(Strictness::Strict).with_roles(roles);
    for (keys, publish, subscribe) in [
        (vec![key(Roles::PUBLISH)], true, false),
        (vec![key(Roles::SUBSCRIBE)], false, true),
        (vec![key(Roles::BOTH)], true, true),
        (vec![key(Roles::PUBLISH), key(Roles::SUBSCRIBE)], true, true),
    ] {
        let rights = rights(&verifier_of(keys), &token);
        assert_eq!(!rights.publish.is_empty(), publish);
        assert_eq!(!rights.subscribe.is_empty(), subscribe);
        assert_eq!(rights.payload("news", &BASE).is_some(), subscribe);
        assert_eq!(rights.admin, publish && subscribe);
    }
}

/// Its rights were read as the key was then.
#[test]
fn a_key_that_is_configured_otherwise_is_another() {
    let strict = || secret_key(Strictness::Strict);
    let token = token(hs_header(), claims(json!({"iss": "https://a.example"})));
    let both = || {
        [Roles::PUBLISH, Roles::SUBSCRIBE]
            .map(|roles| strict().with_roles(roles))
            .to_vec()
    };
    let of_a = |key: Key| key.with_issuer("https://a.example");
    let other = Key::from_secret(SECRET, Algorithm::HS512, Strictness::Legacy);
    let other = other.expect("a key").0;
    for (before, after, expected) in [
        (vec![strict()], vec![strict()], true),
        (vec![strict()], vec![strict().with_key_id("k")], true),
        (vec![strict()], vec![other, strict()], true),
        (vec![strict()], vec![secret_key(Strictness::Legacy)], false),
        (vec![secret_key(Strictness::Legacy)], vec![strict()], false),
        (vec![strict()], both(), false),
        (vec![strict()], vec![of_a(strict())], false),
        (vec![of_a(strict())], vec![of_a(strict())], true),
        (vec![of_a(strict())], vec![strict()], false),
        // Of two that it counts for, either.
        (both(), both(), true),
        (both(), both()[..1].to_vec(), false),
        (both(), both()[1..].to_vec(), false),
        // One that adds nothing isn't counted.
        ([vec![strict()], both()].concat(), vec![strict()], true),
    ] {
        let text = format!("{before:?} {after:?}");
        let rights = rights(&verifier_of(before), &token);
        assert_eq!(verifier_of(after).vouches(&rights, NOW), expected, "{text}");
    }
    let secret: Vec<u8> = (0..64).collect();
    let [one, other] = [Algorithm::HS256, Algorithm::HS512].map(|algorithm| {
        let key = Key::from_secret(&secret, algorithm, Strictness::Strict);
        verifier_of(vec![key.expect("a good secret").0])
    });
    let signing = SigningKey::from_secret(&secret, Algorithm::HS256).expect("a key");
    let signed = signing.mint(&object(claims(json!({}))), "JWT", None);
    let rights = rights(&one, &signed.expect("a token"));
    assert!(one.vouches(&rights, NOW) && !other.vouches(&rights, NOW));
}

#[test]
fn a_token_is_tried_with_few_keys() {
    let other = |n: u8| {
        let secret: Vec<u8> = (0..32).map(|m| m ^ n).collect();
        Key::from_secret(&secret, Algorithm::HS256, Strictness::Strict)
            .expect("good")
            .0
    };
    let good = token(hs_header(), claims(json!({})));
    let with = |others: u8| {
        let mut keys: Vec<Key> = (0..others).map(other).collect();
        keys.push(secret_key(Strictness::Strict).with_key_id("own"));
        verifier_of(keys)
    };
    rights(&with(7), &good);
    check_refused(&with(8), &good, Refusal::Signature);
}

#[test]
fn what_is_refused_or_verified_is_never_shown() {
    let secret = "tdcanary";
    let named = json!({
        "sub": secret, "iss": 1, "x": secret,
        "tidings": {"publish": [format!("{secret}/*")]},
    });
    for header in [
        hs_header(),
        json!({"alg": secret}),
        json!({"alg": "HS256", "kid": secret}),
    ] {
        let token = token(header, claims(named.clone()));
        let verdict = strict().verify(&token, NOW);
        let Verdict::Refused(refusal) = verdict else {
            panic!("iss is a number");
        };
        let text = format!("{refusal} {refusal:?} {verdict:?} {:?}", strict());
        assert!(
            !text.contains(secret) && !text.contains(&token[20..60]),
            "{text}"
        );
    }
}
