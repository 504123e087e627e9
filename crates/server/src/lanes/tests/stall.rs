//! When a connection is given up: its turns at ticks that the test counts, with no
//! thread and no clock.

use super::*;
use crate::lanes::connection::{Connection, Turned};
use crate::lanes::lane::{Given, Round};
use crate::own::{OwnWatch, Share};
use std::io::{ErrorKind, Write};
use tidings_engine::{Subscriptions, Timestamp, Topic};

const HEARTBEAT: u64 = 150;
const STALL: u64 = 300;

/// What a lane has beside its connections.
struct Bench {
    hub: Arc<Hub>,
    subscriptions: Subscriptions,
    own: Share,
    given: Given,
}

impl Bench {
    fn new() -> Self {
        let hub = hub(Limits::default(), SlowPolicy::default());
        Self {
            subscriptions: Subscriptions::new(hub.live().end()),
            own: Share::new(),
            given: Given::default(),
            hub,
        }
    }

    fn round(&mut self, now: u64) -> Round<'_> {
        Round {
            terms: self.hub.terms(),
            hub: &self.hub,
            subscriptions: &mut self.subscriptions,
            own: &mut self.own,
            now,
            wall: Timestamp(1),
            heartbeat: HEARTBEAT,
            stall: STALL,
            given: &mut self.given,
        }
    }

    /// Something is said on the own log at a tick, and the connection has its turn.
    fn say(&mut self, connection: &mut Connection, now: u64) {
        self.hub
            .own()
            .say(&Topic::new("$sys/test").unwrap(), None, "x");
        assert!(self.own.follow(self.hub.own(), |_| {}));
        self.turn(connection, now);
    }

    /// Turns at a tick, until there is nothing more to be written.
    fn turn(&mut self, connection: &mut Connection, now: u64) {
        while connection.turn(&mut self.round(now)) == Turned::More {}
    }
}

/// Writes until nothing more fits.
fn fill(mut socket: &std::net::TcpStream) {
    let much = vec![b'x'; 64 * 1024];
    let error = loop {
        if let Err(error) = socket.write(&much) {
            break error;
        }
    };
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
}

#[tokio::test]
async fn a_socket_has_the_time_of_a_stall_from_when_it_is_full_though_only_the_own_log_spoke() {
    let mut bench = Bench::new();
    let (_peer, accepted) = sockets().await;
    let behind = accepted.try_clone().unwrap();
    let (log, own) = selection(&["a", "$sys/test"]).split();
    let own = OwnWatch::new(bench.hub.own(), own, None);
    let admitted = Admitted {
        selection: log,
        standing: None,
    };
    let hub = Arc::clone(&bench.hub);
    let taken = taken(&hub, accepted, admitted, hub.live().end(), Some(own));
    let door = &hub.live().lanes().doors()[0];
    let mut connection = Connection::new(taken, door, &mut bench.round(0));
    bench.turn(&mut connection, 0);
    for now in [20, 100] {
        bench.say(&mut connection, now);
        // Its heartbeat isn't put off by that.
        assert_eq!(connection.deadline(&bench.round(now)), HEARTBEAT, "{now}");
    }
    let full = HEARTBEAT - 1;
    // An acknowledgement that comes late may make room again.
    while !connection.is_full() {
        fill(&behind);
        bench.say(&mut connection, full);
    }
    assert_eq!(connection.deadline(&bench.round(full)), full + STALL);
    // What is said while it is full gives it no more time.
    bench.say(&mut connection, full + 1);
    assert_eq!(connection.deadline(&bench.round(full + 1)), full + STALL);
    let last = full + STALL - 1;
    assert_eq!(connection.strike(&mut bench.round(last)), Turned::Waits);
    let over = full + STALL;
    assert_eq!(connection.strike(&mut bench.round(over)), Turned::Gone);
}
