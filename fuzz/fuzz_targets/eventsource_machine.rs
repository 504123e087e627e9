//! The client's machine under a driver that does anything at any time: what the
//! crate's own tests hold random tapes to holds for every tape.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/eventsource/tests/protocol/chaos.rs"]
mod chaos;

fuzz_target!(|tape: &[u8]| {
    chaos::play(tape);
});
