//! The end of the last segment after a crash: what of it was promised.
//!
//! Only the last group can be unfinished, because a group is written once the
//! one before is durable. So a damaged place that a later group follows was
//! durable once: it is a hole, declared to readers, and what follows it is
//! kept. In or behind the last group, a damaged place with a sector missing
//! is what a crash leaves of a write that was never acknowledged: it is cut,
//! from the beginning of its request on. A damaged place there with every
//! sector written is no crash's work: its events may have been acknowledged,
//! so they are declared lost.

use crate::format::segment::Header;
use crate::format::{DATA_START, Salt};
use crate::scan::{Damage, Extent, Scan, Step};
use crate::storage::{StorageFile, is_damage, read_exact_at};
use std::io;
use tidings_engine::Position;

/// What is good of the last segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tail {
    /// The last good position.
    pub last: Position,
    /// Where the good records end, in bytes.
    pub end: u64,
    /// Where the last group begins, in bytes.
    pub group: u64,
    /// What is behind the end, if it isn't the zeros that should be there.
    pub damage: Option<TailDamage>,
}

/// What stands behind the good records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TailDamage {
    /// Where it ends, in bytes.
    pub to: u64,
    /// Whether acknowledged events may have been in it.
    pub lost: bool,
}

/// A place up to which requests are complete.
#[derive(Debug, Clone, Copy)]
struct Mark {
    last: Position,
    end: u64,
}

/// What a segment holds, from one end to the other.
struct Contents {
    /// Behind the last record.
    any: Mark,
    /// Behind the last complete request.
    complete: Mark,
    /// Where the last group begins, in bytes.
    group: u64,
    /// Where reading ended, in bytes.
    end: u64,
    /// Damaged places in order, and both marks before each.
    damages: Vec<(Damage, Mark, Mark)>,
}

/// Reads the last segment through and decides where it ends.
pub(crate) fn examine(file: &dyn StorageFile, header: &Header) -> io::Result<Tail> {
    let Contents {
        any,
        complete,
        group,
        end,
        damages,
    } = read_through(file, header)?;
    let whole = |mark: Mark| Tail {
        last: mark.last,
        end: mark.end,
        group,
        damage: None,
    };
    let broken = |mark, to, lost| Tail {
        damage: Some(TailDamage { to, lost }),
        ..whole(mark)
    };
    // A file that lost its end did so to no crash: its length was durable
    // before its first record.
    let short = file.size()? < header.capacity;
    for (damage, any, complete) in damages {
        let at_end = damage.next.is_none();
        let unfinished = damage.torn && (damage.at >= group || at_end);
        if unfinished && !(short && at_end) {
            return Ok(broken(complete, damage.to, false));
        }
        if at_end {
            return Ok(broken(any, damage.to, true));
        }
    }
    if short {
        return Ok(broken(any, header.capacity, true));
    }
    if complete.end < any.end {
        return Ok(broken(complete, end, false));
    }
    Ok(whole(any))
}

fn read_through(file: &dyn StorageFile, header: &Header) -> io::Result<Contents> {
    let salt = Salt::new(header.identity, header.first);
    let extent = Extent {
        salt,
        end: header.capacity,
        sealed: false,
    };
    let mut scan = Scan::whole(file, extent, header.first);
    let start = Mark {
        last: Position(header.first.0 - 1),
        end: DATA_START,
    };
    let mut contents = Contents {
        any: start,
        complete: start,
        group: DATA_START,
        end: DATA_START,
        damages: Vec::new(),
    };
    loop {
        match scan.step()? {
            Step::Record { at, head } => {
                contents.group = contents.group.max(head.group);
                contents.any = Mark {
                    last: head.position,
                    end: at + head.len,
                };
                if head.ends_request {
                    contents.complete = contents.any;
                }
            }
            Step::Damage(damage) => {
                let before = (damage, contents.any, contents.complete);
                contents.damages.push(before);
                if let Some(next) = damage.next {
                    contents.any = Mark {
                        last: Position(next.0 - 1),
                        end: damage.to,
                    };
                    contents.complete = contents.any;
                }
            }
            Step::End { at } => {
                contents.end = at;
                return Ok(contents);
            }
        }
    }
}

/// Makes the last group durable. It is written again, because after a failed
/// sync the kernel may hold pages as clean that never reached the disk, and
/// would not write them now.
pub(crate) fn settle(file: &dyn StorageFile, tail: &Tail) -> io::Result<()> {
    if tail.group < tail.end {
        let mut bytes = vec![0; (tail.end - tail.group) as usize];
        match read_exact_at(file, tail.group, &mut bytes) {
            // What the medium doesn't give now, it may give another time:
            // it is left as it is.
            Err(error) if is_damage(&error) => {}
            read => read.and_then(|()| file.write_at(tail.group, &bytes))?,
        }
    }
    file.sync_data()
}
