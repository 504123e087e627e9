//! The subscription API.

use super::Checks;
use super::auth::not_granted;
use super::presence::{encoded, has_api, has_members, word};
use crate::context::{Context, form, is_one_of};
use crate::outcome::{Checked, ensure, fail};
use crate::rules::Dialect;
use crate::stream::shown;
use crate::target::Request;
use crate::token::Action;
use serde_json::Value;
use std::time::{Duration, Instant};
use tidings_testkit::Answer;

pub const CHECKS: Checks = &[
    ("presence-8", documents),
    ("presence-9", documents),
    ("presence-10", presence_10_last_event_id),
    ("presence-11", presence_11_link),
    ("presence-12", presence_12_grants),
    ("presence-13", presence_13_not_there),
    ("presence-17", presence_17_revalidated),
];

fn documents(cx: &Context<'_>) -> Checked {
    has_api(cx)?;
    let topic = cx.url();
    let _stream = cx.watch_topics(&[&topic])?;
    let found = wait_for(cx, &topic)?;
    has_members(cx, &found, &topic)?;
    let all = cx.below("/subscriptions");
    let one = found["id"].as_str().unwrap_or_default().to_owned();
    let of_topic = match cx.dialect {
        Dialect::V0 => format!("{all}/{}", encoded(&topic)),
        Dialect::V1 => format!("{all}/exact/{}", encoded(&topic)),
    };
    let media_type = match cx.dialect {
        Dialect::V0 => "application/ld+json",
        Dialect::V1 => "application/json",
    };
    for path in [&all, &of_topic, &one] {
        // With no more than a grant for this path, where that can be had.
        let token = match cx.key(Action::Subscribe) {
            Ok(_) => cx.token(Action::Subscribe, &[path])?,
            Err(_) => cx.whole(Action::Subscribe)?,
        };
        let answer = ask(cx, path, Some(&token))?;
        is_one_of(path, &answer, &[200])?;
        let given = answer.header("content-type").unwrap_or_default();
        ensure(given.starts_with(media_type), || {
            format!("the Content-Type of {path} is {given:?}")
        })?;
        let document = json(&answer)?;
        let holds = match path == &one {
            true => document["id"] == *one,
            false => document["id"] == **path && listed(cx, &document, &topic).is_some(),
        };
        ensure(holds, || format!("{path} has no {one}: {document}"))?;
    }
    Ok(())
}

fn presence_10_last_event_id(cx: &Context<'_>) -> Checked {
    has_api(cx)?;
    let topic = cx.url();
    let _stream = cx.watch_topics(&[&topic])?;
    let one = wait_for(cx, &topic)?["id"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let token = cx.whole(Action::Subscribe)?;
    let last = cx.event(&topic)?;
    for path in [cx.below("/subscriptions"), one] {
        let answer = ask(cx, &path, Some(&token))?;
        let document = json(&answer)?;
        ensure(document["lastEventID"] == *last, || {
            format!(
                "lastEventID of {path} is {}, expected {last:?}",
                document["lastEventID"]
            )
        })?;
    }
    let document = json(&ask(cx, &cx.below("/subscriptions"), Some(&token))?)?;
    ensure(document["type"] == "Subscriptions", || {
        format!("the type is {}", document["type"])
    })
}

fn presence_11_link(cx: &Context<'_>) -> Checked {
    has_api(cx)?;
    let token = cx.whole(Action::Subscribe)?;
    let topic = cx.url();
    cx.event(&topic)?;
    let answer = ask(cx, &cx.below("/subscriptions"), Some(&token))?;
    let document = json(&answer)?;
    ensure(
        document["type"] == "subscriptions" && document["subscriptions"].is_array(),
        || format!("{document}"),
    )?;
    let link = answer.headers("link");
    let Some(cursor) = quoted(&link, "last-event-id=\"") else {
        return fail(format!("Link is {link:?}"));
    };
    ensure(link.contains("rel=\"mercure\""), || {
        format!("Link is {link:?}")
    })?;
    let later = cx.event(&topic)?;
    let resumed = form([(cx.name(), topic.as_str()), (cx.cursor_name(), cursor)]);
    cx.watch(resumed)?.exactly(&[], &later)
}

fn presence_12_grants(cx: &Context<'_>) -> Checked {
    has_api(cx)?;
    let path = cx.below("/subscriptions");
    is_one_of("no token", &ask(cx, &path, None)?, &[401])?;
    let other = cx.token(Action::Subscribe, &["/other"])?;
    let answer = ask(cx, &path, Some(&other))?;
    is_one_of("a grant for another path", &answer, not_granted(cx.dialect))?;
    let granted = cx.token(Action::Subscribe, &[&path])?;
    let request = Request::get("a=b").path(&path).bearer(Some(&granted));
    let answer = cx.target.request(&request)?;
    is_one_of("a grant for the path, and a query", &answer, &[200])
}

fn presence_13_not_there(cx: &Context<'_>) -> Checked {
    has_api(cx)?;
    let topic = cx.url();
    let _stream = cx.watch_topics(&[&topic])?;
    let there = wait_for(cx, &topic)?["id"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let (collection, _) = there.rsplit_once('/').unwrap_or_default();
    let token = cx.whole(Action::Subscribe)?;
    is_one_of("one that is there", &ask(cx, &there, Some(&token))?, &[200])?;
    let other = format!("{collection}/{}", encoded(&format!("urn:x:{}", cx.word())));
    is_one_of("one that isn't", &ask(cx, &other, Some(&token))?, &[404])
}

fn presence_17_revalidated(cx: &Context<'_>) -> Checked {
    has_api(cx)?;
    let token = cx.whole(Action::Subscribe)?;
    let path = cx.below("/subscriptions");
    let again = Request::get("").path(&path).bearer(Some(&token));
    let end = Instant::now() + cx.target.patience();
    let tag = loop {
        let answer = ask(cx, &path, Some(&token))?;
        let caching = answer.headers("cache-control");
        ensure(caching.contains("must-revalidate"), || {
            format!("Cache-Control is {caching:?}")
        })?;
        let Some(tag) = answer.header("etag") else {
            return fail("there is no ETag");
        };
        let unchanged = again.clone().header("If-None-Match", tag);
        let answer = cx.target.request(&unchanged)?;
        match answer.status {
            304 => break tag.to_owned(),
            // Something may have come between: who watched before goes.
            200 if Instant::now() < end => {}
            _ => is_one_of("If-None-Match", &answer, &[304])?,
        }
    };
    let _stream = cx.watch_topics(&[&cx.url()])?;
    cx.event(&cx.url())?;
    let changed = again.header("If-None-Match", tag);
    let answer = cx.target.request(&changed)?;
    is_one_of("If-None-Match after a change", &answer, &[200])
}

fn ask(cx: &Context<'_>, path: &str, token: Option<&str>) -> Checked<Answer> {
    Ok(cx
        .target
        .request(&Request::get("").path(path).bearer(token))?)
}

fn json(answer: &Answer) -> Checked<Value> {
    match serde_json::from_slice(&answer.body) {
        Ok(value) => Ok(value),
        Err(_) => fail(format!("no JSON, but {}", shown(answer))),
    }
}

/// The document of who watches a topic, once it is listed.
fn wait_for(cx: &Context<'_>, topic: &str) -> Checked<Value> {
    let token = cx.whole(Action::Subscribe)?;
    let end = Instant::now() + cx.target.patience();
    loop {
        let answer = ask(cx, &cx.below("/subscriptions"), Some(&token))?;
        let document = json(&answer)?;
        if let Some(found) = listed(cx, &document, topic) {
            return Ok(found.clone());
        }
        if Instant::now() > end {
            return fail(format!("an open stream is not listed: {}", shown(&answer)));
        }
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

fn listed<'a>(cx: &Context<'_>, collection: &'a Value, topic: &str) -> Option<&'a Value> {
    let all = collection["subscriptions"].as_array()?;
    all.iter().find(|one| one[word(cx)] == topic)
}

/// What follows `start`, up to the next quote.
fn quoted<'a>(text: &'a str, start: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    rest.split('"').next()
}
