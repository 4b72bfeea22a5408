//! Remote changes through the real engine: how many field changes are merged a second, and what does a full read cost in
//! which nothing changed?
//!
//! `cargo bench --no-default-features --features wire --bench merge`, sizes by `SYNCLINE_BENCH_RECORDS`.

#[path = "support/json.rs"]
mod json;
mod support;
#[path = "support/world.rs"]
mod world;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use json::*;
use std::cell::RefCell;
use std::collections::BTreeMap;
use support::*;
use syncline::engine::MemoryView;
use syncline::model::*;
use syncline::store::{OpenOptions, Store};
use world::*;

const NAMES: [&str; 3] = ["MemoryView", "Store in memory", "Store on a file, durable"];

fn worlds(n: usize, folder: &std::path::Path) -> [World; 3] {
    let file = Store::create_or_open(folder.join("merge.redb"), Millis(0), &OpenOptions::default());
    [
        World::new(Box::new(MemoryView::new()), n),
        World::new(Box::new(Store::in_memory(Millis(0)).expect("memory")), n),
        World::new(Box::new(file.expect("a new store")), n),
    ]
}

/// In turns only: what goes on between two rounds takes longer than a round, and ten samples would take minutes.
fn merges(worlds: &[RefCell<World>; 3], n: usize) {
    let merges = n / 10 * CHANGES;
    let pages: BTreeMap<usize, &str> = [(100, "pages of 100"), (1_000, "pages of 1,000")].into();
    for &page in pages.keys() {
        for (world, name) in worlds.iter().zip(NAMES) {
            let counted = world.borrow_mut().counted(page);
            assert!((merges..=merges + 10 * CHANGES).contains(&counted), "{name}: {counted} of {merges}");
        }
    }
    let digests: Vec<Digest> = worlds.iter().map(|world| world.borrow().digest()).collect();
    assert!(digests.iter().all(|digest| *digest == digests[0]), "one result: {digests:?}");
    println!("\n{n} records, two rounds: {}", digests[0]);

    for (&page, title) in &pages {
        let worker = |at: usize| {
            let world = &worlds[at];
            let work: Box<Timed<'_>> = Box::new(move |rounds| world.borrow_mut().rounds(rounds, page));
            (NAMES[at], merges, work)
        };
        let title = format!("merges of remote field changes, {CHANGES} in each of {} of {n} records, {title}", n / 10);
        timed_turns(&title, 5, &mut [worker(0), worker(1), worker(2)]);
    }
    for (world, name) in worlds.iter().zip(NAMES) {
        let world = world.borrow();
        println!("  {name}: {} after {} rounds", world.digest(), world.edits.rounds);
    }
}

fn reconciles(criterion: &mut Criterion, n: usize, folder: &std::path::Path) {
    let pages = pages(n);
    let mut worlds = worlds(n, folder);
    worlds.iter_mut().for_each(|world| world.learn(&pages));
    let [memory, _, file] = &worlds;
    let mut rows = Vec::new();
    memory.listed(&pages, |page| rows.push(page));

    let mut group = criterion.benchmark_group("unchanged");
    group.sample_size(10).throughput(Throughput::Elements(n as u64));
    group.bench_function(BenchmarkId::new("floor, canonical", n), |b| b.iter(|| floor_canonical(&pages)));
    group.bench_function(BenchmarkId::new("engine, Store on a file", n), |b| b.iter(|| file.reconcile_all(&pages)));
    group.finish();
    let ready = |world: &World| rows.iter().for_each(|rows| assert_eq!(world.reconcile(rows), 0));
    turns(
        &format!("reconcile of {n} unchanged records through the engine, pages of {PAGE}"),
        9,
        &mut [
            ("floor: parse + canonical + blake3", n, &mut || _ = floor_canonical(&pages)),
            ("floor: parse + blake3 of the raw bytes", n, &mut || _ = floor_raw(&pages)),
            ("floor: parse + blake3 of a page's raw bytes", n, &mut || _ = floor_raw_together(&pages)),
            ("parse + engine, MemoryView", n, &mut || memory.reconcile_all(&pages)),
            ("parse + engine, Store on a file", n, &mut || file.reconcile_all(&pages)),
            ("engine alone, MemoryView", n, &mut || ready(memory)),
            ("engine alone, Store on a file", n, &mut || ready(file)),
        ],
    );
    println!("  {}, {:x} of the floor", file.digest(), floor_canonical(&pages));
}

fn bench(criterion: &mut Criterion) {
    for n in sizes() {
        let folder = tempfile::tempdir().expect("a folder");
        merges(&worlds(n, folder.path()).map(RefCell::new), n);
        let folder = tempfile::tempdir().expect("a folder");
        reconciles(criterion, n, folder.path());
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
