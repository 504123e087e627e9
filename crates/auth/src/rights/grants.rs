//! Lists of selectors, in whichever dialect they were granted.

use crate::names::{self, TopicName};
use std::collections::BTreeSet;
use std::fmt;
use tidings_engine::{Selection, Selector};
use tidings_mercure::matcher::Kind;
use tidings_mercure::{Base, Matcher, Subject};

/// Which topics are granted. Nothing by default. Two are equal if they have the
/// same selectors, each in its own language.
#[derive(Clone, PartialEq, Eq)]
pub struct Grants {
    native: Selection,
    everything: bool,
    exact: BTreeSet<Box<str>>,
    patterns: BTreeSet<Matcher>,
}

impl Default for Grants {
    fn default() -> Self {
        Self {
            native: Selection::new(Vec::new()),
            everything: false,
            exact: BTreeSet::new(),
            patterns: BTreeSet::new(),
        }
    }
}

impl Grants {
    /// Whether nothing is granted.
    pub fn is_empty(&self) -> bool {
        let native = self.native.selectors().is_empty();
        native && !self.has_mercure()
    }

    /// How much work it is at worst to find out whether a short topic is granted,
    /// in the units of [`Selection::work`].
    pub fn work(&self) -> usize {
        let rules = self.patterns.iter().map(Matcher::work);
        self.native.work_per_topic() + 1 + rules.sum::<usize>()
    }

    /// Whether a topic is granted, by any of its names. The hub's own native
    /// topics have no name that a selector of Mercure could match.
    pub fn grant(&self, topic: &TopicName<'_>) -> bool {
        let native = topic.as_native();
        native.is_some_and(|native| self.native.matches(native))
            || self.has_mercure()
                && topic
                    .subject()
                    .is_some_and(|subject| self.match_subject(&subject))
    }

    fn has_mercure(&self) -> bool {
        self.everything || !self.exact.is_empty() || !self.patterns.is_empty()
    }

    /// Whether a name of the Mercure face is matched by selectors of Mercure.
    pub(crate) fn match_subject(&self, subject: &Subject<'_>) -> bool {
        self.everything
            || self.exact.contains(subject.as_str())
            || self.patterns.iter().any(|own| own.matches(subject))
    }

    /// Whether every topic that a native selector watches is granted.
    pub fn cover(&self, selector: &Selector) -> bool {
        let by_native = |granted: &Selector| granted.covers(selector);
        self.everything && names::is_named_by_mercure(selector)
            || self.native.selectors().iter().any(by_native)
    }

    pub(super) fn everything() -> Self {
        Self {
            everything: true,
            ..Self::default()
        }
    }

    pub(super) fn add_native(&mut self, mut selectors: Vec<Selector>) {
        selectors.extend_from_slice(self.native.selectors());
        self.native = Selection::new(selectors);
    }

    pub(super) fn add(&mut self, matcher: Matcher) {
        match matcher.kind() {
            Kind::Any => self.everything = true,
            Kind::Exact => drop(self.exact.insert(matcher.as_str().into())),
            Kind::Template | Kind::UrlPattern => drop(self.patterns.insert(matcher)),
        }
    }

    pub(super) fn join(&mut self, other: Self) {
        self.add_native(other.native.selectors().to_vec());
        self.everything |= other.everything;
        self.exact.extend(other.exact);
        self.patterns.extend(other.patterns);
    }

    /// Every selector with its language, to be written down.
    pub(super) fn written(&self) -> Vec<(char, String)> {
        let everything = self.everything.then(|| ('*', String::new()));
        let native = self.native.selectors().iter();
        let native = native.map(|selector| ('n', selector.as_str().to_owned()));
        let exact = self.exact.iter().map(|text| ('e', text.to_string()));
        let patterns = self.patterns.iter().map(|matcher| {
            let kind = match matcher.kind() {
                Kind::UrlPattern => 'u',
                _ => 't',
            };
            (kind, matcher.as_str().to_owned())
        });
        let all = everything.into_iter().chain(native);
        all.chain(exact).chain(patterns).collect()
    }

    /// Reads what [`Self::written`] gave.
    pub(super) fn from_written(list: &[(char, String)], base: &Base) -> Option<Self> {
        let mut grants = Self::default();
        let mut native = Vec::new();
        for (kind, text) in list {
            match kind {
                '*' => grants.everything = true,
                'n' => native.push(Selector::new(text).ok()?),
                'e' => drop(grants.exact.insert(text.as_str().into())),
                't' => grants.add(Matcher::selector(text).ok()?),
                'u' => grants.add(Matcher::url_pattern(text, base).ok()?),
                _ => return None,
            }
        }
        grants.add_native(native);
        Some(grants)
    }
}

impl fmt::Debug for Grants {
    /// How many selectors, not which: they are claims.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grants")
            .field("everything", &self.everything)
            .field("native", &self.native.selectors().len())
            .field("exact", &self.exact.len())
            .field("patterns", &self.patterns.len())
            .finish()
    }
}
