//! Servers for one test each, on a port of their own.

use futures_util::StreamExt;
use http::{HeaderMap, Method};
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tidings_eventsource::protocol::Request;
use tidings_eventsource::transport::{
    Body, Response, Transport, TransportError, TransportErrorKind,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use url::Url;

/// Runs `test`, which hangs rather than fails if what it waits for never comes.
pub fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(async {
            tokio::time::timeout(Duration::from_secs(60), test)
                .await
                .expect("the test to come to its end");
        });
}

/// A listening server.
pub struct Server {
    pub address: SocketAddr,
    /// The heads of the requests, as they came.
    pub heads: UnboundedReceiver<String>,
    /// One per connection that was accepted.
    pub accepted: UnboundedReceiver<()>,
}

/// One connection, at the server's end.
pub struct Peer<S = TcpStream> {
    pub stream: S,
    pub heads: UnboundedSender<String>,
}

/// Gives each connection to `respond`.
pub async fn serve<F, R>(respond: F) -> Server
where
    F: Fn(Peer) -> R + Send + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (heads, heads_come) = mpsc::unbounded_channel();
    let (accepting, accepted) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // Nobody may be counting.
            let _ = accepting.send(());
            tokio::spawn(respond(Peer {
                stream,
                heads: heads.clone(),
            }));
        }
    });
    Server {
        address,
        heads: heads_come,
        accepted,
    }
}

/// Answers each request with `bytes` and closes the connection.
pub async fn serve_bytes(bytes: impl Into<Vec<u8>>) -> Server {
    let bytes = Arc::new(bytes.into());
    serve(move |mut peer| {
        let bytes = bytes.clone();
        async move {
            peer.request().await;
            peer.send(&*bytes).await;
            peer.close().await;
        }
    })
    .await
}

impl Server {
    pub fn url(&self, path: &str) -> Url {
        url(&format!("http://{}{path}", self.address))
    }

    /// How many connections came up to now.
    pub fn connections(&mut self) -> usize {
        std::iter::from_fn(|| self.accepted.try_recv().ok()).count()
    }

    /// The lines of the next head, the first first, the rest in order.
    pub async fn head(&mut self) -> Vec<String> {
        let head = self.heads.recv().await.expect("a request");
        let mut lines: Vec<String> = head.trim_end().split("\r\n").map(str::to_owned).collect();
        lines[1..].sort();
        lines
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    /// Reads the head of a request.
    pub async fn request(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match self.stream.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => break,
            }
        }
        let head = String::from_utf8(head).expect("UTF-8");
        // The test may not look at it.
        let _ = self.heads.send(head.clone());
        head
    }

    /// Sends `bytes`, unless the other side is gone.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref()).await;
        let _ = self.stream.flush().await;
    }

    /// Sends `bytes` as a chunk.
    pub async fn send_chunk(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
        chunk.extend_from_slice(bytes);
        chunk.extend_from_slice(b"\r\n");
        self.send(chunk).await;
    }

    /// Ends what is sent, and waits until the other side has too.
    pub async fn close(&mut self) {
        let _ = self.stream.shutdown().await;
        self.closed().await;
    }

    /// Waits until the other side has closed the connection.
    pub async fn closed(&mut self) {
        let mut rest = [0; 1024];
        while matches!(self.stream.read(&mut rest).await, Ok(read) if read > 0) {}
    }
}

/// The head of an event stream in chunks.
pub const STREAM: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\
                          Transfer-Encoding: chunked\r\n\r\n";

pub fn url(text: &str) -> Url {
    Url::parse(text).expect("a URL")
}

/// A plain request.
pub fn get(url: Url) -> Request {
    Request {
        method: Method::GET,
        url,
        headers: HeaderMap::new(),
        body: None,
        cookies: false,
    }
}

/// Sends a plain request and takes the head of the response.
pub async fn fetch(transport: &impl Transport, url: Url) -> Response {
    transport.send(get(url)).await.expect("a response")
}

/// The kind of the error that a plain request ends with, wherever it comes.
pub async fn fail(transport: &impl Transport, url: Url) -> TransportErrorKind {
    let error = match transport.send(get(url)).await {
        Ok(response) => read(response.body).await.1.expect("an error"),
        Err(error) => error,
    };
    println!("{error}");
    error.kind
}

/// All of a body as text, and the error at its end if there is one.
pub async fn read(body: Body) -> (String, Option<TransportError>) {
    let (bytes, error) = read_bytes(body).await;
    (String::from_utf8(bytes).expect("UTF-8"), error)
}

/// All of a body, and the error at its end if there is one.
pub async fn read_bytes(mut body: Body) -> (Vec<u8>, Option<TransportError>) {
    let mut bytes = Vec::new();
    while let Some(chunk) = body.next().await {
        match chunk {
            Ok(chunk) => bytes.extend_from_slice(&chunk),
            Err(error) => {
                assert!(body.next().await.is_none(), "an error is the end");
                return (bytes, Some(error));
            }
        }
    }
    (bytes, None)
}

/// As much of `body` as is needed to have `text`, which is what comes next.
pub async fn expect(body: &mut Body, text: &str) {
    let mut come = Vec::new();
    while come.len() < text.len() {
        let chunk = body.next().await.expect("more").expect("no error");
        come.extend_from_slice(&chunk);
    }
    assert_eq!(String::from_utf8_lossy(&come), text);
}
