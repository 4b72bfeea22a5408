//! Associations: which records are tied to each other, and how. They are no values of a record: no history, and no modified date
//! that moves.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::object_type::ObjectType;
use super::refusal::Refusal;
use super::route::Tie;
use super::{Call, HubSpotWorld, body_of};
use crate::sandbox::clock;
use crate::sandbox::http::{Request, Response};

/// A record of one type.
type End = (usize, u64);
/// A category and a number in it.
type Kind = (String, u64);

/// All ties, each seen from both of its ends.
#[derive(Debug, Clone, Default)]
pub struct Associations(BTreeMap<End, BTreeMap<End, BTreeSet<Kind>>>, Labels);

/// What people call their own kinds, by the types of both ends and the kind's number.
type Labels = BTreeMap<(usize, usize), BTreeMap<u64, String>>;

/// HubSpot's own types between two record types: the unlabelled one and, where there is such a thing, that of the primary one.
fn defined(from: ObjectType, to: ObjectType) -> (u64, Option<u64>) {
    use ObjectType::{Company, Contact, Deal};
    match (from, to) {
        (Contact, Company) => (279, Some(1)),
        (Company, Contact) => (280, Some(2)),
        (Contact, Deal) => (4, None),
        (Deal, Contact) => (3, None),
        (Deal, Company) => (341, Some(5)),
        (Company, Deal) => (342, Some(6)),
        (Contact, Contact) => (449, None),
        (Company, Company) => (450, None),
        (Deal, Deal) => (451, None),
        // Those of custom objects have numbers of the account's own.
        (from, to) => (10_000 + 10 * from.index() as u64 + to.index() as u64, None),
    }
}

fn end(object: ObjectType, id: u64) -> End {
    (object.index(), id)
}

impl Associations {
    /// Ties two records; the labels of the pair are from now on the given ones. Only one company is the primary one: another
    /// stays tied, without that label. Nothing says what becomes of the other direction's custom labels: they stay.
    fn set(&mut self, (from, a): (ObjectType, u64), (to, b): (ObjectType, u64), kinds: &[Kind]) {
        let (one, other) = (end(from, a), end(to, b));
        let ((plain, primary), (back, back_primary)) = (defined(from, to), defined(to, from));
        let is_primary = |kind: &Kind| Some(kind.1) == primary && kind.0 == DEFINED;
        let first = kinds.iter().any(is_primary);
        // A company has many contacts, so only the side that has one company loses another.
        if first && to == ObjectType::Company {
            let rivals: Vec<End> = self.0.get(&one).into_iter().flatten().map(|(rival, _)| *rival).collect();
            for rival in rivals.into_iter().filter(|rival| rival.0 == to.index() && *rival != other) {
                self.drop_kind(one, rival, primary);
                self.drop_kind(rival, one, back_primary);
            }
        }
        let mut own: BTreeSet<Kind> = kinds.iter().cloned().collect();
        own.insert((DEFINED.to_owned(), plain));
        self.0.entry(one).or_default().insert(other, own);
        let theirs = self.0.entry(other).or_default().entry(one).or_default();
        theirs.insert((DEFINED.to_owned(), back));
        if let Some(kind) = back_primary.map(|kind| (DEFINED.to_owned(), kind)) {
            if first {
                theirs.insert(kind)
            } else {
                theirs.remove(&kind)
            };
        }
    }

    fn drop_kind(&mut self, from: End, to: End, kind: Option<u64>) {
        if let (Some(kinds), Some(kind)) = (self.0.get_mut(&from).and_then(|of| of.get_mut(&to)), kind) {
            kinds.remove(&(DEFINED.to_owned(), kind));
        }
    }

    fn remove(&mut self, one: End, other: End) {
        for (from, to) in [(one, other), (other, one)] {
            if let Some(of) = self.0.get_mut(&from) {
                of.remove(&to);
            }
        }
    }

    /// The survivor of a merge has the ties of all; where both are tied to one record, those of the one that is named first. A
    /// second primary company is none any more.
    pub(super) fn merge(&mut self, object: ObjectType, merged: [u64; 2], survivor: u64) {
        let kept = end(object, survivor);
        for from in merged.map(|id| end(object, id)) {
            for (to, kinds) in self.0.get(&from).cloned().unwrap_or_default() {
                let back = self.0.get(&to).and_then(|of| of.get(&from)).cloned().unwrap_or_default();
                if from != kept {
                    self.remove(from, to);
                }
                let primary = defined(object, ObjectType::Company).1.map(|kind| (DEFINED.to_owned(), kind));
                let is_primary = |kinds: &BTreeSet<Kind>| primary.as_ref().is_some_and(|kind| kinds.contains(kind));
                let company = ObjectType::Company.index();
                let ties = self.0.entry(kept).or_default();
                let second = to.0 == company && ties.iter().any(|(other, kinds)| *other != to && is_primary(kinds));
                let known = ties.entry(to).or_insert_with(|| kinds.clone());
                if second && let Some(kind) = &primary {
                    known.remove(kind);
                }
                self.0.entry(to).or_default().entry(kept).or_insert(back);
            }
        }
    }
}

impl HubSpotWorld {
    /// Ties a seeded record to its company.
    pub(super) fn seed_tie(&mut self, from: ObjectType, id: u64, company: u64) {
        let primary = defined(from, ObjectType::Company).1;
        let kinds: Vec<Kind> = primary.into_iter().map(|kind| (DEFINED.to_owned(), kind)).collect();
        self.associations.set((from, id), (ObjectType::Company, company), &kinds);
    }

    pub(super) fn tie_call(
        &mut self,
        (from, to): (ObjectType, ObjectType),
        tie: &Tie,
        request: &Request,
        call: Call,
        multi_status: bool,
    ) -> Result<Response, Refusal> {
        match tie {
            Tie::Read => self.read_ties(from, to, request, call, multi_status),
            Tie::Create | Tie::Default => self.create_ties(from, to, tie, request, call, multi_status),
            Tie::Archive | Tie::ArchiveLabels => self.archive_ties(from, to, tie, request, call),
            Tie::Labels => {
                let (plain, primary) = defined(from, to);
                let own =
                    |kind: u64, label: Option<&str>| json!({ "category": DEFINED, "typeId": kind, "label": label });
                let mut results = vec![own(plain, None)];
                results.extend(primary.map(|kind| own(kind, Some("Primary"))));
                let theirs = self.associations.1.get(&(from.index(), to.index())).into_iter().flatten();
                results.extend(
                    theirs.map(|(kind, label)| json!({ "category": "USER_DEFINED", "typeId": kind, "label": label })),
                );
                Ok(Response::json(200, &json!({ "results": results })))
            }
            Tie::Label => {
                let body = body_of(request)?;
                let label = body.get("label").and_then(Value::as_str).unwrap_or_default().to_owned();
                // Each direction has a number of its own.
                let first = 100 + 2 * self.associations.1.values().map(BTreeMap::len).sum::<usize>() as u64;
                let mut results = Vec::new();
                for (kind, pair) in (first..).zip([(from, to), (to, from)]) {
                    let pair = (pair.0.index(), pair.1.index());
                    self.associations.1.entry(pair).or_default().insert(kind, label.clone());
                    results.push(json!({ "category": "USER_DEFINED", "typeId": kind, "label": label }));
                }
                Ok(Response::json(200, &json!({ "results": results })))
            }
            Tie::ListOf(id) => {
                let id = self.live_id(from, id, call)?;
                let results: Vec<Value> = self
                    .ties_of((from, id), to, call)
                    .map(|(id, kinds)| shown(id, kinds, self.labels(from, to)))
                    .collect();
                Ok(Response::json(200, &json!({ "results": results })))
            }
            Tie::Set(id, other) | Tie::SetDefault(id, other) => {
                let kinds = match tie {
                    Tie::Set(..) => {
                        let list: Vec<Map<String, Value>> = serde_json::from_slice(&request.body)
                            .map_err(|error| Refusal::bare(400, format!("Invalid input JSON: {error}")))?;
                        kinds_of(from, to, &list)?
                    }
                    _ => Vec::new(),
                };
                let (a, b) = (self.live_id(from, id, call)?, self.live_id(to, other, call)?);
                self.associations.set((from, a), (to, b), &kinds);
                let body = json!({ "fromObjectTypeId": from.type_id(), "fromObjectId": a, "toObjectTypeId": to.type_id(), "toObjectId": b, "labels": [] });
                Ok(Response::json(if matches!(tie, Tie::Set(..)) { 201 } else { 200 }, &body))
            }
            Tie::Remove(id, other) => {
                let (a, b) = (self.live_id(from, id, call)?, self.live_id(to, other, call)?);
                self.associations.remove(end(from, a), end(to, b));
                Ok(Response::empty(204))
            }
        }
    }

    fn labels(&self, from: ObjectType, to: ObjectType) -> Option<&BTreeMap<u64, String>> {
        self.associations.1.get(&(from.index(), to.index()))
    }

    /// The ties of a record to live records of a type.
    fn ties_of(
        &self,
        (from, id): (ObjectType, u64),
        to: ObjectType,
        call: Call,
    ) -> impl Iterator<Item = (u64, &BTreeSet<Kind>)> {
        let of = self.associations.0.get(&end(from, id)).into_iter().flatten();
        let live = move |id: &u64| self.table(to).get(*id, false, call.now_ms).is_some();
        let of = of.filter(move |(other, _)| other.0 == to.index()).map(|(other, kinds)| (other.1, kinds));
        of.filter(move |(other, _)| live(other))
    }

    /// `associations` of a record in a list or a single read: the older form, by names of types.
    pub(super) fn embedded_ties(&self, from: ObjectType, id: u64, wanted: &[String], call: Call) -> Option<Value> {
        let mut all = Map::new();
        for name in wanted {
            let to = ObjectType::parse(name)?;
            let kind = format!("{}_to_{}", from.upper().to_lowercase(), to.upper().to_lowercase());
            let mut results = Vec::new();
            for (other, kinds) in self.ties_of((from, id), to, call) {
                let primary = defined(from, to).1.is_none_or(|primary| kinds.contains(&(DEFINED.to_owned(), primary)));
                if primary {
                    results.push(json!({ "id": other.to_string(), "type": kind }));
                }
                results.push(json!({ "id": other.to_string(), "type": format!("{kind}_unlabeled") }));
            }
            if !results.is_empty() {
                all.insert(name.clone(), json!({ "results": results }));
            }
        }
        (!all.is_empty()).then_some(Value::Object(all))
    }

    /// The `associations` of a create.
    pub(super) fn tie_created(
        &mut self,
        from: ObjectType,
        body: &Map<String, Value>,
        call: Call,
    ) -> Result<Vec<(ObjectType, u64, Vec<Kind>)>, Refusal> {
        let mut ties = Vec::new();
        for tie in body.get("associations").and_then(Value::as_array).into_iter().flatten() {
            let types: Vec<Map<String, Value>> =
                tie.get("types").and_then(|types| serde_json::from_value(types.clone()).ok()).unwrap_or_default();
            let number = types.first().and_then(|kind| kind.get("associationTypeId")).and_then(Value::as_u64);
            let is_it = |to: &&ObjectType| {
                let (plain, primary) = defined(from, **to);
                number == Some(plain) || number.is_some() && number == primary
            };
            let to = *ObjectType::ALL.iter().find(is_it).ok_or_else(|| wrong_kind(from))?;
            let id = self.live_id(to, &id_in(tie.get("to"))?, call)?;
            ties.push((to, id, kinds_of(from, to, &types)?));
        }
        Ok(ties)
    }

    pub(super) fn book_ties(&mut self, from: ObjectType, id: u64, ties: Vec<(ObjectType, u64, Vec<Kind>)>) {
        for (to, other, kinds) in ties {
            self.associations.set((from, id), (to, other), &kinds);
        }
    }

    /// Records without ties are left out.
    fn read_ties(
        &mut self,
        from: ObjectType,
        to: ObjectType,
        request: &Request,
        call: Call,
        multi_status: bool,
    ) -> Result<Response, Refusal> {
        let body = body_of(request)?;
        let (mut results, mut missing) = (Vec::new(), Vec::new());
        for input in inputs_of(&body, READ_MAX)? {
            let id = id_in(Some(&Value::Object(input)))?;
            let ties: Vec<Value> = match self.live_id(from, &id, call) {
                Ok(own) => self
                    .ties_of((from, own), to, call)
                    .map(|(id, kinds)| shown(id, kinds, self.labels(from, to)))
                    .collect(),
                Err(_) => Vec::new(),
            };
            match ties.is_empty() {
                true => missing.push(id),
                false => results.push(json!({ "from": { "id": id }, "to": ties })),
            }
        }
        let mut errors = Vec::new();
        if !missing.is_empty() {
            let message = format!("No {} is associated with some of the records.", to.upper().to_lowercase());
            let refusal = Refusal::new(404, "OBJECT_NOT_FOUND", message);
            errors.push(refusal.with("context", json!({ "fromObjectId": missing })).row(None));
        }
        self.rng.shuffle(&mut results);
        Ok(envelope(results, errors, 200, call, multi_status))
    }

    fn create_ties(
        &mut self,
        from: ObjectType,
        to: ObjectType,
        tie: &Tie,
        request: &Request,
        call: Call,
        multi_status: bool,
    ) -> Result<Response, Refusal> {
        let body = body_of(request)?;
        let inputs = inputs_of(&body, CREATE_MAX)?;
        let mut wanted = Vec::new();
        for input in &inputs {
            let types: Vec<Map<String, Value>> =
                input.get("types").and_then(|types| serde_json::from_value(types.clone()).ok()).unwrap_or_default();
            let kinds = if *tie == Tie::Default { Vec::new() } else { kinds_of(from, to, &types)? };
            wanted.push((id_in(input.get("from"))?, id_in(input.get("to"))?, kinds));
        }
        let (mut results, mut errors) = (Vec::new(), Vec::new());
        for (one, other, kinds) in wanted {
            match (self.live_id(from, &one, call), self.live_id(to, &other, call)) {
                (Ok(a), Ok(b)) => {
                    self.associations.set((from, a), (to, b), &kinds);
                    results.push(json!({ "fromObjectTypeId": from.type_id(), "fromObjectId": a, "toObjectTypeId": to.type_id(), "toObjectId": b, "labels": [] }));
                }
                (Err(refusal), _) | (_, Err(refusal)) => errors.push(refusal.row(None)),
            }
        }
        let status = if *tie == Tie::Default { 200 } else { 201 };
        Ok(envelope(results, errors, status, call, multi_status))
    }

    fn archive_ties(
        &mut self,
        from: ObjectType,
        to: ObjectType,
        tie: &Tie,
        request: &Request,
        call: Call,
    ) -> Result<Response, Refusal> {
        let body = body_of(request)?;
        for input in inputs_of(&body, CREATE_MAX)? {
            let one = self.live_id(from, &id_in(input.get("from"))?, call)?;
            let others = match input.get("to") {
                Some(Value::Array(list)) => list.iter().map(|to| id_in(Some(to))).collect::<Result<Vec<_>, _>>()?,
                other => vec![id_in(other)?],
            };
            for other in others {
                let other = self.live_id(to, &other, call)?;
                let (one, other) = (end(from, one), end(to, other));
                if *tie == Tie::ArchiveLabels {
                    let types = input.get("types").and_then(Value::as_array).into_iter().flatten();
                    let numbers = types.filter_map(|kind| kind.get("associationTypeId").and_then(Value::as_u64));
                    numbers.for_each(|kind| self.associations.drop_kind(one, other, Some(kind)));
                } else {
                    self.associations.remove(one, other);
                }
            }
        }
        Ok(Response::empty(204))
    }

    fn live_id(&self, object: ObjectType, id: &str, call: Call) -> Result<u64, Refusal> {
        let live = |id: &u64| self.table(object).get(*id, false, call.now_ms).is_some();
        id.parse().ok().filter(live).ok_or_else(|| {
            Refusal::validation("One or more associations are invalid")
                .with("context", json!({ "INVALID_OBJECT_IDS": [format!("{}={id}", object.upper())] }))
        })
    }
}

fn shown(id: u64, kinds: &BTreeSet<Kind>, labels: Option<&BTreeMap<u64, String>>) -> Value {
    let label = |kind: &Kind| match (kind.0.as_str(), kind.1) {
        (DEFINED, 1 | 2 | 5 | 6) => json!("Primary"),
        (DEFINED, _) => Value::Null,
        _ => {
            json!(labels.and_then(|labels| labels.get(&kind.1)).cloned().unwrap_or_else(|| format!("label {}", kind.1)))
        }
    };
    let kinds: Vec<Value> =
        kinds.iter().map(|kind| json!({ "category": kind.0, "typeId": kind.1, "label": label(kind) })).collect();
    json!({ "toObjectId": id, "associationTypes": kinds })
}

/// Types that fit two record types.
fn kinds_of(from: ObjectType, to: ObjectType, list: &[Map<String, Value>]) -> Result<Vec<Kind>, Refusal> {
    let (plain, primary) = defined(from, to);
    let each = |kind: &Map<String, Value>| {
        let category = kind.get("associationCategory").and_then(Value::as_str).unwrap_or_default();
        let number = kind.get("associationTypeId").and_then(Value::as_u64).unwrap_or_default();
        let fits = match category {
            DEFINED => number == plain || Some(number) == primary,
            "USER_DEFINED" | "INTEGRATOR_DEFINED" => number > 0,
            _ => false,
        };
        if fits { Ok((category.to_owned(), number)) } else { Err(wrong_kind(from)) }
    };
    list.iter().map(each).collect()
}

fn wrong_kind(from: ObjectType) -> Refusal {
    Refusal::validation(format!("The association type does not fit {}", from.upper()))
}

fn id_in(value: Option<&Value>) -> Result<String, Refusal> {
    match value.and_then(|value| value.get("id")) {
        Some(Value::String(id)) => Ok(id.clone()),
        Some(Value::Number(id)) => Ok(id.to_string()),
        _ => Err(Refusal::bare(400, "Invalid input JSON: Some required fields were not set: [id]")),
    }
}

fn inputs_of(body: &Map<String, Value>, most: usize) -> Result<Vec<Map<String, Value>>, Refusal> {
    let inputs =
        body.get("inputs").and_then(|inputs| serde_json::from_value::<Vec<Map<String, Value>>>(inputs.clone()).ok());
    let Some(inputs) = inputs else {
        return Err(Refusal::bare(400, "Invalid input JSON: Some required fields were not set: [inputs]"));
    };
    if inputs.len() > most {
        return Err(Refusal::validation(format!("The maximum number of inputs supported in a batch is {most}")));
    }
    Ok(inputs)
}

fn envelope(results: Vec<Value>, errors: Vec<Value>, status: u16, call: Call, multi_status: bool) -> Response {
    let at = clock::instant(call.now_ms);
    let mut answer = json!({ "status": "COMPLETE", "results": results, "startedAt": at, "completedAt": at });
    if errors.is_empty() {
        return Response::json(status, &answer);
    }
    answer["numErrors"] = json!(errors.len());
    answer["errors"] = json!(errors);
    Response::json(if multi_status { 207 } else { status }, &answer)
}

const DEFINED: &str = "HUBSPOT_DEFINED";
const READ_MAX: usize = 1_000;
const CREATE_MAX: usize = 2_000;
