//! Bytes as events.

mod block;
mod chunk;
mod line;
mod scan;
mod text;

pub use chunk::Chunk;

use crate::{EventId, Limits};
use alloc::vec::Vec;
use block::Block;
use core::fmt;
use line::{Field, Line, could_be_field, is_line_end};
use scan::Found;

/// Decodes an event stream from chunks of bytes, cut anywhere.
///
/// [`Decoder::next`] reads on in the slice it is given until there is an
/// [`Item`], which it lends until the next call, or until the slice is empty:
///
/// ```
/// use tidings_codec::{Decoder, Item};
/// let mut decoder = Decoder::new();
/// let mut seen = Vec::new();
/// for chunk in [&b"data: fi"[..], b"rst\n\nid: 7\ndata: second\n\n"] {
///     let mut bytes = chunk;
///     while let Some(item) = decoder.next(&mut bytes) {
///         if let Item::Event(event) = item {
///             seen.push((event.data.to_owned(), event.id.map(str::to_owned)));
///         }
///     }
/// }
/// assert_eq!(seen[0], ("first".to_owned(), None));
/// assert_eq!(seen[1], ("second".to_owned(), Some("7".to_owned())));
/// ```
///
/// The slice always begins with the first byte that the decoder hasn't seen.
/// Who stops before it is empty still holds the rest and can go on with it
/// later: the decoder neither loses bytes nor keeps a copy of them.
///
/// An event whose only `data` line lies whole in the slice and is well-formed
/// UTF-8 is lent out of the slice, and so is its type where the block is just
/// `event: …` and `data: …`; everything else out of the decoder's buffers, whose
/// size [`Limits`] bound. Time is linear in the bytes given.
#[derive(Debug)]
pub struct Decoder {
    limits: Limits,
    wants_comments: bool,
    line: Line,
    /// Bytes of the line so far, where nothing else tells them.
    line_len: usize,
    block: Block,
    /// Bytes of one line that came one by one and aren't read yet. Without
    /// capacity while that isn't allowed.
    staged: Vec<u8>,
    /// How many bytes of the stream came before the end of the current slice.
    end: u64,
    /// How many came before the slice's first byte that is still unread.
    position: u64,
    /// How many came before the current block.
    block_at: u64,
    /// How many came before the last block that was too large.
    excess_at: u64,
}

/// Something that a stream said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item<'a> {
    /// An event was dispatched (B4).
    Event(Event<'a>),
    /// A new reconnection time in milliseconds, which takes effect at once,
    /// even if its block is never completed (F8). Numbers beyond `u64` are
    /// given as `u64::MAX`; what is too long to wait for is for the reader to say.
    Retry(u64),
    /// A comment, without its colon and one space after it; only for who
    /// [asked](Decoder::with_comments).
    Comment(&'a str),
    /// A block went beyond a limit. Its event is lost, if it was one; its ID
    /// and reconnection time are still taken in, so that who resumes doesn't
    /// get it again. Decoding goes on, without events until the next blank line.
    TooLarge(TooLarge),
}

/// An event as dispatched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event<'a> {
    /// The value of `event`, empty if there was none or an empty one;
    /// [`Event::type_or_message`] is what listeners see.
    pub event_type: &'a str,
    /// The values of the `data` lines, joined by LF.
    pub data: &'a str,
    /// The last event ID: this block's or the one inherited from before.
    pub last_event_id: &'a str,
    /// The ID, if this very block has set one.
    pub id: Option<&'a str>,
    /// The last valid `retry` of this block, in milliseconds; an
    /// [`Item::Retry`] has already told it.
    pub retry: Option<u64>,
}

impl<'a> Event<'a> {
    /// The type with its default (B4).
    pub fn type_or_message(&self) -> &'a str {
        if self.event_type.is_empty() {
            "message"
        } else {
            self.event_type
        }
    }
}

/// Which limit a block went beyond, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLarge {
    /// What was too large.
    pub excess: Excess,
    /// The limit, in bytes.
    pub limit: usize,
    /// How many bytes of the stream came before the block, a byte order mark
    /// included, since the start or the last [`Decoder::reset`].
    pub at: u64,
}

/// What can be too large.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Excess {
    /// Data and type of the event: beyond [`Limits::max_event`].
    Event,
    /// A line that belongs to neither: beyond [`Limits::max_event`].
    Line,
    /// An ID: beyond [`Limits::max_id`].
    Id,
}

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.excess {
            Excess::Event => "an event",
            Excess::Line => "a line",
            Excess::Id => "an event's id",
        };
        let Self { limit, at, .. } = self;
        write!(
            f,
            "{what} is larger than the limit of {limit} bytes; \
             the block that begins at byte {at} of the stream was skipped"
        )
    }
}

impl core::error::Error for TooLarge {}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// A decoder at the start of a stream, with the default [`Limits`].
    pub fn new() -> Self {
        Self::with_limits(Limits::default())
    }

    /// A decoder at the start of a stream.
    pub fn with_limits(limits: Limits) -> Self {
        Self {
            limits,
            wants_comments: false,
            line: Line::Bom(0),
            line_len: 0,
            block: Block::new(limits),
            staged: Vec::new(),
            end: 0,
            position: 0,
            block_at: 0,
            excess_at: 0,
        }
    }

    /// Gives comments too, which costs nothing where it isn't asked for.
    #[must_use]
    pub fn with_comments(mut self) -> Self {
        self.wants_comments = true;
        self
    }

    /// Reads on in `bytes`, moving its start, up to the next item. `None`
    /// means that all of it has been read.
    ///
    /// What the stream said may have an effect without an item: compare
    /// [`Decoder::last_event_id`] when `bytes` is empty.
    #[inline(always)]
    pub fn next<'a, 'b: 'a>(&'a mut self, bytes: &mut &'b [u8]) -> Option<Item<'a>> {
        if let [byte] = **bytes
            && self.take_byte(byte)
        {
            *bytes = &[];
            return None;
        }
        let mut chunk = Chunk::for_one_item(bytes);
        let found = self.find(&mut chunk);
        *bytes = chunk.rest;
        Some(self.item(found?))
    }

    /// Like [`Decoder::next`], but faster for chunks of many events, as the
    /// decoder can rely on the bytes being the same at the next call:
    ///
    /// ```
    /// # use tidings_codec::{Chunk, Decoder, Item};
    /// # let (mut decoder, mut events) = (Decoder::new(), 0);
    /// let mut chunk = Chunk::new(b"data: first\n\ndata: second\n\n");
    /// while let Some(item) = decoder.next_in(&mut chunk) {
    ///     events += usize::from(matches!(item, Item::Event(_)));
    /// }
    /// # assert_eq!(events, 2);
    /// ```
    #[inline(always)]
    pub fn next_in<'a, 'b: 'a>(&'a mut self, chunk: &mut Chunk<'b>) -> Option<Item<'a>> {
        if let [byte] = *chunk.rest
            && self.take_byte(byte)
        {
            chunk.rest = &[];
            return None;
        }
        let found = self.find(chunk)?;
        Some(self.item(found))
    }

    #[inline(always)]
    fn item<'a, 'b: 'a>(&'a self, found: Found<'b>) -> Item<'a> {
        // Built here, where the optimiser sees which parts are used.
        let lent = &self.block.lent;
        match found {
            Found::Event(in_chunk) => Item::Event(Event {
                event_type: in_chunk.event_type.unwrap_or(&lent.event_type),
                data: in_chunk.data.unwrap_or(&lent.data),
                last_event_id: &lent.last_event_id,
                id: lent.has_id.then_some(&lent.last_event_id),
                retry: lent.retry(),
            }),
            Found::Retry(millis) => Item::Retry(millis),
            Found::Comment(text) => Item::Comment(text.unwrap_or(&lent.comment)),
            Found::TooLarge(excess) => Item::TooLarge(self.report(excess)),
        }
    }

    /// Takes a byte that is all there is of its chunk, if there is little to it.
    #[inline(always)]
    fn take_byte(&mut self, byte: u8) -> bool {
        // First what nearly every byte of a stream is.
        let taken = if self.line == Line::Value(Field::Data) && !is_line_end(byte) {
            self.block.push_data_byte(byte)
        } else {
            return self.simple_byte(byte);
        };
        self.position += u64::from(taken);
        taken
    }

    /// What a reader that reconnects sends as `Last-Event-ID` (R4), unless it
    /// is empty: the last ID whose block was completed (B1), with or without
    /// data. It holds no CR, LF or NUL.
    pub fn last_event_id(&self) -> &str {
        &self.block.lent.last_event_id
    }

    /// Makes `id` the last event ID, for who continues an earlier stream.
    pub fn set_last_event_id(&mut self, id: &EventId) {
        self.block.lent.last_event_id = id.as_str().into();
    }

    /// The stream has ended, another may begin: drops an incomplete block, its
    /// ID included (D6), and expects a byte order mark again (D2). The last
    /// event ID stays (T6).
    ///
    /// The standard gives each stream an ID buffer of its own that begins
    /// empty, so the first blank line after a reconnect would forget the last
    /// event ID; browsers begin with the last event ID instead, and so does this.
    pub fn reset(&mut self) {
        self.block.reset();
        self.line = Line::Bom(0);
        self.line_len = 0;
        self.staged.clear();
        (self.end, self.position, self.block_at) = (0, 0, 0);
    }

    /// Whether the stream stands inside an event: if it ends here, something
    /// of an event is dropped.
    pub fn is_mid_event(&self) -> bool {
        let in_field = match self.line {
            Line::Name(..) => true,
            Line::Colon(field) | Line::Value(field) => field != Field::Comment,
            Line::Ignored => false,
            Line::Bom(_) | Line::Start | Line::AfterCr => could_be_field(&self.staged),
        };
        in_field || !self.block.is_empty()
    }

    /// How many bytes the decoder's buffers take now.
    pub fn buffer_capacity(&self) -> usize {
        self.block.capacity() + self.staged.capacity()
    }

    fn report(&self, excess: Excess) -> TooLarge {
        TooLarge {
            excess,
            limit: match excess {
                Excess::Id => self.limits.max_id,
                Excess::Event | Excess::Line => self.limits.max_event,
            },
            at: self.excess_at,
        }
    }
}
