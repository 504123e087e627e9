//! The table of what the protocol asks for is complete and can be cited.

use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    rule: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    id: String,
    dialect: Vec<String>,
    level: String,
    rule: String,
    test: String,
}

const SUBJECTS: [&str; 8] = [
    "endpoint",
    "subscribe",
    "stream",
    "cursor",
    "publish",
    "auth",
    "presence",
    "discovery",
];

#[test]
fn every_rule_has_an_id_of_its_own_and_all_its_fields() {
    let table: Table = toml::from_str(include_str!("../conformance.toml")).unwrap();
    let mut last: BTreeMap<&str, usize> = BTreeMap::new();
    for rule in &table.rule {
        let id = &rule.id;
        let (subject, number) = id.split_once('-').unwrap_or_else(|| panic!("{id}"));
        assert!(SUBJECTS.contains(&subject), "{id}");
        // Counted without holes: so an id is given once, and none was lost.
        let last = last.entry(subject).or_default();
        *last += 1;
        assert_eq!(number, last.to_string(), "{id}");
        let known = ["0.x", "1.0"];
        assert!(!rule.dialect.is_empty(), "{id}");
        assert!(rule.dialect.is_sorted_by(|a, b| a < b), "{id}");
        assert!(
            rule.dialect
                .iter()
                .all(|dialect| known.contains(&&**dialect)),
            "{id}"
        );
        assert!(
            ["MUST", "SHOULD", "clients"].contains(&&*rule.level),
            "{id}"
        );
        for text in [&rule.rule, &rule.test] {
            assert!(
                text.len() > 20 && text.ends_with(['.', ')']),
                "{id}: {text}"
            );
        }
    }
    assert_eq!(Vec::from_iter(last.keys().copied()), {
        let mut subjects = SUBJECTS.to_vec();
        subjects.sort_unstable();
        subjects
    });
}
