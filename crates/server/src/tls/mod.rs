//! TLS: the certificate and its key, handshakes, and the two forms of a
//! connection after them.
//!
//! [`Records`] is a connection without a socket.
//! [`TlsStream`] puts it on a socket of tokio's, for the handshake and for
//! requests; [`TlsSocket`] on one that doesn't block, for event streams, of
//! which there are many. What TLS is, rustls knows.

mod acceptor;
mod credentials;
mod records;
mod socket;
mod stream;
#[cfg(test)]
pub mod testing;

pub use acceptor::Acceptor;
pub use records::{RECORD, Records};
pub use socket::TlsSocket;
pub use stream::TlsStream;

use crate::config::{Config, ConfigErrors};

/// Reads and checks the files that the configuration names for TLS, if it does.
/// Answers what deserves a second thought about them, a sentence each.
///
/// # Errors
/// What is wrong with which file.
pub fn check(config: &Config) -> Result<Vec<String>, ConfigErrors> {
    Ok(Acceptor::load(config)?.map_or_else(Vec::new, |(_, warnings)| warnings))
}
