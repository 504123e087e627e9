//! The clock, the timers and the randomness that the shells need.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// Where the shells get time and randomness from. The protocol gets them as
/// arguments.
pub trait Runtime: Send + Sync + 'static {
    /// The time since some fixed moment; never goes back.
    fn now(&self) -> Duration;

    /// Resolves when [`Runtime::now`] has reached `time`.
    fn sleep_until(&self, time: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>>;

    /// A random number, from which the protocol draws its jitter.
    fn seed(&self) -> u64;
}
