//! Lines: where one ends, and which field it is.

/// The byte order mark that may stand before a stream (D2).
pub(super) const BOM: [u8; 3] = [0xEF, 0xBB, 0xBF];

/// How much of the current line has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// The stream begins; this many bytes of a byte order mark were read.
    Bom(u8),
    /// Nothing of it.
    Start,
    /// Nothing of it, and the line before was ended by a CR that was the last
    /// byte of its chunk: a LF now belongs to that CR (D5).
    AfterCr,
    /// This many bytes of the name, which may still turn out to be another.
    Name(Field, u8),
    /// Name and colon: a space that follows isn't part of the value (F2).
    Colon(Field),
    /// Part of the value.
    Value(Field),
    /// Enough to know that nobody wants it.
    Ignored,
}

/// The fields that mean something; a comment is the field without a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Comment,
    Data,
    Event,
    Id,
    Retry,
}

impl Field {
    /// The one field whose name can begin with `byte`.
    pub(super) fn beginning_with(byte: u8) -> Option<Self> {
        Some(match byte {
            b':' => Self::Comment,
            b'd' => Self::Data,
            b'e' => Self::Event,
            b'i' => Self::Id,
            b'r' => Self::Retry,
            _ => return None,
        })
    }

    /// Whether its values are kept and count towards the size of the event or
    /// of its ID; of the others, the line does.
    pub(super) fn is_kept(self) -> bool {
        matches!(self, Self::Data | Self::Event | Self::Id)
    }

    /// Compared byte by byte (F4).
    pub(super) fn name(self) -> &'static [u8] {
        match self {
            Self::Comment => b"",
            Self::Data => b"data",
            Self::Event => b"event",
            Self::Id => b"id",
            Self::Retry => b"retry",
        }
    }
}

/// Splits a whole, non-empty line into field and value; `None` for fields to
/// be ignored (F9).
#[inline]
pub(super) fn split(line: &[u8]) -> Option<(Field, &[u8])> {
    // The fields of nearly every line, without a search for the colon (F2).
    if let Some(value) = line.strip_prefix(b"data: ") {
        return Some((Field::Data, value));
    }
    let field = Field::beginning_with(line[0])?;
    match line.strip_prefix(field.name())? {
        [b':', b' ', value @ ..] | [b':', value @ ..] => Some((field, value)),
        // F3: no colon, so the whole line is the name.
        [] => Some((field, &[])),
        _ => None,
    }
}

/// D4: nothing but CR and LF ends a line.
#[inline]
pub(super) fn is_line_end(byte: u8) -> bool {
    byte == b'\n' || byte == b'\r'
}

/// Where the line that `bytes` begin with ends, if it does.
#[inline]
pub(super) fn find_line_end(bytes: &[u8]) -> Option<usize> {
    // A call of memchr costs more than a look at a few bytes.
    if bytes.len() < 8 {
        return bytes.iter().position(|&byte| is_line_end(byte));
    }
    memchr::memchr2(b'\r', b'\n', bytes)
}

/// The value of a `retry` field (F8), as its bytes come.
#[derive(Debug, Clone, Copy)]
pub(super) enum Digits {
    None,
    Number(u64),
    Invalid,
}

impl Digits {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            let number = match (*self, byte) {
                (Self::None, b'0'..=b'9') => 0,
                (Self::Number(number), b'0'..=b'9') => number,
                _ => return *self = Self::Invalid,
            };
            let digit = u64::from(byte - b'0');
            *self = Self::Number(number.saturating_mul(10).saturating_add(digit));
        }
    }

    pub(super) fn number(self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(number),
            Self::None | Self::Invalid => None,
        }
    }
}
