//! URI templates (RFC 6570, all four levels), read so that a topic can be held
//! against them.

use crate::ALLOCATION_BYTES;
use crate::expand::Tokens;
use std::fmt;

/// A valid URI template with at least one expression.
#[derive(Debug, Clone)]
pub struct Template {
    text: Box<str>,
    parts: Box<[Part]>,
    /// What every topic that matches begins with.
    prefix: Box<str>,
    /// What every expansion ends with.
    suffix: Box<str>,
}

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// Text as it stands in an expansion.
    Literal(Box<str>),
    /// What stood in braces.
    Expression(Expression),
}

/// `{?x,y*}`: an operator and its variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Expression {
    pub(super) operator: &'static Operator,
    pub(super) variables: Box<[Variable]>,
}

/// A variable of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Variable {
    /// Only the named operators show it.
    pub(super) name: Box<str>,
    pub(super) modifier: Modifier,
}

/// What stands behind a variable (RFC 6570, 2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Modifier {
    None,
    /// `:n`: at most so many characters, 1 to 9,999.
    Prefix(u16),
    /// `*`: each member of a list or of pairs for itself.
    Explode,
}

/// A row of the table of RFC 6570, appendix A.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Operator {
    pub(super) sign: Option<u8>,
    pub(super) first: Option<u8>,
    pub(super) separator: u8,
    pub(super) named: bool,
    /// Whether an empty named value is followed by `=`.
    pub(super) equals_if_empty: bool,
    /// Whether values keep reserved characters.
    pub(super) reserved: bool,
}

const fn operator(
    sign: Option<u8>,
    first: Option<u8>,
    separator: u8,
    named: bool,
    equals_if_empty: bool,
    reserved: bool,
) -> Operator {
    Operator {
        sign,
        first,
        separator,
        named,
        equals_if_empty,
        reserved,
    }
}

static OPERATORS: [Operator; 8] = [
    operator(None, None, b',', false, false, false),
    operator(Some(b'+'), None, b',', false, false, true),
    operator(Some(b'#'), Some(b'#'), b',', false, false, true),
    operator(Some(b'.'), Some(b'.'), b'.', false, false, false),
    operator(Some(b'/'), Some(b'/'), b'/', false, false, false),
    operator(Some(b';'), Some(b';'), b';', true, false, false),
    operator(Some(b'?'), Some(b'?'), b'&', true, true, false),
    operator(Some(b'&'), Some(b'&'), b'&', true, true, false),
];

/// Why a text is no URI template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidTemplate {
    /// It has no expression: it is plain text.
    NoExpression,
    /// A brace isn't closed or wasn't opened.
    Braces,
    /// It holds a character that no URI template has (RFC 6570, 2.1).
    Literal,
    /// An expression has an operator that is reserved, or no variable, or one
    /// whose name or modifier breaks the grammar (RFC 6570, 2.2 to 2.4).
    Expression,
    /// It has more than [`Template::MAX_VARIABLES`] variables.
    TooManyVariables,
}

impl fmt::Display for InvalidTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoExpression => f.write_str("the URI template has no expression"),
            Self::Braces => f.write_str("a brace of the URI template has no partner"),
            Self::Literal => f.write_str("the URI template holds a character that none may have"),
            Self::Expression => f.write_str("an expression of the URI template is not valid"),
            Self::TooManyVariables => write!(
                f,
                "the URI template has more than {} variables",
                Template::MAX_VARIABLES
            ),
        }
    }
}

impl std::error::Error for InvalidTemplate {}

impl Template {
    /// The most variables of a template. They bound the time of a match: each
    /// costs a few passes over the topic.
    pub const MAX_VARIABLES: usize = 24;

    /// Parses a template.
    ///
    /// # Errors
    /// [`InvalidTemplate`] says which rule it breaks.
    pub fn new(text: &str) -> Result<Self, InvalidTemplate> {
        let mut parts = Vec::new();
        let mut variables = 0;
        let mut rest = text;
        while !rest.is_empty() {
            if let Some(behind) = rest.strip_prefix('{') {
                let (inside, behind) = behind.split_once('}').ok_or(InvalidTemplate::Braces)?;
                let expression = Expression::parse(inside)?;
                variables += expression.variables.len();
                parts.push(Part::Expression(expression));
                rest = behind;
            } else {
                let end = rest.find('{').unwrap_or(rest.len());
                parts.push(Part::Literal(literal(&rest[..end])?));
                rest = &rest[end..];
            }
        }
        if variables == 0 {
            return Err(InvalidTemplate::NoExpression);
        }
        if variables > Self::MAX_VARIABLES {
            return Err(InvalidTemplate::TooManyVariables);
        }
        Ok(Self {
            text: text.into(),
            prefix: prefix(text, &parts).into(),
            suffix: match parts.last() {
                Some(Part::Literal(literal)) => literal.clone(),
                _ => "".into(),
            },
            parts: parts.into(),
        })
    }

    /// The template as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What every topic that matches begins with: the literal before the first
    /// expression.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Whether `topic` is the template's own text or one of its expansions,
    /// for some values of its variables: strings, lists or pairs, defined or
    /// not. Takes time proportional to the topic's length times the variables,
    /// whatever either holds.
    pub fn matches(&self, topic: &str) -> bool {
        self.may_match(topic) && self.matches_tokens(&Tokens::of(topic))
    }

    /// See [`Matcher::work`](crate::Matcher::work).
    pub(super) fn work(&self) -> usize {
        let literals = self.parts.iter().map(|part| match part {
            Part::Literal(literal) => literal.len() / 64,
            Part::Expression(_) => 0,
        });
        2 + 6 * self.variables().count() + literals.sum::<usize>()
    }

    /// See [`Matcher::memory`](crate::Matcher::memory).
    pub fn memory(&self) -> usize {
        let texts = self.text.len() + self.prefix.len() + self.suffix.len();
        let literals = self.parts.iter().map(|part| match part {
            Part::Literal(literal) => literal.len(),
            Part::Expression(_) => 0,
        });
        let names = self.variables().map(|one| one.name.len());
        let pieces = size_of_val(&*self.parts) + size_of::<Variable>() * self.variables().count();
        let allocations = 5 + 2 * self.parts.len() + self.variables().count();
        size_of::<Self>()
            + texts
            + literals.sum::<usize>()
            + names.sum::<usize>()
            + pieces
            + ALLOCATION_BYTES * allocations
    }

    fn variables(&self) -> impl Iterator<Item = &Variable> {
        self.parts.iter().flat_map(|part| match part {
            Part::Literal(_) => &[][..],
            Part::Expression(expression) => &expression.variables,
        })
    }

    /// Whether it is worth looking: most topics are told apart here.
    pub(super) fn may_match(&self, topic: &str) -> bool {
        topic.starts_with(&*self.prefix) && (topic.ends_with(&*self.suffix) || topic == &*self.text)
    }

    pub(super) fn matches_tokens(&self, topic: &Tokens) -> bool {
        *topic.as_bytes() == *self.text.as_bytes() || self.expands_to(topic)
    }

    fn expands_to(&self, tokens: &Tokens) -> bool {
        let mut reach = tokens.start();
        for part in &self.parts {
            reach = match part {
                Part::Literal(text) => tokens.after_literal(&reach, text),
                Part::Expression(expression) => tokens.after_expression(&reach, expression),
            };
            if reach.is_empty() {
                return false;
            }
        }
        reach.has_end()
    }
}

impl Expression {
    fn parse(inside: &str) -> Result<Self, InvalidTemplate> {
        let sign = inside.bytes().next();
        let operator = OPERATORS
            .iter()
            .skip(1)
            .find(|operator| operator.sign == sign)
            .unwrap_or(&OPERATORS[0]);
        let list = &inside[usize::from(operator.sign.is_some())..];
        let variables: Result<Box<[Variable]>, _> = list.split(',').map(Variable::parse).collect();
        Ok(Self {
            operator,
            variables: variables?,
        })
    }
}

impl Variable {
    fn parse(text: &str) -> Result<Self, InvalidTemplate> {
        let (name, modifier) = if let Some(name) = text.strip_suffix('*') {
            (name, Modifier::Explode)
        } else if let Some((name, length)) = text.split_once(':') {
            let digits = length.len() <= 4
                && !length.starts_with('0')
                && length.bytes().all(|byte| byte.is_ascii_digit());
            let length = length.parse().ok().filter(|_| digits);
            (
                name,
                length
                    .map(Modifier::Prefix)
                    .ok_or(InvalidTemplate::Expression)?,
            )
        } else {
            (text, Modifier::None)
        };
        // Dots separate, and don't begin, end or follow one another.
        if !name.split('.').all(is_name_part) {
            return Err(InvalidTemplate::Expression);
        }
        Ok(Self {
            name: name.into(),
            modifier,
        })
    }
}

fn is_name_part(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        at += match bytes[at] {
            b'%' if is_triplet(bytes, at) => 3,
            b'_' => 1,
            byte if byte.is_ascii_alphanumeric() => 1,
            _ => return false,
        };
    }
    !bytes.is_empty()
}

/// Whether a percent-encoded byte stands at `at`.
pub(super) fn is_triplet(bytes: &[u8], at: usize) -> bool {
    bytes.get(at) == Some(&b'%')
        && bytes
            .get(at + 1..at + 3)
            .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
}

/// The literal as it stands in an expansion: what a URI can't have is
/// percent-encoded (RFC 6570, 3.1).
fn literal(text: &str) -> Result<Box<str>, InvalidTemplate> {
    let mut out = String::with_capacity(text.len());
    for (at, character) in text.char_indices() {
        match character {
            '}' => return Err(InvalidTemplate::Braces),
            '%' if !is_triplet(text.as_bytes(), at) => return Err(InvalidTemplate::Literal),
            '\0'..=' ' | '"' | '<' | '>' | '\\' | '^' | '`' | '|' | '\x7f' => {
                return Err(InvalidTemplate::Literal);
            }
            character if character.is_ascii() => out.push(character),
            character => {
                let mut buffer = [0; 4];
                let encoded = character.encode_utf8(&mut buffer);
                out.extend(percent_encoding::utf8_percent_encode(
                    encoded,
                    percent_encoding::NON_ALPHANUMERIC,
                ));
            }
        }
    }
    Ok(out.into())
}

/// What both the text itself and its expansions begin with.
fn prefix<'a>(text: &'a str, parts: &[Part]) -> &'a str {
    let Some(Part::Literal(literal)) = parts.first() else {
        return "";
    };
    let same = text
        .bytes()
        .zip(literal.bytes())
        .take_while(|(a, b)| a == b)
        .count();
    // They differ from the first character on that isn't ASCII.
    &text[..same]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(template: &str, matching: &[&str], others: &[&str]) {
        let parsed = Template::new(template).unwrap();
        for topic in matching {
            assert!(parsed.matches(topic), "{template} should match {topic:?}");
        }
        for topic in others {
            assert!(
                !parsed.matches(topic),
                "{template} should not match {topic:?}"
            );
        }
    }

    fn check_invalid(template: &str, reason: InvalidTemplate) {
        assert_eq!(
            Template::new(template).map(|_| ()),
            Err(reason),
            "{template}"
        );
    }

    /// RFC 6570, 3.2.2 to 3.2.9: the expansions that the examples there give.
    #[test]
    fn rfc_6570_examples() {
        for (template, expansions) in EXAMPLES {
            check(template, expansions, &[]);
        }
    }

    const EXAMPLES: &[(&str, &[&str])] = &[
        ("{var}", &["value"]),
        ("{hello}", &["Hello%20World%21"]),
        ("{half}", &["50%25"]),
        ("O{empty}X", &["OX"]),
        ("{x,hello,y}", &["1024,Hello%20World%21,768"]),
        ("?{x,empty}", &["?1024,"]),
        ("{var:3}", &["val"]),
        ("{var:30}", &["value"]),
        ("{list}", &["red,green,blue"]),
        ("{list*}", &["red,green,blue"]),
        ("{keys}", &["semi,%3B,dot,.,comma,%2C"]),
        ("{keys*}", &["semi=%3B,dot=.,comma=%2C"]),
        ("{+hello}", &["Hello%20World!"]),
        ("{base}index", &["http%3A%2F%2Fexample.com%2Fhome%2Findex"]),
        ("{+base}index", &["http://example.com/home/index"]),
        ("up{+path}{var}/here", &["up/foo/barvalue/here"]),
        ("{+path:6}here", &["/foo/bhere"]),
        ("{+keys*}", &["semi=;,dot=.,comma=,"]),
        ("{#path,x}here", &["#/foo/bar,1024here"]),
        ("foo{#empty}", &["foo#", "foo"]),
        ("{#keys*}", &["#semi=;,dot=.,comma=,"]),
        ("www{.dom*}", &["www.example.com"]),
        ("X{.var:3}", &["X.val"]),
        ("X{.keys}", &["X.semi,%3B,dot,.,comma,%2C"]),
        ("X{.keys*}", &["X.semi=%3B.dot=..comma=%2C"]),
        ("{/var,empty}", &["/value/"]),
        ("{/var:1,var}", &["/v/value"]),
        ("{/list*,path:4}", &["/red/green/blue/%2Ffoo"]),
        ("{/keys*}", &["/semi=%3B/dot=./comma=%2C"]),
        ("{;x,y,empty}", &[";x=1024;y=768;empty"]),
        ("{;v,empty,who}", &[";v=6;empty;who=fred"]),
        ("{;hello:5}", &[";hello=Hello"]),
        ("{;list}", &[";list=red,green,blue"]),
        ("{;list*}", &[";list=red;list=green;list=blue"]),
        ("{;keys*}", &[";semi=%3B;dot=.;comma=%2C"]),
        ("{?x,y,empty}", &["?x=1024&y=768&empty="]),
        ("{?var:3}", &["?var=val"]),
        ("{?keys}", &["?keys=semi,%3B,dot,.,comma,%2C"]),
        ("{?keys*}", &["?semi=%3B&dot=.&comma=%2C"]),
        ("?fixed=yes{&x}", &["?fixed=yes&x=1024"]),
        ("{&list*}", &["&list=red&list=green&list=blue"]),
    ];

    #[test]
    fn a_variable_ends_where_its_characters_do() {
        check(
            "https://example.com/books/{id}",
            &[
                "https://example.com/books/1",
                "https://example.com/books/",
                "https://example.com/books/{id}",
            ],
            &[
                "https://example.com/books/1/2",
                "https://example.com/books",
                "https://example.com/books/a b",
            ],
        );
        check("/{a}/{b}", &["/1/2", "//"], &["/1/2/3", "/1"]);
        check(
            "{+any}",
            &["https://example.com/a?b#c", ""],
            &["a b", "a%2", "é"],
        );
        check("/x{/rest*}", &["/x", "/x/a/b/c", "/x/"], &["/xa", "/y/a"]);
        check(
            "/.well-known/mercure/subscriptions{/topic}{/subscriber}",
            &["/.well-known/mercure/subscriptions/a%2Fb/urn%3Auuid%3A1"],
            &["/.well-known/mercure/subscriptions/a/b/c"],
        );
    }

    #[test]
    fn named_expressions() {
        check(
            "{?x}",
            &["", "?x=", "?x=1"],
            &["?x", "?y=1", "?x=1&x=2", "x=1"],
        );
        check("{;x}", &["", ";x", ";x=1"], &[";y", ";xy", ";x=1;x=2"]);
        check("{?x,y}", &["?y=2", "?x=1&y=2"], &["?y=2&x=1", "&y=2"]);
        check("{?x*}", &["?a=1&b=2", "?x=1"], &["?a", "?a=1&"]);
    }

    #[test]
    fn prefixes_count_characters() {
        check(
            "/{x:2}",
            &["/", "/ab", "/%C3%A9%C3%A9", "/a%E2%82%AC"],
            &["/abc", "/%C3%A9%C3%A9a"],
        );
        check("/{x:2}{y}", &["/abcd"], &[]);
        check("/{x:1}/{y:1}", &["/a/b"], &["/ab/c", "/a/bc"]);
    }

    #[test]
    fn literals_beyond_ascii_stand_encoded() {
        check("/é/{x}", &["/%C3%A9/1", "/é/{x}"], &["/é/1"]);
        assert_eq!(Template::new("/é/{x}").unwrap().prefix(), "/");
        assert_eq!(Template::new("/a/{x}/b").unwrap().prefix(), "/a/");
        assert_eq!(Template::new("{x}/b").unwrap().prefix(), "");
    }

    #[test]
    fn a5_invalid_templates() {
        use InvalidTemplate::*;
        check_invalid("", NoExpression);
        check_invalid("plain", NoExpression);
        for text in ["{x", "x}", "{x}}", "{{x}}y}"] {
            assert!(Template::new(text).is_err(), "{text}");
        }
        check_invalid("{x", Braces);
        check_invalid("{x}}", Braces);
        for text in [
            "{}",
            "{+}",
            "{x,}",
            "{,x}",
            "{=x}",
            "{!x}",
            "{@x}",
            "{|x}",
            "{x:0}",
            "{x:}",
            "{x:12345}",
            "{x:1*}",
            "{x:+1}",
            "{a b}",
            "{.}",
            "{a..b}",
            "{a.}",
            "{%zz}",
            "{é}",
            "{x*y}",
        ] {
            check_invalid(text, Expression);
        }
        for text in [
            "a b{x}", "\"{x}", "<{x}", "a\\{x}", "%{x}", "%z{x}", "a\0{x}", "a|{x}",
        ] {
            check_invalid(text, Literal);
        }
        assert!(Template::new(&"{x}".repeat(24)).is_ok());
        check_invalid(&"{x}".repeat(25), TooManyVariables);
        check_invalid(&"{x}".repeat(1_000), TooManyVariables);
    }
}
