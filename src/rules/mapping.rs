//! A mapping as the store remembers it, so that the next one can be taken in: which fields have to be linked anew. A changed
//! mapping is no edit by anyone.

use super::fingerprint::{binding_digest, kind_digest};
use super::{Entity, Rules};
use crate::codec::{self, Decode, Encode};
use crate::model::{Digest, EntityId, FieldId, Home, ObjectId, SystemId};
use std::collections::BTreeMap;

/// What is mirrored, by digests: enough to see what another mapping has in common with it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Mapping {
    entities: Vec<MappedEntity>,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
struct MappedEntity {
    id: EntityId,
    name: String,
    objects: Vec<(SystemId, String)>,
    /// Conditions, where objects have one.
    scopes: Vec<(Home, String)>,
    keys: Vec<FieldId>,
    fields: Vec<MappedField>,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
struct MappedField {
    id: FieldId,
    name: String,
    kind: Digest,
    bindings: Vec<(Home, Digest)>,
}

/// What one entity's records have to forget, and their sides to link anew.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Remap {
    /// Fields that are no longer there, or of another type: their registers go.
    pub dropped: Vec<FieldId>,
    /// Fields that a side has to link anew: what it shows is no edit.
    pub rebound: Vec<(Home, FieldId)>,
    /// Fields that a side holds no longer.
    pub unbound: Vec<(Home, FieldId)>,
    /// Objects of which other records take part than before: all of them are looked at again.
    pub rescoped: Vec<Home>,
    /// Records are found by other keys.
    pub keys: bool,
    /// It lives in another object as well, whose records are to be linked.
    pub objects: bool,
}

/// A change that cannot be taken in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MappingChange {
    /// An entity is gone.
    #[error("the config no longer names the entity `{entity}`, of which the store holds records")]
    EntityGone {
        /// Its name.
        entity: String,
    },
    /// An object is gone or another one.
    #[error("`{entity}` lived in `{object}` of one of its systems, and the config no longer says so")]
    ObjectGone {
        /// The entity's name.
        entity: String,
        /// The object's name.
        object: String,
    },
    /// Yet another mapping has been taken in by half.
    #[error("the store is in the midst of taking in another mapping")]
    Unfinished,
    /// It was written by a version that did not remember mappings.
    #[error("the store does not say which mapping it was made with")]
    Unknown,
}

impl Remap {
    /// Nothing to do?
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Mapping {
    /// The mapping of these rules.
    pub fn of(rules: &Rules) -> Self {
        let mut entities: Vec<MappedEntity> = rules.entities.iter().map(MappedEntity::of).collect();
        entities.sort_by_key(|entity| entity.id);
        Self { entities }
    }

    /// As bytes.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(VERSION, self)
    }

    /// From bytes; none = not of this version.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        codec::decode(VERSION, bytes).ok()
    }

    /// What has to be done, by entity, for `next` to be the mapping of a store that was made with this one.
    ///
    /// # Errors
    /// The first change that cannot be taken in.
    pub fn to(&self, next: &Self) -> Result<Vec<(EntityId, Remap)>, MappingChange> {
        let mut remaps = Vec::new();
        for old in &self.entities {
            let Some(new) = next.entities.iter().find(|new| new.id == old.id) else {
                return Err(MappingChange::EntityGone { entity: old.name.clone() });
            };
            let remap = old.to(new)?;
            if !remap.is_empty() {
                remaps.push((old.id, remap));
            }
        }
        Ok(remaps)
    }
}

impl MappedEntity {
    fn of(entity: &Entity) -> Self {
        let mut objects: Vec<_> = entity.bindings.iter().map(|at| (at.system, at.object.clone())).collect();
        objects.sort();
        let field = |field: &super::Field| {
            let mut bindings: Vec<_> = field.bindings.iter().map(|at| (at.home(), binding_digest(field, at))).collect();
            bindings.sort_unstable();
            MappedField { id: field.id, name: field.name.clone(), kind: kind_digest(field), bindings }
        };
        let fields = entity.fields.iter().map(field).collect();
        let scope = |at: &super::Binding| at.scope.as_ref().map(|scope| (at.home(), scope.text.clone()));
        let mut scopes: Vec<_> = entity.bindings.iter().filter_map(scope).collect();
        scopes.sort();
        // Records are found by whom they name, too: under the link field, by the ids of a system in their form.
        let link = |link: &super::LinkField| {
            [link.field, FieldId::of(&format!("{:08x} {:08x} {:?}", link.field.0, link.system.0, link.ids))]
        };
        let keys = entity.match_keys.iter().copied().chain(entity.links().flat_map(|(_, of)| link(of))).collect();
        Self { id: entity.id, name: entity.name.clone(), objects, scopes, keys, fields }
    }

    fn to(&self, new: &Self) -> Result<Remap, MappingChange> {
        if let Some((_, object)) = self.objects.iter().find(|at| !new.objects.contains(at)) {
            return Err(MappingChange::ObjectGone { entity: self.name.clone(), object: object.clone() });
        }
        // Where the entity did not live, no side has anything to forget.
        let lived = |home: Home| {
            self.objects.iter().any(|(system, object)| home == Home { system: *system, object: ObjectId::of(object) })
        };
        let objects = new.objects.iter().any(|at| !self.objects.contains(at));
        let moved = self.scopes.iter().filter(|scope| !new.scopes.contains(scope));
        let moved = moved.chain(new.scopes.iter().filter(|scope| !self.scopes.contains(scope)));
        let mut rescoped: Vec<Home> = moved.map(|(home, _)| *home).filter(|home| lived(*home)).collect();
        rescoped.dedup();
        let mut remap = Remap { keys: self.keys != new.keys, objects, rescoped, ..Remap::default() };
        for old in &self.fields {
            let next = new.fields.iter().find(|new| new.id == old.id);
            if next.is_none_or(|next| next.kind != old.kind) {
                remap.dropped.push(old.id);
            }
            let kept = |home: Home| next.is_some_and(|next| next.bindings.iter().any(|(of, _)| *of == home));
            let gone = old.bindings.iter().map(|(home, _)| *home).filter(|home| !kept(*home));
            remap.unbound.extend(gone.map(|home| (home, old.id)));
        }
        for next in &new.fields {
            let old = self.fields.iter().find(|old| old.id == next.id).filter(|old| old.kind == next.kind);
            let known: BTreeMap<Home, Digest> =
                old.map(|old| old.bindings.iter().copied().collect()).unwrap_or_default();
            let changed = next.bindings.iter().filter(|(home, digest)| known.get(home) != Some(digest));
            remap.rebound.extend(changed.filter(|(home, _)| lived(*home)).map(|(home, _)| (*home, next.id)));
        }
        // A key reads differently where its field does.
        let fields = remap.rebound.iter().chain(&remap.unbound).map(|(_, field)| field).chain(&remap.dropped);
        remap.keys |= fields.into_iter().any(|field| new.keys.contains(field) || self.keys.contains(field));
        Ok(remap)
    }
}

/// Version byte of the stored form.
const VERSION: u8 = 3;

#[cfg(test)]
#[path = "mapping_tests.rs"]
mod tests;
