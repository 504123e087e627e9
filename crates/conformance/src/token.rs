//! Tokens of both versions, and what only looks like one.

use crate::rules::Dialect;
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Map, Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

/// The type of the details that grant rights in a token of 1.0.
pub const DETAIL: &str = "https://mercure.rocks/authorization-detail";

/// What a token lets its holder do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Send events.
    Publish,
    /// See private ones.
    Subscribe,
}

impl Action {
    /// As tokens name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Subscribe => "subscribe",
        }
    }
}

/// Seconds since 1970.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// A token that has not been signed: a header and claims.
#[derive(Debug, Clone)]
pub struct Draft {
    header: Map<String, Value>,
    claims: Map<String, Value>,
}

impl Draft {
    /// One that grants nothing, with what `dialect` asks of every token.
    pub fn new(dialect: Dialect, issuer: &str, audience: &str) -> Self {
        let (typ, claims) = match dialect {
            Dialect::V0 => ("JWT", json!({})),
            Dialect::V1 => (
                "at+jwt",
                json!({"iss": issuer, "aud": audience, "exp": now() + 3600}),
            ),
        };
        Self {
            header: object(json!({"typ": typ, "alg": "HS256"})),
            claims: object(claims),
        }
    }

    /// One that also grants `action` on `topics`: topics, selectors of 0.x,
    /// exact matchers of 1.0.
    #[must_use]
    pub fn grants(self, dialect: Dialect, action: Action, topics: &[&str]) -> Self {
        match dialect {
            Dialect::V0 => self.claim("mercure", json!({action.name(): topics})),
            Dialect::V1 => {
                let topics: Vec<Value> =
                    topics.iter().map(|topic| json!({"match": topic})).collect();
                self.details(json!([detail(action, topics.into())]))
            }
        }
    }

    /// With these `authorization_details`.
    #[must_use]
    pub fn details(self, details: Value) -> Self {
        self.claim("authorization_details", details)
    }

    /// With this claim; `null` takes it away.
    #[must_use]
    pub fn claim(mut self, name: &str, value: Value) -> Self {
        set(&mut self.claims, name, value);
        self
    }

    /// With this member of the header; `null` takes it away.
    #[must_use]
    pub fn header(mut self, name: &str, value: Value) -> Self {
        set(&mut self.header, name, value);
        self
    }

    /// Signed by HMAC, whatever the header says.
    pub fn sign(&self, secret: &str) -> String {
        self.sign_with(hmac::HMAC_SHA256, secret)
    }

    /// The same, with another hash.
    pub fn sign_with(&self, algorithm: hmac::Algorithm, secret: &str) -> String {
        let signed = self.unsigned();
        let key = hmac::Key::new(algorithm, secret.as_bytes());
        let signature = hmac::sign(&key, signed.as_bytes());
        format!("{signed}.{}", BASE64.encode(signature))
    }

    /// Signed with a key of nobody's, which the token itself brings along.
    pub fn sign_by_itself(&self, extra: &[(&str, Value)]) -> String {
        let pair =
            EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key can be made");
        // 0x04, then both coordinates (SEC 1, 2.3.3).
        let point = pair.public_key().as_ref();
        let mut draft = self.clone().header("alg", "ES256".into()).header(
            "jwk",
            json!({
                "kty": "EC", "crv": "P-256", "alg": "ES256", "kid": "own",
                "x": BASE64.encode(&point[1..33]), "y": BASE64.encode(&point[33..65]),
            }),
        );
        for (name, value) in extra {
            draft = draft.header(name, value.clone());
        }
        let signed = draft.unsigned();
        let signature = pair
            .sign(&SystemRandom::new(), signed.as_bytes())
            .expect("it can be signed with");
        format!("{signed}.{}", BASE64.encode(signature))
    }

    /// Without a signature: both parts, joined.
    pub fn unsigned(&self) -> String {
        let part = |map: &Map<String, Value>| {
            let text = serde_json::to_string(map).expect("JSON values always serialize");
            BASE64.encode(text)
        };
        format!("{}.{}", part(&self.header), part(&self.claims))
    }
}

/// A detail of a token of 1.0.
pub fn detail(action: Action, topics: Value) -> Value {
    json!({"type": DETAIL, "actions": [action.name()], "topics": topics})
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn set(map: &mut Map<String, Value>, name: &str, value: Value) {
    match value {
        Value::Null => map.remove(name),
        value => map.insert(name.to_owned(), value),
    };
}
