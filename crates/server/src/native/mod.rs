//! The native face: topics as paths, plain requests, plain streams.

mod admit;
mod console;
mod effect;
mod event_json;
pub mod history;
mod page;
mod publish;
mod publish_stream;
mod publisher;
mod refusal;
mod start;
mod watch;

pub use admit::{InvalidEvent, InvalidKey, Key, Labels, check_size, entry, event as admit_event};
pub use publish::Submitted;
pub use refusal::{NoPlaceLines, SoftRefusal, attend, refuse, soft_refusal};
pub use start::last_event_id;
pub use watch::{bare_event_stream, ended, event_stream, stream};

use crate::auth::{Refused, Who};
use crate::http::accept;
use crate::http::body::RequestBody;
use crate::http::{Code, Problem, Reply, query, respond};
use crate::hub::Hub;
use crate::{health, mercure, metrics, presence, sys, tokens};
use http::{Method, Request, StatusCode, request};
use http_body::Body;
use publisher::Publisher;
use std::sync::Arc;
use tidings_auth::Face;
use tidings_engine::Topic;

/// Where a request goes, by its path.
enum Route {
    Page,
    /// A file of the console, by the rest of the path.
    Console(String),
    ToConsole,
    Topic(String),
    Events,
    Live,
    Ready,
    Metrics,
    Presence,
    Admin(sys::Route),
}

fn route(path: &str) -> Result<Route, Problem> {
    if let Some(topic) = path.strip_prefix("/t/") {
        return Ok(Route::Topic(query::decode(topic)?));
    }
    if let Some(file) = path.strip_prefix(console::PATH) {
        return Ok(Route::Console(file.to_owned()));
    }
    if let Some(route) = sys::Route::of(path) {
        return Ok(Route::Admin(route));
    }
    match path {
        console::BARE_PATH => Ok(Route::ToConsole),
        "/" => Ok(Route::Page),
        "/events" => Ok(Route::Events),
        "/livez" => Ok(Route::Live),
        "/readyz" | "/healthz" => Ok(Route::Ready),
        "/metrics" => Ok(Route::Metrics),
        "/presence" => Ok(Route::Presence),
        _ => {
            let detail = "topics are at /t/{topic}, several at /events; the start page is at /, the console at /console/";
            Err(Problem::new(Code::NotFound, detail))
        }
    }
}

/// Whether a path answers everyone, whatever host they ask for and through
/// whatever proxy: health checks come from load balancers.
pub fn is_exempt(path: &str) -> bool {
    matches!(path, "/livez" | "/readyz" | "/healthz")
}

/// Whether a request reads a topic and would be answered by an event stream,
/// if it is granted.
pub fn may_watch(head: &request::Parts) -> bool {
    let path = head.uri.path();
    let reads = head.method == Method::GET
        && (path.starts_with("/t/") || path == "/events")
        && accept::negotiate(&head.headers) == Some(accept::Form::Stream);
    reads || mercure::may_watch(head)
}

/// How far a request is.
pub enum Begun {
    /// This is the answer.
    Answered(Reply),
    /// Its events wait for the disk, in their place before those of requests
    /// that are begun later.
    Submitted(Submitted),
}

impl Begun {
    /// The answer, once the disk has taken the events.
    ///
    /// # Errors
    /// The problem to answer with.
    pub async fn answer(self) -> Result<Reply, Problem> {
        match self {
            Self::Answered(reply) => Ok(reply),
            Self::Submitted(submitted) => submitted.answer().await,
        }
    }
}

/// Begins to answer a request that the guard has let pass: as far as the order
/// of the log asks for.
///
/// # Errors
/// The problem to answer with.
pub async fn begin(hub: &Arc<Hub>, request: Request<RequestBody>) -> Result<Begun, Problem> {
    if let Some(route) = tokens::Route::of(request.uri().path()) {
        let answered = tokens::answer(hub, route, request).await;
        return answered.map(Begun::Answered);
    }
    let (head, body) = request.into_parts();
    if let Some(resource) = mercure::Resource::at(head.uri.path(), hub) {
        return mercure::begin(hub, resource, &head, body).await;
    }
    let route = route(head.uri.path())?;
    let read_only = matches!(head.method, Method::GET | Method::HEAD);
    if read_only {
        refuse_body(&body)?;
    }
    let who = match identify(hub, &route, &head).await {
        Ok(who) => who,
        Err(refused) => return refuse(hub, &head, refused).map(Begun::Answered),
    };
    let reply = match (route, &head.method) {
        (Route::Page, _) if read_only => Ok(page::reply()),
        (Route::Console(file), _) if read_only => console::reply(&head.headers, &file),
        (Route::ToConsole, _) if read_only => Ok(console::redirect()),
        (Route::Live, _) if read_only => Ok(respond::whole(StatusCode::OK, "text/plain", "ok\n")),
        (Route::Ready, _) if read_only => Ok(health::ready(hub)),
        (Route::Metrics, _) if read_only => metrics::reply(hub, &who),
        (Route::Presence, _) if read_only => presence::answer(hub, &head, &who).await,
        (Route::Admin(route), _) if read_only => route.answer(hub, &head, &who).await,
        (Route::Topic(topic), _) if read_only => watch::one(hub, &head, &who, &topic).await,
        (Route::Events, _) if read_only => watch::several(hub, &head, &who).await,
        (Route::Topic(topic), &Method::POST | &Method::PUT)
            if head.method == Method::POST || is_stream(&head) =>
        {
            let topic = publishable(&topic)?;
            let publisher = Publisher::to(hub, who, &topic)?;
            let _receiving = hub.receive_body()?;
            return publish::to_topic(publisher, &head, body, topic).await;
        }
        (Route::Events, &Method::POST) => {
            let publisher = Publisher::anywhere(hub, who)?;
            let _receiving = hub.receive_body()?;
            return publish::events(publisher, &head, body).await;
        }
        (Route::Topic(topic), &Method::DELETE) => {
            refuse_body(&body)?;
            let topic = publishable(&topic)?;
            let publisher = Publisher::to(hub, who, &topic)?;
            return publish::close(publisher, &head, topic).await;
        }
        // PUT is for streams alone, as `curl -T -` sends them.
        (Route::Topic(_), _) => Err(Problem::method_not_allowed("GET, HEAD, POST, PUT, DELETE")),
        (Route::Events, _) => Err(Problem::method_not_allowed("GET, HEAD, POST")),
        _ => Err(Problem::method_not_allowed("GET, HEAD")),
    };
    reply.map(Begun::Answered)
}

/// Who asks, where that matters.
async fn identify(hub: &Hub, route: &Route, head: &request::Parts) -> Result<Who, Refused> {
    match route {
        Route::Page | Route::Console(_) | Route::ToConsole | Route::Live | Route::Ready => {
            Ok(Who::Anonymous)
        }
        Route::Topic(_) | Route::Events | Route::Metrics | Route::Presence | Route::Admin(_) => {
            hub.auth().caller(head, Face::Native).await
        }
    }
}

/// Whether the body of a publish request is one of events, to be taken in as it
/// comes. `curl -T -` sends it with PUT.
pub fn is_stream(head: &request::Parts) -> bool {
    publish::BodyKind::of(&head.headers) != publish::BodyKind::Data
}

/// A request that only reads, or closes a topic, has no body (bad-input row a19);
/// what follows on the connection could be anything.
///
/// # Errors
/// `400`, if there is one.
pub fn refuse_body(body: &RequestBody) -> Result<(), Problem> {
    if body.is_end_stream() {
        return Ok(());
    }
    Err(Problem::new(
        Code::BadRequest,
        "a GET, HEAD or DELETE request can't have a body here",
    )
    .closing())
}

/// A topic to publish to.
fn publishable(text: &str) -> Result<Topic, Problem> {
    let topic =
        Topic::new(text).map_err(|reason| Problem::new(Code::InvalidTopic, reason.to_string()))?;
    if topic.is_reserved() {
        let detail = "topics that begin with '$' belong to the hub; publish to another one";
        return Err(Problem::new(Code::ReservedTopic, detail));
    }
    Ok(topic)
}
