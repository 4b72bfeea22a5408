//! What people and logs may see of values: the one place that hides those of sensitive fields.

use super::{Entity, Field, FieldBinding};
use crate::model::{SystemId, Value, spoken};
use std::fmt;

/// What stands in the place of a sensitive value.
pub const HIDDEN: &str = "(hidden)";

/// A field's value as it may be shown. Whether it is blank is no secret.
#[derive(Clone, Copy)]
pub struct Shown<'a> {
    value: &'a Value,
    field: &'a Field,
}

impl Field {
    /// A value of this field, to be shown: everything that prints a value goes through here.
    pub fn shown<'a>(&'a self, value: &'a Value) -> Shown<'a> {
        Shown { value, field: self }
    }
}

impl Entity {
    /// A remote's own words about a write of ours, to be kept and shown. Remotes repeat values, as they are or in a form of
    /// their own, also those of fields that were not written; so where a sensitive field lives, its words are not kept: the
    /// code and the names of our properties tell what is wrong.
    pub fn words(&self, system: SystemId, words: &str, properties: &[String]) -> String {
        if !self.is_sensitive_at(system) {
            return words.to_owned();
        }
        const HIDDEN: &str = "its own words may repeat sensitive values, so they are not kept";
        match self.named(system, properties) {
            named if named.is_empty() => HIDDEN.to_owned(),
            named => format!("about {}; {HIDDEN}", named.join(", ")),
        }
    }

    /// The properties that a remote named, to be kept and shown; where a sensitive field lives, only those that are ours.
    pub fn named(&self, system: SystemId, properties: &[String]) -> Vec<String> {
        let sensitive = self.is_sensitive_at(system);
        let ours = |name: &&String| self.bindings_of(system).any(|(_, binding)| binding.properties.contains(*name));
        properties.iter().filter(|name| !sensitive || ours(name)).map(|name| spoken(name)).collect()
    }

    fn is_sensitive_at(&self, system: SystemId) -> bool {
        self.bindings_of(system).any(|(field, _)| field.sensitive)
    }

    /// What lives in any object of a system.
    pub(crate) fn bindings_of(&self, system: SystemId) -> impl Iterator<Item = (&Field, &FieldBinding)> {
        let all = self.fields.iter().flat_map(|field| field.bindings.iter().map(move |binding| (field, binding)));
        all.filter(move |(_, binding)| binding.system == system)
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.value {
            Value::Null => self.value.fmt(f),
            Value::Group(members) if !self.field.members.is_empty() => {
                members.show(f, |at, value| self.field.members.get(at).unwrap_or(self.field).shown(value))
            }
            _ if self.field.sensitive => f.write_str(HIDDEN),
            value => value.fmt(f),
        }
    }
}

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Ability, FieldKind};
    use crate::rules::{EntitySpec, FieldSpec, Rules};

    fn entity(sensitive: bool) -> Entity {
        let ability = Ability::polled();
        let field = |name: &str, sensitive| FieldSpec { sensitive, ..FieldSpec::new(name, FieldKind::Text) };
        let entity = EntitySpec::new("person")
            .at("a", "people")
            .at("b", "Person")
            .match_by("name")
            .field(field("name", false).at("a", "name").at("b", "Name"))
            .field(field("ssn", sensitive).at("a", "ssn").at("b", "Ssn"));
        let rules = Rules::builder().system("a", ability.clone()).system("b", ability).entity(entity).build();
        rules.unwrap_or_else(|errors| panic!("{errors}")).entities.remove(0)
    }

    #[test]
    fn a_sensitive_value_is_never_printed_and_a_blank_is_no_secret() {
        let entity = entity(true);
        let field = |name: &str| entity.fields.iter().find(|field| field.name == name).unwrap();
        let value = Value::Text("canary".into());
        assert_eq!(field("name").shown(&value).to_string(), "canary");
        assert_eq!(field("ssn").shown(&value).to_string(), HIDDEN);
        assert_eq!(format!("{:?}", field("ssn").shown(&value)), HIDDEN);
        assert_eq!(field("ssn").shown(&Value::Null).to_string(), Value::Null.to_string());
    }

    #[test]
    fn a_remotes_words_are_kept_only_where_nothing_is_sensitive() {
        let (a, names) = (SystemId::of("a"), ["name".to_owned(), "canary".to_owned()]);
        assert_eq!(entity(false).words(a, "canary is too long", &names), "canary is too long");
        let words = entity(true).words(a, "canary is too long", &names);
        assert!(words.starts_with("about name;") && !words.contains("canary"), "{words}");
        assert_eq!(entity(true).words(a, &words, &names), words, "shown again it is the same");
        assert_eq!(entity(true).named(a, &names), ["name"]);
        assert_eq!(entity(false).named(a, &names), names);
    }
}
