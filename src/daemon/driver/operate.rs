//! What whoever operates Syncline decides while the driver works.

use super::Driver;
use crate::daemon::DaemonError;
use crate::engine::{Authority, Begin, Hindrance, Input, Notice, Operate, Operation};

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
}

/// Decisions in one commit.
const CHUNK: usize = 1_000;
