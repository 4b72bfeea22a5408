//! Records that one system holds twice, as far as the match keys tell, or link fields, by which several name one: a person merges them
//! there before anything is linked.

use super::named::link_key;
use super::verify::Remotes;
use super::{View, ViewError};
use crate::merge::identity::match_key;
use crate::model::{EntityId, FieldId, Home, RemoteId, SystemId, Value};
use crate::rules::{Binding, Entity, Field, Rules};
use std::collections::BTreeMap;

/// Records of one system that share a match key, or name one record of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duplicates {
    /// The entity.
    pub entity: EntityId,
    /// The system.
    pub system: SystemId,
    /// The match key, or the link field.
    pub by: FieldId,
    /// What they share, as the first of them shows it.
    pub value: Value,
    /// The records; the first one is proposed to survive: it has most fields filled, and of those the oldest id.
    pub records: Vec<Twin>,
    /// Who has the same key in other systems, or whom they name.
    pub elsewhere: Vec<(SystemId, RemoteId)>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Twin {
    /// The object.
    pub home: Home,
    /// Its id there.
    pub remote: RemoteId,
    /// How many fields it fills.
    pub filled: usize,
}

impl Remotes {
    /// What the mirror knows that the systems show.
    ///
    /// # Errors
    /// The view cannot be read.
    pub fn mirrored(rules: &Rules, view: &dyn View) -> Result<Self, ViewError> {
        let mut remotes = Self::default();
        for entity in &rules.entities {
            let mut after = None;
            loop {
                let page = view.record_scan(entity.id, after, PAGE)?;
                for record in &page {
                    for side in record.standing_sides() {
                        let shown = |field: &Field| super::record::shown(record, field, side.system);
                        let row = entity.fields_at(side.home()).map(|(field, _)| Some(shown(field))).collect();
                        remotes.put_shown(entity.id, side.home(), side.remote.clone(), row);
                    }
                }
                after = page.last().map(|record| record.id);
                if page.len() < PAGE {
                    break;
                }
            }
        }
        Ok(remotes)
    }
}

/// Finds them: by entity and system in the order of the rules, by key in the order in which keys are tried. Who is out of scope does
/// not count; nor does a match by a domain that belongs to no company.
pub fn duplicates(rules: &Rules, remotes: &Remotes) -> Vec<Duplicates> {
    rules.entities.iter().flat_map(|entity| of_entity(rules, entity, remotes)).collect()
}

fn of_entity(rules: &Rules, entity: &Entity, remotes: &Remotes) -> Vec<Duplicates> {
    let mut found: Vec<Duplicates> = Vec::new();
    // Whom another tool says that a record belongs to counts for more than what it looks like.
    let mut fields: Vec<&Field> = Vec::new();
    for id in entity.links().map(|(_, link)| link.field).chain(entity.match_keys.iter().copied()) {
        fields.extend(entity.field(id).filter(|field| !fields.contains(field)));
    }
    for field in fields {
        let mut holders: BTreeMap<Vec<u8>, Vec<(Value, Twin)>> = BTreeMap::new();
        for binding in &entity.bindings {
            let home = binding.home();
            let Some(at) = entity.fields_at(home).position(|(other, _)| other.id == field.id) else { continue };
            for (remote, row) in remotes.rows(entity.id, home) {
                let value = |field: &Field| -> &Value {
                    let place = entity.fields_at(home).position(|(other, _)| other.id == field.id);
                    place.and_then(|place| row.get(place)?.as_ref()).unwrap_or(&Value::Null)
                };
                let inside = binding.scope.as_ref().is_none_or(|scope| scope.holds(entity, value));
                let Some(shown) = row.get(at).and_then(Option::as_ref).filter(|_| inside) else { continue };
                let link = binding.links.iter().find(|link| link.field == field.id);
                let named = link.and_then(|link| Some((link, link.names(shown)?)));
                let key = match &named {
                    Some((link, remote)) => Some(link_key(link, remote)),
                    None => match_key(field, shown).filter(|_| entity.match_keys.contains(&field.id)),
                };
                let Some(key) = key else { continue };
                let filled = row.iter().flatten().filter(|value| !value.is_null()).count();
                let group = holders.entry(key).or_default();
                group.push((shown.clone(), Twin { home, remote: remote.clone(), filled }));
                let Some((link, remote)) = named else { continue };
                for home in entity.bindings.iter().map(Binding::home).filter(|home| link.leads_to(*home)) {
                    let there = Twin { home, remote: remote.clone(), filled: 0 };
                    if remotes.has(entity.id, home, &remote) && !group.iter().any(|(_, twin)| *twin == there) {
                        group.push((Value::Null, there));
                    }
                }
            }
        }
        for system in rules.systems.iter().map(|system| system.id) {
            for group in holders.values() {
                let (here, there): (Vec<_>, Vec<_>) = group.iter().partition(|(_, twin)| twin.home.system == system);
                if here.len() < 2 {
                    continue;
                }
                let mut records: Vec<Twin> = here.iter().map(|(_, twin)| twin.clone()).collect();
                records.sort_by(|a, b| b.filled.cmp(&a.filled).then_with(|| age(&a.remote).cmp(&age(&b.remote))));
                // Who shares two keys is told once.
                if found.iter().any(|known| known.system == system && known.records == records) {
                    continue;
                }
                let of_first = here.iter().find(|(_, twin)| *twin == records[0]);
                let value = of_first.map(|(value, _)| value.clone()).unwrap_or_default();
                let elsewhere = there.iter().map(|(_, twin)| (twin.home.system, twin.remote.clone())).collect();
                found.push(Duplicates { entity: entity.id, system, by: field.id, value, records, elsewhere });
            }
        }
    }
    let rank = |system| rules.systems.iter().position(|known| known.id == system);
    found.sort_by_key(|duplicates| rank(duplicates.system));
    found
}

/// Ids are given in ascending order: numbers by their size, others by their letters.
fn age(remote: &RemoteId) -> (usize, &str) {
    let text = remote.as_str();
    let number = text.bytes().all(|byte| byte.is_ascii_digit());
    (if number { text.trim_start_matches('0').len() } else { usize::MAX }, text)
}

/// Records read at once.
const PAGE: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{FieldKind, Raw};
    use crate::rules::{CreateSpec, EntitySpec, FieldSpec, LinkFieldSpec, OneWayEdits, ScopeSpec, SystemSpec};
    use proptest::prelude::*;

    fn rules() -> Rules {
        let field = |name: &str, kind| FieldSpec::new(name, kind).at("a", name).at("b", name);
        let inside = ScopeSpec::new("phone is not no", ["phone"], |values| *values[0] != Value::Text("no".into()));
        let firm = EntitySpec::new("firm")
            .at("a", "firms")
            .at("b", "firms")
            .create(CreateSpec::Nowhere)
            .match_by("domain")
            .match_by("name")
            .field(field("domain", FieldKind::Domain))
            .field(field("name", FieldKind::Text))
            .field(field("phone", FieldKind::Text))
            .scope("a", inside);
        let ability = crate::connector::memory::Memory::new(|| crate::model::Millis(0));
        let ability = crate::connector::Connector::ability(&ability).clone();
        let system = |name: &str| SystemSpec {
            name: name.into(),
            ability: ability.clone(),
            mode: crate::rules::Mode::ReadWrite,
            max_deletes: 0,
        };
        Rules::builder().system_with(system("a")).system_with(system("b")).entity(firm).build().unwrap()
    }

    /// `(system, id, domain, name, phone)`
    fn remotes(rules: &Rules, rows: &[(&str, &str, &str, &str, &str)]) -> Remotes {
        let entity = &rules.entities[0];
        let mut remotes = Remotes::default();
        for (system, id, domain, name, phone) in rows {
            let home = entity.bindings_in(SystemId::of(system)).next().unwrap().home();
            let raws: Vec<Raw> = entity
                .fields_at(home)
                .map(|(field, _)| match &*field.name {
                    "domain" => domain,
                    "name" => name,
                    _ => phone,
                })
                .map(|text| if text.is_empty() { Raw::Null } else { Raw::Text((*text).into()) })
                .collect();
            remotes.put(entity, home, RemoteId::parse(id).unwrap(), &raws);
        }
        remotes
    }

    fn told(rows: &[(&str, &str, &str, &str, &str)]) -> Vec<(String, Vec<String>, usize)> {
        let rules = rules();
        let found = duplicates(&rules, &remotes(&rules, rows));
        let told = found.into_iter().map(|found| {
            let ids = found.records.iter().map(|twin| twin.remote.to_string()).collect();
            let name = rules.entities[0].field(found.by).map(|field| field.name.clone());
            (name.unwrap_or_default(), ids, found.elsewhere.len())
        });
        told.collect()
    }

    #[test]
    fn the_fullest_survives_then_the_oldest_and_mail_providers_are_no_company() {
        let found = told(&[
            ("a", "9", "acme.example", "Acme", ""),
            ("a", "10", "acme.example", "ACME Inc", ""),
            ("a", "11", "acme.example", "Acme", "1"),
            ("b", "x", "acme.example", "Acme", ""),
            ("a", "20", "gmail.com", "One", ""),
            ("a", "21", "gmail.com", "Two", ""),
            ("a", "30", "out.example", "Out", "no"),
            ("a", "31", "out.example", "Out", ""),
            ("b", "y", "", "Bolt", ""),
            ("b", "z", "bolt.example", "bolt", ""),
        ]);
        let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            found,
            [
                ("domain".to_owned(), ids(&["11", "9", "10"]), 1),
                ("name".to_owned(), ids(&["11", "9"]), 1),
                ("name".to_owned(), ids(&["z", "y"]), 0),
            ]
        );
    }

    #[test]
    fn who_name_one_record_are_told_before_who_look_alike() {
        let ability = crate::model::Ability::polled();
        let system = |name: &str| FieldSpec::new(name, FieldKind::Text).at("a", name).at("b", name);
        let link = LinkFieldSpec::new("of", "b").ids(crate::model::IdForm::Checked);
        let firm = EntitySpec::new("firm")
            .at("a", "firms")
            .at("b", "firms")
            .create(CreateSpec::Nowhere)
            .match_by("name")
            .field(system("name"))
            .field(FieldSpec::new("of", FieldKind::Text).at("a", "of").one_way("a", OneWayEdits::default()))
            .named_by("a", link);
        let rules = Rules::builder().system("a", ability.clone()).system("b", ability).entity(firm).build().unwrap();
        let entity = &rules.entities[0];
        let mut remotes = Remotes::default();
        let long = "003xx000004TmiQAAS";
        for (system, id, name, of) in [
            ("a", "1", "Acme", long),
            ("a", "2", "Bolt", &long[..15]),
            ("a", "3", "Acme", "nobody"),
            ("a", "4", "Cog", "nobody"),
            ("b", long, "Acme", ""),
        ] {
            let home = Home::of(system, "firms");
            let text = |field: &Field| if &*field.name == "of" { of } else { name };
            let raws: Vec<Raw> = entity.fields_at(home).map(|(field, _)| Raw::Text(text(field).into())).collect();
            remotes.put(entity, home, RemoteId::parse(id).unwrap(), &raws);
        }
        let found = duplicates(&rules, &remotes);
        let told: Vec<(FieldId, Vec<&str>, usize)> = found
            .iter()
            .map(|group| {
                (group.by, group.records.iter().map(|twin| twin.remote.as_str()).collect(), group.elsewhere.len())
            })
            .collect();
        assert_eq!(told, [(FieldId::of("of"), vec!["1", "2"], 1), (FieldId::of("name"), vec!["1", "3"], 1)]);
    }

    proptest! {
        /// Everybody who is told of shares the key with all of his group, and nobody who shares one is passed over.
        #[test]
        fn groups_are_exactly_those_who_share_a_key(names in prop::collection::vec(0u8..4, 0..12)) {
            let rows: Vec<(String, String)> =
                names.iter().enumerate().map(|(at, name)| (format!("{}", at + 1), format!("N{name}"))).collect();
            let rows: Vec<_> = rows.iter().map(|(id, name)| ("b", id.as_str(), "", name.as_str(), "")).collect();
            let found = told(&rows);
            for name in 0u8..4 {
                let name = format!("N{name}");
                let ids: Vec<String> = rows.iter().filter(|row| row.3 == name).map(|row| row.1.to_owned()).collect();
                prop_assert_eq!(found.iter().any(|(_, group, _)| *group == ids), ids.len() > 1);
            }
            prop_assert!(found.iter().all(|(_, group, _)| group.len() > 1));
        }
    }
}
