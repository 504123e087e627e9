//! A hub as those have it who come from Mercure, and clients of it.

// Each test file that includes this uses another part of it.
#![allow(dead_code)]

use serde_json::{Value, json};
use tidings_testkit::token::{PUBLIC_URL, SECRET, signed};
use tidings_testkit::{Answer, HubProcess, Launch, Watch};

/// Where the hub is.
pub const HUB: &str = "/.well-known/mercure";
/// What every watcher of [`Seen`] watches besides, and what ends it.
const END: &str = "urn:end";

/// A request's headers.
pub type Headers<'a> = &'a [(&'a str, &'a str)];

/// With the environment of a Mercure hub.
pub fn as_mercure(launch: Launch, directives: &str) -> Launch {
    launch
        .env("MERCURE_PUBLISHER_JWT_KEY", SECRET)
        .env("MERCURE_SUBSCRIBER_JWT_KEY", SECRET)
        .env("MERCURE_EXTRA_DIRECTIVES", directives)
        .env("TIDINGS_PUBLIC_URL", PUBLIC_URL)
}

/// `Authorization` of a holder of a 0.x token.
pub fn v0(publish: &[&str], subscribe: &[&str]) -> String {
    let claims = json!({
        "mercure": { "publish": publish, "subscribe": subscribe }, "aud": null, "exp": null
    });
    format!("Bearer {}", signed(claims, SECRET.as_bytes(), "JWT"))
}

/// `Authorization` of a holder of a 1.0 token, which grants both actions on topics
/// as the claim has them.
pub fn v1(topics: &Value) -> String {
    let claims = json!({
        "authorization_details": [{
            "type": "https://mercure.rocks/authorization-detail",
            "actions": ["publish", "subscribe"],
            "topics": topics
        }]
    });
    format!("Bearer {}", signed(claims, SECRET.as_bytes(), "at+jwt"))
}

/// Who may do everything, in both dialects.
pub fn everyone() -> [String; 2] {
    [v0(&["*"], &["*"]), v1(&json!([{ "match": "*" }]))]
}

/// Text as a form or a query has it.
pub fn escaped(text: &str) -> String {
    let keep = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let escape = |byte: u8| match keep(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}

/// Fields as a form.
pub fn form(fields: &[(&str, &str)]) -> String {
    let fields = fields
        .iter()
        .map(|(name, value)| format!("{}={}", escaped(name), escaped(value)));
    fields.collect::<Vec<_>>().join("&")
}

/// Publishes a form as it is.
pub fn post(hub: &HubProcess, token: &str, body: &str) -> Answer {
    let headers = [
        ("Authorization", token),
        ("Content-Type", "application/x-www-form-urlencoded"),
    ];
    hub.http().request("POST", HUB, &headers, body.as_bytes())
}

/// Publishes fields; answers the id.
#[track_caller]
pub fn publish(hub: &HubProcess, fields: &[(&str, &str)]) -> String {
    let answer = post(hub, &v0(&["*"], &[]), &form(fields));
    assert_eq!(answer.status, 200, "{fields:?}: {}", answer.text());
    let media_type = answer.header("content-type");
    assert_eq!(media_type, Some("text/plain; charset=utf-8"));
    answer.text()
}

/// Opens a stream.
pub fn watch(hub: &HubProcess, query: &str, headers: Headers<'_>) -> Watch {
    let mut http = hub.http();
    let path = format!("{HUB}?{query}");
    let sent = http.send_request("GET", &path, headers, b"");
    sent.expect("a request that is sent");
    Watch::answered(http).expect("an answer")
}

/// A stream of which is told what it gives before the last event.
pub struct Seen(Watch);

impl Seen {
    /// Watches what `query` says, until [`Self::data`].
    #[track_caller]
    pub fn open(hub: &HubProcess, query: &str, headers: Headers<'_>) -> Self {
        let name = match query.contains("match") {
            true => "match",
            false => "topic",
        };
        let watch = watch(hub, &format!("{query}&{name}={END}"), headers);
        assert_eq!(watch.head().status, 200, "{query}: {:?}", watch.head());
        Self(watch.opened())
    }

    /// The answer's head.
    pub fn head(&self) -> &Answer {
        self.0.head()
    }

    /// The data of what came before everyone is told to end, in order.
    #[track_caller]
    pub fn data(mut self) -> Vec<String> {
        let mut all = Vec::new();
        loop {
            let event = self.0.next().expect("an event");
            let own = event.event.starts_with("tidings:");
            assert!(!own, "an event of the hub's own: {event:?}");
            if event.data == END {
                return all;
            }
            all.push(event.data);
        }
    }
}

/// Ends every [`Seen`].
pub fn end(hub: &HubProcess) {
    publish(hub, &[("topic", END), ("data", END)]);
}
