//! Remote changes through the real engine: how many field changes are merged a second, and what does a full read cost in
//! which nothing changed?
//!
//! `cargo bench --no-default-features --features wire --bench merge`, sizes by `SYNCLINE_BENCH_RECORDS`.

#[path = "support/json.rs"]
mod json;
mod support;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use json::*;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use support::*;
use syncline::engine::{Change, Clocks, Happening, Input, MemoryView, PageRows, Pass, Step, View, step};
use syncline::model::*;
use syncline::rules::{CreateSpec, EntitySpec, FieldSpec, LinkSpec, Rules};
use syncline::store::{OpenOptions, Store};

fn home(system: &str) -> Home {
    Home::of(system, if system == "crm" { "contacts" } else { "Contact" })
}

const BACKFILL_PAGE: usize = 1_000;
const CHANGES: usize = 3;
const SYSTEMS: [&str; 2] = ["crm", "desk"];

fn rules() -> Rules {
    let batch = BatchLimits { read: 100, read_history: 50, write: 100 };
    let source = SourceKind::Polled;
    let ability = Ability {
        source,
        resolution_ms: 1,
        stray_ms: 0,
        lag_ms: 0,
        batch,
        creates: Some(Creates::Upsert),
        lookups: None,
    };
    let mut person = EntitySpec::new("person").at("crm", "contacts").at("desk", "Contact");
    for number in 0..FIELDS {
        let name = format!("property_{number}");
        let field = FieldSpec::new(&name, FieldKind::Text).at("crm", &name).at("desk", &name);
        person = person.field(field);
    }
    let person = person.match_by("property_1").create(CreateSpec::Nowhere);
    let rules = Rules::builder().on_link(LinkSpec::Prefer("desk".into())).entity(person);
    rules.system("crm", ability.clone()).system("desk", ability).build().expect("sound rules")
}

/// Where a mirror lives.
trait Mirror: View {
    fn commit(&mut self, changes: &[Change]);
}

impl Mirror for MemoryView {
    fn commit(&mut self, changes: &[Change]) {
        self.apply(changes);
    }
}

impl Mirror for Store {
    fn commit(&mut self, changes: &[Change]) {
        self.apply(changes).expect("written");
    }
}

/// Rows as a connector gives them: digests first, values where they are asked for.
struct Rows {
    rows: Vec<RawRow>,
    values: Vec<Vec<Raw>>,
}

impl RowDecoder for Rows {
    fn decode(&self, index: usize) -> Result<Vec<Raw>, String> {
        Ok(self.values[index].clone())
    }
}

/// A mirror, and the two systems that it shows.
struct World {
    mirror: Box<dyn Mirror>,
    rules: Rules,
    /// Numbers of the fields, in the order in which the rules have them.
    order: Vec<u32>,
    /// Version of each field of each record, equal in both systems once a round is over.
    versions: Vec<[u32; FIELDS as usize]>,
    rounds: u64,
    now: Millis,
}

impl World {
    /// Both systems hold the same `n` records; they are mirrored and linked.
    fn new(mirror: Box<dyn Mirror>, n: usize) -> Self {
        let rules = rules();
        let number = |name: &str| name.rsplit('_').next().and_then(|number| number.parse().ok()).expect("a number");
        let order = rules.entities[0].fields.iter().map(|field| number(&field.name)).collect();
        let versions = vec![[0; FIELDS as usize]; n];
        let mut world = Self { mirror, rules, order, versions, rounds: 0, now: Millis(1_772_359_200_000) };
        let all: Vec<usize> = (0..n).collect();
        for system in SYSTEMS {
            let pages: Vec<Rows> = all.chunks(BACKFILL_PAGE).map(|numbers| world.rows(numbers)).collect();
            world.read(system, Pass::Backfill, &pages, |_| ());
            world.now = world.now.plus(1_000);
        }
        let entity = world.entity();
        world.walk(|after| Input::Link { entity, after, create: false, limit: BACKFILL_PAGE });
        world.settle(&[]);
        assert_eq!(world.mirror.record_scan(entity, None, n + 1).map(|records| records.len()), Ok(n), "all are linked");
        world
    }

    fn entity(&self) -> EntityId {
        self.rules.entities[0].id
    }

    /// What a listing shows of some records now.
    fn rows(&self, numbers: &[usize]) -> Rows {
        let mut page = Rows { rows: Vec::new(), values: Vec::new() };
        for &number in numbers {
            let versions = &self.versions[number];
            let value = |field: &u32| field_at(number, *field, versions);
            let bytes: Vec<u8> = [number as u32].iter().chain(versions).flat_map(|part| part.to_le_bytes()).collect();
            let (remote, modified) = (remote(number as u64), self.now.plus(-500));
            page.rows.push(RawRow {
                remote,
                modified,
                mark: Mark::Unknown,
                who: None,
                raw: RawDigest::of_bytes(&bytes),
            });
            page.values.push(self.order.iter().map(|field| Raw::Text(value(field))).collect());
        }
        page
    }

    fn step(&mut self, input: Input<'_>) -> Step {
        let clocks = Clocks { now: self.now, offsets: Vec::new() };
        let step = step(&self.rules, &*self.mirror, &clocks, input).expect("readable");
        self.mirror.commit(&step.changes);
        step
    }

    /// A pass over a system: one step and one commit a page.
    fn read(&mut self, system: &str, pass: Pass, pages: &[Rows], mut each: impl FnMut(&Step)) {
        let timing = Timing { sent: self.now, offset: ClockOffset { low: 0, high: 0 } };
        for (at, page) in pages.iter().enumerate() {
            let input = Input::Page(PageRows {
                entity: self.entity(),
                home: home(system),
                pass,
                rows: &page.rows,
                decoder: page,
                timing,
                cursor: None,
                complete: (at + 1 == pages.len()).then_some(timing),
            });
            each(&self.step(input));
        }
    }

    fn walk<'a>(&mut self, input: impl Fn(Option<RecordId>) -> Input<'a>) {
        let mut after = None;
        loop {
            after = self.step(input(after)).next;
            if after.is_none() {
                return;
            }
        }
    }

    /// People change three fields of every tenth record in one system: the pages that will show it.
    fn edit(&mut self, page: usize) -> (Vec<usize>, Vec<Rows>) {
        self.rounds += 1;
        let numbers: Vec<usize> = ((self.rounds as usize % 10)..self.versions.len()).step_by(10).collect();
        for &number in &numbers {
            for change in 0..CHANGES {
                let field = EDITED[(self.rounds as usize + number + 5 * change) % EDITED.len()];
                self.versions[number][field as usize] = self.rounds as u32;
            }
        }
        self.now = self.now.plus(20_000);
        let pages = numbers.chunks(page).map(|numbers| self.rows(numbers)).collect();
        (numbers, pages)
    }

    /// The other system shows what was merged, and what was kept for that is forgotten.
    fn settle(&mut self, numbers: &[usize]) {
        self.now = self.now.plus(20_000);
        let pages: Vec<Rows> = numbers.chunks(BACKFILL_PAGE).map(|numbers| self.rows(numbers)).collect();
        self.read("desk", Pass::Changes, &pages, |_| ());
        // Both are read to beyond the moment in which they were seen to be equal.
        for system in SYSTEMS {
            self.now = self.now.plus(20_000);
            self.read(system, Pass::Changes, &[self.rows(&[])], |_| ());
        }
        let entity = self.entity();
        self.walk(|after| Input::Sweep { entity, after, limit: BACKFILL_PAGE });
        assert_eq!(self.mirror.outbox_len(entity), Ok(0), "both systems show the same");
        assert_eq!(self.mirror.lately_scan(entity, None, 1).map(|ids| ids.len()), Ok(0), "nothing is kept");
    }

    /// Rounds of changes: the time that merging them and committing takes, without what leads up to it and follows.
    fn rounds(&mut self, rounds: u32, page: usize) -> (Duration, Duration) {
        let mut took = (Duration::ZERO, Duration::ZERO);
        for _ in 0..rounds {
            let (numbers, pages) = self.edit(page);
            let (cpu, wall) = (cpu(), Instant::now());
            let mut changes = 0;
            self.read("crm", Pass::Changes, &pages, |step| sum(step.changes.len() as u64, &mut changes));
            took.1 += wall.elapsed();
            took.0 += support::cpu().saturating_sub(cpu);
            assert!(changes as usize > numbers.len());
            drop(pages);
            self.settle(&numbers);
        }
        took
    }

    /// One round in which every merge is counted.
    fn counted(&mut self, page: usize) -> usize {
        let (numbers, pages) = self.edit(page);
        let mut taken = 0;
        self.read("crm", Pass::Changes, &pages, |step| {
            let value = |change: &&Change| match change {
                Change::Journal(entry) => matches!(entry.what, Happening::Value { .. }),
                _ => false,
            };
            taken += step.changes.iter().filter(value).count();
        });
        let entity = self.entity();
        assert_eq!(self.mirror.outbox_len(entity), Ok(numbers.len() as u64), "every record is to be sent");
        self.settle(&numbers);
        taken
    }

    /// Digest of what is mirrored.
    fn digest(&self) -> Digest {
        let (mut hasher, mut after) = (blake3::Hasher::new(), None);
        loop {
            let records = self.mirror.record_scan(self.entity(), after, BACKFILL_PAGE).expect("readable");
            for record in &records {
                hasher.update(&record.id.0);
                hasher.update(&Digest::of_fields(record.registers.iter().map(|field| (field.field, &field.reg.val))).0);
            }
            after = records.last().map(|record| record.id);
            if records.len() < BACKFILL_PAGE {
                return Digest::of_bytes(hasher.finalize().as_bytes());
            }
        }
    }

    /// The rows of JSON pages, as a connector makes them.
    fn listed(&self, pages: &[Vec<u8>], mut each: impl FnMut(Vec<RawRow>)) {
        for page in pages {
            let mut rows = Vec::with_capacity(PAGE);
            raw(page, |id, raw| {
                rows.push(RawRow {
                    remote: RemoteId::parse(&id.0).expect("digits"),
                    modified: self.now,
                    mark: Mark::Unknown,
                    who: None,
                    raw,
                })
            });
            each(rows);
        }
    }

    /// The mirror learns the digests of these pages, which show nothing new.
    fn learn(&mut self, pages: &[Vec<u8>]) {
        let mut all = Vec::new();
        self.listed(pages, |rows| all.extend(rows));
        let numbers: Vec<usize> = (0..self.versions.len()).collect();
        for (rows, numbers) in all.chunks(BACKFILL_PAGE).zip(numbers.chunks(BACKFILL_PAGE)) {
            let page = Rows { rows: rows.to_vec(), ..self.rows(numbers) };
            let digests = |step: &Step| {
                let only = step.changes.iter().all(|c| matches!(c, Change::SetDigest(..) | Change::SetMeta(_)));
                assert!(only && step.changes.len() == rows.len() + 1, "nothing but digests");
            };
            let input = self.unchanged(&page.rows, &page);
            let clocks = Clocks { now: self.now, offsets: Vec::new() };
            let step = step(&self.rules, &*self.mirror, &clocks, input).expect("readable");
            digests(&step);
            self.mirror.commit(&step.changes);
        }
    }

    fn unchanged<'a>(&self, rows: &'a [RawRow], decoder: &'a dyn RowDecoder) -> Input<'a> {
        let timing = Timing { sent: self.now, offset: ClockOffset { low: 0, high: 0 } };
        let (entity, home) = (self.entity(), home("crm"));
        let (pass, cursor, complete) = (Pass::Changes, None, None);
        Input::Page(PageRows { entity, home, pass, rows, decoder, timing, cursor, complete })
    }

    /// A page in which nothing changed: changes, of which there are none.
    fn reconcile(&self, rows: &[RawRow]) -> usize {
        let clocks = Clocks { now: self.now, offsets: Vec::new() };
        let step = step(&self.rules, &*self.mirror, &clocks, self.unchanged(rows, &Undecoded)).expect("readable");
        step.changes.len() + step.notices.len()
    }

    /// A full read in which nothing changed.
    fn reconcile_all(&self, pages: &[Vec<u8>]) {
        self.listed(pages, |rows| assert_eq!(self.reconcile(&rows), 0));
    }
}

/// Nothing is decoded where the digests say all.
struct Undecoded;

impl RowDecoder for Undecoded {
    fn decode(&self, _: usize) -> Result<Vec<Raw>, String> {
        Err("a digest was not known".into())
    }
}

/// Fields that people edit: those of which two versions differ, without the match key and the long text.
const EDITED: [u32; 15] = [2, 3, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19];

fn field_at(number: usize, field: u32, versions: &[u32; FIELDS as usize]) -> String {
    support::field(number as u64, field, u64::from(versions[field as usize]))
}

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
        println!("  {name}: {} after {} rounds", world.digest(), world.rounds);
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
