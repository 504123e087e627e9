//! Whole numbers, and the words that may stand in their place.

use super::{Setting, wrong_type};
use crate::config::fault::Fault;
use std::num::NonZeroUsize;
use toml::Spanned;
use toml::de::DeValue;

/// Reads a non-negative integer in decimal digits.
fn digits(text: &str) -> Result<u64, Fault> {
    if text.starts_with('-') {
        return Err(Fault::new("it can't be negative"));
    }
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Fault::new("expected a whole number"));
    }
    text.parse()
        .map_err(|_| Fault::new("the number is too large"))
}

/// Reads an integer of TOML, in any of its bases.
fn integer<T: Setting>(value: &DeValue<'_>) -> Result<u64, Fault> {
    let DeValue::Integer(number) = value else {
        return Err(wrong_type::<T>(value));
    };
    let text = number.as_str();
    if text.starts_with('-') {
        return Err(Fault::new("it can't be negative"));
    }
    let text = text.strip_prefix('+').unwrap_or(text);
    u64::from_str_radix(text, number.radix()).map_err(|_| Fault::new("the number is too large"))
}

impl Setting for u64 {
    const WANTED: &'static str = "a whole number";

    fn from_text(text: &str) -> Result<Self, Fault> {
        digits(text)
    }

    fn to_toml(&self) -> String {
        self.to_string()
    }

    fn from_toml(value: &Spanned<DeValue<'_>>) -> Result<Self, Vec<Fault>> {
        integer::<Self>(value.get_ref()).map_err(|fault| vec![fault.or_at(value.span())])
    }
}

impl Setting for usize {
    const WANTED: &'static str = u64::WANTED;

    fn from_text(text: &str) -> Result<Self, Fault> {
        let number = digits(text)?;
        Self::try_from(number).map_err(|_| Fault::new("the number is too large"))
    }

    fn to_toml(&self) -> String {
        self.to_string()
    }

    fn from_toml(value: &Spanned<DeValue<'_>>) -> Result<Self, Vec<Fault>> {
        let number = u64::from_toml(value)?;
        Self::try_from(number).map_err(|_| vec![Fault::at(value.span(), "the number is too large")])
    }
}

/// A bound that may be absent, which is written `"none"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Limit<T> {
    /// No bound.
    Unlimited,
    /// Not more than this.
    AtMost(T),
}

impl<T> Limit<T> {
    /// The bound, if there is one.
    pub fn at_most(self) -> Option<T> {
        match self {
            Self::Unlimited => None,
            Self::AtMost(bound) => Some(bound),
        }
    }
}

impl<T: Setting> Setting for Limit<T> {
    const WANTED: &'static str = T::WANTED;

    fn from_text(text: &str) -> Result<Self, Fault> {
        match text {
            "none" => Ok(Self::Unlimited),
            bound => T::from_text(bound).map(Self::AtMost),
        }
    }

    fn to_toml(&self) -> String {
        match self {
            Self::Unlimited => "\"none\"".to_owned(),
            Self::AtMost(bound) => bound.to_toml(),
        }
    }

    fn from_toml(value: &Spanned<DeValue<'_>>) -> Result<Self, Vec<Fault>> {
        match value.get_ref() {
            DeValue::String(text) if text == "none" => Ok(Self::Unlimited),
            _ => T::from_toml(value).map(Self::AtMost),
        }
    }
}

/// A number that must not be 0.
impl Setting for NonZeroUsize {
    const WANTED: &'static str = u64::WANTED;

    fn from_text(text: &str) -> Result<Self, Fault> {
        Self::new(usize::from_text(text)?).ok_or_else(|| Fault::new("it must be at least 1"))
    }

    fn to_toml(&self) -> String {
        self.to_string()
    }

    fn from_toml(value: &Spanned<DeValue<'_>>) -> Result<Self, Vec<Fault>> {
        integer::<Self>(value.get_ref())
            .and_then(|number| Self::from_text(&number.to_string()))
            .map_err(|fault| vec![fault.or_at(value.span())])
    }
}

/// A value that the hub works out itself unless it is given, which is written
/// `"auto"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OrAuto<T> {
    /// Worked out from other settings and from the machine.
    Auto,
    /// This.
    Given(T),
}

impl<T> OrAuto<T> {
    /// The value, if it is given.
    pub fn given(self) -> Option<T> {
        match self {
            Self::Auto => None,
            Self::Given(value) => Some(value),
        }
    }
}

impl<T: Setting> Setting for OrAuto<T> {
    const WANTED: &'static str = T::WANTED;

    fn from_text(text: &str) -> Result<Self, Fault> {
        match text {
            "auto" => Ok(Self::Auto),
            value => T::from_text(value).map(Self::Given),
        }
    }

    fn to_toml(&self) -> String {
        match self {
            Self::Auto => "\"auto\"".to_owned(),
            Self::Given(value) => value.to_toml(),
        }
    }

    fn from_toml(value: &Spanned<DeValue<'_>>) -> Result<Self, Vec<Fault>> {
        match value.get_ref() {
            DeValue::String(text) if text == "auto" => Ok(Self::Auto),
            _ => T::from_toml(value).map(Self::Given),
        }
    }
}
