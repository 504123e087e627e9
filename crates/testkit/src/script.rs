//! A server whose every word the test says.

use crate::http::PATIENCE;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// A server on a free loopback port that accepts everything and leaves the
/// answers to the test.
#[derive(Debug)]
pub struct Scripted {
    address: SocketAddr,
    exchanges: Receiver<Exchange>,
}

/// A request that has come, and the connection to answer it on.
#[derive(Debug)]
pub struct Exchange {
    /// What was asked.
    pub asked: Asked,
    stream: BufReader<TcpStream>,
    next: Sender<Exchange>,
}

/// A request.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// The method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Header names in lower case, and the bytes of their values.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body, without its transfer coding.
    pub body: Vec<u8>,
}

impl Scripted {
    /// Begins to listen.
    ///
    /// # Panics
    /// If there is no free port.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Self::listen("127.0.0.1:0")
    }

    /// Begins to listen there, for a server that comes back.
    ///
    /// # Panics
    /// If that isn't possible.
    pub fn listen(address: impl std::net::ToSocketAddrs) -> Self {
        let listener = TcpListener::bind(address).expect("a port");
        let address = listener.local_addr().expect("an address");
        let (next, exchanges) = channel();
        // It ends with the process: no test runs for long.
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                read_next(BufReader::new(stream), next.clone());
            }
        });
        Self { address, exchanges }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://ADDRESS/PATH`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The next request.
    ///
    /// # Panics
    /// If none comes within [`PATIENCE`].
    #[track_caller]
    pub fn next(&self) -> Exchange {
        self.within(PATIENCE).expect("another request")
    }

    /// The next request, if one comes in this time.
    pub fn within(&self, time: Duration) -> Option<Exchange> {
        self.exchanges.recv_timeout(time).ok()
    }
}

/// Reads the next request of a connection, if there is one, off this thread.
fn read_next(mut stream: BufReader<TcpStream>, next: Sender<Exchange>) {
    std::thread::spawn(move || {
        let _ = stream.get_ref().set_nodelay(true);
        let _ = stream.get_ref().set_write_timeout(Some(PATIENCE));
        if let Ok(asked) = read_request(&mut stream) {
            let exchange = Exchange {
                asked,
                stream,
                next: next.clone(),
            };
            // The test may be over.
            let _ = next.send(exchange);
        }
    });
}

fn read_request(stream: &mut BufReader<TcpStream>) -> io::Result<Asked> {
    let broken = || io::Error::from(io::ErrorKind::UnexpectedEof);
    let mut asked = Asked::default();
    let first = String::from_utf8_lossy(&line(stream)?).into_owned();
    let mut words = first.split(' ');
    asked.method = words.next().ok_or_else(broken)?.to_owned();
    asked.path = words.next().ok_or_else(broken)?.to_owned();
    loop {
        let line = line(stream)?;
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            break;
        };
        let name = String::from_utf8_lossy(&line[..colon]).to_ascii_lowercase();
        asked
            .headers
            .push((name, line[colon + 1..].trim_ascii().to_vec()));
    }
    if asked.header("transfer-encoding").is_some() {
        loop {
            let size = String::from_utf8_lossy(&line(stream)?).into_owned();
            let size = usize::from_str_radix(&size, 16).map_err(|_| broken())?;
            let mut chunk = vec![0; size + 2];
            stream.read_exact(&mut chunk)?;
            asked.body.extend_from_slice(&chunk[..size]);
            if size == 0 {
                break;
            }
        }
    } else if let Some(length) = asked.header("content-length") {
        asked.body = vec![0; length.parse().map_err(|_| broken())?];
        stream.read_exact(&mut asked.body)?;
    }
    Ok(asked)
}

fn line(stream: &mut BufReader<TcpStream>) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    stream.read_until(b'\n', &mut line)?;
    if line.pop() != Some(b'\n') {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    line.pop_if(|byte| *byte == b'\r');
    Ok(line)
}

impl Asked {
    /// All values of a header as text, joined by commas; `None` if it isn't there.
    pub fn header(&self, name: &str) -> Option<String> {
        let values = self.headers.iter().filter(|(n, _)| n == name);
        let values: Vec<_> = values
            .map(|(_, value)| String::from_utf8_lossy(value).into_owned())
            .collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Exchange {
    /// Answers with all of a body, and waits for another request on the connection.
    pub fn answer(mut self, status: u16, headers: &[(&str, &str)], body: &str) {
        let length = body.len().to_string();
        let mut all = headers.to_vec();
        if status != 204 {
            all.push(("Content-Length", &length));
        }
        self.head(status, &all);
        self.send(body);
        read_next(self.stream, self.next);
    }

    /// Begins an event stream that lasts until the connection is closed.
    pub fn open(&mut self) {
        self.head(200, &[("Content-Type", "text/event-stream")]);
    }

    /// Sends the head of an answer.
    pub fn head(&mut self, status: u16, headers: &[(&str, &str)]) {
        let mut head = format!("HTTP/1.1 {status} said\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        self.send(head + "\r\n");
    }

    /// Sends these very bytes. Who isn't there any more gets none.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.get_mut().write_all(bytes.as_ref());
    }

    /// Whether the other side has closed the connection, as far as is known now.
    pub fn is_gone(&self) -> bool {
        let stream = self.stream.get_ref();
        let peeked = stream
            .set_nonblocking(true)
            .and_then(|()| stream.peek(&mut [0]));
        let is_open = match &peeked {
            Ok(read) => *read > 0,
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
        };
        stream.set_nonblocking(false).is_err() || !is_open
    }

    /// Ends the answer: nothing more will be sent (FIN).
    pub fn end(self) {
        let _ = self.stream.get_ref().shutdown(Shutdown::Both);
    }

    /// Breaks the connection (RST).
    pub fn reset(self) {
        let _ = socket2::SockRef::from(self.stream.get_ref()).set_linger(Some(Duration::ZERO));
    }

    /// Waits until the other side has closed the connection.
    ///
    /// # Panics
    /// If it doesn't within [`PATIENCE`].
    #[track_caller]
    pub fn closed(mut self) {
        let timeout = self.stream.get_ref().set_read_timeout(Some(PATIENCE));
        timeout.expect("a socket");
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                panic!("the connection is still open")
            }
            _ => {}
        }
    }
}
