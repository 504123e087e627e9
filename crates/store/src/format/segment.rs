//! The header of a segment: two equal copies, at byte 0 and at byte 2048, so
//! that one damaged sector doesn't cost the segment. Records begin at
//! [`super::DATA_START`].
//!
//! | bytes | what |
//! | --- | --- |
//! | 0–7 | `TIDSEGMT` |
//! | 8–11 | format version |
//! | 12–15 | checksum of all other bytes; stays here in every version |
//! | 16–23 | log identity |
//! | 24–31 | position of the first record |
//! | 32–39 | capacity: the length of the file, in bytes |
//! | 40–47 | first position of the segment before, 0 if there is none |
//! | 48–55 | last position of the segment before |
//! | 56–63 | where the records of the segment before end, in bytes |
//! | 64–71 | age clock when the segment began, in milliseconds |
//! | 72 | 1 if the positions between both segments are declared lost |
//! | 73–79 | zeros |
//! | 80–87 | secret |
//! | 88–127 | zeros |

use super::{DATA_START, Identity, OLDEST, VERSION, put_u32, put_u64, u32_at, u64_at};
use crate::storage::{StorageFile, is_damage, read_exact_at};
use std::io;
use tidings_engine::{LogId, Position};

/// The length of one copy, in bytes.
pub const LEN: usize = 128;
const COPIES_AT: [usize; 2] = [0, 2048];
const MAGIC: &[u8; 8] = b"TIDSEGMT";

/// How a segment describes itself and the end of the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The version of the format in which records are appended to it.
    pub version: u32,
    /// Whose log it is part of.
    pub identity: Identity,
    /// The position of its first record.
    pub first: Position,
    /// The length of the file, in bytes.
    pub capacity: u64,
    /// The end of the segment before.
    pub previous: Option<Previous>,
    /// Age clock when it began, in milliseconds.
    pub tick: u64,
}

/// Where the segment before ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Previous {
    /// Its first position.
    pub first: Position,
    /// Its last position; one less than `first` if it is empty.
    pub last: Position,
    /// Where its records end, in bytes.
    pub end: u64,
    /// Whether positions between `last` and the next segment are declared
    /// lost; otherwise they were never acknowledged.
    pub lost: bool,
}

/// What a header turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decoded {
    /// Intact.
    Header(Header),
    /// Intact, and of a version that this program doesn't know.
    Other(u32),
    /// Neither copy is intact.
    Damaged,
}

impl Header {
    /// The first [`DATA_START`] bytes of the file.
    pub fn encode(&self) -> Vec<u8> {
        let mut copy = [0; LEN];
        copy[..8].copy_from_slice(MAGIC);
        put_u32(&mut copy, 8, self.version);
        put_u64(&mut copy, 16, self.identity.log.0);
        put_u64(&mut copy, 80, self.identity.secret);
        put_u64(&mut copy, 24, self.first.0);
        put_u64(&mut copy, 32, self.capacity);
        if let Some(previous) = self.previous {
            put_u64(&mut copy, 40, previous.first.0);
            put_u64(&mut copy, 48, previous.last.0);
            put_u64(&mut copy, 56, previous.end);
            copy[72] = previous.lost.into();
        }
        put_u64(&mut copy, 64, self.tick);
        let sum = checksum(&copy);
        put_u32(&mut copy, 12, sum);
        let mut out = vec![0; DATA_START as usize];
        for at in COPIES_AT {
            out[at..at + LEN].copy_from_slice(&copy);
        }
        out
    }
}

/// Reads the header of a segment file.
///
/// # Errors
/// Of the storage; a short, damaged or unreadable file is no error.
pub fn read(file: &dyn StorageFile) -> io::Result<Decoded> {
    let mut best = Decoded::Damaged;
    for at in COPIES_AT {
        let mut copy = [0; LEN];
        match read_exact_at(file, at as u64, &mut copy) {
            Err(e) if is_damage(&e) => continue,
            other => other?,
        }
        match decode(&copy) {
            Decoded::Damaged => {}
            intact @ Decoded::Header(_) => return Ok(intact),
            other @ Decoded::Other(_) => best = other,
        }
    }
    Ok(best)
}

/// Reads one copy.
pub fn decode(copy: &[u8; LEN]) -> Decoded {
    if &copy[..8] != MAGIC || u32_at(copy, 12) != checksum(copy) {
        return Decoded::Damaged;
    }
    let version = u32_at(copy, 8);
    if !(OLDEST..=VERSION).contains(&version) {
        return Decoded::Other(version);
    }
    let previous = match u64_at(copy, 40) {
        0 => None,
        first => Some(Previous {
            first: Position(first),
            last: Position(u64_at(copy, 48)),
            end: u64_at(copy, 56),
            lost: copy[72] != 0,
        }),
    };
    Decoded::Header(Header {
        version,
        identity: Identity {
            log: LogId(u64_at(copy, 16)),
            secret: u64_at(copy, 80),
        },
        first: Position(u64_at(copy, 24)),
        capacity: u64_at(copy, 32),
        previous,
        tick: u64_at(copy, 64),
    })
}

fn checksum(copy: &[u8; LEN]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&copy[..12]), &copy[16..])
}
