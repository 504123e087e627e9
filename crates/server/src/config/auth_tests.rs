//! `[auth]`, `[mercure]` and `public_url`.

use super::tests::{check_env_error, check_error, errors, load_with};
use super::*;
use std::time::Duration;
use tidings_auth::Algorithm;

/// Stands in every secret here, and may stand nowhere else.
const CANARY: &str = "canary-5f0c";
const STRONG: &str = "canary-5f0c-dNq2m-vX81_kWb04pRtZ7yLcG5hJ3sFa";

fn load(text: &str) -> Config {
    load_with(Some(text), &[], &[]).unwrap_or_else(|errors| panic!("{text}: {errors}"))
}

#[test]
fn a_hub_with_keys() {
    let config = load(&format!(
        "public_url = \"https://Hub.Example:443/\"\nlisten = \"0.0.0.0:80\"\n\
         [auth]\nanonymous = [\"news/**\"]\naudiences = \"hub\"\nleeway = \"30s\"\n\
         [[auth.keys]]\nalgorithms = [\"HS256\"]\nsecret = \"{STRONG}\"\n\
         [[auth.keys]]\nalgorithms = [\"ES256\", \"EdDSA\"]\njwks_url = \"https://id.example/jwks?a=b\"\n\
         issuer = \"https://id.example\"\nroles = [\"subscribe\"]\n\
         [[auth.keys]]\nalgorithms = \"RS256\"\npem_file = \"a.pem\"\nkey_id = \"1\"\nlegacy = true\n\
         [mercure]\nanonymous = true\nsubscriptions = true\nlifetime = \"10m\"\n"
    ));
    let url = config.public_url.as_ref().unwrap();
    assert_eq!(url.base().public(), "https://hub.example");
    assert!(config.has_keys() && !config.is_local());
    assert_eq!(config.auth.leeway, Duration::from_secs(30));
    assert_eq!(
        config.mercure.lifetime.at_most(),
        Some(Duration::from_secs(600))
    );
    let [secret, document, pem] = &config.auth.keys[..] else {
        panic!("three keys");
    };
    assert_eq!(secret.material.name(), "secret");
    assert_eq!(secret.roles, Role::all());
    assert!(document.algorithms == [Algorithm::ES256, Algorithm::EdDSA] && !document.legacy);
    assert_eq!(document.roles, [Role::Subscribe]);
    assert_eq!(pem.key_id, Some(Name("1".to_owned())));
    assert!(pem.legacy && pem.issuer.is_none());
    assert_eq!(config.warnings(), Vec::<String>::new());
}

/// P26: neither errors nor what is written or debugged holds a secret.
#[test]
fn p26_secrets_are_not_shown() {
    let key = format!("[[auth.keys]]\nalgorithms = [\"HS256\"]\nsecret = \"{STRONG}\"\n");
    let config = load(&key);
    assert!(!format!("{config:?}").contains(CANARY));
    for key in settings::keys() {
        assert!(!(key.show)(&config).contains(CANARY), "{}", key.path);
    }
    for text in [
        format!("[[auth.keys]]\nalgorithms = [\"HS256\"]\nsecret = \"{CANARY}\"\n"),
        format!("[[auth.keys]]\nalgorithms = [\"ES256\"]\nsecret = \"{STRONG}\"\n"),
        format!("[[auth.keys]]\nalgorithms = [\"ES256\"]\npem = \"{CANARY}\"\n"),
        format!("[[auth.keys]]\nalgorithms = \"{CANARY}\"\nsecret = 7\n"),
        format!("[[auth.keys]]\nalgorithms = [\"ES256\"]\njwks_url = \"{CANARY}\"\n"),
        format!("[[auth.keys]]\nalgorithms = [\"ES256\"]\njwks_url = \"https://a:{CANARY}@b/\"\n"),
        format!("[auth]\nkeys = \"{CANARY}\"\n"),
        format!("[auth]\ncookies = \"{CANARY} \"\norigins = \"{CANARY}\"\n"),
        format!("public_url = \"{CANARY}\"\n"),
        format!("{key}secret = \"{CANARY}\"\n"),
        format!("[[auth.keys]]\nalgorithms = [\"HS256\"]\nsecret = \"{CANARY}\n"),
    ] {
        let errors = errors(&text);
        assert!(!errors.is_empty(), "{text}");
        assert!(!errors.concat().contains(CANARY), "{errors:?}");
    }
    let keys = format!("[{{ algorithms = [\"HS256\"], secret = \"{CANARY}\" }}]");
    let error = load_with(None, &[("TIDINGS_AUTH_KEYS", &keys)], &[]).unwrap_err();
    assert!(!error.to_string().contains(CANARY), "{error}");
}

#[test]
fn e1_keys_that_are_none() {
    let check = |lines: &str, expected: &str| {
        check_error(&format!("[[auth.keys]]\n{lines}"), expected);
    };
    check(
        "secret_file = \"f\"",
        "tidings.toml:1:1: no algorithm is given: write algorithms = [\"ES256\"], or that of the key",
    );
    check(
        "algorithms = []\nsecret_file = \"f\"",
        "tidings.toml:2:14: no algorithm is given: write algorithms = [\"ES256\"], or that of the \
         key",
    );
    check(
        "algorithms = [\"HS265\"]\nsecret_file = \"f\"",
        "tidings.toml:2:15: expected an algorithm, such as \"ES256\", \"EdDSA\", \"RS256\" or \
         \"HS256\"; did you mean \"HS256\"?",
    );
    check(
        "algorithms = \"none\"\nsecret_file = \"f\"",
        "tidings.toml:2:14: expected an algorithm, such as \"ES256\", \"EdDSA\", \"RS256\" or \
         \"HS256\"; the nearest is \"HS512\"",
    );
    check(
        "algorithms = \"HS256\"",
        "tidings.toml:1:1: no key is given: write secret, secret_file, pem, pem_file, jwks_file or \
         jwks_url",
    );
    check(
        "algorithms = \"HS256\"\nsecret_file = \"f\"\npem_file = \"p\"",
        "tidings.toml:4:12: a key is one of secret, secret_file, pem, pem_file, jwks_file and \
         jwks_url",
    );
    check(
        "algorithms = \"HS256\"\nsecret_file = \"f\"\nroles = []",
        "tidings.toml:4:9: a key without a role grants nothing: write \"publish\", \"subscribe\" or \
         both",
    );
    check(
        "algorithms = \"HS256\"\nsecret_file = \"f\"\nroles = [\"publisher\"]",
        "tidings.toml:4:10: expected \"publish\" or \"subscribe\"; did you mean \"publish\"?",
    );
    check(
        "algorithms = \"HS256\"\nsecret_file = \"f\"\nisuer = \"a\"",
        "tidings.toml:4:1: unknown key \"isuer\" in [[auth.keys]]; did you mean \"issuer\"?",
    );
    check(
        "algorithms = \"HS256\"\njwks_file = \"f\"",
        "tidings.toml:2:14: a document of keys has public keys only: HS256, HS384 and HS512 take a \
         secret",
    );
    check(
        "algorithms = \"ES256\"\njwks_file = \"f\"\nkey_id = \"a\"",
        "tidings.toml:4:10: the keys of a document have their own key ids",
    );
    check(
        "algorithms = \"ES256\"\njwks_url = \"ftp://a.example/\"",
        "tidings.toml:3:12: expected a URL, such as \"https://id.example/.well-known/jwks.json\"",
    );
    check_error(
        "[auth]\nkeys = [1]",
        "tidings.toml:2:9: expected a table such as { algorithms = [\"ES256\"], pem_file = \
         \"issuer.pem\" }, found an integer",
    );
    check_env_error(
        "TIDINGS_AUTH_KEYS",
        "[{ algorithms = \"HS256\" }]",
        "environment variable TIDINGS_AUTH_KEYS: no key is given: write secret, secret_file, pem, \
         pem_file, jwks_file or jwks_url",
    );
}

/// A weak or mistaken secret keeps a hub from starting; with a legacy key a
/// weak one is warned of.
#[test]
fn b16_weak_secrets_and_keys_that_are_no_secrets() {
    let check = |secret: &str, part: &str| {
        let text = |legacy: &str| {
            format!("[[auth.keys]]\nalgorithms = \"HS256\"\n{legacy}secret = '''{secret}'''")
        };
        let strict = errors(&text(""));
        assert_eq!(strict.len(), 1, "{strict:?}");
        assert!(strict[0].starts_with("tidings.toml:3:10: "), "{strict:?}");
        assert!(strict[0].contains(part), "{strict:?}");
        errors(&text("legacy = true\n")).is_empty()
    };
    assert!(check("short", "shorter than the 32 bytes"));
    assert!(check(
        "!ChangeThisMercureHubJWTSecretKey!",
        "documented sample"
    ));
    assert!(check(&"a".repeat(40), "again and again"));
    assert!(!check("", "the secret is empty"));
    let pem = rcgen::KeyPair::generate().unwrap().public_key_pem();
    assert!(!check(
        &pem,
        "everybody who knows the public key could sign"
    ));
}

#[test]
fn a_pem_is_the_key_that_its_algorithm_is_for() {
    let pair = rcgen::KeyPair::generate().unwrap();
    let check = |algorithm: &str, pem: &str, part: &str| {
        let found = errors(&format!(
            "[[auth.keys]]\nalgorithms = \"{algorithm}\"\npem = '''{pem}'''"
        ));
        assert_eq!(found.len(), usize::from(!part.is_empty()), "{found:?}");
        assert!(found.concat().contains(part), "{found:?}");
    };
    check("ES256", &pair.public_key_pem(), "");
    check("ES384", &pair.public_key_pem(), "the key isn't");
    check(
        "RS256",
        &pair.public_key_pem(),
        "the key isn't one for the algorithm",
    );
    check("ES256", &pair.serialize_pem(), "a private key");
    check(
        "HS256",
        &pair.public_key_pem(),
        "everybody who knows the public key could sign",
    );
    check("ES256", "x", "this isn't a PEM");
}

#[test]
fn who_may_ask_is_said_once() {
    let key = format!("[[auth.keys]]\nalgorithms = \"HS256\"\nsecret = \"{STRONG}\"\n");
    check_error(
        &format!("open = true\n{key}"),
        "tidings.toml:1:8: open = true lets everyone publish and watch, and [auth] has keys, which \
         are there so that not everyone may: take one of the two away",
    );
    check_error(
        "listen = \"0.0.0.0:1\"",
        "tidings.toml:1:10: 0.0.0.0:1 can be reached from other machines, and everyone who reaches \
         the hub could publish and watch. Give it keys ([[auth.keys]]), or listen on 127.0.0.1, or \
         say that this is meant: open = true (--open)",
    );
    assert!(errors(&format!("listen = \"0.0.0.0:1\"\n{key}")).is_empty());
    let documents: String = (0..33)
        .map(|n| format!("[[auth.keys]]\nalgorithms = \"ES256\"\njwks_url = \"https://a/{n}\"\n"))
        .collect();
    let found = errors(&documents);
    assert!(found[0].contains("at most 32 documents"), "{found:?}");
}

#[test]
fn what_deserves_a_second_thought() {
    let check = |text: &str, part: &str| {
        let warnings = load(text).warnings();
        assert!(
            warnings.len() == 1 && warnings[0].contains(part),
            "{warnings:?}"
        );
    };
    check(
        "[auth]\nanonymous = \"a\"",
        "without [[auth.keys]] nothing needs one",
    );
    check(
        "[mercure]\nanonymous = true",
        "without [[auth.keys]] nothing needs one",
    );
    check(
        "[[auth.keys]]\nalgorithms = \"ES256\"\njwks_url = \"http://id.example/\"",
        "can put other keys in",
    );
}

#[test]
fn public_urls() {
    let check = |text: &str, expected: Option<&str>| {
        let loaded = load_with(None, &[("TIDINGS_PUBLIC_URL", text)], &[]);
        let public = loaded.ok().map(|config| config.public_url);
        let public = public.flatten();
        assert_eq!(
            public.as_ref().map(|url| url.base().public()),
            expected,
            "{text}"
        );
    };
    check(
        "https://hub.example/below/",
        Some("https://hub.example/below"),
    );
    check("http://[::1]:8080", Some("http://[::1]:8080"));
    for text in [
        "hub.example",
        "ftp://a",
        "https://a?b",
        "https://u@a",
        "https://a#b",
    ] {
        check(text, None);
        assert!(load_with(None, &[("TIDINGS_PUBLIC_URL", text)], &[]).is_err());
    }
}
