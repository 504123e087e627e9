//! What checks share: the hub, who they are to it, and the words of a dialect.

use crate::outcome::{Checked, Stop, ensure, fail, skip};
use crate::rules::Dialect;
use crate::stream::{Stream, shown};
use crate::target::{Request, Target};
use crate::token::{Action, Draft};
use serde_json::Value;
use std::cell::{Cell, OnceCell};
use std::time::Duration;
use tidings_testkit::Answer;
use url::form_urlencoded::Serializer;

/// What the hub's operator gave, to be somebody to the hub.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    /// The secret (HS256) with which tokens are made for publishers.
    pub publisher_key: Option<String>,
    /// The same for subscribers.
    pub subscriber_key: Option<String>,
    /// A token that grants publishing to every topic, where there is no key.
    pub publisher_token: Option<String>,
    /// A token that grants watching every topic, where there is no key.
    pub subscriber_token: Option<String>,
    /// `iss` of tokens of 1.0.
    pub issuer: Option<String>,
    /// `aud` of tokens of 1.0.
    pub audience: Option<String>,
}

/// A hub in one dialect.
#[derive(Debug)]
pub struct Context<'a> {
    /// The hub.
    pub target: &'a Target,
    /// The version that is spoken.
    pub dialect: Dialect,
    /// How long a heartbeat is waited for.
    pub heartbeat: Duration,
    /// An origin whose pages may use the hub.
    pub origin: Option<&'a str>,
    credentials: &'a Credentials,
    /// In every topic, so that no other traffic of the hub is mistaken for ours.
    tag: String,
    topics: Cell<u32>,
    metadata: OnceCell<Option<Value>>,
}

impl<'a> Context<'a> {
    /// A hub in one dialect.
    pub fn new(target: &'a Target, dialect: Dialect, credentials: &'a Credentials) -> Self {
        Self {
            target,
            dialect,
            heartbeat: Duration::from_secs(60),
            origin: None,
            credentials,
            tag: format!("{:016x}", fastrand::u64(..)),
            topics: Cell::new(0),
            metadata: OnceCell::new(),
        }
    }

    /// A URL that was never a topic before.
    pub fn url(&self) -> String {
        format!("https://example.com/{}", self.word())
    }

    /// A word that was never a topic before.
    pub fn word(&self) -> String {
        self.topics.set(self.topics.get() + 1);
        format!("{}-{}", self.tag, self.topics.get())
    }

    /// The parameter that names a topic.
    pub fn name(&self) -> &'static str {
        match self.dialect {
            Dialect::V0 => "topic",
            Dialect::V1 => "match",
        }
    }

    /// The parameter of the cursor.
    pub fn cursor_name(&self) -> &'static str {
        match self.dialect {
            Dialect::V0 => "lastEventID",
            Dialect::V1 => "last_event_id",
        }
    }

    /// The header that names the event before the first one sent.
    pub fn cursor_header(&self) -> &'static str {
        match self.dialect {
            Dialect::V0 => "last-event-id",
            Dialect::V1 => "mercure-last-event-id",
        }
    }

    /// The query of a subscription to these topics.
    pub fn query(&self, topics: &[&str]) -> String {
        form(topics.iter().map(|topic| (self.name(), *topic)))
    }

    /// The cookie that carries a token.
    pub fn cookie(&self) -> String {
        match self.dialect {
            Dialect::V0 => "mercureAuthorization".to_owned(),
            Dialect::V1 => self
                .metadata()
                .and_then(|metadata| metadata["mercure_cookie"].as_str())
                .unwrap_or("__Secure-mercure_access_token")
                .to_owned(),
        }
    }

    // ------------------------------------------------------------ the hub's metadata

    /// Where the metadata is.
    pub fn metadata_path(&self) -> String {
        let path = self.target.url().path();
        format!("/.well-known/oauth-protected-resource{path}")
    }

    /// The hub's metadata as a protected resource, if there is any.
    pub fn metadata(&self) -> Option<&Value> {
        let read = || {
            let request = Request::get("").path(self.metadata_path());
            let answer = self.target.request(&request).ok()?;
            let is_there = answer.status == 200;
            is_there
                .then(|| serde_json::from_slice(&answer.body).ok())
                .flatten()
        };
        self.metadata.get_or_init(read).as_ref()
    }

    /// The hub's URL as it knows it: what was given, or its metadata tell, or
    /// else the one it is reached at.
    pub fn identity(&self) -> String {
        let told = || self.metadata()?["resource"].as_str().map(str::to_owned);
        self.credentials
            .audience
            .clone()
            .or_else(told)
            .unwrap_or_else(|| self.target.url().to_string())
    }

    /// What the metadata must say of whom they are: what was given, or else
    /// the URL they were asked at.
    pub fn resource(&self) -> String {
        let given = self.credentials.audience.clone();
        given.unwrap_or_else(|| self.target.url().to_string())
    }

    /// The issuer that was given.
    pub fn issuer(&self) -> Option<&str> {
        self.credentials.issuer.as_deref()
    }

    /// Another path of the hub, below its own.
    pub fn below(&self, path: &str) -> String {
        format!("{}{path}", self.target.url().path())
    }

    // ------------------------------------------------------------ tokens

    /// The key for tokens that grant this.
    pub fn key(&self, action: Action) -> Checked<&str> {
        let key = match action {
            Action::Publish => &self.credentials.publisher_key,
            Action::Subscribe => &self.credentials.subscriber_key,
        };
        match key {
            Some(key) => Ok(key),
            None => skip(format!(
                "no --{}-key was given to make tokens with",
                match action {
                    Action::Publish => "publisher",
                    Action::Subscribe => "subscriber",
                }
            )),
        }
    }

    /// A token that grants nothing yet.
    pub fn draft(&self) -> Draft {
        let audience = self.identity();
        let origin = url::Url::parse(&audience)
            .map(|url| url.origin().ascii_serialization())
            .unwrap_or_default();
        Draft::new(self.dialect, self.issuer().unwrap_or(&origin), &audience)
    }

    /// A draft that grants `action` on `topics`.
    pub fn granting(&self, action: Action, topics: &[&str]) -> Draft {
        self.draft().grants(self.dialect, action, topics)
    }

    /// A token that grants `action` on `topics`.
    pub fn token(&self, action: Action, topics: &[&str]) -> Checked<String> {
        let key = self.key(action)?;
        Ok(self.granting(action, topics).sign(key))
    }

    /// A token that grants `action` on everything.
    pub fn whole(&self, action: Action) -> Checked<String> {
        let given = match action {
            Action::Publish => &self.credentials.publisher_token,
            Action::Subscribe => &self.credentials.subscriber_token,
        };
        match given {
            Some(token) => Ok(token.clone()),
            None => self.token(action, &["*"]),
        }
    }

    /// Somebody who may watch and is granted nothing of this run: without a
    /// token, if the hub is open; else with one for another topic.
    pub fn stranger(&self) -> Checked<Option<String>> {
        if self.is_open()? {
            return Ok(None);
        }
        let other = format!("https://other.example/{}", self.tag);
        self.token(Action::Subscribe, &[&other]).map(Some)
    }

    /// Whether the hub lets anybody watch.
    pub fn is_open(&self) -> Checked<bool> {
        let query = self.query(&[&self.word()]);
        Ok(Stream::ask(self.target, &Request::get(query))?.is_ok())
    }

    // ------------------------------------------------------------ publishing

    /// Publishes a form with a token for everything; answers the event's id.
    ///
    /// # Errors
    /// If the hub refuses.
    pub fn publish(&self, fields: &[(&str, &str)]) -> Checked<String> {
        let answer = self.post(fields)?;
        if answer.status != 200 {
            return fail(format!("publishing was answered {}", shown(&answer)));
        }
        Ok(answer.text())
    }

    /// Publishes something to a topic.
    pub fn event(&self, topic: &str) -> Checked<String> {
        self.publish(&[("topic", topic), ("data", "x")])
    }

    /// Publishes something private to a topic.
    pub fn private(&self, topic: &str) -> Checked<String> {
        self.publish(&[("topic", topic), ("data", "x"), ("private", "on")])
    }

    /// POSTs a form with a token for everything.
    pub fn post(&self, fields: &[(&str, &str)]) -> Checked<Answer> {
        self.post_encoded(&form(fields.iter().copied()))
    }

    /// The same, for a form that is encoded already.
    pub fn post_encoded(&self, form: &str) -> Checked<Answer> {
        let token = self.whole(Action::Publish)?;
        Ok(self
            .target
            .request(&Request::post(form).bearer(Some(&token)))?)
    }

    /// POSTs something to a topic with this token.
    pub fn post_as(&self, token: Option<&str>, topics: &[&str]) -> Checked<Answer> {
        let fields = topics.iter().map(|topic| ("topic", *topic));
        let form = form(fields.chain([("data", "x")]));
        Ok(self.target.request(&Request::post(form).bearer(token))?)
    }

    // ------------------------------------------------------------ watching

    /// Watches what a query names, with a token for everything if there can be one.
    pub fn watch(&self, query: impl Into<String>) -> Checked<Stream> {
        Stream::open(self.target, &self.get(query)?)
    }

    /// Watches topics.
    pub fn watch_topics(&self, topics: &[&str]) -> Checked<Stream> {
        self.watch(self.query(topics))
    }

    /// Watches topics with this token.
    pub fn watch_as(&self, token: Option<&str>, topics: &[&str]) -> Checked<Stream> {
        Stream::open(self.target, &Request::get(self.query(topics)).bearer(token))
    }

    /// A GET with a token for everything if there can be one.
    pub fn get(&self, query: impl Into<String>) -> Checked<Request> {
        let token = match self.whole(Action::Subscribe) {
            Ok(token) => Some(token),
            Err(Stop::Skip(_)) => None,
            Err(stop) => return Err(stop),
        };
        Ok(Request::get(query).bearer(token.as_deref()))
    }

    /// The hub refuses a GET with this query, with one of these statuses.
    pub fn refuses(&self, query: &str, statuses: &[u16]) -> Checked<Answer> {
        let answer = self.target.request(&self.get(query)?)?;
        is_one_of(query, &answer, statuses)?;
        Ok(answer)
    }
}

/// The answer to what was asked has one of these statuses.
pub fn is_one_of(asked: &str, answer: &Answer, statuses: &[u16]) -> Checked {
    const MOST: usize = 120;
    ensure(statuses.contains(&answer.status), || {
        let asked: String = asked.chars().take(MOST).collect();
        format!(
            "{asked} was answered {}, expected {statuses:?}",
            shown(answer)
        )
    })
}

/// Fields, encoded as a query or a body.
pub fn form<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut form = Serializer::new(String::new());
    form.extend_pairs(fields);
    form.finish()
}
