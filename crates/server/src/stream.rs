//! An event stream: the bytes that one connection pulls from the log at its
//! cursor. Live delivery, replay and a slow reader are the same loop.

use crate::hub::Hub;
use crate::window::Window;
use bytes::Bytes;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tidings_engine::control::GapReason;
use tidings_engine::start::Start;
use tidings_engine::subscriptions::SubscriptionKey;
use tidings_engine::{Budget, Cursor, Frame, Gap, Position, Read, Selection, control};
use tidings_store::StoreError;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinHandle;
use tokio::time::{Instant, Sleep, sleep_until};

/// How many events one pull takes from the log at most.
const PULL_FRAMES: usize = 256;

/// In which form a stream gives events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As they were published.
    Plain,
    /// As JSON objects that name topic, event, id, time and data.
    Envelope,
}

/// What a read of the store gave.
struct StoreRead {
    before: Cursor,
    cursor: Cursor,
    frames: Vec<Arc<Frame>>,
    read: Result<Read, StoreError>,
    /// Up to here events of the selection may be gone.
    horizon: Position,
}

/// One watcher's stream. Dropping it ends its subscription.
pub struct Stream {
    hub: Arc<Hub>,
    lane: usize,
    key: SubscriptionKey,
    selection: Selection,
    form: Form,
    /// What has to be said before anything else that the log has.
    notice: Option<Bytes>,
    /// Up to where events may be gone without a word: whoever reads this
    /// stream knows, or has never asked for them.
    told: Position,
    /// The position that whoever reads this stream knows to be behind it.
    stated: Position,
    /// When a heartbeat is due.
    beat: Instant,
    /// When the stream ends, once the hub drains.
    ends: Option<Instant>,
    /// The next of the two.
    timer: Pin<Box<Sleep>>,
    store_read: Option<JoinHandle<StoreRead>>,
    /// What the connection has not written yet.
    window: Window,
    ended: bool,
    /// A place among the streams there may be.
    _permit: OwnedSemaphorePermit,
}

impl Stream {
    /// A stream that goes on from `start`, which was found when events of the
    /// selection up to `told` at least were known to be gone.
    pub fn new(
        hub: Arc<Hub>,
        permit: OwnedSemaphorePermit,
        selection: Selection,
        start: Start,
        told: Position,
        form: Form,
    ) -> Self {
        let (lane, key) = hub.subscribe(&selection, start.cursor);
        hub.metrics().subscribers.inc();
        let beat = Instant::now() + hub.settings().limits.heartbeat;
        Self {
            lane,
            key,
            form,
            notice: Some(opening(&hub, start)),
            told,
            stated: start.cursor.after,
            beat,
            ends: None,
            timer: Box::pin(sleep_until(beat)),
            store_read: None,
            window: Window::new(hub.settings().limits.subscription_buffer_bytes),
            ended: false,
            _permit: permit,
            selection,
            hub,
        }
    }

    /// The next bytes; `None` at the end of the stream.
    pub fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            if self.ended {
                return Poll::Ready(None);
            }
            if let Some(bytes) = self.notice.take().or_else(|| self.drain()) {
                return Poll::Ready(Some(bytes));
            }
            ready!(self.window.poll_open(cx));
            let mut frames = Vec::new();
            let Some(read) = ready!(self.poll_read(cx, &mut frames)) else {
                continue;
            };
            match read {
                // It looked at much and found nothing: others have their turn.
                Read::Frames if frames.is_empty() => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Read::Frames => return Poll::Ready(Some(self.encode(&frames))),
                Read::Gap(gap) => return Poll::Ready(Some(self.tell_gap(gap))),
                // It may have begun between the look at it and the waker's place.
                Read::CaughtUp if self.ends.is_none() && self.hub.drain().has_begun() => {}
                Read::CaughtUp => {
                    ready!(self.timer.as_mut().poll(cx));
                    if Instant::now() >= self.beat {
                        return Poll::Ready(Some(self.heartbeat()));
                    }
                }
            }
        }
    }

    /// Reads at the cursor: from the tail, or where that doesn't reach back,
    /// from the store. `None` if the store was read and has nothing to give.
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        frames: &mut Vec<Arc<Frame>>,
    ) -> Poll<Option<Read>> {
        if self.store_read.is_none() {
            let lane = &self.hub.live().lanes()[self.lane];
            let read = lane.read(self.key, self.hub.live(), self.pull(), frames, cx.waker());
            match read {
                Read::Gap(_) => self.start_store_read(),
                read => return Poll::Ready(Some(read)),
            }
        }
        let Some(pending) = &mut self.store_read else {
            return Poll::Ready(None);
        };
        let done = ready!(Pin::new(pending).poll(cx));
        self.store_read = None;
        Poll::Ready(self.after_store_read(done, frames))
    }

    /// Notices that the hub drains; gives the last bytes when it is time.
    fn drain(&mut self) -> Option<Bytes> {
        if self.ends.is_none() {
            self.ends = Some(self.hub.drain().stream_end()?);
            self.reset_timer();
        }
        if self.ends.is_none_or(|end| Instant::now() < end) {
            return None;
        }
        self.ended = true;
        Some(control::retry(self.hub.jittered_retry()))
    }

    /// The tail doesn't reach back to the cursor, so the store is read; not
    /// here, because a disk may take its time.
    fn start_store_read(&mut self) {
        let (before, pull) = (self.cursor(), self.pull());
        let (reader, selection) = (self.hub.reader().clone(), self.selection.clone());
        self.store_read = Some(tokio::task::spawn_blocking(move || {
            let (mut cursor, mut frames) = (before, Vec::new());
            let read = reader.read(&mut cursor, &selection, pull, &mut frames);
            // After the read: whatever it passed over in silence is below this.
            let horizon = reader.horizon(&selection);
            StoreRead {
                before,
                cursor,
                frames,
                read,
                horizon,
            }
        }));
    }

    /// Takes over what the store gave; `None` if there is nothing to give on.
    fn after_store_read(
        &mut self,
        done: Result<StoreRead, tokio::task::JoinError>,
        frames: &mut Vec<Arc<Frame>>,
    ) -> Option<Read> {
        let Ok(done) = done else {
            self.ended = true;
            return None;
        };
        let read = match done.read {
            Ok(read) => read,
            Err(error) => {
                tracing::error!(%error, "a stream ends because the store can't be read");
                self.ended = true;
                return None;
            }
        };
        if done.before.after < done.horizon && self.told < done.horizon {
            // Some of the selected topics are kept for less long than others:
            // theirs are gone, what the others have still comes.
            self.told = done.horizon;
            if !matches!(read, Read::Gap(_)) {
                self.notice = Some(self.hub.gap_block(GapReason::Expired, done.before.after));
            }
        }
        *frames = done.frames;
        self.hub.live().lanes()[self.lane].set_cursor(self.key, done.cursor);
        // At the end of the store the tail takes over.
        (read != Read::CaughtUp).then_some(read)
    }

    fn encode(&mut self, frames: &[Arc<Frame>]) -> Bytes {
        self.put_heartbeat_off();
        let notice = self.notice.take();
        self.stated = frames.last().map_or(self.stated, |frame| frame.position());
        let metrics = self.hub.metrics();
        metrics.deliveries.inc_by(frames.len() as u64);
        let blocks = frames.iter().map(|frame| match self.form {
            Form::Plain => frame.payload(),
            Form::Envelope => frame.envelope(),
        });
        let mut blocks = notice.into_iter().chain(blocks);
        let bytes = match (frames, blocks.next()) {
            ([_], Some(block)) if blocks.size_hint() == (0, Some(0)) => block,
            (_, first) => first
                .into_iter()
                .chain(blocks)
                .collect::<Vec<_>>()
                .concat()
                .into(),
        };
        metrics.delivered_bytes.inc_by(bytes.len() as u64);
        self.window.count(bytes)
    }

    /// Says that events are missing, and goes on behind them.
    fn tell_gap(&mut self, gap: Gap) -> Bytes {
        self.hub.live().lanes()[self.lane].set_cursor(self.key, Cursor { after: gap.to });
        self.stated = gap.to;
        self.put_heartbeat_off();
        let reason = self.hub.gap_reason(&self.selection, gap);
        self.hub.gap_block(reason, gap.to)
    }

    /// A comment, and the position if it has moved: so that a connection lost
    /// on a quiet topic resumes exactly.
    fn heartbeat(&mut self) -> Bytes {
        self.put_heartbeat_off();
        let reached = self.cursor().after;
        let moved = reached > self.stated;
        self.stated = reached;
        control::heartbeat(moved.then(|| self.hub.wire_id(reached)))
    }

    fn put_heartbeat_off(&mut self) {
        self.beat = Instant::now() + self.hub.settings().limits.heartbeat;
        self.reset_timer();
    }

    fn reset_timer(&mut self) {
        let next = self.ends.map_or(self.beat, |end| end.min(self.beat));
        self.timer.as_mut().reset(next);
    }

    /// What one pull takes from the log at most.
    fn pull(&self) -> Budget {
        let bytes = self.hub.settings().limits.subscription_buffer_bytes;
        Budget {
            frames: PULL_FRAMES,
            bytes,
        }
    }

    fn cursor(&self) -> Cursor {
        self.hub.live().lanes()[self.lane].cursor(self.key)
    }
}

/// Begins a stream: with the position it goes on from, or with the gap that
/// has the same id. Not with both: who loses the connection between them would
/// never hear of the gap.
fn opening(hub: &Hub, start: Start) -> Bytes {
    let position = start.cursor.after;
    let Some(reason) = start.gap else {
        return control::opening(hub.jittered_retry(), hub.wire_id(position));
    };
    let retry = control::retry(hub.jittered_retry());
    [retry, hub.gap_block(reason, position)].concat().into()
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.hub.live().lanes()[self.lane].remove(self.key);
        self.hub.metrics().subscribers.dec();
    }
}
