//! The hub over HTTP/2 without TLS, by prior knowledge.

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request};
use std::future::Future;
use std::net::SocketAddr;
use tidings_codec::{Decoder, Item};
use tidings_testkit::{CANARY, HubProcess, PATIENCE, launch};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// A connection, and the runtime that drives it.
struct H2 {
    runtime: Runtime,
    requests: SendRequest<Bytes>,
    connection: JoinHandle<Result<(), h2::Error>>,
    authority: String,
}

/// A response of which all is there.
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

/// An event stream.
struct Stream {
    body: RecvStream,
    decoder: Decoder,
    bytes: Vec<u8>,
    raw: Vec<u8>,
}

impl H2 {
    /// Connects; each stream may have `window` bytes on their way.
    fn connect(address: SocketAddr, window: u32) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let (requests, connection) = runtime.block_on(async {
            let socket = TcpStream::connect(address)
                .await
                .expect("a hub that listens");
            let handshake = h2::client::Builder::new()
                .initial_window_size(window)
                // Ours, for tests that leave streams unread for a while.
                .data_frame_budget(1 << 20)
                .handshake(socket);
            handshake.await.expect("a handshake")
        });
        let connection = runtime.spawn(connection);
        let authority = address.to_string();
        Self {
            runtime,
            requests,
            connection,
            authority,
        }
    }

    fn wait<T>(&self, what: impl Future<Output = T>) -> T {
        self.runtime
            .block_on(async { timeout(PATIENCE, what).await })
            .expect("something within 30 s")
    }

    /// Sends a head; a body may follow.
    fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        ends: bool,
    ) -> Result<(ResponseFuture, SendStream<Bytes>), h2::Error> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.authority));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut requests = self.wait(self.requests.clone().ready())?;
        requests.send_request(request.body(()).expect("a request"), ends)
    }

    fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let (response, mut sending) = self
            .send(method, path, headers, body.is_empty())
            .expect("sent");
        if !body.is_empty() {
            // A refusal may come while a large body is still being sent.
            let _ = sending.send_data(Bytes::copy_from_slice(body), true);
        }
        self.answer(response)
    }

    fn answer(&self, response: ResponseFuture) -> Answer {
        let response = self.wait(response).expect("a response");
        let (head, mut receiving) = response.into_parts();
        let mut body = Vec::new();
        while let Some(data) = self.wait(receiving.data()) {
            body.extend_from_slice(&data.expect("data"));
        }
        Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            body,
        }
    }

    fn watch(&self, path: &str, last_event_id: Option<&str>) -> Stream {
        let mut headers = vec![("accept", "text/event-stream")];
        headers.extend(last_event_id.map(|id| ("last-event-id", id)));
        let (response, _) = self.send("GET", path, &headers, true).expect("sent");
        let response = self.wait(response).expect("a response");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(
            response.headers()["cache-control"],
            "no-store, no-transform"
        );
        assert!(!response.headers().contains_key("connection"));
        Stream {
            body: response.into_body(),
            decoder: Decoder::new(),
            bytes: Vec::new(),
            raw: Vec::new(),
        }
    }

    /// The data of the next event; `None` at the end of the stream.
    fn next(&self, stream: &mut Stream) -> Option<String> {
        loop {
            let mut rest = &stream.bytes[..];
            let mut found = None;
            while let Some(item) = stream.decoder.next(&mut rest) {
                if let Item::Event(event) = item {
                    found = Some(event.data.to_owned());
                    break;
                }
            }
            let used = stream.bytes.len() - rest.len();
            stream.bytes.drain(..used);
            if found.is_some() {
                return found;
            }
            let data = self
                .wait(stream.body.data())?
                .expect("data, or an end that is one");
            stream
                .body
                .flow_control()
                .release_capacity(data.len())
                .expect("what was received");
            stream.bytes.extend_from_slice(&data);
            stream.raw.extend_from_slice(&data);
        }
    }
}

impl Answer {
    fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }
}

impl Stream {
    fn last_event_id(&self) -> String {
        self.decoder.last_event_id().to_owned()
    }
}

fn connect(hub: &HubProcess) -> H2 {
    H2::connect(hub.address(), 65_535)
}

#[track_caller]
fn check_refused(h2: &H2, request: (&str, &str, &[(&str, &str)], &[u8]), status: u16, code: &str) {
    let (method, path, headers, body) = request;
    let answer = h2.request(method, path, headers, body);
    let document = answer.json();
    assert_eq!(
        (answer.status, &document["code"]),
        (status, &code.into()),
        "{method} {path}"
    );
    assert_eq!(answer.headers["content-type"], "application/problem+json");
    assert!(!document.to_string().contains(CANARY), "{document}");
    assert!(!answer.headers.contains_key("connection"));
}

#[test]
fn publishing_and_several_streams_on_one_connection() {
    let hub = launch!().start();
    let h2 = connect(&hub);
    let mut streams: Vec<(usize, Stream)> = (0..100)
        .map(|n| (n, h2.watch(&format!("/events?topic=t/{n}&topic=all"), None)))
        .collect();
    assert_eq!(hub.metric("tidings_subscribers"), 100);
    for n in 0..100 {
        let body = format!("own {n}");
        let answer = h2.request("POST", &format!("/t/t/{n}"), &[], body.as_bytes());
        assert_eq!(
            (answer.status, &answer.json()["topic"]),
            (200, &format!("t/{n}").into())
        );
    }
    assert_eq!(h2.request("POST", "/t/all", &[], b"for all").status, 200);
    for (n, stream) in &mut streams {
        assert_eq!(h2.next(stream), Some(format!("own {n}")));
        assert_eq!(h2.next(stream), Some("for all".to_owned()));
    }
    // A stream that is reset takes its subscription with it, and no other.
    streams.truncate(30);
    hub.wait_for_metric("tidings_subscribers", 30);
    let before = hub.open_files();
    drop(streams);
    drop(h2);
    hub.wait_for_metric("tidings_subscribers", 0);
    tidings_testkit::wait_until("the connection is closed", || hub.open_files() < before);
}

#[test]
fn a_stream_of_events_is_live_before_its_body_ends() {
    let hub = launch!().start();
    let h2 = connect(&hub);
    let mut watch = h2.watch("/t/a", None);
    let headers = [("content-type", "text/event-stream")];
    let (response, mut body) = h2.send("POST", "/t/a", &headers, false).expect("sent");
    for n in 0..20 {
        body.send_data(format!("data: {n}\n\nda").into(), false)
            .expect("sent");
        assert_eq!(h2.next(&mut watch), Some(n.to_string()));
        body.send_data("ta: more\n\n".into(), false).expect("sent");
        assert_eq!(h2.next(&mut watch), Some("more".to_owned()));
    }
    body.send_data(Bytes::new(), true).expect("sent");
    let answer = h2.answer(response);
    let expected = serde_json::json!({"published": 40, "last_id": watch.last_event_id()});
    assert_eq!(answer.json(), expected);
    // One that breaks off keeps what was complete.
    let (_response, mut body) = h2.send("POST", "/t/a", &headers, false).expect("sent");
    body.send_data("data: kept\n\ndata: dropped\n".into(), false)
        .expect("sent");
    assert_eq!(h2.next(&mut watch), Some("kept".to_owned()));
    body.send_reset(h2::Reason::CANCEL);
    assert_eq!(h2.request("POST", "/t/a", &[], b"end").status, 200);
    assert_eq!(h2.next(&mut watch), Some("end".to_owned()));
}

#[test]
fn c16_events_in_data_frames_of_their_own() {
    const COUNT: usize = 5_000;
    let hub = launch!().start();
    let h2 = connect(&hub);
    let headers = [("content-type", "application/x-ndjson")];
    let (response, mut body) = h2.send("POST", "/t/a", &headers, false).expect("sent");
    for n in 0..COUNT {
        // As fast as they can be sent, each a frame: many wait for the disk.
        body.send_data(format!("{{\"data\":{n}}}\n").into(), n + 1 == COUNT)
            .expect("sent");
    }
    let answer = h2.answer(response);
    assert_eq!(
        (answer.status, &answer.json()["published"]),
        (200, &COUNT.into())
    );
}

#[test]
fn resuming() {
    let hub = launch!().start();
    let h2 = connect(&hub);
    let mut watch = h2.watch("/t/a", None);
    for n in 0..5 {
        assert_eq!(
            h2.request("POST", "/t/a", &[], n.to_string().as_bytes())
                .status,
            200
        );
    }
    assert_eq!(h2.next(&mut watch).as_deref(), Some("0"));
    assert_eq!(h2.next(&mut watch).as_deref(), Some("1"));
    let last = watch.last_event_id();
    drop((watch, h2));
    let hub = hub.kill().start();
    let h2 = connect(&hub);
    let mut watch = h2.watch("/t/a?since=earliest", Some(&last));
    for n in 2..5 {
        assert_eq!(h2.next(&mut watch), Some(n.to_string()));
    }
    let mut gap = h2.watch("/t/a", Some(CANARY));
    assert!(
        h2.next(&mut gap)
            .is_some_and(|data| data.contains("\"unknown\""))
    );
    assert_eq!(h2.next(&mut gap).as_deref(), Some("0"));
}

#[test]
fn a22_a_stream_that_is_read_slowly_gets_everything_in_order() {
    const COUNT: usize = 400;
    let hub = launch!(
        "TIDINGS_LIMITS_TAIL_BYTES" = "64KiB",
        "TIDINGS_LIMITS_EVENT_WIRE_BYTES" = "64KiB",
        "TIDINGS_LIMITS_EVENT_DATA_BYTES" = "60KiB"
    )
    .start();
    let h2 = H2::connect(hub.address(), 1_000);
    let mut slow = h2.watch("/t/large", None);
    let mut other = h2.watch("/t/small", None);
    let filler = "x".repeat(2_000);
    for n in 0..COUNT {
        assert_eq!(hub.post("/t/large", format!("{n} {filler}")).status, 200);
    }
    // On the same connection, and not kept waiting.
    assert_eq!(hub.post("/t/small", "x").status, 200);
    assert_eq!(h2.next(&mut other).as_deref(), Some("x"));
    for n in 0..COUNT {
        assert_eq!(h2.next(&mut slow), Some(format!("{n} {filler}")));
    }
}

#[test]
fn refusals_are_the_same() {
    let hub = launch!().start();
    let h2 = connect(&hub);
    let long = "x".repeat(257);
    let name = [("last-event-id", &*long)];
    check_refused(&h2, ("GET", "/t/a?since=", &[], b""), 400, "invalid-cursor");
    check_refused(&h2, ("GET", "/t/a", &name, b""), 400, "invalid-cursor");
    check_refused(&h2, ("GET", "/events", &[], b""), 400, "invalid-topic");
    check_refused(&h2, ("GET", "/t/a", &[], b"body"), 400, "bad-request");
    check_refused(
        &h2,
        ("POST", "/t/a?id=%0A", &[], b"x"),
        400,
        "invalid-event",
    );
    check_refused(&h2, ("POST", "/t/$a", &[], b"x"), 403, "reserved-topic");
    check_refused(
        &h2,
        ("POST", "/t/a", &[("origin", CANARY)], b"x"),
        403,
        "origin-not-allowed",
    );
    check_refused(
        &h2,
        ("POST", "/t/a", &[("via", CANARY)], b"x"),
        403,
        "proxy-not-allowed",
    );
    check_refused(&h2, ("GET", "/kanarienvogel", &[], b""), 404, "not-found");
    check_refused(&h2, ("PATCH", "/t/a", &[], b""), 405, "method-not-allowed");
    check_refused(
        &h2,
        ("GET", "/t/a", &[("accept", CANARY)], b""),
        406,
        "not-acceptable",
    );
    check_refused(
        &h2,
        ("POST", "/t/a", &[("content-encoding", "gzip")], b"x"),
        415,
        "unsupported-media-type",
    );
    check_refused(
        &h2,
        ("POST", "/t/a", &[("expect", CANARY)], b"x"),
        417,
        "expectation-failed",
    );
    check_refused(
        &h2,
        ("GET", "/t/a", &[("host", "kanarienvogel")], b""),
        400,
        "bad-request",
    );
    // Too large is said before the body is there.
    let announced = [("content-length", "99999999")];
    let (response, _body) = h2.send("POST", "/t/a", &announced, false).expect("sent");
    assert_eq!(h2.answer(response).json()["code"], "too-large");
    let mut rebound = connect(&hub);
    rebound.authority = format!("{CANARY}.example:{}", hub.address().port());
    check_refused(&rebound, ("POST", "/t/a", &[], b"x"), 421, "wrong-host");
    // Nothing of it has ended the connection.
    assert_eq!(h2.request("POST", "/t/a", &[], b"x").status, 200);
    let head = h2.request("HEAD", "/t/a", &[], b"");
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(hub.metric("tidings_subscribers"), 0);
    assert_eq!(hub.metric("tidings_events_published_total"), 1);
}

#[test]
fn a10_a_full_hub_refuses_one_stream_and_not_the_connection() {
    let hub = launch!("TIDINGS_LIMITS_SUBSCRIPTIONS" = "1").start();
    let h2 = connect(&hub);
    let mut first = h2.watch("/t/a", None);
    for _ in 0..10 {
        let mut refused = h2.watch("/t/a", None);
        assert_eq!(h2.next(&mut refused), None);
        let text = String::from_utf8(refused.raw).expect("UTF-8");
        assert!(
            text.starts_with("retry: ") && text.lines().count() == 2,
            "{text}"
        );
    }
    assert_eq!(h2.request("POST", "/t/a", &[], b"x").status, 200);
    assert_eq!(h2.next(&mut first).as_deref(), Some("x"));
}

#[test]
fn a_draining_hub_says_goaway_and_ends_each_stream_well() {
    let mut hub = launch!("TIDINGS_DRAIN_WINDOW" = "2s").start();
    let h2 = connect(&hub);
    let mut streams: Vec<Stream> = (0..10).map(|_| h2.watch("/t/a", None)).collect();
    let (response, mut body) = h2.send("POST", "/t/a", &[], false).expect("sent");
    body.send_data("in fli".into(), false).expect("sent");
    // What is sent later is answered later: the hub has it.
    assert_eq!(h2.request("GET", "/livez", &[], b"").status, 200);
    hub.terminate();
    hub.wait_for_log("draining");
    body.send_data("ght".into(), true).expect("sent");
    assert_eq!(h2.answer(response).status, 200);
    for stream in &mut streams {
        // It may have ended before the event.
        while let Some(data) = h2.next(stream) {
            assert_eq!(data, "in flight");
        }
        let text = String::from_utf8_lossy(&stream.raw);
        let last = text.trim_end().lines().last().expect("a line");
        assert!(last.starts_with("retry: "), "{text}");
    }
    // The connection ends without an error, and takes nothing new.
    assert_eq!(hub.wait(PATIENCE).code(), Some(0));
    let H2 {
        runtime,
        requests,
        connection,
        ..
    } = h2;
    let ended = runtime.block_on(connection).expect("a task");
    assert!(ended.is_ok(), "{ended:?}");
    assert!(runtime.block_on(requests.ready()).is_err());
}

#[test]
fn c13_the_other_protocol_on_the_same_port() {
    let hub = launch!().start();
    let h2 = connect(&hub);
    let mut over_h2 = h2.watch("/t/a", None);
    let mut over_h1 = hub.watch("/t/a").opened();
    assert_eq!(hub.post("/t/a", "1").status, 200);
    assert_eq!(h2.request("POST", "/t/a", &[], b"2").status, 200);
    for n in ["1", "2"] {
        assert_eq!(h2.next(&mut over_h2).as_deref(), Some(n));
        assert_eq!(over_h1.next().expect("an event").data, n);
    }
    assert_eq!(over_h2.last_event_id(), over_h1.last_event_id());
}

#[test]
fn a_stream_of_a_topic_that_is_closed_ends_alone_and_then_is_answered_204() {
    let hub = launch!().start();
    let h2 = connect(&hub);
    let mut other = h2.watch("/t/other", None);
    let mut watch = h2.watch("/t/a?since=earliest", None);
    assert_eq!(h2.request("POST", "/t/a?close=1", &[], b"last").status, 200);
    let end = r#"{"topic":"a"}"#;
    for expected in [Some("last"), Some(end), None] {
        assert_eq!(h2.next(&mut watch).as_deref(), expected);
    }
    let id = watch.last_event_id();
    let answer = h2.request(
        "GET",
        "/t/a?since=earliest",
        &[("accept", "text/event-stream"), ("last-event-id", &id)],
        b"",
    );
    assert_eq!((answer.status, answer.body.len()), (204, 0));
    assert_eq!(answer.headers["cache-control"], "no-store");
    let closed = h2.request("DELETE", "/t/a", &[], b"");
    assert_eq!((closed.status, &closed.json()["end_id"]), (200, &id.into()));
    check_refused(&h2, ("POST", "/t/a", &[], b"x"), 409, "topic-closed");
    // The connection goes on.
    assert_eq!(h2.request("POST", "/t/other", &[], b"on").status, 200);
    assert_eq!(h2.next(&mut other).as_deref(), Some("on"));
}
