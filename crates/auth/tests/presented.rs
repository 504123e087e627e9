//! Where a request carries its token, and where it comes from.

use tidings_auth::presented::{Options, Parts, Presented};
use tidings_auth::{Refusal, origin};

fn bearer(token: &str) -> Presented {
    Presented::Bearer(token.to_owned())
}

fn cookie(token: &str) -> Presented {
    Presented::Cookie(token.to_owned())
}

#[track_caller]
fn check(
    authorization: &[&str],
    cookies: &[&str],
    query: &str,
    options: &Options,
    expected: Result<Presented, Refusal>,
) {
    let bytes = |values: &[&'static str]| -> Vec<&'static [u8]> {
        values.iter().map(|value| value.as_bytes()).collect()
    };
    // Leaked: the tables of tests are literals anyway.
    let leak = |values: &[&str]| -> Vec<&'static str> {
        values
            .iter()
            .map(|value| &*value.to_string().leak())
            .collect()
    };
    let parts = Parts {
        authorization: &bytes(&leak(authorization)),
        cookie: &bytes(&leak(cookies)),
        query,
    };
    let found = Presented::find(parts, options);
    assert_eq!(found, expected, "{authorization:?} {cookies:?} {query:?}");
}

#[test]
fn b18_authorization() {
    let options = Options::default();
    for (values, expected) in [
        (&[][..], Ok(Presented::Nothing)),
        (&["Bearer a.b.c"], Ok(bearer("a.b.c"))),
        (&["bearer a.b.c"], Ok(bearer("a.b.c"))),
        (&["BEARER  a.b.c"], Ok(bearer("a.b.c"))),
        (&["Bearer a.b.c", "Bearer a.b.c"], Err(Refusal::Ambiguous)),
        (&["Bearer a.b.c", "Bearer d"], Err(Refusal::Ambiguous)),
        (&["Bearer\ta.b.c"], Err(Refusal::Scheme)),
        (&["Bearer \ta.b.c"], Err(Refusal::Scheme)),
        (&["Bearer a.b.c "], Err(Refusal::Scheme)),
        (&["Bearer a.b.c, Bearer d"], Err(Refusal::Scheme)),
        (&["Bearer"], Err(Refusal::Scheme)),
        (&["Bearer "], Err(Refusal::Scheme)),
        (&[""], Err(Refusal::Scheme)),
        (&["Basic YTpi"], Err(Refusal::Scheme)),
        (&["a.b.c"], Err(Refusal::Scheme)),
        (&["Bearer \u{fc}"], Err(Refusal::Scheme)),
    ] {
        check(values, &[], "", &options, expected);
    }
    let parts = Parts {
        authorization: &[b"Bearer \xff"],
        ..Parts::default()
    };
    assert_eq!(Presented::find(parts, &options), Err(Refusal::Scheme));
}

#[test]
fn cookies() {
    let options = Options::default();
    for (values, expected) in [
        (&["mercureAuthorization=a.b.c"][..], Ok(cookie("a.b.c"))),
        (
            &["x=1; mercureAuthorization=a.b.c; y=2"],
            Ok(cookie("a.b.c")),
        ),
        (&["x=1", "mercureAuthorization=a.b.c"], Ok(cookie("a.b.c"))),
        (&["__Secure-mercure_access_token=t"], Ok(cookie("t"))),
        (
            &["mercureAuthorization=a;mercureAuthorization=a"],
            Ok(cookie("a")),
        ),
        (
            &["mercureAuthorization=a; mercureAuthorization=b"],
            Err(Refusal::Ambiguous),
        ),
        (
            &["mercureAuthorization=a", "mercureAuthorization=b"],
            Err(Refusal::Ambiguous),
        ),
        // An empty one is a token that isn't good, not nobody.
        (&["mercureAuthorization="], Ok(cookie(""))),
        (&["mercureAuthorization"], Ok(cookie(""))),
        (
            &["xmercureAuthorization=a; MercureAuthorization=b"],
            Ok(Presented::Nothing),
        ),
    ] {
        check(&[], values, "", &options, expected);
    }
    let own = Options {
        cookies: vec!["own".to_owned()],
        ..Options::default()
    };
    check(
        &[],
        &["own=a; mercureAuthorization=b"],
        "",
        &own,
        Ok(cookie("a")),
    );
    check(
        &[],
        &["mercureAuthorization=b"],
        "",
        &own,
        Ok(Presented::Nothing),
    );
}

#[test]
fn the_query() {
    let strict = Options::default();
    let legacy = Options {
        query_token: true,
        ..Options::default()
    };
    let query = |token: &str| Presented::Query(token.to_owned());
    let ticket = |text: &str| Presented::Ticket(text.to_owned());
    for (text, options, expected) in [
        ("topic=a&ticket=xyz", &strict, Ok(ticket("xyz"))),
        ("ticket=x&ticket=x", &strict, Ok(ticket("x"))),
        ("ticket=x&ticket=y", &strict, Err(Refusal::Ambiguous)),
        ("authorization=a.b.c", &strict, Err(Refusal::QueryToken)),
        ("%61uthorization=a.b.c", &strict, Err(Refusal::QueryToken)),
        ("authorization=", &strict, Err(Refusal::QueryToken)),
        ("authorization=a.b.c", &legacy, Ok(query("a.b.c"))),
        (
            "authorization=a&authorization=b",
            &legacy,
            Err(Refusal::Ambiguous),
        ),
        ("authorization=a&ticket=a", &legacy, Err(Refusal::Ambiguous)),
        ("Authorization=a", &legacy, Ok(Presented::Nothing)),
        ("topic=ticket", &strict, Ok(Presented::Nothing)),
    ] {
        check(&[], &[], text, options, expected);
    }
}

#[test]
fn a14_what_a_page_has_chosen_goes_before_a_cookie_and_nothing_else_differs() {
    let options = Options {
        query_token: true,
        ..Options::default()
    };
    let (a, of_a, of_b) = (
        ["Bearer a"],
        ["mercureAuthorization=a"],
        ["mercureAuthorization=b"],
    );
    let refused = || Err(Refusal::Ambiguous);
    let query = |token: &str| Ok(Presented::Query(token.to_owned()));
    let ticket = |text: &str| Ok(Presented::Ticket(text.to_owned()));
    for (authorization, cookies, text, expected) in [
        (&a[..], &of_a[..], "", Ok(bearer("a"))),
        (&a, &of_b, "", Ok(bearer("a"))),
        (&a, &[], "authorization=a", Ok(bearer("a"))),
        (&a, &[], "authorization=b", refused()),
        (&a, &of_a, "authorization=b", refused()),
        (&a, &[], "ticket=a", refused()),
        (&[], &of_b, "authorization=a", query("a")),
        (&[], &of_b, "ticket=t", ticket("t")),
        (&["Basic x"], &of_a, "", Err(Refusal::Scheme)),
    ] {
        check(authorization, cookies, text, &options, expected);
    }
}

#[test]
fn debug_shows_no_token() {
    for presented in [
        bearer("canary"),
        cookie("canary"),
        Presented::Ticket("canary".into()),
    ] {
        assert!(!format!("{presented:?}").contains("canary"));
    }
}

#[test]
fn b20_a_request_with_a_cookie_comes_from_a_known_page() {
    let own = "https://hub.example";
    let allowed = [
        "https://app.example".to_owned(),
        "http://localhost:3000".to_owned(),
    ];
    let refused = Err(Refusal::CrossSite);
    for (origins, referers, expected) in [
        (&["https://hub.example"][..], &[][..], Ok(())),
        (&["https://app.example"], &[], Ok(())),
        (&["http://localhost:3000"], &[], Ok(())),
        (&["https://app.example"], &["https://evil.example/"], Ok(())),
        (&[], &["https://app.example/page?x=1"], Ok(())),
        (&[], &["https://hub.example"], Ok(())),
        (&[], &[], refused),
        (&["null"], &[], refused),
        (&[""], &[], refused),
        (&["null"], &["https://app.example/"], refused),
        (
            &["https://evil.example"],
            &["https://app.example/"],
            refused,
        ),
        (
            &["https://app.example", "https://app.example"],
            &[],
            refused,
        ),
        (&["https://app.example/"], &[], refused),
        (&["https://app.example:443"], &[], refused),
        (&["HTTPS://app.example"], &[], refused),
        (&["http://app.example"], &[], refused),
        (&["http://localhost:3001"], &[], refused),
        (&["https://app.example.evil.example"], &[], refused),
        (&[], &["https://app.example@evil.example/"], refused),
        (&[], &["https://evil.example/?https://app.example"], refused),
        (&[], &["app.example"], refused),
        (&[], &["about:blank"], refused),
        (&[], &["data:text/html,x"], refused),
        (
            &[],
            &["https://app.example/", "https://app.example/"],
            refused,
        ),
    ] {
        let bytes = |values: &[&'static str]| -> Vec<&'static [u8]> {
            values.iter().map(|value| value.as_bytes()).collect()
        };
        let checked = origin::check(&bytes(origins), &bytes(referers), own, &allowed);
        assert_eq!(checked, expected, "{origins:?} {referers:?}");
    }
    // Not even if somebody lists it.
    let null = ["null".to_owned()];
    assert_eq!(origin::check(&[b"null"], &[], own, &null), refused);
    assert_eq!(
        origin::check(&[b"https://hub.example\xff"], &[], own, &null),
        refused
    );
}
