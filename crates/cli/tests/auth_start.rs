//! How a hub with keys starts, who may ask it, and how its keys change.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustix::process::Signal;
use serde_json::json;
use std::process::Command;
use std::time::Duration;
use tidings_testkit::token::{PUBLIC_URL, SECRET, bearer, signed};
use tidings_testkit::{CANARY, HubProcess, Launch, Scripted, Watch, check_problem, launch};

/// As its keys are in the environment.
fn keys(keys: &str) -> Launch {
    launch!(
        "TIDINGS_AUTH_KEYS" = keys,
        "TIDINGS_PUBLIC_URL" = PUBLIC_URL
    )
}

#[track_caller]
fn check_refuses(launch: &Launch, parts: &[&str]) {
    let Err((status, stderr)) = launch.try_start() else {
        panic!("the hub started: {launch:?}");
    };
    assert_eq!(status.code(), Some(2), "{stderr}");
    for part in parts {
        assert!(stderr.contains(part), "{part:?} isn't in {stderr:?}");
    }
    assert!(!stderr.contains(CANARY), "{stderr}");
}

/// The status of what only an operator is shown.
fn as_operator(hub: &HubProcess, headers: &[(&str, &str)]) -> u16 {
    hub.http().request("GET", "/metrics", headers, b"").status
}

fn admin() -> serde_json::Value {
    json!({ "tidings": { "admin": true } })
}

#[test]
fn b16_keys_that_can_not_be_used_keep_a_hub_from_starting() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path.display().to_string()
    };
    let missing = directory.path().join("missing").display().to_string();
    let check = |algorithm: &str, material: &str, value: &str, parts: &[&str]| {
        let keys_of = format!("[{{ algorithms = [\"{algorithm}\"], {material} = '{value}' }}]");
        check_refuses(&keys(&keys_of), parts);
    };
    check(
        "HS256",
        "secret",
        CANARY,
        &["TIDINGS_AUTH_KEYS", "shorter than the 32 bytes"],
    );
    let named = |name| format!("auth.keys: key 1, {name} ");
    check(
        "HS256",
        "secret_file",
        &missing,
        &[&named("secret_file"), "no such file", &missing],
    );
    let directory_itself = directory.path().display().to_string();
    check(
        "HS256",
        "secret_file",
        &directory_itself,
        &[&named("secret_file"), "can't be read"],
    );
    check(
        "HS256",
        "secret_file",
        &file("empty", ""),
        &["the file is empty"],
    );
    check(
        "HS256",
        "secret_file",
        &file("line", "\n"),
        &["the secret is empty"],
    );
    check(
        "HS256",
        "secret_file",
        &file("weak", CANARY),
        &["shorter than the 32 bytes"],
    );
    let pair = rcgen::KeyPair::generate().expect("a key");
    let public = file("public.pem", &pair.public_key_pem());
    check(
        "HS256",
        "secret_file",
        &public,
        &["everybody who knows the public key could sign"],
    );
    check(
        "ES384",
        "pem_file",
        &public,
        &[&named("pem_file"), "the key isn't"],
    );
    let private = file("private.pem", &pair.serialize_pem());
    check("ES256", "pem_file", &private, &["holds a private key"]);
    check(
        "ES256",
        "pem_file",
        &file("text", CANARY),
        &["this isn't a PEM"],
    );
    check(
        "ES256",
        "jwks_file",
        &file("jwks", CANARY),
        &[&named("jwks_file"), "isn't a JSON object"],
    );
    check(
        "ES256",
        "jwks_file",
        &file("none", "{\"keys\":[]}"),
        &["no public signature key"],
    );
    check_refuses(
        &launch!().closed().arg("--open"),
        &["flag --open", "[auth] has keys"],
    );
    check_refuses(
        &launch!("MERCURE_SUBSCRIBER_JWT_KEY" = pair.public_key_pem()),
        &[
            "environment variable MERCURE_SUBSCRIBER_JWT_KEY",
            "public key could sign",
        ],
    );
}

#[test]
fn a_weak_secret_of_a_mercure_hub_is_warned_of() {
    let secret = "!ChangeThisMercureHubJWTSecretKey!";
    let launch = launch!(
        "MERCURE_PUBLISHER_JWT_KEY" = secret,
        "MERCURE_TYPO" = CANARY
    );
    let hub = launch.start();
    hub.wait_for_log("MERCURE_TYPO: no such variable is known");
    let line = hub.wait_for_log("documented sample");
    assert!(line.contains("legacy") && line.contains("WARN"), "{line}");
    let (_, log) = hub.finish();
    assert!(!line.contains(secret) && !log.contains(secret));
    // The same is told by who only looks at the configuration.
    let mut check = Command::new(env!("CARGO_BIN_EXE_tidings"));
    let check = check
        .args(["config", "check"])
        .env("MERCURE_PUBLISHER_JWT_KEY", secret);
    let output = check.output().expect("the binary runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("documented sample"),
        "{text}"
    );
    assert!(!text.contains(secret), "{text}");
}

/// What nobody needs a token for, and what is closed on every address.
#[test]
fn a11_a_hub_with_keys_is_closed_here_too() {
    for listen in ["127.0.0.1:0", "0.0.0.0:0"] {
        let hub = launch!().closed().listen(listen).start();
        let address = format!("127.0.0.1:{}", hub.address().port());
        let ask = |path: &str, headers: &[(&str, &str)]| {
            let mut http = tidings_testkit::Http::connect(address.parse().expect("an address"));
            http.request("GET", path, headers, b"")
        };
        for path in ["/", "/livez", "/readyz", "/healthz"] {
            assert_eq!(ask(path, &[]).status, 200, "{path}");
        }
        let refused = ask("/metrics", &[]);
        check_problem(&refused, 401, "token-needed");
        assert_eq!(
            refused.header("www-authenticate"),
            Some(
                "Bearer resource_metadata=\"https://hub.example/.well-known/oauth-protected-resource\
                 /.well-known/mercure\""
            )
        );
        let operator = bearer(admin());
        assert_eq!(ask("/metrics", &[("Authorization", &operator)]).status, 200);
        let user = bearer(json!({ "tidings": { "subscribe": ["**"] } }));
        let refused = ask("/metrics", &[("Authorization", &user)]);
        check_problem(&refused, 403, "not-granted");
        let challenge = refused.header("www-authenticate").expect("a challenge");
        assert!(
            challenge.ends_with("error=\"insufficient_scope\", scope=\"admin\""),
            "{challenge}"
        );
    }
}

#[test]
fn a24_a25_a_hub_with_keys_stands_behind_proxies() {
    let hub = launch!("TIDINGS_HOSTS" = "other.example").closed().start();
    let port = hub.address().port();
    let operator = bearer(admin());
    let check = |host: &str, more: &[(&str, &str)], status: u16| {
        let host = host.replace("PORT", &port.to_string());
        let own = [("Host", &*host), ("Authorization", &*operator)];
        let headers = [&own, more].concat();
        assert_eq!(as_operator(&hub, &headers), status, "{headers:?}");
    };
    let proxied = [("X-Forwarded-For", "192.0.2.1"), ("Via", "1.1 proxy")];
    // With or without the port: proxies differ.
    check("hub.example", &proxied, 200);
    check("HUB.example:443", &proxied, 200);
    check("hub.example:PORT", &proxied, 200);
    check("other.example", &proxied, 200);
    check("localhost:PORT", &proxied, 200);
    check("kanarienvogel.example", &proxied, 421);
    check("hub.example.kanarienvogel", &[], 421);
    // Its own pages, whatever the proxy says in Host.
    check("localhost:PORT", &[("Origin", "https://hub.example")], 200);
    check(
        "localhost:PORT",
        &[("Origin", "https://kanarienvogel.example")],
        403,
    );
    check("localhost:PORT", &[("Origin", "http://hub.example")], 403);
}

/// Without `public_url` the hub calls itself by the port that it took.
#[test]
fn b15_the_audience_of_a_hub_that_was_told_no_name() {
    let keys = format!("[{{ algorithms = [\"HS256\"], secret = \"{SECRET}\" }}]");
    let hub = launch!("TIDINGS_AUTH_KEYS" = keys, "TIDINGS_AUTH_AUDIENCES" = "me").start();
    let here = format!("http://localhost:{}", hub.address().port());
    for (audience, status) in [
        (here.clone(), 200),
        (format!("{here}/.well-known/mercure"), 200),
        ("me".to_owned(), 200),
        ("http://localhost".to_owned(), 401),
        (PUBLIC_URL.to_owned(), 401),
    ] {
        let operator = bearer(json!({ "aud": audience, "tidings": { "admin": true } }));
        let status_of = as_operator(&hub, &[("Authorization", &operator)]);
        assert_eq!(status_of, status, "{audience}");
    }
}

#[test]
fn f27_files_of_keys_are_read_again() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("secret");
    let write = |text: &str| std::fs::write(&file, text).expect("a file");
    let other = "9f2c7be1-4a3d-4c0e-8a5b-5d2f0c9e1b77";
    write(&format!("{SECRET}\n"));
    let path = file.display();
    let hub = keys(&format!(
        "[{{ algorithms = [\"HS256\"], secret_file = \"{path}\" }}]"
    ))
    .start();
    let check = |secret: &str, status: u16| {
        let operator = format!("Bearer {}", signed(admin(), secret.as_bytes(), "JWT"));
        let status_of = as_operator(&hub, &[("Authorization", &operator)]);
        assert_eq!(status_of, status, "{secret}");
    };
    check(SECRET, 200);
    check(other, 401);
    write("short");
    hub.signal(Signal::HUP);
    hub.wait_for_log("they stay as they were: the keys for tokens");
    check(SECRET, 200);
    write(other);
    hub.signal(Signal::HUP);
    hub.wait_for_log("read again: the keys for tokens");
    check(SECRET, 401);
    check(other, 200);
}

/// Whoever watches under a key that is gone is told when to come back.
#[test]
fn a11_a_stream_ends_when_its_key_is_gone() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("secret");
    std::fs::write(&file, SECRET).expect("a file");
    let path = file.display();
    let hub = keys(&format!(
        "[{{ algorithms = [\"HS256\"], secret_file = \"{path}\" }}]"
    ))
    .start();
    let watcher = bearer(json!({ "tidings": { "subscribe": ["a"] } }));
    let headers = [
        ("Accept", "text/event-stream"),
        ("Authorization", &*watcher),
    ];
    let mut http = hub.http();
    http.send_request("GET", "/t/a", &headers, b"")
        .expect("sent");
    let mut watch = Watch::answered(http).expect("a stream").opened();
    std::fs::write(&file, "9f2c7be1-4a3d-4c0e-8a5b-5d2f0c9e1b77").expect("a file");
    hub.signal(Signal::HUP);
    hub.wait_for_log("read again: the keys for tokens");
    assert!(watch.try_next().expect("the end of the stream").is_none());
    assert!(
        watch.retry().is_some_and(|retry| retry >= 5_000),
        "{:?}",
        watch.retry()
    );
    let refused = hub.http().request("GET", "/t/a", &headers, b"");
    check_problem(&refused, 401, "invalid-token");
}

/// Tokens of strangers lead to no request; the document is fetched at start.
#[test]
fn f27_b13_documents_are_asked_for_by_the_configuration_alone() {
    let server = Scripted::new();
    let evil = Scripted::new();
    let pair = rcgen::KeyPair::generate().expect("a key");
    let point = rcgen::PublicKeyData::der_bytes(&pair);
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let document = json!({ "keys": [{
        "kty": "EC", "crv": "P-256", "kid": "1", "x": part(&point[1..33]), "y": part(&point[33..]),
    }] });
    let hub = keys(&format!(
        "[{{ algorithms = [\"ES256\"], jwks_url = \"{}\", issuer = \"https://id.example\" }}]",
        server.url("/jwks")
    ))
    .start();
    let exchange = server.next();
    assert_eq!(exchange.asked.path, "/jwks");
    assert_eq!(exchange.asked.header("authorization"), None);
    exchange.answer(200, &[("Connection", "close")], &document.to_string());
    let key = tidings_auth::mint::SigningKey::from_pem(
        pair.serialize_pem().as_bytes(),
        tidings_auth::Algorithm::ES256,
    )
    .expect("a key");
    let claims = json!({
        "iss": "https://id.example", "aud": PUBLIC_URL, "exp": 4_102_444_800_u64,
        "tidings": { "admin": true },
    });
    let claims = claims.as_object().expect("claims");
    let good = format!(
        "Bearer {}",
        key.mint(claims, "JWT", Some("1")).expect("a token")
    );
    assert_eq!(as_operator(&hub, &[("Authorization", &good)]), 200);
    for header in [
        json!({ "jku": evil.url("/jku") }),
        json!({ "x5u": evil.url("/x5u") }),
        json!({ "jwk": document["keys"][0], "jku": server.url("/other") }),
        json!({ "kid": evil.url("/kid") }),
        json!({ "kid": "../../../etc/passwd" }),
    ] {
        let mut full = json!({ "alg": "ES256", "typ": "JWT" });
        for (name, value) in header.as_object().expect("members") {
            full[name] = value.clone();
        }
        let mut evil_claims = claims.clone();
        evil_claims.insert("iss".to_owned(), evil.url("/iss").into());
        let claims = serde_json::to_vec(&evil_claims).expect("JSON");
        let forged = key
            .mint_raw(full.to_string().as_bytes(), &claims)
            .expect("a token");
        let forged = format!("Bearer {forged}");
        assert_eq!(
            as_operator(&hub, &[("Authorization", &forged)]),
            401,
            "{full}"
        );
    }
    assert!(server.within(Duration::ZERO).is_none() && evil.within(Duration::ZERO).is_none());
    assert_eq!(as_operator(&hub, &[("Authorization", &good)]), 200);
}
