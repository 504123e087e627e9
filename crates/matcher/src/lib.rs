//! What a Mercure subscriber asks for, and a token grants: which topics. Exact
//! ones, URI templates (RFC 6570), URL patterns, and an index of all of them.
//! Nothing in here reads a clock, a socket, a file or a random number.
#![forbid(unsafe_code)]
// The order of a hash map is random: nothing may depend on it.
#![deny(clippy::iter_over_hash_type)]

pub mod base;
mod expand;
pub mod index;
mod load;
mod memo;
mod radix;
pub mod template;
pub mod url_pattern;

pub use base::Base;
pub use index::Index;
pub use load::Load;
pub use template::{InvalidTemplate, Template};
pub use url_pattern::{InvalidUrlPattern, UrlPattern};

use expand::Tokens;
use std::cell::OnceCell;
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use url_pattern::TopicUrl;

/// A rule that a topic matches or not. Two are the same if their kind and
/// their text are; never by a text that was joined from several.
#[derive(Debug, Clone)]
pub enum Matcher {
    /// `*`, in either dialect: every topic.
    Any,
    /// This topic, byte for byte; nothing is normalised.
    Exact(Arc<str>),
    /// A selector of 0.x: this text itself, or what it expands to as a URI template.
    Template(Arc<Template>),
    /// `match_urlpattern` of 1.0.
    UrlPattern(Arc<UrlPattern>),
}

/// What an allocator keeps beside an allocation, and rounds it up by.
const ALLOCATION_BYTES: usize = 16;

/// The counters of an `Arc`, and its allocation.
const ARC_BYTES: usize = 16 + ALLOCATION_BYTES;

/// What kind of matcher it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// [`Matcher::Any`].
    Any,
    /// [`Matcher::Exact`].
    Exact,
    /// [`Matcher::Template`].
    Template,
    /// [`Matcher::UrlPattern`].
    UrlPattern,
}

impl Matcher {
    /// A selector of 0.x: `*`, a URI template, or else a topic to be matched
    /// exactly; what isn't quite a template is a topic too.
    ///
    /// # Errors
    /// [`InvalidTemplate::TooManyVariables`] and nothing else.
    pub fn selector(text: &str) -> Result<Self, InvalidTemplate> {
        match Template::new(text) {
            Ok(template) => Ok(Self::Template(template.into())),
            Err(error @ InvalidTemplate::TooManyVariables) => Err(error),
            Err(_) => Ok(Self::exact(text)),
        }
    }

    /// `match` and `match_exact` of 1.0: this topic, or `*`.
    pub fn exact(text: &str) -> Self {
        match text {
            "*" => Self::Any,
            text => Self::Exact(text.into()),
        }
    }

    /// `match_urlpattern` of 1.0. `*` is every topic, whatever the type.
    ///
    /// # Errors
    /// [`InvalidUrlPattern`].
    pub fn url_pattern(text: &str, base: &Base) -> Result<Self, InvalidUrlPattern> {
        if text == "*" {
            return Ok(Self::Any);
        }
        Ok(Self::UrlPattern(UrlPattern::new(text, base)?.into()))
    }

    /// What kind of matcher it is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Any => Kind::Any,
            Self::Exact(_) => Kind::Exact,
            Self::Template(_) => Kind::Template,
            Self::UrlPattern(_) => Kind::UrlPattern,
        }
    }

    /// The matcher as it was written.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Any => "*",
            Self::Exact(text) => text,
            Self::Template(template) => template.as_str(),
            Self::UrlPattern(pattern) => pattern.as_str(),
        }
    }

    /// What every topic that it matches begins with, byte for byte. Of a URL
    /// pattern nothing is known: a URL has many spellings.
    pub fn prefix(&self) -> &str {
        match self {
            Self::Any | Self::UrlPattern(_) => "",
            Self::Exact(text) => text,
            Self::Template(template) => template.prefix(),
        }
    }

    /// Whether it matches `topic`.
    pub fn matches(&self, topic: &Subject<'_>) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(text) => **text == *topic.text,
            Self::Template(template) => {
                template.may_match(topic.text) && template.matches_tokens(topic.tokens())
            }
            Self::UrlPattern(pattern) => topic.url().is_some_and(|url| pattern.matches(url)),
        }
    }

    /// How much work it is at worst to hold a short topic against it, in
    /// comparisons with a pattern of segments (some 60 ns, and as much again for
    /// each 64 bytes of topic). A URL pattern that a topic doesn't begin as costs next
    /// to nothing.
    pub fn work(&self) -> usize {
        match self {
            Self::Any | Self::Exact(_) => 1,
            Self::Template(template) => template.work(),
            Self::UrlPattern(pattern) => pattern.work(),
        }
    }

    /// What it takes in memory, in bytes, at most: itself and what it is compiled
    /// to, with what the programs of a URL pattern take while they run.
    pub fn memory(&self) -> usize {
        match self {
            Self::Any => 0,
            Self::Exact(text) => ARC_BYTES + text.len(),
            Self::Template(template) => ARC_BYTES + template.memory(),
            Self::UrlPattern(pattern) => ARC_BYTES + pattern.memory(),
        }
    }

    fn identity(&self) -> (Kind, &str) {
        (self.kind(), self.as_str())
    }
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for Matcher {}

impl PartialOrd for Matcher {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Matcher {
    fn cmp(&self, other: &Self) -> Ordering {
        self.identity().cmp(&other.identity())
    }
}

impl Hash for Matcher {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

/// Whether any of `matchers` matches any of an event's `topics`, canonical or
/// alternate. This routes, and it is how a token's matchers are held against
/// topics; the one never stands for the other.
pub fn any_matches(matchers: &[Matcher], topics: &[Subject<'_>]) -> bool {
    topics
        .iter()
        .any(|topic| matchers.iter().any(|matcher| matcher.matches(topic)))
}

/// A topic that matchers are held against. It is split into characters, and
/// read as a URL, once, when the first matcher asks for that.
#[derive(Debug)]
pub struct Subject<'a> {
    text: &'a str,
    base: &'a Base,
    tokens: OnceCell<Tokens>,
    url: OnceCell<Option<TopicUrl>>,
}

impl<'a> Subject<'a> {
    /// The topic `text` of the hub at `base`.
    pub fn new(text: &'a str, base: &'a Base) -> Self {
        Self {
            text,
            base,
            tokens: OnceCell::new(),
            url: OnceCell::new(),
        }
    }

    /// The topic.
    pub fn as_str(&self) -> &'a str {
        self.text
    }

    fn tokens(&self) -> &Tokens {
        self.tokens.get_or_init(|| Tokens::of(self.text))
    }

    fn url(&self) -> Option<&TopicUrl> {
        self.url
            .get_or_init(|| TopicUrl::new(self.text, self.base))
            .as_ref()
    }
}

/// Gives a slab's memory back once it is mostly empty, as far as its last
/// entry allows. `peak` is the most entries it had since that was last done,
/// which keeps the cost constant per removal.
fn shrink_slab<T>(slab: &mut slab::Slab<T>, peak: &mut usize) {
    if *peak > 4 * slab.len() + 16 {
        slab.shrink_to_fit();
        *peak = slab.len();
    }
}

/// Gives a map's memory back once it is mostly empty.
fn shrink_map<T: Eq + Hash, V>(map: &mut std::collections::HashMap<T, V>) {
    if map.capacity() > 4 * map.len() + 16 {
        map.shrink_to(2 * map.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> Base {
        Base::new("https://example.com").unwrap()
    }

    fn check(matcher: &Matcher, topic: &str, expected: bool) {
        let base = base();
        let subject = Subject::new(topic, &base);
        assert_eq!(matcher.matches(&subject), expected, "{matcher:?} {topic:?}");
    }

    #[test]
    fn selectors_of_0_x() {
        for (text, kind) in [
            ("*", Kind::Any),
            ("https://example.com/1", Kind::Exact),
            ("/{id}", Kind::Template),
            ("{id", Kind::Exact),
            ("a b{id}", Kind::Exact),
            ("", Kind::Exact),
        ] {
            assert_eq!(Matcher::selector(text).unwrap().kind(), kind, "{text}");
        }
        assert!(Matcher::selector(&"{x}".repeat(25)).is_err());
        check(&Matcher::selector("a b{id}").unwrap(), "a b{id}", true);
        check(&Matcher::selector("a b{id}").unwrap(), "a b1", false);
    }

    #[test]
    fn a6_exact_is_byte_for_byte() {
        for (text, topic) in [
            ("https://example.com/a", "https://example.com/%61"),
            ("https://example.com/a", "HTTPS://example.com/a"),
            ("é", "e\u{301}"),
            ("a", "а"),
            ("/{id}", "/1"),
        ] {
            check(&Matcher::exact(text), topic, false);
            check(&Matcher::exact(text), text, true);
        }
    }

    #[test]
    fn a_star_is_every_topic_before_any_type() {
        let base = base();
        for matcher in [
            Matcher::selector("*").unwrap(),
            Matcher::exact("*"),
            Matcher::url_pattern("*", &base).unwrap(),
        ] {
            assert_eq!(matcher, Matcher::Any);
            check(&matcher, "http://[", true);
        }
    }

    #[test]
    fn the_same_text_of_another_kind_is_another_matcher() {
        let base = base();
        let all = [
            Matcher::exact("/a{x}"),
            Matcher::selector("/a{x}").unwrap(),
            Matcher::url_pattern("/a{x}", &base).unwrap(),
        ];
        for (i, a) in all.iter().enumerate() {
            for (j, b) in all.iter().enumerate() {
                assert_eq!(a == b, i == j, "{a:?} {b:?}");
            }
        }
    }
}
