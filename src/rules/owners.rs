//! Owners: users of a system, who are the same person elsewhere by their e-mail address. The table of a system's users is data,
//! told to the rules like a value map that is known at run time only.

use super::advice::{Finding, Severity};
use super::builder::Checks;
use super::error::Fault;
use super::nearest::nearest;
use super::spec::FieldSpec;
use super::{Entity, Field, FieldBinding, Rules, Unfit};
use crate::codec::{Decode, Encode};
use crate::model::{EntityId, FieldId, FieldKind, Home, People, SystemId, Value, ValueError, address};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Whom the owners of a system meant, all that decides it: kept by the store, so that a change is known as one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
pub struct Owners {
    /// Its users.
    pub people: Arc<People>,
    /// Who stands in, by entity and field.
    pub fallbacks: BTreeMap<(EntityId, FieldId), String>,
}

impl FieldBinding {
    /// The e-mail address of the user with an id of the system.
    pub(super) fn owner(&self, id: Value) -> Result<Value, ValueError> {
        match id {
            Value::Text(id) => self.people.email_of(&id).map(Value::from_text).ok_or(ValueError::NO_OWNER),
            other => Ok(other),
        }
    }

    /// The id that is given to the system for an address: that of its active user, else that of the fallback.
    pub(super) fn owner_id(&self, email: &str) -> Result<&str, Unfit> {
        let fallback = || self.people.id_of(self.fallback.as_deref()?);
        self.people.id_of(email).or_else(fallback).ok_or(Unfit::NoOwner)
    }
}

impl Value {
    fn from_text(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl Rules {
    /// Tells who the users of a system are. Nobody's values change by that: what records show of them may.
    pub fn set_people(&mut self, system: SystemId, people: &Arc<People>) {
        let fields = self.entities.iter_mut().flat_map(|entity| &mut entity.fields);
        for binding in fields.filter(|field| field.kind == FieldKind::Owner).flat_map(|field| &mut field.bindings) {
            if binding.system == system {
                binding.people = people.clone();
            }
        }
    }

    /// Whom the owners of a system mean; none where no owner lives there.
    pub fn owners(&self, system: SystemId) -> Option<Owners> {
        let people = self.people(system)?.clone();
        let owners = self.entities.iter().flat_map(|entity| entity.owners().map(move |field| (entity.id, field)));
        let fallbacks = owners.filter_map(|(entity, field)| {
            let email = field.first_in(system)?.fallback.clone()?;
            Some(((entity, field.id), email))
        });
        Some(Owners { people, fallbacks: fallbacks.collect() })
    }

    /// The users of a system, as the rules know them; none where no owner lives there.
    pub fn people(&self, system: SystemId) -> Option<&Arc<People>> {
        self.entities.iter().flat_map(Entity::owners).find_map(|field| field.first_in(system)).map(|at| &at.people)
    }
}

/// Looks for the fallbacks among the users of their systems, once those have been read.
pub fn check_fallbacks(rules: &Rules) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (entity, field) in rules.entities.iter().flat_map(|entity| entity.owners().map(move |field| (entity, field))) {
        for system in &rules.systems {
            let Some(binding) = field.first_in(system.id) else { continue };
            let (people, name) = (&binding.people, &system.name);
            let at = |key: &str| format!("entities.{}.fields.{}.{key}", entity.name, field.name);
            let mut push = |at, message, mend: &str| {
                let (severity, system) = (Severity::Error, name.clone());
                findings.push(Finding { severity, system, at, message, mend: mend.to_owned() });
            };
            if people.is_empty() {
                let mend = "let the credential see its users: in HubSpot the scope crm.objects.owners.read";
                push(at(name), format!("{name} lists no user, so nobody can be an owner there"), mend);
                continue;
            }
            let default = match &binding.default {
                Some(Value::Text(email)) => Some(&**email),
                _ => None,
            };
            for (key, email) in [("fallback", binding.fallback.as_deref()), ("default", default)] {
                let Some(email) = email.filter(|email| people.id_of(email).is_none()) else { continue };
                let message = match people.knows(email) {
                    true => format!("the {key} `{email}` is not active in {name}"),
                    false => format!("{name} has no user `{email}`, who is the {key}"),
                };
                push(at(&format!("{key}.{name}")), message, "name an active user of that system");
            }
        }
    }
    findings
}

impl Entity {
    /// The owners of its records.
    pub fn owners(&self) -> impl Iterator<Item = &Field> {
        self.fields.iter().filter(|field| field.kind == FieldKind::Owner)
    }
}

impl Field {
    /// Does a side that shows this have what the register says, although it would be given something else? An owner who is
    /// inactive there by now stays, where a fallback is given to others.
    pub fn is_content(&self, home: Home, register: &Value, shown: &Value) -> bool {
        let projects = || self.binding(home).is_some_and(|binding| self.project(binding, register) == *shown);
        self.kind == FieldKind::Owner && (register == shown || projects())
    }
}

/// Fills the fallbacks of a field's bindings.
pub(super) fn compile(
    spec: &FieldSpec,
    kind: &FieldKind,
    at: &str,
    bindings: &mut [FieldBinding],
    checks: &mut Checks,
) {
    for (index, (name, email)) in spec.fallback.iter().enumerate() {
        let at = format!("{at}.fallback.{name}");
        if *kind != FieldKind::Owner {
            checks.fault(at, Fault::FallbackOfOtherKind { kind: kind.name() });
            continue;
        }
        if spec.fallback[..index].iter().any(|(other, _)| other == name) {
            checks.fault(at, Fault::Twice { what: "system", name: name.clone() });
            continue;
        }
        let known: Vec<String> = bindings.iter().map(|binding| checks.name(binding.system)).collect();
        let Some(binding) = bindings.iter_mut().find(|binding| binding.system == SystemId::of(name)) else {
            let near = nearest(name, known.iter().map(String::as_str)).map(str::to_owned);
            checks.fault(at, Fault::UnknownSystem { name: name.clone(), near, known });
            continue;
        };
        binding.fallback = address(email);
        if binding.fallback.is_none() {
            checks.fault(at, Fault::NoAddress { text: email.clone() });
        }
    }
}

#[cfg(test)]
#[path = "owners_tests.rs"]
mod tests;
