//! Accepting connections.

use crate::connection::face::Face;
use crate::connection::open::{Open, Opened};
use crate::connection::{self, times::Times};
use crate::http::cors::Cors;
use crate::http::guard::{Guard, Rules};
use crate::hub::Hub;
use crate::occasional::Occasional;
use crate::places::{Place, Places};
use crate::serve::Address;
use crate::tls;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// How many connections may wait to be accepted; the kernel bounds it too.
const BACKLOG: i32 = 16384;
/// How long to wait after an accept that failed for want of something.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// An address that is taken, and refuses connections yet.
pub struct Bound {
    socket: Socket,
    local: SocketAddr,
    tls: Option<Arc<tls::Acceptor>>,
}

/// An address the hub listens on.
pub struct Listener {
    socket: TcpListener,
    face: Arc<Face>,
}

impl Bound {
    /// Takes the address; port 0 takes a free one.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn new(address: SocketAddr, tls: Option<Arc<tls::Acceptor>>) -> io::Result<Self> {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::STREAM,
            Some(Protocol::TCP),
        )?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        let local = socket.local_addr()?.as_socket();
        Ok(Self {
            socket,
            local: local.ok_or(io::ErrorKind::AddrNotAvailable)?,
            tls,
        })
    }

    /// The address, with the port that was taken.
    pub fn address(&self) -> Address {
        Address {
            socket: self.local,
            secure: self.tls.is_some(),
        }
    }
}

impl Listener {
    /// Takes connections from now on. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn new(
        bound: Bound,
        hub: &Arc<Hub>,
        rules: &Arc<Rules>,
        cors: &Arc<Cors>,
    ) -> io::Result<Self> {
        let Bound { socket, local, tls } = bound;
        socket.listen(BACKLOG)?;
        let socket = TcpListener::from_std(socket.into())?;
        let guard = Guard {
            local,
            secure: tls.is_some(),
            rules: Arc::clone(rules),
        };
        let face = Arc::new(Face {
            hub: Arc::clone(hub),
            guard,
            cors: Arc::clone(cors),
            tls,
            times: Times {
                stall: hub.stall(),
                ..Times::default()
            },
        });
        Ok(Self { socket, face })
    }

    /// Accepts and serves until the hub drains, and on until the last
    /// connection is gone or the window ends: so that a proxy sees a hub that
    /// is not ready, and a watcher that comes back is told when to try again,
    /// instead of a port that is closed.
    pub async fn run(self) {
        let Self { socket, face } = self;
        let hub = Arc::clone(&face.hub);
        let serve = move |stream, opened| connection::serve(stream, Arc::clone(&face), opened);
        accept_all(socket, &hub, serve).await;
    }
}

/// Gives each connection to `serve`, in a task of its own: if that panics, it
/// is the end of this one connection.
async fn accept_all<F: Future<Output = ()> + Send + 'static>(
    socket: TcpListener,
    hub: &Hub,
    serve: impl Fn(TcpStream, Opened) -> F,
) {
    let open = Open::new();
    let mut acceptor = Acceptor {
        socket,
        failures: Occasional::default(),
    };
    let mut connections = JoinSet::new();
    let drain = hub.drain();
    let (mut begun, mut over) = (pin!(drain.begun()), pin!(drain.over()));
    let mut draining = false;
    loop {
        tokio::select! {
            () = &mut begun, if !draining => draining = true,
            () = &mut over => break,
            (stream, place) = acceptor.accept(hub.places()) => {
                connections.spawn(serve(stream, open.add(place)));
            }
            () = open.none_left(), if draining => break,
            Some(_) = connections.join_next() => {}
        }
    }
    // Who stands in the queue would be sent away without a word.
    while let Some((stream, place)) = acceptor.accept_at_once(hub.places()) {
        connections.spawn(serve(stream, open.add(place)));
    }
    drop(acceptor);
    while connections.join_next().await.is_some() {}
    // What the lanes carry ends in the same window.
    open.none_left().await;
}

/// What accepting needs to remember.
struct Acceptor {
    socket: TcpListener,
    failures: Occasional,
}

impl Acceptor {
    /// A connection that waits to be accepted, if there is any.
    fn accept_at_once(&mut self, places: &Arc<Places>) -> Option<(TcpStream, Place)> {
        let next = pin!(self.accept(places));
        match next.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(accepted) => Some(accepted),
            Poll::Pending => None,
        }
    }

    /// The next connection, once there is room for it.
    async fn accept(&mut self, places: &Arc<Places>) -> (TcpStream, Place) {
        loop {
            places.room().await;
            match self.socket.accept().await {
                Ok((stream, peer)) => return (stream, places.connect(peer.ip())),
                Err(error) => {
                    if let Some(times) = self.failures.count(Instant::now()) {
                        tracing::warn!(%error, times, "a connection can't be accepted");
                    }
                    if is_shortage(&error) {
                        places.make_room();
                    }
                    // The peer is gone, or descriptors or memory are short: then
                    // asking again at once would only burn the processor.
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

/// Whether the system has no descriptor or memory to give.
fn is_shortage(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let shortages = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    Errno::from_io_error(error).is_some_and(|errno| shortages.contains(&errno))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::hub;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tidings_engine::Limits;
    use tidings_engine::SlowPolicy;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn a_panic_ends_one_connection_and_gives_its_place_back() {
        let socket = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = socket.local_addr().expect("an address");
        // One at a time: the second needs the place of the first.
        let hub = hub(
            Limits {
                connections: 1,
                ..Limits::default()
            },
            SlowPolicy::default(),
        );
        let served = Arc::new(AtomicUsize::new(0));
        let serve = |mut stream: TcpStream, opened: Opened| {
            let first = served.fetch_add(1, Ordering::SeqCst) == 0;
            async move {
                let _opened = opened;
                assert!(!first, "a mistake of ours");
                let _ = stream.write_all(b"served").await;
            }
        };
        let accepting = accept_all(socket, &hub, serve);
        let asking = async {
            for expect in ["", "served", "served"] {
                let mut stream = TcpStream::connect(address).await.expect("a listener");
                let mut all = String::new();
                let read = stream.read_to_string(&mut all).await;
                assert!(read.is_ok() || expect.is_empty(), "{read:?}");
                assert_eq!(all, expect);
            }
            hub.begin_drain();
        };
        tokio::join!(accepting, asking);
    }
}
