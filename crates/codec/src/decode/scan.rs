//! Line by line: from the bytes of a chunk to what a block takes in.

use super::block::{Dispatch, LineEnd};
use super::chunk::Chunk;
use super::line::{BOM, Field, Line, Value, WholeLine, find_line_end, is_line_end};
use super::{Decoder, Excess};
use alloc::vec::Vec;
use core::{mem, str};

/// An item whose parts are in the block's `lent`, except texts that could be left
/// in the chunk.
pub(super) enum Found<'b> {
    Event(InChunk<'b>),
    Retry(u64),
    Comment(Option<&'b str>),
    TooLarge(Excess),
}

/// The parts of an event that could be left in the chunk.
#[derive(Default)]
pub(super) struct InChunk<'b> {
    pub(super) event_type: Option<&'b str>,
    pub(super) data: Option<&'b str>,
}

/// How many bytes of a line that come one by one are put together, to be read
/// at once.
const STAGE: usize = 256;

impl Decoder {
    /// Reads on up to what comes next.
    pub(super) fn find<'b>(&mut self, chunk: &mut Chunk<'b>) -> Option<Found<'b>> {
        // D2
        if self.line == Line::Bom(0) && chunk.rest.first().is_some_and(|first| *first != BOM[0]) {
            self.line = Line::Start;
        }
        if let [byte] = *chunk.rest {
            return self.find_at_byte(byte, &mut chunk.rest);
        }
        if self.line == Line::Start
            && let Some(parts) = self.simple_block(chunk)
        {
            return Some(Found::Event(parts));
        }
        if !self.staged.is_empty() {
            let found = self.find_staged(&mut chunk.rest);
            if found.is_some() {
                return found;
            }
        }
        let found = self.read(&mut chunk.rest);
        if self.staged.capacity() > 0 {
            self.allow_staging();
        }
        found
    }

    /// Takes a byte that is all there is of its chunk: of a `data` line, if
    /// there is little to it, or of a line that is read when it is complete.
    #[inline]
    pub(super) fn simple_byte(&mut self, byte: u8) -> bool {
        if !self.staged.is_empty() {
            return self.stage(byte);
        }
        self.line = match (self.line, byte) {
            (Line::Value(Field::Data), b'\n') => Line::Start,
            (Line::Start, b'd') => Line::Name(Field::Data, 1),
            (Line::Start, _) => return self.stage(byte),
            (Line::Name(Field::Data, seen @ 1..=3), byte)
                if byte == Field::Data.name()[usize::from(seen)] =>
            {
                Line::Name(Field::Data, seen + 1)
            }
            (Line::Name(Field::Data, 4), b':') if self.block.begin_data_simply() => {
                Line::Colon(Field::Data)
            }
            (Line::Colon(Field::Data), b' ') => Line::Value(Field::Data),
            _ => return false,
        };
        self.position += 1;
        true
    }

    /// A byte that is all there is of its chunk, and not a simple one.
    #[inline(never)]
    fn find_at_byte<'b>(&mut self, byte: u8, bytes: &mut &'b [u8]) -> Option<Found<'b>> {
        if byte == b'\n' && self.line == Line::Start && self.staged.is_empty() {
            self.block.reclaim();
            *bytes = &[];
            self.position += 1;
            self.end = self.position;
            return self.blank_line(None, bytes);
        }
        if !self.staged.is_empty() {
            let found = self.find_staged(bytes);
            if found.is_some() || bytes.is_empty() {
                return found;
            }
        }
        self.allow_staging();
        if self.line == Line::Start && self.stage(byte) {
            *bytes = &[];
            return None;
        }
        self.read(bytes)
    }

    /// Puts a byte to those of its line that are to be read together.
    #[inline]
    fn stage(&mut self, byte: u8) -> bool {
        let simple = !is_line_end(byte) && self.staged.len() < self.staged.capacity();
        if simple {
            self.staged.push(byte);
        }
        simple
    }

    /// Reads what is staged, with the line end that `bytes` may be.
    #[inline(never)]
    fn find_staged<'b>(&mut self, bytes: &mut &'b [u8]) -> Option<Found<'b>> {
        let mut staged = mem::take(&mut self.staged);
        if let [byte] = **bytes
            && is_line_end(byte)
            && staged.len() < staged.capacity()
        {
            staged.push(byte);
            *bytes = &[];
        }
        let found = self.read(&mut &staged[..]).map(|found| match found {
            Found::Comment(text) => {
                if let Some(text) = text {
                    self.block.lend_comment(text);
                }
                Found::Comment(None)
            }
            // Never comes: one line is staged, and not the blank one after it.
            Found::Event(_) => Found::Event(InChunk::default()),
            Found::Retry(millis) => Found::Retry(millis),
            Found::TooLarge(excess) => Found::TooLarge(excess),
        });
        staged.clear();
        self.staged = staged;
        self.allow_staging();
        found
    }

    /// Bytes are staged only as long as they can't go beyond a limit, which is
    /// to be told at once.
    fn allow_staging(&mut self) {
        let most = STAGE.max(self.staged.capacity());
        let most = most.saturating_add(self.line_len);
        if matches!(self.line, Line::Bom(_)) || !self.block.has_room_for(most) {
            self.staged = Vec::new();
        } else if self.staged.capacity() == 0 {
            self.staged = Vec::with_capacity(STAGE);
        }
    }

    fn read<'b>(&mut self, bytes: &mut &'b [u8]) -> Option<Found<'b>> {
        self.end = self.position + bytes.len() as u64;
        let found = self.advance(bytes);
        self.position = self.here(bytes);
        found
    }

    fn advance<'b>(&mut self, bytes: &mut &'b [u8]) -> Option<Found<'b>> {
        self.block.reclaim();
        while let Some(&first) = bytes.first() {
            let found = match self.line {
                Line::Start => self.whole_lines(bytes),
                Line::AfterCr => {
                    self.line = Line::Start;
                    if first == b'\n' {
                        self.swallow_lf(bytes);
                    }
                    None
                }
                Line::Bom(seen) => {
                    self.byte_order_mark(seen, first, bytes);
                    None
                }
                _ => self.rest_of_line(bytes),
            };
            if found.is_some() {
                return found;
            }
        }
        None
    }

    /// D2: strips one byte order mark, which may come byte by byte.
    fn byte_order_mark(&mut self, seen: u8, first: u8, bytes: &mut &[u8]) {
        if first == BOM[usize::from(seen)] {
            *bytes = &bytes[1..];
            self.line = match seen {
                2 => Line::Start,
                _ => Line::Bom(seen + 1),
            };
        } else {
            // No field's name begins with a part of it.
            self.line = Line::Ignored;
            self.line_len = usize::from(seen);
        }
    }

    /// D5: a LF that belongs to a CR in an earlier chunk.
    fn swallow_lf(&mut self, bytes: &mut &[u8]) {
        if self.block_at == self.here(bytes) {
            self.block_at += 1;
        }
        *bytes = &bytes[1..];
    }

    /// Reads lines that lie whole in `bytes`, then begins the one that doesn't.
    fn whole_lines<'b>(&mut self, bytes: &mut &'b [u8]) -> Option<Found<'b>> {
        // The value of the block's only data line, as long as it can stay
        // where it is.
        let mut in_chunk: Option<Value<'b>> = None;
        loop {
            if let Some(&first) = bytes.first()
                && is_line_end(first)
            {
                self.end_line(bytes);
                let found = self.blank_line(in_chunk, bytes);
                if found.is_some() {
                    return found;
                }
                in_chunk = None;
                continue;
            }
            let Some(line) = WholeLine::first_of(bytes) else {
                break;
            };
            *bytes = &bytes[line.bytes.len()..];
            self.end_line(bytes);
            if let Some(value) = line.data() {
                if in_chunk.is_none() && self.block.can_lend(value.bytes()) {
                    in_chunk = Some(value);
                    continue;
                }
                if !self.block.is_skipped() {
                    self.block.keep(in_chunk);
                    in_chunk = None;
                    if let Err(excess) = self.block.push_line(value) {
                        return self.too_large(excess);
                    }
                }
                continue;
            }
            let Some((field, value)) = line.split().filter(|(field, _)| self.wants(*field)) else {
                if line.bytes.len() > self.limits.max_event
                    && let Some(found) = self.too_large(Excess::Line)
                {
                    return Some(found);
                }
                continue;
            };
            if field != Field::Id {
                self.block.keep(in_chunk);
                in_chunk = None;
            }
            let found = self.whole_line(field, line.bytes, value);
            if found.is_some() {
                self.block.keep(in_chunk);
                return found;
            }
        }
        self.block.keep(in_chunk);
        self.rest_of_line(bytes)
    }

    /// A line of a field that somebody wants.
    fn whole_line<'b>(&mut self, field: Field, line: &[u8], value: &'b [u8]) -> Option<Found<'b>> {
        if !field.is_kept() && line.len() > self.limits.max_event {
            return self.too_large(Excess::Line);
        }
        if field == Field::Comment
            && let Ok(text) = str::from_utf8(value)
        {
            return Some(Found::Comment(Some(text)));
        }
        let ended = (self.block.begin(field))
            .and_then(|()| self.block.append(field, value))
            .and_then(|()| self.block.end(field));
        self.line_ended(ended)
    }

    /// Reads on in a line that was begun in an earlier chunk or isn't ended
    /// in this one.
    fn rest_of_line<'b>(&mut self, bytes: &mut &'b [u8]) -> Option<Found<'b>> {
        while let Some(&byte) = bytes.first() {
            let step = match self.line {
                Line::Value(field) => self.more_value(field, bytes),
                Line::Ignored => self.more_ignored(bytes),
                _ if is_line_end(byte) => Ok(()),
                _ => {
                    *bytes = &bytes[1..];
                    self.one_byte(byte)
                }
            };
            if let Err(excess) = step {
                self.line = Line::Ignored;
                let found = self.too_large(excess);
                if found.is_some() {
                    return found;
                }
            }
            if bytes.first().is_some_and(|&byte| is_line_end(byte)) {
                return self.split_line_end(bytes);
            }
        }
        None
    }

    /// The next byte of a line, up to the first of its value.
    fn one_byte(&mut self, byte: u8) -> Result<(), Excess> {
        self.line = match self.line {
            Line::Colon(field) if byte == b' ' => {
                self.line_len += 1;
                Line::Value(field)
            }
            Line::Colon(field) => {
                self.line_len += 1;
                self.line = Line::Value(field);
                return self.block.append(field, &[byte]);
            }
            Line::Name(field, seen) => {
                self.line_len = usize::from(seen) + 1;
                match field.name().get(usize::from(seen)) {
                    Some(&expected) if expected == byte => Line::Name(field, seen + 1),
                    None if byte == b':' => return self.begin_value(field),
                    _ => Line::Ignored,
                }
            }
            _ => {
                self.line_len = 1;
                match Field::beginning_with(byte) {
                    // F1
                    Some(Field::Comment) => return self.begin_value(Field::Comment),
                    Some(field) => Line::Name(field, 1),
                    None => Line::Ignored,
                }
            }
        };
        Ok(())
    }

    fn begin_value(&mut self, field: Field) -> Result<(), Excess> {
        if !self.wants(field) {
            self.line = Line::Ignored;
            return Ok(());
        }
        self.line = Line::Colon(field);
        self.block.begin(field)
    }

    fn more_value(&mut self, field: Field, bytes: &mut &[u8]) -> Result<(), Excess> {
        let part = up_to_line_end(bytes);
        if !field.is_kept() {
            self.count(part.len())?;
        }
        self.block.append(field, part)
    }

    fn more_ignored(&mut self, bytes: &mut &[u8]) -> Result<(), Excess> {
        let part = up_to_line_end(bytes);
        self.count(part.len())
    }

    /// Counts bytes of a line that belongs to no event.
    fn count(&mut self, more: usize) -> Result<(), Excess> {
        self.line_len = self.line_len.saturating_add(more);
        if self.line_len > self.limits.max_event {
            return Err(Excess::Line);
        }
        Ok(())
    }

    /// The end of a line that didn't lie whole in one chunk.
    fn split_line_end<'b>(&mut self, bytes: &mut &'b [u8]) -> Option<Found<'b>> {
        let line = self.line;
        self.line = Line::Start;
        self.end_line(bytes);
        if let Line::Name(_, seen) = line {
            self.line_len = usize::from(seen);
        }
        let field = match line {
            Line::Colon(field) | Line::Value(field) => Some(field),
            // F3
            Line::Name(field, seen) if usize::from(seen) == field.name().len() => Some(field),
            _ => None,
        };
        let counted = if field.is_some_and(Field::is_kept) {
            Ok(())
        } else {
            self.count(0)
        };
        let ended = counted.and_then(|()| match field.filter(|field| self.wants(*field)) {
            Some(field) => {
                if matches!(line, Line::Name(..)) {
                    self.block.begin(field)?;
                }
                self.block.end(field)
            }
            None => Ok(None),
        });
        self.line_ended(ended)
    }

    fn line_ended<'b>(&mut self, ended: Result<Option<LineEnd>, Excess>) -> Option<Found<'b>> {
        match ended {
            Ok(None) => None,
            Ok(Some(LineEnd::Retry(millis))) => Some(Found::Retry(millis)),
            Ok(Some(LineEnd::Comment)) => Some(Found::Comment(None)),
            Err(excess) => self.too_large(excess),
        }
    }

    /// Moves `bytes` from a line end to the line after it. D5: a CR ends its
    /// line at once, and a LF after it, now or later, is part of that end.
    #[inline]
    fn end_line(&mut self, bytes: &mut &[u8]) {
        let cr = bytes[0] == b'\r';
        *bytes = &bytes[1..];
        if cr {
            match bytes.first() {
                Some(b'\n') => *bytes = &bytes[1..],
                Some(_) => {}
                None => self.line = Line::AfterCr,
            }
        }
    }

    /// The end of a block.
    #[inline]
    fn blank_line<'b>(&mut self, in_chunk: Option<Value<'b>>, bytes: &[u8]) -> Option<Found<'b>> {
        let dispatch = self.block.dispatch(in_chunk);
        let here = self.here(bytes);
        let block_at = mem::replace(&mut self.block_at, here);
        match dispatch {
            Dispatch::Nothing => None,
            Dispatch::Event(data) => Some(Found::Event(InChunk {
                event_type: None,
                data,
            })),
            // The block is over: nothing is left of it to be skipped.
            Dispatch::TooLarge(excess) => {
                self.excess_at = block_at;
                Some(Found::TooLarge(excess))
            }
        }
    }

    /// Gives the current block up and tells it, once.
    fn too_large<'b>(&mut self, excess: Excess) -> Option<Found<'b>> {
        if self.block.is_skipped() {
            return None;
        }
        self.block.skip(excess);
        self.excess_at = self.block_at;
        Some(Found::TooLarge(excess))
    }

    fn wants(&self, field: Field) -> bool {
        (field != Field::Comment || self.wants_comments) && self.block.wants(field)
    }

    /// How many bytes of the stream came before `bytes`.
    fn here(&self, bytes: &[u8]) -> u64 {
        self.end - bytes.len() as u64
    }
}

fn up_to_line_end<'b>(bytes: &mut &'b [u8]) -> &'b [u8] {
    let len = find_line_end(bytes).unwrap_or(bytes.len());
    let (part, rest) = bytes.split_at(len);
    *bytes = rest;
    part
}
