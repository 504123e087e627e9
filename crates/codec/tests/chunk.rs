//! The ways through the decoder give the same: slice by slice, `Chunk` by
//! `Chunk`, byte by byte. Each is the short way for other streams.

use tidings_codec::fixtures::{
    Delta, Random, Told, cut, decode_chunks, deltas, hostile, reference, tiny,
};
use tidings_codec::{Chunk, Decoder, Event, Item, Limits};

fn decode_in<'b>(
    decoder: &mut Decoder,
    chunks: impl IntoIterator<Item = &'b [u8]>,
) -> (Vec<Told>, String) {
    let mut told = Vec::new();
    for bytes in chunks {
        let mut chunk = Chunk::new(bytes);
        while let Some(item) = decoder.next_in(&mut chunk) {
            told.push(item.into());
        }
        assert!(chunk.rest().is_empty());
    }
    (told, decoder.last_event_id().to_owned())
}

/// A stream in which simple blocks, hostile bytes and ill-formed text mix.
fn mixed(seed: u64) -> Vec<u8> {
    let mut random = Random::new(seed);
    let mut stream = Vec::new();
    for _ in 0..8 {
        let seed = random.bits();
        match random.below(5) {
            0 => stream.extend(deltas(seed, 2, Delta::Unnamed)),
            1 => stream.extend(deltas(seed, 2, Delta::Named)),
            2 => stream.extend(tiny(seed, 4)),
            3 => stream.extend(hostile(seed, 60)),
            _ => {
                let mut ill_formed = tiny(seed, 4);
                let at = random.below(ill_formed.len());
                ill_formed[at] = 0xE2;
                stream.extend(ill_formed);
            }
        }
    }
    stream
}

#[test]
fn d3_chunks_give_what_the_reference_gives() {
    for seed in 0..800 {
        let stream = mixed(seed);
        let expected = reference::decode(&stream, "");
        let mut random = Random::new(seed);
        for max in [1, 3, 40, 300, 4096] {
            let chunks = cut(&mut random, &stream, max);
            let mut decoder = Decoder::new().with_comments();
            let told = decode_in(&mut decoder, chunks);
            assert_eq!(told, expected, "seed {seed}, up to {max}");
        }
    }
}

#[test]
fn d8_chunks_have_the_same_limits() {
    for seed in 0..800 {
        let stream = mixed(seed);
        let mut random = Random::new(seed);
        // Around the bounds of the short ways too.
        let limits = Limits {
            max_event: [random.below(40), 100 + random.below(400)][random.below(2)],
            max_id: [random.below(8), 200 + random.below(200)][random.below(2)],
        };
        let mut decoder = Decoder::with_limits(limits);
        let told = decode_chunks(&mut decoder, [&stream[..]]);
        let whole = (told, decoder.last_event_id().to_owned());
        for max in [1, 3, 300, 4096] {
            let chunks = cut(&mut random, &stream, max);
            let told = decode_in(&mut Decoder::with_limits(limits), chunks);
            assert_eq!(told, whole, "seed {seed}, {limits:?}, up to {max}");
        }
    }
}

#[test]
fn d8_long_lines_of_single_bytes_have_the_same_limits() {
    for len in 240..270 {
        for max_event in [260, 300, 400, 500, 560, 1000] {
            // Nothing of the first line is kept; the other isn't ended.
            let (first, beyond) = ("x".repeat(len), "y".repeat(max_event + 1));
            let stream = format!("{first}\nevent: {beyond}");
            let limits = Limits {
                max_event,
                ..Limits::default()
            };
            let whole = decode_chunks(&mut Decoder::with_limits(limits), [stream.as_bytes()]);
            let bytewise = stream.as_bytes().chunks(1);
            let told = decode_chunks(&mut Decoder::with_limits(limits), bytewise);
            assert_eq!(told, whole, "{len} bytes, at most {max_event}");
        }
    }
}

#[test]
fn d6_a_stream_stands_inside_the_same_event_in_any_chunking() {
    for seed in 0..300 {
        let stream = mixed(seed);
        let mut bytewise = Decoder::new().with_comments();
        let mut in_pairs = Decoder::new().with_comments();
        for pair in stream.chunks_exact(2) {
            decode_chunks(&mut bytewise, pair.chunks(1));
            decode_chunks(&mut in_pairs, [pair]);
            assert_eq!(
                bytewise.is_mid_event(),
                in_pairs.is_mid_event(),
                "seed {seed}"
            );
        }
    }
}

#[test]
fn d6_reset_forgets_single_bytes_too() {
    let mut decoder = Decoder::new();
    decode_chunks(&mut decoder, b"\n\n: begun".chunks(1));
    decode_chunks(&mut decoder, b"\nevent: begun".chunks(1));
    assert!(decoder.is_mid_event());
    decoder.reset();
    assert!(!decoder.is_mid_event());
    let told = decode_chunks(&mut decoder, [&b"data: a\n\n"[..]]);
    assert_eq!(told, reference::decode(b"data: a\n\n", "").0);
}

#[test]
fn simple_events_are_lent_with_their_type_unless_joined() {
    let stream = "event: kind\ndata: 世界\n\nevent: kind\ndata: a\ndata: b\n\n";
    let range = stream.as_bytes().as_ptr_range();
    let mut decoder = Decoder::new();
    let mut chunk = Chunk::new(stream.as_bytes());
    let mut in_chunk = Vec::new();
    while let Some(item) = decoder.next_in(&mut chunk) {
        if let Item::Event(Event {
            event_type, data, ..
        }) = item
        {
            in_chunk.push([event_type, data].map(|text| range.contains(&text.as_ptr())));
        }
    }
    assert_eq!(in_chunk, [[true, true], [true, false]]);
}
