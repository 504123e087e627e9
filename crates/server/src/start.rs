//! From where in the log a stream or a page of history starts.

use crate::http::{Code, Problem};
use crate::hub::{self, Hub};
use std::sync::Arc;
use tidings_engine::start::{Asked, Start};
use tidings_engine::{Cursor, Selection};

/// Finds the start in the log.
///
/// # Errors
/// `500` if the store can't be read.
pub async fn find(hub: &Arc<Hub>, asked: Asked, selection: &Selection) -> Result<Start, Problem> {
    let live = live(hub);
    if asked.is_live() {
        return Ok(live);
    }
    let live = live.cursor;
    let needs_reading = asked.needs_reading(hub.log_id(), live.after);
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

/// The start of what is published from now on.
pub fn live(hub: &Hub) -> Start {
    // The store may be a step ahead of the tail, and what was read there can be
    // asked for before the tail has it.
    let after = hub.live().end().max(hub.reader().last());
    Start {
        cursor: Cursor { after },
        gap: None,
    }
}
