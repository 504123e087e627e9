//! Selectors: which topics a subscription watches.

use crate::mercure::{EVERYTHING, beginnings, from_mercure, to_mercure};
use crate::topic::{InvalidTopic, Topic, check_path};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use tidings_matcher::{Base, Matcher, Subject};

/// A topic, or a pattern over topics: a segment `*` stands for exactly one
/// segment, a last segment `**` for one or more. Or a rule of Mercure's.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Selector {
    /// Exactly this topic.
    Exact(Topic),
    /// All topics that the pattern matches.
    Pattern(Pattern),
    /// All topics whose Mercure name a rule of Mercure's matches.
    Mercure(Arc<MercureSelector>),
}

/// A valid pattern: its text has at least one `*` or `**` segment.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pattern(pub(crate) Box<str>);

/// A URI template or a URL pattern, of the hub at its base. Two are the same if
/// their kind and text are; a hub has one base.
#[derive(Debug, Clone)]
pub struct MercureSelector {
    matcher: Matcher,
    base: Arc<Base>,
}

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
            Self::Mercure(own) => own.matcher.as_str(),
        }
    }

    /// Whether the selector watches `topic`. A topic whose first segment
    /// begins with `$` matches only a selector that spells that segment.
    pub fn matches(&self, topic: &Topic) -> bool {
        match self {
            Self::Exact(own) => own == topic,
            Self::Pattern(pattern) => pattern.matches(topic),
            Self::Mercure(own) => to_mercure(topic, &own.base)
                .is_some_and(|name| own.matches(&Subject::new(&name, &own.base))),
        }
    }

    /// What each topic that it may watch begins with: one of these texts, any of
    /// which may end inside a segment.
    pub fn beginnings(&self) -> Vec<Cow<'_, str>> {
        match self {
            Self::Exact(topic) => vec![topic.as_str().into()],
            Self::Pattern(pattern) => vec![pattern.literal().into()],
            Self::Mercure(own) => {
                let found = beginnings(own.matcher.prefix(), &own.base);
                found.into_iter().map(Cow::from).collect()
            }
        }
    }

    /// Whether some topic is watched by both selectors. Of a rule of Mercure's no
    /// more is known than what topics begin with, so it may be told of one that
    /// there is none.
    pub fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Mercure(_), Self::Exact(topic)) => return self.matches(topic),
            (Self::Exact(topic), Self::Mercure(_)) => return other.matches(topic),
            (Self::Mercure(_), _) | (_, Self::Mercure(_)) => return self.may_overlap(other),
            _ => {}
        }
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

    /// Whether topics of both can begin alike.
    fn may_overlap(&self, other: &Self) -> bool {
        let (own, others) = (self.beginnings(), other.beginnings());
        let shuns = |selector: &Self, beginning: &str| match selector {
            Self::Mercure(_) => false,
            _ => shuns_reserved(selector.as_str(), beginning),
        };
        own.iter().any(|a| {
            let alike = |b: &Cow<'_, str>| a.starts_with(&**b) || b.starts_with(&**a);
            !shuns(other, a) && others.iter().any(|b| alike(b) && !shuns(self, b))
        })
    }

    /// Whether every topic that `other` watches is watched by this selector too.
    /// A rule of Mercure's covers no pattern; patterns that end with `**` cover
    /// those whose topics all begin accordingly.
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (_, Self::Exact(topic)) => return self.matches(topic),
            (Self::Pattern(own), Self::Mercure(_)) => {
                let beginnings = other.beginnings();
                return beginnings.iter().all(|text| own.covers_all_of(text));
            }
            (Self::Mercure(_), _) | (_, Self::Mercure(_)) => return self == other,
            _ => {}
        }
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

impl MercureSelector {
    /// What `matcher` selects in the log of the hub at `base`: a topic for an exact
    /// one, none if that can't be in a log; for `*`, all that have a Mercure name.
    pub fn selectors(matcher: &Matcher, base: &Arc<Base>) -> Vec<Selector> {
        match matcher {
            Matcher::Exact(text) => from_mercure(text, base)
                .map(Selector::Exact)
                .into_iter()
                .collect(),
            Matcher::Any => ["**", EVERYTHING]
                .map(|text| Selector::Pattern(Pattern(text.into())))
                .to_vec(),
            Matcher::Template(_) | Matcher::UrlPattern(_) => {
                let (matcher, base) = (matcher.clone(), Arc::clone(base));
                vec![Selector::Mercure(Arc::new(Self { matcher, base }))]
            }
        }
    }

    /// The rule.
    pub fn matcher(&self) -> &Matcher {
        &self.matcher
    }

    /// The hub's base.
    pub fn base(&self) -> &Arc<Base> {
        &self.base
    }

    /// Whether it matches a Mercure topic.
    pub fn matches(&self, topic: &Subject<'_>) -> bool {
        self.matcher.matches(topic)
    }
}

impl PartialEq for MercureSelector {
    fn eq(&self, other: &Self) -> bool {
        self.matcher == other.matcher
    }
}

impl Eq for MercureSelector {}

impl Hash for MercureSelector {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.matcher.hash(state);
    }
}

impl PartialOrd for MercureSelector {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for MercureSelector {
    fn cmp(&self, other: &Self) -> Ordering {
        self.matcher.cmp(&other.matcher)
    }
}

impl Pattern {
    /// The pattern as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What comes before its first `*`.
    fn literal(&self) -> &str {
        self.0.split('*').next().unwrap_or_default()
    }

    /// Whether it matches every topic that begins with `text`.
    fn covers_all_of(&self, text: &str) -> bool {
        let literal = self.literal();
        let all_below = self.0.strip_prefix(literal) == Some("**") && text.starts_with(literal);
        match literal {
            "" => all_below && !text.is_empty() && !text.starts_with('$'),
            _ => all_below,
        }
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
