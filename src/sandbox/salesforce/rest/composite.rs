//! Composite: up to 25 calls in one, where later ones may use the answers of earlier ones.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::{Call, Route, Target, dispatch};
use crate::sandbox::http::{Request, Response};
use crate::sandbox::salesforce::error::Refusal;
use crate::sandbox::salesforce::world::SalesforceWorld;

/// `POST /composite`. The calls run in the order they are given, as with `collateSubrequests: false`.
pub fn run(world: &mut SalesforceWorld, call: &Call<'_>) -> Result<Response, Refusal> {
    let body = call.body()?;
    let all_or_none = body.get("allOrNone").and_then(Json::as_bool).unwrap_or_default();
    let calls = read(&body)?;
    let mark = world.database.mark();
    let mut answers = Answers::default();
    for sub in &calls {
        let response = answers.resolve(sub).and_then(|sub| one(world, call, &sub));
        let response = response.unwrap_or_else(|refusal| Response::json(refusal.status, &refusal.to_body()));
        answers.add(&sub.reference, response);
    }
    if all_or_none && answers.list.iter().any(|answer| !answer.succeeded()) {
        world.database.rollback(mark);
        for answer in answers.list.iter_mut().filter(|answer| answer.succeeded()) {
            // UNVERIFIED: the message.
            let text = "The transaction was rolled back since another operation in the same transaction failed.";
            answer.body = Refusal::new(400, "PROCESSING_HALTED", text).to_body();
            answer.status = 400;
            answer.headers.clear();
        }
    }
    let all: Vec<Json> = answers.list.iter().map(Answer::json).collect();
    Ok(Response::json(200, &json!({"compositeResponse": all})))
}

/// One call of the envelope.
#[derive(Debug, Clone)]
struct Sub {
    method: String,
    url: String,
    reference: String,
    headers: Vec<(String, String)>,
    body: Json,
}

impl Sub {
    fn request(&self) -> Request {
        let (path, query) = self.url.split_once('?').unwrap_or((&self.url, ""));
        Request {
            method: self.method.clone(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: self.headers.clone(),
            body: if self.body.is_null() { Vec::new() } else { self.body.to_string().into_bytes() },
        }
    }
}

struct Answer {
    reference: String,
    status: u16,
    headers: Map<String, Json>,
    body: Json,
}

impl Answer {
    fn succeeded(&self) -> bool {
        self.status < 300 || self.status == 304
    }

    fn json(&self) -> Json {
        json!({
            "body": self.body, "httpHeaders": self.headers, "httpStatusCode": self.status,
            "referenceId": self.reference,
        })
    }
}

#[derive(Default)]
struct Answers {
    list: Vec<Answer>,
    by_reference: BTreeMap<String, usize>,
}

impl Answers {
    fn add(&mut self, reference: &str, response: Response) {
        let location = response.headers.iter().find(|(name, _)| name == "location");
        let headers = location.map(|(_, url)| ("Location".to_owned(), json!(url))).into_iter().collect();
        let body = serde_json::from_slice(&response.body).unwrap_or_default();
        self.by_reference.insert(reference.to_owned(), self.list.len());
        self.list.push(Answer { reference: reference.to_owned(), status: response.status, headers, body });
    }

    /// Fills in `@{reference.path}` in the URL and the body.
    fn resolve(&self, sub: &Sub) -> Result<Sub, Refusal> {
        let mut sub = sub.clone();
        sub.url = self.fill(&sub.url)?;
        self.fill_json(&mut sub.body)?;
        Ok(sub)
    }

    fn fill_json(&self, json: &mut Json) -> Result<(), Refusal> {
        match json {
            Json::String(text) => *text = self.fill(text)?,
            Json::Array(all) => all.iter_mut().try_for_each(|one| self.fill_json(one))?,
            Json::Object(all) => all.values_mut().try_for_each(|one| self.fill_json(one))?,
            _ => {}
        }
        Ok(())
    }

    fn fill(&self, text: &str) -> Result<String, Refusal> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("@{") {
            let Some((name, behind)) = after.split_once('}') else {
                break;
            };
            filled.push_str(before);
            filled.push_str(&self.look_up(name)?);
            rest = behind;
        }
        filled.push_str(rest);
        Ok(filled)
    }

    fn look_up(&self, name: &str) -> Result<String, Refusal> {
        let (reference, path) = name.split_once('.').unwrap_or((name, ""));
        let answer = self.by_reference.get(reference).and_then(|at| self.list.get(*at));
        let mut value = answer.filter(|answer| answer.succeeded()).map(|answer| &answer.body);
        // UNVERIFIED: indexes such as `records[0]`.
        for step in path.split(['.', '[']).filter(|step| !step.is_empty()) {
            value = value.and_then(|value| match step.strip_suffix(']') {
                Some(index) => value.get(index.parse::<usize>().ok()?),
                None => value.get(step),
            });
        }
        match value {
            Some(Json::String(text)) => Ok(text.clone()),
            Some(value @ (Json::Number(_) | Json::Bool(_))) => Ok(value.to_string()),
            _ => {
                let text = format!("Invalid reference specified. No value for {name} found in {reference}.");
                Err(Refusal::new(400, "PROCESSING_HALTED", text))
            }
        }
    }
}

fn read(body: &Map<String, Json>) -> Result<Vec<Sub>, Refusal> {
    let refused = |text: &str| Refusal::new(400, "INVALID_INPUT", text);
    let calls = body.get("compositeRequest").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    if calls.is_empty() || calls.len() > CALLS_MAX {
        return Err(refused("The compositeRequest must hold 1 to 25 subrequests"));
    }
    let mut subs: Vec<Sub> = Vec::new();
    for call in calls {
        let text = |name: &str| call.get(name).and_then(Json::as_str).map(str::to_owned);
        let (Some(method), Some(url), Some(reference)) = (text("method"), text("url"), text("referenceId")) else {
            return Err(refused("A subrequest needs method, url and referenceId"));
        };
        if !reference.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            || subs.iter().any(|s| s.reference == reference)
        {
            return Err(refused("A referenceId is made of letters, digits and underscores, and is unique"));
        }
        let headers = call.get("httpHeaders").and_then(Json::as_object).cloned().unwrap_or_default();
        let header = |(name, value): (String, Json)| Some((name.to_ascii_lowercase(), value.as_str()?.to_owned()));
        let headers = headers.into_iter().filter_map(header).collect();
        subs.push(Sub { method, url, reference, headers, body: call.get("body").cloned().unwrap_or_default() });
    }
    if subs.iter().filter(|sub| is_heavy(sub)).count() > HEAVY_CALLS_MAX {
        return Err(refused("At most 5 subrequests may be queries or collections"));
    }
    Ok(subs)
}

fn one(world: &mut SalesforceWorld, call: &Call<'_>, sub: &Sub) -> Result<Response, Refusal> {
    let request = sub.request();
    match Route::of(&request) {
        Route::Data(_, Target::Composite) => Err(Refusal::new(400, "INVALID_INPUT", "Composite calls do not nest")),
        Route::Data(base, target) => {
            let call = Call { request: &request, base, caller: call.caller, actor: call.actor, now_ms: call.now_ms };
            Ok(dispatch(world, &call, &target))
        }
        _ => Err(Refusal::not_found()),
    }
}

fn is_heavy(sub: &Sub) -> bool {
    ["/composite/sobjects", "/query"].iter().any(|part| sub.url.contains(part))
}

const CALLS_MAX: usize = 25;
const HEAVY_CALLS_MAX: usize = 5;
