//! Counting what happened, from the changes that were committed.

use crate::engine::{AT_HOME, Change, Happening};
use crate::model::{FieldId, RecordId, SystemId};
use std::collections::{BTreeMap, BTreeSet};

/// What happened since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Rows that systems listed.
    pub rows: u64,
    /// Remote records that were linked to known ones.
    pub linked: u64,
    /// Records created, by system.
    pub created: BTreeMap<SystemId, u64>,
    /// Records updated, by system.
    pub updated: BTreeMap<SystemId, u64>,
    /// Records deleted, by system.
    pub deleted: BTreeMap<SystemId, u64>,
    /// Fields that took somebody's edit.
    pub merged: u64,
    /// Fields decided between edits that had not seen each other.
    pub conflicts: u64,
    /// Fields decided when records were linked.
    pub link_decided: u64,
    /// Links that a delete ended.
    pub detached: u64,
    /// Values with our mark that the journal does not know.
    pub alarms: u64,
}

impl Tally {
    /// Takes in a commit.
    pub(super) fn count(&mut self, changes: &[Change]) {
        let mut contested: BTreeSet<(Option<RecordId>, FieldId)> = BTreeSet::new();
        for change in changes {
            let Change::Journal(entry) = change else { continue };
            match &entry.what {
                Happening::Linked { .. } => self.linked += 1,
                Happening::LinkDecided { .. } => self.link_decided += 1,
                Happening::Value { field, rule, .. } => {
                    self.merged += 1;
                    if rule.is_some() {
                        contested.insert((entry.record, *field));
                    }
                }
                // A later word of the same side is no conflict.
                Happening::Lost { field, rule, .. } if rule != AT_HOME => {
                    contested.insert((entry.record, *field));
                }
                Happening::Detached { .. } => self.detached += 1,
                Happening::Alarm { .. } => self.alarms += 1,
                _ => {}
            }
        }
        self.conflicts += contested.len() as u64;
    }

    /// Takes in the answer to a batch of writes.
    pub(super) fn wrote(&mut self, system: SystemId, created: u64, updated: u64, deleted: u64) {
        *self.created.entry(system).or_default() += created;
        *self.updated.entry(system).or_default() += updated;
        *self.deleted.entry(system).or_default() += deleted;
    }
}
