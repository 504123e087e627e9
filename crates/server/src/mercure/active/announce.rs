//! The task that has the log say who comes and goes.

use super::registry::Change;
use super::{Shared, left};
use crate::always::always;
use crate::hub::now;
use std::sync::Arc;
use std::time::Duration;
use tidings_engine::{Entry, Pace};
use tidings_store::{AppendError, Reader, Writer};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, sleep_until};

/// Of how many subscriptions one request tells.
const TOLD_AT_ONCE: usize = 256;
/// How many bytes may be told at once: of 10,000 streams of one topic that end and
/// begin again, which are four events of about 600 bytes each.
const BURST_BYTES: u64 = 32 << 20;
/// How many bytes may be told in a second for as long as one likes: slowly enough
/// that those who come and go, whom nobody has to know, don't drive what others
/// publish out of the log. One of 1 GiB lasts for more than two hours.
const BYTES_PER_SECOND: u64 = 128 << 10;
/// How long the log is left alone when it took nothing.
const PAUSE: Duration = Duration::from_millis(250);

/// Runs for as long as the hub lives, also after a panic: nobody would be
/// told anything any more.
pub async fn tell(shared: Arc<Shared>, writer: Writer, reader: Reader) {
    let begin = move || run(Arc::clone(&shared), writer.clone(), reader.clone());
    always("telling of subscriptions", begin).await;
}

/// Ends when the log takes nothing any more until the hub is started again.
async fn run(shared: Arc<Shared>, writer: Writer, reader: Reader) {
    let is_first = *shared.settled.borrow() == 0;
    if is_first && left::end(&shared, &writer, reader).await.is_err() {
        return;
    }
    let (mut pace, start) = (Pace::new(BURST_BYTES, BYTES_PER_SECOND), Instant::now());
    loop {
        settle(&shared);
        let due = shared.registry().due();
        let Some(due) = due else {
            shared.changed.notified().await;
            continue;
        };
        sleep_until(due.max(start + pace.ready(start.elapsed()))).await;
        let changes = {
            let mut registry = shared.registry();
            registry.take(TOLD_AT_ONCE, shared.live.end(), Instant::now())
        };
        if changes.is_empty() {
            continue;
        }
        let told = append_always(&shared, &writer, || entries(&shared, &changes)).await;
        if told.is_err() {
            return shared.registry().not_told();
        }
        shared.registry().told();
        let bytes = entries(&shared, &changes).iter().map(bytes).sum();
        pace.told(bytes, start.elapsed());
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

/// What the log takes to say it, without what it adds to everything.
fn bytes(entry: &Entry) -> usize {
    entry.topic.as_str().len() + entry.fields.len()
}

/// Has the log take entries, however long that takes.
///
/// # Errors
/// It takes nothing any more until the hub is started again.
pub async fn append_always(
    shared: &Shared,
    writer: &Writer,
    entries: impl Fn() -> Vec<Entry>,
) -> Result<(), AppendError> {
    loop {
        match append(shared, writer, entries()).await {
            Err(error @ (AppendError::Failed | AppendError::Closed)) => return Err(error),
            Err(_) => sleep(PAUSE).await,
            Ok(()) => return Ok(()),
        }
    }
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
