//! A block: the fields between two blank lines, and what becomes of them.

use super::line::{Digits, Field, Value};
use super::{Excess, text};
use crate::Limits;
use alloc::string::String;
use alloc::vec::Vec;
use core::{mem, str};

/// Buffers up to this size are kept for the next event, in bytes.
const KEPT: usize = 64 << 10;
/// After so many blocks that need less than a quarter of the data buffer, it
/// is made smaller: soon after a burst, but not between events of mixed size.
const PATIENCE: u32 = 16;

#[derive(Debug)]
pub(super) struct Block {
    limits: Limits,
    /// The values of the `data` lines, joined by LF.
    data: Vec<u8>,
    has_data: bool,
    event_type: Vec<u8>,
    id: String,
    has_id: bool,
    /// Kept apart from `has_retry`, as an `Option` is copied as a whole right
    /// after a part of it was written, which processors are slow at.
    retry: u64,
    has_retry: bool,
    /// The value of an `id` or comment line that isn't complete.
    value: Vec<u8>,
    digits: Digits,
    /// Too large: nothing is kept of it but its ID.
    skipped: bool,
    /// What was lent out last; its memory is used again.
    pub(super) lent: Lent,
    small_blocks: u32,
}

#[derive(Debug, Default)]
pub(super) struct Lent {
    pub(super) data: String,
    pub(super) event_type: String,
    pub(super) comment: String,
    pub(super) last_event_id: String,
    /// Whether the event's own block set that ID.
    pub(super) has_id: bool,
    retry: u64,
    pub(super) has_retry: bool,
    /// Whether buffers were moved here and have to be taken back.
    any_moved: bool,
    data_moved: bool,
    event_type_moved: bool,
}

/// What a blank line brought forth. Kept small: it is returned for every event.
#[derive(Debug)]
pub(super) enum Dispatch<'b> {
    Nothing,
    /// In [`Block::lent`], except data that could be left in the chunk.
    Event(Option<&'b str>),
    TooLarge(Excess),
}

/// What the end of a line can bring forth.
#[derive(Debug)]
pub(super) enum LineEnd {
    Retry(u64),
    /// In [`Block::lent`].
    Comment,
}

impl Lent {
    /// The last valid `retry` of the event's block.
    pub(super) fn retry(&self) -> Option<u64> {
        self.has_retry.then_some(self.retry)
    }
}

impl Block {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            data: Vec::new(),
            has_data: false,
            event_type: Vec::new(),
            id: String::new(),
            has_id: false,
            retry: 0,
            has_retry: false,
            value: Vec::new(),
            digits: Digits::None,
            skipped: false,
            lent: Lent::default(),
            small_blocks: 0,
        }
    }

    /// Lends a copy of a comment that can't stay where it is.
    pub(super) fn lend_comment(&mut self, text: &str) {
        self.lent.any_moved = true;
        self.lent.comment = text.into();
    }

    /// Whether the values of `field` are of any use.
    pub(super) fn wants(&self, field: Field) -> bool {
        !self.skipped || !matches!(field, Field::Data | Field::Event)
    }

    pub(super) fn is_skipped(&self) -> bool {
        self.skipped
    }

    /// Whether it has a field that would matter at its end.
    pub(super) fn is_empty(&self) -> bool {
        !self.has_data && !self.has_id && self.event_type.is_empty() && !self.skipped
    }

    /// Begins a line of `field`.
    pub(super) fn begin(&mut self, field: Field) -> Result<(), Excess> {
        match field {
            // F6, B3: a LF between two values is one after each, less the last.
            Field::Data if self.has_data => return self.push_data(b"\n"),
            Field::Data => self.has_data = true,
            // F5. The block's earlier type is of no use from here on, whether
            // this line is ever completed or not.
            Field::Event => self.event_type.clear(),
            Field::Id | Field::Comment => self.value.clear(),
            Field::Retry => self.digits = Digits::None,
        }
        Ok(())
    }

    /// Appends to the value of the line that was begun.
    pub(super) fn append(&mut self, field: Field, bytes: &[u8]) -> Result<(), Excess> {
        match field {
            Field::Data => return self.push_data(bytes),
            Field::Event => {
                self.check_room(bytes.len())?;
                grow(&mut self.event_type, bytes.len(), self.limits.max_event);
                self.event_type.extend_from_slice(bytes);
            }
            Field::Id | Field::Comment => {
                let (max, excess) = match field {
                    Field::Id => (self.limits.max_id, Excess::Id),
                    _ => (self.limits.max_event, Excess::Line),
                };
                if bytes.len() > max.saturating_sub(self.value.len()) {
                    return Err(excess);
                }
                grow(&mut self.value, bytes.len(), max);
                self.value.extend_from_slice(bytes);
            }
            Field::Retry => self.digits.push(bytes),
        }
        Ok(())
    }

    /// Ends the line that was begun.
    pub(super) fn end(&mut self, field: Field) -> Result<Option<LineEnd>, Excess> {
        match field {
            Field::Data | Field::Event => {}
            // F7
            Field::Id if memchr::memchr(0, &self.value).is_some() => {}
            Field::Id => {
                let id = text::take(&mut self.value, self.limits.max_id).ok_or(Excess::Id)?;
                self.value = mem::replace(&mut self.id, id).into_bytes();
                self.has_id = true;
            }
            // F8
            Field::Retry => {
                if let Some(millis) = self.digits.number() {
                    self.retry = millis;
                    self.has_retry = true;
                    return Ok(Some(LineEnd::Retry(millis)));
                }
            }
            Field::Comment => {
                self.lent.any_moved = true;
                self.lent.comment =
                    text::take(&mut self.value, self.limits.max_event).ok_or(Excess::Line)?;
                return Ok(Some(LineEnd::Comment));
            }
        }
        Ok(None)
    }

    /// Whether the value of the block's first `data` line can stay where it is.
    #[inline]
    pub(super) fn can_lend(&self, value: &[u8]) -> bool {
        !self.has_data
            && !self.skipped
            && value.len() + self.event_type.len() <= self.limits.max_event
    }

    /// Copies the value of a `data` line that was left in its chunk until now.
    #[inline]
    pub(super) fn keep(&mut self, value: Option<Value<'_>>) {
        if let Some(value) = value
            && !self.skipped
        {
            self.has_data = true;
            grow(&mut self.data, value.bytes().len(), self.limits.max_event);
            value.append_to(&mut self.data);
        }
    }

    /// Takes a whole `data` line in one go.
    #[inline]
    pub(super) fn push_line(&mut self, value: Value<'_>) -> Result<(), Excess> {
        let more = usize::from(self.has_data) + value.bytes().len();
        self.check_room(more)?;
        grow(&mut self.data, more, self.limits.max_event);
        if self.has_data {
            // F6, as in `begin`.
            self.data.push(b'\n');
        }
        self.has_data = true;
        value.append_to(&mut self.data);
        Ok(())
    }

    /// Begins a `data` line if that is simple: see [`Block::begin`].
    #[inline]
    pub(super) fn begin_data_simply(&mut self) -> bool {
        if self.skipped {
            return false;
        }
        if self.has_data {
            return self.push_data_byte(b'\n');
        }
        self.has_data = true;
        true
    }

    /// Appends one byte to the value of a `data` line if that is simple.
    #[inline]
    pub(super) fn push_data_byte(&mut self, byte: u8) -> bool {
        let simple = self.data.len() < self.data.capacity()
            && self.data.len() + self.event_type.len() < self.limits.max_event;
        if simple {
            self.data.push(byte);
        }
        simple
    }

    /// Whether `more` bytes of any line can't go beyond a limit.
    pub(super) fn has_room_for(&self, more: usize) -> bool {
        let event = self.data.len() + self.event_type.len();
        more <= self
            .limits
            .max_event
            .saturating_sub(event.max(self.value.len()))
            && more <= self.limits.max_id.saturating_sub(self.value.len())
    }

    /// Takes back what was lent out, and says whether this block has nothing
    /// yet, nor the one before left a large buffer, whose use is to be watched.
    #[inline]
    pub(super) fn begin_simply(&mut self) -> bool {
        self.reclaim();
        !(self.has_data || self.has_id || self.has_retry || self.skipped)
            && self.event_type.is_empty()
            && self.data.capacity() <= KEPT
    }

    /// Gives the block up: only its ID and its reconnection time still count.
    #[cold]
    pub(super) fn skip(&mut self, excess: Excess) {
        self.skipped = true;
        self.keep_nothing();
        self.value = Vec::new();
        if excess == Excess::Id {
            self.has_id = false;
        }
    }

    /// A blank line: dispatches the event, if it is one. `in_chunk` is the
    /// value of the only `data` line, if it could be left where it was.
    #[inline]
    pub(super) fn dispatch<'b>(&mut self, in_chunk: Option<Value<'b>>) -> Dispatch<'b> {
        self.lent.has_id = mem::take(&mut self.has_id);
        self.lent.has_retry = mem::take(&mut self.has_retry);
        self.lent.retry = self.retry;
        if self.lent.has_id {
            // B1, also for a block without data. The ID buffer keeps its value
            // by being the last event ID until another `id` is complete.
            mem::swap(&mut self.lent.last_event_id, &mut self.id);
        }
        if self.data.capacity() > KEPT {
            self.consider_shrinking();
        }
        // B2. A skipped block has no data.
        if !self.has_data && in_chunk.is_none() {
            self.skipped = false;
            self.event_type.clear();
            return Dispatch::Nothing;
        }
        if self.event_type.is_empty() {
            self.lent.event_type.clear();
        } else if let Err(excess) = self.lend_event_type() {
            return Dispatch::TooLarge(excess);
        }
        if let Some(Ok(data)) = in_chunk.map(|value| str::from_utf8(value.bytes()))
            && data.len() <= self.room_beside_type()
        {
            return Dispatch::Event(Some(data));
        }
        self.keep(in_chunk);
        match self.lend_data() {
            Ok(()) => Dispatch::Event(None),
            Err(excess) => Dispatch::TooLarge(excess),
        }
    }

    /// Takes back what was lent out.
    #[inline]
    pub(super) fn reclaim(&mut self) {
        if mem::take(&mut self.lent.any_moved) {
            self.reclaim_any();
        }
    }

    fn reclaim_any(&mut self) {
        if mem::take(&mut self.lent.data_moved) {
            self.data = mem::take(&mut self.lent.data).into_bytes();
            self.data.clear();
        }
        if mem::take(&mut self.lent.event_type_moved) {
            self.event_type = mem::take(&mut self.lent.event_type).into_bytes();
            self.event_type.clear();
            self.event_type.shrink_to(KEPT);
        }
        if self.lent.comment.capacity() > 0 {
            self.value = mem::take(&mut self.lent.comment).into_bytes();
            self.value.shrink_to(KEPT);
        }
    }

    /// D6: drops the incomplete block, its ID included.
    pub(super) fn reset(&mut self) {
        let last_event_id = mem::take(&mut self.lent.last_event_id);
        *self = Self::new(self.limits);
        self.lent.last_event_id = last_event_id;
    }

    fn lend_event_type(&mut self) -> Result<(), Excess> {
        if text::copy_few(&mut self.event_type, &mut self.lent.event_type) {
            return Ok(());
        }
        self.lent.event_type = text::take(&mut self.event_type, self.limits.max_event)
            .ok_or_else(|| self.keep_nothing())?;
        (self.lent.any_moved, self.lent.event_type_moved) = (true, true);
        Ok(())
    }

    fn lend_data(&mut self) -> Result<(), Excess> {
        self.has_data = false;
        let room = self.room_beside_type();
        if self.data.len() <= room && text::copy_few(&mut self.data, &mut self.lent.data) {
            return Ok(());
        }
        self.lent.data = text::take(&mut self.data, room).ok_or_else(|| self.keep_nothing())?;
        (self.lent.any_moved, self.lent.data_moved) = (true, true);
        Ok(())
    }

    /// How many bytes of data the event can have, given its type as text,
    /// which is longer than its bytes were if they were ill-formed.
    fn room_beside_type(&self) -> usize {
        self.limits.max_event - self.lent.event_type.len()
    }

    /// For an event that is too large.
    fn keep_nothing(&mut self) -> Excess {
        self.has_data = false;
        self.data = Vec::new();
        self.event_type = Vec::new();
        Excess::Event
    }

    fn push_data(&mut self, bytes: &[u8]) -> Result<(), Excess> {
        self.check_room(bytes.len())?;
        grow(&mut self.data, bytes.len(), self.limits.max_event);
        self.data.extend_from_slice(bytes);
        Ok(())
    }

    fn check_room(&self, more: usize) -> Result<(), Excess> {
        if more > self.limits.max_event - self.data.len() - self.event_type.len() {
            return Err(Excess::Event);
        }
        Ok(())
    }

    #[cold]
    fn consider_shrinking(&mut self) {
        let quarter = self.data.capacity() / 4;
        if self.data.len() > quarter {
            self.small_blocks = 0;
            return;
        }
        self.small_blocks += 1;
        if self.small_blocks == PATIENCE {
            self.small_blocks = 0;
            self.data.shrink_to(quarter.max(KEPT));
        }
    }

    /// How many bytes its buffers take.
    pub(super) fn capacity(&self) -> usize {
        self.data.capacity()
            + self.event_type.capacity()
            + self.id.capacity()
            + self.value.capacity()
            + self.lent.data.capacity()
            + self.lent.event_type.capacity()
            + self.lent.comment.capacity()
            + self.lent.last_event_id.capacity()
    }
}

/// Makes room by doubling, but never for more than `max` bytes.
#[inline]
fn grow(buffer: &mut Vec<u8>, more: usize, max: usize) {
    let needed = buffer.len() + more;
    if needed > buffer.capacity() {
        let target = buffer.capacity().saturating_mul(2).min(max).max(needed);
        buffer.reserve_exact(target - buffer.len());
    }
}
