//! A server on a thread of its own that sends the same bytes to everyone.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use tidings_codec::fixtures::{Delta, deltas};
use tidings_codec::{Block, EventId, EventType};

/// What a request is answered with.
pub struct Input {
    pub name: &'static str,
    pub events: usize,
    /// The body with its HTTP/1.1 framing.
    body: Vec<u8>,
}

const EVENTS: usize = 20_000;
const SEED: u64 = 7;

impl Input {
    pub fn all() -> [Self; 3] {
        let deltas = deltas(SEED, EVENTS, Delta::Unnamed);
        let mixed = mixed();
        [
            Self {
                name: "120 B deltas, 16 KiB per HTTP chunk",
                events: EVENTS,
                body: framed(deltas.chunks(16 << 10)),
            },
            Self {
                name: "120 B deltas, each an HTTP chunk",
                events: EVENTS,
                body: framed(events_of(&deltas)),
            },
            Self {
                name: "ids, types, lines and comments, each an HTTP chunk",
                events: EVENTS,
                body: framed(events_of(&mixed)),
            },
        ]
    }
}

/// What a hub sends: each event with an id, one in four with a type, one in
/// four of several lines, a comment now and then.
fn mixed() -> Vec<u8> {
    let mut out = Vec::new();
    let event_type = EventType::new("order.changed").expect("no line break");
    for number in 0..EVENTS {
        let id = EventId::new(format!("td-0000000000000007-{number}")).expect("no line break");
        let mut data = format!(r#"{{"order":{number},"state":"paid"}}"#);
        if number % 4 == 1 {
            let _ = write!(data, "\nsecond line of {number}\nthird line");
        }
        Block {
            event_type: (number % 4 == 0).then_some(&event_type),
            data: Some(&data),
            id: Some(&id),
            retry: None,
        }
        .put(&mut out);
        if number % 16 == 0 {
            out.extend_from_slice(b":\n\n");
        }
    }
    out
}

/// The blocks of a stream, each with its blank line.
fn events_of(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = stream;
    std::iter::from_fn(move || {
        let end = rest.windows(2).position(|two| two == b"\n\n")?;
        let (block, after) = rest.split_at(end + 2);
        rest = after;
        Some(block)
    })
}

fn framed<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    for chunk in chunks {
        out.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        out.extend_from_slice(chunk);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"0\r\n\r\n");
    out
}

/// Answers until the process ends.
pub struct Server {
    address: SocketAddr,
    names: Vec<&'static str>,
}

impl Server {
    pub fn start(inputs: &[Input]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let bodies: Vec<Vec<u8>> = inputs.iter().map(|input| input.body.clone()).collect();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                // A client that has all it wants may be gone.
                let _ = answer(stream.expect("a connection"), &bodies);
            }
        });
        Self {
            address,
            names: inputs.iter().map(|input| input.name).collect(),
        }
    }

    pub fn url(&self, input: &Input) -> String {
        let at = self.names.iter().position(|name| *name == input.name);
        format!("http://{}/{}", self.address, at.expect("an input of ours"))
    }
}

fn answer(stream: TcpStream, bodies: &[Vec<u8>]) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut lines = BufReader::new(&stream).lines();
    let first = lines.next().expect("a request")?;
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let path = first.split(' ').nth(1).expect("a path");
    let at: usize = path[1..].parse().expect("a number");
    let mut stream = &stream;
    stream.write_all(
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
          transfer-encoding: chunked\r\nconnection: close\r\n\r\n",
    )?;
    stream.write_all(&bodies[at])
}
