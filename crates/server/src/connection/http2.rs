//! HTTP/2, which hyper speaks; here is what it has no bound for: a connection
//! without streams, and frames that carry nothing.

use super::Socket;
use super::closing::Closing;
use super::face::{Answer, Face};
use super::flood::Flood;
use super::frames::{CONTINUATION, Frames, HEADERS, goaway};
use super::open::Opened;
use super::times::{Patience, Times, Wait};
use crate::http::ReplyBody;
use crate::http::body::RequestBody;
use crate::http1::Requests;
use bytes::{Buf, Bytes};
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tidings_engine::limits::{BODY_WINDOW_BYTES, HEAD_BYTES};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep, sleep_until};

/// How often a peer is asked whether it is still there.
const PING: Duration = Duration::from_secs(15);
/// What hyper may keep of a stream's body, in bytes.
const SEND_BYTES: usize = 64 * 1024;
/// What a publisher may send on all streams of a connection that nobody has
/// read, in bytes. Bodies are bounded in number, so that not every connection
/// can have as much (`Hub::receive_body`). h2 ends a connection when the
/// overhead of its unread DATA frames, up to 255 bytes a frame, reaches half of
/// this: a stream's window full of events of a few bytes, each in a frame of
/// its own, must not.
const CONNECTION_WINDOW: u32 = 16 * 1024 * 1024;
/// ENHANCE_YOUR_CALM (RFC 9113, 7).
const CALM: u32 = 0xb;

/// Serves a connection of which `read` has come, the preface and what followed.
pub async fn serve<S: Socket>(
    socket: S,
    read: Bytes,
    face: Arc<Face>,
    requests: Arc<Requests>,
    late: bool,
    opened: Opened,
) {
    let service = {
        let (face, requests) = (Arc::clone(&face), Arc::clone(&requests));
        let place = opened.place.clone();
        service_fn(move |request: Request<Incoming>| {
            requests.begin();
            let answering = (requests.answering(), place.ask());
            let (face, place) = (Arc::clone(&face), place.clone());
            let requests = Arc::clone(&requests);
            // hyper keeps as much room for a stream's body as answering took: it
            // is given a box, which goes when the answer is there.
            Box::pin(async move {
                let request = request.map(RequestBody::Incoming);
                let mut reply = face.answer(request, &place).await;
                let stall = face.times.stall;
                match reply.body_mut() {
                    ReplyBody::Whole(Some(bytes)) => {
                        *bytes = requests.owe(std::mem::take(bytes), stall);
                    }
                    ReplyBody::Pages(pages) => {
                        let requests = Arc::clone(&requests);
                        let piece = Bytes::from_static(b"a piece");
                        pages.owe(Box::new(move || requests.owe(piece.clone(), stall)));
                    }
                    _ => {}
                }
                Ok::<_, Infallible>(Answer::to(reply, answering))
            })
        })
    };
    let framed = Framed::new(socket, read, face.times);
    let mut connection = pin!(builder().serve_connection(TokioIo::new(framed), service));
    let mut last_call = pin!(async {
        match late {
            true => face.hub.drain().over().await,
            false => face.hub.drain().begun().await,
        }
    });
    // The news takes its time to be heeded, and is not by all.
    let news = face.times.idle.saturating_sub(face.times.last_answers);
    let mut idle = pin!(idle(&requests, news));
    let mut cut = pin!(sleep(face.times.last_answers));
    let mut overdue = pin!(requests.overdue());
    let mut sent_away = pin!(opened.place.sent_away());
    let mut first_request = pin!(sleep(face.times.first_head));
    let (mut draining, mut idled, mut waiting) = (false, false, true);
    loop {
        tokio::select! {
            served = &mut connection => {
                if let Err(error) = served {
                    tracing::debug!(%error, "a connection ended badly");
                }
                return;
            }
            () = &mut first_request, if waiting => {
                waiting = false;
                if !requests.have_begun() {
                    return;
                }
            }
            // GOAWAY says which requests are answered.
            () = &mut last_call, if !draining => {
                draining = true;
                connection.as_mut().graceful_shutdown();
            }
            () = async { tokio::select! { () = &mut idle => {}, () = &mut sent_away => {} } }, if !idled => {
                idled = true;
                connection.as_mut().graceful_shutdown();
                cut.as_mut().reset(Instant::now() + face.times.last_answers);
            }
            () = &mut overdue => return,
            () = &mut cut, if idled && requests.idle_since().is_some() => return,
        }
    }
}

fn builder() -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING)
        .max_send_buf_size(SEND_BYTES)
        .initial_stream_window_size(BODY_WINDOW_BYTES as u32)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(HEAD_BYTES as u32);
    builder
}

/// Resolves when there has been no request for so long.
async fn idle(requests: &Requests, time: Duration) {
    loop {
        match requests.idle_since() {
            Some(since) if since.elapsed() >= time => return,
            Some(since) => sleep_until(since + time).await,
            None => sleep(time).await,
        }
    }
}

/// A connection's bytes as hyper reads and writes them. A peer that sends too
/// much of what carries nothing is told to calm down, and not read any more.
struct Framed<S> {
    socket: S,
    /// Read before hyper was there.
    read: Bytes,
    times: Times,
    since: Instant,
    inbound: Frames,
    outbound: Frames,
    flood: Flood,
    flooded: bool,
    /// The highest stream that the peer has begun.
    last_stream: u32,
    patience: Patience,
    writing: Patience,
    closing: Closing,
}

impl<S: Socket> Framed<S> {
    fn new(socket: S, read: Bytes, times: Times) -> Self {
        Self {
            socket,
            read,
            times,
            since: Instant::now(),
            inbound: Frames::of_peer(),
            outbound: Frames::of_ours(),
            flood: Flood::default(),
            flooded: false,
            last_stream: 0,
            patience: Patience::default(),
            writing: Patience::default(),
            closing: Closing::Not,
        }
    }

    /// Looks at what has just been read; how much of it there is to pass on.
    fn follow(&mut self, bytes: &[u8]) -> usize {
        if self.flooded {
            // To the end of the frame that was too much.
            let len = bytes.len().min(self.inbound.left());
            return self.inbound.follow(&bytes[..len], |_| true);
        }
        let now = self.since.elapsed();
        let Self {
            flood,
            last_stream,
            patience,
            ..
        } = self;
        let flooded = &mut self.flooded;
        self.inbound.follow(bytes, |frame| {
            if frame.kind == HEADERS {
                *last_stream = frame.stream.max(*last_stream);
            }
            if frame.kind != CONTINUATION {
                patience.renew();
            }
            *flooded = !flood.allows(frame, now);
            !*flooded
        })
    }

    /// Looks at what has just been written: the first `len` bytes of `pieces`.
    fn wrote<'b>(&mut self, pieces: impl IntoIterator<Item = &'b [u8]>, mut len: usize) {
        for piece in pieces {
            let part = &piece[..len.min(piece.len())];
            len -= part.len();
            self.outbound.follow(part, |frame| {
                self.flood.sent(frame);
                true
            });
        }
    }

    fn last_word(&self) -> Bytes {
        // Within another frame it would be a part of that.
        match self.flooded && self.outbound.is_between() {
            true => Bytes::copy_from_slice(&goaway(self.last_stream, CALM)),
            false => Bytes::new(),
        }
    }
}

impl<S: Socket> AsyncRead for Framed<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let framed = self.get_mut();
        if framed.flooded && framed.inbound.left() == 0 {
            // As if the peer had said its last: hyper then shuts down. It takes
            // half a frame for a fault, and doesn't.
            return Poll::Ready(Ok(()));
        }
        if framed.read.is_empty() {
            let before = out.filled().len();
            if Pin::new(&mut framed.socket)
                .poll_read(cx, out)?
                .is_pending()
            {
                let wait = framed.inbound.is_within_head().then_some(Wait::Head);
                ready!(framed.patience.poll(wait, &framed.times, cx));
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            let len = framed.follow(&out.filled()[before..]);
            framed.read = Bytes::copy_from_slice(&out.filled()[before + len..]);
            out.set_filled(before + len);
        } else {
            let len = framed.read.len().min(out.remaining());
            let piece = framed.read.slice(..len);
            let len = framed.follow(&piece);
            out.put_slice(&piece[..len]);
            framed.read.advance(len);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: Socket> AsyncWrite for Framed<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let framed = self.get_mut();
        let written = Pin::new(&mut framed.socket).poll_write(cx, bytes);
        let len = ready!(framed.writing.poll_written(written, &framed.times, cx))?;
        framed.wrote([bytes], len);
        Poll::Ready(Ok(len))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let framed = self.get_mut();
        let written = Pin::new(&mut framed.socket).poll_write_vectored(cx, pieces);
        let len = ready!(framed.writing.poll_written(written, &framed.times, cx))?;
        framed.wrote(pieces.iter().map(|piece| &**piece), len);
        Poll::Ready(Ok(len))
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let framed = self.get_mut();
        if !framed.flooded {
            return Pin::new(&mut framed.socket).poll_shutdown(cx);
        }
        if !framed.closing.has_begun() {
            framed.closing = Closing::begin(framed.last_word());
        }
        framed.closing.poll(&mut framed.socket, cx)
    }
}
