//! A field's values on their way: read from a system, written to it, and what it would show then.

use super::{Field, FieldBinding, Unfit, Unknown, transform};
use crate::model::{EntityId, FieldId, FieldKind, Home, Raw, SystemId, Value, ValueError};
use std::borrow::Cow;

/// What is amiss with a value, and where: in a field by itself, or in a member of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amiss<E> {
    /// The field, which no group is.
    pub field: FieldId,
    /// What.
    pub error: E,
}

impl Field {
    /// The counterpart in an object.
    pub fn binding(&self, home: Home) -> Option<&FieldBinding> {
        self.bindings.iter().find(|binding| binding.home() == home)
    }

    /// The counterpart in the first object of a system that has the field. What is said of a system (value map, limits,
    /// default, transforms) holds for each of its objects.
    pub fn first_in(&self, system: SystemId) -> Option<&FieldBinding> {
        self.bindings.iter().find(|binding| binding.system == system)
    }

    /// In how many systems does it live?
    pub fn systems_len(&self) -> usize {
        let mut systems: Vec<SystemId> = self.bindings.iter().map(|binding| binding.system).collect();
        systems.sort_unstable();
        systems.dedup();
        systems.len()
    }

    /// The entity that it refers to, if it is a reference.
    pub fn refers_to(&self) -> Option<EntityId> {
        match self.kind {
            FieldKind::Ref { to } => Some(to),
            _ => None,
        }
    }

    /// The entity of the records that it ties, if it is a set of ties.
    pub fn ties_to(&self) -> Option<EntityId> {
        match self.kind {
            FieldKind::Refs { to } => Some(to),
            _ => None,
        }
    }

    /// The fields that have values of their own: a group's members, or the field itself.
    pub fn leaves(&self) -> &[Field] {
        if self.members.is_empty() { std::slice::from_ref(self) } else { &self.members }
    }

    /// As [`Self::leaves`], to be changed.
    pub(super) fn leaves_mut(&mut self) -> &mut [Field] {
        if self.members.is_empty() { std::slice::from_mut(self) } else { &mut self.members }
    }

    /// The member with this id, or the field itself.
    pub fn leaf(&self, id: FieldId) -> &Field {
        self.members.iter().find(|member| member.id == id).unwrap_or(self)
    }

    /// The canonical value of what a system shows in the binding's properties, in their order.
    ///
    /// # Errors
    /// A value does not fit its type, or the value map does not know it.
    pub fn read(&self, binding: &FieldBinding, raws: &[Raw]) -> Result<Value, Amiss<ValueError>> {
        if self.members.is_empty() {
            return self.read_own(binding, &binding.joined(raws)).map_err(|error| self.amiss(error));
        }
        let mut members = Vec::with_capacity(self.members.len());
        for (place, (member, at)) in self.members_at(binding).enumerate() {
            members.push(member.read(at, raws.get(place..).unwrap_or_default())?);
        }
        Ok(Value::group(members))
    }

    /// A group's members, each with its counterpart in the same object.
    pub(super) fn members_at<'f>(
        &'f self,
        binding: &'f FieldBinding,
    ) -> impl Iterator<Item = (&'f Field, &'f FieldBinding)> {
        let home = binding.home();
        self.members.iter().filter_map(move |member| member.binding(home).map(|binding| (member, binding)))
    }

    fn amiss<E>(&self, error: E) -> Amiss<E> {
        Amiss { field: self.id, error }
    }

    fn read_own(&self, binding: &FieldBinding, raw: &Raw) -> Result<Value, ValueError> {
        if self.kind == FieldKind::Owner {
            return binding.owner(self.kind.read(raw)?);
        }
        let value = match &*binding.transforms {
            [] => self.kind.read(raw)?,
            transforms => transform::read(transforms, &self.kind, raw)?,
        };
        match value {
            Value::Enum(shown) if !binding.values.is_empty() => {
                self.canonical_option(binding, shown.into()).map(|option| Value::Enum(option.into()))
            }
            Value::Set(shown) if self.ties_to().is_some() => {
                Ok(Value::set(shown.into_iter().map(|tie| binding.tie(&tie))))
            }
            Value::Set(shown) if !binding.values.is_empty() => {
                let options = shown.into_iter().map(|option| self.canonical_option(binding, option));
                Ok(Value::set(options.collect::<Result<Vec<_>, _>>()?))
            }
            value => Ok(value),
        }
    }

    fn canonical_option(&self, binding: &FieldBinding, shown: String) -> Result<String, ValueError> {
        let known = binding.values.iter().find(|(_, theirs)| *theirs == shown).map(|(canonical, _)| canonical.clone());
        match (known, &self.mismatch.unknown) {
            (Some(canonical), _) => Ok(canonical),
            (None, Unknown::Refuse) => {
                Err(ValueError { wanted: "a mapped option", reason: "the value map does not name it" })
            }
            (None, Unknown::Pass) => Ok(shown),
            (None, Unknown::As(default)) => Ok(default.clone()),
        }
    }

    /// What is sent to a system for a canonical value, one for each of the binding's properties.
    ///
    /// # Errors
    /// The system cannot hold the value, and nothing says what to send instead.
    pub fn write(&self, binding: &FieldBinding, value: &Value) -> Result<Vec<Raw>, Amiss<Unfit>> {
        if self.members.is_empty() {
            return self.write_own(binding, value).map_err(|error| self.amiss(error));
        }
        // All members go, also those that the side is known to show already: so the write leaves this group there and no other,
        // whatever came in between, and where the system tells only of those that it changed, the rest are known, too.
        let mut raws = Vec::with_capacity(binding.properties.len());
        for (place, (member, at)) in self.members_at(binding).enumerate() {
            raws.extend(member.write(at, value.member(place))?);
        }
        Ok(raws)
    }

    fn write_own(&self, binding: &FieldBinding, value: &Value) -> Result<Vec<Raw>, Unfit> {
        let value = match (binding.or_default(value), &*binding.transforms) {
            (value, []) => Cow::Borrowed(value),
            (value, transforms) => Cow::Owned(transform::apply(transforms, value)?),
        };
        let raw = match &*value {
            Value::Null => return Ok(vec![Raw::Null; binding.properties.len()]),
            Value::Text(email) if self.kind == FieldKind::Owner => Raw::Text(binding.owner_id(email)?.into()),
            Value::Text(text) => return self.split(binding, text),
            Value::Enum(canonical) => Raw::Text(self.fit_option(binding, canonical)?.into()),
            Value::Set(canonical) => {
                let options = canonical.iter().map(|option| self.fit_option(binding, option));
                self.kind.write(&Value::set(options.collect::<Result<Vec<_>, _>>()?))
            }
            Value::Decimal(number) => self.kind.write(&Value::Decimal(self.fit_number(binding, *number)?)),
            Value::Int(number) => {
                self.fit_number(binding, (*number).into())?;
                Raw::Number(number.to_string().into())
            }
            other => self.kind.write(other),
        };
        Ok(vec![raw])
    }

    /// Can the system hold this value, as it is or as the rules bend it?
    ///
    /// # Errors
    /// It cannot.
    pub fn fits(&self, binding: &FieldBinding, value: &Value) -> Result<(), Amiss<Unfit>> {
        if self.ties_to().is_some() || self.members.is_empty() && self.is_plain(binding, binding.or_default(value)) {
            return Ok(());
        }
        self.write(binding, value).map(drop)
    }

    /// What a system would show of a canonical value once it was written there. "Equal" always means: the side shows this.
    /// A value that the system cannot hold stands for itself: no side that cannot hold it shows it.
    pub fn project(&self, binding: &FieldBinding, value: &Value) -> Value {
        self.projected(binding, value).into_owned()
    }

    /// As [`Self::project`], without a copy where the system shows the value as it is.
    pub fn projected<'v>(&'v self, binding: &'v FieldBinding, value: &'v Value) -> Cow<'v, Value> {
        if !self.members.is_empty() {
            let members = self.members_at(binding).enumerate();
            let members = members.map(|(place, (member, at))| member.project(at, value.member(place)));
            return Cow::Owned(Value::group(members));
        }
        if self.ties_to().is_some() {
            return Cow::Owned(binding.ties_there(value));
        }
        let value = binding.or_default(value);
        if value.is_null() || self.is_plain(binding, value) {
            return Cow::Borrowed(value);
        }
        let written = self.write(binding, value).ok();
        written.and_then(|raws| self.read(binding, &raws).ok()).map_or(Cow::Borrowed(value), Cow::Owned)
    }

    /// Does the system hold this value, and show it as it is? Quick, and true of nearly all.
    fn is_plain(&self, binding: &FieldBinding, value: &Value) -> bool {
        let limits = &binding.limits;
        binding.values.is_empty()
            && binding.transforms.is_empty()
            && self.kind != FieldKind::Owner
            && match value {
                // A character has one byte at least.
                Value::Text(_) if binding.join.is_some() => false,
                Value::Text(text) => limits.length.is_none_or(|max| text.len() <= max as usize),
                Value::Int(_) | Value::Decimal(_) => limits.precision.is_none() && limits.scale.is_none(),
                Value::Enum(_) | Value::Set(_) => limits.options.is_empty(),
                _ => true,
            }
    }
}
