//! Decoding, beside other crates in the same run: `cargo bench -p tidings-codec`.
//! Each contender is measured by itself for a while; where other work disturbs
//! the machine, `side_by_side` is the fairer comparison.

mod contenders;

use contenders::{Input, memcpy};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::time::Duration;

fn bench(c: &mut Criterion) {
    for input in Input::all() {
        let mut group = c.benchmark_group(&input.name);
        group.throughput(Throughput::Bytes(input.stream.len() as u64));
        for (contender, decode) in input.contenders() {
            assert_eq!(decode(&input), input.events, "{contender} sees all");
            group.bench_function(BenchmarkId::from_parameter(contender), |b| {
                b.iter(|| decode(black_box(&input)));
            });
        }
        if input.has_floor() {
            group.bench_function(BenchmarkId::from_parameter("memcpy"), |b| {
                b.iter(|| memcpy(black_box(&input)));
            });
        }
        group.finish();
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
