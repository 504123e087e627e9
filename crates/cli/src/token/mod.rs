//! `tidings token`: tokens to try a hub with, and what a token says.

mod inspect;
mod mint;

pub use inspect::InspectArgs;
pub use mint::MintArgs;

use crate::Failure;
use clap::Subcommand;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};
use tidings_auth::Algorithm;

/// A key or a token isn't longer, in bytes.
const MAX_INPUT: u64 = 64 * 1024;

/// What `tidings token` is asked for.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token and print it
    Mint(MintArgs),
    /// Say what a token claims, and with a key whether that is true
    #[command(after_help = INSPECT_HELP)]
    Inspect(InspectArgs),
}

const INSPECT_HELP: &str = "\
Without --key nothing of what is printed is to be believed.

Exit codes: 0 the token can be read, and with --key it is good; 1 not; 2 usage.";

/// Does what was asked for.
///
/// # Errors
/// Keys and tokens that can't be read, claims that can't be, tokens that are
/// refused.
pub fn run(command: &TokenCommand) -> Result<(), Failure> {
    match command {
        TokenCommand::Mint(args) => mint::run(args, now_seconds()),
        TokenCommand::Inspect(args) => inspect::run(args, now_seconds()),
    }
}

fn now_seconds() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |since| since.as_secs())
}

fn algorithm(name: &str) -> Result<Algorithm, String> {
    name.parse().map_err(|_| {
        "expected HS256, HS384, HS512, ES256, ES384, EdDSA, RS256, PS256, ...".to_owned()
    })
}

/// The bytes of a file, or of standard input for `-`. Neither they nor the
/// path's own text appear in errors beyond what the path is.
fn read(path: &Path, what: &str) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let outcome = if path == Path::new("-") {
        io::stdin()
            .lock()
            .take(MAX_INPUT + 1)
            .read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(MAX_INPUT + 1).read_to_end(&mut bytes))
    };
    outcome.map_err(|error| Failure::usage(format!("{what} can't be read: {error}")))?;
    if bytes.len() as u64 > MAX_INPUT {
        return Err(Failure::usage(format!("{what} is longer than 64 KiB")));
    }
    Ok(bytes)
}

/// A key as a file holds it: a PEM, or a secret without the line end that an
/// editor has put behind it.
enum KeyFile {
    Pem(Vec<u8>),
    Secret(Vec<u8>),
}

fn read_key(path: &Path) -> Result<KeyFile, Failure> {
    let mut bytes = read(path, "the key")?;
    if bytes.trim_ascii_start().starts_with(b"-----BEGIN") {
        return Ok(KeyFile::Pem(bytes));
    }
    if bytes.ends_with(b"\n") {
        bytes.pop();
        if bytes.ends_with(b"\r") {
            bytes.pop();
        }
    }
    match bytes.is_empty() {
        true => Err(Failure::usage("the key is empty")),
        false => Ok(KeyFile::Secret(bytes)),
    }
}
