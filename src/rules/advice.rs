//! Advice before going live: do the rules fit what a system says about its own objects?

mod options;

use super::nearest::nearest;
use super::{Binding, Entity, Field, FieldBinding, Mode, Rules, System, TooLong, Transform};
use crate::model::{
    FieldKind, LIST, ObjectSchema, PropertySchema, PropertyType, Raw, SystemId, Value, is_ties, spoken,
};

/// Something about the rules that a system's schema brings to light.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whether it can go on like that.
    pub severity: Severity,
    /// The system's name.
    pub system: String,
    /// Where, in the words of a config: `entities.person.fields.phone.salesforce`.
    pub at: String,
    /// What, one sentence without a full stop.
    pub message: String,
    /// What to do about it.
    pub mend: String,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// It cannot go on like that.
    Error,
    /// Some records may become problems.
    Warning,
}

/// Compares the rules with what a system says about its objects. `objects` are those of the rules that the system knows;
/// one that is not among them is missing there. In the order of the rules.
pub fn check_schema(rules: &Rules, system: SystemId, objects: &[ObjectSchema]) -> Vec<Finding> {
    check_schema_beside(rules, system, objects, &[])
}

/// As [`check_schema`], with what the other systems said: their options are compared, and rows suggested.
pub fn check_schema_beside(
    rules: &Rules,
    system: SystemId,
    objects: &[ObjectSchema],
    others: &[(SystemId, Vec<ObjectSchema>)],
) -> Vec<Finding> {
    let Some(system) = rules.system(system) else { return Vec::new() };
    let mut findings = Vec::new();
    for entity in &rules.entities {
        for binding in entity.bindings_in(system.id) {
            let at = format!("entities.{}", entity.name);
            let mut check = Check { rules, system, entity, binding, at, others, findings: &mut findings };
            match objects.iter().find(|object| object.object == binding.object) {
                Some(object) => check.object(object),
                None => check.error(
                    &format!("at.{}.object", system.name),
                    format!("{} has no object `{}`, or the credential cannot see it", system.name, binding.object),
                    "name an object that is there, or grant the credential access to it".to_owned(),
                ),
            }
        }
    }
    findings
}

/// Tries every transform on samples: what does not come back as it was is worth knowing before it is met. In the order of the
/// rules.
pub fn check_transforms(rules: &Rules) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (entity, field) in rules
        .entities
        .iter()
        .flat_map(|entity| entity.fields.iter().flat_map(Field::leaves).map(move |field| (entity, field)))
    {
        for binding in field.bindings.iter().filter(|binding| !binding.transforms.is_empty()) {
            let Some(system) = rules.system(binding.system) else { continue };
            let mut push = |message, mend| {
                let (system, severity) = (system.name.clone(), Severity::Warning);
                let at = format!("entities.{}.fields.{}.transform.{system}", entity.name, field.name);
                findings.push(Finding { severity, system, at, message, mend });
            };
            let samples = samples(field, binding);
            let lost = samples
                .iter()
                .find(|value| field.fits(binding, value).is_ok() && field.project(binding, value) != **value);
            if let Some(value) = lost {
                let losses: Vec<&str> = binding.transforms.iter().filter_map(Transform::loss).collect();
                let loss = if losses.is_empty() { "digits that it has no room for" } else { &losses.join(", ") };
                push(
                    format!("`{value}` comes back from {} as `{}`", system.name, field.project(binding, value)),
                    format!("leave it if nobody minds: an edit in {} loses {loss} everywhere", system.name),
                );
            }
            let entered = samples.iter().filter_map(|value| field.read(binding, &[field.kind.write(value)]).ok());
            let unsteady = entered
                .into_iter()
                .find(|value| field.fits(binding, value).is_ok() && field.project(binding, value) != *value);
            if let Some(value) = unsteady.filter(|value| lost != Some(value)) {
                push(
                    format!(
                        "what a person enters in {} may be written over at once: `{value}` comes back as `{}`",
                        system.name,
                        field.project(binding, &value)
                    ),
                    "leave it if that is what you want, or take steps that can be told apart".to_owned(),
                );
            }
        }
    }
    findings
}

/// Values of a field's type, some of them made to hurt its transforms.
fn samples(field: &Field, binding: &FieldBinding) -> Vec<Value> {
    let texts: Vec<String> = match field.kind {
        FieldKind::Decimal { .. } => ["1", "0.01", "-2.5", "1234.56"].map(str::to_owned).into(),
        FieldKind::Integer => ["1", "-20", "300"].map(str::to_owned).into(),
        FieldKind::Date => ["2026-03-01", "1999-12-31"].map(str::to_owned).into(),
        FieldKind::DateTime { .. } => ["2026-03-01T10:00:00Z"].map(str::to_owned).into(),
        _ => {
            let mut texts = ["Ann", "ann of the North", "MÜLLER-LÜDENSCHEIDT", "7"].map(str::to_owned).to_vec();
            for transform in &binding.transforms {
                match transform {
                    Transform::Replace { from, to } => {
                        texts.extend([format!("a{from}b"), format!("a{to}b"), format!("a{from}b{to}c")]);
                    }
                    Transform::Prefix(text) => texts.extend([format!("{text}a"), format!("{text}{text}a")]),
                    Transform::Suffix(text) => texts.extend([format!("a{text}"), format!("a{text}{text}")]),
                    _ => {}
                }
            }
            texts
        }
    };
    texts.into_iter().filter_map(|text| field.kind.read(&Raw::Text(text.into())).ok()).collect()
}

struct Check<'a> {
    rules: &'a Rules,
    system: &'a System,
    entity: &'a Entity,
    binding: &'a Binding,
    at: String,
    others: &'a [(SystemId, Vec<ObjectSchema>)],
    findings: &'a mut Vec<Finding>,
}

impl Check<'_> {
    fn error(&mut self, at: &str, message: String, mend: String) {
        self.push(Severity::Error, at, message, mend);
    }

    fn warn(&mut self, at: &str, message: String, mend: String) {
        self.push(Severity::Warning, at, message, mend);
    }

    fn push(&mut self, severity: Severity, at: &str, message: String, mend: String) {
        let (system, at) = (self.system.name.clone(), format!("{}.{at}", self.at));
        self.findings.push(Finding { severity, system, at, message, mend });
    }

    /// A property, with its object where the entity has several in the system.
    fn place(&self, property: &PropertySchema) -> String {
        let (system, name) = (&self.system.name, &property.name);
        match self.entity.bindings_in(self.system.id).nth(1) {
            Some(_) => format!("{system}'s `{}.{name}`", self.binding.object),
            None => format!("{system}'s `{name}`"),
        }
    }

    fn object(&mut self, object: &ObjectSchema) {
        self.external_id(object);
        let entity = self.entity;
        for (field, binding) in entity.leaves_at(self.binding.home()) {
            let at = match binding.properties.first().filter(|_| entity.is_link(field.id) && field.bindings.len() == 1)
            {
                Some(property) => format!("at.{}.links.{property}", self.system.name),
                None => format!("fields.{}.{}", field.name, self.system.name),
            };
            for (place, name) in binding.properties.iter().enumerate() {
                match object.property(name) {
                    Some(property) => self.property(&at, field, (binding, place), property),
                    None => self.missing(&at, name, object),
                }
            }
        }
        if self.binding.create {
            self.constants(object);
            self.required(object);
        }
    }

    fn missing(&mut self, at: &str, name: &str, object: &ObjectSchema) {
        if let Some(list) = name.strip_prefix(LIST) {
            let mend =
                "name a list of this object by its number, as HubSpot shows it among the list's details".to_owned();
            return self.error(at, format!("{} has no list {list} of {}", self.system.name, object.object), mend);
        }
        if is_ties(name) {
            let message = format!("{} has no {} of {}", self.system.name, spoken(name), object.object);
            let mend = "name an object by its name there, or rows by their object, their reference to this one, that to the other, \
                        and their field for a label: OpportunityContactRole(OpportunityId, ContactId, Role)";
            return self.error(at, message, mend.to_owned());
        }
        let mend = match nearest(name, object.properties.iter().map(|property| &*property.name)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "name a property that is there, create it, or grant the credential access to it".to_owned(),
        };
        self.error(at, format!("{} has no property `{name}` on {}", self.system.name, object.object), mend);
    }

    fn external_id(&mut self, object: &ObjectSchema) {
        let Some(name) = &self.binding.external_id else { return };
        let at = format!("at.{}.external_id", self.system.name);
        let place = format!("{}'s {}.{name}", self.system.name, object.object);
        let make = "with \"unique\" and, in Salesforce, \"external id\"";
        let Some(property) = object.property(name) else {
            return self.error(
                &at,
                format!("{place}, which is to hold our external id, is not there"),
                format!(
                    "run `syncline check --create-properties`, create it as a text property {make}, or set external_id = \
                     false (nothing is created then)"
                ),
            );
        };
        if property.kind != PropertyType::Text {
            self.error(&at, format!("{place} is to hold our external id, but is no text"), format!("make one {make}"));
        } else if !property.unique {
            let message = format!("{place} is to hold our external id, but is not unique");
            self.error(&at, message, format!("create another as text {make}: most systems fix this at creation"));
        } else if self.binding.create && !property.writable {
            let message = format!("{place} is to hold our external id, but cannot be written");
            self.error(&at, message, "grant the credential write access to it".to_owned());
        }
    }

    /// `place`: which of the binding's properties it is.
    fn property(
        &mut self,
        at: &str,
        field: &Field,
        (binding, place): (&FieldBinding, usize),
        property: &PropertySchema,
    ) {
        let written = self.system.mode == Mode::ReadWrite && field.conflict.owner() != Some(self.system.id);
        if written && !property.writable {
            self.error(
                at,
                format!("{} cannot be written", self.place(property)),
                format!("set conflict = \"{} owns\" to only read it, or grant the credential access", self.system.name),
            );
        }
        self.kind(at, field, property);
        self.target(at, field, property);
        if field.ties_to().is_some() {
            return self.labels(at, binding, property);
        }
        if written {
            self.limits(at, field, binding, property);
        }
        if matches!(field.kind, FieldKind::Enum | FieldKind::Set) && !property.options.is_empty() {
            self.options(at, field, binding, property, written);
        }
        if let Some(default) = binding.default.as_ref().filter(|_| written) {
            self.default(at, field, (binding, place), default, property);
        }
    }

    /// The labels of ties are there.
    fn labels(&mut self, at: &str, binding: &FieldBinding, property: &PropertySchema) {
        let known: Vec<&str> = property.choices.iter().map(|(label, _)| &**label).collect();
        for (_, theirs) in binding.values.iter().filter(|(_, theirs)| !known.contains(&&**theirs)) {
            let mend = match nearest(theirs, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "create the label there, or take its row away".to_owned(),
            };
            self.error(at, format!("{} has no label `{theirs}` there", self.system.name), mend);
        }
    }

    /// A reference leads to the object of the entity that it is said to lead to.
    fn target(&mut self, at: &str, field: &Field, property: &PropertySchema) {
        let is_user = |to: &String| USERS.iter().any(|users| to.eq_ignore_ascii_case(users));
        if field.kind == FieldKind::Owner && !property.refers_to.is_empty() && !property.refers_to.iter().any(is_user) {
            let (place, to) = (self.place(property), &property.refers_to[0]);
            self.error(
                at,
                format!("{place} leads to {to}, not to a user"),
                "name a property that leads to a user, or use type = \"ref\"".to_owned(),
            );
        }
        let Some(entity) = field.refers_to().or(field.ties_to()).and_then(|to| self.rules.entity(to)) else { return };
        let objects: Vec<&str> = entity
            .bindings
            .iter()
            .filter(|binding| binding.system == self.system.id)
            .map(|binding| &*binding.object)
            .collect();
        let leads = |object: &&str| property.refers_to.iter().any(|to| to.eq_ignore_ascii_case(object));
        if !property.refers_to.is_empty() && !objects.iter().any(leads) {
            let more = if property.refers_to.len() > 1 { ", among others" } else { "" };
            let to = format!("{}{more}", property.refers_to[0]);
            self.error(
                at,
                format!(
                    "{}'s `{}` leads to {to}, not to `{}`",
                    self.system.name,
                    property.name,
                    objects.join("` or `")
                ),
                format!("name a property that leads to {}, or another entity as `to`", objects.join(" or ")),
            );
        }
    }

    fn kind(&mut self, at: &str, field: &Field, property: &PropertySchema) {
        let place = format!("{} is {}", self.place(property), describe(property.kind));
        match fit(&field.kind, property.kind) {
            Fit::Well => {}
            Fit::Mostly(doubt) => {
                let mend = "leave it if its values are like that".to_owned();
                self.warn(at, format!("{place}, the field {}: {doubt}", field.kind.name()), mend);
            }
            Fit::Not => {
                let mend = match types_for(property.kind) {
                    "" => "take this property out of the config".to_owned(),
                    types => format!("use type {types} and properties of one type in all systems"),
                };
                self.error(at, format!("{place}, which a field of type {} cannot be", field.kind.name()), mend);
            }
        }
    }

    /// What is stated is no more than what the property holds.
    fn limits(&mut self, at: &str, field: &Field, binding: &FieldBinding, property: &PropertySchema) {
        let place = self.place(property);
        let stated = &binding.limits;
        for (limit, stated, held, unit) in [
            ("length", stated.length, property.length, "characters"),
            ("precision", stated.precision, property.precision, "digits"),
            ("scale", stated.scale, property.scale, "digits after the point"),
        ] {
            if let (Some(stated), Some(held)) = (stated, held)
                && stated > held
            {
                let mend = format!("say {limit} = {{ {} = {held} }}", self.system.name);
                self.warn(at, format!("{place} holds {held} {unit}, fewer than the `{limit}` of {stated}"), mend);
            }
        }
        if let Some(held) = property.length.filter(|_| field.mismatch.too_long == TooLong::Truncate)
            && stated.length.is_none()
            && (!binding.transforms.is_empty() || self.longest_elsewhere(field).is_none_or(|most| most > held))
        {
            let mend = format!("add length = {{ {} = {held} }}, or a longer text is refused there", self.system.name);
            self.warn(at, format!("{place} holds {held} characters, and nothing says where to cut"), mend);
        }
    }

    fn default(
        &mut self,
        at: &str,
        field: &Field,
        (binding, place): (&FieldBinding, usize),
        default: &Value,
        property: &PropertySchema,
    ) {
        let written = field.write(binding, default).unwrap_or_default();
        let Some(Raw::Text(text)) = written.get(place) else { return };
        let too_long = property.length.is_some_and(|length| text.chars().count() > length as usize);
        let mut options = text.split(if field.kind == FieldKind::Set { ';' } else { '\0' });
        let known = |option: &str| property.options.iter().any(|known| known == option);
        let no_option = binding.values.is_empty() && !property.options.is_empty() && !options.all(known);
        let place = self.place(property);
        if too_long {
            let mend = "shorten it".to_owned();
            self.error(at, format!("the default `{text}` is longer than {place} can hold"), mend);
        } else if no_option {
            let mend = format!("use one of {}", property.options.join(", "));
            self.error(at, format!("the default `{text}` is no option of {place}"), mend);
        }
    }

    /// What the system wants on a create has a source.
    fn required(&mut self, object: &ObjectSchema) {
        let (entity, system) = (self.entity, self.system);
        let at_object = format!("at.{}.object", system.name);
        let required = object.properties.iter().filter(|property| property.required && property.writable);
        for property in required.filter(|property| self.binding.external_id.as_ref() != Some(&property.name)) {
            let name = &property.name;
            if self.binding.on_create.iter().any(|(constant, _)| constant == name) {
                continue;
            }
            match entity.leaves_at(self.binding.home()).find(|(_, binding)| binding.properties.contains(name)) {
                None => self.error(
                    &at_object,
                    format!("{} wants `{name}` on each new {}, but no field writes it", system.name, object.object),
                    format!(
                        "add a field with {} = \"{name}\", name it in `on_create`, or take {} out of `create`",
                        system.name, system.name
                    ),
                ),
                Some((field, FieldBinding { join: Some(join), properties, .. }))
                    if properties.get(join.lone(properties.len())) != Some(name) =>
                {
                    self.warn(
                        &format!("fields.{}.{}", field.name, system.name),
                        format!("{} wants `{name}` on each new {}", system.name, object.object),
                        "leave it if no text is without a separator, or split at the other end".to_owned(),
                    );
                }
                Some((field, binding)) if binding.default.is_none() && !self.is_always_there(field) => self.warn(
                    &format!("fields.{}.{}", field.name, system.name),
                    format!("{} wants `{name}` on each new {}", system.name, object.object),
                    format!(
                        "add default = {{ {} = \"...\" }}, or records without it are not created there",
                        system.name
                    ),
                ),
                Some(_) => {}
            }
        }
    }
}

impl Check<'_> {
    /// What new records get once can be held.
    fn constants(&mut self, object: &ObjectSchema) {
        for (name, value) in &self.binding.on_create {
            let at = format!("at.{}.on_create.{name}", self.system.name);
            let place = format!("{}'s `{name}`", self.system.name);
            let Some(property) = object.property(name) else {
                self.missing(&at, name, object);
                continue;
            };
            let text = FieldKind::Text.read(value).unwrap_or_default().to_string();
            let kind = kind_for(property.kind);
            let option = |text: &str| property.options.iter().any(|option| option == text);
            if !property.writable {
                self.error(&at, format!("{place} cannot be written"), "take it away".to_owned());
            } else if kind.is_some_and(|kind| kind.read(value).is_err()) {
                let message = format!("{place} is {}, which `{text}` is not", describe(property.kind));
                self.error(&at, message, "give a value of its type".to_owned());
            } else if !property.options.is_empty() && !text.split(';').all(|text| option(text.trim())) {
                let mend = format!("use one of {}", property.options.join(", "));
                self.error(&at, format!("`{text}` is no option of {place}"), mend);
            } else if property.length.is_some_and(|length| text.chars().count() > length as usize) {
                self.error(&at, format!("`{text}` is longer than {place} can hold"), "shorten it".to_owned());
            }
        }
    }

    /// Do all other systems of the field want a value, too? Then no record comes without one.
    fn is_always_there(&self, field: &Field) -> bool {
        let others = self.others_of(field);
        let elsewhere = field.bindings.iter().filter(|binding| binding.system != self.system.id).count();
        others.len() == elsewhere && others.iter().all(|(_, property)| property.required)
    }
}

/// What HubSpot and Salesforce call a user to whom a property leads.
const USERS: [&str; 2] = ["OWNER", "User"];

/// How a field type sits on a property type.
enum Fit {
    Well,
    Mostly(&'static str),
    Not,
}

fn fit(kind: &FieldKind, property: PropertyType) -> Fit {
    use FieldKind as F;
    use PropertyType as P;
    match (kind, property) {
        (_, P::Other) => Fit::Mostly("we do not know that type"),
        (F::Text | F::Email | F::Phone | F::PhoneOf(_) | F::Domain | F::Url | F::Enum, P::Text)
        | (F::Decimal { .. } | F::Integer, P::Number)
        | (F::Bool, P::Bool)
        | (F::Date, P::Date)
        | (F::DateTime { .. }, P::DateTime)
        | (F::Enum, P::Enumeration)
        | (F::Set, P::MultiEnumeration)
        | (F::Ref { .. } | F::Refs { .. } | F::Owner, P::Reference) => Fit::Well,
        (F::Owner, P::Text | P::Number) => Fit::Mostly("what is no id of a user is reported as a problem"),
        (F::Ref { .. }, P::Text | P::Number) => Fit::Mostly("what is no id of such a record is reported as a problem"),
        (F::Text, P::Enumeration) => Fit::Mostly("only its options can be written"),
        (F::Text, P::MultiEnumeration) => Fit::Mostly("several options are one text"),
        (F::Text, P::Reference) => Fit::Mostly("ids mean nothing in another system; use type = \"ref\""),
        (F::Set, P::Text) => Fit::Mostly("`;` stands between its options"),
        (F::Set, P::Enumeration) => Fit::Mostly("it holds one option only"),
        (F::Decimal { .. } | F::Integer | F::Bool | F::Date | F::DateTime { .. }, P::Text) => {
            Fit::Mostly("other texts are reported as problems")
        }
        (F::Bool, P::Enumeration) => Fit::Mostly("options other than true and false are reported as problems"),
        (F::Date, P::DateTime) => Fit::Mostly("moments other than midnight UTC are reported as problems"),
        _ => Fit::Not,
    }
}

/// The type whose values a property of this type holds, if it is picky.
fn kind_for(property: PropertyType) -> Option<FieldKind> {
    match property {
        PropertyType::Number => Some(FieldKind::Decimal { scale: None }),
        PropertyType::Bool => Some(FieldKind::Bool),
        PropertyType::Date => Some(FieldKind::Date),
        PropertyType::DateTime => Some(FieldKind::DateTime { step_ms: 1 }),
        _ => None,
    }
}

/// Can a property of this type hold such a field at all?
#[cfg(feature = "config")]
pub(crate) fn fits(kind: &FieldKind, property: PropertyType) -> bool {
    !matches!(fit(kind, property), Fit::Not)
}

pub(super) fn describe(kind: PropertyType) -> &'static str {
    match kind {
        PropertyType::Text => "text",
        PropertyType::Number => "a number",
        PropertyType::Bool => "true or false",
        PropertyType::Date => "a date",
        PropertyType::DateTime => "a moment",
        PropertyType::Enumeration => "one of its options",
        PropertyType::MultiEnumeration => "several of its options",
        PropertyType::Reference => "a reference to another record",
        PropertyType::Other => "of a type of its own",
    }
}

fn types_for(kind: PropertyType) -> &'static str {
    match kind {
        PropertyType::Text | PropertyType::Reference => "\"text\"",
        PropertyType::MultiEnumeration => "\"set\"",
        PropertyType::Number => "\"decimal\" or \"integer\"",
        PropertyType::Bool => "\"bool\"",
        PropertyType::Date => "\"date\"",
        PropertyType::DateTime => "\"datetime\"",
        PropertyType::Enumeration => "\"enum\"",
        PropertyType::Other => "",
    }
}

#[cfg(test)]
mod tests;
