//! What can go wrong, by whose fault it is.

use std::fmt;
use std::io;
use tidings_engine::{LogId, Position};

/// Why a request was not appended. None of its entries is in the log; but
/// after [`AppendError::Failed`], or a crash soon after [`AppendError::Full`],
/// it may turn up whole at the next start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AppendError {
    /// The entry's id names another event of the same topic.
    IdConflict {
        /// Which entry of the request.
        index: usize,
    },
    /// The entry's idempotency key was used for something else.
    KeyConflict {
        /// Which entry of the request.
        index: usize,
    },
    /// One of the entry's topics is closed, and it doesn't open it again.
    TopicClosed {
        /// Which entry of the request.
        index: usize,
    },
    /// The entry, or the request as a whole, is longer than the store takes.
    TooLarge {
        /// Which entry of the request; the last one if it is the whole.
        index: usize,
    },
    /// The disk is full. Appending works again once there is space.
    Full,
    /// The system didn't give what beginning a segment or looking for a
    /// repetition needs: a file descriptor, memory. Nothing was written;
    /// trying again may work.
    Unavailable,
    /// The disk failed. Nothing is appended any more until the store is
    /// opened again.
    Failed,
    /// The writer has shut down.
    Closed,
}

impl fmt::Display for AppendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::IdConflict { index } => {
                write!(
                    f,
                    "the id of event {index} names another event of its topic"
                )
            }
            Self::KeyConflict { index } => {
                write!(
                    f,
                    "the idempotency key of event {index} was used for another request"
                )
            }
            Self::TopicClosed { index } => write!(f, "a topic of event {index} is closed"),
            Self::TooLarge { index } => write!(f, "event {index} is longer than the store takes"),
            Self::Full => f.write_str("the disk is full"),
            Self::Unavailable => f.write_str(
                "the system refused the store a file or memory; nothing was written, try again",
            ),
            Self::Failed => {
                f.write_str("the disk failed; the store takes no events until restarted")
            }
            Self::Closed => f.write_str("the store is shut down"),
        }
    }
}

impl std::error::Error for AppendError {}

/// Why a store could not be opened. The texts name the file.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// The storage failed.
    Io {
        /// The file or directory.
        file: String,
        /// What the system said.
        source: io::Error,
    },
    /// Written by another version of the format.
    Version {
        /// The file that says so.
        file: String,
        /// The version it states.
        found: u32,
    },
    /// A segment of another log is among the files.
    Foreign {
        /// The segment.
        file: String,
        /// The log that this directory holds.
        log: LogId,
    },
    /// The description of the store is damaged, and there is no segment from
    /// which to restore it.
    Damaged {
        /// The file.
        file: String,
    },
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { file, source } => write!(f, "{file}: {source}"),
            Self::Version { file, found } => write!(
                f,
                "{file} has format version {found}; this program knows versions {} to {}. \
                 Use the program that wrote it, or another directory",
                crate::format::OLDEST,
                crate::format::VERSION
            ),
            Self::Foreign { file, .. } => write!(
                f,
                "{file} belongs to another log than the rest of the directory; move it away"
            ),
            Self::Damaged { file } => write!(
                f,
                "{file} is damaged and there are no segments to restore it from; \
                 restore it from a backup, or remove it to begin an empty log"
            ),
        }
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// Why a read failed: the storage did. Damage is no error but a gap.
#[derive(Debug)]
pub struct StoreError {
    /// The file.
    pub file: String,
    /// What the system said.
    pub source: io::Error,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file, self.source)
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// Something a person should know about: what was cut, skipped or rebuilt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The file.
    pub file: String,
    /// Where it begins in the file, in bytes.
    pub offset: u64,
    /// What it is.
    pub what: What,
}

/// The kinds of [`Finding`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum What {
    /// A write that was never acknowledged was cut off by a crash. Nothing is
    /// lost.
    TornTail {
        /// How far it reached, in bytes.
        to: u64,
    },
    /// Records are damaged; readers get a gap.
    Hole {
        /// Where the damage ends, in bytes.
        to: u64,
        /// The last position before it.
        after: Position,
        /// The last position that is lost.
        last: Position,
    },
    /// A segment is missing, or its header unreadable; readers get a gap.
    MissingSegment {
        /// The last position before it.
        after: Position,
        /// The last position that is lost.
        last: Position,
    },
    /// A segment's file is not what its name says, and was set aside.
    SetAside {
        /// Its new name.
        to: String,
    },
    /// An index was missing, damaged or of another segment, and is rebuilt.
    IndexRebuilt,
    /// `store.meta` was missing or damaged, and restored from the segments.
    MetaRestored,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}: ", self.file, self.offset)?;
        match &self.what {
            What::TornTail { to } => {
                write!(
                    f,
                    "cut a write that a crash had torn, to byte {to}; nothing acknowledged was in it"
                )
            }
            What::Hole { to, after, last } => write!(
                f,
                "damaged to byte {to}; events {} to {} are lost and served as a gap",
                after.0 + 1,
                last.0
            ),
            What::MissingSegment { after, last } => write!(
                f,
                "events {} to {} are missing before it and served as a gap",
                after.0 + 1,
                last.0
            ),
            What::SetAside { to } => write!(f, "not a readable segment, set aside as {to}"),
            What::IndexRebuilt => f.write_str("index missing or damaged, rebuilt"),
            What::MetaRestored => f.write_str("restored from the segments"),
        }
    }
}
