//! On tokio, of either kind, over HTTP of this machine.
#![cfg(feature = "hyper")]

use bytes::Bytes;
use std::convert::Infallible;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;
use tidings_eventsource::event_source::Listeners;
use tidings_eventsource::transport::Hyper;
use tidings_eventsource::{Error, EventSource, EventSourceInit};
use tokio::runtime::Builder;
use tokio::task::LocalSet;

/// Long enough for a machine that is busy; nothing waits for it to pass.
const LIMIT: Duration = Duration::from_secs(60);

/// A server that streams an event with a short `retry` to the first request,
/// and refuses the second. Gives the heads of both.
fn serve() -> (String, thread::JoinHandle<[String; 2]>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/s", listener.local_addr().expect("an address"));
    let serving = thread::spawn(move || {
        let body = "retry: 1\nid: 7\ndata: a\n\n";
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n";
        let stream = format!("{head}Connection: close\r\n\r\n{body}");
        let refusal = "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
        [stream.as_str(), refusal].map(|answer| {
            let (mut socket, _) = listener.accept().expect("a connection");
            socket.set_read_timeout(Some(LIMIT)).expect("a timeout");
            let head = head_of(&mut socket);
            socket.write_all(answer.as_bytes()).expect("a reader");
            head
        })
    });
    (url, serving)
}

fn head_of(socket: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte).expect("a whole head");
        head.push(byte[0]);
    }
    String::from_utf8(head).expect("UTF-8")
}

fn logging(log: Sender<String>) -> EventSourceInit {
    EventSourceInit {
        listeners: Listeners::new().on_any(move |source, event| {
            let (name, state) = (event.event_type(), source.ready_state());
            let line = format!("{name} {state:?} {}", event.data().unwrap_or("-"));
            log.send(line).expect("a reader of the log");
        }),
        ..EventSourceInit::default()
    }
}

/// Reads the stream of [`serve`] to its end.
async fn read(url: &str, log: Sender<String>) {
    // What `EventSource::new` has, but for proxies that this machine may have.
    let direct = Hyper::builder().no_proxy().build();
    let source = EventSource::over(url, logging(log), Arc::new(direct)).expect("a URL");
    tokio::time::timeout(LIMIT, source.closed())
        .await
        .expect("the end in time");
    assert_eq!(source.ready_state(), EventSource::CLOSED);
    assert_eq!(source.last_event_id(), "7");
}

#[track_caller]
fn check(run: impl FnOnce(&str, Sender<String>)) {
    let (url, serving) = serve();
    let (log, lines) = mpsc::channel();
    run(&url, log);
    let expected = [
        "open Open -",
        "message Open a",
        "error Connecting -",
        "error Closed -",
    ];
    assert_eq!(lines.iter().collect::<Vec<_>>(), expected);
    let [first, second] = serving.join().expect("a server");
    let id = "last-event-id: 7";
    assert!(!first.to_ascii_lowercase().contains("last-event-id"));
    assert!(second.to_ascii_lowercase().contains(id), "{second}");
}

#[test]
fn runs_on_one_thread() {
    check(|url, log| {
        let tokio = Builder::new_current_thread().enable_all().build();
        tokio.expect("a runtime").block_on(read(url, log));
    });
}

#[test]
fn runs_on_several_threads() {
    check(|url, log| {
        let tokio = Builder::new_multi_thread().enable_all().build();
        tokio.expect("a runtime").block_on(read(url, log));
    });
}

#[test]
fn runs_in_a_local_set() {
    check(|url, log| {
        let tokio = Builder::new_current_thread().enable_all().build();
        let local = LocalSet::new();
        let read = read(url, log);
        local.block_on(&tokio.expect("a runtime"), read);
    });
}

#[test]
fn f_a_url_that_nothing_can_fetch_fails_for_good() {
    let tokio = Builder::new_current_thread().enable_all().build();
    let tokio = tokio.expect("a runtime");
    for url in [
        "ftp://127.0.0.1/",
        "about:blank",
        "mailto:whatwg@awesome.example",
        "javascript:alert('FAIL')",
        "data:text/event-stream,data:a%0A%0A",
    ] {
        let (log, lines) = mpsc::channel();
        tokio.block_on(async {
            let source = EventSource::new(url, logging(log)).expect("a URL");
            assert_eq!(source.url(), url);
            assert_eq!(source.ready_state(), EventSource::CONNECTING);
            source.closed().await;
        });
        assert_eq!(
            lines.iter().collect::<Vec<_>>(),
            ["error Closed -"],
            "{url}"
        );
    }
}

#[test]
fn p1_runs_on_tokio() {
    let tokio = Builder::new_current_thread().build().expect("a runtime");
    let (log, lines) = mpsc::channel();
    tokio.block_on(async {
        let chunk = Ok::<_, Infallible>(Bytes::from_static(b"data: a\n\n"));
        let stream = futures_util::stream::iter([chunk]);
        let source = EventSource::from_readable_stream(stream, logging(log));
        source.closed().await;
    });
    let expected = ["open Open -", "message Open a", "error Closed -"];
    assert_eq!(lines.iter().collect::<Vec<_>>(), expected);
}

#[test]
fn a1_a_url_that_cant_be_parsed_is_an_error_at_once() {
    // There isn't even a runtime.
    let made = EventSource::new("//no.base", EventSourceInit::default());
    assert!(matches!(made, Err(Error::Invalid(_))));
}
