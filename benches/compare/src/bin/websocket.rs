//! A broadcast over WebSockets, with tokio-tungstenite: `websocket WATCH
//! PUBLISH`, the addresses of the two.

use axum::Router;
use futures_util::{SinkExt, StreamExt};
use std::sync::Arc;
use tidings_compare::{address, publishing};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::broadcast::{Receiver, channel};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, accept_async};

/// How many events a receiver may be behind.
const ROOM: usize = 1024;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let (events, _) = channel(ROOM);
    let app = Router::new().merge(publishing(events.clone()));
    let publishers = TcpListener::bind(address(2)).await?;
    let watchers = TcpListener::bind(address(1)).await?;
    tokio::spawn(async { axum::serve(publishers, app).await });
    loop {
        let (stream, _) = watchers.accept().await?;
        let _ = stream.set_nodelay(true);
        tokio::spawn(watch(stream, events.subscribe()));
    }
}

/// Sends events until the peer is gone.
async fn watch(stream: TcpStream, mut events: Receiver<Arc<str>>) -> Result<(), Error> {
    let mut socket = accept_async(stream).await?;
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Ok(data) => send(&mut socket, &data, &mut events).await?,
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return Ok(()),
            },
            said = socket.next() => match said.transpose()? {
                None | Some(Message::Close(_)) => return Ok(()),
                Some(_) => {}
            },
        }
    }
}

/// Sends an event, and with it whatever else waits.
async fn send(
    socket: &mut WebSocketStream<TcpStream>,
    first: &str,
    events: &mut Receiver<Arc<str>>,
) -> Result<(), Error> {
    socket.feed(Message::text(first)).await?;
    while let Ok(more) = events.try_recv() {
        socket.feed(Message::text(&*more)).await?;
    }
    socket.flush().await
}
