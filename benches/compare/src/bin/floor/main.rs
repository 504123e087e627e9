//! What the system calls alone cost: for each event one `send` of the same
//! ready bytes to each subscriber, and nothing else. `floor ADDRESS [THREADS]`.
//!
//! One thread accepts, a thread per publisher reads what it publishes, and
//! THREADS of them (1) write, each to its share of the subscribers. There is no
//! history, no id that means something, no filter and no policy: a subscriber
//! that doesn't read holds up all others.

mod lane;
mod publisher;

use lane::Lane;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;
use tidings_compare::address;

/// How long a connection may take to say what it wants: nobody else is accepted
/// meanwhile.
const PATIENCE: Duration = Duration::from_secs(5);
const STREAM: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\
                        Cache-Control: no-store\r\nTransfer-Encoding: chunked\r\n\r\n";

fn main() -> io::Result<()> {
    let threads = std::env::args().nth(2).and_then(|text| text.parse().ok());
    let listener = TcpListener::bind(address(1))?;
    let lanes: io::Result<Vec<Lane>> = (0..threads.unwrap_or(1)).map(|_| Lane::start()).collect();
    let lanes: Arc<[Lane]> = lanes?.into();
    for (number, stream) in listener.incoming().enumerate() {
        // One that is gone, or says nothing, is no reason to end.
        let _ = stream.and_then(|stream| take(stream, number, &lanes));
    }
    Ok(())
}

/// Reads the first line of a request: a watcher goes to its lane, a publisher
/// gets a thread.
fn take(stream: TcpStream, number: usize, lanes: &Arc<[Lane]>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new(stream);
    if reader.fill_buf()?.starts_with(b"POST") {
        let lanes = Arc::clone(lanes);
        std::thread::spawn(move || publisher::serve(reader, &lanes));
        return Ok(());
    }
    let mut line = String::new();
    while reader.read_line(&mut line)? > 0 && line != "\r\n" {
        line.clear();
    }
    let mut stream = reader.into_inner();
    stream.write_all(STREAM)?;
    lanes[number % lanes.len()].watch(stream)
}
