//! axum's `Sse` over a broadcast of tokio's, as one writes it first:
//! `axum_broadcast ADDRESS`.

use axum::Router;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::routing::get;
use axum::serve::ListenerExt;
use futures_util::{Stream, StreamExt};
use std::convert::Infallible;
use std::sync::Arc;
use tidings_compare::{PATH, address, publishing};
use tokio::net::TcpListener;
use tokio::sync::broadcast::{Sender, channel};
use tokio_stream::wrappers::BroadcastStream;

/// How many events a receiver may be behind.
const ROOM: usize = 1024;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let (events, _) = channel(ROOM);
    let app = Router::new()
        .route(PATH, get(watch))
        .merge(publishing(events.clone()))
        .with_state(events);
    let listener = TcpListener::bind(address(1)).await?;
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, app).await
}

async fn watch(
    State(events): State<Sender<Arc<str>>>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let events = BroadcastStream::new(events.subscribe());
    let events = events.filter_map(async |event| {
        // What it was too slow for is skipped.
        let data = event.ok()?;
        Some(Ok(Event::default().data(data)))
    });
    Sse::new(events).keep_alive(KeepAlive::default())
}
