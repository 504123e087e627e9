//! Which events a subscription gets.

use super::{Checks, templates};
use crate::context::{Context, form, is_one_of};
use crate::outcome::{Checked, ensure, skip};
use crate::stream::Stream;
use crate::target::Request;
use url::Url;

pub const CHECKS: Checks = &[
    ("subscribe-1", subscribe_1_topics),
    ("subscribe-2", subscribe_2_nothing),
    ("subscribe-3", subscribe_3_everything),
    ("subscribe-4", subscribe_4_identical),
    ("subscribe-5", subscribe_5_template),
    ("subscribe-6", templates::subscribe_6_all_of_rfc_6570),
    ("subscribe-7", subscribe_7_exact),
    ("subscribe-8", subscribe_8_url_pattern),
    ("subscribe-9", subscribe_9_relative),
    ("subscribe-10", subscribe_10_no_url),
    ("subscribe-11", subscribe_11_everything),
    ("subscribe-16", subscribe_16_hostile),
    ("subscribe-19", subscribe_19_alternates),
    ("subscribe-20", subscribe_20_once),
];

fn subscribe_1_topics(cx: &Context<'_>) -> Checked {
    let (a, b, c) = (cx.url(), cx.url(), cx.url());
    let mut stream = cx.watch_topics(&[&a, &b])?;
    cx.event(&c)?;
    let of_a = cx.event(&a)?;
    let of_b = cx.event(&b)?;
    stream.exactly(&[&of_a], &of_b)
}

fn subscribe_2_nothing(cx: &Context<'_>) -> Checked {
    cx.refuses("", &[400])?;
    cx.refuses("anything=a", &[400]).map(|_| ())
}

fn subscribe_3_everything(cx: &Context<'_>) -> Checked {
    let mut stream = cx.watch_topics(&["*"])?;
    let (first, second) = (cx.event(&cx.url())?, cx.event(&cx.word())?);
    stream.expect(&[&first, &second])
}

fn subscribe_4_identical(cx: &Context<'_>) -> Checked {
    for topic in [cx.word(), cx.url(), format!("{}/{{id}}", cx.url())] {
        let mut stream = cx.watch_topics(&[&topic])?;
        let id = cx.event(&topic)?;
        stream.exactly(&[], &id)?;
    }
    Ok(())
}

fn subscribe_5_template(cx: &Context<'_>) -> Checked {
    let books = cx.url();
    let mut stream = cx.watch_topics(&[&format!("{books}/{{id}}")])?;
    cx.event(&format!("{books}/1/2"))?;
    let one = cx.event(&format!("{books}/1"))?;
    stream.exactly(&[], &one)
}

fn subscribe_7_exact(cx: &Context<'_>) -> Checked {
    for name in ["match", "match_exact"] {
        let url = cx.url();
        let topic = format!("{url}/a");
        let mut stream = cx.watch(form([(name, topic.as_str())]))?;
        cx.event(&format!("{url}/%61"))?;
        cx.event(&topic.replace("https", "HTTPS"))?;
        let exact = cx.event(&topic)?;
        stream.exactly(&[], &exact)?;
    }
    Ok(())
}

fn subscribe_8_url_pattern(cx: &Context<'_>) -> Checked {
    let url = cx.url();
    let pattern = format!("{url}/books/:id");
    let mut stream = cx.watch(form([("match_urlpattern", pattern.as_str())]))?;
    cx.event(&format!("{url}/Books/1"))?;
    cx.event(&format!("{url}/books/1/2"))?;
    let one = cx.event(&format!("{url}/books/1"))?;
    stream.exactly(&[], &one)
}

fn subscribe_9_relative(cx: &Context<'_>) -> Checked {
    let place = format!("/{}", cx.word());
    let pattern = format!("{place}/:id");
    let mut stream = cx.watch(form([("match_urlpattern", pattern.as_str())]))?;
    let hub = Url::parse(&cx.identity());
    let Ok(absolute) = hub.and_then(|hub| hub.join(&format!("{place}/1"))) else {
        return skip("the hub's own URL is not known");
    };
    let relative = cx.event(&format!("{place}/1"))?;
    let absolute = cx.event(absolute.as_str())?;
    stream.exactly(&[&relative], &absolute)
}

fn subscribe_10_no_url(cx: &Context<'_>) -> Checked {
    let mut stream = cx.watch(form([("match_urlpattern", "*://*/*")]))?;
    let no_url = cx.event(&format!("http://[{}", cx.word()))?;
    let url = cx.event(&cx.url())?;
    let before = stream.until(&url)?;
    ensure(
        before.iter().all(|event| event.id != Some(no_url.clone())),
        || "a topic that is no URL matched *://*/*".into(),
    )
}

fn subscribe_11_everything(cx: &Context<'_>) -> Checked {
    for name in ["match", "match_exact", "match_urlpattern"] {
        let mut stream = cx.watch(form([(name, "*")]))?;
        let id = cx.event(&format!("http://[{}", cx.word()))?;
        stream.expect(&[&id])?;
    }
    Ok(())
}

fn subscribe_16_hostile(cx: &Context<'_>) -> Checked {
    let request = cx.get(form([("match_urlpattern", "/((?:a+)+)")]))?;
    let stream = match Stream::ask(cx.target, &request)? {
        Ok(stream) => stream,
        // It may as well refuse what it can't bound.
        Err(answer) => return is_one_of("a hostile pattern", &answer, &[400]),
    };
    let hostile = format!("/{}!", "a".repeat(4_000));
    let answer = cx.post(&[("topic", &hostile), ("data", "x")])?;
    is_one_of("a long topic", &answer, &[200, 400, 413])?;
    cx.event(&cx.url())?;
    drop(stream);
    Ok(())
}

fn subscribe_19_alternates(cx: &Context<'_>) -> Checked {
    let (a, b) = (cx.url(), cx.url());
    let mut stream = cx.watch_topics(&[&b])?;
    let both = cx.publish(&[("topic", &a), ("topic", &b), ("data", "x")])?;
    let fence = cx.event(&b)?;
    stream.exactly(&[&both], &fence)
}

fn subscribe_20_once(cx: &Context<'_>) -> Checked {
    let topic = cx.url();
    let mut stream = cx.watch_topics(&[&topic, "*"])?;
    let (id, fence) = (cx.event(&topic)?, cx.event(&topic)?);
    let seen = stream.until(&fence)?;
    let times = seen.iter().filter(|event| event.id.as_ref() == Some(&id));
    let times = times.count();
    ensure(times == 1, || format!("the event came {times} times"))
}

/// A request for a topic that nobody else watches.
pub fn to_one_topic(cx: &Context<'_>) -> Checked<Request> {
    cx.get(cx.query(&[&cx.url()]))
}
