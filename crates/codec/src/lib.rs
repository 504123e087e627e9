//! The event stream format (`text/event-stream`) of the WHATWG HTML standard,
//! section "Server-sent events": the only copy of its grammar in Tidings.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod encode;
mod field;

pub use encode::{put_comment, put_data, put_event_type, put_id, put_retry};
pub use field::{EventId, EventType, InvalidField};
