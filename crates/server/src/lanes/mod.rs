//! Direct lanes: what carries HTTP/1.1 streams. Each lane is a thread with its
//! own set of sockets, and a cursor over the log: it looks at each event once,
//! and writes the bytes that all share straight to the sockets of those who
//! watch. Nothing is allocated for an event and a watcher, nobody waits for
//! anybody, and a socket that is full keeps its cursor and the rest of one
//! frame.

mod connection;
mod door;
mod lane;
mod socket;
#[cfg(test)]
mod tests;

pub use door::Door;
pub use lane::Lane;
pub use socket::Socket;

use crate::hub::Hub;
use crate::watch::Watch;
use bytes::Bytes;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

/// A connection that leaves whoever read its request for a lane.
pub struct Taken {
    /// The socket, whose inbound bytes have all been read.
    pub socket: Socket,
    /// The head of the response, to be written first. It announces chunks, and
    /// that the connection ends with the stream.
    pub head: Bytes,
    /// What it watches.
    pub watch: Watch,
    /// What the connection holds for as long as it is there.
    pub place: Box<dyn Send>,
}

/// The lanes of a hub. Dropping them ends them.
pub struct Lanes {
    doors: Box<[Arc<Door>]>,
    next: AtomicUsize,
}

impl Lanes {
    /// So many lanes, which have to be run with [`Lanes::run`].
    ///
    /// # Errors
    /// If the system has no descriptors to give.
    pub fn new(count: usize) -> io::Result<(Self, Vec<Lane>)> {
        let lanes = (0..count).map(Lane::new).collect::<io::Result<Vec<_>>>()?;
        let doors = lanes.iter().map(|lane| Arc::clone(lane.door()));
        let this = Self {
            doors: doors.collect(),
            next: AtomicUsize::new(0),
        };
        Ok((this, lanes))
    }

    /// Gives each lane a thread. Must be called within a tokio runtime, which
    /// reads the store for them.
    ///
    /// # Errors
    /// If the system has no thread to give.
    pub fn run(lanes: Vec<Lane>, hub: &Weak<Hub>) -> io::Result<()> {
        let runtime = tokio::runtime::Handle::current();
        for (number, lane) in lanes.into_iter().enumerate() {
            let (hub, runtime) = (Weak::clone(hub), runtime.clone());
            std::thread::Builder::new()
                .name(format!("lane-{number}"))
                .spawn(move || lane.run(&hub, &runtime))?;
        }
        Ok(())
    }

    /// Their doors.
    pub fn doors(&self) -> &[Arc<Door>] {
        &self.doors
    }

    /// Hands a connection to the next lane. Without lanes it ends.
    pub fn take(&self, taken: Taken) {
        let Some(number) = self
            .next
            .fetch_add(1, Ordering::Relaxed)
            .checked_rem(self.doors.len())
        else {
            return;
        };
        self.doors[number].bring(taken);
    }

    /// Tells every lane that something has changed.
    pub fn knock(&self) {
        self.doors.iter().for_each(|door| door.knock());
    }

    /// How many of the bytes that came into the tail every lane has seen.
    pub fn followed(&self) -> u64 {
        let followed = self.doors.iter().map(|door| door.followed());
        followed.min().unwrap_or(u64::MAX)
    }
}

impl Drop for Lanes {
    fn drop(&mut self) {
        self.doors.iter().for_each(|door| door.close());
    }
}
