//! Filling a portal before it is served.

use super::HubSpotWorld;
use super::object_type::ObjectType;
use super::record::Source;
use super::schema::{Computed, Property, PropertyType};
use super::standard::OWNERS;
use super::table::{Changes, Claims};
use super::value;
use crate::sandbox::clock;
use crate::sandbox::system::Furnish;

impl HubSpotWorld {
    /// Inserts a record, as an import would. Enumerations take internal values or labels, `hs_object_id` sets the id, an
    /// empty field was never set. The error says what the portal would refuse.
    pub fn insert_seed(
        &mut self,
        object: &str,
        fields: Vec<(String, String)>,
        mut created_ms: i64,
    ) -> Result<String, String> {
        let object = ObjectType::parse(object).ok_or_else(|| format!("there is no object {object}"))?;
        let table = self.table_mut(object);
        let (mut id, mut changes) = (None, Changes::new());
        for (name, written) in fields.iter().filter(|(_, written)| !written.is_empty()) {
            let index = table.schema.index(name).ok_or_else(|| format!("there is no property {name}"))?;
            let property = table.schema.at(index);
            match property.computed {
                None => {}
                Some(Computed::Id) => {
                    let number = written.trim().parse().map_err(|_| format!("the id {written} is not a number"))?;
                    if table.is_taken(number) {
                        return Err(format!("the id {number} is taken"));
                    }
                    id = Some(number);
                    continue;
                }
                Some(Computed::Created) => {
                    created_ms = clock::parse_instant(&as_instant(written))
                        .ok_or_else(|| format!("{name}: {written} is no date"))?;
                    continue;
                }
                Some(_) => continue,
            }
            let written = match property.kind {
                PropertyType::DateTime => as_instant(written),
                PropertyType::Enumeration => internal_value(property, written),
                _ => written.clone(),
            };
            let stored = value::stored(property, &written, None);
            changes.push((index, stored.map_err(|bad| format!("{name}: {}", bad.message))?));
        }
        table.check_unique(&changes, None, &mut Claims::new()).map_err(|refusal| refusal.message().to_owned())?;
        let id = match id {
            Some(id) => {
                table.create_as(id, &changes, Source::Import, created_ms);
                id
            }
            None => table.create(&changes, Source::Import, created_ms),
        };
        Ok(id.to_string())
    }
}

impl Furnish for HubSpotWorld {
    fn properties(&self, object: &str) -> Vec<(String, String)> {
        let table = ObjectType::parse(object).map(|object| self.table(object));
        let live = table.into_iter().flat_map(|table| table.schema.live());
        live.map(|(_, property)| (property.name.clone(), property.label.clone())).collect()
    }

    fn add_text_field(&mut self, object: &str, name: &str, label: &str) {
        if let Some(object) = ObjectType::parse(object) {
            self.table_mut(object).schema.define(Property::text(name, label, object.group()));
        }
    }

    fn remove_field(&mut self, object: &str, name: &str) {
        if let Some(object) = ObjectType::parse(object) {
            self.table_mut(object).schema.forget(name);
        }
    }

    fn owner(&self, email: &str) -> Option<String> {
        OWNERS.iter().find(|owner| owner.active && owner.email == email).map(|owner| owner.id.to_owned())
    }

    fn insert(&mut self, object: &str, fields: Vec<(String, String)>, created_ms: i64) -> Result<String, String> {
        self.insert_seed(object, fields, created_ms)
    }

    fn insert_with(
        &mut self,
        object: &str,
        fields: Vec<(String, String)>,
        company: Option<&str>,
        created_ms: i64,
    ) -> Result<String, String> {
        let id = self.insert_seed(object, fields, created_ms)?;
        if let (Some(from), Ok(own), Some(Ok(company))) =
            (ObjectType::parse(object), id.parse(), company.map(str::parse))
        {
            self.seed_tie(from, own, company);
        }
        Ok(id)
    }
}

/// The internal values that a written enumeration means; what is no label stays as it is.
fn internal_value(property: &Property, written: &str) -> String {
    let one = |written: &str| {
        let choice = property.options.iter().find(|choice| choice.label.eq_ignore_ascii_case(written.trim()));
        choice.map_or_else(|| written.to_owned(), |choice| choice.value.clone())
    };
    if property.is_multiple() { written.split(';').map(one).collect::<Vec<_>>().join(";") } else { one(written) }
}

/// An instant as exports print it, `2024-05-01 10:30`, in ISO form; anything else stays as it is.
fn as_instant(written: &str) -> String {
    let iso = written.trim().replacen(' ', "T", 1);
    match iso.len() {
        16 => format!("{iso}:00Z"),
        19 => format!("{iso}Z"),
        _ => iso,
    }
}
