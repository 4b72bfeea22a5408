//! Associations as if they were properties: `association:companies` holds the id of a record's primary company.
//!
//! They are read and written by an interface of their own, beside the record's. It knows neither history nor time, and a change
//! of it moves no record's modified time: listings of changes do not show it, so now and then all records are listed.

use super::super::beside::{self, woven};
use super::super::encode::json_text;
use super::super::transport::{Method, Request};
use super::super::{ConnectorError, Outcome, Target, WriteAnswer, WriteItem};
use super::HubSpot;
use super::associated::{Associated, DEFINED, Kind, READ_MAX, key, wanted, whole};
use super::wire::BATCH;
use crate::connector::batch;
use crate::model::{ASSOCIATION, ASSOCIATIONS, LIST, PropertySchema, PropertyType, Raw, RawRow, RowDecoder, is_ties};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The asked names apart: properties of the record, and what is read beside them with its places among the names.
pub(super) struct Asked {
    pub properties: Vec<String>,
    pub places: Vec<usize>,
    pub beside: Vec<Beside>,
}

/// What is asked beside a record's properties.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Beside {
    /// Which record of this object it is tied to.
    Tie(String),
    /// Whether it is in this list.
    List(String),
    /// All records of this object that it is tied to.
    Set(String),
}

impl Asked {
    pub fn of(names: Vec<String>) -> Self {
        let mut asked = Self { properties: Vec::with_capacity(names.len()), places: Vec::new(), beside: Vec::new() };
        for (at, name) in names.into_iter().enumerate() {
            match Beside::of(&name) {
                Some(beside) => {
                    asked.places.push(at);
                    asked.beside.push(beside);
                }
                None => asked.properties.push(name),
            }
        }
        asked
    }

    /// Calls to read all that is asked beside so many records.
    pub fn calls(&self, records: usize) -> usize {
        let ties = self.beside.iter().filter(|beside| !matches!(beside, Beside::List(_))).count();
        let lists = usize::from(ties < self.beside.len());
        ties * records.div_ceil(READ_MAX) + lists * records.div_ceil(super::lists::READ_MAX)
    }
}

impl Beside {
    /// As a property is named.
    fn of(name: &str) -> Option<Self> {
        let named = |prefix, kind: fn(String) -> Self| name.strip_prefix(prefix).map(|of| kind(of.to_owned()));
        named(ASSOCIATIONS, Self::Set).or_else(|| named(ASSOCIATION, Self::Tie)).or_else(|| named(LIST, Self::List))
    }
}

/// The type by which a record of `from` is tied to the one that comes first among those of `to`, where HubSpot knows such a one.
pub(crate) fn primary(from: &str, to: &str) -> Option<u64> {
    let company = matches!(to.to_ascii_lowercase().as_str(), "companies" | "company" | "0-2");
    match from.to_ascii_lowercase().as_str() {
        _ if !company => None,
        "contacts" | "contact" | "0-1" => Some(1),
        "deals" | "deal" | "0-3" => Some(5),
        "tickets" | "ticket" | "0-5" => Some(25),
        _ => None,
    }
}

/// What of an item goes by a call of its own.
fn is_beside(name: &str) -> bool {
    name.starts_with(ASSOCIATION) || is_ties(name)
}

/// The ties of an object that can be mapped, as properties of it.
pub(super) fn as_properties(object: &str) -> Option<PropertySchema> {
    primary(object, "companies")?;
    Some(PropertySchema {
        name: format!("{ASSOCIATION}companies"),
        label: "Primary company".to_owned(),
        kind: PropertyType::Reference,
        writable: true,
        required: false,
        unique: false,
        length: None,
        precision: None,
        scale: None,
        refers_to: ["companies", "company", "0-2"].map(str::to_owned).to_vec(),
        options: Vec::new(),
        choices: Vec::new(),
    })
}

fn is_primary(kinds: &[Kind], primary: u64) -> bool {
    kinds.iter().any(|kind| kind.is_defined() && kind.type_id == primary)
}

impl HubSpot {
    /// What records show of the asked ties, in the order of the ids: one call each per 1,000 of them.
    pub(super) async fn tie_values(
        &self,
        what: &str,
        object: &str,
        asked: &Asked,
        ids: &[&str],
    ) -> Result<Vec<Vec<Raw>>, ConnectorError> {
        let mut values = vec![Vec::with_capacity(asked.beside.len()); ids.len()];
        let wants_lists = asked.beside.iter().any(|beside| matches!(beside, Beside::List(_)));
        let lists = if wants_lists { self.lists_of(what, object, ids).await? } else { BTreeMap::new() };
        for beside in &asked.beside {
            let to = match beside {
                Beside::Tie(to) => to,
                Beside::Set(to) => {
                    let set = self.set_values(what, (object, to), ids).await?;
                    values.iter_mut().zip(set).for_each(|(values, raw)| values.push(raw));
                    continue;
                }
                Beside::List(list) => {
                    for (id, values) in ids.iter().zip(&mut values) {
                        values.push(Raw::Bool(lists.get(*id).is_some_and(|of| of.contains(list))));
                    }
                    continue;
                }
            };
            let primary = primary(object, to).ok_or_else(|| {
                let message = format!("no {to} comes first for a record of {object}");
                self.client.refused(what, 0, "NO_PRIMARY".to_owned(), message)
            })?;
            let ties = self.associated(what, (object, to), ids).await?;
            for (id, values) in ids.iter().zip(&mut values) {
                let first = ties.get(*id).and_then(|of| of.iter().find(|(_, kinds)| is_primary(kinds, primary)));
                values.push(first.map_or(Raw::Null, |(id, _)| Raw::Text(id.as_str().into())));
            }
        }
        Ok(values)
    }

    /// A page's rows with their ties, which count into the rows' digests.
    pub(super) async fn tied(
        &self,
        what: &str,
        object: &str,
        asked: Asked,
        (rows, decoder): (Vec<RawRow>, Arc<dyn RowDecoder>),
    ) -> Result<(Vec<RawRow>, Arc<dyn RowDecoder>), ConnectorError> {
        if asked.beside.is_empty() || rows.is_empty() {
            return Ok((rows, decoder));
        }
        let ids: Vec<&str> = rows.iter().map(|row| row.remote.as_str()).collect();
        let beside = self.tie_values(what, object, &asked, &ids).await?;
        Ok(woven((rows, decoder), asked.places, beside))
    }

    /// Ties the records that were written; what of it fails is told apart from the record itself.
    pub(super) async fn write_ties(&self, object: &str, items: &[WriteItem], answer: &mut WriteAnswer) {
        for to in ties_of(items) {
            let name = format!("{ASSOCIATION}{to}");
            // Which record, and whom it is tied to from now on; none = to nobody.
            let wanted = wanted(&name, items, answer);
            if wanted.is_empty() {
                continue;
            }
            let tied = self.tie(object, &to, &wanted).await;
            let places = wanted.into_iter().map(|(at, _)| at);
            beside::tell_apart(&name, answer, places.zip(tied));
        }
    }

    async fn tie(&self, object: &str, to: &str, wanted: &[(usize, WriteItem)]) -> Vec<Outcome> {
        let what = format!("associating {object} with {to}");
        let refused = |code: &str, message: String| {
            vec![Outcome::Refused { code: code.to_owned(), message, properties: Vec::new() }; wanted.len()]
        };
        let Some(primary) = primary(object, to) else {
            return refused("NO_PRIMARY", format!("no {to} comes first for a record of {object}"));
        };
        let ids: Vec<&str> = wanted.iter().map(|(_, item)| key(item)).collect();
        // Setting the types of a pair replaces them, so those that people gave it are sent along; and who is to be tied to
        // nobody must be known.
        let known = match self.associated(&what, (object, to), &ids).await {
            Ok(known) => known,
            Err(error) => return refused("ASSOCIATIONS_UNREAD", error.without_words().to_string()),
        };
        let mut outcomes = vec![Outcome::Unknown; wanted.len()];
        for clears in [false, true] {
            let part: Vec<usize> = (0..wanted.len()).filter(|at| (id_of(&wanted[*at].1).is_none()) == clears).collect();
            let none = |at: &usize| {
                let of = known.get(key(&wanted[*at].1));
                clears && !of.is_some_and(|of| of.values().any(|kinds| is_primary(kinds, primary)))
            };
            let (done, left): (Vec<usize>, Vec<usize>) = part.into_iter().partition(none);
            let say_done = |at: usize| match &wanted[at].1.target {
                Target::Update(remote) => Outcome::Done { remote: remote.clone(), created: None },
                Target::Create { .. } => Outcome::Unknown,
            };
            for at in done {
                outcomes[at] = say_done(at);
            }
            let items: Vec<WriteItem> = left.iter().map(|at| wanted[*at].1.clone()).collect();
            let request = |batch: &[&WriteItem]| request(&self.version, (object, to), primary, batch, &known);
            let answer = batch::write(&self.client, &items, BATCH, None, request, whole).await;
            for (at, outcome) in left.into_iter().zip(answer.outcomes) {
                outcomes[at] = outcome;
            }
        }
        outcomes
    }
}

/// The calls that [`HubSpot::write_ties`] makes for items of which none is refused.
pub(super) fn calls_to_tie(items: &[WriteItem], refused: &[bool]) -> u64 {
    let good = items.iter().enumerate().filter(|(at, _)| !refused.get(*at).copied().unwrap_or(false));
    let good: Vec<&WriteItem> = good.map(|(_, item)| item).collect();
    let each = |to: String| {
        let name = format!("{ASSOCIATION}{to}");
        let raws = good.iter().filter_map(|item| item.fields.iter().find(|(property, _)| *property == name));
        let (set, clear): (Vec<_>, Vec<_>) = raws.partition(|(_, raw)| matches!(raw, Raw::Text(_)));
        let calls = |count: usize, max: usize| count.div_ceil(max) as u64;
        calls(set.len() + clear.len(), READ_MAX) + calls(set.len(), BATCH) + calls(clear.len(), BATCH)
    };
    ties_of(items).into_iter().map(each).sum()
}

/// The objects that some of the items are to be tied to.
fn ties_of(items: &[WriteItem]) -> BTreeSet<String> {
    let names = items.iter().flat_map(|item| &item.fields).filter_map(|(name, _)| name.strip_prefix(ASSOCIATION));
    names.map(str::to_owned).collect()
}

/// An item without its ties; none where nothing remains to be written to the record itself.
pub(super) fn without_ties(item: &WriteItem) -> Option<WriteItem> {
    let fields: Vec<_> = item.fields.iter().filter(|(name, _)| !is_beside(name)).cloned().collect();
    let only_ties = fields.is_empty() && !item.fields.is_empty() && matches!(item.target, Target::Update(_));
    (!only_ties).then(|| WriteItem { fields, ..item.clone() })
}

/// Whom an item is to be tied to.
fn id_of(item: &WriteItem) -> Option<&str> {
    match item.fields.first() {
        Some((_, Raw::Text(id))) => Some(id),
        _ => None,
    }
}

/// The request for a batch that ties all of its records, or unties them all.
fn request(version: &str, (from, to): (&str, &str), primary: u64, items: &[&WriteItem], known: &Associated) -> Request {
    let input = |item: &&WriteItem| {
        let (own, of) = (json_text(key(item)), known.get(key(item)));
        match id_of(item) {
            Some(id) => {
                let mut kinds = of.and_then(|of| of.get(id)).cloned().unwrap_or_default();
                kinds.retain(|kind| !kind.is_defined());
                let kinds = kinds.iter().map(|kind| (&*kind.category, kind.type_id)).chain([(DEFINED, primary)]);
                let kinds = kinds.map(Kind::written).collect::<Vec<_>>().join(",");
                format!(r#"{{"from":{{"id":{own}}},"to":{{"id":{}}},"types":[{kinds}]}}"#, json_text(id))
            }
            None => {
                let tied = of.into_iter().flatten().filter(|(_, kinds)| is_primary(kinds, primary));
                let tied: Vec<String> = tied.map(|(id, _)| format!(r#"{{"id":{}}}"#, json_text(id))).collect();
                format!(r#"{{"from":{{"id":{own}}},"to":[{}]}}"#, tied.join(","))
            }
        }
    };
    let inputs: Vec<String> = items.iter().map(input).collect();
    let verb = if items.first().is_some_and(|item| id_of(item).is_none()) { "archive" } else { "create" };
    let body = format!(r#"{{"inputs":[{}]}}"#, inputs.join(","));
    Request::json(Method::Post, format!("/crm/associations/{version}/{from}/{to}/batch/{verb}"), body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connector::beside::weave;
    use crate::connector::hubspot::associated::parse;
    use crate::model::{OpId, RemoteId};
    use serde_json::Value;

    fn item(id: &str, company: Option<&str>) -> WriteItem {
        let raw = company.map_or(Raw::Null, |id| Raw::Text(id.into()));
        let fields = vec![(format!("{ASSOCIATION}companies"), raw)];
        WriteItem { op: OpId(1), target: Target::Update(RemoteId::parse(id).unwrap()), fields }
    }

    fn body(request: &Request) -> Value {
        serde_json::from_slice(&request.body).unwrap()
    }

    #[test]
    fn a_pair_keeps_the_labels_that_people_gave_it() {
        let read = r#"{"results":[{"from":{"id":"7"},"to":[
            {"toObjectId":21,"associationTypes":[{"category":"HUBSPOT_DEFINED","typeId":279,"label":null},{"category":"USER_DEFINED","typeId":36,"label":"Boss"}]},
            {"toObjectId":"22","associationTypes":[{"category":"HUBSPOT_DEFINED","typeId":279},{"category":"HUBSPOT_DEFINED","typeId":1,"label":"Primary"}]}],
            "paging":{"next":{"after":"5"}}}]}"#;
        let mut known = Associated::new();
        assert_eq!(parse(read, &mut known), Ok(vec![("7".to_owned(), "5".to_owned())]));
        let (set, clear) = (item("7", Some("21")), item("7", None));
        let request = |item| request("2026-03", ("contacts", "companies"), 1, &[item], &known);
        assert_eq!(request(&set).path_and_query, "/crm/associations/2026-03/contacts/companies/batch/create");
        let types = &body(&request(&set))["inputs"][0]["types"];
        assert_eq!(types.as_array().unwrap().len(), 2, "{types}");
        assert_eq!((&types[0]["associationTypeId"], &types[1]["associationTypeId"]), (&36.into(), &1.into()));
        // Only the first of them is untied.
        assert_eq!(request(&clear).path_and_query, "/crm/associations/2026-03/contacts/companies/batch/archive");
        assert_eq!(body(&request(&clear))["inputs"][0]["to"], serde_json::json!([{ "id": "22" }]));
    }

    #[test]
    fn what_is_asked_beside_the_record_goes_back_into_its_place() {
        let names = ["a", "association:companies", "b", "id"].map(str::to_owned).to_vec();
        let asked = Asked::of(names);
        assert_eq!(asked.properties, ["a", "b", "id"]);
        let mut values = vec![Raw::Bool(true), Raw::Bool(false), Raw::Absent];
        weave(&mut values, &asked.places, &[Raw::Text("21".into())]);
        assert_eq!(values, [Raw::Bool(true), Raw::Text("21".into()), Raw::Bool(false), Raw::Absent]);
    }

    #[test]
    fn calls_are_counted_by_what_is_tied_and_what_is_untied() {
        let items: Vec<_> = (1..=150).map(|n| item(&n.to_string(), (n % 3 > 0).then_some("21"))).collect();
        assert_eq!(calls_to_tie(&items, &[]), 1 + 1 + 1);
        assert_eq!(calls_to_tie(&items[..1], &[true]), 0);
        let plain = WriteItem { fields: vec![("email".into(), Raw::Null)], ..item("7", None) };
        assert_eq!(calls_to_tie(std::slice::from_ref(&plain), &[]), 0);
        assert_eq!(without_ties(&plain), Some(plain));
        assert_eq!(without_ties(&item("7", None)), None);
    }
}
