//! A page of history: what a stream would replay, as JSON.

use super::start::asked;
use crate::http::query::Query;
use crate::http::{Code, Problem, Reply, respond};
use crate::hub::Hub;
use crate::{mercure, start};
use http::{HeaderMap, StatusCode};
use std::sync::Arc;
use tidings_engine::control::GapReason;
use tidings_engine::limits::ENVELOPE_FACTOR;
use tidings_engine::since::Since;
use tidings_engine::start::{Asked, Start};
use tidings_engine::{Budget, Cursor, Frame, Position, Read, Selection};
use tidings_store::StoreError;

/// Events on a page, unless `limit` says otherwise.
const PAGE_EVENTS: usize = 100;
/// The most events on a page.
const PAGE_EVENTS_MAX: usize = 1000;
/// A page ends behind the event with which it has so many bytes.
const PAGE_BYTES: usize = 1 << 20;
/// What one read takes from the store, in bytes.
const READ_BYTES: usize = 256 * 1024;

/// `{"events":[…],"cursor":"…","more":true|false}`, and `gap` where events
/// are missing. The cursor goes into `since` of the next page.
///
/// # Errors
/// The problem to answer with.
pub async fn page(
    hub: &Arc<Hub>,
    headers: &HeaderMap,
    query: &Query,
    selection: Selection,
) -> Result<Reply, Problem> {
    let limit = match query.one("limit")? {
        None => PAGE_EVENTS,
        Some(text) => text
            .parse()
            .ok()
            .filter(|n| (1..=PAGE_EVENTS_MAX).contains(n))
            .ok_or_else(|| {
                let detail = format!("'limit' is a number from 1 to {PAGE_EVENTS_MAX}");
                Problem::new(Code::BadRequest, detail)
            })?,
    };
    let mut asked = asked(headers, query)?;
    asked.since.get_or_insert(Since::Earliest);
    if selection.is_empty() {
        // There is nothing to look for.
        asked = Asked::default();
    }
    let most = PAGE_BYTES
        + READ_BYTES
        + hub.settings().limits.event_wire_bytes * (1 + ENVELOPE_FACTOR as usize);
    let permit = hub.reserve_page(most).await?;
    let start = start::find(hub, asked, &selection).await?;
    let making = {
        let (hub, selection) = (Arc::clone(hub), selection.clone());
        tokio::task::spawn_blocking(move || make(&hub, start, &selection, limit))
    };
    let body = match making.await {
        Ok(Ok(body)) => body,
        failed => {
            if let Ok(Err(error)) = failed {
                tracing::error!(%error, "a page of history can't be read");
            }
            let detail = "the history can't be read; the hub's log says why";
            return Err(Problem::new(Code::Internal, detail));
        }
    };
    let body = respond::held(body, permit);
    let mut reply = respond::whole(StatusCode::OK, "application/json", body);
    mercure::links::add(&mut reply, &selection, hub.auth().base());
    Ok(reply)
}

fn make(
    hub: &Hub,
    start: Start,
    selection: &Selection,
    limit: usize,
) -> Result<String, StoreError> {
    let mut body = String::from(r#"{"events":["#);
    let mut separator = "";
    let page = read(hub, start, selection, limit, |frame| {
        body.push_str(std::mem::replace(&mut separator, ","));
        body.push_str(frame.to_json());
        body.len()
    })?;
    body.push_str(&format!(
        r#"],"cursor":"{}","more":{}"#,
        hub.wire_id(page.cursor.after),
        page.more
    ));
    if let Some(reason) = page.gap {
        body.push_str(&format!(r#","gap":"{}""#, reason.as_str()));
    }
    body.push_str("}\n");
    Ok(body)
}

/// What a page says of itself.
pub struct Page {
    /// Where the next one begins.
    pub cursor: Cursor,
    /// Whether there is more behind it.
    pub more: bool,
    /// Whether events are missing, and why.
    pub gap: Option<GapReason>,
}

/// Reads a page of at most `limit` events. `take` is given each and answers how
/// many bytes there are by then: with [`PAGE_BYTES`] the page is full.
///
/// # Errors
/// The store can't be read.
pub fn read(
    hub: &Hub,
    start: Start,
    selection: &Selection,
    limit: usize,
    mut take: impl FnMut(&Arc<Frame>) -> usize,
) -> Result<Page, StoreError> {
    let reader = hub.reader();
    let horizon = reader.horizon(selection);
    let (mut cursor, mut gap) = (start.cursor, start.gap);
    let (mut events, mut bytes, mut more) = (0, 0, true);
    let mut frames = Vec::new();
    'page: while more && events < limit && bytes < PAGE_BYTES {
        let budget = Budget {
            frames: limit - events,
            bytes: READ_BYTES,
        };
        match reader.read(&mut cursor, selection, budget, &mut frames)? {
            Read::Frames => {}
            Read::CaughtUp => more = false,
            // A page has no gap in its middle: the next one begins with it.
            Read::Gap(_) if events > 0 => break,
            Read::Gap(hole) => {
                gap = gap.or(Some(GapReason::of_missing(hole, reader.horizon(selection))));
                cursor.after = hole.to;
            }
        }
        for frame in frames.drain(..) {
            if bytes >= PAGE_BYTES {
                // The read went farther than the page.
                cursor.after = Position(frame.position().0 - 1);
                more = true;
                break 'page;
            }
            bytes = take(&frame);
            events += 1;
        }
    }
    // Some of the selected topics may have expired while others were read.
    let later = reader.horizon(selection);
    if later > horizon && start.cursor.after < later {
        gap = gap.or(Some(GapReason::Expired));
    }
    Ok(Page { cursor, more, gap })
}
