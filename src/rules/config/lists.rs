//! HubSpot's lists: as a property (`hubspot = "list 123"`), and as a part of who takes part (`lists = ["123"]`).

use super::error::Problems;
use super::reader::Node;
use crate::model::{FieldKind, LIST};
use crate::rules::{EntitySpec, FieldSpec, OneWayEdits};

/// The number of a list that stands where a property may: `list 123`.
pub(super) fn number(property: &str) -> Option<&str> {
    let number = property.strip_prefix("list ")?.trim();
    is_number(number).then_some(number)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.len() < 20 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Numbers of lists.
pub(super) fn numbers(node: &Node<'_>, is_hubspot: bool, problems: &mut Problems) -> Vec<String> {
    if !is_hubspot {
        problems.push(&node.key_span, "`lists` is for HubSpot", "take it away, or write a condition as `where`");
        return Vec::new();
    }
    let texts = node.texts(problems).unwrap_or_default();
    for text in texts.iter().filter(|text| !is_number(text)) {
        let message = format!("`{text}` is no number of a list");
        problems.push(&node.span, message, "write the numbers that HubSpot shows as list id: lists = [\"123\"]");
    }
    texts.into_iter().filter(|text| is_number(text)).collect()
}

/// The fields that say whether a record is in one of these lists; those that no field of the config tells are added.
pub(super) fn fields(system: &str, lists: &[String], entity: &mut EntitySpec) -> Vec<String> {
    let mut names = Vec::new();
    for list in lists {
        let property = format!("{LIST}{list}");
        let tells = |field: &&FieldSpec| {
            field.properties.iter().any(|(of, properties)| of == system && *properties == [property.as_str()])
        };
        let name = match entity.fields.iter().find(tells) {
            Some(field) => field.name.clone(),
            None => {
                let name = format!("{system}_list_{list}");
                let field = FieldSpec::new(&name, FieldKind::Bool).at(system, property);
                entity.fields.push(field.one_way(system, OneWayEdits::default()));
                name
            }
        };
        names.push(name);
    }
    names
}
