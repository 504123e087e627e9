//! Publishing: one event as a body, events as JSON, or a stream of events.

use super::Begun;
use super::admit::{self, Key, Labels};
use super::effect::Effect;
use super::publish_stream::{self, Ingest};
use super::publisher::Publisher;
use super::{event_json, publishable};
use crate::auth::Who;
use crate::close::{self, Closed};
use crate::http::body::{RequestBody, Room};
use crate::http::query::Query;
use crate::http::{Code, Problem, Reply, body, respond};
use crate::hub::{self, Hub};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, request};
use serde_json::json;
use tidings_engine::{Entry, Event, Topic};
use tidings_store::Appended;

/// What a body is, by its `Content-Type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyKind {
    /// The data of one event, whatever its type.
    Data,
    /// A JSON event per line.
    Ndjson,
    /// An event stream.
    EventStream,
}

impl BodyKind {
    /// The kind that the headers declare.
    pub fn of(headers: &HeaderMap) -> Self {
        match body::essence(headers).as_str() {
            "application/x-ndjson" => Self::Ndjson,
            "text/event-stream" => Self::EventStream,
            _ => Self::Data,
        }
    }
}

/// `POST /t/{topic}`.
///
/// # Errors
/// The problem to answer with.
pub async fn to_topic(
    publisher: Publisher<'_>,
    head: &request::Parts,
    body: RequestBody,
    topic: Topic,
) -> Result<Begun, Problem> {
    let hub = publisher.hub;
    body::check_coding(&head.headers)?;
    let query = Query::parse(head.uri.query(), hub.settings().limits.query_bytes)?;
    let key = publisher.key(&head.headers)?;
    let effect = Effect::of(&query)?;
    let kind = BodyKind::of(&head.headers);
    if kind != BodyKind::Data {
        if let Some(name) = query.first_of(&["event", "id", "retry"]) {
            let detail =
                format!("'{name}' can't be given for a stream of events; each event has its own");
            return Err(Problem::new(Code::BadRequest, detail));
        }
        let keep_ids = match query.one("keep")? {
            None => false,
            Some("id") => true,
            Some(_) => return Err(Problem::new(Code::BadRequest, "'keep' can only be 'id'")),
        };
        let ingest = Ingest::new(publisher, (kind, effect), Some(topic), key, keep_ids);
        return publish_stream::run(ingest, body).await.map(Begun::Answered);
    }
    let labels = Labels {
        event: query.one("event")?,
        id: query.one("id")?,
        retry: query.one("retry")?,
    };
    let mut room = Room::new(hub);
    let data = read_text(body, hub.settings().limits.event_data_bytes, &mut room).await?;
    // The body may have taken its time.
    publisher.check(&topic)?;
    let ends_without = effect.closes && data.is_empty() && labels.is_empty();
    let event = match ends_without {
        true => None,
        false => {
            let limits = &hub.settings().limits;
            Some(admit::event(topic.clone(), data, labels, limits)?)
        }
    };
    match event {
        Some(event) if !effect.closes => {
            Submitted::one(&publisher, event, (effect, key.as_ref())).await
        }
        last => Submitted::close(&publisher, topic, last, (effect, key.as_ref())).await,
    }
}

/// `DELETE /t/{topic}`.
///
/// # Errors
/// The problem to answer with.
pub async fn close(
    publisher: Publisher<'_>,
    head: &request::Parts,
    topic: Topic,
) -> Result<Begun, Problem> {
    let key = publisher.key(&head.headers)?;
    Submitted::close(&publisher, topic, None, (Effect::default(), key.as_ref())).await
}

/// `POST /events`.
///
/// # Errors
/// The problem to answer with.
pub async fn events(
    publisher: Publisher<'_>,
    head: &request::Parts,
    body: RequestBody,
) -> Result<Begun, Problem> {
    let hub = publisher.hub;
    body::check_coding(&head.headers)?;
    let query = Query::parse(head.uri.query(), hub.settings().limits.query_bytes)?;
    let effect = Effect::of(&query)?;
    if effect.closes {
        let detail = "'close' is for one topic: POST /t/{topic}?close=1, or DELETE /t/{topic}";
        return Err(Problem::new(Code::BadRequest, detail));
    }
    let key = publisher.key(&head.headers)?;
    match body::essence(&head.headers).as_str() {
        "application/json" => {}
        "application/x-ndjson" => {
            let ingest = Ingest::new(publisher, (BodyKind::Ndjson, effect), None, key, true);
            return publish_stream::run(ingest, body).await.map(Begun::Answered);
        }
        _ => {
            let detail = "/events takes application/json or application/x-ndjson; any data goes to /t/{topic}";
            return Err(Problem::new(Code::UnsupportedMediaType, detail));
        }
    }
    let limits = &hub.settings().limits;
    let mut room = Room::new(hub);
    let text = read_text(body, limits.batch_bytes, &mut room).await?;
    let (parsed, many) = parse(text, limits.batch_events).await?;
    let mut events = Vec::with_capacity(parsed.len());
    for (i, parsed) in parsed.into_iter().enumerate() {
        events.push(from_json(&publisher, parsed, None).map_err(|mut problem| {
            if many {
                problem.detail = format!("event {}: {}", i + 1, problem.detail);
            }
            problem
        })?);
    }
    if !many {
        return Submitted::one(&publisher, events.remove(0), (effect, key.as_ref())).await;
    }
    let entries: Vec<_> = (0..)
        .zip(events)
        .map(|(n, event)| admit::entry(event, key.as_ref(), n).of_kind(effect.kind()))
        .collect();
    Submitted::many(&publisher, entries).await
}

/// Events of a request that wait for the disk.
pub struct Submitted {
    events: hub::Submitted,
    told: Told,
}

/// What their publisher is told of them.
enum Told {
    /// The id of the one event, and its topic.
    Event(Topic),
    /// The ids of the last event and the end of a topic.
    Closed(Topic),
    /// The ids of all.
    Batch,
    /// The id of the one event, as text.
    Id,
}

impl Submitted {
    async fn one(
        publisher: &Publisher<'_>,
        event: Event,
        (effect, key): (Effect, Option<&Key>),
    ) -> Result<Begun, Problem> {
        let told = Told::Event(event.topic.clone());
        let entries = vec![admit::entry(event, key, 0).of_kind(effect.kind())];
        Self::submit(publisher.hub, publisher.who(), entries, told).await
    }

    async fn close(
        publisher: &Publisher<'_>,
        topic: Topic,
        last: Option<Event>,
        (effect, key): (Effect, Option<&Key>),
    ) -> Result<Begun, Problem> {
        let entries = close::entries(topic.clone(), last, effect.kind(), key);
        Self::submit(publisher.hub, publisher.who(), entries, Told::Closed(topic)).await
    }

    /// One event that was published by Mercure.
    ///
    /// # Errors
    /// The problem to answer with.
    pub async fn by_mercure(
        hub: &Hub,
        who: &Who,
        event: Event,
        key: Option<&Key>,
    ) -> Result<Begun, Problem> {
        Self::submit(hub, who, vec![admit::entry(event, key, 0)], Told::Id).await
    }

    async fn many(publisher: &Publisher<'_>, entries: Vec<Entry>) -> Result<Begun, Problem> {
        if entries.is_empty() {
            return Ok(Begun::Answered(published(&[])));
        }
        Self::submit(publisher.hub, publisher.who(), entries, Told::Batch).await
    }

    async fn submit(
        hub: &Hub,
        who: &Who,
        entries: Vec<Entry>,
        told: Told,
    ) -> Result<Begun, Problem> {
        let events = hub.submit(entries, who).await;
        let events = events.map_err(|error| admit::refusal(&error))?;
        Ok(Begun::Submitted(Self { events, told }))
    }

    /// The answer, once the disk has taken them.
    ///
    /// # Errors
    /// The problem to answer with.
    pub async fn answer(self) -> Result<Reply, Problem> {
        let appended = self.events.done().await;
        let appended = appended.map_err(|error| admit::refusal(&error))?;
        let id = admit::id_of(appended.last());
        Ok(match self.told {
            Told::Closed(topic) => match Closed::of(appended) {
                Some(closed) => told_closed(&topic, &closed),
                None => return Err(Problem::new(Code::Internal, "the end was not kept")),
            },
            Told::Batch => published(&appended),
            Told::Event(topic) => {
                let answer = json!({ "id": id, "topic": topic.as_str() });
                respond::json(StatusCode::OK, &answer)
            }
            Told::Id => {
                let id = id.unwrap_or_default().to_owned();
                respond::whole(StatusCode::OK, "text/plain; charset=utf-8", id)
            }
        })
    }
}

/// The answer to who closed a topic.
fn told_closed(topic: &Topic, Closed { last, end }: &Closed) -> Reply {
    let id = &last.as_ref().unwrap_or(end).id;
    let answer = json!({
        "id": id.as_str(), "topic": topic.as_str(), "closed": true, "end_id": end.id.as_str(),
    });
    respond::json(StatusCode::OK, &answer)
}

/// The answer to a batch.
fn published(appended: &[Appended]) -> Reply {
    let ids: Vec<&str> = appended
        .iter()
        .map(|appended| appended.id.as_str())
        .collect();
    let answer = json!({ "published": ids.len(), "last_id": ids.last(), "ids": ids });
    respond::json(StatusCode::OK, &answer)
}

/// Parses a body; a large one where it keeps no stream waiting.
async fn parse(
    text: String,
    max_events: usize,
) -> Result<(Vec<event_json::JsonEvent>, bool), Problem> {
    const AT_ONCE: usize = 64 * 1024;
    if text.len() <= AT_ONCE {
        return event_json::parse_one_or_many(&text, max_events);
    }
    let parsed =
        tokio::task::spawn_blocking(move || event_json::parse_one_or_many(&text, max_events));
    parsed.await.unwrap_or_else(|_| {
        Err(Problem::new(
            Code::Internal,
            "the events could not be parsed",
        ))
    })
}

/// Checks a JSON event, and whether it may be published; its topic is the
/// request's or its own, never both.
pub fn from_json(
    publisher: &Publisher<'_>,
    parsed: event_json::JsonEvent,
    topic: Option<&Topic>,
) -> Result<Event, Problem> {
    let topic = match (topic, &parsed.topic) {
        (Some(topic), None) => topic.clone(),
        (None, Some(own)) => publishable(own)?,
        (Some(_), Some(_)) => {
            return Err(Problem::new(
                Code::InvalidEvent,
                "the topic stands in the URL; leave 'topic' out",
            ));
        }
        (None, None) => return Err(Problem::new(Code::InvalidEvent, "'topic' is missing")),
    };
    publisher.check(&topic)?;
    let labels = Labels {
        event: parsed.event.as_deref(),
        id: parsed.id.as_deref(),
        retry: parsed.retry.as_deref(),
    };
    let limits = &publisher.hub.settings().limits;
    Ok(admit::event(topic, parsed.data, labels, limits)?)
}

/// Reads a body that is text.
async fn read_text(
    body: RequestBody,
    max_bytes: usize,
    room: &mut Room<'_>,
) -> Result<String, Problem> {
    let bytes: Bytes = body::read_whole(body, max_bytes, room).await?;
    String::from_utf8(bytes.into()).map_err(|_| {
        let detail = "the body is not UTF-8, the only encoding of event streams; encode binary \
                      data, as base64 for one";
        Problem::new(Code::InvalidEvent, detail)
    })
}
