//! Decoding, beside other crates in the same run: `cargo bench -p tidings-codec`.
//!
//! Each decoder is driven as its documentation says and gives every event to
//! the optimiser's black box: ours and sse-core read slices; sse-stream and
//! eventsource-stream read streams of `Bytes`, here always ready.

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use eventsource_stream::Eventsource;
use futures_util::{FutureExt, Stream, StreamExt, stream};
use std::convert::Infallible;
use std::hint::black_box;
use std::time::Duration;
use tidings_codec::fixtures::{Delta, deltas, large, tiny};
use tidings_codec::{Decoder, Item};

const SEED: u64 = 1;

/// A way to decode all chunks; gives the number of events.
type Contender = (&'static str, fn(&Input) -> usize);

/// Makes a stream of so many events.
type Make = fn(usize) -> Vec<u8>;

/// A stream, as chunks that are lent and as chunks that are owned, for who
/// asks for them so.
struct Input {
    stream: Vec<u8>,
    chunk_len: usize,
    chunks: Vec<Bytes>,
}

impl Input {
    fn new(stream: Vec<u8>, chunk_len: usize) -> Self {
        let chunks = stream
            .chunks(chunk_len)
            .map(Bytes::copy_from_slice)
            .collect();
        Self {
            stream,
            chunk_len,
            chunks,
        }
    }

    fn slices(&self) -> impl Iterator<Item = &[u8]> {
        self.stream.chunks(self.chunk_len)
    }

    fn ready(&self) -> impl Stream<Item = Result<Bytes, Infallible>> + Unpin {
        stream::iter(self.chunks.iter().cloned().map(Ok))
    }
}

const CONTENDERS: [Contender; 5] = [
    ("tidings, lent", ours_lent),
    ("tidings, owned", ours_owned),
    ("sse-core", sse_core),
    ("sse-stream", sse_stream),
    ("eventsource-stream", eventsource_stream),
];

fn ours_lent(input: &Input) -> usize {
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
    for mut bytes in input.slices() {
        while let Some(item) = decoder.next(&mut bytes) {
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
fn memcpy(input: &Input) -> usize {
    let mut copy = Vec::new();
    for chunk in input.slices() {
        copy.clear();
        copy.extend_from_slice(chunk);
        black_box(&copy);
    }
    0
}

fn bench(c: &mut Criterion) {
    // About 2 MiB in large chunks, which stays in the cache, and 128 KiB in
    // single bytes.
    let streams: [(&str, Make, [usize; 2]); 4] = [
        (
            "deltas",
            |count| deltas(SEED, count, Delta::Unnamed),
            [16384, 1024],
        ),
        (
            "named deltas",
            |count| deltas(SEED, count, Delta::Named),
            [16384, 1024],
        ),
        ("64 KiB", |count| large(SEED, count), [32, 2]),
        ("tiny", |count| tiny(SEED, count), [65536, 4096]),
    ];
    for (name, make, counts) in streams {
        for (chunk, count) in [16 << 10, 1].into_iter().zip(counts) {
            let chunking = if chunk == 1 { "1 B" } else { "16 KiB" };
            let input = Input::new(make(count), chunk);
            let mut group = c.benchmark_group(format!("{name} in {chunking}"));
            group.throughput(Throughput::Bytes(input.stream.len() as u64));
            for (contender, decode) in CONTENDERS {
                // It looks at the whole event again for each chunk: minutes.
                if contender == "eventsource-stream" && name == "64 KiB" && chunk == 1 {
                    continue;
                }
                assert_eq!(decode(&input), count, "{contender} sees all of {name}");
                group.bench_function(BenchmarkId::from_parameter(contender), |b| {
                    b.iter(|| decode(black_box(&input)));
                });
            }
            if chunk > 1 {
                group.bench_function(BenchmarkId::from_parameter("memcpy"), |b| {
                    b.iter(|| memcpy(black_box(&input)));
                });
            }
            group.finish();
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_millis(1500))
        .without_plots();
    targets = bench
}
criterion_main!(benches);
