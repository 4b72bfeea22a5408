//! Whether a record is a member of a list: a field that only its system fills in, and that a condition may read.

use super::builder::Checks;
use super::error::Fault;
use super::spec::FieldSpec;
use super::{ConflictPolicy, ConflictSpec, FieldBinding, OneWayEdits};
use crate::model::{FieldKind, LIST};

impl FieldBinding {
    /// The list of which it tells the members.
    pub fn list(&self) -> Option<&str> {
        self.properties.iter().find_map(|property| property.strip_prefix(LIST))
    }
}

/// The policy of a field that tells the members of a list: it goes one way, from there. None = it is a field like others.
pub(super) fn policy(
    spec: &FieldSpec,
    at: &str,
    bindings: &[FieldBinding],
    checks: &mut Checks,
) -> Option<ConflictPolicy> {
    let mut lists = bindings.iter().filter(|binding| binding.list().is_some());
    let from = lists.next()?.system;
    let system = checks.name(from);
    if spec.kind != FieldKind::Bool {
        checks.fault(at, Fault::ListOfOtherKind { kind: spec.kind.name() });
    }
    if spec.group.is_some() || lists.any(|other| other.system != from) {
        checks.fault(at, Fault::ListBeside);
    }
    let edits = match &spec.conflict {
        None => OneWayEdits::default(),
        Some(ConflictSpec::OneWay { from, edits }) if *from == system => *edits,
        Some(_) => {
            checks.fault(format!("{at}.conflict"), Fault::ListDecided { system });
            return None;
        }
    };
    Some(ConflictPolicy::OneWay { from, edits })
}
