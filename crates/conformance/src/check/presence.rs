//! The events that tell who watches.

use super::Checks;
use crate::context::{Context, form};
use crate::outcome::{Checked, ensure, fail, skip};
use crate::rules::Dialect;
use crate::stream::{Seen, Stream};
use crate::target::Request;
use crate::token::{Action, DETAIL};
use serde_json::{Value, json};
use std::time::Instant;

pub const CHECKS: Checks = &[
    ("presence-1", begins_and_ends),
    ("presence-2", begins_and_ends),
    ("presence-3", presence_3_each_matcher),
    ("presence-4", members),
    ("presence-5", members),
    ("presence-6", presence_6_encoded_once),
    ("presence-7", presence_7_private),
    ("presence-14", presence_14_subscribers),
    ("presence-15", presence_15_payload),
    ("presence-16", presence_16_payload),
];

fn begins_and_ends(cx: &Context<'_>) -> Checked {
    let mut witness = witness(cx)?;
    let topic = cx.url();
    let stream = cx.watch_topics(&[&topic])?;
    let (begun, begin) = told(cx, &mut witness, &topic, true)?;
    drop(stream);
    let (ended, end) = told(cx, &mut witness, &topic, false)?;
    ensure(begin["subscriber"] == end["subscriber"], || {
        format!("{begin} and {end}")
    })?;
    let name = match cx.dialect {
        Dialect::V0 => "",
        Dialect::V1 => "mercure",
    };
    ensure(begun.event_type == name && ended.event_type == name, || {
        format!(
            "the event names are {:?} and {:?}",
            begun.event_type, ended.event_type
        )
    })
}

fn presence_3_each_matcher(cx: &Context<'_>) -> Checked {
    let mut witness = witness(cx)?;
    let (a, b) = (cx.url(), cx.url());
    let _stream = cx.watch_topics(&[&a, &b])?;
    let mut subscribers = Vec::new();
    let mut left = vec![a, b];
    while !left.is_empty() {
        let Some(event) = witness.event()? else {
            return fail("the stream of the subscription events ended");
        };
        let document = document(&event);
        let topic = document[word(cx)].as_str().unwrap_or_default();
        if left.iter().any(|other| other == topic) && document["active"] == true {
            left.retain(|other| other != topic);
            subscribers.push(document["subscriber"].clone());
        }
    }
    ensure(subscribers[0] == subscribers[1], || {
        format!("the subscribers are {subscribers:?}")
    })
}

fn members(cx: &Context<'_>) -> Checked {
    let mut witness = witness(cx)?;
    let topic = cx.url();
    let _stream = cx.watch_topics(&[&topic])?;
    let (_, document) = told(cx, &mut witness, &topic, true)?;
    has_members(cx, &document, &topic)?;
    // Of a collection's members the collection itself says it.
    ensure(
        cx.dialect == Dialect::V1 || document["@context"].is_string(),
        || format!("{document} has no @context"),
    )
}

/// A document of a subscription to a topic has what it should have.
pub fn has_members(cx: &Context<'_>, document: &Value, topic: &str) -> Checked {
    let subscriber = document["subscriber"].as_str().unwrap_or_default();
    let (kind, start) = match cx.dialect {
        Dialect::V0 => ("Subscription", String::new()),
        Dialect::V1 => ("subscription", "/exact".to_owned()),
    };
    let path = format!(
        "{}{start}/{}/{}",
        cx.below("/subscriptions"),
        encoded(topic),
        encoded(subscriber)
    );
    let of_dialect = match cx.dialect {
        Dialect::V0 => document["topic"] == topic,
        Dialect::V1 => document["match_type"] == "exact" && document["match"] == topic,
    };
    let holds = !subscriber.is_empty()
        && document["type"] == kind
        && document["active"] == true
        && document["id"] == path
        && of_dialect;
    ensure(holds, || format!("{document}, expected the id {path}"))
}

fn presence_6_encoded_once(cx: &Context<'_>) -> Checked {
    let mut witness = witness(cx)?;
    let url = cx.url();
    let (name, matcher) = match cx.dialect {
        Dialect::V0 => ("topic", format!("{url}/{{id}}")),
        Dialect::V1 => ("match_urlpattern", format!("{url}/:id")),
    };
    let _stream = cx.watch(form([(name, matcher.as_str())]))?;
    let (_, document) = told(cx, &mut witness, &matcher, true)?;
    let id = document["id"].as_str().unwrap_or_default();
    ensure(
        id.contains(&encoded(&matcher)) && !id.contains("%25"),
        || format!("the id is {id}"),
    )
}

fn presence_7_private(cx: &Context<'_>) -> Checked {
    let mut witness = witness(cx)?;
    let other = cx.token(Action::Subscribe, &["/a"])?;
    let mut tokens = vec![Some(other)];
    if cx.is_open()? {
        tokens.push(None);
    }
    for token in tokens {
        let mut stranger = cx.watch_as(token.as_deref(), &["*"])?;
        let topic = cx.url();
        let _stream = cx.watch_topics(&[&topic])?;
        told(cx, &mut witness, &topic, true)?;
        // What the witness has seen is before this in the log.
        let fence = cx.event(&topic)?;
        let seen = stranger.until(&fence)?;
        ensure(
            seen.iter().all(|event| document(event)[word(cx)] != topic),
            || "somebody without a grant sees who watches".into(),
        )?;
    }
    Ok(())
}

fn presence_14_subscribers(cx: &Context<'_>) -> Checked {
    let mut witness = witness(cx)?;
    let topic = cx.url();
    let _first = cx.watch_topics(&[&topic])?;
    let (_, first) = told(cx, &mut witness, &topic, true)?;
    let _second = cx.watch_topics(&[&topic])?;
    let (_, second) = told(cx, &mut witness, &topic, true)?;
    ensure(first["subscriber"] != second["subscriber"], || {
        format!("both are {}", first["subscriber"])
    })
}

fn presence_15_payload(cx: &Context<'_>) -> Checked {
    let rights = json!({"subscribe": ["*"], "payload": {"a": 1}});
    let key = cx.key(Action::Subscribe)?;
    let token = cx.draft().claim("mercure", rights).sign(key);
    payload(cx, &token, &cx.url(), &json!({"a": 1}))
}

fn presence_16_payload(cx: &Context<'_>) -> Checked {
    let key = cx.key(Action::Subscribe)?;
    let (a, b) = (cx.url(), cx.url());
    let detail = |action: &str, topic: &str, payload: Value| {
        json!({
            "type": DETAIL, "actions": [action], "topics": [{"match": topic}], "payload": payload,
        })
    };
    let details = json!([
        detail("publish", &b, json!({"n": 0})),
        detail("subscribe", &a, json!({"n": 1})),
        detail("subscribe", &b, json!({"n": 2})),
        detail("subscribe", "*", json!({"n": 3})),
    ]);
    let token = cx.draft().details(details).sign(key);
    payload(cx, &token, &b, &json!({"n": 2}))?;
    payload(cx, &token, &a, &json!({"n": 1}))
}

/// Who watches a topic with this token is told of with this payload.
fn payload(cx: &Context<'_>, token: &str, topic: &str, expected: &Value) -> Checked {
    let mut witness = witness(cx)?;
    let _stream = cx.watch_as(Some(token), &[topic])?;
    let (_, document) = told(cx, &mut witness, topic, true)?;
    ensure(document["payload"] == *expected, || {
        format!(
            "the payload is {}, expected {expected}",
            document["payload"]
        )
    })
}

/// A stream of the events of all subscriptions.
pub fn witness(cx: &Context<'_>) -> Checked<Stream> {
    has_api(cx)?;
    let below = cx.below("/subscriptions");
    cx.watch(match cx.dialect {
        Dialect::V0 => form([(
            "topic",
            format!("{below}{{/topic}}{{/subscriber}}").as_str(),
        )]),
        Dialect::V1 => form([(
            "match_urlpattern",
            format!("{below}/:match_type/:match/:subscriber").as_str(),
        )]),
    })
}

/// The hub tells who watches, if it is asked with the right token.
pub fn has_api(cx: &Context<'_>) -> Checked {
    let token = cx.whole(Action::Subscribe)?;
    let request = Request::get("")
        .path(cx.below("/subscriptions"))
        .bearer(Some(&token));
    match cx.target.request(&request)?.status {
        404 => skip("the hub has no subscription API: it answers 404"),
        _ => Ok(()),
    }
}

/// The event that tells that somebody began, or ended, to watch this.
pub fn told(
    cx: &Context<'_>,
    witness: &mut Stream,
    topic: &str,
    active: bool,
) -> Checked<(Seen, Value)> {
    let end = Instant::now() + cx.target.patience();
    while Instant::now() < end {
        let Some(event) = witness.event()? else {
            return fail("the stream of the subscription events ended");
        };
        let document = document(&event);
        if document[word(cx)] == topic && document["active"] == active {
            return Ok((event, document));
        }
    }
    fail(format!("no event with active: {active} came"))
}

/// The member that names what is watched.
pub fn word(cx: &Context<'_>) -> &'static str {
    cx.name()
}

/// As a segment of a path: all but the unreserved characters encoded.
pub fn encoded(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    text.bytes()
        .map(|byte| match plain(&byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect()
}

fn document(event: &Seen) -> Value {
    serde_json::from_str(&event.data).unwrap_or_default()
}
