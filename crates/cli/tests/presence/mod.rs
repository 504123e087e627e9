//! A hub that tells of subscriptions, and who asks it about them.

// Each test file that includes this uses another part of it.
#![allow(dead_code)]

use bytes::Bytes;
use h2::client::SendRequest;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use tidings_testkit::token::{PUBLIC_URL, SECRET, in_seconds, signed};
use tidings_testkit::{Answer, HubProcess, Launch, PATIENCE, Received, Watch};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::time::timeout;

pub const HUB: &str = "/.well-known/mercure";
pub const SUBSCRIPTIONS: &str = "/.well-known/mercure/subscriptions";

/// With one key, which takes the tokens of both dialects.
pub fn telling(launch: Launch) -> Launch {
    let key = format!("[{{ algorithms = [\"HS256\"], secret = \"{SECRET}\", legacy = true }}]");
    launch
        .env("TIDINGS_AUTH_KEYS", key)
        .env("TIDINGS_PUBLIC_URL", PUBLIC_URL)
        .env("TIDINGS_MERCURE_SUBSCRIPTIONS", "true")
        .env("TIDINGS_DRAIN_WINDOW", "1s")
}

/// `Authorization` of 0.x, for these selectors.
pub fn old(topics: &[&str], payload: Option<Value>) -> String {
    let mut claim = json!({ "subscribe": topics });
    if let Some(payload) = payload {
        claim["payload"] = payload;
    }
    let token = signed(json!({ "mercure": claim }), SECRET.as_bytes(), "JWT");
    format!("Bearer {token}")
}

/// Claims of 1.0 that grant these topics, each with its payload.
pub fn details(topics: &[(&str, Option<Value>)]) -> Value {
    let details = topics.iter().map(|(topic, payload)| {
        let mut detail = json!({
            "type": "https://mercure.rocks/authorization-detail",
            "actions": ["subscribe"],
            "topics": [{ "match": topic }],
        });
        if let Some(payload) = payload {
            detail["payload"] = payload.clone();
        }
        detail
    });
    json!({
        "aud": format!("{PUBLIC_URL}{HUB}"),
        "authorization_details": details.collect::<Vec<_>>(),
    })
}

/// `Authorization` with claims of 1.0.
pub fn with(claims: Value) -> String {
    format!("Bearer {}", signed(claims, SECRET.as_bytes(), "at+jwt"))
}

/// `Authorization` of 1.0, for these topics.
pub fn new(topics: &[&str]) -> String {
    let topics: Vec<_> = topics.iter().map(|topic| (*topic, None)).collect();
    with(details(&topics))
}

/// `Authorization` of 1.0 that ends so soon.
pub fn short(seconds: i64) -> String {
    let mut claims = details(&[("*", None)]);
    claims["exp"] = in_seconds(seconds).into();
    with(claims)
}

/// Everything that isn't unreserved, encoded.
pub fn encode(text: &str) -> String {
    let bytes = text.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            (byte as char).to_string()
        }
        byte => format!("%{byte:02X}"),
    });
    bytes.collect()
}

/// A stream over HTTP/1.1, whose head has come.
pub fn watch(hub: &HubProcess, query: &str, token: &str, after: Option<&str>) -> Watch {
    let mut http = hub.http();
    let mut headers = vec![("Accept", "text/event-stream"), ("Authorization", token)];
    headers.extend(after.map(|id| ("Last-Event-ID", id)));
    let path = format!("{HUB}?{query}");
    http.send_request("GET", &path, &headers, b"")
        .expect("sent");
    let watch = Watch::answered(http).expect("an answer to a watcher");
    let head = watch.head();
    assert_eq!(head.status, 200, "{query}: {head:?}");
    watch
}

/// Asks for a document.
pub fn ask(hub: &HubProcess, path: &str, token: &str) -> Answer {
    let headers = [("Authorization", token)];
    hub.http().request("GET", path, &headers, b"")
}

/// Asks for a document that has to be there.
#[track_caller]
pub fn document(hub: &HubProcess, path: &str, token: &str) -> Value {
    let answer = ask(hub, path, token);
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.json()
}

/// The `last-event-id` of a `Link` to the hub.
#[track_caller]
pub fn cursor(answer: &Answer) -> String {
    let link = answer.header("link").expect("a link");
    let start = format!("<{PUBLIC_URL}{HUB}>; rel=\"mercure\"; last-event-id=\"");
    let rest = link.strip_prefix(&start).expect("a cursor in it");
    rest.split('"').next().unwrap_or_default().to_owned()
}

/// Who is there, as someone knows it who has fetched the collection and watches
/// from its cursor. Every event has to change something.
pub struct Known {
    pub there: BTreeMap<String, Value>,
    pub watch: Watch,
}

impl Known {
    /// By the collection of 1.0.
    pub fn fetch(hub: &HubProcess, token: &str) -> Self {
        let answer = ask(hub, SUBSCRIPTIONS, token);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let pattern = encode(&format!("{SUBSCRIPTIONS}/:match_type/:match/:subscriber"));
        let query = format!("match_urlpattern={pattern}");
        Self {
            there: listed(&answer.json()),
            watch: watch(hub, &query, token, Some(&cursor(&answer))),
        }
    }

    /// Takes the next event in; its document.
    #[track_caller]
    pub fn next(&mut self) -> Value {
        let event = self.watch.next().expect("an event");
        self.apply(&event)
    }

    #[track_caller]
    pub fn apply(&mut self, event: &Received) -> Value {
        assert_eq!(event.event, "mercure", "{event:?}");
        let document: Value = serde_json::from_str(&event.data).expect("JSON");
        let id = document["id"].as_str().expect("an id").to_owned();
        let is_new = match document["active"].as_bool().expect("active") {
            true => self.there.insert(id, document.clone()).is_none(),
            false => self.there.remove(&id).is_some(),
        };
        assert!(is_new, "said twice, or ends before it begins: {document}");
        document
    }

    /// Reads on until nobody is there whose topic is `topic`.
    #[track_caller]
    pub fn until_gone(&mut self, topic: &str) {
        while self.there.values().any(|own| own["match"] == topic) {
            self.next();
        }
    }

    /// Reads on until somebody is there whose topic is `topic`.
    #[track_caller]
    pub fn until_there(&mut self, topic: &str) {
        while !self.there.values().any(|own| own["match"] == topic) {
            self.next();
        }
    }
}

/// The documents of a collection, by their ids.
pub fn listed(collection: &Value) -> BTreeMap<String, Value> {
    let all = collection["subscriptions"].as_array().expect("a list");
    let by_id = all.iter().map(|document| {
        let id = document["id"].as_str().expect("an id");
        (id.to_owned(), document.clone())
    });
    let listed: BTreeMap<_, _> = by_id.collect();
    assert_eq!(listed.len(), all.len(), "each once: {collection}");
    listed
}

/// Streams that share a connection of HTTP/2.
pub struct Shared {
    runtime: Runtime,
    requests: SendRequest<Bytes>,
    address: SocketAddr,
}

/// A stream of HTTP/2; dropping it resets it.
pub struct SharedStream(h2::RecvStream);

impl Shared {
    pub fn connect(hub: &HubProcess) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let address = hub.address();
        let (requests, connection) = runtime.block_on(async {
            let socket = TcpStream::connect(address).await.expect("a hub");
            h2::client::handshake(socket).await.expect("a handshake")
        });
        runtime.spawn(connection);
        Self {
            runtime,
            requests,
            address,
        }
    }

    /// A stream whose head has come.
    pub fn watch(&self, query: &str, token: &str) -> SharedStream {
        let request = http::Request::builder()
            .uri(format!("http://{}{HUB}?{query}", self.address))
            .header("accept", "text/event-stream")
            .header("authorization", token)
            .body(())
            .expect("a request");
        let requests = self.requests.clone();
        let response = self.wait(async {
            let mut requests = requests.ready().await.expect("a connection");
            let (response, _) = requests.send_request(request, true).expect("sent");
            response.await.expect("an answer")
        });
        let response = response.expect("an answer within 30 s");
        assert_eq!(response.status(), 200);
        SharedStream(response.into_body())
    }

    /// Whether a stream ends within 30 s.
    pub fn ends(&self, stream: &mut SharedStream) -> bool {
        let end = async {
            while let Some(Ok(data)) = stream.0.data().await {
                let _ = stream.0.flow_control().release_capacity(data.len());
            }
        };
        self.wait(end).is_some()
    }

    /// What comes of it within 30 s.
    fn wait<T>(&self, what: impl Future<Output = T>) -> Option<T> {
        let waited = self
            .runtime
            .block_on(async { timeout(PATIENCE, what).await });
        waited.ok()
    }
}
