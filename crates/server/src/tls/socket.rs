//! A socket with TLS for whoever asks it only when it is ready: nothing here
//! waits, and an idle socket keeps no buffers.

use super::records::Records;
use std::io::{self, ErrorKind, Read, Write};

/// How often is read for what came at once; each time at most a record.
const READS: usize = 64;

/// A connection after its handshake, over a socket that doesn't block.
pub struct TlsSocket<S> {
    socket: S,
    records: Records,
}

impl<S: Read + Write> TlsSocket<S> {
    /// Goes on with the connection `records` on `socket`.
    pub fn new(socket: S, records: Records) -> Self {
        Self { socket, records }
    }

    /// The socket, to watch it and to ask for its state.
    pub fn socket(&self) -> &S {
        &self.socket
    }

    /// The socket, to watch it; reading or writing here breaks the connection.
    pub fn socket_mut(&mut self) -> &mut S {
        &mut self.socket
    }

    /// How many encrypted bytes the socket has not taken: at most one record
    /// of 16 KiB and what TLS itself has to say.
    pub fn waiting(&self) -> usize {
        self.records.outgoing().len()
    }

    /// Takes bytes in, record by record, for as long as the socket takes what
    /// comes of them; answers how many. The last record may then still wait for
    /// [`flush`](Self::flush).
    ///
    /// # Errors
    /// `WouldBlock` if nothing was taken because earlier bytes still wait;
    /// otherwise the connection has ended.
    pub fn write(&mut self, plaintext: &[u8]) -> io::Result<usize> {
        self.flush()?;
        let mut taken = 0;
        while taken < plaintext.len() {
            taken += self.records.seal(&plaintext[taken..])?;
            match self.flush() {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(taken)
    }

    /// Hands everything that waits to the socket.
    ///
    /// # Errors
    /// `WouldBlock` if it doesn't take all of it; otherwise the connection has
    /// ended.
    pub fn flush(&mut self) -> io::Result<()> {
        while !self.records.outgoing().is_empty() {
            match self.socket.write(self.records.outgoing()) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => self.records.sent(written),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads until nothing is there and shows it to `seen`; what is TLS's own
    /// (alerts, new keys) is handled here.
    ///
    /// # Errors
    /// `UnexpectedEof` once the peer has ended, with or without a
    /// `close_notify`; `InvalidData` for who breaks the protocol, or sends more
    /// than 1 MiB at once; those of the socket.
    pub fn read(&mut self, mut seen: impl FnMut(&[u8])) -> io::Result<()> {
        for _ in 0..READS {
            let socket = &mut self.socket;
            match self
                .records
                .receive(|buffer| socket.read(buffer), &mut seen)
            {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(_) if self.records.peer_has_closed() => {
                    return Err(ErrorKind::UnexpectedEof.into());
                }
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    // The peer is told why, if it still listens.
                    let _ = self.flush();
                    return Err(error);
                }
            }
        }
        Err(ErrorKind::InvalidData.into())
    }

    /// Tells the peer that the stream has ended here, if the socket takes it:
    /// without that a peer can't tell an end from a connection that was cut.
    ///
    /// # Errors
    /// Those of [`flush`](Self::flush).
    pub fn close_notify(&mut self) -> io::Result<()> {
        self.records.close();
        self.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::super::records::RECORD;
    use super::super::testing::{End, Peer};
    use super::*;
    use rustls::version::{TLS12, TLS13};

    /// Writes all of `bytes` while `peer` reads.
    fn carry(peer: &mut Peer, socket: &mut TlsSocket<End>, bytes: &[u8]) {
        let mut taken = 0;
        while taken < bytes.len() || socket.waiting() > 0 {
            match socket.write(&bytes[taken..]) {
                Ok(count) => taken += count,
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
            assert!(socket.waiting() <= RECORD + 256);
            peer.pump();
        }
        peer.pump();
    }

    fn pattern(count: usize) -> Vec<u8> {
        (0..count).map(|n| (n % 251) as u8).collect()
    }

    #[test]
    fn what_is_written_arrives_whatever_the_socket_takes() {
        for version in [&TLS12, &TLS13] {
            for capacity in [61, 4096, 1 << 20] {
                let (mut peer, mut socket) = Peer::over(version, capacity);
                let mut expected = Vec::new();
                for size in [0, 1, RECORD, RECORD + 1, 100_000] {
                    let bytes = pattern(size);
                    carry(&mut peer, &mut socket, &bytes);
                    expected.extend_from_slice(&bytes);
                }
                assert!(peer.read == expected, "{version:?} {capacity}");
            }
        }
    }

    #[test]
    fn a_full_socket_is_given_one_record_and_no_more() {
        let (mut peer, mut socket) = Peer::over(&TLS13, 4096);
        let bytes = pattern(1 << 20);
        assert_eq!(socket.write(&bytes).unwrap(), RECORD);
        let waiting = socket.waiting();
        assert!(
            waiting > RECORD - 4096 && waiting < RECORD + 256,
            "{waiting}"
        );
        for _ in 0..3 {
            let full = socket.write(&bytes[RECORD..]).unwrap_err();
            assert_eq!(full.kind(), ErrorKind::WouldBlock);
            assert_eq!(socket.flush().unwrap_err().kind(), ErrorKind::WouldBlock);
            assert_eq!(socket.waiting(), waiting);
        }
        carry(&mut peer, &mut socket, &bytes[RECORD..]);
        assert!(peer.read == bytes);
    }

    #[test]
    fn what_the_peer_says_is_shown() {
        for version in [&TLS12, &TLS13] {
            let (mut peer, mut socket) = Peer::over(version, 1 << 20);
            socket.read(|_| panic!("nothing was sent")).unwrap();
            peer.send(&pattern(50_000));
            let mut read = Vec::new();
            socket.read(|bytes| read.extend_from_slice(bytes)).unwrap();
            assert!(read == pattern(50_000));
            carry(&mut peer, &mut socket, b"still there");
            assert_eq!(peer.read, b"still there");
        }
    }

    #[test]
    fn the_peer_may_change_its_keys() {
        let (mut peer, mut socket) = Peer::connected();
        for round in 1..=5_usize {
            peer.connection.refresh_traffic_keys().unwrap();
            peer.send(b"x");
            socket.read(|_| {}).unwrap();
            // Its keys change too, with the next that it writes.
            carry(&mut peer, &mut socket, b"y");
            assert_eq!(peer.read.len(), round);
        }
    }

    #[test]
    fn both_ends_can_end_it() {
        for (version, notify) in [(&TLS12, true), (&TLS13, true), (&TLS13, false)] {
            let (mut peer, mut socket) = Peer::over(version, 1 << 20);
            if notify {
                peer.connection.send_close_notify();
                peer.pump();
            } else {
                peer.end();
            }
            let end = socket.read(|_| {}).unwrap_err();
            assert_eq!(end.kind(), ErrorKind::UnexpectedEof);
            let (mut peer, mut socket) = Peer::over(version, 1 << 20);
            carry(&mut peer, &mut socket, b"the end");
            socket.close_notify().unwrap();
            peer.pump();
            assert_eq!(peer.read, b"the end");
            let state = peer.connection.process_new_packets().unwrap();
            assert!(state.peer_has_closed());
            assert!(socket.write(b"x").is_err(), "nothing follows the end");
        }
    }

    #[test]
    fn bytes_that_are_no_record_end_it_with_an_alert() {
        let (mut peer, mut socket) = Peer::connected();
        peer.send_raw(&[
            23, 3, 3, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        ]);
        assert_eq!(
            socket.read(|_| {}).unwrap_err().kind(),
            ErrorKind::InvalidData
        );
        peer.pump();
        let told = peer.connection.process_new_packets().unwrap_err();
        assert_eq!(told.to_string(), "received fatal alert: BadRecordMac");
    }

    #[test]
    fn an_idle_socket_keeps_no_buffers() {
        let (mut peer, mut socket) = Peer::connected();
        assert_eq!(socket.records.buffered(), 0, "after the handshake");
        carry(&mut peer, &mut socket, &pattern(100_000));
        peer.send(&pattern(60_000));
        socket.read(|_| {}).unwrap();
        assert_eq!(socket.records.buffered(), 0, "after traffic");
    }
}
