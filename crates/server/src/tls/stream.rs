//! A socket with TLS for tokio.

use super::records::Records;
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A connection over the socket `S`.
pub struct TlsStream<S> {
    socket: S,
    records: Records,
    /// Decrypted; the first `read` bytes have been read.
    plaintext: Vec<u8>,
    read: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream<S> {
    /// A connection whose handshake has not begun.
    pub(super) fn new(socket: S, records: Records) -> Self {
        Self {
            socket,
            records,
            plaintext: Vec::new(),
            read: 0,
        }
    }

    /// The socket, the connection on it, and what was decrypted and not read.
    pub fn into_parts(self) -> (S, Records, Vec<u8>) {
        let rest = self.plaintext[self.read..].to_vec();
        (self.socket, self.records, rest)
    }

    /// Goes through with the handshake.
    ///
    /// # Errors
    /// `UnexpectedEof` if the peer ends, `InvalidData` if it breaks the
    /// protocol, and those of the socket.
    pub(super) async fn handshake(&mut self) -> io::Result<()> {
        poll_fn(|cx| {
            loop {
                // Also when the peer isn't ready: it must not wait for an answer.
                let flushed = self.poll_records(cx)?;
                if !self.records.is_handshaking() {
                    return flushed.map(Ok);
                }
                if ready!(self.poll_receive(cx))? == 0 {
                    return Poll::Ready(Err(ErrorKind::UnexpectedEof.into()));
                }
            }
        })
        .await
    }

    pub(super) fn begins_like_http(&self) -> bool {
        self.records.begins_like_http()
    }

    pub(super) fn into_socket(self) -> S {
        self.socket
    }

    /// Reads and decrypts; 0 at the end. An alert is on its way if that fails.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let (socket, plaintext) = (&mut self.socket, &mut self.plaintext);
        let read = |buffer: &mut [u8]| {
            let mut buffer = ReadBuf::new(buffer);
            match Pin::new(socket).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) => Ok(buffer.filled().len()),
                Poll::Ready(Err(error)) => Err(error),
                Poll::Pending => Err(ErrorKind::WouldBlock.into()),
            }
        };
        let take = |bytes: &[u8]| plaintext.extend_from_slice(bytes);
        match self.records.receive(read, take) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Poll::Pending,
            Err(error) => {
                let _ = self.poll_records(cx);
                Poll::Ready(Err(error))
            }
            read => Poll::Ready(read),
        }
    }

    /// Hands everything that is encrypted to the socket.
    fn poll_records(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.records.outgoing().is_empty() {
            let bytes = self.records.outgoing();
            match ready!(Pin::new(&mut self.socket).poll_write(cx, bytes))? {
                0 => return Poll::Ready(Err(ErrorKind::WriteZero.into())),
                written => self.records.sent(written),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for TlsStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.plaintext.is_empty() {
            // A peer that closes without a `close_notify` has ended too: whether
            // something was cut off is said by the lengths of HTTP.
            if this.records.peer_has_closed() || ready!(this.poll_receive(cx))? == 0 {
                return Poll::Ready(Ok(()));
            }
        }
        let rest = &this.plaintext[this.read..];
        let count = rest.len().min(buffer.remaining());
        buffer.put_slice(&rest[..count]);
        this.read += count;
        if this.read == this.plaintext.len() {
            (this.plaintext, this.read) = (Vec::new(), 0);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for TlsStream<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_records(cx))?;
        let mut taken = 0;
        while taken < bytes.len() {
            taken += this.records.seal(&bytes[taken..])?;
            // What the socket doesn't take now waits for the next write or flush.
            if this.poll_records(cx)?.is_pending() {
                break;
            }
        }
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_records(cx))?;
        Pin::new(&mut this.socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.records.close();
        ready!(this.poll_records(cx))?;
        Pin::new(&mut this.socket).poll_shutdown(cx)
    }
}
