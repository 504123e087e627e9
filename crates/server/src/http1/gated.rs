//! A socket whose bytes pass a gate before anyone reads them.

use super::gate::{End, Gate};
use super::refusal::Refusal;
use super::requests::Requests;
use crate::hub::Hub;
use bytes::{Buf, Bytes, BytesMut};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// How many bytes are asked for at once.
const READ: usize = 16 * 1024;
/// How long, and for how many bytes, a peer that was refused is still listened
/// to: closing a socket that has unread bytes would take the answer from it.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 1 << 20;

/// An HTTP connection as hyper reads it. Nothing of a head that breaks the
/// rules, and nothing behind it, is ever read; the refusal is written when
/// hyper shuts the connection down.
///
/// hyper takes the end of what it reads for the end of the peer, and then drops
/// the answer it is writing. So if anything was read before, the connection
/// doesn't end but falls silent, and [`Requests`] tell whoever serves it when
/// to shut it down.
pub struct Gated<S> {
    socket: S,
    hub: Arc<Hub>,
    gate: Gate,
    /// Read and not passed on; the first `passing` bytes may be.
    inbound: BytesMut,
    passing: usize,
    reading: Reading,
    requests: Arc<Requests>,
    refusal: Option<Refusal>,
    closing: Closing,
}

#[derive(Debug, PartialEq, Eq)]
enum Reading {
    On,
    /// The peer has said its last, or what can be understood of it.
    Ended,
    /// Nothing more is read, but answers are still on their way.
    Silent,
}

enum Closing {
    Not,
    Answering(Bytes),
    Lingering { until: Pin<Box<Sleep>>, left: usize },
    Done,
}

impl<S> Gated<S> {
    /// `socket`, from its first byte.
    pub fn new(socket: S, hub: Arc<Hub>, requests: Arc<Requests>) -> Self {
        Self {
            socket,
            hub,
            gate: Gate::new(),
            inbound: BytesMut::new(),
            passing: 0,
            reading: Reading::On,
            requests,
            refusal: None,
            closing: Closing::Not,
        }
    }

    fn judge(&mut self) {
        let verdict = self.gate.judge(&self.inbound);
        self.passing = verdict.pass;
        match verdict.end {
            None => {}
            Some(End::Body) => self.reading = Reading::Ended,
            Some(End::Head(refusal)) => {
                self.hub.metrics().count_problem(refusal.code().as_str());
                self.refusal = Some(refusal);
                self.reading = match self.gate.heads() {
                    0 => Reading::Ended,
                    _ => Reading::Silent,
                };
                self.requests.refuse(self.gate.heads());
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gated<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let gated = self.get_mut();
        loop {
            if gated.passing > 0 {
                let len = gated.passing.min(out.remaining());
                out.put_slice(&gated.inbound[..len]);
                gated.inbound.advance(len);
                gated.passing -= len;
                if gated.inbound.is_empty() {
                    // An idle connection keeps no buffer.
                    gated.inbound = BytesMut::new();
                }
                return Poll::Ready(Ok(()));
            }
            match gated.reading {
                Reading::On => {}
                Reading::Ended => return Poll::Ready(Ok(())),
                Reading::Silent => return Poll::Pending,
            }
            match ready!(read_more(&mut gated.socket, cx, &mut gated.inbound))? {
                0 => gated.reading = Reading::Ended,
                _ => gated.judge(),
            }
        }
    }
}

/// Reads on behind what `inbound` holds; how many bytes came.
fn read_more<S: AsyncRead + Unpin>(
    socket: &mut S,
    cx: &mut Context<'_>,
    inbound: &mut BytesMut,
) -> Poll<io::Result<usize>> {
    let mut space = [const { std::mem::MaybeUninit::uninit() }; READ];
    let mut read = ReadBuf::uninit(&mut space);
    ready!(Pin::new(socket).poll_read(cx, &mut read))?;
    inbound.extend_from_slice(read.filled());
    Poll::Ready(Ok(read.filled().len()))
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Gated<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let gated = self.get_mut();
        loop {
            match &mut gated.closing {
                Closing::Not => {
                    let Some(refusal) = gated.refusal.take() else {
                        return Pin::new(&mut gated.socket).poll_shutdown(cx);
                    };
                    gated.closing = Closing::Answering(refusal.response().into());
                }
                Closing::Answering(answer) if !answer.is_empty() => {
                    let written = ready!(Pin::new(&mut gated.socket).poll_write(cx, answer))?;
                    if written == 0 {
                        return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                    }
                    answer.advance(written);
                }
                Closing::Answering(_) => {
                    ready!(Pin::new(&mut gated.socket).poll_shutdown(cx))?;
                    gated.closing = Closing::Lingering {
                        until: Box::pin(sleep(LINGER)),
                        left: LINGER_BYTES,
                    };
                }
                Closing::Lingering { until, left } => {
                    gated.inbound.clear();
                    let over = until.as_mut().poll(cx).is_ready();
                    let len = match read_more(&mut gated.socket, cx, &mut gated.inbound) {
                        Poll::Ready(read) => read.unwrap_or(0),
                        Poll::Pending if over => 0,
                        Poll::Pending => return Poll::Pending,
                    };
                    *left = left.saturating_sub(len);
                    if len == 0 || *left == 0 || over {
                        gated.closing = Closing::Done;
                    }
                }
                Closing::Done => return Poll::Ready(Ok(())),
            }
        }
    }
}
