//! Who is at a topic, as JSON on one line.

use super::audience::News;
use super::member::{Member, MemberId, put_text};
use crate::Topic;

/// What is told of a topic.
pub(super) fn account(topic: &Topic, seq: u64, count: usize, news: &News) -> String {
    match news {
        News::Lists { joined, left } => lists(topic, seq, count, (joined, left)),
        News::Numbers { joined, left } => numbers(topic, seq, count, (*joined, *left)),
        News::Everybody(members) => snapshot(topic, seq, count, Some(members)),
    }
}

/// `{"topic":…,"seq":n,"count":n,"joined":[member…],"left":["id"…]}`.
fn lists(
    topic: &Topic,
    seq: u64,
    count: usize,
    (joined, left): (&[Member], &[MemberId]),
) -> String {
    let mut out = head(topic, seq, count);
    out.push_str(r#","joined":"#);
    put_list(joined, &mut out, Member::put);
    out.push_str(r#","left":"#);
    put_list(left, &mut out, |id, out| {
        out.push_str(&format!(r#""{id}""#));
    });
    out.push('}');
    out
}

/// `{"topic":…,"seq":n,"count":n,"joined":n,"left":n}`.
fn numbers(topic: &Topic, seq: u64, count: usize, (joined, left): (u64, u64)) -> String {
    let head = head(topic, seq, count);
    format!(r#"{head},"joined":{joined},"left":{left}}}"#)
}

/// `{"topic":…,"seq":n,"count":n,"members":[member…]}`, or `"members":null` for a
/// crowd.
pub(super) fn snapshot(
    topic: &Topic,
    seq: u64,
    count: usize,
    members: Option<&[Member]>,
) -> String {
    let mut out = head(topic, seq, count);
    put_members(members, &mut out);
    out.push('}');
    out
}

/// As [`snapshot`], with how many streams watch the topic at this moment: `null` if
/// that isn't known.
pub(super) fn page(
    topic: &Topic,
    seq: u64,
    (count, watchers): (usize, Option<usize>),
    members: Option<&[Member]>,
) -> String {
    let mut out = head(topic, seq, count);
    out.push_str(r#","watchers":"#);
    match watchers {
        Some(watchers) => out.push_str(&watchers.to_string()),
        None => out.push_str("null"),
    }
    put_members(members, &mut out);
    out.push('}');
    out
}

fn head(topic: &Topic, seq: u64, count: usize) -> String {
    let mut out = r#"{"topic":"#.to_owned();
    put_text(topic.as_str(), &mut out);
    out.push_str(&format!(r#","seq":{seq},"count":{count}"#));
    out
}

fn put_members(members: Option<&[Member]>, out: &mut String) {
    out.push_str(r#","members":"#);
    match members {
        Some(members) => put_list(members, out, Member::put),
        None => out.push_str("null"),
    }
}

fn put_list<T>(list: &[T], out: &mut String, put: impl Fn(&T, &mut String)) {
    out.push('[');
    for (at, item) in list.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        put(item, out);
    }
    out.push(']');
}
