//! Durable commits: what do the mirror's tables cost beyond the bare database?
//!
//! `cargo bench --no-default-features --bench store`, sizes by `SYNCLINE_BENCH_RECORDS`.

mod support;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use redb::TableDefinition;
use std::ops::Bound;
use std::path::Path;
use support::*;
use syncline::engine::Change;
use syncline::model::*;
use syncline::store::{OpenOptions, Store, Stored};

const BODIES: TableDefinition<&[u8], &[u8]> = TableDefinition::new("bodies");
const LOAD_COMMIT: usize = 10_000;

type Row = (Vec<u8>, Vec<u8>);

fn body(number: u64, version: u64) -> Row {
    let record = record(number, version);
    let mut bytes = Vec::new();
    let key = [&ENTITY.0.to_be_bytes()[..], &record.id.0].concat();
    Body::from(record).put(&mut bytes);
    (key, bytes)
}

fn sorted(mut bodies: Vec<Row>) -> Vec<Row> {
    bodies.sort();
    bodies
}

fn bare(path: &Path) -> redb::Database {
    redb::Builder::new().set_cache_size(256 << 20).create(path).expect("a new file")
}

/// The floor of a load: sorted bodies through the cursor, in one transaction, and nothing else.
fn bare_load(database: &redb::Database, bodies: &[Row]) {
    let transaction = database.begin_write().expect("the only writer");
    {
        let mut table = transaction.open_table(BODIES).expect("ours");
        let mut cursor = table.upper_bound_mut(Bound::<&[u8]>::Unbounded).expect("readable");
        for (key, value) in bodies {
            cursor.insert_before(key.as_slice(), value.as_slice()).expect("sorted");
        }
        cursor.close().expect("written");
    }
    transaction.commit().expect("durable");
}

/// The floor of an update: sorted bodies over old ones.
fn bare_update(database: &redb::Database, bodies: &[Row]) {
    let transaction = database.begin_write().expect("the only writer");
    {
        let mut table = transaction.open_table(BODIES).expect("ours");
        for (key, value) in bodies {
            table.insert(key.as_slice(), value.as_slice()).expect("written");
        }
    }
    transaction.commit().expect("durable");
}

fn open(path: &Path) -> Store {
    Store::create_or_open(path, Millis(0), &OpenOptions::default()).expect("a new store")
}

fn load(store: &Store, steps: &[Vec<Change>]) {
    let records_a_step = steps.iter().map(Vec::len).max().unwrap_or(0).max(1) / 4;
    let group = (LOAD_COMMIT / records_a_step.max(1)).max(1);
    for steps in steps.chunks(group) {
        store.apply_many(steps.iter().map(Vec::as_slice)).expect("written");
    }
}

fn loads(criterion: &mut Criterion, n: usize) {
    let numbers: Vec<u64> = (0..n as u64).collect();
    let steps: Vec<Vec<Change>> =
        numbers.chunks(PAGE).map(|page| page.iter().flat_map(|&number| mirrored(number)).collect()).collect();
    let only_bodies: Vec<Vec<Change>> = steps
        .iter()
        .map(|step| step.iter().filter(|change| matches!(change, Change::PutRecord(_))).cloned().collect())
        .collect();
    let bodies = sorted(numbers.iter().map(|&number| body(number, 0)).collect());

    let mut group = criterion.benchmark_group("load");
    group.sample_size(10).throughput(Throughput::Elements(n as u64));
    group.bench_function(BenchmarkId::new("mirror, commits of 10,000", n), |b| {
        b.iter_batched(
            || tempfile::tempdir().expect("a folder"),
            |folder| {
                load(&open(&folder.path().join("s")), &steps);
                folder
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();

    let fresh = |work: &mut dyn FnMut(&Path)| {
        let folder = tempfile::tempdir().expect("a folder");
        work(&folder.path().join("s"));
    };
    turns(
        &format!("cold load of {n} records"),
        5,
        &mut [
            ("bare: sorted bodies, one commit", n, &mut || fresh(&mut |path| bare_load(&bare(path), &bodies))),
            ("mirror: bodies only, one commit", n, &mut || {
                fresh(&mut |path| open(path).apply_many(only_bodies.iter().map(Vec::as_slice)).expect("written"));
            }),
            ("mirror: all four tables, one commit", n, &mut || {
                fresh(&mut |path| open(path).apply_many(steps.iter().map(Vec::as_slice)).expect("written"));
            }),
            ("mirror: all four tables, 10,000 a commit", n, &mut || fresh(&mut |path| load(&open(path), &steps))),
        ],
    );
    if !trial() {
        fresh(&mut |path| {
            let store = open(path);
            store.apply_many(steps.iter().map(Vec::as_slice)).expect("written");
            store.close().expect("closed");
            let store = Store::open(path, &OpenOptions::default()).expect("ours");
            let stats = store.stats().expect("readable");
            println!("\nbytes a record: file {}", stats.file_bytes.unwrap_or(0) / n as u64);
            for table in stats.tables.iter().filter(|table| table.rows >= n as u64) {
                let (stored, unused) = (table.stored_bytes / table.rows, table.unused_bytes / table.rows);
                println!("  {:<12} {stored} stored, {unused} unused in pages", table.name);
            }
        });
    }
}

fn updates(criterion: &mut Criterion, n: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(&folder.path().join("store"));
    let database = bare(&folder.path().join("bare"));
    let all: Vec<Change> = (0..n as u64).flat_map(mirrored).collect();
    store.apply(&all).expect("written");
    bare_load(&database, &sorted((0..n as u64).map(|number| body(number, 0)).collect()));
    drop(all);

    let mut group = criterion.benchmark_group("update");
    group.sample_size(10);
    for size in [1, 100, 1000, 10_000].into_iter().filter(|&size| size <= n) {
        // As many as make the measure longer than the clock's step; scattered over the mirror.
        let commits = if trial() { 2 } else { (20_000 / size).clamp(2, 300) };
        let pick = |commit: usize, row: usize| ((commit * size + row) as u64).wrapping_mul(7_919) % n as u64;
        let steps: Vec<Vec<Change>> =
            (0..commits).map(|c| (0..size).flat_map(|row| edited(pick(c, row), 1)).collect()).collect();
        let bodies: Vec<Vec<Row>> =
            (0..commits).map(|c| sorted((0..size).map(|row| body(pick(c, row), 1)).collect())).collect();

        group.throughput(Throughput::Elements(size as u64));
        let mut next = steps.iter().cycle();
        group.bench_function(BenchmarkId::new(format!("{size} a commit"), n), |b| {
            b.iter(|| store.apply(next.next().expect("a cycle")).expect("written"));
        });
        turns(
            &format!("{size} edited records a commit, of {n}"),
            5,
            &mut [
                ("bare: sorted bodies", commits * size, &mut || {
                    bodies.iter().for_each(|bodies| bare_update(&database, bodies))
                }),
                ("mirror: body, digest and journal", commits * size, &mut || {
                    steps.iter().for_each(|step| store.apply(step).expect("written"));
                }),
            ],
        );
    }
    group.finish();
}

fn bench(criterion: &mut Criterion) {
    for n in sizes() {
        loads(criterion, n);
        updates(criterion, n);
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
