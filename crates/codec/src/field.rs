//! Field values that cannot break out of their line.

use alloc::boxed::Box;
use core::fmt;

/// Why a string can't be the value of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidField {
    /// It holds CR or LF, which would end the line and begin another field.
    LineBreak,
    /// It holds U+0000, for which a reader ignores an `id` (rule F7).
    Nul,
}

impl fmt::Display for InvalidField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LineBreak => "it holds a line break (CR or LF)",
            Self::Nul => "it holds a NUL character",
        })
    }
}

impl core::error::Error for InvalidField {}

fn check(value: &str) -> Result<(), InvalidField> {
    match memchr::memchr3(b'\r', b'\n', 0, value.as_bytes()) {
        None => Ok(()),
        Some(at) if value.as_bytes()[at] == 0 => Err(InvalidField::Nul),
        Some(_) => Err(InvalidField::LineBreak),
    }
}

macro_rules! field_value {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Box<str>);

        impl $name {
            /// Checks `value` (rule E3).
            ///
            /// # Errors
            /// [`InvalidField`] if it holds CR, LF or NUL.
            pub fn new(value: impl Into<Box<str>>) -> Result<Self, InvalidField> {
                let value = value.into();
                check(&value)?;
                Ok(Self(value))
            }

            /// The value as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

field_value! {
    /// The value of an `id` field: any text without CR, LF and NUL (rules F7, E3).
    /// The empty one is legal: it resets a reader's last event ID.
    EventId
}

field_value! {
    /// The value of an `event` field: any text without CR, LF and NUL.
    /// The standard lets a NUL pass (rule F10); a publisher's is refused, as
    /// nothing but an attack needs it.
    EventType
}
