//! Says the time every second, to everyone who watches:
//!
//! ```sh
//! cargo run -p clock
//! curl -N http://localhost:3000/sendMessage
//! ```

use axum::Router;
use axum::extract::State;
use axum::http::request::Parts;
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use std::error::Error;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tidings_server::{Event, Hub, Since};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let hub = Hub::builder().memory().open()?;
    let app = Router::new()
        .route("/", get(Html(include_str!("page.html"))))
        .route("/sendMessage", get(send_message))
        .with_state(hub.clone());

    let address = std::env::args().nth(1);
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:3000")).await?;
    let port = listener.local_addr()?.port();
    println!("the clock ticks at http://localhost:{port}");
    tokio::spawn(tick(hub));
    Ok(axum::serve(listener, app).await?)
}

/// An event stream: the last tick, and every one from now on.
async fn send_message(State(hub): State<Hub>, request: Parts) -> impl IntoResponse {
    hub.event_stream(&request, ["time"], Since::Last(1)).await
}

/// Publishes the time at every full second.
async fn tick(hub: Hub) {
    loop {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        tokio::time::sleep(Duration::from_secs(now.as_secs() + 1) - now).await;
        let time = httpdate::fmt_http_date(SystemTime::now());
        if let Err(error) = hub.publish("time", Event::new(time)).await {
            eprintln!("the time could not be published: {error}");
        }
    }
}
