//! The types of settings: how each is read from TOML and from text (the
//! environment, flags, defaults), and how it is written.

mod address;
mod choice;
mod list;
mod number;
mod quantity;
mod token;

pub use address::{HostName, Origin};
pub use choice::{LogFormat, LogLevel, Role, StoreKind};
pub use number::{Limit, OrAuto};
pub use quantity::{ByteSize, InvalidQuantity, format_duration, parse_duration};
pub use token::{CookieName, DocumentUrl, Name, PublicUrl, Secret, public_key_algorithms};

use super::fault::Fault;
use std::path::PathBuf;
use toml::Spanned;
use toml::de::DeValue;

/// A value as it was given.
#[derive(Clone, Copy)]
pub(super) enum Input<'a> {
    /// In the file.
    Toml(&'a Spanned<DeValue<'a>>),
    /// In the environment or a flag.
    Text(&'a str),
}

/// A type that a setting can have.
pub(super) trait Setting: Sized {
    /// What to write, for errors: `a duration with a unit, such as "10s"`.
    const WANTED: &'static str;

    /// Whether a list of such values is split at commas when it is given as
    /// text; otherwise it is written as in TOML.
    const SPLITS_AT_COMMAS: bool = true;

    fn from_text(text: &str) -> Result<Self, Fault>;

    /// The value as TOML writes it.
    fn to_toml(&self) -> String;

    /// Most types are strings in TOML.
    fn from_toml(value: &Spanned<DeValue<'_>>) -> Result<Self, Vec<Fault>> {
        let read = match value.get_ref() {
            DeValue::String(text) => Self::from_text(text),
            other => Err(wrong_type::<Self>(other)),
        };
        read.map_err(|fault| vec![fault.or_at(value.span())])
    }

    fn read(input: Input<'_>) -> Result<Self, Vec<Fault>> {
        match input {
            Input::Toml(value) => Self::from_toml(value),
            Input::Text(text) => Self::from_text(text).map_err(|fault| vec![fault]),
        }
    }
}

/// The fault of a TOML value of a type that doesn't fit.
pub(super) fn wrong_type<T: Setting>(value: &DeValue<'_>) -> Fault {
    let given = match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    };
    Fault::new(format!("expected {}, found {given}", T::WANTED))
}

/// Holds `value` to its range, whose ends are written as text.
pub(super) fn within<T: Setting + PartialOrd>(
    value: &T,
    low: &'static str,
    high: &'static str,
) -> Result<(), Fault> {
    let end = |text| T::from_text(text).unwrap_or_else(|fault| panic!("{text}: {}", fault.what));
    if *value < end(low) || *value > end(high) {
        return Err(Fault::new(format!("it must be from {low} to {high}")));
    }
    Ok(())
}

/// A basic string of TOML.
fn toml_string(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

impl Setting for bool {
    const WANTED: &'static str = "true or false";

    fn from_text(text: &str) -> Result<Self, Fault> {
        match text {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(Fault::new("expected true or false")),
        }
    }

    fn to_toml(&self) -> String {
        self.to_string()
    }

    fn from_toml(value: &Spanned<DeValue<'_>>) -> Result<Self, Vec<Fault>> {
        match value.get_ref() {
            DeValue::Boolean(given) => Ok(*given),
            other => Err(vec![wrong_type::<Self>(other).or_at(value.span())]),
        }
    }
}

/// No path is "".
impl Setting for Option<PathBuf> {
    const WANTED: &'static str = PathBuf::WANTED;

    fn from_text(text: &str) -> Result<Self, Fault> {
        match text {
            "" => Ok(None),
            text => PathBuf::from_text(text).map(Some),
        }
    }

    fn to_toml(&self) -> String {
        let none = || toml_string("");
        self.as_ref().map_or_else(none, Setting::to_toml)
    }
}

impl Setting for PathBuf {
    const WANTED: &'static str = "a path";

    fn from_text(text: &str) -> Result<Self, Fault> {
        if text.is_empty() {
            return Err(Fault::new("a path can't be empty"));
        }
        if text.contains('\0') {
            return Err(Fault::new("a path holds no NUL character"));
        }
        Ok(text.into())
    }

    fn to_toml(&self) -> String {
        toml_string(&self.to_string_lossy())
    }
}
