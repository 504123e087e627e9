//! Bytes of any kind, in any pieces: what the gate lets pass, hyper reads as
//! the same requests, and it would have read them so without the gate.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidings_server::http1::oracle;

fuzz_target!(|case: (Vec<u8>, &[u8])| {
    let (cuts, input) = case;
    if let Err(error) = oracle::check(input, &cuts) {
        panic!("{error}");
    }
});
