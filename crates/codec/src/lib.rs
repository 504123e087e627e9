//! The event stream format (`text/event-stream`) of the WHATWG HTML standard,
//! section "Server-sent events": the only copy of its grammar in Tidings.
//!
//! [`Decoder`] turns bytes, in whatever chunks they come, into events;
//! [`Block`] and the `put_*` functions turn events into bytes. Neither reads
//! or writes anything else: there is no I/O and no clock in here.
//!
//! Rules are cited by letter and number (`D5`, `F7`, `B1`, `E2`) at the line
//! that obeys them and in the name of the test that holds it to that:
//! D is decoding and lines, F fields, B dispatch at a blank line, E encoding.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod decode;
mod encode;
mod field;
#[cfg(feature = "fixtures")]
pub mod fixtures;
mod limits;

pub use decode::{Chunk, Decoder, Event, Excess, Item, TooLarge};
pub use encode::{
    Block, encoded_data_len, put_comment, put_data, put_event_type, put_id, put_retry,
};
pub use field::{EventId, EventType, InvalidField};
pub use limits::Limits;
