//! The subscription API: who is there, as documents.
//!
//! A document shows what the log says up to a position and names that position:
//! 0.x in `lastEventID`, 1.0 in a `Link`. Whoever watches from there is told of
//! every change behind it, each once.

use super::pages::{Pages, Shape};
use super::registry::View;
use crate::auth::Who;
use crate::http::{Code, Problem, Reply, ReplyBody, accept, respond};
use crate::hub::{Hub, now};
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Response, StatusCode, request};
use std::sync::Arc;
use std::time::Duration;
use tidings_auth::{Action, Face, Refusal, TopicName, authorize};
use tidings_engine::{Position, Visibility};
use tidings_mercure::document::{Link, Route, link, subscription};
use tidings_mercure::{Dialect, dialect};

/// How long an answer waits for the log to say what has happened before it. If
/// it takes longer, the document shows a little less, and the events that are
/// missing in it come behind its position.
const PATIENCE: Duration = Duration::from_secs(2);
/// What a document of one subscription, and the beginning of others, takes of the
/// room for pages, in bytes.
const PAGE_BYTES: usize = 64 * 1024;

/// Whether the path of a request is one of the API's, as it came.
pub fn is_path(hub: &Hub, path: &str) -> bool {
    route(hub, path).is_some()
}

fn route(hub: &Hub, path: &str) -> Option<Route> {
    let base = hub.auth().base();
    // What a proxy serves below a path of its own comes here without it.
    let own = base.hub().path();
    let prefix = own.strip_suffix(tidings_mercure::base::HUB_PATH)?;
    Route::parse(path, base).or_else(|| Route::parse(&format!("{prefix}{path}"), base))
}

/// Answers a request for a document.
///
/// # Errors
/// The problem to answer with.
pub async fn answer(hub: &Arc<Hub>, head: &request::Parts) -> Result<Reply, Problem> {
    let found = route(hub, head.uri.path()).filter(|_| hub.active().are_told());
    let Some(route) = found else {
        let detail = "nothing is served at this path; documents of subscriptions are below \
                      /.well-known/mercure/subscriptions if mercure.subscriptions is on";
        return Err(Problem::new(Code::NotFound, detail));
    };
    if !matches!(head.method, Method::GET | Method::HEAD) {
        return Err(Problem::method_not_allowed("GET, HEAD"));
    }
    let who = hub.auth().caller(head, Face::Mercure).await?;
    let dialect = route
        .dialect()
        .unwrap_or_else(|| preferred(&who, &head.headers));
    check(hub, &who, &route, head.uri.path()).map_err(|refusal| {
        let refused = hub.auth().refuse(refusal);
        match dialect {
            Dialect::V0 => refused.in_0x(),
            Dialect::V1 => refused,
        }
    })?;
    let is_fresh = hub.active().settled(PATIENCE).await;
    let Some(view) = hub.active().view(one(&route)) else {
        return Err(Problem::new(
            Code::NotFound,
            "nothing is served at this path",
        ));
    };
    let last_event_id = last_event_id(hub, view.at);
    let shape = Shape {
        route,
        dialect,
        last_event_id: last_event_id.into(),
    };
    let mut reply = body(hub, head, shape.clone(), view, is_fresh).await?;
    describe(hub, &mut reply, &shape, is_fresh);
    Ok(reply)
}

/// The token has to grant the path of the request, without its query, as a topic
/// whose events are private. The path is the document's own; a token may also
/// grant it as the request spells it, unless it has been withdrawn.
fn check(hub: &Hub, who: &Who, route: &Route, spelled: &str) -> Result<(), Refusal> {
    let (auth, now) = (hub.auth(), now());
    let revocations = auth.revocations();
    let policy = auth.policy(&revocations);
    let action = Action::Receive {
        face: Face::Mercure,
        visibility: Visibility::Private,
    };
    let is_granted = |topic: TopicName<'_>| authorize(who.caller(), action, &[topic], &policy, now);
    let path = route.path(auth.base());
    let own = || TopicName::mercure(&path, auth.base());
    let granted = is_granted(own());
    let withdrawn = |rights: &Arc<_>| revocations.withdraw(rights, &own(), now);
    if granted.is_ok() || spelled == path || who.rights().is_some_and(withdrawn) {
        return granted;
    }
    is_granted(TopicName::mercure(spelled, auth.base())).or(granted)
}

/// The dialect of a document that both have: the token's, unless only the other
/// has a type that is asked for.
fn preferred(who: &Who, headers: &HeaderMap) -> Dialect {
    let wants = |subtype| accept::quality(headers, ("application", subtype)) > 0;
    let own = who.rights().map_or(Dialect::V1, |rights| rights.dialect);
    match (own, wants("ld+json"), wants("json")) {
        (Dialect::V0, false, true) => Dialect::V1,
        (Dialect::V1, true, false) => Dialect::V0,
        (own, ..) => own,
    }
}

/// The one subscriber that a path names.
fn one(route: &Route) -> Option<&str> {
    match route {
        Route::TopicOne { subscriber, .. } | Route::MatcherOne { subscriber, .. } => {
            Some(subscriber)
        }
        Route::All | Route::Topic { .. } | Route::Matcher { .. } => None,
    }
}

/// The hub's own id for a position, whatever id a publisher gave the event there:
/// it is found again by everyone, also by who may not see that event.
fn last_event_id(hub: &Hub, at: Position) -> String {
    match at {
        Position::START => dialect::EARLIEST.into(),
        at => hub.wire_id(at).to_string(),
    }
}

/// The documents that `shape` asks for, or that there is nothing new.
async fn body(
    hub: &Arc<Hub>,
    head: &request::Parts,
    shape: Shape,
    view: View,
    is_fresh: bool,
) -> Result<Reply, Problem> {
    let tag = tag(&shape);
    let known = head.headers.get_all(header::IF_NONE_MATCH).iter();
    let mut known = known.filter_map(|value| value.to_str().ok());
    let is_known = is_fresh && known.any(|known| link::is_fresh(known, &tag));
    let is_one = shape.route.is_one();
    let permit = hub
        .reserve_page(PAGE_BYTES + size_of_val(&*view.subscribers))
        .await?;
    let mut pages = Pages::new(Arc::clone(hub.auth().base()), shape, view, permit);
    let body = match is_one {
        true => {
            let Some(document) = pages.one() else {
                let detail = "there is no such subscription; it may have ended";
                return Err(Problem::new(Code::NotFound, detail));
            };
            ReplyBody::Whole(Some(document))
        }
        false => ReplyBody::Pages(Box::new(pages)),
    };
    Ok(if is_known {
        respond::empty(StatusCode::NOT_MODIFIED)
    } else if head.method == Method::HEAD {
        respond::empty(StatusCode::OK)
    } else {
        Response::new(body)
    })
}

/// The document's entity tag: with that of its dialect, its position says what is
/// in it.
fn tag(shape: &Shape) -> String {
    match shape.dialect {
        Dialect::V0 => link::etag(&format!("{};0.x", shape.last_event_id)),
        Dialect::V1 => link::etag(&shape.last_event_id),
    }
}

fn describe(hub: &Hub, reply: &mut Reply, shape: &Shape, is_fresh: bool) {
    let media_type = subscription::media_type(shape.dialect);
    respond::set(reply, header::CONTENT_TYPE, media_type);
    respond::set(reply, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    // `must-revalidate` alone would let a shared cache keep it.
    let kept = "private, max-age=0, must-revalidate";
    respond::set(reply, header::CACHE_CONTROL, kept);
    respond::set(reply, header::VARY, "Accept, Authorization, Cookie");
    let mut put = |name: HeaderName, value: String| {
        if let Ok(value) = HeaderValue::from_str(&value) {
            reply.headers_mut().insert(name, value);
        }
    };
    if is_fresh {
        put(header::ETAG, tag(shape));
    }
    let event_type = (shape.dialect == Dialect::V1).then_some("mercure");
    let link = Link {
        last_event_id: Some(&shape.last_event_id),
        content_type: Some(media_type),
        event_type,
    };
    put(header::LINK, link.to_hub(hub.auth().base()));
}
