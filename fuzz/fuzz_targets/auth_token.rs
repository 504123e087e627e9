//! Bytes of any kind as tokens, claims, documents of keys, tickets and lists:
//! nothing that wasn't signed or sealed is taken, and what is taken keeps the
//! rules of its key.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let Err(error) = tidings_auth::fuzz::check(input) {
        panic!("{error}");
    }
});
