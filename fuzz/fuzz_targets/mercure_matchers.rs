//! Matchers and topics of any kind: parsing ends, a match keeps to what the
//! index relies on, and the index answers what the matchers do.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::collections::BTreeSet;
use std::sync::Once;
use tidings_matcher::Template;
use tidings_mercure::{Base, Index, Matcher, Subject};

/// Longer ones are refused before they are parsed.
const MAX_BYTES: usize = 4096;

fuzz_target!(|case: (Vec<(u8, String)>, Vec<String>)| {
    // The fuzzer's own hook ends the process before a panic can be caught, and
    // those of the parser of URL patterns are. What escapes still ends it.
    static HOOK: Once = Once::new();
    HOOK.call_once(|| std::panic::set_hook(Box::new(|panic| eprintln!("{panic}"))));
    let (matchers, topics) = case;
    let base = Base::new("https://example.com").expect("a URL");
    let matchers: Vec<Matcher> = matchers
        .iter()
        .filter(|(_, text)| text.len() <= MAX_BYTES)
        .filter_map(|(kind, text)| match kind % 3 {
            0 => Matcher::selector(text).ok(),
            1 => Matcher::url_pattern(text, &base).ok(),
            _ => Some(Matcher::exact(text)),
        })
        .collect();
    let mut index = Index::new();
    for (key, matcher) in matchers.iter().enumerate() {
        index.insert(matcher, key);
        if let Ok(template) = Template::new(matcher.as_str()) {
            assert!(
                template.matches(matcher.as_str()),
                "a template isn't itself"
            );
        }
    }
    // Twice, as the second time is answered from memory.
    for topic in topics
        .iter()
        .chain(&topics)
        .filter(|topic| topic.len() <= MAX_BYTES)
    {
        let subject = Subject::new(topic, &base);
        let mut found = BTreeSet::new();
        index.matches(&[Subject::new(topic, &base)], |key| {
            assert!(found.insert(key))
        });
        for (key, matcher) in matchers.iter().enumerate() {
            assert_eq!(
                found.contains(&key),
                matcher.matches(&subject),
                "{matcher:?} {topic:?}"
            );
        }
    }
    for (key, matcher) in matchers.iter().enumerate() {
        index.remove(matcher, key);
    }
    assert_eq!(index.size(), Index::<usize>::new().size());
});
