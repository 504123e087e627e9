//! Watchers with tokens, on either kind of connection that a hub serves streams
//! on: HTTP/1.1, which its lanes carry, and HTTP/2, where hyper pulls.

// Each test file that includes this uses another part of it.
#![allow(dead_code)]

use bytes::Bytes;
use h2::RecvStream;
use h2::client::SendRequest;
use http::Request;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::time::Instant;
use tidings_codec::{Decoder, Item};
use tidings_testkit::token::{bearer, in_seconds};
use tidings_testkit::{Answer, Http, HubProcess, PATIENCE};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::time::timeout;

pub type Headers<'a> = &'a [(&'a str, &'a str)];

/// The protocol of a watcher's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Http1,
    Http2,
}

pub const PROTOCOLS: [Protocol; 2] = [Protocol::Http1, Protocol::Http2];

/// Where `news` is watched: on the native face, and on that of Mercure.
pub const NEWS: [&str; 2] = [
    "/events?topic=news",
    "/.well-known/mercure?topic=https%3A%2F%2Fhub.example%2Ft%2Fnews",
];

/// Claims that let their holder watch and publish everything native.
pub fn everything() -> Value {
    json!({ "iat": in_seconds(-60), "tidings": { "publish": ["**"], "subscribe": ["**"] } })
}

/// [`everything`], with others put over it.
pub fn with(others: Value) -> Value {
    let mut claims = everything();
    for (name, value) in others.as_object().expect("an object") {
        claims[name] = value.clone();
    }
    claims
}

/// The operator's.
pub fn admin() -> String {
    bearer(json!({ "tidings": { "admin": true } }))
}

/// A request with a token.
pub fn ask(hub: &HubProcess, method: &str, path: &str, token: &str, body: &str) -> Answer {
    let headers = [
        ("Authorization", token),
        ("Content-Type", "application/json"),
    ];
    hub.http().request(method, path, &headers, body.as_bytes())
}

/// Publishes with a token for everything.
#[track_caller]
pub fn publish(hub: &HubProcess, topic: &str, data: &str) {
    let answer = ask(
        hub,
        "POST",
        &format!("/t/{topic}"),
        &bearer(everything()),
        data,
    );
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// A stream, or what came instead of one.
pub struct Watcher {
    pub status: u16,
    source: Source,
    decoder: Decoder,
    /// Those that came and were not asked for yet.
    events: VecDeque<(String, String)>,
    retry: Option<u64>,
}

enum Source {
    Http1(Http),
    Http2(H2),
    /// An answer that was no stream.
    None,
}

struct H2 {
    runtime: Runtime,
    body: RecvStream,
    /// Keeps the connection.
    _requests: SendRequest<Bytes>,
}

impl Watcher {
    /// Asks for a stream.
    pub fn ask(hub: &HubProcess, protocol: Protocol, path: &str, headers: Headers<'_>) -> Self {
        let mut all = vec![("accept", "text/event-stream")];
        all.extend_from_slice(headers);
        let (status, source) = match protocol {
            Protocol::Http1 => over_http1(hub, path, &all),
            Protocol::Http2 => over_http2(hub, path, &all),
        };
        Self {
            status,
            source,
            decoder: Decoder::new(),
            events: VecDeque::new(),
            retry: None,
        }
    }

    /// Opens a stream, and reads until it states where it begins.
    #[track_caller]
    pub fn open(hub: &HubProcess, protocol: Protocol, path: &str, headers: Headers<'_>) -> Self {
        let mut watcher = Self::ask(hub, protocol, path, headers);
        assert_eq!(watcher.status, 200, "{protocol:?} {headers:?}");
        assert!(watcher.begins(), "the stream ended: {protocol:?}");
        watcher
    }

    /// Whether the stream states where it begins, before it ends.
    pub fn begins(&mut self) -> bool {
        while self.decoder.last_event_id().is_empty() {
            if !self.read() {
                return false;
            }
        }
        true
    }

    /// What an EventSource would send when it comes back.
    pub fn last_event_id(&self) -> &str {
        self.decoder.last_event_id()
    }

    /// The last reconnection time that was given, in milliseconds.
    pub fn retry(&self) -> Option<u64> {
        self.retry
    }

    /// The next event, its name and its data; `None` at the end.
    pub fn next(&mut self) -> Option<(String, String)> {
        let begun = Instant::now();
        loop {
            // Heartbeats alone would keep it waiting for ever.
            assert!(begun.elapsed() < PATIENCE, "nothing within 30 s");
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            if !self.read() {
                return None;
            }
        }
    }

    /// Checks what the next event says.
    #[track_caller]
    pub fn expect(&mut self, data: &str) {
        let next = self.next().map(|(_, data)| data);
        assert_eq!(next.as_deref(), Some(data));
    }

    /// Checks that the stream ends now, without another event, and that who comes
    /// back at once isn't meant to.
    #[track_caller]
    pub fn expect_end(&mut self) {
        assert_eq!(self.next(), None, "the stream goes on");
        let retry = self.retry.expect("a time to come back");
        assert!(retry >= 5_000, "{retry} ms");
    }

    fn read(&mut self) -> bool {
        let bytes = match &mut self.source {
            Source::Http1(http) => http.chunk().expect("something within 30 s"),
            Source::Http2(h2) => h2.read(),
            Source::None => None,
        };
        let Some(bytes) = bytes else { return false };
        let mut rest = &bytes[..];
        while let Some(item) = self.decoder.next(&mut rest) {
            match item {
                Item::Event(event) => {
                    let (name, data) = (event.type_or_message(), event.data);
                    self.events.push_back((name.to_owned(), data.to_owned()));
                }
                Item::Retry(millis) => self.retry = Some(millis),
                _ => {}
            }
        }
        assert!(rest.is_empty(), "the decoder takes all there is");
        true
    }
}

impl H2 {
    fn read(&mut self) -> Option<Vec<u8>> {
        let read = async { timeout(PATIENCE, self.body.data()).await };
        let data = self
            .runtime
            .block_on(read)
            .expect("something within 30 s")?;
        let data = data.expect("data, or an end that is one");
        let flow = self.body.flow_control();
        flow.release_capacity(data.len())
            .expect("what was received");
        Some(data.to_vec())
    }
}

fn over_http1(hub: &HubProcess, path: &str, headers: Headers<'_>) -> (u16, Source) {
    let mut http = hub.http();
    http.send_request("GET", path, headers, b"").expect("sent");
    let head = http.answer_head().expect("an answer");
    let is_stream = head.header("transfer-encoding") == Some("chunked");
    let source = match is_stream {
        true => Source::Http1(http),
        false => Source::None,
    };
    (head.status, source)
}

fn over_http2(hub: &HubProcess, path: &str, headers: Headers<'_>) -> (u16, Source) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let mut request = Request::builder().uri(format!("http://{}{path}", hub.address()));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(()).expect("a request");
    let asked = async {
        let socket = TcpStream::connect(hub.address()).await.expect("a hub");
        let handshake = h2::client::handshake(socket).await;
        let (requests, connection) = handshake.expect("a handshake");
        tokio::spawn(connection);
        let mut requests: SendRequest<Bytes> = requests.ready().await.expect("a connection");
        let (response, _) = requests.send_request(request, true).expect("sent");
        (response.await.expect("a response"), requests)
    };
    let asked = runtime.block_on(async { timeout(PATIENCE, asked).await });
    let (response, requests) = asked.expect("an answer within 30 s");
    let status = response.status().as_u16();
    let h2 = H2 {
        runtime,
        body: response.into_body(),
        _requests: requests,
    };
    (status, Source::Http2(h2))
}
