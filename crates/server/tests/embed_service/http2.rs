//! The same over HTTP/2.

use super::{ADA, Served, by_header};
use axum::Router;
use futures_util::StreamExt;
use http::{HeaderName, StatusCode};
use tidings_eventsource::protocol::Request;
use tidings_eventsource::transport::{Hyper, Response, Transport};
use tidings_testkit::{PATIENCE, wait_until};
use tokio::time::timeout;

/// Whoever asks over HTTP/2, by prior knowledge, on one connection.
struct Http2<'a> {
    app: &'a Served,
    transport: Hyper,
}

/// What is answered over HTTP/2.
struct Answer<'a> {
    app: &'a Served,
    response: Response,
}

impl<'a> Http2<'a> {
    fn new(app: &'a Served) -> Self {
        let _entered = app.runtime.enter();
        let transport = Hyper::builder().no_proxy().http2_prior_knowledge();
        Self {
            app,
            transport: transport.build(),
        }
    }

    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer<'a> {
        let url = format!("http://{}{path}", self.app.address).parse();
        let headers = headers.iter().map(|(name, value)| {
            let name: HeaderName = name.parse().expect("a name");
            (name, value.parse().expect("a value"))
        });
        let request = Request::new(
            method.parse().expect("a method"),
            &url.expect("a URL"),
            headers.collect(),
            (!body.is_empty()).then(|| body.to_owned().into()),
        );
        let sending = async { timeout(PATIENCE, self.transport.send(request)).await };
        let response = self.app.runtime.block_on(sending);
        let response = response.expect("in time").expect("an answer");
        Answer {
            app: self.app,
            response,
        }
    }

    fn watch(&self, path: &str, headers: &[(&str, &str)]) -> Answer<'a> {
        let stream = ("accept", "text/event-stream");
        let answer = self.send("GET", path, &[&[stream], headers].concat(), "");
        assert_eq!(answer.response.head.status, StatusCode::OK);
        let headers = &answer.response.head.headers;
        assert_eq!(headers["content-type"], "text/event-stream");
        // What is of one connection has no place in HTTP/2 (RFC 9113, 8.2.2).
        assert!(!headers.contains_key("connection") && !headers.contains_key("transfer-encoding"));
        answer
    }
}

impl Answer<'_> {
    /// What comes until `text` is in it, or with `None` all of it.
    fn until(&mut self, text: Option<&str>) -> String {
        let mut seen = String::new();
        while text.is_none_or(|text| !seen.contains(text)) {
            let next = async { timeout(PATIENCE, self.response.body.next()).await };
            match self.app.runtime.block_on(next).expect("in time") {
                Some(chunk) => {
                    seen.push_str(std::str::from_utf8(&chunk.expect("a chunk")).expect("text"))
                }
                None => {
                    assert_eq!(text, None, "the end behind {seen:?}");
                    break;
                }
            }
        }
        seen
    }

    fn json(mut self) -> serde_json::Value {
        serde_json::from_str(&self.until(None)).expect("JSON")
    }
}

/// Everything that a visitor does, as `by_header` lets them, on one connection.
fn check_over_http2(app: &Served) {
    let http = Http2::new(app);
    let publish = |data: &str| {
        let published = http.send("POST", "/t/room/ada", &[ADA], data);
        assert_eq!(published.response.head.status, StatusCode::OK);
        published.json()["id"].as_str().expect("an id").to_owned()
    };
    let count = || {
        http.send("GET", "/presence?topic=room/ada", &[ADA], "")
            .json()["count"]
            .clone()
    };
    assert_eq!(count(), 0);
    let mut present = http.watch("/t/room/ada?presence=1", &[ADA]);
    present.until(Some("\"count\":1"));
    assert_eq!(count(), 1);
    // More streams than a browser has connections.
    let mut crowd: Vec<Answer<'_>> = (0..20).map(|_| http.watch("/t/room/*", &[ADA])).collect();
    let id = publish("one");
    for stream in crowd.iter_mut().chain([&mut present]) {
        stream.until(Some(&format!("data: one\nid: {id}\n\n")));
    }
    // Who has lost the stream goes on behind what they have.
    drop(present);
    let last = publish("two");
    let mut resumed = http.watch("/t/room/ada", &[ADA, ("last-event-id", &id)]);
    let text = resumed.until(Some(&format!("data: two\nid: {last}\n\n")));
    assert!(!text.contains("data: one"), "{text}");
    // Who leaves with the last stream of theirs is missed.
    assert_eq!(count(), 1);
    drop(resumed);
    wait_until("nobody is there any more", || count() == 0);
    for (method, path, body) in [("GET", "/t/news", ""), ("POST", "/t/room/bob", "no")] {
        let refused = http.send(method, path, &[ADA], body);
        assert_eq!(refused.response.head.status, StatusCode::FORBIDDEN);
    }
    app.runtime.block_on(app.hub.shutdown());
    for mut stream in crowd {
        let rest = stream.until(None);
        assert!(rest.contains("data: two\n"), "{rest}");
        assert!(rest.contains("retry: "), "{rest}");
    }
}

#[test]
fn over_http2_by_prior_knowledge_in_axums_own_server() {
    let app = Served::axum(|hub| Router::new().fallback_service(by_header(hub)));
    check_over_http2(&app);
}

#[test]
fn over_http2_alone_in_hyper() {
    let app = Served::http2(|hub| Router::new().fallback_service(by_header(hub)));
    check_over_http2(&app);
}
