//! Who decodes, and what.
//!
//! Each decoder is driven as its documentation says and gives every event to
//! the optimiser's black box: ours and sse-core read slices; sse-stream and
//! eventsource-stream read streams of `Bytes`, here always ready.

use bytes::Bytes;
use eventsource_stream::Eventsource;
use futures_util::{FutureExt, Stream, StreamExt, stream};
use std::convert::Infallible;
use std::hint::black_box;
use tidings_codec::fixtures::{Delta, deltas, large, tiny};
use tidings_codec::{Chunk, Decoder, Item};

const SEED: u64 = 1;

/// A way to decode all chunks; gives the number of events.
pub type Contender = (&'static str, fn(&Input) -> usize);

/// Makes a stream of so many events.
type Make = fn(usize) -> Vec<u8>;

/// A stream, as chunks that are lent and as chunks that are owned, for who
/// asks for them so.
pub struct Input {
    pub name: String,
    pub events: usize,
    pub stream: Vec<u8>,
    chunk_len: usize,
    chunks: Vec<Bytes>,
}

impl Input {
    /// All streams in large chunks and in single bytes.
    pub fn all() -> Vec<Self> {
        // About 2 MiB in large chunks, which stays in the cache, and 128 KiB
        // in single bytes.
        let streams: [(&str, Make, [usize; 2]); 4] = [
            (
                "120 B deltas",
                |count| deltas(SEED, count, Delta::Unnamed),
                [16384, 1024],
            ),
            (
                "120 B deltas, named",
                |count| deltas(SEED, count, Delta::Named),
                [16384, 1024],
            ),
            ("64 KiB events", |count| large(SEED, count), [32, 2]),
            (
                "tiny multi-line events",
                |count| tiny(SEED, count),
                [65536, 4096],
            ),
        ];
        let input = |(name, make, counts): (&str, Make, [usize; 2])| {
            [("16 KiB", 16 << 10, counts[0]), ("1 B", 1, counts[1])].map(
                |(chunking, chunk_len, events)| {
                    let stream = make(events);
                    let chunks = stream.chunks(chunk_len).map(Bytes::copy_from_slice);
                    Self {
                        name: format!("{name} in {chunking} chunks"),
                        events,
                        chunk_len,
                        chunks: chunks.collect(),
                        stream,
                    }
                },
            )
        };
        streams.into_iter().flat_map(input).collect()
    }

    /// Who decodes it in reasonable time.
    pub fn contenders(&self) -> impl Iterator<Item = Contender> {
        // It looks at the whole event again for each chunk: minutes.
        let too_slow = self.chunk_len == 1 && self.stream.len() > 32 * 1024 * self.events;
        CONTENDERS
            .into_iter()
            .filter(move |(name, _)| !(too_slow && *name == "eventsource-stream"))
    }

    /// Whether a copy of its chunks is worth comparing with.
    pub fn has_floor(&self) -> bool {
        self.chunk_len > 1
    }

    fn slices(&self) -> impl Iterator<Item = &[u8]> {
        self.stream.chunks(self.chunk_len)
    }

    fn ready(&self) -> impl Stream<Item = Result<Bytes, Infallible>> + Unpin {
        stream::iter(self.chunks.iter().cloned().map(Ok))
    }
}

pub const CONTENDERS: [Contender; 6] = [
    ("tidings, lent", ours_lent),
    ("tidings, slices", ours_slices),
    ("tidings, owned", ours_owned),
    ("sse-core", sse_core),
    ("sse-stream", sse_stream),
    ("eventsource-stream", eventsource_stream),
];

fn ours_lent(input: &Input) -> usize {
    let mut decoder = Decoder::new();
    let mut events = 0;
    for bytes in input.slices() {
        let mut chunk = Chunk::new(bytes);
        while let Some(item) = decoder.next_in(&mut chunk) {
            if let Item::Event(ref event) = item {
                black_box(event);
                events += 1;
            }
        }
    }
    events
}

/// By `Decoder::next`, which can't remember what it knows of the bytes.
fn ours_slices(input: &Input) -> usize {
    let mut decoder = Decoder::new();
    let mut events = 0;
    for mut bytes in input.slices() {
        while let Some(item) = decoder.next(&mut bytes) {
            if let Item::Event(ref event) = item {
                black_box(event);
                events += 1;
            }
        }
    }
    events
}

/// What a user pays who keeps the events, as the others' users must.
fn ours_owned(input: &Input) -> usize {
    let mut decoder = Decoder::new();
    let mut events = 0;
    for bytes in input.slices() {
        let mut chunk = Chunk::new(bytes);
        while let Some(item) = decoder.next_in(&mut chunk) {
            if let Item::Event(event) = item {
                black_box((event.event_type.to_owned(), event.data.to_owned()));
                events += 1;
            }
        }
    }
    events
}

fn sse_core(input: &Input) -> usize {
    let mut decoder = sse_core::SseDecoder::new();
    let mut events = 0;
    for mut bytes in input.slices() {
        while let Some(event) = decoder.next(&mut bytes) {
            black_box(event.expect("within its limit"));
            events += 1;
        }
    }
    events
}

fn sse_stream(input: &Input) -> usize {
    count(sse_stream::SseByteStream::new(input.ready()))
}

fn eventsource_stream(input: &Input) -> usize {
    count(input.ready().eventsource())
}

fn count<T, E: std::fmt::Debug>(mut events: impl Stream<Item = Result<T, E>> + Unpin) -> usize {
    let mut count = 0;
    while let Some(event) = events.next().now_or_never().expect("always ready") {
        black_box(event.expect("well-formed"));
        count += 1;
    }
    count
}

/// What it costs to look at no byte but move each once.
pub fn memcpy(input: &Input) -> usize {
    let mut copy = Vec::new();
    for chunk in input.slices() {
        copy.clear();
        copy.extend_from_slice(chunk);
        black_box(&copy);
    }
    0
}
