//! A field's values on their way: read from a system, written to it, and what it would show then.

use super::{Field, FieldBinding, Unfit, Unknown, transform};
use crate::model::{EntityId, FieldKind, Raw, Value, ValueError};
use std::borrow::Cow;

impl Field {
    /// The counterpart in a system.
    pub fn binding(&self, system: crate::model::SystemId) -> Option<&FieldBinding> {
        self.bindings.iter().find(|binding| binding.system == system)
    }

    /// The entity that it refers to, if it is a reference.
    pub fn refers_to(&self) -> Option<EntityId> {
        match self.kind {
            FieldKind::Ref { to } => Some(to),
            _ => None,
        }
    }

    /// The canonical value of what a system shows.
    ///
    /// # Errors
    /// The value does not fit the type, or the value map does not know it.
    pub fn read(&self, binding: &FieldBinding, raw: &Raw) -> Result<Value, ValueError> {
        let value = match &*binding.transforms {
            [] => self.kind.read(raw)?,
            transforms => transform::read(transforms, &self.kind, raw)?,
        };
        match value {
            Value::Enum(shown) if !binding.values.is_empty() => self.canonical_option(binding, shown).map(Value::Enum),
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

    /// What is sent to a system for a canonical value.
    ///
    /// # Errors
    /// The system cannot hold the value, and nothing says what to send instead.
    pub fn write(&self, binding: &FieldBinding, value: &Value) -> Result<Raw, Unfit> {
        let value = match (binding.or_default(value), &*binding.transforms) {
            (value, []) => Cow::Borrowed(value),
            (value, transforms) => Cow::Owned(transform::apply(transforms, value)?),
        };
        Ok(match &*value {
            Value::Enum(canonical) => Raw::Text(self.fit_option(binding, canonical)?.to_owned()),
            Value::Set(canonical) => {
                let options = canonical.iter().map(|option| self.fit_option(binding, option));
                self.kind.write(&Value::set(options.collect::<Result<Vec<_>, _>>()?))
            }
            Value::Text(text) => Raw::Text(self.fit_text(binding, text)?.into_owned()),
            Value::Decimal(number) => self.kind.write(&Value::Decimal(self.fit_number(binding, *number)?)),
            Value::Int(number) => {
                self.fit_number(binding, (*number).into())?;
                Raw::Number(number.to_string())
            }
            other => self.kind.write(other),
        })
    }

    /// Can the system hold this value, as it is or as the rules bend it?
    ///
    /// # Errors
    /// It cannot.
    pub fn fits(&self, binding: &FieldBinding, value: &Value) -> Result<(), Unfit> {
        if self.is_plain(binding, binding.or_default(value)) {
            return Ok(());
        }
        self.write(binding, value).map(drop)
    }

    /// What a system would show of a canonical value once it was written there. "Equal" always means: the side shows this.
    /// A value that the system cannot hold stands for itself: no side that cannot hold it shows it.
    pub fn project(&self, binding: &FieldBinding, value: &Value) -> Value {
        let value = binding.or_default(value);
        if value.is_null() || self.is_plain(binding, value) {
            return value.clone();
        }
        let written = self.write(binding, value).ok();
        written.and_then(|raw| self.read(binding, &raw).ok()).unwrap_or_else(|| value.clone())
    }

    /// Does the system hold this value, and show it as it is? Quick, and true of nearly all.
    fn is_plain(&self, binding: &FieldBinding, value: &Value) -> bool {
        let limits = &binding.limits;
        binding.values.is_empty()
            && binding.transforms.is_empty()
            && match value {
                // A character has one byte at least.
                Value::Text(text) => limits.length.is_none_or(|max| text.len() <= max as usize),
                Value::Int(_) | Value::Decimal(_) => limits.precision.is_none() && limits.scale.is_none(),
                Value::Enum(_) | Value::Set(_) => limits.options.is_empty(),
                _ => true,
            }
    }
}
