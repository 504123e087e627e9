use super::parameters::{Command, Parameters};
use super::stream::Driven;
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, LOCATION};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// What this client can, in the words of the suites.
const CAPABILITIES: [&str; 10] = [
    "bom",
    "comments",
    "event-type-listeners",
    "headers",
    "last-event-id",
    "post",
    "read-timeout",
    "report",
    "restart",
    "server-directed-shutdown-request",
];

/// Where streams are: this and their number.
const STREAMS: &str = "/streams/";

/// The largest body of a control request.
const BODY_BYTES: usize = 16 << 20;

type Answer = Response<Full<Bytes>>;

/// The streams that were opened and not closed.
#[derive(Default)]
pub struct Service {
    streams: Mutex<Streams>,
    asked_to_end: AtomicBool,
    end: Notify,
}

#[derive(Default)]
struct Streams {
    opened: u64,
    by_number: HashMap<u64, Driven>,
}

impl Service {
    /// Answers one control request.
    pub async fn answer(&self, request: Request<Incoming>) -> Answer {
        let (head, body) = request.into_parts();
        let number = head.uri.path().strip_prefix(STREAMS);
        let number = number.and_then(|number| number.parse::<u64>().ok());
        let answer = match (&head.method, head.uri.path(), number) {
            (&Method::GET, "/", _) => Ok(capabilities()),
            (&Method::DELETE, "/", _) => Ok(self.ask_to_end()),
            (&Method::POST, "/", _) => match read(body).await {
                Ok(parameters) => self.open(parameters),
                Err(refusal) => Err(refusal),
            },
            (&Method::POST, _, Some(number)) => match read(body).await {
                Ok(command) => self.command(number, command),
                Err(refusal) => Err(refusal),
            },
            (&Method::DELETE, _, Some(number)) => self.close(number),
            (_, "/", _) | (_, _, Some(_)) => Err(Refusal(
                StatusCode::METHOD_NOT_ALLOWED,
                "GET, POST and DELETE of /, POST and DELETE of a stream".to_owned(),
            )),
            _ => Err(Refusal::no_stream()),
        };
        answer.unwrap_or_else(|Refusal(status, text)| {
            respond(status, "text/plain", format!("{text}\n"))
        })
    }

    /// Resolves when the service was asked to end and has said that it will.
    pub async fn ended(&self) {
        self.end.notified().await;
    }

    /// Ends the service, if the connection that is over asked for it.
    pub fn end_if_asked(&self) {
        if self.asked_to_end.load(Ordering::Acquire) {
            self.end.notify_one();
        }
    }

    fn open(&self, parameters: Parameters) -> Result<Answer, Refusal> {
        let driven = Driven::open(parameters).map_err(Refusal::bad_request)?;
        let mut streams = self.streams();
        streams.opened += 1;
        let number = streams.opened;
        streams.by_number.insert(number, driven);
        let mut answer = respond(StatusCode::CREATED, "text/plain", String::new());
        let location = HeaderValue::try_from(format!("{STREAMS}{number}"));
        answer
            .headers_mut()
            .insert(LOCATION, location.expect("a path"));
        Ok(answer)
    }

    fn command(&self, number: u64, command: Command) -> Result<Answer, Refusal> {
        let streams = self.streams();
        let driven = streams.by_number.get(&number);
        let driven = driven.ok_or_else(Refusal::no_stream)?;
        driven.command(command);
        Ok(respond(StatusCode::ACCEPTED, "text/plain", String::new()))
    }

    fn close(&self, number: u64) -> Result<Answer, Refusal> {
        let closed = self.streams().by_number.remove(&number);
        closed.ok_or_else(Refusal::no_stream)?;
        Ok(respond(StatusCode::NO_CONTENT, "text/plain", String::new()))
    }

    fn ask_to_end(&self) -> Answer {
        self.asked_to_end.store(true, Ordering::Release);
        let mut answer = respond(StatusCode::NO_CONTENT, "text/plain", String::new());
        // The service ends when the connection does.
        answer
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("close"));
        answer
    }

    fn streams(&self) -> MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a control request can't be granted.
struct Refusal(StatusCode, String);

impl Refusal {
    fn bad_request(text: impl ToString) -> Self {
        Self(StatusCode::BAD_REQUEST, text.to_string())
    }

    fn no_stream() -> Self {
        Self(StatusCode::NOT_FOUND, "there is no such stream".to_owned())
    }
}

async fn read<T: DeserializeOwned>(body: Incoming) -> Result<T, Refusal> {
    let body = Limited::new(body, BODY_BYTES).collect().await;
    let body = body.map_err(|_| Refusal::bad_request("the body broke off or is too large"))?;
    serde_json::from_slice(&body.to_bytes()).map_err(Refusal::bad_request)
}

fn capabilities() -> Answer {
    let said = serde_json::json!({ "name": "tidings-eventsource", "capabilities": CAPABILITIES });
    respond(StatusCode::OK, "application/json", said.to_string())
}

fn respond(status: StatusCode, content_type: &'static str, text: String) -> Answer {
    let mut answer = Response::new(Full::from(text));
    *answer.status_mut() = status;
    if status != StatusCode::NO_CONTENT {
        answer
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    answer
}
