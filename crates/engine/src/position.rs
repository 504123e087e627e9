//! Where an event stands in a log, and how that is written on the wire.

use std::fmt;
use tidings_codec::EventId;

/// A place in the total order of one hub's log. The first event stands at 1;
/// 0 is the place before it. Positions rise by one per event and are never
/// given twice, but a log may lack some (corruption, retention).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position(pub u64);

impl Position {
    /// The place before the first event.
    pub const START: Self = Self(0);

    /// The place after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// Milliseconds since the Unix epoch, as the hub's clock said when it took the
/// event in. For people and for retention by age; never for order or identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub u64);

/// The identity of a log: drawn at random when the log is created, so that an
/// id of another log (a wiped store, another hub) is recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LogId(pub u64);

/// What stands in `id:` for an event without an id of its publisher's:
/// `td-<log, 13 characters of base 32>-<position>`. Opaque to users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WireId {
    /// The log that gave the position.
    pub log: LogId,
    /// The position in that log.
    pub position: Position,
}

const DIGITS: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
const LOG_CHARS: usize = 13;

impl WireId {
    /// What every id of the hub's begins with; a publisher's own may not.
    pub const PREFIX: &'static str = "td-";

    /// Reads an id as [`fmt::Display`] writes it; `None` for everything else,
    /// also for other spellings of the same numbers.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(Self::PREFIX)?;
        let (log, position) = (rest.get(..LOG_CHARS)?, rest.get(LOG_CHARS..)?);
        let position = position.strip_prefix('-')?;
        if position.len() > 20 || !position.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        if position.len() > 1 && position.starts_with('0') {
            return None;
        }
        let mut value: u64 = 0;
        for (i, byte) in log.bytes().enumerate() {
            let digit = DIGITS.iter().position(|d| *d == byte)? as u64;
            // 13 × 5 bits are 65: the first character carries only four.
            if i == 0 && digit > 15 {
                return None;
            }
            value = (value << 5) | digit;
        }
        Some(Self {
            log: LogId(value),
            position: Position(position.parse().ok()?),
        })
    }

    /// The id as a field value.
    pub fn to_event_id(self) -> EventId {
        EventId::new(self.to_string()).expect("letters, digits and dashes")
    }
}

impl fmt::Display for WireId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut log = [0u8; LOG_CHARS];
        for (i, slot) in log.iter_mut().enumerate() {
            *slot = DIGITS[(self.log.0 >> (5 * (LOG_CHARS - 1 - i)) & 31) as usize];
        }
        let log = std::str::from_utf8(&log).expect("ASCII digits");
        write!(f, "{}{log}-{}", Self::PREFIX, self.position.0)
    }
}
