//! In place of a language model: it answers as one behind OpenAI's API does,
//! one token at a time.

use axum::extract::Json;
use axum::response::sse::{Event, Sse};
use axum::routing::post;
use axum::{Router, serve};
use futures_util::{Stream, StreamExt, stream};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::time::Duration;
use tokio::net::TcpListener;

/// Between two tokens.
const PACE: Duration = Duration::from_millis(30);

const ANSWER: &str = include_str!("answer.txt");

/// Starts it; answers its base URL.
pub async fn start(address: &str) -> std::io::Result<String> {
    let listener = TcpListener::bind(address).await?;
    let base = format!("http://localhost:{}/v1", listener.local_addr()?.port());
    let app = Router::new().route("/v1/chat/completions", post(complete));
    tokio::spawn(async move { serve(listener, app).await });
    Ok(base)
}

async fn complete(
    Json(request): Json<Value>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let question = request["messages"][0]["content"].as_str().unwrap_or("");
    let text = format!("“{question}” — {ANSWER}");
    let tokens: Vec<String> = text.split_inclusive(' ').map(str::to_owned).collect();
    let chunks = stream::iter(tokens).then(|token| async move {
        tokio::time::sleep(PACE).await;
        json!({"choices": [{"index": 0, "delta": {"content": token}}]}).to_string()
    });
    let done = stream::iter(["[DONE]".to_owned()]);
    Sse::new(
        chunks
            .chain(done)
            .map(|data| Ok(Event::default().data(data))),
    )
}
