//! Ties to several records: what a system can show of them, and what their labels are called there.

use super::{Entity, Field, FieldBinding};
use crate::model::{EntityId, Tied, Value, parse_tie};

impl FieldBinding {
    /// A tie as the system tells it, with its label by the canonical name. One that the value map does not name is none.
    pub(super) fn tie(&self, tie: &str) -> String {
        let (id, label) = parse_tie(tie);
        match self.values.iter().find(|(_, theirs)| theirs == label) {
            Some((ours, _)) if !label.is_empty() => format!("{id}\t{ours}"),
            _ => id.to_owned(),
        }
    }

    /// What the system can show of ties: of the labels those that it has a name for.
    pub(super) fn ties_there(&self, value: &Value) -> Value {
        Value::ties(value.tied().iter().filter(|tied| self.label(tied).is_some()).cloned())
    }

    /// What the system calls the label of a tie, "" where it has none; none = it has no such label.
    pub fn label(&self, tied: &Tied) -> Option<&str> {
        let theirs = || self.values.iter().find(|(ours, _)| *ours == tied.label).map(|(_, theirs)| &**theirs);
        if tied.label.is_empty() { Some("") } else { theirs() }
    }
}

impl Entity {
    /// The fields that tie its records to several others, with the entity of those.
    pub fn ties(&self) -> impl Iterator<Item = (&Field, EntityId)> {
        self.fields.iter().filter_map(|field| field.ties_to().map(|to| (field, to)))
    }

    /// References and ties: all that leads to other records.
    pub fn leads_to(&self) -> impl Iterator<Item = (&Field, EntityId)> {
        self.references().chain(self.ties())
    }
}
