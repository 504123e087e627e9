//! Tasks that go on for as long as there is a hub.

use std::future::Future;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// How long a task rests when something went wrong that might again.
const PAUSE: Duration = Duration::from_millis(250);

/// Runs what `begin` gives until it is done, and begins it again after a panic: a task
/// of the hub that breaks off would otherwise be missed without a word until the hub is
/// started anew. `what` names it in the hub's log. It ends with whoever waits for it.
pub async fn always<F>(what: &'static str, begin: impl Fn() -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut running = JoinSet::new();
    loop {
        running.spawn(begin());
        if !matches!(running.join_next().await, Some(Err(_))) {
            return;
        }
        tracing::error!("{what} broke off and begins again; this is a defect of the hub");
        sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test(start_paused = true)]
    async fn what_panics_begins_again_until_it_is_done() {
        let begun = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&begun);
        always("a test", move || {
            let begun = Arc::clone(&counted);
            async move {
                let before = begun.fetch_add(1, Ordering::SeqCst);
                assert!(before >= 2, "the first two break off");
            }
        })
        .await;
        assert_eq!(begun.load(Ordering::SeqCst), 3);
    }
}
