//! The file `store.clock`: 32 bytes, the age clock when they were written.
//! Without it, a start only knows how late it was at the last record.
//!
//! | bytes | what |
//! | --- | --- |
//! | 0–7 | `TIDCLOCK` |
//! | 8–11 | format version |
//! | 12–15 | checksum of all other bytes, from the salt of position 0 |
//! | 16–23 | age clock, milliseconds |
//! | 24–31 | wall clock, milliseconds since the epoch |

use super::{Identity, OLDEST, Salt, VERSION, put_u32, put_u64, u32_at, u64_at};
use tidings_engine::Position;

/// The file's name.
pub const NAME: &str = "store.clock";
/// Its name while it is being written.
pub const NAME_UNFINISHED: &str = "store.clock.tmp";
/// Its length, in bytes.
pub const LEN: usize = 32;
const MAGIC: &[u8; 8] = b"TIDCLOCK";

/// What both clocks said at one time, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clocks {
    /// The age clock.
    pub tick: u64,
    /// The wall clock, since the epoch.
    pub wall: u64,
}

impl Clocks {
    /// The bytes of the file.
    pub fn encode(&self, identity: Identity) -> [u8; LEN] {
        let mut out = [0; LEN];
        out[..8].copy_from_slice(MAGIC);
        put_u32(&mut out, 8, VERSION);
        put_u64(&mut out, 16, self.tick);
        put_u64(&mut out, 24, self.wall);
        let sum = checksum(identity, &out);
        put_u32(&mut out, 12, sum);
        out
    }

    /// Reads the bytes of the file; `None` unless they are intact and of this
    /// log.
    pub fn decode(identity: Identity, bytes: &[u8; LEN]) -> Option<Self> {
        let intact = &bytes[..8] == MAGIC
            && (OLDEST..=VERSION).contains(&u32_at(bytes, 8))
            && u32_at(bytes, 12) == checksum(identity, bytes);
        intact.then(|| Self {
            tick: u64_at(bytes, 16),
            wall: u64_at(bytes, 24),
        })
    }
}

fn checksum(identity: Identity, bytes: &[u8; LEN]) -> u32 {
    let sum = Salt::new(identity, Position::START).checksum(0, &bytes[..12]);
    crc32c::crc32c_append(sum, &bytes[16..])
}
