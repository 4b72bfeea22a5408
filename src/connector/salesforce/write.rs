//! Writing: sObject collections, one outcome per record.

use super::super::batch::{self, Whole};
use super::super::encode::{json_object, json_raw, json_text};
use super::super::transport::{Answer, Method, Request};
use super::super::{Outcome, Target, WriteAnswer, WriteItem};
use super::Salesforce;
use super::junctions::without_ties;
use super::wire::{BATCH, Refusal, id18, is_name, with_client};
use crate::model::Departure;
use serde::Deserialize;
use serde_json::Value;

impl Salesforce {
    pub(super) async fn write(&self, object: &str, items: &[WriteItem]) -> WriteAnswer {
        let keys = items.iter().filter_map(|item| match &item.target {
            Target::Create { property, .. } => Some(property.as_str()),
            Target::Update(_) => None,
        });
        let bad = std::iter::once(object).chain(keys).find(|name| !is_name(name));
        let nameless = bad.map(|name| format!("`{name}` names nothing"));
        let request = |batch: &[&WriteItem]| request(&self.version, object, batch);
        let (places, records): (Vec<usize>, Vec<WriteItem>) =
            items.iter().enumerate().filter_map(|(at, item)| Some((at, without_ties(item)?))).unzip();
        let written = batch::write(&self.client, &records, BATCH, nameless, request, whole).await;
        // Of what has nothing for the record itself nothing has failed so far.
        let there = |item: &WriteItem| match &item.target {
            Target::Update(remote) => Outcome::Done { remote: remote.clone(), created: None },
            Target::Create { .. } => Outcome::Unknown,
        };
        let mut answer = WriteAnswer { outcomes: items.iter().map(there).collect(), timing: written.timing };
        places.into_iter().zip(written.outcomes).for_each(|(at, outcome)| answer.outcomes[at] = outcome);
        self.write_junctions(items, &mut answer).await;
        answer
    }
}

/// The request for a batch of one kind.
pub(crate) fn request(version: &str, object: &str, items: &[&WriteItem]) -> Request {
    // A create is an insert that the unique external id refuses where the record is there already. An upsert that lands late
    // would write over what people entered since.
    let creates = items.iter().any(|item| matches!(item.target, Target::Create { .. }));
    let method = if creates { Method::Post } else { Method::Patch };
    let path = format!("/services/data/{version}/composite/sobjects");
    let records: Vec<String> = items.iter().map(|item| record(object, item)).collect();
    let body = format!(r#"{{"allOrNone":false,"records":[{}]}}"#, records.join(","));
    with_client(Request::json(method, path, body))
}

fn record(object: &str, item: &WriteItem) -> String {
    let attributes = json_object([("type", json_text(object))]);
    let (key, value) = match &item.target {
        Target::Update(id) => ("id", id.as_str()),
        Target::Create { property, value } => (property.as_str(), value.as_str()),
    };
    let fields = item.fields.iter().filter(|(name, _)| !name.eq_ignore_ascii_case(key));
    let fields = fields.filter_map(|(name, raw)| Some((name.as_str(), json_raw(raw)?)));
    json_object([("attributes", attributes), (key, json_text(value))].into_iter().chain(fields))
}

/// One record of the answer.
#[derive(Deserialize)]
struct Written {
    #[serde(default)]
    id: Option<String>,
    success: bool,
    #[serde(default)]
    errors: Vec<Value>,
}

/// What the answer to a batch says about its records, which it gives in the order of the request.
pub(crate) fn whole(items: &[&WriteItem], answer: &Answer) -> Whole {
    if (200..300).contains(&answer.status) {
        let written: Option<Vec<Written>> = serde_json::from_slice(&answer.body).ok();
        let unknown = vec![Outcome::Unknown; items.len()];
        return Whole::Each(match written {
            Some(written) if written.len() == items.len() => {
                items.iter().zip(written).map(|(item, written)| outcome(item, written)).collect()
            }
            _ => unknown,
        });
    }
    let refusal = Refusal::of_answer(answer);
    // A record can spoil the whole call only by what its own part of the body says.
    match matches!(answer.status, 400 | 413) && items.len() > 1 {
        true => Whole::Halves,
        false => Whole::Each(vec![refused(&refusal); items.len()]),
    }
}

fn outcome(item: &WriteItem, written: Written) -> Outcome {
    let named = written.id.as_deref().and_then(id18);
    if written.success {
        return match (&item.target, named) {
            (Target::Update(id), Some(named)) if id18(id.as_str()) != Some(named.clone()) => Outcome::Unknown,
            (Target::Update(id), _) => Outcome::Done { remote: id.clone(), created: None },
            (Target::Create { .. }, Some(remote)) => Outcome::Done { remote, created: Some(true) },
            (Target::Create { .. }, None) => Outcome::Unknown,
        };
    }
    let Some(error) = written.errors.first() else { return Outcome::Unknown };
    let mut refusal = Refusal::of_value(error);
    for error in &written.errors[1..] {
        refusal.properties.extend(Refusal::of_value(error).properties);
    }
    // With a field it is a reference that is gone, not the record itself.
    let about_itself = refusal.properties.iter().all(|name| name.eq_ignore_ascii_case("id"));
    let means_gone = matches!(refusal.code.as_str(), "ENTITY_IS_DELETED" | "NOT_FOUND" | "INVALID_CROSS_REFERENCE_KEY");
    if means_gone && about_itself && matches!(item.target, Target::Update(_)) {
        return Outcome::Gone(Departure::Deleted);
    }
    if refusal.code == "CANNOT_UPDATE_CONVERTED_LEAD" && matches!(item.target, Target::Update(_)) {
        return Outcome::Gone(Departure::Converted(Vec::new()));
    }
    if let Target::Create { property, .. } = &item.target
        && refusal.is_duplicate_of(property)
    {
        return Outcome::Taken;
    }
    match refusal.passes_after_ms() {
        Some(after_ms) => Outcome::Retry { code: refusal.code, after_ms },
        None => refused(&refusal),
    }
}

fn refused(refusal: &Refusal) -> Outcome {
    let code = if refusal.code.is_empty() { "UNKNOWN".to_owned() } else { refusal.code.clone() };
    Outcome::Refused { code, message: refusal.message.clone(), properties: refusal.properties.clone() }
}

#[cfg(test)]
#[path = "write_tests.rs"]
mod tests;
