//! A page of history: what a stream would replay, as JSON.

use super::start;
use crate::http::query::Query;
use crate::http::{Code, Problem, Reply, respond};
use crate::hub::Hub;
use http::{HeaderMap, StatusCode};
use std::sync::Arc;
use tidings_engine::control::GapReason;
use tidings_engine::since::Since;
use tidings_engine::{Budget, Cursor, Frame, Read, Selection};
use tidings_store::{Reader, StoreError};

/// Events on a page, unless `limit` says otherwise.
const PAGE_EVENTS: usize = 100;
/// The most events on a page.
const PAGE_EVENTS_MAX: usize = 1000;
/// A page ends early behind so many bytes.
const PAGE_BYTES: usize = 4 << 20;

/// `{"events":[…],"cursor":"…","more":true|false}`, and `gap` where events
/// are missing before the first. The cursor goes into `since` of the next page.
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
                Problem::new(
                    Code::BadRequest,
                    format!("'limit' is a number from 1 to {PAGE_EVENTS_MAX}"),
                )
            })?,
    };
    let mut asked = start::asked(headers, query)?;
    asked.since.get_or_insert(Since::Earliest);
    let start = start::find(hub, asked, &selection).await?;
    let (reader, gap) = (hub.reader().clone(), start.gap);
    let read =
        tokio::task::spawn_blocking(move || read(&reader, start.cursor, &selection, limit, gap))
            .await;
    let page = match read {
        Ok(Ok(page)) => page,
        failed => {
            tracing::error!(error = ?failed.err(), "a page of history can't be read");
            return Err(Problem::new(
                Code::Internal,
                "the history can't be read; the hub's log says why",
            ));
        }
    };
    let mut body = String::from(r#"{"events":["#);
    for (i, frame) in page.frames.iter().enumerate() {
        body.push_str(if i > 0 { "," } else { "" });
        body.push_str(frame.to_json());
    }
    let cursor = hub.wire_id(page.cursor.after);
    body.push_str(&format!(r#"],"cursor":"{cursor}","more":{}"#, page.more));
    if let Some(reason) = page.gap {
        body.push_str(&format!(r#","gap":"{}""#, reason.as_str()));
    }
    body.push_str("}\n");
    Ok(respond::whole(StatusCode::OK, "application/json", body))
}

struct Page {
    frames: Vec<Arc<Frame>>,
    cursor: Cursor,
    more: bool,
    gap: Option<GapReason>,
}

fn read(
    reader: &Reader,
    mut cursor: Cursor,
    selection: &Selection,
    limit: usize,
    mut gap: Option<GapReason>,
) -> Result<Page, StoreError> {
    let mut frames: Vec<Arc<Frame>> = Vec::new();
    let mut bytes = 0;
    let mut more = true;
    while more && frames.len() < limit && bytes < PAGE_BYTES {
        let known = frames.len();
        let budget = Budget {
            frames: limit - known,
            bytes: PAGE_BYTES - bytes,
        };
        match reader.read(&mut cursor, selection, budget, &mut frames)? {
            Read::Frames => {}
            Read::CaughtUp => more = false,
            // A page has no gap in its middle: the next one begins with it.
            Read::Gap(_) if !frames.is_empty() => break,
            Read::Gap(hole) => {
                gap = gap.or(Some(GapReason::Expired));
                cursor.after = hole.to;
            }
        }
        bytes += frames[known..]
            .iter()
            .map(|frame| frame.cost())
            .sum::<usize>();
    }
    Ok(Page {
        frames,
        cursor,
        more,
        gap,
    })
}
