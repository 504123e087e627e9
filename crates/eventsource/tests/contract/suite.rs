//! A contract suite's end: a server of streams whose every byte the test says,
//! a receiver of callbacks, and the control requests.

use crate::contract_service;
use serde_json::{Value, json};
use std::cell::Cell;
use std::net::SocketAddr;
use std::thread::JoinHandle;
use tidings_testkit::{Answer, Exchange, Http, Scripted};
use tokio::net::TcpListener;

/// The service under test, and the two servers it is pointed at.
pub struct Suite {
    service: SocketAddr,
    ended: JoinHandle<()>,
    streams: Scripted,
    callbacks: Scripted,
    heard: Cell<u64>,
}

impl Suite {
    pub fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"));
        let listener = listener.expect("a port");
        let service = listener.local_addr().expect("an address");
        let ended = std::thread::spawn(move || runtime.block_on(contract_service::serve(listener)));
        Self {
            service,
            ended,
            streams: Scripted::new(),
            callbacks: Scripted::new(),
            heard: Cell::new(0),
        }
    }

    /// A control request.
    pub fn control(&self, method: &str, path: &str, body: &str) -> Answer {
        let headers = [("Content-Type", "application/json")];
        Http::connect(self.service).request(method, path, &headers, body.as_bytes())
    }

    /// Opens a stream of `/stream`; answers where it is. `with` has what isn't
    /// the same for all.
    #[track_caller]
    pub fn open(&self, with: &Value) -> String {
        self.open_at("/stream", with)
    }

    /// The same, of another path.
    #[track_caller]
    pub fn open_at(&self, path: &str, with: &Value) -> String {
        let answer = self.try_open(&self.streams.url(path), with);
        assert_eq!(answer.status, 201, "{}", answer.text());
        let location = answer.header("location").expect("a location");
        assert!(location.starts_with('/'), "{location}");
        location.to_owned()
    }

    pub fn try_open(&self, stream_url: &str, with: &Value) -> Answer {
        let mut parameters = json!({
            "streamUrl": stream_url,
            "callbackUrl": self.callbacks.url("/heard"),
            "tag": "test",
            "initialDelayMs": 1,
        });
        for (name, value) in with.as_object().expect("an object") {
            parameters[name] = value.clone();
        }
        self.control("POST", "/", &parameters.to_string())
    }

    /// Gives a stream a command.
    #[track_caller]
    pub fn command(&self, stream: &str, command: &Value) {
        let answer = self.control("POST", stream, &command.to_string());
        assert_eq!(answer.status, 202, "{}", answer.text());
    }

    #[track_caller]
    pub fn listen(&self, stream: &str, event_type: &str) {
        let listen = json!({ "command": "listen", "listen": { "type": event_type } });
        self.command(stream, &listen);
    }

    /// The next request for a stream.
    #[track_caller]
    pub fn requested(&self) -> Exchange {
        self.streams.next()
    }

    /// The next request for a stream, answered with the head of one.
    #[track_caller]
    pub fn connected(&self) -> Exchange {
        let mut exchange = self.requested();
        exchange.open();
        exchange
    }

    /// Answers one event, and waits until it was seen.
    #[track_caller]
    pub fn one_event(&self, text: &str) -> Exchange {
        let mut exchange = self.connected();
        exchange.send(text);
        let heard = self.heard();
        assert_eq!(heard["kind"], "event", "{heard}");
        exchange
    }

    /// Where streams are.
    pub fn url(&self, path: &str) -> String {
        self.streams.url(path)
    }

    /// What the client has seen next. The callbacks of one stream are numbered.
    #[track_caller]
    pub fn heard(&self) -> Value {
        let callback = self.callbacks.next();
        self.heard.set(self.heard.get() + 1);
        assert_eq!(callback.asked.method, "POST");
        assert_eq!(callback.asked.path, format!("/heard/{}", self.heard.get()));
        let content_type = callback.asked.header("content-type");
        assert_eq!(content_type.as_deref(), Some("application/json"));
        let heard = serde_json::from_slice(&callback.asked.body).expect("JSON");
        callback.answer(200, &[], "");
        heard
    }

    /// The client has seen this event next.
    #[track_caller]
    pub fn heard_event(&self, event_type: &str, data: &str, id: &str) {
        let event = json!({ "type": event_type, "data": data, "id": id });
        assert_eq!(self.heard(), json!({ "kind": "event", "event": event }));
    }

    /// The client has seen an error next; answers its text.
    #[track_caller]
    pub fn heard_error(&self) -> String {
        let heard = self.heard();
        assert_eq!(heard["kind"], "error", "{heard}");
        heard["error"].as_str().expect("a text").to_owned()
    }

    /// The client asks for `/stream` no more: another stream of the service is
    /// lost and made anew three times, and only its own requests come.
    #[track_caller]
    pub fn check_quiet(&self) {
        self.check_quiet_while("retry: 50");
    }

    /// The same, with a reconnection time of the other stream.
    #[track_caller]
    pub fn check_quiet_while(&self, retry: &str) {
        let callbacks = Scripted::new();
        let other = self.open_at("/other", &json!({ "callbackUrl": callbacks.url("") }));
        for _ in 0..3 {
            let mut exchange = self.connected();
            assert_eq!(exchange.asked.path, "/other");
            exchange.send(format!("{retry}\ndata\n\n"));
            callbacks.next().answer(200, &[], "");
            exchange.end();
            callbacks.next().answer(200, &[], "");
        }
        assert_eq!(self.control("DELETE", &other, "").status, 204);
    }

    /// Ends the service, which must return.
    pub fn end(self) {
        assert_eq!(self.control("DELETE", "/", "").status, 204);
        self.ended.join().expect("it ends well");
    }
}
