//! One connection, from its first byte to its last.
//!
//! What it begins with is read here, before hyper exists: a head that breaks
//! the rules is refused, HTTP/2 goes to hyper's `http2`, and of HTTP/1 a
//! request for a stream is answered here; everything else goes to hyper's
//! `http1`, behind a [gate](crate::http1).

pub mod closing;
pub mod face;
mod flood;
mod frames;
mod http1;
mod http2;
pub mod open;
#[cfg(test)]
pub mod tests;
pub mod times;

use crate::drain::Drain;
use crate::http1::{First, Gated, Requests};
use crate::lanes;
use crate::tls::TlsStream;
use face::Face;
use open::Opened;
use socket2::SockRef;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// A peer that takes nothing for so long is gone.
pub const USER_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a connection may still ask once the hub drains: what was sent
/// before the news got there is answered, not cut off.
const LAST_REQUESTS: Duration = Duration::from_secs(1);

/// What carries a connection's bytes.
pub trait Socket: AsyncRead + AsyncWrite + Unpin + Send + Sized + 'static {
    /// Whether a lane can carry it.
    const CAN_LEAVE: bool = true;

    /// Leaves the runtime for a lane.
    ///
    /// # Errors
    /// What the system says; the socket is closed then.
    fn leave(self) -> io::Result<lanes::Socket>;
}

impl Socket for TcpStream {
    fn leave(self) -> io::Result<lanes::Socket> {
        self.into_std().map(lanes::Socket::plain)
    }
}

impl Socket for TlsStream<TcpStream> {
    fn leave(self) -> io::Result<lanes::Socket> {
        let (socket, records, unread) = self.into_parts();
        if !unread.is_empty() {
            // A lane would take it for what no watcher sends, and end.
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(lanes::Socket::tls(socket.into_std()?, records))
    }
}

/// Serves a connection that was accepted.
pub async fn serve(stream: TcpStream, face: Arc<Face>, opened: Opened) {
    let socket = SockRef::from(&stream);
    // Both are improvements only; a peer that is gone already refuses them.
    let _ = socket.set_tcp_nodelay(true);
    let _ = socket.set_tcp_user_timeout(Some(USER_TIMEOUT));
    let Some(tls) = &face.tls else {
        return speak(stream, face, opened).await;
    };
    let accepted = {
        let drain = face.hub.drain();
        let mut last_call = pin!(last_call(drain, drain.has_begun()));
        tokio::select! {
            accepted = tls.accept(stream) => accepted,
            () = &mut last_call => return,
            () = opened.place.sent_away() => return,
        }
    };
    match accepted {
        Ok(stream) => {
            opened.place.speaks_tls();
            speak(stream, face, opened).await;
        }
        Err(error) => {
            tracing::debug!(%error, "no TLS connection");
            face.hub.metrics().count_handshake_failure(error.reason());
        }
    }
}

/// Speaks HTTP with whoever is at the other end of `socket`.
async fn speak<S: Socket>(socket: S, face: Arc<Face>, opened: Opened) {
    let requests = Arc::new(Requests::new());
    let late = face.hub.drain().has_begun();
    let hub = Arc::clone(&face.hub);
    let mut gated = Gated::new(socket, hub, Arc::clone(&requests), face.times);
    let first = {
        let mut last_call = pin!(last_call(face.hub.drain(), late));
        tokio::select! {
            first = gated.first() => first,
            () = &mut last_call => return,
            () = opened.place.sent_away() => return,
        }
    };
    match first {
        Ok(First::Http1) => http1::serve(gated, face, requests, late, opened).await,
        Ok(First::Http2) => {
            let (socket, read) = gated.into_parts();
            http2::serve(socket, read, face, requests, late, opened).await;
        }
        Ok(First::Nothing) => drop(gated.close().await),
        Ok(First::Late) => {}
        Err(error) => tracing::debug!(%error, "a connection ended badly"),
    }
}

/// Resolves when a connection of HTTP/1, which has no word for it, is to be
/// ended because the hub drains. One that came when it did already is answered
/// for as long as there is a hub.
async fn last_call(drain: &Drain, late: bool) {
    if late {
        drain.over().await;
        // Who came in the last moment is told when to come back.
        return tokio::time::sleep(LAST_REQUESTS / 2).await;
    }
    drain.begun().await;
    tokio::time::sleep(drain.window().min(LAST_REQUESTS)).await;
}
