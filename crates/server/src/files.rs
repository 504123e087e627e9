//! Files that the configuration names: certificates, keys, secrets.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The largest file that is read, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// All of a file.
///
/// # Errors
/// Why it can't be read, or that it is empty or larger than 1 MiB. Never what
/// it holds.
pub fn read(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes));
    match read {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err("there is no such file".into())
        }
        Err(error) => Err(format!("the file can't be read: {error}")),
        Ok(_) if bytes.len() as u64 > MAX_BYTES => Err("the file is larger than 1 MiB".into()),
        Ok(0) => Err("the file is empty".into()),
        Ok(_) => Ok(bytes),
    }
}

/// Whether everyone on this machine can read a file that is secret, and what to
/// do then.
pub fn openness(path: &Path) -> Option<&'static str> {
    let mode = path.metadata().ok()?.permissions().mode();
    let open = mode & 0o004 != 0;
    open.then_some("everyone on this machine can read the key; 'chmod o-r' takes that away")
}
