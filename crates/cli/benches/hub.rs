//! What a whole hub does, over HTTP: durable publishes per second with 64 in
//! flight, the time a start takes, and the memory an idle hub needs, with 1 GiB
//! of history. `cargo bench -p tidings --bench hub`
//!
//! Figures of different machines can't be compared, so each stands beside a
//! floor that is measured in the same run.

use rustix::process::Signal;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};
use tidings_testkit::{HubProcess, Launch};

const IN_FLIGHT: usize = 64;
const THREADS: usize = 2;
const ROUNDS: usize = 3;
const ROUND: Duration = Duration::from_secs(4);
const GIB: u64 = 1 << 30;
const DATA: &str = r#"{"id":"chatcmpl-9x","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":" tidings"}}]}"#;

fn main() {
    // A directory on the disk that is built on: /tmp may be memory.
    let scratch = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    publish(&scratch.path().join("publish"));
    history(&scratch.path().join("history"));
}

fn launch(data: &Path) -> Launch {
    Launch::new(env!("CARGO_BIN_EXE_tidings"), data)
}

/// Durable publishes, one to a request, and two floors: the same requests
/// answered by a loop that does nothing else, and the same bytes synced by hand.
fn publish(data: &Path) {
    let hub = launch(data).start();
    let responder = Responder::start();
    let directory = data.parent().expect("a parent");
    for round in 1..=ROUNDS {
        let before = hub.processor_time();
        let ours = load(hub.address());
        let used = hub.processor_time() - before;
        let each = used.as_secs_f64() * 1e6 / ours.count as f64;
        let network = load(responder.0).rate;
        let disk = sync_floor(directory);
        println!(
            "round {round}: durable publishes over HTTP, {IN_FLIGHT} in flight: {:.0}/s, answered in {:?} (p50), {:?} (p99), {each:.1} µs of processor time each",
            ours.rate, ours.p50, ours.p99
        );
        println!(
            "  floor, answering alone: {network:.0}/s, ratio {:.2}; floor, write + fdatasync of {IN_FLIGHT} at a time: {disk:.0}/s, ratio {:.2}",
            ours.rate / network,
            ours.rate / disk
        );
    }
}

struct Load {
    count: usize,
    rate: f64,
    p50: Duration,
    p99: Duration,
}

/// Keeps [`IN_FLIGHT`] requests on their way to `address` for a round.
fn load(address: SocketAddr) -> Load {
    let begin = Instant::now();
    let end = begin + ROUND;
    let mut times: Vec<Duration> = std::thread::scope(|scope| {
        let publishers: Vec<_> = (0..THREADS)
            .map(|_| scope.spawn(move || publisher(address, end)))
            .collect();
        publishers
            .into_iter()
            .flat_map(|p| p.join().expect("a publisher"))
            .collect()
    });
    let rate = times.len() as f64 / begin.elapsed().as_secs_f64();
    times.sort_unstable();
    Load {
        count: times.len(),
        rate,
        p50: times[times.len() / 2],
        p99: times[times.len() * 99 / 100],
    }
}

/// One request on each connection of a thread's share; reads the answers in
/// turn. Answers how long each took.
fn publisher(address: SocketAddr, end: Instant) -> Vec<Duration> {
    let request = format!(
        "POST /t/bench HTTP/1.1\r\nHost: {address}\r\nContent-Length: {}\r\n\r\n{DATA}",
        DATA.len()
    );
    let connect = |_| {
        let mut stream = TcpStream::connect(address).expect("a hub that listens");
        stream.set_nodelay(true).expect("a socket");
        stream
            .write_all(request.as_bytes())
            .expect("a hub that reads");
        (stream, Instant::now())
    };
    let mut connections: Vec<_> = (0..IN_FLIGHT / THREADS).map(connect).collect();
    let mut times = Vec::new();
    while Instant::now() < end {
        for (stream, sent) in &mut connections {
            read_answer(stream);
            times.push(sent.elapsed());
            *sent = Instant::now();
            stream
                .write_all(request.as_bytes())
                .expect("a hub that reads");
        }
    }
    times
}

/// Reads an answer whose body ends with the object that it is.
fn read_answer(stream: &mut TcpStream) {
    let (mut buffer, mut len) = ([0; 2048], 0);
    while !buffer[..len].trim_ascii_end().ends_with(b"}") {
        let read = stream.read(&mut buffer[len..]).expect("an answer");
        assert!(read > 0, "the connection was closed within an answer");
        len += read;
    }
    let text = String::from_utf8_lossy(&buffer[..len]);
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
}

/// A thread per connection that answers every request alike.
struct Responder(SocketAddr);

impl Responder {
    fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.expect("a connection");
                std::thread::spawn(move || respond(stream));
            }
        });
        Self(address)
    }
}

fn respond(mut stream: TcpStream) {
    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 46\r\n\r\n{\"id\":\"td-0000000000000-0000\",\"topic\":\"bench\"}";
    let _ = stream.set_nodelay(true);
    let mut buffer = [0; 2048];
    // A request is one write, so it is one read.
    while stream.read(&mut buffer).is_ok_and(|len| len > 0) && stream.write_all(ANSWER).is_ok() {}
}

/// The same payloads written into a file of zeros and synced, as many at a time
/// as there are in flight.
fn sync_floor(directory: &Path) -> f64 {
    const FILE_BYTES: usize = 64 << 20;
    let path = directory.join("floor");
    let file = File::create(&path).expect("a file");
    file.write_all_at(&vec![0; FILE_BYTES], 0)
        .and_then(|()| file.sync_all())
        .expect("a disk");
    let batch = vec![b'x'; IN_FLIGHT * (DATA.len() + 64)];
    let begin = Instant::now();
    let mut batches = 0;
    while begin.elapsed() < Duration::from_secs(1) {
        let at = batches * batch.len() % (FILE_BYTES - batch.len());
        file.write_all_at(&batch, at as u64)
            .and_then(|()| file.sync_data())
            .expect("a disk");
        batches += 1;
    }
    let rate = (batches * IN_FLIGHT) as f64 / begin.elapsed().as_secs_f64();
    std::fs::remove_file(path).expect("our file");
    rate
}

/// Fills 1 GiB, then stops and starts the hub again in both ways.
fn history(data: &Path) {
    let launch = launch(data).env("TIDINGS_RETENTION_BYTES", "2GiB");
    let mut hub = launch.start();
    fill(&hub, data);
    hub.signal(Signal::TERM);
    assert!(hub.wait(Duration::from_secs(60)).success());
    let hub = start(&launch, data, "a clean stop");
    let hub = start(&hub.kill(), data, "kill -9");
    // In the middle of a burst the active segment has to be looked through.
    fill_for(&hub, Duration::from_millis(500));
    let hub = start(
        &hub.kill(),
        data,
        "kill -9 after half a second of publishing",
    );
    println!(
        "floor, reading the files: {:.3} s per GiB",
        read_floor(data)
    );
    println!(
        "idle hub with {:.2} GiB of history: {:.1} MiB resident",
        gib(data),
        mib(&hub)
    );
    let watcher = hub.watch("/t/orders/7?since=earliest");
    let count = watcher.take(1000).count();
    println!(
        "  after {count} events of a narrow topic were replayed: {:.1} MiB",
        mib(&hub)
    );
}

fn start(launch: &Launch, data: &Path, after: &str) -> HubProcess {
    let begin = Instant::now();
    let hub = launch.start();
    let took = begin.elapsed().as_secs_f64();
    println!(
        "start after {after} with {:.2} GiB of history: {took:.3} s, {:.3} s per GiB",
        gib(data),
        took / gib(data)
    );
    hub
}

/// One NDJSON body on one connection, until the log has 1 GiB.
fn fill(hub: &HubProcess, data: &Path) {
    let mut body = Body::begin(hub);
    while directory_bytes(data) < GIB {
        for _ in 0..200 {
            body.send();
        }
    }
    let (events, took) = body.end();
    println!(
        "NDJSON on one connection: {:.0} durable events/s ({events} events)",
        events as f64 / took.as_secs_f64()
    );
}

fn fill_for(hub: &HubProcess, time: Duration) {
    let mut body = Body::begin(hub);
    while body.begun.elapsed() < time {
        body.send();
    }
}

/// A body of NDJSON, over 500 topics.
struct Body {
    stream: TcpStream,
    chunk: String,
    events: u64,
    begun: Instant,
}

impl Body {
    const CHUNK_EVENTS: u64 = 500;

    fn begin(hub: &HubProcess) -> Self {
        let line = |n| format!("{{\"topic\":\"orders/{n}\",\"data\":{DATA}}}\n");
        let lines: String = (0..Self::CHUNK_EVENTS).map(line).collect();
        let mut stream = TcpStream::connect(hub.address()).expect("a hub that listens");
        let head = format!(
            "POST /events HTTP/1.1\r\nHost: {}\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n",
            hub.address()
        );
        stream.write_all(head.as_bytes()).expect("a hub that reads");
        let chunk = format!("{:x}\r\n{lines}\r\n", lines.len());
        Self {
            stream,
            chunk,
            events: 0,
            begun: Instant::now(),
        }
    }

    fn send(&mut self) {
        self.stream
            .write_all(self.chunk.as_bytes())
            .expect("a hub that reads");
        self.events += Self::CHUNK_EVENTS;
    }

    fn end(mut self) -> (u64, Duration) {
        self.stream
            .write_all(b"0\r\n\r\n")
            .expect("a hub that reads");
        read_answer(&mut self.stream);
        (self.events, self.begun.elapsed())
    }
}

/// Reading everything once, in seconds per GiB: what a start that looks at the
/// whole history would need at least.
fn read_floor(data: &Path) -> f64 {
    let begin = Instant::now();
    for entry in std::fs::read_dir(data).expect("the data directory") {
        let mut file = File::open(entry.expect("an entry").path()).expect("a file");
        std::io::copy(&mut file, &mut std::io::sink()).expect("a file that can be read");
    }
    begin.elapsed().as_secs_f64() / gib(data)
}

fn gib(data: &Path) -> f64 {
    directory_bytes(data) as f64 / GIB as f64
}

fn mib(hub: &HubProcess) -> f64 {
    hub.resident_kib() as f64 / 1024.0
}

fn directory_bytes(path: &Path) -> u64 {
    let entries = std::fs::read_dir(path).expect("the data directory");
    entries
        .filter_map(|entry| entry.ok()?.metadata().ok())
        .map(|metadata| metadata.len())
        .sum()
}
