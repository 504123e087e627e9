//! Durations and sizes: a whole number and a unit.

use super::{Setting, toml_string, wrong_type};
use crate::config::fault::Fault;
use std::fmt;
use std::time::Duration;
use toml::Spanned;
use toml::de::DeValue;

/// Why a text is no quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidQuantity {
    /// It doesn't begin with an ASCII digit.
    NoNumber,
    /// A minus sign.
    Negative,
    /// A decimal point: whole numbers of a smaller unit say it exactly.
    Fraction,
    /// A number alone.
    NoUnit,
    /// Something behind the number that is no unit.
    UnknownUnit,
    /// More than 64 bits hold.
    TooLarge,
}

/// The units of `since=`. Weeks are read, and written as days.
const MILLIS: [(&str, u64); 6] = tidings_engine::since::UNITS;

const BYTES: [(&str, u64); 9] = [
    ("B", 1),
    ("kB", 1_000),
    ("KiB", 1 << 10),
    ("MB", 1_000_000),
    ("MiB", 1 << 20),
    ("GB", 1_000_000_000),
    ("GiB", 1 << 30),
    ("TB", 1_000_000_000_000),
    ("TiB", 1 << 40),
];

fn parse(text: &str, units: &[(&str, u64)]) -> Result<u64, InvalidQuantity> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    if digits == 0 {
        return Err(match text.starts_with('-') {
            true => InvalidQuantity::Negative,
            false => InvalidQuantity::NoNumber,
        });
    }
    if unit.is_empty() {
        return Err(InvalidQuantity::NoUnit);
    }
    if unit.starts_with('.') {
        return Err(InvalidQuantity::Fraction);
    }
    let factor = units
        .iter()
        .find(|(name, _)| *name == unit)
        .ok_or(InvalidQuantity::UnknownUnit)?
        .1;
    let number: u64 = number.parse().map_err(|_| InvalidQuantity::TooLarge)?;
    number.checked_mul(factor).ok_or(InvalidQuantity::TooLarge)
}

/// The largest unit that divides `value`.
fn format(value: u64, units: &[(&str, u64)]) -> String {
    let (name, factor) = units
        .iter()
        .rev()
        .find(|(_, factor)| value >= *factor && value.is_multiple_of(*factor))
        .unwrap_or(if value == 0 && units[0].0 == "ms" {
            &units[1]
        } else {
            &units[0]
        });
    format!("{}{name}", value / factor)
}

/// Reads `500ms`, `15s`, `10m`, `2h`, `7d`: a whole number and one unit.
///
/// # Errors
/// [`InvalidQuantity`] says what is wrong.
pub fn parse_duration(text: &str) -> Result<Duration, InvalidQuantity> {
    parse(text, &MILLIS).map(Duration::from_millis)
}

/// Writes a duration as [`parse_duration`] reads it, in whole milliseconds.
pub fn format_duration(duration: Duration) -> String {
    format(
        u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
        &MILLIS[..5],
    )
}

/// A number of bytes, written with its unit: `64MiB`, `500kB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(pub u64);

impl ByteSize {
    /// The size as a length in memory; [`usize::MAX`] where that is smaller.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format(self.0, &BYTES))
    }
}

/// The fault, with the units there are and an example.
fn fault(reason: InvalidQuantity, units: &[(&str, u64)], example: &str) -> Fault {
    let names: Vec<&str> = units.iter().map(|(name, _)| *name).collect();
    let names = names.join(", ");
    Fault::new(match reason {
        InvalidQuantity::NoNumber => format!("expected a number and a unit, such as {example}"),
        InvalidQuantity::Negative => "it can't be negative".to_owned(),
        InvalidQuantity::Fraction => {
            format!("expected a whole number; take a smaller unit ({names})")
        }
        InvalidQuantity::NoUnit => {
            format!("a number without a unit; write one behind it ({names}), such as {example}")
        }
        InvalidQuantity::UnknownUnit => format!("unknown unit; the units are {names}"),
        InvalidQuantity::TooLarge => "the number is too large".to_owned(),
    })
}

/// Where a bare integer stands instead of a string, the missing unit is what
/// to tell, not the type.
fn from_toml<T: Setting>(
    value: &Spanned<DeValue<'_>>,
    no_unit: impl FnOnce() -> Fault,
) -> Result<T, Vec<Fault>> {
    let read = match value.get_ref() {
        DeValue::String(text) => T::from_text(text),
        DeValue::Integer(number) if number.as_str().starts_with('-') => {
            Err(Fault::new("it can't be negative"))
        }
        DeValue::Integer(_) => Err(no_unit()),
        other => Err(wrong_type::<T>(other)),
    };
    read.map_err(|fault| vec![fault.or_at(value.span())])
}

impl Setting for Duration {
    const WANTED: &'static str = "a duration with a unit, such as \"10s\"";

    fn from_text(text: &str) -> Result<Self, Fault> {
        parse_duration(text).map_err(|reason| fault(reason, &MILLIS, "\"10s\""))
    }

    fn to_toml(&self) -> String {
        toml_string(&format_duration(*self))
    }

    fn from_toml(value: &Spanned<DeValue<'_>>) -> Result<Self, Vec<Fault>> {
        from_toml(value, || fault(InvalidQuantity::NoUnit, &MILLIS, "\"10s\""))
    }
}

impl Setting for ByteSize {
    const WANTED: &'static str = "a size with a unit, such as \"64MiB\"";

    fn from_text(text: &str) -> Result<Self, Fault> {
        parse(text, &BYTES)
            .map(Self)
            .map_err(|reason| fault(reason, &BYTES, "\"64MiB\""))
    }

    fn to_toml(&self) -> String {
        toml_string(&self.to_string())
    }

    fn from_toml(value: &Spanned<DeValue<'_>>) -> Result<Self, Vec<Fault>> {
        from_toml(value, || {
            fault(InvalidQuantity::NoUnit, &BYTES, "\"64MiB\"")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use InvalidQuantity::*;

    #[test]
    fn durations() {
        let check = |text: &str, expected: Result<u64, InvalidQuantity>| {
            let parsed = parse_duration(text);
            assert_eq!(parsed, expected.map(Duration::from_millis), "{text}");
        };
        check("500ms", Ok(500));
        check("0s", Ok(0));
        check("15s", Ok(15_000));
        check("10m", Ok(600_000));
        check("007h", Ok(25_200_000));
        check("7d", Ok(604_800_000));
        check("1w", Ok(604_800_000));
        check("18446744073709551615ms", Ok(u64::MAX));
        check("18446744073709551616ms", Err(TooLarge));
        check("18446744073709551615s", Err(TooLarge));
        check("99999999999999999999999999d", Err(TooLarge));
        check("10", Err(NoUnit));
        check("-1s", Err(Negative));
        check("1.5s", Err(Fraction));
        check("", Err(NoNumber));
        check("s", Err(NoNumber));
        check(" 1s", Err(NoNumber));
        check("+1s", Err(NoNumber));
        check("١s", Err(NoNumber));
        check("1 s", Err(UnknownUnit));
        check("1S", Err(UnknownUnit));
        check("1h30m", Err(UnknownUnit));
        check("1é", Err(UnknownUnit));
    }

    #[test]
    fn sizes() {
        let check = |text: &str, expected: Result<u64, InvalidQuantity>| {
            assert_eq!(parse(text, &BYTES), expected, "{text}");
        };
        check("0B", Ok(0));
        check("500kB", Ok(500_000));
        check("64MiB", Ok(64 << 20));
        check("1TiB", Ok(1 << 40));
        check("16777216TiB", Err(TooLarge));
        check("64", Err(NoUnit));
        check("64mib", Err(UnknownUnit));
        check("64M", Err(UnknownUnit));
        check("-64MiB", Err(Negative));
    }

    #[test]
    fn what_is_written_is_read() {
        for value in [0, 1, 999, 1000, 1500, 1024, 60_000, 90_000, 3_600_000] {
            for value in [value, value * 1024, value * 86_400, u64::MAX - value] {
                let duration = Duration::from_millis(value);
                assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
                assert_eq!(parse(&ByteSize(value).to_string(), &BYTES), Ok(value));
            }
        }
        assert_eq!(format_duration(Duration::from_secs(604_800)), "7d");
        assert_eq!(format_duration(Duration::ZERO), "0s");
        assert_eq!(ByteSize(1 << 30).to_string(), "1GiB");
        assert_eq!(ByteSize(500_000).to_string(), "500kB");
    }
}
