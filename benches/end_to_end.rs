//! The whole way of records through the engine and a store on a file, phase by phase, and the memory that each phase takes:
//! first readings of two systems, their link, full reads in which nothing changed, edits, writes, answers, read-backs.
//!
//! `cargo bench --no-default-features --features wire --bench end_to_end`, sizes by `SYNCLINE_BENCH_RECORDS`. Each phase runs
//! once: what happens once cannot be repeated, so that its figures vary with the machine.

#[path = "support/json.rs"]
mod json;
mod support;
#[path = "support/world.rs"]
mod world;

use std::time::Instant;
use support::*;
use syncline::model::*;
use syncline::store::{OpenOptions, Store};
use world::*;

/// The database's own memory, in bytes.
const CACHE: usize = 64 << 20;
/// Rows a commit of a first reading, and records a commit of merges.
const ROWS: usize = 10_000;
const MERGES: usize = 1_000;

/// Peak of this process's memory since the last call, in MiB; none where the system does not tell.
fn peak() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    // 5 = forget the peak.
    std::fs::write("/proc/self/clear_refs", "5").ok()?;
    Some(kib / 1024.0)
}

/// Runs a phase over so many records, and prints what it cost.
fn phase<T>(name: &str, records: usize, before: Option<f64>, work: impl FnOnce() -> T) -> T {
    let (cpu, wall) = (cpu(), Instant::now());
    let out = work();
    let (cpu, wall) = (support::cpu().saturating_sub(cpu), wall.elapsed());
    let rate = |time: f64| records as f64 / time / 1_000.0;
    let memory = peak().zip(before).map(|(peak, before)| format!("{:.0}", peak - before)).unwrap_or_else(|| "?".into());
    println!(
        "  {name:<44} cpu {:>8.1} k/s   wall {:>8.1} k/s   {memory:>6} MiB",
        rate(cpu.as_secs_f64()),
        rate(wall.as_secs_f64())
    );
    out
}

fn run(n: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let options = OpenOptions { cache_bytes: CACHE, verify: false };
    let store = Store::create_or_open(folder.path().join("end.redb"), Millis(0), &options).expect("a new store");
    let mut world = World::unread(Box::new(store), n);
    peak();
    let before = peak();
    println!(
        "\n{n} records of {FIELDS} fields; memory is the peak of a phase, of which {} MiB is the cache",
        CACHE >> 20
    );
    let made = n.div_ceil(PAGE);
    let all = |at: usize| page(at * PAGE, n);
    phase("pages of JSON are made, for comparison", n, before, || (0..made).for_each(|at| drop(all(at))));
    phase("first reading of one system, from JSON", n, before, || world.backfill_made("crm", made, ROWS, all));
    phase("first reading of the other", n, before, || world.backfill_made("desk", made, ROWS, all));
    phase("linking", n, before, || world.link());
    let digest = world.digest();
    phase("full read, nothing changed", n, before, || {
        (0..made).for_each(|at| world.reconcile_all(&[all(at)]));
    });
    phase("scan of all bodies", n, before, || assert_eq!(world.scan(), n));
    let whole = phase("root digest of the mirror", n, before, || world.root());
    let (numbers, pages) = world.edit(MERGES, n.div_ceil(100));
    let edited = numbers.len();
    phase("1 % changed, three fields each: merged", edited, before, || {
        world.read("crm", syncline::engine::Pass::Changes, &pages, |_| ());
    });
    let sent = phase("  planned, sent and answered", edited, before, || world.send());
    assert_eq!(sent, edited, "each is written once");
    phase("  read back and settled", edited, before, || world.settle(&numbers));
    assert_ne!((world.digest(), world.root()), (digest, whole));
    let sizes = world.mirror.sizes().expect("a file");
    let stored: u64 = sizes.tables.iter().map(|table| table.stored_bytes).sum();
    let file = sizes.file_bytes.unwrap_or_default();
    println!("  {} bytes a record stored, {} in the file; {}", stored / n as u64, file / n as u64, world.digest());
}

fn main() {
    for n in sizes() {
        run(n);
    }
}
