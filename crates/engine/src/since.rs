//! Where a stream is asked to start: `since=` and `Last-Event-ID`.

use crate::limits::{ID_BYTES, LAST_N};
use crate::{LogId, Position, WireId};
use std::fmt;
use tidings_codec::EventId;

/// A start that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Since {
    /// `latest`: from now on.
    Latest,
    /// `earliest`: everything that is kept.
    Earliest,
    /// `last:N`: the last so many events of the selection, 1 to [`LAST_N`].
    Last(u32),
    /// A duration such as `10m`, in milliseconds: what the hub took in since then.
    Ago(u64),
    /// What comes after the event with this id.
    Id(EventId),
}

/// Why a text says no start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidSince {
    /// It is empty.
    Empty,
    /// It is longer than [`ID_BYTES`].
    TooLong,
    /// It holds a control character, which no id has.
    Control,
    /// `now`, which is called `latest`.
    Now,
    /// `last:` without a number from 1 to [`LAST_N`].
    Last,
    /// Several durations in a row, such as `1h30m`.
    SeveralUnits,
    /// A duration of more than 2⁶⁴ milliseconds.
    TooLongAgo,
}

impl fmt::Display for InvalidSince {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str(
                "'since' is empty; give an id, a duration such as '10m', 'earliest', 'latest' \
                 or 'last:100', or leave it out",
            ),
            Self::TooLong => write!(f, "'since' is longer than {ID_BYTES} bytes; no id is"),
            Self::Control => f.write_str("'since' holds a control character; no id does"),
            Self::Now => f.write_str("'since=now' is called 'since=latest'"),
            Self::Last => write!(f, "'last:' takes a number from 1 to {LAST_N}: 'last:100'"),
            Self::SeveralUnits => {
                f.write_str("a duration is one number and one unit (ms, s, m, h, d, w): '90m'")
            }
            Self::TooLongAgo => {
                f.write_str("the duration is too long; 'earliest' gives all that is kept")
            }
        }
    }
}

impl std::error::Error for InvalidSince {}

const LAST_PREFIX: &str = "last:";

/// The units of durations, in milliseconds. `ms` stands before `m` and `s`.
pub const UNITS: [(&str, u64); 6] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
    ("w", 604_800_000),
];

impl Since {
    /// Reads the value of `since=`. What is no keyword and no duration is an
    /// id, known or not; publishers can't give ids that read as anything else.
    ///
    /// # Errors
    /// [`InvalidSince`].
    pub fn parse(text: &str) -> Result<Self, InvalidSince> {
        match text {
            "" => return Err(InvalidSince::Empty),
            "latest" => return Ok(Self::Latest),
            "earliest" => return Ok(Self::Earliest),
            "now" => return Err(InvalidSince::Now),
            _ if text.len() > ID_BYTES => return Err(InvalidSince::TooLong),
            _ if text.chars().any(char::is_control) => return Err(InvalidSince::Control),
            _ => {}
        }
        if let Some(count) = text.strip_prefix(LAST_PREFIX) {
            return parse_last(count);
        }
        match durations(text)[..] {
            [] => EventId::new(text)
                .map(Self::Id)
                .map_err(|_| InvalidSince::Control),
            [(number, unit)] => number
                .parse::<u64>()
                .ok()
                .and_then(|number| number.checked_mul(unit))
                .map(Self::Ago)
                .ok_or(InvalidSince::TooLongAgo),
            _ => Err(InvalidSince::SeveralUnits),
        }
    }
}

fn parse_last(count: &str) -> Result<Since, InvalidSince> {
    // `parse` alone would take a sign.
    if !count.bytes().all(|b| b.is_ascii_digit()) {
        return Err(InvalidSince::Last);
    }
    match count.parse() {
        Ok(count @ 1..=LAST_N) => Ok(Since::Last(count)),
        _ => Err(InvalidSince::Last),
    }
}

/// The text as numbers and units, in milliseconds; empty if it is none.
fn durations(text: &str) -> Vec<(&str, u64)> {
    let mut found = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        // `ms` stands before `m` and `s`.
        let unit = UNITS.iter().find(|(name, _)| after.starts_with(name));
        let (false, Some((name, factor))) = (number.is_empty(), unit) else {
            return Vec::new();
        };
        found.push((number, *factor));
        rest = &after[name.len()..];
    }
    found
}

/// What an id means to a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A position of this log, at or before its end. What comes after may
    /// have expired: the store knows.
    At(Position),
    /// An id of this log that it hasn't given: an older copy of the store was
    /// restored, or somebody guesses.
    Future,
    /// An id of another log.
    Foreign,
    /// Not a hub's id: a publisher's, if any, which the store looks up.
    Publisher,
}

impl Place {
    /// Finds the place of `id` in the log `log` that ends at `end`.
    pub fn of(id: &EventId, log: LogId, end: Position) -> Self {
        match WireId::parse(id.as_str()) {
            None => Self::Publisher,
            Some(own) if own.log != log => Self::Foreign,
            Some(own) if own.position > end => Self::Future,
            Some(own) => Self::At(own.position),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<Since, InvalidSince>) {
        assert_eq!(Since::parse(text), expected, "{text:?}");
    }

    fn id(text: &str) -> EventId {
        EventId::new(text).unwrap()
    }

    #[test]
    fn keywords() {
        check("latest", Ok(Since::Latest));
        check("earliest", Ok(Since::Earliest));
        check("now", Err(InvalidSince::Now));
        check("", Err(InvalidSince::Empty));
        for text in ["Earliest", "LATEST", "earliest ", "nowhere"] {
            check(text, Ok(Since::Id(id(text))));
        }
    }

    #[test]
    fn last_n() {
        check("last:1", Ok(Since::Last(1)));
        check("last:0010", Ok(Since::Last(10)));
        check("last:10000", Ok(Since::Last(10_000)));
        for text in [
            "last:",
            "last:0",
            "last:10001",
            "last:-1",
            "last:+1",
            "last: 1",
            "last:1 ",
            "last:٣",
            "last:99999999999999999999",
            "last:1e3",
        ] {
            check(text, Err(InvalidSince::Last));
        }
        check("last", Ok(Since::Id(id("last"))));
    }

    #[test]
    fn durations_have_one_number_and_one_unit() {
        for (text, ms) in [
            ("0s", 0),
            ("1ms", 1),
            ("10m", 600_000),
            ("007s", 7_000),
            ("2h", 7_200_000),
            ("1d", 86_400_000),
            ("2w", 1_209_600_000),
            ("18446744073709551615ms", u64::MAX),
        ] {
            check(text, Ok(Since::Ago(ms)));
        }
        for text in [
            "18446744073709551616ms",
            "18446744073709551615s",
            "99999999999999999999999w",
        ] {
            check(text, Err(InvalidSince::TooLongAgo));
        }
        for text in ["1h30m", "1d1d", "5ms5s"] {
            check(text, Err(InvalidSince::SeveralUnits));
        }
        for text in [
            "10", "m", "10 m", "-10m", "1.5h", "10M", "10min", "1h30", "٣m", "1h 30m",
        ] {
            check(text, Ok(Since::Id(id(text))));
        }
    }

    #[test]
    fn a8_since_that_no_id_can_be() {
        check(&"x".repeat(256), Ok(Since::Id(id(&"x".repeat(256)))));
        check(&"x".repeat(257), Err(InvalidSince::TooLong));
        for text in ["a\rb", "a\nb", "a\0b", "a\tb", "a\u{7f}b", "a\u{85}b"] {
            check(text, Err(InvalidSince::Control));
        }
        check("a\u{2028}b", Ok(Since::Id(id("a\u{2028}b"))));
    }

    #[test]
    fn a7_place_of_an_id() {
        let (log, end) = (LogId(5), Position(10));
        let own = |log, position| {
            WireId {
                log: LogId(log),
                position: Position(position),
            }
            .to_event_id()
        };
        for (id, expected) in [
            (own(5, 0), Place::At(Position(0))),
            (own(5, 10), Place::At(Position(10))),
            (own(5, 11), Place::Future),
            (own(6, 1), Place::Foreign),
            (own(6, 11), Place::Foreign),
            (id("urn:uuid:1"), Place::Publisher),
            (id("td-not-one-of-ours"), Place::Publisher),
            (id(""), Place::Publisher),
        ] {
            assert_eq!(Place::of(&id, log, end), expected, "{id}");
        }
    }
}
