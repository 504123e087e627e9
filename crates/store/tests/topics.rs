//! Which topics the log has, a page at a time.

mod common;

use common::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use tidings_store::{MemoryStorage, Reader, Store};

/// A log of several segments in which topics stand in some, and how many events of
/// each there are.
fn filled() -> (Store, BTreeMap<String, u64>) {
    let (mut store, _) = open(&Arc::new(MemoryStorage::new()), small());
    let mut counts = BTreeMap::new();
    for n in 0..600 {
        let topic = match n % 7 {
            0 => "news".to_owned(),
            1 => format!("orders/{}", n / 40),
            2 => format!("a/{}", n % 5),
            3 => "orders".to_owned(),
            _ => format!("z/{}", n / 100),
        };
        store.commit(vec![vec![event(&topic, n)]], NOW)[0]
            .as_ref()
            .unwrap();
        *counts.entry(topic).or_default() += 1;
    }
    assert!(store.reader().stats().segments > 3, "several segments");
    (store, counts)
}

/// All topics that begin with `prefix`, in pages of `limit`.
fn pages(reader: &Reader, prefix: &str, limit: usize) -> BTreeMap<String, u64> {
    let mut found = BTreeMap::new();
    let mut after: Option<String> = None;
    loop {
        let page = reader.topics(prefix, after.as_deref(), limit).unwrap();
        assert!(page.topics.len() <= limit);
        assert!(page.topics.is_sorted_by(|a, b| a.topic < b.topic));
        for own in &page.topics {
            assert!(after.as_deref().is_none_or(|after| *own.topic > *after));
            assert_eq!(found.insert(own.topic.clone(), own.events), None);
        }
        if !page.more {
            return found;
        }
        after = Some(page.topics.last().expect("a page moves on").topic.clone());
    }
}

#[test]
fn pages_have_every_topic_once_with_all_its_events() {
    let (store, counts) = filled();
    let reader = store.reader();
    for prefix in [
        "",
        "o",
        "orders",
        "orders/",
        "orders/1",
        "z/",
        "zz",
        "\u{10ffff}",
    ] {
        let expect: BTreeMap<_, _> = counts
            .iter()
            .filter(|(topic, _)| topic.starts_with(prefix))
            .map(|(topic, count)| (topic.clone(), *count))
            .collect();
        for limit in [1, 2, 7, 1000] {
            assert_eq!(pages(&reader, prefix, limit), expect, "{prefix:?} {limit}");
        }
    }
}

#[test]
fn a_page_begins_behind_any_text() {
    let (store, _) = filled();
    let reader = store.reader();
    let first = |prefix: &str, after: &str| {
        let page = reader.topics(prefix, Some(after), 1).unwrap();
        page.topics.first().map(|own| own.topic.clone())
    };
    assert_eq!(first("", "news").as_deref(), Some("orders"));
    assert_eq!(first("", "nexs").as_deref(), Some("orders"));
    assert_eq!(first("orders/", "a").as_deref(), Some("orders/0"));
    assert_eq!(first("news", "orders"), None);
    assert_eq!(first("", "zzz"), None);
}

#[test]
fn a_log_without_events_has_none() {
    let (store, _) = open(&Arc::new(MemoryStorage::new()), small());
    let page = store.reader().topics("", None, 10).unwrap();
    assert!(page.topics.is_empty() && !page.more);
}
