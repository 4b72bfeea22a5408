//! References in plans. What a system is sent is its own id of another record, which a dry run cannot know of those that it only
//! plans to create; so a plan names the record as the mirror does.

use crate::connector::WriteItem;
use crate::engine::{View, ViewError, target_of};
use crate::model::{EntityId, Home, Raw, RecordId, Value, parse_tie};
use crate::rules::{Entity, FieldBinding, Rules};

/// The properties of a write, its references by the mirror's names; none where it has no reference.
pub(super) fn by_record(
    rules: &Rules,
    view: &dyn View,
    (entity, home): (&Entity, Home),
    item: &WriteItem,
) -> Result<Option<Vec<(String, Raw)>>, ViewError> {
    let mut fields = None;
    // So does the address of a record in another system: it is what it is, wherever that record is to be.
    for field in &entity.fields {
        let Some(of) = rules.record_url_of(field).filter(|of| *of != home.system) else { continue };
        let Some(own) = field.binding(home).and_then(FieldBinding::property) else { continue };
        let Some(at) = item.fields.iter().position(|(property, _)| property == own) else { continue };
        if item.fields[at].1 != Raw::Null {
            let system = rules.system(of).map(|system| system.name.as_str()).unwrap_or_default();
            let address = format!("the record's address in {system}");
            fields.get_or_insert_with(|| item.fields.clone())[at].1 = Raw::Text(address.into());
        }
    }
    for (field, to) in entity.ties() {
        let Some(own) = field.binding(home).and_then(FieldBinding::property) else { continue };
        let Some(at) = item.fields.iter().position(|(property, _)| property == own) else { continue };
        let Raw::Text(text) = &item.fields[at].1 else { continue };
        let mut lines = Vec::new();
        for line in text.lines() {
            let (sign, tie) = line.split_at(line.len().min(1));
            let (id, label) = parse_tie(tie);
            let named = target_of(rules, view, (to, home.system), id)?.map(|record| format!("{MARK}{record}"));
            lines.push(format!("{sign}{}\t{label}", named.as_deref().unwrap_or(id)));
        }
        // By our names they stand in another order than by theirs.
        lines.sort();
        fields.get_or_insert_with(|| item.fields.clone())[at].1 = Raw::Text(lines.join("\n").into());
    }
    for (field, to) in entity.references() {
        let Some(own) = field.binding(home).and_then(FieldBinding::property) else { continue };
        let Some(at) = item.fields.iter().position(|(property, _)| property == own) else { continue };
        let Raw::Text(id) = &item.fields[at].1 else { continue };
        if let Some(record) = target_of(rules, view, (to, home.system), id)? {
            fields.get_or_insert_with(|| item.fields.clone())[at].1 = Raw::Text(format!("{MARK}{record}").into());
        }
    }
    Ok(fields)
}

/// The record that such a property names.
pub(super) fn record(text: &str) -> Option<RecordId> {
    RecordId::parse(text.strip_prefix(MARK)?)
}

/// What people call a record: the first of its match keys that it has, else our id.
pub(super) fn readable(rules: &Rules, view: &dyn View, to: EntityId, id: RecordId) -> Result<String, ViewError> {
    let Some(entity) = rules.entity(to) else { return Ok(id.to_string()) };
    let Some(record) = view.record(to, id)? else { return Ok(id.to_string()) };
    let keys = entity.match_keys.iter().filter_map(|key| entity.field(*key));
    let shown = keys.filter(|field| !field.sensitive).find_map(|field| {
        let value = &record.register(field.id)?.val;
        (*value != Value::Null).then(|| field.shown(value).to_string())
    });
    Ok(shown.unwrap_or_else(|| id.to_string()))
}

/// What comes and what goes of ties, as people call them.
pub(super) fn readable_ties(rules: &Rules, view: &dyn View, to: EntityId, text: &str) -> Result<String, ViewError> {
    let mut all = Vec::new();
    for line in text.lines() {
        let (sign, tie) = line.split_at(line.len().min(1));
        let (id, label) = parse_tie(tie);
        let name = record(id).map(|id| readable(rules, view, to, id)).transpose()?;
        let name = name.unwrap_or_else(|| id.to_owned());
        all.push(if label.is_empty() { format!("{sign}{name}") } else { format!("{sign}{name} ({label})") });
    }
    Ok(all.join(", "))
}

const MARK: &str = "record:";
