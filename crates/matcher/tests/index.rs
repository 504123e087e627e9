//! The index against brute force, and what it costs.
// Matchers are compared by kind and text, which never change.
#![allow(clippy::mutable_key_type)]

use proptest::prelude::*;
use std::collections::BTreeSet;
use tidings_matcher::Base;
use tidings_matcher::{Index, Matcher, Subject};

fn base() -> Base {
    Base::new("https://example.com").unwrap()
}

fn matches(index: &mut Index<u32>, topics: &[&str]) -> Vec<u32> {
    let base = base();
    let subjects: Vec<_> = topics
        .iter()
        .map(|text| Subject::new(text, &base))
        .collect();
    let mut keys = Vec::new();
    index.matches(&subjects, |key| keys.push(key));
    keys.sort_unstable();
    keys
}

fn selector(text: &str) -> Matcher {
    Matcher::selector(text).unwrap()
}

fn pattern(text: &str) -> Matcher {
    Matcher::url_pattern(text, &base()).unwrap()
}

#[test]
fn a_key_is_reported_once_however_many_matchers_and_topics_match() {
    let mut index = Index::new();
    for matcher in [
        selector("*"),
        selector("/a/{x}"),
        selector("/a/1"),
        pattern("/a/:x"),
        pattern("/*"),
    ] {
        index.insert(&matcher, 1);
    }
    index.insert(&selector("/b"), 2);
    index.insert(&pattern("/a/:x"), 2);
    for _ in 0..2 {
        assert_eq!(matches(&mut index, &["/a/1", "/b", "/a/1"]), [1, 2]);
        assert_eq!(matches(&mut index, &["/b"]), [1, 2]);
        assert_eq!(matches(&mut index, &["/c"]), [1]);
        assert!(
            matches(&mut index, &[]).contains(&1),
            "everything is everything"
        );
    }
}

/// The published hub joined a selector and a topic by `_` and remembered the
/// outcome under that text: two pairs that read the same answered for each other.
#[test]
fn cve_2026_39972_no_pair_answers_for_another() {
    for joint in ["_", "", "\0", "|", " ", "\u{1f}", ":", "/"] {
        let pairs = [
            (format!("/a{{x}}{joint}b"), "c".to_owned()),
            ("/a{x}".to_owned(), format!("b{joint}c")),
            (format!("/a{joint}{{x}}"), "b".to_owned()),
            ("/a".to_owned(), format!("{{x}}{joint}b")),
        ];
        let topics = ["/a1", "/a{x}", "/a", "b", "c"]
            .map(str::to_owned)
            .into_iter()
            .chain(pairs.iter().flat_map(|(selector, topic)| {
                [
                    topic.clone(),
                    format!("/a{topic}"),
                    format!("{selector}{joint}{topic}"),
                ]
            }));
        let topics: Vec<String> = topics.collect();
        let mut index = Index::new();
        for (key, (text, _)) in (0..).zip(&pairs) {
            index.insert(&selector(text), key);
        }
        let base = base();
        // Twice: what is remembered must be what was found.
        for topic in topics.iter().chain(&topics) {
            let expected: Vec<u32> = (0..)
                .zip(&pairs)
                .filter(|(_, (text, _))| selector(text).matches(&Subject::new(topic, &base)))
                .map(|(key, _)| key)
                .collect();
            assert_eq!(
                matches(&mut index, &[topic]),
                expected,
                "{joint:?} {topic:?}"
            );
        }
    }
}

#[test]
fn memory_is_given_back() {
    let mut index = Index::new();
    let empty = index.size();
    let all: Vec<Matcher> = (0..1_000)
        .flat_map(|i| {
            [
                selector(&format!("/t{}/{i}", i % 7)),
                selector(&format!("/t{}/{i}/{{x}}", i % 7)),
                pattern(&format!("/u{}/{i}/:x", i % 7)),
            ]
        })
        .collect();
    for key in 0..3 {
        assert!(all.iter().all(|matcher| index.insert(matcher, key)));
    }
    let (exact, patterns, nodes) = index.size();
    assert_eq!((exact, patterns), (1_000, 2_000));
    assert!(nodes > 2_000);
    // A stranger's leaving takes nothing away.
    assert!(!all.iter().any(|matcher| index.remove(matcher, 9)));
    assert_eq!(index.size(), (exact, patterns, nodes));
    for key in 0..3 {
        assert!(all.iter().all(|matcher| index.remove(matcher, key)));
    }
    assert_eq!(index.size(), empty);
}

#[test]
fn cost_does_not_grow_with_the_patterns_that_do_not_match() {
    for patterns in [100, 1_000, 3_000] {
        let mut index = Index::new();
        for i in 0..patterns {
            let matcher = match i % 2 {
                0 => selector(&format!("https://example.com/orders/{i}/{{state}}")),
                _ => pattern(&format!("https://example.com/users/{i}/:state")),
            };
            index.insert(&matcher, i);
        }
        let base = base();
        for (topic, candidates, found) in [
            ("https://example.com/orders/42/open", 1, vec![42]),
            ("https://example.com/users/43/open", 1, vec![43]),
            ("/users/43/open", 1, vec![43]),
            ("https://example.com/users/43/open/now", 1, vec![]),
            ("https://example.com/nothing", 0, vec![]),
        ] {
            assert_eq!(
                index.candidates(&Subject::new(topic, &base)),
                candidates,
                "{topic} of {patterns}"
            );
            assert_eq!(
                matches(&mut index, &[topic]),
                found,
                "{topic} of {patterns}"
            );
        }
    }
}

fn matchers() -> impl Strategy<Value = Matcher> {
    let exact = ["/a", "/a/b", "/{x}", "/a/:x"].map(Matcher::exact);
    let templates = [
        "/a/{x}", "/a{/x*}", "/{x}", "{+x}", "/a/b{?q}", "/b/{x:1}", "{x",
    ];
    let patterns = [
        "/a/:x",
        "/:x",
        "/a/*",
        "*://*/*",
        "/a/b?q=:q",
        "https://*.com/b",
        "/(\\w)",
    ];
    let all = [Matcher::Any]
        .into_iter()
        .chain(exact)
        .chain(templates.map(selector))
        .chain(patterns.map(pattern));
    prop::sample::select(Vec::from_iter(all))
}

/// Something that happens to an index.
#[derive(Debug, Clone)]
enum Step {
    Insert(Matcher, u32),
    Remove(usize),
    Publish(Vec<String>),
}

fn step() -> impl Strategy<Value = Step> {
    let topic = "(https://example.com)?/(a|b|[ab]/b|a/b\\?q=1|\\{x\\}|a/:x)?";
    prop_oneof![
        (matchers(), 0..4u32).prop_map(|(matcher, key)| Step::Insert(matcher, key)),
        any::<usize>().prop_map(Step::Remove),
        prop::collection::vec(topic, 1..3).prop_map(Step::Publish),
        prop::collection::vec(topic, 1..3).prop_map(Step::Publish),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Topics come again and again while patterns come and go: what the memo
    /// answers must be what a walk through all watchers does.
    #[test]
    fn it_answers_what_brute_force_does(steps in prop::collection::vec(step(), 1..120)) {
        let (mut index, base) = (Index::new(), base());
        let mut watchers: BTreeSet<(Matcher, u32)> = BTreeSet::new();
        for step in steps {
            match step {
                Step::Insert(matcher, key) => {
                    index.insert(&matcher, key);
                    watchers.insert((matcher, key));
                }
                Step::Remove(n) => {
                    let chosen = watchers.iter().nth(n % watchers.len().max(1)).cloned();
                    if let Some((matcher, key)) = chosen {
                        index.remove(&matcher, key);
                        watchers.remove(&(matcher, key));
                    }
                }
                Step::Publish(topics) => {
                    let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
                    let expected: BTreeSet<u32> = watchers
                        .iter()
                        .filter(|(matcher, _)| {
                            topics.iter().any(|topic| matcher.matches(&Subject::new(topic, &base)))
                        })
                        .map(|(_, key)| *key)
                        .collect();
                    let found = matches(&mut index, &topics);
                    prop_assert_eq!(found, Vec::from_iter(expected), "{:?}", topics);
                }
            }
        }
    }
}

/// Also when more patterns came than a remembered topic is held against one
/// by one.
#[test]
fn what_is_remembered_learns_of_new_patterns() {
    let mut index = Index::new();
    for i in 0..200u32 {
        let expected: Vec<u32> = (0..i).filter(|key| key % 2 == 0).collect();
        assert_eq!(matches(&mut index, &["/a"]), expected, "{i}");
        let prefix = if i % 2 == 0 { "/" } else { "/b" };
        index.insert(&selector(&format!("{prefix}{{x{i}}}")), i);
        for other in 0..(i % 50) {
            index.insert(&selector(&format!("/c/{i}/{other}/{{x}}")), 1_000);
        }
    }
}
