//! How large a part of a stream may become.

/// The bounds a [`Decoder`](crate::Decoder) works within, all in bytes.
///
/// Its buffers take at most `2 × max_event + 4 × max_id` and 1 KiB: the bytes
/// of an event, and once more as text; and an ID in each state between a line
/// and the last event ID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes the data and the type of one event have together, as
    /// text in UTF-8; and the most bytes of a line that belongs to neither (a
    /// comment, an unknown field, `retry`), without its line end. 16 MiB by default.
    pub max_event: usize,
    /// The most bytes of an `id`. A reader sends it back in a request head,
    /// where servers allow 8 to 64 KiB in all. 64 KiB by default.
    pub max_id: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_event: 16 << 20,
            max_id: 64 << 10,
        }
    }
}
