//! What it costs to hash a record: its canonical form, a remote's own bytes of it, and the bare hash of as many bytes.
//!
//! `cargo bench --no-default-features --bench hash`, sizes by `SYNCLINE_BENCH_RECORDS`.

mod support;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use support::*;
use syncline::model::*;

/// The values of records, and what a remote would send of each.
struct Sample {
    values: Vec<Vec<Value>>,
    spans: Vec<Vec<u8>>,
    canonical: Vec<Vec<u8>>,
}

impl Sample {
    fn of(n: usize) -> Self {
        let values = |number: u64| (0..FIELDS).map(|id| Value::Text(field(number, id, 0).into())).collect();
        let values: Vec<Vec<Value>> = (0..n as u64).map(values).collect();
        let span = |values: &Vec<Value>| {
            let properties = values.iter().enumerate().map(|(id, value)| format!("\"property_{id}\":\"{value}\""));
            format!("{{{}}}", properties.collect::<Vec<_>>().join(",")).into_bytes()
        };
        let canonical = |values: &Vec<Value>| {
            let mut bytes = Vec::new();
            for (id, value) in (0u32..).zip(values) {
                bytes.extend_from_slice(&id.to_be_bytes());
                value.canonical_bytes(&mut bytes);
            }
            bytes
        };
        Self { spans: values.iter().map(span).collect(), canonical: values.iter().map(canonical).collect(), values }
    }

    fn fields(&self) -> u64 {
        let low = |digest: Digest| u64::from_le_bytes(digest.0[..8].try_into().expect("8 of 16"));
        let mut total = 0;
        for values in &self.values {
            sum(low(Digest::of_fields((0..).map(FieldId).zip(values))), &mut total);
        }
        total
    }

    fn each(&self) -> u64 {
        let mut total = 0;
        for value in self.values.iter().flatten() {
            sum(u64::from(Digest::of_value(value).0[0]), &mut total);
        }
        total
    }

    fn raw(&self) -> u64 {
        let mut total = 0;
        self.spans.iter().for_each(|span| sum(RawDigest::of_bytes(span).0, &mut total));
        total
    }

    fn together(&self) -> u64 {
        let (mut total, mut batch) = (0, RawBatch::default());
        for page in self.spans.chunks(PAGE) {
            page.iter().for_each(|span| batch.push(|out| out.extend_from_slice(span)));
            batch.digests().iter().for_each(|digest| sum(digest.0, &mut total));
        }
        total
    }

    fn bare(&self) -> u64 {
        let low = |hash: blake3::Hash| u64::from_le_bytes(hash.as_bytes()[..8].try_into().expect("8 of 32"));
        let mut total = 0;
        self.canonical.iter().for_each(|bytes| sum(low(blake3::hash(bytes)), &mut total));
        total
    }
}

fn bench(criterion: &mut Criterion) {
    for n in sizes() {
        let sample = Sample::of(n);
        assert_eq!(sample.fields(), sample.bare(), "a record's digest is the hash of its canonical bytes");
        assert_eq!(sample.raw(), sample.together(), "together and alone they are the same");
        let bytes: usize = sample.canonical.iter().map(Vec::len).sum();
        let mut group = criterion.benchmark_group("hash");
        group.sample_size(10).throughput(Throughput::Elements(n as u64));
        let id = |name| BenchmarkId::new(name, n);
        group.bench_function(id("canonical record"), |b| b.iter(|| sample.fields()));
        group.bench_function(id("raw span"), |b| b.iter(|| sample.raw()));
        group.bench_function(id("raw spans of a page"), |b| b.iter(|| sample.together()));
        group.finish();
        turns(
            &format!("hashes of {n} records of {FIELDS} fields, {} canonical bytes each", bytes / n),
            9,
            &mut [
                ("floor: blake3 of bytes that are ready", n, &mut || _ = sample.bare()),
                ("canonical bytes + blake3", n, &mut || _ = sample.fields()),
                ("blake3 of the raw span", n, &mut || _ = sample.raw()),
                ("blake3 of the raw spans of a page at once", n, &mut || _ = sample.together()),
                ("blake3 of each field by itself", n, &mut || _ = sample.each()),
            ],
        );
        println!("  {:x} of all", sample.fields());
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
