use serde::Deserialize;
use std::collections::BTreeMap;

/// What `POST /` says about the stream to open. Members that are not known are
/// passed over: a newer suite may say more.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Parameters {
    /// Where the events are.
    pub stream_url: String,
    /// Where to say what was seen, with `/1`, `/2` and so on behind it.
    pub callback_url: String,
    /// What the suite calls the test.
    #[serde(default)]
    pub tag: String,
    /// The reconnection time until the server sets one.
    pub initial_delay_ms: Option<u64>,
    /// How long the server may be silent in a stream; for ever, unless given.
    pub read_timeout_ms: Option<u64>,
    /// What to resume after.
    pub last_event_id: Option<String>,
    /// Headers of each request.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// `GET`, or `POST` if there is a body, unless given.
    pub method: Option<String>,
    /// The body of each request.
    pub body: Option<String>,
}

/// What a `POST` to a stream asks for.
#[derive(Debug, Deserialize)]
#[serde(tag = "command", rename_all = "lowercase")]
pub enum Command {
    /// Drop the connection and make another.
    Restart,
    /// Report events of a type too.
    Listen {
        /// Which.
        listen: Listen,
    },
}

/// Which events to report.
#[derive(Debug, Deserialize)]
pub struct Listen {
    /// Their type.
    #[serde(rename = "type")]
    pub event_type: String,
}
