//! Runs simulated histories of the merge rules: `cargo run --release --no-default-features --features sim --example simulate -- 0..1000`.
//!
//! Arguments: `FROM..TO [--only SYSTEMS:POLICY:SOURCES] [--defect NAME] [--trace]`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use syncline::sim::{Options, Policy, Sources, Violation, run};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (from, to) = args.first().and_then(|a| a.split_once("..")).expect("FROM..TO");
    let (from, to): (u64, u64) = (from.parse().expect("FROM"), to.parse().expect("TO"));
    let value = |name: &str| args.iter().position(|a| a == name).and_then(|at| args.get(at + 1)).cloned();
    let only = value("--only");
    let trace = args.iter().any(|a| a == "--trace");
    let defect = value("--defect");
    let mut failed = false;
    for sources in [Sources::Streams, Sources::Histories, Sources::Mixed, Sources::OnePolled, Sources::AllPolled] {
        for systems in [2, 3] {
            for policy in [Policy::Latest, Policy::Prefer, Policy::Owns] {
                let name = format!("{systems}:{policy:?}:{sources:?}").to_lowercase();
                if only.as_ref().is_some_and(|only| !name.contains(only.as_str())) {
                    continue;
                }
                let next = AtomicU64::new(from);
                let worker = || {
                    #[cfg(feature = "defects")]
                    if let Some(defect) = &defect {
                        let known = syncline::defects::ALL.iter().find(|(name, _)| name == defect);
                        syncline::defects::set(Some(known.expect("a defect's name").0));
                    }
                    let _ = &defect;
                    let mut found: BTreeMap<(Violation, bool), Vec<u64>> = BTreeMap::new();
                    let mut sums = (0u64, 0u64, 0u64);
                    loop {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        if seed >= to {
                            break (found, sums);
                        }
                        let report = run(Options { seed, systems, policy, sources, trace });
                        sums.0 += u64::from(report.edits);
                        sums.1 += u64::from(report.writes);
                        sums.2 += u64::from(report.crashes);
                        if let Some(violation) = report.violation {
                            found.entry((violation, report.unmarked)).or_default().push(seed);
                        }
                    }
                };
                let started = std::time::Instant::now();
                let jobs = if trace { 1 } else { 2 };
                let results = std::thread::scope(|scope| {
                    let jobs: Vec<_> = (0..jobs).map(|_| scope.spawn(worker)).collect();
                    jobs.into_iter().map(|job| job.join().expect("a worker")).collect::<Vec<_>>()
                });
                let mut found: BTreeMap<(Violation, bool), Vec<u64>> = BTreeMap::new();
                let mut sums = (0, 0, 0);
                for (part, counts) in results {
                    sums = (sums.0 + counts.0, sums.1 + counts.1, sums.2 + counts.2);
                    part.into_iter().for_each(|(kind, seeds)| found.entry(kind).or_default().extend(seeds));
                }
                let total: usize = found.values().map(Vec::len).sum();
                failed |= total > 0;
                let rate = (to - from) as f64 / started.elapsed().as_secs_f64();
                print!(
                    "{name:<22} {total:>6} of {}  ({rate:.0}/s, {} edits, {} writes, {} crashes)",
                    to - from,
                    sums.0,
                    sums.1,
                    sums.2
                );
                for ((kind, unmarked), mut seeds) in found {
                    seeds.sort_unstable();
                    print!(
                        "  {kind:?}{} {} {:?}",
                        if unmarked { " (unmarked)" } else { "" },
                        seeds.len(),
                        &seeds[..seeds.len().min(12)]
                    );
                }
                println!();
            }
        }
    }
    println!("{}", if failed { "violations" } else { "none" });
}
