//! Seven tabs of one browser: over HTTP/1.1, where it opens no more than six
//! connections to a server; over HTTP/2, where all streams share one; and over
//! one stream that the tabs share.
//!
//! ```sh
//! cargo run -p tabs
//! ```

mod counted;
mod secure;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use counted::{Counted, Streams};
use secure::Secure;
use std::error::Error;
use std::future::IntoFuture;
use tidings_server::{Event, Hub, Since};
use tokio::net::TcpListener;

/// The client's own build, as any page can take it.
const CLIENT: &str = include_str!("../../../web/client/bundle/tidings.js");

#[derive(Clone)]
struct App {
    hub: Hub,
    streams: Streams,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let hub = Hub::builder().memory().open()?;
    let streams = Streams::new();
    tokio::spawn(tell(hub.clone(), streams.clone()));
    let script = ([(header::CONTENT_TYPE, "text/javascript")], CLIENT);
    let app = Router::new()
        .route("/", get(Html(include_str!("page.html"))))
        .route("/tidings.js", get(script))
        .route("/watch", get(watch))
        .route("/say", post(say))
        .with_state(App { hub, streams });

    let mut addresses = std::env::args().skip(1);
    let mut listen = async |default: &str| {
        TcpListener::bind(addresses.next().as_deref().unwrap_or(default)).await
    };
    let (plain, tls) = (
        listen("127.0.0.1:3000").await?,
        listen("127.0.0.1:3443").await?,
    );
    println!(
        "tabs over HTTP/1.1: http://localhost:{}, over HTTP/2: https://localhost:{}",
        plain.local_addr()?.port(),
        tls.local_addr()?.port()
    );
    let over_tls = axum::serve(Secure::new(tls)?, app.clone()).into_future();
    tokio::try_join!(axum::serve(plain, app).into_future(), over_tls)?;
    Ok(())
}

/// An event stream of all that was said since the example started.
async fn watch(State(app): State<App>, request: Parts) -> Response {
    let answer = app.hub.event_stream(&request, ["tabs"], Since::Earliest);
    let (head, body) = answer.await.into_parts();
    Response::from_parts(head, Body::new(Counted::new(body, app.streams)))
}

/// Publishes what a tab says.
async fn say(State(app): State<App>, text: String) -> Response {
    match app.hub.publish("tabs", Event::new(text)).await {
        Ok(_) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    }
}

/// Tells all tabs how many streams there are, whenever that changes.
async fn tell(hub: Hub, streams: Streams) {
    let mut count = streams.watch();
    while count.changed().await.is_ok() {
        let streams = *count.borrow_and_update();
        let event = Event::new(streams.to_string()).named("streams");
        if let Err(error) = hub.publish("tabs", event).await {
            eprintln!("the number of streams could not be published: {error}");
        }
    }
}
