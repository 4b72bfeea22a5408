//! What an unchanged record costs, in numbers that do not depend on the machine: reads, bytes, allocations, writes.

#[path = "../benches/support/json.rs"]
mod json;
#[path = "../benches/support/mod.rs"]
mod support;
#[path = "../benches/support/world.rs"]
mod world;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use support::pages;
use syncline::engine::*;
use syncline::merge::Lately;
use syncline::model::*;
use syncline::store::{OpenOptions, Store};
use world::{Mirror, World};

thread_local! {
    static ALLOCATED: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, which counts what this thread asks of it.
struct Counting;

// SAFETY: everything is left to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATED.try_with(|count| count.set(count.get() + 1));
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let _ = ALLOCATED.try_with(|count| count.set(count.get() + 1));
        unsafe { System.realloc(at, layout, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn allocated(work: impl FnOnce()) -> u64 {
    let before = ALLOCATED.get();
    work();
    ALLOCATED.get() - before
}

/// Calls of each kind.
type Calls = Rc<Cell<BTreeMap<&'static str, u64>>>;

/// A view that counts what it is asked.
struct Asked {
    view: MemoryView,
    calls: Calls,
}

macro_rules! counted {
    ($(fn $name:ident(&self $(, $arg:ident: $type:ty)*) -> $out:ty;)*) => {
        impl View for Asked {$(
            fn $name(&self $(, $arg: $type)*) -> Result<$out, ViewError> {
                let mut calls = self.calls.take();
                *calls.entry(stringify!($name)).or_default() += 1;
                self.calls.set(calls);
                self.view.$name($($arg),*)
            }
        )*}
    };
}

counted! {
    fn record(&self, entity: EntityId, id: RecordId) -> Option<Arc<Record>>;
    fn lately(&self, entity: EntityId, id: RecordId) -> Option<Arc<Lately>>;
    fn digests(
        &self, entity: EntityId, system: SystemId, object: ObjectId, ids: &[&RemoteId]
    ) -> Vec<Option<DigestRow>>;
    fn index(&self, key: &RemoteKey) -> Option<RecordId>;
    fn keys(&self, entity: EntityId, key: &[u8]) -> Vec<KeyHolder>;
    fn outbox(&self, system: SystemId, entity: EntityId, record: RecordId) -> Option<OutboxRow>;
    fn outbox_due(
        &self, system: SystemId, entity: EntityId, now: Millis, limit: usize
    ) -> Vec<(RecordId, OutboxRow)>;
    fn outbox_flying(&self) -> Vec<(SystemId, EntityId, RecordId, OutboxRow)>;
    fn outbox_len(&self, entity: EntityId) -> u64;
    fn reread(&self, key: &RemoteKey) -> Option<RereadRow>;
    fn reread_due(
        &self, system: SystemId, entity: EntityId, now: Millis, limit: usize
    ) -> Vec<(RemoteKey, RereadRow)>;
    fn reread_len(&self) -> u64;
    fn lately_scan(&self, entity: EntityId, after: Option<RecordId>, limit: usize) -> Vec<RecordId>;
    fn record_scan(&self, entity: EntityId, after: Option<RecordId>, limit: usize) -> Vec<Record>;
    fn problem(&self, entity: EntityId, record: RecordId, system: SystemId) -> Option<Problem>;
    fn field_problems(&self, entity: EntityId, record: RecordId) -> Vec<(SystemId, FieldId, Problem)>;
    fn problems(&self, limit: usize) -> Vec<(ProblemPlace, Problem)>;
    fn problems_len(&self) -> u64;
    fn ignored(&self, place: ProblemPlace) -> Option<Ignored>;
    fn ignored_len(&self) -> u64;
    fn reviews_of(&self, entity: EntityId, record: RecordId) -> Vec<(FieldId, Review)>;
    fn reviews(&self, limit: usize) -> Vec<(EntityId, RecordId, FieldId, Review)>;
    fn cursor(&self, name: &str) -> Option<Vec<u8>>;
    fn meta(&self) -> Meta;
}

impl Mirror for Asked {
    fn commit(&mut self, changes: &[Change]) {
        self.view.apply(changes);
    }
}

const N: usize = 2_000;

/// A mirror that knows the digests of all rows of its first system, and those rows.
fn known(mirror: Box<dyn Mirror>) -> (World, Vec<RawRow>) {
    let mut world = World::new(mirror, N);
    let pages = pages(N);
    world.learn(&pages);
    let mut rows = Vec::new();
    world.listed(&pages, |page| rows.extend(page));
    assert_eq!(rows.len(), N);
    (world, rows)
}

fn on_file(folder: &tempfile::TempDir) -> Store {
    Store::create_or_open(folder.path().join("counts.redb"), Millis(0), &OpenOptions::default()).expect("a new store")
}

#[test]
fn unchanged_records_are_told_by_one_ordered_read_of_digests_and_nothing_else() {
    let calls = Calls::default();
    let (world, rows) = known(Box::new(Asked { view: MemoryView::new(), calls: calls.clone() }));
    let asked = |rows: &[RawRow]| {
        calls.take();
        assert_eq!(world.reconcile(rows), 0, "nothing is written");
        calls.take()
    };
    let a_page = BTreeMap::from([("digests", 1), ("ignored_len", 1), ("meta", 1)]);
    assert_eq!(asked(&rows[..100]), a_page);
    assert_eq!(asked(&rows), a_page, "no body, no recent past, no journal, however many records there are");
}

#[test]
fn unchanged_records_allocate_nothing_each() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, mirror, most) in [
        ("MemoryView", Box::new(MemoryView::new()) as Box<dyn Mirror>, 0),
        // A page of the file is shared when it is entered, which some sixty rows have in common.
        ("Store", Box::new(on_file(&folder)), N as u64 / 20),
    ] {
        let (world, rows) = known(mirror);
        let of = |rows: &[RawRow]| allocated(|| assert_eq!(world.reconcile(rows), 0));
        of(&rows);
        let (half, all) = (of(&rows[..N / 2]), of(&rows));
        assert!(all <= half + most, "{name}: {half} for {}, {all} for {N} records", N / 2);
    }
}

#[test]
fn an_unchanged_record_costs_at_most_48_bytes_of_reads() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("counts.redb");
    let (world, _) = known(Box::new(on_file(&folder)));
    drop(world);
    let stats = Store::open(&path, &OpenOptions::default()).expect("ours").stats().expect("readable");
    let digests = stats.tables.iter().find(|table| table.name.starts_with("digests")).expect("a table");
    assert_eq!(digests.rows, 2 * N as u64, "both systems");
    let bytes = digests.stored_bytes as f64 / digests.rows as f64;
    assert!(bytes <= 48.0, "{bytes} bytes a row");
}
