//! The rules, as data.

use serde::Deserialize;
use std::fmt;

/// What the protocol asks for, and how one sees that a hub does it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Stable; the part before the dash is the subject.
    pub id: String,
    /// The versions of the protocol that ask for it.
    pub dialect: Vec<Dialect>,
    /// How strongly.
    pub level: Level,
    /// The demand.
    pub rule: String,
    /// What is sent, and what must then be seen.
    pub test: String,
}

/// The versions of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub enum Dialect {
    /// draft-dunglas-mercure-07, hubs up to 0.24.
    #[serde(rename = "0.x")]
    V0,
    /// draft-dunglas-mercure-08.
    #[serde(rename = "1.0")]
    V1,
}

/// How strongly a rule is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Level {
    /// By a draft.
    #[serde(rename = "MUST")]
    Must,
    /// By a draft, with exceptions.
    #[serde(rename = "SHOULD")]
    Should,
    /// By no draft, but clients in use rely on it.
    #[serde(rename = "clients")]
    Clients,
}

impl Dialect {
    /// Both.
    pub const ALL: [Self; 2] = [Self::V0, Self::V1];

    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::V0 => "0.x",
            Self::V1 => "1.0",
        }
    }
}

impl Level {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Must => "MUST",
            Self::Should => "SHOULD",
            Self::Clients => "clients",
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    rule: Vec<Rule>,
}

/// All rules, in the order of the table.
pub fn rules() -> Vec<Rule> {
    let table: Table = toml::from_str(include_str!("../rules.toml")).expect("the table is tested");
    table.rule
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    const SUBJECTS: [&str; 8] = [
        "auth",
        "cursor",
        "discovery",
        "endpoint",
        "presence",
        "publish",
        "stream",
        "subscribe",
    ];

    #[test]
    fn every_rule_has_an_id_of_its_own_and_all_its_fields() {
        let rules = rules();
        let mut last: BTreeMap<&str, usize> = BTreeMap::new();
        for rule in &rules {
            let id = &rule.id;
            let (subject, number) = id.split_once('-').unwrap_or_else(|| panic!("{id}"));
            // Counted without holes: so an id is given once, and none was lost.
            let last = last.entry(subject).or_default();
            *last += 1;
            assert_eq!(number, last.to_string(), "{id}");
            assert!(!rule.dialect.is_empty(), "{id}");
            assert!(rule.dialect.is_sorted_by(|a, b| a < b), "{id}");
            for text in [&rule.rule, &rule.test] {
                assert!(
                    text.len() > 20 && text.ends_with(['.', ')']),
                    "{id}: {text}"
                );
            }
        }
        assert_eq!(Vec::from_iter(last.keys().copied()), SUBJECTS);
    }
}
