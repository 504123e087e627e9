//! The sans-IO core of Tidings. A subscriber is a [`Cursor`] over a log:
//! live delivery reads at its end, replay reads from the middle, a slow
//! consumer is a cursor that lags. Nothing in here reads a clock, a socket,
//! a file or a random number: these are arguments.
#![forbid(unsafe_code)]
// The order of a hash map is random: nothing may depend on it.
#![deny(clippy::iter_over_hash_type)]

pub mod batch;
mod calendar;
pub mod closing;
pub mod control;
pub mod event;
pub mod frame;
pub mod index;
pub mod limits;
pub mod log;
pub mod mercure;
#[cfg(any(test, feature = "model"))]
pub mod model;
pub mod own;
mod pace;
pub mod position;
pub mod presence;
pub mod publish;
pub mod published;
pub mod selection;
pub mod selector;
pub mod sight;
pub mod since;
pub mod slow;
pub mod start;
pub mod stream;
pub mod subscriptions;
pub mod tail;
pub mod topic;
pub mod wheel;

pub use batch::{Batch, Form, Framing};
pub use closing::Kind;
pub use event::{Entry, Event, IdempotencyKey};
pub use frame::Frame;
pub use index::Index;
pub use limits::Limits;
pub use log::{Budget, Cursor, Gap, Read};
pub use own::{OwnNext, OwnStream};
pub use pace::Pace;
pub use position::{LogId, Position, Timestamp, WireId};
pub use published::{Published, Visibility};
pub use selection::Selection;
pub use selector::{InvalidSelector, MercureSelector, Selector};
pub use sight::Sight;
pub use slow::SlowPolicy;
pub use start::{Asked, History, Start};
pub use stream::{Next, Stream, Voice};
pub use subscriptions::{SubscriptionKey, Subscriptions};
pub use tail::Tail;
pub use topic::{InvalidTopic, Topic};
pub use wheel::Wheel;

/// Gives a map's memory back once it is mostly empty.
fn shrink_map<K: Eq + std::hash::Hash, V>(map: &mut std::collections::HashMap<K, V>) {
    if map.capacity() > 4 * map.len() + 16 {
        map.shrink_to(2 * map.len());
    }
}

/// Gives a slab's memory back once it is mostly empty, as far as its last
/// entry allows. `peak` is the most entries it had since that was last done,
/// which keeps the cost constant per removal.
fn shrink_slab<T>(slab: &mut slab::Slab<T>, peak: &mut usize) {
    if *peak > 4 * slab.len() + 16 {
        slab.shrink_to_fit();
        *peak = slab.len();
    }
}
