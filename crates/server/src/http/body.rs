//! Request bodies: whole and bounded, or piece by piece.

use crate::http::{Code, Problem};
use crate::hub::Hub;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body::Body;
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Frame, Incoming, SizeHint};
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tidings_engine::limits::BODY_FREE_BYTES;
use tokio::sync::SemaphorePermit;
use tokio::time::{Instant, timeout, timeout_at};

/// How long a whole body may take to arrive (bad-input row b23).
const WHOLE_BODY_TIME: Duration = Duration::from_secs(30);

/// The body of a request.
pub enum RequestBody {
    /// As it comes.
    Incoming(Incoming),
    /// All of it, once.
    Whole(Bytes),
    /// As it comes to an application.
    Other(UnsyncBoxBody<Bytes, BrokenOff>),
}

/// A body that doesn't come to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BrokenOff;

impl RequestBody {
    /// Whatever body a request has.
    pub fn of<B: Body<Data = Bytes> + Send + 'static>(body: B) -> Self {
        Self::Other(body.map_err(|_| BrokenOff).boxed_unsync())
    }

    /// No body.
    pub fn none() -> Self {
        Self::Whole(Bytes::new())
    }
}

/// Reads a body that nobody needs to its end.
pub async fn drained(mut body: RequestBody) {
    while let Some(Ok(_)) = body.frame().await {}
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        match &mut *self {
            Self::Incoming(incoming) => {
                let frame = Pin::new(incoming).poll_frame(cx);
                frame.map_err(|_| BrokenOff)
            }
            Self::Other(body) => Pin::new(body).poll_frame(cx),
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Incoming(incoming) => incoming.is_end_stream(),
            Self::Whole(bytes) => bytes.is_empty(),
            Self::Other(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Incoming(incoming) => incoming.size_hint(),
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Other(body) => body.size_hint(),
        }
    }
}

/// Refuses codings that we would have to undo (row b3).
///
/// # Errors
/// `415` for any `Content-Encoding` but `identity`.
pub fn check_coding(headers: &HeaderMap) -> Result<(), Problem> {
    let plain = |value: &http::HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    if headers.get_all(header::CONTENT_ENCODING).iter().all(plain) {
        return Ok(());
    }
    let detail = "bodies can't be compressed; send it without 'Content-Encoding'";
    Err(Problem::new(Code::UnsupportedMediaType, detail).closing())
}

/// The essence of `Content-Type` (`type/subtype`, lower case), or "".
pub fn essence(headers: &HeaderMap) -> String {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("");
    value
        .split(';')
        .next()
        .unwrap_or("")
        .trim()
        .to_ascii_lowercase()
}

/// Reads all of a body, within what `room` has for it.
///
/// # Errors
/// `413` as soon as it is known to be larger than `max_bytes`, `408` if it is
/// slow, `400` if it breaks off, `503` if there is no room.
pub async fn read_whole(
    mut body: RequestBody,
    max_bytes: usize,
    room: &mut Room<'_>,
) -> Result<Bytes, Problem> {
    let too_large = || {
        Problem::new(
            Code::TooLarge,
            format!("the body is larger than the limit of {max_bytes} bytes"),
        )
        .closing()
    };
    if body.size_hint().lower() > max_bytes as u64 {
        return Err(too_large());
    }
    let deadline = Instant::now() + WHOLE_BODY_TIME;
    // A piece of its own for every chunk of a byte would take many times what
    // is counted: one is kept as it came, more are copied together.
    let (mut first, mut all) = (Bytes::new(), BytesMut::new());
    let mut len = 0;
    loop {
        let Ok(piece) = timeout_at(deadline, next_data(&mut body)).await else {
            let detail = format!("the body took longer than {} s", WHOLE_BODY_TIME.as_secs());
            return Err(Problem::new(Code::BodyTimeout, detail).closing());
        };
        let Some(piece) = piece? else { break };
        len += piece.len();
        if len > max_bytes {
            return Err(too_large());
        }
        room.cover(len).await?;
        if len == piece.len() {
            first = piece;
        } else {
            all.extend_from_slice(&std::mem::take(&mut first));
            all.extend_from_slice(&piece);
        }
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}

/// What one body takes of the room that all bodies share. It is taken as bytes
/// arrive, not as they are announced, so that nobody holds it by promises.
pub struct Room<'h> {
    hub: &'h Hub,
    permits: Vec<SemaphorePermit<'h>>,
}

impl<'h> Room<'h> {
    /// What every body may hold uncounted, and the step of counting, in bytes.
    const STEP: usize = BODY_FREE_BYTES;

    /// No room taken yet.
    pub fn new(hub: &'h Hub) -> Self {
        Self {
            hub,
            permits: Vec::new(),
        }
    }

    /// Takes room, or gives it back, for a body that holds so many bytes now.
    ///
    /// # Errors
    /// `503` if there is none for a while.
    pub async fn cover(&mut self, bytes: usize) -> Result<(), Problem> {
        if bytes <= Self::STEP {
            self.permits.clear();
        }
        while bytes > Self::STEP * (self.permits.len() + 1) {
            self.permits.push(self.hub.reserve_body(Self::STEP).await?);
        }
        Ok(())
    }
}

/// A piece of a body that is a stream; `None` at its end. An error, where it
/// breaks off, comes once.
pub type Piece = Result<Option<Bytes>, Problem>;

/// The next piece of a body that is a stream.
///
/// # Errors
/// `408` after `silence` without a byte, `400` if it breaks off.
pub async fn next_piece(body: &mut RequestBody, silence: Duration) -> Piece {
    timeout(silence, next_data(body)).await.unwrap_or_else(|_| {
        let detail = format!(
            "nothing came for {} s; send comments or blank lines to keep a stream alive",
            silence.as_secs()
        );
        Err(Problem::new(Code::BodyTimeout, detail).closing())
    })
}

/// The next piece if it is there already. Whoever gets `None` asks with
/// [`next_piece`], which wakes them; this doesn't.
pub fn piece_at_once(body: &mut RequestBody) -> Option<Piece> {
    let next = pin!(next_data(body));
    match next.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(piece) => Some(piece),
        Poll::Pending => None,
    }
}

async fn next_data(body: &mut RequestBody) -> Piece {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| {
            Problem::new(Code::BadRequest, "the body broke off or is badly framed").closing()
        })?;
        // Trailers carry nothing for us.
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}
