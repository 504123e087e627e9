//! Our client watches other people's servers.

mod interop;

use axum::Router;
use axum::http::HeaderMap;
use axum::response::sse::{Event, Sse};
use axum::routing::get;
use futures_util::{Stream, StreamExt, stream};
use interop::hub::{check_remembers_the_start, check_watches};
use interop::ours::Ours;
use interop::server::{Server, check_watched, expected, numbered};
use interop::table::Row;
use interop::{node, ours, python};
use serde_json::Value;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;
use tidings_testkit::Received;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

#[test]
fn npm_better_sse() {
    let Some(node) = node() else { return };
    let server = Server::start(&node, "better_sse.mjs", &[]);
    let expected = expected_as_json();
    check_stream(server.address(), ours::negotiated, &expected);
    check_watched(server.address(), ours::event_source, &expected);
    check_watched(server.address(), ours::tool, &expected);
}

#[test]
fn npm_better_sse_over_http2() {
    let Some(node) = node() else { return };
    let server = Server::start(&node, "better_sse.mjs", &["http2"]);
    check_stream(server.address(), ours::http2, &expected_as_json());
}

#[test]
fn python_sse_starlette() {
    let Some(python) = python() else { return };
    let server = Server::start(&python, "sse_starlette_server.py", &[]);
    check_stream(server.address(), ours::negotiated, &expected());
    check_watched(server.address(), ours::event_source, &expected());
    check_watched(server.address(), ours::tool, &expected());
}

#[test]
fn python_aiohttp_sse() {
    let Some(python) = python() else { return };
    let server = Server::start(&python, "aiohttp_sse_server.py", &[]);
    check_stream(server.address(), ours::negotiated, &expected());
}

#[test]
fn rust_axum() {
    let server = Axum::start();
    check_stream(server.address, ours::negotiated, &Axum::expected());
    check_watched(server.address, ours::event_source, &Axum::expected());
}

#[test]
fn rust_axum_over_http2() {
    let server = Axum::start();
    check_stream(server.address, ours::http2, &Axum::expected());
}

/// Ours and ours, where a stranger's client and a stranger's server have been.
#[test]
fn our_own_hub() {
    check_watches(ours::negotiated);
    check_remembers_the_start(ours::negotiated);
    check_watches(ours::http2);
    check_watches(ours::event_source);
    check_remembers_the_start(ours::event_source);
}

/// The events, and the one reconnection time among them.
#[track_caller]
fn check_stream(server: SocketAddr, open: impl FnOnce(&str) -> Ours, expected: &[Received]) {
    let client = check_watched(server, open, expected);
    let given = numbered().into_iter().filter_map(|(_, row)| row.retry);
    let given: Vec<Duration> = given.map(Duration::from_millis).collect();
    assert_eq!(client.retries(), given);
}

/// As `better-sse` sends it: data is JSON.
fn expected_as_json() -> Vec<Received> {
    let rows = numbered().into_iter().zip(expected());
    rows.map(|((_, row), event)| Received {
        data: Value::from(row.data).to_string(),
        ..event
    })
    .collect()
}

/// axum's `Sse`, in a runtime of its own.
struct Axum {
    address: SocketAddr,
    runtime: Option<Runtime>,
}

impl Axum {
    fn start() -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let listener = runtime
            .block_on(TcpListener::bind("127.0.0.1:0"))
            .expect("a free port");
        let address = listener.local_addr().expect("an address");
        let app = Router::new().route("/events", get(events));
        runtime.spawn(async { axum::serve(listener, app).await });
        Self {
            address,
            runtime: Some(runtime),
        }
    }

    /// Of empty data it makes no `data` line, so that there is no event.
    fn expected() -> Vec<Received> {
        let events = expected().into_iter();
        events.filter(|event| !event.data.is_empty()).collect()
    }
}

impl Drop for Axum {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn events(headers: HeaderMap) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let rows = numbered();
    let last = headers
        .get("last-event-id")
        .and_then(|id| std::str::from_utf8(id.as_bytes()).ok());
    let start = rows
        .iter()
        .position(|(id, _)| Some(&**id) == last)
        .map_or(0, |at| at + 1);
    let rest: Vec<_> = rows.into_iter().skip(start).map(event).map(Ok).collect();
    Sse::new(stream::iter(rest).chain(stream::pending()))
}

fn event((id, row): (String, Row)) -> Event {
    let mut event = Event::default().id(id);
    if let Some(name) = row.event {
        event = event.event(name);
    }
    if let Some(millis) = row.retry {
        event = event.retry(Duration::from_millis(millis));
    }
    // It would make two lines of CR LF.
    event.data(row.data.replace("\r\n", "\n"))
}
