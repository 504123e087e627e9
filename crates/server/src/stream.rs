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
use tidings_engine::subscriptions::SubscriptionKey;
use tidings_engine::{Budget, Cursor, Frame, Gap, Position, Read, Selection, control};
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

type StoreRead = (
    Cursor,
    Vec<Arc<Frame>>,
    Result<Read, tidings_store::StoreError>,
);

/// One watcher's stream. Dropping it ends its subscription.
pub struct Stream {
    hub: Arc<Hub>,
    lane: usize,
    key: SubscriptionKey,
    selection: Selection,
    form: Form,
    /// Bytes that come before anything the log has.
    opening: Option<Bytes>,
    /// The position that whoever reads this stream knows to be behind it.
    stated: Position,
    /// The next heartbeat, or the end while the hub drains.
    timer: Pin<Box<Sleep>>,
    store_read: Option<JoinHandle<StoreRead>>,
    /// What the connection has not written yet.
    window: Window,
    phase: Phase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// The hub drains; the stream ends when the timer fires.
    Draining,
    Ended,
}

impl Stream {
    /// A stream that begins with `opening` and continues from `cursor`.
    pub fn new(
        hub: Arc<Hub>,
        selection: Selection,
        cursor: Cursor,
        form: Form,
        opening: Bytes,
    ) -> Self {
        let (lane, key) = hub.subscribe(&selection, cursor);
        hub.metrics().subscribers.inc();
        let timer = Box::pin(sleep_until(
            Instant::now() + hub.settings().limits.heartbeat,
        ));
        Self {
            lane,
            key,
            selection,
            form,
            opening: Some(opening),
            stated: cursor.after,
            timer,
            store_read: None,
            window: Window::new(hub.settings().limits.subscription_buffer_bytes),
            phase: Phase::Open,
            hub,
        }
    }

    /// The next bytes; `None` at the end of the stream.
    pub fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(opening) = self.opening.take() {
            return Poll::Ready(Some(opening));
        }
        loop {
            if self.phase == Phase::Ended {
                return Poll::Ready(None);
            }
            if let Some(farewell) = self.drain() {
                return Poll::Ready(Some(farewell));
            }
            ready!(self.window.poll_open(cx));
            let mut frames = Vec::new();
            let read = match &mut self.store_read {
                Some(pending) => {
                    let done = ready!(Pin::new(pending).poll(cx));
                    self.store_read = None;
                    match self.after_store_read(done, &mut frames) {
                        Some(read) => read,
                        None => continue,
                    }
                }
                None => {
                    let lane = &self.hub.live().lanes()[self.lane];
                    let read = lane.read(
                        self.key,
                        self.hub.live(),
                        self.pull(),
                        &mut frames,
                        cx.waker(),
                    );
                    if let Read::Gap(_) = read {
                        self.start_store_read();
                        continue;
                    }
                    read
                }
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
                Read::CaughtUp if self.phase == Phase::Open && self.hub.drain().has_begun() => {}
                Read::CaughtUp => {
                    ready!(self.timer.as_mut().poll(cx));
                    if self.phase == Phase::Open {
                        return Poll::Ready(Some(self.heartbeat()));
                    }
                }
            }
        }
    }

    /// Notices that the hub drains; gives the last bytes when it is time.
    fn drain(&mut self) -> Option<Bytes> {
        if self.phase == Phase::Open {
            let end = self.hub.drain().stream_end()?;
            self.phase = Phase::Draining;
            self.timer.as_mut().reset(end);
        }
        if self.phase == Phase::Draining && Instant::now() >= self.timer.deadline() {
            self.phase = Phase::Ended;
            return Some(control::retry(self.hub.jittered_retry()));
        }
        None
    }

    /// The tail doesn't reach back to the cursor, so the store is read; not
    /// here, because a disk may take its time.
    fn start_store_read(&mut self) {
        let (mut cursor, pull) = (self.cursor(), self.pull());
        let (reader, selection) = (self.hub.reader().clone(), self.selection.clone());
        self.store_read = Some(tokio::task::spawn_blocking(move || {
            let mut frames = Vec::new();
            let read = reader.read(&mut cursor, &selection, pull, &mut frames);
            (cursor, frames, read)
        }));
    }

    /// Takes over what the store gave; `None` if there is nothing to give on.
    fn after_store_read(
        &mut self,
        done: Result<StoreRead, tokio::task::JoinError>,
        frames: &mut Vec<Arc<Frame>>,
    ) -> Option<Read> {
        match done {
            Ok((cursor, given, Ok(read))) => {
                *frames = given;
                self.hub.live().lanes()[self.lane].set_cursor(self.key, cursor);
                // At the end of the store the tail takes over.
                (read != Read::CaughtUp).then_some(read)
            }
            Ok((.., Err(error))) => {
                tracing::error!(%error, "a stream ends because the store can't be read");
                self.phase = Phase::Ended;
                None
            }
            Err(_) => {
                self.phase = Phase::Ended;
                None
            }
        }
    }

    fn encode(&mut self, frames: &[Arc<Frame>]) -> Bytes {
        self.restart_heartbeat();
        self.stated = frames.last().map_or(self.stated, |frame| frame.position());
        let metrics = self.hub.metrics();
        metrics.deliveries.inc_by(frames.len() as u64);
        let mut blocks = frames.iter().map(|frame| match self.form {
            Form::Plain => frame.payload(),
            Form::Envelope => frame.envelope(),
        });
        let bytes = match (frames, blocks.next()) {
            ([_], Some(block)) => block,
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
        self.restart_heartbeat();
        let expired = self.hub.reader().horizon(&self.selection) >= gap.to;
        let reason = if expired {
            GapReason::Expired
        } else {
            GapReason::Corrupt
        };
        self.hub.gap_block(reason, gap.to)
    }

    /// A comment, and the position if it has moved: so that a connection lost
    /// on a quiet topic resumes exactly.
    fn heartbeat(&mut self) -> Bytes {
        self.restart_heartbeat();
        let reached = self.cursor().after;
        let moved = reached > self.stated;
        self.stated = reached;
        control::heartbeat(moved.then(|| self.hub.wire_id(reached)))
    }

    fn restart_heartbeat(&mut self) {
        if self.phase == Phase::Open {
            self.timer
                .as_mut()
                .reset(Instant::now() + self.hub.settings().limits.heartbeat);
        }
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

impl Drop for Stream {
    fn drop(&mut self) {
        self.hub.live().lanes()[self.lane].remove(self.key);
        self.hub.metrics().subscribers.dec();
    }
}
