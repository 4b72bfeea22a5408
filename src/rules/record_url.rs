//! The address at which people find a record of a system: a field that nobody fills in, made of the record's id there.

use super::{Entity, FieldBinding, Rules};
use crate::model::{Home, Raw, RemoteId, SystemId};

/// Where people find the records of one object: an address with `{id}` in place of the record's id.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecordUrl {
    /// As the config states it; part of the mapping.
    pub stated: Option<String>,
    /// As the system's connector tells it, where nothing is stated. It belongs to the account, like a user's name, and not to the
    /// mapping, so that whoever asks no system knows the same mapping.
    pub told: Option<String>,
}

impl RecordUrl {
    /// One that the config states, or none yet.
    pub fn new(stated: Option<String>) -> Self {
        Self { stated, told: None }
    }

    /// The address of a record; none while nobody has told where records are found.
    pub fn of(&self, remote: &RemoteId) -> Option<Raw> {
        let template = self.stated.as_ref().or(self.told.as_ref())?;
        Some(Raw::Text(template.replace("{id}", remote.as_str()).into()))
    }
}

impl FieldBinding {
    /// Is it made of the record's id, and no property?
    pub fn is_record_url(&self) -> bool {
        self.record_url.is_some()
    }
}

impl Entity {
    /// The fields that are addresses of its records in a system, each with its counterpart there, which is no property.
    fn record_urls(&self, system: SystemId) -> impl Iterator<Item = (&super::Field, &FieldBinding)> {
        let all = self.fields.iter().flat_map(|field| field.bindings.iter().map(move |at| (field, at)));
        all.filter(move |(_, at)| at.system == system && at.is_record_url())
    }
}

impl Rules {
    /// Objects of a system of whose records an address is wanted that the config does not state, by their names there.
    pub fn record_urls_wanted(&self, system: SystemId) -> Vec<(Home, String)> {
        let mut wanted = Vec::new();
        for entity in &self.entities {
            for (_, at) in entity.record_urls(system) {
                let told = at.record_url.as_ref().is_some_and(|url| url.stated.is_none());
                let Some(binding) = entity.binding(at.home()).filter(|_| told) else { continue };
                let one = (at.home(), binding.object.clone());
                if !wanted.contains(&one) {
                    wanted.push(one);
                }
            }
        }
        wanted
    }

    /// Tells where people find the records of an object: an address with `{id}` in it.
    pub fn set_record_url(&mut self, home: Home, template: &str) {
        let fields = self.entities.iter_mut().flat_map(|entity| &mut entity.fields);
        for binding in fields.flat_map(|field| &mut field.bindings).filter(|binding| binding.home() == home) {
            if let Some(url) = &mut binding.record_url {
                url.told = Some(template.to_owned());
            }
        }
    }

    /// The system of whose record a field shows the address; none = it is a field like others.
    pub fn record_url_of(&self, field: &super::Field) -> Option<SystemId> {
        field.bindings.iter().find(|binding| binding.is_record_url()).map(|binding| binding.system)
    }
}
