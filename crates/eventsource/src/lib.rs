//! EventSource for Rust: the client of the WHATWG standard's section
//! "Server-sent events", and what a backend needs from one besides.
//!
//! - [`protocol`] decides: a state machine without clock, randomness or I/O.
//! - [`transport`] carries: a trait, and hyper behind it, for HTTP/1.1 (feature `hyper`)
//!   and HTTP/2 (`http2`).
//! - [`EventStream`] is for async Rust, `blocking::Events` for threads,
//!   [`EventSource`] is the standard's object with its listeners.
//!
//! # Follow a feed for ever and never miss an event
//!
//! Over lost connections and restarts of the server, which are mended silently,
//! and over restarts of the program, because [`FileIds`] keeps where it was:
//!
//! ```no_run
//! use tidings_eventsource::{EventStream, FileIds};
//!
//! # fn handle(_: tidings_eventsource::Event) {}
//! # fn fetch_everything_anew() {}
//! # async fn example() -> Result<(), tidings_eventsource::Error> {
//! let mut feed = EventStream::builder("http://localhost:8080/t/orders")
//!     .ids(FileIds::new("orders.id"))
//!     .open()?;
//! while let Some(item) = feed.next().await {
//!     match item {
//!         // A hub says so where events are gone for good.
//!         Ok(event) if event.gap_reason().is_some() => fetch_everything_anew(),
//!         // Asking for the next event says that this one is handled.
//!         Ok(event) => handle(event),
//!         Err(error) if error.is_passing() => eprintln!("{error}"),
//!         Err(error) => return Err(error),
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Stream the answer of a language model
//!
//! ```no_run
//! use serde::Deserialize;
//! use tidings_eventsource::EventStream;
//! use tidings_eventsource::protocol::Policy;
//!
//! #[derive(Deserialize)]
//! struct Chunk {
//!     choices: Vec<Choice>,
//! }
//!
//! #[derive(Deserialize)]
//! struct Choice {
//!     delta: Delta,
//! }
//!
//! #[derive(Deserialize)]
//! struct Delta {
//!     content: Option<String>,
//! }
//!
//! # async fn example(key: &str, body: String) -> Result<(), tidings_eventsource::Error> {
//! let mut answer = EventStream::builder("https://api.openai.com/v1/chat/completions")
//!     // Tried again only before the first event, and complete at its end.
//!     .policy(Policy::once())
//!     .bearer(key)
//!     .body("application/json", body)
//!     .until_data("[DONE]")
//!     .open()?
//!     .json::<Chunk>();
//! while let Some(chunk) = answer.next().await {
//!     for choice in chunk?.value.choices {
//!         print!("{}", choice.delta.content.unwrap_or_default());
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Rules
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
