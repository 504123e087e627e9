//! The clock, the timers and the randomness that the shells need.

#[cfg(feature = "tokio")]
mod tokio_clock;
#[cfg(feature = "memory")]
mod virtual_time;

#[cfg(feature = "tokio")]
pub use tokio_clock::TokioRuntime;
#[cfg(feature = "memory")]
pub use virtual_time::VirtualRuntime;

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
