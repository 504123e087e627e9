//! What stands on the disk. All numbers are little-endian; byte offsets that
//! are stored divided by [`ALIGN`] are marked `/8`.
//!
//! | file | what it is |
//! | --- | --- |
//! | `lock` | locked by the process that has the store open; holds its id |
//! | `store.meta` | format version and log identity ([`meta`]) |
//! | `store.clock` | the age clock as of lately ([`age`]) |
//! | `<first position, 20 digits>.log` | a segment: header, then records ([`segment`], [`record`]) |
//! | `<first position, 20 digits>.idx` | the index of a sealed segment ([`crate::index`]); rebuilt when it is missing or doubtful |
//! | `spare.seg` | a file of zeros that becomes the next segment |
//! | `*.tmp` | unfinished; removed when the store opens |
//! | `*.damaged` | a segment whose header is unreadable, set aside for a person to look at; its positions are not given again |
//!
//! The segment that begins last is the active one: records are appended to
//! it, and zeros follow them up to the capacity that its header states. Every
//! other segment is sealed: the header of the segment behind it says where it
//! ends and which position is its last, so whatever stands in a sealed
//! segment behind that end is not part of the log. Positions between that
//! last one and the first of the next segment were never acknowledged (after
//! a torn write), or are declared lost if the next header says so.
//!
//! All checksums are CRC-32C. Those of records and index pages start from the
//! segment's *salt*, which follows from the log identity, its secret and the
//! first position; no position is given twice, so no two lives of a recycled
//! file have the same salt and a record of an older life is never valid. The
//! secret never leaves the directory: a publisher, who knows the log identity
//! from every id, can't write a payload that recovery takes for a record.

pub mod age;
mod flags;
pub mod meta;
pub mod record;
pub mod segment;

use siphasher::sip::SipHasher13;
use std::hash::Hasher;
use tidings_engine::{LogId, Position};

/// The version of this format. A store of a later one is refused. One of an
/// older version, from [`OLDEST`] on, is gone on with: first `store.meta` is
/// written anew, so that no older program takes what follows for damage, or
/// shows it to whom it isn't for; and what was written before reads as it did.
///
/// | version | what it brought |
/// | --- | --- |
/// | 1 | |
/// | 2 | alternate topics and the visibility of records; the section of index files that tells which records have several topics |
/// | 3 | ends of topics, and what opens them again, in the flags of records; the section of index files that lists these |
pub const VERSION: u32 = 3;
/// The oldest version that is read.
pub const OLDEST: u32 = 1;
/// Records begin at multiples of this many bytes.
pub const ALIGN: u64 = 8;
/// What a disk writes whole or not at all, in bytes.
pub const SECTOR: u64 = 512;
/// Where the records of a segment begin, in bytes.
pub const DATA_START: u64 = 4096;

/// The file of zeros that becomes the next segment.
pub const SPARE: &str = "spare.seg";
/// The spare while it is being filled with zeros.
pub const SPARE_UNFINISHED: &str = "spare.tmp";
const LOG_SUFFIX: &str = ".log";
const INDEX_SUFFIX: &str = ".idx";
/// What follows the name of a segment that was set aside; `.2` and so on
/// follows if there is one already.
pub(crate) const DAMAGED_SUFFIX: &str = ".damaged";
const NAME_DIGITS: usize = 20;
/// The greatest position in a file's name. No log gets there, and numbers
/// counted on from it don't overflow.
pub(crate) const MAX_NAMED: u64 = 1 << 62;

/// The name of the segment that begins at `first`.
pub fn segment_name(first: Position) -> String {
    format!("{:0NAME_DIGITS$}{LOG_SUFFIX}", first.0)
}

/// The name of the index of the segment that begins at `first`.
pub fn index_name(first: Position) -> String {
    format!("{:0NAME_DIGITS$}{INDEX_SUFFIX}", first.0)
}

/// Which segment a file name stands for.
pub fn parse_segment_name(name: &str) -> Option<Position> {
    parse_name(name, LOG_SUFFIX)
}

/// Which segment the index with this file name belongs to.
pub fn parse_index_name(name: &str) -> Option<Position> {
    parse_name(name, INDEX_SUFFIX)
}

/// Which segment the file with this name was before it was set aside.
pub(crate) fn parse_damaged_name(name: &str) -> Option<Position> {
    let (segment, _) = name.split_once(DAMAGED_SUFFIX)?;
    parse_segment_name(segment)
}

fn parse_name(name: &str, suffix: &str) -> Option<Position> {
    let digits = name.strip_suffix(suffix)?;
    if digits.len() != NAME_DIGITS || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let first = digits.parse().ok().filter(|first| *first <= MAX_NAMED);
    first.map(Position)
}

/// What makes a log this one and no other. Both parts are to be random.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Stands in every id that the hub gives.
    pub log: LogId,
    /// Known to nobody who publishes or watches: checksums start from it, so
    /// that nobody can make a payload that looks like a record.
    pub secret: u64,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Identity");
        shown.field("log", &self.log).finish_non_exhaustive()
    }
}

/// What the checksums of a segment start from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Salt(u64);

impl std::fmt::Debug for Salt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Salt(..)")
    }
}

impl Salt {
    /// The salt of the segment that begins at `first`.
    pub fn new(identity: Identity, first: Position) -> Self {
        let mut hasher = SipHasher13::new_with_keys(identity.log.0, identity.secret);
        // Of every version: what an older one wrote goes on being valid.
        hasher.write_u32(1);
        hasher.write_u64(first.0);
        Self(hasher.finish())
    }

    /// The checksum of `bytes` that stand at `place`: the same bytes
    /// elsewhere have another.
    pub fn checksum(self, place: u64, bytes: &[u8]) -> u32 {
        let mut start = [0; 16];
        start[..8].copy_from_slice(&self.0.to_le_bytes());
        start[8..].copy_from_slice(&place.to_le_bytes());
        crc32c::crc32c_append(crc32c::crc32c(&start), bytes)
    }

    /// A stable hash of `bytes`, for indexes.
    pub fn hash(self, bytes: &[u8]) -> u64 {
        let mut hasher = SipHasher13::new_with_keys(self.0, 0);
        hasher.write(bytes);
        hasher.finish()
    }
}

/// Reads little-endian numbers from fixed places; every place is a constant
/// inside a buffer whose length was checked.
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes[at..at + 2].try_into().expect("two bytes"))
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

pub(crate) fn put_u32(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

pub(crate) fn put_u64(bytes: &mut [u8], at: usize, value: u64) {
    bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_nothing_else_is_one() {
        for first in [1, 42, MAX_NAMED] {
            let first = Position(first);
            assert_eq!(parse_segment_name(&segment_name(first)), Some(first));
            assert_eq!(parse_index_name(&index_name(first)), Some(first));
        }
        for name in [
            "1.log",
            "00000000000000000001.idx.tmp",
            "+0000000000000000001.log",
            "99999999999999999999.log",
            "18446744073709551615.log",
            "lock",
        ] {
            assert_eq!(parse_segment_name(name), None, "{name}");
        }
    }
}
