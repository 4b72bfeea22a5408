//! What came out: as Markdown, or as JSON.

use crate::bulk::Through;
use crate::clock::{Cost, spread};
use crate::peer::{self, Disk, FIELDS, Peer};
use crate::world::Edits;
use serde::Serialize;
use std::fmt::Write;

#[derive(Serialize)]
pub struct Report {
    machine: Machine,
    versions: Vec<(&'static str, &'static str)>,
    records: usize,
    turns: usize,
    pub notes: Vec<String>,
    pub goals: Vec<Goal>,
    rates: Vec<Rate>,
    disks: Vec<DiskRow>,
    /// Digest of all values that each holds in the end.
    values: Vec<(&'static str, usize, String)>,
}

#[derive(Serialize)]
struct Machine {
    cpu: String,
    cores: usize,
    load: String,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    AtLeast,
    AtMost,
    Exactly,
}

#[derive(Serialize)]
pub struct Goal {
    pub goal: &'static str,
    what: String,
    against: &'static str,
    bound: Bound,
    limit: f64,
    aim: f64,
    measured: f64,
    met: bool,
    stored: String,
}

impl Goal {
    /// A goal against somebody, with its limit and what is aimed at.
    pub fn new(
        (goal, against): (&'static str, &'static str),
        what: impl Into<String>,
        bound: Bound,
        (limit, aim): (f64, f64),
        measured: f64,
        stored: impl Into<String>,
    ) -> Self {
        let met = match bound {
            Bound::AtLeast => measured >= limit,
            Bound::AtMost => measured <= limit,
            Bound::Exactly => measured == limit,
        };
        Self { goal, what: what.into(), against, bound, limit, aim, measured, met, stored: stored.into() }
    }

    /// How many times as fast as somebody.
    pub fn at_least(
        goal: &'static str,
        what: impl Into<String>,
        against: &'static str,
        limit: f64,
        aim: f64,
        measured: f64,
        stored: impl Into<String>,
    ) -> Self {
        Self::new((goal, against), what, Bound::AtLeast, (limit, aim), measured, stored)
    }
}

/// Thousands a second: lowest, middle and highest turn.
#[derive(Serialize)]
struct Rate {
    group: String,
    who: &'static str,
    records: usize,
    unit: &'static str,
    cpu: [f64; 3],
    wall: [f64; 3],
}

#[derive(Serialize)]
struct DiskRow {
    when: String,
    who: &'static str,
    /// Bytes a record: of its values, of the file without the journal, of the rows in it, of the journal.
    values: f64,
    state: f64,
    rows: f64,
    journal: f64,
    /// The largest tables: bytes a record of rows, and unused in their pages.
    tables: Vec<(String, f64, f64)>,
}

/// Of the lock file, so that nobody has to write it down.
fn version(name: &str) -> &'static str {
    let lock = include_str!("../Cargo.lock");
    let at = lock.find(&format!("name = \"{name}\"\n")).expect("a dependency");
    lock[at..].split('"').nth(3).expect("a version")
}

impl Report {
    pub fn new(records: usize, turns: usize) -> Self {
        let told = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let info = told("/proc/cpuinfo");
        let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
        let machine = Machine {
            cpu: model.unwrap_or(std::env::consts::ARCH).to_owned(),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            load: told("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned(),
        };
        let names = ["syncline", "redb", "rusqlite", "crdts", "yrs", "loro", "automerge"];
        let mut versions: Vec<_> = names.map(|name| (name, version(name))).into();
        versions.push(("SQLite", rusqlite::version()));
        let (notes, goals, rates, disks, values) = Default::default();
        Self { machine, versions, records, turns, notes, goals, rates, disks, values }
    }

    pub fn rates(&mut self, group: &str, unit: &'static str, records: usize, all: &[Through]) {
        for (who, costs) in all {
            let rate = |of: fn(&Cost) -> f64| spread(costs.iter().map(|cost| 0.001 / of(cost)));
            let (cpu, wall) = (rate(|cost| cost.cpu), rate(|cost| cost.wall));
            self.rates.push(Rate { group: group.to_owned(), who, records, unit, cpu, wall });
        }
    }

    /// Notes sizes; what the first one has without its journal, in value bytes.
    pub fn disk(&mut self, when: &str, n: usize, values: f64, sizes: &[(&'static str, Option<Disk>)]) -> f64 {
        let first = self.disks.len();
        for (who, disk) in sizes {
            if let Some(disk) = disk {
                let a_record = |bytes: u64| bytes as f64 / n as f64;
                let (state, journal) = (a_record(disk.all.saturating_sub(disk.journal)), a_record(disk.journal));
                let table =
                    |(name, rows, unused): &(String, u64, u64)| (name.clone(), a_record(*rows), a_record(*unused));
                let (rows, tables) = (a_record(disk.rows), disk.tables.iter().map(table).collect());
                self.disks.push(DiskRow { when: when.to_owned(), who, values, state, rows, journal, tables });
            }
        }
        self.disks[first].state / values
    }

    pub fn check(&mut self, peers: &mut [Box<dyn Peer>]) {
        let records: Vec<usize> = peers.iter().map(|peer| peer.edits().versions.len()).collect();
        let values = peer::check(peers).into_iter().zip(records);
        self.values.extend(values.map(|((who, digest), records)| (who, records, digest)));
    }

    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("plain data")
    }

    pub fn markdown(&self) -> String {
        let mut out = String::new();
        self.write(&mut out).expect("memory");
        out
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let Machine { cpu, cores, load } = &self.machine;
        let versions: Vec<String> = self.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
        writeln!(out, "{cpu}, {cores} cores, load {load} at the start; {} records of {FIELDS} fields,", self.records)?;
        writeln!(out, "{} turns in one process; ratios of processor time, the middle one of all turns.", self.turns)?;
        writeln!(out, "{}.", versions.join(", "))?;
        for note in &self.notes {
            writeln!(out, "{note}.")?;
        }
        writeln!(
            out,
            "Merges: Syncline gets whole rows and finds what changed; rivals get the changed fields, ready, unless it says \"whole rows in\"."
        )?;
        writeln!(out, "\n| goal | what | against | limit | aim | measured | | what was stored |")?;
        writeln!(out, "| --- | --- | --- | --- | --- | --- | --- | --- |")?;
        for goal in &self.goals {
            let sign = match goal.bound {
                Bound::AtLeast => "≥ ",
                Bound::AtMost => "≤ ",
                Bound::Exactly => "= ",
            };
            let met = if goal.met { "met" } else { "missed" };
            let Goal { goal: name, what, against, limit, aim, measured, stored, .. } = goal;
            writeln!(
                out,
                "| {name} | {what} | {against} | {sign}{limit} | {aim} | **{measured:.2}** | {met} | {stored} |"
            )?;
        }
        let show = |value: f64| if value < 10.0 { format!("{value:.2}") } else { format!("{value:.0}") };
        let cells = |[low, middle, high]: [f64; 3]| format!("{} / **{}** / {}", show(low), show(middle), show(high));
        let mut group = "";
        for rate in &self.rates {
            if rate.group != group {
                group = &rate.group;
                writeln!(out, "\n| {group} | records | k {} a second, cpu | wall |", rate.unit)?;
                writeln!(out, "| --- | --- | --- | --- |")?;
            }
            writeln!(out, "| {} | {} | {} | {} |", rate.who, rate.records, cells(rate.cpu), cells(rate.wall))?;
        }
        writeln!(out, "\n| bytes a record on disk | | values | file without journal | | rows in it | | journal |")?;
        writeln!(out, "| --- | --- | --- | --- | --- | --- | --- | --- |")?;
        for DiskRow { when, who, values, state, rows, journal, .. } in &self.disks {
            let (of_file, of_rows) = (state / values, rows / values);
            write!(out, "| {when} | {who} | {values:.0} | {state:.0} | {of_file:.2}x | {rows:.0} | {of_rows:.2}x |")?;
            writeln!(out, " {journal:.0} |")?;
        }
        writeln!(out, "\nThe largest tables, bytes a record (+ unused in their pages):\n")?;
        for DiskRow { when, who, tables, .. } in &self.disks {
            let show = |(name, rows, unused): &(String, f64, f64)| format!("{name} {rows:.0} (+ {unused:.0})");
            let tables: Vec<String> = tables.iter().map(show).collect();
            writeln!(out, "- {when}, {who}: {}", tables.join(", "))?;
        }
        writeln!(out, "\nValues in the end, each checked against what was edited:\n")?;
        for (who, records, digest) in &self.values {
            writeln!(out, "- {who}, {records} records: {digest}")?;
        }
        Ok(())
    }
}

/// Bytes of the values of a record.
pub fn value_bytes(edits: &Edits) -> f64 {
    let n = edits.versions.len();
    let record = |number| (0..FIELDS as u32).map(|field| edits.value(number, field).len()).sum::<usize>();
    (0..n).map(record).sum::<usize>() as f64 / n as f64
}
