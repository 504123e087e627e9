//! What a hub may never do, as a function over what was seen of it
//! ([`check()`]), and a seeded world in which hubs are watched doing it.
//!
//! A test records who published what, and what each watcher received, as a
//! [`History`]; [`check()`] says which of the promises I1 to I5 and I7 it breaks:
//!
//! | | |
//! | --- | --- |
//! | I1 | no loss: what was acknowledged is delivered to who watches it, unless a gap was declared |
//! | I2 | no event twice in a chain |
//! | I3 | order: as published, and as acknowledged |
//! | I4 | agreement: all chains see one order, and the same fate of each unknown outcome |
//! | I5 | no phantom: what is delivered was published, byte for byte |
//! | I7 | honest answers: what was refused is not delivered; one copy per event, under one id |
//!
//! A watcher may be slower than its events. If its policy is `gap`, a declared
//! gap says that, and needs no other reason; if it is `latest`, an event may be
//! missing that a later one of the same topic follows, which is delivered; if
//! it is `disconnect`, nothing is missing: it comes back for the rest.
//!
//! # The world
//! [`world::run`] lets publishers, a hub on a disk and watchers live from a
//! seed, in one thread. The store, the tail, the lanes' subscriptions, the
//! decision where a stream starts, the stream itself and the decoder are the
//! real ones; only what drives a stream is written here (`world/stream.rs`):
//! a connection that takes so many bytes, and a store that answers later. Whatever two
//! threads of the server can interleave are separate steps here: a commit and
//! its delivery and its answers, a lane's look at the tail, the three parts of
//! a start, a read of the store and its arrival.
//!
//! `cargo test -p tidings-sim` runs 2,500 seeds; `TIDINGS_SEEDS=N` sets how
//! many, and `TIDINGS_SEED=N` replays one and prints all of its history. A
//! seed means another world once the code that draws from it changes.
//!
//! What it doesn't reach: writes that fail although the file doesn't grow,
//! damage at rest, heartbeats that come too early or late.
//!
//! # What it notices
//! These faults were built in, one at a time, and taken out again. Each was
//! found within 500 seeds unless another number stands there (how many of
//! them failed, or where the run stopped counting).
//!
//! | fault | found by |
//! | --- | --- |
//! | a resume goes on one event too far | 414 of 500 seeds, I1, I4 |
//! | a resume goes on one event too early | 390, I2, I3 |
//! | the tail takes a cursor one before its start for no gap | 12, I1 |
//! | a subscription one behind its lane counts as caught up | 251, I1 |
//! | a lane that jumps wakes nobody | 51, I1 |
//! | a woken subscription begins behind the event that woke it | 275, I1 |
//! | a lane wakes nobody while it has three subscriptions or more | 36, I1, I4 |
//! | the store acknowledges before it syncs | 273, I1, I2, I3, I7 |
//! | delivered before durable | 276, I2, I5 |
//! | a crash leaves a part of a batch | 3, the batch |
//! | after a failed sync the last group is not written again | 40 or more of 3,000, I1 |
//! | idempotency keys are forgotten at a start | 264, I2, I5 |
//! | retention drops twice too much | 92, I1, I4 |
//! | the store reads on over what has expired | 41, I1 |
//! | a stream reads the same of the store again | 40 or more, I2 |
//! | a stream passes over a gap in silence | 36, I1 |
//! | a heartbeat states the end of the log instead of the cursor | 40, I1, I3 |
//! | a full connection hands back one event too few | 40 or more, I1 |
//! | of each topic the oldest is given instead of the newest | 40 or more, I1 |
//! | a gap for slowness is told one short of where it goes | 11, I1 |
//! | who was full gets only the newest under every policy | 40 or more, I1 |
//!
//! Faults that it found in the code itself: a stream that stated its position
//! before the gap that leads there (a connection lost in between never heard
//! of the gap); an id given from the store taken for one of the future,
//! because the tail didn't have it yet; events that expired while a start was
//! looked for, missing without a word; idempotency keys hidden behind an empty
//! segment after two crashes.
#![forbid(unsafe_code)]

pub mod check;
pub mod history;
pub mod reader;
pub mod world;

pub use check::{Violation, check};
pub use history::{Begin, Chain, Closed, History, Moment, Outcome, Published, Step};
pub use reader::ChainReader;
pub use tidings_engine::SlowPolicy;
