//! The native face: topics as paths, plain requests, plain streams.

mod admit;
mod event_json;
mod history;
mod page;
mod publish;
mod publish_stream;
mod refusal;
mod start;
mod watch;

pub use refusal::{NoPlaceLines, SoftRefusal};

use crate::http::{Code, Problem, Reply, query, respond};
use crate::hub::Hub;
use crate::{health, metrics};
use http::{Method, Request, StatusCode, request};
use http_body::Body;
use hyper::body::Incoming;
use std::sync::Arc;
use tidings_engine::Topic;

/// Where a request goes, by its path.
enum Route {
    Page,
    Topic(String),
    Events,
    Live,
    Ready,
    Metrics,
}

fn route(path: &str) -> Result<Route, Problem> {
    if let Some(topic) = path.strip_prefix("/t/") {
        return Ok(Route::Topic(query::decode(topic)?));
    }
    match path {
        "/" => Ok(Route::Page),
        "/events" => Ok(Route::Events),
        "/livez" => Ok(Route::Live),
        "/readyz" | "/healthz" => Ok(Route::Ready),
        "/metrics" => Ok(Route::Metrics),
        _ => {
            let detail = "topics are at /t/{topic}, several at /events; the start page is at /";
            Err(Problem::new(Code::NotFound, detail))
        }
    }
}

/// Whether a path answers everyone, whatever host they ask for and through
/// whatever proxy: health checks come from load balancers.
pub fn is_exempt(path: &str) -> bool {
    matches!(path, "/livez" | "/readyz" | "/healthz")
}

/// Answers a request that the guard has let pass.
///
/// # Errors
/// The problem to answer with.
pub async fn answer(hub: &Arc<Hub>, request: Request<Incoming>) -> Result<Reply, Problem> {
    let route = route(request.uri().path())?;
    let (head, body) = request.into_parts();
    let read_only = matches!(head.method, Method::GET | Method::HEAD);
    if read_only {
        refuse_body(&body)?;
    }
    match (route, &head.method) {
        (Route::Page, _) if read_only => Ok(page::reply()),
        (Route::Live, _) if read_only => Ok(respond::whole(StatusCode::OK, "text/plain", "ok\n")),
        (Route::Ready, _) if read_only => Ok(health::ready(hub)),
        (Route::Metrics, _) if read_only => Ok(metrics::reply(hub)),
        (Route::Topic(topic), _) if read_only => watch::one(hub, &head, &topic).await,
        (Route::Events, _) if read_only => watch::several(hub, &head).await,
        (Route::Topic(topic), &Method::POST | &Method::PUT)
            if head.method == Method::POST || is_stream(&head) =>
        {
            let _receiving = hub.receive_body()?;
            publish::to_topic(hub, &head, body, publishable(&topic)?).await
        }
        (Route::Events, &Method::POST) => {
            let _receiving = hub.receive_body()?;
            publish::events(hub, &head, body).await
        }
        // PUT is for streams alone, as `curl -T -` sends them.
        (Route::Topic(_), _) => Err(Problem::method_not_allowed("GET, HEAD, POST, PUT")),
        (Route::Events, _) => Err(Problem::method_not_allowed("GET, HEAD, POST")),
        _ => Err(Problem::method_not_allowed("GET, HEAD")),
    }
}

/// `curl -T -` sends a stream with PUT.
fn is_stream(head: &request::Parts) -> bool {
    publish::BodyKind::of(&head.headers) != publish::BodyKind::Data
}

/// A request that only reads has no body (bad-input row a19); what follows on
/// the connection could be anything.
fn refuse_body(body: &Incoming) -> Result<(), Problem> {
    if body.is_end_stream() {
        return Ok(());
    }
    Err(Problem::new(
        Code::BadRequest,
        "a GET or HEAD request can't have a body here",
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
