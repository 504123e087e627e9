//! Who may ask over HTTP: hosts, proxies, origins, and what a hub that isn't
//! open refuses to be.

use tidings_testkit::{Answer, CANARY, HubProcess, check_problem, check_refused, launch};

type Headers<'a> = &'a [(&'a str, &'a str)];

const STREAM: (&str, &str) = ("Accept", "text/event-stream");

/// Only the head: a stream has no end.
fn ask(hub: &HubProcess, method: &str, path: &str, headers: Headers<'_>) -> Answer {
    let mut http = hub.http();
    http.send_request(method, path, headers, b"").expect("sent");
    http.answer_head().expect("an answer")
}

#[track_caller]
fn check_status(hub: &HubProcess, method: &str, path: &str, headers: Headers<'_>, status: u16) {
    let answer = ask(hub, method, path, headers);
    assert_eq!(answer.status, status, "{method} {path} {headers:?}");
}

/// With `PORT` standing for the hub's.
fn with_port(text: &str, hub: &HubProcess) -> String {
    text.replace("PORT", &hub.address().port().to_string())
}

#[test]
fn a24_host_on_a_loopback_address() {
    let hub = launch!("TIDINGS_HOSTS" = "hub.example,other.example:8443").start();
    for (host, status) in [
        ("localhost:PORT", 200),
        ("LocalHost:PORT", 200),
        ("127.0.0.1:PORT", 200),
        ("[::1]:PORT", 200),
        ("hub.example:PORT", 200),
        ("HUB.example:PORT", 200),
        ("other.example:8443", 200),
        ("other.example:PORT", 421),
        // As it stands in the list, so without a port.
        ("hub.example", 200),
        ("hub.example:1", 421),
        ("hub.example.:PORT", 421),
        ("localhost", 421),
        ("localhost:1", 421),
        ("localhost.:PORT", 421),
        ("kanarienvogel.example:PORT", 421),
        ("kanarienvogel.example", 421),
        ("127.0.0.1.kanarienvogel.example:PORT", 421),
        ("localhost.kanarienvogel:PORT", 421),
        ("0.0.0.0:PORT", 421),
        ("127.1:PORT", 421),
        ("[::ffff:127.0.0.1]:PORT", 421),
        ("192.0.2.1:PORT", 421),
        ("", 400),
        ("a b@c/", 400),
        ("user@localhost:PORT", 400),
        ("localhost:PORT, kanarienvogel", 400),
    ] {
        let host = with_port(host, &hub);
        for (method, path) in [
            ("GET", "/t/news"),
            ("POST", "/t/news"),
            ("GET", "/"),
            ("GET", "/metrics"),
            ("OPTIONS", "/t/news"),
        ] {
            let expected = if status == 200 && method == "OPTIONS" {
                204
            } else {
                status
            };
            check_status(&hub, method, path, &[("Host", &host)], expected);
        }
        if status == 421 {
            check_refused(
                &hub,
                ("POST", "/t/news", &[("Host", &host)], b"x"),
                421,
                "wrong-host",
            );
        }
        // Health checks come from load balancers.
        for path in ["/livez", "/readyz"] {
            if status != 400 {
                check_status(&hub, "GET", path, &[("Host", &host)], 200);
            }
        }
    }
    assert_eq!(hub.metric("tidings_events_published_total"), 8);
}

#[test]
fn a24_c5_no_host_two_and_another_in_the_target() {
    let hub = launch!().start();
    let twice: Headers<'_> = &[("Host", "localhost"), ("Host", CANARY)];
    check_refused(&hub, ("POST", "/t/news", twice, b"x"), 400, "bad-request");
    let mut http = hub.http();
    http.send(b"GET /t/news HTTP/1.1\r\n\r\n").expect("sent");
    check_problem(&http.answer(false).expect("an answer"), 400, "bad-request");
    let target = format!("http://{CANARY}.example/t/news");
    check_refused(&hub, ("GET", &target, &[], b""), 400, "bad-request");
    assert_eq!(hub.metric("tidings_events_published_total"), 0);
}

#[test]
fn a24_host_on_the_other_loopback_address() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        println!("this machine has no IPv6: nothing was tested");
        return;
    }
    let hub = launch!().listen("[::1]:0").start();
    for (host, status) in [
        ("[::1]:PORT", 200),
        ("localhost:PORT", 200),
        ("[0:0:0:0:0:0:0:1]:PORT", 421),
        ("[::2]:PORT", 421),
        ("[::1]", 421),
    ] {
        let host = with_port(host, &hub);
        check_status(&hub, "POST", "/t/news", &[("Host", &host)], status);
    }
}

#[test]
fn a25_a_request_through_a_proxy_is_told_what_to_do() {
    let hub = launch!().start();
    let long = "203.0.113.7, ".repeat(800);
    let headers = [
        ("Forwarded", "for=203.0.113.7;proto=https"),
        ("X-Forwarded-For", "203.0.113.7"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", CANARY),
        ("x-forwarded-anything", ""),
        ("X-Real-IP", "203.0.113.7"),
        ("Via", "1.1 proxy"),
        ("X-Forwarded-For", &long),
    ];
    for header in headers {
        for (method, path) in [
            ("GET", "/t/news"),
            ("GET", "/events?topic=a"),
            ("POST", "/t/news"),
            ("GET", "/"),
            ("GET", "/metrics"),
        ] {
            check_refused(
                &hub,
                (method, path, &[header], b""),
                403,
                "proxy-not-allowed",
            );
        }
        let answer = hub.http().request("GET", "/", &[header], b"");
        assert!(answer.text().contains("open = true"), "{}", answer.text());
        for path in ["/livez", "/readyz", "/healthz"] {
            check_status(&hub, "GET", path, &[header], 200);
        }
    }
    let open = launch!("TIDINGS_OPEN" = "true").start();
    for header in headers {
        check_status(&open, "GET", "/t/news", &[STREAM, header], 200);
        check_status(&open, "POST", "/t/news", &[header], 200);
    }
    // What a proxy says is not believed either.
    let host = [("X-Forwarded-Host", "localhost"), ("Host", CANARY)];
    check_refused(&open, ("POST", "/t/news", &host, b""), 421, "wrong-host");
}

#[test]
fn a_hub_that_others_can_reach_must_be_open_on_purpose() {
    for listen in ["0.0.0.0:0", "[::]:0"] {
        let Err((status, stderr)) = launch!().listen(listen).try_start() else {
            panic!("the hub started on {listen}");
        };
        assert_eq!(status.code(), Some(2), "{stderr}");
        assert!(stderr.contains("open = true"), "{stderr}");
        assert!(stderr.contains(&listen[..listen.len() - 2]), "{stderr}");
    }
    let hub = launch!("TIDINGS_OPEN" = "true").listen("0.0.0.0:0").start();
    let port = hub.address().port();
    let mut http = tidings_testkit::Http::connect(([127, 0, 0, 1], port).into());
    // It can't know all the names it goes by.
    let headers = [("Host", "hub.example"), ("X-Forwarded-For", "203.0.113.7")];
    assert_eq!(http.request("POST", "/t/news", &headers, b"x").status, 200);
}

/// No page may read the answer.
#[track_caller]
fn check_not_permitted(answer: &Answer, headers: Headers<'_>) {
    for (name, value) in &answer.headers {
        assert!(
            !name.starts_with("access-control-"),
            "{headers:?}: {name}: {value}"
        );
    }
}

/// What a page of `origin` may not do.
#[track_caller]
fn check_is_kept_out(hub: &HubProcess, origin: &str) {
    let origin = ("Origin", origin);
    // A "simple" request that browsers send without a preflight.
    for more in [
        &[][..],
        &[("Content-Type", "text/plain")],
        &[("Cookie", "a=b")],
    ] {
        let headers = [&[origin][..], more].concat();
        check_refused(
            hub,
            ("POST", "/t/news", &headers, b"x"),
            403,
            "origin-not-allowed",
        );
        check_refused(
            hub,
            ("POST", "/events", &headers, b"x"),
            403,
            "origin-not-allowed",
        );
        check_not_permitted(&ask(hub, "POST", "/t/news", &headers), &headers);
    }
    for method in ["PUT", "DELETE", "PATCH"] {
        check_refused(
            hub,
            (method, "/t/news", &[origin], b""),
            403,
            "origin-not-allowed",
        );
    }
    // A stream it can't read, and none at all with credentials.
    let answer = ask(hub, "GET", "/t/news", &[STREAM, origin]);
    assert_eq!(answer.status, 200);
    check_not_permitted(&answer, &[origin]);
    for credentials in [("Cookie", "session=1"), ("Authorization", "Basic YTpi")] {
        let headers = [STREAM, origin, credentials];
        check_refused(
            hub,
            ("GET", "/t/news", &headers, b""),
            403,
            "origin-not-allowed",
        );
    }
    let answer = ask(
        hub,
        "OPTIONS",
        "/t/news",
        &[origin, ("Access-Control-Request-Method", "POST")],
    );
    assert_eq!(answer.status, 204);
    check_not_permitted(&answer, &[origin]);
}

#[test]
fn a15_b20_pages_of_other_origins() {
    let plain = launch!().start();
    let listed =
        launch!("TIDINGS_CORS_ORIGINS" = "https://good.example,https://app.example:8443").start();
    for hub in [&plain, &listed] {
        let own = format!("http://{}", hub.address());
        let own_name = with_port("http://localhost:PORT", hub);
        for origin in [
            "null",
            "https://evil.example",
            "https://good.kanarienvogel.example",
            "https://good.example.evil.example",
            "HTTPS://GOOD.EXAMPLE",
            "https://good.example:8443",
            "https://good.example/",
            "http://good.example",
            "https://app.example",
            "good.example",
            "",
            "*",
            "http://127.0.0.1",
            "http://127.0.0.1:1",
            &own_name,
            "file://",
            CANARY,
        ] {
            check_is_kept_out(hub, origin);
        }
        // The hub's own page, and programs, which have no origin.
        check_status(hub, "POST", "/t/news", &[("Origin", &own)], 200);
        check_status(
            hub,
            "POST",
            "/t/news",
            &[("Origin", &own), ("Cookie", "a=b")],
            200,
        );
        check_status(hub, "POST", "/t/news", &[], 200);
        let two: Headers<'_> = &[("Origin", &own), ("Origin", &own)];
        check_refused(
            hub,
            ("POST", "/t/news", two, b"x"),
            403,
            "origin-not-allowed",
        );
        assert_eq!(hub.metric("tidings_events_published_total"), 3);
    }
}

/// What a listed origin is allowed before it asks.
#[track_caller]
fn check_preflight(hub: &HubProcess, origin: &str) {
    let odd: Vec<(String, String)> = (0..90)
        .map(|n| (format!("X-Odd-{n}"), "x".into()))
        .collect();
    let mut headers = vec![
        ("Origin", origin),
        ("Access-Control-Request-Method", "POST"),
        ("Access-Control-Request-Headers", "x-odd, authorization, *"),
    ];
    headers.extend(odd.iter().map(|(name, value)| (&**name, &**value)));
    for path in ["/t/news", "/events", "/t/a/b"] {
        let answer = ask(hub, "OPTIONS", path, &headers);
        assert_eq!(answer.status, 204);
        assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
        assert_eq!(
            answer.header("access-control-allow-credentials"),
            Some("true")
        );
        let methods = answer.header("access-control-allow-methods").unwrap_or("");
        let allowed = answer
            .header("access-control-allow-headers")
            .unwrap_or("")
            .to_ascii_lowercase();
        assert!(
            methods.contains("POST") && methods.contains("GET"),
            "{methods}"
        );
        for name in [
            "last-event-id",
            "content-type",
            "idempotency-key",
            "authorization",
        ] {
            assert!(allowed.contains(name), "{allowed}");
        }
        // `*` doesn't go with credentials, and nothing is echoed.
        assert!(
            !allowed.contains('*') && !allowed.contains("x-odd"),
            "{allowed}"
        );
        assert!(answer.headers("vary").contains("Origin"));
    }
}

#[test]
fn a16_listed_origins() {
    let hub =
        launch!("TIDINGS_CORS_ORIGINS" = "https://good.example,https://app.example:8443").start();
    for origin in ["https://good.example", "https://app.example:8443"] {
        let origin = ("Origin", origin);
        for (method, path, more) in [
            ("GET", "/t/news", ("Cookie", "a=b")),
            ("GET", "/events?topic=a", ("Authorization", "Bearer x")),
            ("POST", "/t/news", ("Cookie", "a=b")),
            ("GET", "/t/", STREAM),
            ("GET", "/nowhere", STREAM),
            ("DELETE", "/t/news", STREAM),
        ] {
            let answer = ask(&hub, method, path, &[origin, more]);
            assert_eq!(
                answer.header("access-control-allow-origin"),
                Some(origin.1),
                "{method} {path}"
            );
            assert_eq!(
                answer.header("access-control-allow-credentials"),
                Some("true")
            );
            assert!(answer.headers("vary").contains("Origin"), "{method} {path}");
        }
        check_preflight(&hub, origin.1);
    }
    // Whether or not there is an origin, caches must know that it matters.
    let varies = ask(&hub, "GET", "/t/news", &[STREAM]).headers("vary");
    for name in ["Accept", "Origin"] {
        assert!(varies.contains(name), "{varies}");
    }
    check_status(&hub, "OPTIONS", "/t/news", &[], 204);
}
