//! A lane's sockets.

use bytes::Bytes;
use mio::event::Source;
use mio::{Interest, Registry, Token};
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::Shutdown;

/// The most pieces of one write.
pub const PIECES: usize = 4;
/// How many bytes are asked for at once of what a watcher sends.
const READ: usize = 512;

/// A connection's socket, non-blocking.
pub enum Socket {
    /// Without TLS.
    Plain(mio::net::TcpStream),
}

/// What a watcher has sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inbound {
    /// Nothing, or empty lines.
    Nothing,
    /// Something that no watcher sends.
    Something,
    /// Its last: it is gone.
    End,
}

impl Socket {
    /// A socket without TLS, which has to be non-blocking.
    pub fn plain(socket: std::net::TcpStream) -> Self {
        Self::Plain(mio::net::TcpStream::from_std(socket))
    }

    /// Lets the lane hear of it: of everything, once each time it changes.
    ///
    /// # Errors
    /// If the system can't watch one more.
    pub fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        match self {
            Self::Plain(socket) => socket.register(registry, token, interest),
        }
    }

    /// Lets the lane hear of it no more.
    pub fn deregister(&mut self, registry: &Registry) {
        let _ = match self {
            Self::Plain(socket) => socket.deregister(registry),
        };
    }

    /// Writes as much of the pieces as the socket takes: 0 if it is full.
    ///
    /// # Errors
    /// If the peer is gone.
    pub fn write(&mut self, pieces: &[Bytes]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => write_vectored(socket, pieces),
        }
    }

    /// Reads what the watcher has sent, and keeps nothing of it.
    pub fn read(&mut self) -> Inbound {
        match self {
            Self::Plain(socket) => discard(socket),
        }
    }

    /// Says that nothing more will be written.
    pub fn shut_down(&mut self) {
        let _ = match self {
            Self::Plain(socket) => socket.shutdown(Shutdown::Write),
        };
    }
}

fn write_vectored(socket: &mut impl Write, pieces: &[Bytes]) -> io::Result<usize> {
    let mut slices = [IoSlice::new(&[]); PIECES];
    for (slice, piece) in slices.iter_mut().zip(pieces) {
        *slice = IoSlice::new(piece);
    }
    let slices = &slices[..pieces.len().min(PIECES)];
    loop {
        return match socket.write_vectored(slices) {
            Ok(0) => Err(ErrorKind::WriteZero.into()),
            Ok(written) => Ok(written),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
    }
}

fn discard(socket: &mut impl Read) -> Inbound {
    let mut space = [0; READ];
    let mut inbound = Inbound::Nothing;
    loop {
        match socket.read(&mut space) {
            Ok(0) => return Inbound::End,
            Ok(len) if space[..len].iter().all(|byte| b"\r\n".contains(byte)) => {}
            Ok(_) => inbound = Inbound::Something,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return inbound,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return Inbound::End,
        }
    }
}
