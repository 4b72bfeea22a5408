//! The rivals in performance: the same work done by Syncline's engine, by SQLite, by registers and documents of other
//! libraries, by the bare database; in one run, in turns, with the same values in the end.
//!
//! `cargo run --release --manifest-path benches/peers/Cargo.toml [-- --json]`, size by `SYNCLINE_BENCH_RECORDS` (10,000),
//! with cr-sqlite where `SYNCLINE_CRSQLITE` names its extension.

mod bulk;
mod clock;
mod crsqlite;
mod documents;
mod engine;
#[path = "../../support/json.rs"]
mod json;
mod peer;
mod registers;
mod report;
mod rules;
mod sqlite;
#[path = "../../support/mod.rs"]
mod support;
#[path = "../../support/world.rs"]
mod world;

use clock::{Cost, ratio, ratio_of_wall};
use crsqlite::CrSqlite;
use documents::{Automerge, Documents, Loro, Yrs};
use engine::Engine;
use peer::Peer;
use registers::{Maps, Registers};
use report::{Bound, Goal, Report};
use rules::MergeRules;
use sqlite::{Feed, Layout, Sqlite};
use std::path::Path;
use syncline::engine::MemoryView;
use world::World;

const TURNS: usize = 5;
/// Documents cost up to 20 kB a record, on both sides; fewer records favour the rival.
const DOCUMENTS: usize = 5_000;
/// Records in a round of one a commit: each is a sync.
const SINGLE: usize = 1_000;
/// Rounds after which disks are looked at again, and their commits.
const ROUNDS: (usize, usize) = (10, 100);

fn main() {
    let json = std::env::args().any(|arg| arg == "--json");
    let records = std::env::var("SYNCLINE_BENCH_RECORDS").unwrap_or_else(|_| "10000".into());
    let n: usize = records.trim().parse().expect("SYNCLINE_BENCH_RECORDS is a number");
    assert!(n >= 100, "a round needs some records");
    let folder = tempfile::tempdir().expect("a folder");

    let mut report = Report::new(n, TURNS);
    loads(&mut report, folder.path(), n);
    durable(&mut report, folder.path(), n);
    in_memory(&mut report, n);
    report.goals.sort_by_key(|goal| goal.goal);
    if json {
        println!("{}", report.json());
    } else {
        println!("{}", report.markdown());
    }
}

/// What it is about, so that whoever waits knows.
fn tell(what: &str) {
    eprintln!("peers: {what}");
}

fn loads(report: &mut Report, folder: &Path, n: usize) {
    tell("first readings");
    let loads = bulk::loads(folder, n, TURNS);
    report.rates("cold backfill", "records", n, &loads);
    let kept = "Syncline: body, digest, id, match key and the page's journal row, from JSON; redb: the same bodies, ready and \
                sorted, nothing else";
    for ((rows, beside, _), (_, own)) in bulk::LOADS.iter().zip(&loads[1..]) {
        let (how, goal, measured) = match beside {
            true => (", two threads, time that passed", (0.7, 0.95), ratio_of_wall(own, &loads[0].1)),
            false => ("", (0.4, 0.6), ratio(own, &loads[0].1)),
        };
        let what = format!("cold backfill, {rows} rows a commit{how}");
        report.goals.push(Goal::at_least("P2", what, "redb, sorted bulk load", goal.0, goal.1, measured, kept));
    }
}

/// Rates of a group of contestants, and what came out.
fn contest(
    report: &mut Report,
    title: &str,
    peers: &mut [Box<dyn Peer>],
    a_commit: usize,
    most: usize,
) -> Vec<Vec<Cost>> {
    tell(title);
    let costs = peer::turns(peers, TURNS, a_commit, most);
    for (peer, costs) in peers.iter().zip(&costs) {
        let n = peer.edits().versions.len();
        report.rates(title, "merges", n, &[(peer.name(), costs.clone())]);
    }
    costs
}

fn durable(report: &mut Report, folder: &Path, n: usize) {
    tell("stores are filled");
    let world = World::new(bulk::store(&folder.join("syncline")), n);
    let mut engine = Engine::on_file(world);
    let mut sizes = vec![(engine.name(), engine.disk())];
    engine.compact();
    let mut packed = vec![(engine.name(), engine.disk())];

    tell("unchanged records");
    let reads = bulk::unchanged(&mut engine, TURNS);
    report.rates("reconcile of unchanged records", "records", n, &reads);
    let roots = bulk::roots(&folder.join("roots"), n, TURNS);
    report.rates("the mirror's root", "records", n, &roots);
    report.goals.push(Goal::new(
        ("P10", "a pass over all bodies"),
        "root of the mirror, 1 % moved since it was kept",
        Bound::AtMost,
        (1.0, 0.02),
        ratio(&roots[0].1, &roots[1].1),
        "a leaf of each record and their sum; the journal's tail names those that have moved",
    ));
    let kept = "nothing is written; Syncline compares with its digest rows, the floor with nothing";
    let measured = ratio(&reads[2].1, &reads[0].1);
    report.goals.push(Goal::at_least(
        "P1",
        "full reconcile of unchanged records",
        "scalar floor",
        1.6,
        2.5,
        measured,
        kept,
    ));

    let file = |name: &str| folder.join(name);
    let mut peers: Vec<Box<dyn Peer>> = vec![
        Box::new(engine),
        Box::new(Sqlite::on_file(&file("fields"), n, Layout::Fields, Feed::Changed)),
        Box::new(Sqlite::on_file(&file("bodies"), n, Layout::Bodies, Feed::Changed)),
        Box::new(Sqlite::on_file(&file("fields-whole"), n, Layout::Fields, Feed::Whole)),
        Box::new(Sqlite::on_file(&file("bodies-whole"), n, Layout::Bodies, Feed::Whole)),
    ];
    match std::env::var_os("SYNCLINE_CRSQLITE") {
        Some(extension) => {
            let extension = Path::new(&extension);
            peers.push(Box::new(CrSqlite::on_file(&file("crsqlite"), extension, n).expect("cr-sqlite loads")));
        }
        None => report.notes.push("cr-sqlite is left out: SYNCLINE_CRSQLITE does not name its extension".into()),
    }
    sizes.extend(peers[1..].iter_mut().map(|peer| (peer.name(), peer.disk())));
    let value_bytes = report::value_bytes(peers[0].edits());
    packed.extend(peers[1..].iter_mut().map(|peer| {
        peer.compact();
        (peer.name(), peer.disk())
    }));
    let measured = report.disk("fresh, compacted", n, value_bytes, &packed);
    report.goals.push(Goal::new(
        ("P7", "value bytes"),
        "disk bytes a record, fresh, as `backfill` leaves it (compacted)",
        Bound::AtMost,
        (2.1, 1.7),
        measured,
        DISK,
    ));
    let measured = report.disk("fresh", n, value_bytes, &sizes);
    report.goals.push(Goal::new(
        ("P7", "value bytes"),
        "disk bytes a record, fresh",
        Bound::AtMost,
        (2.1, 2.1),
        measured,
        DISK,
    ));

    tell("rounds for the disk");
    let (rounds, a_commit) = ROUNDS;
    for _ in 0..rounds {
        for peer in &mut peers {
            peer.prepare(a_commit, usize::MAX);
            peer.merge(a_commit);
            peer.settle();
        }
    }
    let sizes: Vec<_> = peers.iter_mut().map(|peer| (peer.name(), peer.disk())).collect();
    let value_bytes = report::value_bytes(peers[0].edits());
    let measured = report.disk(&format!("after {rounds} rounds"), n, value_bytes, &sizes);
    report.goals.push(Goal::new(
        ("P7", "value bytes"),
        "disk bytes a record, after 10 rounds",
        Bound::AtMost,
        (2.8, 2.8),
        measured,
        DISK,
    ));

    let groups = [
        ("P3", 1_000, usize::MAX, [(1.3, 1.8), (5.0, 7.0)]),
        ("P4", 100, usize::MAX, [(1.0, 1.3), (3.0, 4.0)]),
        ("P5", 1, SINGLE, [(0.5, 0.5), (f64::NAN, f64::NAN)]),
    ];
    for (goal, a_commit, most, [sqlite, crsqlite]) in groups {
        let title = format!("durable merges, {a_commit} record{} a commit", if a_commit == 1 { "" } else { "s" });
        let costs = contest(report, &title, &mut peers, a_commit, most);
        for (peer, other) in peers.iter().zip(&costs).skip(1) {
            let (at_least, aim) = if peer.name() == "cr-sqlite" { crsqlite } else { sqlite };
            if at_least.is_nan() {
                continue;
            }
            let kept = format!("{}; rival: {}", peers[0].stores(), peer.stores());
            report.goals.push(Goal::at_least(goal, &*title, peer.name(), at_least, aim, ratio(&costs[0], other), kept));
        }
    }
    report.check(&mut peers);
    peers.iter_mut().for_each(|peer| peer.compact());
    let sizes: Vec<_> = peers.iter_mut().map(|peer| (peer.name(), peer.disk())).collect();
    let measured = report.disk("in the end, compacted", n, report::value_bytes(peers[0].edits()), &sizes);
    report.goals.push(Goal::new(
        ("P7", "value bytes"),
        "disk bytes a record, after all rounds, as `audit prune` leaves it (compacted)",
        Bound::AtMost,
        (2.8, 2.1),
        measured,
        DISK,
    ));

    let (commits, syncs) = bulk::syncs(n.min(300));
    let what = format!("syncs a commit of one record ({commits} commits)");
    let measured = syncs as f64 / commits as f64;
    report.goals.push(Goal::new(
        ("P5", "one"),
        what,
        Bound::Exactly,
        (1.0, 1.0),
        measured,
        "counted on a disk in memory",
    ));
}

const DISK: &str =
    "the closed file without the journal's tables (journal, history, runs); of the values one copy is counted";

fn in_memory(report: &mut Report, n: usize) {
    tell("memory is filled");
    let documents = n.min(DOCUMENTS);
    if documents < n {
        report.notes.push(format!("documents: {documents} records, which favours them"));
    }
    let mut peers: Vec<Box<dyn Peer>> = vec![
        Box::new(Engine::in_memory(World::new(Box::new(MemoryView::new()), n))),
        Box::new(Registers::of(n)),
        Box::new(Maps::of(n)),
        Box::new(Sqlite::in_memory(n, Layout::Fields)),
        Box::new(Sqlite::in_memory(n, Layout::Bodies)),
        Box::new(Documents::<Yrs>::of(documents)),
        Box::new(Documents::<Loro>::of(documents)),
        Box::new(Documents::<Automerge>::of(documents)),
        Box::new(MergeRules::of(n)),
    ];
    let title = "merges in memory, 1,000 records a step";
    let costs = contest(report, title, &mut peers, 1_000, usize::MAX);
    let goals = [(1, 1.0), (2, 2.0), (5, 5.0), (6, 6.0), (7, 30.0)];
    let ours = [(0, title.to_owned()), (8, "merges in memory, the rules alone".to_owned())];
    for (own, what) in ours {
        for (at, at_least) in goals {
            let peer = &peers[at];
            let kept = format!("{}; rival: {}", peers[own].stores(), peer.stores());
            let measured = ratio(&costs[own], &costs[at]);
            report.goals.push(Goal::at_least("P6", what.clone(), peer.name(), at_least, at_least, measured, kept));
        }
    }
    report.check(&mut peers);
}
