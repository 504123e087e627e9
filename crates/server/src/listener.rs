//! Accepting connections and serving HTTP on them.

use crate::http::cors::Cors;
use crate::http::guard::Guard;
use crate::http::{Problem, Reply, respond};
use crate::http1::{Gated, Requests};
use crate::hub::Hub;
use crate::native;
use crate::serve::Address;
use crate::tls;
use http::{Method, Request, Version, header};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

/// How many connections may wait to be accepted; the kernel bounds it too.
const BACKLOG: i32 = 16384;
/// A connection that has not said what it wants by then is closed, whether it
/// is silent, stops in a preface or in a head.
const FIRST_REQUEST: Duration = Duration::from_secs(10);
/// A peer that takes nothing for so long is gone.
const USER_TIMEOUT: Duration = Duration::from_secs(15);
/// How often an HTTP/2 peer is asked whether it is still there.
const PING: Duration = Duration::from_secs(15);
/// How long to wait after an accept that failed for want of something.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How often failures to accept are logged at most.
const REPORT_INTERVAL: Duration = Duration::from_secs(5);
/// Room for a query of the longest length and the usual headers, in bytes.
const HEAD_BYTES: u32 = 128 * 1024;

/// What hyper may keep of an HTTP/2 stream's body, in bytes.
const SEND_BYTES: usize = 64 * 1024;
/// What a publisher may send on an HTTP/2 stream that nobody has read, in bytes.
const STREAM_WINDOW: u32 = 256 * 1024;
/// The same for all streams of a connection. h2 ends a connection when the
/// overhead of its unread DATA frames, up to 255 bytes a frame, reaches half of
/// this: a stream's window full of events of a few bytes, each in a frame of
/// its own, must not.
const CONNECTION_WINDOW: u32 = 16 * 1024 * 1024;
/// How long a connection may still ask once the hub drains: what was sent
/// before the news got there is answered, not cut off.
const LAST_REQUESTS: Duration = Duration::from_secs(1);
/// How long answers may take that are under way when a request is refused.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

/// An address the hub listens on.
pub struct Listener {
    socket: TcpListener,
    face: Arc<Face>,
}

/// What all connections of a listener share.
struct Face {
    hub: Arc<Hub>,
    guard: Guard,
    cors: Arc<Cors>,
    /// For HTTPS.
    tls: Option<Arc<tls::Acceptor>>,
}

impl Listener {
    /// Takes the address; port 0 takes a free one. Must be called within a
    /// tokio runtime.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn bind(
        address: SocketAddr,
        hub: &Arc<Hub>,
        open: bool,
        hosts: &[String],
        cors: &Arc<Cors>,
        tls: Option<Arc<tls::Acceptor>>,
    ) -> io::Result<Self> {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::STREAM,
            Some(Protocol::TCP),
        )?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        let socket = TcpListener::from_std(socket.into())?;
        let guard = Guard {
            local: socket.local_addr()?,
            secure: tls.is_some(),
            open,
            hosts: hosts.to_vec(),
        };
        let face = Arc::new(Face {
            hub: Arc::clone(hub),
            guard,
            cors: Arc::clone(cors),
            tls,
        });
        Ok(Self { socket, face })
    }

    /// The address, with the port that was taken.
    pub fn address(&self) -> Address {
        Address {
            socket: self.face.guard.local,
            secure: self.face.guard.secure,
        }
    }

    /// Accepts and serves until the hub drains, and on until the last
    /// connection is gone or the window ends: so that a proxy sees a hub that
    /// is not ready, and a watcher that comes back is told when to try again,
    /// instead of a port that is closed.
    pub async fn run(self, permits: Arc<Semaphore>) {
        let Self { socket, face } = self;
        let mut acceptor = Acceptor {
            socket,
            permits,
            reported: None,
            refused: 0,
        };
        let mut connections = JoinSet::new();
        let drain = face.hub.drain();
        let (mut begun, mut over) = (pin!(drain.begun()), pin!(drain.over()));
        let mut draining = false;
        while !(draining && connections.is_empty()) {
            tokio::select! {
                () = &mut begun, if !draining => draining = true,
                () = &mut over => break,
                accepted = acceptor.accept() => {
                    let (stream, permit) = accepted;
                    let face = Arc::clone(&face);
                    connections.spawn(async move {
                        serve(stream, &face).await;
                        drop(permit);
                    });
                }
                Some(_) = connections.join_next() => {}
            }
        }
        drop(acceptor);
        while connections.join_next().await.is_some() {}
    }
}

/// What accepting needs to remember.
struct Acceptor {
    socket: TcpListener,
    permits: Arc<Semaphore>,
    /// When a failure was last logged, and how many there were since.
    reported: Option<Instant>,
    refused: u64,
}

impl Acceptor {
    /// The next connection, once there is room for it.
    async fn accept(&mut self) -> (TcpStream, OwnedSemaphorePermit) {
        loop {
            let permit = Arc::clone(&self.permits).acquire_owned().await;
            let permit = permit.expect("the semaphore is never closed");
            match self.socket.accept().await {
                Ok((stream, _)) => return (stream, permit),
                Err(error) => {
                    self.report(&error);
                    // The peer is gone, or descriptors or memory are short: then
                    // asking again at once would only burn the processor.
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn report(&mut self, error: &io::Error) {
        self.refused += 1;
        if self
            .reported
            .is_none_or(|at| at.elapsed() >= REPORT_INTERVAL)
        {
            tracing::warn!(%error, times = self.refused, "a connection can't be accepted");
            (self.reported, self.refused) = (Some(Instant::now()), 0);
        }
    }
}

async fn serve(stream: TcpStream, face: &Arc<Face>) {
    let socket = SockRef::from(&stream);
    // Both are improvements only; a peer that is gone already refuses them.
    let _ = socket.set_tcp_nodelay(true);
    let _ = socket.set_tcp_user_timeout(Some(USER_TIMEOUT));
    let Some(tls) = &face.tls else {
        return speak(stream, face).await;
    };
    match tls.accept(stream).await {
        Ok(stream) => speak(stream, face).await,
        Err(error) => {
            tracing::debug!(%error, "no TLS connection");
            face.hub.metrics().count_handshake_failure(error.reason());
        }
    }
}

/// Speaks HTTP with whoever is at the other end of `stream`.
async fn speak<S>(stream: S, face: &Arc<Face>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let requests = Arc::new(Requests::default());
    let multiplexed = Arc::new(AtomicBool::new(false));
    let service = {
        let (face, requests) = (Arc::clone(face), Arc::clone(&requests));
        let multiplexed = Arc::clone(&multiplexed);
        service_fn(move |request: Request<Incoming>| {
            requests.begin();
            multiplexed.store(request.version() == Version::HTTP_2, Ordering::Relaxed);
            let (face, requests) = (Arc::clone(&face), Arc::clone(&requests));
            async move {
                let reply = answer(&face, request).await;
                let connection = reply.headers().get(header::CONNECTION);
                if connection.is_some_and(|value| value == "close") {
                    requests.close();
                }
                Ok::<_, Infallible>(reply)
            }
        })
    };
    let drain = face.hub.drain();
    let late = drain.has_begun();
    let builder = protocols();
    let stream = Gated::new(stream, Arc::clone(&face.hub), Arc::clone(&requests));
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let mut first_request = pin!(tokio::time::sleep(FIRST_REQUEST));
    let (mut waiting, mut draining, mut refusing) = (true, false, false);
    let mut refused = pin!(requests.are_over());
    let mut cut = pin!(tokio::time::sleep(LAST_ANSWERS));
    let mut last_call = pin!(async {
        if late {
            return drain.over().await;
        }
        drain.begun().await;
        // GOAWAY says which requests are answered; HTTP/1.1 has no such word.
        if !multiplexed.load(Ordering::Relaxed) {
            tokio::time::sleep(drain.window().min(LAST_REQUESTS)).await;
        }
    });
    loop {
        tokio::select! {
            served = &mut connection => {
                match served {
                    Ok(()) => requests.end(),
                    Err(error) => tracing::debug!(%error, "a connection ended badly"),
                }
                return;
            }
            () = &mut first_request, if waiting => {
                waiting = false;
                if !requests.have_begun() {
                    return;
                }
            }
            () = &mut last_call, if !draining => {
                draining = true;
                connection.as_mut().graceful_shutdown();
            }
            () = &mut refused, if !refusing => {
                refusing = true;
                connection.as_mut().graceful_shutdown();
                // An event stream would never come to its end.
                cut.as_mut().reset(tokio::time::Instant::now() + LAST_ANSWERS);
            }
            () = &mut cut, if refusing => return,
        }
    }
}

/// HTTP/1.1 and HTTP/2, and how long and how much they wait for.
fn protocols() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(FIRST_REQUEST);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING)
        .max_send_buf_size(SEND_BYTES)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(HEAD_BYTES);
    builder
}

async fn answer(face: &Face, request: Request<Incoming>) -> Reply {
    let (version, headers) = (request.version(), request.headers().clone());
    let mut reply = match admitted(face, request).await {
        Ok(reply) => reply,
        Err(problem) => {
            face.hub.metrics().count_problem(problem.code.as_str());
            respond::problem(&problem)
        }
    };
    face.cors.permit(&headers, &mut reply);
    // While the hub drains, every connection is answered once.
    if version < Version::HTTP_2 && face.hub.drain().has_begun() {
        respond::set(&mut reply, header::CONNECTION, "close");
    }
    reply
}

async fn admitted(face: &Face, request: Request<Incoming>) -> Result<Reply, Problem> {
    if !native::is_exempt(request.uri().path()) {
        face.guard.check(&request, &face.cors)?;
    }
    if *request.method() == Method::OPTIONS {
        return Ok(face.cors.preflight(request.headers()));
    }
    native::answer(&face.hub, request).await
}
