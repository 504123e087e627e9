//! Watching: `GET /t/{topic}` and `GET /events?topic=…`.

use super::refusal::{attend, refuse, soft_refusal};
use super::start::asked;
use super::{history, page};
use crate::auth::{self, ConnectionId, Who};
use crate::http::query::Query;
use crate::http::{Code, Problem, Reply, ReplyBody, accept, respond};
use crate::hub::Hub;
use crate::places::Place;
use crate::presence::Attendance;
use crate::watch::{self, Wish};
use http::header::{self, HeaderName};
use http::{HeaderMap, Method, Response, StatusCode, Version, request};
use std::sync::Arc;
use tidings_auth::Face;
use tidings_engine::since::Since;
use tidings_engine::{Form, InvalidSelector, Selection, Selector, Voice, control, own};

/// `GET /t/{topic}`: one topic, or one pattern.
///
/// # Errors
/// The problem to answer with.
pub async fn one(
    hub: &Arc<Hub>,
    head: &request::Parts,
    who: &Who,
    topic: &str,
) -> Result<Reply, Problem> {
    let query = Query::parse(head.uri.query(), hub.settings().limits.query_bytes)?;
    let selection = Selection::new(vec![selector(topic)?]);
    answer(hub, head, who, &query, selection).await
}

/// `GET /events?topic=…&topic=…`: several topics and patterns.
///
/// # Errors
/// The problem to answer with.
pub async fn several(hub: &Arc<Hub>, head: &request::Parts, who: &Who) -> Result<Reply, Problem> {
    let query = Query::parse(head.uri.query(), hub.settings().limits.query_bytes)?;
    let max = hub.settings().limits.selectors_per_subscription;
    let selectors: Vec<Selector> = query.all("topic").map(selector).collect::<Result<_, _>>()?;
    if selectors.is_empty() {
        let detail = "name at least one topic: /events?topic=news&topic=orders/*";
        return Err(Problem::new(Code::InvalidTopic, detail));
    }
    if selectors.len() > max {
        let detail =
            format!("a stream watches at most {max} topics; use a pattern, or several streams");
        return Err(Problem::new(Code::InvalidTopic, detail));
    }
    answer(hub, head, who, &query, Selection::new(selectors)).await
}

fn selector(text: &str) -> Result<Selector, Problem> {
    if own::presence_of(text).is_some() {
        let detail = "who is at a topic is told by 'presence=1' beside the topic, and by /presence";
        return Err(Problem::new(Code::InvalidTopic, detail));
    }
    Selector::new(text)
        .map_err(|reason: InvalidSelector| Problem::new(Code::InvalidTopic, reason.to_string()))
}

async fn answer(
    hub: &Arc<Hub>,
    head: &request::Parts,
    who: &Who,
    query: &Query,
    selection: Selection,
) -> Result<Reply, Problem> {
    let mut reply = match accept::negotiate(&head.headers) {
        Some(accept::Form::Stream) => stream(hub, head, who, query, (selection, None)).await?,
        Some(accept::Form::Json) => {
            let selection = hub.auth().see(who, Face::Native, selection)?;
            // Of the hub's own log nothing is kept.
            let (selection, _) = selection.split();
            history::page(hub, &head.headers, query, selection).await?
        }
        Some(accept::Form::Html) => page::reply(),
        None => {
            let detail =
                "this is given as text/event-stream, application/json (history) and text/html";
            return Err(Problem::new(Code::NotAcceptable, detail));
        }
    };
    let varies = match hub.auth().is_open() {
        true => "Accept",
        false => "Accept, Authorization, Cookie",
    };
    reply
        .headers_mut()
        .append(header::VARY, header::HeaderValue::from_static(varies));
    Ok(reply)
}

/// Answers with a stream of `selection`, as far as `who` may see it, from `since` on
/// unless the request says it.
///
/// # Errors
/// The problem to answer with.
pub async fn stream(
    hub: &Arc<Hub>,
    head: &request::Parts,
    who: &Who,
    query: &Query,
    (selection, since): (Selection, Option<Since>),
) -> Result<Reply, Problem> {
    let form = match query.one("envelope")? {
        None => Form::Plain,
        Some("json") => Form::Envelope,
        Some(_) => {
            return Err(Problem::new(
                Code::BadRequest,
                "'envelope' can only be 'json'",
            ));
        }
    };
    let mut asked = asked(&head.headers, query)?;
    asked.since = asked.since.or(since);
    let attendance = Attendance::read(hub, query, &selection)?;
    let selection = attendance.with_accounts(selection);
    let connection = connection(query)?;
    let first = connection.map(|id| control::connection(&id.to_string()));
    if head.method == Method::HEAD {
        let selection = hub.auth().see(who, Face::Native, selection)?;
        if hub.has_ended(&selection, &asked).await {
            return Ok(ended());
        }
        return Ok(event_stream(head.version, ReplyBody::Whole(None)));
    }
    let ask = auth::Wish {
        face: Face::Native,
        selection,
        connection,
        lifetime: None,
    };
    let admitted = match hub.auth().stand(who, ask) {
        Ok(admitted) => admitted,
        Err(refused) => return refuse(hub, head, refused),
    };
    if hub.has_ended(&admitted.selection, &asked).await {
        return Ok(ended());
    }
    let wish = Wish {
        admitted,
        asked,
        form,
        voice: Voice::Native { first },
    };
    let place = head.extensions.get::<Place>();
    let granted = watch::grant(hub, place, wish).await;
    let granted = granted.and_then(|mut watch| {
        attend(hub, &mut watch, who, &attendance, place)?;
        Ok(watch)
    });
    match granted {
        Ok(watch) => {
            let body = ReplyBody::Watch(Arc::clone(hub), watch);
            Ok(event_stream(head.version, body))
        }
        Err(reason) => Ok(soft_refusal(hub, head.version, reason)),
    }
}

/// Nothing will come: an EventSource that is told so stops (rule F).
pub fn ended() -> Reply {
    let mut reply = respond::empty(StatusCode::NO_CONTENT);
    respond::set(&mut reply, header::CACHE_CONTROL, "no-store");
    reply
}

/// The name by which a watcher wants to renew its token, if it does.
fn connection(query: &Query) -> Result<Option<ConnectionId>, Problem> {
    match query.one("connection")? {
        None => Ok(None),
        Some("1") => ConnectionId::random()
            .map(Some)
            .map_err(|_| Problem::new(Code::Internal, "the system has no random numbers to give")),
        Some(_) => Err(Problem::new(
            Code::BadRequest,
            "'connection' can only be '1'",
        )),
    }
}

/// The head of every event stream of the hub's own paths.
pub fn event_stream(version: Version, body: ReplyBody) -> Reply {
    let mut reply = bare_event_stream(version, body);
    respond::set(&mut reply, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    reply
}

/// The head of an event stream that an application answers with. Of what type it is,
/// nobody guesses; what else browsers may make of its answers, the application says for
/// all of them. Three fields take half of what a fourth would, in memory that hyper
/// keeps for as long as the connection lasts.
pub fn bare_event_stream(version: Version, body: ReplyBody) -> Reply {
    let mut reply = Response::new(body);
    *reply.headers_mut() = HeaderMap::with_capacity(3);
    if version < Version::HTTP_11 {
        // Without chunks only the end of the connection ends the stream.
        respond::set(&mut reply, header::CONNECTION, "close");
    }
    respond::set(&mut reply, header::CONTENT_TYPE, "text/event-stream");
    respond::set(&mut reply, header::CACHE_CONTROL, "no-store, no-transform");
    respond::set(
        &mut reply,
        HeaderName::from_static("x-accel-buffering"),
        "no",
    );
    reply
}
