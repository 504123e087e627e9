//! Ending without hurting anyone: readiness goes off, and the streams end one
//! after another over a window, each with a reconnection time of its own.

use std::sync::OnceLock;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Whether the hub is on its way out.
#[derive(Debug)]
pub struct Drain {
    window: Duration,
    begun: OnceLock<Instant>,
    news: watch::Sender<bool>,
}

impl Drain {
    /// A hub that will take `window` to end its streams.
    pub fn new(window: Duration) -> Self {
        Self {
            window,
            begun: OnceLock::new(),
            news: watch::Sender::new(false),
        }
    }

    /// Begins; further calls change nothing.
    pub fn begin(&self) {
        self.begun.get_or_init(Instant::now);
        self.news.send_replace(true);
    }

    /// Whether it has begun.
    pub fn has_begun(&self) -> bool {
        self.begun.get().is_some()
    }

    /// When a stream that asks now should end: a random moment in what is left
    /// of the window, so that they don't all come back at once.
    pub fn stream_end(&self) -> Option<Instant> {
        let end = *self.begun.get()? + self.window;
        let left = end.saturating_duration_since(Instant::now());
        Some(Instant::now() + left.mul_f64(fastrand::f64()))
    }

    /// Resolves at a moment in the window at which something that has no end of
    /// its own should end.
    pub async fn moment(&self) {
        self.begun().await;
        if let Some(end) = self.stream_end() {
            tokio::time::sleep_until(end).await;
        }
    }

    /// Resolves when the window has ended.
    pub async fn over(&self) {
        self.begun().await;
        if let Some(begun) = self.begun.get() {
            tokio::time::sleep_until(*begun + self.window).await;
        }
    }

    /// How long all of it may take.
    pub fn window(&self) -> Duration {
        self.window
    }

    /// Resolves when it begins.
    pub async fn begun(&self) {
        let mut news = self.news.subscribe();
        // An error means the hub is gone, which is as good a beginning.
        let _ = news.wait_for(|begun| *begun).await;
    }
}
