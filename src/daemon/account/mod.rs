//! The journal and the mirror as documents: what explains, tells the history, audits and takes back. Values go through
//! [`Field::shown`](crate::rules::Field::shown), so sensitive ones are hidden.

mod entry;
mod explained;
mod roots;
mod taken_back;

pub use entry::{audit, chain, runs};
pub use explained::{explained, told};
pub use roots::{checkpoint, mirror_root, replayed};
pub use taken_back::{Wish, carried_out, taken_back};

use crate::model::{EntityId, FieldId, Millis, SourceKind, SystemId, Value};
use crate::rules::{Entity, Rules};

/// A time as RFC 3339 in UTC.
pub fn time(at: Millis) -> String {
    Value::DateTime(at.0).to_string()
}

/// Names of what the store knows by ids. What the config no longer names is shown by its id.
#[derive(Clone, Copy)]
pub(in crate::daemon) struct Names<'a>(pub &'a Rules);

impl<'a> Names<'a> {
    pub fn entity(self, id: EntityId) -> String {
        self.0.entity(id).map_or_else(|| format!("{id:?}"), |entity| entity.name.clone())
    }

    /// Of a system, or of whoever operates Syncline.
    pub fn author(self, id: SystemId) -> String {
        match id {
            SystemId::OPERATOR => "operator".to_owned(),
            SystemId::UNDO => "undo".to_owned(),
            id => self.0.system(id).map_or_else(|| format!("{id:?}"), |system| system.name.clone()),
        }
    }

    /// Who a system says made an edit: `of` tells of what, and the address is known where owners are mapped.
    pub fn user(self, system: SystemId, who: Option<&str>) -> serde_json::Value {
        let Some(who) = who else { return serde_json::Value::Null };
        let of = match self.0.system(system).map(|system| system.ability.source) {
            Some(SourceKind::Polled) => "record",
            _ => "edit",
        };
        let address = self.0.people(system).and_then(|people| people.email_of(who));
        serde_json::json!({ "id": who, "address": address, "of": of })
    }

    pub fn field(self, entity: Option<&Entity>, id: FieldId) -> String {
        entity.and_then(|entity| entity.field(id)).map_or_else(|| format!("{id:?}"), |field| field.name.clone())
    }

    /// A value as it may be shown, a reference as the record that it leads to; of a field that the config no longer names nothing is.
    pub fn value(self, entity: Option<&Entity>, id: FieldId, value: &Value) -> String {
        match (entity.and_then(|entity| entity.field(id)), value) {
            (Some(field), Value::Ref(id)) if !field.sensitive => format!("record {id}"),
            (Some(field), value) => field.shown(value).to_string(),
            (None, _) => crate::rules::HIDDEN.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Ability, FieldKind, RecordId};
    use crate::rules::{EntitySpec, FieldSpec, HIDDEN};

    #[test]
    fn a_reference_is_shown_as_its_record_unless_it_is_sensitive() {
        let ability = Ability::polled();
        let refers = |name: &str, sensitive| {
            let field = FieldSpec::reference(name, "person").at("a", name).at("b", name);
            FieldSpec { sensitive, ..field }
        };
        let name = FieldSpec::new("name", FieldKind::Text).at("a", "name").at("b", "name");
        let entity = EntitySpec::new("person").at("a", "people").at("b", "people").match_by("name").field(name);
        let entity = entity.field(refers("boss", false)).field(refers("doctor", true));
        let rules = Rules::builder().system("a", ability.clone()).system("b", ability).entity(entity).build().unwrap();
        let id = RecordId([7; 16]);
        let shown = |field, value: Value| Names(&rules).value(rules.entities.first(), FieldId::of(field), &value);
        assert_eq!(shown("boss", Value::Ref(id)), format!("record {id}"));
        assert_eq!(shown("doctor", Value::Ref(id)), HIDDEN);
        assert_eq!(shown("doctor", Value::Null), shown("boss", Value::Null), "whether it is blank is no secret");
        assert_eq!(shown("unknown", Value::Ref(id)), HIDDEN);
    }
}
