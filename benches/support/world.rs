//! The real engine over a mirror, and the two systems that it shows.
#![allow(dead_code)]

use crate::json;
use crate::support::{self, FIELDS, PAGE, cpu, remote, sum};
use std::time::{Duration, Instant};
use syncline::engine::{
    Answer, Answers, Change, Clocks, Effect, Happening, Input, MemoryView, PageRows, Pass, Step, View, mirror_records,
    root, step,
};
use syncline::model::*;
use syncline::rules::{CreateSpec, EntitySpec, FieldSpec, LinkSpec, Rules};
use syncline::store::{FoundRoot, OpenOptions, Stats, Store, Stored};

pub fn home(system: &str) -> Home {
    Home::of(system, if system == "crm" { "contacts" } else { "Contact" })
}

pub const BACKFILL_PAGE: usize = 1_000;
pub const CHANGES: usize = 3;
pub const SYSTEMS: [&str; 2] = ["crm", "desk"];

pub fn rules() -> Rules {
    // Nothing is read before it is written over: rivals write only.
    let ability = Ability { stray_ms: 0, read_first: false, ..Ability::of(SourceKind::Polled) };
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
pub trait Mirror: View {
    fn commit(&mut self, changes: &[Change]);

    /// Its size, where it has one, once it was closed: an open file has room to grow.
    fn sizes(&mut self) -> Option<Stats> {
        None
    }

    /// Gives back what it does not need.
    fn compact(&mut self) {}

    /// The root of its records, from all of them or from what was kept of the last one, where it keeps any.
    fn find_root(&self, _: EntityId, _whole: bool) -> Option<FoundRoot> {
        None
    }

    /// Keeps it.
    fn keep_root(&self, _: FoundRoot) {}
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

    fn sizes(&mut self) -> Option<Stats> {
        let path = self.path()?.to_owned();
        let open = std::mem::replace(self, Store::in_memory(Millis(0)).expect("memory"));
        open.close().expect("closed");
        *self = Store::open(path, &OpenOptions::default()).expect("ours");
        Some(self.stats().expect("readable"))
    }

    fn compact(&mut self) {
        Store::compact(self).expect("compacted");
    }

    fn find_root(&self, entity: EntityId, whole: bool) -> Option<FoundRoot> {
        Some(self.snapshot().expect("readable").root(entity, whole).expect("readable"))
    }

    fn keep_root(&self, found: FoundRoot) {
        self.keep_roots(&[found]).expect("written");
    }
}

/// Rows as a connector gives them: digests first, values where they are asked for.
pub struct Rows {
    rows: Vec<RawRow>,
    values: Vec<Vec<Raw>>,
}

impl RowDecoder for Rows {
    fn decode(&self, index: usize) -> Result<Vec<Raw>, String> {
        Ok(self.values[index].clone())
    }
}

/// What people do: in each round they change three fields of every tenth record in one system.
#[derive(Clone)]
pub struct Edits {
    /// Version of each field of each record, equal in both systems once a round is over.
    pub versions: Vec<[u32; FIELDS as usize]>,
    /// Rounds so far.
    pub rounds: u64,
    /// Records that were changed in the last one.
    pub last: usize,
}

/// A record, and the fields that were changed in it.
pub type Edited = (usize, [u32; CHANGES]);

impl Edits {
    pub fn of(n: usize) -> Self {
        Self { versions: vec![[0; FIELDS as usize]; n], rounds: 0, last: 0 }
    }

    /// The next round, of at most so many records.
    pub fn next(&mut self, most: usize) -> Vec<Edited> {
        self.rounds += 1;
        let numbers = ((self.rounds as usize % 10)..self.versions.len()).step_by(10).take(most);
        let mut edited = Vec::new();
        for number in numbers {
            let field = |change| EDITED[(self.rounds as usize + number + 5 * change) % EDITED.len()];
            let fields = std::array::from_fn(field);
            for field in fields {
                self.versions[number][field as usize] = self.rounds as u32;
            }
            edited.push((number, fields));
        }
        self.last = edited.len();
        edited
    }

    pub fn value(&self, number: usize, field: u32) -> String {
        field_at(number, field, &self.versions[number])
    }
}

/// A mirror, and the two systems that it shows.
pub struct World {
    pub mirror: Box<dyn Mirror>,
    rules: Rules,
    /// Numbers of the fields, in the order in which the rules have them.
    order: Vec<u32>,
    pub edits: Edits,
    now: Millis,
    pages: u64,
}

impl World {
    /// Both systems hold the same `n` records, of which nothing is known yet.
    pub fn unread(mirror: Box<dyn Mirror>, n: usize) -> Self {
        let rules = rules();
        let number = |name: &str| name.rsplit('_').next().and_then(|number| number.parse().ok()).expect("a number");
        let order = rules.entities[0].fields.iter().map(|field| number(&field.name)).collect();
        Self { mirror, rules, order, edits: Edits::of(n), now: Millis(1_772_359_200_000), pages: 0 }
    }

    /// Both systems hold the same `n` records; they are mirrored and linked.
    pub fn new(mirror: Box<dyn Mirror>, n: usize) -> Self {
        let mut world = Self::unread(mirror, n);
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

    pub fn entity(&self) -> EntityId {
        self.rules.entities[0].id
    }

    /// What a listing shows of some records now.
    pub fn rows(&self, numbers: &[usize]) -> Rows {
        let mut page = Rows { rows: Vec::new(), values: Vec::new() };
        for &number in numbers {
            let versions = &self.edits.versions[number];
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
            page.values.push(self.order.iter().map(|field| Raw::Text(value(field).into())).collect());
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
    pub fn read(&mut self, system: &str, pass: Pass, pages: &[Rows], mut each: impl FnMut(&Step)) {
        let timing = Timing { sent: self.now, offset: ClockOffset { low: 0, high: 0 } };
        for (at, page) in pages.iter().enumerate() {
            self.pages += 1;
            let input = Input::Page(PageRows {
                entity: self.entity(),
                home: home(system),
                pass,
                rows: &page.rows,
                decoder: page,
                timing,
                // As the driver has it: where the listing goes on is committed with its page.
                cursor: Some((format!("list/{system}"), self.pages.to_be_bytes().to_vec())),
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

    /// People change fields in one system: the records, and the pages that will show it.
    pub fn edit(&mut self, page: usize, most: usize) -> (Vec<usize>, Vec<Rows>) {
        let numbers: Vec<usize> = self.edits.next(most).into_iter().map(|(number, _)| number).collect();
        self.now = self.now.plus(20_000);
        let pages = numbers.chunks(page).map(|numbers| self.rows(numbers)).collect();
        (numbers, pages)
    }

    /// The other system shows what was merged, and what was kept for that is forgotten.
    pub fn settle(&mut self, numbers: &[usize]) {
        self.read_back(numbers);
        let entity = self.entity();
        assert_eq!(self.mirror.lately_scan(entity, None, 1).map(|ids| ids.len()), Ok(0), "nothing is kept");
    }

    /// The other system shows what was merged.
    pub fn read_back(&mut self, numbers: &[usize]) {
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
    }

    /// Rounds of changes: the time that merging them and committing takes, without what leads up to it and follows.
    pub fn rounds(&mut self, rounds: u32, page: usize) -> (Duration, Duration) {
        let mut took = (Duration::ZERO, Duration::ZERO);
        for _ in 0..rounds {
            let (numbers, pages) = self.edit(page, usize::MAX);
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
    pub fn counted(&mut self, page: usize) -> usize {
        let (numbers, pages) = self.edit(page, usize::MAX);
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
    pub fn digest(&self) -> Digest {
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

    /// Digest of the values that are mirrored, in the order of records and fields: comparable with other kinds of mirrors.
    pub fn values(&self) -> Digest {
        let n = self.edits.versions.len();
        let mut values: Vec<Vec<String>> = vec![Vec::new(); n];
        let records = self.mirror.record_scan(self.entity(), None, n + 1).expect("readable");
        assert_eq!(records.len(), n);
        let digits = |remote: &RemoteId| remote.as_str().parse::<u64>().expect("digits");
        let first = digits(&remote(0));
        for record in &records {
            let number = (digits(&record.sides[0].remote) - first) / 7;
            let own = &mut values[number as usize];
            own.resize(FIELDS as usize, String::new());
            for (field, number) in self.rules.entities[0].fields.iter().zip(&self.order) {
                match record.register(field.id).map(|register| &register.val) {
                    Some(Value::Text(text)) => own[*number as usize] = text.to_string(),
                    other => panic!("no text: {other:?}"),
                }
            }
        }
        values_digest(values.into_iter().flatten())
    }

    /// A first reading of JSON pages of one system, so many rows a step and a commit: parsed, mirrored, indexed, journaled.
    pub fn backfill(&mut self, pages: &[Vec<u8>], rows: usize) {
        let a_commit = (rows / PAGE).max(1);
        for (at, group) in pages.chunks(a_commit).enumerate() {
            self.backfill_pages("crm", at, group, (at + 1) * a_commit >= pages.len());
        }
    }

    /// As [`Self::backfill`], with a thread that parses and hashes beside the one that decides and writes, as the daemon has it.
    pub fn backfill_beside(&mut self, pages: &[Vec<u8>], rows: usize) {
        let a_commit = (rows / PAGE).max(1);
        let (order, modified) = (self.order.clone(), self.now.plus(-500));
        let groups = pages.chunks(a_commit);
        let last = groups.len() - 1;
        std::thread::scope(|scope| {
            let (parsed, next) = std::sync::mpsc::sync_channel(2);
            let order = &order;
            scope.spawn(move || {
                for group in groups {
                    let mut listed = Listed { rows: Vec::new(), spans: Vec::new(), order };
                    group.iter().for_each(|page| listed.parse(page, modified));
                    parsed.send(listed).expect("somebody writes");
                }
            });
            for (at, listed) in next.iter().enumerate() {
                self.backfill_listed("crm", at, &listed, at == last);
            }
        });
    }

    /// As [`Self::backfill`], of pages that are made when they are wanted: all of them would be as large as the store.
    pub fn backfill_made(&mut self, system: &str, pages: usize, rows: usize, make: impl Fn(usize) -> Vec<u8>) {
        let a_commit = (rows / PAGE).max(1);
        for (at, from) in (0..pages).step_by(a_commit).enumerate() {
            let to = pages.min(from + a_commit);
            let group: Vec<Vec<u8>> = (from..to).map(&make).collect();
            self.backfill_pages(system, at, &group, to == pages);
        }
        self.now = self.now.plus(1_000);
    }

    fn backfill_pages(&mut self, system: &str, at: usize, group: &[Vec<u8>], last: bool) {
        let order = std::mem::take(&mut self.order);
        let mut listed = Listed { rows: Vec::new(), spans: Vec::new(), order: &order };
        group.iter().for_each(|page| listed.parse(page, self.now.plus(-500)));
        self.backfill_listed(system, at, &listed, last);
        self.order = order;
    }

    fn backfill_listed(&mut self, system: &str, at: usize, listed: &Listed<'_>, last: bool) {
        let timing = Timing { sent: self.now, offset: ClockOffset { low: 0, high: 0 } };
        let input = Input::Page(PageRows {
            entity: self.entity(),
            home: home(system),
            pass: Pass::Backfill,
            rows: &listed.rows,
            decoder: listed,
            timing,
            cursor: Some((format!("list/{system}"), (at as u64).to_be_bytes().to_vec())),
            complete: last.then_some(timing),
        });
        let clocks = Clocks { now: self.now, offsets: Vec::new() };
        let step = step(&self.rules, &*self.mirror, &clocks, input).expect("readable");
        self.mirror.commit(&step.changes);
    }

    /// Links what both systems hold.
    pub fn link(&mut self) {
        let entity = self.entity();
        self.walk(|after| Input::Link { entity, after, create: false, limit: BACKFILL_PAGE });
        self.settle(&[]);
    }

    /// What is to be written is built, sent, and answered; how many records that were. Nothing is read back yet.
    pub fn send(&mut self) -> usize {
        let (entity, system) = (self.entity(), SystemId::of("desk"));
        let mut sent = 0;
        loop {
            let step = self.step(Input::Work { entity, system, create: false });
            let mut answers = Vec::new();
            for effect in step.effects {
                // What is to be read back is, when it is settled.
                let Effect::Write { items, .. } = effect else { continue };
                answers.extend(items.into_iter().map(|(record, item)| {
                    let Target::Update(remote) = item.target.clone() else { panic!("an update: {item:?}") };
                    Answer::of(record, &item, Outcome::Done { remote, created: Some(false) })
                }));
            }
            if answers.is_empty() {
                return sent;
            }
            sent += answers.len();
            self.step(Input::Answers(Answers { entity, system, answers }));
        }
    }

    /// What is owed, from the mirror alone: the rows of what is due, and in their bodies the fields that differ. How many records that
    /// are; no write is built.
    pub fn owed(&self) -> usize {
        let (entity, mut owed) = (self.entity(), 0);
        for system in SYSTEMS.map(SystemId::of) {
            let due = self.mirror.outbox_due(system, entity, self.now, usize::MAX).expect("readable");
            for (record, row) in due {
                let body = self.mirror.record(entity, record).expect("readable").expect("mirrored");
                let side = body.side(system).expect("linked");
                let fields = side.differs.iter().filter(|differs| differs.apart.is_none());
                owed += usize::from(row.flying.is_none() && fields.count() == CHANGES);
            }
        }
        owed
    }

    /// The root digest of the mirror.
    pub fn root(&self) -> Digest {
        let all = mirror_records(&*self.mirror, self.entity());
        root(all).expect("readable").digest()
    }

    /// As [`Self::root`], from all records or from those that have moved since one was kept.
    pub fn find_root(&self, whole: bool) -> FoundRoot {
        let found = self.mirror.find_root(self.entity(), whole).expect("a store");
        assert_eq!(found.whole, whole);
        found
    }

    /// Reads all bodies; how many there are.
    pub fn scan(&self) -> usize {
        let (mut after, mut count) = (None, 0);
        loop {
            let records = self.mirror.record_scan(self.entity(), after, BACKFILL_PAGE).expect("readable");
            count += records.len();
            after = records.last().map(|record| record.id);
            if records.len() < BACKFILL_PAGE {
                return count;
            }
        }
    }

    /// The bodies of all records, as they are stored: keys and values, ascending.
    pub fn bodies(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let entity = self.entity();
        let body = |record: Record| {
            let mut bytes = Vec::new();
            let key = [&entity.0.to_be_bytes()[..], &record.id.0].concat();
            Body::from(record).put(&mut bytes);
            (key, bytes)
        };
        let records = self.mirror.record_scan(entity, None, usize::MAX).expect("readable");
        records.into_iter().map(body).collect()
    }

    /// The rows of JSON pages, as a connector makes them.
    pub fn listed(&self, pages: &[Vec<u8>], mut each: impl FnMut(Vec<RawRow>)) {
        let mut batch = RawBatch::default();
        for page in pages {
            let mut rows = Vec::with_capacity(PAGE);
            json::raw_together(page, &mut batch, |id, raw| {
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
    pub fn learn(&mut self, pages: &[Vec<u8>]) {
        let mut all = Vec::new();
        self.listed(pages, |rows| all.extend(rows));
        let numbers: Vec<usize> = (0..self.edits.versions.len()).collect();
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
    pub fn reconcile(&self, rows: &[RawRow]) -> usize {
        let clocks = Clocks { now: self.now, offsets: Vec::new() };
        let step = step(&self.rules, &*self.mirror, &clocks, self.unchanged(rows, &Undecoded)).expect("readable");
        step.changes.len() + step.notices.len()
    }

    /// A full read in which nothing changed.
    pub fn reconcile_all(&self, pages: &[Vec<u8>]) {
        self.listed(pages, |rows| assert_eq!(self.reconcile(&rows), 0));
    }
}

/// Rows of JSON pages, decoded where they are asked for.
struct Listed<'a> {
    rows: Vec<RawRow>,
    spans: Vec<&'a str>,
    order: &'a [u32],
}

impl<'a> Listed<'a> {
    fn parse(&mut self, page: &'a [u8], modified: Millis) {
        let (from, mut batch) = (self.rows.len(), RawBatch::default());
        json::spans(page, |id, span| {
            let remote = RemoteId::parse(&id.0).expect("digits");
            batch.push(|out| out.extend_from_slice(span.as_bytes()));
            self.rows.push(RawRow { remote, modified, mark: Mark::Unknown, who: None, raw: RawDigest(0) });
            self.spans.push(span);
        });
        self.rows[from..].iter_mut().zip(batch.digests()).for_each(|(row, raw)| row.raw = raw);
    }
}

impl RowDecoder for Listed<'_> {
    fn decode(&self, index: usize) -> Result<Vec<Raw>, String> {
        let mut values = json::properties(self.spans[index]);
        let mut value = |field: &u32| Raw::Text(std::mem::take(&mut values[*field as usize]).into());
        Ok(self.order.iter().map(&mut value).collect())
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

/// Digest of the values of all records, field by field.
pub fn values_digest(values: impl Iterator<Item = String>) -> Digest {
    let mut hasher = blake3::Hasher::new();
    for value in values {
        hasher.update(&(value.len() as u64).to_le_bytes());
        hasher.update(value.as_bytes());
    }
    Digest::of_bytes(hasher.finalize().as_bytes())
}

pub fn field_at(number: usize, field: u32, versions: &[u32; FIELDS as usize]) -> String {
    support::field(number as u64, field, u64::from(versions[field as usize]))
}
