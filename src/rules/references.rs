//! References between records: where they lead, and the order of entities that follows.

use super::builder::Checks;
use super::error::Fault;
use super::nearest::nearest;
use super::spec::{EntitySpec, FieldSpec};
use super::{Entity, FieldBinding};
use crate::model::{EntityId, FieldKind};

/// A reference says to which entity it leads, and that one lives wherever the field does.
pub(super) fn check(
    spec: &FieldSpec,
    kind: &FieldKind,
    at: &str,
    bindings: &[FieldBinding],
    entities: &[EntitySpec],
    checks: &mut Checks,
) {
    let at_to = format!("{at}.to");
    let name = match (kind, &spec.to) {
        (FieldKind::Ref { .. } | FieldKind::Refs { .. }, Some(name)) => name,
        (FieldKind::Ref { .. } | FieldKind::Refs { .. }, None) => return checks.fault(at, Fault::NoTarget),
        (kind, Some(_)) => return checks.fault(at_to, Fault::TargetOfOtherKind { kind: kind.name() }),
        (_, None) => return,
    };
    let Some(target) = entities.iter().find(|entity| entity.name == *name) else {
        let near = nearest(name, entities.iter().map(|entity| &*entity.name)).map(str::to_owned);
        return checks.fault(at_to, Fault::UnknownTarget { name: name.clone(), near });
    };
    for binding in bindings {
        let system = checks.name(binding.system);
        if !target.objects.iter().any(|object| object.system == system) {
            checks.fault(format!("{at}.{system}"), Fault::TargetElsewhere { target: name.clone(), system });
        }
    }
}

/// What is referred to comes first; otherwise the order stays. Where references run in a circle, the first in the config that
/// is part of it does not wait.
pub(super) fn order(mut entities: Vec<Entity>) -> Vec<Entity> {
    let mut ordered: Vec<Entity> = Vec::with_capacity(entities.len());
    while !entities.is_empty() {
        let waits = |entity: &Entity| {
            let is_left = |to: EntityId| to != entity.id && entities.iter().any(|other| other.id == to);
            entity.leads_to().any(|(_, to)| is_left(to))
        };
        let next = entities.iter().position(|entity| !waits(entity)).unwrap_or(0);
        ordered.push(entities.remove(next));
    }
    ordered
}
