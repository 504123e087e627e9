//! Files in pages of 4 KiB, each with a checksum, so that a part can be read
//! without trusting or reading the rest.

use crate::files::Files;
use crate::format::{Salt, u32_at};
use std::io;

const PAGE: usize = 4096;
const SUM: usize = 4;
const PAYLOAD: usize = PAGE - SUM;
/// Keeps the checksums of pages apart from those of records.
const PLACE: u64 = 1 << 63;

/// Turns `content` into pages.
pub(crate) fn paginate(salt: Salt, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len().div_ceil(PAYLOAD) * PAGE);
    for (number, payload) in content.chunks(PAYLOAD).enumerate() {
        let begin = out.len();
        out.extend_from_slice(payload);
        out.resize(begin + PAYLOAD, 0);
        let sum = salt.checksum(PLACE | number as u64, &out[begin..]);
        out.extend_from_slice(&sum.to_le_bytes());
    }
    out
}

/// Reads content out of pages and holds the few it needed last.
pub(crate) struct Pages<'f> {
    files: &'f Files,
    name: &'f str,
    salt: Salt,
    held: Vec<(u64, Box<[u8]>)>,
}

impl<'f> Pages<'f> {
    const HELD: usize = 8;

    pub fn new(files: &'f Files, name: &'f str, salt: Salt) -> Self {
        Self {
            files,
            name,
            salt,
            held: Vec::new(),
        }
    }

    /// Fills `out` from byte `at` of the content.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] if a page is damaged, and those of the
    /// storage.
    pub fn read(&mut self, mut at: u64, mut out: &mut [u8]) -> io::Result<()> {
        while !out.is_empty() {
            let within = (at % PAYLOAD as u64) as usize;
            let n = out.len().min(PAYLOAD - within);
            let page = self.page(at / PAYLOAD as u64)?;
            out[..n].copy_from_slice(&page[within..within + n]);
            out = &mut out[n..];
            at += n as u64;
        }
        Ok(())
    }

    fn page(&mut self, number: u64) -> io::Result<&[u8]> {
        if let Some(at) = self.held.iter().position(|(n, _)| *n == number) {
            self.held[..=at].rotate_right(1);
            return Ok(&self.held[0].1);
        }
        let mut page = vec![0; PAGE].into_boxed_slice();
        let file = self.files.open(self.name)?;
        let read = file.read_at(number * PAGE as u64, &mut page)?;
        let intact = read == PAGE
            && self.salt.checksum(PLACE | number, &page[..PAYLOAD]) == u32_at(&page, PAYLOAD);
        if !intact {
            return Err(io::ErrorKind::InvalidData.into());
        }
        self.held.truncate(Self::HELD - 1);
        self.held.insert(0, (number, page));
        Ok(&self.held[0].1)
    }
}
