//! The form of tokens and of their signatures: rows b16 and b17 of the hub's
//! bad input. What is no token is refused before a signature is looked at.

mod common;

use common::*;
use serde_json::json;
use tidings_auth::{Algorithm, Key, Refusal, Strictness};

fn strict() -> tidings_auth::Verifier {
    verifier(Strictness::Strict)
}

/// A token of [`ES256`] whose signature is what `change` makes of it.
fn resigned(change: impl Fn(Vec<u8>) -> Vec<u8>) -> String {
    use base64::Engine as _;
    let good = signing(&ES256)
        .mint(&object(claims(json!({}))), "JWT", None)
        .expect("signed");
    let (signed, signature) = good.rsplit_once('.').expect("three parts");
    let signature = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(signature);
    format!("{signed}.{}", b64(change(signature.expect("base64"))))
}

fn es256() -> tidings_auth::Verifier {
    let key = Key::from_pem(
        ES256.public.as_bytes(),
        Algorithm::ES256,
        Strictness::Strict,
    );
    verifier_of(vec![key.expect("good")])
}

#[test]
fn b16_signatures_of_the_wrong_form() {
    check_refused(&es256(), &resigned(|_| vec![0; 64]), Refusal::Signature);
    check_refused(&es256(), &resigned(|_| vec![0xff; 64]), Refusal::Signature);
    let der = |raw: Vec<u8>| {
        let integer = |bytes: &[u8]| {
            let pad = usize::from(bytes[0] >= 0x80);
            [&[2, (bytes.len() + pad) as u8], &vec![0; pad][..], bytes].concat()
        };
        let (r, s) = raw.split_at(32);
        let content = [integer(r), integer(s)].concat();
        [&[0x30, content.len() as u8], &content[..]].concat()
    };
    check_refused(&es256(), &resigned(der), Refusal::Signature);
    let zero_r = |raw: Vec<u8>| [&[0; 32], &raw[32..]].concat();
    check_refused(&es256(), &resigned(zero_r), Refusal::Signature);
    check_refused(
        &es256(),
        &resigned(|raw| raw[..63].to_vec()),
        Refusal::Signature,
    );
    check_refused(
        &es256(),
        &resigned(|raw| [raw, vec![0]].concat()),
        Refusal::Signature,
    );
}

/// The order of P-256.
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6,
    0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// RFC 7518 section 3.4 knows no low S: half of the signatures of OpenSSL and of
/// browsers have a high one. That a signature has two spellings harms nobody,
/// because no list here goes by the text of a token.
#[test]
fn b16_a_high_s_is_as_good_as_a_low_one() {
    let mirrored = |raw: Vec<u8>| {
        let mut s = [0_u8; 32];
        let mut borrow = 0_i16;
        for index in (0..32).rev() {
            let digit = i16::from(ORDER[index]) - i16::from(raw[32 + index]) - borrow;
            borrow = i16::from(digit < 0);
            s[index] = (digit + 256 * borrow) as u8;
        }
        [&raw[..32], &s].concat()
    };
    rights(&es256(), &resigned(|raw| raw));
    rights(&es256(), &resigned(mirrored));
}

#[test]
fn b16_a_signature_with_a_point_of_small_order() {
    let key = Key::from_pem(ED.public.as_bytes(), Algorithm::EdDSA, Strictness::Strict);
    let verifier = verifier_of(vec![key.expect("good")]);
    let header = b64(r#"{"alg":"EdDSA"}"#);
    let claims = b64(claims(json!({})).to_string());
    for r in [[0_u8; 32], {
        let mut one = [0; 32];
        one[0] = 1;
        one
    }] {
        let forged = format!("{header}.{claims}.{}", b64([r, [0; 32]].concat()));
        check_refused(&verifier, &forged, Refusal::Signature);
    }
}

#[test]
fn b17_form_is_judged_before_anything_else() {
    let good = token(hs_header(), claims(json!({})));
    let (signed, signature) = good.rsplit_once('.').expect("three parts");
    let (header, payload) = signed.split_once('.').expect("three parts");
    for (token, expected) in [
        ("a".repeat(1_000_000), Refusal::TokenTooLong),
        (
            format!("{}{good}", " ".repeat(16 * 1024)),
            Refusal::TokenTooLong,
        ),
        (String::new(), Refusal::TokenMalformed),
        (".".to_owned(), Refusal::TokenMalformed),
        ("..".to_owned(), Refusal::TokenMalformed),
        (format!("{good}."), Refusal::TokenMalformed),
        (format!("{good}.{signature}"), Refusal::TokenMalformed),
        (
            format!("{good}.{signature}.{signature}"),
            Refusal::TokenMalformed,
        ),
        (format!(".{payload}.{signature}"), Refusal::TokenMalformed),
        (format!("{header}..{signature}"), Refusal::TokenMalformed),
        (format!("{header}.{payload}."), Refusal::TokenMalformed),
        (format!("{good}="), Refusal::TokenMalformed),
        (format!(" {good}"), Refusal::TokenMalformed),
        (format!("{good}\n"), Refusal::TokenMalformed),
        (format!("{header}.{payload}.+/+/"), Refusal::TokenMalformed),
        (
            format!("{header}.{payload}.{}", "A".repeat(1367)),
            Refusal::TokenMalformed,
        ),
        (
            format!("{}.{payload}.{signature}", "A".repeat(4097)),
            Refusal::TokenMalformed,
        ),
        (format!("{header}.{payload}.AB"), Refusal::TokenMalformed),
        (
            format!("{}.{payload}.{signature}", b64("[]")),
            Refusal::HeaderMalformed,
        ),
        (
            format!("{}.{payload}.{signature}", b64("\u{feff}{}")),
            Refusal::HeaderMalformed,
        ),
        (
            format!("{header}.{}.{signature}", b64("[]")),
            Refusal::ClaimsMalformed,
        ),
        (
            format!("{header}.{}.{signature}", b64([0xff, 0xfe])),
            Refusal::ClaimsMalformed,
        ),
    ] {
        check_refused(&strict(), &token, expected);
    }
}

#[test]
fn b17_a_signature_has_one_spelling() {
    // 32 bytes leave two bits of the last character unused.
    let good = token(hs_header(), claims(json!({})));
    rights(&strict(), &good);
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let last = good.bytes().last().expect("a character");
    let index = alphabet
        .iter()
        .position(|byte| *byte == last)
        .expect("base64url");
    assert_eq!(index % 4, 0);
    for other in 1..4 {
        let twin = format!(
            "{}{}",
            &good[..good.len() - 1],
            alphabet[index + other] as char
        );
        check_refused(&strict(), &twin, Refusal::TokenMalformed);
    }
}

#[test]
fn b17_names_that_stand_twice_and_nesting() {
    let sign = |header: &str, claims: &str| {
        hs256()
            .mint_raw(header.as_bytes(), claims.as_bytes())
            .expect("signed")
    };
    let good = claims(json!({})).to_string();
    let header = r#"{"alg":"HS256"}"#;
    let twice = r#"{"alg":"none","alg":"HS256"}"#;
    check_refused(&strict(), &sign(twice, &good), Refusal::HeaderMalformed);
    let twice = good.replacen('{', r#"{"exp":9999999999,"#, 1);
    check_refused(&strict(), &sign(header, &twice), Refusal::ClaimsMalformed);
    let deep = |depth: usize| {
        let nested = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        good.replacen('{', &format!(r#"{{"x":{nested},"#), 1)
    };
    rights(&strict(), &sign(header, &deep(30)));
    check_refused(
        &strict(),
        &sign(header, &deep(33)),
        Refusal::ClaimsMalformed,
    );
    check_refused(
        &strict(),
        &sign(header, &deep(5_000)),
        Refusal::ClaimsMalformed,
    );
    let many = |count: usize| {
        let members: String = (0..count).map(|n| format!(r#""c{n}":0,"#)).collect();
        good.replacen('{', &format!("{{{members}"), 1)
    };
    rights(&strict(), &sign(header, &many(254)));
    check_refused(&strict(), &sign(header, &many(255)), Refusal::TooMany);
    check_refused(
        &strict(),
        &sign(header, &many(30_000)),
        Refusal::TokenTooLong,
    );
}
