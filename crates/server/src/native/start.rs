//! From where a stream or a page of history starts.

use crate::http::query::Query;
use crate::http::{Code, Problem};
use crate::hub::{self, Hub};
use http::HeaderMap;
use std::sync::Arc;
use tidings_codec::EventId;
use tidings_engine::limits::ID_BYTES;
use tidings_engine::since::Since;
use tidings_engine::start::{Asked, Start};
use tidings_engine::{Cursor, Selection};

/// Reads what header and query ask for.
///
/// # Errors
/// `400` if one of them can't be understood (bad-input row a8).
pub fn asked(headers: &HeaderMap, query: &Query) -> Result<Asked, Problem> {
    let since = query.one("since")?.map(Since::parse).transpose();
    let since = since.map_err(|reason| Problem::new(Code::InvalidCursor, reason.to_string()))?;
    Ok(Asked {
        last_event_id: last_event_id(headers)?,
        since,
    })
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<EventId>, Problem> {
    let mut values = headers.get_all("last-event-id").iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(Problem::new(
            Code::InvalidCursor,
            "'Last-Event-ID' is given more than once",
        ));
    }
    if value.len() > ID_BYTES {
        return Err(Problem::new(
            Code::InvalidCursor,
            format!("'Last-Event-ID' is longer than {ID_BYTES} bytes"),
        ));
    }
    // The UTF-8 bytes, as browsers send them (rule R4).
    let id = std::str::from_utf8(value.as_bytes())
        .ok()
        .and_then(|text| EventId::new(text).ok());
    let id = id.ok_or_else(|| {
        Problem::new(
            Code::InvalidCursor,
            "'Last-Event-ID' is not UTF-8 text without controls",
        )
    })?;
    Ok(Some(id).filter(|id| !id.as_str().is_empty()))
}

/// Finds the start in the log.
///
/// # Errors
/// `500` if the store can't be read.
pub async fn find(hub: &Arc<Hub>, asked: Asked, selection: &Selection) -> Result<Start, Problem> {
    // The store may be a step ahead of the tail, and what was read there can be
    // asked for before the tail has it.
    let live = Cursor {
        after: hub.live().end().max(hub.reader().last()),
    };
    let needs_reading = asked.needs_reading(hub.log_id(), live.after);
    if asked.is_live() {
        return Ok(Start {
            cursor: live,
            gap: None,
        });
    }
    let (reader, selection) = (hub.reader().clone(), selection.clone());
    let find = move || asked.start(&reader, &selection, live, hub::now());
    let found = if needs_reading {
        // A disk may take its time, and has few hands.
        let _permit = hub.store_reads().acquire().await;
        tokio::task::spawn_blocking(find).await
    } else {
        Ok(find())
    };
    match found {
        Ok(Ok(start)) => Ok(start),
        Ok(Err(error)) => {
            tracing::error!(%error, "the store can't be read to find where a stream starts");
            Err(Problem::new(
                Code::Internal,
                "the history can't be read; the hub's log says why",
            ))
        }
        Err(_) => Err(Problem::new(Code::Internal, "the history can't be read")),
    }
}
