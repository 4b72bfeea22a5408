//! The options of enumerations: the value map, this system's options and the other systems' name each other.

use super::Check;
use crate::model::PropertySchema;
use crate::rules::nearest::{nearest, nearest_choice};
use crate::rules::{Field, FieldBinding, Unknown};

impl Check<'_> {
    /// `written`: are values of the field ever sent to this system?
    pub(super) fn options(
        &mut self,
        at: &str,
        field: &Field,
        binding: &FieldBinding,
        property: &PropertySchema,
        written: bool,
    ) {
        if binding.values.is_empty() {
            self.stated(at, binding, property);
            // What is passed on as it is, or goes to one option, needs no counterpart.
            if written && field.mismatch.unknown == Unknown::Refuse {
                self.same_options(at, field, property);
            }
            return;
        }
        self.gone(at, binding, property, written);
        self.stated(at, binding, property);
        let mapped = |option: &&String| binding.values.iter().any(|(_, theirs)| theirs == *option);
        let unmapped: Vec<&str> =
            property.options.iter().filter(|option| !mapped(option)).map(String::as_str).collect();
        if !unmapped.is_empty() && field.mismatch.unknown == Unknown::Refuse {
            let mut mend = "add rows for them, or their records keep this field as a problem".to_owned();
            let rows = self.rows(field, property, &unmapped);
            if !rows.is_empty() {
                mend.push_str(&format!("; nearest: {rows}"));
            }
            self.warn(at, format!("the value map leaves out {}'s {}", self.system.name, listed(&unmapped)), mend);
        }
    }

    /// Options that rows name, but that are not there: a write of one would be refused, a reading row only never applies.
    fn gone(&mut self, at: &str, binding: &FieldBinding, property: &PropertySchema, written: bool) {
        let mut reported: Vec<&str> = Vec::new();
        for (canonical, theirs) in &binding.values {
            if property.options.contains(theirs) || reported.contains(&&**theirs) {
                continue;
            }
            reported.push(theirs);
            let message = format!("{} has no option `{theirs}`", self.place(property));
            let mend = match nearest(theirs, property.options.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("name one of {}", property.options.join(", ")),
            };
            let sent = |(ours, other): &&(String, String)| ours == canonical && other == theirs;
            let first = binding.values.iter().find(|(ours, _)| ours == canonical);
            if written && first.as_ref().is_some_and(sent) {
                self.error(at, message, mend);
            } else {
                self.warn(at, format!("{message}, so its row never applies"), mend);
            }
        }
    }

    /// Options that the config states to be there, but are not.
    fn stated(&mut self, at: &str, binding: &FieldBinding, property: &PropertySchema) {
        for theirs in binding.limits.options.iter().filter(|theirs| !property.options.contains(theirs)) {
            let mend = match nearest(theirs, property.options.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("name one of {}", property.options.join(", ")),
            };
            self.error(at, format!("{} has no option `{theirs}`", self.place(property)), mend);
        }
    }

    /// Without a value map the options of the other systems are written here as they are.
    fn same_options(&mut self, at: &str, field: &Field, property: &PropertySchema) {
        for (name, theirs) in self.others_of(field) {
            let lacking: Vec<&str> =
                theirs.options.iter().filter(|option| !property.options.contains(option)).map(String::as_str).collect();
            if lacking.is_empty() {
                continue;
            }
            let rows: Vec<String> = lacking
                .iter()
                .take(ROWS_MAX)
                .filter_map(|option| {
                    let near = nearest_choice(option, label(&theirs, option), &property.choices)?;
                    Some(row(&name, option, &self.system.name, near))
                })
                .collect();
            let mend = match rows.is_empty() {
                true => "add `values` with a row for each, or their records keep this field as a problem".to_owned(),
                false => format!("add values = [{}], with a row for each", rows.join(", ")),
            };
            let message = format!("{} has no option for {name}'s {}", self.place(property), listed(&lacking));
            self.warn(at, message, mend);
        }
    }

    /// Rows that would map some of our options to the nearest ones of another system.
    fn rows(&self, field: &Field, property: &PropertySchema, unmapped: &[&str]) -> String {
        let others = self.others_of(field);
        let near = |option: &&str| {
            others.iter().find_map(|(name, theirs)| {
                let near = nearest_choice(option, label(property, option), &theirs.choices)?;
                Some(row(&self.system.name, option, name, near))
            })
        };
        unmapped.iter().take(ROWS_MAX).filter_map(near).collect::<Vec<_>>().join(", ")
    }

    /// What the field's other systems can hold at most, in characters; none = not all of them say.
    pub(super) fn longest_elsewhere(&self, field: &Field) -> Option<u32> {
        let others = self.others_of(field);
        let elsewhere = field.bindings.iter().filter(|binding| binding.system != self.system.id).count();
        let lengths: Option<Vec<u32>> = others.iter().map(|(_, property)| property.length).collect();
        lengths.filter(|lengths| lengths.len() == elsewhere)?.into_iter().max()
    }

    /// The field's counterparts in the other systems that have said something.
    pub(super) fn others_of(&self, field: &Field) -> Vec<(String, PropertySchema)> {
        let of = |binding: &FieldBinding| {
            let object = &self.entity.binding(binding.home())?.object;
            let (_, objects) = self.others.iter().find(|(system, _)| *system == binding.system)?;
            let property = objects.iter().find(|schema| schema.object == *object)?.property(binding.property()?)?;
            Some((self.rules.system(binding.system)?.name.clone(), property.clone()))
        };
        field.bindings.iter().filter(|binding| binding.system != self.system.id).filter_map(of).collect()
    }
}

fn label<'a>(property: &'a PropertySchema, option: &'a str) -> &'a str {
    property.choices.iter().find(|(value, _)| value == option).map_or(option, |(_, label)| label)
}

fn row(one: &str, option: &str, other: &str, near: &str) -> String {
    format!("{{ {one} = {option:?}, {other} = {near:?} }}")
}

/// Some options, cut where there are many.
fn listed(options: &[&str]) -> String {
    let shown = options.iter().take(OPTIONS_MAX).copied().collect::<Vec<_>>().join(", ");
    match options.len().saturating_sub(OPTIONS_MAX) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// Options that a message lists.
const OPTIONS_MAX: usize = 12;
/// Rows that a mend suggests.
const ROWS_MAX: usize = 6;
