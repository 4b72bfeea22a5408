//! Link fields: properties in which another tool keeps the id of a record's counterpart (HubSpot's `salesforcecontactid`). Such a
//! field is mirrored as any that only its system fills in; what it says is a claim, which the engine verifies.

use super::builder::Checks;
use super::error::Fault;
use super::nearest::nearest;
use super::spec::EntitySpec;
use super::{Binding, Entity, Field};
use crate::model::{FieldId, FieldKind, Home, IdForm, ObjectId, RemoteId, SystemId, Value};

/// A field of an object that names the record's counterpart in another system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkField {
    /// The field: a text.
    pub field: FieldId,
    /// The system whose records it names.
    pub system: SystemId,
    /// Of which of the entity's objects there; none = of any.
    pub object: Option<ObjectId>,
    /// What counts as an id there.
    pub ids: IdForm,
}

/// A link field by names, for [`EntitySpec::named_by`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkFieldSpec {
    /// The field's name.
    pub field: String,
    /// The system whose records it names.
    pub system: String,
    /// Of which of the entity's objects there; none = of any.
    pub object: Option<String>,
    /// What counts as an id there.
    pub ids: IdForm,
}

impl LinkFieldSpec {
    /// `field` names records of `system`, of any of the entity's objects there, by ids of any form.
    pub fn new(field: impl Into<String>, system: impl Into<String>) -> Self {
        Self { field: field.into(), system: system.into(), object: None, ids: IdForm::Plain }
    }

    /// Records of this object only.
    #[must_use]
    pub fn object(mut self, object: impl Into<String>) -> Self {
        self.object = Some(object.into());
        self
    }

    /// What counts as an id there.
    #[must_use]
    pub fn ids(mut self, ids: IdForm) -> Self {
        self.ids = ids;
        self
    }
}

impl LinkField {
    /// The id that a value of the field says.
    pub fn names(&self, value: &Value) -> Option<RemoteId> {
        match value {
            Value::Text(text) => self.ids.parse(text),
            _ => None,
        }
    }

    /// May it name records of this object?
    pub fn leads_to(&self, home: Home) -> bool {
        self.system == home.system && self.object.is_none_or(|object| object == home.object)
    }
}

impl Entity {
    /// Does another tool keep links of its records?
    pub fn has_links(&self) -> bool {
        self.bindings.iter().any(|binding| !binding.links.is_empty())
    }

    /// All link fields, each with the object that has it.
    pub fn links(&self) -> impl Iterator<Item = (Home, &LinkField)> {
        self.bindings.iter().flat_map(|binding| binding.links.iter().map(move |link| (binding.home(), link)))
    }

    /// Is it a link field?
    pub fn is_link(&self, field: FieldId) -> bool {
        self.links().any(|(_, link)| link.field == field)
    }
}

/// Sets the link fields of an entity's objects.
pub(super) fn compile(spec: &EntitySpec, at: &str, bindings: &mut [Binding], fields: &[Field], checks: &mut Checks) {
    let homes: Vec<(Home, String)> = bindings.iter().map(|binding| (binding.home(), binding.object.clone())).collect();
    for object in &spec.objects {
        let home = Home::of(&object.system, &object.object);
        for link in &object.links {
            // A config names the property.
            let named = spec.fields.iter().find(|field| field.name == link.field);
            let named = named.and_then(|field| field.properties.iter().find(|(system, _)| *system == object.system));
            let name = named.and_then(|(_, properties)| properties.first()).unwrap_or(&link.field);
            let at = format!("{at}.at.{}.links.{name}", object.system);
            if !checks.system(&at, Some(&link.system)) {
                continue;
            }
            let system = SystemId::of(&link.system);
            let there: Vec<&(Home, String)> = homes.iter().filter(|(home, _)| home.system == system).collect();
            let field = fields.iter().flat_map(Field::leaves).find(|field| field.name == link.field);
            let alone = fields.iter().any(|field| field.name == link.field);
            let unknown = link.object.as_ref().filter(|name| !there.iter().any(|(_, known)| known == *name));
            let fault = match (field, unknown) {
                _ if link.system == object.system => Some(Fault::LinkToOwn { system: link.system.clone() }),
                _ if there.is_empty() => Some(Fault::NoObject { system: link.system.clone() }),
                (_, Some(name)) => {
                    let known: Vec<String> = there.iter().map(|(_, known)| known.clone()).collect();
                    let near = nearest(name, known.iter().map(String::as_str)).map(str::to_owned);
                    Some(Fault::UnknownObject { object: name.clone(), near, known })
                }
                (None, _) => Some(Fault::LinkUnknown { name: link.field.clone() }),
                (Some(field), _) if field.kind != FieldKind::Text || !alone => {
                    Some(Fault::LinkOfOtherKind { name: link.field.clone() })
                }
                _ => None,
            };
            if let Some(fault) = fault {
                checks.fault_once(&at, fault);
                continue;
            }
            // An object that does not have the field has no such link.
            let has = field.is_some_and(|field| field.binding(home).is_some());
            if let Some(binding) = bindings.iter_mut().find(|binding| binding.home() == home && has) {
                let object = link.object.as_deref().map(ObjectId::of);
                binding.links.push(LinkField { field: FieldId::of(&link.field), system, object, ids: link.ids });
            }
        }
    }
}
