//! `tidings bench`, against a hub and against servers that do what a
//! benchmark must notice.

use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Output};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use tidings_testkit::launch;

fn bench(subscribe: &str, publish: &str, more: &[&str]) -> (Output, Value) {
    let output = Command::new(env!("CARGO_BIN_EXE_tidings"))
        .args(["bench", "--json", "--subscribe", subscribe])
        .args(["--publish", publish])
        .args(more)
        .output()
        .expect("the binary runs");
    let json = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (output, json)
}

#[track_caller]
fn check_clean(url: &str, publish: &str, more: &[&str], deliveries: u64) -> Value {
    let (output, json) = bench(url, publish, more);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{more:?}: {stderr} {json}");
    assert_eq!(json["deliveries"], deliveries, "{more:?}: {json}");
    assert_eq!(json["expected"], deliveries, "{json}");
    for nothing in ["lost", "duplicates", "disorder", "foreign"] {
        assert_eq!(json[nothing], 0, "{nothing}: {json}");
    }
    assert!(json["latency_ms"]["p99"].as_f64() > Some(0.0), "{json}");
    json
}

#[test]
fn every_subscriber_of_a_hub_gets_every_event() {
    let hub = launch!().start();
    let url = format!("http://{}/t/bench", hub.address());
    let topics = format!("http://{}/t/bench/{{}}", hub.address());
    let events = format!("http://{}/events", hub.address());
    let pid = hub.pid().to_string();
    let small = ["--connections", "20", "--events", "100"];
    let with = |more: &[&'static str]| [&small[..], more].concat();
    let paced = [&small[..], &["--rate", "1000", "--pid", &pid]].concat();
    let json = check_clean(&url, &url, &paced, 2000);
    assert!(json["server_bytes_per_connection"].is_u64(), "{json}");
    assert!(json["server_cpu_us_per_delivery"].is_f64(), "{json}");
    check_clean(&url, &url, &with(&["--rate", "0"]), 20 * 112);
    check_clean(
        &url,
        &url,
        &with(&["--rate", "0", "--http2", "--streams", "8"]),
        20 * 112,
    );
    check_clean(
        &url,
        &url,
        &with(&["--rate", "0", "--feed", "ndjson"]),
        2000,
    );
    let spread = with(&["--rate", "0", "--topics", "20", "--publishers", "1"]);
    check_clean(&topics, &topics, &spread, 100);
    let named = ["--feed", "ndjson", "--topic", "bench/{}", "--http2"];
    check_clean(&topics, &events, &[&spread[..], &named].concat(), 100);
    let large = [
        "--connections",
        "3",
        "--events",
        "20",
        "--size",
        "100000",
        "--rate",
        "0",
    ];
    check_clean(&url, &url, &large, 3 * 32);
}

#[test]
fn subscribers_that_come_back_get_what_they_missed() {
    let hub = launch!().start();
    let url = format!("http://{}/t/bench", hub.address());
    let pid = hub.pid().to_string();
    for feed in ["post", "ndjson"] {
        let few = ["--connections", "50", "--events", "30", "--rate", "0"];
        let more = [
            "--resume",
            "--publishers",
            "1",
            "--pid",
            &pid,
            "--feed",
            feed,
        ];
        let json = check_clean(&url, &url, &[&few[..], &more].concat(), 1500);
        assert!(json["seconds"].as_f64() > Some(0.0), "{json}");
        assert!(json["server_bytes_per_connection"].is_null(), "{json}");
    }
    let many = [
        "--connections",
        "20",
        "--events",
        "30",
        "--rate",
        "0",
        "--http2",
        "--resume",
    ];
    check_clean(
        &url,
        &url,
        &[&many[..], &["--publishers", "1"]].concat(),
        600,
    );
    let silent = format!("http://{}/", server(|_, data| event(data)));
    let (output, _) = bench(&silent, &silent, &["--resume"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("without an id"), "{stderr}");
}

#[test]
fn those_who_do_not_read_are_not_counted() {
    let hub = launch!().start();
    let url = format!("http://{}/t/bench", hub.address());
    let pid = hub.pid().to_string();
    let few = ["--connections", "10", "--stalled", "10", "--events", "50"];
    let json = check_clean(&url, &url, &[&few[..], &["--pid", &pid]].concat(), 500);
    assert_eq!(json["held"], 10, "{json}");
    assert!(json["server_bytes_most"].as_u64() > Some(0), "{json}");
    assert!(json["bench_cpu_seconds"].is_f64(), "{json}");
}

/// What a server says last, before it closes.
const END: &str = ": end\n";

/// A server that gives each subscriber what `say` makes of each event.
fn server(say: fn(usize, &str) -> String) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let (joined, joining) = channel::<Sender<String>>();
    let (published, publishing) = channel::<String>();
    thread::spawn(move || spread(&joining, &publishing));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (joined, published) = (joined.clone(), published.clone());
            thread::spawn(move || answer(stream.expect("a connection"), &joined, &published, say));
        }
    });
    address
}

fn spread(joining: &Receiver<Sender<String>>, publishing: &Receiver<String>) {
    let mut watchers: Vec<Sender<String>> = Vec::new();
    for data in publishing {
        watchers.extend(joining.try_iter());
        for watcher in &watchers {
            let _ = watcher.send(data.clone());
        }
    }
}

fn answer(
    stream: TcpStream,
    joined: &Sender<Sender<String>>,
    published: &Sender<String>,
    say: fn(usize, &str) -> String,
) {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut line, mut length) = (String::new(), 0);
        if stream.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let is_get = line.starts_with("GET");
        while line != "\r\n" {
            line.clear();
            stream.read_line(&mut line).expect("a header");
            if let Some(value) = line.strip_prefix("Content-Length: ") {
                length = value.trim().parse().expect("a number");
            }
        }
        if is_get {
            let (sender, events) = channel();
            joined.send(sender).expect("somebody listens");
            let socket = stream.get_mut();
            let _ = socket.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
            for (number, data) in events.iter().enumerate() {
                let said = say(number, &data);
                if socket.write_all(said.as_bytes()).is_err() || said.ends_with(END) {
                    return;
                }
            }
            return;
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).expect("a body");
        published
            .send(String::from_utf8(body).expect("text"))
            .expect("somebody spreads");
        if length % 2 == 1 {
            let answer = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
            stream.get_mut().write_all(answer).expect("answered");
            return;
        }
        let answer = b"HTTP/1.1 204 No Content\r\n\r\n";
        stream.get_mut().write_all(answer).expect("answered");
    }
}

#[track_caller]
fn check_noticed(say: fn(usize, &str) -> String, what: &str, number: u64) {
    let url = format!("http://{}/", server(say));
    let few = [
        "--connections",
        "2",
        "--events",
        "10",
        "--rate",
        "0",
        "--publishers",
        "1",
        "--grace",
        "1",
    ];
    let (output, json) = bench(&url, &url, &few);
    assert_eq!(output.status.code(), Some(1), "{json}");
    assert_eq!(json[what], number, "{what}: {json}");
}

fn event(data: &str) -> String {
    format!("data: {data}\n\n")
}

#[test]
fn what_goes_wrong_is_noticed() {
    check_noticed(
        |number, data| {
            if number == 3 {
                String::new()
            } else {
                event(data)
            }
        },
        "lost",
        2,
    );
    check_noticed(
        |number, data| event(data).repeat(if number == 3 { 2 } else { 1 }),
        "duplicates",
        2,
    );
    // The fourth comes before the third.
    check_noticed(
        |number, data| match number {
            3 => event(&data.replace(" 0 3 ", " 0 4 ")),
            4 => event(&data.replace(" 0 4 ", " 0 3 ")),
            _ => event(data),
        },
        "disorder",
        2,
    );
}

#[test]
fn a_stream_that_ends_with_its_last_event_is_not_held() {
    let url = format!("http://{}/", server(|_, data| event(data) + END));
    let one = ["--connections", "5", "--events", "1", "--grace", "1"];
    let (output, json) = bench(&url, &url, &one);
    assert_eq!(output.status.code(), Some(1), "{json}");
    assert_eq!(json["deliveries"], 5, "{json}");
    assert_eq!(json["held"], 0, "{json}");
    assert_eq!(json["faults"], serde_json::json!(["a stream ended (5×)"]));
}

#[test]
fn a_server_that_closes_after_each_publish_is_measured() {
    let url = format!("http://{}/", server(|_, data| event(data)));
    let odd = ["--connections", "2", "--events", "20", "--size", "121"];
    check_clean(&url, &url, &odd, 40);
}

/// Events that were due at once and wait for each other's acknowledgement:
/// their waiting is latency.
#[test]
fn what_a_late_publisher_waits_counts() {
    let url = format!("http://{}/", server(|_, data| event(data)));
    let at_once = ["--connections", "1", "--events", "200", "--rate", "1e9"];
    let json = check_clean(&url, &url, &at_once, 200);
    let late = json["published_late_ms"].as_f64().expect("a number");
    let latest = json["latency_ms"]["max"].as_f64().expect("a number");
    // But for the microseconds that latencies are counted in.
    assert!(late > 0.0 && latest >= late - 0.001, "{json}");
}

#[test]
fn what_is_asked_wrong_is_told() {
    let hub = launch!().start();
    let url = format!("http://{}/t/a", hub.address());
    for (subscribe, more) in [
        ("https://127.0.0.1/", &[][..]),
        (&*url, &["--connections", "0"]),
        (&*url, &["--rate", "-1"]),
        (&*url, &["--rate", "NaN"]),
        (&*url, &["--header", "no header"]),
        (&*url, &["--header", "A: b\r\nC: d"]),
        (&*url, &["--header", "Content-Length: 1"]),
        (&*url, &["--connections", "100000000"]),
    ] {
        let (output, _) = bench(subscribe, &url, more);
        assert_eq!(output.status.code(), Some(2), "{subscribe} {more:?}");
        assert!(!output.stderr.is_empty());
    }
    let nowhere = format!("http://{}/nowhere", hub.address());
    let (output, json) = bench(&nowhere, &url, &["--connections", "2", "--grace", "0"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(json["held"], 0);
    assert!(json["faults"].to_string().contains("404"), "{json}");
}
