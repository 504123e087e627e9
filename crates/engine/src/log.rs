//! Reading a log at a cursor: one function, three outcomes. The tail in
//! memory, the store on disk and a lane's view all answer in these terms.

use crate::Position;

/// Who reads: everything up to and including `after` is behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cursor {
    /// The last position that was read or passed over.
    pub after: Position,
}

/// How much one read may give. A read gives at least one frame if there is
/// one, however large.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// At most this many frames.
    pub frames: usize,
    /// Stop once this many bytes of payload are given.
    pub bytes: usize,
}

impl Budget {
    /// As much as there is.
    pub const ALL: Self = Self::frames(usize::MAX);

    /// So many frames, however large.
    pub const fn frames(frames: usize) -> Self {
        Self {
            frames,
            bytes: usize::MAX,
        }
    }
}

/// The outcome of a read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    /// Frames were given and the cursor stands behind the last of them (or
    /// farther, where nothing that was passed over is selected). There may be more.
    /// None were given if the reader looked at as many unselected events as one
    /// read may; the cursor has moved past them, so reading again makes progress.
    Frames,
    /// Nothing selected is left and nothing was given: the cursor stands at the
    /// end of the log (or beyond, for a reader that is ahead of this view of it).
    CaughtUp,
    /// Events that may have been selected are gone. The cursor has not moved.
    Gap(Gap),
}

/// Events `cursor.after + 1 ..= to` are not (all) in this log any more.
/// Who goes on moves the cursor to `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// The last position that is missing.
    pub to: Position,
}
