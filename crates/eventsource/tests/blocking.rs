//! The iterator for threads, over loopback.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use tidings_eventsource::blocking::Events;
use tidings_eventsource::protocol::{Policy, ReadyState};
use tidings_eventsource::transport::Hyper;
use tidings_eventsource::{Builder, Error, EventStream, InvalidRequest, Notice, TokioRuntime};

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";

/// A server that gives each of these bodies to one connection, and ends it
/// but for the last, which it keeps until the other side lets go of it.
struct Server {
    address: SocketAddr,
    /// The request heads, and "gone" when the last connection was let go.
    seen: Receiver<String>,
    thread: JoinHandle<()>,
}

impl Server {
    fn start(bodies: &'static [&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (tell, seen) = mpsc::channel();
        let thread = thread::spawn(move || {
            for (at, body) in bodies.iter().enumerate() {
                let (mut stream, _) = listener.accept().expect("a connection");
                // Told when the head is through, so that who is told may act.
                let head = read_head(&stream);
                stream.write_all(HEAD.as_bytes()).expect("written");
                stream.write_all(body.as_bytes()).expect("written");
                tell.send(head).expect("a test");
                if at + 1 == bodies.len() {
                    // Either it is closed or reset.
                    let _ = stream.read(&mut [0]);
                    // Nobody may be interested.
                    let _ = tell.send("gone".to_owned());
                }
            }
        });
        Self {
            address,
            seen,
            thread,
        }
    }

    fn builder(&self) -> Builder {
        let url = format!("http://{}/t/news", self.address);
        let direct = Hyper::builder().no_proxy().build();
        let builder = Builder::new(url, direct, TokioRuntime::new());
        builder.policy(Policy::once())
    }

    fn wait_until_gone(self) {
        assert!(self.seen.iter().any(|line| line == "gone"));
        self.thread.join().expect("a server");
    }
}

fn read_head(stream: &TcpStream) -> String {
    let lines = BufReader::new(stream).lines();
    let lines = lines.map(|line| line.expect("a line"));
    let head: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
    head.join("\n")
}

fn data(events: &mut Events) -> String {
    let event = events.next().expect("an event");
    event.expect("an event").data
}

#[test]
fn it_iterates() {
    let server = Server::start(&["data: 1\n\ndata: 2\n\n", ""]);
    let events = server.builder().open_blocking().expect("opened");
    let data: Vec<_> = events.map(|event| event.expect("an event").data).collect();
    assert_eq!(data, ["1", "2"]);
}

#[test]
fn it_reconnects_and_resumes() {
    let server = Server::start(&["retry: 100\nid: 7\ndata: 1\n\n", "data: 2\n\n"]);
    let builder = server.builder().policy(Policy::resilient());
    let mut events = builder.open_blocking().expect("opened");
    assert_eq!(
        (data(&mut events), data(&mut events)),
        ("1".into(), "2".into())
    );
    let heads: Vec<_> = server.seen.iter().take(2).collect();
    assert!(!heads[0].contains("last-event-id"), "{heads:?}");
    assert!(heads[1].contains("last-event-id: 7"), "{heads:?}");
    drop(events);
    server.wait_until_gone();
}

#[test]
fn a7_dropping_it_aborts_the_request() {
    let server = Server::start(&["data: 1\n\n"]);
    let mut events = server.builder().open_blocking().expect("opened");
    assert_eq!(data(&mut events), "1");
    drop(events);
    server.wait_until_gone();
}

#[test]
fn a6_another_thread_closes_it_while_it_waits() {
    let server = Server::start(&["data: 1\n\n"]);
    let mut events = server.builder().open_blocking().expect("opened");
    let handle = events.handle();
    let (tell, told) = mpsc::channel();
    let closer = thread::spawn(move || {
        told.recv().expect("told that it begins to wait");
        handle.close();
        handle
    });
    assert_eq!(data(&mut events), "1");
    tell.send(()).expect("a closer");
    assert!(events.next().is_none());
    assert!(events.next().is_none());
    let handle = closer.join().expect("a closer");
    assert_eq!(handle.ready_state(), ReadyState::Closed);
    server.wait_until_gone();
}

#[test]
fn it_works_inside_an_asynchronous_runtime() {
    for mut runtime in [
        tokio::runtime::Builder::new_current_thread(),
        tokio::runtime::Builder::new_multi_thread(),
    ] {
        let server = Server::start(&["data: 1\n\n"]);
        let runtime = runtime.enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let mut events = server.builder().open_blocking().expect("opened");
            assert_eq!(data(&mut events), "1");
            drop(events);
        });
        server.wait_until_gone();
    }
}

#[test]
fn notices_and_json_are_there_too() {
    let server = Server::start(&["data: 1\n\ndata: x\n\n", ""]);
    let opened = server.builder().open_blocking().expect("opened");
    let values: Vec<_> = opened
        .json::<u32>()
        .map(|item| item.map(|json| json.value).ok())
        .collect();
    assert_eq!(values, [Some(1), None]);

    let server = Server::start(&["data: 1\n\n", ""]);
    let opened = server.builder().open_blocking().expect("opened");
    let notices: Vec<_> = opened.notices().map(|item| item.expect("well")).collect();
    assert!(
        matches!(&notices[..], [Notice::Open { .. }, Notice::Event(_)]),
        "{notices:?}"
    );
}

#[test]
fn what_cannot_be_sent_is_an_error_of_open() {
    let opened = EventStream::builder("nowhere").open_blocking();
    assert!(
        matches!(opened, Err(Error::Invalid(InvalidRequest::Url))),
        "{opened:?}"
    );
}
