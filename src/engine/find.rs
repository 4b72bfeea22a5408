//! Which record does somebody mean? By our id, by its id or address in a system, or by the value of a match key.

use super::{View, ViewError};
use crate::merge::identity::{match_key, parse_external_id};
use crate::model::{EntityId, FieldId, FieldKind, Raw, RecordId, RemoteId, RemoteKey, SystemId};
use crate::rules::{Entity, Rules};

/// A record, or one field of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Meant {
    /// The entity.
    pub entity: EntityId,
    /// The record.
    pub record: RecordId,
    /// The field, if one was named.
    pub field: Option<FieldId>,
}

/// Every record that a text may mean: `ENTITY/ID`, our id, a system's id (`SYSTEM:ID` where two systems might have the same), a
/// record's address in a browser, or the value of a match key such as an e-mail address; each may end in `.FIELD`.
///
/// # Errors
/// The store cannot be read.
pub fn find(rules: &Rules, view: &dyn View, text: &str) -> Result<Vec<Meant>, ViewError> {
    let text = text.trim();
    if let Some((front, name)) = text.rsplit_once('.') {
        let id = FieldId::of(name);
        let has = |target: &Meant| rules.entity(target.entity).is_some_and(|entity| entity.field(id).is_some());
        let mut found = find_record(rules, view, front)?;
        found.retain(has);
        if !found.is_empty() {
            found.iter_mut().for_each(|target| target.field = Some(id));
            return Ok(found);
        }
    }
    find_record(rules, view, text)
}

fn find_record(rules: &Rules, view: &dyn View, text: &str) -> Result<Vec<Meant>, ViewError> {
    let (entities, text) = match text.split_once('/') {
        Some((name, rest)) if rules.entity(EntityId::of(name)).is_some() => (vec![EntityId::of(name)], rest),
        _ => (rules.entities.iter().map(|entity| entity.id).collect(), text),
    };
    let entities: Vec<&Entity> = entities.into_iter().filter_map(|id| rules.entity(id)).collect();
    let mut found = Vec::new();
    let of = |entity: &Entity, record| Meant { entity: entity.id, record, field: None };
    let ours = RecordId::parse(text).or_else(|| parse_external_id(text).map(|(record, _)| record));
    if let Some(record) = ours {
        for entity in &entities {
            if view.record(entity.id, record)?.is_some() {
                found.push(of(entity, record));
            }
        }
        return Ok(found);
    }
    let named = text.split_once(':').filter(|(system, _)| rules.system(SystemId::of(system)).is_some());
    let (system, ids) = match named {
        Some((system, id)) => (Some(SystemId::of(system)), vec![id]),
        // Of an address the last part that is a known id.
        None if text.contains("://") => (None, text.split(['/', '?', '#', '&', '=']).rev().collect()),
        None => (None, vec![text]),
    };
    for id in ids.into_iter().filter_map(RemoteId::parse) {
        for entity in &entities {
            for binding in entity.bindings.iter().filter(|at| system.is_none_or(|system| system == at.system)) {
                let (system, object) = (binding.system, binding.object_id);
                let key = RemoteKey { entity: entity.id, system, object, remote: id.clone() };
                found.extend(view.index(&key)?.map(|record| of(entity, record)));
            }
        }
        if !found.is_empty() {
            break;
        }
    }
    if found.is_empty() {
        for entity in &entities {
            for field in entity.match_keys.iter().filter_map(|id| entity.field(*id)) {
                // Of an e-mail address its host is not meant.
                if text.contains('@') && matches!(field.kind, FieldKind::Domain | FieldKind::Url) {
                    continue;
                }
                let value = field.kind.read(&Raw::Text(text.into())).ok();
                if let Some(key) = value.and_then(|value| match_key(field, &value)) {
                    found.extend(view.keys(entity.id, &key)?.into_iter().map(|holder| of(entity, holder.record)));
                }
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}
