//! What is shared by the writer, the lanes and the connections: the tail of
//! the log and the news that it has moved.

use crate::lane::Lane;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use tidings_engine::tail::Tail;
use tidings_engine::{Frame, Position};
use tokio::sync::watch;

/// The tail of the log and the lanes that follow it.
pub struct Live {
    tail: RwLock<Tail>,
    head: watch::Sender<Position>,
    lanes: Box<[Lane]>,
}

impl Live {
    /// A tail of at most `tail_bytes` behind a log that ends at `end`, and
    /// `lanes` lanes.
    pub fn new(tail_bytes: usize, end: Position, lanes: usize) -> Self {
        Self {
            tail: RwLock::new(Tail::new(tail_bytes, end)),
            head: watch::Sender::new(end),
            lanes: (0..lanes.max(1)).map(|_| Lane::new(end)).collect(),
        }
    }

    /// Takes in what has just become durable. Called by the writer only, in order.
    pub fn deliver(&self, frames: &[Arc<Frame>]) {
        let end = {
            let mut tail = self.tail.write().unwrap_or_else(PoisonError::into_inner);
            for frame in frames {
                tail.push(Arc::clone(frame));
            }
            tail.end()
        };
        self.head.send_replace(end);
    }

    /// The tail, to read.
    pub fn tail(&self) -> RwLockReadGuard<'_, Tail> {
        self.tail.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The end of the log: all up to here is durable and readable.
    pub fn end(&self) -> Position {
        self.tail().end()
    }

    /// Tells when the end moves.
    pub fn head(&self) -> watch::Receiver<Position> {
        self.head.subscribe()
    }

    /// The lanes.
    pub fn lanes(&self) -> &[Lane] {
        &self.lanes
    }
}
