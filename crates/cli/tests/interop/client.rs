//! Anything that watches, as the checks see it.

use std::sync::mpsc::{Receiver, Sender, channel};
use tidings_testkit::{PATIENCE, Received};
use tokio::runtime::{Builder, Runtime};

/// A client that is watching; dropping it ends it.
pub trait Client {
    /// For messages of failed tests.
    fn name(&self) -> &str;

    /// The next event.
    ///
    /// # Panics
    /// If none comes within 30 s.
    fn event(&mut self) -> Received;

    /// The next `count` events.
    fn events(&mut self, count: usize) -> Vec<Received> {
        (0..count).map(|_| self.event()).collect()
    }
}

/// A client in this process, on a thread of its own.
#[derive(Debug)]
pub struct InProcess {
    name: &'static str,
    events: Receiver<Received>,
    runtime: Option<Runtime>,
}

impl InProcess {
    /// Runs what `watch` makes of where its events are to go.
    ///
    /// # Panics
    /// If there is no room for a thread.
    pub fn start<F>(name: &'static str, watch: impl FnOnce(Sender<Received>) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let (sender, events) = channel();
        runtime.spawn(watch(sender));
        Self {
            name,
            events,
            runtime: Some(runtime),
        }
    }
}

impl Client for InProcess {
    fn name(&self) -> &str {
        self.name
    }

    fn event(&mut self) -> Received {
        match self.events.recv_timeout(PATIENCE) {
            Ok(event) => event,
            Err(error) => panic!("{} gives nothing more: {error}", self.name),
        }
    }
}

impl Drop for InProcess {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
