use super::Runtime;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

/// A clock for tests that moves only when everyone waits, and an executor on
/// one thread to go with it: hours pass in no time, and a run depends on
/// nothing but its seed. Cheap to clone; clones are the same clock.
///
/// Nothing outside of it may be waited for: neither a socket nor a thread.
#[derive(Clone)]
pub struct VirtualRuntime {
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    now: Duration,
    random: u64,
    /// By time, and for one time in the order they were set.
    timers: BTreeMap<(Duration, u64), Waker>,
    next_timer: u64,
    spawned: Vec<Task>,
}

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Who has been woken, first come, first served.
type Woken = Arc<Mutex<VecDeque<usize>>>;

impl VirtualRuntime {
    /// A clock that stands at zero. What [`Runtime::seed`] gives follows from
    /// `seed`.
    pub fn new(seed: u64) -> Self {
        Self {
            inner: Arc::new(Mutex::new(Inner {
                now: Duration::ZERO,
                random: seed,
                timers: BTreeMap::new(),
                next_timer: 0,
                spawned: Vec::new(),
            })),
        }
    }

    /// Runs `future` to its end, and beside it what was [spawned](Self::spawn).
    /// When all of it waits, the clock moves to the next timer. What was spawned
    /// and has not ended by then is dropped.
    ///
    /// # Panics
    ///
    /// If everything waits and no timer is set: nothing could ever happen.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        let woken = Woken::default();
        let wakers = |task| {
            Waker::from(Arc::new(TaskWaker {
                task,
                woken: woken.clone(),
            }))
        };
        let main = wakers(0);
        main.wake_by_ref();
        // Task 0 is `future`; the others stand one before their number.
        let mut tasks: Vec<Option<(Task, Waker)>> = Vec::new();
        loop {
            for task in std::mem::take(&mut self.lock().spawned) {
                let waker = wakers(tasks.len() + 1);
                waker.wake_by_ref();
                tasks.push(Some((task, waker)));
            }
            let Some(next) = lock(&woken).pop_front() else {
                self.advance();
                continue;
            };
            if next == 0 {
                let mut cx = Context::from_waker(&main);
                if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
                    return output;
                }
            } else if let Some((task, waker)) = &mut tasks[next - 1] {
                let waker = waker.clone();
                if task
                    .as_mut()
                    .poll(&mut Context::from_waker(&waker))
                    .is_ready()
                {
                    tasks[next - 1] = None;
                }
            }
        }
    }

    /// Runs `task` beside the future of [`VirtualRuntime::block_on`].
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.lock().spawned.push(Box::pin(task));
    }

    /// Resolves `time` from now.
    pub fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send + use<> {
        self.sleep_until(self.now().saturating_add(time))
    }

    /// Moves the clock to the first timer and fires all that are set for then.
    fn advance(&self) {
        let fired = {
            let mut inner = self.lock();
            let first = inner.timers.keys().next().map(|(at, _)| *at);
            let Some(at) = first.filter(|at| *at < Duration::MAX) else {
                drop(inner);
                panic!("everything waits, and no timer is set: nothing will ever happen");
            };
            inner.now = inner.now.max(at);
            let later = inner.timers.split_off(&(at, u64::MAX));
            std::mem::replace(&mut inner.timers, later)
        };
        for waker in fired.into_values() {
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }
}

impl Runtime for VirtualRuntime {
    fn now(&self) -> Duration {
        self.lock().now
    }

    fn sleep_until(&self, time: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(Sleep {
            runtime: self.clone(),
            until: time,
            key: None,
        })
    }

    fn seed(&self) -> u64 {
        // SplitMix64: each output is well mixed, and the state a plain count.
        let mut inner = self.lock();
        inner.random = inner.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = inner.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl fmt::Debug for VirtualRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.lock();
        f.debug_struct("VirtualRuntime")
            .field("now", &inner.now)
            .field("timers", &inner.timers.len())
            .finish_non_exhaustive()
    }
}

struct Sleep {
    runtime: VirtualRuntime,
    until: Duration,
    key: Option<(Duration, u64)>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let runtime = self.runtime.clone();
        let mut inner = runtime.lock();
        if inner.now >= self.until {
            return Poll::Ready(());
        }
        let until = self.until;
        let key = *self.key.get_or_insert_with(|| {
            inner.next_timer += 1;
            (until, inner.next_timer)
        });
        inner.timers.insert(key, cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.runtime.lock().timers.remove(&key);
        }
    }
}

struct TaskWaker {
    task: usize,
    woken: Woken,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut woken = lock(&self.woken);
        if !woken.contains(&self.task) {
            woken.push_back(self.task);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it holds one of these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn time_moves_only_when_everyone_waits() {
        let runtime = VirtualRuntime::new(1);
        let (log, entries) = mpsc::channel();
        for (name, times) in [("a", [2, 2]), ("b", [3, 3])] {
            let (own, log) = (runtime.clone(), log.clone());
            runtime.spawn(async move {
                for time in times {
                    own.sleep(SECOND * time).await;
                    log.send((own.now().as_secs(), name)).expect("a reader");
                }
            });
        }
        runtime.block_on(runtime.sleep(SECOND * 5));
        let entries: Vec<_> = entries.try_iter().collect();
        assert_eq!(entries, [(2, "a"), (3, "b"), (4, "a")]);
        assert_eq!(runtime.now(), SECOND * 5);
    }

    #[test]
    fn a_dropped_sleep_is_no_timer() {
        let runtime = VirtualRuntime::new(1);
        runtime.block_on(async {
            let mut long = runtime.sleep_until(SECOND * 100);
            std::future::poll_fn(|cx| {
                assert!(long.as_mut().poll(cx).is_pending());
                Poll::Ready(())
            })
            .await;
            drop(long);
            runtime.sleep(SECOND).await;
        });
        assert!(runtime.lock().timers.is_empty());
        assert_eq!(runtime.now(), SECOND);
    }

    #[test]
    #[should_panic(expected = "nothing will ever happen")]
    fn waiting_for_nothing_is_told() {
        VirtualRuntime::new(1).block_on(std::future::pending::<()>());
    }

    #[test]
    fn randomness_follows_from_the_seed() {
        let drawn = |seed| {
            let runtime = VirtualRuntime::new(seed);
            [runtime.seed(), runtime.seed()]
        };
        assert_eq!(drawn(7), drawn(7));
        assert_ne!(drawn(7), drawn(8));
        assert_ne!(drawn(7)[0], drawn(7)[1]);
    }
}
