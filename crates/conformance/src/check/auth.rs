//! Where a token stands, and what is answered without a good one.

use super::Checks;
use super::claims::{accepts, refuses};
use crate::context::{Context, form, is_one_of};
use crate::outcome::{Checked, ensure, skip};
use crate::rules::Dialect;
use crate::stream::{Stream, shown};
use crate::target::Request;
use crate::token::{Action, now};
use tidings_testkit::Answer;

pub const CHECKS: Checks = &[
    ("auth-1", auth_1_none),
    ("auth-2", auth_2_header),
    ("auth-3", cookie),
    ("auth-4", cookie),
    ("auth-5", auth_5_query),
    ("auth-6", auth_6_header_first),
    ("auth-7", auth_7_pages),
    ("auth-24", auth_24_closed),
    ("auth-25", auth_25_the_end),
    ("auth-26", auth_26_where_metadata_is),
    ("auth-27", auth_27_one_answer),
    ("auth-28", auth_28_two_headers),
    ("auth-29", auth_29_other_host),
];

fn auth_1_none(cx: &Context<'_>) -> Checked {
    is_one_of("no token", &cx.post_as(None, &[&cx.url()])?, &[401])
}

fn auth_2_header(cx: &Context<'_>) -> Checked {
    cx.event(&cx.url()).map(|_| ())
}

fn cookie(cx: &Context<'_>) -> Checked {
    let topic = cx.url();
    let token = subscriber(cx, &topic)?;
    let request = Request::get(cx.query(&[&topic]));
    let request = request.header("Cookie", format!("{}={token}", cx.cookie()));
    shows_private(cx, Stream::open(cx.target, &request)?, &topic)
}

fn auth_5_query(cx: &Context<'_>) -> Checked {
    let topic = cx.url();
    let token = subscriber(cx, &topic)?;
    let query = form([(cx.name(), topic.as_str()), ("authorization", &token)]);
    match Stream::ask(cx.target, &Request::get(query))? {
        Ok(stream) => shows_private(cx, stream, &topic),
        Err(answer) => {
            is_one_of("?authorization=", &answer, &[400, 401, 403])?;
            skip(format!("?authorization= is off ({})", answer.status))
        }
    }
}

fn auth_6_header_first(cx: &Context<'_>) -> Checked {
    let topic = cx.url();
    let other = cx.token(Action::Subscribe, &[&cx.url()])?;
    let granted = cx.token(Action::Subscribe, &[&topic])?;
    let request = Request::get(cx.query(&[&topic]))
        .bearer(Some(&other))
        .header("Cookie", format!("{}={granted}", cx.cookie()));
    let mut stream = Stream::open(cx.target, &request)?;
    cx.private(&topic)?;
    let fence = cx.event(&topic)?;
    stream.exactly(&[], &fence)
}

fn auth_7_pages(cx: &Context<'_>) -> Checked {
    let token = cx.whole(Action::Publish)?;
    let post = Request::post(form([("topic", cx.url().as_str()), ("data", "x")]));
    let post = post.header("Cookie", format!("{}={token}", cx.cookie()));
    for origin in [Some("https://evil.example"), None, Some("null")] {
        let request = match origin {
            Some(origin) => post.clone().header("Origin", origin),
            None => post.clone(),
        };
        let answer = cx.target.request(&request)?;
        is_one_of(&format!("a cookie from {origin:?}"), &answer, &[401, 403])?;
    }
    let referred = post.header("Referer", "https://evil.example/page");
    let answer = cx.target.request(&referred)?;
    is_one_of("a cookie and a Referer elsewhere", &answer, &[401, 403])
}

fn auth_24_closed(cx: &Context<'_>) -> Checked {
    match Stream::ask(cx.target, &Request::get(cx.query(&[&cx.url()])))? {
        Ok(_) => skip("the hub is open to anonymous subscribers"),
        Err(answer) => is_one_of("a subscription without a token", &answer, &[401]),
    }
}

fn auth_25_the_end(cx: &Context<'_>) -> Checked {
    const SECONDS: u64 = 2;
    let topic = cx.url();
    let key = cx.key(Action::Subscribe)?;
    let token = cx
        .granting(Action::Subscribe, &[&topic])
        .claim("exp", (now() + SECONDS).into())
        .sign(key);
    let mut stream = cx.watch_as(Some(&token), &[&topic])?;
    let private = cx.private(&topic)?;
    stream.exactly(&[], &private)?;
    stream.ends()
}

fn auth_26_where_metadata_is(cx: &Context<'_>) -> Checked {
    let answer = cx.post_as(None, &[&cx.url()])?;
    is_one_of("no token", &answer, &[401])?;
    let challenge = answer.headers("www-authenticate");
    let holds = challenge.starts_with("Bearer")
        && challenge.contains("resource_metadata=\"")
        && !challenge.contains("error=");
    ensure(holds, || format!("WWW-Authenticate is {challenge:?}"))
}

fn auth_27_one_answer(cx: &Context<'_>) -> Checked {
    let key = cx.key(Action::Publish)?;
    let draft = cx.granting(Action::Publish, &["*"]);
    let expired = draft.clone().claim("exp", (now() - 3600).into());
    let mut answers = Vec::new();
    for token in [
        &draft.sign("another secret, as long as it should be"),
        &expired.sign(key),
        "rubbish",
        "a.b.c",
    ] {
        let answer = refuses(cx, token, &[401])?;
        answers.push((answer.status, answer.headers("www-authenticate")));
    }
    let invalid = answers[0].1.contains(r#"error="invalid_token""#);
    ensure(
        invalid && answers.iter().all(|answer| *answer == answers[0]),
        || format!("{answers:?}"),
    )
}

fn auth_28_two_headers(cx: &Context<'_>) -> Checked {
    let token = cx.whole(Action::Publish)?;
    let post = Request::post(form([("topic", cx.url().as_str()), ("data", "x")]));
    let twice = post.bearer(Some(&token)).bearer(Some(&token));
    let answer = cx.target.request(&twice)?;
    is_one_of("two Authorization headers", &answer, &[400])?;
    let challenge = answer.headers("www-authenticate");
    ensure(
        challenge.is_empty() || challenge.contains("invalid_request"),
        || format!("WWW-Authenticate is {challenge:?}"),
    )
}

fn auth_29_other_host(cx: &Context<'_>) -> Checked {
    let request = cx.get(cx.query(&[&cx.url()]))?;
    let request = request.header("Host", "other.example");
    let answer = cx.target.request(&request)?;
    match answer.status {
        200 => skip("another Host is taken"),
        _ => is_one_of("another Host", &answer, &[421]),
    }
}

/// A token for a private topic; where none can be made, the one for everything.
fn subscriber(cx: &Context<'_>, topic: &str) -> Checked<String> {
    match cx.key(Action::Subscribe) {
        Ok(_) => cx.token(Action::Subscribe, &[topic]),
        Err(_) => cx.whole(Action::Subscribe),
    }
}

/// A private event on a topic is seen.
fn shows_private(cx: &Context<'_>, mut stream: Stream, topic: &str) -> Checked {
    let private = cx.private(topic)?;
    let fence = cx.event(topic)?;
    stream.exactly(&[&private], &fence)
}

/// What a refusal says is wrong, in the words of RFC 6750.
pub fn says(answer: &Answer, error: &str) -> Checked {
    let challenge = answer.headers("www-authenticate");
    ensure(challenge.contains(&format!("error=\"{error}\"")), || {
        format!("{}, and WWW-Authenticate is {challenge:?}", shown(answer))
    })
}

/// The statuses that say that a good token doesn't grant what was asked.
pub fn not_granted(dialect: Dialect) -> &'static [u16] {
    match dialect {
        Dialect::V0 => &[401, 403],
        Dialect::V1 => &[403],
    }
}

/// A token for everything, signed as it should be, is taken: what is refused
/// beside it is refused for what is different about it.
pub fn takes_good_tokens(cx: &Context<'_>) -> Checked {
    let key = cx.key(Action::Publish)?;
    accepts(cx, &cx.granting(Action::Publish, &["*"]).sign(key))
}
