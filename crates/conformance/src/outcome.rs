//! What becomes of a check.

use crate::target::Unreachable;
use std::fmt;

/// Why a check did not go through to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// The hub did something else than the rule asks for: what was seen.
    Fail(String),
    /// The rule could not be looked at: why.
    Skip(String),
}

/// What a check answers: nothing, if the rule holds.
pub type Checked<T = ()> = Result<T, Stop>;

impl From<Unreachable> for Stop {
    fn from(error: Unreachable) -> Self {
        Self::Fail(error.to_string())
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fail(seen) => f.write_str(seen),
            Self::Skip(why) => f.write_str(why),
        }
    }
}

/// The rule is broken.
pub fn fail<T>(seen: impl Into<String>) -> Checked<T> {
    Err(Stop::Fail(seen.into()))
}

/// The rule can't be looked at.
pub fn skip<T>(why: impl Into<String>) -> Checked<T> {
    Err(Stop::Skip(why.into()))
}

/// The rule is broken unless `holds`.
pub fn ensure(holds: bool, seen: impl FnOnce() -> String) -> Checked {
    match holds {
        true => Ok(()),
        false => fail(seen()),
    }
}
