//! Subscribers over HTTP/1.1: sockets in one epoll set, read by one thread, so
//! that the load generator takes little from the server it measures.

use super::Run;
use super::receive::{Carrier, Fault, Response};
use super::tally::{Received, Tally};
use super::websocket;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Socket, Type};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How many connections share a source address: so few that the system finds a
/// free port at once. It searches one by one, among those that earlier runs have
/// left behind too.
const PER_SOURCE: usize = 1_000;
/// How many source networks there are; runs that follow one another have different
/// ones.
const NETWORKS: u32 = 200;
/// How long the thread waits before it looks whether it is over.
const TICK: Duration = Duration::from_millis(50);

/// All subscribers of a run.
pub struct Subscribers {
    poll: Poll,
    streams: Vec<Stream>,
}

struct Stream {
    socket: TcpStream,
    response: Response,
    open: bool,
}

impl Subscribers {
    /// Connects and asks for the streams.
    ///
    /// # Errors
    /// What the system says, and of which connection.
    pub fn connect(run: &Run) -> Result<Self, String> {
        let poll = Poll::new().map_err(|error| format!("no epoll set: {error}"))?;
        let mut streams = Vec::new();
        for index in 0..run.connections {
            let topic = index as u64 % run.spread.topics;
            let socket = open(run, index, topic)
                .map_err(|error| format!("connection {index} can't be made: {error}"))?;
            let mut socket = TcpStream::from_std(socket);
            poll.registry()
                .register(&mut socket, Token(index), Interest::READABLE)
                .map_err(|error| format!("connection {index} can't be watched: {error}"))?;
            let response = Response::new(Received::new(run.spread, topic), run.carrier);
            streams.push(Stream {
                socket,
                response,
                open: false,
            });
        }
        Ok(Self { poll, streams })
    }

    /// Reads until the run is over; counts as it goes.
    pub fn read(mut self, run: &Arc<Run>) -> Tally {
        let mut tally = run.tally();
        let mut events = Events::with_capacity(4096);
        let mut buffer = vec![0; 256 * 1024];
        while !run.over.load(Ordering::Relaxed) {
            if let Err(error) = self.poll.poll(&mut events, Some(TICK))
                && error.kind() != ErrorKind::Interrupted
            {
                break;
            }
            for event in &events {
                let stream = &mut self.streams[event.token().0];
                let was_open = stream.open;
                let outcome = stream.read(run, event.is_read_closed(), &mut buffer, &mut tally);
                if stream.open && !was_open {
                    run.open.fetch_add(1, Ordering::Relaxed);
                }
                if let Err(fault) = outcome {
                    run.report(&fault);
                    if stream.open {
                        run.open.fetch_sub(1, Ordering::Relaxed);
                        stream.open = false;
                    }
                    let _ = self.poll.registry().deregister(&mut stream.socket);
                }
            }
            run.delivered.store(tally.deliveries, Ordering::Relaxed);
        }
        tally
    }
}

impl Stream {
    /// Reads all there is; to the end, if that is known to have come: it is not
    /// told again.
    fn read(
        &mut self,
        run: &Run,
        to_end: bool,
        buffer: &mut [u8],
        tally: &mut Tally,
    ) -> Result<(), Fault> {
        loop {
            match self.socket.read(buffer) {
                Ok(0) => return Err(Fault::Ended),
                Ok(len) => {
                    let now = run.now();
                    self.response
                        .take(&buffer[..len], now, &run.payload, tally)?;
                    self.open = self.response.is_open();
                    if len < buffer.len() && !to_end {
                        // The next byte makes the socket readable again.
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err(Fault::Ended),
            }
        }
    }
}

/// Connects number `index` and asks for the stream of `topic`.
///
/// # Errors
/// What the system says.
pub fn open(run: &Run, index: usize, topic: u64) -> io::Result<std::net::TcpStream> {
    let target = &run.subscribe;
    let socket = Socket::new(Domain::for_address(target.address), Type::STREAM, None)?;
    if let Some(source) = source(target.address, index) {
        socket.bind(&source.into())?;
    }
    socket.connect(&target.address.into())?;
    let mut socket = std::net::TcpStream::from(socket);
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\n{}{}{}\r\n",
        target.path(topic),
        target.host,
        asking(run.carrier),
        run.resuming(),
        run.header_lines(),
    );
    socket.write_all(request.as_bytes())?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// The lines of a request that ask for a stream.
fn asking(carrier: Carrier) -> &'static str {
    match carrier {
        Carrier::EventStream => "Accept: text/event-stream\r\nCache-Control: no-cache\r\n",
        Carrier::WebSocket => websocket::ASKING,
    }
}

/// On loopback, further addresses, as one has too few ports.
pub fn source(target: SocketAddr, index: usize) -> Option<SocketAddr> {
    let IpAddr::V4(address) = target.ip() else {
        return None;
    };
    let network = u8::try_from(1 + std::process::id() % NETWORKS).ok()?;
    let [third, last] = u16::try_from(2 + index / PER_SOURCE).ok()?.to_be_bytes();
    let source = Ipv4Addr::new(127, network, third, last);
    address.is_loopback().then(|| (source, 0).into())
}
