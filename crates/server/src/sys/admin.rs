//! `GET /admin/topics` and `GET /admin/connections`, for the operator alone.

use super::connections;
use crate::auth::Who;
use crate::http::query::Query;
use crate::http::{Code, Problem, Reply, respond};
use crate::hub::Hub;
use http::{StatusCode, request};
use serde::Serialize;
use std::sync::Arc;
use tidings_engine::{Budget, Cursor, Published, Selection, Selector, Sight, Topic};
use tidings_store::{Reader, StoreError};

/// Topics on a page, unless `limit` says otherwise.
const PAGE: usize = 100;
/// The most topics on a page.
const PAGE_MAX: usize = 1000;
/// What is read at most to find the last ids of a page, in bytes.
const LAST_BYTES: usize = 8 << 20;

/// Where a request goes, by its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// `/admin/topics`.
    Topics,
    /// `/admin/connections`.
    Connections,
}

impl Route {
    /// The route of a path, if it is one of these.
    pub fn of(path: &str) -> Option<Self> {
        match path {
            "/admin/topics" => Some(Self::Topics),
            "/admin/connections" => Some(Self::Connections),
            _ => None,
        }
    }

    /// Answers a request that reads.
    ///
    /// # Errors
    /// The problem to answer with.
    pub async fn answer(
        self,
        hub: &Arc<Hub>,
        head: &request::Parts,
        who: &Who,
    ) -> Result<Reply, Problem> {
        hub.auth().administer(who)?;
        match self {
            Self::Connections => {
                let turn = hub.live().turn().await.ok_or_else(|| {
                    let detail = "others ask about all streams; ask again later";
                    Problem::new(Code::Busy, detail)
                })?;
                Ok(json(&connections::of(hub, Some(turn)).await))
            }
            Self::Topics => topics(hub, head).await,
        }
    }
}

/// The members of a page, in order.
#[derive(Debug, Serialize)]
struct Page {
    topics: Vec<Known>,
    /// What goes into `after` of the next page, if there is one.
    next: Option<String>,
}

#[derive(Debug, Serialize)]
struct Known {
    topic: String,
    events: u64,
    last: Option<String>,
    closed: bool,
}

async fn topics(hub: &Arc<Hub>, head: &request::Parts) -> Result<Reply, Problem> {
    let query = Query::parse(head.uri.query(), hub.settings().limits.query_bytes)?;
    let limit = match query.one("limit")? {
        None => PAGE,
        Some(text) => text
            .parse()
            .ok()
            .filter(|n| (1..=PAGE_MAX).contains(n))
            .ok_or_else(|| {
                let detail = format!("'limit' is a number from 1 to {PAGE_MAX}");
                Problem::new(Code::BadRequest, detail)
            })?,
    };
    let prefix = query.one("prefix")?.unwrap_or_default().to_owned();
    let after = query.one("after")?.map(str::to_owned);
    // A disk has few hands.
    let _permit = hub.store_reads().acquire().await;
    let hub = Arc::clone(hub);
    let making = tokio::task::spawn_blocking(move || page(&hub, &prefix, after.as_deref(), limit));
    match making.await {
        Ok(Ok(page)) => Ok(json(&page)),
        failed => {
            if let Ok(Err(error)) = failed {
                tracing::error!(%error, "the topics can't be read");
            }
            let detail = "the topics can't be read; the hub's log says why";
            Err(Problem::new(Code::Internal, detail))
        }
    }
}

fn page(hub: &Hub, prefix: &str, after: Option<&str>, limit: usize) -> Result<Page, StoreError> {
    let reader = hub.reader();
    let found = reader.topics(prefix, after, limit)?;
    let next = found.topics.last().map(|own| own.topic.clone());
    let mut left = LAST_BYTES;
    let mut topics = Vec::with_capacity(found.topics.len());
    for stat in found.topics {
        let Ok(topic) = Topic::new(&stat.topic) else {
            continue;
        };
        if topic.is_reserved() && !topic.as_str().starts_with(OF_MERCURE) {
            // The hub's own bookkeeping.
            continue;
        }
        topics.push(Known {
            last: match left {
                0 => None,
                _ => last(reader, &topic, &mut left)?,
            },
            events: stat.events,
            closed: reader.end_of(&topic).is_some(),
            topic: stat.topic,
        });
    }
    Ok(Page {
        topics,
        next: next.filter(|_| found.more),
    })
}

/// What topics begin with that were published by Mercure.
const OF_MERCURE: &str = "$mercure/";

/// The id of a topic's last event that is kept; what that took is taken from `left`.
fn last(reader: &Reader, topic: &Topic, left: &mut usize) -> Result<Option<String>, StoreError> {
    let selectors = vec![Selector::Exact(topic.clone())];
    let selection = Selection::new(selectors).with_sight(Arc::new(All));
    let mut cursor: Cursor = reader.last_n(1, &selection)?;
    let mut frames = Vec::new();
    reader.read(&mut cursor, &selection, Budget::frames(1), &mut frames)?;
    let Some(frame) = frames.pop() else {
        return Ok(None);
    };
    *left = left.saturating_sub(frame.payload_len());
    Ok(frame.id().map(|id| id.as_str().to_owned()))
}

/// An operator's: of private events too the ids are told, and nothing else.
#[derive(Debug)]
struct All;

impl Sight for All {
    fn shows(&self, _: &Published<'_>) -> bool {
        true
    }

    fn is_same(&self, other: &dyn Sight) -> bool {
        (other as &dyn std::any::Any).is::<Self>()
    }
}

fn json(document: &impl Serialize) -> Reply {
    let mut text = serde_json::to_string(document).expect("numbers and strings are JSON");
    text.push('\n');
    respond::whole(StatusCode::OK, "application/json", text)
}
