//! A backfill as it is seen: a bar for the phase that is under way, a line for each that is done.

use super::Output;
use crate::daemon::Progress;
use indicatif::{HumanCount, ProgressBar};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Shows phases.
#[derive(Clone)]
pub(super) struct Steps(Arc<Mutex<State>>);

struct State {
    output: Output,
    /// Nothing is really written.
    dry: bool,
    phase: &'static str,
    began: Instant,
    bar: ProgressBar,
    /// Per system: rows listed, or (created, updated).
    rows: BTreeMap<String, u64>,
    wrote: BTreeMap<String, (u64, u64)>,
    looked: u64,
}

impl Steps {
    pub fn new(output: Output) -> Self {
        Self::of(output, false)
    }

    /// Those of a dry run.
    pub fn dry(output: Output) -> Self {
        Self::of(output, true)
    }

    fn of(output: Output, dry: bool) -> Self {
        let (rows, wrote) = (BTreeMap::new(), BTreeMap::new());
        let bar = ProgressBar::hidden();
        Self(Arc::new(Mutex::new(State { output, dry, phase: "", began: Instant::now(), bar, rows, wrote, looked: 0 })))
    }

    /// Takes in what a driver tells.
    pub fn take(&self, progress: Progress) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match progress {
            Progress::Phase(phase) => state.enter(phase),
            Progress::Rows { system, rows, .. } => {
                *state.rows.entry(system).or_default() += rows;
                state.bar.inc(rows);
            }
            Progress::Looked(rows) => {
                state.looked += rows;
                state.bar.inc(rows);
            }
            Progress::Wrote { system, created, updated, .. } => {
                let wrote = state.wrote.entry(system).or_default();
                *wrote = (wrote.0 + created, wrote.1 + updated);
                state.bar.inc(created + updated);
            }
            Progress::Detached { system, entity, remote, what } => {
                let text =
                    format!("{entity} {remote} was {what} in {system}: the link ended, other sides are left alone");
                state.bar.suspend(|| state.output.warn(text));
            }
            Progress::Failed { system, cause } => {
                let text = format!("{cause} ({system}; trying again)");
                state.bar.suspend(|| state.output.warn(text));
            }
        }
    }

    /// Ends the phase that is under way.
    pub fn finish(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).enter("");
    }
}

impl State {
    fn enter(&mut self, phase: &'static str) {
        self.bar.finish_and_clear();
        let took = self.began.elapsed().as_secs_f64();
        let line = match self.phase {
            "read" => Some(("read", per_system(&self.rows, |rows| format!("{} rows", HumanCount(*rows))))),
            "write" if self.dry => None,
            "link" => Some(("linked", "by external id, then by match keys".to_owned())),
            "write" => {
                let wrote = per_system(&self.wrote, |(created, updated)| {
                    format!("{} created, {} updated", HumanCount(*created), HumanCount(*updated))
                });
                Some(("wrote", if wrote.is_empty() { "nothing: all is equal".to_owned() } else { wrote }))
            }
            _ => None,
        };
        if let Some((what, line)) = line {
            let rows: u64 = self.rows.values().sum();
            let rate = match self.phase {
                "read" if took > 0.0 => format!(", {} rows/s", HumanCount((rows as f64 / took) as u64)),
                _ => String::new(),
            };
            self.output.say(format!("  {what:<8} {line}  ({took:.1} s{rate})"));
        }
        (self.phase, self.began) = (phase, Instant::now());
        if phase == "read" {
            self.rows.clear();
        }
        self.bar = match phase {
            "" => ProgressBar::hidden(),
            phase => self.output.progress(phase, None),
        };
    }
}

fn per_system<T>(counts: &BTreeMap<String, T>, show: impl Fn(&T) -> String) -> String {
    counts.iter().map(|(system, count)| format!("{system} {}", show(count))).collect::<Vec<_>>().join(" · ")
}
