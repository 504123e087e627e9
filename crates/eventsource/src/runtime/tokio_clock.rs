use super::Runtime;
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::pin::Pin;
use std::time::Duration;
use tokio::time::Instant;

/// Tokio's clock and timers, and the process's randomness. Its sleeps must be
/// awaited inside a tokio runtime whose time is enabled; with tokio's paused
/// time it is paused too.
#[derive(Debug, Clone, Copy)]
pub struct TokioRuntime {
    start: Instant,
}

impl TokioRuntime {
    /// A clock that begins now.
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
        }
    }
}

impl Default for TokioRuntime {
    fn default() -> Self {
        Self::new()
    }
}

impl Runtime for TokioRuntime {
    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn sleep_until(&self, time: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        match self.start.checked_add(time) {
            Some(at) => Box::pin(tokio::time::sleep_until(at)),
            // Beyond what the clock can say: never.
            None => Box::pin(std::future::pending()),
        }
    }

    fn seed(&self) -> u64 {
        // Keyed by the operating system's randomness, and different each time.
        RandomState::new().hash_one(0_u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(test: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime")
            .block_on(test);
    }

    #[test]
    fn sleeps_until_its_own_time() {
        check(async {
            let runtime = TokioRuntime::new();
            runtime.sleep_until(Duration::from_secs(3)).await;
            assert!(runtime.now() >= Duration::from_secs(3));
        });
    }

    #[test]
    fn a_time_beyond_the_clock_never_comes() {
        check(async {
            let runtime = TokioRuntime::new();
            let never = runtime.sleep_until(Duration::MAX);
            let hour = runtime.sleep_until(Duration::from_secs(3600));
            tokio::select! {
                () = never => panic!("the end of time has come"),
                () = hour => {}
            }
        });
    }

    #[test]
    fn seeds_differ() {
        check(async {
            let runtime = TokioRuntime::new();
            assert_ne!(runtime.seed(), runtime.seed());
        });
    }
}
