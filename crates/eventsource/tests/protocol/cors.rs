//! What a page may do: R1, R3, R8, R9. The page is at http://page.test.

use crate::world::*;
use http::HeaderValue;
use tidings_eventsource::protocol::{Cors, Credentials, Options, Policy, State};

const PAGE: &str = "http://page.test";
const OTHER: &str = "http://other.test/";
const THIRD: &str = "http://third.test/";
const DENIED: &str = "0 failed: the server doesn't allow this origin to read its response";

fn page(to: &str, credentials: Credentials) -> Options {
    let mut options = Options::new(url(to), Policy::standard());
    options.cors = Some(Cors {
        origin: url(PAGE).origin(),
        credentials,
    });
    options
}

fn same(to: &str) -> Options {
    page(to, Credentials::SameOrigin)
}

fn include(to: &str) -> Options {
    page(to, Credentials::Include)
}

/// The `Origin` and the cookies of each request, and where it ended.
#[track_caller]
fn check_chain(
    options: Options,
    server: impl IntoIterator<Item = Answer>,
    expected: &[(Option<&str>, bool)],
    end: &str,
) {
    let mut world = World::new(options, server);
    world.run();
    let seen: Vec<(Option<&str>, bool)> = world
        .requests
        .iter()
        .map(|r| {
            (
                r.headers.get("origin").map(|o| o.to_str().unwrap()),
                r.cookies,
            )
        })
        .collect();
    assert_eq!(seen, expected);
    assert_eq!(world.trace.last().unwrap(), end);
}

fn allowing(answer: Answer, origin: &str) -> Answer {
    answer.header("access-control-allow-origin", origin)
}

fn allowing_credentials(answer: Answer, origin: &str) -> Answer {
    allowing(answer, origin).header("access-control-allow-credentials", "true")
}

#[test]
fn r1_r8_to_its_own_origin_a_page_needs_nobody_s_leave() {
    for options in [same("http://page.test/x"), include("http://page.test:80/x")] {
        check_chain(
            options,
            [stream()],
            &[(None, true)],
            "0 open http://page.test/x",
        );
    }
}

#[test]
fn r3_a_page_sends_pragma_too() {
    let world = World::new(same("http://page.test/"), []);
    let headers = &world.requests[0].headers;
    assert_eq!(headers["pragma"], "no-cache");
    assert_eq!(headers["cache-control"], "no-cache");
    assert_eq!(headers["accept"], "text/event-stream");
    assert_eq!(headers.len(), 3);
}

#[test]
fn r9_another_origin_must_allow_the_page() {
    let opened = "0 open http://other.test/";
    for (value, end) in [
        (Some("*"), opened),
        (Some(PAGE), opened),
        (Some(" http://page.test "), opened),
        (None, DENIED),
        (Some(""), DENIED),
        (Some("null"), DENIED),
        (Some("http://page.test/"), DENIED),
        (Some("http://PAGE.test"), DENIED),
        (Some("https://page.test"), DENIED),
        (Some("http://page.test:80"), DENIED),
        (Some("http://page.test, http://page.test"), DENIED),
        (Some("http://evil.test"), DENIED),
    ] {
        let answer = match value {
            Some(value) => allowing(stream(), value),
            None => stream(),
        };
        check_chain(same(OTHER), [answer], &[(Some(PAGE), false)], end);
    }
    let twice = allowing(allowing(stream(), PAGE), PAGE);
    check_chain(same(OTHER), [twice], &[(Some(PAGE), false)], DENIED);
}

#[test]
fn r9_with_credentials_it_must_allow_those_too_and_by_name() {
    for (answer, end) in [
        (
            allowing_credentials(stream(), PAGE),
            "0 open http://other.test/",
        ),
        (allowing(stream(), PAGE), DENIED),
        (allowing_credentials(stream(), "*"), DENIED),
        (
            allowing(stream(), PAGE).header("access-control-allow-credentials", "TRUE"),
            DENIED,
        ),
        (
            allowing(stream(), PAGE).header("access-control-allow-credentials", "yes"),
            DENIED,
        ),
    ] {
        check_chain(include(OTHER), [answer], &[(Some(PAGE), true)], end);
    }
}

#[test]
fn r9_a_page_that_is_not_allowed_is_closed_whatever_the_status() {
    for answer in [status(503), status(204), status(200), redirect(302, PAGE)] {
        let mut world = World::new(same(OTHER), [answer]);
        assert_eq!(world.run().trace.last().unwrap(), DENIED);
        assert_eq!(world.machine.state(), State::Closed);
    }
}

#[test]
fn r9_each_redirect_across_origins_must_allow_the_page() {
    let away = || redirect(302, OTHER);
    // From its own origin away: the page's own redirect needs no leave.
    check_chain(
        same("http://page.test/"),
        [away(), allowing(stream(), PAGE)],
        &[(None, true), (Some(PAGE), false)],
        "0 open http://other.test/",
    );
    // Within the other origin: both must allow, and the page has its name still.
    check_chain(
        same(OTHER),
        [
            allowing(redirect(302, "/x"), PAGE),
            allowing(stream(), PAGE),
        ],
        &[(Some(PAGE), false), (Some(PAGE), false)],
        "0 open http://other.test/x",
    );
    check_chain(
        same(OTHER),
        [redirect(302, "/x"), stream()],
        &[(Some(PAGE), false)],
        DENIED,
    );
}

#[test]
fn r9_from_one_foreign_origin_to_another_a_page_has_no_name() {
    let onward = |to| allowing(redirect(302, to), PAGE);
    for (allowed, end) in [
        ("null", "0 open http://third.test/"),
        ("*", "0 open http://third.test/"),
        (PAGE, DENIED),
    ] {
        check_chain(
            same(OTHER),
            [onward(THIRD), allowing(stream(), allowed)],
            &[(Some(PAGE), false), (Some("null"), false)],
            end,
        );
    }
    // And it gets none again within the third.
    check_chain(
        same(OTHER),
        [
            onward(THIRD),
            allowing(redirect(302, "/x"), "*"),
            allowing(stream(), "null"),
        ],
        &[
            (Some(PAGE), false),
            (Some("null"), false),
            (Some("null"), false),
        ],
        "0 open http://third.test/x",
    );
    // Back to the page's own origin: it is asked like any other, without cookies.
    check_chain(
        same(OTHER),
        [onward("http://page.test/"), allowing(stream(), "null")],
        &[(Some(PAGE), false), (Some("null"), false)],
        "0 open http://page.test/",
    );
    check_chain(
        same("http://page.test/"),
        [redirect(302, OTHER), onward("http://page.test/"), stream()],
        &[(None, true), (Some(PAGE), false), (Some("null"), false)],
        DENIED,
    );
    check_chain(
        include(OTHER),
        [
            allowing_credentials(redirect(302, THIRD), PAGE),
            allowing_credentials(stream(), "null"),
        ],
        &[(Some(PAGE), true), (Some("null"), true)],
        "0 open http://third.test/",
    );
}

#[test]
fn r9_the_next_attempt_has_its_name_again() {
    let mut world = World::new(
        same(OTHER),
        [
            allowing(redirect(302, THIRD), PAGE),
            allowing(stream().send("data\n\n"), "null").end(),
        ],
    );
    world.run();
    assert_eq!(world.requests[2].headers["origin"], PAGE);
    assert_eq!(world.requests[2].url.as_str(), OTHER);
}

#[test]
fn r1_a_user_in_the_url_is_a_credential() {
    let world = World::new(same("http://u:p@other.test/"), []);
    assert!(!world.requests[0].headers.contains_key("authorization"));
    for options in [
        same("http://u:p@page.test/"),
        include("http://u:p@other.test/"),
    ] {
        let world = World::new(options, []);
        assert_eq!(world.requests[0].headers["authorization"], "Basic dTpw");
        assert_eq!(world.requests[0].url.username(), "");
    }
}

#[test]
fn r7_a_foreign_origin_can_not_make_a_page_log_in() {
    let refused = "0 failed: a redirect can't be followed: \
                   its location is not a URL that may be followed";
    let to_itself = allowing(redirect(302, "http://u:p@other.test/"), PAGE);
    check_chain(same(OTHER), [to_itself], &[(Some(PAGE), false)], refused);
}

#[test]
fn r9_a_page_names_no_other_origin_than_its_own() {
    let mut options = same("http://page.test/");
    options
        .headers
        .insert("origin", HeaderValue::from_static("http://evil.test"));
    check_chain(
        options,
        [redirect(302, OTHER), allowing(stream(), PAGE)],
        &[(None, true), (Some(PAGE), false)],
        "0 open http://other.test/",
    );
}

#[test]
fn r8_a_backend_sends_cookies_everywhere_and_needs_no_leave() {
    let server = [redirect(302, OTHER), stream()];
    check_chain(
        standard(),
        server,
        &[(None, true), (None, true)],
        "0 open http://other.test/",
    );
}

#[test]
fn r9_a_page_of_no_origin_is_null() {
    let mut options = same(OTHER);
    options.cors.as_mut().unwrap().origin = url("about:blank").origin();
    check_chain(
        options,
        [allowing(stream(), "null")],
        &[(Some("null"), false)],
        "0 open http://other.test/",
    );
}
