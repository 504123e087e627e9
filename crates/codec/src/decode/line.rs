//! Lines: where one ends, and which field it is.

use alloc::vec::Vec;

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

/// A line that lies whole in a chunk, from its start on.
pub(super) struct WholeLine<'b> {
    /// Without its end.
    pub(super) bytes: &'b [u8],
    /// If it begins with `data:`.
    data: Option<Value<'b>>,
}

/// A value and what comes after it in its chunk, which lets few bytes be
/// copied as if they were a fixed number.
#[derive(Clone, Copy)]
pub(super) struct Value<'b> {
    and_after: &'b [u8],
    len: usize,
}

impl<'b> Value<'b> {
    #[inline]
    pub(super) fn bytes(&self) -> &'b [u8] {
        &self.and_after[..self.len]
    }

    /// Appends the value to a buffer that has room for it.
    #[inline]
    pub(super) fn append_to(&self, buffer: &mut Vec<u8>) {
        const FEW: usize = 16;
        match self.and_after.first_chunk::<FEW>() {
            Some(few) if self.len <= FEW && buffer.capacity() - buffer.len() >= FEW => {
                let len = buffer.len() + self.len;
                buffer.extend_from_slice(few);
                buffer.truncate(len);
            }
            _ => buffer.extend_from_slice(self.bytes()),
        }
    }
}

/// What nearly every line begins with.
const DATA: &[u8] = b"data:";

impl<'b> WholeLine<'b> {
    /// The line that `chunk` begins with, if it ends there too.
    #[inline]
    pub(super) fn first_of(chunk: &'b [u8]) -> Option<Self> {
        if let Some(after_colon) = chunk.strip_prefix(DATA) {
            let and_after = after_colon.strip_prefix(b" ").unwrap_or(after_colon);
            let len = find_line_end(and_after)?;
            return Some(Self {
                bytes: &chunk[..chunk.len() - and_after.len() + len],
                data: Some(Value { and_after, len }),
            });
        }
        let end = find_line_end(chunk)?;
        Some(Self {
            bytes: &chunk[..end],
            data: None,
        })
    }

    /// The value, if the line begins with `data:`, as nearly every one does.
    #[inline]
    pub(super) fn data(&self) -> Option<Value<'b>> {
        self.data
    }

    /// Splits a line that isn't empty into field and value; `None` for fields
    /// to be ignored (F9).
    pub(super) fn split(&self) -> Option<(Field, &'b [u8])> {
        let field = Field::beginning_with(self.bytes[0])?;
        // No known name has a colon in it, so no search for the first (F2).
        match self.bytes.strip_prefix(field.name())? {
            [b':', b' ', value @ ..] | [b':', value @ ..] => Some((field, value)),
            // F3: no colon, so the whole line is the name.
            [] => Some((field, &[])),
            _ => None,
        }
    }
}

/// Whether a line that begins like this, and isn't complete, may set a field.
pub(super) fn could_be_field(line: &[u8]) -> bool {
    let Some(field) = line.first().copied().and_then(Field::beginning_with) else {
        return false;
    };
    let after_name = line.strip_prefix(field.name());
    field != Field::Comment
        && after_name.map_or_else(
            || field.name().starts_with(line),
            |after| after.is_empty() || after.starts_with(b":"),
        )
}

/// D4: nothing but CR and LF ends a line.
#[inline]
pub(super) fn is_line_end(byte: u8) -> bool {
    byte == b'\n' || byte == b'\r'
}

/// Where the line that `bytes` begin with ends, if it does.
#[inline]
pub(super) fn find_line_end(bytes: &[u8]) -> Option<usize> {
    // Short lines are many, and a call of memchr costs as much as they do.
    let Some((word, rest)) = bytes.split_first_chunk::<8>() else {
        return bytes.iter().position(|&byte| is_line_end(byte));
    };
    let ends = line_ends(u64::from_le_bytes(*word));
    if ends != 0 {
        return Some(ends.trailing_zeros() as usize / 8);
    }
    Some(8 + memchr::memchr2(b'\r', b'\n', rest)?)
}

/// Sets the high bit of each byte that is CR or LF, and perhaps of some above
/// the lowest one that is.
#[inline]
fn line_ends(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = ONES << 7;
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word;
    (zeros(word ^ (ONES * b'\n' as u64)) | zeros(word ^ (ONES * b'\r' as u64))) & HIGHS
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
