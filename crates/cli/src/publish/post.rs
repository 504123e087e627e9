use crate::{Failure, problem};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;
use tidings_eventsource::protocol::rules::{is_transient, retry_after};
use tidings_eventsource::protocol::{Head, Request};
use tidings_eventsource::transport::{Hyper, Transport, TransportError};
use url::Url;

/// The header by which a request can be repeated
/// (draft-ietf-httpapi-idempotency-key-header).
pub const KEY: &str = "idempotency-key";
/// How often a request with a key is sent at most.
const ATTEMPTS: u32 = 5;
/// The wait before the second attempt; doubled for each further one.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// The longest wait that a hub may ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// How much of an answer is read.
const ANSWER_BYTES: usize = 1 << 20;

/// Posts to one place.
pub struct Post {
    pub transport: Hyper,
    pub url: Url,
    /// The same without secrets, for errors.
    pub place: String,
    pub headers: HeaderMap,
    /// How long an answer may take.
    pub timeout: Duration,
}

/// What a hub has answered to one request, or all of several.
#[derive(Debug, Default)]
pub struct Answer(Value);

/// Why a request failed.
pub struct Refused {
    failure: Failure,
    /// How many of its events were published before that.
    published: u64,
    /// Whether another attempt may succeed, and after how long at the earliest.
    again: Option<Duration>,
}

impl Refused {
    /// With what the requests before it have published.
    pub fn behind(self, published: u64) -> Failure {
        self.failure.behind(published + self.published)
    }
}

impl Post {
    /// Posts a body. With a key it is repeated where that may help: the hub
    /// publishes it once all the same. Without one, an answer that got lost
    /// would leave open whether a repetition publishes it twice.
    pub async fn send(&self, body: Vec<u8>, key: Option<&str>) -> Result<Answer, Refused> {
        let mut headers = self.headers.clone();
        if let Some(key) = key {
            let key = HeaderValue::from_str(key).expect("checked to be ASCII");
            headers.insert(KEY, key);
        }
        let request = Request::new(Method::POST, &self.url, headers, Some(body.into()));
        let mut wait = FIRST_WAIT;
        for left in (0..ATTEMPTS).rev() {
            let refused = match self.attempt(request.clone()).await {
                Ok(answer) => return Ok(answer),
                Err(refused) => refused,
            };
            let Some(asked) = refused.again.filter(|_| key.is_some() && left > 0) else {
                return Err(refused);
            };
            tokio::time::sleep(wait.max(asked.min(LONGEST_WAIT))).await;
            wait *= 2;
        }
        unreachable!("the last attempt returns")
    }

    async fn attempt(&self, request: Request) -> Result<Answer, Refused> {
        let answered = async {
            let mut response = self.transport.send(request).await?;
            let body = problem::read(&mut response.body, ANSWER_BYTES).await?;
            Ok::<_, TransportError>((response.head, body))
        };
        let (head, body) = match tokio::time::timeout(self.timeout, answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                return Err(Refused {
                    again: (!error.is_futile()).then_some(Duration::ZERO),
                    failure: self.failure(&error, |text| Failure::transport(&error, text)),
                    published: 0,
                });
            }
            Err(_) => {
                let text = format!("no answer within {} s", self.timeout.as_secs_f64());
                return Err(Refused {
                    failure: self.failure(&text, Failure::timeout),
                    again: Some(Duration::ZERO),
                    published: 0,
                });
            }
        };
        let (status, answer) = (head.status, Answer::of(&body));
        if status.is_success() {
            return Ok(answer);
        }
        let text = refusal(status, &body);
        Err(Refused {
            failure: self.failure(&text, |text| Failure::status(status, text)),
            again: again(&head),
            published: answer.published(),
        })
    }

    fn failure(
        &self,
        text: &dyn std::fmt::Display,
        kind: impl FnOnce(String) -> Failure,
    ) -> Failure {
        kind(format!("publish: {}: {text}", self.place))
    }
}

/// Whether another attempt may be answered otherwise, and what the hub asks to
/// wait until then.
fn again(head: &Head) -> Option<Duration> {
    is_transient(head.status).then(|| retry_after(&head.headers).unwrap_or_default())
}

/// What a refusal says, as far as it is safe to show.
fn refusal(status: StatusCode, body: &[u8]) -> String {
    let number = status.as_u16();
    if status.is_redirection() {
        return format!("the answer is {number}, a redirect; give the URL where it leads to");
    }
    match problem::detail(body) {
        None => format!("the answer is {number}"),
        Some(detail) => format!("the answer is {number}: {detail}"),
    }
}

impl Answer {
    /// To no request at all.
    pub fn nothing() -> Self {
        Self(json!({ "published": 0, "last_id": null }))
    }

    /// An answer that is no JSON object is the id itself, as hubs of the
    /// Mercure protocol say it, if it looks like one.
    fn of(body: &[u8]) -> Self {
        match serde_json::from_slice(body) {
            Ok(answer @ Value::Object(_)) => Self(answer),
            _ => {
                let text = std::str::from_utf8(body).unwrap_or_default().trim();
                let is_id =
                    !text.is_empty() && text.len() <= 256 && !text.contains(char::is_control);
                Self(match is_id {
                    true => json!({ "id": text }),
                    false => json!({}),
                })
            }
        }
    }

    /// Adds what was answered to another request.
    pub fn add(&mut self, other: &Self) {
        self.0["published"] = json!(self.published() + other.published());
        if let Some(id) = other.0["last_id"].as_str() {
            self.0["last_id"] = json!(id);
        }
        for name in ["closed", "end_id"] {
            if let Some(value) = other.0.get(name) {
                self.0[name] = value.clone();
            }
        }
    }

    /// How many events were published.
    pub fn published(&self) -> u64 {
        self.0["published"].as_u64().unwrap_or(0)
    }

    /// The id of the event, of the last of several; of the end, if there were none.
    pub fn id(&self) -> Option<&str> {
        let ids = ["id", "last_id", "end_id"].into_iter();
        ids.filter_map(|name| self.0[name].as_str()).next()
    }

    pub fn as_json(&self) -> String {
        self.0.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::RETRY_AFTER;

    #[test]
    fn what_a_refusal_says() {
        let redirect = "the answer is 301, a redirect; give the URL where it leads to";
        let table = [
            (
                403,
                "{\"detail\":\"not you\"}",
                "the answer is 403: not you",
            ),
            (500, "<html>", "the answer is 500"),
            (301, "{\"detail\":\"x\"}", redirect),
        ];
        for (status, body, text) in table {
            let status = StatusCode::from_u16(status).expect("a status");
            assert_eq!(refusal(status, body.as_bytes()), text);
        }
    }

    #[test]
    fn when_another_attempt_follows() {
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        let in_a_minute = "Sun, 06 Nov 1994 08:50:37 GMT";
        for (status, after, seconds) in [
            (503, None, Some(0)),
            (503, Some("7"), Some(7)),
            (429, Some(in_a_minute), Some(60)),
            (429, Some("soon"), Some(0)),
            (408, Some("1"), Some(1)),
            (425, None, Some(0)),
            (400, Some("7"), None),
            (301, Some("7"), None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("date", HeaderValue::from_static(date));
            headers.extend(after.map(|text| (RETRY_AFTER, HeaderValue::from_static(text))));
            let status = StatusCode::from_u16(status).expect("a status");
            let expected = seconds.map(Duration::from_secs);
            assert_eq!(
                again(&Head { status, headers }),
                expected,
                "{status} {after:?}"
            );
        }
    }

    #[test]
    fn the_id_of_an_answer() {
        let table: [(&[u8], Option<&str>); 8] = [
            (b"{\"id\":\"td-1\",\"topic\":\"a\"}", Some("td-1")),
            (b"{\"published\":2,\"last_id\":\"td-2\"}", Some("td-2")),
            (b"{\"published\":0,\"last_id\":null}", None),
            (b"{\"last_id\":null,\"end_id\":\"td-3\"}", Some("td-3")),
            (b"urn:uuid:7\n", Some("urn:uuid:7")),
            (b"a\x1bb", None),
            (b"\xff", None),
            (b"", None),
        ];
        for (body, id) in table {
            assert_eq!(Answer::of(body).id(), id, "{body:?}");
        }
    }

    #[test]
    fn answers_add_up() {
        let mut all = Answer::nothing();
        assert_eq!(all.as_json(), "{\"last_id\":null,\"published\":0}");
        all.add(&Answer::of(b"{\"published\":2,\"last_id\":\"b\"}"));
        all.add(&Answer::of(b"{\"published\":1,\"last_id\":\"c\"}"));
        all.add(&Answer::of(b"{\"published\":0,\"last_id\":null}"));
        assert_eq!(all.as_json(), "{\"last_id\":\"c\",\"published\":3}");
        all.add(&Answer::of(
            b"{\"published\":0,\"last_id\":null,\"closed\":true,\"end_id\":\"d\"}",
        ));
        let expected = "{\"closed\":true,\"end_id\":\"d\",\"last_id\":\"c\",\"published\":3}";
        assert_eq!(all.as_json(), expected);
    }
}
