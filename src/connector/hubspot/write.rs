//! Writing: batches in, one outcome per record out.

use super::super::batch::{self, Whole};
use super::super::encode::{json_object, json_text};
use super::super::transport::{Answer, Method, Request};
use super::super::{Outcome, RemoteId, Target, WriteAnswer, WriteItem};
use super::HubSpot;
use super::ties::without_ties;
use super::wire::{BATCH, Page, Refusal, is_name};
use crate::model::{Departure, Raw};

impl HubSpot {
    pub(super) async fn write(&self, object: &str, items: &[WriteItem]) -> WriteAnswer {
        let nameless = (!is_name(object)).then(|| format!("`{object}` names no object"));
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
        self.write_ties(object, items, &mut answer).await;
        self.write_sets(object, items, &mut answer).await;
        answer
    }

    /// Archives records: they can be restored for 90 days.
    pub(super) async fn delete(&self, object: &str, ids: &[RemoteId]) -> WriteAnswer {
        let nameless = (!is_name(object)).then(|| format!("`{object}` names no object"));
        let request = |batch: &[&WriteItem]| archive(&self.version, object, batch);
        batch::write(&self.client, &batch::deletes(ids), BATCH, nameless, request, archived).await
    }
}

fn archive(version: &str, object: &str, items: &[&WriteItem]) -> Request {
    let id = |item: &&WriteItem| match &item.target {
        Target::Update(id) => Some(json_object([("id", json_text(id.as_str()))])),
        Target::Create { .. } => None,
    };
    let inputs: Vec<String> = items.iter().filter_map(id).collect();
    let body = format!(r#"{{"inputs":[{}]}}"#, inputs.join(","));
    Request::json(Method::Post, format!("/crm/objects/{version}/{object}/batch/archive"), body)
}

/// The answer has no body; one who is archived already, or never was, is no error.
fn archived(items: &[&WriteItem], answer: &Answer) -> Whole {
    match answer.status {
        200..=206 => Whole::Each(items.iter().map(|item| batch::done(item)).collect()),
        _ => whole(items, answer),
    }
}

/// The request for a batch of one kind.
pub(crate) fn request(version: &str, object: &str, items: &[&WriteItem]) -> Request {
    let upserts = items.iter().any(|item| matches!(item.target, Target::Create { .. }));
    let verb = if upserts { "upsert" } else { "update" };
    let inputs: Vec<String> = items.iter().map(|item| input(item)).collect();
    let body = format!(r#"{{"inputs":[{}]}}"#, inputs.join(","));
    Request::json(Method::Post, format!("/crm/objects/{version}/{object}/batch/{verb}"), body)
}

fn input(item: &WriteItem) -> String {
    let fields = item.fields.iter().filter_map(|(name, raw)| Some((name.as_str(), json_text(&text(raw)?))));
    let mut entries = Vec::with_capacity(4);
    match &item.target {
        Target::Update(id) => entries.push(("id", json_text(id.as_str()))),
        Target::Create { property, value } => {
            entries.push(("id", json_text(value)));
            entries.push(("idProperty", json_text(property)));
        }
    }
    entries.push(("objectWriteTraceId", json_text(&item.op.0.to_string())));
    entries.push(("properties", json_object(fields)));
    json_object(entries)
}

/// HubSpot takes text only; the empty one clears.
fn text(raw: &Raw) -> Option<String> {
    match raw {
        Raw::Absent => None,
        Raw::Null => Some(String::new()),
        Raw::Text(text) | Raw::Number(text) => Some(text.as_str().to_owned()),
        Raw::Bool(value) => Some(value.to_string()),
    }
}

/// What the answer to a batch says about its records.
pub(crate) fn whole(items: &[&WriteItem], answer: &Answer) -> Whole {
    if matches!(answer.status, 200..=207) {
        let body = std::str::from_utf8(&answer.body).ok();
        let each = body.and_then(|body| by_record(items, body));
        return Whole::Each(each.unwrap_or_else(|| vec![Outcome::Unknown; items.len()]));
    }
    let refusal = Refusal::of_answer(answer);
    // The definition of a property refuses the same in every record: those without it go on together.
    if matches!(refusal.code.as_str(), "PROPERTY_DOESNT_EXIST" | "READ_ONLY_VALUE") {
        let carries = |item: &WriteItem| item.fields.iter().any(|(name, _)| refusal.properties.contains(name));
        if items.iter().all(|item| carries(item)) {
            return Whole::Each(vec![refused(&refusal); items.len()]);
        }
    }
    let is_about_all = matches!(answer.status, 300..=399 | 401 | 403 | 405 | 415)
        || (answer.status == 404 && refusal.code != "OBJECT_NOT_FOUND" && refusal.ids.is_empty());
    match items {
        [single] => Whole::Each(vec![outcome(single, &refusal)]),
        _ if is_about_all => Whole::Each(vec![refused(&refusal); items.len()]),
        _ => Whole::Halves,
    }
}

/// Outcomes by trace id, id or external id, never by place: HubSpot promises no order. What is not named is unknown.
fn by_record(items: &[&WriteItem], body: &str) -> Option<Vec<Outcome>> {
    let page = Page::parse(body).ok()?;
    let mut outcomes: Vec<Option<Outcome>> = vec![None; items.len()];
    let mut note = |index: usize, outcome: Outcome| {
        let contradiction = outcomes[index].as_ref().is_some_and(|known| *known != outcome);
        outcomes[index] = Some(if contradiction { Outcome::Unknown } else { outcome });
    };
    for row in &page.results {
        let Ok(remote) = row.id() else { continue };
        let trace = row.trace_id();
        let is_named = |item: &&WriteItem| match (&trace, &item.target) {
            (Some(trace), _) => *trace == item.op.0.to_string(),
            (None, Target::Update(id)) => *id == remote,
            (None, Target::Create { property, value }) => row.text(property).as_ref() == Some(value),
        };
        if let Some(index) = items.iter().position(is_named) {
            note(index, Outcome::Done { remote, created: row.new });
        }
    }
    for error in &page.errors {
        let refusal = Refusal::of_value(error);
        for (index, item) in items.iter().enumerate() {
            let key = match &item.target {
                Target::Update(id) => id.as_str(),
                Target::Create { value, .. } => value.as_str(),
            };
            let unnamed = refusal.ids.is_empty() && refusal.trace_ids.is_empty();
            let named = refusal.trace_ids.contains(&item.op.0.to_string()) || refusal.ids.iter().any(|id| id == key);
            if named || (unnamed && items.len() == 1) {
                note(index, outcome(item, &refusal));
            }
        }
    }
    Some(outcomes.into_iter().map(|outcome| outcome.unwrap_or(Outcome::Unknown)).collect())
}

fn outcome(item: &WriteItem, refusal: &Refusal) -> Outcome {
    match refusal.code.as_str() {
        "OBJECT_NOT_FOUND" if matches!(item.target, Target::Update(_)) => Outcome::Gone(Departure::Deleted),
        "RATE_LIMITS" | "RATE_LIMIT" => Outcome::Retry { code: refusal.code.clone(), after_ms: 1_000 },
        "INTERNAL_ERROR" | "SERVER_ERROR" => Outcome::Unknown,
        _ => refused(refusal),
    }
}

fn refused(refusal: &Refusal) -> Outcome {
    Outcome::Refused {
        code: refusal.code.clone(),
        message: refusal.message.clone(),
        properties: refusal.properties.clone(),
    }
}

#[cfg(test)]
#[path = "write_tests.rs"]
mod tests;
