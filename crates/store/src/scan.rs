//! Walking over the records of a segment, past damaged places.

use crate::format::record::{HEAD, Head, MIN, Record};
use crate::format::{ALIGN, DATA_START, SECTOR, Salt};
use crate::storage::{StorageFile, read_past_damage};
use std::io;
use tidings_engine::Position;

/// A part of a file in memory, moved along as it is read.
pub(crate) struct Window<'f> {
    file: &'f dyn StorageFile,
    buf: Vec<u8>,
    at: u64,
    ahead: usize,
}

impl<'f> Window<'f> {
    /// Reads of at least `ahead` bytes.
    pub fn new(file: &'f dyn StorageFile, ahead: usize) -> Self {
        Self {
            file,
            buf: Vec::new(),
            at: 0,
            ahead,
        }
    }

    /// From here on, reads of at least `ahead` bytes.
    pub fn read_ahead(&mut self, ahead: usize) {
        self.ahead = ahead;
    }

    /// The bytes from `at` on: `len` of them, or fewer at the end of the file.
    pub fn get(&mut self, at: u64, len: usize) -> io::Result<&[u8]> {
        let inside = at >= self.at && at + len as u64 <= self.at + self.buf.len() as u64;
        if !inside {
            self.buf.resize(len.max(self.ahead), 0);
            self.at = at;
            let n = match read_past_damage(self.file, at, &mut self.buf) {
                Ok(n) => n,
                Err(e) => {
                    self.buf.clear();
                    return Err(e);
                }
            };
            self.buf.truncate(n);
        }
        Ok(self.held(at, len))
    }

    /// Bytes that the last [`Window::get`] gave.
    fn held(&self, at: u64, len: usize) -> &[u8] {
        let from = ((at - self.at) as usize).min(self.buf.len());
        let to = (from + len).min(self.buf.len());
        &self.buf[from..to]
    }

    /// The record at byte `at`, if an intact one ends before byte `end`.
    pub fn record(&mut self, salt: Salt, at: u64, end: u64) -> io::Result<Option<Head>> {
        if at + MIN > end {
            return Ok(None);
        }
        let Some(head) = Head::parse(salt, at, self.get(at, HEAD)?) else {
            return Ok(None);
        };
        // The file's own end bounds what a length can make us allocate (f4).
        if head.len > end - at {
            return Ok(None);
        }
        let bytes = self.get(at, head.len as usize)?;
        Ok(head.record(bytes).is_some().then_some(head))
    }

    /// The record that [`Window::record`] found last.
    pub fn view(&self, at: u64, head: &Head) -> Option<Record<'_>> {
        head.view(self.held(at, head.len as usize))
    }

    fn is_zero(&mut self, mut at: u64, end: u64) -> io::Result<bool> {
        const STEP: u64 = 64 * 1024;
        while at < end {
            let bytes = self.get(at, (end - at).min(STEP) as usize)?;
            if bytes.is_empty() {
                break;
            }
            if bytes.iter().any(|b| *b != 0) {
                return Ok(false);
            }
            at += bytes.len() as u64;
        }
        Ok(true)
    }
}

/// What a scan found next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// An intact record at byte `at`; [`Scan::view`] shows it.
    Record { at: u64, head: Head },
    /// A damaged place.
    Damage(Damage),
    /// Nothing follows byte `at` (but zeros, in a segment that isn't sealed).
    End { at: u64 },
}

/// A place in a segment where intact records should be and are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Damage {
    /// Where it begins, in bytes.
    pub at: u64,
    /// Where the next intact record begins, in bytes, or the extent's end.
    pub to: u64,
    /// The last position before it.
    pub after: Position,
    /// The position of the next intact record.
    pub next: Option<Position>,
    /// Whether it looks like a write that was cut off by a crash: a sector of
    /// what was to be written, or its end, is missing.
    pub torn: bool,
}

/// Which bytes of a segment to scan.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    pub salt: Salt,
    /// Where records end (sealed) or can end (capacity), in bytes.
    pub end: u64,
    /// Whether records fill it; otherwise zeros follow them.
    pub sealed: bool,
}

/// An iteration over the records of an extent.
pub(crate) struct Scan<'f> {
    window: Window<'f>,
    extent: Extent,
    at: u64,
    last: Position,
}

impl<'f> Scan<'f> {
    const READ: usize = 128 * 1024;

    /// Reads at least so many bytes at a time.
    pub fn reading(mut self, bytes: usize) -> Self {
        self.window.read_ahead(bytes.min(Self::READ));
        self
    }

    /// Begins at byte `at`, behind the record of position `last`.
    pub fn new(file: &'f dyn StorageFile, extent: Extent, at: u64, last: Position) -> Self {
        let window = Window::new(file, Self::READ);
        Self {
            window,
            extent,
            at,
            last,
        }
    }

    /// Begins at the first record of a segment.
    pub fn whole(file: &'f dyn StorageFile, extent: Extent, first: Position) -> Self {
        Self::new(file, extent, DATA_START, Position(first.0 - 1))
    }

    /// Goes on. After [`Step::End`] it stays there.
    pub fn step(&mut self) -> io::Result<Step> {
        let at = self.at;
        if at >= self.extent.end {
            return Ok(Step::End { at });
        }
        if let Some(head) = self.window.record(self.extent.salt, at, self.extent.end)?
            && head.position == self.last.next()
        {
            self.at += head.len;
            self.last = head.position;
            return Ok(Step::Record { at, head });
        }
        if !self.extent.sealed && self.window.is_zero(at, self.extent.end)? {
            return Ok(Step::End { at });
        }
        self.resynchronise().map(Step::Damage)
    }

    /// The record of the last step.
    pub fn view(&self, at: u64, head: &Head) -> Option<Record<'_>> {
        self.window.view(at, head)
    }

    fn resynchronise(&mut self) -> io::Result<Damage> {
        let (at, end) = (self.at, self.extent.end);
        let head = Head::parse(self.extent.salt, at, self.window.get(at, HEAD)?)
            .filter(|head| head.len <= end - at);
        // Behind a head that can be trusted, the body is not searched: it is
        // a publisher's text, which might imitate a record.
        let mut to = at + head.map_or(ALIGN, |head| head.len);
        let mut next = None;
        while to + MIN <= end {
            if let Some(found) = self.window.record(self.extent.salt, to, end)?
                && found.position > self.last
                && found.position.0 - self.last.0 - 1 <= (to - at).div_ceil(MIN)
            {
                next = Some(found.position);
                break;
            }
            if self.window.get(to, HEAD)?.is_empty() {
                break;
            }
            to += ALIGN;
        }
        if next.is_none() {
            to = end;
        }
        let written = head.map_or(HEAD as u64, |head| head.len);
        let torn = self.is_unfinished(at, (at + written).min(end))?;
        let after = self.last;
        self.at = to;
        self.last = next.map_or(after, |next| Position(next.0 - 1));
        Ok(Damage {
            at,
            to,
            after,
            next,
            torn,
        })
    }

    /// Whether not all of these bytes, which should be a record or its head,
    /// were written: neither has a sector's share that is all zeros, and
    /// neither ends with a zero (which, if the write ended before it, zeros
    /// follow).
    fn is_unfinished(&mut self, mut at: u64, end: u64) -> io::Result<bool> {
        let sector_end = end.next_multiple_of(SECTOR).min(self.extent.end);
        if self.window.is_zero(end - 1, sector_end)? {
            return Ok(true);
        }
        while at < end {
            let next = ((at / SECTOR + 1) * SECTOR).min(end);
            if self.window.is_zero(at, next)? {
                return Ok(true);
            }
            at = next;
        }
        Ok(false)
    }
}
