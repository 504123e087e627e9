//! The answer of a language model, token by token, in every tab:
//!
//! ```sh
//! cargo run -p answer
//! OPENAI_BASE_URL=http://localhost:11434/v1 OPENAI_MODEL=llama3.2 cargo run -p answer
//! ```

mod model;
mod upstream;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::http::request::Parts;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use serde::Deserialize;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tidings_server::{Event, Hub, Since};
use tokio::net::TcpListener;

#[derive(Clone)]
struct App {
    hub: Hub,
    /// How many questions were asked: the last answer's number.
    asked: Arc<AtomicU64>,
    /// The base URL of the model's API.
    model: Arc<str>,
}

#[derive(Deserialize)]
struct Question {
    question: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut addresses = std::env::args().skip(1);
    let mut address = |default: &str| addresses.next().unwrap_or_else(|| default.to_owned());
    let listener = TcpListener::bind(address("127.0.0.1:3000")).await?;
    let port = listener.local_addr()?.port();
    let model = match std::env::var("OPENAI_BASE_URL") {
        Ok(url) => url,
        Err(_) => upstream::start(&address("127.0.0.1:3001")).await?,
    };
    let app = App {
        hub: Hub::builder().memory().open()?,
        asked: Arc::default(),
        model: model.into(),
    };
    let routes = Router::new()
        .route("/", get(Html(include_str!("page.html"))))
        .route("/answers", post(ask))
        .route("/answers/{number}", get(watch))
        .with_state(app.clone());

    println!(
        "ask at http://localhost:{port}, the model is at {}",
        app.model
    );
    Ok(axum::serve(listener, routes).await?)
}

/// Begins an answer and says where it can be watched.
async fn ask(State(app): State<App>, Form(asked): Form<Question>) -> impl IntoResponse {
    let number = app.asked.fetch_add(1, Ordering::Relaxed) + 1;
    // A task of its own: it goes on when the tab that asked is gone.
    tokio::spawn(answer(app, topic(number), asked.question));
    (
        StatusCode::CREATED,
        [(LOCATION, format!("/answers/{number}"))],
    )
}

/// The whole answer from its first token, or from where a connection was lost;
/// and 204 for who has all of it.
async fn watch(State(app): State<App>, Path(number): Path<u64>, request: Parts) -> Response {
    if number > app.asked.load(Ordering::Relaxed) {
        return (StatusCode::NOT_FOUND, "nobody has asked this").into_response();
    }
    app.hub
        .event_stream(&request, [topic(number)], Since::Earliest)
        .await
        .into_response()
}

fn topic(number: u64) -> String {
    format!("answers/{number}")
}

/// Publishes the answer as it arrives, then closes its topic.
async fn answer(app: App, topic: String, question: String) {
    let last = match publish(&app, &topic, &question).await {
        Ok(()) => None,
        Err(error) => {
            eprintln!("{topic} broke off: {error}");
            Some(Event::new("the model broke off").named("failed"))
        }
    };
    if let Err(error) = app.hub.close(&topic, last).await {
        eprintln!("{topic} could not be closed: {error}");
    }
}

async fn publish(
    app: &App,
    topic: &str,
    question: &str,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut chunks = model::ask(&app.model, question)?;
    while let Some(chunk) = chunks.next().await {
        for token in chunk?.value.tokens() {
            app.hub.publish(topic, Event::new(token)).await?;
        }
    }
    Ok(())
}
