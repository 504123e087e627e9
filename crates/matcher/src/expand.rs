//! Which topics a URI template expands to, decided in linear time.
//!
//! A topic is read from left to right once per part of the template, always
//! keeping *all* places that the parts before can end at; so nothing is ever
//! tried twice, and no choice is taken back.

use crate::template::{Expression, Modifier, Operator, Variable, is_triplet};

/// What begins at a byte of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    /// ALPHA, DIGIT, `-`, `.`, `_`, `~` (RFC 3986, 2.3).
    Unreserved,
    /// A gen-delim or sub-delim (RFC 3986, 2.2).
    Reserved,
    /// A percent-encoded byte that begins a character.
    Encoded,
    /// A percent-encoded byte that goes on with one (UTF-8, `10xxxxxx`).
    Continued,
    /// The inside of a percent-encoded byte.
    Inside,
    /// What stands in no URI.
    Other,
}

/// A topic, split into what values are made of.
#[derive(Debug)]
pub(super) struct Tokens {
    topic: Box<[u8]>,
    kinds: Vec<Token>,
}

/// Places between the bytes of a topic, from before the first to behind the last.
#[derive(Debug, Clone)]
pub(super) struct Reach {
    marks: Vec<bool>,
    /// No place before is marked.
    low: usize,
    /// No place from here on is marked.
    high: usize,
}

impl Reach {
    /// Only the place before the first of `len` bytes.
    fn start(len: usize) -> Self {
        let mut reach = Self::none(len);
        reach.mark(0);
        reach
    }

    fn none(len: usize) -> Self {
        Self {
            marks: vec![false; len + 1],
            low: len + 1,
            high: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.low >= self.high
    }

    /// Whether the place behind the last byte is marked.
    pub(super) fn has_end(&self) -> bool {
        self.marks.last() == Some(&true)
    }

    fn len(&self) -> usize {
        self.marks.len() - 1
    }

    fn mark(&mut self, at: usize) {
        self.marks[at] = true;
        self.low = self.low.min(at);
        self.high = self.high.max(at + 1);
    }

    fn places(&self) -> impl Iterator<Item = usize> {
        (self.low..self.high).filter(|at| self.marks[*at])
    }

    fn join(&mut self, other: &Self) {
        other.places().for_each(|at| self.mark(at));
    }
}

impl Tokens {
    pub(super) fn of(topic: &str) -> Self {
        let topic = topic.as_bytes();
        let mut kinds = Vec::with_capacity(topic.len());
        while kinds.len() < topic.len() {
            let at = kinds.len();
            if is_triplet(topic, at) {
                let continued = matches!(topic[at + 1], b'8' | b'9' | b'a' | b'A' | b'b' | b'B');
                kinds.push(if continued {
                    Token::Continued
                } else {
                    Token::Encoded
                });
                kinds.extend([Token::Inside; 2]);
            } else {
                kinds.push(Token::of_byte(topic[at]));
            }
        }
        Self {
            topic: topic.into(),
            kinds,
        }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.topic
    }

    /// The place where a topic begins.
    pub(super) fn start(&self) -> Reach {
        Reach::start(self.topic.len())
    }

    /// Where `text` can end that begins at a place of `from`.
    pub(super) fn after_literal(&self, from: &Reach, text: &str) -> Reach {
        let mut reach = Reach::none(from.len());
        for at in from.places() {
            if self.topic[at..].starts_with(text.as_bytes()) {
                reach.mark(at + text.len());
            }
        }
        reach
    }

    /// Where an expansion can end that begins at a place of `from` (RFC 6570, 3.2.1).
    pub(super) fn after_expression(&self, from: &Reach, expression: &Expression) -> Reach {
        let operator = expression.operator;
        // Apart, as the first variable that is defined brings `first`, and
        // each later one the separator.
        let mut some = Reach::none(from.len());
        for variable in &expression.variables {
            let mut starts = match operator.first {
                Some(first) => self.after_byte(from, first),
                None => from.clone(),
            };
            starts.join(&self.after_byte(&some, operator.separator));
            // An undefined variable leaves nothing: what was reached stays so.
            some.join(&self.after_variable(&starts, operator, variable));
        }
        some.join(from);
        some
    }

    fn after_variable(&self, from: &Reach, operator: &Operator, variable: &Variable) -> Reach {
        if operator.named {
            return self.after_named(from, operator, variable);
        }
        match variable.modifier {
            Modifier::Prefix(most) => self.after_characters(from, operator, most),
            // A list, or pairs as a list, are joined by commas.
            Modifier::None => self.after_value(from, operator, b','),
            Modifier::Explode => {
                let mut reach = self.after_value(from, operator, operator.separator);
                reach.join(&self.after_pairs(from, operator));
                reach
            }
        }
    }

    fn after_named(&self, from: &Reach, operator: &Operator, variable: &Variable) -> Reach {
        if variable.modifier == Modifier::Explode {
            // The members of a list all bear the variable's name, those of
            // pairs any: a list reads as pairs.
            return self.after_pairs(from, operator);
        }
        let named = self.after_literal(from, &variable.name);
        let equals = self.after_byte(&named, b'=');
        let mut reach = match variable.modifier {
            Modifier::Prefix(most) => self.after_characters(&equals, operator, most),
            _ => self.after_value(&equals, operator, b','),
        };
        if !operator.equals_if_empty {
            reach.join(&named);
        }
        reach
    }

    fn after_byte(&self, from: &Reach, byte: u8) -> Reach {
        let mut reach = Reach::none(from.len());
        for at in from.places() {
            if self.topic.get(at) == Some(&byte) {
                reach.mark(at + 1);
            }
        }
        reach
    }

    /// Where values can end whose members are joined by `joint`.
    fn after_value(&self, from: &Reach, operator: &Operator, joint: u8) -> Reach {
        let mut reach = Reach::none(from.len());
        let mut inside = false;
        for at in from.low..=self.topic.len() {
            let Some(at_boundary) = self.boundary(at) else {
                continue;
            };
            inside |= from.marks[at];
            if inside {
                reach.mark(at);
            } else if at >= from.high {
                break;
            }
            inside &= at_boundary.is_some_and(|token| token.is_value(operator))
                || self.topic.get(at) == Some(&joint);
        }
        reach
    }

    /// Where values of at most `most` characters can end. Of all beginnings
    /// within one run of characters the last leaves most room, so only it counts.
    fn after_characters(&self, from: &Reach, operator: &Operator, most: u16) -> Reach {
        let mut reach = Reach::none(from.len());
        let mut room: Option<u16> = None;
        for at in from.low..=self.topic.len() {
            let Some(token) = self.boundary(at) else {
                continue;
            };
            if from.marks[at] {
                room = Some(most);
            }
            if room.is_some() {
                reach.mark(at);
            } else if at >= from.high {
                break;
            }
            room = match token {
                Some(Token::Continued) => room,
                Some(token) if token.is_value(operator) => {
                    room.and_then(|room| room.checked_sub(1))
                }
                _ => None,
            };
        }
        reach
    }

    /// Where `name=value` pairs can end, joined by the operator's separator.
    fn after_pairs(&self, from: &Reach, operator: &Operator) -> Reach {
        // `;` leaves the sign away when the value is empty.
        let bare = operator.named && !operator.equals_if_empty;
        let mut reach = Reach::none(from.len());
        let (mut in_name, mut in_value) = (false, false);
        for at in from.low..=self.topic.len() {
            let Some(token) = self.boundary(at) else {
                continue;
            };
            in_name |= from.marks[at];
            if in_value || (bare && in_name) {
                reach.mark(at);
            } else if at >= from.high && !in_name {
                break;
            }
            let (allowed, byte) = (
                token.is_some_and(|token| token.is_value(operator)),
                self.topic.get(at),
            );
            let next = byte == Some(&operator.separator) && (in_value || (bare && in_name));
            let value = (in_value && allowed) || (in_name && byte == Some(&b'='));
            in_name = (in_name && allowed) || next;
            in_value = value;
        }
        reach
    }

    /// `None` within a percent-encoded byte; else what begins here, if anything.
    fn boundary(&self, at: usize) -> Option<Option<Token>> {
        match self.kinds.get(at) {
            Some(Token::Inside) => None,
            token => Some(token.copied()),
        }
    }
}

impl Token {
    fn of_byte(byte: u8) -> Self {
        match byte {
            b'-' | b'.' | b'_' | b'~' => Self::Unreserved,
            byte if byte.is_ascii_alphanumeric() => Self::Unreserved,
            b':' | b'/' | b'?' | b'#' | b'[' | b']' | b'@' | b'!' | b'$' | b'&' | b'\'' | b'('
            | b')' | b'*' | b'+' | b',' | b';' | b'=' => Self::Reserved,
            _ => Self::Other,
        }
    }

    /// Whether the expansion of a value has it.
    fn is_value(self, operator: &Operator) -> bool {
        match self {
            Self::Unreserved | Self::Encoded | Self::Continued => true,
            Self::Reserved => operator.reserved,
            Self::Inside | Self::Other => false,
        }
    }
}
