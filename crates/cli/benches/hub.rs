//! What a whole hub does, over HTTP: durable publishes per second with 64 in
//! flight, the time a start takes and the memory an idle hub needs with 1 GiB
//! of history. `cargo bench -p tidings --bench hub`

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tidings_testkit::Launch;

const IN_FLIGHT: usize = 64;
const THREADS: usize = 2;
const SECONDS: f64 = 5.0;
const DATA: &str = r#"{"id":"chatcmpl-9x","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":" tidings"}}]}"#;

fn main() {
    let scratch = tempfile::tempdir_in(".").expect("a directory on this disk");
    publish(&scratch.path().join("publish"));
    history(&scratch.path().join("history"));
}

fn launch(data: &Path) -> Launch {
    Launch::new(env!("CARGO_BIN_EXE_tidings"), data)
}

/// Durable publishes per second, and the floor: the same bytes written and
/// synced by hand, [`IN_FLIGHT`] events at a time.
fn publish(data: &Path) {
    let hub = launch(data).start();
    let done = AtomicU64::new(0);
    let end = Instant::now() + Duration::from_secs_f64(SECONDS);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| publisher(hub.address(), IN_FLIGHT / THREADS, end, &done));
        }
    });
    let rate = done.load(Ordering::Relaxed) as f64 / SECONDS;
    let floor = floor(data.parent().expect("a parent"));
    println!("durable publishes over HTTP, {IN_FLIGHT} in flight: {rate:.0}/s");
    println!("floor (write + fdatasync of {IN_FLIGHT} events at a time): {floor:.0}/s; ratio {:.2}", rate / floor);
}

/// Keeps `connections` requests in flight, one on each connection.
fn publisher(address: SocketAddr, connections: usize, end: Instant, done: &AtomicU64) {
    let request = format!(
        "POST /t/bench/{connections} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {}\r\n\r\n{DATA}",
        DATA.len()
    );
    let connect = || {
        let stream = TcpStream::connect(address).expect("a hub that listens");
        stream.set_nodelay(true).expect("a socket");
        stream
    };
    let mut streams: Vec<TcpStream> = (0..connections).map(|_| connect()).collect();
    for stream in &mut streams {
        stream.write_all(request.as_bytes()).expect("a hub that reads");
    }
    let mut buffer = [0; 2048];
    while Instant::now() < end {
        for stream in &mut streams {
            let mut len = 0;
            while !buffer[..len].ends_with(b"}\n") {
                len += stream.read(&mut buffer[len..]).expect("an answer");
            }
            assert!(buffer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&buffer[..len]));
            done.fetch_add(1, Ordering::Relaxed);
            stream.write_all(request.as_bytes()).expect("a hub that reads");
        }
    }
}

fn floor(directory: &Path) -> f64 {
    let path = directory.join("floor");
    let mut file = std::fs::File::create(&path).expect("a file");
    let batch = vec![b'x'; IN_FLIGHT * (DATA.len() + 64)];
    let start = Instant::now();
    let mut batches = 0;
    while start.elapsed() < Duration::from_secs(1) {
        file.write_all(&batch).and_then(|()| file.sync_data()).expect("a disk");
        batches += 1;
    }
    let rate = f64::from(batches * IN_FLIGHT as u32) / start.elapsed().as_secs_f64();
    std::fs::remove_file(path).expect("our file");
    rate
}

/// Fills 1 GiB through one NDJSON body, then starts again.
fn history(data: &Path) {
    let launch = launch(data).env("TIDINGS_RETENTION_BYTES", "2GiB");
    let hub = launch.start();
    let target = 1u64 << 30;
    let lines: String = (0..500).map(|n| format!("{{\"topic\":\"orders/{n}\",\"data\":{DATA}}}\n")).collect();
    let head = format!(
        "POST /events HTTP/1.1\r\nHost: {}\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n",
        hub.address()
    );
    let chunk = format!("{:x}\r\n{lines}\r\n", lines.len());
    let mut stream = TcpStream::connect(hub.address()).expect("a hub that listens");
    stream.write_all(head.as_bytes()).expect("a hub that reads");
    let start = Instant::now();
    let mut events = 0u64;
    while directory_bytes(data) < target {
        for _ in 0..200 {
            stream.write_all(chunk.as_bytes()).expect("a hub that reads");
            events += 500;
        }
    }
    stream.write_all(b"0\r\n\r\n").expect("a hub that reads");
    let mut answer = [0; 2048];
    let len = stream.read(&mut answer).expect("an answer");
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer[..len]));
    println!("NDJSON on one connection: {:.0} durable events/s ({events} events)", events as f64 / start.elapsed().as_secs_f64());
    let launch = hub.kill();
    let gib = directory_bytes(data) as f64 / target as f64;
    let start = Instant::now();
    let hub = launch.start();
    let started = start.elapsed();
    println!("start after kill -9 with {gib:.2} GiB of history: {:.3} s per GiB", started.as_secs_f64() / gib);
    println!("idle hub with {gib:.2} GiB of history: {:.1} MiB resident", hub.resident_kib() as f64 / 1024.0);
}

fn directory_bytes(path: &Path) -> u64 {
    let entries = std::fs::read_dir(path).expect("the data directory");
    entries.filter_map(|entry| entry.ok()?.metadata().ok()).map(|metadata| metadata.len()).sum()
}
