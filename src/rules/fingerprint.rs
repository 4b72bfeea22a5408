//! The fingerprint of a mapping: what is mirrored and how it reads. Who wins and where records are created is no part of
//! it, for changing that changes no value.

use super::{Binding, Entity, Field, FieldBinding, Rules, StampPolicy};
use crate::model::{Digest, FieldKind};

impl Rules {
    /// A digest of the mapping, independent of the order in which it is written down.
    pub fn fingerprint(&self) -> Digest {
        let mut out = Bytes(b"syncline mapping 1".to_vec());
        let mut entities: Vec<&Entity> = self.entities.iter().collect();
        entities.sort_by_key(|entity| entity.id);
        out.list(entities, Bytes::entity);
        Digest::of_bytes(&out.0)
    }
}

struct Bytes(Vec<u8>);

impl Bytes {
    fn number(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_be_bytes());
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.extend_from_slice(text.as_bytes());
    }

    fn option<T>(&mut self, item: Option<T>, write: impl Fn(&mut Self, T)) {
        self.0.push(u8::from(item.is_some()));
        if let Some(item) = item {
            write(self, item);
        }
    }

    fn list<T>(&mut self, items: Vec<T>, write: impl Fn(&mut Self, T)) {
        self.number(items.len() as u64);
        items.into_iter().for_each(|item| write(self, item));
    }

    fn entity(&mut self, entity: &Entity) {
        let Entity { id, name, bindings, fields, match_keys, stamp: StampPolicy::OnCreate } = entity;
        self.number(u64::from(id.0));
        self.text(name);
        let mut bindings: Vec<&Binding> = bindings.iter().collect();
        bindings.sort_by_key(|binding| binding.system);
        self.list(bindings, Self::binding);
        self.list(fields.iter().collect(), Self::field);
        self.list(match_keys.iter().collect(), |out, key| out.number(u64::from(key.0)));
    }

    fn binding(&mut self, binding: &Binding) {
        let Binding { system, object, object_id: _, create: _, external_id } = binding;
        self.number(u64::from(system.0));
        self.text(object);
        self.option(external_id.as_deref(), Self::text);
    }

    fn field(&mut self, field: &Field) {
        let Field { id, name, kind, bindings, conflict: _, on_link: _, sensitive: _ } = field;
        self.number(u64::from(id.0));
        self.text(name);
        self.text(kind.name());
        match kind {
            FieldKind::Decimal { scale } => self.option(*scale, |out, scale| out.number(u64::from(scale))),
            FieldKind::DateTime { step_ms } => self.number(step_ms.unsigned_abs()),
            _ => {}
        }
        let mut bindings: Vec<&FieldBinding> = bindings.iter().collect();
        bindings.sort_by_key(|binding| binding.system);
        self.list(bindings, Self::field_binding);
    }

    fn field_binding(&mut self, binding: &FieldBinding) {
        let FieldBinding { system, property, values, default } = binding;
        self.number(u64::from(system.0));
        self.text(property);
        self.list(values.iter().collect(), |out, (ours, theirs)| {
            out.text(ours);
            out.text(theirs);
        });
        self.option(default.as_ref(), |out, value| value.canonical_bytes(&mut out.0));
    }
}
