//! Keys, tokens and a hub's verifier, for tests.

// Each test file that includes this uses another part of it.
#![allow(dead_code)]

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};
use std::sync::{Arc, LazyLock};
use tidings_auth::mint::SigningKey;
use tidings_auth::{
    Algorithm, Base, Key, KeyCache, Refusal, Rights, Strictness, TopicName, Verdict, Verifier,
};
use tidings_engine::{Selection, Selector, Timestamp, Topic};

/// The moment at which tests take place, in seconds and as the crate has it.
pub const NOW_S: u64 = 1_800_000_000;
pub const NOW: Timestamp = Timestamp(NOW_S * 1000);
pub const SECRET: &[u8] = b"dNq2m-vX81_kWb04pRtZ7yLcG5hJ3sFa";
pub const HUB: &str = "https://hub.example";

/// A pair of keys as PEM.
pub struct Pair {
    pub algorithm: Algorithm,
    pub private: String,
    pub public: String,
}

pub fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).expect("base64"))
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}

fn ec(algorithm: Algorithm, signing: &'static EcdsaSigningAlgorithm) -> Pair {
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(signing, &SystemRandom::new()).expect("a key");
    let pair = EcdsaKeyPair::from_pkcs8(signing, pkcs8.as_ref()).expect("a key");
    let public: PublicKeyX509Der<'_> = pair.public_key().as_der().expect("DER");
    Pair {
        algorithm,
        private: pem("PRIVATE KEY", pkcs8.as_ref()),
        public: pem("PUBLIC KEY", public.as_ref()),
    }
}

pub static ES256: LazyLock<Pair> =
    LazyLock::new(|| ec(Algorithm::ES256, &ECDSA_P256_SHA256_FIXED_SIGNING));
pub static ES384: LazyLock<Pair> =
    LazyLock::new(|| ec(Algorithm::ES384, &ECDSA_P384_SHA384_FIXED_SIGNING));
pub static ED: LazyLock<Pair> = LazyLock::new(|| {
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key");
    let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).expect("a key");
    let public: PublicKeyX509Der<'_> = pair.public_key().as_der().expect("DER");
    Pair {
        algorithm: Algorithm::EdDSA,
        private: pem("PRIVATE KEY", pkcs8.as_ref()),
        public: pem("PUBLIC KEY", public.as_ref()),
    }
});
pub static RSA: LazyLock<Pair> = LazyLock::new(|| {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key");
    let private: Pkcs8V1Der<'_> = pair.as_der().expect("DER");
    let public: PublicKeyX509Der<'_> = pair.public_key().as_der().expect("DER");
    Pair {
        algorithm: Algorithm::RS256,
        private: pem("PRIVATE KEY", private.as_ref()),
        public: pem("PUBLIC KEY", public.as_ref()),
    }
});

/// The raw public key: a point, or the modulus of RSA.
pub fn raw_public(pair: &Pair) -> Vec<u8> {
    let body: String = pair
        .public
        .lines()
        .filter(|line| !line.starts_with('-'))
        .collect();
    let der = STANDARD.decode(body).expect("base64");
    match pair.algorithm {
        Algorithm::ES256 => der[der.len() - 65..].to_vec(),
        Algorithm::ES384 => der[der.len() - 97..].to_vec(),
        Algorithm::EdDSA => der[der.len() - 32..].to_vec(),
        _ => {
            let key = aws_lc_rs::rsa::PublicKey::from_der(&der).expect("a key");
            key.modulus().big_endian_without_leading_zero().to_vec()
        }
    }
}

pub fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The public key as a JWK.
pub fn jwk(pair: &Pair, kid: &str) -> Value {
    let raw = raw_public(pair);
    match pair.algorithm {
        Algorithm::ES256 | Algorithm::ES384 => {
            let (x, y) = raw[1..].split_at(raw.len() / 2);
            let curve = if x.len() == 32 { "P-256" } else { "P-384" };
            json!({"kty": "EC", "crv": curve, "x": b64(x), "y": b64(y), "kid": kid})
        }
        Algorithm::EdDSA => json!({"kty": "OKP", "crv": "Ed25519", "x": b64(raw), "kid": kid}),
        _ => json!({"kty": "RSA", "n": b64(raw), "e": "AQAB", "kid": kid}),
    }
}

pub fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => panic!("an object"),
    }
}

/// Claims that a strict key accepts, with others put over them. A claim that is
/// null is left out.
pub fn claims(others: Value) -> Value {
    let mut claims = object(json!({"exp": NOW_S + 60, "aud": HUB}));
    for (name, value) in object(others) {
        match value {
            Value::Null => drop(claims.remove(&name)),
            value => drop(claims.insert(name, value)),
        }
    }
    Value::Object(claims)
}

pub fn hs256() -> SigningKey {
    SigningKey::from_secret(SECRET, Algorithm::HS256).expect("a key")
}

pub fn signing(pair: &Pair) -> SigningKey {
    SigningKey::from_pem(pair.private.as_bytes(), pair.algorithm).expect("a key")
}

/// A token signed with [`SECRET`].
pub fn token(header: Value, claims: Value) -> String {
    let (header, claims) = (header.to_string(), claims.to_string());
    hs256()
        .mint_raw(header.as_bytes(), claims.as_bytes())
        .expect("a token")
}

pub fn hs_header() -> Value {
    json!({"alg": "HS256", "typ": "JWT"})
}

pub fn access_header() -> Value {
    json!({"alg": "HS256", "typ": "at+jwt"})
}

pub fn secret_key(strictness: Strictness) -> Key {
    let key = Key::from_secret(SECRET, Algorithm::HS256, strictness);
    key.expect("a good secret").0
}

pub fn verifier_of(keys: Vec<Key>) -> Verifier {
    Verifier::new(keys, KeyCache::default(), BASE.clone())
}

pub fn verifier(strictness: Strictness) -> Verifier {
    verifier_of(vec![secret_key(strictness)])
}

#[track_caller]
pub fn rights(verifier: &Verifier, token: &str) -> Arc<Rights> {
    match verifier.verify(token, NOW) {
        Verdict::Verified(rights) => rights,
        verdict => panic!("{verdict:?}"),
    }
}

#[track_caller]
pub fn check_refused(verifier: &Verifier, token: &str, expected: Refusal) {
    match verifier.verify(token, NOW) {
        Verdict::Refused(refusal) => assert_eq!(refusal, expected, "{token:.200}"),
        verdict => panic!("{verdict:?}, not {expected:?}: {token:.200}"),
    }
}

pub static BASE: LazyLock<Base> = LazyLock::new(|| Base::new(HUB).expect("a URL"));

pub fn native(topic: &str) -> TopicName<'static> {
    TopicName::native(&Topic::new(topic).expect("a topic"), &BASE)
}

pub fn mercure(topic: &str) -> TopicName<'static> {
    TopicName::mercure(topic, &BASE)
}

pub fn selection(selectors: &[&str]) -> Selection {
    let selector = |text: &&str| Selector::new(text).expect("a selector");
    Selection::new(selectors.iter().map(selector).collect())
}
