//! Lists of records, filled by hand. Membership is no value of a record: no history, and no modified date that moves.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::object_type::ObjectType;
use super::query::Query;
use super::refusal::Refusal;
use super::{Call, HubSpotWorld, body_of};
use crate::sandbox::clock;
use crate::sandbox::http::{Request, Response};
use crate::sandbox::ledger::Caller;

/// All lists.
#[derive(Debug, Clone, Default)]
pub struct Lists {
    all: BTreeMap<u64, List>,
    /// The integration lacks the scope.
    closed: bool,
}

#[derive(Debug, Clone)]
struct List {
    name: String,
    object: ObjectType,
    /// When each record was added.
    members: BTreeMap<u64, i64>,
}

/// What is asked of lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// `POST /`.
    Create,
    /// `GET /{id}`.
    Show(u64),
    /// `DELETE /{id}`.
    Delete(u64),
    /// `GET /{id}/memberships`.
    Members(u64),
    /// `PUT /{id}/memberships/add`.
    Add(u64),
    /// `PUT /{id}/memberships/remove`.
    Remove(u64),
    /// `POST /records/memberships/batch/read`.
    OfRecords,
}

impl Ask {
    pub(super) fn of(method: &str, rest: &[&str]) -> Option<Self> {
        let id = |text: &str| text.parse::<u64>().ok();
        Some(match (method, rest) {
            ("POST", []) => Self::Create,
            ("POST", ["records", "memberships", "batch", "read"]) => Self::OfRecords,
            ("GET", [list]) => Self::Show(id(list)?),
            ("DELETE", [list]) => Self::Delete(id(list)?),
            ("GET", [list, "memberships"]) => Self::Members(id(list)?),
            ("PUT", [list, "memberships", "add"]) => Self::Add(id(list)?),
            ("PUT", [list, "memberships", "remove"]) => Self::Remove(id(list)?),
            _ => return None,
        })
    }
}

impl Lists {
    /// Has it lost it?
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// The integration loses the scope.
    pub fn close(&mut self) {
        self.closed = true;
    }
}

impl HubSpotWorld {
    pub(super) fn list_call(&mut self, ask: &Ask, request: &Request, call: Call) -> Result<Response, Refusal> {
        if self.lists.closed && call.caller == Caller::Integration {
            let message = "One or more of the following scopes are required.";
            let scopes = json!({ "requiredGranularScopes": ["crm.lists.read"] });
            return Err(Refusal::new(403, "MISSING_SCOPES", message).with("context", scopes));
        }
        match ask {
            Ask::Create => {
                let body = body_of(request)?;
                let text = |key: &str| body.get(key).and_then(Value::as_str).unwrap_or_default();
                let object = ObjectType::parse(text("objectTypeId"))
                    .ok_or_else(|| Refusal::unknown_object(text("objectTypeId")))?;
                let id = self.lists.all.keys().next_back().map_or(1, |last| last + 1);
                let list = List { name: text("name").to_owned(), object, members: BTreeMap::new() };
                let answer = json!({ "list": shown(id, &list) });
                self.lists.all.insert(id, list);
                Ok(Response::json(200, &answer))
            }
            Ask::Show(id) => Ok(Response::json(200, &json!({ "list": shown(*id, self.known_list(*id)?) }))),
            Ask::Delete(id) => {
                self.known_list(*id)?;
                self.lists.all.remove(id);
                Ok(Response::empty(204))
            }
            Ask::Members(id) => {
                let query = Query::parse(&request.query);
                let limit: usize = query.get("limit").and_then(|limit| limit.parse().ok()).unwrap_or(100);
                let after: u64 = query.get("after").and_then(|after| after.parse().ok()).unwrap_or(0);
                let mut left = self.known_list(*id)?.members.range(after + 1..);
                let page: Vec<(&u64, &i64)> = left.by_ref().take(limit.clamp(1, 250)).collect();
                let row = |(id, at): &(&u64, &i64)| json!({ "recordId": id.to_string(), "membershipTimestamp": clock::instant(**at) });
                let mut answer = json!({ "results": page.iter().map(row).collect::<Vec<Value>>() });
                if let (Some((last, _)), Some(_)) = (page.last(), left.next()) {
                    answer["paging"] = json!({ "next": { "after": last.to_string() } });
                }
                Ok(Response::json(200, &answer))
            }
            Ask::Add(id) | Ask::Remove(id) => {
                let object = self.known_list(*id)?.object;
                let ids: Vec<Value> = serde_json::from_slice(&request.body)
                    .map_err(|error| Refusal::bare(400, format!("Invalid input JSON: {error}")))?;
                let number = |id: &Value| id.as_u64().or_else(|| id.as_str()?.parse().ok());
                let live = |id: &u64| self.table(object).get(*id, false, call.now_ms).is_some();
                let ids: BTreeSet<u64> = ids.iter().filter_map(number).filter(live).collect();
                if let Some(list) = self.lists.all.get_mut(id) {
                    match ask {
                        Ask::Add(_) => ids.into_iter().for_each(|id| {
                            list.members.entry(id).or_insert(call.now_ms);
                        }),
                        _ => list.members.retain(|id, _| !ids.contains(id)),
                    }
                }
                Ok(Response::empty(204))
            }
            Ask::OfRecords => self.memberships(request, call),
        }
    }

    fn known_list(&self, id: u64) -> Result<&List, Refusal> {
        self.lists
            .all
            .get(&id)
            .ok_or_else(|| Refusal::new(404, "OBJECT_NOT_FOUND", format!("List does not exist with ID {id}.")))
    }

    fn memberships(&mut self, request: &Request, call: Call) -> Result<Response, Refusal> {
        let body = body_of(request)?;
        let inputs = body.get("inputs").and_then(Value::as_array).cloned().unwrap_or_default();
        if inputs.len() > READ_MAX {
            return Err(Refusal::validation(format!(
                "The maximum number of inputs supported in a batch is {READ_MAX}"
            )));
        }
        let mut results = Vec::new();
        for input in &inputs {
            let text = |key: &str| input.get(key).and_then(Value::as_str).unwrap_or_default();
            let object =
                ObjectType::parse(text("objectTypeId")).ok_or_else(|| Refusal::unknown_object(text("objectTypeId")))?;
            let Ok(record) = text("recordId").parse::<u64>() else { continue };
            let of = self.lists.all.iter().filter(|(_, list)| list.object == object);
            let of = of.filter_map(|(id, list)| Some((id, list.members.get(&record)?)));
            let row = |(id, at): (&u64, &i64)| {
                let at = clock::instant(*at);
                json!({ "listId": id, "listVersion": 1, "firstAddedTimestamp": at, "lastAddedTimestamp": at })
            };
            let memberships: Vec<Value> = of.map(row).collect();
            // Nothing says whether records without any are listed: they are not.
            if !memberships.is_empty() {
                let (object, record) = (object.type_id(), record.to_string());
                results
                    .push(json!({ "objectTypeId": object, "recordId": record, "recordListMemberships": memberships }));
            }
        }
        self.rng.shuffle(&mut results);
        let at = clock::instant(call.now_ms);
        let answer = json!({ "status": "COMPLETE", "results": results, "startedAt": at, "completedAt": at });
        Ok(Response::json(200, &answer))
    }
}

fn shown(id: u64, list: &List) -> Value {
    json!({
        "listId": id.to_string(), "listVersion": 1, "name": list.name, "objectTypeId": list.object.type_id(),
        "processingType": "MANUAL", "processingStatus": "COMPLETE",
    })
}

const READ_MAX: usize = 100;
