//! HTTP/1.1, as plain as can be, so that tests can also say what is wrong.

use rustls::{ClientConnection, StreamOwned};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// How long a test waits for anything before it fails.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// One connection.
#[derive(Debug)]
pub struct Http {
    stream: BufReader<Wire>,
    address: SocketAddr,
}

/// What carries a connection.
#[derive(Debug)]
enum Wire {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Wire {
    fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(tls) => &tls.sock,
        }
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(buffer),
            Self::Tls(tls) => tls.read(buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Tls(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Tls(tls) => tls.flush(),
        }
    }
}

/// A response with all of its body.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Header names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body, without its transfer coding.
    pub body: Vec<u8>,
}

impl Http {
    /// Connects.
    ///
    /// # Panics
    /// If nobody listens.
    pub fn connect(address: SocketAddr) -> Self {
        Self::try_connect(address).expect("the hub accepts connections")
    }

    /// Connects, for tests in which the hub may be gone.
    ///
    /// # Errors
    /// What the system says.
    pub fn try_connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream: BufReader::new(Wire::Plain(stream)),
            address,
        })
    }

    /// Goes on over TLS, with the handshake at once.
    ///
    /// # Errors
    /// What the system says, or why there is no TLS connection.
    pub fn secure(self, tls: ClientConnection) -> io::Result<Self> {
        let Wire::Plain(socket) = self.stream.into_inner() else {
            return Err(io::Error::other("TLS within TLS"));
        };
        let mut tls = StreamOwned::new(tls, socket);
        while tls.conn.is_handshaking() {
            tls.conn.complete_io(&mut tls.sock)?;
        }
        Ok(Self {
            stream: BufReader::new(Wire::Tls(Box::new(tls))),
            address: self.address,
        })
    }

    /// What is known of the hub by TLS.
    ///
    /// # Panics
    /// Without TLS.
    pub fn tls(&self) -> &ClientConnection {
        match self.stream.get_ref() {
            Wire::Tls(tls) => &tls.conn,
            Wire::Plain(_) => panic!("a connection without TLS"),
        }
    }

    /// Sends these very bytes.
    ///
    /// # Errors
    /// What the system says.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)?;
        self.stream.get_mut().flush()
    }

    /// Sends a request; `Host` and, for a body or a POST, `Content-Length`
    /// are added unless they are given.
    ///
    /// # Errors
    /// What the system says.
    pub fn send_request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<()> {
        let has = |name: &str| headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
        let mut head = format!("{method} {path} HTTP/1.1\r\n");
        if !has("host") {
            head.push_str(&format!("Host: {}\r\n", self.address));
        }
        if !has("content-length")
            && !has("transfer-encoding")
            && (method == "POST" || !body.is_empty())
        {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(body);
        self.send(&bytes)
    }

    /// Sends a request and reads the answer.
    ///
    /// # Panics
    /// If none comes.
    pub fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        self.try_request(method, path, headers, body)
            .expect("an answer")
    }

    /// Sends a request and reads the answer.
    ///
    /// # Errors
    /// What the system says, or that the answer broke off.
    pub fn try_request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Answer> {
        // A refusal may come while a large body is still being sent.
        let sent = self.send_request(method, path, headers, body);
        self.answer(method == "HEAD")
            .or_else(|error| sent.and(Err(error)))
    }

    /// Sends one chunk of a chunked body.
    ///
    /// # Errors
    /// What the system says.
    pub fn send_chunk(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
        chunk.extend_from_slice(bytes);
        chunk.extend_from_slice(b"\r\n");
        self.send(&chunk)
    }

    /// Ends a chunked body and reads the answer.
    ///
    /// # Panics
    /// If none comes.
    pub fn end_chunks(&mut self) -> Answer {
        // The hub may have refused, and closed, before the end.
        let _ = self.send_chunk(b"");
        self.answer(false).expect("an answer")
    }

    /// Reads one answer.
    ///
    /// # Errors
    /// What the system says, or that the answer broke off.
    pub fn answer(&mut self, to_head: bool) -> io::Result<Answer> {
        let mut answer = self.answer_head()?;
        if !to_head {
            self.read_body(&mut answer)?;
        }
        Ok(answer)
    }

    /// Reads the body that belongs to a head.
    ///
    /// # Errors
    /// What the system says, or that the body broke off.
    pub fn read_body(&mut self, answer: &mut Answer) -> io::Result<()> {
        if matches!(answer.status, 204 | 304) {
            return Ok(());
        }
        if answer.header("transfer-encoding") == Some("chunked") {
            while let Some(chunk) = self.chunk()? {
                answer.body.extend_from_slice(&chunk);
            }
        } else if let Some(length) = answer.header("content-length").and_then(|v| v.parse().ok()) {
            answer.body.resize(length, 0);
            self.stream.read_exact(&mut answer.body)?;
        } else {
            self.stream.read_to_end(&mut answer.body)?;
        }
        Ok(())
    }

    /// Reads the head of an answer.
    ///
    /// # Errors
    /// What the system says, or that the head broke off.
    pub fn answer_head(&mut self) -> io::Result<Answer> {
        let status_line = self.line()?;
        let status = status_line
            .split(' ')
            .nth(1)
            .and_then(|s| s.parse().ok())
            .ok_or_else(broken)?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Ok(Answer {
                    status,
                    headers,
                    body: Vec::new(),
                });
            }
            let (name, value) = line.split_once(':').ok_or_else(broken)?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    /// Reads one chunk of a chunked body; `None` at its end.
    ///
    /// # Errors
    /// What the system says, or that the body broke off.
    pub fn chunk(&mut self) -> io::Result<Option<Vec<u8>>> {
        let length = usize::from_str_radix(&self.line()?, 16).map_err(|_| broken())?;
        let mut bytes = vec![0; length + 2];
        self.stream.read_exact(&mut bytes)?;
        bytes.truncate(length);
        Ok((length > 0).then_some(bytes))
    }

    /// Reads so many bytes.
    ///
    /// # Errors
    /// What the system says, or that there are fewer.
    pub fn read_bytes(&mut self, len: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; len];
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Reads whatever is there; empty at the end.
    ///
    /// # Errors
    /// What the system says.
    pub fn read_some(&mut self) -> io::Result<Vec<u8>> {
        let bytes = self.stream.fill_buf()?.to_vec();
        self.stream.consume(bytes.len());
        Ok(bytes)
    }

    /// Reads until the hub closes the connection.
    ///
    /// # Errors
    /// What the system says, for one that it stays open.
    pub fn read_to_close(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.stream.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Says that nothing more will be sent (FIN).
    ///
    /// # Errors
    /// What the system says.
    pub fn finish_sending(&self) -> io::Result<()> {
        self.socket().shutdown(Shutdown::Write)
    }

    /// How many bytes of what the hub sends the system keeps, about.
    ///
    /// # Errors
    /// What the system says.
    pub fn receive_buffer(&self, bytes: usize) -> io::Result<()> {
        socket2::SockRef::from(self.socket()).set_recv_buffer_size(bytes)
    }

    /// Breaks the connection (RST).
    ///
    /// # Errors
    /// What the system says.
    pub fn reset(self) -> io::Result<()> {
        socket2::SockRef::from(self.socket()).set_linger(Some(Duration::ZERO))
    }

    /// The socket.
    pub fn socket(&self) -> &TcpStream {
        self.stream.get_ref().socket()
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        if !line.ends_with('\n') {
            return Err(broken());
        }
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the answer broke off")
}

impl Answer {
    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    }

    /// All values of a header, in order, joined by commas.
    pub fn headers(&self, name: &str) -> String {
        let values = self.headers.iter().filter(|(n, _)| n == name);
        let values: Vec<&str> = values.map(|(_, value)| value.as_str()).collect();
        values.join(", ")
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// If it isn't.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    /// The code of a problem document, or "".
    pub fn code(&self) -> String {
        let document: serde_json::Value = serde_json::from_slice(&self.body).unwrap_or_default();
        document["code"].as_str().unwrap_or_default().to_owned()
    }
}
