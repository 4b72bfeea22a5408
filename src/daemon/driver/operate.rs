//! What whoever operates Syncline decides while the driver works.

use super::{Driver, wall_clock};
use crate::daemon::problems::ignores;
use crate::daemon::{DaemonError, Wanted};
use crate::engine::{self, Authority, Begin, Clocks, Hindrance, Input, Notice, Operate, Operation, Step};
use crate::rules::Rules;
use crate::store::Store;

/// Decisions of one command, to be carried out together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decisions {
    /// Which command, and for whom: the journal's word for it.
    pub what: String,
    /// How they stand against edits that they have not seen.
    pub authority: Authority,
    /// The decisions.
    pub operations: Vec<Operation>,
}

impl Driver {
    /// Takes in decisions; what follows from them is written when the driver works. Returns those that were not carried out.
    ///
    /// # Errors
    /// The store cannot be used.
    pub fn operate(&mut self, decisions: Decisions) -> Result<Vec<(Operation, Hindrance)>, DaemonError> {
        let Decisions { what, authority, operations } = decisions;
        let mut begin = Some(Begin { what, config: self.rules.fingerprint() });
        let mut hindered = Vec::new();
        for chunk in operations.chunks(CHUNK) {
            let input = Operate { authority, begin: begin.take(), operations: chunk.to_vec() };
            let step = self.commit(Input::Operate(input), |_| None)?;
            for notice in step.notices {
                match notice {
                    Notice::NotOperated { operation, why } => hindered.push((operation, why)),
                    other => self.note(other),
                }
            }
        }
        Ok(hindered)
    }

    /// Has what is listed tried again; returns how many records that are.
    ///
    /// # Errors
    /// The store cannot be used.
    pub fn retry(&mut self, wanted: &Wanted) -> Result<usize, DaemonError> {
        let records = wanted.records(&self.rules, &self.store.snapshot()?)?;
        for records in records.chunks(CHUNK) {
            self.take(Input::Retry { records: records.to_vec() })?;
        }
        Ok(records.len())
    }

    /// Has what is listed ignored, for a reason, or without one no longer; returns how many problems that are.
    ///
    /// # Errors
    /// The store cannot be used.
    pub fn ignore(&mut self, what: &str, wanted: &Wanted, reason: Option<&str>) -> Result<usize, DaemonError> {
        let problems = wanted.places(&self.rules, &self.store.snapshot()?)?;
        for ignore in ignores(&self.rules.clone(), what, &problems, reason) {
            self.take(Input::Ignore(ignore))?;
        }
        Ok(problems.len())
    }
}

/// Decides one input in a store that no driver works on; what follows is done when one does.
pub(in crate::daemon) fn decide_alone(rules: &Rules, store: &Store, input: Input<'_>) -> Result<Step, DaemonError> {
    let clocks = Clocks { now: wall_clock(), offsets: Vec::new() };
    let step = engine::step(rules, &store.snapshot()?, &clocks, input)?;
    store.apply(&step.changes)?;
    Ok(step)
}

/// Decisions in one commit.
const CHUNK: usize = 1_000;
