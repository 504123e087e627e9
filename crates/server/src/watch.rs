//! What was asked for and granted, before it has begun.

use crate::hub::Hub;
use crate::native::SoftRefusal;
use crate::places::{Place, Watching};
use crate::start;
use std::sync::Arc;
use tidings_engine::start::{Asked, Start};
use tidings_engine::stream::StoreRead;
use tidings_engine::{Cursor, Form, Position, Selection, Stream, SubscriptionKey, Subscriptions};

/// A stream that a watcher was granted. Whoever carries it to the watcher
/// begins it: a lane, or a body that hyper pulls.
#[derive(Debug)]
pub struct Watch {
    /// What is watched.
    pub selection: Selection,
    /// Where it starts.
    pub start: Start,
    /// The selection's horizon before `start` was found.
    pub told: Position,
    /// How events are given.
    pub form: Form,
    /// A place among the streams there may be.
    pub permit: Watching,
}

impl Watch {
    /// Adds the subscription, and begins the stream.
    pub fn begin(&self, hub: &Hub, subscriptions: &mut Subscriptions) -> Stream {
        let key: SubscriptionKey = subscriptions.insert(self.selection.clone(), self.start.cursor);
        Stream::new(
            (hub.log_id(), key),
            self.start,
            self.told,
            hub.slow_policy(&self.selection),
            hub.jittered_retry(),
        )
    }
}

/// What is asked for, by whoever may have it.
#[derive(Debug)]
pub struct Wish {
    /// What is to be watched.
    pub selection: Selection,
    /// From where.
    pub asked: Asked,
    /// How events are to be given.
    pub form: Form,
}

/// Grants a stream on the connection at `place`.
///
/// # Errors
/// What is against it now; later it may be granted.
pub async fn grant(
    hub: &Arc<Hub>,
    place: Option<&Place>,
    wish: Wish,
) -> Result<Box<Watch>, SoftRefusal> {
    if hub.drain().has_begun() {
        return Err(SoftRefusal::Draining);
    }
    let permit = hub.places().watch(place).map_err(SoftRefusal::NoPlace)?;
    let Wish {
        selection,
        asked,
        form,
    } = wish;
    // Before the start is decided: what expires after that has to be told.
    let told = hub.reader().horizon(&selection);
    // A disk that can't be read now may be readable when they come back.
    let start = start::find(hub, asked, &selection)
        .await
        .map_err(|_| SoftRefusal::Storage)?;
    Ok(Box::new(Watch {
        selection,
        start,
        told,
        form,
        permit,
    }))
}

/// Reads the store for a stream: not where others would have to wait for it.
pub async fn read_store(hub: Arc<Hub>, selection: Selection, before: Cursor) -> StoreRead {
    let unreadable = StoreRead {
        before,
        cursor: before,
        frames: Vec::new(),
        read: None,
        horizon: Position::START,
    };
    // A disk has few hands; a thread for each of a crowd would help nobody.
    let Ok(_permit) = hub.store_reads().acquire().await else {
        return unreadable;
    };
    let (reader, budget) = (hub.reader().clone(), hub.terms().budget);
    let read = tokio::task::spawn_blocking(move || {
        let (mut cursor, mut frames) = (before, Vec::new());
        let read = reader.read(&mut cursor, &selection, budget, &mut frames);
        StoreRead {
            before,
            cursor,
            frames,
            read: read
                .inspect_err(|error| tracing::error!(%error, "a stream ends because the store can't be read"))
                .ok(),
            horizon: reader.horizon(&selection),
        }
    });
    read.await.unwrap_or(unreadable)
}
