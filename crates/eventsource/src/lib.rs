//! EventSource for Rust: the client of the WHATWG standard's section
//! "Server-sent events", and what a backend needs from one besides.
//!
//! - [`protocol`] decides: a state machine without clock, randomness or I/O.
//! - [`transport`] carries: a trait, and HTTP/1.1 and HTTP/2 over hyper behind it.
//! - `EventStream` is for async Rust, `blocking::Events` for threads,
//!   `EventSource` is the standard's object with its listeners.
//!
//! Rules of the standard are cited by letter and number, as in `tidings-codec`:
//! A is the object, E the request (R1 to R9), F the response decision table,
//! G announce, reestablish and fail (T1 to T6).
#![forbid(unsafe_code)]

#[cfg(feature = "tokio")]
pub mod blocking;
pub mod event_source;
pub mod protocol;
pub mod transport;

mod driver;
mod duplicates;
mod error;
mod event;
mod gap;
mod handle;
mod json;
mod resume;
mod runtime;
mod stream;

pub use error::{BoxError, Error, Fault, InvalidRequest, RedirectError};
pub use event::{Event, Text};
pub use event_source::{DomEvent, EventSource, EventSourceInit, MessageEvent};
pub use gap::{Gap, GapReason};
pub use handle::{Handle, StateWatch};
pub use json::{Json, JsonError, JsonStream};
pub use resume::{FileIds, FileIdsError, IdStore};
pub use runtime::Runtime;
#[cfg(feature = "tokio")]
pub use runtime::TokioRuntime;
#[cfg(feature = "memory")]
pub use runtime::VirtualRuntime;
pub use stream::{Builder, EventStream, Notice, Notices};
