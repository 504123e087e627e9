//! A hub's end of one stream: the loop of the server's `Stream`, without the
//! waiting. What the server does in one poll is one call here; what it leaves
//! to a thread that may take its time is a step of its own.

use super::hub::Hub;
use bytes::Bytes;
use std::sync::Arc;
use tidings_engine::control::{self, GapReason};
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
    stated: Position,
    store_read: Option<StoreRead>,
}

enum StoreRead {
    Asked(Cursor),
    Done(Cursor, Vec<Arc<Frame>>, Read),
    Failed,
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
        cursor: Cursor,
        envelope: bool,
        budget: Budget,
    ) -> Self {
        let (lane, key) = hub.subscribe(&selection, cursor);
        Self {
            lane,
            key,
            awake: true,
            selection,
            envelope,
            budget,
            stated: cursor.after,
            store_read: None,
        }
    }

    /// The next bytes.
    pub fn pull(&mut self, hub: &mut Hub) -> Pulled {
        loop {
            let mut frames = Vec::new();
            let read = match self.store_read.take() {
                Some(StoreRead::Asked(cursor)) => {
                    self.store_read = Some(StoreRead::Asked(cursor));
                    return Pulled::Later;
                }
                Some(StoreRead::Failed) => return Pulled::End,
                Some(StoreRead::Done(cursor, given, read)) => {
                    frames = given;
                    hub.lanes[self.lane].set_cursor(self.key, cursor);
                    // At the end of the store the tail takes over.
                    if read == Read::CaughtUp {
                        continue;
                    }
                    read
                }
                None => {
                    let lane = &mut hub.lanes[self.lane];
                    let read = lane.read(self.key, &hub.tail, self.budget, &mut frames);
                    if let Read::Gap(_) = read {
                        self.store_read = Some(StoreRead::Asked(self.cursor(hub)));
                        return Pulled::Later;
                    }
                    read
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

    /// The timer fires: a heartbeat, unless there is something better.
    pub fn pull_or_beat(&mut self, hub: &mut Hub) -> Pulled {
        match self.pull(hub) {
            Pulled::Idle => Pulled::Bytes(self.heartbeat(hub)),
            other => other,
        }
    }

    /// What the server's other thread does, some time after it was asked.
    pub fn read_store(&mut self, hub: &Hub) {
        let Some(StoreRead::Asked(mut cursor)) = self.store_read else {
            return;
        };
        let mut frames = Vec::new();
        let read = hub
            .reader
            .read(&mut cursor, &self.selection, self.budget, &mut frames);
        self.store_read = Some(match read {
            Ok(read) => StoreRead::Done(cursor, frames, read),
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
