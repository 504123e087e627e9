//! What may be published, and what is answered.

use super::Checks;
use crate::context::{Context, form, is_one_of};
use crate::outcome::{Checked, ensure, skip};
use crate::target::Request;
use crate::token::Action;

pub const CHECKS: Checks = &[
    ("publish-1", publish_1_answer),
    ("publish-2", publish_2_no_topic),
    ("publish-3", publish_3_alternates),
    ("publish-4", publish_4_private),
    ("publish-5", publish_5_own_id),
    ("publish-6", publish_6_hash),
    ("publish-7", publish_7_earliest),
    ("publish-8", publish_8_star),
    ("publish-9", publish_9_line_ends),
    ("publish-10", publish_10_characters),
    ("publish-11", publish_11_type_mercure),
    ("publish-12", publish_12_retry),
    ("publish-13", publish_13_reserved),
    ("publish-14", publish_14_reserved_in_disguise),
    ("publish-15", publish_15_too_large),
    ("publish-16", publish_16_many_topics),
    ("publish-17", publish_17_unknown_fields),
    ("publish-18", publish_18_empty_fields),
    ("publish-19", publish_19_no_form),
];

fn publish_1_answer(cx: &Context<'_>) -> Checked {
    let topic = cx.url();
    let mut stream = cx.watch_topics(&[&topic])?;
    let answer = cx.post(&[("topic", &topic), ("data", "b")])?;
    is_one_of("an event", &answer, &[200])?;
    let media_type = answer.header("content-type").unwrap_or_default();
    ensure(media_type.starts_with("text/plain"), || {
        format!("the answer's Content-Type is {media_type:?}")
    })?;
    stream.exactly(&[], &answer.text())
}

fn publish_2_no_topic(cx: &Context<'_>) -> Checked {
    let answer = cx.post(&[("data", "b")])?;
    is_one_of("no topic", &answer, &[400])
}

fn publish_3_alternates(cx: &Context<'_>) -> Checked {
    let (a, b) = (cx.url(), cx.url());
    let (mut of_a, mut of_b) = (cx.watch_topics(&[&a])?, cx.watch_topics(&[&b])?);
    let both = cx.publish(&[("topic", &a), ("topic", &b), ("data", "x")])?;
    of_a.exactly(&[], &both)?;
    of_b.exactly(&[], &both)
}

fn publish_4_private(cx: &Context<'_>) -> Checked {
    let topic = cx.url();
    let mut stream = cx.watch_as(cx.stranger()?.as_deref(), &[&topic])?;
    for value in ["off", "on", "", "0"] {
        cx.publish(&[("topic", &topic), ("data", "x"), ("private", value)])?;
    }
    let fence = cx.event(&topic)?;
    stream.exactly(&[], &fence)
}

fn publish_5_own_id(cx: &Context<'_>) -> Checked {
    let topic = cx.url();
    let mut stream = cx.watch_topics(&[&topic])?;
    // As the public suite writes them.
    let own = format!("id-[\"{}\"]", cx.word());
    let answered = cx.publish(&[("topic", &topic), ("data", "x"), ("id", &own)])?;
    stream.exactly(&[], &answered)
}

fn publish_6_hash(cx: &Context<'_>) -> Checked {
    let answer = cx.post(&[("topic", &cx.url()), ("id", "#x")])?;
    is_one_of("the id #x", &answer, &[400])
}

fn publish_7_earliest(cx: &Context<'_>) -> Checked {
    let answer = cx.post(&[("topic", &cx.url()), ("id", "earliest")])?;
    is_one_of("the id earliest", &answer, &[400])
}

fn publish_8_star(cx: &Context<'_>) -> Checked {
    let answer = cx.post(&[("topic", "*"), ("data", "x")])?;
    is_one_of("the topic *", &answer, &[400])
}

fn publish_9_line_ends(cx: &Context<'_>) -> Checked {
    let topic = cx.url();
    let mut stream = cx.watch_topics(&[&topic])?;
    for field in ["id", "type"] {
        for end in ["\r", "\n", "\r\n", "\0"] {
            let value = format!("a{end}data: forged");
            let answer = cx.post(&[("topic", &topic), ("data", "x"), (field, &value)])?;
            is_one_of(&format!("{field}={value:?}"), &answer, &[400])?;
        }
    }
    let fence = cx.event(&topic)?;
    stream.exactly(&[], &fence)
}

fn publish_10_characters(cx: &Context<'_>) -> Checked {
    let topic = form([("topic", cx.url().as_str())]);
    for bytes in ["%00", "%C2%85", "%E2%80%8D", "%FF"] {
        for field in [
            format!("topic=https://example.com/a{bytes}"),
            format!("{topic}&id=a{bytes}"),
            format!("{topic}&type=a{bytes}"),
        ] {
            let answer = cx.post_encoded(&format!("{field}&data=x"))?;
            is_one_of(&field, &answer, &[400])?;
        }
    }
    Ok(())
}

fn publish_11_type_mercure(cx: &Context<'_>) -> Checked {
    let answer = cx.post(&[("topic", &cx.url()), ("type", "mercure")])?;
    is_one_of("the type mercure", &answer, &[400])
}

fn publish_12_retry(cx: &Context<'_>) -> Checked {
    let topic = cx.url();
    for retry in ["-1", "5s", "\u{663}", "1e3"] {
        let answer = cx.post(&[("topic", &topic), ("retry", retry)])?;
        is_one_of(&format!("retry={retry}"), &answer, &[400])?;
    }
    cx.publish(&[("topic", &topic), ("retry", "1000")])
        .map(|_| ())
}

fn publish_13_reserved(cx: &Context<'_>) -> Checked {
    let answer = cx.post(&[("topic", &cx.below("/subscriptions/a/b"))])?;
    is_one_of("a topic below the hub", &answer, &[400, 403])
}

fn publish_14_reserved_in_disguise(cx: &Context<'_>) -> Checked {
    let path = cx.target.url().path();
    // Its letter m, which needs no encoding and may have one.
    let encoded = path.replacen('m', "%6D", 1);
    let identity = cx.identity();
    let host = identity.split('/').nth(2).unwrap_or_default();
    for topic in [
        format!("{encoded}/x"),
        format!("/a/..{path}/x"),
        format!("https://other.example{path}/x"),
        format!("//{host}{path}"),
    ] {
        let answer = cx.post(&[("topic", &topic)])?;
        is_one_of(&topic, &answer, &[400])?;
    }
    Ok(())
}

fn publish_15_too_large(cx: &Context<'_>) -> Checked {
    const BYTES: usize = 64 << 20;
    let mut form = form([("topic", cx.url().as_str())]);
    form.push_str("&data=");
    form.push_str(&"x".repeat(BYTES));
    let answer = cx.post_encoded(&form)?;
    match answer.status {
        200 => skip("64 MiB are taken"),
        _ => is_one_of("64 MiB", &answer, &[413]),
    }
}

fn publish_16_many_topics(cx: &Context<'_>) -> Checked {
    let topics: Vec<String> = (0..10_000).map(|n| format!("t{n}")).collect();
    let fields = topics.iter().map(|topic| ("topic", topic.as_str()));
    let answer = cx.post_encoded(&form(fields))?;
    is_one_of("10,000 topics", &answer, &[400, 413])
}

fn publish_17_unknown_fields(cx: &Context<'_>) -> Checked {
    let topic = cx.url();
    let mut stream = cx.watch_topics(&[&topic])?;
    let id = cx.publish(&[("topic", &topic), ("data", "b"), ("future", "c")])?;
    stream.exactly(&[], &id)
}

fn publish_18_empty_fields(cx: &Context<'_>) -> Checked {
    let topic = cx.url();
    let mut stream = cx.watch_topics(&[&topic])?;
    let fields = [
        ("topic", topic.as_str()),
        ("data", "b"),
        ("id", ""),
        ("type", ""),
        ("retry", ""),
    ];
    let id = cx.publish(&fields)?;
    ensure(!id.is_empty(), || "the answer names no id".into())?;
    let fence = cx.publish(&[("topic", &topic), ("data", "f")])?;
    let seen = stream.until(&fence)?;
    let holds = matches!(&seen[..], [event]
        if event.id.as_ref() == Some(&id) && event.event_type.is_empty() && event.retry.is_none());
    ensure(holds, || format!("{seen:?}"))
}

fn publish_19_no_form(cx: &Context<'_>) -> Checked {
    let token = cx.whole(Action::Publish)?;
    let request = Request::post(form([("topic", cx.url().as_str()), ("data", "x")]))
        .without("Content-Type")
        .header("Content-Type", "text/plain")
        .bearer(Some(&token));
    let answer = cx.target.request(&request)?;
    is_one_of("a form as text/plain", &answer, &[400, 415])
}
