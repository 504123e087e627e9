//! curl watches our hub and publishes to it.

mod interop;

use interop::client::Client;
use interop::cutter::Cutter;
use interop::hub::{TOPIC, behind, check_remembers_the_start, check_watches};
use interop::table::{Row, check_same, rows};
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};
use tidings_codec::{Block, Decoder, EventId, EventType, Item};
use tidings_testkit::{PATIENCE, Received};

#[test]
fn curl_watches() {
    check_watches(|url| Curl::new("--http1.1", url));
    check_remembers_the_start(|url| Curl::new("--http1.1", url));
}

#[test]
fn curl_watches_over_http2() {
    check_watches(|url| Curl::new("--http2-prior-knowledge", url));
    check_remembers_the_start(|url| Curl::new("--http2-prior-knowledge", url));
}

#[test]
fn curl_watches_over_http10() {
    check_watches(|url| Curl::new("--http1.0", url));
    check_remembers_the_start(|url| Curl::new("--http1.0", url));
}

/// `curl -N`, again and again with the last id, as a shell script would: curl
/// carries, and what it writes is decoded here.
struct Curl {
    version: &'static str,
    url: String,
    running: Option<Child>,
    decoder: Decoder,
    bytes: Vec<u8>,
    last_event_id: String,
}

impl Curl {
    fn new(version: &'static str, url: &str) -> Self {
        let mut curl = Self {
            version,
            url: url.to_owned(),
            running: None,
            decoder: Decoder::new(),
            bytes: Vec::new(),
            last_event_id: String::new(),
        };
        // The others connect before they are asked for an event, too.
        curl.start();
        curl
    }

    fn start(&mut self) {
        let mut command = Command::new("curl");
        command.args([self.version, "--no-buffer", "--silent"]);
        // It can't outlive a test that was killed for long.
        command.args(["--max-time", &PATIENCE.as_secs().to_string()]);
        command.args(["--header", "Accept: text/event-stream"]);
        if !self.last_event_id.is_empty() {
            command.args([
                "--header",
                &format!("Last-Event-ID: {}", self.last_event_id),
            ]);
        }
        command.arg(&self.url).stdin(Stdio::null());
        let running = command.stdout(Stdio::piped()).spawn();
        self.running = Some(running.expect("curl"));
        self.bytes.clear();
        self.decoder = Decoder::new();
    }

    fn decode(&mut self) -> Option<Received> {
        let mut rest = &self.bytes[..];
        let mut found = None;
        while found.is_none()
            && let Some(item) = self.decoder.next(&mut rest)
        {
            if let Item::Event(event) = item {
                found = Some(Received {
                    event: event.type_or_message().to_owned(),
                    data: event.data.to_owned(),
                    id: event.last_event_id.to_owned(),
                });
            }
        }
        let used = self.bytes.len() - rest.len();
        self.bytes.drain(..used);
        // A refusal for a moment is an event stream without an id.
        if !self.decoder.last_event_id().is_empty() {
            self.last_event_id = self.decoder.last_event_id().to_owned();
        }
        found
    }

    /// Reads what curl has written; `false` once it has ended.
    fn read(&mut self) -> bool {
        let Some(out) = self.running.as_mut().and_then(|curl| curl.stdout.as_mut()) else {
            return false;
        };
        let mut buffer = [0; 16 << 10];
        let read = out.read(&mut buffer).unwrap_or(0);
        self.bytes.extend_from_slice(&buffer[..read]);
        read > 0
    }

    fn end(&mut self) {
        if let Some(mut curl) = self.running.take() {
            let _ = curl.kill();
            let _ = curl.wait();
        }
    }
}

impl Client for Curl {
    fn name(&self) -> &str {
        "curl"
    }

    fn event(&mut self) -> Received {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(event) = self.decode() {
                return event;
            }
            if !self.read() {
                assert!(Instant::now() < end, "curl gets nothing more");
                self.end();
                // The hub may be away for a moment.
                std::thread::park_timeout(Duration::from_millis(20));
                self.start();
            }
        }
    }
}

impl Drop for Curl {
    fn drop(&mut self) {
        self.end();
    }
}

#[test]
fn curl_publishes_an_event_stream_as_it_comes() {
    check_publishes("--http1.1", true);
}

#[test]
fn curl_publishes_an_event_stream_over_http2() {
    // curl may hold what its socket didn't take at once until it has read more,
    // so that waiting for it would be waiting for ever.
    check_publishes("--http2-prior-knowledge", false);
}

/// `curl -T -`, whose events are all published; and each is seen before the next
/// is sent, if they are to be `awaited`.
#[track_caller]
fn check_publishes(version: &str, awaited: bool) {
    let cutter = Cutter::new(&[]);
    let hub = behind(&cutter);
    let mut watch = hub.watch(&format!("/t/{TOPIC}")).opened();
    let (mut curl, mut stdin) = upload(
        version,
        &format!("http://{}/t/{TOPIC}?keep=id", hub.address()),
    );
    let mut check_seen = |row: &Row| {
        let seen = watch.next().expect("an event");
        let id = row.id.unwrap_or(&seen.id).to_owned();
        check_same(&mut Seen(Some(seen)), &[row.seen(id)]);
    };
    for row in rows() {
        stdin.write_all(&encoded(&row)).expect("curl reads");
        stdin.flush().expect("curl reads");
        if awaited {
            check_seen(&row);
        }
    }
    drop(stdin);
    if !awaited {
        rows().iter().for_each(check_seen);
    }
    let mut answer = String::new();
    let mut stdout = curl.0.stdout.take().expect("piped");
    stdout.read_to_string(&mut answer).expect("an answer");
    let answer: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
    assert_eq!(answer["published"], rows().len(), "{answer}");
}

fn upload(version: &str, url: &str) -> (Guard, ChildStdin) {
    let mut curl = Command::new("curl")
        .args([version, "--silent", "--upload-file", "-"])
        .args(["--max-time", &PATIENCE.as_secs().to_string()])
        .args(["--header", "Content-Type: text/event-stream", url])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("curl");
    let stdin = curl.stdin.take().expect("piped");
    (Guard(curl), stdin)
}

/// Ends a process with the test.
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn encoded(row: &Row) -> Vec<u8> {
    let event_type = row
        .event
        .map(|event| EventType::new(event).expect("a type"));
    let id = row.id.map(|id| EventId::new(id).expect("an id"));
    let block = Block {
        event_type: event_type.as_ref(),
        retry: row.retry,
        data: Some(&row.data),
        id: id.as_ref(),
    };
    let mut bytes = Vec::new();
    block.put(&mut bytes);
    bytes
}

/// One event that was seen.
struct Seen(Option<Received>);

impl Client for Seen {
    fn name(&self) -> &str {
        "curl"
    }

    fn event(&mut self) -> Received {
        self.0.take().expect("one event")
    }
}
