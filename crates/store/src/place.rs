//! Where in a segment a read goes on.

use crate::catalog::{Active, Sealed};
use crate::format::Salt;
use crate::index::Hole;
use crate::scan::{Extent, Scan, Step};
use crate::storage::StorageFile;
use std::io;
use std::sync::Arc;
use tidings_engine::Position;

/// How much to read at once where what is looked for is near, in bytes.
pub(crate) const READ_NEAR: u64 = 16 * 1024;

/// A segment as a read sees it.
pub(crate) struct Segment {
    pub salt: Salt,
    pub first: Position,
    pub last: Position,
    pub end: u64,
    pub file: Arc<dyn StorageFile>,
    pub sealed: Option<Arc<Sealed>>,
}

impl Segment {
    pub fn of_active(active: &Active) -> Self {
        Self {
            salt: active.index.salt,
            first: active.index.first,
            last: active.index.last,
            end: active.index.end,
            file: active.file.clone(),
            sealed: None,
        }
    }

    pub fn extent(&self) -> Extent {
        Extent {
            salt: self.salt,
            end: self.end,
            sealed: true,
        }
    }
}

/// The first record behind `after`, or damage there, found from a place
/// shortly before.
pub(crate) fn exact_start(
    s: &Segment,
    after: Position,
    (at, behind): (u64, Position),
) -> io::Result<(u64, Position)> {
    if behind >= after {
        return Ok((at, behind));
    }
    let mut scan = Scan::new(&*s.file, s.extent(), at, behind).reading(READ_NEAR as usize);
    let mut last = behind;
    loop {
        match scan.step()? {
            Step::Record { at, head } if head.position > after => return Ok((at, last)),
            Step::Record { head, .. } => last = head.position,
            Step::Damage(damage) => {
                let to = damage.next.map_or(s.last, |next| Position(next.0 - 1));
                if to > after {
                    return Ok((damage.at, last));
                }
                last = to;
            }
            Step::End { at } => return Ok((at, last)),
        }
    }
}

/// The end of the first hole behind `after` and before `next`.
pub(crate) fn hole_before(holes: &[Hole], after: Position, next: Position) -> Option<Position> {
    let hole = holes.iter().find(|h| h.to > after)?;
    (hole.after.next() < next).then_some(hole.to)
}
