//! The workload, and a measure that takes turns.
#![allow(dead_code)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};
use syncline::engine::{Cause, Change, DigestRow, Happening, JournalEntry, KeyHolder, Run};
use syncline::model::*;

pub const ENTITY: EntityId = EntityId(0x7065_7273);
pub const HUBSPOT: SystemId = SystemId(0x6875_6273);
pub const CONTACTS: ObjectId = ObjectId(0x636f_6e74);
pub const FIELDS: u32 = 20;
pub const PAGE: usize = 100;

/// Is this a trial run (`cargo test`), which only has to get through?
pub fn trial() -> bool {
    let mut args = std::env::args();
    args.any(|arg| arg == "--test") || !std::env::args().any(|arg| arg == "--bench")
}

/// Numbers of records: `SYNCLINE_BENCH_RECORDS=10000,100000`.
pub fn sizes() -> Vec<usize> {
    if trial() {
        return vec![300];
    }
    let sizes = std::env::var("SYNCLINE_BENCH_RECORDS").unwrap_or_else(|_| "10000,100000".into());
    sizes.split(',').map(|size| size.trim().parse().expect("SYNCLINE_BENCH_RECORDS is a list of numbers")).collect()
}

/// A field of a record, of about 29 bytes on average; any version of any field can be made on its own.
pub fn field(record: u64, field: u32, version: u64) -> String {
    let mut state = record.wrapping_mul(31).wrapping_add(u64::from(field)).wrapping_mul(31).wrapping_add(version);
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    const WORDS: [&str; 16] = [
        "Ann",
        "Bergström",
        "street",
        "quarter",
        "the",
        "sales",
        "of",
        "with",
        "Zürich",
        "lead",
        "open",
        "meeting",
        "invoice",
        "north",
        "director",
        "call",
    ];
    match field {
        0 => format!("{}", 51_000_000_000 + 7 * record),
        1 => format!("ann.{:x}@example{}.com", next(), next() % 100),
        2 | 3 => format!("+1415{:07}", next() % 10_000_000),
        4 => "United States".into(),
        5 => ["lead", "subscriber", "customer", "opportunity"][(next() % 4) as usize].into(),
        6 | 7 => format!("2026-03-{:02}T10:{:02}:00.{:03}Z", 1 + next() % 28, next() % 60, next() % 1000),
        8 => {
            let words: Vec<_> = (0..34).map(|_| WORDS[(next() % 16) as usize]).collect();
            words.join(" ")
        }
        9 => format!("https://www.example.com/{:x}?q={}", next(), next() % 1000),
        _ => format!("{} {} {}", WORDS[(next() % 16) as usize], WORDS[(next() % 16) as usize], next() % 1000),
    }
}

pub fn remote(record: u64) -> RemoteId {
    RemoteId::parse(&format!("{}", 51_000_000_000 + 7 * record)).expect("digits")
}

pub fn remote_key(record: u64) -> RemoteKey {
    RemoteKey { entity: ENTITY, system: HUBSPOT, object: CONTACTS, remote: remote(record) }
}

/// A page of a HubSpot listing: records `from` to `from + PAGE`, cut off at `n`.
pub fn page(from: usize, n: usize) -> Vec<u8> {
    let mut out = String::from("{\"results\":[");
    for record in from..n.min(from + PAGE) {
        if record > from {
            out.push(',');
        }
        out.push_str(&format!("{{\"id\":\"{}\",\"properties\":{{", remote(record as u64)));
        for number in 0..FIELDS {
            let comma = if number == 0 { "" } else { "," };
            out.push_str(&format!("{comma}\"property_{number}\":\"{}\"", field(record as u64, number, 0)));
        }
        out.push_str("},\"updatedAt\":\"2026-03-01T10:00:00.000Z\",\"archived\":false}");
    }
    out.push_str("]}");
    out.into_bytes()
}

pub fn pages(n: usize) -> Vec<Vec<u8>> {
    (0..n).step_by(PAGE).map(|from| page(from, n)).collect()
}

/// A mirrored record; `version` is that of its first ten fields.
pub fn record(number: u64, version: u64) -> Record {
    let key = remote_key(number);
    let mut record = Record::new(RecordId::derive(&key), ENTITY);
    for id in 0..FIELDS {
        let version = if id < 10 { version } else { 0 };
        let stamp = Stamp { hlc: Hlc::at(Millis(1_772_359_200_000)), origin: Origin::System(HUBSPOT) };
        record.set(FieldId(id), Value::Text(field(number, id, version).into()), stamp);
    }
    record.put_side(Side {
        system: HUBSPOT,
        object: CONTACTS,
        remote: key.remote,
        state: SideState::Live,
        settled: Place::at(Millis(1_772_359_200_000)),
        made: Millis::MIN,
        unbased: vec![],
        differs: vec![],
    });
    record
}

/// What mirroring a record for the first time writes.
pub fn mirrored(number: u64) -> Vec<Change> {
    let record = record(number, 0);
    let key = remote_key(number);
    let holder = KeyHolder { system: HUBSPOT, record: record.id };
    let digest = DigestRow { raw: RawDigest(number), canonical: None };
    vec![
        Change::SetDigest(key.clone(), Some(digest)),
        Change::SetIndex(key, Some(record.id)),
        Change::AddKey(ENTITY, field(number, 1, 0).into_bytes(), holder),
        Change::PutRecord(Arc::new(record)),
    ]
}

/// What an edit of a record writes.
pub fn edited(number: u64, version: u64) -> Vec<Change> {
    let record = record(number, version);
    let digest = DigestRow { raw: RawDigest(version), canonical: None };
    let entry = JournalEntry {
        at: Millis(0),
        run: Run(1),
        cause: Cause::Poll,
        entity: Some(ENTITY),
        record: Some(record.id),
        what: Happening::Value {
            field: FieldId(1),
            from: Value::Text(field(number, 1, version - 1).into()),
            to: Value::Text(field(number, 1, version).into()),
            stamp: Stamp::ZERO,
            system: HUBSPOT,
            place: Place::at(Millis(0)),
            rule: None,
            who: None,
        },
    };
    vec![
        Change::PutRecord(Arc::new(record)),
        Change::SetDigest(remote_key(number), Some(digest)),
        Change::Journal(Box::new(entry)),
    ]
}

/// Something to measure: its name, how many records one run goes through, and the run.
pub type Worker<'a> = (&'a str, usize, &'a mut dyn FnMut());

/// Runs the workers in turns, so that a noisy machine is noisy for all of them, and prints what each cost beside the
/// first. Cells are the minimum, median and maximum over the rounds; cpu is the time of this thread, kernel included.
pub fn turns(title: &str, rounds: usize, workers: &mut [Worker<'_>]) {
    let timed = |work: &mut dyn FnMut(), repeats: u32| {
        let (cpu, wall) = (cpu(), Instant::now());
        (0..repeats).for_each(|_| work());
        (self::cpu().saturating_sub(cpu), wall.elapsed())
    };
    let mut workers: Vec<(&str, usize, Box<Timed<'_>>)> = workers
        .iter_mut()
        .map(|(name, records, work)| {
            (*name, *records, Box::new(move |repeats| timed(*work, repeats)) as Box<Timed<'_>>)
        })
        .collect();
    timed_turns(title, rounds, &mut workers);
}

/// So many runs of a worker that has something to do between them: the time of this thread and the time that passed, of
/// the runs alone.
pub type Timed<'a> = dyn FnMut(u32) -> (Duration, Duration) + 'a;

/// As [`turns`], with workers that take their time themselves.
pub fn timed_turns(title: &str, rounds: usize, workers: &mut [(&str, usize, Box<Timed<'_>>)]) {
    // The first run warms up, and says how many make the clock's step of some milliseconds small.
    let repeats: Vec<u32> = workers
        .iter_mut()
        .map(|(_, _, work)| {
            let (_, wall) = work(1);
            (TURN.as_nanos() / wall.as_nanos().max(1)).clamp(1, 1000) as u32
        })
        .collect();
    if trial() {
        return;
    }
    let mut costs: Vec<Vec<(f64, f64)>> = vec![Vec::new(); workers.len()];
    for _ in 0..rounds {
        for (((_, records, work), costs), &repeats) in workers.iter_mut().zip(&mut costs).zip(&repeats) {
            let (cpu, wall) = work(repeats);
            let records = f64::from(repeats) * *records as f64;
            costs.push((cpu.as_secs_f64() / records, wall.as_secs_f64() / records));
        }
    }
    println!("\n{title}, {rounds} turns");
    for ((name, ..), own) in workers.iter().zip(&costs) {
        let cpu = spread(own.iter().map(|(cpu, _)| 0.001 / cpu));
        let wall = spread(own.iter().map(|(_, wall)| 0.001 / wall));
        let share = spread(own.iter().zip(&costs[0]).map(|(own, first)| first.0 / own.0));
        let passed = spread(own.iter().zip(&costs[0]).map(|(own, first)| first.1 / own.1));
        println!("  {name:<42} cpu {cpu:>22} k/s   wall {wall:>22} k/s   of the first {share} cpu, {passed} wall");
    }
}

const TURN: Duration = Duration::from_millis(200);

fn spread(values: impl Iterator<Item = f64>) -> String {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let show = |value: f64| if value < 10.0 { format!("{value:.2}") } else { format!("{value:.0}") };
    format!("{} / {} / {}", show(values[0]), show(values[values.len() / 2]), show(values[values.len() - 1]))
}

/// Processor time of this thread; where the system does not tell, the time that passed.
pub fn cpu() -> Duration {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = told.and_then(|text| text.split(' ').next()?.parse().ok());
    nanos.map_or_else(|| START.get_or_init(Instant::now).elapsed(), Duration::from_nanos)
}

/// Keeps work from being optimised away, and different kinds of work comparable.
pub fn sum(value: u64, into: &mut u64) {
    *into = black_box(into.wrapping_add(value));
}
