//! Associations as if they were properties: `association:companies` holds the id of a record's primary company.
//!
//! They are read and written by an interface of their own, beside the record's. It knows neither history nor time, and a change
//! of it moves no record's modified time: listings of changes do not show it, so now and then all records are listed.

use super::super::encode::json_text;
use super::super::rows::{self, scalar};
use super::super::transport::{Answer, Method, Request};
use super::super::{ConnectorError, Outcome, Target, WriteAnswer, WriteItem};
use super::HubSpot;
use super::wire::{BATCH, Refusal};
use crate::connector::batch::{self, Whole};
use crate::model::{
    ASSOCIATION, ASSOCIATIONS, LIST, PropertySchema, PropertyType, Raw, RawDigest, RawRow, RowDecoder, is_ties,
};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Most records of a batch read of associations.
pub(super) const READ_MAX: usize = 1_000;

/// A type of association.
type Kind = (String, u64);

/// What a record is tied to, and how.
type Ties = BTreeMap<String, Vec<Kind>>;

/// The asked names apart: properties of the record, and its ties with their places among the names.
pub(super) struct Asked {
    pub properties: Vec<String>,
    pub ties: Vec<(usize, Beside)>,
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
        let (mut properties, mut ties) = (Vec::with_capacity(names.len()), Vec::new());
        for (at, name) in names.into_iter().enumerate() {
            if let Some(to) = name.strip_prefix(ASSOCIATIONS) {
                ties.push((at, Beside::Set(to.to_owned())));
                continue;
            }
            match (name.strip_prefix(ASSOCIATION), name.strip_prefix(LIST)) {
                (Some(to), _) => ties.push((at, Beside::Tie(to.to_owned()))),
                (None, Some(list)) => ties.push((at, Beside::List(list.to_owned()))),
                (None, None) => properties.push(name),
            }
        }
        Self { properties, ties }
    }

    /// Calls to read all that is asked beside so many records.
    pub fn calls(&self, records: usize) -> usize {
        let ties = self.ties.iter().filter(|(_, beside)| !matches!(beside, Beside::List(_))).count();
        let lists = usize::from(ties < self.ties.len());
        ties * records.div_ceil(READ_MAX) + lists * records.div_ceil(super::lists::READ_MAX)
    }

    /// Puts the ties of a record into their places among its values.
    pub fn weave(&self, values: &mut Vec<Raw>, ties: &[Raw]) {
        for ((at, _), raw) in self.ties.iter().zip(ties) {
            values.insert((*at).min(values.len()), raw.clone());
        }
    }
}

/// Rows with the ties of their records.
struct Tied {
    decoder: Arc<dyn RowDecoder>,
    asked: Asked,
    /// By row.
    ties: Vec<Vec<Raw>>,
}

impl RowDecoder for Tied {
    fn decode(&self, index: usize) -> Result<Vec<Raw>, String> {
        let mut values = self.decoder.decode(index)?;
        self.asked.weave(&mut values, self.ties.get(index).ok_or("no such row")?);
        Ok(values)
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

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Read<'a> {
    #[serde(borrow)]
    from: Id<'a>,
    #[serde(borrow, default)]
    to: Vec<To<'a>>,
    #[serde(default)]
    paging: Option<Value>,
}

#[derive(Deserialize)]
struct Id<'a> {
    #[serde(borrow)]
    id: &'a RawValue,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct To<'a> {
    #[serde(borrow)]
    to_object_id: &'a RawValue,
    #[serde(default)]
    association_types: Vec<Type>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Type {
    category: String,
    type_id: u64,
}

#[derive(Deserialize)]
struct Batch<'a> {
    #[serde(borrow, default)]
    results: Vec<Read<'a>>,
}

/// What a batch read says, and which records have more: with the place where that begins.
fn parse(body: &str, ties: &mut BTreeMap<String, Ties>) -> Result<Vec<(String, String)>, String> {
    let batch: Batch<'_> = serde_json::from_str(body).map_err(|error| rows::fault(&error))?;
    let mut more = Vec::new();
    for read in batch.results {
        let from = scalar(read.from.id).ok_or("an id is neither text nor number")?;
        let of = ties.entry(from.clone()).or_default();
        for to in read.to {
            let id = scalar(to.to_object_id).ok_or("an id is neither text nor number")?;
            let kinds = to.association_types.into_iter().map(|kind| (kind.category, kind.type_id));
            of.entry(id).or_default().extend(kinds);
        }
        let after = read.paging.as_ref().and_then(|paging| paging.pointer("/next/after"));
        let after =
            after.and_then(|after| after.as_str().map(str::to_owned).or_else(|| after.as_u64().map(|n| n.to_string())));
        more.extend(after.map(|after| (from, after)));
    }
    Ok(more)
}

fn is_primary(kinds: &[Kind], primary: u64) -> bool {
    kinds.iter().any(|(category, kind)| category == DEFINED && *kind == primary)
}

impl HubSpot {
    /// All ties of records of one object to those of another.
    async fn ties(
        &self,
        what: &str,
        (from, to): (&str, &str),
        ids: &[&str],
    ) -> Result<BTreeMap<String, Ties>, ConnectorError> {
        let to = self.object(what, to)?;
        let mut ties = BTreeMap::new();
        let mut left: Vec<(String, Option<String>)> = ids.iter().map(|id| ((*id).to_owned(), None)).collect();
        while !left.is_empty() {
            let chunk: Vec<_> = left.drain(..left.len().min(READ_MAX)).collect();
            let inputs = chunk.iter().map(|(id, after)| match after {
                None => format!(r#"{{"id":{}}}"#, json_text(id)),
                Some(after) => format!(r#"{{"id":{},"after":{}}}"#, json_text(id), json_text(after)),
            });
            let body = format!(r#"{{"inputs":[{}]}}"#, inputs.collect::<Vec<_>>().join(","));
            let path = format!("/crm/associations/{}/{from}/{to}/batch/read", self.version);
            let reply = self.client.read(Request::json(Method::Post, path, body)).await?;
            // Records without any may be missing, or be named as errors: either way they have none.
            if reply.answer.status == 404 && !Refusal::of_answer(&reply.answer).ids.is_empty() {
                continue;
            }
            let body = self.expect(what, reply)?;
            let more = self.parsed(what, parse(&body, &mut ties))?;
            left.extend(more.into_iter().map(|(id, after)| (id, Some(after))));
        }
        Ok(ties)
    }

    /// What records show of the asked ties, in the order of the ids: one call each per 1,000 of them.
    pub(super) async fn tie_values(
        &self,
        what: &str,
        object: &str,
        asked: &Asked,
        ids: &[&str],
    ) -> Result<Vec<Vec<Raw>>, ConnectorError> {
        let mut values = vec![Vec::with_capacity(asked.ties.len()); ids.len()];
        let wants_lists = asked.ties.iter().any(|(_, beside)| matches!(beside, Beside::List(_)));
        let lists = if wants_lists { self.lists_of(what, object, ids).await? } else { BTreeMap::new() };
        for (_, beside) in &asked.ties {
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
            let ties = self.ties(what, (object, to), ids).await?;
            for (id, values) in ids.iter().zip(&mut values) {
                let first = ties.get(*id).and_then(|of| of.iter().find(|(_, kinds)| is_primary(kinds, primary)));
                values.push(first.map_or(Raw::Null, |(id, _)| Raw::Text(id.clone())));
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
        (mut rows, decoder): (Vec<RawRow>, Arc<dyn RowDecoder>),
    ) -> Result<(Vec<RawRow>, Arc<dyn RowDecoder>), ConnectorError> {
        if asked.ties.is_empty() || rows.is_empty() {
            return Ok((rows, decoder));
        }
        let ids: Vec<&str> = rows.iter().map(|row| row.remote.as_str()).collect();
        let ties = self.tie_values(what, object, &asked, &ids).await?;
        for (row, ties) in rows.iter_mut().zip(&ties) {
            let mut bytes = row.raw.0.to_be_bytes().to_vec();
            for raw in ties {
                match raw {
                    Raw::Text(id) => bytes.extend_from_slice(id.as_bytes()),
                    Raw::Bool(true) => bytes.push(b'+'),
                    _ => {}
                }
                bytes.push(0);
            }
            row.raw = RawDigest::of_bytes(&bytes);
        }
        Ok((rows, Arc::new(Tied { decoder, asked, ties })))
    }

    /// Ties the records that were written; what of it fails is told apart from the record itself.
    pub(super) async fn write_ties(&self, object: &str, items: &[WriteItem], answer: &mut WriteAnswer) {
        for to in ties_of(items) {
            let name = format!("{ASSOCIATION}{to}");
            // Which record, and whom it is tied to from now on; none = to nobody.
            let mut wanted: Vec<(usize, WriteItem)> = Vec::new();
            for (at, item) in items.iter().enumerate() {
                let raw = item.fields.iter().find(|(property, _)| *property == name).map(|(_, raw)| raw.clone());
                let (Some(raw), Some(Outcome::Done { remote, .. })) = (raw, answer.outcomes.get(at)) else { continue };
                let target = Target::Update(remote.clone());
                wanted.push((at, WriteItem { op: item.op, target, fields: vec![(name.clone(), raw)] }));
            }
            if wanted.is_empty() {
                continue;
            }
            let tied = self.tie(object, &to, &wanted).await;
            for ((at, item), outcome) in wanted.into_iter().zip(tied) {
                let Some(Outcome::Done { remote, created }) = answer.outcomes.get(at).cloned() else { continue };
                let partly =
                    |code, message| Outcome::Partly { remote, created, code, message, properties: vec![name.clone()] };
                answer.outcomes[at] = match outcome {
                    Outcome::Refused { code, message, .. } => partly(code, message),
                    Outcome::Retry { code, .. } => partly(code, "it is tried again".to_owned()),
                    // Of an update a read tells; a create must not be taken for unanswered.
                    Outcome::Unknown if created.is_none() => Outcome::Unknown,
                    Outcome::Unknown => partly("NO_ANSWER".to_owned(), "it is tried again".to_owned()),
                    _ => {
                        debug_assert!(matches!(item.target, Target::Update(_)));
                        continue;
                    }
                };
            }
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
        let known = match self.ties(&what, (object, to), &ids).await {
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

fn key(item: &WriteItem) -> &str {
    match &item.target {
        Target::Update(id) => id.as_str(),
        Target::Create { value, .. } => value,
    }
}

/// Whom an item is to be tied to.
fn id_of(item: &WriteItem) -> Option<&str> {
    match item.fields.first() {
        Some((_, Raw::Text(id))) => Some(id),
        _ => None,
    }
}

/// The request for a batch that ties all of its records, or unties them all.
fn request(
    version: &str,
    (from, to): (&str, &str),
    primary: u64,
    items: &[&WriteItem],
    known: &BTreeMap<String, Ties>,
) -> Request {
    let input = |item: &&WriteItem| {
        let (own, of) = (json_text(key(item)), known.get(key(item)));
        match id_of(item) {
            Some(id) => {
                let mut kinds = of.and_then(|of| of.get(id)).cloned().unwrap_or_default();
                kinds.retain(|(category, _)| category != DEFINED);
                kinds.push((DEFINED.to_owned(), primary));
                let kinds = kinds.iter().map(|(category, kind)| {
                    format!(r#"{{"associationCategory":{},"associationTypeId":{kind}}}"#, json_text(category))
                });
                let kinds = kinds.collect::<Vec<_>>().join(",");
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

/// What the answer to a batch says: nothing went wrong, or it is found by halves what did.
pub(super) fn whole(items: &[&WriteItem], answer: &Answer) -> Whole {
    let done = |item: &&WriteItem| match &item.target {
        Target::Update(remote) => Outcome::Done { remote: remote.clone(), created: None },
        Target::Create { .. } => Outcome::Unknown,
    };
    let value: Value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
    let errors = value.get("errors").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let refused =
        |refusal: Refusal| Outcome::Refused { code: refusal.code, message: refusal.message, properties: Vec::new() };
    match (answer.status, errors) {
        (200..=207, []) => Whole::Each(items.iter().map(done).collect()),
        // Which of them it was is not told in one way, so they are sent one by one: to tie again what is tied changes nothing.
        (200..=207, [first, ..]) if items.len() == 1 => Whole::Each(vec![refused(Refusal::of_value(first))]),
        (200..=207 | 400 | 404 | 409, _) if items.len() > 1 => Whole::Halves,
        _ => Whole::Each(vec![refused(Refusal::of_answer(answer)); items.len()]),
    }
}

/// The category of HubSpot's own types.
const DEFINED: &str = "HUBSPOT_DEFINED";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{OpId, RemoteId};

    fn item(id: &str, company: Option<&str>) -> WriteItem {
        let raw = company.map_or(Raw::Null, |id| Raw::Text(id.to_owned()));
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
        let mut known = BTreeMap::new();
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
        asked.weave(&mut values, &[Raw::Text("21".into())]);
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
