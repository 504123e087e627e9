//! A socket whose bytes pass a gate before anyone reads them.

use super::gate::{End, Gate, TOGETHER, Whole};
use super::head;
use super::refusal::Refusal;
use super::requests::Requests;
use crate::connection::closing::{Closing, read_piece};
use crate::connection::times::{Patience, Times, Wait};
use crate::hub::Hub;
use crate::native;
use bytes::{Buf, Bytes, BytesMut};
use http::{Request, request};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How many bytes of requests behind one another are read ahead: as much as a
/// body may hold without being counted.
const AHEAD_BYTES: usize = 64 * 1024;

/// An HTTP connection as hyper reads it. Nothing of a head that breaks the
/// rules, and nothing behind it, is ever read; the refusal is written when
/// hyper shuts the connection down.
///
/// A head that asks for a stream is held back: it is for whoever owns the
/// connection, who gets it back from hyper once all answers are written.
///
/// hyper takes the end of what it reads for the end of the peer, and then drops
/// the answer it is writing. So where something else ends the connection, hyper
/// is told of an end only once all answers are written.
pub struct Gated<S> {
    socket: S,
    hub: Arc<Hub>,
    times: Times,
    gate: Gate,
    /// Read and not passed on; the first `passing` bytes may be.
    inbound: BytesMut,
    passing: usize,
    /// Whether more than those may pass.
    unjudged: bool,
    held: Option<Box<request::Parts>>,
    reading: Reading,
    requests: Arc<Requests>,
    /// How many heads had passed when all answers to them were written last.
    settled: usize,
    patience: Patience,
    writing: Patience,
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

/// What a connection has begun with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum First {
    /// A head of HTTP/1.
    Http1,
    /// The preface of HTTP/2.
    Http2,
    /// Something that is refused, or an end.
    Nothing,
    /// Nothing that would have been anything in time.
    Late,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Gated<S> {
    /// `socket`, from its first byte.
    pub fn new(socket: S, hub: Arc<Hub>, requests: Arc<Requests>, times: Times) -> Self {
        Self {
            socket,
            hub,
            times,
            gate: Gate::new(),
            inbound: BytesMut::new(),
            passing: 0,
            unjudged: false,
            held: None,
            reading: Reading::On,
            requests,
            settled: 0,
            patience: Patience::default(),
            writing: Patience::default(),
            refusal: None,
            closing: Closing::Not,
        }
    }

    /// Reads until it is known what the connection begins with.
    ///
    /// # Errors
    /// What the socket says.
    pub async fn first(&mut self) -> io::Result<First> {
        poll_fn(|cx| {
            loop {
                if self.gate.is_http2() {
                    return Poll::Ready(Ok(First::Http2));
                }
                if self.passing > 0 || self.held.is_some() {
                    return Poll::Ready(Ok(First::Http1));
                }
                if self.reading != Reading::On {
                    return Poll::Ready(Ok(First::Nothing));
                }
                match self.poll_fill(cx) {
                    Poll::Ready(filled) => filled?,
                    Poll::Pending => {
                        let wait = Some(Wait::FirstHead);
                        ready!(self.patience.poll(wait, &self.times, cx));
                        return Poll::Ready(Ok(First::Late));
                    }
                }
            }
        })
        .await
    }

    /// The head that is held back, if it is the next to be answered: all before
    /// it are.
    pub fn next(&self) -> Option<&request::Parts> {
        let goes_on = self.is_settled() && !self.requests.are_closed();
        self.held.as_deref().filter(|_| goes_on)
    }

    /// The number of the next request that passes.
    pub fn number(&self) -> usize {
        self.gate.heads()
    }

    /// Lets the head pass that is held back.
    pub fn release(&mut self) {
        self.held = None;
        self.gate.release();
        self.judge();
    }

    /// The socket, and what of it was read.
    pub fn into_parts(self) -> (S, Bytes) {
        (self.socket, self.inbound.freeze())
    }

    /// The socket, of which everything was read that has come, and nothing
    /// stands behind the head that is held back.
    pub fn into_socket(self) -> S {
        self.socket
    }

    /// Shuts the connection down, unless that was done already; a refusal is
    /// told.
    ///
    /// # Errors
    /// What the socket says.
    pub async fn close(mut self) -> io::Result<()> {
        poll_fn(|cx| Pin::new(&mut self).poll_shutdown(cx)).await
    }

    /// Reads on and judges what came.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut came = false;
        loop {
            let inbound = &mut self.inbound;
            let take = |piece: &[u8]| inbound.extend_from_slice(piece);
            match read_piece(&mut self.socket, cx, take)? {
                Poll::Pending if came => return Poll::Ready(Ok(())),
                Poll::Pending => return Poll::Pending,
                Poll::Ready(0) => {
                    self.reading = Reading::Ended;
                    return Poll::Ready(Ok(()));
                }
                Poll::Ready(_) => came = true,
            }
            self.judge();
            // More may be admitted together with what is there.
            let waiting = self.requests.waiting();
            let more = (1..TOGETHER).contains(&waiting) && self.inbound.len() < AHEAD_BYTES;
            if !more || self.unjudged || self.reading != Reading::On || self.held.is_some() {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Looks whether something comes behind the head that is held back, and
    /// then no longer holds it back.
    fn poll_behind(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let inbound = &mut self.inbound;
        let take = |piece: &[u8]| inbound.extend_from_slice(piece);
        match ready!(read_piece(&mut self.socket, cx, take))? {
            0 => self.reading = Reading::Ended,
            _ => self.release(),
        }
        Poll::Ready(Ok(()))
    }

    fn judge(&mut self) {
        loop {
            let rest = &self.inbound[self.passing..];
            let verdict = self.gate.judge(rest);
            if verdict.pass > 0 {
                self.patience.renew();
            }
            self.wait(&verdict.whole);
            self.unjudged = verdict.whole.len() == TOGETHER;
            self.passing += verdict.pass;
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
            let Some(len) = self.gate.held() else { return };
            let head = head::request(&self.inbound[self.passing..][..len]);
            self.held = head.filter(native::may_watch).map(Box::new);
            if self.held.is_some() {
                return;
            }
            self.gate.release();
        }
    }

    /// Publish requests that came together can be admitted together. `whole`
    /// stands behind what may pass already.
    fn wait(&self, whole: &[Whole]) {
        if whole.len() < 2 && self.requests.waiting() == 0 {
            return;
        }
        let rest = &self.inbound[self.passing..];
        for whole in whole {
            let head = head::request(&rest[whole.head.clone()]);
            let Some(head) = head.filter(|head| !native::is_stream(head)) else {
                continue;
            };
            let body = Bytes::copy_from_slice(&rest[whole.head.end..whole.end]);
            self.requests
                .wait(whole.number, Request::from_parts(head, body));
        }
    }

    fn fall_silent(&mut self) {
        self.reading = match self.gate.heads() {
            0 => Reading::Ended,
            _ => Reading::Silent,
        };
    }

    /// Whether every request that has passed is answered, to the last byte.
    fn is_settled(&self) -> bool {
        self.settled == self.gate.heads()
    }

    /// What the connection waits for, if it is the peer's turn.
    fn waits_for(&self) -> Option<Wait> {
        if self.gate.is_within_head(&self.inbound) {
            return Some(Wait::Head);
        }
        (self.is_settled() && !self.gate.is_within_body()).then_some(Wait::Request)
    }

    /// What is to be written behind the last answer. An answer that said it is
    /// the last is the last.
    fn last_word(&mut self) -> Option<Bytes> {
        let refusal = self.refusal.take()?;
        (!self.requests.are_closed()).then(|| refusal.response())
    }

    /// Whether the peer has sent something that nobody has read.
    fn has_unread(&self) -> bool {
        !self.inbound.is_empty() || self.gate.is_within_body()
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
            if gated.unjudged {
                gated.judge();
                continue;
            }
            let stops = gated.held.is_some() || gated.reading == Reading::Silent;
            if gated.reading == Reading::Ended || (stops && gated.is_settled()) {
                return Poll::Ready(Ok(()));
            }
            if gated.held.is_some() {
                // Another answer comes first. If something comes meanwhile, it
                // is no longer the last that was asked.
                ready!(gated.poll_behind(cx))?;
                continue;
            }
            let wait = match gated.reading {
                Reading::Silent => Some(Wait::Answers),
                _ => match gated.poll_fill(cx) {
                    Poll::Ready(Ok(())) => continue,
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => gated.waits_for(),
                },
            };
            match ready!(gated.patience.poll(wait, &gated.times, cx)) {
                Wait::Head => gated.fall_silent(),
                _ => gated.reading = Reading::Ended,
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Gated<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let gated = self.get_mut();
        let written = Pin::new(&mut gated.socket).poll_write(cx, bytes);
        gated.writing.poll_written(written, &gated.times, cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let gated = self.get_mut();
        let written = Pin::new(&mut gated.socket).poll_write_vectored(cx, pieces);
        gated.writing.poll_written(written, &gated.times, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    /// hyper flushes when it has nothing more to write itself.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.socket).poll_flush(cx))?;
        let heads = self.gate.heads();
        if self.settled != heads && self.requests.answered() == heads {
            self.settled = heads;
            // What was waiting for this, and the time without a request.
            cx.waker().wake_by_ref();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let gated = self.get_mut();
        if gated.next().is_some() {
            return Poll::Ready(Ok(()));
        }
        if !gated.closing.has_begun() {
            let answer = gated.last_word();
            if answer.is_none() && !gated.has_unread() {
                return Pin::new(&mut gated.socket).poll_shutdown(cx);
            }
            gated.closing = Closing::begin(answer.unwrap_or_default());
        }
        gated.closing.poll(&mut gated.socket, cx)
    }
}
