//! Which records are owed a write, and in which fields, asked of the mirror alone: how much does that cost beside one look at every
//! body? The command `plan` reads both systems as well, which is not measured here. And what does the mirror's root cost, once it is kept?
//!
//! `cargo bench --no-default-features --features wire --bench plan`, sizes by `SYNCLINE_BENCH_RECORDS`.

#[path = "support/json.rs"]
mod json;
mod support;
#[path = "support/world.rs"]
mod world;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::cell::RefCell;
use support::*;
use syncline::engine::Pass;
use syncline::model::*;
use syncline::store::{OpenOptions, Store};
use world::*;

fn bench(criterion: &mut Criterion) {
    for n in sizes() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::create_or_open(folder.path().join("plan.redb"), Millis(0), &OpenOptions::default());
        let mut world = World::new(Box::new(store.expect("a new store")), n);
        world.mirror.keep_root(world.find_root(true));
        let (numbers, pages) = world.edit(1_000, n.div_ceil(100));
        world.read("crm", Pass::Changes, &pages, |_| ());
        let roots = [true, false].map(|whole| world.find_root(whole));
        assert_eq!(roots[0].root, roots[1].root, "read or kept, it is the same");
        assert_eq!(roots[1].read, numbers.len() as u64, "no more than have moved");
        let owed = world.owed();
        assert_eq!(owed, numbers.len(), "each edited record is to be written");
        let world = RefCell::new(world);

        let mut group = criterion.benchmark_group("plan");
        group.sample_size(10).throughput(Throughput::Elements(n as u64));
        let id = |name| BenchmarkId::new(name, n);
        group.bench_function(id("scan of all bodies"), |b| b.iter(|| world.borrow().scan()));
        group.bench_function(id("what is owed"), |b| b.iter(|| world.borrow().owed()));
        group.finish();
        turns(
            &format!("{n} linked pairs, of which {owed} are owed something"),
            9,
            &mut [
                ("floor: scan of all bodies", n, &mut || _ = world.borrow().scan()),
                ("what is owed, with the bodies of those", n, &mut || _ = world.borrow().owed()),
            ],
        );
        turns(
            &format!("the root of {n} records of which {} have moved", numbers.len()),
            9,
            &mut [
                ("from all bodies", n, &mut || _ = world.borrow().find_root(true)),
                ("from what was kept and those that have moved", n, &mut || _ = world.borrow().find_root(false)),
            ],
        );
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
