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
#![forbid(unsafe_code)]

pub mod check;
pub mod history;
pub mod reader;
pub mod world;

pub use check::{Violation, check};
pub use history::{Begin, Chain, History, Moment, Outcome, Published, Step};
pub use reader::ChainReader;
