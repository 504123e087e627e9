//! A hub's end of one stream: the loop of the server's `Stream`, without the
//! waiting. What the server does in one poll is one call here; what it leaves
//! to a thread that may take its time is a step of its own.

use super::hub::Hub;
use bytes::Bytes;
use std::sync::Arc;
use tidings_engine::control::{self, GapReason};
use tidings_engine::start::Start;
use tidings_engine::subscriptions::SubscriptionKey;
use tidings_engine::{Budget, Cursor, Frame, Gap, Position, Read, Selection};

/// One stream.
pub struct Stream {
    pub lane: usize,
    pub key: SubscriptionKey,
    /// Whether it is to be pulled: it is not caught up, or has been woken.
    pub awake: bool,
    selection: Selection,
    envelope: bool,
    budget: Budget,
    /// What has to be said before anything else that the log has.
    notice: Option<Bytes>,
    /// Up to where events may be gone without a word.
    told: Position,
    stated: Position,
    store_read: Option<StoreRead>,
}

enum StoreRead {
    Asked(Cursor),
    Done(Done),
    Failed,
}

struct Done {
    before: Cursor,
    cursor: Cursor,
    frames: Vec<Arc<Frame>>,
    read: Read,
    horizon: Position,
}

/// What a pull gave.
pub enum Pulled {
    Bytes(Bytes),
    /// Nothing now, but there may be more: another pull is due, or the store
    /// has to be read first.
    Later,
    /// Nothing, until somebody wakes it.
    Idle,
    /// The stream ends.
    End,
}

impl Stream {
    pub fn new(
        hub: &mut Hub,
        selection: Selection,
        (start, told): (Start, Position),
        envelope: bool,
        budget: Budget,
        retry_ms: u64,
    ) -> Self {
        let (lane, key) = hub.subscribe(&selection, start.cursor);
        Self {
            lane,
            key,
            awake: true,
            envelope,
            budget,
            notice: Some(opening(hub, start, retry_ms)),
            told,
            stated: start.cursor.after,
            store_read: None,
            selection,
        }
    }

    /// The next bytes.
    pub fn pull(&mut self, hub: &mut Hub) -> Pulled {
        loop {
            if let Some(bytes) = self.notice.take() {
                return Pulled::Bytes(bytes);
            }
            let mut frames = Vec::new();
            let read = match self.store_read.take() {
                Some(StoreRead::Failed) => return Pulled::End,
                Some(StoreRead::Done(done)) => {
                    match self.after_store_read(hub, done, &mut frames) {
                        Some(read) => read,
                        None => continue,
                    }
                }
                asked => {
                    self.store_read = asked;
                    match self.read_tail(hub, &mut frames) {
                        Some(read) => read,
                        None => return Pulled::Later,
                    }
                }
            };
            return match read {
                Read::Frames if frames.is_empty() => Pulled::Later,
                Read::Frames => Pulled::Bytes(self.encode(&frames)),
                Read::Gap(gap) => Pulled::Bytes(self.tell_gap(hub, gap)),
                Read::CaughtUp => {
                    self.awake = false;
                    Pulled::Idle
                }
            };
        }
    }

    /// `None` if the store is or has to be asked.
    fn read_tail(&mut self, hub: &mut Hub, frames: &mut Vec<Arc<Frame>>) -> Option<Read> {
        if self.store_read.is_some() {
            return None;
        }
        let read = hub.lanes[self.lane].read(self.key, &hub.tail, self.budget, frames);
        if let Read::Gap(_) = read {
            self.store_read = Some(StoreRead::Asked(self.cursor(hub)));
            return None;
        }
        Some(read)
    }

    /// `None` if there is nothing to give.
    fn after_store_read(
        &mut self,
        hub: &mut Hub,
        done: Done,
        frames: &mut Vec<Arc<Frame>>,
    ) -> Option<Read> {
        if done.before.after < done.horizon && self.told < done.horizon {
            self.told = done.horizon;
            if !matches!(done.read, Read::Gap(_)) {
                let id = hub.wire_id(done.before.after);
                self.notice = Some(control::gap(GapReason::Expired, id));
            }
        }
        *frames = done.frames;
        hub.lanes[self.lane].set_cursor(self.key, done.cursor);
        // At the end of the store the tail takes over.
        (done.read != Read::CaughtUp).then_some(done.read)
    }

    /// The timer fires: a heartbeat, unless there is something better.
    pub fn pull_or_beat(&mut self, hub: &mut Hub) -> Pulled {
        match self.pull(hub) {
            Pulled::Idle => Pulled::Bytes(self.heartbeat(hub)),
            other => other,
        }
    }

    /// What the server's other thread does, some time after it was asked.
    pub fn read_store(&mut self, hub: &Hub) {
        let Some(StoreRead::Asked(before)) = self.store_read else {
            return;
        };
        let (mut cursor, mut frames) = (before, Vec::new());
        let read = hub
            .reader
            .read(&mut cursor, &self.selection, self.budget, &mut frames);
        let horizon = hub.reader.horizon(&self.selection);
        self.store_read = Some(match read {
            Ok(read) => StoreRead::Done(Done {
                before,
                cursor,
                frames,
                read,
                horizon,
            }),
            Err(_) => StoreRead::Failed,
        });
    }

    /// Whether it is caught up but has something to read: nobody woke it.
    pub fn sleeps_behind(&self, hub: &Hub) -> bool {
        !self.awake && hub.lanes[self.lane].is_behind(self.key)
    }

    fn encode(&mut self, frames: &[Arc<Frame>]) -> Bytes {
        self.stated = frames.last().map_or(self.stated, |frame| frame.position());
        let blocks = frames.iter().map(|frame| match self.envelope {
            false => frame.payload(),
            true => frame.envelope(),
        });
        let notice = self.notice.take();
        let blocks = notice.into_iter().chain(blocks);
        blocks.collect::<Vec<_>>().concat().into()
    }

    fn tell_gap(&mut self, hub: &mut Hub, gap: Gap) -> Bytes {
        hub.lanes[self.lane].set_cursor(self.key, Cursor { after: gap.to });
        self.stated = gap.to;
        let expired = hub.reader.horizon(&self.selection) >= gap.to;
        let reason = if expired {
            GapReason::Expired
        } else {
            GapReason::Corrupt
        };
        control::gap(reason, hub.wire_id(gap.to))
    }

    fn heartbeat(&mut self, hub: &Hub) -> Bytes {
        let reached = self.cursor(hub).after;
        let moved = reached > self.stated;
        self.stated = reached;
        control::heartbeat(moved.then(|| hub.wire_id(reached)))
    }

    fn cursor(&self, hub: &Hub) -> Cursor {
        let lane = &hub.lanes[self.lane];
        lane.cursor(self.key)
            .unwrap_or(Cursor { after: lane.end() })
    }
}

/// Begins a stream: with the position it goes on from, or with the gap that
/// has the same id. Not with both: who loses the connection between them would
/// never hear of the gap.
fn opening(hub: &Hub, start: Start, retry_ms: u64) -> Bytes {
    let id = hub.wire_id(start.cursor.after);
    let Some(reason) = start.gap else {
        return control::opening(retry_ms, id);
    };
    [control::retry(retry_ms), control::gap(reason, id)]
        .concat()
        .into()
}
