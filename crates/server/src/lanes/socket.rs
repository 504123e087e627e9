//! A lane's sockets.

use crate::tls::{RECORD, Records, TlsSocket};
use bytes::Bytes;
use mio::event::Source;
use mio::{Interest, Registry, Token};
use socket2::SockRef;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::Shutdown;
use std::time::Duration;

/// The most pieces of one write.
pub const PIECES: usize = 4;
/// How many bytes the kernel may keep of a socket that it can't send yet: more
/// would only grow old there, and a watcher that reads nothing would hold it.
const UNSENT: u32 = 128 * 1024;
/// How many bytes are asked for at once of what a watcher sends.
const READ: usize = 512;
/// How often: 1 MiB at once is said by nobody who listens.
const READS: usize = 2048;

/// A connection's socket, non-blocking.
pub enum Socket {
    /// Without TLS.
    Plain(mio::net::TcpStream),
    /// With TLS; in a box, so that the others don't pay for it.
    Tls(Box<TlsSocket<mio::net::TcpStream>>),
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
        Self::Plain(owned(socket))
    }

    /// A socket that goes on with a TLS connection; it has to be non-blocking.
    pub fn tls(socket: std::net::TcpStream, records: Records) -> Self {
        Self::Tls(Box::new(TlsSocket::new(owned(socket), records)))
    }

    /// Lets the lane hear of it: of everything, once each time it changes.
    ///
    /// # Errors
    /// If the system can't watch one more.
    pub fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        match self {
            Self::Plain(socket) => socket.register(registry, token, interest),
            Self::Tls(tls) => tls.socket_mut().register(registry, token, interest),
        }
    }

    /// Lets the lane hear of it no more.
    pub fn deregister(&mut self, registry: &Registry) {
        let _ = match self {
            Self::Plain(socket) => socket.deregister(registry),
            Self::Tls(tls) => tls.socket_mut().deregister(registry),
        };
    }

    /// How many bytes it has taken that the system has not: with TLS, what is
    /// left of a record. To be written without pieces, once there is room.
    pub fn owes(&self) -> usize {
        match self {
            Self::Plain(_) => 0,
            Self::Tls(tls) => tls.waiting(),
        }
    }

    /// Writes as much of the pieces as the socket takes: 0 if it is full.
    ///
    /// # Errors
    /// If the peer is gone.
    pub fn write(&mut self, pieces: &[Bytes]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => write_vectored(socket, pieces),
            Self::Tls(tls) => write_records(tls, pieces),
        }
    }

    /// Reads what the watcher has sent, and keeps nothing of it.
    pub fn read(&mut self) -> Inbound {
        match self {
            Self::Plain(socket) => discard(socket),
            Self::Tls(tls) => discard_records(tls),
        }
    }

    /// Lets a peer take nothing for so long before the kernel gives it up: it
    /// counts a window that stays shut as it counts a peer that is gone.
    pub fn wait_for(&mut self, time: Duration) {
        let socket = match self {
            Self::Plain(socket) => SockRef::from(&*socket),
            Self::Tls(tls) => SockRef::from(&*tls.socket_mut()),
        };
        // A peer that is gone already refuses it.
        let _ = socket.set_tcp_user_timeout(Some(time));
    }

    /// Says that nothing more will be written.
    pub fn shut_down(&mut self) {
        let _ = match self {
            Self::Plain(socket) => socket.shutdown(Shutdown::Write),
            Self::Tls(tls) => {
                // What the socket has no room for is cut off, as without TLS.
                let _ = tls.close_notify();
                tls.socket().shutdown(Shutdown::Write)
            }
        };
    }
}

fn owned(socket: std::net::TcpStream) -> mio::net::TcpStream {
    // An improvement only; a peer that is gone already refuses it.
    let _ = SockRef::from(&socket).set_tcp_notsent_lowat(UNSENT);
    mio::net::TcpStream::from_std(socket)
}

/// What a test publishes to see a connection fail.
#[cfg(test)]
pub const PANICS: &str = "may nobody ever publish this";

fn write_vectored(socket: &mut impl Write, pieces: &[Bytes]) -> io::Result<usize> {
    #[cfg(test)]
    for piece in pieces {
        let found = memchr::memmem::find(piece, PANICS.as_bytes());
        assert!(found.is_none(), "a test wants it so");
    }
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

/// Pieces that are short share a record: each costs its watcher a read.
fn write_records<S: Read + Write>(tls: &mut TlsSocket<S>, pieces: &[Bytes]) -> io::Result<usize> {
    let joined;
    let pieces = match pieces {
        [_, _, ..] if pieces.iter().map(Bytes::len).sum::<usize>() <= RECORD => {
            joined = [pieces.concat().into()];
            &joined[..]
        }
        pieces => pieces,
    };
    let mut written = 0;
    // Without pieces too: what is owed is written.
    let flushed = tls.flush();
    let flushed = flushed.and_then(|()| {
        for piece in pieces {
            let taken = tls.write(piece)?;
            written += taken;
            if taken < piece.len() {
                break;
            }
        }
        Ok(())
    });
    match flushed {
        Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
        _ => Ok(written),
    }
}

fn discard_records<S: Read + Write>(tls: &mut TlsSocket<S>) -> Inbound {
    let mut inbound = Inbound::Nothing;
    let read = tls.read(|plaintext| {
        if is_something(plaintext) {
            inbound = Inbound::Something;
        }
    });
    match read {
        Ok(()) => inbound,
        Err(_) => Inbound::End,
    }
}

/// Empty lines before a request are none (RFC 9112, section 2.2).
fn is_something(bytes: &[u8]) -> bool {
    !bytes.iter().all(|byte| b"\r\n".contains(byte))
}

fn discard(socket: &mut impl Read) -> Inbound {
    let mut space = [0; READ];
    let mut inbound = Inbound::Nothing;
    for _ in 0..READS {
        match socket.read(&mut space) {
            Ok(0) => return Inbound::End,
            Ok(len) if !is_something(&space[..len]) => {}
            Ok(_) => inbound = Inbound::Something,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return inbound,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return Inbound::End,
        }
    }
    // Nobody may keep the lane by talking on, whatever it is that they say.
    Inbound::End
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::testing::Peer;
    use rustls::version::TLS13;

    /// Pieces arrive in order, whatever room there is, and the socket owes
    /// nothing in the end.
    #[test]
    fn pieces_become_records() {
        for capacity in [100, 5000, 1 << 20] {
            for sizes in [[0, 0], [3, 5], [RECORD, 1], [1, RECORD], [40_000, 20_000]] {
                let (mut peer, mut tls) = Peer::over(&TLS13, capacity);
                let all: Vec<u8> = (0..sizes[0] + sizes[1]).map(|n| (n % 251) as u8).collect();
                let mut written = 0;
                while written < all.len() || tls.waiting() > 0 {
                    let rest = Bytes::copy_from_slice(&all[written..]);
                    let cut = sizes[0].saturating_sub(written);
                    let pieces = [rest.slice(..cut), rest.slice(cut..)];
                    written += write_records(&mut tls, &pieces).unwrap();
                    peer.pump();
                }
                assert!(peer.read == all, "{capacity} {sizes:?}");
            }
        }
    }

    #[test]
    fn what_a_watcher_says_within_tls_counts() {
        let (mut peer, mut tls) = Peer::connected();
        assert_eq!(discard_records(&mut tls), Inbound::Nothing);
        peer.send(b"\r\n");
        assert_eq!(discard_records(&mut tls), Inbound::Nothing);
        peer.connection.refresh_traffic_keys().unwrap();
        peer.send(b"\r\nG");
        assert_eq!(discard_records(&mut tls), Inbound::Something);
        peer.connection.send_close_notify();
        peer.pump();
        assert_eq!(discard_records(&mut tls), Inbound::End);
    }
}
