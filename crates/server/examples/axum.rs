//! A hub in an axum application:
//! `cargo run -p tidings-server --example axum -- 127.0.0.1:8080`.
//!
//! `POST /t/bench` publishes the body, `GET /t/bench` is an event stream, as
//! `curl -N 127.0.0.1:8080/t/bench` or a page reads it.

use axum::Router;
use axum::extract::{Request, State};
use axum::routing::get;
use axum::serve::ListenerExt;
use http::{Response, StatusCode};
use std::error::Error;
use tidings_server::{Body, Event, Hub, Since};
use tokio::net::TcpListener;

const TOPIC: &str = "bench";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1);
    let address = address.unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let hub = Hub::builder().memory().open()?;
    let app = Router::new()
        .route("/t/bench", get(watch).post(publish))
        .with_state(hub);
    let listener = TcpListener::bind(address).await?;
    let listener = listener.tap_io(|stream| {
        // Who is gone is noticed elsewhere.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, app).await?;
    Ok(())
}

async fn watch(State(hub): State<Hub>, request: Request) -> Response<Body> {
    let (request, _) = request.into_parts();
    hub.event_stream(&request, [TOPIC], Since::Latest).await
}

async fn publish(State(hub): State<Hub>, data: String) -> Result<StatusCode, StatusCode> {
    let published = hub.publish(TOPIC, Event::new(data)).await;
    match published {
        Ok(_) => Ok(StatusCode::NO_CONTENT),
        Err(_) => Err(StatusCode::SERVICE_UNAVAILABLE),
    }
}
