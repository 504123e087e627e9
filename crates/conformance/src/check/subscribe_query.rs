//! How a subscription is asked for, and what is refused.

use super::Checks;
use super::subscribe::to_one_topic;
use crate::context::{Context, form, is_one_of};
use crate::outcome::{Checked, ensure, skip};
use crate::stream::{Stream, shown};
use crate::target::{FORM, Request};

pub const CHECKS: Checks = &[
    ("subscribe-12", subscribe_12_names),
    ("subscribe-13", subscribe_13_values),
    ("subscribe-14", subscribe_14_malformed),
    ("subscribe-15", subscribe_15_bounds),
    ("subscribe-17", subscribe_17_too_many),
    ("subscribe-18", subscribe_18_case),
    ("subscribe-21", subscribe_21_query),
    ("subscribe-22", subscribe_22_type),
    ("subscribe-23", subscribe_23_accept),
];

/// What a hub answers to a request line or a head that is too long for it.
const TOO_LONG: [u16; 4] = [400, 413, 414, 431];

fn subscribe_12_names(cx: &Context<'_>) -> Checked {
    for name in ["match_regexp", "Match", "MATCH_EXACT", "matches"] {
        cx.refuses(&form([("match", "a"), (name, "b")]), &[400])?;
    }
    Ok(())
}

fn subscribe_13_values(cx: &Context<'_>) -> Checked {
    for bytes in ["%00", "%0A", "%7F", "%C2%85", "%E2%80%8D", "%FF"] {
        for name in ["match", "match_exact", "match_urlpattern"] {
            cx.refuses(&format!("{name}=a{bytes}b"), &[400])?;
        }
    }
    Ok(())
}

fn subscribe_14_malformed(cx: &Context<'_>) -> Checked {
    let answer = cx.refuses(&form([("match_urlpattern", "/(")]), &[400])?;
    let text = answer.text().to_lowercase();
    ensure(
        !text.contains("regex") && !text.contains("position"),
        || format!("the compiler's words are shown: {}", shown(&answer)),
    )
}

fn subscribe_15_bounds(cx: &Context<'_>) -> Checked {
    let topics: Vec<String> = (0..1_001).map(|n| format!("t{n}")).collect();
    let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
    cx.refuses(&cx.query(&topics), &TOO_LONG)?;
    cx.refuses(&cx.query(&[&"a".repeat(100 << 10)]), &TOO_LONG)?;
    Ok(())
}

fn subscribe_17_too_many(cx: &Context<'_>) -> Checked {
    const MOST: usize = 256;
    let request = to_one_topic(cx)?.header("Accept", "application/json");
    let mut open = Vec::new();
    for _ in 0..MOST {
        match Stream::ask(cx.target, &request)? {
            Ok(stream) => open.push(stream),
            Err(answer) if answer.status == 406 => {
                return skip("who leaves text/event-stream out is answered 406");
            }
            Err(answer) => return is_one_of("one stream more", &answer, &[429]),
        }
    }
    skip(format!("{MOST} connections of one subscriber are taken"))
}

fn subscribe_18_case(cx: &Context<'_>) -> Checked {
    let (a, b) = (cx.url(), cx.url());
    let mut stream = cx.watch(form([
        ("match", a.as_str()),
        ("Topic", &b),
        ("anything", "c"),
    ]))?;
    cx.event(&b)?;
    let fence = cx.event(&a)?;
    stream.exactly(&[], &fence)
}

fn subscribe_21_query(cx: &Context<'_>) -> Checked {
    let (a, b) = (cx.url(), cx.url());
    let request = query(cx, &cx.query(&[&a]), &cx.query(&[&b]))?;
    let mut stream = Stream::open(cx.target, &request)?;
    let of_a = cx.event(&a)?;
    let of_b = cx.event(&b)?;
    stream.exactly(&[&of_a], &of_b)
}

fn subscribe_22_type(cx: &Context<'_>) -> Checked {
    let body = cx.query(&[&cx.url()]);
    for (media_type, status) in [
        (None, 400),
        (Some("nonsense"), 400),
        (Some("application/json"), 415),
    ] {
        let mut request = query(cx, "", &body)?.without("Content-Type");
        if let Some(media_type) = media_type {
            request = request.header("Content-Type", media_type);
        }
        let answer = cx.target.request(&request)?;
        is_one_of(&format!("QUERY as {media_type:?}"), &answer, &[status])?;
    }
    Ok(())
}

fn subscribe_23_accept(cx: &Context<'_>) -> Checked {
    let body = cx.query(&[&cx.url()]);
    let request = query(cx, "", &body)?.header("Accept", "application/xml");
    let answer = cx.target.request(&request)?;
    is_one_of("QUERY with Accept: application/xml", &answer, &[406])
}

/// A QUERY, where the hub takes them at all.
pub fn query(cx: &Context<'_>, query: &str, body: &str) -> Checked<Request> {
    let probe = as_query(cx.get("")?, &cx.query(&[&cx.url()]));
    if cx.target.request(&probe)?.status == 405 {
        return skip("QUERY is answered 405");
    }
    Ok(as_query(cx.get(query)?, body))
}

fn as_query(request: Request, body: &str) -> Request {
    request
        .method("QUERY")
        .header("Content-Type", FORM)
        .body(body)
}
