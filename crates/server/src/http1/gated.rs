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
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// How many bytes are asked for at once.
const READ: usize = 16 * 1024;
/// How long a head may take from its first byte, also behind an answer that
/// has no end.
const HALF_HEAD: Duration = Duration::from_secs(10);
/// How long, and for how many bytes, a peer that has not been read to its end
/// is still listened to: closing a socket that has unread bytes would take the
/// answer from it.
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
pub struct Gated<S: AsyncWrite + Unpin> {
    socket: S,
    hub: Arc<Hub>,
    gate: Gate,
    /// Read and not passed on; the first `passing` bytes may be.
    inbound: BytesMut,
    passing: usize,
    reading: Reading,
    requests: Arc<Requests>,
    /// Runs while there is a part of a head.
    half_head: Option<Pin<Box<Sleep>>>,
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

impl<S: AsyncWrite + Unpin> Gated<S> {
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
            half_head: None,
            refusal: None,
            closing: Closing::Not,
        }
    }

    fn judge(&mut self) {
        let verdict = self.gate.judge(&self.inbound);
        self.passing = verdict.pass;
        if verdict.pass > 0 {
            self.half_head = None;
        }
        match verdict.end {
            None => {}
            Some(End::Body) => self.reading = Reading::Ended,
            Some(End::Behind) => self.fall_silent(),
            Some(End::Head(refusal)) => {
                self.hub.metrics().count_problem(refusal.code().as_str());
                self.refusal = Some(refusal);
                self.fall_silent();
            }
        }
    }

    fn fall_silent(&mut self) {
        self.reading = match self.gate.heads() {
            0 => Reading::Ended,
            _ => Reading::Silent,
        };
        self.requests.refuse(self.gate.heads());
    }

    /// Resolves when a head that has begun has taken too long.
    fn poll_half_head(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.gate.is_within_head(&self.inbound) {
            return Poll::Pending;
        }
        let timer = self
            .half_head
            .get_or_insert_with(|| Box::pin(sleep(HALF_HEAD)));
        timer.as_mut().poll(cx)
    }

    /// What is to be written behind the last answer. An answer that said it is
    /// the last is the last.
    fn last_word(&mut self) -> Option<Bytes> {
        let refusal = self.refusal.take()?;
        (!self.requests.are_closed()).then(|| refusal.response().into())
    }

    /// Whether the peer has sent something that nobody has read.
    fn has_unread(&self) -> bool {
        !self.inbound.is_empty() || self.gate.is_within_body()
    }
}

impl<S: AsyncWrite + Unpin> Drop for Gated<S> {
    /// hyper doesn't shut a connection down on which an upgrade was asked for,
    /// though nobody has granted it.
    fn drop(&mut self) {
        if matches!(self.closing, Closing::Not)
            && self.requests.have_ended()
            && let Some(answer) = self.last_word()
        {
            let cx = &mut Context::from_waker(Waker::noop());
            // A socket that can't take it at once goes without.
            let _ = Pin::new(&mut self.socket).poll_write(cx, &answer);
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Gated<S> {
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
            match read_more(&mut gated.socket, cx, &mut gated.inbound) {
                Poll::Ready(Ok(0)) => gated.reading = Reading::Ended,
                Poll::Ready(Ok(_)) => gated.judge(),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    ready!(gated.poll_half_head(cx));
                    gated.fall_silent();
                }
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
                    let answer = gated.last_word();
                    if answer.is_none() && !gated.has_unread() {
                        return Pin::new(&mut gated.socket).poll_shutdown(cx);
                    }
                    gated.closing = Closing::Answering(answer.unwrap_or_default());
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
