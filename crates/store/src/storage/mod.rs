//! What the store needs from a disk: one flat directory of files. Small, so
//! that an implementation that crashes on purpose is small too.

#[cfg(any(test, feature = "crash"))]
pub mod crash;
mod dir;
mod memory;

pub use dir::DirStorage;
pub use memory::MemoryStorage;

use rustix::io::Errno;
use std::io;
use std::sync::Arc;

/// A directory that one store owns.
pub trait Storage: Send + Sync {
    /// The names of everything in it, in any order. Names that aren't UTF-8
    /// can't be the store's and are left out.
    fn list(&self) -> io::Result<Vec<String>>;
    /// Opens an existing regular file for reading and writing; everything
    /// else (a directory, a link, a pipe) is an error.
    fn open(&self, name: &str) -> io::Result<Arc<dyn StorageFile>>;
    /// Like [`Storage::open`], only for reading: works where nothing can be
    /// written any more.
    fn open_to_read(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        self.open(name)
    }
    /// Creates an empty file, in place of one that may be there.
    fn create(&self, name: &str) -> io::Result<Arc<dyn StorageFile>>;
    /// Renames a file, in place of one that may be there. Durable after the
    /// next [`Storage::sync_dir`].
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file. Durable after the next [`Storage::sync_dir`].
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Makes creations, renames and removals durable.
    fn sync_dir(&self) -> io::Result<()>;
    /// The file's name as a person would look for it.
    fn path(&self, name: &str) -> String;
}

/// An open file. Reads and writes name their place; nothing has a position.
pub trait StorageFile: Send + Sync {
    /// Its length, in bytes.
    fn size(&self) -> io::Result<u64>;
    /// Cuts it, or extends it with zeros.
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Reads at `at`; fewer bytes than asked for only at the end of the file.
    fn read_at(&self, at: u64, buf: &mut [u8]) -> io::Result<usize>;
    /// Writes all of `data` at `at`. After an error any part of it may be
    /// written.
    fn write_at(&self, at: u64, data: &[u8]) -> io::Result<()>;
    /// Makes what was written durable, and the length. After an error nothing
    /// may be assumed about what was written since the last success.
    fn sync_data(&self) -> io::Result<()>;

    /// Writes zeros from `from` to `to`, so that the blocks are allocated and
    /// later writes change no metadata.
    fn zero(&self, from: u64, to: u64) -> io::Result<()> {
        static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];
        let mut at = from;
        while at < to {
            let n = (to - at).min(ZEROS.len() as u64);
            self.write_at(at, &ZEROS[..n as usize])?;
            at += n;
        }
        Ok(())
    }
}

/// Reads exactly `buf.len()` bytes.
pub(crate) fn read_exact_at(file: &dyn StorageFile, at: u64, buf: &mut [u8]) -> io::Result<()> {
    if file.read_at(at, buf)? == buf.len() {
        return Ok(());
    }
    Err(io::ErrorKind::UnexpectedEof.into())
}

/// The number of an error of the system, also of one that was given a text.
pub(crate) fn os_error(error: &io::Error) -> Option<i32> {
    error.raw_os_error().or_else(|| {
        let source = error.get_ref()?.source()?;
        source.downcast_ref::<io::Error>()?.raw_os_error()
    })
}

/// Whether an error means that what should be read is damaged or gone.
/// Others (no descriptors, no memory) pass, and say nothing of the disk.
pub(crate) fn is_damage(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidData, NotFound, UnexpectedEof};
    let of_medium = os_error(error).is_some_and(|number| {
        [Errno::IO, Errno::BADMSG, Errno::UCLEAN].contains(&Errno::from_raw_os_error(number))
    });
    of_medium || matches!(error.kind(), InvalidData | NotFound | UnexpectedEof)
}

/// What the bytes of a place are taken for that the medium doesn't give. No
/// zeros: those are what a torn write leaves, and such a place may hold what
/// was acknowledged.
const UNREADABLE: u8 = 0xee;
/// What can't be read is looked for in blocks of so many bytes.
const BLOCK: u64 = 4096;

/// Reads at `at`, past blocks that the medium doesn't give: those are filled
/// with bytes that are part of no intact record.
///
/// # Errors
/// Those of the storage that aren't damage.
pub(crate) fn read_past_damage(
    file: &dyn StorageFile,
    at: u64,
    buf: &mut [u8],
) -> io::Result<usize> {
    match file.read_at(at, buf) {
        Err(error) if is_damage(&error) => {}
        read => return read,
    }
    let size = file.size()?;
    let end = (at + buf.len() as u64).min(size).max(at);
    let mut from = at;
    while from < end {
        let to = ((from / BLOCK + 1) * BLOCK).min(end);
        let block = &mut buf[(from - at) as usize..(to - at) as usize];
        match file.read_at(from, block) {
            Ok(n) if n == block.len() => {}
            Ok(n) => block[n..].fill(UNREADABLE),
            Err(error) if is_damage(&error) => block.fill(UNREADABLE),
            Err(error) => return Err(error),
        }
        from = to;
    }
    Ok((end - at) as usize)
}
