//! The task that has the log say who comes and goes.

use super::Shared;
use super::registry::Change;
use crate::hub::now;
use std::sync::Arc;
use std::time::Duration;
use tidings_engine::Entry;
use tidings_store::{AppendError, Reader, Writer};
use tokio::sync::oneshot;

/// Of how many subscriptions one request tells.
const TOLD_AT_ONCE: usize = 256;
/// How long the log is left alone when it took nothing.
const PAUSE: Duration = Duration::from_millis(250);

/// Runs for as long as the process lives, also after a panic: nobody would be
/// told anything any more.
pub async fn always(shared: Arc<Shared>, writer: Writer, reader: Reader) {
    loop {
        let run = run(Arc::clone(&shared), writer.clone(), reader.clone());
        match tokio::spawn(run).await {
            Ok(()) => return,
            Err(_) => {
                tracing::error!("telling of subscriptions broke off; this is a defect of the hub")
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Ends when the log takes nothing any more until the hub is started again.
async fn run(shared: Arc<Shared>, writer: Writer, _reader: Reader) {
    loop {
        settle(&shared);
        let changes = {
            let mut registry = shared.registry();
            registry.take(TOLD_AT_ONCE, shared.live.end())
        };
        if changes.is_empty() {
            shared.changed.notified().await;
            continue;
        }
        match append(&shared, &writer, entries(&shared, &changes)).await {
            Ok(()) => shared.registry().told(),
            Err(error) => {
                shared.registry().not_told();
                if matches!(error, AppendError::Failed | AppendError::Closed) {
                    return;
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

fn settle(shared: &Shared) {
    let settled = shared.registry().settled();
    shared.settled.send_replace(settled);
}

fn entries(shared: &Shared, changes: &[Change]) -> Vec<Entry> {
    let now = now();
    let entries = changes
        .iter()
        .flat_map(|change| change.subscriber.entries(change.active, now, &shared.base));
    entries.collect()
}

/// Waits for the log's answer however long it takes: who gives up doesn't know
/// whether it says it, and would say it twice.
async fn append(shared: &Shared, writer: &Writer, entries: Vec<Entry>) -> Result<(), AppendError> {
    shared.live.room().await;
    let (done, answer) = oneshot::channel();
    let done = Box::new(move |result: Result<_, AppendError>| {
        // Whoever doesn't wait for it has ended.
        let _ = done.send(result.map(drop));
    });
    if writer.append(entries, done).is_err() {
        return Err(AppendError::Unavailable);
    }
    answer.await.unwrap_or(Err(AppendError::Closed))
}
