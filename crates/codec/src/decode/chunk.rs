//! A chunk of a stream, and the short way to the events that lie whole in it.

use super::Decoder;
use super::line::find_line_end;
use super::scan::InChunk;
use alloc::string::String;
use core::str;

/// A chunk of a stream, for [`Decoder::next_in`]: whether it is well-formed
/// UTF-8 is found out once for all its lines rather than event by event.
#[derive(Debug, Clone)]
pub struct Chunk<'b> {
    pub(super) rest: &'b [u8],
    text: Text<'b>,
}

impl<'b> Chunk<'b> {
    /// A chunk of which the decoder hasn't seen anything.
    #[inline]
    pub fn new(bytes: &'b [u8]) -> Self {
        Self {
            rest: bytes,
            text: Text {
                chunk: bytes,
                valid: None,
            },
        }
    }

    /// One whose texts are looked at one by one, as its owner may go on with
    /// other bytes after the next item.
    #[inline]
    pub(super) fn for_one_item(bytes: &'b [u8]) -> Self {
        Self {
            rest: bytes,
            text: Text {
                chunk: bytes,
                valid: Some(""),
            },
        }
    }

    /// What the decoder hasn't read of it.
    pub fn rest(&self) -> &'b [u8] {
        self.rest
    }
}

/// The part of a chunk that is known to be text.
#[derive(Debug, Clone)]
struct Text<'b> {
    chunk: &'b [u8],
    /// What the chunk begins with, once that was found out.
    valid: Option<&'b str>,
}

/// A value, what comes after it in its chunk, and the line after.
struct Value<'b> {
    and_after: &'b [u8],
    len: usize,
    next_line: &'b [u8],
}

impl<'b> Value<'b> {
    /// Of the line that `bytes` begin with, if that is `name`, which includes
    /// the colon and the space, and it ends with a LF.
    #[inline(always)]
    fn of(name: &[u8], bytes: &'b [u8]) -> Option<Self> {
        let and_after = bytes.strip_prefix(name)?;
        let len = find_line_end(and_after)?;
        let next_line = and_after[len..].strip_prefix(b"\n")?;
        Some(Self {
            and_after,
            len,
            next_line,
        })
    }
}

impl<'b> Text<'b> {
    /// The value as text, unless it is ill-formed.
    #[inline]
    fn of(&mut self, value: &Value<'b>) -> Option<&'b str> {
        let known = self.known(value, value.len);
        known.or_else(|| str::from_utf8(&value.and_after[..value.len]).ok())
    }

    /// Appends the value to `joined`, if it is known to be text.
    #[inline]
    fn append(&mut self, value: &Value<'b>, joined: &mut String) -> Option<()> {
        // Few bytes are copied as if they were a fixed number.
        const FEW: usize = 16;
        if value.len <= FEW
            && let Some(few) = self.known(value, FEW)
        {
            let len = joined.len() + value.len;
            joined.push_str(few);
            // Between characters, as a line end comes after the value.
            joined.truncate(len);
        } else {
            joined.push_str(self.known(value, value.len)?);
        }
        Some(())
    }

    /// `len` bytes from the start of the value on.
    #[inline]
    fn known(&mut self, value: &Value<'b>, len: usize) -> Option<&'b str> {
        let valid = match self.valid {
            Some(valid) => valid,
            None => self.validate(),
        };
        let at = self.chunk.len() - value.and_after.len();
        valid.get(at..at + len)
    }

    /// Whether a value may be known to be text without looking at it.
    #[inline]
    fn knows_any(&self) -> bool {
        self.valid != Some("")
    }

    /// Looks at all complete lines. The last one may be cut within a
    /// character, which is no fault of the others.
    #[inline(never)]
    fn validate(&mut self) -> &'b str {
        let lines = memchr::memrchr(b'\n', self.chunk).unwrap_or(0);
        let lines = &self.chunk[..lines];
        // After the first ill-formed byte, each value is looked at by itself.
        let valid = str::from_utf8(lines)
            .or_else(|error| str::from_utf8(&lines[..error.valid_up_to()]))
            .unwrap_or_default();
        self.valid.insert(valid)
    }
}

impl Decoder {
    /// The event whose block comes next, if it lies whole in the chunk and is
    /// as nearly every one: perhaps a line `event: …`, then lines `data: …`,
    /// ended by LF. Otherwise nothing has happened.
    #[inline]
    pub(super) fn simple_block<'b>(&mut self, chunk: &mut Chunk<'b>) -> Option<InChunk<'b>> {
        if !self.staged.is_empty() || !self.block.begin_simply() {
            return None;
        }
        let mut rest = chunk.rest;
        let mut event_type = "";
        if let Some(value) = Value::of(b"event: ", rest) {
            event_type = chunk.text.of(&value)?;
            rest = value.next_line;
        }
        let room = self.limits.max_event.checked_sub(event_type.len())?;
        let value = Value::of(b"data: ", rest)?;
        let (data, rest) = match value.next_line {
            [b'\n', rest @ ..] if value.len <= room => (Some(chunk.text.of(&value)?), rest),
            // F6, B3
            [b'd', ..] => (None, self.join(value, room, &mut chunk.text)?),
            _ => return None,
        };
        // B1: the ID stays. B4
        self.block.lent.has_id = false;
        self.block.lent.has_retry = false;
        self.position += (chunk.rest.len() - rest.len()) as u64;
        self.block_at = self.position;
        chunk.rest = rest;
        Some(InChunk {
            event_type: Some(event_type),
            data,
        })
    }

    /// Puts the values of `data` lines together where they are lent from, if
    /// they are few bytes; gives what comes after the block.
    #[inline]
    fn join<'b>(
        &mut self,
        mut value: Value<'b>,
        room: usize,
        text: &mut Text<'b>,
    ) -> Option<&'b [u8]> {
        const FEW: usize = 256;
        if !text.knows_any() {
            return None;
        }
        let joined = &mut self.block.lent.data;
        joined.clear();
        loop {
            if joined.len() + value.len > room.min(FEW) {
                return None;
            }
            text.append(&value, joined)?;
            if let [b'\n', rest @ ..] = value.next_line {
                return Some(rest);
            }
            joined.push('\n');
            value = Value::of(b"data: ", value.next_line)?;
        }
    }
}
