//! The sans-IO core of Tidings. A subscriber is a [`Cursor`] over a log:
//! live delivery reads at its end, replay reads from the middle, a slow
//! consumer is a cursor that lags. Nothing in here reads a clock, a socket,
//! a file or a random number: these are arguments.
#![forbid(unsafe_code)]

pub mod event;
pub mod frame;
pub mod log;
pub mod position;
pub mod selector;
pub mod topic;

pub use event::{Entry, Event, IdempotencyKey};
pub use frame::Frame;
pub use log::{Budget, Cursor, Gap, Read};
pub use position::{LogId, Position, Timestamp, WireId};
pub use selector::{InvalidSelector, Selection, Selector};
pub use topic::{InvalidTopic, Topic};
