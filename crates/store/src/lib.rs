//! The log of Tidings on disk: checksummed segments, group commit with one
//! sync for all who wait, topic and id indexes, retention, recovery.
//!
//! [`Store`] owns the files and appends; [`Reader`]s read at a cursor from
//! any thread; [`Writer`] runs a store on a thread of its own. Everything
//! touches the disk through the [`Storage`] trait. [`mod@format`] describes
//! the files; begin with it, then [`Store::commit`] and [`Reader::read`].
#![forbid(unsafe_code)]

mod admit;
mod catalog;
mod clock;
mod closed;
mod error;
mod files;
pub mod format;
#[cfg(feature = "fuzz")]
pub mod fuzz;
mod group;
mod history;
mod index;
mod inventory;
mod locate;
mod open;
mod options;
mod place;
mod reader;
mod reading;
mod retention;
mod roll;
mod scan;
mod spare;
pub mod storage;
mod store;
mod tail;
mod topics;
mod totals;
mod window;
mod work;
mod writer;

pub use error::{AppendError, Finding, OpenError, StoreError, What};
pub use format::Identity;
pub use open::Recovery;
pub use options::{Idempotency, Limits, Options, Retention};
pub use reader::{Reader, Stats};
pub use storage::{DirStorage, MemoryStorage, Storage, StorageFile};
pub use store::{Appended, Health, Request, Store};
pub use topics::{TopicPage, TopicStat};
pub use writer::{Busy, Done, Writer};
