//! What was asked for and granted, before it has begun.

use crate::auth::{Admitted, Standing};
use crate::hub::Hub;
use crate::mercure::active::Guard;
use crate::native::SoftRefusal;
use crate::own::OwnWatch;
use crate::places::{Place, Watching};
use crate::presence;
use crate::start;
use crate::sys::Transport;
use std::sync::Arc;
use tidings_engine::start::{Asked, Start};
use tidings_engine::stream::{Opening, StoreRead};
use tidings_engine::{
    Cursor, Form, Position, Selection, Stream, SubscriptionKey, Subscriptions, Voice,
};

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
    /// How the stream speaks of itself.
    pub voice: Voice,
    /// What may end it before its time.
    pub standing: Option<Arc<Standing>>,
    /// A place among the streams there may be.
    pub permit: Watching,
    /// For a stream of the Mercure face: whoever asks is told that it is there.
    pub active: Option<Guard>,
    /// Whoever is asked who is there knows of it.
    pub presence: Option<Box<presence::Guard>>,
    /// What is watched of the hub's own log.
    pub own: Option<OwnWatch>,
    /// What carries it.
    pub transport: Transport,
}

impl Watch {
    /// Adds the subscription, and begins the stream.
    pub fn begin(&self, hub: &Hub, subscriptions: &mut Subscriptions) -> Stream {
        let key: SubscriptionKey = subscriptions.insert(self.selection.clone(), self.start.cursor);
        let opening = Opening {
            start: self.start,
            told: self.told,
            retry_ms: hub.jittered_retry(),
            voice: self.voice.clone(),
        };
        Stream::new(
            (hub.log_id(), key),
            opening,
            hub.slow_policy(&self.selection),
        )
    }
}

/// What is asked for, by whoever may have it.
#[derive(Debug)]
pub struct Wish {
    /// What is to be watched, as far as its watcher may.
    pub admitted: Admitted,
    /// From where.
    pub asked: Asked,
    /// How events are to be given.
    pub form: Form,
    /// How the stream is to speak of itself.
    pub voice: Voice,
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
    let (watch, asked) = begin(hub, place, wish)?;
    if asked.is_live() && watch.voice != Voice::Mercure {
        return Ok(watch);
    }
    // Seldom awaited, and larger than what awaits it should be.
    Box::pin(find_start(hub, watch, asked)).await
}

/// Grants a stream of what is published from now on, whatever the wish asks for:
/// for that nobody has to wait.
///
/// # Errors
/// As of [`grant`].
pub fn grant_live(
    hub: &Arc<Hub>,
    place: Option<&Place>,
    wish: Wish,
) -> Result<Box<Watch>, SoftRefusal> {
    let (watch, _) = begin(hub, place, wish)?;
    Ok(watch)
}

/// A stream that starts at what is published now, and what of its wish is still to
/// be found.
fn begin(
    hub: &Arc<Hub>,
    place: Option<&Place>,
    wish: Wish,
) -> Result<(Box<Watch>, Asked), SoftRefusal> {
    if hub.drain().has_begun() {
        return Err(SoftRefusal::Draining);
    }
    let permit = hub.places().watch(place).map_err(SoftRefusal::NoPlace)?;
    let Admitted {
        selection,
        standing,
    } = wish.admitted;
    let (selection, own) = selection.split();
    // Where nothing is watched of the log there is nothing to resume from.
    let asked = match selection.is_empty() {
        true => Asked::default(),
        false => wish.asked,
    };
    let own = (!own.is_empty()).then(|| OwnWatch::new(hub.own(), own, None));
    // Before the start is decided: what expires after that has to be told.
    let told = hub.reader().horizon(&selection);
    let watch = Box::new(Watch {
        selection,
        start: start::live(hub),
        told,
        form: wish.form,
        voice: wish.voice,
        standing,
        permit,
        active: None,
        presence: None,
        own,
        transport: Transport::Process,
    });
    Ok((watch, asked))
}

/// Has a stream start where it was asked to.
async fn find_start(
    hub: &Arc<Hub>,
    mut watch: Box<Watch>,
    asked: Asked,
) -> Result<Box<Watch>, SoftRefusal> {
    // A disk that can't be read now may be readable when they come back.
    watch.start = start::find(hub, asked, &watch.selection)
        .await
        .map_err(|_| SoftRefusal::Storage)?;
    if watch.voice == Voice::Mercure {
        watch.start = pass_gaps(hub, &watch.selection, watch.start).await;
    }
    Ok(watch)
}

/// How many gaps in a row [`pass_gaps`] passes at most.
const GAPS_IN_A_ROW: usize = 8;

/// Moves a start over the gap that is right behind it, for a stream that could
/// not tell of it once it has begun ([`Voice::Mercure`]).
async fn pass_gaps(hub: &Arc<Hub>, selection: &Selection, mut start: Start) -> Start {
    for _ in 0..GAPS_IN_A_ROW {
        if start.cursor.after >= hub.live().tail().start() {
            break;
        }
        let first = read_store(Arc::clone(hub), selection.clone(), start.cursor).await;
        if !start.past_gap(&first) {
            break;
        }
    }
    start
}

/// Leaves out of what the store gave what the selection has ceased to show: the
/// rights of a stream may be replaced while the store is read for it.
pub fn leave_out_hidden(done: &mut StoreRead, selection: &Selection) {
    done.frames
        .retain(|frame| selection.shows(&frame.published()));
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
