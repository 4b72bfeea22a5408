//! What a system has changed about its objects since it was last asked, and what that means for the rules.

use super::{Binding, Entity, Mode, Rules, System};
use crate::model::{ObjectSchema, PropertySchema, SystemId};

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    /// The system's name.
    pub system: String,
    /// The object.
    pub object: String,
    /// The property; none = the object itself.
    pub property: Option<String>,
    /// What has become of it.
    pub what: DriftKind,
    /// Where the rules name it, in the words of a config.
    pub at: Option<String>,
    /// What to do about it, where it matters to the rules.
    pub mend: Option<String>,
}

/// What has become of an object or a property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DriftKind {
    /// It is new.
    Added,
    /// It is gone, or hidden from the credential.
    Removed,
    /// It is of another type.
    Retyped {
        /// As it was, in words.
        from: &'static str,
        /// As it is.
        to: &'static str,
    },
    /// A create must carry it now.
    Required,
    /// A create needs it no more.
    Optional,
    /// It cannot be written any more.
    ReadOnly,
    /// It can be written now.
    Writable,
    /// It holds fewer or more characters or digits than before.
    Holds {
        /// Of what.
        unit: &'static str,
        /// As it was; none = no limit was told.
        from: Option<u32>,
        /// As it is.
        to: Option<u32>,
    },
    /// It has options that it had not.
    NewOptions(Vec<String>),
    /// It has lost options.
    LostOptions(Vec<String>),
}

impl DriftKind {
    /// A word for machines.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Retyped { .. } => "retyped",
            Self::Required => "required",
            Self::Optional => "optional",
            Self::ReadOnly => "read_only",
            Self::Writable => "writable",
            Self::Holds { .. } => "size",
            Self::NewOptions(_) => "new_options",
            Self::LostOptions(_) => "lost_options",
        }
    }
}

impl std::fmt::Display for DriftKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let size = |size: &Option<u32>| size.map_or_else(|| "any number of".to_owned(), |size| size.to_string());
        match self {
            Self::Added => f.write_str("is new"),
            Self::Removed => f.write_str("is gone, or hidden from the credential"),
            Self::Retyped { from, to } => write!(f, "was {from} and is {to} now"),
            Self::Required => f.write_str("is wanted on each new record now"),
            Self::Optional => f.write_str("is wanted on new records no more"),
            Self::ReadOnly => f.write_str("cannot be written any more"),
            Self::Writable => f.write_str("can be written now"),
            Self::Holds { unit, from, to } => write!(f, "holds {} {unit} now, {} before", size(to), size(from)),
            Self::NewOptions(options) => write!(f, "has new options: {}", options.join(", ")),
            Self::LostOptions(options) => write!(f, "has lost options: {}", options.join(", ")),
        }
    }
}

/// Compares what a system says of its objects with what it said before; of an object that was not seen before there is nothing
/// to say. What the rules name comes first; in the order of the rules.
pub fn drift(rules: &Rules, system: SystemId, before: &[ObjectSchema], now: &[ObjectSchema]) -> Vec<Drift> {
    let Some(system) = rules.system(system) else { return Vec::new() };
    let mut found = Vec::new();
    let named = rules.entities.iter().flat_map(|entity| entity.bindings_in(system.id).map(move |at| (entity, at)));
    for (entity, binding) in named {
        let Some(old) = before.iter().find(|old| old.object == binding.object) else { continue };
        let look = Look { system, entity, binding };
        match now.iter().find(|object| object.object == old.object) {
            Some(new) => look.object(old, new, &mut found),
            None => found.push(Drift {
                system: system.name.clone(),
                object: old.object.clone(),
                property: None,
                what: DriftKind::Removed,
                at: Some(format!("entities.{}.at.{}.object", entity.name, system.name)),
                mend: Some("name an object that is there, or grant the credential access to it".to_owned()),
            }),
        }
    }
    found.sort_by_key(|drift| drift.at.is_none());
    found
}

struct Look<'a> {
    system: &'a System,
    entity: &'a Entity,
    binding: &'a Binding,
}

impl Look<'_> {
    fn object(&self, old: &ObjectSchema, new: &ObjectSchema, found: &mut Vec<Drift>) {
        for before in &old.properties {
            match new.property(&before.name) {
                None => self.tell(&before.name, DriftKind::Removed, found),
                Some(now) => self.property(before, now, found),
            }
        }
        for now in new.properties.iter().filter(|now| old.property(&now.name).is_none()) {
            self.tell(&now.name, DriftKind::Added, found);
            if now.required {
                self.tell(&now.name, DriftKind::Required, found);
            }
        }
    }

    fn property(&self, before: &PropertySchema, now: &PropertySchema, found: &mut Vec<Drift>) {
        let mut tell = |what| self.tell(&now.name, what, found);
        if before.kind != now.kind {
            tell(DriftKind::Retyped {
                from: super::advice::describe(before.kind),
                to: super::advice::describe(now.kind),
            });
        }
        match (before.required, now.required) {
            (false, true) => tell(DriftKind::Required),
            (true, false) => tell(DriftKind::Optional),
            _ => {}
        }
        match (before.writable, now.writable) {
            (true, false) => tell(DriftKind::ReadOnly),
            (false, true) => tell(DriftKind::Writable),
            _ => {}
        }
        for (unit, from, to) in [
            ("characters", before.length, now.length),
            ("digits", before.precision, now.precision),
            ("digits after the point", before.scale, now.scale),
        ] {
            // Of another type it holds something else.
            if from != to && before.kind == now.kind {
                tell(DriftKind::Holds { unit, from, to });
            }
        }
        // What people are offered, which where a system restricts it are its options.
        let lacking = |of: &PropertySchema, than: &PropertySchema| -> Vec<String> {
            let has = |value: &String| than.choices.iter().any(|(known, _)| known == value);
            of.choices.iter().map(|(value, _)| value).filter(|value| !has(value)).cloned().collect()
        };
        let (new, lost) = (lacking(now, before), lacking(before, now));
        if !new.is_empty() {
            tell(DriftKind::NewOptions(new));
        }
        if !lost.is_empty() {
            tell(DriftKind::LostOptions(lost));
        }
    }

    fn tell(&self, property: &str, what: DriftKind, found: &mut Vec<Drift>) {
        let (at, mend) = match self.place(property) {
            Some(at) => (Some(at), self.mend(property, &what)),
            // What nobody maps matters only where a create must carry it.
            None if what == DriftKind::Required && self.binding.create => (
                Some(format!("entities.{}.at.{}.object", self.entity.name, self.system.name)),
                Some(format!(
                    "add a field with {0} = \"{property}\", name it in `on_create`, or take {0} out of `create`",
                    self.system.name
                )),
            ),
            None => (None, None),
        };
        found.push(Drift {
            system: self.system.name.clone(),
            object: self.binding.object.clone(),
            property: Some(property.to_owned()),
            what,
            at,
            mend,
        });
    }

    /// Where the rules name a property.
    fn place(&self, property: &str) -> Option<String> {
        let system = &self.system.name;
        if self.binding.external_id.as_deref() == Some(property) {
            return Some(format!("entities.{}.at.{system}.external_id", self.entity.name));
        }
        let mut leaves = self.entity.leaves_at(self.binding.home());
        let named = leaves.find(|(_, binding)| binding.properties.iter().any(|name| name == property));
        if let Some((field, _)) = named {
            return Some(format!("entities.{}.fields.{}.{system}", self.entity.name, field.name));
        }
        let constant = self.binding.on_create.iter().any(|(name, _)| name == property);
        constant.then(|| format!("entities.{}.at.{system}.on_create.{property}", self.entity.name))
    }

    /// What to do about a change of what the rules name.
    fn mend(&self, property: &str, what: &DriftKind) -> Option<String> {
        let system = &self.system.name;
        let field = self
            .entity
            .leaves_at(self.binding.home())
            .find(|(_, binding)| binding.properties.iter().any(|name| name == property));
        let written = self.system.mode == Mode::ReadWrite
            && field.is_none_or(|(field, _)| field.conflict.owner() != Some(self.system.id));
        let mapped = field.is_some_and(|(_, binding)| !binding.values.is_empty());
        match what {
            DriftKind::Removed => {
                Some("put it back, grant the credential access to it, or take it out of the config".into())
            }
            DriftKind::Retyped { .. } => Some("give the field a type that fits all its systems".into()),
            DriftKind::Required => {
                Some(format!("give the field a default = {{ {system} = \"...\" }} if it may be blank elsewhere"))
            }
            DriftKind::ReadOnly if written => {
                Some(format!("grant the credential access, or say direction = \"from {system}\""))
            }
            DriftKind::Holds { from, to, unit }
                if written && to.is_some_and(|to| from.is_none_or(|from| to < from)) =>
            {
                let key = match *unit {
                    "characters" => "length",
                    "digits" => "precision",
                    _ => "scale",
                };
                Some(format!("say {key} = {{ {system} = {} }}", to.unwrap_or_default()))
            }
            DriftKind::NewOptions(options) if mapped => {
                Some(format!("add to `values` a row each for {}", options.join(", ")))
            }
            DriftKind::LostOptions(options) if mapped => {
                Some(format!("take {} out of `values`, or put the options back", options.join(", ")))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
