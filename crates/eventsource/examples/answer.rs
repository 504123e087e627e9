//! Streams the answer of a language model, from an API like OpenAI's, to
//! standard output as it is written:
//!
//! ```sh
//! OPENAI_API_KEY=… cargo run --example answer -- "What is a tide?"
//! OPENAI_BASE_URL=http://localhost:11434/v1 OPENAI_MODEL=llama3.2 cargo run --example answer
//! ```

use serde::Deserialize;
use std::error::Error;
use std::io::Write;
use tidings_eventsource::protocol::Policy;
use tidings_eventsource::{Builder, EventStream, JsonStream};

/// What of a chunk of an answer is looked at.
#[derive(Deserialize)]
struct Chunk {
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    delta: Delta,
}

#[derive(Deserialize)]
struct Delta {
    content: Option<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let question = std::env::args().nth(1);
    let question = question.unwrap_or_else(|| "What is a tide?".to_owned());
    let mut answer = ask(&question)?;
    let mut out = std::io::stdout();
    while let Some(chunk) = answer.next().await {
        for choice in chunk?.value.choices {
            out.write_all(choice.delta.content.unwrap_or_default().as_bytes())?;
        }
        out.flush()?;
    }
    writeln!(out)?;
    Ok(())
}

/// Nothing is sent before the first chunk is asked for.
fn ask(question: &str) -> Result<JsonStream<Chunk>, Box<dyn Error>> {
    let base = variable("OPENAI_BASE_URL", "https://api.openai.com/v1");
    let body = serde_json::json!({
        "model": variable("OPENAI_MODEL", "gpt-4o-mini"),
        "messages": [{"role": "user", "content": question}],
        "stream": true,
    });
    let mut request: Builder = EventStream::builder(format!("{base}/chat/completions"))
        // A clean end is the end. What fails before the first chunk is tried
        // again: 429 and 5xx too, after what `Retry-After` says. Later nothing
        // is: the answer would begin anew.
        .policy(Policy::once())
        .body("application/json", body.to_string())
        // An end without it means that part of the answer is missing.
        .until_data("[DONE]");
    if let Ok(key) = std::env::var("OPENAI_API_KEY") {
        request = request.bearer(&key);
    }
    Ok(request.open()?.json())
}

fn variable(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.to_owned())
}
