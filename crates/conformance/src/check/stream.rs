//! What a stream carries.

use super::Checks;
use super::subscribe::to_one_topic;
use crate::context::Context;
use crate::outcome::{Checked, ensure, fail, skip};
use crate::stream::{Seen, Stream};

pub const CHECKS: Checks = &[
    ("stream-1", stream_1_is_one),
    ("stream-2", stream_2_ids),
    ("stream-3", stream_3_fields),
    ("stream-4", stream_4_data),
    ("stream-5", stream_5_heartbeat),
    ("stream-6", stream_6_unbuffered),
    ("stream-7", stream_7_order),
    ("stream-8", stream_8_longest_life),
];

fn stream_1_is_one(cx: &Context<'_>) -> Checked {
    Stream::open(cx.target, &to_one_topic(cx)?).map(|_| ())
}

fn stream_2_ids(cx: &Context<'_>) -> Checked {
    let topic = cx.url();
    let mut stream = cx.watch_topics(&[&topic])?;
    let own = format!("urn:x:{}", cx.word());
    for id in [None, Some(own.as_str())] {
        let mut fields = vec![("topic", topic.as_str()), ("data", "x")];
        fields.extend(id.map(|id| ("id", id)));
        let answered = cx.publish(&fields)?;
        ensure(!answered.is_empty(), || "the answer names no id".into())?;
        let event = next(&mut stream)?;
        ensure(event.id.as_ref() == Some(&answered), || {
            format!(
                "the event has the id {:?}, the answer {answered:?}",
                event.id
            )
        })?;
    }
    Ok(())
}

fn stream_3_fields(cx: &Context<'_>) -> Checked {
    let topic = cx.url();
    let mut stream = cx.watch_topics(&[&topic])?;
    cx.publish(&[
        ("topic", &topic),
        ("data", "d"),
        ("type", "x"),
        ("retry", "2000"),
    ])?;
    let event = next(&mut stream)?;
    ensure(
        event.event_type == "x" && event.retry == Some(2000) && event.data == "d",
        || format!("{event:?}"),
    )
}

fn stream_4_data(cx: &Context<'_>) -> Checked {
    let topic = cx.url();
    let mut stream = cx.watch_topics(&[&topic])?;
    for data in [
        "one\n\n  three\rfour\r\nfive",
        " \n",
        "data: x\n: y\nid: z",
        "naïve 你好 🦀\tend ",
    ] {
        cx.publish(&[("topic", &topic), ("data", data)])?;
        let expected = data.replace("\r\n", "\n").replace('\r', "\n");
        let event = next(&mut stream)?;
        ensure(event.data == expected, || {
            format!("{data:?} came as {:?}", event.data)
        })?;
    }
    Ok(())
}

fn stream_5_heartbeat(cx: &Context<'_>) -> Checked {
    let topic = cx.url();
    let mut stream = cx.watch_topics(&[&topic])?;
    // What a stream begins with is no heartbeat: so first an event, then silence.
    let id = cx.event(&topic)?;
    stream.exactly(&[], &id)?;
    stream.comment(cx.heartbeat)
}

fn stream_6_unbuffered(cx: &Context<'_>) -> Checked {
    let stream = Stream::open(cx.target, &to_one_topic(cx)?)?;
    let caching = stream.head().headers("cache-control").to_lowercase();
    ensure(
        caching.contains("no-cache") || caching.contains("no-store"),
        || format!("Cache-Control is {caching:?}"),
    )?;
    let buffering = stream.head().header("x-accel-buffering");
    ensure(buffering == Some("no"), || {
        format!("X-Accel-Buffering is {buffering:?}")
    })
}

fn stream_7_order(cx: &Context<'_>) -> Checked {
    let topic = cx.url();
    let mut stream = cx.watch_topics(&[&topic])?;
    let ids: Result<Vec<String>, _> = (0..=100).map(|_| cx.event(&topic)).collect();
    let ids = ids?;
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    stream.exactly(&ids[..100], ids[100])
}

fn stream_8_longest_life(_: &Context<'_>) -> Checked {
    skip("not seen within a test's time; ask the hub's documentation")
}

/// The next event of a stream that must not have ended.
fn next(stream: &mut Stream) -> Checked<Seen> {
    match stream.event()? {
        Some(event) => Ok(event),
        None => fail("the stream ended before an event that was to come"),
    }
}
