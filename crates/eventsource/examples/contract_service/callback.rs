use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method};
use std::future::poll_fn;
use tidings_eventsource::protocol::Request;
use tidings_eventsource::transport::{Hyper, Transport};
use url::Url;

/// Says to the suite what a stream has seen: one thing after the other, each
/// answered before the next.
pub struct Callback {
    transport: Hyper,
    url: String,
    /// How many were said.
    said: u64,
}

impl Callback {
    pub fn new(transport: Hyper, url: &str) -> Result<Self, url::ParseError> {
        Url::parse(url)?;
        Ok(Self {
            transport,
            url: url.trim_end_matches('/').to_owned(),
            said: 0,
        })
    }

    /// Says `what`. A suite that doesn't listen any more misses it.
    pub async fn say(&mut self, what: &serde_json::Value) {
        self.said += 1;
        let url = Url::parse(&format!("{}/{}", self.url, self.said));
        let url = url.expect("a URL with more path is one");
        let json = HeaderValue::from_static("application/json");
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, json)]);
        let body = Bytes::from(what.to_string());
        let request = Request::new(Method::POST, &url, headers, Some(body));
        match self.transport.send(request).await {
            // To its end, so that the connection can carry the next one.
            Ok(mut response) => {
                while let Some(Ok(_)) = poll_fn(|cx| response.body.as_mut().poll_next(cx)).await {}
            }
            Err(error) => eprintln!("contract_service: callback {}: {error}", self.said),
        }
    }
}
