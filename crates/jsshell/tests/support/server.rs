//! An HTTP/1.1 server that can cut its bytes anywhere. `/serve` does what its
//! query says (`steps.rs`); `/hops?n=N` redirects N
//! times; `/log`, `/release` and `/closed` are for the page.

use super::steps::{Script, Step};
use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};

/// Runs until it is dropped.
pub struct Server {
    /// Two ports of loopback, which make two origins of one host.
    pub ports: [u16; 2],
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// # Panics
    /// If loopback has no port left.
    pub fn start() -> Self {
        let (stop, stopped) = oneshot::channel();
        let listeners = [(), ()].map(|()| {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
            listener.set_nonblocking(true).expect("a listener");
            listener
        });
        let port = |listener: &std::net::TcpListener| listener.local_addr().expect("one").port();
        let ports = [port(&listeners[0]), port(&listeners[1])];
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.expect("a runtime").block_on(async {
                let state = Arc::new(State::default());
                for listener in listeners {
                    let listener = TcpListener::from_std(listener).expect("a listener");
                    tokio::spawn(accept(listener, Arc::clone(&state)));
                }
                let _ = stopped.await;
            });
        });
        Self {
            ports,
            stop: Some(stop),
            thread: Some(thread),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What requests leave behind.
#[derive(Default)]
struct State {
    inner: Mutex<Inner>,
    changed: watch::Sender<()>,
}

#[derive(Default)]
struct Inner {
    log: HashMap<String, Vec<String>>,
    released: HashSet<String>,
    closed: HashMap<String, usize>,
}

impl State {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no test panics here")
    }

    fn change(&self, change: impl FnOnce(&mut Inner)) {
        change(&mut self.lock());
        self.changed.send_replace(());
    }

    async fn until(&self, condition: impl Fn(&Inner) -> bool) {
        let mut changes = self.changed.subscribe();
        while !condition(&self.lock()) {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let state = Arc::clone(&state);
        // A page that goes away in the middle is no failure of the server.
        tokio::spawn(async move { drop(converse(stream, &state).await) });
    }
}

struct Request {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Request {
    fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(own, _)| own.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    fn parameter(&self, name: &str) -> String {
        let pairs = self
            .query
            .split('&')
            .filter_map(|pair| pair.split_once('='));
        let found = pairs.into_iter().find(|(own, _)| *own == name);
        let value = found.map_or("", |(_, value)| value);
        percent_encoding::percent_decode_str(value)
            .decode_utf8_lossy()
            .into_owned()
    }

    fn json(&self) -> String {
        let headers = self.headers.iter().map(|(name, value)| {
            format!("{}:{}", quoted(&name.to_ascii_lowercase()), quoted(value))
        });
        format!(
            "{{\"method\":{},\"headers\":{{{}}},\"body\":{}}}",
            quoted(&self.method),
            headers.collect::<Vec<_>>().join(","),
            quoted(&self.body)
        )
    }
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\0'..='\x1F' => write!(quoted, "\\u{:04x}", character as u32).expect("a String"),
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

async fn read(stream: &mut BufReader<TcpStream>) -> io::Result<Option<Request>> {
    let mut lines = Vec::new();
    loop {
        let mut line = Vec::new();
        if stream.read_until(b'\n', &mut line).await? == 0 {
            return Ok(None);
        }
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let mut words = lines
        .first()
        .map(String::as_str)
        .unwrap_or_default()
        .split(' ');
    let method = words.next().unwrap_or_default().to_owned();
    let target = words.next().unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers = lines.iter().skip(1).filter_map(|line| line.split_once(':'));
    let headers = headers.map(|(name, value)| (name.to_owned(), value.trim().to_owned()));
    let mut request = Request {
        method,
        path: path.to_owned(),
        query: query.to_owned(),
        headers: headers.collect(),
        body: String::new(),
    };
    let length = request
        .header("content-length")
        .and_then(|length| length.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await?;
    request.body = String::from_utf8_lossy(&body).into_owned();
    Ok(Some(request))
}

async fn converse(stream: TcpStream, state: &State) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream).await? {
        match request.path.as_str() {
            "/serve" => {
                if !serve(&mut stream, state, &request).await? {
                    return Ok(());
                }
            }
            "/log" => {
                let entries = state.lock().log.get(&request.parameter("key")).cloned();
                answer(
                    &mut stream,
                    &format!("[{}]", entries.unwrap_or_default().join(",")),
                )
                .await?;
            }
            "/release" => {
                let name = request.parameter("name");
                state.change(|inner| _ = inner.released.insert(name));
                answer(&mut stream, "{}").await?;
            }
            "/closed" => {
                let key = request.parameter("key");
                state.until(|inner| inner.closed.contains_key(&key)).await;
                answer(&mut stream, "{}").await?;
            }
            "/hops" => stream.write_all(hop(&request).as_bytes()).await?,
            _ => {
                let head = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
                stream.write_all(head).await?;
            }
        }
    }
    Ok(())
}

/// `n` redirects, and then a stream with an event `end`.
fn hop(request: &Request) -> String {
    match request.parameter("n").parse::<u32>().unwrap_or(0) {
        0 => {
            let stream = "event:end\ndata\n\n";
            let length = stream.len();
            format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: \
                 {length}\r\n\r\n{stream}"
            )
        }
        n => {
            let to = n - 1;
            format!("HTTP/1.1 302 Found\r\nLocation: /hops?n={to}\r\nContent-Length: 0\r\n\r\n")
        }
    }
}

async fn answer(stream: &mut BufReader<TcpStream>, json: &str) -> io::Result<()> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        json.len()
    );
    stream.write_all(format!("{head}{json}").as_bytes()).await
}

/// Does the steps. Says whether the connection is still good.
async fn serve(
    stream: &mut BufReader<TcpStream>,
    state: &State,
    request: &Request,
) -> io::Result<bool> {
    let script = Script::parse(&request.query);
    let mut number = 0;
    if let Some(key) = &script.key {
        state.change(|inner| {
            let log = inner.log.entry(key.clone()).or_default();
            number = log.len();
            log.push(request.json());
        });
    }
    let steps = script.of(number);
    if steps.contains(&Step::Drop) {
        return Ok(false);
    }
    stream.write_all(&head(steps, request)).await?;
    if !has_body(steps) {
        return Ok(true);
    }
    for step in steps {
        match step {
            Step::Status(_) | Step::Header(_) | Step::Allow | Step::Drop => {}
            Step::Body(bytes) => chunk(stream, bytes).await?,
            Step::Echo(name) => {
                let value = request.header(name).unwrap_or("(none)");
                chunk(stream, format!("data:{value}\n\n").as_bytes()).await?;
            }
            Step::Wait(name) => state.until(|inner| inner.released.contains(name)).await,
            Step::Hold => {
                let end = stream.read_u8().await;
                let key = script.key.clone().unwrap_or_default();
                state.change(|inner| *inner.closed.entry(key).or_default() += 1);
                return end.map(|_| false);
            }
            Step::Cut => return Ok(false),
        }
    }
    stream.write_all(b"0\r\n\r\n").await?;
    Ok(true)
}

fn status(steps: &[Step]) -> u16 {
    let mut all = steps.iter().filter_map(|step| match step {
        Step::Status(status) => Some(*status),
        _ => None,
    });
    all.next().unwrap_or(200)
}

fn has_body(steps: &[Step]) -> bool {
    !matches!(status(steps), 204 | 304)
}

fn head(steps: &[Step], request: &Request) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {} \r\n", status(steps)).into_bytes();
    for step in steps {
        match step {
            Step::Header(line) => {
                head.extend_from_slice(line);
                head.extend_from_slice(b"\r\n");
            }
            Step::Allow => {
                let origin = request.header("origin").unwrap_or("*");
                let allow = "Access-Control-Allow";
                let lines = format!("{allow}-Origin: {origin}\r\n{allow}-Credentials: true\r\n");
                head.extend_from_slice(lines.as_bytes());
            }
            _ => {}
        }
    }
    if has_body(steps) {
        head.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head
}

async fn chunk(stream: &mut BufReader<TcpStream>, bytes: &[u8]) -> io::Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
    chunk.extend_from_slice(bytes);
    chunk.extend_from_slice(b"\r\n");
    stream.write_all(&chunk).await
}
