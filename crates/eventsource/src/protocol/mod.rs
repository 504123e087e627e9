//! What an EventSource does, decided without clock, randomness and I/O.
//!
//! # How it is driven
//!
//! A [`Machine`] spans all the connections of one EventSource. Its driver
//! holds a [`Then`], which says what is to be done next, does it, and gives
//! back what came of it; each [`Machine::handle`] answers with a [`Step`]: at
//! most one [`Notice`] for who watches, and the next [`Then`].
//!
//! - [`Then::Connect`] and [`Then::Redirect`]: send this request and give
//!   [`Input::Head`] or [`Input::Error`].
//! - [`Then::Read`]: read the body; give each chunk to [`Machine::bytes`]
//!   until that returns `None`, the end as [`Input::End`] and a broken
//!   connection as [`Input::Error`].
//! - [`Then::Wait`]: drop the response, if there is one, and give
//!   [`Input::Timer`] when the time has come.
//! - [`Then::Continue`]: go on with what there was to do.
//! - [`Then::Stop`]: drop the response; there is nothing more to do.
//!
//! But for `Wait` and `Stop`, [`Machine::deadline`] says until when the server
//! may be silent: give [`Input::Timer`] then. Ask again after every call.
//! [`Input::Close`] and [`Input::Restart`] are for the user and legal at any time.
//!
//! All times are since one moment that the driver has chosen. A driver may be
//! slow, and it may be wrong: any input is legal in any state, and time that
//! goes back is taken as standing still.
//!
//! # What it decides
//!
//! [`Machine::handle`] is a table of states and inputs. What came of each pair,
//! for each preset, stands in `tests/snapshots` of this crate. The tables and
//! rules behind it have a file each: the response table is `Machine::decide`,
//! what is tried again `policy.rs`, how long to wait `wait.rs`, silence
//! `idle.rs`, the request `request.rs`, redirects `redirect.rs` and `attempt.rs`,
//! other origins `cors.rs`.

pub mod rules;

mod attempt;
mod cors;
mod head;
mod idle;
mod machine;
mod media_type;
mod options;
mod policy;
mod redirect;
mod request;
mod retry_after;
mod step;
mod wait;

pub use cors::{Cors, Credentials};
pub use head::Head;
pub use machine::Machine;
pub use options::Options;
pub use policy::{Backoff, Budget, End, IdleTimeout, Policy, Retries};
pub use request::Request;
pub use step::{Input, Notice, ReadyState, State, Step, Then};
