//! Any stream in any chunking gives what the reference decoder gives; with
//! small limits, what it gives in one piece.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use tidings_codec::fixtures::{Random, Told, cut, decode_chunks, reference};
use tidings_codec::{Decoder, Limits};

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    /// Decides where the stream is cut.
    seed: u64,
    max_chunk: u8,
    max_event: u8,
    max_id: u8,
    stream: &'a [u8],
}

fuzz_target!(|input: Input<'_>| {
    let mut random = Random::new(input.seed);
    let chunks = cut(
        &mut random,
        input.stream,
        usize::from(input.max_chunk).max(1),
    );
    let told = decode(Limits::default(), &chunks);
    assert_eq!(told, reference::decode(input.stream, ""));

    let small = Limits {
        max_event: usize::from(input.max_event),
        max_id: usize::from(input.max_id),
    };
    assert_eq!(decode(small, &chunks), decode(small, &[input.stream]));
});

fn decode(limits: Limits, chunks: &[&[u8]]) -> (Vec<Told>, String) {
    let mut decoder = Decoder::with_limits(limits).with_comments();
    let told = decode_chunks(&mut decoder, chunks.iter().copied());
    assert!(decoder.buffer_capacity() <= 2 * limits.max_event + 4 * limits.max_id + 1024);
    (told, decoder.last_event_id().to_owned())
}
