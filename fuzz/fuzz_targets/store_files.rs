//! Files of any content: nothing panics, and what is read was published, in
//! order, with gaps where something is lost.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidings_store::fuzz;

fuzz_target!(|input: &[u8]| {
    fuzz::parse(input);
    fuzz::overwrite(input);
});
