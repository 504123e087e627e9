//! The environment of a Mercure hub's image.

use super::tests::load_with;
use super::*;
use std::time::Duration;
use tidings_auth::Algorithm;

const SECRET: &str = "dNq2m-vX81_kWb04pRtZ7yLcG5hJ3sFa";
const KEY: (&str, &str) = ("MERCURE_PUBLISHER_JWT_KEY", SECRET);

fn load(environment: &[(&str, &str)]) -> Config {
    load_with(None, environment, &[]).unwrap_or_else(|errors| panic!("{environment:?}: {errors}"))
}

fn listens(config: &Config) -> String {
    let shown = |addresses: &[std::net::SocketAddr]| {
        let all: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        all.join(",")
    };
    format!("{} {}", shown(&config.listen), shown(&config.tls.listen))
}

#[test]
fn all_of_it() {
    let config = load(&[
        ("SERVER_NAME", "http://hub.example:3000"),
        KEY,
        ("MERCURE_SUBSCRIBER_JWT_KEY", "another"),
        ("MERCURE_SUBSCRIBER_JWT_ALG", "HS512"),
        (
            "MERCURE_EXTRA_DIRECTIVES",
            "anonymous\nsubscriptions\ncors_origins https://a.example https://b.example\n\
             publish_origins https://c.example\ncookie_name c\nheartbeat 40s\nwrite_timeout 10m\n\
             dispatch_timeout 5s\ntransport bolt {\n  size 1000\n}\n\
             subscriber_jwks_url https://id.example/jwks\n",
        ),
    ]);
    assert_eq!(config.notes, Notes::default());
    assert_eq!(listens(&config), "0.0.0.0:3000 ");
    let url = config.public_url.as_ref().unwrap();
    assert_eq!(url.base().public(), "http://hub.example:3000");
    let [publisher, subscriber, document] = &config.auth.keys[..] else {
        panic!("three keys: {:?}", config.auth.keys);
    };
    for key in [publisher, subscriber, document] {
        assert!(key.legacy && key.issuer.is_none() && key.key_id.is_none());
    }
    assert_eq!(publisher.roles, [Role::Publish]);
    assert_eq!(publisher.algorithms, [Algorithm::HS256]);
    assert_eq!(subscriber.roles, [Role::Subscribe]);
    assert_eq!(subscriber.algorithms, [Algorithm::HS512]);
    assert_eq!(document.material.name(), "jwks_url");
    assert!(config.mercure.anonymous && config.mercure.subscriptions);
    let origins: Vec<&str> = config.cors.origins.iter().map(Origin::as_str).collect();
    assert_eq!(origins, ["https://a.example", "https://b.example"]);
    assert_eq!(config.auth.origins[0].as_str(), "https://c.example");
    let cookies: Vec<&str> = config.auth.cookies.iter().map(|name| &*name.0).collect();
    assert_eq!(cookies, ["c", "__Secure-mercure_access_token"]);
    assert_eq!(config.stream.heartbeat, Duration::from_secs(40));
    assert_eq!(
        config.mercure.lifetime.at_most(),
        Some(Duration::from_secs(600))
    );
    assert_eq!(config.limits.stall, Duration::from_secs(5));
    assert_eq!(config.retention.events.at_most(), Some(1000));
}

#[test]
fn one_secret_for_both_is_one_key() {
    let config = load(&[KEY, ("MERCURE_SUBSCRIBER_JWT_KEY", SECRET)]);
    assert_eq!(config.auth.keys.len(), 1);
    assert_eq!(config.auth.keys[0].roles, Role::all());
}

/// Behind the file, before `TIDINGS_*`; keys stand beside those of the file.
#[test]
fn where_it_stands_among_the_sources() {
    let file = "listen = \"127.0.0.1:1\"\npublic_url = \"https://of.file\"\n\
                [[auth.keys]]\nalgorithms = \"ES256\"\npem_file = \"f\"\n[mercure]\nlifetime = \"1m\"\n";
    let environment = [
        KEY,
        ("SERVER_NAME", "https://of.mercure"),
        ("TIDINGS_PUBLIC_URL", "https://of.env"),
        ("MERCURE_EXTRA_DIRECTIVES", "write_timeout 0"),
    ];
    let config = load_with(Some(file), &environment, &[]).unwrap();
    assert_eq!(listens(&config), "127.0.0.1:1 ");
    assert_eq!(config.public_url.unwrap().base().public(), "https://of.env");
    assert_eq!(config.auth.keys.len(), 2);
    assert_eq!(config.mercure.lifetime, Limit::Unlimited);
}

#[test]
fn server_name_alone_is_anybodys() {
    let check = |environment: &[(&str, &str)]| assert_eq!(load(environment), Config::default());
    check(&[("SERVER_NAME", "hub.example")]);
    check(&[("SERVER_NAME", ":80"), ("MERCURE_PUBLISHER_JWT_KEY", "")]);
    // Kubernetes, of a service that is called "mercure".
    check(&[
        ("SERVER_NAME", ":80"),
        ("MERCURE_SERVICE_HOST", "10.0.0.1"),
        ("MERCURE_PORT", "tcp://10.0.0.1:80"),
        ("MERCURE_PORT_80_TCP_ADDR", "10.0.0.1"),
    ]);
}

#[test]
fn where_it_listens() {
    let check = |name: &str, more: &[(&str, &str)], expected: &str, notes: usize| {
        let config = load(&[&[KEY, ("SERVER_NAME", name)], more].concat());
        assert_eq!(listens(&config), expected, "{name}");
        assert_eq!(config.notes.0.len(), notes, "{:?}", config.notes);
    };
    let tls = [("TIDINGS_TLS_CERTIFICATE", "c"), ("TIDINGS_TLS_KEY", "k")];
    check(":80", &[], "0.0.0.0:80 ", 0);
    check("http://localhost", &[], "0.0.0.0:80 ", 0);
    check("hub.example", &tls, " 0.0.0.0:443", 0);
    check(":443", &tls, " 0.0.0.0:443", 0);
    // Nobody gets a certificate for it.
    check("hub.example", &[], "0.0.0.0:443 ", 1);
    check(
        "hub.example",
        &[("TIDINGS_LISTEN", "127.0.0.1:9")],
        "127.0.0.1:9 ",
        0,
    );
}

#[test]
fn a_hub_without_keys_stays_here() {
    let environment = [
        ("SERVER_NAME", ":80"),
        ("MERCURE_EXTRA_DIRECTIVES", "anonymous"),
    ];
    let error = load_with(None, &environment, &[]).unwrap_err().to_string();
    let begin = "environment variable SERVER_NAME: 0.0.0.0:80 can be reached from other machines";
    assert!(error.starts_with(begin), "{error}");
}

#[test]
fn keys_that_are_none_keep_it_from_starting() {
    let check = |environment: &[(&str, &str)], expected: &str| {
        let error = load_with(None, environment, &[]).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
        assert!(!error.contains("canary"), "{error}");
    };
    check(
        &[KEY, ("MERCURE_PUBLISHER_JWT_ALG", "canary")],
        "environment variable MERCURE_PUBLISHER_JWT_KEY: expected an algorithm",
    );
    check(
        &[KEY, ("MERCURE_PUBLISHER_JWT_ALG", "RS256")],
        "environment variable MERCURE_PUBLISHER_JWT_KEY: this isn't a PEM",
    );
    // A key of another's, as HMAC secret (Mercure #1315).
    let pem = rcgen::KeyPair::generate().unwrap().public_key_pem();
    check(
        &[("MERCURE_SUBSCRIBER_JWT_KEY", &pem)],
        "environment variable MERCURE_SUBSCRIBER_JWT_KEY: this is a key in a PEM",
    );
    check(
        &[("MERCURE_EXTRA_DIRECTIVES", "subscriber_jwks_url canary")],
        "environment variable MERCURE_EXTRA_DIRECTIVES: expected a URL",
    );
}

#[test]
fn what_is_not_taken_is_noted() {
    let check = |directives: &str, part: &str| {
        let config = load(&[KEY, ("MERCURE_EXTRA_DIRECTIVES", directives)]);
        let notes = config.warnings();
        assert!(
            notes.len() == 1 && notes[0].contains(part),
            "{directives}: {notes:?}"
        );
        assert!(!notes[0].contains("canary"), "{notes:?}");
        let untouched = load(&[KEY]);
        assert_eq!(config.stream, untouched.stream, "{directives}");
        assert_eq!(config.limits, untouched.limits, "{directives}");
        assert_eq!(config.cors, untouched.cors, "{directives}");
    };
    check(
        "heartbeat 0",
        "stream.heartbeat stays as it is: it must be from 1s to 1h",
    );
    check(
        "heartbeat 2m",
        "has to be shorter than stream.idle_timeout = 45s",
    );
    check("dispatch_timeout 0", "limits.stall stays as it is");
    check("cors_origins *", "an origin for cors.origins is left out");
    check(
        "publish_origins https://canary.example/x",
        "an origin for auth.origins is left out",
    );
    check("cookie_name \"a b\"", "auth.cookies stays as it is");
    check("canary", "no such directive");
}
