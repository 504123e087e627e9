//! How many connections of a listener are open, whoever carries them.

use crate::places::Place;
use tokio::sync::watch;

/// The connections of a listener.
#[derive(Debug)]
pub struct Open(watch::Sender<usize>);

/// One of them, for as long as it is there.
#[derive(Debug)]
pub struct Opened {
    /// Its place among all of the hub.
    pub place: Place,
    open: watch::Sender<usize>,
}

impl Open {
    /// None yet.
    pub fn new() -> Self {
        Self(watch::Sender::new(0))
    }

    /// One more, at `place`.
    pub fn add(&self, place: Place) -> Opened {
        self.0.send_modify(|open| *open += 1);
        let open = self.0.clone();
        Opened { place, open }
    }

    /// Resolves when there is none.
    pub async fn none_left(&self) {
        let mut open = self.0.subscribe();
        // An error would mean that nobody can be there.
        let _ = open.wait_for(|open| *open == 0).await;
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.open.send_modify(|open| *open -= 1);
    }
}
