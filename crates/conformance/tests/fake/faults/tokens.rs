//! Tokens.

use super::*;

pub const FAULTS: &[Fault] = &[
    ("auth-1", "anybody publishes", Request(anybody)),
    (
        "auth-2",
        "the header is not read",
        Request(|asked| drop_header(asked, "authorization")),
    ),
    (
        "auth-3",
        "cookies are not read",
        Request(|asked| drop_header(asked, "cookie")),
    ),
    (
        "auth-4",
        "cookies are not read",
        Request(|asked| drop_header(asked, "cookie")),
    ),
    (
        "auth-5",
        "the query is not read",
        Request(|asked| {
            asked.path = asked.path.replace("authorization=", "other=");
        }),
    ),
    (
        "auth-6",
        "the cookie goes first",
        Request(|asked| {
            if asked.header("cookie").is_some() {
                drop_header(asked, "authorization");
            }
        }),
    ),
    (
        "auth-7",
        "any page publishes",
        Request(|asked| {
            drop_header(asked, "origin");
            asked.headers.push(("origin".into(), crate::ORIGIN.into()));
        }),
    ),
    (
        "auth-7",
        "no Origin is a good one",
        Request(|asked| {
            if asked.header("origin").is_none() {
                asked.headers.push(("origin".into(), crate::ORIGIN.into()));
            }
        }),
    ),
    ("auth-8", "any token will do", Request(any_token)),
    ("auth-9", "any token will do", Request(any_token)),
    ("auth-10", "any token will do", Request(any_token)),
    ("auth-11", "any token will do", Request(any_token)),
    ("auth-12", "any token will do", Request(any_token)),
    ("auth-13", "any token will do", Request(any_token)),
    (
        "auth-13",
        "it asks where the token says",
        Request(ask_for_keys),
    ),
    ("auth-14", "any token will do", Request(any_token)),
    (
        "auth-14",
        "no word of RFC 6750",
        Answer(|_, reply| reply.set("www-authenticate", None)),
    ),
    (
        "auth-15",
        "sub is asked for",
        Request(|asked| without_claim(asked, "sub")),
    ),
    ("auth-16", "any token will do", Request(any_token)),
    ("auth-17", "any token will do", Request(any_token)),
    (
        "auth-17",
        "future actions are refused",
        Request(|asked| {
            if claims_of(asked).contains("future") {
                drop_header(asked, "authorization");
            }
        }),
    ),
    ("auth-18", "any token will do", Request(any_token)),
    (
        "auth-19",
        "one topic is enough",
        Request(|asked| {
            edit_form(asked, |q| {
                if q.iter().filter(|(n, _)| n == "topic").count() > 1 {
                    q.remove(1);
                }
            });
        }),
    ),
    ("auth-20", "any token will do", Request(any_token)),
    (
        "auth-20",
        "no word of RFC 6750",
        Answer(|_, reply| reply.set("www-authenticate", None)),
    ),
    ("auth-21", "any token will do", Request(any_token)),
    ("auth-22", "private is public", Request(no_privacy)),
    ("auth-22", "alternates grant nothing", Request(one_topic)),
    ("auth-23", "private is public", Request(no_privacy)),
    (
        "auth-24",
        "403 for nobody",
        Answer(|_, reply| reply.status = 403),
    ),
    ("auth-25", "streams outlive tokens", Hub(Switch::Immortal)),
    (
        "auth-26",
        "no word of RFC 9728",
        Answer(|_, reply| reply.set("www-authenticate", Some("Bearer"))),
    ),
    (
        "auth-27",
        "each reason its word",
        Answer(|asked, reply| {
            if claims_of(asked).is_empty() {
                reply.set("www-authenticate", Some("Bearer error=\"invalid_request\""));
            }
        }),
    ),
    (
        "auth-28",
        "the last header counts",
        Request(|asked| {
            let last = asked
                .headers
                .iter()
                .rposition(|(n, _)| n == "authorization");
            let last = last.map(|at| asked.headers[at].clone());
            drop_header(asked, "authorization");
            asked.headers.extend(last);
        }),
    ),
    (
        "auth-29",
        "404 at other hosts",
        Answer(|asked, reply| {
            if asked
                .header("host")
                .is_some_and(|host| host == "other.example")
            {
                *reply = Reply {
                    status: 404,
                    headers: Vec::new(),
                    body: String::new(),
                };
            }
        }),
    ),
];
