//! The topic index against brute force, and what it costs.

use proptest::prelude::*;
use std::collections::BTreeSet;
use tidings_engine::{Index, Published, Selection, Selector, Topic};

fn selection(texts: &[&str]) -> Selection {
    Selection::new(
        texts
            .iter()
            .map(|text| Selector::new(text).unwrap())
            .collect(),
    )
}

fn matches(index: &mut Index<u32>, topic: &str) -> Vec<u32> {
    let mut keys = Vec::new();
    let topic = Topic::new(topic).unwrap();
    index.matches(&Published::natively(&topic), |key| keys.push(key));
    keys.sort_unstable();
    let (count, _) = index.count(&Published::natively(&topic));
    assert_eq!(count, keys.len(), "{topic}");
    keys
}

#[test]
fn keys_are_counted_without_going_through_the_largest_set() {
    let mut index = Index::new();
    (0..10_000).for_each(|key| index.insert(&selection(&["**"]), key));
    (9_990..10_010).for_each(|key| index.insert(&selection(&["a", "b/*"]), key));
    let mut check = |topic: &str, count, steps| {
        let topic = Topic::new(topic).unwrap();
        assert_eq!(index.count(&Published::natively(&topic)), (count, steps));
    };
    // The nodes that were visited, and the keys of the smaller set.
    check("c", 10_000, 1);
    check("a", 10_010, 1 + 20);
    check("b/x", 10_010, 3 + 20);
    check("$sys", 0, 1);
}

#[test]
fn a_key_is_reported_once_however_many_selectors_match() {
    let mut index = Index::new();
    index.insert(&selection(&["a/b", "a/*", "*/b", "*/*", "a/**", "**"]), 1);
    index.insert(&selection(&["a/b"]), 2);
    index.insert(&selection(&["*/*"]), 3);
    assert_eq!(matches(&mut index, "a/b"), [1, 2, 3]);
    assert_eq!(matches(&mut index, "a/c"), [1, 3]);
    assert_eq!(matches(&mut index, "a"), [1]);
    assert!(matches(&mut index, "$r").is_empty());
}

#[test]
fn memory_is_given_back() {
    let mut index = Index::new();
    let empty = index.size();
    let texts: Vec<String> = (0..1_000).map(|i| format!("t{}/{i}", i % 7)).collect();
    let all: Vec<Selection> = texts
        .iter()
        .map(|text| selection(&[text, &format!("{text}/*"), &format!("*/{text}/**")]))
        .collect();
    for (key, selection) in (0..).zip(&all) {
        index.insert(selection, key);
    }
    assert_eq!(index.size().0, 1_000);
    assert!(index.size().1 > 1_000);
    // A stranger's leaving takes nothing away.
    all.iter()
        .for_each(|selection| index.remove(selection, u32::MAX));
    assert_eq!(matches(&mut index, "t0/0"), [0]);
    for (key, selection) in (0..).zip(&all) {
        index.remove(selection, key);
    }
    assert_eq!(index.size(), empty);
}

#[test]
fn cost_does_not_grow_with_the_patterns_that_do_not_match() {
    for patterns in [100, 1_000, 10_000, 100_000] {
        let mut index = Index::new();
        for i in 0..patterns {
            let text = match i % 3 {
                0 => format!("orders/{i}/*"),
                1 => format!("users/{i}/**"),
                _ => format!("*/{i}/state"),
            };
            index.insert(&selection(&[&text]), i);
        }
        for (topic, visited, reported) in [
            ("orders/30/state", 5, 1),
            ("users/31/state/now", 4, 1),
            ("users/32/state", 5, 1),
            ("nothing/like/this", 2, 0),
        ] {
            let nodes = index.visited_nodes(&Topic::new(topic).unwrap());
            let found = matches(&mut index, topic).len();
            assert_eq!((nodes, found), (visited, reported), "{topic} of {patterns}");
        }
    }
}

/// Ways to read a topic double with each segment at worst; the patterns that
/// are there bound them.
#[test]
fn cost_is_bounded_by_the_ways_to_read_a_topic() {
    let mut index = Index::new();
    for bits in 0..64u32 {
        let path: Vec<&str> = (0..6)
            .map(|i| if bits >> i & 1 == 1 { "*" } else { "a" })
            .collect();
        index.insert(&selection(&[&path.join("/")]), bits);
    }
    // 1 + 2 + … + 64, but for the leaf of a/a/a/a/a/a, which is no pattern.
    let topic = Topic::new("a/a/a/a/a/a").unwrap();
    assert_eq!(index.visited_nodes(&topic), 126);
    assert_eq!(matches(&mut index, "a/a/a/a/a/a").len(), 64);
    let deep = Topic::new(&["a"; 2_048].join("/")).unwrap();
    assert_eq!(index.visited_nodes(&deep), 126);
}

#[test]
fn a_topic_of_two_thousand_segments() {
    let mut index = Index::new();
    let path = ["*"; 2_047].join("/") + "/**";
    index.insert(&selection(&[&path]), 1);
    let topic = ["a"; 2_048].join("/");
    assert_eq!(matches(&mut index, &topic), [1]);
    index.remove(&selection(&[&path]), 1);
    assert_eq!(index.size(), (0, 1));
}

const SEGMENTS: [&str; 5] = ["a", "b", "$r", "*", "**"];

fn texts() -> impl Strategy<Value = Vec<String>> {
    let path = prop::collection::vec(prop::sample::select(&SEGMENTS[..]), 1..5);
    prop::collection::vec(path.prop_map(|path| path.join("/")), 0..6)
}

#[derive(Debug, Clone)]
enum Step {
    Insert(Vec<String>),
    Remove(prop::sample::Index),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => texts().prop_map(Step::Insert),
        2 => any::<prop::sample::Index>().prop_map(Step::Remove),
    ];
    prop::collection::vec(step, 1..40)
}

proptest! {
    #[test]
    fn reports_what_brute_force_finds(steps in steps()) {
        let topics = ["a", "b", "$r", "a/b", "b/a", "$r/a", "a/$r", "a/b/a", "b/b/b/b", "c/d/e/f/g"];
        let mut index = Index::new();
        let mut live: Vec<(u32, Selection)> = Vec::new();
        for (key, step) in (0..).zip(steps) {
            match step {
                Step::Insert(texts) => {
                    let selectors = texts.iter().filter_map(|text| Selector::new(text).ok());
                    let selection = Selection::new(selectors.collect());
                    index.insert(&selection, key);
                    live.push((key, selection));
                }
                Step::Remove(which) if !live.is_empty() => {
                    let (key, selection) = live.swap_remove(which.index(live.len()));
                    index.remove(&selection, key);
                }
                Step::Remove(_) => {}
            }
            for text in topics {
                let topic = Topic::new(text).unwrap();
                let expected: BTreeSet<u32> = live
                    .iter()
                    .filter(|(_, selection)| selection.matches(&topic))
                    .map(|(key, _)| *key)
                    .collect();
                prop_assert_eq!(matches(&mut index, text), Vec::from_iter(expected), "{}", text);
            }
        }
        for (key, selection) in live {
            index.remove(&selection, key);
        }
        prop_assert_eq!(index.size(), (0, 1));
    }
}
