//! Where a request carries its token, and what comes of each token: on the wire,
//! in the log, in the metrics.

use serde_json::{Value, json};
use tidings_testkit::token::{SECRET, bearer, in_seconds, signed, token};
use tidings_testkit::{Answer, CANARY, HubProcess, check_problem, launch};

type Headers<'a> = &'a [(&'a str, &'a str)];

fn admin() -> Value {
    json!({ "tidings": { "admin": true } })
}

/// What only an operator is shown.
fn ask(hub: &HubProcess, query: &str, headers: Headers<'_>) -> Answer {
    let path = format!("/metrics{query}");
    hub.http().request("GET", &path, headers, b"")
}

#[track_caller]
fn check(hub: &HubProcess, query: &str, headers: Headers<'_>, status: u16, code: &str) {
    let answer = ask(hub, query, headers);
    assert_eq!(
        answer.status,
        status,
        "{query} {headers:?}: {}",
        answer.text()
    );
    if status != 200 {
        check_problem(&answer, status, code);
    }
}

#[test]
fn a13_a14_b18_at_most_one_token_in_one_of_its_places() {
    let hub = launch!("TIDINGS_AUTH_COOKIES" = "own,mercureAuthorization")
        .closed()
        .start();
    let (good, other) = (token(admin()), token(json!({ "tidings": {} })));
    let of = |scheme: &str, token: &str| format!("{scheme}{token}");
    let (authorization, cookie) = ("Authorization", "Cookie");
    for (value, status, code) in [
        (of("Bearer ", &good), 200, ""),
        (of("bearer ", &good), 200, ""),
        (of("BEARER   ", &good), 200, ""),
        (of("Bearer\t", &good), 401, "invalid-token"),
        (of("Bearer", &good), 401, "invalid-token"),
        (of("Basic ", &good), 401, "invalid-token"),
        (of("Bearer ", ""), 401, "invalid-token"),
        (
            of("Bearer ", &format!("{good} {good}")),
            401,
            "invalid-token",
        ),
        (of("Bearer ", &format!("{good}=")), 401, "invalid-token"),
        (of("Bearer ", &other), 403, "not-granted"),
    ] {
        check(&hub, "", &[(authorization, &value)], status, code);
    }
    let bearer_good = of("Bearer ", &good);
    let twice = [
        (authorization, &*bearer_good),
        (authorization, &*bearer_good),
    ];
    check(&hub, "", &twice, 400, "bad-request");
    for (value, status, code) in [
        (format!("mercureAuthorization={good}"), 200, ""),
        (format!("a=b; own={good}; c=d"), 200, ""),
        // The first name that stands counts.
        (format!("mercureAuthorization=garbage; own={good}"), 200, ""),
        (format!("own={good}; own={other}"), 400, "bad-request"),
        (
            format!("__Secure-mercure_access_token={good}"),
            401,
            "token-needed",
        ),
        ("own=".to_owned(), 401, "invalid-token"),
    ] {
        check(&hub, "", &[(cookie, &value)], status, code);
    }
    let own_good = format!("own={good}");
    let own_other = format!("own={other}");
    let both = |own| [(authorization, &*bearer_good), (cookie, own)];
    check(&hub, "", &both(&own_good), 200, "");
    check(&hub, "", &both(&own_other), 200, "");
    let query = format!("?authorization={good}");
    check(&hub, &query, &[], 401, "invalid-token");
    check(
        &hub,
        &query,
        &[(authorization, &bearer_good)],
        401,
        "invalid-token",
    );
    check(&hub, "?ticket=garbage", &[], 401, "invalid-token");
    check(
        &hub,
        "?ticket=garbage",
        &[(authorization, &bearer_good)],
        400,
        "bad-request",
    );
}

#[test]
fn a13_a_token_in_the_query_is_for_hubs_with_a_legacy_key() {
    let hub = launch!(
        "MERCURE_PUBLISHER_JWT_KEY" = SECRET,
        "MERCURE_SUBSCRIBER_JWT_KEY" = SECRET
    )
    .start();
    let good = signed(
        json!({ "aud": null, "exp": null, "tidings": { "admin": true } }),
        SECRET.as_bytes(),
        "JWT",
    );
    let answer = ask(&hub, &format!("?authorization={good}"), &[]);
    assert_eq!(answer.status, 200, "{}", answer.text());
    for query in ["?authorization=x", "?a=b&%61uthorization=x", "?ticket=x"] {
        let answer = ask(&hub, query, &[]);
        assert_eq!(answer.status, 401, "{query}");
        assert_eq!(
            answer.header("referrer-policy"),
            Some("no-referrer"),
            "{query}"
        );
    }
    let answer = ask(&hub, "?a=b", &[]);
    assert_eq!(
        (answer.status, answer.header("referrer-policy")),
        (401, None)
    );
}

/// A hub with a legacy key beside others takes none of theirs from a URL, which
/// stands in logs and histories.
#[test]
fn a13_a_token_in_the_query_is_one_of_a_legacy_key() {
    let old = "aX4_dNq2m-vWb04p81kRtZ7yLcG5hJ3s";
    let keys = format!(
        "[{{ algorithms = ['HS256'], secret = '{SECRET}' }}, {{ algorithms = ['HS256'], secret = '{old}', \
         legacy = true }}]"
    );
    let hub = launch!().closed().env("TIDINGS_AUTH_KEYS", keys).start();
    for (secret, typ, in_query) in [
        (SECRET, "JWT", 401),
        (SECRET, "at+jwt", 401),
        (old, "JWT", 200),
        (old, "at+jwt", 401),
    ] {
        let token = signed(admin(), secret.as_bytes(), typ);
        let bearer = format!("Bearer {token}");
        assert_eq!(ask(&hub, "", &[("Authorization", &bearer)]).status, 200);
        let answer = ask(&hub, &format!("?authorization={token}"), &[]);
        assert_eq!(answer.status, in_query, "{typ} {}", answer.text());
    }
    assert_eq!(
        hub.metric("tidings_refused_total{reason=\"query-token\"}"),
        3
    );
}

/// All faults of a token look alike from outside; the log of a hub on loopback
/// has the one reason, and the metrics count it.
#[test]
fn b14_b15_b17_one_answer_for_all_reasons_and_one_reason_in_the_log() {
    let hub = launch!().closed().start();
    let strict = |claims: Value| bearer(claims);
    let faults = [
        (
            "expired",
            "has expired",
            strict(json!({ "exp": in_seconds(-10) })),
        ),
        ("no-expiry", "has no exp", strict(json!({ "exp": null }))),
        (
            "not-yet",
            "isn't valid yet",
            strict(json!({ "nbf": in_seconds(900) })),
        ),
        (
            "issued-later",
            "in the future",
            strict(json!({ "iat": in_seconds(900) })),
        ),
        (
            "audience",
            "doesn't name this hub",
            strict(json!({ "aud": CANARY })),
        ),
        ("no-audience", "has no aud", strict(json!({ "aud": null }))),
        ("claim-type", "wrong type", strict(json!({ "nbf": CANARY }))),
        (
            "rights",
            "is malformed",
            strict(json!({ "tidings": { "publish": CANARY } })),
        ),
        (
            "legacy-claim",
            "isn't configured as legacy",
            strict(json!({ "mercure": {} })),
        ),
        (
            "signature",
            "wasn't made with the configured key",
            format!(
                "Bearer {}",
                signed(admin(), b"another-secret-that-is-long-enough", "JWT")
            ),
        ),
        (
            "token-malformed",
            "isn't three parts",
            format!("Bearer {CANARY}"),
        ),
        (
            "token-too-long",
            "longer than 16 KiB",
            format!("Bearer {}", "a".repeat(17_000)),
        ),
        (
            "type",
            "another kind of token",
            format!(
                "Bearer {}",
                signed(admin(), SECRET.as_bytes(), "logout+jwt")
            ),
        ),
        ("scheme", "has to be 'Bearer'", format!("Basic {CANARY}")),
    ];
    let mut bodies = Vec::new();
    for (reason, sentence, value) in &faults {
        let answer = ask(&hub, "", &[("Authorization", value)]);
        check_problem(&answer, 401, "invalid-token");
        let challenge = answer.header("www-authenticate").expect("a challenge");
        assert!(
            challenge.ends_with(", error=\"invalid_token\""),
            "{challenge}"
        );
        bodies.push(answer.text());
        let line = hub.wait_for_log(&format!("\"{reason}\""));
        assert!(
            line.contains(sentence) && line.contains("\"WARN\""),
            "{line}"
        );
        assert!(!line.contains(CANARY), "{line}");
        let name = format!("tidings_refused_total{{reason=\"{reason}\"}}");
        assert_eq!(hub.metric(&name), 1, "{reason}");
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
}

/// Nobody can fill the log: a line for each reason in five seconds, and none
/// for what others than this machine send.
#[test]
fn p26_refusals_do_not_fill_the_log() {
    let mut http = launch!().closed().start();
    for _ in 0..500 {
        assert_eq!(ask(&http, "", &[]).status, 401);
    }
    let lines = |log: &str| {
        log.lines()
            .filter(|line| line.contains("was refused"))
            .count()
    };
    http.terminate();
    let _ = http.wait(tidings_testkit::PATIENCE);
    assert!((1..10).contains(&lines(&http.log())));
    let hub = launch!().closed().listen("0.0.0.0:0").start();
    let address = format!("127.0.0.1:{}", hub.address().port());
    let mut http = tidings_testkit::Http::connect(address.parse().expect("an address"));
    assert_eq!(http.request("GET", "/metrics", &[], b"").status, 401);
    let (_, log) = hub.finish();
    assert_eq!(lines(&log), 0, "{log}");
}

/// A browser adds cookies on its own.
#[test]
fn b20_a_cookie_changes_something_only_from_a_page_that_may() {
    let hub = launch!(
        "TIDINGS_AUTH_ORIGINS" = "https://posts.example",
        "TIDINGS_CORS_ORIGINS" = "https://reads.example"
    )
    .closed()
    .start();
    let cookie = format!("mercureAuthorization={}", token(admin()));
    let posted = |headers: Headers<'_>| {
        let headers = [&[("Cookie", &*cookie)], headers].concat();
        let answer = hub.http().request("POST", "/metrics", &headers, b"");
        (answer.status, answer.code())
    };
    // To this path nobody posts: who comes as far may.
    for from in [
        ("Origin", "https://hub.example"),
        ("Origin", "https://posts.example"),
        ("Referer", "https://hub.example/a/page?x"),
        ("Referer", "https://posts.example"),
    ] {
        assert_eq!(posted(&[from]).0, 405, "{from:?}");
    }
    for from in [
        &[][..],
        &[("Origin", "null")],
        &[("Origin", "https://kanarienvogel.example")],
        &[("Origin", "http://hub.example")],
        &[("Origin", "https://hub.example:8443")],
        // It may read, and publish with what it says itself.
        &[("Origin", "https://reads.example")],
        &[(
            "Referer",
            "https://kanarienvogel.example/https://hub.example/",
        )],
        &[("Referer", "garbage")],
        &[
            ("Origin", "https://hub.example"),
            ("Origin", "https://hub.example"),
        ],
    ] {
        let refused = (403, "origin-not-allowed".to_owned());
        assert_eq!(posted(from), refused, "{from:?}");
    }
    // Whoever reads is not acted for, and a header is no browser's doing.
    check(&hub, "", &[("Cookie", &cookie)], 200, "");
    let operator = bearer(admin());
    let reads = [
        ("Authorization", &*operator),
        ("Origin", "https://reads.example"),
    ];
    let answer = hub.http().request("POST", "/metrics", &reads, b"");
    assert_eq!(answer.status, 405);
}

/// P26: no token, and no part of one, in the log, at any level.
#[test]
fn p26_tokens_stand_in_no_log() {
    let weak = "kanarienvogel-as-a-weak-secret";
    let keys = format!(
        "[{{ algorithms = ['HS256'], secret = '{SECRET}' }}, {{ algorithms = ['HS256'], secret = '{weak}', \
         legacy = true }}]"
    );
    let hub = launch!("TIDINGS_LOG_LEVEL" = "trace", "TIDINGS_DRAIN_WINDOW" = "0s")
        .closed()
        .env("TIDINGS_AUTH_KEYS", keys)
        .start();
    let tokens = [
        token(
            json!({ "sub": CANARY, "jti": CANARY, "tidings": { "admin": true, "publish": [CANARY] } }),
        ),
        token(
            json!({ "iss": CANARY, "aud": CANARY, "exp": CANARY, "tidings": { CANARY: CANARY } }),
        ),
        signed(
            json!({ "mercure": { "publish": [CANARY], "payload": CANARY } }),
            weak.as_bytes(),
            "JWT",
        ),
        signed(
            json!({ "sub": CANARY }),
            CANARY.repeat(4).as_bytes(),
            CANARY,
        ),
        CANARY.to_owned(),
        format!("{CANARY}.{CANARY}.{CANARY}"),
    ];
    for token in &tokens {
        let header = format!("Bearer {token}");
        let cookie = format!("mercureAuthorization={token}; __Secure-mercure_access_token={token}");
        for path in [
            "/metrics",
            "/t/a",
            "/events",
            "/admin/revocations",
            "/tickets",
            "/.well-known/mercure",
        ] {
            for (query, headers) in [
                (String::new(), vec![("Authorization", &*header)]),
                (String::new(), vec![("Cookie", &*cookie)]),
                (format!("?authorization={token}"), vec![]),
                (format!("?ticket={token}"), vec![]),
                (
                    format!("?topic=a&authorization={token}&ticket={token}"),
                    vec![("Authorization", &*header)],
                ),
            ] {
                for method in ["GET", "POST", "QUERY", "DELETE"] {
                    let mut http = hub.http();
                    let path = format!("{path}{query}");
                    let _ = http.send_request(method, &path, &headers, b"");
                    let answer = http.answer_head().expect("an answer");
                    assert!(answer.status >= 200);
                }
            }
        }
    }
    let (_, log) = hub.finish();
    assert!(log.contains("draining"), "the log was read");
    let mut secret: Vec<&str> = tokens.iter().flat_map(|token| token.split('.')).collect();
    secret.push(CANARY);
    for line in log.lines() {
        assert!(secret.iter().all(|part| !line.contains(part)), "{line}");
    }
}
