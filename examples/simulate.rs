//! Simulated histories of the merge rules, judged by the reference in `src/sim`:
//! `cargo run --release --no-default-features --features sim --example simulate -- 0..1000`.
//!
//! Arguments: `FROM..TO [--only PART-OF-A-ROW'S-NAME] [--defect NAME] [--grouped] [--stored] [--every EDITS,PLAYS,FAULTS[,FIELDS] | --shortest] [--trace]`.
//!
//! A row's name is `SYSTEMS:POLICY:SOURCES`, such as `3:latest:streams`, with `:operator`, `:detach`, `:propagate`, `:restore`, `:jumps`, `:undo` or `:merges` behind it where that
//! happens besides edits; with a colon at the end, `--only` means that row alone. `--stored` keeps the mirror in a store whose power fails; `--every`
//! plays all histories of small worlds, whose clocks are the seed's; `--shortest` looks for the smallest world of the first seed in which something is
//! wrong. Exit code 1 if an edit was lost where every side tells its edits one by one, or if anywhere sides ended apart, writes went round, a record was
//! created twice or came back; where a side is only polled, some edits cannot be known, and their rate is printed. With `--defect` (feature
//! `defects`) the exit code says only that the runs were made.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use syncline::sim::{Also, Options, Policy, Report, Size, Sources, Violation, every, replay, run};

struct Args {
    from: u64,
    to: u64,
    only: Option<String>,
    defect: Option<&'static str>,
    grouped: bool,
    stored: bool,
    every: Option<Size>,
    shortest: bool,
    trace: bool,
}

const USAGE: &str = "usage: simulate FROM..TO [--only PART] [--defect NAME] [--grouped] [--stored] [--every EDITS,PLAYS,FAULTS[,FIELDS] | --shortest] [--trace]";

fn args() -> Result<Args, String> {
    let mut given = std::env::args().skip(1);
    let seeds = given.next().ok_or(USAGE)?;
    let (from, to) = seeds.split_once("..").ok_or(USAGE)?;
    let number = |text: &str| text.parse().map_err(|_| format!("{text} is no seed\n{USAGE}"));
    let mut args = Args {
        from: number(from)?,
        to: number(to)?,
        only: None,
        defect: None,
        grouped: false,
        stored: false,
        every: None,
        shortest: false,
        trace: false,
    };
    while let Some(flag) = given.next() {
        match flag.as_str() {
            "--only" => args.only = Some(given.next().ok_or(USAGE)?),
            "--defect" => args.defect = Some(defect(&given.next().ok_or(USAGE)?)?),
            "--every" => args.every = Some(size(&given.next().ok_or(USAGE)?)?),
            "--shortest" => args.shortest = true,
            "--stored" => args.stored = true,
            "--grouped" => args.grouped = true,
            "--trace" => args.trace = true,
            _ => return Err(format!("{flag} is no argument\n{USAGE}")),
        }
    }
    Ok(args)
}

/// How small a world is whose histories are all played.
fn size(text: &str) -> Result<Size, String> {
    let numbers: Vec<usize> = text.split(',').map_while(|number| number.parse().ok()).collect();
    let (edits, plays, faults, fields) = match numbers[..] {
        [edits, plays, faults] => (edits, plays, faults, 1),
        [edits, plays, faults, fields @ 1..=2] => (edits, plays, faults, fields),
        _ => return Err(format!("{text} is no size of a small world\n{USAGE}")),
    };
    Ok(Size { edits, fields, plays, faults })
}

#[cfg(feature = "defects")]
fn defect(name: &str) -> Result<&'static str, String> {
    let known = syncline::defects::ALL.iter().find(|(known, _)| *known == name);
    let names = || syncline::defects::ALL.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    known.map(|(name, _)| *name).ok_or_else(|| format!("{name} is no defect; there are {}", names()))
}

#[cfg(not(feature = "defects"))]
fn defect(name: &str) -> Result<&'static str, String> {
    Err(format!("{name} cannot be planted: build with --features sim,defects"))
}

fn plant(defect: Option<&'static str>) {
    #[cfg(feature = "defects")]
    syncline::defects::set(defect);
    let _ = defect;
}

/// What the histories of a row did, together.
#[derive(Default)]
struct Row {
    runs: u64,
    /// Violations of small worlds that were told with their choices.
    told: u8,
    edits: u64,
    writes: u64,
    crashes: u64,
    violations: BTreeMap<Violation, Vec<u64>>,
}

impl Row {
    fn take(&mut self, seed: u64, report: &Report) {
        self.runs += 1;
        self.edits += u64::from(report.edits);
        self.writes += u64::from(report.writes);
        self.crashes += u64::from(report.crashes);
        if let Some(violation) = report.violation {
            self.violations.entry(violation).or_default().push(seed);
        }
    }

    fn join(mut self, other: Self) -> Self {
        self.runs += other.runs;
        self.edits += other.edits;
        self.writes += other.writes;
        self.crashes += other.crashes;
        for (violation, seeds) in other.violations {
            self.violations.entry(violation).or_default().extend(seeds);
        }
        self
    }

    /// What may never be, whatever the sources are.
    fn broken(&self, sources: Sources) -> bool {
        let known = |violation: &Violation| matches!(violation, Violation::Lost | Violation::Mistaken);
        self.violations.keys().any(|violation| sources.exact() || !known(violation))
    }
}

fn row(args: &Args, systems: usize, policy: Policy, sources: Sources, also: Also) -> Row {
    let next = AtomicU64::new(args.from);
    let worker = || {
        plant(args.defect);
        let mut row = Row::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= args.to {
                break row;
            }
            let (grouped, stored, trace) = (args.grouped, args.stored, args.trace);
            let options = Options { grouped, stored, also, trace, ..Options::new(seed, systems, policy, sources) };
            let Some(size) = args.every else {
                row.take(seed, &run(options));
                continue;
            };
            every(options, size, |choices, report| {
                row.take(seed, report);
                if report.violation.is_some() && row.told < 3 {
                    row.told += 1;
                    println!("  seed {seed}: {:?} by {choices:?}", report.violation);
                }
                true
            });
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = if args.trace { 1 } else { cores };
    std::thread::scope(|scope| {
        let jobs: Vec<_> = (0..jobs).map(|_| scope.spawn(worker)).collect();
        let rows = jobs.into_iter().map(|job| job.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        rows.fold(Row::default(), Row::join)
    })
}

/// The smallest world in which something is wrong, and its history; false if there is none up to the largest that is tried.
fn shortest(args: &Args, options: Options) -> bool {
    plant(args.defect);
    let sizes =
        (0..9usize).flat_map(|plays| (1..=3).flat_map(move |edits| (0..=1).map(move |faults| (edits, plays, faults))));
    let mut sizes: Vec<Size> = sizes.map(|(edits, plays, faults)| Size { edits, fields: 1, plays, faults }).collect();
    sizes.sort_by_key(|size| 2 * size.edits + size.plays + 2 * size.faults);
    let mut left = 150_000u32;
    for size in sizes {
        let mut found = None;
        every(options, size, |choices, report| {
            found = report.violation.map(|violation| (violation, choices.to_vec()));
            left = left.saturating_sub(1);
            found.is_none() && left > 0
        });
        if let Some((violation, choices)) = found {
            println!("  {violation:?} with {size:?} by {choices:?}");
            replay(Options { trace: args.trace, ..options }, size, &choices);
            return true;
        }
        if left == 0 {
            break;
        }
    }
    println!("  nothing in the smallest 150,000 histories");
    false
}

fn main() -> ExitCode {
    let args = match args() {
        Ok(args) => args,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::from(2);
        }
    };
    let (mut rows, mut broken) = (0, false);
    let policies = if args.grouped { &Policy::OF_ANY[..] } else { &Policy::ALL[..] };
    let each = |policy: &Policy| if Policy::OF_ANY.contains(policy) { &Also::ALL[..] } else { &Also::ALL[..1] };
    let is_small = args.every.is_some() || args.shortest;
    for sources in Sources::ALL {
        let of_policy = |policy: &'static Policy| each(policy).iter().map(move |also| (*policy, *also));
        let kinds = policies.iter().flat_map(of_policy);
        for (systems, (policy, also)) in
            [2, 3].into_iter().flat_map(|systems| kinds.clone().map(move |kind| (systems, kind)))
        {
            let mut name = format!("{systems}:{policy:?}:{sources:?}").to_lowercase();
            name += match also {
                Also::Nothing => "",
                Also::Operator => ":operator",
                Also::Deletes(false) => ":detach",
                Also::Deletes(true) => ":propagate",
                Also::Restore => ":restore",
                Also::Jumps => ":jumps",
                Also::Undo => ":undo",
                Also::Merges => ":merges",
            };
            // A name with a colon at its end means that row alone.
            let is_row = |only: &String| match only.strip_suffix(':') {
                Some(whole) => name == whole,
                None => name.contains(only.as_str()),
            };
            if !args.only.as_ref().is_none_or(is_row) || (is_small && also != Also::Nothing) {
                continue;
            }
            if args.shortest {
                println!("{name}");
                rows += 1;
                broken |= shortest(
                    &args,
                    Options { grouped: args.grouped, ..Options::new(args.from, systems, policy, sources) },
                );
                continue;
            }
            let started = Instant::now();
            let row = row(&args, systems, policy, sources, also);
            let (total, runs) = (row.violations.values().map(Vec::len).sum::<usize>(), row.runs);
            let rate = runs as f64 / started.elapsed().as_secs_f64();
            print!("{name:<32} {total:>5} of {runs} ({rate:.0}/s, ");
            print!("{} edits, {} writes, {} crashes)", row.edits, row.writes, row.crashes);
            rows += 1;
            broken |= row.broken(sources);
            for (violation, mut seeds) in row.violations {
                seeds.sort_unstable();
                print!("  {violation:?} {}: {:?}", seeds.len(), &seeds[..seeds.len().min(12)]);
            }
            println!();
        }
    }
    if rows == 0 {
        eprintln!("no row has {} in its name, such as 3:latest:streams", args.only.unwrap_or_default());
        return ExitCode::from(2);
    }
    ExitCode::from(u8::from(broken && args.defect.is_none()))
}
