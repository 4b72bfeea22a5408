//! Fields in which another tool keeps the ids of counterparts: `links = { salesforcecontactid = "salesforce Contact" }`.

use super::error::Problems;
use super::reader::Node;
use super::settings::SystemSettings;
use crate::model::FieldKind;
use crate::rules::{EntitySpec, FieldSpec, LinkFieldSpec, OneWayEdits};

/// A property that names records of another system.
pub(super) struct Link {
    property: String,
    /// Its field is still to be found.
    names: LinkFieldSpec,
}

/// Reads a table of systems, each with an object where it has several, by property.
pub(super) fn read(node: &Node<'_>, systems: &[SystemSettings], problems: &mut Problems) -> Vec<Link> {
    let mut links = Vec::new();
    for node in node.section(problems).map(|mut section| section.take_rest()).unwrap_or_default() {
        let Some(text) = node.text(problems) else { continue };
        let mut words = text.split_whitespace();
        let (Some(system), object, None) = (words.next(), words.next(), words.next()) else {
            let message = format!("`{text}` names no records");
            problems.push(&node.span, message, "write \"<system>\", or \"<system> <object>\" where it has several");
            continue;
        };
        let known = systems.iter().find(|known| known.name == system);
        let names = LinkFieldSpec::new("", system).ids(known.map(|known| known.kind.id_form()).unwrap_or_default());
        let names = match object {
            Some(object) => names.object(object),
            None => names,
        };
        links.push(Link { property: node.key.to_owned(), names });
    }
    links
}

impl Link {
    /// Adds it to the entity, with a field where no text of the config has the property.
    pub(super) fn add(self, system: &str, mut entity: EntitySpec) -> EntitySpec {
        let has = |field: &&FieldSpec| {
            field.kind == FieldKind::Text
                && field
                    .properties
                    .iter()
                    .any(|(of, properties)| of == system && *properties == [self.property.as_str()])
        };
        let field = match entity.fields.iter().find(has) {
            Some(field) => field.name.clone(),
            None => {
                let name = format!("{system}_{}", self.property);
                let field = FieldSpec::new(&name, FieldKind::Text).at(system, self.property);
                entity.fields.push(field.one_way(system, OneWayEdits::default()));
                name
            }
        };
        entity.named_by(system, LinkFieldSpec { field, ..self.names })
    }
}
