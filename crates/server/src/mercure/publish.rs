//! Publishing: a form.

use super::refusal;
use crate::auth::Who;
use crate::http::body::{self, RequestBody, Room};
use crate::http::{Code, Problem};
use crate::hub::Hub;
use crate::native::{Begun, Key, Submitted, check_size};
use bytes::Bytes;
use http::{HeaderMap, request};
use std::sync::Arc;
use tidings_auth::{Face, Refusal, TopicName};
use tidings_engine::published::alternates;
use tidings_engine::{Event, Topic, Visibility};
use tidings_mercure::Dialect;
use tidings_mercure::request::{self as requests, Publish};

/// A form that is larger is read where it keeps no stream waiting: it may have a
/// thousand topics, to be held against a thousand selectors.
const AT_ONCE_BYTES: usize = 8 * 1024;

/// Begins to publish.
///
/// # Errors
/// The problem to answer with.
pub async fn begin(
    hub: &Arc<Hub>,
    head: &request::Parts,
    body: RequestBody,
) -> Result<Begun, Problem> {
    let auth = hub.auth();
    let who = auth.caller(head, Face::Mercure).await?;
    if who.rights().is_none() && !auth.is_open() {
        return Err(auth.refuse(Refusal::Anonymous).into());
    }
    body::check_coding(&head.headers)?;
    let key = Key::of(&head.headers, &who)?;
    let _receiving = hub.receive_body()?;
    let mut room = Room::new(hub);
    // As of a line of JSON: what is escaped is longer than what it says.
    let form = body::read_whole(body, hub.settings().limits.line_bytes, &mut room).await?;
    let event = admit(hub, &head.headers, form, who.clone()).await?;
    Submitted::by_mercure(hub, &who, event, key.as_ref()).await
}

async fn admit(
    hub: &Arc<Hub>,
    headers: &HeaderMap,
    form: Bytes,
    who: Who,
) -> Result<Event, Problem> {
    if form.len() <= AT_ONCE_BYTES {
        return event(hub, headers, &form, &who);
    }
    let (hub, headers) = (Arc::clone(hub), headers.clone());
    let read = tokio::task::spawn_blocking(move || event(&hub, &headers, &form, &who));
    let broke_off = |_| Problem::new(Code::Internal, "the form could not be read");
    read.await.map_err(broke_off)?
}

/// The event that a form asks for, if its publisher may publish it.
fn event(hub: &Hub, headers: &HeaderMap, form: &[u8], who: &Who) -> Result<Event, Problem> {
    let (auth, dialect) = (hub.auth(), dialect(who));
    let asked = requests::publish::publish(headers, form, dialect, auth.base())
        .map_err(|refusal| refusal::problem(refusal, dialect))?;
    let names: Vec<TopicName<'_>> = asked
        .topics
        .iter()
        .map(|topic| TopicName::mercure(topic, auth.base()))
        .collect();
    auth.may_publish(who, &names)
        .map_err(|refused| match dialect {
            Dialect::V0 => refused.in_0x(),
            Dialect::V1 => refused,
        })?;
    let topics = names.iter().map(|name| name.as_native().cloned());
    let topics: Option<Vec<Topic>> = topics.collect();
    let Some(topics) = topics else {
        let detail = "a topic is too long to be kept, once its '%' and '*' and its empty segments \
                      are written out";
        return Err(Problem::new(Code::InvalidTopic, detail));
    };
    Ok(check_size(of(asked, topics)?, &hub.settings().limits)?)
}

fn of(asked: Publish, topics: Vec<Topic>) -> Result<Event, Problem> {
    let mut topics = topics.into_iter();
    let Some(topic) = topics.next() else {
        return Err(Problem::new(Code::InvalidTopic, "'topic' is missing"));
    };
    Ok(Event {
        alternates: alternates(&topic, topics),
        topic,
        visibility: match asked.private {
            true => Visibility::Private,
            false => Visibility::Public,
        },
        event_type: asked.event_type,
        id: asked.id,
        retry: asked.retry,
        data: asked.data.into(),
    })
}

/// That of the publisher's token. Who needs none is heard as leniently as 0.x,
/// which is what clients without a token can have been written for.
fn dialect(who: &Who) -> Dialect {
    who.rights().map_or(Dialect::V0, |rights| rights.dialect)
}
