//! What is shared by the writer, the lanes and the connections: the tail of
//! the log and the news that it has moved.

mod watching;

use crate::hub::Hub;
use crate::lanes::Lanes;
use crate::own::{Own, Reading};
use crate::pulled::Set;
use crate::sys::Streams;
use crate::watch::Watch;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering, fence};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use tidings_engine::tail::Tail;
use tidings_engine::{Frame, Position, Stream, Topic};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::{Duration, Instant, timeout, timeout_at};
use watching::Watching;

/// How long lanes have to answer what somebody wants to know.
const PATIENCE: Duration = Duration::from_secs(2);

/// A request's turn to ask all lanes and sets: what it asks costs each of them time that
/// their streams wait for.
pub type Turn = Arc<OwnedSemaphorePermit>;

/// The tail of the log and who follows it.
pub struct Live {
    tail: RwLock<Tail>,
    head: watch::Sender<Position>,
    sets: Box<[Set]>,
    next_set: AtomicUsize,
    lanes: Lanes,
    own: Arc<Own>,
    /// Bytes that ever came into the tail.
    delivered: AtomicU64,
    /// By how many bytes the lanes may be behind before publishers wait.
    max_ahead: u64,
    /// Publishers that wait, and what tells them to look again.
    waiting: AtomicUsize,
    room: Notify,
    /// Of requests, one at a time asks all lanes and sets.
    turns: Arc<Semaphore>,
}

impl Live {
    /// A tail of at most `tail_bytes` behind a log that ends at `end`, with
    /// `lanes`, and so many sets of pulled streams.
    pub fn new(tail_bytes: usize, end: Position, lanes: Lanes, sets: usize) -> Self {
        Self {
            tail: RwLock::new(Tail::new(tail_bytes, end)),
            head: watch::Sender::new(end),
            sets: (0..sets.max(1)).map(|_| Set::new(end)).collect(),
            next_set: AtomicUsize::new(0),
            own: Arc::new(Own::new(lanes.doors().into())),
            lanes,
            delivered: AtomicU64::new(0),
            // A lane that the tail leaves behind would have everyone read the
            // store at once.
            max_ahead: tail_bytes as u64 / 2,
            waiting: AtomicUsize::new(0),
            room: Notify::new(),
            turns: Arc::new(Semaphore::new(1)),
        }
    }

    /// Takes in what has just become durable. Called by the writer only, in order.
    pub fn deliver(&self, frames: &[Arc<Frame>]) {
        let bytes: usize = frames.iter().map(|frame| frame.payload_len()).sum();
        let end = {
            let mut tail = self.tail.write().unwrap_or_else(PoisonError::into_inner);
            for frame in frames {
                tail.push(Arc::clone(frame));
            }
            // Under the lock: a lane that has followed the tail to its end knows
            // how many bytes that were.
            self.delivered.fetch_add(bytes as u64, Ordering::SeqCst);
            tail.end()
        };
        self.head.send_replace(end);
        self.lanes.knock();
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
    pub fn lanes(&self) -> &Lanes {
        &self.lanes
    }

    /// The hub's own log.
    pub fn own(&self) -> &Arc<Own> {
        &self.own
    }

    /// The sets of pulled streams.
    pub fn sets(&self) -> &[Set] {
        &self.sets
    }

    /// Begins a stream that will be pulled; answers with its set's number.
    pub fn begin_pulled(
        &self,
        hub: &Hub,
        watch: &mut Watch,
    ) -> (usize, Stream, Option<Box<Reading>>) {
        let set = self.next_set.fetch_add(1, Ordering::Relaxed) % self.sets.len();
        let mut state = self.sets[set].state();
        let stream = watch.begin(hub, &mut state.subscriptions);
        let own = watch.own.take();
        let own = own.map(|own| state.own.begin(own, stream.key()));
        (set, stream, own)
    }

    /// How many streams watch each of `topics` at this moment, whatever they may see
    /// of them; `None` if a lane takes too long to say it, or others ask for too long.
    pub async fn watching(&self, topics: Arc<[Topic]>) -> Option<Vec<usize>> {
        let count = topics.len();
        let turn = self.turn().await?;
        let mut watching = Watching::new(topics, Some(turn));
        let answers = self
            .ask_in_turns(move |streams| watching.go_on(streams))
            .await;
        let everyone = self.lanes.doors().len() + self.sets.len();
        let sum = |n| answers.iter().map(|counts| counts[n]).sum();
        (answers.len() == everyone).then(|| (0..count).map(sum).collect())
    }

    /// A request's turn to [ask](Self::ask), to be held by the question; `None` if others
    /// take longer than [`PATIENCE`]. What the hub asks for itself needs none.
    pub async fn turn(&self) -> Option<Turn> {
        let turn = Arc::clone(&self.turns).acquire_owned();
        timeout(PATIENCE, turn).await.ok()?.ok().map(Arc::new)
    }

    /// Asks every lane and every set about its streams. A lane that doesn't answer
    /// within [`PATIENCE`] is left out.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl Fn(&mut dyn Streams) -> T + Clone + Send + 'static,
    ) -> Vec<T> {
        self.ask_in_turns(move |streams| ControlFlow::Break(question(streams)))
            .await
    }

    /// The same, with a question that takes several turns: between them streams go on.
    async fn ask_in_turns<T: Send + 'static>(
        &self,
        question: impl FnMut(&mut dyn Streams) -> ControlFlow<T> + Clone + Send + 'static,
    ) -> Vec<T> {
        let (answers, mut come) = mpsc::unbounded_channel();
        for door in self.lanes.doors() {
            let (mut question, answers) = (question.clone(), answers.clone());
            door.ask(Box::new(move |streams| {
                if answers.is_closed() {
                    // Whoever asked has lost patience.
                    return ControlFlow::Break(());
                }
                let answer = question(streams);
                answer.map_break(|answer| drop(answers.send(answer)))
            }));
        }
        drop(answers);
        let mut all = Vec::new();
        for (set, number) in self.sets.iter().zip(0..) {
            let mut question = question.clone();
            loop {
                let answer = question(&mut set.state().streams(number));
                if let ControlFlow::Break(answer) = answer {
                    all.push(answer);
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        drop(question);
        let end = Instant::now() + PATIENCE;
        while let Ok(Some(answer)) = timeout_at(end, come.recv()).await {
            all.push(answer);
        }
        all
    }

    /// Wakes everyone: something else than the log has changed.
    pub fn wake_all(&self) {
        self.sets.iter().for_each(Set::wake_all);
        self.lanes.knock();
    }

    /// Bytes that ever came into the tail.
    pub fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::SeqCst)
    }

    /// Resolves when the lanes keep up: a hub that is fed faster than it can
    /// hand on lets its publishers wait, not its watchers fall behind.
    pub async fn room(&self) {
        if self.has_room() {
            return;
        }
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let _waiting = Waiting(&self.waiting);
        loop {
            let room = self.room.notified();
            if self.has_room() {
                return;
            }
            room.await;
        }
    }

    /// A lane has followed the log a step further, and has said so.
    pub fn followed(&self) {
        // Whoever begins to wait after this sees what the lane has said.
        fence(Ordering::SeqCst);
        if self.waiting.load(Ordering::SeqCst) > 0 && self.has_room() {
            self.room.notify_waiters();
        }
    }

    /// Whether the lanes keep up.
    pub fn has_room(&self) -> bool {
        fence(Ordering::SeqCst);
        let behind = self.delivered().saturating_sub(self.lanes.followed());
        behind <= self.max_ahead
    }
}

/// A publisher that waits, until it is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
