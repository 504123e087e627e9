//! `tidings token`: what is made is what was asked for, and is explained
//! without being believed.

mod tool;

use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519};
use serde_json::{Value, json};
use std::fs;
use tempfile::TempDir;
use tool::run;

const SECRET: &str = "dNq2m-vX81_kWb04pRtZ7yLcG5hJ3sFa";
const HUB: &str = "http://localhost:8080";

/// A directory with a secret and pairs of keys.
struct Keys(TempDir);

impl Keys {
    fn new() -> Self {
        let keys = Self(TempDir::new().expect("a directory"));
        keys.write("secret", SECRET);
        for (name, algorithm) in [
            ("es256", &PKCS_ECDSA_P256_SHA256),
            ("es384", &PKCS_ECDSA_P384_SHA384),
            ("eddsa", &PKCS_ED25519),
        ] {
            let pair = KeyPair::generate_for(algorithm).expect("a key");
            keys.write(&format!("{name}.pem"), &pair.serialize_pem());
            keys.write(&format!("{name}.pub"), &pair.public_key_pem());
        }
        keys
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.path().join(name), text).expect("written");
    }

    fn path(&self, name: &str) -> String {
        let path = self.0.path().join(name);
        path.to_str().expect("UTF-8").to_owned()
    }

    /// Makes a token.
    #[track_caller]
    fn mint(&self, key: &str, others: &[&str]) -> String {
        let key = self.path(key);
        let mut args = vec!["token", "mint", "--key", &key];
        args.extend(others);
        let ended = run(&args, b"");
        ended.check(0, &[]);
        assert!(ended.stderr.is_empty(), "{ended:?}");
        ended.stdout.trim_end().to_owned()
    }

    /// Inspects a token with a key, as JSON.
    #[track_caller]
    fn inspect(&self, token: &str, key: &str, others: &[&str], code: i32, said: &[&str]) -> Value {
        let key = self.path(key);
        let mut args = vec!["token", "inspect", "--json", "--key", &key];
        args.extend(others);
        let ended = run(&args, token.as_bytes());
        ended.check(code, said);
        serde_json::from_str(&ended.stdout).expect("JSON")
    }
}

#[test]
fn a_token_that_was_made_is_good() {
    let keys = Keys::new();
    let rights = ["--publish", "orders/*", "--subscribe", "**", "--aud", HUB];
    for (private, public, alg) in [
        ("secret", "secret", "HS256"),
        ("es256.pem", "es256.pub", "ES256"),
        ("es384.pem", "es384.pub", "ES384"),
        ("eddsa.pem", "eddsa.pub", "EdDSA"),
    ] {
        let token = keys.mint(private, &rights);
        let said = keys.inspect(&token, public, &[], 0, &[]);
        assert_eq!(said["alg"], alg);
        assert_eq!(said["verified"], true);
        let granted = json!({"publish": ["orders/*"], "subscribe": ["**"]});
        assert_eq!(said["claims"]["tidings"], granted);
        let lifetime = said["claims"]["exp"]
            .as_u64()
            .zip(said["claims"]["iat"].as_u64());
        assert_eq!(lifetime.map(|(exp, iat)| exp - iat), Some(3600));
    }
}

#[test]
fn an_operator_s_token_says_so() {
    let keys = Keys::new();
    for (others, claim) in [
        (vec!["--admin"], json!({"admin": true})),
        (
            vec!["--admin", "--publish", "a"],
            json!({"publish": ["a"], "admin": true}),
        ),
        (
            vec!["--admin", "--claim", "mercure1", "--publish", "a"],
            json!({"admin": true}),
        ),
    ] {
        let mut args = vec!["--aud", HUB];
        args.extend(others);
        let token = keys.mint("secret", &args);
        let said = keys.inspect(&token, "secret", &[], 0, &[]);
        assert_eq!(said["claims"]["tidings"], claim);
    }
}

#[test]
fn every_flag_has_its_claim() {
    let keys = Keys::new();
    let token = keys.mint(
        "secret",
        &[
            "--kid",
            "k1",
            "--iss",
            "i",
            "--sub",
            "s",
            "--jti",
            "j",
            "--aud",
            HUB,
            "--aud",
            "b",
            "--expires-in",
            "10m",
        ],
    );
    let mut said = keys.inspect(&token, "secret", &[], 0, &[]);
    let iat = said["claims"]["iat"].as_u64().expect("a time");
    assert_eq!(said["kid"], "k1");
    assert_eq!(said["access_token"], false);
    let claims = json!({
        "iss": "i", "sub": "s", "jti": "j", "aud": [HUB, "b"], "iat": iat, "exp": iat + 600,
        "tidings": {},
    });
    assert_eq!(said["claims"].take(), claims);
}

#[test]
fn the_claims_of_mercure() {
    let keys = Keys::new();
    let old = keys.mint(
        "secret",
        &["--claim", "mercure0", "--publish", "*", "--no-expiry"],
    );
    let said = keys.inspect(&old, "secret", &["--legacy"], 0, &[]);
    assert_eq!(said["claims"]["mercure"], json!({"publish": ["*"]}));
    assert_eq!(said["claims"]["exp"], Value::Null);
    let said = keys.inspect(&old, "secret", &[], 1, &["has no exp"]);
    assert_eq!(said["verified"], false);
    let new = keys.mint(
        "secret",
        &[
            "--claim",
            "mercure1",
            "--aud",
            HUB,
            "--publish",
            "https://a.example/1",
            "--subscribe",
            "urlpattern:https://a.example/:id",
        ],
    );
    let said = keys.inspect(&new, "secret", &[], 0, &[]);
    assert_eq!(said["access_token"], true);
    let detail = |action: &str, topic: Value| {
        json!({
            "type": "https://mercure.rocks/authorization-detail",
            "actions": [action], "topics": [topic],
        })
    };
    assert_eq!(
        said["claims"]["authorization_details"],
        json!([
            detail("publish", json!({"match": "https://a.example/1"})),
            detail(
                "subscribe",
                json!({"match": "https://a.example/:id", "match_type": "urlpattern"})
            ),
        ])
    );
}

#[test]
fn what_is_not_verified_is_said_to_be_so() {
    let keys = Keys::new();
    let token = keys.mint(
        "secret",
        &["--aud", HUB, "--sub", "caf\u{e9}\u{202e}\u{1b}[31m"],
    );
    for args in [&["token", "inspect"][..], &["token", "inspect", &token]] {
        let ended = run(args, format!(" {token}\n").as_bytes());
        ended.check(0, &[]);
        assert!(ended.stdout.contains("not verified"), "{ended:?}");
        assert!(
            ended.stdout.contains(r#""caf\u00e9\u202e\u001b[31m""#),
            "{ended:?}"
        );
        assert!(ended.stdout.contains("(in 59 min)") || ended.stdout.contains("(in 60 min)"));
    }
    let said = run(&["token", "inspect", "--json"], token.as_bytes());
    let said: Value = serde_json::from_str(&said.stdout).expect("JSON");
    assert_eq!(said["verified"], Value::Null);
}

#[test]
fn a_token_that_is_not_good_is_explained_in_one_sentence() {
    let keys = Keys::new();
    keys.write("other", "an other secret of enough characters");
    let good = keys.mint("secret", &["--aud", HUB]);
    let check = |token: &str, key: &str, others: &[&str], reason: &str| {
        let said = keys.inspect(token, key, others, 1, &["a hub would refuse it", reason]);
        assert_eq!(said["verified"], false);
        assert!(
            said["reason"]
                .as_str()
                .is_some_and(|text| text.contains(reason)),
            "{said}"
        );
    };
    check(&good, "other", &[], "signature");
    check(&good, "es256.pub", &["--alg", "ES256"], "alg isn't the one");
    check(
        &good,
        "secret",
        &["--public-url", "https://hub.example"],
        "aud doesn't name this hub",
    );
    let other_aud = keys.mint("secret", &["--aud", "https://hub.example"]);
    keys.inspect(
        &other_aud,
        "secret",
        &["--public-url", "https://hub.example"],
        0,
        &[],
    );
    keys.inspect(
        &other_aud,
        "secret",
        &["--audience", "https://hub.example"],
        0,
        &[],
    );
    check(&keys.mint("secret", &[]), "secret", &[], "has no aud");
    for (text, reason) in [
        ("", "three parts"),
        ("tdcanary", "three parts"),
        ("tdcanary.tdcanary.tdcanary", "header isn't a JSON object"),
    ] {
        let ended = run(&["token", "inspect"], text.as_bytes());
        ended.check(1, &["no hub takes this", reason]);
        assert!(
            !ended.stderr.contains("tdcanary") && ended.stdout.is_empty(),
            "{ended:?}"
        );
    }
}

#[test]
fn keys_that_do_not_fit_are_usage_errors() {
    let keys = Keys::new();
    keys.write("weak", "tdcanary");
    keys.write("empty", "\n");
    let good = keys.mint("secret", &[]);
    for (key, args, reason) in [
        ("es256.pub", &[][..], "private key"),
        ("es256.pem", &["--alg", "EdDSA"], "private key"),
        ("es256.pem", &["--alg", "HS256"], "with a secret"),
        ("secret", &["--alg", "ES256"], "private key in a PEM"),
        ("empty", &[], "empty"),
        ("missing", &[], "can't be read"),
        ("secret", &["--alg", "none"], "expected HS256"),
        ("secret", &["--publish", "a*"], "whole segment"),
        ("secret", &["--expires-in", "soon"], "whole number"),
    ] {
        let key = keys.path(key);
        let mut all = vec!["token", "mint", "--key", &key];
        all.extend(args);
        let ended = run(&all, b"");
        ended.check(2, &[reason]);
        assert!(ended.stdout.is_empty());
    }
    for (key, reason) in [
        ("weak", "shorter than the 32 bytes"),
        ("es256.pem", "holds a private key"),
        ("es256.pub", "would use it as a secret"),
    ] {
        let key = keys.path(key);
        let ended = run(&["token", "inspect", "--key", &key], good.as_bytes());
        ended.check(2, &[reason]);
        assert!(!ended.stderr.contains("tdcanary"));
    }
    let weak = keys.mint("weak", &["--no-expiry"]);
    keys.inspect(&weak, "weak", &["--legacy"], 0, &[]);
}

#[test]
fn a_line_end_behind_a_secret_is_not_part_of_it() {
    let keys = Keys::new();
    for end in ["\n", "\r\n"] {
        keys.write("with-end", &format!("{SECRET}{end}"));
        let token = keys.mint("with-end", &["--aud", HUB]);
        keys.inspect(&token, "secret", &[], 0, &[]);
    }
}
