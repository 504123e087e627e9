//! The events that every stranger sends or receives.

use super::client::Client;
use serde_json::{Value, json};
use tidings_testkit::Received;

/// Where connections are cut: each stands in the data of an event, which must
/// then come again, whole.
pub const CUTS: [&str; 3] = ["<cut 1>", "<cut 2>", "<cut 3>"];

/// The type of the last event of the table.
pub const END: &str = "end";

/// An event as its publisher says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What it is in the table for.
    pub about: &'static str,
    /// `None`: it is for the hub to give one.
    pub id: Option<&'static str>,
    pub event: Option<&'static str>,
    /// In milliseconds.
    pub retry: Option<u64>,
    pub data: String,
}

impl Row {
    fn new(about: &'static str, data: impl Into<String>) -> Self {
        Self {
            about,
            id: None,
            event: None,
            retry: None,
            data: data.into(),
        }
    }

    fn id(mut self, id: &'static str) -> Self {
        self.id = Some(id);
        self
    }

    fn event(mut self, event: &'static str) -> Self {
        self.event = Some(event);
        self
    }

    fn retry(mut self, millis: u64) -> Self {
        self.retry = Some(millis);
        self
    }

    /// What a listener is to see: line ends are LF (rule E2), an event without a
    /// type is a `message` (rule B4).
    pub fn seen(&self, id: impl Into<String>) -> Received {
        Received {
            event: self.event.unwrap_or("message").to_owned(),
            data: self.data.replace("\r\n", "\n").replace('\r', "\n"),
            id: id.into(),
        }
    }

    /// For strangers that send the table.
    pub fn to_json(&self, id: &str) -> Value {
        json!({"id": id, "event": self.event, "retry": self.retry, "data": self.data})
    }
}

/// The table.
pub fn rows() -> Vec<Row> {
    vec![
        Row::new("plain", "plain"),
        Row::new(
            "beyond ASCII",
            "naïve 你好 𝕏 🦀 👩\u{200d}👩\u{200d}👧\u{200d}👦 e\u{301}",
        ),
        Row::new("lines that end with LF", "one\ntwo\nthree"),
        Row::new("with CR LF", "one\r\ntwo\r\nthree"),
        Row::new("with CR", "one\rtwo\rthree"),
        Row::new(
            "a cut, without an id of its own",
            format!("before {} after", CUTS[0]),
        ),
        Row::new("with all three, and empty", "one\r\n\rtwo\n\n\rthree"),
        Row::new("empty lines at both ends", "\n\nmiddle\n\n"),
        Row::new("only a line end", "\n"),
        Row::new("no data", "").event("empty"),
        Row::new("no data and no type", ""),
        Row::new("a blank in front and behind", "  two blanks "),
        Row::new("a tab", "\ta tab"),
        Row::new(
            "what reads like fields",
            "data: x\nid: 9\nevent: no\nretry: 1\n: comment\n\n:",
        ),
        Row::new("JSON", "{\"token\":\" a\\n\",\"n\":[1,2]}").event("json"),
        Row::new("a type beyond ASCII", "größe").event("größe: 🦀 x"),
        Row::new("a reconnection time", "retry").retry(150),
        Row::new("an id", "an id").id("order-42"),
        Row::new("an id beyond ASCII", "its own id").id("größe … 🦀"),
        Row::new("a cut behind it", format!("{}\nsecond line", CUTS[1])),
        Row::new(
            "what looks like line ends",
            "a\u{2028}b\u{2029}c\u{85}d\u{b}e\u{c}f\u{1c}g",
        ),
        Row::new("a byte order mark", "\u{feff}not the first of the stream"),
        Row::new("NUL", "a \0 between"),
        Row::new("1 MiB, with a cut", large())
            .event("large")
            .id("large-1"),
        Row::new("the end", "the end").event(END),
    ]
}

/// Exactly 1 MiB in a few lines, of characters of 1 to 4 bytes, so that wherever
/// it is split it is split within one; a cut stands at several places, so that
/// one of them lies within a packet or a frame of any length.
fn large() -> String {
    const BYTES: usize = 1 << 20;
    let mut data = String::with_capacity(BYTES);
    let mut line = 0;
    while data.len() < BYTES - 64 {
        data.push_str("xyz ß € 🦀 ");
        if data.len() / (BYTES / 8) > line {
            line += 1;
            data.push_str(CUTS[2]);
            data.push('\n');
        }
    }
    while data.len() < BYTES {
        data.push('.');
    }
    data
}

/// The names of the events, for listeners that must name them.
pub fn types() -> Vec<&'static str> {
    let mut types: Vec<_> = rows().iter().filter_map(|row| row.event).collect();
    types.push("message");
    types
}

/// The next events of `client` are these; without printing megabytes when not.
#[track_caller]
pub fn check_same(client: &mut impl Client, expected: &[Received]) {
    for (n, expected) in expected.iter().enumerate() {
        let seen = client.event();
        assert!(
            seen == *expected,
            "{}: event {n} is {}, expected {}",
            client.name(),
            shown(&seen),
            shown(expected)
        );
    }
}

fn shown(event: &Received) -> String {
    let Received { event, data, id } = event;
    let start: String = data.chars().take(100).collect();
    format!("{event:?} {id:?} {start:?} ({} bytes)", data.len())
}
