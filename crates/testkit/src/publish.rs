//! Publishing what tests of a hub publish most.

use crate::{HubProcess, Received};
use serde_json::{Value, json};
use std::ops::Range;

impl HubProcess {
    /// Publishes events with numbers as data in one request, each to the topic
    /// that `topic` says of its number; answers what is to be seen of them.
    ///
    /// # Panics
    /// If the hub refuses them.
    #[track_caller]
    pub fn publish_numbers<'a>(
        &self,
        numbers: Range<usize>,
        topic: impl Fn(usize) -> &'a str,
    ) -> Vec<Received> {
        let event = |n| json!({ "topic": topic(n), "data": n.to_string() });
        let body = Value::from_iter(numbers.clone().map(event)).to_string();
        let headers = [("Content-Type", "application/json")];
        let answer = self
            .http()
            .request("POST", "/events", &headers, body.as_bytes());
        assert_eq!(answer.status, 200, "{}", answer.text());
        let answer = answer.json();
        let ids = answer["ids"].as_array().expect("ids");
        assert_eq!(ids.len(), numbers.len(), "{answer}");
        let seen = |(n, id): (usize, &Value)| Received {
            event: "message".to_owned(),
            data: n.to_string(),
            id: id.as_str().expect("an id").to_owned(),
        };
        numbers.zip(ids).map(seen).collect()
    }
}
