//! Associations as HubSpot tells and takes them: whom each record is associated with, and by which kinds.

use super::super::beside;
use super::super::encode::json_text;
use super::super::rows::{self, scalar};
use super::super::transport::{Answer, Method, Request};
use super::super::{ConnectorError, Outcome, Target, WriteAnswer, WriteItem};
use super::HubSpot;
use super::wire::Refusal;
use crate::connector::batch::{Whole, done};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Most records of a batch read of associations.
pub(super) const READ_MAX: usize = 1_000;
/// The category of HubSpot's own types.
pub(super) const DEFINED: &str = "HUBSPOT_DEFINED";

#[derive(Deserialize)]
struct Batch<'a> {
    #[serde(borrow, default)]
    results: Vec<Read<'a>>,
}

#[derive(Deserialize)]
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
    association_types: Vec<Kind>,
}

/// How a pair is associated.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Kind {
    pub category: String,
    pub type_id: u64,
    #[serde(default)]
    pub label: Option<String>,
}

/// By record, with whom it is associated and how.
pub(super) type Associated = BTreeMap<String, BTreeMap<String, Vec<Kind>>>;

impl Kind {
    /// The label that people gave; HubSpot's own say nothing of a pair that others could hold.
    pub fn own_label(&self) -> Option<&str> {
        self.label.as_deref().filter(|label| !self.is_defined() && !label.is_empty())
    }

    /// Is it one of HubSpot's own?
    pub fn is_defined(&self) -> bool {
        self.category == DEFINED
    }

    /// As a write names it.
    pub fn written((category, type_id): (&str, u64)) -> String {
        format!(r#"{{"associationCategory":{},"associationTypeId":{type_id}}}"#, json_text(category))
    }
}

/// What a batch read says, and which records have more: with the place where that begins.
pub(super) fn parse(body: &str, associated: &mut Associated) -> Result<Vec<(String, String)>, String> {
    let batch: Batch<'_> = serde_json::from_str(body).map_err(|error| rows::fault(&error))?;
    let mut more = Vec::new();
    for read in batch.results {
        let from = scalar(read.from.id).ok_or("an id is neither text nor number")?;
        let of = associated.entry(from.clone()).or_default();
        for to in read.to {
            let id = scalar(to.to_object_id).ok_or("an id is neither text nor number")?;
            of.entry(id).or_default().extend(to.association_types);
        }
        let after = read.paging.as_ref().and_then(|paging| paging.pointer("/next/after"));
        let after =
            after.and_then(|after| after.as_str().map(str::to_owned).or_else(|| after.as_u64().map(|n| n.to_string())));
        more.extend(after.map(|after| (from, after)));
    }
    Ok(more)
}

impl HubSpot {
    /// All associations of records of one object with those of another.
    pub(super) async fn associated(
        &self,
        what: &str,
        (from, to): (&str, &str),
        ids: &[&str],
    ) -> Result<Associated, ConnectorError> {
        let to = self.object(what, to)?;
        let mut associated = Associated::new();
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
            let more = self.parsed(what, parse(&body, &mut associated))?;
            left.extend(more.into_iter().map(|(id, after)| (id, Some(after))));
        }
        Ok(associated)
    }
}

/// What is to be written of one property beside the records that were written themselves, with their places among the items.
pub(super) fn wanted(name: &str, items: &[WriteItem], answer: &WriteAnswer) -> Vec<(usize, WriteItem)> {
    let beside = beside::wanted(name, items, answer).into_iter();
    let item = |(at, remote, raw): (usize, _, &crate::model::Raw)| {
        let fields = vec![(name.to_owned(), raw.clone())];
        (at, WriteItem { op: items[at].op, target: Target::Update(remote), fields })
    };
    beside.map(item).collect()
}

/// The record that an item is written to.
pub(super) fn key(item: &WriteItem) -> &str {
    match &item.target {
        Target::Update(id) => id.as_str(),
        Target::Create { value, .. } => value,
    }
}

/// What the answer to a batch says: nothing went wrong, or it is found by halves what did.
pub(super) fn whole(items: &[&WriteItem], answer: &Answer) -> Whole {
    let value: Value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
    let errors = value.get("errors").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let refused =
        |refusal: Refusal| Outcome::Refused { code: refusal.code, message: refusal.message, properties: Vec::new() };
    match (answer.status, errors) {
        (200..=207, []) => Whole::Each(items.iter().map(|item| done(item)).collect()),
        // Which of them it was is not told in one way, so they are sent one by one: to tie again what is tied changes nothing.
        (200..=207, [first, ..]) if items.len() == 1 => Whole::Each(vec![refused(Refusal::of_value(first))]),
        (200..=207 | 400 | 404 | 409, _) if items.len() > 1 => Whole::Halves,
        _ => Whole::Each(vec![refused(Refusal::of_answer(answer)); items.len()]),
    }
}
