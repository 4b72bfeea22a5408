//! The rights that the mapping needs, and those that a credential has beyond them, where a system lets it see that.

use super::Checked;
use crate::cli::{Output, init};
use crate::connector::hubspot::object_scopes;
use crate::rules::config::{Config, SystemKind, SystemSettings};
use crate::rules::{Entity, Mode};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Of one system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Rights {
    /// HubSpot's scopes.
    Scopes {
        /// What the job needs.
        needed: BTreeSet<String>,
        /// What making our properties needs besides, once.
        making: BTreeSet<String>,
        /// What the token has, where HubSpot says so.
        granted: Option<BTreeSet<String>>,
    },
    /// Salesforce's fields that the user may edit and the mapping does not write: `Object.Field`. None = not asked.
    Fields(Option<Vec<String>>),
}

/// The rights of a system.
pub(super) fn of(config: &Config, system: &SystemSettings, checked: &Checked) -> Rights {
    match system.kind {
        SystemKind::HubSpot => scopes(config, system, checked),
        SystemKind::Salesforce => Rights::Fields(excess(config, system, checked)),
    }
}

fn scopes(config: &Config, system: &SystemSettings, checked: &Checked) -> Rights {
    let (mut needed, mut making) = (BTreeSet::new(), BTreeSet::new());
    for entity in &config.rules.entities {
        for binding in entity.bindings_in(system.id) {
            let scopes = object_scopes(&binding.object);
            needed.insert(scopes.read);
            if entity.leaves_at(binding.home()).any(|(_, at)| at.list().is_some()) {
                needed.insert("crm.lists.read".to_owned());
            }
            let written = entity.leaves_at(binding.home()).any(|(field, _)| field.conflict.writes_to(system.id));
            if system.mode == Mode::ReadWrite && (binding.create || written || entity.may_delete_in(system.id)) {
                needed.insert(scopes.write);
                making.extend(scopes.define.filter(|_| binding.external_id.is_some()));
            }
        }
    }
    let granted = checked.granted.iter().find(|(name, _)| *name == system.name).map(|(_, granted)| granted.clone());
    Rights::Scopes { needed, making, granted }
}

fn excess(config: &Config, system: &SystemSettings, checked: &Checked) -> Option<Vec<String>> {
    checked.reached.iter().any(|(name, _)| *name == system.name).then_some(())?;
    let mut found = Vec::new();
    for (_, schema) in checked.schemas.iter().filter(|(id, _)| *id == system.id) {
        // What cannot be left out of a record is nobody's to grant.
        for property in schema.properties.iter().filter(|property| property.writable && !property.required) {
            let writes = |entity: &Entity| {
                entity.bindings_in(system.id).filter(|binding| binding.object == schema.object).any(|binding| {
                    let mapped = entity.leaves_at(binding.home()).any(|(field, at)| {
                        at.properties.contains(&property.name) && field.conflict.writes_to(system.id)
                    });
                    let constant = binding.on_create.iter().any(|(name, _)| *name == property.name);
                    let ours = binding.external_id.as_ref() == Some(&property.name);
                    mapped || (binding.create && (constant || ours))
                })
            };
            let needed = system.mode == Mode::ReadWrite && config.rules.entities.iter().any(writes);
            // A part of an address is granted with the others.
            if !needed && init::permission_name(&property.name) == Some(&*property.name) {
                found.push(format!("{}.{}", schema.object, property.name));
            }
        }
    }
    found.sort();
    found.dedup();
    Some(found)
}

impl Rights {
    /// What is needed and known not to be there.
    pub(super) fn missing(&self) -> Vec<String> {
        match self {
            Self::Scopes { needed, granted: Some(granted), .. } => needed.difference(granted).cloned().collect(),
            _ => Vec::new(),
        }
    }

    /// Tells people.
    pub(super) fn say(&self, system: &str, output: Output) {
        let list = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(", ");
        match self {
            Self::Scopes { needed, making, granted } => {
                let has = match granted {
                    None => "which ones the token has could not be checked".to_owned(),
                    Some(_) if !self.missing().is_empty() => format!("it lacks {}", self.missing().join(", ")),
                    Some(granted) => {
                        let beyond = granted.difference(needed).filter(|scope| !making.contains(*scope) && *scope != "oauth");
                        let beyond = beyond.cloned().collect::<BTreeSet<_>>();
                        let beyond = if beyond.is_empty() { "nothing".to_owned() } else { list(&beyond) };
                        format!("the token has them, and beyond them {beyond}")
                    }
                };
                output.line(format!("  {system}: the scopes {}; {has}", list(needed)));
                if !making.is_empty() {
                    output.say(format!("    only for --create-properties: {}", list(making)));
                }
            }
            Self::Fields(None) => output.say(format!(
                "  {system}: to read what is mapped and to edit what is written; `syncline init --salesforce-metadata DIR` \
                 writes a permission set of that"
            )),
            Self::Fields(Some(fields)) if fields.is_empty() => {
                output.say(format!("  {system}: it may edit no field that the mapping does not write"));
            }
            Self::Fields(Some(fields)) => {
                let some = fields.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
                let more = fields.len().saturating_sub(SHOWN);
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                output.line(format!(
                    "  {system}: it may edit {} fields that the mapping does not write: {some}{more}; `syncline init \
                     --salesforce-metadata DIR` writes a permission set without them",
                    fields.len()
                ));
            }
        }
    }

    /// Tells machines.
    pub(super) fn document(&self) -> Value {
        match self {
            Self::Scopes { needed, making, granted } => {
                json!({ "needed": needed, "only_to_create_properties": making, "granted": granted })
            }
            Self::Fields(fields) => json!({ "editable_beyond_the_mapping": fields }),
        }
    }
}

/// Fields that a person is shown of those that are too many.
const SHOWN: usize = 6;
