//! Selectors: which topics a subscription watches.

use crate::topic::{InvalidTopic, Topic, check_path};
use std::fmt;
use std::sync::Arc;

/// A topic, or a pattern over topics: a segment `*` stands for exactly one
/// segment, a last segment `**` for one or more.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Selector {
    /// Exactly this topic.
    Exact(Topic),
    /// All topics that the pattern matches.
    Pattern(Pattern),
}

/// A valid pattern: its text has at least one `*` or `**` segment.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pattern(Box<str>);

/// Why a text is no selector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidSelector {
    /// It breaks a rule that topics have too.
    Path(InvalidTopic),
    /// `*` is part of a segment; it must be the whole of it.
    PartialWildcard,
    /// `**` isn't the last segment.
    RestNotLast,
}

impl fmt::Display for InvalidSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(reason) => reason.fmt(f),
            Self::PartialWildcard => {
                f.write_str("'*' stands for a whole segment, not for a part of one")
            }
            Self::RestNotLast => f.write_str("'**' can only be the last segment"),
        }
    }
}

impl std::error::Error for InvalidSelector {}

impl Selector {
    /// Parses a topic or a pattern.
    ///
    /// # Errors
    /// [`InvalidSelector`] says which rule it breaks.
    pub fn new(text: &str) -> Result<Self, InvalidSelector> {
        check_path(text).map_err(InvalidSelector::Path)?;
        if !text.contains('*') {
            return Ok(Self::Exact(
                Topic::new(text).map_err(InvalidSelector::Path)?,
            ));
        }
        let mut segments = text.split('/').peekable();
        while let Some(segment) = segments.next() {
            match segment {
                "*" => {}
                "**" if segments.peek().is_none() => {}
                "**" => return Err(InvalidSelector::RestNotLast),
                _ if segment.contains('*') => return Err(InvalidSelector::PartialWildcard),
                _ => {}
            }
        }
        Ok(Self::Pattern(Pattern(text.into())))
    }

    /// The selector as text.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Exact(topic) => topic.as_str(),
            Self::Pattern(pattern) => &pattern.0,
        }
    }

    /// Whether the selector watches `topic`. A topic whose first segment
    /// begins with `$` matches only a selector that spells that segment.
    pub fn matches(&self, topic: &Topic) -> bool {
        match self {
            Self::Exact(own) => own == topic,
            Self::Pattern(pattern) => pattern.matches(topic),
        }
    }

    /// Whether some topic is watched by both selectors.
    pub fn overlaps(&self, other: &Self) -> bool {
        let (a, b) = (self.as_str(), other.as_str());
        if shuns_reserved(a, b) || shuns_reserved(b, a) {
            return false;
        }
        let (mut a, mut b) = (a.split('/'), b.split('/'));
        loop {
            match (a.next(), b.next()) {
                (None, None) => return true,
                (None, Some(_)) | (Some(_), None) => return false,
                (Some("**"), Some(_)) | (Some(_), Some("**")) => return true,
                (Some(a), Some(b)) if a == b || a == "*" || b == "*" => {}
                _ => return false,
            }
        }
    }

    /// Whether every topic that `other` watches is watched by this selector too.
    pub fn covers(&self, other: &Self) -> bool {
        let (own, other) = (self.as_str(), other.as_str());
        if shuns_reserved(own, other) {
            return false;
        }
        let (mut own, mut other) = (own.split('/'), other.split('/'));
        loop {
            match (own.next(), other.next()) {
                (None, None) => return true,
                (None, Some(_)) | (Some(_), None) => return false,
                (Some("**"), Some(_)) => return true,
                (Some("*"), Some(other)) if other != "**" => {}
                (Some(own), Some(other)) if own == other => {}
                _ => return false,
            }
        }
    }
}

/// Whether `pattern` leaves reserved topics out and `other` watches only such.
fn shuns_reserved(pattern: &str, other: &str) -> bool {
    pattern.starts_with('*') && other.starts_with('$')
}

impl Pattern {
    /// The pattern as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn matches(&self, topic: &Topic) -> bool {
        let mut wanted = self.0.split('/');
        if topic.is_reserved() && self.0.starts_with('*') {
            return false;
        }
        for segment in topic.segments() {
            match wanted.next() {
                Some("**") => return true,
                Some("*") => {}
                Some(literal) if literal == segment => {}
                _ => return false,
            }
        }
        wanted.next().is_none()
    }
}

/// What one subscription watches: the union of its selectors, without doubles.
/// Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection(Arc<[Selector]>);

impl Selection {
    /// Joins selectors, dropping doubles. An empty selection watches nothing.
    pub fn new(mut selectors: Vec<Selector>) -> Self {
        selectors.sort();
        selectors.dedup();
        Self(selectors.into())
    }

    /// Everything but the hub's reserved topics: `**`.
    pub fn everything() -> Self {
        Self(Arc::new([Selector::Pattern(Pattern("**".into()))]))
    }

    /// The selectors, sorted.
    pub fn selectors(&self) -> &[Selector] {
        &self.0
    }

    /// Its exact topics, sorted, and its patterns.
    pub(crate) fn parts(&self) -> (&[Selector], &[Selector]) {
        // `Exact` sorts before `Pattern`, as the enum names it first.
        let exact = self
            .0
            .partition_point(|selector| matches!(selector, Selector::Exact(_)));
        self.0.split_at(exact)
    }

    /// Whether any selector watches `topic`. The cost grows with the logarithm
    /// of the number of exact topics and with the number of patterns.
    pub fn matches(&self, topic: &Topic) -> bool {
        let (exact, patterns) = self.parts();
        exact
            .binary_search_by(|selector| selector.as_str().cmp(topic.as_str()))
            .is_ok()
            || patterns.iter().any(|selector| selector.matches(topic))
    }
}
