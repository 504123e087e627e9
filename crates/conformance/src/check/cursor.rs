//! Going on where one was.

use super::Checks;
use super::subscribe_query::query;
use crate::context::{Context, form};
use crate::outcome::{Checked, Stop, ensure, fail, skip};
use crate::rules::Dialect;
use crate::stream::{Seen, Stream, shown};
use crate::target::{Request, Target};
use crate::token::Action;
use std::sync::Mutex;

pub const CHECKS: Checks = &[
    ("cursor-1", cursor_1_header),
    ("cursor-2", cursor_2_query),
    ("cursor-3", cursor_3_query_and_body),
    ("cursor-4", cursor_4_what_goes_first),
    ("cursor-5", cursor_5_earliest),
    ("cursor-6", cursor_6_answer),
    ("cursor-7", cursor_7_answer),
    ("cursor-8", cursor_8_answer_of_none),
    ("cursor-9", cursor_9_replay_is_authorized),
    ("cursor-10", cursor_10_doubles),
    ("cursor-11", cursor_11_reveals_nothing),
    ("cursor-12", cursor_12_nothing_lost),
];

const HEADER: &str = "Last-Event-ID";

/// A topic with three events.
struct Three {
    topic: String,
    ids: [String; 3],
}

fn three(cx: &Context<'_>) -> Checked<Three> {
    let topic = cx.url();
    let ids = [cx.event(&topic)?, cx.event(&topic)?, cx.event(&topic)?];
    Ok(Three { topic, ids })
}

/// The query of a subscription with a cursor in it.
fn query_with(cx: &Context<'_>, topic: &str, name: &str, cursor: &str) -> String {
    form([(cx.name(), topic), (name, cursor)])
}

fn cursor_1_header(cx: &Context<'_>) -> Checked {
    let Three { topic, ids } = three(cx)?;
    let request = cx.get(cx.query(&[&topic]))?.header(HEADER, &ids[0]);
    Stream::open(cx.target, &request)?.exactly(&[&ids[1]], &ids[2])
}

fn cursor_2_query(cx: &Context<'_>) -> Checked {
    for name in ["lastEventID", "Last-Event-ID"] {
        let Three { topic, ids } = three(cx)?;
        let mut stream = cx.watch(query_with(cx, &topic, name, &ids[0]))?;
        stream.exactly(&[&ids[1]], &ids[2])?;
    }
    Ok(())
}

fn cursor_3_query_and_body(cx: &Context<'_>) -> Checked {
    let Three { topic, ids } = three(cx)?;
    let asked = query_with(cx, &topic, "last_event_id", &ids[0]);
    cx.watch(asked.as_str())?.exactly(&[&ids[1]], &ids[2])?;
    match query(cx, "", &asked) {
        Ok(request) => Stream::open(cx.target, &request)?.exactly(&[&ids[1]], &ids[2]),
        Err(Stop::Skip(_)) => Ok(()),
        Err(stop) => Err(stop),
    }
}

fn cursor_4_what_goes_first(cx: &Context<'_>) -> Checked {
    let Three { topic, ids } = three(cx)?;
    let first = query_with(cx, &topic, cx.cursor_name(), &ids[0]);
    let request = cx.get(first.as_str())?.header(HEADER, &ids[1]);
    Stream::open(cx.target, &request)?.exactly(&[], &ids[2])?;
    if cx.dialect == Dialect::V0 {
        return Ok(());
    }
    let second = form([(cx.cursor_name(), ids[1].as_str())]);
    match query(cx, &second, &first) {
        Ok(request) => Stream::open(cx.target, &request)?.exactly(&[], &ids[2]),
        Err(Stop::Skip(_)) => Ok(()),
        Err(stop) => Err(stop),
    }
}

fn cursor_5_earliest(cx: &Context<'_>) -> Checked {
    let Three { topic, ids } = three(cx)?;
    let mut stream = cx.watch(query_with(cx, &topic, cx.cursor_name(), "earliest"))?;
    stream.exactly(&[&ids[0], &ids[1]], &ids[2])
}

fn cursor_6_answer(cx: &Context<'_>) -> Checked {
    let Three { topic, ids } = three(cx)?;
    let request = cx.get(cx.query(&[&topic]))?.header(HEADER, &ids[0]);
    answered(cx, &Stream::open(cx.target, &request)?, &ids[0])
}

fn cursor_7_answer(cx: &Context<'_>) -> Checked {
    cursor_6_answer(cx)?;
    let empty = query_with(cx, &cx.url(), cx.cursor_name(), "");
    let stream = cx.watch(empty)?;
    ensure(stream.head().header(cx.cursor_header()).is_some(), || {
        format!("an empty cursor is answered without {}", cx.cursor_header())
    })
}

fn cursor_8_answer_of_none(cx: &Context<'_>) -> Checked {
    let topic = cx.url();
    for cursor in ["earliest", &format!("urn:x:{}", cx.word())] {
        let stream = cx.watch(query_with(cx, &topic, cx.cursor_name(), cursor))?;
        answered(cx, &stream, "earliest")?;
    }
    Ok(())
}

/// The answer's header names this event as the one before the first.
fn answered(cx: &Context<'_>, stream: &Stream, id: &str) -> Checked {
    let header = stream.head().header(cx.cursor_header());
    ensure(header == Some(id), || {
        format!("{} is {header:?}, expected {id:?}", cx.cursor_header())
    })
}

fn cursor_9_replay_is_authorized(cx: &Context<'_>) -> Checked {
    let topic = cx.url();
    let before = cx.event(&topic)?;
    let private = cx.private(&topic)?;
    let fence = cx.event(&topic)?;
    let resume = |token: Option<&str>| {
        let request = Request::get(cx.query(&[&topic])).bearer(token);
        Stream::open(cx.target, &request.header(HEADER, &before))
    };
    resume(cx.stranger()?.as_deref())?.exactly(&[], &fence)?;
    let granted = match cx.token(Action::Subscribe, &[&topic]) {
        Err(Stop::Skip(_)) => cx.whole(Action::Subscribe)?,
        token => token?,
    };
    resume(Some(&granted))?.exactly(&[&private], &fence)
}

fn cursor_10_doubles(cx: &Context<'_>) -> Checked {
    let topic = cx.url();
    let word = cx.word();
    let [x, d, y] = ["x", "d", "y"].map(|name| format!("urn:x:{word}:{name}"));
    for id in [&x, &d, &y, &d] {
        let answered = cx.publish(&[("topic", &topic), ("data", id), ("id", id)])?;
        if answered != *id {
            return skip("the hub replaces ids by its own");
        }
    }
    let request = cx.get(cx.query(&[&topic]))?.header(HEADER, &d);
    let mut stream = Stream::open(cx.target, &request)?;
    let fence = cx.event(&topic)?;
    stream.exactly(&[&y, &d], &fence)
}

fn cursor_11_reveals_nothing(cx: &Context<'_>) -> Checked {
    let topic = cx.url();
    cx.event(&topic)?;
    // An id of the publisher's, if the hub takes it: its own may say by their
    // form alone that they are its own.
    let own = format!("urn:x:{}", cx.word());
    let fields = [
        ("topic", topic.as_str()),
        ("data", "x"),
        ("private", "on"),
        ("id", &own),
    ];
    let private = cx.publish(&fields)?;
    cx.event(&topic)?;
    let unknown = format!("urn:x:{}", cx.word());
    let stranger = cx.stranger()?;
    let resume = |cursor: &str| {
        let request = Request::get(cx.query(&[&topic])).bearer(stranger.as_deref());
        Stream::open(cx.target, &request.header(HEADER, cursor))
    };
    let mut streams = [resume(&private)?, resume(&unknown)?];
    let fence = cx.event(&topic)?;
    let [hidden, unknown] = streams.each_mut().map(|stream| {
        let header = stream.head().header(cx.cursor_header()).map(str::to_owned);
        stream.until(&fence).map(|seen| (header, seen))
    });
    let (hidden, unknown) = (hidden?, unknown?);
    ensure(hidden == unknown, || {
        let shown = |(header, seen): &(Option<String>, Vec<Seen>)| {
            format!("header {header:?} and {} events", seen.len())
        };
        format!(
            "a hidden event's id gives {}, an unknown one {}",
            shown(&hidden),
            shown(&unknown)
        )
    })
}

fn cursor_12_nothing_lost(cx: &Context<'_>) -> Checked {
    const EVENTS: usize = 1_000;
    const STREAMS: usize = 10;
    let topic = cx.url();
    let first = cx.event(&topic)?;
    let request = cx.get(cx.query(&[&topic]))?.header(HEADER, &first);
    let token = cx.whole(Action::Publish)?;
    let post = Request::post(form([("topic", topic.as_str()), ("data", "x")]));
    let post = post.bearer(Some(&token));
    let ids = Mutex::new(Vec::with_capacity(EVENTS));
    let target = cx.target;
    let published = || ids.lock().map_or(usize::MAX, |ids| ids.len());
    let mut streams = std::thread::scope(|scope| -> Checked<Vec<Stream>> {
        let publisher = scope.spawn(|| publish_many(target, &post, EVENTS, &ids));
        let mut streams = Vec::new();
        while streams.len() < STREAMS && !publisher.is_finished() {
            if published() >= streams.len() * EVENTS / STREAMS {
                streams.push(Stream::open(cx.target, &request)?);
            } else {
                std::thread::yield_now();
            }
        }
        match publisher.join() {
            Ok(outcome) => outcome.map(|()| streams),
            Err(_) => fail("the publisher of the test broke off"),
        }
    })?;
    let ids = ids.into_inner().unwrap_or_default();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let [before @ .., last] = &ids[..] else {
        return fail("nothing was published");
    };
    for stream in &mut streams {
        let seen = stream.until(last)?;
        let seen: Vec<&str> = seen
            .iter()
            .filter_map(|event| event.id.as_deref())
            .collect();
        ensure(seen == before, || {
            let at = seen.iter().zip(before).take_while(|(a, b)| a == b).count();
            format!(
                "{} of {} events came, and after {at} of them another than the next",
                seen.len(),
                before.len()
            )
        })?;
    }
    Ok(())
}

/// Publishes the same again and again, each after the answer to the one before.
fn publish_many(
    target: &Target,
    post: &Request,
    count: usize,
    ids: &Mutex<Vec<String>>,
) -> Checked {
    let mut http = target.connect()?;
    for _ in 0..count {
        let answer = target.request_on(&mut http, post)?;
        if answer.status != 200 {
            return fail(format!("publishing was answered {}", shown(&answer)));
        }
        if let Ok(mut ids) = ids.lock() {
            ids.push(answer.text());
        }
    }
    Ok(())
}
