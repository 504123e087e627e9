//! The files of authorization in the data directory: a key that nobody else
//! may know, and lists that may not be lost. Only the hub's user can read them;
//! what is written is durable before anybody is told of it, and what can't be
//! read whole isn't read at all.

use rustix::fs::OFlags;
use sha2::{Digest, Sha256};
use std::fmt;
use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The directory of these files, in the data directory.
const DIRECTORY: &str = "auth";
/// No file is longer, in bytes: a full list of revocations has its place.
const MAX_BYTES: u64 = 256 * 1024 * 1024;
/// What every file begins with, before its name, its version and the SHA-256 of
/// what follows the line.
const MAGIC: &str = "tidings";

/// A file of the vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name {
    /// The key that seals tickets.
    TicketKey,
    /// Which tickets were in use when the hub stopped.
    UsedTickets,
    /// What is revoked.
    Revocations,
}

impl Name {
    fn as_str(self) -> &'static str {
        match self {
            Self::TicketKey => "ticket-key",
            Self::UsedTickets => "used-tickets",
            Self::Revocations => "revocations",
        }
    }

    /// What becomes of a hub that does without the file.
    fn without(self) -> &'static str {
        match self {
            Self::TicketKey => {
                "restore it from a backup, or remove it: then the hub makes another, and every \
                 ticket that was given out is refused"
            }
            Self::UsedTickets => "remove it: then tickets only resume their streams",
            Self::Revocations => {
                "restore it from a backup, or remove it: then every token that was revoked is good \
                 again until it expires"
            }
        }
    }
}

/// Why a file can't be used.
#[derive(Debug)]
pub struct VaultError {
    path: PathBuf,
    name: Name,
    fault: Fault,
}

#[derive(Debug)]
enum Fault {
    /// The system says no.
    System(io::Error),
    /// It isn't what the hub wrote.
    Damaged,
    /// A later version wrote it.
    Later,
}

impl VaultError {
    /// Whether there is no room on the disk.
    pub fn is_full(&self) -> bool {
        use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        let full = [StorageFull, QuotaExceeded, FileTooLarge];
        matches!(&self.fault, Fault::System(error) if full.contains(&error.kind()))
    }
}

impl fmt::Display for VaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.fault {
            Fault::System(error) => write!(f, "{path}: {error}"),
            Fault::Damaged => {
                let without = self.name.without();
                write!(f, "{path} is damaged, or isn't the hub's: {without}")
            }
            Fault::Later => write!(
                f,
                "{path} was written by a later version of the hub: run that one"
            ),
        }
    }
}

impl std::error::Error for VaultError {}

/// The directory of these files.
#[derive(Debug)]
pub struct Vault {
    directory: PathBuf,
}

impl Vault {
    /// The one in a data directory, which the hub holds locked. It is made if it
    /// is missing.
    ///
    /// # Errors
    /// If it can't be, or be closed to others.
    pub fn open(data: &Path) -> io::Result<Self> {
        let directory = data.join(DIRECTORY);
        let made = DirBuilder::new().mode(0o700).create(&directory);
        let closed = match made {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => std::fs::set_permissions(&directory, Permissions::from_mode(0o700)),
        };
        let synced = closed.and_then(|()| File::open(data)?.sync_all());
        synced.map_err(|error| {
            io::Error::new(error.kind(), format!("{}: {error}", directory.display()))
        })?;
        Ok(Self { directory })
    }

    /// What a file holds; `None` if it isn't there.
    ///
    /// # Errors
    /// [`VaultError`]: also if a single byte isn't as it was written.
    pub fn read(&self, name: Name) -> Result<Option<Vec<u8>>, VaultError> {
        let bytes = match self.read_all(name) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.fault(name, Fault::System(error))),
        };
        let content = unwrap(name, &bytes).map_err(|fault| self.fault(name, fault))?;
        Ok(Some(content.to_vec()))
    }

    /// Replaces a file. It is durable when this returns.
    ///
    /// # Errors
    /// [`VaultError`]; then the file is as before, or as it was to be.
    pub fn write(&self, name: Name, content: &[u8]) -> Result<(), VaultError> {
        let written = self.write_all(name, content);
        written.map_err(|error| self.fault(name, Fault::System(error)))
    }

    /// Removes a file, durably.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn remove(&self, name: Name) -> Result<(), VaultError> {
        let removed = match std::fs::remove_file(self.path(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => self.sync(),
        };
        removed.map_err(|error| self.fault(name, Fault::System(error)))
    }

    /// That a file isn't what its name says, though it was read whole.
    pub fn damaged(&self, name: Name) -> VaultError {
        self.fault(name, Fault::Damaged)
    }

    fn read_all(&self, name: Name) -> io::Result<Vec<u8>> {
        let path = self.path(name);
        // The hub never waits on a pipe that somebody put in the file's place.
        let file = OpenOptions::new()
            .read(true)
            .custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32)
            .open(&path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() || metadata.len() > MAX_BYTES {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "not a regular file, or too long",
            ));
        }
        if metadata.permissions().mode() & 0o077 != 0 {
            tracing::warn!(
                path = %path.display(),
                "others could read this file; it is closed to them now"
            );
            file.set_permissions(Permissions::from_mode(0o600))?;
        }
        let mut bytes = Vec::with_capacity(metadata.len() as usize);
        file.take(MAX_BYTES).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn write_all(&self, name: Name, content: &[u8]) -> io::Result<()> {
        let temporary = self.path(name).with_extension("tmp");
        // One that was left behind may have been made by others, for others.
        match std::fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary)?;
        file.write_all(head(name, content).as_bytes())?;
        file.write_all(content)?;
        file.sync_all()?;
        std::fs::rename(&temporary, self.path(name))?;
        self.sync()
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.directory)?.sync_all()
    }

    fn path(&self, name: Name) -> PathBuf {
        self.directory.join(name.as_str())
    }

    fn fault(&self, name: Name, fault: Fault) -> VaultError {
        VaultError {
            path: self.path(name),
            name,
            fault,
        }
    }
}

fn head(name: Name, content: &[u8]) -> String {
    let digest = Sha256::digest(content);
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{MAGIC} {} 1 {digest}\n", name.as_str())
}

/// What stands behind the first line, if that fits it.
fn unwrap(name: Name, bytes: &[u8]) -> Result<&[u8], Fault> {
    let end = bytes.iter().position(|byte| *byte == b'\n');
    let (line, content) = bytes.split_at(end.ok_or(Fault::Damaged)? + 1);
    if line == head(name, content).as_bytes() {
        return Ok(content);
    }
    let line = std::str::from_utf8(line).map_err(|_| Fault::Damaged)?;
    let mut words = line.split_whitespace();
    let ours = words.next() == Some(MAGIC) && words.next() == Some(name.as_str());
    let version = words.next().and_then(|text| text.parse::<u32>().ok());
    match version {
        Some(2..) if ours => Err(Fault::Later),
        _ => Err(Fault::Damaged),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    const CONTENT: &[u8] = b"{\"version\":1}\n\0\xff";

    fn vault() -> (TempDir, Vault) {
        let data = TempDir::new().expect("a directory");
        let vault = Vault::open(data.path()).expect("a vault");
        (data, vault)
    }

    fn mode(path: &Path) -> u32 {
        let metadata = std::fs::symlink_metadata(path).expect("a file");
        metadata.permissions().mode() & 0o777
    }

    #[track_caller]
    fn check_refused(vault: &Vault, name: Name, said: &[&str]) {
        let error = vault
            .read(name)
            .expect_err("nothing to be read")
            .to_string();
        for part in said.iter().chain(&[name.as_str()]) {
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn what_was_written_is_read_and_nobody_else_can() {
        let (data, vault) = vault();
        for name in [Name::TicketKey, Name::UsedTickets, Name::Revocations] {
            assert_eq!(vault.read(name).expect("no file"), None);
            for content in [CONTENT, b"", b"other"] {
                vault.write(name, content).expect("written");
                assert_eq!(vault.read(name).expect("a file").as_deref(), Some(content));
            }
            assert_eq!(mode(&vault.path(name)), 0o600);
        }
        assert_eq!(mode(&data.path().join("auth")), 0o700);
        let names = std::fs::read_dir(data.path().join("auth")).expect("a directory");
        assert_eq!(names.count(), 3, "nothing temporary is left");
        vault.remove(Name::UsedTickets).expect("removed");
        vault.remove(Name::UsedTickets).expect("removed already");
        assert_eq!(vault.read(Name::UsedTickets).expect("no file"), None);
    }

    #[test]
    fn a_file_that_others_can_read_is_closed_to_them() {
        let (data, vault) = vault();
        vault.write(Name::TicketKey, CONTENT).expect("written");
        let path = vault.path(Name::TicketKey);
        for loose in [&path, &data.path().join("auth")] {
            std::fs::set_permissions(loose, Permissions::from_mode(0o755)).expect("changed");
        }
        let vault = Vault::open(data.path()).expect("a vault");
        assert!(vault.read(Name::TicketKey).expect("a file").is_some());
        assert_eq!(
            (mode(&path), mode(&data.path().join("auth"))),
            (0o600, 0o700)
        );
    }

    #[test]
    fn f1_f3_a_file_that_is_cut_or_changed_anywhere_is_refused() {
        let (_data, vault) = vault();
        vault.write(Name::Revocations, CONTENT).expect("written");
        let path = vault.path(Name::Revocations);
        let good = std::fs::read(&path).expect("a file");
        let put = |bytes: &[u8]| std::fs::write(&path, bytes).expect("written");
        for at in 0..good.len() {
            put(&good[..at]);
            check_refused(&vault, Name::Revocations, &["damaged", "good again"]);
            let mut changed = good.clone();
            changed[at] ^= 1;
            put(&changed);
            // The version's digit is the only one that means something else.
            let version = b"tidings revocations ".len();
            if at != version {
                check_refused(&vault, Name::Revocations, &["damaged", "backup"]);
            }
        }
        put(&[good.as_slice(), b"x"].concat());
        check_refused(&vault, Name::Revocations, &["damaged"]);
        put(b"tidings revocations 2 anything\nelse");
        check_refused(&vault, Name::Revocations, &["later version"]);
        put(&good);
        std::fs::rename(&path, vault.path(Name::TicketKey)).expect("renamed");
        check_refused(&vault, Name::TicketKey, &["damaged", "every ticket"]);
    }

    #[test]
    fn f7_what_is_no_file_is_refused_and_named() {
        let (data, vault) = vault();
        let path = vault.path(Name::TicketKey);
        std::fs::create_dir(&path).expect("a directory");
        check_refused(&vault, Name::TicketKey, &["not a regular file"]);
        std::fs::remove_dir(&path).expect("removed");
        let other = data.path().join("other");
        std::fs::write(&other, head(Name::TicketKey, b"")).expect("written");
        std::os::unix::fs::symlink(&other, &path).expect("a link");
        check_refused(&vault, Name::TicketKey, &[]);
        std::fs::remove_file(&path).expect("removed");
        let fifo = rustix::fs::FileType::Fifo;
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &path, fifo, mode, 0).expect("a pipe");
        check_refused(&vault, Name::TicketKey, &["not a regular file"]);
    }

    #[test]
    fn f11_what_a_crash_left_is_written_over() {
        let (_data, vault) = vault();
        let left = vault.path(Name::Revocations).with_extension("tmp");
        std::fs::write(&left, b"half").expect("written");
        std::fs::set_permissions(&left, Permissions::from_mode(0o666)).expect("changed");
        vault.write(Name::Revocations, CONTENT).expect("written");
        assert_eq!(mode(&vault.path(Name::Revocations)), 0o600);
        assert!(!left.exists());
    }
}
