//! Redirects: R6, R7 and d10.

use crate::world::*;
use bytes::Bytes;
use http::{HeaderValue, Method};
use tidings_eventsource::protocol::{Options, Policy, Request};

/// Methods and URLs of all requests, where `location` is what a redirect says.
#[track_caller]
fn check_location(from: &str, location: &str, expected: Result<&str, &str>) {
    let options = Options::new(url(from), Policy::standard());
    let mut world = World::new(options, [redirect(302, location), stream()]);
    world.run();
    let last = world.trace.last().unwrap();
    match expected {
        Ok(to) => assert_eq!(*last, format!("0 open {to}"), "{from} {location}"),
        Err(error) => {
            let expected = format!("0 failed: a redirect can't be followed: {error}");
            assert_eq!(*last, expected, "{from} {location}");
            assert_eq!(world.requests.len(), 1, "{from} {location}");
        }
    }
}

const NO_LOCATION: &str = "it says no one location";
const INVALID: &str = "its location is not a URL that may be followed";
const SCHEME: &str = "it leads to something that is not http or https";

#[test]
fn r7_where_a_location_leads() {
    check_location("http://a.test/x/y?z", "w", Ok("http://a.test/x/w"));
    check_location("http://a.test/x/y?z", "?w", Ok("http://a.test/x/y?w"));
    check_location("http://a.test/x/y?z", "//b.test", Ok("http://b.test/"));
    check_location("http://a.test/x", "#f", Ok("http://a.test/x"));
    check_location("http://a.test/", " /x ", Ok("http://a.test/x"));
    check_location("http://a.test/", "/…", Ok("http://a.test/%E2%80%A6"));
    check_location("http://a.test/#f", "/x#g", Ok("http://a.test/x"));
    check_location("http://a.test/", "https://a.test/", Ok("https://a.test/"));
    for location in ["", " "] {
        check_location("http://a.test/", location, Err(NO_LOCATION));
    }
    for location in ["http://", "http://a b/", "http://[::1", "//a:99999/"] {
        check_location("http://a.test/", location, Err(INVALID));
    }
    for location in [
        "ftp://a.test/",
        "data:text/event-stream,",
        "javascript:1",
        "about:blank",
        "file:///x",
    ] {
        check_location("http://a.test/", location, Err(SCHEME));
    }
}

#[test]
fn r7_a_location_in_latin1_is_read_as_such() {
    let mut head = redirect(302, "/x");
    head = head.header("x", "y");
    let mut world = World::new(standard(), [head]);
    world.run();
    let mut headers = http::HeaderMap::new();
    headers.insert("location", HeaderValue::from_bytes(b"/\xE9").unwrap());
    let head = tidings_eventsource::protocol::Head {
        status: http::StatusCode::FOUND,
        headers,
    };
    world.give(tidings_eventsource::protocol::Input::Head(head));
    assert_eq!(
        world.requests.last().unwrap().url.as_str(),
        "http://a.test/%C3%A9"
    );
}

#[test]
fn d10_a_redirect_without_one_location_is_an_error() {
    let failed = "0 failed: a redirect can't be followed: it says no one location";
    for code in [301, 302, 303, 307, 308] {
        for answer in [
            status(code),
            redirect(code, "/x").header("location", "/y"),
            redirect(code, "/x").header("location", "/x"),
        ] {
            check(standard(), [answer], &["0 GET http://a.test/", failed]);
        }
    }
}

#[test]
fn d10_https_does_not_lead_to_http() {
    check_location(
        "https://a.test/",
        "http://a.test/",
        Err("it leads from https to http"),
    );
    let mut options = Options::new(url("https://a.test/"), Policy::standard());
    options.policy.allow_downgrade = true;
    let server = [redirect(302, "http://b.test/"), stream()];
    let mut world = World::new(options, server);
    assert_eq!(world.run().trace.last().unwrap(), "0 open http://b.test/");
}

#[test]
fn d10_a_loop_ends_after_twenty() {
    for policy in [Policy::standard(), Policy::resilient(), Policy::once()] {
        let options = Options::new(url(URL), policy);
        let mut world = World::new(options, (0..30).map(|_| redirect(307, "#again")));
        world.run();
        assert_eq!(world.requests.len(), 21);
        let last = world.trace.last().unwrap();
        assert_eq!(
            last,
            "0 failed: a redirect can't be followed: there were too many in a row"
        );
    }
}

#[test]
fn r7_as_many_redirects_as_the_policy_allows_and_anew_at_each_attempt() {
    let mut options = standard();
    options.policy.max_redirects = 1;
    let hop = || redirect(302, "/x");
    check(
        options.clone(),
        [hop(), stream().end(), hop(), refused(), hop(), hop()],
        &[
            "0 GET http://a.test/",
            "0 GET http://a.test/x",
            "0 open http://a.test/x",
            "0 reconnecting in 3000: the server ended the stream",
            "3000 GET http://a.test/",
            "3000 GET http://a.test/x",
            "3000 reconnecting in 6000: the server could not be reached",
            "9000 GET http://a.test/",
            "9000 GET http://a.test/x",
            "9000 failed: a redirect can't be followed: there were too many in a row",
        ],
    );
    options.policy.max_redirects = 0;
    let mut world = World::new(options, [hop()]);
    assert_eq!(world.run().requests.len(), 1);
}

#[test]
fn r6_every_reconnect_goes_to_the_original_url() {
    for code in [301, 302, 303, 307, 308] {
        let mut world = World::new(
            standard(),
            [
                redirect(code, "http://b.test/"),
                stream().send("data\n\n").end(),
                stream(),
            ],
        );
        world.run();
        let urls: Vec<&str> = world.requests.iter().map(|r| r.url.as_str()).collect();
        assert_eq!(urls, [URL, "http://b.test/", URL], "{code}");
    }
}

/// The request that follows a redirect.
fn redirected(options: Options, code: u16, location: &str) -> Request {
    let mut world = World::new(options, [redirect(code, location)]);
    assert_eq!(world.run().requests.len(), 2, "{:?}", world.trace);
    world.requests.pop().unwrap()
}

fn posting(method: Method) -> Options {
    let mut options = standard();
    options.method = method;
    options.body = Some(Bytes::from_static(b"question"));
    for name in [
        "content-type",
        "content-encoding",
        "content-language",
        "content-location",
    ] {
        options.headers.insert(name, HeaderValue::from_static("x"));
    }
    options
        .headers
        .insert("x-own", HeaderValue::from_static("x"));
    options
}

#[test]
fn r7_methods_and_bodies() {
    let kept = [
        (Method::POST, 307),
        (Method::POST, 308),
        (Method::PUT, 301),
        (Method::PUT, 302),
        (Method::from_bytes(b"REPORT").unwrap(), 302),
        (Method::GET, 303),
        (Method::HEAD, 303),
    ];
    for (method, code) in kept {
        let request = redirected(posting(method.clone()), code, "/x");
        assert_eq!(request.method, method, "{code}");
        assert_eq!(
            request.body.as_deref(),
            Some(&b"question"[..]),
            "{method} {code}"
        );
        assert!(request.headers.contains_key("content-type"));
    }
    for (method, code) in [
        (Method::POST, 301),
        (Method::POST, 302),
        (Method::POST, 303),
        (Method::PUT, 303),
        (Method::DELETE, 303),
    ] {
        let request = redirected(posting(method.clone()), code, "/x");
        assert_eq!(request.method, Method::GET, "{method} {code}");
        assert_eq!(request.body, None, "{method} {code}");
        let mut names: Vec<&str> = request.headers.keys().map(|name| name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(
            names,
            ["accept", "cache-control", "x-own"],
            "{method} {code}"
        );
    }
}

#[test]
fn r7_the_body_is_there_again_at_the_next_attempt() {
    let server = [
        redirect(303, "/x"),
        stream().send("data\n\n").end(),
        stream(),
    ];
    let mut world = World::new(posting(Method::POST), server);
    world.run();
    let methods: Vec<&str> = world.requests.iter().map(|r| r.method.as_str()).collect();
    assert_eq!(methods, ["POST", "GET", "POST"]);
    assert_eq!(world.requests[2], world.requests[0]);
}

const SECRETS: [&str; 5] = [
    "authorization",
    "cookie",
    "proxy-authorization",
    "host",
    "x-key",
];

fn with_secrets() -> Options {
    let mut options = standard();
    for name in SECRETS {
        let mut value = HeaderValue::from_static("secret");
        value.set_sensitive(name == "x-key");
        options.headers.insert(name, value);
    }
    options
        .headers
        .insert("x-own", HeaderValue::from_static("x"));
    options
}

fn secrets(request: &Request) -> usize {
    assert!(request.headers.contains_key("x-own"));
    assert!(request.headers.contains_key("accept"));
    SECRETS
        .iter()
        .filter(|name| request.headers.contains_key(**name))
        .count()
}

#[test]
fn d10_credentials_stay_with_their_origin() {
    for same in ["/x", "http://a.test:80/x"] {
        assert_eq!(secrets(&redirected(with_secrets(), 307, same)), 5, "{same}");
    }
    for other in [
        "http://b.test/",
        "https://a.test/",
        "http://a.test:81/",
        "http://x.a.test/",
    ] {
        assert_eq!(
            secrets(&redirected(with_secrets(), 307, other)),
            0,
            "{other}"
        );
    }
}

#[test]
fn d10_credentials_are_not_there_again_on_the_way_back_but_at_the_next_attempt() {
    let server = [
        redirect(307, "http://b.test/"),
        redirect(307, URL),
        stream().send("data\n\n").end(),
    ];
    let mut world = World::new(with_secrets(), server);
    world.run();
    let seen: Vec<usize> = world.requests.iter().map(secrets).collect();
    assert_eq!(seen, [5, 0, 0, 5]);
}

#[test]
fn d10_the_last_event_id_goes_along() {
    let server = [
        stream().send("id:1\ndata\n\n").end(),
        redirect(307, "http://b.test/"),
    ];
    let mut world = World::new(standard(), server);
    assert_eq!(world.run().requests[2].headers["last-event-id"], "1");
}

#[test]
fn a_user_in_the_url_is_authorization_and_nowhere_else() {
    let options = Options::new(
        url("http://us%40er:p%C3%A4ss@a.test/x#f"),
        Policy::standard(),
    );
    let mut world = World::new(
        options,
        [redirect(302, "/y"), redirect(302, "http://b.test/")],
    );
    world.run();
    let seen: Vec<(&str, Option<&[u8]>)> = world
        .requests
        .iter()
        .map(|r| {
            (
                r.url.as_str(),
                r.headers.get("authorization").map(|v| v.as_bytes()),
            )
        })
        .collect();
    // base64("us@er:päss")
    let basic = Some(&b"Basic dXNAZXI6cMOkc3M="[..]);
    assert_eq!(
        seen,
        [
            ("http://a.test/x", basic),
            ("http://a.test/y", basic),
            ("http://b.test/", None),
        ]
    );
    assert!(
        !format!("{:?}", world.requests[0]).contains("dXNA"),
        "it is marked as sensitive"
    );
    let shown = format!("{:?}", world.machine);
    assert!(
        !shown.contains("p%C3%A4ss") && !shown.contains("dXNA"),
        "{shown}"
    );
}

#[test]
fn a_user_without_password_or_name_and_one_beside_a_header() {
    for (text, expected) in [
        ("http://u@a.test/", "Basic dTo="),
        ("http://:p@a.test/", "Basic OnA="),
    ] {
        let world = World::new(Options::new(url(text), Policy::standard()), []);
        assert_eq!(world.requests[0].headers["authorization"], expected);
        assert_eq!(world.requests[0].url.as_str(), URL);
    }
    let mut options = Options::new(url("http://u@a.test/"), Policy::standard());
    options
        .headers
        .insert("authorization", HeaderValue::from_static("Bearer x"));
    let world = World::new(options, []);
    assert_eq!(world.requests[0].headers["authorization"], "Bearer x");
}

#[test]
fn d10_a_location_names_a_user_for_its_own_origin_only() {
    let same = redirected(standard(), 302, "http://u:p@a.test/x");
    assert_eq!(same.headers["authorization"], "Basic dTpw");
    assert_eq!(same.url.as_str(), "http://a.test/x");
    check_location(URL, "http://u:p@b.test/", Err(INVALID));
    check_location(URL, "http://u@b.test/", Err(INVALID));
}

#[test]
fn r7_a_hook_s_request_is_what_redirects_follow_from() {
    fn hook(request: &mut Request) {
        request
            .headers
            .insert("authorization", HeaderValue::from_static("Bearer fresh"));
        request.url = url("http://c.test/x/y");
    }
    let server = [
        redirect(302, "z"),
        redirect(302, "http://b.test/"),
        stream().send("data\n\n").end(),
    ];
    let mut world = World::with_hook(standard(), server, Some(hook));
    world.run();
    let seen: Vec<(&str, bool)> = world
        .requests
        .iter()
        .map(|r| (r.url.as_str(), r.headers.contains_key("authorization")))
        .collect();
    assert_eq!(
        seen,
        [
            ("http://c.test/x/y", true),
            ("http://c.test/x/z", true),
            ("http://b.test/", false),
            ("http://c.test/x/y", true),
        ]
    );
}

#[test]
fn the_user_of_a_hook_s_url_goes_into_a_header() {
    fn hook(request: &mut Request) {
        request.url = url("http://u:p@c.test/x#f");
    }
    let server = [redirect(302, "/y"), stream().send("data\n\n").end()];
    let mut world = World::with_hook(standard(), server, Some(hook));
    world.run();
    let urls: Vec<&str> = world.requests.iter().map(|r| r.url.as_str()).collect();
    let expected = ["http://c.test/x", "http://c.test/y", "http://c.test/x"];
    assert_eq!(urls, expected);
    for request in &world.requests {
        assert_eq!(request.headers["authorization"], "Basic dTpw");
    }
}
