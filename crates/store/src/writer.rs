//! The thread that commits: gathers what waits, appends it as one group,
//! delivers, answers.

use crate::error::AppendError;
use crate::format::record;
use crate::store::{Appended, Health, Request, Store};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tidings_engine::{Frame, Timestamp};

/// Called with what became of a request.
pub type Done = Box<dyn FnOnce(Result<Vec<Appended>, AppendError>) + Send>;

/// The queue is full, or the writer has shut down: the request was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Busy;

impl std::fmt::Display for Busy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("more waits to be written than the queue takes; try again shortly")
    }
}

impl std::error::Error for Busy {}

/// Owns a [`Store`] on a thread of its own. Clones share it.
#[derive(Clone)]
pub struct Writer {
    inner: Arc<Inner>,
}

struct Inner {
    queue_bytes: u64,
    queue: Mutex<Queue>,
    wake: Condvar,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Queue {
    waiting: VecDeque<(Request, u64, Done)>,
    bytes: u64,
    /// With how many requests waiting the thread wants to be woken.
    wake_at: usize,
    closed: bool,
    health: Health,
}

/// What was committed last, by which the thread judges whether to wait a
/// little for others to come along.
#[derive(Clone, Copy, Default)]
struct Last {
    requests: usize,
    took: Duration,
}

/// How often expired events are dropped.
const MAINTENANCE: Duration = Duration::from_secs(1);
/// The part of a commit's time for which the next one may wait for company.
const PATIENCE: u32 = 8;
const MAX_PATIENCE: Duration = Duration::from_micros(500);
/// The most that is written at once, in bytes of records: bounds how long
/// those wait who come meanwhile.
const GROUP_BYTES: u64 = 4 << 20;

impl Writer {
    /// Starts the thread. `deliver` is called with the new frames in the
    /// order of their positions, once they are durable and before their
    /// requests are answered; both on the thread, so neither may block.
    ///
    /// # Errors
    /// If the system has no thread to give.
    pub fn spawn(
        store: Store,
        clock: impl Fn() -> Timestamp + Send + 'static,
        deliver: impl FnMut(&[Arc<Frame>]) + Send + 'static,
    ) -> std::io::Result<Self> {
        let inner = Arc::new(Inner {
            queue_bytes: store.options.queue_bytes,
            queue: Mutex::new(Queue {
                waiting: VecDeque::new(),
                bytes: 0,
                wake_at: 1,
                closed: false,
                health: store.health(),
            }),
            wake: Condvar::new(),
            thread: Mutex::new(None),
        });
        let own = inner.clone();
        let thread = std::thread::Builder::new()
            .name("tidings-store".into())
            .spawn(move || run(&own, store, clock, deliver))?;
        *lock(&inner.thread) = Some(thread);
        Ok(Self { inner })
    }

    /// Queues a request; `done` is called once its fate is known.
    ///
    /// # Errors
    /// [`Busy`] if [`Options::queue_bytes`](crate::Options::queue_bytes) wait already (one request is
    /// always taken), or after [`Writer::shutdown`].
    pub fn append(&self, request: Request, done: Done) -> Result<(), Busy> {
        let bytes = request
            .iter()
            .map(|entry| record::encoded_len(entry).unwrap_or(0))
            .sum();
        let mut queue = self.inner.queue();
        let full = !queue.waiting.is_empty() && queue.bytes + bytes > self.inner.queue_bytes;
        if queue.closed || full {
            return Err(Busy);
        }
        queue.bytes += bytes;
        queue.waiting.push_back((request, bytes, done));
        if queue.waiting.len() == queue.wake_at {
            self.inner.wake.notify_one();
        }
        Ok(())
    }

    /// How the store is.
    pub fn status(&self) -> Health {
        self.inner.queue().health.clone()
    }

    /// Takes no more requests, and lets the thread end by itself: it finishes
    /// those that wait, then closes the store. Waits for nothing.
    pub fn close(&self) {
        self.inner.queue().closed = true;
        self.inner.wake.notify_one();
    }

    /// As [`Writer::close`], and waits until the store is closed.
    pub fn shutdown(&self) {
        self.close();
        let thread = lock(&self.inner.thread).take();
        if let Some(thread) = thread {
            // A panic of `deliver` or `done` has been reported by its hook.
            let _ = thread.join();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inner {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        lock(&self.queue)
    }

    /// What is to be committed next; `None` once nothing more will come.
    fn gather(&self, idle_until: Instant, last: Last) -> Option<Vec<(Request, Done)>> {
        let mut queue = self.queue();
        queue.wake_at = 1;
        while queue.waiting.is_empty() {
            let left = idle_until.saturating_duration_since(Instant::now());
            if queue.closed {
                return None;
            }
            if left.is_zero() {
                return Some(Vec::new());
            }
            let waited = self.wake.wait_timeout(queue, left);
            queue = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        // Who was just answered often comes again at once. Without a moment
        // for that, the first to come would be synced alone and all others
        // would wait for it: half of all syncs would be for one request.
        if queue.waiting.len() < last.requests && !queue.closed {
            queue.wake_at = last.requests;
            let patience = (last.took / PATIENCE).min(MAX_PATIENCE);
            let few = |queue: &mut Queue| queue.waiting.len() < last.requests && !queue.closed;
            let waited = self.wake.wait_timeout_while(queue, patience, few);
            queue = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let (mut group, mut bytes) = (Vec::new(), 0);
        while let Some((_, next, _)) = queue.waiting.front() {
            if !group.is_empty() && bytes + next > GROUP_BYTES {
                break;
            }
            bytes += next;
            let (request, _, done) = queue.waiting.pop_front()?;
            group.push((request, done));
        }
        queue.bytes -= bytes;
        Some(group)
    }
}

/// Refuses what waits if the thread ends by a panic: nobody may wait for
/// ever, and nothing may be taken that nobody commits.
struct Closing<'a>(&'a Inner);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        let mut queue = self.0.queue();
        queue.closed = true;
        if std::thread::panicking() {
            queue.health = Health::Failed("the writer panicked".into());
        }
        let waiting = std::mem::take(&mut queue.waiting);
        drop(queue);
        for (_, _, done) in waiting {
            done(Err(AppendError::Closed));
        }
    }
}

fn run(
    inner: &Inner,
    mut store: Store,
    clock: impl Fn() -> Timestamp,
    mut deliver: impl FnMut(&[Arc<Frame>]),
) {
    let closing = Closing(inner);
    let mut preparing = true;
    let mut last = Last::default();
    let mut next_maintenance = Instant::now();
    loop {
        let idle_until = if preparing {
            Instant::now()
        } else {
            next_maintenance
        };
        let Some(group) = inner.gather(idle_until, last) else {
            break;
        };
        if !group.is_empty() {
            let (requests, start) = (group.len(), Instant::now());
            commit(inner, &mut store, clock(), group, &mut deliver);
            last = Last {
                requests,
                took: start.elapsed(),
            };
        }
        if Instant::now() >= next_maintenance {
            next_maintenance = Instant::now() + MAINTENANCE;
            // Tried again in a second; appending notices a full disk itself.
            preparing = store.maintain(clock()).unwrap_or(false);
        } else if preparing {
            preparing = store.prepare().unwrap_or(false);
        }
        inner.queue().health = store.health();
    }
    drop(closing);
}

fn commit(
    inner: &Inner,
    store: &mut Store,
    now: Timestamp,
    group: Vec<(Request, Done)>,
    deliver: &mut impl FnMut(&[Arc<Frame>]),
) {
    let (requests, dones): (Vec<_>, Vec<_>) = group.into_iter().unzip();
    let answers = store.commit(requests, now);
    let appended = answers.iter().flatten().flatten();
    let frames: Vec<_> = appended.filter_map(|a| a.frame.clone()).collect();
    if !frames.is_empty() {
        deliver(&frames);
    }
    // Before the answers: who is refused, or served again, finds it so.
    inner.queue().health = store.health();
    for (done, answer) in dones.into_iter().zip(answers) {
        done(answer);
    }
}
