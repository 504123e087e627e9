//! The file `store.meta`: 64 bytes, written when the store is begun, and again
//! when a program of a later version goes on with it.
//!
//! | bytes | what |
//! | --- | --- |
//! | 0–7 | `TIDSTORE` |
//! | 8–11 | format version |
//! | 12–15 | checksum of all other bytes; stays here in every version |
//! | 16–23 | log identity |
//! | 24–31 | secret |
//! | 32–63 | zeros |

use super::{Identity, OLDEST, VERSION, put_u32, put_u64, u32_at, u64_at};
use tidings_engine::LogId;

/// The file's name.
pub const NAME: &str = "store.meta";
/// Its name while it is being written.
pub const NAME_UNFINISHED: &str = "store.meta.tmp";
/// Its length, in bytes.
pub const LEN: usize = 64;
const MAGIC: &[u8; 8] = b"TIDSTORE";

/// What the file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meta {
    /// A store of this version.
    Current(Identity),
    /// A store of an older version that is read.
    Older(Identity),
    /// A store of a version that this program doesn't know.
    Other(u32),
    /// No intact description of a store.
    Damaged,
}

/// The bytes of the file.
pub fn encode(identity: Identity) -> [u8; LEN] {
    let mut out = [0; LEN];
    out[..8].copy_from_slice(MAGIC);
    put_u32(&mut out, 8, VERSION);
    put_u64(&mut out, 16, identity.log.0);
    put_u64(&mut out, 24, identity.secret);
    let sum = checksum(&out);
    put_u32(&mut out, 12, sum);
    out
}

/// Reads the bytes of the file.
pub fn decode(bytes: &[u8]) -> Meta {
    if bytes.len() < 16 || &bytes[..8] != MAGIC || u32_at(bytes, 12) != checksum(bytes) {
        return Meta::Damaged;
    }
    let version = u32_at(bytes, 8);
    if !(OLDEST..=VERSION).contains(&version) {
        return Meta::Other(version);
    }
    if bytes.len() != LEN {
        return Meta::Damaged;
    }
    let identity = Identity {
        log: LogId(u64_at(bytes, 16)),
        secret: u64_at(bytes, 24),
    };
    if version < VERSION {
        Meta::Older(identity)
    } else {
        Meta::Current(identity)
    }
}

fn checksum(bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&bytes[..12]), &bytes[16..])
}
