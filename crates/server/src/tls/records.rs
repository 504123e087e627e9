//! One TLS connection without a socket: bytes of the peer go in, plaintext and
//! bytes for the peer come out. Between records it holds no buffers.
//!
//! rustls' unbuffered connection, because its buffered one keeps 4 KiB for
//! reading for as long as it lives: per connection 3.5 KB of memory against 7.8.

use rustls::ServerConfig;
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncryptError, InsufficientSizeError, UnbufferedStatus,
    WriteTraffic,
};
use std::io::{self, ErrorKind};
use std::sync::Arc;

/// The most plaintext that goes into one record, in bytes (RFC 8446, 5.1).
pub const RECORD: usize = 16 * 1024;
/// How many bytes of the peer are asked for at once: a record at most.
const READ: usize = RECORD + OVERHEAD;
/// The most bytes of the peer that may wait when more is read: a record, or a
/// handshake message, however many records it comes in. A hello has 2 KiB.
const MAX_INCOMING: usize = READ;
/// What a record, or an alert, is larger than its content at most, in bytes.
const OVERHEAD: usize = 256;

type Traffic<'a> = WriteTraffic<'a, ServerConnectionData>;

/// The state of one connection.
pub struct Records {
    connection: Box<UnbufferedServerConnection>,
    /// From the peer, and not yet a whole record.
    incoming: Vec<u8>,
    /// For the peer; the first `sent` bytes have been taken.
    outgoing: Vec<u8>,
    sent: usize,
    peer_closed: bool,
    closed: bool,
    /// rustls must not be asked again about bytes that it has refused.
    broken: bool,
}

impl Records {
    /// A connection whose peer has said nothing yet.
    ///
    /// # Errors
    /// [`ErrorKind::Other`]: the configuration can't be used.
    pub fn new(config: Arc<ServerConfig>) -> io::Result<Self> {
        let connection = UnbufferedServerConnection::new(config).map_err(io::Error::other)?;
        Ok(Self {
            connection: Box::new(connection),
            incoming: Vec::new(),
            outgoing: Vec::new(),
            sent: 0,
            peer_closed: false,
            closed: false,
            broken: false,
        })
    }

    /// Whether the handshake has still to end.
    pub fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// The protocol that was agreed on (ALPN), if any was. What is spoken is seen
    /// by how it begins, which is the same with and without TLS.
    #[cfg(test)]
    pub fn protocol(&self) -> Option<&[u8]> {
        self.connection.alpn_protocol()
    }

    /// Whether the peer has said that it sends nothing more (`close_notify`).
    pub fn peer_has_closed(&self) -> bool {
        self.peer_closed
    }

    /// Takes in what `read` puts into the buffer that it is given, and gives
    /// what it decrypts to `plaintext`. Answers how many bytes were read.
    ///
    /// # Errors
    /// Those of `read`, and [`ErrorKind::InvalidData`] if the peer breaks the
    /// protocol: then [`outgoing`](Self::outgoing) has an alert for it.
    pub fn receive(
        &mut self,
        read: impl FnOnce(&mut [u8]) -> io::Result<usize>,
        plaintext: impl FnMut(&[u8]),
    ) -> io::Result<usize> {
        let kept = self.incoming.len();
        if kept >= MAX_INCOMING {
            self.broken = true;
            return Err(ErrorKind::InvalidData.into());
        }
        // No more room than is read into: a part of a record may stay for long.
        self.incoming.reserve_exact(READ);
        self.incoming.resize(kept + READ, 0);
        let read = read(&mut self.incoming[kept..]);
        self.incoming
            .truncate(kept + read.as_ref().map_or(0, |read| *read));
        if let Ok(1..) = read {
            self.drive(plaintext, |_, _| Ok(()))?;
        } else {
            self.incoming.shrink_to_fit();
        }
        read
    }

    /// Encrypts the beginning of `plaintext` as one record and answers how many
    /// bytes that was, at most [`RECORD`].
    ///
    /// # Errors
    /// The connection can't carry more: it was closed, or its keys are used up.
    pub fn seal(&mut self, plaintext: &[u8]) -> io::Result<usize> {
        if self.closed {
            return Err(ErrorKind::NotConnected.into());
        }
        let piece = &plaintext[..plaintext.len().min(RECORD)];
        let guess = piece.len() + OVERHEAD;
        let sealed = self.drive(
            |_| {},
            |mut traffic, out| append(out, guess, |to| traffic.encrypt(piece, to)),
        )?;
        match sealed {
            true => Ok(piece.len()),
            false => Err(ErrorKind::NotConnected.into()),
        }
    }

    /// Tells the peer that nothing more comes. Without effect while the
    /// handshake lasts.
    pub fn close(&mut self) {
        self.closed = true;
        // A connection that is broken has nothing to say.
        let _ = self.drive(
            |_| {},
            |mut traffic, out| append(out, OVERHEAD, |to| traffic.queue_close_notify(to)),
        );
    }

    /// What waits for the peer.
    pub fn outgoing(&self) -> &[u8] {
        &self.outgoing[self.sent..]
    }

    /// Notes that the peer's side has taken the first `count` bytes of
    /// [`outgoing`](Self::outgoing).
    pub fn sent(&mut self, count: usize) {
        self.sent += count;
        if self.sent >= self.outgoing.len() {
            (self.outgoing, self.sent) = (Vec::new(), 0);
        }
    }

    /// How many bytes its buffers hold room for.
    #[cfg(test)]
    pub fn buffered(&self) -> usize {
        self.incoming.capacity() + self.outgoing.capacity()
    }

    /// Whether what came first, instead of a handshake, looks like a request of
    /// HTTP: its method.
    pub fn begins_like_http(&self) -> bool {
        self.incoming.first().is_some_and(u8::is_ascii_uppercase)
    }

    /// Handles what has come in until there is nothing more to do. `then` is
    /// called if the connection can carry data; answers whether it could.
    fn drive(
        &mut self,
        mut plaintext: impl FnMut(&[u8]),
        mut then: impl FnMut(Traffic<'_>, &mut Vec<u8>) -> io::Result<()>,
    ) -> io::Result<bool> {
        if self.broken {
            return Err(ErrorKind::InvalidData.into());
        }
        let mut done = 0;
        let outcome = loop {
            let bytes = &mut self.incoming[done..];
            let UnbufferedStatus {
                mut discard, state, ..
            } = self.connection.process_tls_records(bytes);
            let outcome = match state {
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    append(&mut self.outgoing, 0, |to| data.encode(to))
                        .err()
                        .map(Err)
                }
                Ok(ConnectionState::TransmitTlsData(data)) => {
                    data.done();
                    None
                }
                Ok(ConnectionState::ReadTraffic(mut data)) => {
                    while let Some(Ok(record)) = data.next_record() {
                        discard += record.discard;
                        plaintext(record.payload);
                    }
                    None
                }
                Ok(ConnectionState::PeerClosed) => {
                    self.peer_closed = true;
                    None
                }
                Ok(ConnectionState::WriteTraffic(traffic)) => {
                    Some(then(traffic, &mut self.outgoing).map(|()| true))
                }
                // Blocked, closed, or early data, which is never permitted.
                Ok(_) => Some(Ok(false)),
                Err(error) => Some(Err(io::Error::new(ErrorKind::InvalidData, error))),
            };
            done += discard;
            if let Some(outcome) = outcome {
                break outcome;
            }
        };
        if outcome.is_err() {
            self.broken = true;
            self.encode_alert();
        }
        self.incoming.drain(..done);
        self.incoming.shrink_to_fit();
        outcome
    }

    /// After an error there may be an alert, which says why the connection ends.
    fn encode_alert(&mut self) {
        while self.connection.wants_write()
            && let Ok(ConnectionState::EncodeTlsData(mut data)) =
                self.connection.process_tls_records(&mut []).state
            && append(&mut self.outgoing, 0, |to| data.encode(to)).is_ok()
        {}
    }
}

/// Lets `write` put bytes at the end of `out`, where it finds room for `guess`
/// bytes, or for as many as it then says that it needs.
fn append<E: Short>(
    out: &mut Vec<u8>,
    guess: usize,
    mut write: impl FnMut(&mut [u8]) -> Result<usize, E>,
) -> io::Result<()> {
    let kept = out.len();
    out.resize(kept + guess, 0);
    let mut written = write(&mut out[kept..]);
    if let Err(Some(required)) = written.as_ref().map_err(Short::required) {
        out.resize(kept + required, 0);
        written = write(&mut out[kept..]);
    }
    out.truncate(kept + written.as_ref().map_or(0, |written| *written));
    written
        .map(drop)
        .map_err(|_| ErrorKind::NotConnected.into())
}

/// An error that may be a want of room.
trait Short {
    /// How much is needed, in bytes.
    fn required(&self) -> Option<usize>;
}

impl Short for EncodeError {
    fn required(&self) -> Option<usize> {
        match self {
            Self::InsufficientSize(InsufficientSizeError { required_size }) => Some(*required_size),
            Self::AlreadyEncoded => None,
        }
    }
}

impl Short for EncryptError {
    fn required(&self) -> Option<usize> {
        match self {
            Self::InsufficientSize(InsufficientSizeError { required_size }) => Some(*required_size),
            Self::EncryptExhausted => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Peer, check_seeds, hello, junk, server_config};
    use super::*;

    /// Gives `bytes` in pieces of `size` to a new connection.
    fn fed(bytes: &[u8], size: usize) -> (Records, io::Result<()>) {
        let mut records = Records::new(server_config()).unwrap();
        for piece in bytes.chunks(size) {
            let read = |buffer: &mut [u8]| {
                buffer[..piece.len()].copy_from_slice(piece);
                Ok(piece.len())
            };
            if let Err(error) = records.receive(read, |_| {}) {
                return (records, Err(error));
            }
        }
        (records, Ok(()))
    }

    /// RUSTSEC-2024-0399: a ClientHello in several records.
    #[test]
    fn c23_a_fragmented_hello_is_answered_like_a_whole_one() {
        for fragment in [None, Some(32), Some(64)] {
            let bytes = hello(fragment);
            let first = usize::from(bytes[3]) << 8 | usize::from(bytes[4]);
            assert_eq!(bytes.len() > 5 + first, fragment.is_some());
            for size in [1, 7, 16384] {
                let (records, read) = fed(&bytes, size);
                read.unwrap();
                assert!(records.is_handshaking());
                // A ServerHello in a record of its own.
                assert_eq!(records.outgoing()[0], 22, "{fragment:?} {size}");
            }
        }
    }

    #[test]
    fn c23_what_is_no_handshake_gets_an_alert() {
        let (records, read) = fed(b"GET / HTTP/1.1\r\n\r\n", 16384);
        assert_eq!(read.unwrap_err().kind(), ErrorKind::InvalidData);
        assert!(records.begins_like_http());
        let mut long = vec![22, 3, 1, 64, 0, 1, 255, 255, 255];
        long.resize(5 + 16384, 0);
        for bytes in [&b"SSH-2.0-x\r\n"[..], &[22, 3, 1, 255, 255, 0], &long] {
            let (mut records, read) = fed(bytes, 16384);
            assert_eq!(read.as_ref().unwrap_err().kind(), ErrorKind::InvalidData);
            let alert = records.outgoing().to_vec();
            // rustls ends a message that announces too much without a word.
            let fatal = !alert.is_empty() && (alert[0], alert[5]) == (21, 2);
            assert_eq!(fatal, bytes != long, "{alert:?}");
            // What is broken stays so, and says nothing more.
            records.close();
            assert!(records.seal(b"x").is_err());
            assert!(records.receive(|_| Ok(1), |_| {}).is_err());
            assert_eq!(records.outgoing(), alert);
        }
    }

    /// A message that is announced with 60 KiB, by records of 1 KiB that are
    /// all there and never enough.
    #[test]
    fn c23_a_hello_without_an_end_is_not_kept() {
        let record = [&[22, 3, 1, 4, 0][..], &[0; 1024]].concat();
        let mut bytes = record.repeat(60);
        bytes[5..9].copy_from_slice(&[1, 0, 0xf0, 0]);
        let (records, read) = fed(&bytes, 1000);
        assert_eq!(read.unwrap_err().kind(), ErrorKind::InvalidData);
        assert!(records.buffered() <= 4 * READ, "{}", records.buffered());
    }

    #[test]
    fn c23_tls_1_1_is_refused() {
        let mut bytes = hello(None);
        // Without the extension that names later versions only the old field counts.
        let at = bytes.windows(4).position(|w| w == [0, 43, 0, 5]).unwrap();
        bytes[at + 1] = 0xfa;
        (bytes[9], bytes[10]) = (3, 2);
        let (records, read) = fed(&bytes, 16384);
        assert_eq!(read.unwrap_err().kind(), ErrorKind::InvalidData);
        // protocol_version
        assert_eq!(records.outgoing()[6], 70);
    }

    #[test]
    fn c23_no_bytes_make_it_panic() {
        check_seeds(300, |random| {
            let mut bytes = match random.bool() {
                true => junk(random),
                false => hello([None, Some(40)][random.usize(..2)]),
            };
            for _ in 0..random.usize(1..6) {
                let at = random.usize(..bytes.len());
                bytes[at] = random.u8(..);
            }
            let _ = fed(&bytes, random.usize(1..600));
        });
    }

    #[test]
    fn no_bytes_after_the_handshake_make_it_panic() {
        check_seeds(100, |random| {
            let (mut peer, mut socket) = Peer::connected();
            let mut bytes = peer.sealed(&junk(random));
            if random.bool() {
                let at = random.usize(..bytes.len());
                bytes[at] ^= 1 << random.u8(..8);
            }
            peer.send_raw(&bytes);
            let _ = socket.read(|_| {});
            let _ = socket.write(b"x");
            let _ = socket.close_notify();
        });
    }
}
