//! What a delete does: in the other systems, against edits, and how many there may be.

use super::{Binding, Entity, Leaves};
use crate::model::SystemId;

/// What a delete in one system does to a record's counterparts in the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OnDelete {
    /// The link ends there, with a notice; the counterparts stay as they are. The side is kept as a tombstone: nothing is created
    /// there for this record until that system shows one that is it.
    #[default]
    Detach,
    /// As [`Self::Detach`], without a word but the journal's: where deletes are nobody's concern, each would be a false alarm.
    Ignore,
    /// The counterparts are deleted, too: into the recycle bins of their systems.
    Propagate,
}

/// What becomes of a delete where somebody edits what is to be deleted, and the deleter had not seen that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum EditAgainstDelete {
    /// The record stays where it was edited; the link to the deleted one ends.
    #[default]
    EditWins,
    /// It is deleted all the same; its last values are in the journal, the mirror and the recycle bin.
    DeleteWins,
}

/// How many deletes a system gets in an hour unless its rules say otherwise. More than that is more likely a mistake than work.
pub const MAX_DELETES: u32 = 100;

impl OnDelete {
    /// What a config names so.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "detach" => Some(Self::Detach),
            "ignore" => Some(Self::Ignore),
            "propagate" => Some(Self::Propagate),
            _ => None,
        }
    }
}

impl EditAgainstDelete {
    /// What a config names so.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "edit wins" => Some(Self::EditWins),
            "delete wins" => Some(Self::DeleteWins),
            _ => None,
        }
    }
}

impl Binding {
    /// May what happens to a record here lead to deletes elsewhere?
    pub fn takes_along(&self) -> bool {
        let leaves = self.scope.as_ref().is_some_and(|scope| scope.leaves == Leaves::Archived);
        leaves || self.on_delete == OnDelete::Propagate
    }
}

impl Entity {
    /// May records be deleted in this system, for what happens in another one?
    pub fn may_delete_in(&self, system: SystemId) -> bool {
        self.bindings.iter().any(|binding| binding.system != system && binding.takes_along())
    }
}
