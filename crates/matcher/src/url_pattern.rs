//! URL patterns (the WHATWG URL Pattern standard), compiled so that they are
//! small, bounded, and matched in linear time.

use crate::ALLOCATION_BYTES;
use crate::base::Base;
use regex_automata::meta::{BuildError, Cache, Config, Regex};
use regex_automata::{Input, util::syntax};
use std::fmt;
use std::panic::catch_unwind;
use std::sync::{Mutex, PoisonError};
use url::Url;
use urlpattern::matcher::{InnerMatcher, Matcher as ParsedMatcher};
use urlpattern::regexp::RegExp;
use urlpattern::{RegexSyntax, UrlPattern as Parsed, UrlPatternInit, UrlPatternOptions};

/// A valid URL pattern. Relative ones were resolved against the hub's URL.
#[derive(Debug)]
pub struct UrlPattern {
    text: Box<str>,
    /// What the [key](TopicUrl::key) of every topic that matches begins with.
    prefix: Box<str>,
    protocol: Piece,
    username: Piece,
    password: Piece,
    hostname: Piece,
    port: Piece,
    pathname: Piece,
    search: Piece,
    hash: Piece,
}

/// Why a text is no URL pattern that is taken. The compiler's own words are
/// left out: they would quote the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidUrlPattern {
    /// It breaks the syntax.
    Syntax,
    /// It has a custom regular expression, or so many groups, that its
    /// programs would be larger than [`UrlPattern::PROGRAM_BYTES`].
    TooComplex,
}

impl fmt::Display for InvalidUrlPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Syntax => "the URL pattern is not valid",
            Self::TooComplex => {
                "the URL pattern is too complex; use fewer groups or simpler expressions"
            }
        })
    }
}

impl std::error::Error for InvalidUrlPattern {}

/// What one part of a URL must be.
#[derive(Debug)]
enum Piece {
    Anything,
    Literal(Box<str>),
    /// `prefix`, then what `inner` takes, then `suffix`.
    Around {
        prefix: Box<str>,
        suffix: Box<str>,
        inner: Inner,
    },
}

#[derive(Debug)]
enum Inner {
    Anything,
    /// At least one character, none of which is this (or any, if none is given).
    Segment(Option<char>),
    Program(Box<Program>),
}

/// A regular expression, and what it needs to run: once, so that what it takes is
/// known. Left to itself it would keep that for each thread that it ran on.
#[derive(Debug)]
struct Program {
    regex: Regex,
    cache: Mutex<Option<Cache>>,
}

/// A topic as a URL; its parts are compared one by one.
#[derive(Debug)]
pub(super) struct TopicUrl {
    url: Url,
    port: String,
    key: Box<str>,
}

impl UrlPattern {
    /// The most memory that the programs of a pattern may take, in bytes; the
    /// parts that need one share it evenly. While they run they take up to
    /// four times as much again. It bounds the time of a match, too: that is
    /// at most proportional to the programs' size times the topic's length.
    pub const PROGRAM_BYTES: usize = 8 * 1024;

    /// Parses a pattern.
    ///
    /// # Errors
    /// [`InvalidUrlPattern`].
    pub fn new(text: &str, base: &Base) -> Result<Self, InvalidUrlPattern> {
        // The parser has assertions that hostile patterns reach: `:a:1]` counts
        // brackets below zero where arithmetic is checked.
        let parsed =
            catch_unwind(|| parse(text, base)).map_err(|_| InvalidUrlPattern::Syntax)??;
        let matchers = [
            parsed.protocol.matcher,
            parsed.username.matcher,
            parsed.password.matcher,
            parsed.hostname.matcher,
            parsed.port.matcher,
            parsed.pathname.matcher,
            parsed.search.matcher,
            parsed.hash.matcher,
        ];
        let is_program =
            |matcher: &&ParsedMatcher<Later>| matches!(matcher.inner, InnerMatcher::RegExp { .. });
        let programs = matchers.iter().filter(is_program).count();
        let program_bytes = Self::PROGRAM_BYTES / programs.max(1);
        let mut pieces = Vec::with_capacity(matchers.len());
        for matcher in matchers {
            pieces.push(Piece::of(matcher, program_bytes)?);
        }
        let pieces: [Piece; 8] = pieces.try_into().expect("one for each part");
        let [
            protocol,
            username,
            password,
            hostname,
            port,
            pathname,
            search,
            hash,
        ] = pieces;
        Ok(Self {
            text: text.into(),
            prefix: prefix([&protocol, &hostname, &port, &pathname]).into(),
            protocol,
            username,
            password,
            hostname,
            port,
            pathname,
            search,
            hash,
        })
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// See [`Matcher::work`](crate::Matcher::work).
    pub(super) fn work(&self) -> usize {
        const SIMPLE: usize = 4;
        // At worst they try all their states at each byte.
        const PROGRAMS: usize = 180;
        SIMPLE + if self.programs() > 0 { PROGRAMS } else { 0 }
    }

    /// See [`Matcher::memory`](crate::Matcher::memory).
    pub fn memory(&self) -> usize {
        let literals: usize = self.pieces().map(Piece::literal_bytes).sum();
        let programs = match self.programs() {
            0 => 0,
            some => RUNNING * Self::PROGRAM_BYTES + some * size_of::<Program>(),
        };
        let texts = self.text.len() + self.prefix.len();
        size_of::<Self>() + texts + literals + programs + 2 * ALLOCATION_BYTES
    }

    fn programs(&self) -> usize {
        let is_program = |piece: &&Piece| {
            matches!(
                piece,
                Piece::Around {
                    inner: Inner::Program(_),
                    ..
                }
            )
        };
        self.pieces().filter(is_program).count()
    }

    fn pieces(&self) -> impl Iterator<Item = &Piece> {
        [
            &self.protocol,
            &self.username,
            &self.password,
            &self.hostname,
            &self.port,
            &self.pathname,
            &self.search,
            &self.hash,
        ]
        .into_iter()
    }

    /// What the [key](TopicUrl::key) of every topic that matches begins with.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    pub(super) fn matches(&self, topic: &TopicUrl) -> bool {
        // Most topics are told apart here, before any program runs.
        if !topic.key.starts_with(&*self.prefix) {
            return false;
        }
        let url = &topic.url;
        // The parts that differ most between topics go first.
        self.pathname.matches(url.path())
            && self.hostname.matches(url.host_str().unwrap_or_default())
            && self.protocol.matches(url.scheme())
            && self.port.matches(&topic.port)
            && self.search.matches(url.query().unwrap_or_default())
            && self.hash.matches(url.fragment().unwrap_or_default())
            && self.username.matches(url.username())
            && self.password.matches(url.password().unwrap_or_default())
    }
}

/// What the keys begin with whose parts are matched by `pieces`.
fn prefix(pieces: [&Piece; 4]) -> String {
    let mut prefix = String::new();
    for piece in pieces {
        let (literal, whole) = piece.begins_with();
        prefix.push_str(literal);
        if !whole {
            break;
        }
        prefix.push('\0');
    }
    prefix
}

fn parse(text: &str, base: &Base) -> Result<Parsed<Later>, InvalidUrlPattern> {
    let base = Some(base.hub().clone());
    let mut init = UrlPatternInit::parse_constructor_string::<Later>(text, base)
        .map_err(|_| InvalidUrlPattern::Syntax)?;
    if init.protocol.is_some() {
        // It isn't relative. The standard would still put the directory of
        // the base before a path without a slash, such as that of a URN.
        init.base_url = None;
    }
    Parsed::parse(init, UrlPatternOptions::default()).map_err(|_| InvalidUrlPattern::Syntax)
}

impl TopicUrl {
    /// The topic as a URL, if it is one or, resolved against the hub's, becomes one.
    pub(super) fn new(topic: &str, base: &Base) -> Option<Self> {
        let url = base.resolve(topic)?;
        let port = url.port().map(|port| port.to_string()).unwrap_or_default();
        let key = [
            url.scheme(),
            url.host_str().unwrap_or_default(),
            &port,
            url.path(),
            "",
        ]
        .join("\0");
        Some(Self {
            key: key.into(),
            url,
            port,
        })
    }

    /// Scheme, host, port and path, each ended by a NUL, which none of them has.
    pub(super) fn key(&self) -> &str {
        &self.key
    }
}

/// What programs may take, in their own sizes: the programs, and four times as
/// much while they run, which they keep.
const RUNNING: usize = 5;

impl Piece {
    /// What its literal texts take.
    fn literal_bytes(&self) -> usize {
        let of = |text: &str| match text.len() {
            0 => 0,
            len => len + ALLOCATION_BYTES,
        };
        match self {
            Self::Anything => 0,
            Self::Literal(literal) => of(literal),
            Self::Around { prefix, suffix, .. } => of(prefix) + of(suffix),
        }
    }

    fn of(matcher: ParsedMatcher<Later>, program_bytes: usize) -> Result<Self, InvalidUrlPattern> {
        let (prefix, suffix) = (matcher.prefix, matcher.suffix);
        let inner = match matcher.inner {
            InnerMatcher::Literal { literal } => {
                return Ok(Self::Literal((prefix + &literal + &suffix).into()));
            }
            InnerMatcher::SingleCapture {
                filter: None,
                allow_empty: true,
            } if prefix.is_empty() && suffix.is_empty() => return Ok(Self::Anything),
            InnerMatcher::SingleCapture {
                filter: None,
                allow_empty: true,
            } => Inner::Anything,
            InnerMatcher::SingleCapture { filter, .. } => Inner::Segment(filter),
            InnerMatcher::RegExp { regexp } => {
                let regexp = regexp.map_err(|_| InvalidUrlPattern::Syntax)?;
                let regex = regexp.compile(program_bytes)?;
                Inner::Program(Box::new(Program {
                    regex,
                    cache: Mutex::default(),
                }))
            }
        };
        Ok(Self::Around {
            prefix: prefix.into(),
            suffix: suffix.into(),
            inner,
        })
    }

    /// A literal beginning, and whether it is all there is.
    fn begins_with(&self) -> (&str, bool) {
        match self {
            Self::Anything => ("", false),
            Self::Literal(literal) => (literal, true),
            Self::Around { prefix, .. } => (prefix, false),
        }
    }

    fn matches(&self, part: &str) -> bool {
        match self {
            Self::Anything => true,
            Self::Literal(literal) => **literal == *part,
            Self::Around {
                prefix,
                suffix,
                inner,
            } => part
                .strip_prefix(&**prefix)
                .and_then(|rest| rest.strip_suffix(&**suffix))
                .is_some_and(|rest| inner.matches(rest)),
        }
    }
}

impl Inner {
    fn matches(&self, part: &str) -> bool {
        match self {
            Self::Anything => true,
            Self::Segment(None) => !part.is_empty(),
            Self::Segment(Some(delimiter)) => !part.is_empty() && !part.contains(*delimiter),
            Self::Program(program) => program.is_match(part),
        }
    }
}

impl Program {
    fn is_match(&self, part: &str) -> bool {
        // Whatever a panic left of it, a search begins by clearing it.
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let cache = cache.get_or_insert_with(|| self.regex.create_cache());
        let input = Input::new(part).earliest(true);
        self.regex.search_half_with(cache, &input).is_some()
    }
}

/// A regular expression that is compiled when it is known to be needed: of
/// the sixteen that a pattern is given, most are not.
#[derive(Debug)]
struct Later(String);

impl Later {
    fn compile(&self, bytes: usize) -> Result<Regex, InvalidUrlPattern> {
        // The parts of a URL are ASCII, so that bytes do, and programs stay
        // small. Only `\p{…}` can't do without Unicode.
        self.build(false, bytes).or_else(|error| match error {
            InvalidUrlPattern::Syntax => self.build(true, bytes),
            InvalidUrlPattern::TooComplex => Err(error),
        })
    }

    fn build(&self, unicode: bool, bytes: usize) -> Result<Regex, InvalidUrlPattern> {
        let config = Config::new()
            .utf8_empty(false)
            .nfa_size_limit(Some(bytes))
            .hybrid_cache_capacity(2 * bytes);
        let syntax = syntax::Config::new()
            .utf8(false)
            .unicode(unicode)
            .nest_limit(32);
        Regex::builder()
            .configure(config)
            .syntax(syntax)
            .build(&self.0)
            .map_err(|error: BuildError| match error.size_limit() {
                Some(_) => InvalidUrlPattern::TooComplex,
                None => InvalidUrlPattern::Syntax,
            })
    }
}

impl RegExp for Later {
    fn syntax() -> RegexSyntax {
        RegexSyntax::Rust
    }

    fn parse(pattern: &str, _flags: &str, _force_eval: bool) -> Result<Self, ()> {
        Ok(Self(pattern.to_owned()))
    }

    /// Asked only while a pattern is parsed: whether its protocol can be one
    /// of the special ones.
    fn matches<'a>(&self, text: &'a str) -> Option<Vec<Option<&'a str>>> {
        let regex = self.compile(UrlPattern::PROGRAM_BYTES).ok()?;
        regex.is_match(text).then(Vec::new)
    }

    fn pattern_string(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> Base {
        Base::new("https://example.com").unwrap()
    }

    fn check(pattern: &str, matching: &[&str], others: &[&str]) {
        let base = base();
        let parsed = UrlPattern::new(pattern, &base).unwrap();
        let test = |topic: &str| {
            let Some(topic) = TopicUrl::new(topic, &base) else {
                return false;
            };
            let matches = parsed.matches(&topic);
            assert!(
                !matches || topic.key().starts_with(parsed.prefix()),
                "the prefix of {pattern} leaves out what it matches"
            );
            matches
        };
        for topic in matching {
            assert!(test(topic), "{pattern} should match {topic:?}");
        }
        for topic in others {
            assert!(!test(topic), "{pattern} should not match {topic:?}");
        }
    }

    #[test]
    fn patterns() {
        check(
            "https://example.com/books/:id",
            &[
                "https://example.com/books/1",
                "HTTPS://EXAMPLE.com:443/books/1",
                "/books/1",
            ],
            &[
                "https://example.com/books/",
                "https://example.com/books/1/2",
                "http://example.com/books/1",
                "https://example.com:8443/books/1",
                "books/1",
            ],
        );
        check(
            "https://*.example.org/*",
            &["https://a.b.example.org/x/y"],
            &["https://example.org/"],
        );
        check(
            "https://example.com/:a/x/:b?",
            &["https://example.com/1/x", "https://example.com/1/x/2"],
            &["https://example.com/1/y"],
        );
        check(
            "/(\\d+)",
            &["/12", "https://example.com/1"],
            &["/a", "/1/2", "/1a"],
        );
        check(
            "/items/{:kind-}?:id",
            &["/items/1", "/items/a-1"],
            &["/items/"],
        );
        check(
            "https://example.com/é",
            &["https://example.com/%C3%A9", "/é"],
            &["/e"],
        );
        check("/a/:b", &["/a/%2F"], &["/a//b"]);
        check(
            "urn\\:uuid\\:*",
            &["urn:uuid:1"],
            &["urn:isbn:1", "/urn:uuid:1"],
        );
    }

    #[test]
    fn relative_patterns_and_topics_are_resolved_against_the_hub() {
        check(
            "/.well-known/mercure/subscriptions/:type/:match/:subscriber",
            &[
                "/.well-known/mercure/subscriptions/exact/a%2Fb/urn%3Auuid%3A1",
                "https://example.com/.well-known/mercure/subscriptions/exact/a/b",
            ],
            &[
                "https://example.org/.well-known/mercure/subscriptions/exact/a/b",
                "/.well-known/mercure/subscriptions/exact/a",
            ],
        );
        check("foo/*", &["/.well-known/foo/bar", "foo/bar"], &["/foo/bar"]);
    }

    #[test]
    fn topics_that_are_no_url_references_never_match() {
        check(
            "*://*/*",
            &["https://a/"],
            &["https://", "http://[", "https://a:99999/"],
        );
    }

    #[test]
    fn a5_hostile_patterns_are_refused_without_the_compiler_s_words() {
        let base = base();
        for (pattern, reason) in [
            ("/(", InvalidUrlPattern::Syntax),
            ("/{", InvalidUrlPattern::Syntax),
            ("/:", InvalidUrlPattern::Syntax),
            ("/([)", InvalidUrlPattern::Syntax),
            ("/(?<x>a)", InvalidUrlPattern::Syntax),
            ("/(a{1000}{1000})", InvalidUrlPattern::TooComplex),
            ("/([a-z]{5000})", InvalidUrlPattern::TooComplex),
            ("/(\\p{L}{100})", InvalidUrlPattern::TooComplex),
        ] {
            assert_eq!(
                UrlPattern::new(pattern, &base).unwrap_err(),
                reason,
                "{pattern}"
            );
        }
        let everywhere = "(a|b)://(a|b):(a|b)@(a|b).x:(1|2)/(a|b)?(a|b)#(a|b)";
        assert!(UrlPattern::new(everywhere, &base).is_ok());
        let everywhere = everywhere.replace("(a|b)", "([a-z]{30})");
        let refused = UrlPattern::new(&everywhere, &base).unwrap_err();
        assert_eq!(refused, InvalidUrlPattern::TooComplex);
        assert!(
            UrlPattern::new(&"/:x".repeat(1_000), &base).is_err(),
            "names twice"
        );
        let many: String = (0..1_000).map(|i| format!("/:x{i}")).collect();
        assert_eq!(
            UrlPattern::new(&many, &base).unwrap_err(),
            InvalidUrlPattern::TooComplex
        );
        let deep = "/".to_owned() + &"(".repeat(2_000) + "a" + &")".repeat(2_000);
        assert!(UrlPattern::new(&deep, &base).is_err());
    }

    /// What a fuzzer found: no answer is wrong, as long as there is one.
    #[test]
    fn a5_patterns_that_the_parser_is_not_made_for() {
        for pattern in ["/\n:a:1]{+x*}1", "http://]", "http://a]:1", "{[}?http:]"] {
            let _ = UrlPattern::new(pattern, &base());
        }
    }

    #[test]
    fn a5_regex_bombs_take_linear_time() {
        let topic = format!("/{}!", "a".repeat(4_000));
        check("/(a+)+$", &[], &[&topic]);
        check("/((?:a+)+)", &["/aaa"], &[&topic]);
        check("/((?:a|aa)*b)", &["/aab"], &[&topic]);
    }
}
