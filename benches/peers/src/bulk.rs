//! What is measured once over all records: a full reading in which nothing changed, a first reading, syncs.

use crate::clock::{Cost, Watch};
use crate::engine::Engine;
use crate::json::{floor_canonical, floor_raw};
use crate::peer::{Peer, expected};
use crate::support::pages;
use crate::world::{Mirror, World};
use redb::{Database, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition};
use std::ops::Bound;
use std::path::Path;
use syncline::engine::MemoryView;
use syncline::model::Millis;
use syncline::store::{MemoryDisk, OpenOptions, Store};

/// Something that goes through all records: its name and its turns.
pub type Through = (&'static str, Vec<Cost>);

type Work<'a> = Box<dyn FnMut() -> u64 + 'a>;

const BODIES: TableDefinition<&[u8], &[u8]> = TableDefinition::new("bodies");
const CACHE: usize = 256 << 20;

pub fn store(path: &Path) -> Box<dyn Mirror> {
    let options = OpenOptions { cache_bytes: CACHE, verify: false };
    Box::new(Store::create_or_open(path, Millis(0), &options).expect("a new store"))
}

/// A full reading of unchanged records, and its floors. The world is to learn the digests of these pages first.
pub fn unchanged(engine: &mut Engine, turns: usize) -> Vec<Through> {
    let n = engine.edits().versions.len();
    let pages = pages(n);
    engine.world.learn(&pages);
    let world = &engine.world;
    let mut work: [(&str, Work<'_>); 3] = [
        ("floor: parse + canonical + scalar blake3", Box::new(|| floor_canonical(&pages))),
        ("floor: parse + scalar blake3 of the raw bytes", Box::new(|| floor_raw(&pages))),
        (
            "Syncline: parse + engine, Store on a file",
            Box::new(|| {
                world.reconcile_all(&pages);
                0
            }),
        ),
    ];
    let mut out: Vec<Through> = work.iter().map(|(name, _)| (*name, Vec::new())).collect();
    let mut results = [0; 3];
    for turn in 0..=turns {
        for (at, (_, work)) in work.iter_mut().enumerate() {
            let watch = Watch::start();
            let result = std::hint::black_box(work());
            let cost = watch.stop(n);
            assert!(turn == 0 || result == results[at], "the same bytes");
            results[at] = result;
            if turn > 0 {
                out[at].1.push(cost);
            }
        }
    }
    out
}

/// Rows a commit of a first reading, and whether a thread parses beside the one that writes: as many as still lie in the processor's
/// caches; as the daemon does it; the former with two threads.
pub const LOADS: [(usize, bool, &str); 3] = [
    (1_000, false, "Syncline: parse + engine + commit, 1,000 rows a commit"),
    (100, false, "Syncline: parse + engine + commit, 100 rows a commit"),
    (1_000, true, "Syncline: parse beside engine + commit, 1,000 rows a commit, two threads"),
];

/// Cold loads into fresh files.
pub fn loads(folder: &Path, n: usize, turns: usize) -> Vec<Through> {
    let pages = pages(n);
    let mut model = World::unread(Box::new(MemoryView::new()), n);
    model.backfill(&pages, LOADS[0].0);
    let bodies = model.bodies();
    assert_eq!(bodies.len(), n);
    let mut out = vec![("redb: the same bodies, sorted, one commit", Vec::new())];
    out.extend(LOADS.map(|(_, _, name)| (name, Vec::new())));
    for turn in 0..=turns {
        let path = |what: &str| folder.join(format!("load-{what}-{turn}"));
        let bare = redb::Builder::new().set_cache_size(CACHE).create(path("bare")).expect("a new file");
        let watch = Watch::start();
        load(&bare, &bodies);
        let mut costs = vec![watch.stop(n)];
        let transaction = bare.begin_read().expect("readable");
        let table = transaction.open_table(BODIES).expect("ours");
        assert_eq!(table.len().expect("readable"), n as u64);
        let last = table.last().expect("readable").map(|(key, value)| (key.value().to_vec(), value.value().to_vec()));
        assert_eq!(last.as_ref(), bodies.last());
        for (rows, beside, name) in LOADS {
            let mut world = World::unread(store(&path(name)), n);
            let watch = Watch::start();
            if beside {
                world.backfill_beside(&pages, rows)
            } else {
                world.backfill(&pages, rows)
            }
            costs.push(watch.stop(n));
            if turn == 0 {
                assert_eq!(world.values(), expected(&world.edits));
                assert!(world.bodies() == bodies, "the same bodies");
            }
            drop(world);
            std::fs::remove_file(path(name)).expect("it was there");
        }
        std::fs::remove_file(path("bare")).expect("it was there");
        if turn > 0 {
            out.iter_mut().zip(costs).for_each(|((_, all), cost)| all.push(cost));
        }
    }
    out
}

fn load(database: &Database, bodies: &[(Vec<u8>, Vec<u8>)]) {
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

/// The root of all records, read anew, and from what was kept when one in a hundred has been edited since.
pub fn roots(path: &Path, n: usize, turns: usize) -> Vec<Through> {
    let mut engine = Engine::on_file(World::new(store(path), n));
    engine.world.mirror.keep_root(engine.world.find_root(true));
    engine.prepare(1_000, n.div_ceil(100));
    engine.merge(1_000);
    let mut out = vec![("all bodies read", Vec::new()), ("those read that have moved (1 %)", Vec::new())];
    for turn in 0..=turns {
        let found = [true, false].map(|whole| {
            let watch = Watch::start();
            let found = engine.world.find_root(whole);
            (watch.stop(n), found)
        });
        assert_eq!(found[0].1.root, found[1].1.root);
        if turn > 0 {
            out.iter_mut().zip(found).for_each(|((_, all), (cost, _))| all.push(cost));
        }
    }
    out
}

/// Commits of one edited record each, and how often the disk was synced for them.
pub fn syncs(n: usize) -> (u64, u64) {
    let disk = MemoryDisk::new();
    let options = OpenOptions { cache_bytes: 16 << 20, verify: false };
    let store = Store::on_disk(disk.clone(), Millis(0), &options).expect("memory");
    let mut engine = Engine::on_file(World::new(Box::new(store), n));
    engine.prepare(1, usize::MAX);
    let before = disk.syncs();
    engine.merge(1);
    let syncs = disk.syncs() - before;
    let commits = engine.edits().last as u64;
    engine.settle();
    assert_eq!(engine.values(), expected(engine.edits()));
    (commits, syncs)
}
