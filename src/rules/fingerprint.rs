//! The fingerprint of a mapping: what is mirrored and how it reads. Who wins and where records are created is no part of
//! it, for changing that changes no value.

use super::{
    Binding, Custom, Cut, Entity, Field, FieldBinding, Join, Limits, LinkField, Mismatch, Rules, StampPolicy, TooFine,
    TooLong, Transform, Unknown,
};
use crate::model::{Digest, FieldKind, IdForm, SystemId};

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

/// Digest of what a field's values are: of another, the register begins again.
pub(super) fn kind_digest(field: &Field) -> Digest {
    let mut out = Bytes(Vec::new());
    out.kind(&field.kind);
    for member in &field.members {
        out.number(u64::from(member.id.0));
        out.kind(&member.kind);
    }
    Digest::of_bytes(&out.0)
}

/// Digest of how an object shows a field.
pub(super) fn binding_digest(field: &Field, binding: &FieldBinding) -> Digest {
    let mut out = Bytes(Vec::new());
    out.field_binding(binding, &field.mismatch, false);
    out.unknown(&field.mismatch.unknown);
    out.shared(field.shared_domains.as_deref());
    for (member, at) in field.members_at(binding) {
        out.field_binding(at, &member.mismatch, false);
        out.unknown(&member.mismatch.unknown);
    }
    Digest::of_bytes(&out.0)
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
        let Entity { id, name, bindings, fields, match_keys, stamp: StampPolicy::OnCreate, edit_against_delete: _ } =
            entity;
        self.number(u64::from(id.0));
        self.text(name);
        let mut bindings: Vec<&Binding> = bindings.iter().collect();
        bindings.sort_by_key(|binding| binding.home());
        // Where a system has one object, that says of which a property is.
        let several = |system| bindings.iter().filter(|binding| binding.system == system).count() > 1;
        self.list(bindings.clone(), Self::binding);
        self.list(fields.iter().collect(), |out, field| out.field(field, &several));
        self.list(match_keys.iter().collect(), |out, key| out.number(u64::from(key.0)));
    }

    fn binding(&mut self, binding: &Binding) {
        let Binding { system, object, object_id: _, create: _, external_id, on_create: _, scope, on_delete: _, links } =
            binding;
        self.number(u64::from(system.0));
        self.text(object);
        self.option(external_id.as_deref(), Self::text);
        if let Some(scope) = scope {
            self.0.push(added::SCOPE);
            self.text(&scope.text);
        }
        if !links.is_empty() {
            self.0.push(added::LINKS);
            self.list(links.iter().collect(), Self::link);
        }
    }

    /// By other ids other records are found.
    fn link(&mut self, link: &LinkField) {
        let LinkField { field, system, object, ids } = link;
        self.number(u64::from(field.0));
        self.number(u64::from(system.0));
        self.option(*object, |out, object| out.number(u64::from(object.0)));
        self.0.push(match ids {
            IdForm::Plain => 0,
            IdForm::Number => 1,
            IdForm::Checked => 2,
        });
    }

    fn field(&mut self, field: &Field, several: &dyn Fn(SystemId) -> bool) {
        let Field {
            id,
            name,
            kind,
            bindings,
            conflict: _,
            on_link: _,
            mismatch,
            sensitive: _,
            members,
            shared_domains,
        } = field;
        self.number(u64::from(id.0));
        self.text(name);
        self.kind(kind);
        let mut bindings: Vec<&FieldBinding> = bindings.iter().collect();
        bindings.sort_by_key(|binding| binding.home());
        self.list(bindings, |out, binding| out.field_binding(binding, mismatch, several(binding.system)));
        self.unknown(&mismatch.unknown);
        self.shared(shared_domains.as_deref());
        if !members.is_empty() {
            self.0.push(added::MEMBERS);
            self.list(members.iter().collect(), |out, member| out.field(member, several));
        }
    }

    /// By others it is matched by other values.
    fn shared(&mut self, own: Option<&[String]>) {
        if let Some(domains) = own {
            self.0.push(added::SHARED);
            self.list(domains.iter().collect(), |out, domain| out.text(domain));
        }
    }

    fn kind(&mut self, kind: &FieldKind) {
        self.text(kind.name());
        match kind {
            FieldKind::Decimal { scale } => self.option(*scale, |out, scale| out.number(u64::from(scale))),
            // A build without the feature reads their hosts in another way.
            FieldKind::Email | FieldKind::Domain | FieldKind::Url | FieldKind::Owner if cfg!(feature = "idna") => {
                self.0.push(added::IDNA);
            }
            FieldKind::PhoneOf(region) => self.text(region.letters()),
            FieldKind::Ref { to } | FieldKind::Refs { to } => self.number(u64::from(to.0)),
            FieldKind::DateTime { step_ms } => self.number(step_ms.unsigned_abs()),
            _ => {}
        }
    }

    fn unknown(&mut self, unknown: &Unknown) {
        match unknown {
            Unknown::Refuse => {}
            Unknown::Pass => self.0.push(added::PASS),
            Unknown::As(option) => {
                self.0.push(added::UNKNOWN_AS);
                self.text(option);
            }
        }
    }

    /// Who is an owner there is data, and taken in without a link anew: see [`Owners`](super::Owners).
    fn field_binding(&mut self, binding: &FieldBinding, mismatch: &Mismatch, several: bool) {
        let FieldBinding {
            system,
            object,
            properties,
            join,
            values,
            default,
            limits,
            transforms,
            fallback: _,
            people: _,
            record_url,
        } = binding;
        self.number(u64::from(system.0));
        if several {
            self.0.push(added::OBJECT);
            self.number(u64::from(object.0));
        }
        self.text(properties.first().map_or("", String::as_str));
        self.list(values.iter().collect(), |out, (ours, theirs)| {
            out.text(ours);
            out.text(theirs);
        });
        self.option(default.as_ref(), |out, value| value.canonical_bytes(&mut out.0));
        self.limits(limits, mismatch);
        if !transforms.is_empty() {
            self.0.push(added::TRANSFORMS);
            self.list(transforms.iter().collect(), Self::transform);
        }
        if let Some(url) = record_url {
            self.0.push(added::RECORD_URL);
            self.option(url.stated.as_deref(), Self::text);
        }
        if let Some(Join { separator, cut }) = join {
            self.0.push(added::JOIN);
            self.list(properties.iter().skip(1).collect(), |out, property| out.text(property));
            self.text(separator);
            self.0.push(u8::from(*cut == Cut::Last));
        }
    }

    fn transform(&mut self, transform: &Transform) {
        self.text(transform.name());
        match transform {
            Transform::Trim | Transform::Upper | Transform::Lower | Transform::Title => {}
            Transform::Replace { from, to } => {
                self.text(from);
                self.text(to);
            }
            Transform::Prefix(text) | Transform::Suffix(text) => self.text(text),
            Transform::Times { power } => self.number(i64::from(*power) as u64),
            Transform::Shift { ms } => self.number(*ms as u64),
            Transform::Custom(Custom { write, read, .. }) => {
                self.text(write);
                self.option(read.as_deref(), Self::text);
            }
        }
    }

    /// A limit counts where it bends values. One at which values are refused changes none: whoever raises it has mended
    /// the problem, and need not start again.
    fn limits(&mut self, limits: &Limits, mismatch: &Mismatch) {
        let Limits { length, precision: _, scale, options } = limits;
        if let Some(length) = length.filter(|_| mismatch.too_long == TooLong::Truncate) {
            self.0.push(added::LENGTH);
            self.number(u64::from(length));
        }
        if let Some(scale) = scale.filter(|_| mismatch.too_fine == TooFine::Round) {
            self.0.push(added::SCALE);
            self.number(u64::from(scale));
        }
        if !options.is_empty() && matches!(mismatch.unknown, Unknown::As(_)) {
            self.0.push(added::OPTIONS);
            let mut options: Vec<&String> = options.iter().collect();
            options.sort();
            self.list(options, |out, option| out.text(option));
        }
    }
}

/// Marks of what is written only where it is stated, so that older mappings keep their fingerprint. None is 0, with which
/// every number begins.
mod added {
    pub const LENGTH: u8 = 2;
    pub const SCALE: u8 = 3;
    pub const OPTIONS: u8 = 4;
    pub const PASS: u8 = 5;
    pub const UNKNOWN_AS: u8 = 6;
    pub const TRANSFORMS: u8 = 7;
    pub const MEMBERS: u8 = 8;
    pub const JOIN: u8 = 9;
    pub const OBJECT: u8 = 10;
    pub const SCOPE: u8 = 11;
    pub const IDNA: u8 = 12;
    pub const RECORD_URL: u8 = 13;
    pub const SHARED: u8 = 14;
    pub const LINKS: u8 = 15;
}
