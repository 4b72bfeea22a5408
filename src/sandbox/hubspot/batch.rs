//! Batches: many records in one call, and who of them succeeds.
//!
//! Without distinct write trace ids a batch succeeds or fails as a whole, ids that are not found excepted: these are
//! always left out and named together in one row. With a distinct trace id on every input, each has its own outcome.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::object_type::ObjectType;
use super::objects::{properties_of, trace_of};
use super::query::Query;
use super::refusal::Refusal;
use super::show::Wanted;
use super::table::{Changes, Claims};
use super::{Call, HubSpotWorld, body_of};
use crate::sandbox::clock;
use crate::sandbox::http::{Request, Response};

/// What a batch has come to so far.
#[derive(Default)]
struct Outcome {
    results: Vec<Value>,
    errors: Vec<Value>,
    missing: Vec<String>,
}

/// One input of an update or upsert that has found its record, or, in an upsert, has none yet.
struct Target<'a> {
    record: Option<u64>,
    properties: Map<String, Value>,
    trace: Option<&'a str>,
}

impl HubSpotWorld {
    pub(super) fn batch_read(
        &mut self,
        object: ObjectType,
        request: &Request,
        call: Call,
        multi_status: bool,
    ) -> Result<Response, Refusal> {
        let body = body_of(request)?;
        let names = |key: &str| -> Vec<String> {
            let list = body.get(key).and_then(Value::as_array).into_iter().flatten();
            list.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let wanted = Wanted { properties: names("properties"), history: names("propertiesWithHistory") };
        let inputs = inputs_of(&body, !wanted.history.is_empty())?;
        let archived = Query::parse(&request.query).is_true("archived");
        let id_property = body.get("idProperty").and_then(Value::as_str);
        let (table, shower) = (self.table(object), self.shower());
        let (mut outcome, mut seen) = (Outcome::default(), BTreeSet::new());
        for input in &inputs {
            let id = id_of(input)?;
            match table.find(&id, id_property, archived, call.now_ms)? {
                Some(record) if seen.insert(record.id) => {
                    outcome.results.push(shower.record(table, record, &wanted));
                }
                Some(_) => {}
                None => outcome.missing.push(id),
            }
        }
        Ok(self.batch_answer(object, outcome, 200, call, multi_status))
    }

    pub(super) fn batch_create(
        &mut self,
        object: ObjectType,
        request: &Request,
        call: Call,
        multi_status: bool,
    ) -> Result<Response, Refusal> {
        let body = body_of(request)?;
        let inputs = inputs_of(&body, false)?;
        let mut targets = Vec::with_capacity(inputs.len());
        for input in &inputs {
            targets.push(Target { record: None, properties: properties_of(input)?.clone(), trace: trace_of(input) });
        }
        let outcome = self.write_all(object, targets, Outcome::default(), call, false)?;
        Ok(self.batch_answer(object, outcome, 201, call, multi_status))
    }

    pub(super) fn batch_update(
        &mut self,
        object: ObjectType,
        request: &Request,
        call: Call,
        multi_status: bool,
    ) -> Result<Response, Refusal> {
        let body = body_of(request)?;
        let inputs = inputs_of(&body, false)?;
        refuse_duplicates(&inputs)?;
        let (mut targets, mut outcome, mut seen) = (Vec::new(), Outcome::default(), BTreeSet::new());
        for input in &inputs {
            let id = id_of(input)?;
            let properties = properties_of(input)?.clone();
            match self.table(object).find(&id, input.get("idProperty").and_then(Value::as_str), false, call.now_ms)? {
                Some(record) if !seen.insert(record.id) => return Err(duplicates(&[record.id.to_string()])),
                Some(record) => targets.push(Target { record: Some(record.id), properties, trace: trace_of(input) }),
                None => outcome.missing.push(id),
            }
        }
        let outcome = self.write_all(object, targets, outcome, call, false)?;
        Ok(self.batch_answer(object, outcome, 200, call, multi_status))
    }

    pub(super) fn batch_upsert(
        &mut self,
        object: ObjectType,
        request: &Request,
        call: Call,
        multi_status: bool,
    ) -> Result<Response, Refusal> {
        let body = body_of(request)?;
        let inputs = inputs_of(&body, false)?;
        refuse_duplicates(&inputs)?;
        let (mut targets, mut seen) = (Vec::new(), BTreeSet::new());
        for input in &inputs {
            let id = id_of(input)?;
            let id_property = input.get("idProperty").and_then(Value::as_str).unwrap_or("hs_object_id");
            let mut properties = properties_of(input)?.clone();
            let record = self.table(object).find(&id, Some(id_property), false, call.now_ms)?.map(|record| record.id);
            if let Some(record) = record.filter(|&record| !seen.insert(record)) {
                return Err(duplicates(&[record.to_string()]));
            }
            if record.is_none() && id_property == "hs_object_id" {
                return Err(Refusal::not_found(&id));
            }
            if record.is_none() {
                properties.entry(id_property).or_insert_with(|| json!(id));
            }
            targets.push(Target { record, properties, trace: trace_of(input) });
        }
        let outcome = self.write_all(object, targets, Outcome::default(), call, true)?;
        Ok(self.batch_answer(object, outcome, 200, call, multi_status))
    }

    pub(super) fn batch_archive(
        &mut self,
        object: ObjectType,
        request: &Request,
        call: Call,
    ) -> Result<Response, Refusal> {
        let body = body_of(request)?;
        let ids: Vec<_> = inputs_of(&body, false)?.iter().map(id_of).collect::<Result<_, _>>()?;
        for id in ids {
            self.archive(object, &id, call);
        }
        Ok(Response::empty(204))
    }

    /// Checks and writes all targets: one by one where every input has a trace id of its own, else all or none.
    fn write_all(
        &mut self,
        object: ObjectType,
        targets: Vec<Target<'_>>,
        mut outcome: Outcome,
        call: Call,
        is_upsert: bool,
    ) -> Result<Outcome, Refusal> {
        let traces: BTreeSet<_> = targets.iter().filter_map(|target| target.trace).collect();
        if traces.len() == targets.len() {
            for target in &targets {
                match self.check(object, target, &mut Claims::new(), call) {
                    Ok(changes) => {
                        let shown = self.write(object, target, &changes, call, is_upsert);
                        outcome.results.push(shown);
                    }
                    Err(refusal) => outcome.errors.push(refusal.row(target.trace)),
                }
            }
            return Ok(outcome);
        }
        let mut claims = Claims::new();
        let checked: Vec<_> = targets
            .iter()
            .map(|target| self.check(object, target, &mut claims, call))
            .collect::<Result<_, _>>()
            .map_err(Refusal::of_batch)?;
        for (target, changes) in targets.iter().zip(&checked) {
            outcome.results.push(self.write(object, target, changes, call, is_upsert));
        }
        Ok(outcome)
    }

    fn check(
        &self,
        object: ObjectType,
        target: &Target<'_>,
        claims: &mut Claims,
        call: Call,
    ) -> Result<Changes, Refusal> {
        let table = self.table(object);
        match target.record.and_then(|id| table.get(id, false, call.now_ms)) {
            Some(record) => table.check_update(record, &target.properties, claims),
            None => table.check_create(&target.properties, claims),
        }
    }

    fn write(
        &mut self,
        object: ObjectType,
        target: &Target<'_>,
        changes: &Changes,
        call: Call,
        is_upsert: bool,
    ) -> Value {
        let mut shown = match target.record {
            Some(id) => {
                self.book_update(object, id, changes, call);
                self.show_updated(object, id, &target.properties, target.trace, call)
            }
            None => {
                let id = self.book_create(object, changes, call);
                self.show_created(object, id, target.trace, call)
            }
        };
        if is_upsert {
            shown["new"] = json!(target.record.is_none());
        }
        shown
    }

    /// The envelope. Results come in no order.
    fn batch_answer(
        &mut self,
        object: ObjectType,
        mut outcome: Outcome,
        status: u16,
        call: Call,
        multi_status: bool,
    ) -> Response {
        if !outcome.missing.is_empty() {
            outcome.errors.push(Refusal::missing(object, &outcome.missing).row(None));
        }
        self.rng.shuffle(&mut outcome.results);
        let at = clock::instant(call.now_ms);
        let mut answer = json!({"status": "COMPLETE", "results": outcome.results, "startedAt": at, "completedAt": at});
        if outcome.errors.is_empty() {
            return Response::json(status, &answer);
        }
        answer["numErrors"] = json!(outcome.errors.len());
        answer["errors"] = json!(outcome.errors);
        Response::json(if multi_status { 207 } else { status }, &answer)
    }
}

/// The inputs of a batch, within its size.
fn inputs_of(body: &Map<String, Value>, with_history: bool) -> Result<Vec<Map<String, Value>>, Refusal> {
    let Some(inputs) = body.get("inputs").and_then(Value::as_array) else {
        return Err(Refusal::bare(400, "Invalid input JSON: Some required fields were not set: [inputs]"));
    };
    if with_history && inputs.len() > INPUTS_WITH_HISTORY_MAX {
        return Err(Refusal::validation(format!(
            "The maximum number of inputs supported in a batch request for property histories is {INPUTS_WITH_HISTORY_MAX}"
        )));
    }
    if inputs.len() > INPUTS_MAX {
        return Err(Refusal::validation(format!(
            "The maximum number of inputs supported in a batch is {INPUTS_MAX}. Please reduce the number of items and try again"
        )));
    }
    let objects = inputs.iter().map(|input| {
        let object = input.as_object().cloned();
        object.ok_or_else(|| Refusal::bare(400, "Invalid input JSON: an input is not an object"))
    });
    objects.collect()
}

fn id_of(input: &Map<String, Value>) -> Result<String, Refusal> {
    match input.get("id") {
        Some(Value::String(id)) => Ok(id.clone()),
        Some(Value::Number(id)) => Ok(id.to_string()),
        _ => Err(Refusal::bare(400, "Invalid input JSON: Some required fields were not set: [id]")),
    }
}

fn refuse_duplicates(inputs: &[Map<String, Value>]) -> Result<(), Refusal> {
    let (mut seen, mut twice) = (BTreeSet::new(), Vec::new());
    for input in inputs {
        let key = (id_of(input)?, input.get("idProperty").and_then(Value::as_str));
        if !seen.insert(key.clone()) && !twice.contains(&key.0) {
            twice.push(key.0);
        }
    }
    if twice.is_empty() { Ok(()) } else { Err(duplicates(&twice)) }
}

fn duplicates(ids: &[String]) -> Refusal {
    let message = format!("Duplicate IDs found in batch input: [{}]. IDs must be unique", ids.join(", "));
    Refusal::validation(message).with("context", json!({"ids": ids}))
}

const INPUTS_MAX: usize = 100;
const INPUTS_WITH_HISTORY_MAX: usize = 50;
