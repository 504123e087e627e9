//! Ending a connection so that its peer gets the last word.

use bytes::{Buf, Bytes};
use std::future::Future;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// How long, and for how many bytes, a peer that has not been read to its end
/// is still listened to: closing a socket that has unread bytes would take the
/// last answer from it.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 1 << 20;
/// How long the last word may take to be written.
const LAST_WORD: Duration = Duration::from_secs(5);
/// How many bytes are asked for at once.
const READ: usize = 16 * 1024;

/// How far the end of a connection is.
#[derive(Default)]
pub enum Closing {
    /// It has not begun.
    #[default]
    Not,
    /// The last word is being written.
    Saying(Bytes, Pin<Box<Sleep>>),
    /// The peer is listened to, and nothing is said.
    Lingering {
        /// Until when,
        until: Pin<Box<Sleep>>,
        /// and for how many bytes.
        left: usize,
    },
    /// Nothing is to be done any more.
    Done,
}

impl Closing {
    /// Whether it has begun.
    pub fn has_begun(&self) -> bool {
        !matches!(self, Self::Not)
    }

    /// Begins: `last_word` is still to be said.
    pub fn begin(last_word: Bytes) -> Self {
        Self::Saying(last_word, Box::pin(sleep(LAST_WORD)))
    }

    /// Says the last word, shuts the connection down and listens until the peer
    /// has heard it, or time is up.
    pub fn poll<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        socket: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            match self {
                Self::Not => *self = Self::begin(Bytes::new()),
                Self::Saying(word, until) => {
                    if until.as_mut().poll(cx).is_ready() {
                        *self = Self::Done;
                        return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                    }
                    while !word.is_empty() {
                        let written = ready!(Pin::new(&mut *socket).poll_write(cx, word))?;
                        if written == 0 {
                            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                        }
                        word.advance(written);
                    }
                    ready!(Pin::new(&mut *socket).poll_shutdown(cx))?;
                    *self = Self::Lingering {
                        until: Box::pin(sleep(LINGER)),
                        left: LINGER_BYTES,
                    };
                }
                Self::Lingering { until, left } => {
                    let over = until.as_mut().poll(cx).is_ready();
                    let len = match read_piece(socket, cx, |_| {}) {
                        Poll::Ready(read) => read.unwrap_or(0),
                        Poll::Pending if over => 0,
                        Poll::Pending => return Poll::Pending,
                    };
                    *left = left.saturating_sub(len);
                    if len == 0 || *left == 0 || over {
                        *self = Self::Done;
                    }
                }
                Self::Done => return Poll::Ready(Ok(())),
            }
        }
    }
}

/// Reads what there is, up to 16 KiB; how many bytes came.
pub fn read_piece<S: AsyncRead + Unpin>(
    socket: &mut S,
    cx: &mut Context<'_>,
    take: impl FnOnce(&[u8]),
) -> Poll<io::Result<usize>> {
    let mut space = [const { MaybeUninit::uninit() }; READ];
    let mut read = ReadBuf::uninit(&mut space);
    ready!(Pin::new(socket).poll_read(cx, &mut read))?;
    take(read.filled());
    Poll::Ready(Ok(read.filled().len()))
}
