//! A small hub that speaks both versions of Mercure, and can be told to break
//! one rule at a time. What it understands of topics and documents is the pure
//! core's; its log, its streams and its tokens are its own.

pub mod faults;
mod log;
mod rights;

use faults::{Change, Switch};
use http::{HeaderMap, HeaderName, HeaderValue};
use log::{Log, Member};
use rights::{Config, Denied, Rights};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tidings_mercure::document::subscription::{Collection, media_type};
use tidings_mercure::document::{Metadata, Route};
use tidings_mercure::request::{publish, subscribe};
use tidings_mercure::{Base, Dialect, Refusal, RefusalKind};
use tidings_testkit::{Asked, Exchange, Scripted};

pub use rights::{ISSUER, SECRET};

/// Pages of this origin may use it.
pub const ORIGIN: &str = "https://page.example";

/// A running hub. It ends with the process.
pub struct Fake {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    base: Base,
    config: Config,
    change: Option<Change>,
    log: Mutex<Log>,
    changed: Condvar,
    streams: AtomicUsize,
}

/// An answer, before it is sent.
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

impl Reply {
    fn new(status: u16, media_type: &str, body: impl Into<String>) -> Self {
        Self {
            status,
            headers: vec![("content-type", media_type.to_owned())],
            body: body.into(),
        }
    }

    fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Gives a header another value, or takes it away.
    pub fn set(&mut self, name: &'static str, value: Option<&str>) {
        self.headers.retain(|(other, _)| *other != name);
        self.headers
            .extend(value.map(|value| (name, value.to_owned())));
    }

    /// Whether it begins an event stream.
    pub fn is_stream(&self) -> bool {
        let types = self
            .headers
            .iter()
            .filter(|(name, _)| *name == "content-type");
        self.status == 200 && types.into_iter().any(|(_, value)| value == EVENT_STREAM)
    }

    fn refusal(refusal: &Refusal, dialect: Dialect) -> Self {
        let status = refusal.kind.status(dialect);
        Self::new(status, "text/plain", refusal.detail.clone())
    }
}

const EVENT_STREAM: &str = "text/event-stream";

impl Fake {
    /// Starts one on a free port. Everybody may watch if it is `open`.
    pub fn start(open: bool, change: Option<Change>) -> Self {
        let server = Scripted::new();
        let shared = Arc::new(Shared {
            base: Base::new(&server.url("")).expect("an origin"),
            config: Config { open },
            change,
            log: Mutex::default(),
            changed: Condvar::new(),
            streams: AtomicUsize::new(0),
        });
        let of_thread = Arc::clone(&shared);
        std::thread::spawn(move || {
            // Nobody asks for this long: the test is over.
            while let Some(exchange) = server.within(Duration::from_secs(120)) {
                let shared = Arc::clone(&of_thread);
                std::thread::spawn(move || shared.handle(exchange));
            }
        });
        Self { shared }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        self.shared.base.hub().to_string()
    }
}

impl Shared {
    fn handle(&self, mut exchange: Exchange) {
        if let Some(Change::Request(change)) = self.change {
            change(&mut exchange.asked);
        }
        match self.answer(&exchange.asked) {
            Ok(member) => self.stream(exchange, member),
            Err(mut reply) => {
                self.touch(&exchange.asked, &mut reply);
                let headers: Vec<(&str, &str)> =
                    reply.headers.iter().map(|(n, v)| (*n, &**v)).collect();
                exchange.answer(reply.status, &headers, &reply.body);
            }
        }
    }

    fn touch(&self, asked: &Asked, reply: &mut Reply) {
        if let Some(Change::Answer(change)) = self.change {
            change(asked, reply);
        }
    }

    fn is(&self, switch: Switch) -> bool {
        matches!(self.change, Some(Change::Hub(on)) if on == switch)
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is answered: an event stream to a member, or all at once.
    fn answer(&self, asked: &Asked) -> Result<Member, Reply> {
        let path = asked.path.split('?').next().unwrap_or_default();
        let hub = self.base.hub().path();
        if path == hub {
            return match &*asked.method {
                "POST" => Err(self.publish(asked)),
                "GET" | "HEAD" | "QUERY" => self.subscribe(asked),
                _ => Err(Reply::new(405, "text/plain", "")),
            };
        }
        if path == format!("/.well-known/oauth-protected-resource{hub}") {
            return Err(self.metadata());
        }
        Err(match Route::parse(path, &self.base) {
            Some(route) => self.subscriptions(asked, &route),
            None => Reply::new(404, "text/plain", ""),
        })
    }

    fn metadata(&self) -> Reply {
        let issuers = [ISSUER.to_owned()];
        let metadata = Metadata::new(self.base.hub().as_str(), &issuers, true);
        Reply::new(200, "application/json", metadata.to_json())
    }

    fn denied(&self, denied: Denied) -> Reply {
        let challenge = denied.why.challenge(&Metadata::url(&self.base));
        Reply::new(denied.why.status(denied.dialect), "text/plain", "denied")
            .header("www-authenticate", challenge)
    }

    fn publish(&self, asked: &Asked) -> Reply {
        let rights = match self.config.rights(asked, &self.base, Dialect::V0) {
            Ok(rights) => rights,
            Err(denied) => return self.denied(denied),
        };
        let dialect = rights.dialect;
        if asked.body.len() > 1 << 20 {
            return Reply::refusal(&Refusal::new(RefusalKind::TooLarge, "too large"), dialect);
        }
        let event = match publish::publish(&headers(asked), &asked.body, dialect, &self.base) {
            Ok(event) => event,
            Err(refusal) => return Reply::refusal(&refusal, dialect),
        };
        if let Err(denied) = rights.may_publish(&event.topics, &self.base) {
            return self.denied(denied);
        }
        let id = self.log().append(event);
        self.changed.notify_all();
        Reply::new(200, "text/plain; charset=utf-8", id)
    }

    fn subscribe(&self, asked: &Asked) -> Result<Member, Reply> {
        let is_query = asked.method == "QUERY";
        let body = is_query.then_some(&asked.body[..]);
        let query = asked.path.split_once('?').map(|(_, query)| query);
        let accept = asked.header("accept").unwrap_or_else(|| "*/*".to_owned());
        if is_query && !accept.contains("*/*") && !accept.contains(EVENT_STREAM) {
            return Err(Reply::new(406, "text/plain", ""));
        }
        let subscribe = subscribe::subscribe(&headers(asked), query, body, &self.base)
            .map_err(|refusal| Reply::refusal(&refusal, Dialect::V1))?;
        let rights = self.config.rights(asked, &self.base, subscribe.dialect);
        let rights = rights.map_err(|denied| self.denied(denied))?;
        if self.is(Switch::ThreeStreams) && self.streams.fetch_add(1, Ordering::Relaxed) >= 3 {
            return Err(Reply::new(503, "text/plain", ""));
        }
        let member = Member::new(subscribe, rights, &self.log(), self);
        match &*asked.method {
            "HEAD" => Err(self.opening(asked, &member)),
            _ => Ok(member),
        }
    }

    fn opening(&self, asked: &Asked, member: &Member) -> Reply {
        let mut reply = Reply::new(200, EVENT_STREAM, "")
            .header("cache-control", "no-cache")
            .header("x-accel-buffering", "no");
        if let Some(before) = &member.before {
            let name = member.dialect.last_event_id_header();
            let name = if name == "Last-Event-ID" {
                "last-event-id"
            } else {
                "mercure-last-event-id"
            };
            reply = reply.header(name, before.clone());
        }
        if asked
            .header("origin")
            .is_some_and(|origin| origin == ORIGIN)
        {
            reply = reply
                .header("access-control-allow-origin", ORIGIN)
                .header("access-control-allow-credentials", "true")
                .header(
                    "access-control-expose-headers",
                    "Mercure-Last-Event-ID, Link",
                );
        }
        reply
    }

    fn stream(&self, mut exchange: Exchange, mut member: Member) {
        const HEARTBEAT: Duration = Duration::from_millis(50);
        let mut reply = self.opening(&exchange.asked, &member);
        self.touch(&exchange.asked, &mut reply);
        let headers: Vec<(&str, &str)> = reply.headers.iter().map(|(n, v)| (*n, &**v)).collect();
        if !reply.is_stream() {
            return exchange.answer(reply.status, &headers, &reply.body);
        }
        exchange.head(reply.status, &headers);
        exchange.send(":\n");
        self.log()
            .join(&mut member, &self.base, self.is(Switch::PublicPresence));
        self.changed.notify_all();
        let mut quiet = Instant::now();
        let immortal = self.is(Switch::Immortal);
        while !exchange.is_gone() && (immortal || !member.rights.is_over()) {
            let mut blocks = member.read(&self.log(), self);
            if let Some(Change::Block(change)) = self.change {
                blocks.iter_mut().for_each(change);
            }
            if !blocks.is_empty() {
                quiet = Instant::now();
                exchange.send(blocks.concat());
            } else if quiet.elapsed() > HEARTBEAT && !self.is(Switch::NoHeartbeat) {
                quiet = Instant::now();
                exchange.send(":\n");
            }
            let log = self.log();
            if log.len() == member.at() {
                // Bounded, so that it sees the other side go, and its token end.
                drop(self.changed.wait_timeout(log, Duration::from_millis(10)));
            }
        }
        self.log()
            .leave(&member, &self.base, self.is(Switch::PublicPresence));
        self.changed.notify_all();
        exchange.end();
    }

    fn subscriptions(&self, asked: &Asked, route: &Route) -> Reply {
        let assumed = route.dialect().unwrap_or(Dialect::V0);
        let closed = Config { open: false };
        let rights = match closed.rights(asked, &self.base, assumed) {
            Ok(rights) => rights,
            Err(denied) => return self.denied(denied),
        };
        let path = asked.path.split('?').next().unwrap_or_default();
        if let Err(denied) = rights.may_see(path, &self.base) {
            return self.denied(denied);
        }
        self.documents(asked, route, &rights)
    }

    fn documents(&self, asked: &Asked, route: &Route, rights: &Rights) -> Reply {
        let dialect = route.dialect().unwrap_or(rights.dialect);
        let log = self.log();
        let last = log.last_id();
        let etag = tidings_mercure::document::link::etag(&last);
        let fresh = asked.header("if-none-match");
        if fresh.is_some_and(|tags| tidings_mercure::document::link::is_fresh(&tags, &etag)) {
            return Reply::new(304, "text/plain", "");
        }
        let members = log.members();
        let mut all = members
            .iter()
            .flat_map(|member| member.active(true))
            .filter(|active| route.selects(active));
        let document = match route.is_one() {
            true => all
                .next()
                .and_then(|one| one.document(dialect, Some(&last), &self.base)),
            false => {
                let collection = Collection::new(route, dialect, &last, &self.base);
                let items: Vec<String> = all
                    .filter_map(|active| active.item(dialect, &self.base))
                    .collect();
                Some(format!(
                    "{}{}{}",
                    collection.begin(),
                    items.join(","),
                    collection.end()
                ))
            }
        };
        let link = tidings_mercure::document::Link {
            last_event_id: Some(&last),
            ..Default::default()
        };
        match document {
            Some(document) => Reply::new(200, media_type(dialect), document)
                .header("link", link.to_hub(&self.base))
                .header("etag", etag)
                .header("cache-control", "must-revalidate"),
            None => Reply::new(404, "text/plain", ""),
        }
    }
}

fn headers(asked: &Asked) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in &asked.headers {
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value)) {
            map.append(name, value);
        }
    }
    map
}
