//! `application/x-www-form-urlencoded`, strictly: queries and bodies.

use std::fmt;

/// Decoded names and values, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Form(Vec<(String, String)>);

/// Why a text is no form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidForm {
    /// A `%` without two hexadecimal digits behind it.
    Escape,
    /// What it decodes to isn't UTF-8.
    Encoding,
    /// A value without a name.
    NameMissing,
    /// It has more than [`FIELDS`] fields.
    TooManyFields,
    /// A body has a `;` that isn't encoded, which some take for a separator.
    Semicolon,
}

impl fmt::Display for InvalidForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Escape => f.write_str("a '%' is not followed by two hexadecimal digits"),
            Self::Encoding => f.write_str("percent-escapes don't give UTF-8"),
            Self::NameMissing => f.write_str("a field has no name before its '='"),
            Self::TooManyFields => write!(f, "there are more than {FIELDS} fields"),
            Self::Semicolon => {
                f.write_str("a ';' is not percent-encoded; write '%3B', and '&' between fields")
            }
        }
    }
}

impl std::error::Error for InvalidForm {}

/// The most fields of a form.
pub const FIELDS: usize = 1_100;

impl Form {
    /// Parses the part of a URL behind `?`. A `;` stands for itself.
    ///
    /// # Errors
    /// [`InvalidForm`].
    pub fn query(text: &str) -> Result<Self, InvalidForm> {
        Self::parse(text.as_bytes())
    }

    /// Parses a body. A `;` must be encoded in it: a publisher that means two
    /// fields would otherwise publish one, to a topic it didn't mean.
    ///
    /// # Errors
    /// [`InvalidForm`].
    pub fn body(bytes: &[u8]) -> Result<Self, InvalidForm> {
        if bytes.contains(&b';') {
            return Err(InvalidForm::Semicolon);
        }
        Self::parse(bytes)
    }

    /// WHATWG URL, 5.1, but what that would guess at is refused.
    fn parse(bytes: &[u8]) -> Result<Self, InvalidForm> {
        let mut fields = Vec::new();
        for field in bytes.split(|byte| *byte == b'&') {
            if field.is_empty() {
                continue;
            }
            let equals = field.iter().position(|byte| *byte == b'=');
            let (name, value) = match equals {
                Some(0) => return Err(InvalidForm::NameMissing),
                Some(at) => (&field[..at], &field[at + 1..]),
                None => (field, &[][..]),
            };
            if fields.len() == FIELDS {
                return Err(InvalidForm::TooManyFields);
            }
            fields.push((decode(name)?, decode(value)?));
        }
        Ok(Self(fields))
    }

    /// All fields, in order.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// The values of `name`, in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields()
            .filter(move |(other, _)| *other == name)
            .map(|(_, value)| value)
    }

    /// Whether there is a field `name`, whatever its value.
    pub fn has(&self, name: &str) -> bool {
        self.all(name).next().is_some()
    }
}

fn decode(bytes: &[u8]) -> Result<String, InvalidForm> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        out.push(match first {
            b'+' => b' ',
            b'%' => {
                let (digits, behind) = behind.split_at_checked(2).ok_or(InvalidForm::Escape)?;
                rest = behind;
                digit(digits[0])? << 4 | digit(digits[1])?
            }
            other => *other,
        });
    }
    String::from_utf8(out).map_err(|_| InvalidForm::Encoding)
}

fn digit(byte: u8) -> Result<u8, InvalidForm> {
    let digit = char::from(byte).to_digit(16).ok_or(InvalidForm::Escape)?;
    Ok(u8::try_from(digit).expect("less than 16"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(&str, &str)]) {
        for form in [Form::query(text), Form::body(text.as_bytes())] {
            let form = form.unwrap();
            assert_eq!(form.fields().collect::<Vec<_>>(), expected, "{text}");
        }
    }

    fn check_refused(text: &[u8], reason: InvalidForm) {
        assert_eq!(Form::body(text), Err(reason), "{text:?}");
    }

    #[test]
    fn fields_are_decoded_once() {
        check("", &[]);
        check(
            "a=1&b=&c&&d=x=y",
            &[("a", "1"), ("b", ""), ("c", ""), ("d", "x=y")],
        );
        check("topic=a%2Fb+c%2B", &[("topic", "a/b c+")]);
        check("topic=%2561", &[("topic", "%61")]);
        check("t=%F0%9F%8C%8A&%C3%A9=1", &[("t", "🌊"), ("é", "1")]);
        assert_eq!(
            Form::query("a=b;c").unwrap().all("a").collect::<Vec<_>>(),
            ["b;c"]
        );
    }

    #[test]
    fn b4_bad_forms() {
        for text in ["a=%", "a=%2", "a=%zz", "%=1", "a=%+1"] {
            check_refused(text.as_bytes(), InvalidForm::Escape);
        }
        for text in [&b"a=%C0%AF"[..], b"a=%ED%A0%80", b"a=\xff"] {
            check_refused(text, InvalidForm::Encoding);
        }
        check_refused(b"=1", InvalidForm::NameMissing);
        check_refused(b"topic=a;data=b", InvalidForm::Semicolon);
        check_refused("a&".repeat(100_000).as_bytes(), InvalidForm::TooManyFields);
    }
}
