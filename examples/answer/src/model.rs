//! A language model behind OpenAI's API, or one that speaks it too.

use serde::Deserialize;
use tidings_eventsource::protocol::Policy;
use tidings_eventsource::{Error, EventStream, JsonStream};

/// What of a chunk of an answer is looked at.
#[derive(Deserialize)]
pub struct Chunk {
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

impl Chunk {
    pub fn tokens(self) -> impl Iterator<Item = String> {
        let tokens = self.choices.into_iter();
        // The first chunk has none, or an empty one.
        tokens.filter_map(|choice| choice.delta.content.filter(|token| !token.is_empty()))
    }
}

/// Its answer, chunk by chunk. Nothing is sent before the first is asked for.
pub fn ask(base: &str, question: &str) -> Result<JsonStream<Chunk>, Error> {
    let model = std::env::var("OPENAI_MODEL");
    let body = serde_json::json!({
        "model": model.as_deref().unwrap_or("gpt-4o-mini"),
        "messages": [{"role": "user", "content": question}],
        "stream": true,
    });
    let mut request = EventStream::builder(format!("{base}/chat/completions"))
        // Tried again only before the first event: later the answer would begin anew.
        .policy(Policy::once())
        .body("application/json", body.to_string())
        // An end without it means that part of the answer is missing.
        .until_data("[DONE]");
    if let Ok(key) = std::env::var("OPENAI_API_KEY") {
        request = request.bearer(&key);
    }
    Ok(request.open()?.json())
}
