//! Subscribing: `GET`, `HEAD` and `QUERY`.

use super::refusal;
use crate::auth::{self, Admitted, Who};
use crate::http::body::{self, RequestBody, Room};
use crate::http::query::check_length;
use crate::http::{Code, Problem, Reply, ReplyBody, accept, respond};
use crate::hub::{Hub, now};
use crate::native::{self, SoftRefusal, event_stream, soft_refusal};
use crate::places::Place;
use crate::presence::Attendance;
use crate::start;
use crate::watch::{self, Wish};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, header, request};
use std::sync::Arc;
use std::time::Duration;
use tidings_auth::{Admission, Face};
use tidings_engine::since::Since;
use tidings_engine::start::{Asked, Start};
use tidings_engine::{Form, MercureSelector, Position, Selection, Voice};
use tidings_mercure::dialect::EARLIEST;
use tidings_mercure::request::{self as requests, Resume, Subscribe};
use tidings_mercure::{Base, Dialect, Matcher};

/// A stream lives at least for this part of the longest life, so that those
/// which began together don't all come back at once.
const SHORTEST_LIFE: f64 = 0.8;
/// A request that asks for more is read where it keeps no stream waiting: each
/// pattern in it has to be compiled.
const AT_ONCE_BYTES: usize = 512;

/// The answer to who subscribes; `form` is the body of a `QUERY`, of which nothing
/// is read for who may not watch.
///
/// # Errors
/// The problem to answer with.
pub async fn answer(
    hub: &Arc<Hub>,
    head: &request::Parts,
    form: Option<RequestBody>,
) -> Result<Reply, Problem> {
    if !accept::takes_stream(&head.headers) {
        let detail = "this is given as text/event-stream, and 'Accept' leaves that out";
        return Err(Problem::new(Code::NotAcceptable, detail));
    }
    check_length(head.uri.query(), hub.settings().limits.query_bytes)?;
    let auth = hub.auth();
    let who = match auth.caller(head, Face::Mercure).await {
        Ok(who) => who,
        Err(refused) => return native::refuse(hub, head, refused),
    };
    // Nothing is compiled for who may not watch whatever they ask for.
    let revocations = auth.revocations();
    Admission::Mercure
        .check(who.caller(), &auth.policy(&revocations), now())
        .map_err(|refusal| auth.refuse(refusal))?;
    let form = match form {
        Some(body) => Some(read(hub, head, body).await?),
        None => None,
    };
    let wanted = wanted(auth.base(), head, form).await?;
    let wish = auth::Wish {
        face: Face::Mercure,
        selection: selection(&wanted.matchers, auth.base()),
        connection: None,
        lifetime: auth.mercure().lifetime.map(some_of),
    };
    let admitted = match auth.stand(&who, wish) {
        Ok(admitted) => admitted,
        // Where too many tickets are in use, later there are fewer.
        Err(refused) => return native::refuse(hub, head, refused),
    };
    stream(hub, head, &wanted, (who, admitted)).await
}

/// The body of a `QUERY`.
async fn read(hub: &Hub, head: &request::Parts, body: RequestBody) -> Result<Bytes, Problem> {
    body::check_coding(&head.headers)?;
    let _receiving = hub.receive_query()?;
    let mut room = Room::new(hub);
    body::read_whole(body, hub.settings().limits.query_bytes, &mut room).await
}

/// What is asked for.
async fn wanted(
    base: &Arc<Base>,
    head: &request::Parts,
    form: Option<Bytes>,
) -> Result<Subscribe, Problem> {
    let query = head.uri.query();
    let len = query.map_or(0, str::len) + form.as_ref().map_or(0, Bytes::len);
    let read = if len <= AT_ONCE_BYTES {
        requests::subscribe::subscribe(&head.headers, query, form.as_deref(), base)
    } else {
        let (base, headers) = (Arc::clone(base), head.headers.clone());
        let query = query.map(str::to_owned);
        let read = tokio::task::spawn_blocking(move || {
            requests::subscribe::subscribe(&headers, query.as_deref(), form.as_deref(), &base)
        });
        let broke_off = |_| Problem::new(Code::Internal, "the request could not be read");
        read.await.map_err(broke_off)?
    };
    // Both dialects give these the same status.
    read.map_err(|refusal| refusal::problem(refusal, Dialect::V1))
}

async fn stream(
    hub: &Arc<Hub>,
    head: &request::Parts,
    wanted: &Subscribe,
    (who, admitted): (Who, Admitted),
) -> Result<Reply, Problem> {
    let wish = Wish {
        admitted,
        asked: asked(wanted.resume.as_ref()),
        form: Form::Plain,
        voice: Voice::Mercure,
    };
    let granted = if head.method == Method::HEAD {
        let found = start::find(hub, wish.asked, &wish.admitted.selection).await;
        found
            .map(|start| (start, ReplyBody::Whole(None)))
            .map_err(|_| SoftRefusal::Storage)
    } else {
        let place = head.extensions.get::<Place>();
        let granted = watch::grant(hub, place, wish).await;
        granted.and_then(|mut watch| {
            let taken = watch.permit.take_patterns(&wanted.matchers);
            taken.map_err(SoftRefusal::NoPlace)?;
            let rights = who.rights().cloned();
            let resume = wanted.resume.as_ref();
            if resume.is_some_and(|resume| before_first(resume, &watch.start, hub).is_none()) {
                // Who reads that fetches everything anew: what is gone, or goes
                // while it is replayed, is no news.
                watch.told = watch.told.max(hub.live().end());
            }
            watch.active = hub.active().begin(&wanted.matchers, rights)?;
            native::attend(hub, &mut watch, &who, &Attendance::default(), place)?;
            Ok((watch.start, ReplyBody::Watch(Arc::clone(hub), watch)))
        })
    };
    let (start, body) = match granted {
        Ok(granted) => granted,
        Err(reason) => return Ok(soft_refusal(hub, head.version, reason)),
    };
    let mut reply = event_stream(head.version, body);
    if wanted.token.is_some() {
        // Its URL is a secret (bad-input row a13).
        respond::set(&mut reply, header::REFERRER_POLICY, "no-referrer");
    }
    if let Some(resume) = &wanted.resume {
        let name = wanted.dialect.last_event_id_header().as_bytes();
        let name = HeaderName::from_bytes(name).expect("a name of the protocol's");
        let id = before_first(resume, &start, hub);
        let id = id.and_then(|id| HeaderValue::from_bytes(id.as_bytes()).ok());
        let id = id.unwrap_or(HeaderValue::from_static(EARLIEST));
        reply.headers_mut().insert(name, id);
    }
    Ok(reply)
}

/// What the matchers select in the log.
fn selection(matchers: &[Matcher], base: &Arc<Base>) -> Selection {
    let selectors = matchers
        .iter()
        .flat_map(|matcher| MercureSelector::selectors(matcher, base));
    Selection::new(selectors.collect())
}

/// Where to start. After an id that isn't known, that is the earliest event kept.
fn asked(resume: Option<&Resume>) -> Asked {
    match resume {
        None | Some(Resume::Empty) => Asked::default(),
        Some(Resume::Earliest) => Asked {
            last_event_id: None,
            since: Some(Since::Earliest),
        },
        Some(Resume::After(id)) => Asked {
            last_event_id: Some(id.clone()),
            since: None,
        },
    }
}

/// The id of the event before the first one that the stream gives: the one that
/// was asked for, if nothing behind it is missing. `None`, which the head calls
/// `earliest`, if anything may be. So who gets another id than they asked for has
/// to fetch everything anew, and who gets the same one has not.
///
/// An empty cursor asks where the log stands: that is a position, also where the
/// event there has an id of its publisher's, which may not be for everybody.
fn before_first(resume: &Resume, start: &Start, hub: &Hub) -> Option<String> {
    match resume {
        Resume::After(id) if start.gap.is_none() => Some(id.as_str().to_owned()),
        Resume::Empty if start.cursor.after > Position::START => {
            Some(hub.wire_id(start.cursor.after).to_string())
        }
        Resume::After(_) | Resume::Empty | Resume::Earliest => None,
    }
}

/// A random part of the longest life.
fn some_of(lifetime: Duration) -> Duration {
    lifetime.mul_f64(SHORTEST_LIFE + (1.0 - SHORTEST_LIFE) * fastrand::f64())
}
